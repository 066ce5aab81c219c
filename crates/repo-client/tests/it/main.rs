//! Against a server that misbehaves, a real nginx, and real TLS.

// The helpers beside the tests may fail the test, too.
#![allow(clippy::unwrap_used)]

mod coded;
mod fixture;
mod metadata;
mod packages;
mod resume;
mod spread;
mod tls;
mod ways;
