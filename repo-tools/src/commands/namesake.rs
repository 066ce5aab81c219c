//! Under the names of createrepo_c and its kin: what scripts read of them, and values that they take when nothing is said.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use cli_kit::{OutputMode, Printer};
use rpm_repo::compress::Format;

use super::PROGRAM;

/// Commands by whose names, with or without `_c` behind it, the program may be started.
const LINKS: [&str; 4] = ["createrepo", "modifyrepo", "mergerepo", "sqliterepo"];

/// The version of createrepo_c whose options and metadata these are.
const PEER_VERSION: &str = "0.17.3";

/// Threads that read packages: createrepo_c has so many, whatever the machine.
pub(super) const WORKERS: usize = 5;

/// A repository that has databases, and nobody said `--force`.
pub(super) const DATABASES_EXIST: &str =
    "Repository already has sqlitedb present in repomd.xml (You may use --force)";

/// No directory to index, or several.
const ONE_DIRECTORY: &str = "Must specify exactly one directory to index\nUsage: createrepo_c [options] <directory_to_index>";

/// The command that a program's name stands for.
pub(super) fn command(program: &str) -> Option<&'static str> {
    let name = program.rsplit('/').next().unwrap_or(program);
    let name = name.strip_suffix("_c").unwrap_or(name);
    LINKS.into_iter().find(|link| *link == name)
}

/// The grammar whose help of this command has the name that the program was called by.
pub(super) fn called(grammar: clap::Command, name: &str, program: &str) -> clap::Command {
    let file = program.rsplit('/').next().unwrap_or(program).to_owned();
    grammar.mut_subcommand(name, |command| {
        let (own, there) = (format!("{PROGRAM} {name}"), file.clone());
        let usage = command.clone().bin_name(&there).render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").to_owned();
        let after = command.get_after_help().map(ToString::to_string);
        let after = after.unwrap_or_default().replace(&own, &there);
        command.override_usage(usage).after_help(after)
    })
}

/// The compression that nobody asked for: that of createrepo_c since its version 1.0.
pub(super) fn default_format(is_namesake: bool) -> Format {
    match is_namesake {
        true => Format::Zstd,
        false => Format::Gzip,
    }
}

/// What scripts that ask the version of createrepo_c read.
pub(super) fn tell_version() -> u8 {
    let own = env!("CARGO_PKG_VERSION");
    let printer = Printer::standard(OutputMode::default());
    printer.crit(&format!("Version: {PEER_VERSION} ({PROGRAM} {own})"));
    printer.flush();
    0
}

/// What createrepo_c says of words that it cannot use, where we know it.
pub(super) fn refusal(command: &str, error: &clap::Error) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg);
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument if command == "createrepo" && !argument?.starts_with('-') => {
            Some(ONE_DIRECTORY.to_owned())
        }
        ErrorKind::UnknownArgument => Some(format!(
            "Argument parsing failed: Unknown option {}",
            argument?
        )),
        ErrorKind::ValueValidation if argument?.starts_with("--checksum") => {
            Some(format!("Unknown/Unsupported checksum type \"{value}\""))
        }
        ErrorKind::ValueValidation if argument?.contains("compress-type") => {
            Some(format!("Unknown/Unsupported compression type \"{value}\""))
        }
        ErrorKind::ValueValidation if argument?.starts_with("--retain-old-md-by-age") => {
            let unit = value.trim_start_matches(|c: char| c.is_ascii_digit());
            Some(format!("Bad time unit \"{unit}\""))
        }
        ErrorKind::ArgumentConflict if argument?.starts_with("--retain-old-md") => {
            Some("--retain-old-md-by-age cannot be combined with --retain-old-md".to_owned())
        }
        ErrorKind::MissingRequiredArgument if command == "createrepo" => {
            Some(ONE_DIRECTORY.to_owned())
        }
        ErrorKind::MissingRequiredArgument if command == "mergerepo" && is_arch_expand(error) => {
            Some("Critical: --arch-expand cannot be used without -a/--archlist argument".to_owned())
        }
        _ => None,
    }
}

/// Whether what is missing is `--archlist`.
fn is_arch_expand(error: &clap::Error) -> bool {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => {
            missing.iter().any(|arg| arg.starts_with("--archlist"))
        }
        _ => false,
    }
}

/// The first thing that createrepo_c misses of what it was told to read.
pub(super) fn missing(dir: &Path, group: Option<&Path>, list: Option<&Path>) -> Option<String> {
    if !dir.is_dir() {
        let dir = dir.display().to_string();
        return Some(format!(
            "Directory {}/ must exist",
            dir.trim_end_matches('/')
        ));
    }
    let gone = |path: &&Path| !path.exists();
    if let Some(group) = group.filter(gone) {
        return Some(format!("groupfile {} doesn't exist", group.display()));
    }
    let list = list.filter(gone)?;
    Some(format!("pkglist file \"{}\" doesn't exist", list.display()))
}
