//! A package manager for RPM systems in one static binary.

fn main() {}
