//! What createrepo_c says on its way, for scripts that read it: its steps, and packages that are there more than once.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cli_kit::Printer;
use rpm_repo::primary;
use rpm_repo::repomd::RepomdRecord;
use rpm_repo::xml::XmlLimits;
use whole_file::Folder;

use super::CreateOptions;
use crate::document::{open_file, whole};
use crate::error::{Error, Result};
use crate::package::PackageIdentity;
use crate::repository::Repository;
use crate::stage::NEW_DIR;
use crate::state::FinishedRun;

/// The tree was looked through.
pub(super) fn walked(packages: usize, options: &CreateOptions, printer: &Printer) {
    printer.info("Directory walk started");
    printer.info(&format!("Directory walk done - {packages} packages"));
    if options.update {
        for path in options.other_old.iter().rev() {
            let path = path.display();
            printer.info(&format!("Loading metadata from md-path: {path}"));
        }
    }
}

/// What `--update-md-path` names holds no metadata.
pub(super) fn no_metadata(path: &Path, printer: &Printer) {
    let path = path.display();
    printer.err(&format!(
        "Warning: Metadata from md-path {path} - loading failed: Metadata not found at {path}."
    ));
}

/// Module metadata that cannot be opened end the run.
pub(super) fn unreadable_modules(
    modules: &[PathBuf],
    unknown: &[PathBuf],
    dir: &Path,
) -> Result<()> {
    let fault = |path: &Path, why: &str| {
        let path = path.display();
        let what =
            format!("Critical: Could not load module index file {path}: Cannot open {path}: {why}");
        Err(Error::Usage(what))
    };
    if let Some(path) = unknown.first() {
        return fault(path, "Cannot detect compression type");
    }
    // Only a list names what is not there.
    match modules.iter().find(|path| !path.is_file()) {
        Some(path) => {
            let path = path.strip_prefix(dir).unwrap_or(path);
            let why = format!(
                "File {} doesn't exist or not a regular file",
                path.display()
            );
            fault(path, &why)
        }
        None => Ok(()),
    }
}

/// How many packages the old metadata know; those of the last run are in its state.
pub(super) fn loaded(
    old: Option<&Repository>,
    others: &[Repository],
    state: Option<&FinishedRun>,
    printer: &Printer,
) -> Result<()> {
    let seen = state.map(FinishedRun::seen).unwrap_or_default();
    let mut known: HashSet<u64> = seen.values().map(|p| p.noted.identity.checksum).collect();
    let unread = old.filter(|_| state.is_none()).into_iter().chain(others);
    for repository in unread {
        repository.packages(&mut |_, package| {
            known.insert(crate::hash(package.checksum()));
        })?;
    }
    let count = known.len();
    printer.info(&format!("Loaded information about {count} packages"));
    Ok(())
}

/// The packages were read, by as many threads as there may be.
pub(super) fn read(options: &CreateOptions, printer: &Printer) {
    let out = options.out.display().to_string();
    let out = out.trim_end_matches('/');
    printer.info(&format!("Temporary output repo path: {out}/{NEW_DIR}/"));
    let workers = options.workers;
    printer.info(&format!("Pool started (with {workers} workers)"));
    printer.info("Pool finished");
}

/// Nothing has changed.
pub(super) fn same(printer: &Printer) {
    printer.info("New and old repodata match, not updating.");
}

/// Names the packages of one name, version and architecture, and where each lies. The document is read only if there
/// are any.
pub(super) fn duplicates(
    packages: impl Iterator<Item = PackageIdentity>,
    repodata: &Folder,
    primary: &RepomdRecord,
    printer: &Printer,
) -> Result<()> {
    let mut seen = HashSet::new();
    let names: HashSet<u64> = packages
        .map(|package| package.name)
        .filter(|name| !seen.insert(*name))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let name = primary.href.file_name();
    let path = repodata.path().join(name);
    let stream = open_file(repodata, Path::new(name), primary)?;
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    let limits = XmlLimits::default();
    let name = path.display().to_string();
    let summary = primary::read(&name, stream, &limits, &mut |package| {
        let name = crate::hash(&crate::nevra(package));
        if names.contains(&name) {
            let place = *places.entry(name).or_insert(found.len());
            if place == found.len() {
                let evr = format!(
                    "{}:{}-{}",
                    package.epoch(),
                    package.version(),
                    package.release()
                );
                let nevra = format!("{}-{evr}.{}", package.name(), package.arch());
                found.push((nevra, Vec::new()));
            }
            if let Some((_, lines)) = found.get_mut(place) {
                let (location, time) = (package.refused_location(), package.build_time());
                lines.push(format!("'{location}', build timestamp: {time}"));
            }
        }
        ControlFlow::Continue(())
    })?;
    whole(&name, summary)?;
    for (nevra, lines) in found {
        printer.err(&format!(
            "Warning: Package '{nevra}' has duplicate metadata entries, only one should exist"
        ));
        for line in lines {
            printer.err(&format!("Warning:     Sourced from location: {line}"));
        }
    }
    Ok(())
}
