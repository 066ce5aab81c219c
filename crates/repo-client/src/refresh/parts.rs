//! The parts of a set: kept, linked from the old set, or fetched.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use rpm_repo::layout::check_base;
use rpm_repo::repomd::{Record, Repomd};

use super::cache::Loaded;
use super::index::NewIndex;
use super::{MetadataSet, PartFile, Run, join_url, local_name};
use crate::download::download;
use crate::error::{Cause, Error, Failure, Result};
use crate::path::{create_parents, join_below};
use crate::request::FileRequest;

/// Most bytes of a part whose size repomd.xml does not name (4 GiB).
pub(crate) const MAX_PART: u64 = 4 << 30;

impl Run<'_> {
    /// Fills the staging folder with the parts of a new index.
    pub(crate) async fn stage(
        &self,
        new: &NewIndex,
        old: Option<&Loaded>,
        bases: &[String],
    ) -> Result<Vec<PartFile>> {
        let dir = self.cache.staging();
        let records = self.records(&new.repomd, bases)?;
        let names: Vec<String> = records
            .iter()
            .map(|(_, record)| local_name(record))
            .collect();
        forget_others(&dir, &names);
        fs::create_dir_all(&dir).map_err(|e| Error::io(&dir, "create", e))?;
        for (kind, record) in &records {
            self.link_old(kind, record, old, &dir)?;
        }
        self.fetch_parts(&records, &dir, bases, old.is_some()).await
    }

    /// Fetches what the current set lacks, into it.
    pub(crate) async fn complete(&self, old: &Loaded, bases: &[String]) -> Result<MetadataSet> {
        if old.missing.is_empty() {
            return Ok(self.set(old, bases.to_vec(), true, false));
        }
        let dir = self.cache.live();
        let mut records = self.records(&old.repomd, bases)?;
        records.retain(|(kind, _)| old.missing.contains(kind));
        let files = self.fetch_parts(&records, &dir, bases, false).await?;
        self.cache.write_state(&dir, &old.state, &files)?;
        let loaded = self
            .cache
            .load(self)
            .filter(|loaded| loaded.missing.is_empty());
        let loaded = loaded.ok_or_else(|| Error::NotCached {
            repo: self.repo.config.id.clone(),
            what: "the part just written".into(),
            path: dir,
        })?;
        Ok(self.set(&loaded, bases.to_vec(), false, false))
    }

    /// The wanted records; each must be checkable.
    fn records(&self, repomd: &Repomd, bases: &[String]) -> Result<Vec<(String, Record)>> {
        let mut list = Vec::new();
        for kind in self.wanted() {
            match repomd.record(kind) {
                Some(record) if record.checksum.is_none() => {
                    return Err(
                        self.malformed(bases, format!("{kind} has no checksum of a known kind"))
                    );
                }
                Some(record) => list.push((kind.to_owned(), record.clone())),
                None if kind == "primary" => {
                    return Err(self.malformed(bases, "repomd.xml lists no primary".into()));
                }
                None => {}
            }
        }
        Ok(list)
    }

    fn malformed(&self, bases: &[String], why: String) -> Error {
        let url = bases
            .first()
            .map(|base| crate::redact::redact(base))
            .unwrap_or_default();
        let failures = vec![Failure {
            url,
            cause: Cause::Malformed(why),
        }];
        Error::Transfer {
            label: format!("{}: repomd.xml", self.repo.config.id),
            failures,
        }
    }

    /// An unchanged part is not fetched again: it gets a second name in the new set.
    fn link_old(
        &self,
        kind: &str,
        record: &Record,
        old: Option<&Loaded>,
        dir: &Path,
    ) -> Result<()> {
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
        &self,
        records: &[(String, Record)],
        dir: &Path,
        bases: &[String],
        sync: bool,
    ) -> Result<Vec<PartFile>> {
        let mut requests = Vec::new();
        for (kind, record) in records {
            let dest = join_below(dir, &local_name(record))?;
            create_parents(dir, &dest)?;
            requests.push(FileRequest {
                label: format!("{}: {kind}", self.repo.config.id),
                urls: self.part_urls(record, bases)?,
                access: Arc::clone(&self.access),
                dest,
                size: record.size,
                digest: record.checksum,
                max_size: MAX_PART,
                in_place: false,
                sync,
            });
        }
        let work = requests
            .iter()
            .map(|request| download(self.client, request, self.observer));
        let mut files = Vec::new();
        let mut first_error = None;
        for ((kind, record), result) in records.iter().zip(join_all(work).await) {
            match result {
                Ok(done) => files.push(PartFile {
                    kind: kind.clone(),
                    path: done.path,
                    record: record.clone(),
                }),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(files), Err)
    }

    fn part_urls(&self, record: &Record, bases: &[String]) -> Result<Vec<String>> {
        let href = record.href.as_str();
        let Some(base) = &record.base else {
            return bases.iter().map(|base| join_url(base, href)).collect();
        };
        let from = bases.first().map_or("", String::as_str);
        check_base(base, from).map_err(|e| Error::BadUrl {
            url: crate::redact::redact(base),
            why: e.to_string(),
        })?;
        Ok(vec![join_url(base, href)?])
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
        let plain = file.trim_end_matches(".info").trim_end_matches(".part");
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
