//! argv to [`Args`].

use super::{Args, BARE_LETTERS, Entry, Group, OPTIONS, OptionSpec, Origin, find};
use crate::error::{Code, Failure, Outcome};

/// Names the program in messages, as scripts know it.
pub(crate) const PROGRAM: &str = "/usr/bin/tdnf";

/// Reads a command line. Errors are 908, 909, 911 and 1622 of the table; they come before every
/// other check, as in tdnf.
pub fn parse(argv: impl IntoIterator<Item = String>) -> Outcome<Args> {
    let mut argv = argv.into_iter();
    let mut args = Args {
        program: argv.next().unwrap_or_default(),
        ..Args::default()
    };
    if args.program.ends_with("tdnfj") {
        args.push("json", "1", Origin::Option)?;
        args.push("assumeyes", "1", Origin::Option)?;
    }
    let words: Vec<String> = argv.collect();
    let mut rest = words.into_iter();
    while let Some(word) = rest.next() {
        if word.is_empty() {
            return Err(Failure::because(
                Code::INVALID_PARAMETER,
                "argument is empty string",
            ));
        }
        if word == "--" {
            args.words.extend(rest);
            break;
        }
        match word.strip_prefix('-') {
            None | Some("") => args.words.push(word),
            Some(_) => {
                let next = rest.as_slice().first().cloned();
                let left = rest.len();
                args.take_option(&word, &mut rest)?;
                args.typed.push(word);
                args.typed.extend(next.filter(|_| rest.len() < left));
            }
        }
    }
    if args.words.iter().any(String::is_empty) {
        return Err(Failure::because(
            Code::INVALID_PARAMETER,
            "argument is empty string",
        ));
    }
    check_installroot(&args)?;
    check_json_version(&args)?;
    Ok(args)
}

fn check_json_version(args: &Args) -> Outcome<()> {
    match args.value("json-version") {
        None | Some("1" | "2") => Ok(()),
        Some(other) => Err(Failure::because(
            Code::INVALID_PARAMETER,
            format!("--json-version={other}: the versions are 1 and 2"),
        )),
    }
}

/// `--installroot` must be absolute; said before everything else, even `--version`.
fn check_installroot(args: &Args) -> Outcome<()> {
    match args.value("installroot") {
        Some(root) if !root.starts_with('/') => {
            Err(Failure::new(Code::INVALID_PARAMETER)
                .remark("Install root must be an absolute path."))
        }
        _ => Ok(()),
    }
}

/// What a word that begins with a dash names.
enum Named {
    Long(&'static OptionSpec, Option<String>),
    Letters,
}

impl Args {
    fn take_option(&mut self, word: &str, rest: &mut impl Iterator<Item = String>) -> Outcome<()> {
        match resolve(word)? {
            Named::Letters => self.take_letters(word, rest),
            Named::Long(spec, value) => {
                let value = match (spec.value, value) {
                    (None, None) => "1".to_owned(),
                    (None, Some(_)) => return Err(no_such_option(word)),
                    (Some(_), Some(value)) => value,
                    (Some(_), None) => rest.next().ok_or_else(|| needs_value(word))?,
                };
                self.push(spec.long, &value, Origin::Option)
            }
        }
    }

    /// `-yq`, `-cFILE`, `-c FILE`.
    fn take_letters(&mut self, word: &str, rest: &mut impl Iterator<Item = String>) -> Outcome<()> {
        let mut letters = word.chars().skip(1);
        while let Some(letter) = letters.next() {
            let spec = OPTIONS.iter().find(|option| option.short == Some(letter));
            let bare = BARE_LETTERS.iter().find(|(bare, _)| *bare == letter);
            let takes_value = match (spec, bare) {
                (Some(spec), _) => spec.value.is_some(),
                (None, Some((_, takes_value))) => *takes_value,
                (None, None) => return Err(no_such_option(word)),
            };
            let value = if takes_value {
                let glued: String = letters.by_ref().collect();
                if glued.is_empty() {
                    rest.next()
                        .ok_or_else(|| needs_value(&format!("-{letter}")))?
                } else {
                    glued
                }
            } else {
                "1".to_owned()
            };
            if let Some(spec) = spec {
                self.push(spec.long, &value, Origin::Letter)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, name: &str, value: &str, origin: Origin) -> Outcome<()> {
        if name != "setopt" {
            let value = value.to_owned();
            self.entries.push(Entry {
                key: name.to_owned(),
                value,
                origin,
            });
            return Ok(());
        }
        let (key, value) = value.split_once('=').ok_or(Code::SETOPT_NO_EQUALS)?;
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        self.entries.push(Entry {
            key,
            value,
            origin: Origin::Setopt,
        });
        Ok(())
    }
}

/// Finds what `word` names, by the rules of `getopt_long_only`: two dashes are always a long
/// option; one dash is a long option if the word is longer than a letter or the letter is not a
/// known one, and letters if no long option fits.
fn resolve(word: &str) -> Outcome<Named> {
    let body = word
        .strip_prefix("--")
        .or_else(|| word.strip_prefix('-'))
        .unwrap_or(word);
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (body, None),
    };
    let two_dashes = word.starts_with("--");
    let first_is_letter = body.chars().next().is_some_and(is_letter);
    if !two_dashes && first_is_letter && body.chars().count() == 1 {
        return Ok(Named::Letters);
    }
    match find_abbreviated(name) {
        Match::One(spec) => Ok(Named::Long(spec, value)),
        Match::None if !two_dashes && first_is_letter => Ok(Named::Letters),
        Match::None | Match::Many => Err(no_such_option(word)),
    }
}

fn is_letter(letter: char) -> bool {
    OPTIONS.iter().any(|option| option.short == Some(letter))
        || BARE_LETTERS.iter().any(|(bare, _)| *bare == letter)
}

enum Match {
    One(&'static OptionSpec),
    Many,
    None,
}

/// A whole name, or a beginning that only one option has. Options that tdnf 3.6 does not have
/// are candidates only where none of its own fits, so that its abbreviations stay unique.
fn find_abbreviated(name: &str) -> Match {
    if name.is_empty() {
        return Match::None;
    }
    if let Some(spec) = find(name) {
        return Match::One(spec);
    }
    let fits = |new: bool| {
        OPTIONS
            .iter()
            .filter(move |option| (option.group == Group::New) == new)
            .filter(|option| option.long.starts_with(name))
    };
    let candidates: Vec<_> = match fits(false).collect::<Vec<_>>() {
        old if old.is_empty() => fits(true).collect(),
        old => old,
    };
    match candidates.as_slice() {
        [] => Match::None,
        [one] => Match::One(one),
        _ => Match::Many,
    }
}

fn no_such_option(word: &str) -> Failure {
    let failure = Failure::new(Code::OPTION_NAME_INVALID).remark(format!(
        "No such option: {word}. Please use {PROGRAM} --help"
    ));
    match super::help::near_option(word) {
        Some(near) => failure.hint(format!("did you mean '{near}'?")),
        None => failure,
    }
}

fn needs_value(word: &str) -> Failure {
    Failure::because(
        Code::OPTION_ARG_REQUIRED,
        format!("Option {word} requires an argument"),
    )
}
