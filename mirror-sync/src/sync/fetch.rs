//! The fourth step: one transfer for all repositories. Each whose set is whole while others wait for their files is
//! published at once; after the transfer each other one has its whole set or lacks something.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use cli_kit::{counted, iec_size};
use repo_client::MetadataSet;

use super::SyncRun;
use super::look::{self, Looked};
use super::plan::Planned;
use super::publish;
use super::repo::{EndedRepo, Repo, RepoStep};
use super::select::WantedSet;
use crate::error::{Error, Result};
use crate::fetch::{FetchJob, Transferred};
use crate::report::RunReport;
use crate::seed::Seeds;
use crate::store;
use crate::upstream::{Listed, Refused};

/// How often upstream may be published anew while its files are fetched.
const MAX_LOOKS: u32 = 3;
/// A transfer of fewer bytes says nothing about the line.
const MIN_MEASURED: u64 = 64 << 10;
/// Bytes that must stay free for what is remembered of a run and for the pages that tell of it.
const STATE: u64 = 64 << 10;
/// Bytes of a package in the list of a snapshot.
const STATE_OF_PACKAGE: u64 = 512;

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

/// Refuses before the first byte what the disk or the quota cannot hold. Each repository is asked by itself: those that
/// fit go on.
pub(super) fn check_space(
    run: &SyncRun<'_>,
    line: Vec<RepoStep<Planned>>,
) -> Vec<RepoStep<Planned>> {
    let mut taken = 0;
    let mut fits = |planned: Planned| match room(run, &planned, taken) {
        Ok(needed) => {
            taken += needed;
            Ok(planned)
        }
        Err(error) => Err(planned.fail(run, &error)),
    };
    line.into_iter().map(|step| fits(step?)).collect()
}

/// The bytes that a repository needs, which the disk and the quota have besides `taken`.
fn room(run: &SyncRun<'_>, planned: &Planned, taken: u64) -> Result<u64> {
    let to_fetch = planned.to_fetch_bytes();
    if to_fetch == 0 {
        return Ok(0);
    }
    let short = |what: String, needed: u64| {
        let needed = iec_size(needed);
        let what = format!("{what}, {needed} would come; select less, or run `mirror-sync clean`");
        Err(Error::repository(planned.id(), what))
    };
    let needed = to_fetch + planned.packages() * STATE_OF_PACKAGE;
    let free = repo_client::free_space(run.layout.root())?.saturating_sub(taken);
    if needed + STATE > free {
        let root = run.layout.root().display();
        return short(
            format!("{root}: not enough space: {} are free", iec_size(free)),
            needed,
        );
    }
    let quota = planned.quota();
    if quota > 0 {
        let (had, all) = planned.stored_bytes(run)?;
        if all > quota {
            let (id, quota) = (planned.id(), iec_size(quota));
            let what = format!(
                "repo.{id}.quota of {quota}: its snapshots take {}, with what would come {}; select less, or keep fewer \
                 snapshots (mirror.keep_snapshots)",
                iec_size(had),
                iec_size(all)
            );
            return Err(Error::repository(id, what));
        }
    }
    let quota = run.config.mirror.quota.0;
    if quota > 0 {
        let used = run.store.size()?.saturating_add(taken);
        if used.saturating_add(to_fetch) > quota {
            let what = format!(
                "mirror.quota of {}: {} are used",
                iec_size(quota),
                iec_size(used)
            );
            return short(what, to_fetch);
        }
    }
    Ok(needed)
}

/// Copies what the directories of `mirror.seed` have.
pub(super) fn copy_seeds(run: &SyncRun<'_>, line: &[RepoStep<Planned>]) -> Result<()> {
    let seeds = Seeds::scan(&run.config.mirror.seed)?;
    let wanted: Vec<FetchJob> = line.iter().flatten().flat_map(Planned::jobs).collect();
    let found = seeds.fill(&wanted, &run.store, &run.layout)?;
    if found > 0 {
        run.printer.info(&format!(
            "{} of the directories of mirror.seed: copied, and not fetched",
            counted(found as u64, "file")
        ));
    }
    Ok(())
}

/// On the very first run: what was asked for first is published before the rest is fetched.
pub(super) fn publish_first(
    run: &SyncRun<'_>,
    line: &mut [RepoStep<Planned>],
    report: &mut RunReport,
) {
    let jobs: Vec<FetchJob> = line
        .iter()
        .flatten()
        .flat_map(Planned::first_jobs)
        .collect();
    if jobs.is_empty() {
        return;
    }
    // These files are fetched with the rest as well, which meets the same error and says so.
    let began = Instant::now();
    let Ok(done) = run.fetcher().run(jobs) else {
        return;
    };
    count(&done, began, line, report);
    let failed = by_repo(done);
    for planned in line.iter_mut().flatten() {
        if planned.first_jobs().is_empty() || failed.contains_key(planned.id()) {
            continue;
        }
        let (repo, wanted) = planned.parts_mut();
        if let Err(error) = publish::publish_first(run, repo, wanted) {
            run.printer.err(&format!("{}: {error}", repo.id));
        }
    }
}

/// Brings all files of all repositories into the store. Where that ends with an error (the disk is full), each
/// repository is fetched by itself: only those that meet one again fail.
pub(super) fn fetch(
    run: &SyncRun<'_>,
    mut line: Vec<RepoStep<Planned>>,
    report: &mut RunReport,
) -> Vec<RepoStep<FetchedRepo>> {
    let jobs: Vec<FetchJob> = line.iter().flatten().flat_map(Planned::jobs).collect();
    let several = line.iter().flatten().count() > 1;
    match transfer(run, jobs, &mut line, report) {
        Ok(failed) => judge(run, line, failed),
        Err(error) if several && !matches!(error, Error::Stopped) => {
            let mut alone = |step| fetch(run, vec![step], report);
            line.into_iter().flat_map(&mut alone).collect()
        }
        Err(error) => {
            let fail = |planned: Planned| {
                let told = match &error {
                    Error::Stopped => Error::Stopped,
                    other => Error::repository(planned.id(), other.to_string()),
                };
                planned.fail(run, &told)
            };
            line.into_iter().map(|step| Err(fail(step?))).collect()
        }
    }
}

/// Which sets are whole.
fn judge(
    run: &SyncRun<'_>,
    mut line: Vec<RepoStep<Planned>>,
    mut failed: BTreeMap<String, Refused>,
) -> Vec<RepoStep<FetchedRepo>> {
    for planned in line.iter_mut().flatten() {
        let (repo, wanted) = planned.parts_mut();
        last_look(run, repo, wanted);
    }
    let judge = |step: RepoStep<Planned>| {
        step.map(|planned| {
            let missing = failed.remove(planned.id()).unwrap_or_default();
            Whole::of(planned, &missing)
        })
    };
    line.into_iter().map(judge).collect()
}

/// Takes the parts out of a set that are packages: nobody judged them, and nobody needs them.
pub(super) fn leave_packages_out(run: &SyncRun<'_>, set: &mut MetadataSet) {
    let repo = set.repo.clone();
    set.repomd.records.retain(|record| {
        let path = record.checksum.map(|digest| run.store.path(&digest));
        let is_package = path.is_some_and(|path| store::is_package(&path).unwrap_or(false));
        if is_package {
            let (kind, href) = (&record.kind, &record.href);
            run.printer.err(&format!(
                "{repo}: warning: {kind} of repomd.xml is left out: {href} is a package"
            ));
        }
        !is_package
    });
}

/// Fetches, publishes what is whole before the end, and keeps what was measured. Gives what could not be had, by
/// repository.
fn transfer(
    run: &SyncRun<'_>,
    jobs: Vec<FetchJob>,
    line: &mut Vec<RepoStep<Planned>>,
    report: &mut RunReport,
) -> Result<BTreeMap<String, Refused>> {
    let _span = tracing::info_span!("fetch", files = jobs.len()).entered();
    let began = Instant::now();
    let early = Mutex::new(Early {
        waiting: std::mem::take(line).into_iter().map(Some).collect(),
        published: false,
    });
    let whole = |id: &str| publish_whole(run, id, &early, began);
    let done = run.fetcher().run_telling(jobs, &whole);
    let early = early.into_inner().unwrap_or_else(PoisonError::into_inner);
    *line = early.waiting.into_iter().flatten().collect();
    if early.published {
        // The files of the others came meanwhile.
        run.store.sync()?;
    }
    let done = done?;
    count(&done, began, line, report);
    Ok(by_repo(done))
}

/// Keeps what was measured.
fn count(
    done: &Transferred,
    began: Instant,
    line: &mut [RepoStep<Planned>],
    report: &mut RunReport,
) {
    report.count(done);
    for planned in line.iter_mut().flatten() {
        let (repo, _) = planned.parts_mut();
        measure(repo, done.bytes, began);
        if done.bytes > MIN_MEASURED {
            repo.state.limit.clone_from(&done.limit);
        }
    }
}

/// The repositories during the transfer.
struct Early {
    /// In their order; none for one that is just being published.
    waiting: Vec<Option<RepoStep<Planned>>>,
    published: bool,
}

/// Publishes a repository whose every file has come, while those of others are still on their way.
fn publish_whole(run: &SyncRun<'_>, id: &str, early: &Mutex<Early>, began: Instant) {
    let early = || early.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |step: &Option<RepoStep<Planned>>| {
        let planned = step.as_ref().and_then(|step| step.as_ref().ok());
        planned.is_some_and(|planned| planned.id() == id && planned.is_admitted())
    };
    let (place, mut planned) = {
        let mut early = early();
        let Some(place) = early.waiting.iter().position(is_it) else {
            return;
        };
        match early.waiting.get_mut(place).and_then(Option::take) {
            Some(Ok(planned)) => (place, planned),
            _ => return,
        }
    };
    let bytes = planned.to_fetch_bytes();
    let (repo, wanted) = planned.parts_mut();
    measure(repo, bytes, began);
    last_look(run, repo, wanted);
    let ended = match Whole::of(planned, &Refused::default()) {
        Ok(whole) => publish::publish(run, whole).map_or_else(|ended| ended, |new| new.end(run)),
        Err(lacking) => lacking.fail(run),
    };
    let mut early = early();
    early.published = true;
    if let Some(slot) = early.waiting.get_mut(place) {
        *slot = Some(Err(ended));
    }
}

/// Keeps how fast bytes came, where there were enough of them.
fn measure(repo: &mut Repo, bytes: u64, began: Instant) {
    if bytes > MIN_MEASURED {
        let seconds = began.elapsed().as_secs_f64();
        repo.state.rate = (bytes as f64 / seconds.max(0.001)) as u64;
    }
}

/// What is said, and left out, of a set whose files have come.
fn last_look(run: &SyncRun<'_>, repo: &Repo, wanted: &mut WantedSet) {
    leave_packages_out(run, &mut wanted.set);
    if let Some(line) = repo.trust.weak_line(&repo.id) {
        run.printer.err(&line);
    }
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
        let astray = |one: &&Listed| one.href.is_some() && one.location == *what;
        let way = wanted.packages.iter().find(astray).map(|package| {
            let (id, name) = (&repo.id, &package.nevra.name);
            format!("; add {name:?} to select.exclude of [repo.{id}] to go on without it")
        });
        let error = Error::Partial {
            repo: repo.id.clone(),
            missing: refused.len() + missing.len(),
            wanted: files + refused.len(),
            first: format!("{what}: {why}{}", way.unwrap_or_default()),
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
    /// The end, without another look.
    fn fail(self, run: &SyncRun<'_>) -> Box<EndedRepo> {
        self.repo.fail(run, &self.error, Some(self.wanted.set))
    }

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
