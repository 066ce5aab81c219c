//! `tdnf-history-util`: begins the history and marks packages where tdnf itself cannot run, as in
//! the scriptlets of a package.

use std::path::{Path, PathBuf};

use clap::Parser;
use rpm_db::{Backend, DatabaseSearch, Db};
use rpm_repo::config::read_main_config;

use super::{Refusal, options, path};
use crate::change;
use crate::error::{Failure, Outcome};
use crate::history::{self, History, InstalledSet};
use crate::screen::Screen;
use crate::settings::{CONFIG_FILE, Environment, below};

pub(super) const USAGE: &str = "\
tdnf history db utility

Usage:

tdnf-history-util [-f dbfile] [-r rootdir] init|update
tdnf-history-util [-f dbfile] mark install|remove [pkg[...]]

Commands:

init   - Initialize the history db.
mark   - Mark a package as user installed ('install') or auto installed ('remove').
update - Update the history db using the current rpm db.
";

#[derive(Parser)]
#[command(no_binary_name = true, args_override_self = true)]
struct Options {
    #[arg(short, value_parser = path, allow_hyphen_values = true)]
    file: Option<PathBuf>,
    #[arg(short, value_parser = path, allow_hyphen_values = true, default_value = "/")]
    root: PathBuf,
    /// The command and what it is given.
    words: Vec<String>,
}

pub(super) fn run(words: &[String]) -> u8 {
    let printer = Screen::plain();
    let usage = |line: String| {
        printer.crit(USAGE);
        printer.err(&line);
        1
    };
    let options: Options = match options(words, "a path") {
        Ok(options) => options,
        Err(Refusal::NoValue(line) | Refusal::Unknown(line)) => return usage(line),
        Err(Refusal::Help | Refusal::Version) => {
            printer.crit(USAGE);
            return 0;
        }
    };
    let root = options.root;
    let given: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let file = || match options.file {
        Some(file) => Ok(file),
        None => Ok(persist_dir(&root)?.join(history::FILE)),
    };
    let outcome = match given.as_slice() {
        [] => return usage("command expected".to_owned()),
        ["init" | "update", ..] => file().and_then(|file| synced(&file, &root).map(|_| 0)),
        ["mark", action @ ("install" | "remove"), ..] => {
            let names = options.words.get(2..).unwrap_or_default();
            file().and_then(|file| mark(&file, &root, *action == "remove", names, words))
        }
        ["mark", ..] => return usage("mark needs 'install' or 'remove'".to_owned()),
        [word, ..] => return usage(format!("unknown command '{word}'")),
    };
    printer.end(outcome)
}

/// Where tdnf keeps the history of a root.
fn persist_dir(root: &Path) -> Outcome<PathBuf> {
    let config = below(root, Path::new(CONFIG_FILE))?;
    let main = read_main_config(root, &config).unwrap_or_default();
    below(root, &main.persist_dir)
}

/// The history, brought up to what is installed.
fn synced(file: &Path, root: &Path) -> Outcome<History> {
    let history = History::open_file(file)?;
    history.sync(&installed(root)?, Environment::of_process().now)?;
    Ok(history)
}

fn mark(file: &Path, root: &Path, auto: bool, names: &[String], words: &[String]) -> Outcome<u8> {
    if names.is_empty() {
        return Err(Failure::invalid("the names of packages are missing"));
    }
    // The packages are just being installed where a scriptlet asks: they need not be there yet.
    let history = synced(file, root)?;
    let now = Environment::of_process().now;
    history.mark(names, auto, &words.join(" "), now)?;
    Ok(0)
}

fn installed(root: &Path) -> Outcome<InstalledSet> {
    let search = DatabaseSearch {
        host: Some(Path::new("/")),
        ..DatabaseSearch::default()
    };
    let location = rpm_db::location::find(root, search)?;
    match location.backend {
        Backend::None => Ok(change::nothing()),
        _ => change::installed_in(&Db::open_read(&location)?),
    }
}
