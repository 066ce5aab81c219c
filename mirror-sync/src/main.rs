//! Local mirrors of RPM repositories.

fn main() {}
