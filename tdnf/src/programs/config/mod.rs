//! `tdnf-config`: reads and changes tdnf.conf and `.repo` files from scripts.

mod file;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use cli_kit::{OutputMode, Printer};
use rpm_repo::config::{MainConfig, read_main_config};
use rpm_repo::layout::repo_files;

use crate::settings::CONFIG_FILE;
use file::IniFile;

use super::{Refusal, options, path};

pub(super) const USAGE: &str = "\
Usage: tdnf-config [-c CONFIG] [-f REPOFILE] [-j] COMMAND ...

    create REPO KEY=VALUE...        make a repository, in a file of its own or in REPOFILE
    edit REPO|main KEY=VALUE...     set keys of a repository or of tdnf.conf
    get REPO|main KEY               print a value
    remove REPO|main KEY...         remove keys
    removerepo REPO                 remove a repository, and its file if nothing is left in it
    dump REPO|main                  print the whole section (-j: as JSON)

Exit codes: 1 usage, 2 system error, 3 no such repository, 4 no such key, 5 exists already.";

/// Why a run stops: its exit code, and a line for standard error.
struct Stop(u8, String);

type Result<T> = std::result::Result<T, Stop>;

fn usage(line: impl Into<String>) -> Stop {
    Stop(1, line.into())
}

fn system(path: &Path, error: &dyn std::fmt::Display) -> Stop {
    Stop(2, format!("{}: {error}", path.display()))
}

/// Name of the section of tdnf.conf.
const MAIN: &str = "main";

pub(super) fn run(words: &[String]) -> u8 {
    let plain = Printer::standard(OutputMode::default());
    let options: Options = match options(words, "a file") {
        Ok(options) => options,
        Err(Refusal::NoValue(line)) => return end(&plain, &usage(line)),
        Err(Refusal::Unknown(line)) => return end(&plain, &usage(format!("{line}\n\n{USAGE}"))),
        Err(Refusal::Help | Refusal::Version) => {
            plain.crit(USAGE);
            return 0;
        }
    };
    let printer = Printer::standard(OutputMode {
        json: options.json,
        ..OutputMode::default()
    });
    let Some((command, words)) = options.words.split_first() else {
        printer.crit(USAGE);
        return 0;
    };
    let done = match command.as_str() {
        "create" => options.create(words),
        "edit" => options.edit(words),
        "get" => options.get(&printer, words),
        "remove" => options.remove(words),
        "removerepo" => options.remove_repo(words),
        "dump" => options.dump(&printer, words),
        other => Err(usage(format!("unknown command '{other}'\n\n{USAGE}"))),
    };
    match done {
        Ok(()) if printer.failed().is_some() => 2,
        Ok(()) => 0,
        Err(stop) => end(&printer, &stop),
    }
}

fn end(printer: &Printer, stop: &Stop) -> u8 {
    printer.err_lines(&stop.1);
    stop.0
}

#[derive(Parser)]
#[command(no_binary_name = true, args_override_self = true)]
struct Options {
    #[arg(long, short, value_parser = path, allow_hyphen_values = true)]
    config: Option<PathBuf>,
    #[arg(long = "file", short = 'f', value_parser = path, allow_hyphen_values = true)]
    repo_file: Option<PathBuf>,
    #[arg(long, short)]
    json: bool,
    /// The command and what it is given.
    words: Vec<String>,
}

impl Options {
    fn config(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| CONFIG_FILE.into())
    }

    /// The directory of new `.repo` files, and all directories of them.
    fn repo_dirs(&self) -> Result<Vec<PathBuf>> {
        let config = self.config();
        let main = match read_main_config(Path::new("/"), &config) {
            Ok(main) => main,
            Err(_) if !config.exists() => MainConfig::default(),
            Err(error) => return Err(Stop(2, error.to_string())),
        };
        Ok(main.repo_dirs)
    }

    /// The file that has a section: tdnf.conf for `main`, else the `.repo` file.
    fn file_of(&self, section: &str) -> Result<Option<IniFile>> {
        let files = match (&self.repo_file, section) {
            (_, MAIN) => vec![self.config()],
            (Some(file), _) => vec![file.clone()],
            (None, _) => self.repo_files()?,
        };
        for path in files {
            if !path.exists() {
                continue;
            }
            let file = IniFile::read(&path)?;
            if file.has(section) {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    fn repo_files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for dir in self.repo_dirs()? {
            files.extend(
                repo_files(Path::new("/"), &dir).map_err(|error| Stop(2, error.to_string()))?,
            );
        }
        Ok(files)
    }

    fn existing(&self, section: &str) -> Result<IniFile> {
        let missing = || match section {
            MAIN => Stop(3, format!("{}: no section 'main'", self.config().display())),
            _ => Stop(3, format!("repo '{section}' not found")),
        };
        self.file_of(section)?.ok_or_else(missing)
    }

    fn create(&self, words: &[String]) -> Result<()> {
        let (repo, pairs) = named_pairs(words)?;
        if repo == MAIN {
            return Err(usage("'main' is the section of tdnf.conf"));
        }
        check_id(repo)?;
        if self.file_of(repo)?.is_some() {
            return Err(Stop(5, format!("repo '{repo}' already exists")));
        }
        let path = match &self.repo_file {
            Some(file) => file.clone(),
            None => {
                let dirs = self.repo_dirs()?;
                let dir = dirs.first().ok_or_else(|| usage("no repodir"))?;
                fs::create_dir_all(dir).map_err(|error| system(dir, &error))?;
                dir.join(format!("{repo}.repo"))
            }
        };
        let mut file = if path.exists() {
            IniFile::read(&path)?
        } else {
            IniFile::new(&path)
        };
        file.add_section(repo);
        for (key, value) in pairs {
            file.set(repo, key, value);
        }
        file.write()
    }

    fn edit(&self, words: &[String]) -> Result<()> {
        let (section, pairs) = named_pairs(words)?;
        let mut file = self.existing(section)?;
        for (key, value) in pairs {
            file.set(section, key, value);
        }
        file.write()
    }

    fn get(&self, printer: &Printer, words: &[String]) -> Result<()> {
        let [section, key] = words else {
            return Err(usage("get needs a repo (or 'main') and a key"));
        };
        let file = self.existing(section)?;
        let value = file
            .get(section, key)
            .ok_or_else(|| missing_key(section, key))?;
        printer.crit(value);
        printer.json(&value);
        Ok(())
    }

    fn remove(&self, words: &[String]) -> Result<()> {
        let (section, keys) = match words.split_first() {
            Some((section, keys)) if !keys.is_empty() => (section, keys),
            _ => return Err(usage("remove needs a repo (or 'main') and keys")),
        };
        let mut file = self.existing(section)?;
        for key in keys {
            if !file.remove(section, key) {
                return Err(missing_key(section, key));
            }
        }
        file.write()
    }

    fn remove_repo(&self, words: &[String]) -> Result<()> {
        let [repo] = words else {
            return Err(usage("removerepo needs a repo"));
        };
        if repo == MAIN {
            return Err(usage("'main' is the section of tdnf.conf"));
        }
        let mut file = self.existing(repo)?;
        file.remove_section(repo);
        if file.is_empty() {
            file.delete()
        } else {
            file.write()
        }
    }

    fn dump(&self, printer: &Printer, words: &[String]) -> Result<()> {
        let [section] = words else {
            return Err(usage("dump needs a repo (or 'main')"));
        };
        let file = self.existing(section)?;
        printer.crit_part(&file.text_of(section));
        printer.json(&serde_json::json!({ section: file.json_of(section) }));
        Ok(())
    }
}

fn missing_key(section: &str, key: &str) -> Stop {
    Stop(4, format!("'{key}' not found in '{section}'"))
}

/// `SECTION KEY=VALUE...`
fn named_pairs(words: &[String]) -> Result<(&str, Vec<(&str, &str)>)> {
    let Some((section, pairs)) = words.split_first() else {
        return Err(usage("the name of a repo (or 'main') is missing"));
    };
    let pair = |word: &'_ String| -> Result<()> {
        match word.split_once('=') {
            Some((key, value)) if is_key(key.trim()) && !value.chars().any(char::is_control) => {
                Ok(())
            }
            _ => Err(usage(format!(
                "'{}': key=value expected",
                word.escape_debug()
            ))),
        }
    };
    pairs.iter().try_for_each(pair)?;
    let split = pairs.iter().filter_map(|word| word.split_once('='));
    Ok((
        section,
        split
            .map(|(key, value)| (key.trim(), value.trim()))
            .collect(),
    ))
}

/// A key can stand in front of `=` and is no comment.
fn is_key(key: &str) -> bool {
    !key.is_empty() && !key.starts_with(['#', ';', '[']) && !key.chars().any(char::is_control)
}

/// An id becomes the name of a section and of a file.
fn check_id(id: &str) -> Result<()> {
    let bad = id.is_empty()
        || id.starts_with('.')
        || id.len() > 200
        || id
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "/[]".contains(c));
    if bad {
        return Err(usage(format!(
            "'{}' cannot be the id of a repo",
            id.escape_debug()
        )));
    }
    Ok(())
}
