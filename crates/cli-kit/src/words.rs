//! What is said where the words that were typed are no command.

use std::error::Error as _;
use std::io;

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

/// What the system said of a file, in plain words: of bytes that are no text the library says "stream did not contain
/// valid UTF-8".
pub fn plain(error: io::Error) -> io::Error {
    match error.kind() == io::ErrorKind::InvalidData && error.get_ref().is_none() {
        true => io::Error::new(error.kind(), "it is not a text in UTF-8"),
        false => error,
    }
}

/// How far a line that goes on stands in where it has no description to go on below.
const INDENT: usize = 4;

/// A help text for so many columns: longer lines are parted at blanks and go on where their
/// description began, behind two blanks or more.
fn wrapped(text: &str, columns: usize) -> String {
    let lines = text.lines().map(|line| wrapped_line(line, columns));
    lines.collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    let begun = line.trim_start();
    let description = begun.find("  ").map(|at| begun[at..].trim_start().len());
    let indent = description.map_or(INDENT, |length| line.chars().count() - length);
    let indent = if indent * 2 > columns { INDENT } else { indent };
    let (mut all, mut taken) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if taken + length > columns && taken > indent {
            all.truncate(all.trim_end().len());
            all.push('\n');
            all.push_str(&" ".repeat(indent));
            taken = indent;
        }
        all.push_str(word);
        taken += word.chars().count();
    }
    all
}

impl Printer {
    /// Prints a help text, in the columns that there are.
    pub fn help(&self, text: &str) {
        self.crit(&wrapped(text.trim_end(), self.width()));
    }

    /// Prints a row of a table at level crit: where the columns are known, for people, it fits them.
    pub fn row(&self, row: &str) {
        self.crit(&wrapped_line(row, self.known_width().unwrap_or(usize::MAX)));
    }

    /// Prints what a parser says in place of a command: help and version on stdout, for which the
    /// answer is true, an error on stderr.
    pub fn no_command(&self, error: &Error) -> bool {
        let text = error.to_string();
        let is_answer = !error.use_stderr();
        match is_answer {
            true => self.help(&text),
            false => self.err_lines(text.trim_end()),
        }
        is_answer
    }
}

#[cfg(test)]
mod tests {
    use super::wrapped;
    use crate::{OutputMode, Printer};

    #[test]
    fn rows_fit_the_screen_that_is_known() {
        let row = format!(
            "{:<24} {:>9} packages  same as upstream: just now  {}",
            "base", 17, "2026-11-29"
        );
        let shown = |columns| {
            let printer = Printer::recording(OutputMode {
                columns,
                ..OutputMode::default()
            });
            printer.row(&row);
            printer.recorded().out
        };
        assert_eq!(shown(None), format!("{row}\n"));
        assert_eq!(shown(Some(200)), format!("{row}\n"));
        let narrow = shown(Some(60));
        assert_eq!(narrow.lines().count(), 2, "{narrow}");
        assert!(
            narrow.lines().all(|line| line.chars().count() <= 60),
            "{narrow}"
        );
    }

    #[test]
    fn help_texts_fit_the_screen() {
        let text =
            "Usage: tool [one|two|three] WORD...\n\n  -a, --all  Every one, new or old\n  -b  Few";
        assert_eq!(wrapped(text, 80), text);
        assert_eq!(
            wrapped(text, 28),
            "Usage: tool [one|two|three]\n    WORD...\n\n  -a, --all  Every one, new\n             or old\n  -b  Few"
        );
    }
}
