//! What a new set brings, for people: security advisories that the one before lacked, and the history of changes.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use rpm_repo::compress::{Expected, VerifiedReader};
use rpm_repo::updateinfo::{self, Advisory};
use rpm_repo::xml::XmlLimits;

use super::SyncRun;
use super::repo::Repo;
use crate::error::{Error, Result};
use crate::layout;
use crate::manifest::{AdvisoryNote, ChangeNote, Manifest};

/// Changes that are remembered of a repository.
const MAX_HISTORY: usize = 10;
/// Names that are remembered of each kind and change.
const MAX_NAMES: usize = 30;
/// Advisories that a report has.
const MAX_ADVISORIES: usize = 200;
/// Most characters of a title.
const MAX_TITLE: usize = 200;

/// Notes what a new set has changed: in the report, and in the history of the repository.
pub(super) fn note(run: &SyncRun<'_>, repo: &mut Repo, before: Option<&Manifest>, new: &Manifest) {
    repo.report.is_first = before.is_none();
    // Everything is new on a first run.
    if let Some(before) = before {
        match advisories(run, before, new) {
            Ok(found) => {
                repo.report.advisory_count = found.len();
                repo.report.advisories = found.into_iter().take(MAX_ADVISORIES).collect();
            }
            Err(error) => run.printer.err(&format!(
                "{}: warning: updateinfo cannot be read, its advisories are not told: {error}",
                repo.id
            )),
        }
    }
    let (change, report) = (&repo.report.change, &repo.report);
    let some = |names: &[String]| names.iter().take(MAX_NAMES).cloned().collect();
    let history = &mut repo.state.history;
    history.insert(
        0,
        ChangeNote {
            at: run.now,
            snapshot: new.stamp.clone(),
            is_first: before.is_none(),
            packages: new.packages,
            bytes: new.bytes,
            added: some(&change.added),
            added_count: change.added.len(),
            removed: some(&change.removed),
            removed_count: change.removed.len(),
            advisories: report.advisories.iter().take(MAX_NAMES).cloned().collect(),
            advisory_count: report.advisory_count,
        },
    );
    history.truncate(MAX_HISTORY);
}

/// Security advisories of the new set that the one before lacked, the newest last as they stand there.
fn advisories(run: &SyncRun<'_>, before: &Manifest, new: &Manifest) -> Result<Vec<AdvisoryNote>> {
    if documents(before).eq(documents(new)) {
        return Ok(Vec::new());
    }
    let mut known = BTreeSet::new();
    // What is lost of an old one makes more news, not less.
    let _ = read(run, before, &mut |advisory| {
        known.insert(advisory.id);
    });
    let mut found = Vec::new();
    read(run, new, &mut |advisory| {
        if advisory.kind == "security" && known.insert(advisory.id.clone()) {
            found.push(AdvisoryNote {
                id: advisory.id.chars().take(MAX_TITLE).collect(),
                severity: advisory.severity.chars().take(MAX_TITLE).collect(),
                title: advisory.title.chars().take(MAX_TITLE).collect(),
            });
        }
    })?;
    Ok(found)
}

/// The digests and paths of the documents with advisories.
fn documents(manifest: &Manifest) -> impl Iterator<Item = (&str, &str)> {
    let files = manifest.files.iter().filter(|file| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        file.package.is_none() && name.contains("updateinfo.xml")
    });
    files.map(|file| (file.path.as_str(), file.digest.as_str()))
}

fn read(run: &SyncRun<'_>, manifest: &Manifest, each: &mut dyn FnMut(Advisory)) -> Result<()> {
    for (path, digest) in documents(manifest) {
        let Some(digest) = crate::store::parse_digest(digest) else {
            continue;
        };
        let stored = run.store.path(&digest);
        let file = layout::open(&stored).map_err(Error::file(&stored, "read"))?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let expected = Expected {
            checksum: Some(digest),
            ..Expected::default()
        };
        let reader = VerifiedReader::new(file, name, expected);
        let reader = reader.map_err(Error::file(&stored, "read"))?;
        updateinfo::read(path, reader, &XmlLimits::default(), &mut |advisory| {
            each(advisory);
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}
