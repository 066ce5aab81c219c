//! A package manager for RPM systems in one static binary.
//!
//! One run goes through these modules in order, each a step with its own type:
//! [`args`] (what was typed) → [`settings`] (what it means) → [`session`] (what is open) →
//! [`goal`] (what is asked of the solver) → [`plan`] (what will change; pure data) → [`change`]
//! (fetched, verified, carried out, recorded) → [`view`] (what is shown). [`commands`] holds one
//! record per command; [`error`] alone knows error numbers, texts and exit codes.
//!
//! The companion programs (`tdnf-config`, `tdnf-automatic`, ...) are the same binary under other
//! names: [`programs`].
//!
//! Invariants: only the printer prints; below [`session`] nothing reads the environment, the
//! clock or the command line; a session opens only what the command asks for. Signals are
//! heard by [`interrupt`] alone.

pub mod args;
pub mod audit;
pub mod change;
pub mod commands;
pub mod error;
pub mod goal;
pub mod history;
pub mod hooks;
pub mod image;
pub mod interrupt;
mod near;
pub mod note;
pub mod plan;
pub mod programs;
pub mod progress;
pub mod screen;
pub mod session;
pub mod settings;
pub mod source_files;
pub mod typed;
pub mod view;

use std::process::ExitCode;

use cli_kit::OutputMode;
use interrupt::Listener;
use screen::{JsonShape, Screen};

/// The version that `--version` and the user agent name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the program that argv\[0\] names on a command line and says how it ended.
pub fn run(argv: impl IntoIterator<Item = String>) -> ExitCode {
    let argv: Vec<String> = argv.into_iter().collect();
    ExitCode::from(match programs::chosen(&argv) {
        Some((program, words)) => (program.run)(&words),
        None => tdnf(&argv),
    })
}

/// `tdnf` itself, also as `yum`, `tyum` and `tdnfj`.
fn tdnf(argv: &[String]) -> u8 {
    // Ends when all is printed.
    let mut listener = Listener::default();
    let (printer, command, outcome) = match args::parse(argv.iter().cloned()) {
        Ok(args) => {
            let printer = Screen::standard(mode(&args), shape(&args)).about(args.system_options());
            // -v shows what it shows in C tdnf, and no log: scripts read it.
            printer.start_log(std::env::var_os(cli_kit::LOG_VARIABLE), false);
            let outcome = commands::dispatch(&args, &printer, &mut listener);
            let command = args.command().map(str::to_owned);
            (printer, command, outcome)
        }
        Err(failure) => {
            let printer = Screen::standard(plain_mode(), guessed_shape(argv));
            (printer, None, Err(failure))
        }
    };
    let code = printer.end(outcome);
    printer.close(command.as_deref(), code);
    let unwritten = printer.failed();
    if code == 0 && unwritten.is_some_and(|kind| kind != std::io::ErrorKind::BrokenPipe) {
        printer.err("Error: standard output cannot be written");
        return 1;
    }
    code
}

fn mode(args: &args::Args) -> OutputMode {
    OutputMode {
        quiet: args.options.output.quiet || args.is_file_on_stdout(),
        verbose: args.options.output.verbose,
        ..plain_mode()
    }
}

fn plain_mode() -> OutputMode {
    OutputMode::default().on_terminal(|name| std::env::var(name).ok())
}

fn shape(args: &args::Args) -> JsonShape {
    match (args.wants_document(), args.wants_json()) {
        (true, _) => JsonShape::Document,
        (false, true) => JsonShape::Bare,
        (false, false) => JsonShape::None,
    }
}

/// The shape of a command line that cannot be read: JSON where its option is spelt out.
fn guessed_shape(argv: &[String]) -> JsonShape {
    let words = argv.iter().map(String::as_str).chain([""]);
    let pairs = argv.iter().map(String::as_str).zip(words.skip(1));
    let shapes = pairs.skip(1).map(|pair| match pair {
        ("--json-version=2", _) | ("--json-version", "2") => JsonShape::Document,
        ("-j" | "--json" | "--json-version=1", _) | ("--json-version", "1") => JsonShape::Bare,
        _ => JsonShape::None,
    });
    shapes.max().unwrap_or_default()
}
