//! The third step: what is going to change, and whether that may be.

use std::collections::{BTreeSet, HashMap};

use super::repo::{EndedRepo, Repo, RepoStep};
use super::select::{Selected, WantedSet};
use super::{SyncRun, jobs};
use crate::error::{Error, Result};
use crate::fetch::FetchJob;
use crate::manifest;
use crate::plan;
use crate::regenerate;
use crate::report::RepoOutcome;
use crate::store::digest_text;

/// A repository whose new set the guards let pass.
pub(super) struct Planned {
    repo: Repo,
    wanted: WantedSet,
}

/// Guards and counts. A run that only tells ends here.
pub(super) fn plan(run: &SyncRun<'_>, selected: Selected) -> RepoStep<Planned> {
    let (repo, wanted) = selected.into_parts();
    let mut planned = Planned { repo, wanted };
    match planned.count(run) {
        Ok(()) if run.options.dry_run => {
            let (repo, wanted) = planned.into_parts();
            Err(repo.end(run, RepoOutcome::Planned, Some(wanted.set)))
        }
        Ok(()) => Ok(planned),
        Err(error) => Err(planned.fail(run, &error)),
    }
}

impl Planned {
    pub(super) fn into_parts(self) -> (Repo, WantedSet) {
        (self.repo, self.wanted)
    }

    /// The repository, of which a part may be published already, and what is wanted of it.
    pub(super) fn parts_mut(&mut self) -> (&mut Repo, &mut WantedSet) {
        (&mut self.repo, &mut self.wanted)
    }

    /// Leaves the run because of an error.
    pub(super) fn fail(self, run: &SyncRun<'_>, error: &Error) -> Box<EndedRepo> {
        self.repo.fail(run, error, Some(self.wanted.set))
    }

    pub(super) fn id(&self) -> &str {
        &self.repo.id
    }

    /// Whether nothing of it is refused.
    pub(super) fn is_admitted(&self) -> bool {
        self.wanted.refused.is_empty()
    }

    pub(super) fn packages(&self) -> u64 {
        self.wanted.packages.len() as u64
    }

    pub(super) fn to_fetch_bytes(&self) -> u64 {
        self.repo.report.change.to_fetch_bytes
    }

    /// Bytes that the repository may take in the store; 0 is no limit.
    pub(super) fn quota(&self) -> u64 {
        self.repo.section.quota.0
    }

    /// Bytes that its snapshots take in the store, and with the new set; what they share counts once.
    pub(super) fn stored_bytes(&self, run: &SyncRun<'_>) -> Result<(u64, u64)> {
        let mut files = HashMap::new();
        for stamp in manifest::stamps(&run.layout, self.id())? {
            // One that was lost is told elsewhere.
            if let Ok(manifest) = manifest::read(&run.layout, self.id(), &stamp) {
                let all = manifest.files.into_iter().chain(manifest.deltas);
                files.extend(all.map(|file| (file.digest, file.size)));
            }
        }
        let had = files.values().sum();
        for job in self.jobs() {
            let bytes = job.announced.unwrap_or(0);
            files.entry(digest_text(&job.digest)).or_insert(bytes);
        }
        Ok((had, files.values().sum()))
    }

    /// All files that the store must have.
    pub(super) fn jobs(&self) -> Vec<FetchJob> {
        let (repo, set) = (&self.repo, &self.wanted.set);
        let packages = self.wanted.packages.iter();
        let records = set.repomd.records.iter().filter(|one| repo.wants(one));
        packages
            .map(|package| jobs::package(repo, set, package, 1))
            .chain(records.filter_map(|record| jobs::record(set, record)))
            .collect()
    }

    /// The files of what is published first; nothing if something is published already.
    pub(super) fn first_jobs(&self) -> Vec<FetchJob> {
        let (repo, wanted) = (&self.repo, &self.wanted);
        if wanted.first.is_empty() || repo.current.is_some() {
            return Vec::new();
        }
        let first = |location: &str| wanted.first.contains(location);
        let packages = wanted.packages.iter().filter(|one| first(&one.location));
        let records = wanted.set.repomd.records.iter();
        packages
            .map(|package| jobs::package(repo, &wanted.set, package, 0))
            .chain(
                records
                    .filter(|record| regenerate::is_kept(record))
                    .filter_map(|record| jobs::record(&wanted.set, record)),
            )
            .collect()
    }

    fn count(&mut self, run: &SyncRun<'_>) -> Result<()> {
        let names: BTreeSet<String> = self
            .wanted
            .packages
            .iter()
            .map(|p| p.nevra.to_string())
            .collect();
        let repo = &mut self.repo;
        let current = repo.current.as_ref();
        let had = current.map(|old| old.files.as_slice()).unwrap_or_default();
        let (added, removed) = plan::differences(had, &names);
        let gone = removed.len();
        let change = &mut repo.report.change;
        change.packages = names.len();
        (change.added, change.removed) = (added, removed);
        if let Some(ahead) = &mut repo.state.ahead {
            ahead.packages = names.len();
        }
        if !run.options.allow_delete {
            let guarded = plan::guard(&repo.id, &run.config.mirror, current, gone, names.len());
            guarded.map_err(|mut error| {
                if let Error::DeleteGuard { command, also, .. } = &mut error {
                    *command = format!("mirror-sync sync {}", repo.id);
                    *also = run.options.switches();
                }
                error
            })?;
        }
        let jobs = self.jobs();
        let lacks = |job: &&FetchJob| !run.store.has(&job.digest, job.size);
        let missing: Vec<&FetchJob> = jobs.iter().filter(lacks).collect();
        let change = &mut self.repo.report.change;
        change.bytes = jobs.iter().filter_map(|job| job.announced).sum();
        change.to_fetch = missing.len();
        change.to_fetch_bytes = missing.iter().filter_map(|job| job.announced).sum();
        let (bytes, rate) = (change.to_fetch_bytes, self.repo.state.rate);
        self.repo.report.expected_seconds = (rate > 0).then(|| bytes.div_ceil(rate));
        Ok(())
    }
}
