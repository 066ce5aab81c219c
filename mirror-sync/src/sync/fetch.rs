//! The fourth step: one transfer for all repositories, after which each has its whole set or lacks
//! something.

use std::collections::BTreeMap;
use std::time::Instant;

use cli_kit::human_size;

use super::SyncRun;
use super::look::{self, Looked};
use super::plan::Planned;
use super::publish;
use super::repo::{Repo, RepoStep};
use super::select::WantedSet;
use crate::error::{Error, Result};
use crate::fetch::{FetchJob, Transferred};
use crate::report::RunReport;
use crate::seed::Seeds;
use crate::upstream::Refused;

/// How often upstream may be published anew while its files are fetched.
const MAX_LOOKS: u32 = 3;
/// A transfer of fewer bytes says nothing about the line.
const MIN_MEASURED: u64 = 64 << 10;

/// What came of fetching a repository's files: its set is whole, or something is missing.
pub(super) type FetchedRepo = std::result::Result<Whole, Box<Lacking>>;

/// A repository whose every file is in the store, checked and judged.
pub(super) struct Whole {
    repo: Repo,
    wanted: WantedSet,
}

/// A repository that cannot be published.
pub(super) struct Lacking {
    repo: Repo,
    wanted: WantedSet,
    error: Error,
    /// Upstream named files and does not have them.
    vanished: bool,
}

/// Refuses before the first byte what the disk or the quota cannot hold.
pub(super) fn check_space(run: &SyncRun<'_>, line: &[RepoStep<Planned>]) -> Result<()> {
    let needed: u64 = line.iter().flatten().map(Planned::to_fetch_bytes).sum();
    repo_client::require_space(run.layout.root(), needed)?;
    let quota = run.config.mirror.quota.0;
    if quota > 0 {
        let used = run.store.size()?;
        if used.saturating_add(needed) > quota {
            let [quota, used, needed] = [quota, used, needed].map(human_size);
            let what = format!(
                "quota of {}: {} are used and {} would come; raise mirror.quota, select less, or run `mirror-sync clean`",
                quota.trim(),
                used.trim(),
                needed.trim()
            );
            return Err(Error::repository("mirror", what));
        }
    }
    Ok(())
}

/// Copies what the directories of `mirror.seed` have.
pub(super) fn copy_seeds(run: &SyncRun<'_>, line: &[RepoStep<Planned>]) -> Result<()> {
    let seeds = Seeds::scan(&run.config.mirror.seed)?;
    let wanted: Vec<FetchJob> = line.iter().flatten().flat_map(Planned::jobs).collect();
    let found = seeds.fill(&wanted, &run.store, &run.layout.partial())?;
    if found > 0 {
        run.printer.info(&format!(
            "{found} files were copied from the directories of mirror.seed and need not be fetched"
        ));
    }
    Ok(())
}

/// On the very first run: what was asked for first is published before the rest is fetched.
pub(super) fn publish_first(
    run: &SyncRun<'_>,
    line: &mut [RepoStep<Planned>],
    report: &mut RunReport,
) -> Result<()> {
    let jobs: Vec<FetchJob> = line
        .iter()
        .flatten()
        .flat_map(Planned::first_jobs)
        .collect();
    if jobs.is_empty() {
        return Ok(());
    }
    let failed = match transfer(run, jobs, line, report) {
        Ok(failed) => failed,
        // The caller meets the same and says so.
        Err(Error::Stopped) => return Ok(()),
        Err(other) => return Err(other),
    };
    for planned in line.iter_mut().flatten() {
        if planned.first_jobs().is_empty() || failed.contains_key(planned.id()) {
            continue;
        }
        let (repo, wanted) = planned.parts_mut();
        if let Err(error) = publish::publish_first(run, repo, wanted) {
            run.printer.err(&format!("{}: {error}", repo.id));
        }
    }
    Ok(())
}

/// Brings all files of all repositories into the store.
pub(super) fn fetch(
    run: &SyncRun<'_>,
    mut line: Vec<RepoStep<Planned>>,
    report: &mut RunReport,
) -> Result<Vec<RepoStep<FetchedRepo>>> {
    let jobs: Vec<FetchJob> = line.iter().flatten().flat_map(Planned::jobs).collect();
    let mut failed = match transfer(run, jobs, &mut line, report) {
        Ok(failed) => failed,
        Err(Error::Stopped) => {
            let stop = |step: RepoStep<Planned>| {
                let (repo, wanted) = step?.into_parts();
                Err(repo.fail(run, &Error::Stopped, Some(wanted.set)))
            };
            return Ok(line.into_iter().map(stop).collect());
        }
        Err(other) => return Err(other),
    };
    for planned in line.iter_mut().flatten() {
        let (repo, _) = planned.parts_mut();
        if let Some(line) = repo.trust.weak_line(&repo.id) {
            run.printer.err(&line);
        }
    }
    let judge = |step: RepoStep<Planned>| {
        step.map(|planned| {
            let missing = failed.remove(planned.id()).unwrap_or_default();
            Whole::of(planned, &missing)
        })
    };
    Ok(line.into_iter().map(judge).collect())
}

/// Fetches, and keeps what was measured. Gives what could not be had, by repository.
fn transfer(
    run: &SyncRun<'_>,
    jobs: Vec<FetchJob>,
    line: &mut [RepoStep<Planned>],
    report: &mut RunReport,
) -> Result<BTreeMap<String, Refused>> {
    let _span = tracing::info_span!("fetch", files = jobs.len()).entered();
    let began = Instant::now();
    let done = run.fetcher().run(jobs)?;
    let seconds = began.elapsed().as_secs_f64();
    report.count(&done);
    if done.bytes > MIN_MEASURED {
        let rate = (done.bytes as f64 / seconds.max(0.001)) as u64;
        for planned in line.iter_mut().flatten() {
            let (repo, _) = planned.parts_mut();
            repo.state.rate = rate;
            repo.state.limit.clone_from(&done.limit);
        }
    }
    Ok(by_repo(done))
}

fn by_repo(done: Transferred) -> BTreeMap<String, Refused> {
    let mut map: BTreeMap<String, Refused> = BTreeMap::new();
    for (repo, path, why) in done.failed {
        map.entry(repo).or_default().push((path, why));
    }
    map
}

impl Whole {
    fn of(planned: Planned, missing: &Refused) -> FetchedRepo {
        let files = planned.jobs().len();
        let (mut repo, wanted) = planned.into_parts();
        let refused = &wanted.refused;
        let Some((what, why)) = refused.iter().chain(missing).next() else {
            return Ok(Self { repo, wanted });
        };
        let error = Error::Partial {
            repo: repo.id.clone(),
            missing: refused.len() + missing.len(),
            wanted: files + refused.len(),
            first: format!("{what}: {why}"),
        };
        repo.report.failed.extend(missing.iter().cloned());
        Err(Box::new(Lacking {
            repo,
            wanted,
            error,
            vanished: !missing.is_empty(),
        }))
    }

    pub(super) fn into_parts(self) -> (Repo, WantedSet) {
        (self.repo, self.wanted)
    }
}

impl Lacking {
    /// Back to the start if upstream has another set now, else the end.
    pub(super) fn look_again(self, run: &SyncRun<'_>) -> RepoStep<Looked> {
        let (repo, set) = (self.repo, self.wanted.set);
        if self.vanished && repo.looked_again < MAX_LOOKS {
            look::look_again(run, repo, set, &self.error)
        } else {
            Err(repo.fail(run, &self.error, Some(set)))
        }
    }
}
