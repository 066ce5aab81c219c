//! What a snapshot consists of: the packages, and metadata that name exactly these.

use std::collections::BTreeSet;

use repo_client::MetadataSet;
use rpm_trust::verify_detached;

use super::SyncRun;
use super::repo::Repo;
use super::select::WantedSet;
use crate::error::Result;
use crate::layout::{self, MAX_INDEX};
use crate::manifest::{self, FORMAT, Manifest, SnapshotFile};
use crate::regenerate::{self, MetadataOrder, MetadataSource, stored_size};
use crate::store::digest_text;
use crate::trust;
use crate::upstream::{self, Listed};

/// Largest file beside the index (signature, key).
const MAX_BESIDE: u64 = 1 << 20;

/// How much of what is wanted is in a snapshot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SnapshotPart {
    /// All of it.
    Whole,
    /// What was asked for first.
    First,
}

/// The manifest of a new snapshot, whose every file is in the store.
pub(super) fn manifest(
    run: &SyncRun<'_>,
    repo: &Repo,
    wanted: &WantedSet,
    part: SnapshotPart,
) -> Result<Manifest> {
    let set = &wanted.set;
    let is_in = |one: &&Listed| part == SnapshotPart::Whole || wanted.first.contains(&one.location);
    let packages: Vec<&Listed> = wanted.packages.iter().filter(is_in).collect();
    let made_here = part == SnapshotPart::First || repo.made_here();
    let mut files = if made_here {
        make(
            run,
            set,
            packages.iter().map(|one| one.location.as_str()).collect(),
        )?
    } else {
        copy(run, repo, set)?
    };
    files.extend(packages.iter().map(|package| package.entry()));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Manifest {
        format: FORMAT,
        repo: repo.id.clone(),
        stamp: free_stamp(run, &repo.id, run.now)?,
        made: run.now,
        upstream: digest_text(&set.repomd_digest),
        revision: set.repomd.revision.clone(),
        timestamp: upstream::age(set).0,
        selection: repo.selection.clone(),
        rules: repo.trust.rules.clone(),
        made_here,
        first_part: part == SnapshotPart::First,
        packages: packages.len(),
        bytes: files.iter().map(|file| file.size).sum(),
        files,
        sources: Vec::new(),
        deltas: Vec::new(),
    })
}

fn make(run: &SyncRun<'_>, set: &MetadataSet, keep: BTreeSet<&str>) -> Result<Vec<SnapshotFile>> {
    let key = run.config.mirror.sign_key.as_deref();
    let key = key.map(trust::signing_key).transpose()?;
    regenerate::write(&MetadataOrder {
        sources: &[MetadataSource { set, keep: &keep }],
        store: &run.store,
        work: &run.layout.partial().join(format!("metadata-{}", set.repo)),
        key: key.as_ref(),
        now: run.now,
    })
}

/// Upstream's own bytes: the index, its signature and key, and every part.
fn copy(run: &SyncRun<'_>, repo: &Repo, set: &MetadataSet) -> Result<Vec<SnapshotFile>> {
    let mut entries = Vec::new();
    for record in set.repomd.records.iter().filter(|one| repo.wants(one)) {
        let digest = upstream::checksum(&repo.id, record)?;
        let path = record.href.as_str();
        // The same file may stand in the index twice.
        if entries
            .iter()
            .any(|entry: &SnapshotFile| entry.path == path)
        {
            continue;
        }
        let size = stored_size(&run.store, &digest)?;
        entries.push(SnapshotFile::new(path, size, &digest));
    }
    let index = set.dir.join("repomd.xml");
    let bytes = layout::read(&index, MAX_INDEX)?;
    let put = |path: &str, data: &[u8]| regenerate::put(&run.store, path, data);
    entries.push(put(layout::INDEX, &bytes)?);
    if let Some(signature) = signature(run, repo, set, &bytes)? {
        entries.push(put("repodata/repomd.xml.asc", &signature)?);
        if let Some(key) = beside(run, set, "repomd.xml.key") {
            entries.push(put("repodata/repomd.xml.key", &key)?);
        }
    }
    Ok(entries)
}

/// Upstream's signature over the index: the one that was checked, or, where nothing is
/// demanded, the one that upstream has, if it fits.
fn signature(
    run: &SyncRun<'_>,
    repo: &Repo,
    set: &MetadataSet,
    index: &[u8],
) -> Result<Option<Vec<u8>>> {
    let checked = set.dir.join("repomd.xml.asc");
    if repo.section.repo_gpgcheck {
        let data = layout::read(&checked, MAX_BESIDE)?;
        return Ok(Some(data));
    }
    let Some(data) = beside(run, set, "repomd.xml.asc") else {
        return Ok(None);
    };
    if repo.trust.keys.is_empty() {
        return Ok(Some(data));
    }
    let fits = verify_detached(&repo.trust.keys, &data, index, run.now)
        .is_ok_and(|outcome| outcome.accepted().is_some());
    if !fits {
        run.printer.err(&format!(
            "{}: upstream's repomd.xml.asc is not signed by a key of gpgkey or does not match; it is left out",
            repo.id
        ));
    }
    Ok(fits.then_some(data))
}

/// A name for a snapshot made then: never one that exists, nor one before the last, unless that is of a day to come.
pub(crate) fn free_stamp(run: &SyncRun<'_>, id: &str, made: u64) -> Result<String> {
    let stamps = manifest::stamps(&run.layout, id)?;
    let mut at = made;
    loop {
        let stamp = manifest::stamp(at);
        let is_late = at > made.saturating_add(86_400) && !stamps.contains(&stamp);
        if is_late || stamps.last().is_none_or(|last| stamp > *last) {
            return Ok(stamp);
        }
        at += 1;
    }
}

/// A small file beside the index; none if upstream has none.
fn beside(run: &SyncRun<'_>, set: &MetadataSet, name: &str) -> Option<Vec<u8>> {
    let dest = run.layout.partial().join(format!("{}-{name}", set.repo));
    upstream::download_beside(&run.client, set, name, &dest, MAX_BESIDE).ok()
}
