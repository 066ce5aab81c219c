//! How the tools talk to people and scripts: the only crate that prints.
//!
//! - [`Printer`] owns standard output and standard error and knows the three levels of the
//!   tools: *info* (stdout; dropped by `-q` and by JSON), *crit* (stdout; dropped by JSON only)
//!   and *err* (stderr, always). JSON goes to stdout.
//! - [`Progress`] shows transfers: lines that change on a terminal, a line now and then otherwise;
//!   [`Traffic`] sums them up.
//! - [`SaidOnce`] keeps what comes up again and again from being said each time.
//! - [`Reply`] is what a person said to a yes/no question.
//! - [`unfit_value`] and [`Printer::no_command`] say what is wrong with a command line.
//! - [`Printer::start_log`] begins the log, which [`LOG_VARIABLE`] switches on.
//! - [`with_options`] and [`shell_word`] make commands in hints such as can be pasted.
//! - [`iec_size`], [`iec_rate`] and [`span`] are the one way sizes, rates and spans of time are written;
//!   [`human_size`] is that of C tdnf's tables.
//!
//! Invariant: nothing here decides anything; callers pass values and get values back.

mod log;
mod once;
mod printer;
mod progress;
mod prompt;
mod shell;
mod size;
mod tally;
#[cfg(test)]
mod tests;
mod traffic;
mod words;

pub use log::LOG_VARIABLE;
pub use once::SaidOnce;
pub use printer::{OutputMode, Printer, Recorded};
pub use progress::{Progress, TransferId};
pub use prompt::Reply;
pub use shell::{shell_word, shell_words, with_options};
pub use size::{counted, human_size, iec_rate, iec_size, span};
pub use traffic::{Traffic, TrafficSum};
pub use words::{plain, unfit_value};

/// Turns an error number into a process exit code: the number modulo 256.
///
/// A number that is a multiple of 256 would read as success; it becomes 1.
pub fn exit_code(number: u32) -> u8 {
    match u8::try_from(number % 256).unwrap_or(1) {
        0 if number != 0 => 1,
        code => code,
    }
}
