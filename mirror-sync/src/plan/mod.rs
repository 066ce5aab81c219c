//! What a run is going to do, as data: which packages, which metadata, what is fetched, what goes.

pub(crate) mod closure;
pub(crate) mod groups;
pub(crate) mod locked;
pub(crate) mod select;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::config::Mirror;
use crate::error::{Error, Result};
use crate::layout::AGAIN;
use crate::manifest::{Manifest, SnapshotFile};

/// What is going to change, for people and `--json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SetChange {
    pub(crate) packages: usize,
    /// Their bytes, metadata included.
    pub(crate) bytes: u64,
    pub(crate) to_fetch: usize,
    pub(crate) to_fetch_bytes: u64,
    /// Packages that are new.
    pub(crate) added: Vec<String>,
    /// Packages that go.
    pub(crate) removed: Vec<String>,
}

/// The full names that two sets of packages do not share: what comes, what goes.
pub(crate) fn differences(
    old: &[SnapshotFile],
    new: &BTreeSet<String>,
) -> (Vec<String>, Vec<String>) {
    let had = package_names(old);
    let added = new.difference(&had).cloned().collect();
    let removed = had.difference(new).cloned().collect();
    (added, removed)
}

pub(crate) fn package_names(files: &[SnapshotFile]) -> BTreeSet<String> {
    files.iter().filter_map(|f| f.package.clone()).collect()
}

/// Stops a run that would take away too much: an empty list upstream is more often a broken
/// upstream than an empty repository.
///
/// # Errors
/// More than `max_delete_percent` percent of the packages, or more than `max_delete` (0: no such
/// limit), would go.
pub(crate) fn guard(
    repo: &str,
    limits: &Mirror,
    old: Option<&Manifest>,
    removed: usize,
    left: usize,
) -> Result<()> {
    let Some(old) = old.filter(|old| old.packages > 0) else {
        return Ok(());
    };
    let had = old.packages;
    // A newer version takes the place of the old one: what counts is what nothing replaces, and
    // how much smaller the whole becomes.
    let lost = removed.min(had.saturating_sub(left));
    let told = |why: String| {
        Err(Error::DeleteGuard {
            repo: repo.to_owned(),
            gone: lost,
            had,
            why,
            command: AGAIN.to_owned(),
            also: String::new(),
        })
    };
    let (percent, most) = (limits.max_delete_percent, limits.max_delete);
    if most > 0 && lost > most {
        return told(format!("more than max_delete = {most}"));
    }
    if (lost as u64).saturating_mul(100) > (had as u64).saturating_mul(percent) {
        return told(format!("more than max_delete_percent = {percent}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
