//! The crate against real packages, real keys, gpg and rpm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod detached;
mod fixtures;
mod keys;
mod mutation;
mod packages;
mod signing;
mod verdicts;
