//! Locks, protected packages, lowest versions and excludes: what the administrator decided.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rpm_solv::{JobAction, JobTarget, SolverJob};
use whole_file::open_of_root;

use crate::error::{At, Code, Failure, Outcome};
use crate::plan::{ChangeReason, Plan, PlannedAction};
use crate::session::Packages;
use crate::settings::Settings;

/// Longest file of names that is read.
const MAX_FILE: u64 = 1 << 20;

/// The decisions that are in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SolverPolicy {
    /// `locks.d`: exact names whose installed version stays, each with the file that says so.
    pub locks: BTreeMap<String, PathBuf>,
    /// `protected.d`: exact names that are never removed.
    pub protected: Vec<String>,
    /// `minversions` and `minversions.d`: name and lowest version.
    pub minimum: Vec<(String, String)>,
}

impl SolverPolicy {
    /// Reads the directories beside the configuration file. Every line is an entry; empty lines
    /// and those that begin with `#` are not.
    pub fn read(settings: &Settings) -> Outcome<Self> {
        let dir = settings.config_file.parent().unwrap_or(Path::new("/"));
        let configured = settings.main.minversions.iter();
        let mut minimum: Vec<_> = configured
            .map(|m| (m.name.clone(), m.evr.clone()))
            .collect();
        for line in lines(settings, &dir.join("minversions.d"))? {
            let (name, evr) = line.split_once('=').ok_or_else(|| {
                Failure::invalid(format!("minversions.d: '{line}': name=version expected"))
            })?;
            minimum.push((name.trim().to_owned(), evr.trim().to_owned()));
        }
        Ok(Self {
            locks: entries(settings, &dir.join("locks.d"))?
                .into_iter()
                .collect(),
            protected: protected(settings, dir)?,
            minimum,
        })
    }

    /// Jobs that keep locked packages as they are: the installed versions stay, and no other
    /// comes, not even beside them.
    pub fn locks(&self, packages: &Packages) -> Vec<SolverJob> {
        let installed = |name: &&String| !packages.installed_named(name).is_empty();
        let locked = self.locks.keys().filter(installed).cloned();
        let lock = |name| SolverJob::new(JobAction::Lock, JobTarget::Name(name));
        locked.map(lock).collect()
    }

    /// Refuses a plan that removes a protected package (1030).
    pub fn check(&self, plan: &Plan) -> Outcome<()> {
        let mut failure = Failure::new(Code::PROTECTED);
        for change in &plan.changes {
            let name = &change.package.name;
            let what = match change.action {
                PlannedAction::Remove => "removed",
                PlannedAction::Obsolete => "obsoleted",
                _ => continue,
            };
            if self.protected.iter().any(|protected| protected == name) {
                failure.details.push(match change.reason {
                    ChangeReason::User => format!("package {name} is protected"),
                    _ => format!("package {name} would be {what} but it is protected"),
                });
            }
        }
        match failure.details.is_empty() {
            true => Ok(()),
            false => Err(failure),
        }
    }
}

/// What `protected.d` and `protected_packages` name; the latter as in dnf, where `glob:` stands before files of names.
fn protected(settings: &Settings, dir: &Path) -> Outcome<Vec<String>> {
    let mut names = lines(settings, &dir.join("protected.d"))?;
    for item in &settings.main.protected_packages {
        match item
            .strip_prefix("glob:")
            .map(|files| Path::new(files).parent())
        {
            None => names.push(item.clone()),
            Some(Some(files)) => {
                let below = files.strip_prefix("/").unwrap_or(files);
                names.extend(lines(settings, &settings.root.join(below))?);
            }
            Some(None) => {}
        }
    }
    Ok(names)
}

/// The lines of all `*.conf` files of a directory, by file name; no directory, no lines.
fn lines(settings: &Settings, dir: &Path) -> Outcome<Vec<String>> {
    let all = entries(settings, dir)?.into_iter();
    Ok(all.map(|(line, _)| line).collect())
}

/// The same lines, each with its file.
fn entries(settings: &Settings, dir: &Path) -> Outcome<Vec<(String, PathBuf)>> {
    let dir = settings.folder(dir)?;
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "conf"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let mut text = String::new();
        let opened = open_of_root(&settings.root, &file).at(&file)?;
        opened.take(MAX_FILE).read_to_string(&mut text).at(&file)?;
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        all.extend(lines.map(|line| (line.to_owned(), file.clone())));
    }
    Ok(all)
}
