//! Tests of the public face: rpm's version rules, questions and problems, libsolv's own solver cases.

// Helpers of tests fail by panic, as tests do.
#![allow(clippy::unwrap_used)]

mod libsolv_cases;
mod order;
mod questions;
mod reader;
mod tangled;
mod versions;
