//! Reads every published file again and repairs what is damaged.
//!
//! The store is hashed, each content once. A damaged file is taken out and fetched again from
//! upstream by its digest, and only that; trees that held the damaged copy are linked again, by
//! rename, so that no reader ever sees half a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cli_kit::{Printer, counted};
use repo_client::MetadataSet;
use rpm_pkg::digest::Digest;
use serde::Serialize;

use crate::config::Config;
use crate::error::{EXIT_DONE, EXIT_FAILED, EXIT_PARTIAL, Error, Result};
use crate::fetch::FetchJob;
use crate::manifest::{self, SnapshotFile};
use crate::store::hash_file;
use crate::sync::SyncRun;
use crate::trust::PackageTrust;
use crate::upstream::{self, UpstreamQuery};

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct VerifyReport {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    /// Damaged or missing: repository, path, what is wrong.
    pub(crate) damaged: Vec<(String, String, String)>,
    /// Names in trees that did not lead to the stored file and were linked again.
    pub(crate) relinked: usize,
    /// Damaged files that are whole again.
    pub(crate) repaired: usize,
    /// Those that are not, and why.
    pub(crate) failed: Vec<(String, String, String)>,
}

impl VerifyReport {
    /// 0 if all is well now; 4 if damage is left after a repair, 1 if it was only looked for.
    pub(crate) fn exit_code(&self, repair: bool) -> u8 {
        match (self.damaged.is_empty(), repair, self.failed.is_empty()) {
            (true, ..) | (false, true, true) => EXIT_DONE,
            (false, true, false) => EXIT_PARTIAL,
            (false, false, _) => EXIT_FAILED,
        }
    }

    pub(crate) fn print(&self, printer: &Printer) {
        printer.json(self);
        for (repo, path, why) in &self.damaged {
            printer.err(&format!("{repo}: {path}: {why}"));
        }
        for (repo, path, why) in &self.failed {
            printer.err(&format!("Error: {repo}: {path} is still damaged: {why}"));
        }
        printer.info(&format!(
            "{} read, {} damaged, {} repaired",
            counted(self.files as u64, "file"),
            self.damaged.len(),
            self.repaired
        ));
    }
}

/// Every file that some snapshot of these repositories needs, each content once.
fn needed(
    run: &SyncRun<'_>,
    ids: &[String],
    found: &mut VerifyReport,
) -> Result<BTreeMap<String, (String, SnapshotFile)>> {
    let mut all = BTreeMap::new();
    for id in ids {
        for stamp in manifest::stamps(&run.layout, id)? {
            let manifest = match manifest::read(&run.layout, id, &stamp) {
                Err(Error::Damaged { path, why, way }) => {
                    let path = path.display().to_string();
                    let lost = format!("{why}{way}");
                    found.damaged.push((id.clone(), path.clone(), why));
                    found.failed.push((id.clone(), path, lost));
                    continue;
                }
                other => other?,
            };
            for entry in manifest.files {
                if entry.is_unjudged(&run.store) {
                    let why =
                        format!("snapshot {stamp} has a package as metadata, which nobody judged");
                    let way = format!(
                        "{why}; `mirror-sync sync --force {id}` publishes the repository without it"
                    );
                    found.damaged.push((id.clone(), entry.path.clone(), why));
                    found.failed.push((id.clone(), entry.path, way));
                    continue;
                }
                all.entry(entry.digest.clone())
                    .or_insert((id.clone(), entry));
            }
        }
    }
    Ok(all)
}

/// What is wrong with a stored file.
fn damage(path: &Path, digest: &Digest, size: u64) -> Option<String> {
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) => return Some(error.to_string()),
    };
    if about.is_file() && about.len() != size {
        return Some(format!("{} bytes instead of {size}", about.len()));
    }
    match hash_file(path, digest.algo()) {
        Ok((got, _)) if got == *digest => None,
        Ok(_) => Some("its checksum is wrong".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// Verifies, and repairs if asked to. The caller holds the lock.
pub(crate) fn verify(run: &SyncRun<'_>, ids: &[String], repair: bool) -> Result<VerifyReport> {
    let mut found = VerifyReport::default();
    let mut bad: Vec<(Digest, String, SnapshotFile)> = Vec::new();
    states(run, ids, repair, &mut found)?;
    for (id, entry) in needed(run, ids, &mut found)?.into_values() {
        let digest = entry.digest()?;
        found.files += 1;
        found.bytes += entry.size;
        let Some(why) = damage(&run.store.path(&digest), &digest, entry.size) else {
            continue;
        };
        found.damaged.push((id.clone(), entry.path.clone(), why));
        bad.push((digest, id, entry));
    }
    if repair {
        mend(run, &bad, &mut found)?;
        for id in ids {
            found.relinked += run.publisher().repair(id)?;
        }
        run.store.sync()?;
    }
    Ok(found)
}

/// What is remembered of the repositories is made again where it is damaged.
fn states(run: &SyncRun<'_>, ids: &[String], repair: bool, found: &mut VerifyReport) -> Result<()> {
    for id in ids {
        let (state, damage) = run.publisher().remembered(id)?;
        let Some(Error::Damaged { path, why, .. }) = damage else {
            continue;
        };
        found
            .damaged
            .push((id.clone(), path.display().to_string(), why));
        if repair {
            manifest::write_state(&run.layout, id, &state)?;
            found.repaired += 1;
        }
    }
    Ok(())
}

fn mend(
    run: &SyncRun<'_>,
    bad: &[(Digest, String, SnapshotFile)],
    found: &mut VerifyReport,
) -> Result<()> {
    if bad.is_empty() {
        return Ok(());
    }
    for (digest, _, _) in bad {
        run.store.forget(digest);
    }
    let mut jobs = Vec::new();
    let mut unreachable = 0;
    let ids: BTreeSet<&String> = bad.iter().map(|(_, id, _)| id).collect();
    for id in ids {
        let mine = bad.iter().filter(|(_, repo, _)| repo == id);
        match source_of(run, id) {
            Ok(source) => {
                jobs.extend(mine.map(|(digest, _, entry)| source.job(*digest, entry)));
            }
            Err(error) => {
                let why = error.to_string();
                unreachable += bad.iter().filter(|(_, repo, _)| repo == id).count();
                found.failed.extend(
                    mine.map(|(_, id, entry)| (id.clone(), entry.path.clone(), why.clone())),
                );
            }
        }
    }
    let before = found.failed.len();
    found.failed.extend(run.fetcher().run(jobs)?.failed);
    let failed = found.failed.len().saturating_sub(before) + unreachable;
    found.repaired += bad.len().saturating_sub(failed);
    Ok(())
}

/// Where a repository's files can be had again.
struct RepairSource {
    set: MetadataSet,
    trust: Arc<PackageTrust>,
}

fn source_of(run: &SyncRun<'_>, id: &str) -> Result<RepairSource> {
    let config: &Config = run.config;
    let section = config.repo.get(id).ok_or_else(|| {
        Error::NotFound(format!("repository {id} is no longer in the configuration"))
    })?;
    let trust = Arc::new(PackageTrust::of(config, id)?);
    let client_config = config.client_config(id, section)?;
    let question = UpstreamQuery {
        // What is kept of upstream's metadata says where its servers are.
        ask: false,
        ..UpstreamQuery::new(&client_config, &trust.keys, run.now)
    };
    let (set, _) = upstream::refresh(&run.client, &run.layout, &question, &run.observer)?;
    Ok(RepairSource { set, trust })
}

impl RepairSource {
    fn job(&self, digest: Digest, entry: &SnapshotFile) -> FetchJob {
        let package = entry.package.is_some();
        FetchJob {
            size: Some(entry.size),
            trust: package.then(|| Arc::clone(&self.trust)),
            ..FetchJob::new(&self.set, &entry.path, None, digest)
        }
    }
}
