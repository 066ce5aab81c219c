//! One run over the repositories: look, plan, guard, fetch, judge, publish.
//!
//! Nothing that clients see changes before a repository's set is whole and every file of it was
//! checked. All repositories share one transfer; each is published by itself, so that a broken one
//! does not hold up the others.

mod deltas;
mod finish;
mod offers;
mod prepare;
mod solve;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use cli_kit::Printer;
use repo_client::Client;

use crate::config::{Config, Mode};
use crate::error::{Error, Result};
use crate::fetch::{Fetcher, Job, Transferred};
use crate::layout::Layout;
use crate::observer::TerminalObserver;
use crate::plan;
use crate::report::{Outcome, Report};
use crate::seed::Seeds;
use crate::store::Store;
use prepare::Work;

/// What the command line says about a run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Repositories; all that are not disabled if empty.
    pub only: Vec<String>,
    /// Only tell.
    pub dry_run: bool,
    /// The delete guard is off.
    pub allow_delete: bool,
    /// Older metadata than seen before are taken.
    pub allow_older: bool,
    /// Do everything again although nothing is new.
    pub force: bool,
}

/// What a run works with.
pub struct Run<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The options.
    pub options: &'a Options,
    /// Where things lie.
    pub layout: Layout,
    /// The store.
    pub store: Store,
    /// The network.
    pub client: Client,
    /// Who prints.
    pub printer: &'a Printer,
    /// Who is told of transfers.
    pub observer: TerminalObserver,
    /// Set to true to stop.
    pub stop: Arc<AtomicBool>,
    /// Seconds since 1970.
    pub now: u64,
}

impl Run<'_> {
    /// What brings files into this mirror's store.
    pub fn fetcher(&self) -> Fetcher<'_> {
        Fetcher {
            client: &self.client,
            layout: &self.layout,
            store: &self.store,
            limits: &self.config.limits,
            observer: &self.observer,
            stop: &self.stop,
            now: self.now,
        }
    }
}

/// Runs. The caller holds the mirror's lock.
///
/// # Errors
/// Only what concerns all repositories; what concerns one stands in its report.
pub fn run(run: &Run<'_>) -> Result<Report> {
    let began = Instant::now();
    let mut report = Report {
        format: 1,
        started: run.now,
        ..Report::default()
    };
    let mut works = Vec::new();
    for id in chosen(run)? {
        works.push(prepare::look(run, &id));
    }
    prepare::select(run, &mut works, &mut report);
    for work in &mut works {
        work.plan(run);
    }
    if !run.options.dry_run {
        carry_out(run, &mut works, &mut report)?;
    }
    report.repos = works.into_iter().map(|work| work.report).collect();
    report.bytes_received += report
        .repos
        .iter()
        .map(|repo| repo.delta_bytes)
        .sum::<u64>();
    report.requests += report
        .repos
        .iter()
        .map(|repo| repo.delta_requests)
        .sum::<u64>();
    report.seconds = began.elapsed().as_secs_f64();
    report.judge();
    Ok(report)
}

/// The repositories of this run.
fn chosen(run: &Run<'_>) -> Result<Vec<String>> {
    let known = &run.config.repo;
    for id in &run.options.only {
        if !known.contains_key(id) {
            return Err(Error::Usage(format!(
                "no repository {id} in the configuration; known: {}",
                known.keys().cloned().collect::<Vec<_>>().join(", ")
            )));
        }
    }
    let named = &run.options.only;
    let take = |(id, repo): &(&String, &crate::config::RepoSection)| {
        repo.mode == Mode::Mirror && (named.contains(id) || (named.is_empty() && !repo.disabled))
    };
    let list: Vec<String> = known
        .iter()
        .filter(take)
        .map(|(id, _)| id.clone())
        .collect();
    if list.is_empty() {
        let why = "no repository to mirror: add a [repo.ID] section, or name one that is disabled";
        return Err(Error::Usage(why.into()));
    }
    Ok(list)
}

fn carry_out(run: &Run<'_>, works: &mut [Work], report: &mut Report) -> Result<()> {
    let fetcher = run.fetcher();
    check_space(run, works)?;
    let wanted: Vec<Job> = works.iter().flat_map(Work::jobs).collect();
    let seeds = Seeds::scan(&run.config.mirror.seed)?;
    let found = seeds.fill(&wanted, &run.store, &run.layout.partial())?;
    if found > 0 {
        run.printer.info(&format!(
            "{found} files were copied from the directories of mirror.seed and need not be fetched"
        ));
    }
    publish_first(run, &fetcher, works, report)?;
    let mut retried = BTreeSet::new();
    loop {
        let jobs: Vec<Job> = works.iter().flat_map(Work::jobs).collect();
        let began = Instant::now();
        let done = match fetcher.run(jobs) {
            Ok(done) => done,
            Err(Error::Stopped) => {
                for work in works.iter_mut().filter(|work| work.is_open()) {
                    work.end(run, Err(Error::Stopped));
                }
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        note(report, works, &done, began.elapsed().as_secs_f64());
        let mut failed = by_repo(done.failed);
        let mut again = false;
        for work in works.iter_mut().filter(|work| work.is_open()) {
            let missing = failed.remove(&work.id).unwrap_or_default();
            // Files vanish when upstream publishes anew meanwhile: then its new set is the one to
            // have. What is there already is kept; once is enough, or it would never end.
            if !missing.is_empty() && retried.insert(work.id.clone()) && work.moved(run) {
                again = true;
                continue;
            }
            let result = work.finish(run, missing);
            work.end(run, result);
        }
        if !again || run.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

fn note(report: &mut Report, works: &mut [Work], done: &Transferred, seconds: f64) {
    report.bytes_received += done.bytes;
    report.requests += done.requests;
    if done.limit.is_some() {
        report.limit.clone_from(&done.limit);
    }
    // Too short a transfer says nothing about the line.
    if done.bytes > 64 << 10 {
        let rate = (done.bytes as f64 / seconds.max(0.001)) as u64;
        for work in works.iter_mut().filter(|work| work.is_open()) {
            work.state.rate = rate;
            work.state.limit.clone_from(&done.limit);
        }
    }
}

/// Files that could not be had, by repository: path and reason.
pub type Missing = Vec<(String, String)>;

fn by_repo(failed: Vec<(String, String, String)>) -> BTreeMap<String, Missing> {
    let mut map: BTreeMap<String, Missing> = BTreeMap::new();
    for (repo, path, why) in failed {
        map.entry(repo).or_default().push((path, why));
    }
    map
}

/// Refuses before the first byte what the disk or the quota cannot hold.
fn check_space(run: &Run<'_>, works: &[Work]) -> Result<()> {
    let open = works.iter().filter(|work| work.is_open());
    let needed: u64 = open.map(|work| work.report.change.to_fetch_bytes).sum();
    repo_client::require_space(run.layout.root(), needed)?;
    let quota = run.config.mirror.quota.0;
    if quota > 0 {
        let used = run.store.size()?;
        if used.saturating_add(needed) > quota {
            return Err(Error::Repository {
                repo: "mirror".into(),
                what: format!(
                    "quota of {quota} bytes: {used} are used and {needed} would come; raise mirror.quota, select less, or run `mirror-sync clean`"
                ),
            });
        }
    }
    Ok(())
}

/// On the very first run: what was asked for first is published before the rest is fetched.
fn publish_first(
    run: &Run<'_>,
    fetcher: &Fetcher<'_>,
    works: &mut [Work],
    report: &mut Report,
) -> Result<()> {
    let jobs: Vec<Job> = works.iter().flat_map(Work::first_jobs).collect();
    if jobs.is_empty() {
        return Ok(());
    }
    let began = Instant::now();
    let done = match fetcher.run(jobs) {
        Ok(done) => done,
        // The caller meets the same and says so.
        Err(Error::Stopped) => return Ok(()),
        Err(other) => return Err(other),
    };
    note(report, works, &done, began.elapsed().as_secs_f64());
    let failed = by_repo(done.failed);
    for work in works.iter_mut() {
        if work.is_open() && !work.first.is_empty() && !failed.contains_key(&work.id) {
            let result = work.publish_first(run);
            if let Err(error) = result {
                run.printer.err(&format!("{}: {error}", work.id));
            }
        }
    }
    Ok(())
}

impl Work {
    /// Whether this repository still has something to be done.
    fn is_open(&self) -> bool {
        self.upstream.is_some() && !self.done
    }

    /// Guards and counts.
    fn plan(&mut self, run: &Run<'_>) {
        if !self.is_open() {
            return;
        }
        let result = self.count(run);
        if let Err(error) = result {
            self.end(run, Err(error));
        } else if run.options.dry_run {
            self.report.outcome = Outcome::Planned;
            self.done = true;
        }
    }

    fn count(&mut self, run: &Run<'_>) -> Result<()> {
        let names: BTreeSet<String> = self.packages().map(|(_, p)| p.nevra()).collect();
        let (added, removed) = plan::differences(self.current.as_ref(), &names);
        let change = &mut self.report.change;
        change.packages = names.len();
        change.added = added;
        change.removed = removed;
        let gone = change.removed.len();
        if !run.options.allow_delete {
            let mirror = &run.config.mirror;
            let (percent, most) = (mirror.max_delete_percent, mirror.max_delete);
            plan::guard(
                &self.id,
                self.current.as_ref(),
                gone,
                names.len(),
                percent,
                most,
            )?;
        }
        let jobs = self.jobs();
        let missing: Vec<&Job> = jobs
            .iter()
            .filter(|job| !run.store.has(&job.digest, job.size))
            .collect();
        let to_fetch = missing.len();
        let to_fetch_bytes: u64 = missing.iter().filter_map(|job| job.size).sum();
        let bytes = jobs.iter().filter_map(|job| job.size).sum();
        let change = &mut self.report.change;
        (change.bytes, change.to_fetch, change.to_fetch_bytes) = (bytes, to_fetch, to_fetch_bytes);
        self.report.expected_seconds =
            (self.state.rate > 0).then(|| to_fetch_bytes.div_ceil(self.state.rate));
        Ok(())
    }
}
