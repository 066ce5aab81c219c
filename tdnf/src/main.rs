//! A package manager for RPM systems in one static binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Arguments that are not UTF-8 cannot name anything that a repository has.
    tdnf::run(std::env::args_os().map(|word| word.to_string_lossy().into_owned()))
}
