//! A package manager for RPM systems in one static binary.

use std::process::ExitCode;

use rpm_solv::LastWords;

/// Number, text and exit code are those of error 1612.
#[global_allocator]
static MEMORY: LastWords = LastWords {
    text: "Error(1612) : Cannot allocate memory\n\
           Hint: raise the limit (`ulimit -v`, or that of the control group); what a transaction had begun is undone \
           or finished by the next tdnf command that changes something\n",
    code: 76,
};

fn main() -> ExitCode {
    MEMORY.hear_aborts();
    // Started by ourselves to become a scriptlet's interpreter.
    if let Some(code) = tdnf::transaction::scripts::runner::enter(std::env::args_os()) {
        return code;
    }
    // Arguments that are not UTF-8 cannot name anything that a repository has.
    tdnf::run(std::env::args_os().map(|word| word.to_string_lossy().into_owned()))
}
