//! Local mirrors of RPM repositories.
//!
//! | module | what it knows |
//! |---|---|
//! | [`transfer`] | many files from many mirrors: what is asked of whom, and when |

pub mod transfer;

use cli_kit::{Mode, Printer};

/// Runs the program with its words (the first is its name); the exit code.
///
/// No command exists yet: every call is refused, so that no script takes silence for a mirror.
pub fn run(_words: Vec<String>) -> u8 {
    Printer::standard(Mode::default())
        .err("mirror-sync: no command is built yet; nothing was mirrored");
    1
}
