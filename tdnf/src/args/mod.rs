//! What was typed: argv to [`Args`], and nothing else. No file is read here.
//!
//! The words are read as glibc's `getopt_long_only` reads them for tdnf: options anywhere, one
//! or two dashes, unique abbreviations, letters. Every long option is also an entry of the one
//! ordered list that `--setopt` fills.

pub mod help;
mod options;
mod parse;
#[cfg(test)]
mod tests;

pub use options::{BARE_LETTERS, Group, OPTIONS, OptionSpec, find};
pub use parse::parse;

/// Where an entry of the ordered list came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An option by its long name.
    Option,
    /// An option by its letter.
    Letter,
    /// `--setopt key=value`.
    Setopt,
}

/// One option or `--setopt` pair, in the order of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Option name or configuration key.
    pub key: String,
    /// Its value; `1` for a flag.
    pub value: String,
    /// Which of both it was.
    pub origin: Origin,
}

/// A parsed command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    /// How the program was called (argv\[0\]).
    pub program: String,
    /// Options and `--setopt` pairs in order.
    pub entries: Vec<Entry>,
    /// Everything that is no option: the command and its arguments.
    pub words: Vec<String>,
    /// The options as they were typed, with their values.
    pub typed: Vec<String>,
}

impl Args {
    /// Whether a flag was given and its last value is not a false one (`--setopt=json=0`).
    pub fn flag(&self, name: &str) -> bool {
        self.value(name)
            .is_some_and(|value| !matches!(value, "0" | "false" | "False" | "FALSE"))
    }

    /// The last value of an option, given as itself or by `--setopt`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.key == name)
            .map(|entry| entry.value.as_str())
    }

    /// All values of an option in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.entries
            .iter()
            .filter(move |entry| entry.key == name)
            .map(|entry| entry.value.as_str())
    }

    /// The command word, if there is one.
    pub fn command(&self) -> Option<&str> {
        self.words.first().map(String::as_str)
    }

    /// The words after the command.
    pub fn operands(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Whether standard output is to be JSON.
    pub fn wants_json(&self) -> bool {
        self.flag("json") || self.value("json-version").is_some()
    }

    /// The command line for the history: words of argv behind argv\[0\], options first, as
    /// getopt leaves them.
    pub fn line(&self) -> String {
        let words: Vec<&str> = self
            .typed
            .iter()
            .chain(&self.words)
            .map(String::as_str)
            .collect();
        words.join(" ")
    }
}
