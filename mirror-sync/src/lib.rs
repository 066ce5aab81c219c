//! Local mirrors of RPM repositories: fetched once, whole or not at all, served to many.
//!
//! | module | what it knows |
//! |---|---|
//! | `commands` | what the user typed, and what a command works with (`session`) |
//! | `config` | one TOML file, and the same by flags |
//! | `layout` `store` | where everything lies; every file once, by its digest |
//! | `manifest` `snapshot` | what a snapshot consists of; listed, found, compared |
//! | `upstream` | what upstream has now |
//! | `plan` | which packages are wanted (filters, solver), and whether too many would go |
//! | `fetch` | many files from many mirrors (`repo_client::transfer`); from there into the store, each judged |
//! | `seed` | packages that need not be fetched: an ISO, a cache, another mirror |
//! | `trust` | keys and verdicts |
//! | `regenerate` | metadata of a part of a repository |
//! | `sync` | one run over the repositories, step by step |
//! | `publish` | what clients see when; how its place holds it, and the atomic switch |
//! | `serve` | HTTP: files, pages, proxy mode |
//! | `verify` | flipped bits found and repaired |
//! | `bundle` | updates for sites without a network |
//! | `report` `observer` `status` | what is told: of a run, meanwhile, of the mirror |
//!
//! Invariants: clients see whole, checked sets only; a stored file is never rewritten; what came is
//! kept over kills and failures; upstream's bytes and layout stay as they are unless a part was
//! selected. Only `commands::session` reads the clock, the environment and signals.

mod bundle;
mod commands;
mod config;
mod error;
mod fetch;
mod hooks;
mod layout;
mod manifest;
mod observer;
mod plan;
mod publish;
mod regenerate;
mod report;
mod seed;
mod serve;
mod snapshot;
mod status;
mod store;
mod sync;
#[cfg(test)]
mod tests;
mod trust;
mod upstream;
mod verify;

use clap::{CommandFactory, Parser};
use cli_kit::{OutputMode, Printer, shell_words, with_options};

use commands::{CommandLine, told};
use error::{EXIT_DONE, EXIT_FAILED, EXIT_USAGE, Error};

/// The version that `--version` and the user agent name.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// For the fuzz target `bundle`: unpacks a part into an empty directory, whoever signed it, and says what was in it.
#[cfg(feature = "fuzzing")]
pub fn unpack_unsigned(
    part: &std::path::Path,
    into: &std::path::Path,
) -> Result<Vec<String>, String> {
    bundle::opened::unsigned(part)
        .and_then(|opened| opened.unpack(into))
        .map(|files| files.into_keys().collect())
        .map_err(|error| error.to_string())
}

/// The command line: what `--help` and the completions of shells are made of.
pub fn parser() -> clap::Command {
    CommandLine::command()
}

/// Runs the program with its words (the first is its name); the exit code.
pub fn run(words: Vec<String>) -> u8 {
    let line = match CommandLine::try_parse_from(&words) {
        Ok(line) => line,
        Err(error) => return refused(&error, &words),
    };
    let printer = Printer::standard(line.mode());
    let wanted = std::env::var_os(cli_kit::LOG_VARIABLE);
    printer.start_log(wanted, printer.mode().verbose);
    match line.run(&printer) {
        Ok(code) => match printer.failed() {
            Some(kind) if kind != std::io::ErrorKind::BrokenPipe => {
                printer.err("Error: standard output cannot be written");
                EXIT_FAILED
            }
            _ => code,
        },
        Err(error) => {
            let again: Vec<String> = words.iter().skip(1).map(|word| told(word)).collect();
            failed(&error, &printer, &line.repeated(), &shell_words(&again))
        }
    }
}

/// Ends with an error. Commands in it get the options of the run, and where it stands for them, the whole command line.
fn failed(error: &Error, printer: &Printer, options: &str, again: &str) -> u8 {
    // What stands in a configuration, and is quoted when it is wrong, may have logins in it.
    let shown = repo_client::redact_in(&error.to_string());
    // Requests and receipts are written at the other side, which has a configuration of its own.
    let is_here = !shown.contains("`mirror-sync bundle re");
    let shown = with_options("mirror-sync", &shown, if is_here { options } else { "" });
    let shown = shown.replace(layout::AGAIN, &format!("mirror-sync {again}"));
    printer.json(&serde_json::json!({ "error": shown }));
    printer.err(&format!("Error: {shown}"));
    error.exit_code()
}

/// Answers words that are no command: they ask for help, or are wrong.
fn refused(error: &clap::Error, words: &[String]) -> u8 {
    if let Some(what) = cli_kit::unfit_value(error) {
        let json = words.iter().any(|word| word == "--json" || word == "-j");
        let printer = Printer::standard(OutputMode {
            json,
            ..OutputMode::default()
        });
        return failed(&Error::Usage(what), &printer, "", "");
    }
    match Printer::standard(OutputMode::default()).no_command(error) {
        true => EXIT_DONE,
        false => EXIT_USAGE,
    }
}
