//! Whole-process benchmarks against dnf.

fn main() {}
