//! Reads every published file again and repairs what is damaged.
//!
//! The store is hashed, each content once. A damaged file is taken out and fetched again from
//! upstream by its digest, and only that; trees that held the damaged copy are linked again, by
//! rename, so that no reader ever sees half a file. Then every tree is asked as a client would ([`clients`]).

mod clients;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cli_kit::{Printer, counted};
use repo_client::MetadataSet;
use rpm_pkg::digest::Digest;
use serde::Serialize;

use crate::config::Config;
use crate::error::{EXIT_DAMAGED, EXIT_DONE, EXIT_MENDED, Error, Result};
use crate::fetch::FetchJob;
use crate::manifest::{self, Damage, SnapshotFile};
use crate::report::{RepoOutcome, RepoReport, RunReport};
use crate::store::hash_file;
use crate::sync::SyncRun;
use crate::trust::PackageTrust;
use crate::upstream::{self, FileUrls, UpstreamQuery};

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
    /// Whether all was well, damage was mended, or some is left: nothing is mended where it was only looked for.
    pub(crate) fn exit_code(&self, repair: bool) -> u8 {
        let is_well = self.damaged.is_empty() && self.failed.is_empty();
        match (is_well, repair && self.failed.is_empty()) {
            (true, _) if self.relinked == 0 => EXIT_DONE,
            (true, _) | (false, true) => EXIT_MENDED,
            (false, false) => EXIT_DAMAGED,
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
    let lacking = bad.iter().map(|(digest, ..)| *digest).collect();
    let faults = clients::ask(run, ids, &lacking)?;
    found.damaged.extend(faults.iter().cloned());
    // Whoever is killed while he mends leaves it known.
    remember(run, ids, &found.damaged)?;
    if repair {
        mend(run, &bad, &mut found)?;
        for id in ids {
            found.relinked += run.publisher().repair(id)?;
        }
        run.store.sync()?;
        if !faults.is_empty() {
            let left = clients::ask(run, ids, &lacking)?;
            found.repaired += faults.len().saturating_sub(left.len());
            found.failed.extend(left);
        }
        remember(run, ids, &found.failed)?;
    }
    Ok(found)
}

/// Remembers what is left damaged of the repositories.
fn remember(run: &SyncRun<'_>, ids: &[String], left: &[(String, String, String)]) -> Result<()> {
    for id in ids {
        // One that cannot be read is a fault by itself.
        let Ok(mut state) = manifest::read_state(&run.layout, id) else {
            continue;
        };
        let own = left.iter().filter(|(repo, ..)| repo == id);
        let (count, first) = (own.clone().count() as u64, own.clone().next());
        let since = state.damage.as_ref().map_or(run.now, |known| known.since);
        let damage = first.map(|(_, path, why)| Damage {
            since,
            what: format!(
                "{} damaged: {path}: {why}{}; `mirror-sync verify {id}` looks again and mends",
                counted(count, "file"),
                if count > 1 { " (and others)" } else { "" }
            ),
        });
        if state.damage != damage {
            state.damage = damage;
            manifest::write_state(&run.layout, id, &state)?;
        }
    }
    Ok(())
}

/// At the end of a run: repositories of which damage is left are looked at again, and mended where that can be.
pub(crate) fn look_again(run: &SyncRun<'_>, report: &mut RunReport) {
    let is_well =
        |repo: &&mut RepoReport| matches!(repo.outcome, RepoOutcome::New | RepoOutcome::NothingNew);
    for repo in report.repos.iter_mut().filter(is_well) {
        match mend_suspect(run, &repo.id) {
            Ok(None) => {}
            // What clients see is new; an older snapshot is not whole.
            Ok(Some(damage)) if repo.outcome == RepoOutcome::New => {
                let (id, what) = (&repo.id, damage.what);
                run.printer.err(&format!("{id}: warning: {what}"));
            }
            Ok(Some(damage)) => {
                repo.fail(&Error::repository(&repo.id, damage.what));
                repo.is_damaged = true;
            }
            Err(error) => repo.fail(&error),
        }
    }
}

/// What is left damaged of a repository.
fn mend_suspect(run: &SyncRun<'_>, id: &str) -> Result<Option<Damage>> {
    if manifest::read_state(&run.layout, id)?.damage.is_none() {
        return Ok(None);
    }
    let found = verify(run, &[id.to_owned()], true)?;
    if found.repaired > 0 {
        let count = counted(found.repaired as u64, "damaged file");
        run.printer.info(&format!("{id}: {count} mended"));
    }
    Ok(manifest::read_state(&run.layout, id)?.damage)
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

/// Fetches what is damaged again: of any repository that is configured with an upstream and names it, one after the
/// other until one gives it.
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
    let owners = owners(run, bad)?;
    let mut sources: BTreeMap<&str, std::result::Result<RepairSource, String>> = BTreeMap::new();
    let mut whys: HashMap<Digest, String> = HashMap::new();
    let mut left: Vec<&(Digest, String, SnapshotFile)> = bad.iter().collect();
    for turn in 0.. {
        let mut jobs = Vec::new();
        let mut asked = HashMap::new();
        for (digest, ..) in &left {
            let Some((id, entry)) = owners.get(digest).and_then(|all| all.get(turn)) else {
                continue;
            };
            asked.insert((id.clone(), entry.path.clone()), *digest);
            let source = sources.entry(id);
            match source.or_insert_with(|| source_of(run, id).map_err(|error| error.to_string())) {
                Ok(source) => jobs.push(source.job(*digest, entry)),
                Err(why) => {
                    whys.entry(*digest).or_insert_with(|| why.clone());
                }
            }
        }
        if asked.is_empty() {
            break;
        }
        for (id, path, why) in run.fetcher().run(jobs)?.failed {
            if let Some(digest) = asked.get(&(id, path)) {
                whys.entry(*digest).or_insert(why);
            }
        }
        left.retain(|(digest, ..)| !run.store.path(digest).is_file());
    }
    found.repaired += bad.len().saturating_sub(left.len());
    found.failed.extend(left.iter().map(|(digest, id, entry)| {
        let why = whys.remove(digest).unwrap_or_else(|| {
            "no repository that is configured with an upstream has it".to_owned()
        });
        (id.clone(), entry.path.clone(), why)
    }));
    Ok(())
}

/// The repositories with an upstream that name what is damaged, and where.
fn owners(
    run: &SyncRun<'_>,
    bad: &[(Digest, String, SnapshotFile)],
) -> Result<HashMap<Digest, Vec<(String, SnapshotFile)>>> {
    let mut owners: HashMap<_, Vec<_>> = bad.iter().map(|(one, ..)| (*one, Vec::new())).collect();
    let sections = run.config.repo.iter();
    for (id, _) in sections.filter(|(_, section)| section.has_upstream()) {
        for stamp in manifest::stamps(&run.layout, id)?.iter().rev() {
            // A list that is damaged was told of where it was asked for.
            let Ok(manifest) = manifest::read(&run.layout, id, stamp) else {
                continue;
            };
            for entry in manifest.files {
                let list = entry.digest().ok().and_then(|one| owners.get_mut(&one));
                let known = |one: &(String, SnapshotFile)| one.0 == *id && one.1.path == entry.path;
                if let Some(list) = list.filter(|list| !list.iter().any(known)) {
                    list.push((id.clone(), entry));
                }
            }
        }
    }
    Ok(owners)
}

/// Where a repository's files can be had again.
struct RepairSource {
    set: MetadataSet,
    trust: Arc<PackageTrust>,
    /// What lies elsewhere (`xml:base`).
    elsewhere: HashMap<Digest, FileUrls>,
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
    let mut elsewhere = HashMap::new();
    // What upstream lists no longer is asked for where it was.
    if let Ok(list) = upstream::list(&set) {
        let packages = list.packages.iter().filter(|one| one.lies_elsewhere());
        elsewhere.extend(packages.map(|package| (package.digest, package.urls(&set))));
    }
    for record in set.repomd.records.iter().filter(|one| one.base.is_some()) {
        let urls = upstream::urls(&set, record.href.as_str(), record.base.as_deref());
        elsewhere.extend(record.checksum.map(|digest| (digest, urls)));
    }
    Ok(RepairSource {
        set,
        trust,
        elsewhere,
    })
}

impl RepairSource {
    fn job(&self, digest: Digest, entry: &SnapshotFile) -> FetchJob {
        let package = entry.package.is_some();
        let elsewhere = self.elsewhere.get(&digest).cloned();
        let urls = elsewhere.unwrap_or_else(|| upstream::urls(&self.set, &entry.path, None));
        FetchJob {
            size: Some(entry.size),
            trust: package.then(|| Arc::clone(&self.trust)),
            ..FetchJob::new(&self.set, &entry.path, urls, digest)
        }
    }
}
