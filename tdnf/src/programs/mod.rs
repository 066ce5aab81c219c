//! The companion programs: the same binary, chosen by the name that it was started by.

pub mod automatic;
mod cache_updateinfo;
mod complete;
mod config;
mod history_util;

use std::convert::Infallible;
use std::path::PathBuf;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The keys of `automatic.conf`.
pub const AUTOMATIC_KEYS: &[rpm_repo::config::EffectiveKey] = automatic::config::KEYS;

/// A program of this binary.
pub struct Program {
    /// The name of its link.
    pub name: &'static str,
    /// One line on what it does.
    pub about: &'static str,
    /// Its help text.
    pub usage: &'static str,
    /// Runs it on the words behind argv\[0\]; returns the exit code.
    pub run: fn(&[String]) -> u8,
}

/// All of them, `tdnf` itself left out.
pub const ALL: &[Program] = &[
    Program {
        name: "tdnf-automatic",
        about: "Look for updates, report them, install them: for timers",
        usage: automatic::HELP,
        run: automatic::run,
    },
    Program {
        name: "tdnf-cache-updateinfo",
        about: "Keep a summary of advisories for the message of the day",
        usage: cache_updateinfo::USAGE,
        run: cache_updateinfo::run,
    },
    Program {
        name: "tdnf-config",
        about: "Read and change tdnf.conf and .repo files",
        usage: config::USAGE,
        run: config::run,
    },
    Program {
        name: "tdnf-history-util",
        about: "Begin or update the history, and mark packages, from a scriptlet",
        usage: history_util::USAGE,
        run: history_util::run,
    },
];

/// Asked by the completions of the shells.
const COMPLETE: Program = Program {
    name: "tdnf-complete",
    about: "Candidates for the completion of a shell",
    usage: "",
    run: complete::run,
};

/// What the words of a companion program are where they are not its options.
enum Refusal {
    /// Its help is asked for.
    Help,
    /// Its version is asked for.
    Version,
    /// An option that it does not know, as a line for the user.
    Unknown(String),
    /// An option without its value, as a line for the user.
    NoValue(String),
}

/// The options of a companion program; `value` says what an option that stands without one needs.
fn options<T: Parser>(words: &[String], value: &str) -> Result<T, Refusal> {
    T::try_parse_from(words).map_err(|error| {
        // A value may look as it likes: only the last word can lack one.
        let last = words.last().map(String::as_str).unwrap_or_default();
        match (error.kind(), error.get(ContextKind::InvalidArg)) {
            (ErrorKind::DisplayHelp, _) => Refusal::Help,
            (ErrorKind::DisplayVersion, _) => Refusal::Version,
            (ErrorKind::InvalidValue, _) => Refusal::NoValue(format!("{last} needs {value}")),
            (_, Some(ContextValue::String(word))) => {
                let word = word.split(' ').next().unwrap_or(word);
                Refusal::Unknown(format!("unknown option '{word}'"))
            }
            _ => Refusal::Unknown(format!("unknown option '{last}'")),
        }
    })
}

/// The value of an option that names a file or a folder.
fn path(word: &str) -> Result<PathBuf, Infallible> {
    Ok(PathBuf::from(word))
}

/// Other names of `tdnf` itself.
pub const ALIASES: [&str; 3] = ["yum", "tyum", "tdnfj"];

/// The program that argv names, with its words; `None` is `tdnf`. `tdnf automatic` is
/// `tdnf-automatic`.
pub(crate) fn chosen(argv: &[String]) -> Option<(&'static Program, Vec<String>)> {
    let (first, rest) = argv.split_first()?;
    let name = first.rsplit('/').next().unwrap_or(first);
    let named = |name: &str| ALL.iter().find(|program| program.name == name);
    if let Some(program) = named(name) {
        return Some((program, rest.to_vec()));
    }
    match rest.split_first() {
        Some((word, rest)) if word == "automatic" => {
            Some((named("tdnf-automatic")?, rest.to_vec()))
        }
        Some((word, rest)) if word == complete::WORD => Some((&COMPLETE, rest.to_vec())),
        _ => None,
    }
}
