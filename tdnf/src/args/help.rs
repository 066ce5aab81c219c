//! Help texts and near names, made by clap from the tables of options and commands.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::{Group, OPTIONS, OptionSpec};
use crate::commands;

/// The whole help text.
pub fn overview() -> String {
    let mut list = String::from("List of Main Commands\n");
    for command in commands::ALL {
        list.push_str(&format!("\n{:<18} {}", command.name, command.about));
        for alias in command.aliases {
            list.push_str(&format!("\n{alias:<18} same as '{}'", command.name));
        }
    }
    definition()
        .override_usage("tdnf [options] COMMAND")
        .after_help(list)
        .render_help()
        .to_string()
}

/// The help text of one command.
pub fn of_command(command: &commands::Command) -> String {
    let names = match command.aliases {
        [] => String::new(),
        aliases => format!("\n\nAlso called: {}", aliases.join(", ")),
    };
    let usage = format!("tdnf [options] {} {}", command.name, command.usage);
    let text = StyledStr::from(format!("{}{names}", command.about));
    definition()
        .override_usage(usage.trim_end().to_owned())
        .before_help(text)
        .render_help()
        .to_string()
}

/// The option that a mistyped word is most like.
pub fn near_option(word: &str) -> Option<String> {
    let name = word.trim_start_matches('-');
    let error = definition()
        .try_get_matches_from(["tdnf", &format!("--{name}")])
        .err()?;
    suggestion(&error, ContextKind::SuggestedArg)
}

/// The command that a mistyped word is most like.
pub fn near_command(word: &str) -> Option<String> {
    let names = commands::ALL
        .iter()
        .map(|command| Command::new(command.name).visible_aliases(command.aliases.iter().copied()));
    let tool = Command::new("tdnf")
        .subcommands(names)
        .subcommand_required(true);
    let error = tool.try_get_matches_from(["tdnf", word]).err()?;
    suggestion(&error, ContextKind::SuggestedSubcommand)
}

fn suggestion(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(name) => Some(name.clone()),
        // The best one stands last.
        ContextValue::Strings(names) => names.last().cloned(),
        _ => None,
    }
}

/// The parser's tables as clap knows them, for man pages: of the whole program, or of one command
/// with the options that concern it.
pub fn parser(command: Option<&'static commands::Command>) -> Command {
    let Some(command) = command else {
        return definition()
            .about("A package manager for RPM systems")
            .override_usage("tdnf [options] COMMAND");
    };
    let usage = format!("tdnf [options] {} {}", command.name, command.usage);
    let options = OPTIONS
        .iter()
        .filter(|option| concerns(option.group, command.name));
    Command::new(format!("tdnf-{}", command.name))
        .about(command.about)
        .override_usage(usage.trim_end().to_owned())
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(options.map(argument))
}

/// Whether options of a group mean anything to a command.
fn concerns(group: Group, command: &str) -> bool {
    match group {
        Group::Common | Group::New => true,
        Group::QuerySelect | Group::Query => command == "repoquery",
        Group::Sync => command == "reposync" || command == "repoquery",
        Group::Scope => ["list", "info", "updateinfo", "history"].contains(&command),
        Group::Ignored => false,
    }
}

fn definition() -> Command {
    let arguments = OPTIONS
        .iter()
        .filter(|option| option.group != Group::Ignored)
        .map(argument);
    Command::new("tdnf")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(arguments)
}

fn argument(option: &OptionSpec) -> Arg {
    let argument = Arg::new(option.long)
        .long(option.long)
        .help(option.help)
        .help_heading(heading(option.group));
    let argument = match option.short {
        Some(letter) => argument.short(letter),
        None => argument,
    };
    match option.value {
        Some(name) => argument.value_name(name).action(ArgAction::Append),
        None => argument.action(ArgAction::SetTrue),
    }
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Common | Group::New | Group::Ignored => "common options",
        Group::QuerySelect => "repoquery select options",
        Group::Query => "repoquery query options",
        Group::Sync => "reposync options",
        Group::Scope => "scope and range options",
    }
}
