//! What glibc's `getopt_long_only` takes and clap does not: options anywhere, one or two dashes,
//! unique abbreviations, letters together. Every option is rewritten to the one form that clap
//! takes (`--name=value`); what names no option is left for clap to refuse.

use clap::{Arg, Command};

use super::options::{Setopt, by_letter, by_name, takes_value};

/// Options that tdnf 3.6 does not have: never candidates for an abbreviation that it would
/// resolve.
const NEWER: [&str; 5] = [
    "forcearch",
    "json-version",
    "lock-timeout",
    "nobest",
    "repair",
];

/// A command line, its options rewritten.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The options as clap takes them, in order.
    pub(super) options: Vec<String>,
    /// Everything that is no option.
    pub(super) words: Vec<String>,
    /// The options as they were typed, with their values.
    pub(super) typed: Vec<String>,
    /// Options by their long names and pairs of `--setopt`, in order.
    pub(super) shown: Vec<(String, String)>,
    /// The first word that is no option with what belongs to it, as messages name it.
    pub(super) wrong: Option<String>,
    /// Whether it ended at an empty word.
    pub(super) empty: bool,
}

/// What a word that begins with a dash names.
enum Named<'d> {
    Long(&'d Arg, Option<String>),
    Letters,
    Nothing,
}

/// Reads words by a definition of the options.
pub(super) struct Getopt<'d> {
    definition: &'d Command,
    line: Line,
}

impl<'d> Getopt<'d> {
    pub(super) fn new(definition: &'d Command) -> Self {
        let line = Line::default();
        Self { definition, line }
    }

    /// A flag that the name of the program implies.
    pub(super) fn imply(&mut self, flag: &str) {
        self.line.options.push(format!("--{flag}"));
        self.line.shown.push((flag.to_owned(), "1".to_owned()));
    }

    pub(super) fn read(mut self, words: impl IntoIterator<Item = String>) -> Line {
        let mut rest = words.into_iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                self.line.words.extend(rest);
                break;
            }
            if word.is_empty() {
                self.line.empty = true;
                return self.line;
            }
            if word == "-" || !word.starts_with('-') {
                self.line.words.push(word);
                continue;
            }
            let mut value = None;
            self.take(&word, || {
                value = rest.next();
                value.clone()
            });
            self.line.typed.push(word);
            self.line.typed.extend(value);
        }
        self.line.empty = self.line.words.iter().any(String::is_empty);
        self.line
    }

    /// One word with a dash; `next` takes the word behind it.
    fn take(&mut self, word: &str, next: impl FnOnce() -> Option<String>) {
        match self.resolve(word) {
            Named::Letters => self.take_letters(word, next),
            Named::Nothing => self.refuse(format!("--{}", without_dashes(word)), word),
            Named::Long(option, value) => {
                let long = option.get_long().unwrap_or_default();
                match (takes_value(option), value) {
                    (false, None) => self.push(option, None),
                    (false, Some(value)) => self.refuse(format!("--{long}={value}"), word),
                    (true, value) => match value.or_else(next) {
                        Some(value) => self.push(option, Some(value)),
                        None => self.refuse(format!("--{long}"), word),
                    },
                }
            }
        }
    }

    /// `-yq`, `-cFILE`, `-c FILE`.
    fn take_letters(&mut self, word: &str, next: impl FnOnce() -> Option<String>) {
        let mut letters = word.chars().skip(1);
        while let Some(letter) = letters.next() {
            let Some(option) = by_letter(self.definition, letter) else {
                return self.refuse(format!("--{letter}"), word);
            };
            if !takes_value(option) {
                self.line.options.push(canonical(option, None));
                continue;
            }
            let glued = Some(letters.collect()).filter(|glued: &String| !glued.is_empty());
            return match glued.or_else(next) {
                Some(value) => self.line.options.push(canonical(option, Some(value))),
                None => self.refuse(canonical(option, None), &format!("-{letter}")),
            };
        }
    }

    fn refuse(&mut self, canonical: String, word: &str) {
        self.line.options.push(canonical);
        self.line.wrong.get_or_insert_with(|| word.to_owned());
    }

    /// An option by its long name. `--setopt` also sets the option that its key names.
    fn push(&mut self, option: &Arg, value: Option<String>) {
        if option.get_long() != Some("setopt") {
            let name = option.get_long().unwrap_or_default().to_owned();
            let shown = value.clone().unwrap_or_else(|| "1".to_owned());
            self.line.shown.push((name, shown));
            self.line.options.push(canonical(option, value));
            return;
        }
        if let Some(Ok(pair)) = value.as_deref().map(Setopt::parse) {
            if let Some(named) = by_name(self.definition, &pair.key) {
                self.set(named, &pair.value);
            }
            self.line.shown.push((pair.key, pair.value));
        }
        self.line.options.push(canonical(option, value));
    }

    /// `--setopt=OPTION=VALUE`: a false value takes back a flag that stands before it.
    fn set(&mut self, option: &Arg, value: &str) {
        let flag = canonical(option, None);
        if option.get_long() == Some("setopt") {
            return;
        }
        if takes_value(option) {
            let value = Some(value.to_owned());
            self.line.options.push(canonical(option, value));
        } else if matches!(value, "0" | "false" | "False" | "FALSE") {
            self.line.options.retain(|before| *before != flag);
        } else {
            self.line.options.push(flag);
        }
    }

    /// Finds what `word` names: two dashes are always a long option; one dash is a long option if
    /// the word is longer than a letter or the letter is not a known one, and letters if no long
    /// option fits.
    fn resolve(&self, word: &str) -> Named<'d> {
        let body = without_dashes(word);
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let mut letters = body.chars();
        let known = letters
            .next()
            .is_some_and(|first| by_letter(self.definition, first).is_some());
        let may_be_letters = known && !word.starts_with("--");
        if may_be_letters && letters.next().is_none() {
            return Named::Letters;
        }
        match self.abbreviated(name).as_slice() {
            [one] => Named::Long(one, value),
            [] if may_be_letters => Named::Letters,
            _ => Named::Nothing,
        }
    }

    /// The option of that name, else all whose names begin with it.
    fn abbreviated(&self, name: &str) -> Vec<&'d Arg> {
        if name.is_empty() {
            return Vec::new();
        }
        if let Some(option) = by_name(self.definition, name) {
            return vec![option];
        }
        let begins = |option: &&Arg| option.get_long().is_some_and(|long| long.starts_with(name));
        let is_newer = |option: &&Arg| option.get_long().is_some_and(|long| NEWER.contains(&long));
        let fitting = self.definition.get_arguments().filter(begins);
        let (newer, known): (Vec<_>, Vec<_>) = fitting.partition(is_newer);
        if known.is_empty() { newer } else { known }
    }
}

fn without_dashes(word: &str) -> &str {
    let one = word.strip_prefix('-').unwrap_or(word);
    one.strip_prefix('-').unwrap_or(one)
}

/// The one form that clap is given.
fn canonical(option: &Arg, value: Option<String>) -> String {
    let mut word = match (option.get_long(), option.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, letter) => format!("-{}", letter.unwrap_or_default()),
    };
    if let Some(value) = value {
        word.push('=');
        word.push_str(&value);
    }
    word
}
