//! `tdnf-history-util`: begins the history and marks packages where tdnf itself cannot run, as in
//! the scriptlets of a package.

use std::path::{Path, PathBuf};

use cli_kit::Mode;
use rpm_db::{Backend, Db, Search};
use rpm_repo::config::read_main_config;

use crate::change;
use crate::error::{Code, Failure, Outcome};
use crate::history::{self, History, Installed};
use crate::screen::{JsonShape, Screen};
use crate::settings::{CONFIG_FILE, Environment};

const USAGE: &str = "\
tdnf history db utility

Usage:

tdnf-history-util [-f dbfile] [-r rootdir] init|update
tdnf-history-util [-f dbfile] mark install|remove [pkg[...]]

Commands:

init   - Initialize the history db.
mark   - Mark a package as user installed ('install') or auto installed ('remove').
update - Update the history db using the current rpm db.
";

pub(super) fn run(words: &[String]) -> u8 {
    let printer = Screen::standard(Mode::default(), JsonShape::None);
    let usage = |line: String| {
        printer.crit(USAGE);
        printer.err(&line);
        1
    };
    let (mut file, mut root) = (None, PathBuf::from("/"));
    let mut rest = Vec::new();
    let mut iter = words.iter();
    while let Some(word) = iter.next() {
        match word.as_str() {
            "-h" | "--help" => {
                printer.crit(USAGE);
                return 0;
            }
            "-f" | "-r" => match iter.next() {
                Some(path) if word == "-f" => file = Some(PathBuf::from(path)),
                Some(path) => root = PathBuf::from(path),
                None => return usage(format!("{word} needs a path")),
            },
            other if other.starts_with('-') => return usage(format!("unknown option '{other}'")),
            _ => rest.push(word.clone()),
        }
    }
    let file = file.unwrap_or_else(|| below(&root, &persist_dir(&root)).join(history::FILE));
    let outcome = match rest.split_first() {
        None => return usage("command expected".to_owned()),
        Some((word, _)) if word == "init" || word == "update" => sync(&file, &root),
        Some((word, rest)) if word == "mark" => match rest.split_first() {
            Some((action, names)) if action == "install" || action == "remove" => {
                mark(&file, &root, action == "remove", names, words)
            }
            _ => return usage("mark needs 'install' or 'remove'".to_owned()),
        },
        Some((word, _)) => return usage(format!("unknown command '{word}'")),
    };
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            printer.show_failure(&failure);
            failure.exit_code()
        }
    }
}

/// Where tdnf keeps the history of a root.
fn persist_dir(root: &Path) -> PathBuf {
    let config = below(root, Path::new(CONFIG_FILE));
    let main = read_main_config(&config).unwrap_or_default();
    main.persist_dir
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The history, brought up to what is installed.
fn synced(file: &Path, root: &Path) -> Outcome<History> {
    let history = History::open_file(file)?;
    history.sync(&installed(root)?, Environment::of_process().now)?;
    Ok(history)
}

fn sync(file: &Path, root: &Path) -> Outcome<()> {
    synced(file, root).map(|_| ())
}

fn mark(file: &Path, root: &Path, auto: bool, names: &[String], words: &[String]) -> Outcome<()> {
    if names.is_empty() {
        return Err(Failure::because(
            Code::INVALID_PARAMETER,
            "the names of packages are missing",
        ));
    }
    // The packages are just being installed where a scriptlet asks: they need not be there yet.
    let history = synced(file, root)?;
    let now = Environment::of_process().now;
    history.mark(names, auto, &words.join(" "), now)?;
    Ok(())
}

fn installed(root: &Path) -> Outcome<Installed> {
    let search = Search {
        dbpath: None,
        host: Some(Path::new("/")),
    };
    let location = rpm_db::location::find(root, search)?;
    match location.backend {
        Backend::None => Ok(Installed::default()),
        _ => change::installed_in(&Db::open_read(&location)?),
    }
}
