//! rpm-pkg against real packages and the real rpm.

// A test says what is wrong by failing; clippy.toml allows this in #[test] functions only.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod contents;
mod database;
mod dependency;
mod evr;
mod hostile_header;
mod hostile_payload;
mod real;
mod support;
