//! One run over the repositories: look, select, plan, fetch, publish.
//!
//! Each step takes what the one before made of a repository and gives the next thing: `Looked`,
//! `Selected`, `Planned`, `Whole`, `Published`. A repository that ends early, because nothing is new,
//! the guard refuses, something failed, or the run only tells, leaves the line with its report.
//!
//! Nothing that clients see changes before a repository's set is whole and every file of it was
//! checked. All repositories share one transfer; each is published by itself as soon as its last file is there, so that
//! a broken or a slow one does not hold up the others.

mod deltas;
mod fetch;
mod jobs;
mod look;
pub(crate) mod merge;
mod metadata;
mod news;
mod offers;
mod plan;
mod publish;
mod repo;
mod select;
mod servers;
mod solve;
#[cfg(test)]
mod tests;

pub(crate) use metadata::free_stamp;
pub(crate) use repo::tell_unknown;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use cli_kit::Printer;
use repo_client::Client;

use crate::config::{Config, RepoMode};
use crate::error::{Error, Result};
use crate::fetch::Fetcher;
use crate::layout::Layout;
use crate::manifest::Manifest;
use crate::observer::TerminalObserver;
use crate::publish::{Publisher, Remotes};
use crate::report::RunReport;
use crate::store::Store;
use crate::trust::{self, PackageTrust};
use fetch::FetchedRepo;
use look::Looked;
use plan::Planned;
use repo::{Repo, RepoStep};

// What the command line says about a run; its docs are the help.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SyncOptions {
    /// Repositories; all if none is named
    #[arg(value_name = "REPO")]
    pub(crate) only: Vec<String>,
    /// Only tells what would be fetched and changed, in bytes and time
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Lets more packages go than the delete guard allows
    #[arg(long)]
    pub(crate) allow_delete: bool,
    /// Takes metadata older than seen before
    #[arg(long)]
    pub(crate) allow_older: bool,
    /// Makes a new snapshot although nothing is new
    #[arg(long)]
    pub(crate) force: bool,
}

impl SyncOptions {
    /// The switches that were given, each behind a blank.
    fn switches(&self) -> String {
        [
            (self.allow_delete, " --allow-delete"),
            (self.allow_older, " --allow-older"),
            (self.force, " --force"),
        ]
        .into_iter()
        .filter_map(|(is_given, word)| is_given.then_some(word))
        .collect()
    }
}

/// What a run works with.
pub(crate) struct SyncRun<'a> {
    pub(crate) config: &'a Config,
    pub(crate) options: &'a SyncOptions,
    pub(crate) layout: Layout,
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) printer: &'a Printer,
    pub(crate) observer: TerminalObserver,
    /// Set to true to stop.
    pub(crate) stop: Arc<AtomicBool>,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

impl SyncRun<'_> {
    /// What changes what clients of this mirror see.
    pub(crate) fn publisher(&self) -> Publisher<'_> {
        Publisher {
            config: self.config,
            layout: &self.layout,
            store: &self.store,
            now: self.now,
        }
    }

    /// What brings the places on other servers to what this mirror shows.
    pub(crate) fn remotes(&self) -> Remotes<'_> {
        Remotes {
            publisher: self.publisher(),
            client: &self.client,
            printer: self.printer,
        }
    }

    /// What brings files into this mirror's store.
    pub(crate) fn fetcher(&self) -> Fetcher<'_> {
        Fetcher {
            client: &self.client,
            layout: &self.layout,
            partial: self.layout.partial(),
            store: &self.store,
            limits: &self.config.limits,
            observer: &self.observer,
            stop: &self.stop,
            now: self.now,
        }
    }

    /// A snapshot whose packages the configuration admits: those that were judged by other rules than today's are judged
    /// again.
    pub(crate) fn judged(&self, trust: &PackageTrust, mut manifest: Manifest) -> Result<Manifest> {
        if manifest.rules == trust.rules {
            return Ok(manifest);
        }
        let (id, stamp) = (&manifest.repo, &manifest.stamp);
        for file in &manifest.files {
            let Some(name) = &file.package else { continue };
            let path = self.store.path(&file.digest()?);
            trust::judge_package(&path, trust, self.now).map_err(|why| {
                Error::repository(id, format!(
                    "snapshot {stamp}: {name}: {why}; it was published by other rules (gpgkey, gpgcheck, weak_signatures) than \
                     there are now; nothing was changed; `--set repo.{id}.gpgcheck=false` shows it all the same"
                ))
            })?;
        }
        if let Some(line) = trust.weak_line(id) {
            self.printer.err(&line);
        }
        manifest.rules.clone_from(&trust.rules);
        Ok(manifest)
    }
}

/// Runs. The caller holds the mirror's lock.
///
/// # Errors
/// Only what concerns all repositories; what concerns one stands in its report.
pub(crate) fn run(run: &SyncRun<'_>) -> Result<RunReport> {
    let began = Instant::now();
    let mut report = RunReport {
        format: 1,
        started: run.now,
        ..RunReport::default()
    };
    let chosen = chosen(run)?.into_iter();
    let looked = chosen.map(|id| look::look(run, Repo::open(run, &id)?));
    let planned = prepare(run, looked.collect(), &mut report);
    let ended = if run.options.dry_run {
        planned
    } else {
        carry_out(run, planned, &mut report)
    };
    for ended in ended.into_iter().filter_map(RepoStep::err) {
        report.bytes_received += ended.report.delta_bytes;
        report.requests += ended.report.delta_requests;
        report.repos.push(ended.report);
    }
    report.seconds = began.elapsed().as_secs_f64();
    report.fetched = run.observer.traffic.sum();
    report.judge();
    Ok(report)
}

fn chosen(run: &SyncRun<'_>) -> Result<Vec<String>> {
    let known = &run.config.repo;
    let named = &run.config.meant(&run.options.only);
    for id in named {
        if !known.contains_key(id) {
            return Err(Error::Usage(format!(
                "no repository {id} in the configuration; known: {}",
                known.keys().cloned().collect::<Vec<_>>().join(", ")
            )));
        }
    }
    let take = |(id, repo): &(&String, &crate::config::RepoSection)| {
        repo.mode == RepoMode::Mirror
            && (named.contains(id) || (named.is_empty() && !repo.disabled))
    };
    let list: Vec<String> = known
        .iter()
        .filter(take)
        .map(|(id, _)| id.clone())
        .collect();
    let is_meant = |(id, repo): &(&String, &crate::config::RepoSection)| {
        let is_left = named.is_empty() && list.is_empty() && !repo.disabled;
        named.contains(id) || (is_left && repo.mode == RepoMode::Merge)
    };
    for (id, repo) in known.iter().filter(is_meant) {
        let by = match repo.mode {
            RepoMode::Mirror => continue,
            RepoMode::Proxy => "serve".to_owned(),
            RepoMode::Bundle => "bundle apply FILE".to_owned(),
            RepoMode::Merge => {
                format!("snapshot merge --into {} REPO...", cli_kit::shell_word(id))
            }
        };
        let why = format!("{id} is not filled by sync: `mirror-sync {by}` does that");
        if list.is_empty() && !named.is_empty() {
            return Err(Error::Usage(why));
        }
        run.printer.err(&why);
    }
    let is_filled = |repo: &crate::config::RepoSection| repo.mode != RepoMode::Mirror;
    let others = || known.values().any(|repo| is_filled(repo) && !repo.disabled);
    if list.is_empty() && !(named.is_empty() && others()) {
        let why = "no repository to mirror: add a [repo.ID] section, or name one that is disabled";
        return Err(Error::Usage(why.into()));
    }
    Ok(list)
}

/// Selects and plans.
fn prepare(
    run: &SyncRun<'_>,
    line: Vec<RepoStep<Looked>>,
    report: &mut RunReport,
) -> Vec<RepoStep<Planned>> {
    let selected = select::select(run, line, report).into_iter();
    let plan = |step: RepoStep<_>| step.and_then(|selected| plan::plan(run, selected));
    selected.map(plan).collect()
}

/// Fetches and publishes. Where files have vanished because upstream was published anew meanwhile,
/// its new set goes the same way; each set that is whole is published before that.
fn carry_out(
    run: &SyncRun<'_>,
    mut line: Vec<RepoStep<Planned>>,
    report: &mut RunReport,
) -> Vec<RepoStep<Planned>> {
    line = fetch::check_space(run, line);
    if let Err(error) = fetch::copy_seeds(run, &line) {
        return line
            .into_iter()
            .map(|step| Err(step?.fail(run, &error)))
            .collect();
    }
    fetch::publish_first(run, &mut line, report);
    while line.iter().any(RepoStep::is_ok) {
        let publish = |step: RepoStep<FetchedRepo>| match step? {
            Ok(whole) => Err(publish::publish(run, whole)?.end(run)),
            Err(lacking) => lacking.look_again(run),
        };
        let fetched = fetch::fetch(run, line, report).into_iter();
        line = prepare(run, fetched.map(publish).collect(), report);
    }
    line
}
