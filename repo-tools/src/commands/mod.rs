//! What the user types, and what is printed. A command is a record; see [`COMMANDS`].

mod check;
mod create;
mod diff;
mod merge;
mod modify;
mod prune;
mod query;
#[cfg(feature = "sign")]
mod sign;

use std::time::{SystemTime, UNIX_EPOCH};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use cli_kit::{Mode, Printer};

use crate::error::{Error, Result};

/// One command.
struct Entry {
    name: &'static str,
    /// Names under which the program may be started to mean this command.
    programs: &'static [&'static str],
    args: fn(Command) -> Command,
    run: fn(&ArgMatches, &Session) -> Result<()>,
}

/// What a command gets besides its arguments.
pub(crate) struct Session {
    pub(crate) printer: Printer,
    /// Seconds since 1970, or SOURCE_DATE_EPOCH.
    pub(crate) now: u64,
}

/// All commands, in the order of the help.
const COMMANDS: &[Entry] = &[
    create::ENTRY,
    modify::ENTRY,
    merge::ENTRY,
    check::ENTRY,
    diff::ENTRY,
    #[cfg(feature = "sign")]
    sign::ENTRY,
    query::ENTRY,
    prune::ENTRY,
];

/// Runs the program with its arguments, the first being its name; returns the exit code: 0 done, 1
/// something is wrong and was named, 2 the arguments cannot be used.
pub fn run(mut words: Vec<String>) -> u8 {
    let program = words
        .first()
        .map(|word| word.rsplit('/').next().unwrap_or(word).to_owned());
    let named = program.and_then(|program| {
        COMMANDS
            .iter()
            .find(|entry| entry.programs.contains(&program.as_str()))
    });
    if let Some(entry) = named {
        words.insert(1, entry.name.to_owned());
    }
    let matches = match parser().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    let Some((name, args)) = matches.subcommand() else {
        return 2;
    };
    let mode = Mode {
        quiet: args.get_flag("quiet"),
        verbose: args.get_flag("verbose"),
        json: args
            .try_get_one::<bool>("json")
            .ok()
            .flatten()
            .copied()
            .unwrap_or(false),
        document: false,
    };
    let printer = Printer::standard(mode);
    let session = Session {
        printer: printer.clone(),
        now: now(),
    };
    let entry = COMMANDS.iter().find(|entry| entry.name == name);
    let result = entry.map_or(Ok(()), |entry| (entry.run)(args, &session));
    let code = match result {
        Ok(()) if printer.failed().is_some() => 1,
        Ok(()) => 0,
        Err(error) => {
            printer.err(&format!("Error({}) : {error}", error.exit_code()));
            error.exit_code()
        }
    };
    printer.flush();
    code
}

/// The command line: what `--help` and the man pages are made of.
pub fn parser() -> Command {
    let quiet = Arg::new("quiet")
        .short('q')
        .long("quiet")
        .action(ArgAction::SetTrue);
    let verbose = Arg::new("verbose")
        .short('v')
        .long("verbose")
        .action(ArgAction::SetTrue);
    let mut parser = Command::new("repo-tools")
        .about("Makes, changes, merges, checks, compares, signs and asks RPM repositories")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(EXIT_CODES)
        .subcommand_required(true)
        .arg_required_else_help(true);
    for entry in COMMANDS {
        let command = Command::new(entry.name)
            .after_help(EXIT_CODES)
            .arg(quiet.clone().help("Say nothing but errors and results"))
            .arg(verbose.clone().help("Say more"));
        parser = parser.subcommand((entry.args)(command));
    }
    parser
}

fn usage(error: &clap::Error) -> u8 {
    let printer = Printer::standard(Mode::default());
    let text = error.to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            printer.crit(text.trim_end());
            0
        }
        _ => {
            printer.err(text.trim_end());
            2
        }
    }
}

const EXIT_CODES: &str =
    "Exit codes: 0 done; 1 something is wrong and was named; 2 the arguments cannot be used.";

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

/// An option with a value.
fn value(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help)
}

/// An option that may be given several times.
fn values(name: &'static str, help: &'static str) -> Arg {
    value(name, help).action(ArgAction::Append)
}

/// An option without a value.
fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

fn text(args: &ArgMatches, name: &str) -> Option<String> {
    args.get_one::<String>(name).cloned()
}

fn texts(args: &ArgMatches, name: &str) -> Vec<String> {
    args.get_many::<String>(name)
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

fn number(args: &ArgMatches, name: &str) -> Result<Option<usize>> {
    text(args, name)
        .map(|text| {
            text.parse()
                .map_err(|_| Error::Usage(format!("--{name} {text}: expected a number")))
        })
        .transpose()
}

fn checksum(name: &str) -> Result<rpm_pkg::digest::DigestAlgo> {
    rpm_pkg::digest::DigestAlgo::from_name(name).ok_or_else(|| {
        Error::Usage(format!(
            "unknown checksum {name}: sha256, sha512, sha384, sha224, sha1 or md5"
        ))
    })
}
