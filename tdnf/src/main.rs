//! A package manager for RPM systems in one static binary.

use std::process::ExitCode;
use std::sync::OnceLock;
use std::thread::Thread;

use rpm_solv::LastWords;

/// Number, text and exit code are those of error 1612.
#[global_allocator]
static MEMORY: LastWords = LastWords {
    text: "Error(1612) : Cannot allocate memory\n\
           Hint: raise the limit (`ulimit -v`, or that of the control group); what a transaction had begun is undone \
           or finished by the next tdnf command that changes something\n",
    code: 76,
};

/// The standard library keeps the main thread's handle until the process ends, by a pointer into its middle; leak
/// checkers (`./dev valgrind`) take that for lost memory. This one points to its beginning.
static MAIN_THREAD: OnceLock<Thread> = OnceLock::new();

fn main() -> ExitCode {
    MEMORY.hear_aborts();
    MAIN_THREAD.get_or_init(std::thread::current);
    // Started by ourselves to become a scriptlet's interpreter.
    if let Some(code) = rpm_transaction::scripts::runner::enter(std::env::args_os()) {
        return code;
    }
    let words = tdnf::image::namespace::enter(std::env::args_os().collect());
    // What the caller has open is not for scriptlets and hooks.
    close_fds::set_fds_cloexec(3, &[]);
    whole_file::narrow_umask();
    whole_file::survive_limits();
    // Arguments that are not UTF-8 cannot name anything that a repository has.
    tdnf::run(words.iter().map(|word| word.to_string_lossy().into_owned()))
}
