//! The parts of a set: kept, linked from the old set, or fetched.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rpm_repo::repomd::{Repomd, RepomdRecord};
use whole_file::remove_odd;

use super::cache::LoadedSet;
use super::context::RepoContext;
use super::index::NewIndex;
use super::{PartFile, local_name, urls_below};
use crate::error::{Cause, Error, Result};
use crate::path::{create_parents, join_below, make_folders, with_suffix};
use crate::redact::redact;
use crate::request::FileRequest;

/// How the unfinished file of a part and its journal are named.
pub(crate) const UNFINISHED: [&str; 2] = [".part", ".journal"];
/// Most bytes of a part whose size repomd.xml does not name (4 GiB).
pub(crate) const MAX_PART: u64 = 4 << 30;
/// What an index may be wrong about a part that has the right digest: twice the size that it tells, and so many bytes.
const SIZE_SLACK: u64 = 1 << 20;

/// Most bytes of a part of the metadata (4 GiB) whose size the index says to be `said`: whoever sends more, or has no
/// end, is stopped there, while a wrong number in an index costs a word.
pub fn part_limit(said: Option<u64>) -> u64 {
    let most = said.map(|said| said.saturating_mul(2).saturating_add(SIZE_SLACK));
    most.map_or(MAX_PART, |most| most.min(MAX_PART))
}

/// Fills the staging folder with the parts of a new index.
pub(crate) async fn stage(
    context: &RepoContext<'_>,
    dir: &Path,
    new: &NewIndex,
    old: Option<&LoadedSet>,
    bases: &[String],
) -> Result<Vec<PartFile>> {
    let records = records(context, &new.repomd, bases)?;
    let names: Vec<String> = records
        .iter()
        .map(|(_, record)| local_name(record))
        .collect();
    forget_others(dir, &names);
    make_folders(dir.parent().unwrap_or(dir), dir)?;
    for (kind, record) in &records {
        link_old(kind, record, old, dir)?;
    }
    fetch_parts(context, &records, dir, bases, old.is_some()).await
}

/// Fetches what a set in its folder lacks.
pub(crate) async fn complete(
    context: &RepoContext<'_>,
    dir: &Path,
    old: &LoadedSet,
    bases: &[String],
) -> Result<Vec<PartFile>> {
    let mut records = records(context, &old.repomd, bases)?;
    records.retain(|(kind, _)| old.missing.contains(kind));
    fetch_parts(context, &records, dir, bases, false).await
}

/// The wanted records; each must be checkable.
fn records(
    context: &RepoContext<'_>,
    repomd: &Repomd,
    bases: &[String],
) -> Result<Vec<(String, RepomdRecord)>> {
    let mut list = Vec::new();
    for kind in context.repo.wanted() {
        match repomd.record(kind) {
            Some(record) if record.checksum.is_none() => {
                let why = format!("{kind} has no checksum of a known kind");
                return Err(malformed(context, bases, why));
            }
            Some(record) => list.push((kind.to_owned(), record.clone())),
            None if kind == "primary" => {
                let why = "repomd.xml lists no primary".to_owned();
                return Err(malformed(context, bases, why));
            }
            None => {}
        }
    }
    Ok(list)
}

fn malformed(context: &RepoContext<'_>, bases: &[String], why: String) -> Error {
    let url = bases.first().map(|base| redact(base)).unwrap_or_default();
    Error::at(context.index_label(), url, Cause::Malformed(why))
}

/// An unchanged part is not fetched again: it gets a second name in the new set.
fn link_old(kind: &str, record: &RepomdRecord, old: Option<&LoadedSet>, dir: &Path) -> Result<()> {
    let same = old
        .and_then(|old| old.parts.iter().find(|part| part.kind == kind))
        .filter(|part| part.record.checksum == record.checksum);
    if let Some(part) = same {
        let path = join_below(dir, &local_name(record))?;
        create_parents(dir, &path)?;
        // If it cannot be linked it is fetched.
        let _ = fs::hard_link(&part.path, &path);
    }
    Ok(())
}

async fn fetch_parts(
    context: &RepoContext<'_>,
    records: &[(String, RepomdRecord)],
    dir: &Path,
    bases: &[String],
    sync: bool,
) -> Result<Vec<PartFile>> {
    let request = |kind: &str, record: &RepomdRecord, size: Option<u64>| {
        let dest = join_below(dir, &local_name(record))?;
        create_parents(dir, &dest)?;
        for end in ["", UNFINISHED[0], UNFINISHED[1]] {
            let path = with_suffix(&dest, end);
            remove_odd(&path).map_err(|e| Error::io(&path, "remove", e))?;
        }
        Ok(FileRequest {
            urls: urls_below(bases, &record.href, record.base.as_deref())?,
            access: Arc::clone(&context.access),
            size,
            digest: record.checksum,
            max_size: part_limit(record.size),
            sync,
            ..FileRequest::new(format!("{}: {kind}", context.id()), Vec::new(), dest)
        })
    };
    let all = records.iter();
    let requests = all.map(|(kind, record)| request(kind, record, record.size));
    let requests: Vec<FileRequest> = requests.collect::<Result<_>>()?;
    let fetched = context.orders.fetch(requests).await;
    let mut files = Vec::new();
    let mut first_error = None;
    for ((kind, record), result) in records.iter().zip(fetched) {
        match result {
            Ok(done) => files.push(PartFile::new(kind, done.path, record)),
            Err(error) => {
                // The checksum tells whether the file is right or its size in repomd.xml.
                let limit = part_limit(record.size);
                let again = match found_size(&error, limit) {
                    Some(size) => vec![request(kind, record, Some(size))?],
                    None => Vec::new(),
                };
                let again = context.orders.fetch(again).await;
                if let Some(Ok(done)) = again.into_iter().next() {
                    let part = PartFile::new(kind, done.path, record);
                    part.doubt.raise();
                    files.push(part);
                } else {
                    first_error = first_error.or(Some(error));
                }
            }
        }
    }
    first_error.map_or(Ok(files), Err)
}

/// The size, `limit` at most, that a server or the disk tells of a part, where nothing but that was wrong.
fn found_size(error: &Error, limit: u64) -> Option<u64> {
    match &error.failures().last()?.cause {
        Cause::Size { got, .. } => Some(*got).filter(|got| *got <= limit),
        _ => None,
    }
}

/// Removes what a former, failed refresh left of another set.
fn forget_others(dir: &Path, names: &[String]) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        let ends = UNFINISHED.iter().find_map(|end| file.strip_suffix(end));
        let plain = ends.unwrap_or(&file);
        let ours = names
            .iter()
            .any(|name| name == plain || name.starts_with(&format!("{file}/")));
        if !ours {
            let path = entry.path();
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if is_dir {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
        }
    }
}
