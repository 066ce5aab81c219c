//! mirror-sync against servers that misbehave, nginx, dnf and real packages.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod transfer;
