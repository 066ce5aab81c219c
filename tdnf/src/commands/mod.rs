//! The commands: one record each, with what it needs opened.

use cli_kit::Printer;
use serde::Serialize;

use crate::args::{Args, help};
use crate::error::{Code, Failure, Outcome};

/// What a command needs; the session opens nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Effective user 0, else error 1601.
    pub root: bool,
    /// The instance lock, and recovery of what an earlier run left.
    pub lock: bool,
}

/// A command.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// Its operands, for the help.
    pub usage: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// What must be open when it runs.
    pub needs: Needs,
}

/// Every command.
pub const ALL: &[Command] = &[];

#[derive(Serialize)]
struct Version {
    #[serde(rename = "Name")]
    name: &'static str,
    #[serde(rename = "Version")]
    version: &'static str,
}

/// Runs the command that the words name and returns the exit code. `--version` and help come
/// first and open nothing.
pub fn dispatch(args: &Args, printer: &Printer) -> Outcome<u8> {
    if args.flag("version") {
        printer.crit(&format!("tdnf: {}", crate::VERSION));
        printer.json(&Version {
            name: "tdnf",
            version: crate::VERSION,
        });
        return Ok(0);
    }
    let word = args.command();
    if args.flag("help") || word == Some("help") {
        let named = if word == Some("help") {
            args.operands().first().map(String::as_str)
        } else {
            word
        };
        let text = named
            .and_then(find)
            .map_or_else(help::overview, help::of_command);
        printer.crit(text.trim_end());
        return Ok(0);
    }
    let Some(word) = word else {
        return Err(Failure::new(Code::NO_SUCH_CMD)
            .remark("You need to give some command")
            .remark(help::overview().trim_end()));
    };
    let _command = find(word).ok_or_else(|| no_such_command(word))?;
    Ok(0)
}

/// Finds a command by name or alias.
pub fn find(word: &str) -> Option<&'static Command> {
    ALL.iter()
        .find(|command| command.name == word || command.aliases.contains(&word))
}

fn no_such_command(word: &str) -> Failure {
    let failure = Failure::new(Code::NO_SUCH_CMD).remark(format!(
        "No such command: {word}. Please use /usr/bin/tdnf --help"
    ));
    match help::near_command(word) {
        Some(near) => failure.hint(format!("did you mean '{near}'?")),
        None => failure,
    }
}
