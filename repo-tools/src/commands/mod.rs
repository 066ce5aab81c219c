//! The command line, one file for each command.

mod check;
mod create;
mod diff;
mod foreign;
mod merge;
mod modify;
mod namesake;
mod prune;
mod query;
#[cfg(feature = "sign")]
mod sign;
mod sqlite;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use cli_kit::{OutputMode, Printer};

use crate::error::{Error, Result};

/// Most threads that read packages.
const MAX_WORKERS: usize = 64;

const PROGRAM: &str = "repo-tools";

const EXIT_CODES: &str =
    "Exit codes: 0 done; 1 something is wrong and was named; 2 the arguments cannot be used.";

/// Makes, changes, merges, checks, compares, signs and asks RPM repositories
#[derive(Parser)]
#[command(
    name = PROGRAM,
    version,
    after_help = EXIT_CODES,
    // Behind the options of the command.
    next_display_order = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct RepoToolsLine {
    /// Say nothing but errors and results
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Say more, and log from info on; TDNF_LOG=LEVEL chooses what is logged on standard error
    #[arg(long, short, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: RepoCommand,
}

#[derive(Subcommand)]
enum RepoCommand {
    Createrepo(Box<create::Create>),
    Modifyrepo(modify::Modify),
    Mergerepo(merge::Merge),
    Sqliterepo(sqlite::Sqliterepo),
    Check(check::CheckArgs),
    Diff(diff::DiffArgs),
    #[cfg(feature = "sign")]
    Sign(sign::Sign),
    Query(query::QueryArgs),
    Prune(prune::Prune),
}

/// What a command gets besides its arguments.
pub(crate) struct RunContext {
    pub(crate) printer: Printer,
    /// Seconds since 1970, or SOURCE_DATE_EPOCH.
    pub(crate) now: u64,
    /// Whether the program was started under the name of createrepo_c or one of its kin.
    pub(crate) namesake: bool,
}

/// Runs the program with its arguments, the first being its name; returns the exit code: 0 done, 1
/// something is wrong and was named, 2 the arguments cannot be used.
pub fn run(mut words: Vec<String>) -> u8 {
    let link = words.first().and_then(|word| namesake::command(word));
    let mut grammar = parser();
    if let Some(name) = link {
        let mut options = words.iter().skip(1).take_while(|word| *word != "--");
        if options.any(|word| matches!(word.as_str(), "--version" | "-V")) {
            return namesake::tell_version();
        }
        let mut options = words.iter().skip(1).take_while(|word| *word != "--");
        if let Some(what) = options.find_map(|word| foreign::other_meaning(name, word)) {
            let printer = Printer::standard(OutputMode::default());
            return failed(&Error::Usage(what), 1, &printer);
        }
        // A usage names what can be typed anywhere.
        let called = std::mem::replace(&mut words[0], PROGRAM.to_owned());
        grammar = namesake::called(grammar, name, &called);
        words.insert(1, name.to_owned());
    }
    let command = words.iter().skip(1).find(|word| !word.starts_with('-'));
    let command = command.cloned();
    let matches = grammar.try_get_matches_from(words);
    let line = match matches.and_then(|matches| RepoToolsLine::from_arg_matches(&matches)) {
        Ok(line) => line,
        Err(error) => return refused(&error, command.as_deref(), link.is_some()),
    };
    let printer = Printer::standard(line.mode());
    let wanted = std::env::var_os(cli_kit::LOG_VARIABLE);
    printer.start_log(wanted, printer.mode().verbose);
    let session = RunContext {
        printer: printer.clone(),
        now: now(),
        namesake: link.is_some(),
    };
    let code = match line.command.run(&session) {
        Ok(()) if printer.failed().is_some() => 1,
        Ok(()) => 0,
        // createrepo_c says such things bare.
        Err(Error::Usage(what)) if link.is_some() => {
            printer.err_lines(&what);
            1
        }
        Err(error @ Error::BadPackages { .. }) if line.passes_over_bad(link.is_some()) => {
            printer.err(&format!("warning: {error}"));
            0
        }
        Err(error) => failed(&error, line.exit_code(&error, link.is_some()), &printer),
    };
    printer.flush();
    code
}

impl RepoToolsLine {
    /// The exit code of an error: under the names of createrepo_c and its kin the codes are theirs.
    fn exit_code(&self, error: &Error, is_linked: bool) -> u8 {
        match error {
            Error::BadPackages { .. } if self.asks_for_bad() => 2,
            error => usage_code(error.exit_code(), is_linked),
        }
    }

    /// Whether packages that could not be used are to be seen by the exit code.
    fn asks_for_bad(&self) -> bool {
        matches!(&self.command, RepoCommand::Createrepo(create) if create.error_exit_val)
    }

    /// Whether such packages are named and change nothing else, as with createrepo_c.
    fn passes_over_bad(&self, is_linked: bool) -> bool {
        is_linked && !self.asks_for_bad()
    }

    fn mode(&self) -> OutputMode {
        OutputMode {
            quiet: self.quiet,
            verbose: self.verbose,
            json: match &self.command {
                RepoCommand::Check(check) => check.json,
                RepoCommand::Diff(diff) => diff.json,
                RepoCommand::Query(query) => query.json,
                _ => false,
            },
            ..OutputMode::default()
        }
        .on_terminal(|name| std::env::var(name).ok())
    }
}

impl RepoCommand {
    fn run(&self, session: &RunContext) -> Result<()> {
        match self {
            RepoCommand::Createrepo(create) => create.run(session),
            RepoCommand::Modifyrepo(modify) => modify.run(session),
            RepoCommand::Mergerepo(merge) => merge.run(session),
            RepoCommand::Sqliterepo(sqlite) => sqlite.run(session),
            RepoCommand::Check(check) => check.run(session),
            RepoCommand::Diff(diff) => diff.run(session),
            #[cfg(feature = "sign")]
            RepoCommand::Sign(sign) => sign.run(session),
            RepoCommand::Query(query) => query.run(session),
            RepoCommand::Prune(prune) => prune.run(session),
        }
    }
}

/// The command line: what `--help`, the man pages and the completions of shells are made of.
pub fn parser() -> clap::Command {
    RepoToolsLine::command()
}

fn failed(error: &Error, code: u8, printer: &Printer) -> u8 {
    printer.err(&format!("Error({code}) : {error}"));
    code
}

/// createrepo_c and its kin end with 1 where arguments cannot be used.
fn usage_code(code: u8, is_linked: bool) -> u8 {
    match code {
        2 if is_linked => 1,
        code => code,
    }
}

/// Answers words that are no command: they ask for help, or are wrong.
fn refused(error: &clap::Error, command: Option<&str>, is_linked: bool) -> u8 {
    let printer = Printer::standard(OutputMode::default());
    let foreign = || foreign::reason(command, error).map(Error::Usage);
    let theirs = || command.and_then(|command| namesake::refusal(command, error));
    if let Some(what) = is_linked
        .then(theirs)
        .flatten()
        .filter(|_| foreign().is_none())
    {
        printer.err_lines(&what);
        return 1;
    }
    match unfit(error).or_else(foreign) {
        Some(error) => failed(&error, usage_code(error.exit_code(), is_linked), &printer),
        None if printer.no_command(error) => 0,
        None => usage_code(2, is_linked),
    }
}

/// What is wrong with the value of an option, if that is wrong.
fn unfit(error: &clap::Error) -> Option<Error> {
    let own = error.source().and_then(|source| source.downcast_ref());
    match own {
        Some(Error::Usage(what)) => Some(Error::Usage(what.clone())),
        _ => cli_kit::unfit_value(error).map(Error::Usage),
    }
}

/// What stands below a command's options.
fn example(line: &str) -> String {
    format!("Example: {line}\n\n{EXIT_CODES}")
}

/// The only look at clock and environment: SOURCE_DATE_EPOCH stands for the present time.
fn now() -> u64 {
    let wanted = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.parse().ok());
    wanted.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    })
}

/// Threads that read packages: as many as asked for, else one for each processor up to 16.
fn workers(asked: Option<usize>) -> usize {
    let processors = || std::thread::available_parallelism().map_or(2, usize::from);
    asked
        .unwrap_or_else(|| processors().min(16))
        .clamp(1, MAX_WORKERS)
}

fn number(text: &str) -> std::result::Result<usize, &'static str> {
    text.parse().map_err(|_| "expected a number")
}

fn checksum(name: &str) -> Result<rpm_pkg::digest::DigestAlgo> {
    rpm_pkg::digest::DigestAlgo::from_name(name).ok_or_else(|| {
        Error::Usage(format!(
            "unknown checksum {name}: sha256, sha512, sha384, sha224, sha1 or md5"
        ))
    })
}
