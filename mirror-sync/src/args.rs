//! What the user typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use cli_kit::Mode;

use crate::config::{self, Config, DEFAULT_FILE, Span, set};
use crate::error::{Error, Result};

/// What every command knows.
pub struct Common {
    /// The configuration, flags included.
    pub config: Config,
    /// How to print.
    pub mode: Mode,
    /// How long to wait for another run.
    pub wait: Duration,
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn value(name: &'static str, what: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(what).help(help)
}

fn repos() -> Arg {
    Arg::new("repo")
        .value_name("REPO")
        .num_args(0..)
        .help("Repositories; all if none is named")
}

fn one(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .value_name(name.to_ascii_uppercase())
        .required(true)
        .help(help)
}

/// The command line.
pub fn command() -> Command {
    Command::new("mirror-sync")
        .about("Local mirrors of RPM repositories: fetched once, whole or not at all, served to many")
        .version(crate::VERSION)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args([
            value("config", "FILE", "Configuration").global(true).short('c'),
            value("set", "KEY=VALUE", "Sets what the configuration sets")
                .action(ArgAction::Append)
                .global(true),
            value("root", "DIR", "The mirror's directory (mirror.path)").global(true),
            value("wait", "TIME", "Waits so long for another run").global(true),
            value("limit-rate", "BYTES", "Bytes per second (limits.rate)").global(true),
            flag("json", "One JSON document on standard output")
                .short('j')
                .global(true),
            flag("quiet", "Only errors").short('q').global(true),
            flag("verbose", "One line for each file").short('v').global(true),
        ])
        .subcommands([sync(), verify(), snapshot(), status(), clean(), serve(), key(), crate::bundle::commands::command()])
        .after_help(
            "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 nothing new,\n\
             4 partial: something is missing; what came is kept, and nothing that is not whole was published.",
        )
}

fn sync() -> Command {
    Command::new("sync")
        .about("Brings the mirror up to date and publishes what is whole")
        .args([
            repos(),
            flag(
                "dry-run",
                "Only tells what would be fetched and changed, in bytes and time",
            )
            .short('n'),
            flag(
                "allow-delete",
                "Lets more packages go than the delete guard allows",
            ),
            flag("allow-older", "Takes metadata older than seen before"),
            flag("force", "Makes a new snapshot although nothing is new"),
        ])
}

fn verify() -> Command {
    Command::new("verify")
        .about("Reads every published file again; finds flipped bits")
        .args([
            repos(),
            flag(
                "no-repair",
                "Only tells; otherwise what is damaged is fetched again, and only that",
            ),
        ])
}

fn snapshot() -> Command {
    let channel = || value("channel", "NAME", "Channel; public/REPO if none is named");
    Command::new("snapshot")
        .about("Lists, compares and publishes snapshots")
        .subcommand_required(true)
        .subcommands([
            Command::new("list").about("What there is").args([repos()]),
            Command::new("diff")
                .about("What changed between two")
                .args([
                    one("repo", "Repository"),
                    one("from", "Snapshot or date"),
                    Arg::new("to")
                        .value_name("TO")
                        .help("Snapshot or date; the published one if absent"),
                ]),
            Command::new("promote")
                .about("Lets a channel show a snapshot")
                .args([
                    one("repo", "Repository"),
                    value("to", "CHANNEL", "Channel that shall show it").required(true),
                    value("from", "CHANNEL", "Channel that shows it now"),
                    value("snapshot", "WHICH", "Snapshot or date instead"),
                ]),
            Command::new("rollback")
                .about("Shows the snapshot before, or a named one")
                .args([
                    one("repo", "Repository"),
                    Arg::new("which")
                        .value_name("WHICH")
                        .help("Snapshot or date"),
                    channel(),
                ]),
        ])
}

fn status() -> Command {
    Command::new("status").about("How the mirror is: each repository, its age, its size")
}

fn serve() -> Command {
    Command::new("serve")
        .about("Serves the mirror over HTTP, and fills repositories in proxy mode on demand")
        .args([value(
            "listen",
            "ADDRESS",
            "Address and port (serve.listen)",
        )])
}

fn clean() -> Command {
    Command::new("clean")
        .about("Removes what no snapshot uses")
        .args([flag("all", "Also what an unfinished run may still want")])
}

fn key() -> Command {
    Command::new("key")
        .about("The key that signs metadata made here")
        .subcommand_required(true)
        .subcommand(
            Command::new("generate")
                .about("Makes a key pair: FILE and FILE.pub")
                .args([
                    one("file", "Where the private key goes"),
                    value("user-id", "TEXT", "Whose key it is"),
                ]),
        )
}

/// How to print, from whatever level the flags stand on.
pub fn mode(matches: &ArgMatches) -> Mode {
    Mode {
        quiet: matches.get_flag("quiet"),
        verbose: matches.get_flag("verbose"),
        json: matches.get_flag("json"),
        ..Mode::default()
    }
}

/// The configuration: the file, then the flags.
///
/// # Errors
/// It cannot be read, or makes no sense.
pub fn common(matches: &ArgMatches) -> Result<Common> {
    let named = matches.get_one::<String>("config").map(PathBuf::from);
    let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let mut table = if named.is_some() || path.is_file() {
        config::read(&path)?
    } else {
        toml::Table::new()
    };
    for word in matches.get_many::<String>("set").into_iter().flatten() {
        set::set(&mut table, word)?;
    }
    if let Some(root) = matches.get_one::<String>("root") {
        set::set_text(&mut table, &["mirror", "path"], root);
    }
    if let Some(rate) = matches.get_one::<String>("limit-rate") {
        set::set_text(&mut table, &["limits", "rate"], rate);
    }
    if let Some(("serve", sub)) = matches.subcommand()
        && let Some(address) = sub.get_one::<String>("listen")
    {
        set::set_text(&mut table, &["serve", "listen"], address);
    }
    let config = config::from_table(table, &path.display().to_string())?;
    let wait = match matches.get_one::<String>("wait") {
        None => Duration::ZERO,
        Some(text) => {
            Span::parse(text)
                .ok_or_else(|| Error::Usage(format!("--wait {text}: expected a time such as 10m")))?
                .0
        }
    };
    Ok(Common {
        config,
        mode: mode(matches),
        wait,
    })
}

/// The repositories named.
pub fn named(matches: &ArgMatches) -> Vec<String> {
    let list = matches.get_many::<String>("repo").into_iter().flatten();
    list.cloned().collect()
}

/// A text argument.
pub fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).cloned()
}
