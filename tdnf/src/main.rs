//! A package manager for RPM systems in one static binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Started by ourselves to become a scriptlet's interpreter.
    if let Some(code) = tdnf::transaction::scripts::runner::enter(std::env::args_os()) {
        return code;
    }
    // Arguments that are not UTF-8 cannot name anything that a repository has.
    tdnf::run(std::env::args_os().map(|word| word.to_string_lossy().into_owned()))
}
