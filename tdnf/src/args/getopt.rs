//! What glibc's `getopt_long_only` takes and clap does not: options anywhere, one or two dashes,
//! unique abbreviations, letters together. Every option is rewritten to the one form that clap
//! takes (`--name=value`); what names no option is left for clap to refuse.

use super::lookup::{FoundOption, OptionLookup};
use super::options::{GENERAL, GROUPS, OUTPUT, Setopt};
use crate::typed::{OptionKind, told_word};

/// Options that tdnf 3.6 does not have: never candidates for an abbreviation that it would
/// resolve.
const NEWER: [&str; 31] = [
    "add-user",
    "allow-older",
    "annotation",
    "check",
    "cmd",
    "compress",
    "destdir",
    "diff",
    "entrypoint",
    "env",
    "forcearch",
    "format",
    "image-config",
    "json-version",
    "label",
    "layers",
    "location",
    "lock-timeout",
    "locked",
    "no-rpmdb",
    "nobest",
    "output",
    "overlay",
    "port",
    "provenance",
    "repair",
    "resolve",
    "run-as",
    "seed",
    "update",
    "workdir",
];

/// Options whose empty value says nothing (scripts write `--exclude=$LIST`), or is refused with words of its own.
const MAY_BE_EMPTY: [&str; 16] = [
    "debuglevel",
    "disableplugin",
    "disablerepo",
    "enableplugin",
    "enablerepo",
    "exclude",
    "installroot",
    "json-version",
    "lock-timeout",
    "repo",
    "repofromdir",
    "repofrompath",
    "repoid",
    "setopt",
    "snapshotexcluderepos",
    "snapshottime",
];

/// Options that answer questions.
const ANSWERS: [&str; 2] = ["assumeno", "assumeyes"];

/// A command line, its options rewritten.
#[derive(Debug, Default)]
pub(super) struct RewrittenLine {
    /// Which groups it has options of.
    pub(super) used: [bool; GROUPS.len()],
    /// The options as clap takes them, in order.
    pub(super) options: Vec<String>,
    /// Everything that is no option.
    pub(super) words: Vec<String>,
    /// The options as they were typed, with their values.
    pub(super) typed: Vec<String>,
    /// The same by their long names, a word each, and what they say.
    pub(super) given: Vec<(OptionKind, String)>,
    /// Options by their long names and pairs of `--setopt`, in order.
    pub(super) shown: Vec<(String, String)>,
    /// The long names of options that do not belong to every command, in order.
    pub(super) special: Vec<String>,
    /// The first option whose value is empty though it needs one.
    pub(super) without_value: Option<String>,
    /// The first word that is no option with what belongs to it, as messages name it.
    pub(super) wrong: Option<String>,
    /// Whether it ended at an empty word.
    pub(super) empty: bool,
}

/// What a word that begins with a dash names.
enum Named<'l> {
    Long(FoundOption<'l>, Option<String>),
    Letters,
    Nothing,
}

/// Reads words.
pub(super) struct Getopt<'l> {
    lookup: &'l OptionLookup,
    line: RewrittenLine,
}

impl<'l> Getopt<'l> {
    pub(super) fn new(lookup: &'l OptionLookup) -> Self {
        let line = RewrittenLine::default();
        Self { lookup, line }
    }

    /// A flag that the name of the program implies.
    pub(super) fn imply(&mut self, flag: &str) {
        if let Some(found) = self.lookup.by_name(flag) {
            self.push(found, None);
        }
    }

    pub(super) fn read(mut self, words: impl IntoIterator<Item = String>) -> RewrittenLine {
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
            Named::Nothing => self.unknown(without_dashes(word), word),
            Named::Long(found, value) => match (found.takes_value(), value) {
                (false, None) => self.push(found, None),
                (false, value) => self.refuse(found, value, word),
                (true, value) => match value.or_else(next) {
                    Some(value) => self.push(found, Some(value)),
                    None => self.refuse(found, None, word),
                },
            },
        }
    }

    /// `-yq`, `-cFILE`, `-c FILE`.
    fn take_letters(&mut self, word: &str, next: impl FnOnce() -> Option<String>) {
        let mut letters = word.chars().skip(1);
        while let Some(letter) = letters.next() {
            let Some(found) = self.lookup.by_letter(letter) else {
                return self.unknown(&letter.to_string(), word);
            };
            if !found.takes_value() {
                self.mark(found, None);
                self.give(found, None);
                continue;
            }
            let glued = Some(letters.collect()).filter(|glued: &String| !glued.is_empty());
            return match glued.or_else(next) {
                Some(value) => {
                    self.mark(found, Some(&value));
                    self.give(found, Some(value));
                }
                None => self.refuse(found, None, &format!("-{letter}")),
            };
        }
    }

    /// Leaves to clap what names no option.
    fn unknown(&mut self, name: &str, word: &str) {
        self.line.options.push(format!("--{name}"));
        self.line.wrong.get_or_insert_with(|| word.to_owned());
    }

    /// Leaves to clap a flag with a value, or an option without one.
    fn refuse(&mut self, found: FoundOption<'_>, value: Option<String>, word: &str) {
        self.give(found, value);
        self.line.wrong.get_or_insert_with(|| word.to_owned());
    }

    /// Keeps what there may be to say of an option that was typed.
    fn mark(&mut self, found: FoundOption<'_>, value: Option<&str>) {
        let (option, name) = (found.option, found.long());
        let is_general = option.get_help_heading() == Some(GENERAL);
        if !is_general && !option.is_hide_set() {
            self.line.special.push(name.to_owned());
        }
        if !option.is_hide_set() {
            let given = canonical(found, value.map(str::to_owned));
            self.line.given.push((self.kind(found, value), given));
        }
        if value.is_some_and(str::is_empty) && !name.is_empty() && !MAY_BE_EMPTY.contains(&name) {
            self.line
                .without_value
                .get_or_insert_with(|| name.to_owned());
        }
    }

    /// What an option says; `--setopt` may set another one.
    fn kind(&self, found: FoundOption<'_>, value: Option<&str>) -> OptionKind {
        let key = value.filter(|_| found.long() == "setopt");
        let key = key.map(|pair| pair.split('=').next().unwrap_or_default());
        let set = key.and_then(|key| self.lookup.by_name(key));
        let (option, group) =
            set.map_or((found.option, found.group), |set| (set.option, set.group));
        match option.get_help_heading() == Some(GENERAL) {
            true if group == OUTPUT => OptionKind::Talk,
            // A command of a hint may be the one that fills the cache.
            true if option.get_long() == Some("cacheonly") => OptionKind::Work,
            true => OptionKind::System,
            false if ANSWERS.contains(&option.get_long().unwrap_or_default()) => OptionKind::Talk,
            false => OptionKind::Work,
        }
    }

    /// Gives clap an option.
    fn give(&mut self, found: FoundOption<'_>, value: Option<String>) {
        self.line.used[found.group] = true;
        self.line.options.push(canonical(found, value));
    }

    /// Notes a pair for `-v`, without secrets.
    fn show(&mut self, key: &str, value: &str) {
        let pair = told_word(&format!("{key}={value}"));
        let value = pair.get(key.len() + 1..).unwrap_or_default();
        self.line.shown.push((key.to_owned(), value.to_owned()));
    }

    /// An option by its long name. `--setopt` also sets the option that its key names.
    fn push(&mut self, found: FoundOption<'_>, value: Option<String>) {
        self.mark(found, value.as_deref());
        let pair = value.as_deref().filter(|_| found.long() == "setopt");
        match pair.map(Setopt::parse) {
            None => {
                let shown = value.clone().unwrap_or_else(|| "1".to_owned());
                self.show(found.long(), &shown);
            }
            Some(Ok(pair)) => {
                if let Some(named) = self.lookup.by_name(&pair.key) {
                    self.set(named, &pair.value);
                }
                self.show(&pair.key, &pair.value);
            }
            // clap says so.
            Some(Err(_)) => {}
        }
        self.give(found, value);
    }

    /// `--setopt=OPTION=VALUE`: a false value takes back a flag that stands before it.
    fn set(&mut self, found: FoundOption<'_>, value: &str) {
        if found.long() == "setopt" {
            return;
        }
        if found.takes_value() {
            self.give(found, Some(value.to_owned()));
        } else if matches!(value, "0" | "false" | "False" | "FALSE") {
            // The careful word wins, wherever it stands.
            if found.long() == "assumeno" {
                return;
            }
            let flag = canonical(found, None);
            self.line.options.retain(|before| *before != flag);
        } else {
            self.give(found, None);
        }
    }

    /// Finds what `word` names: two dashes are always a long option; one dash is a long option if
    /// the word is longer than a letter or the letter is not a known one, and letters if no long
    /// option fits.
    fn resolve(&self, word: &str) -> Named<'l> {
        let body = without_dashes(word);
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let mut letters = body.chars();
        let known = letters
            .next()
            .is_some_and(|first| self.lookup.by_letter(first).is_some());
        let may_be_letters = known && !word.starts_with("--");
        if may_be_letters && letters.next().is_none() {
            return Named::Letters;
        }
        match self.abbreviated(name).as_slice() {
            [one] => Named::Long(*one, value),
            [] if may_be_letters => Named::Letters,
            _ => Named::Nothing,
        }
    }

    /// The option of that name, else all whose names begin with it.
    fn abbreviated(&self, name: &str) -> Vec<FoundOption<'l>> {
        if name.is_empty() {
            return Vec::new();
        }
        if let Some(found) = self.lookup.by_name(name) {
            return vec![found];
        }
        let fitting = self
            .lookup
            .all()
            .filter(|found| found.long().starts_with(name));
        let (newer, known): (Vec<_>, Vec<_>) =
            fitting.partition(|found| NEWER.contains(&found.long()));
        if known.is_empty() { newer } else { known }
    }
}

fn without_dashes(word: &str) -> &str {
    let one = word.strip_prefix('-').unwrap_or(word);
    one.strip_prefix('-').unwrap_or(one)
}

/// The one form that clap is given.
fn canonical(found: FoundOption<'_>, value: Option<String>) -> String {
    let mut word = match (found.long(), found.option.get_short()) {
        ("", letter) => format!("-{}", letter.unwrap_or_default()),
        (long, _) => format!("--{long}"),
    };
    if let Some(value) = value {
        word.push('=');
        word.push_str(&value);
    }
    word
}
