//! What is said where the words that were typed are no command.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::Printer;

/// A value that its option does not take, and why: `--wait soon: expected a time such as 10m`.
/// `None` is any other error.
pub fn unfit_value(error: &Error) -> Option<String> {
    if error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    // The option comes as `--wait <TIME>`.
    let option = text(ContextKind::InvalidArg)?.split(' ').next()?;
    let value = text(ContextKind::InvalidValue)?;
    Some(format!("{option} {value}: {}", error.source()?))
}

impl Printer {
    /// Prints what a parser says in place of a command: help and version on stdout, for which the
    /// answer is true, an error on stderr.
    pub fn no_command(&self, error: &Error) -> bool {
        let text = error.to_string();
        let is_answer = !error.use_stderr();
        match is_answer {
            true => self.crit(text.trim_end()),
            false => self.err(text.trim_end()),
        }
        is_answer
    }
}
