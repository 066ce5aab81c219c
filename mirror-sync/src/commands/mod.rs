//! The command line: what every command takes, and one file for each command.

mod bundle;
mod clean;
mod key;
mod sending;
mod serve;
mod session;
mod snapshot;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use cli_kit::{OutputMode, Printer, shell_words};

use crate::config::{Bytes, size, time};
use crate::error::Result;
use session::Session;

/// Local mirrors of RPM repositories: fetched once, whole or not at all, served to many
#[derive(Parser)]
#[command(
    name = "mirror-sync",
    version = crate::VERSION,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 nothing new,\n\
        4 partial: something is missing; what was fetched is kept, and nothing that is not whole was published.\n\
        Of `status`: 0 all is well, 4 some repositories need a look, 1 all do."
)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

// What every command takes, shown behind its own options.
#[derive(Args)]
#[command(next_display_order = 100)]
pub(crate) struct Common {
    /// Configuration (/etc/mirror-sync.toml)
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Sets what the configuration sets
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The mirror's directory (mirror.path)
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<String>,
    /// Waits so long for another run
    #[arg(long, global = true, value_name = "TIME", value_parser = time("10m"))]
    pub(crate) wait: Option<Duration>,
    /// Bytes per second (limits.rate)
    #[arg(long, global = true, value_name = "BYTES", value_parser = size("10M"))]
    pub(crate) limit_rate: Option<Bytes>,
    /// One JSON document on standard output
    #[arg(long, short, global = true)]
    json: bool,
    /// Only errors
    #[arg(long, short, global = true)]
    quiet: bool,
    /// One line for each file, and log from info on; TDNF_LOG=LEVEL chooses what is logged on standard error
    #[arg(long, short, global = true)]
    verbose: bool,
}

impl Common {
    /// The options that say which mirror a command is about, to be pasted.
    pub(crate) fn repeated(&self) -> String {
        let named = |option: &str, value: String| [option.to_owned(), told(&value)];
        let config = self.config.iter().map(|path| path.display().to_string());
        let config = config.map(|path| named("-c", path));
        let set = self.set.iter().map(|word| named("--set", word.clone()));
        let root = self.root.iter().map(|dir| named("--root", dir.clone()));
        let words: Vec<String> = config.chain(set).chain(root).flatten().collect();
        shell_words(&words)
    }
}

/// A word of the command line with `***` in the place of logins.
pub(crate) fn told(word: &str) -> String {
    match word.rsplit_once('=').map(|(key, _)| key) {
        Some(key) if key.ends_with(".password") || key.ends_with(".username") => {
            format!("{key}=***")
        }
        _ => repo_client::redact_in(word),
    }
}

#[derive(Subcommand)]
enum Command {
    Sync(sync::SyncCommand),
    Verify(verify::Verify),
    #[command(subcommand)]
    Snapshot(snapshot::Snapshot),
    Status(status::StatusCommand),
    Clean(clean::Clean),
    Serve(serve::ServeCommand),
    #[command(subcommand)]
    Key(key::KeyCommand),
    #[command(subcommand)]
    Bundle(bundle::Bundle),
}

impl CommandLine {
    /// How to print.
    pub(crate) fn mode(&self) -> OutputMode {
        OutputMode {
            quiet: self.common.quiet,
            verbose: self.common.verbose,
            json: self.common.json,
            ..OutputMode::default()
        }
        .on_terminal(|name| std::env::var(name).ok())
    }

    /// The options that hints repeat, to be pasted.
    pub(crate) fn repeated(&self) -> String {
        self.common.repeated()
    }

    /// Runs the command; the exit code.
    pub(crate) fn run(&self, printer: &Printer) -> Result<u8> {
        let open = || Session::open(&self.common, printer);
        match &self.command {
            Command::Sync(sync) => sync.run(&open()?),
            Command::Verify(verify) => verify.run(&open()?),
            Command::Snapshot(snapshot) => snapshot.run(&open()?),
            Command::Status(status) => status.run(&open()?),
            Command::Clean(clean) => clean.run(&open()?),
            Command::Serve(serve) => serve.run(open()?),
            Command::Key(key) => key.run(printer),
            Command::Bundle(bundle) => bundle.run(&open()?),
        }
    }
}
