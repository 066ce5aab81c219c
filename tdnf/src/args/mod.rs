//! What was typed: argv to [`Args`], and nothing else. No file is read here.
//!
//! [`options`] defines the options by clap; `getopt` rewrites what glibc's `getopt_long_only`
//! takes to what clap takes; `refusal` says in the numbers of tdnf what clap refuses.

mod getopt;
mod lookup;
pub mod options;
mod order;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{ArgMatches, ValueEnum};

use crate::error::{Code, Failure, Outcome};
use crate::typed::{OptionKind, Typed, told_word};
use cli_kit::shell_words;
use getopt::{Getopt, RewrittenLine};
use options::{JsonVersion, Options};

pub(crate) use lookup::{FoundOption, OptionLookup};
pub use order::{InOrder, PluginSwitch, RepoFrom, RepoSwitch};

/// Names the program in messages, as scripts know it.
pub(crate) const PROGRAM: &str = "/usr/bin/tdnf";

/// A parsed command line.
#[derive(Debug, Clone)]
pub struct Args {
    /// The options.
    pub options: Options,
    /// The options that name scopes, in order.
    pub scopes: Vec<Scope>,
    /// Everything that is no option: the command and its arguments.
    pub words: Vec<String>,
    /// Options by their long names and pairs of `--setopt`, in order, for `-v`.
    pub shown: Vec<(String, String)>,
    /// The long names of the options that do not belong to every command, in order.
    pub special: Vec<String>,
    /// The first option whose value is empty though it needs one.
    pub without_value: Option<String>,
    /// The options as they were typed, with their values.
    typed: Vec<String>,
    /// The same by their long names, and what they say.
    given: Vec<(OptionKind, String)>,
}

/// Which packages are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Scope {
    /// Every package.
    All,
    /// Installed packages.
    Installed,
    /// Packages of the repositories.
    Available,
    /// Newer versions of installed packages.
    #[value(alias = "updates")]
    Upgrades,
    /// Older versions of installed packages.
    Downgrades,
    /// Installed, and in no repository.
    Extras,
    /// Available, and obsoleting something installed.
    Obsoletes,
    /// Available, and new in its repository.
    Recent,
}

impl Scope {
    /// The scopes that options name, in their order.
    fn all_of(matches: &ArgMatches) -> Vec<Self> {
        let typed = matches.ids().map(|id| id.as_str()).filter(|id| {
            let source = matches.value_source(id);
            source == Some(ValueSource::CommandLine)
        });
        let scopes = typed.filter_map(|id| {
            // Short for --updates, but with lock.
            let name = if id == "update" { "updates" } else { id };
            let scope = Self::from_str(name, false).ok()?;
            Some((matches.index_of(id)?, scope))
        });
        let in_order: BTreeMap<usize, Self> = scopes.collect();
        in_order.into_values().collect()
    }
}

/// Reads a command line. Errors are 908, 909, 911 and 1622 of the table; they come before every
/// other check, as in tdnf.
pub fn parse(argv: impl IntoIterator<Item = String>) -> Outcome<Args> {
    let mut argv = argv.into_iter();
    let lookup = OptionLookup::new();
    let mut getopt = Getopt::new(&lookup);
    if argv
        .next()
        .is_some_and(|program| program.ends_with("tdnfj"))
    {
        getopt.imply("json");
        getopt.imply("assumeyes");
    }
    let args = typed(getopt.read(argv))?;
    match args.options.general.installroot.as_deref() {
        Some(root) if !root.starts_with('/') => {
            Err(Failure::new(Code::INVALID_PARAMETER)
                .remark("Install root must be an absolute path."))
        }
        _ => Ok(args),
    }
}

/// What clap makes of a line: it is told of the groups that the line has options of.
fn typed(line: RewrittenLine) -> Outcome<Args> {
    let (options, scopes) = match line.options.as_slice() {
        [] => (Options::default(), Vec::new()),
        given => read(given, &line.used).map_err(|error| {
            let word = line.wrong.as_deref().unwrap_or_default();
            refusal::failure(&error, word, line.words.first())
        })?,
    };
    if line.empty {
        return Err(Failure::invalid("argument is empty string"));
    }
    Ok(Args {
        options,
        scopes,
        words: line.words,
        shown: line.shown,
        special: line.special,
        without_value: line.without_value,
        typed: line.typed,
        given: line.given,
    })
}

fn read(given: &[String], used: &[bool]) -> Result<(Options, Vec<Scope>), clap::Error> {
    let groups = options::GROUPS.iter().zip(used).filter(|(_, used)| **used);
    let mut definition = groups.fold(options::bare(), |all, (define, _)| define(all));
    let words = std::iter::once("tdnf").chain(given.iter().map(String::as_str));
    let mut matches = definition.try_get_matches_from_mut(words)?;
    let scopes = Scope::all_of(&matches);
    Ok((Options::read(&mut matches, used)?, scopes))
}

impl Args {
    /// The command word, if there is one.
    pub fn command(&self) -> Option<&str> {
        self.words.first().map(String::as_str)
    }

    /// The words after the command.
    pub fn operands(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Whether standard output is to be a file that the run writes: nothing else goes there.
    pub fn is_file_on_stdout(&self) -> bool {
        self.command() == Some("lock") && self.options.target.output.as_deref() == Some("-")
    }

    /// Whether standard output is to be JSON.
    pub fn wants_json(&self) -> bool {
        self.options.output.json || self.options.output.json_version.is_some()
    }

    /// Whether that JSON is one document with everything that is told.
    pub fn wants_document(&self) -> bool {
        self.options.output.json_version == Some(JsonVersion::Two)
    }

    /// The command line for the history, without secrets: words of argv behind argv\[0\], options first, as
    /// getopt leaves them.
    pub fn line(&self) -> String {
        self.told().join(" ")
    }

    /// The same to be pasted.
    pub(crate) fn pasted(&self) -> String {
        shell_words(&self.told())
    }

    fn told(&self) -> Vec<String> {
        let words = self.typed.iter().chain(&self.words);
        words.map(|word| told_word(word)).collect()
    }

    /// The command and the options that say how it does its work, as hints repeat them.
    pub(crate) fn repeated(&self) -> Typed {
        Typed::new(&self.words, &self.given, OptionKind::Work)
    }

    /// The options that say which system and which repositories the run is about, to be pasted.
    pub(crate) fn system_options(&self) -> String {
        let typed = Typed::new(&[], &self.given, OptionKind::System);
        shell_words(&typed.options)
    }
}
