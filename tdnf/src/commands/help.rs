//! Help texts, and the commands as clap knows them for man pages.

use super::Command;
use crate::args::options;

const USAGE: &str = "tdnf [options] COMMAND";

/// The whole help text.
pub fn overview() -> String {
    let mut list = String::from("List of Main Commands\n");
    for command in super::ALL {
        list.push_str(&format!("\n{:<18} {}", command.name, command.about));
        for alias in command.aliases {
            list.push_str(&format!("\n{alias:<18} same as '{}'", command.name));
        }
    }
    options::definition()
        .override_usage(USAGE)
        .after_help(list)
        .render_help()
        .to_string()
}

/// The help text of one command.
pub fn of_command(command: &'static Command) -> String {
    let names = match command.aliases {
        [] => String::new(),
        aliases => format!("\n\nAlso called: {}", aliases.join(", ")),
    };
    let example = format!(
        "Example:\n  tdnf {}\n\nOptions of all commands (-c FILE, -i DIR, -q, -j, ...): tdnf help",
        command.example
    );
    with_options(command)
        .about(format!("{}{names}", command.about))
        .after_help(example)
        .render_help()
        .to_string()
}

/// The program as clap knows it.
pub fn tool() -> clap::Command {
    options::definition()
        .about("A package manager for RPM systems")
        .override_usage(USAGE)
}

/// A command as clap knows it, with the options that mean something to it.
pub fn with_options(command: &'static Command) -> clap::Command {
    let usage = format!("tdnf [options] {} {}", command.name, command.usage);
    let bare = clap::Command::new(format!("tdnf-{}", command.name))
        .disable_help_flag(true)
        .disable_version_flag(true);
    let all = command.options.iter().fold(bare, |all, define| define(all));
    all.about(command.about)
        .override_usage(usage.trim_end().to_owned())
}
