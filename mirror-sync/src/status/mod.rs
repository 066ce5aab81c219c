//! How the mirror is: one model, and its forms for people, programs and Prometheus.

mod browse;
mod metrics;
mod page;
mod ready;
mod state;
mod table;

use std::collections::BTreeMap;

use cli_kit::{counted, shell_word};
use rustix::fs::StatVfsMountFlags;
use serde::Serialize;

use crate::config::{Config, RepoMode, ServeSection, TargetSection};
use crate::error::{EXIT_DONE, EXIT_FAILED, EXIT_PARTIAL, Error, Result};
use crate::layout::{CURRENT, Layout};
use crate::manifest::last_run::{self, LastRun};
use crate::manifest::{self, ChangeNote, MergeSource, TargetState, asked, minute};
use crate::publish::{Page, Publisher};
use crate::report::RepoOutcome;

pub(crate) use browse::{FolderEntry, FoundPackage, folder, found};
pub(crate) use metrics::metrics;
pub(crate) use page::{PageOf, page};
use ready::target_repo_file;
pub(crate) use ready::{public_keys, repo_file, repo_file_for};
use state::{Facts, State};
pub(crate) use table::print;

/// Begins a reason that is about the last run as a whole.
const OF_RUN: &str = "last run: ";

/// A server that has failed for so long, in seconds, is warned of.
const DEAD_AFTER: u64 = 2 * 86_400;

/// Sending what is new to a place on another server may take so long, in seconds, before it is a fault.
const SENDING: u64 = 3_600;

/// The mirror.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Status {
    pub(crate) format: u32,
    /// What people call it.
    pub(crate) name: String,
    pub(crate) version: String,
    /// When this was looked at, seconds since 1970.
    pub(crate) now: u64,
    /// Whether every repository's last run ended well.
    pub(crate) healthy: bool,
    /// Why it is not: one line for each repository that needs a look.
    pub(crate) reasons: Vec<String>,
    /// The last run of `sync`.
    pub(crate) last_run: LastRun,
    pub(crate) disk_free: u64,
    pub(crate) published_bytes: u64,
    pub(crate) repos: Vec<RepoStatus>,
}

/// One repository.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RepoStatus {
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
    pub(crate) mode: RepoMode,
    /// Left out of runs that name no repository.
    pub(crate) disabled: bool,
    /// What it is to clients.
    pub(crate) state: State,
    /// Since when, seconds since 1970, where the state has a beginning.
    pub(crate) state_since: Option<u64>,
    /// How the last run ended: `new`, `nothing-new`, `partial`, `failed`, or empty if none was.
    pub(crate) outcome: String,
    pub(crate) error: Option<String>,
    /// What should be known though nothing has failed.
    pub(crate) warnings: Vec<String>,
    /// When a run last tried, seconds since 1970; 0 if never.
    pub(crate) last_try: u64,
    /// When the mirror was last known to be what upstream has; 0 if never.
    pub(crate) last_success: u64,
    /// Seconds since then.
    pub(crate) lag_seconds: Option<u64>,
    /// Seconds since a run last tried.
    pub(crate) try_age_seconds: Option<u64>,
    /// Seconds since upstream's own time of what is published.
    pub(crate) upstream_age_seconds: Option<u64>,
    pub(crate) snapshot: Option<String>,
    /// The newer snapshot that it was rolled back from: clients are held back until upstream has something newer.
    pub(crate) rolled_back_from: Option<String>,
    /// More about that.
    pub(crate) hold: Option<Hold>,
    /// Packages that upstream has, where that is known and not what is published.
    pub(crate) upstream_packages: Option<usize>,
    /// Upstream's own time of it, seconds since 1970.
    pub(crate) upstream_time: u64,
    /// Only what was asked for first is there yet.
    #[serde(rename = "first_light")]
    pub(crate) first_part: bool,
    /// A part of upstream, with metadata made here.
    pub(crate) part: bool,
    pub(crate) packages: usize,
    pub(crate) bytes: u64,
    /// Bytes per second of the last transfer.
    pub(crate) rate: u64,
    /// What kept it from being faster.
    pub(crate) limit: Option<String>,
    /// Snapshots that are kept, newest first.
    pub(crate) snapshots: Vec<String>,
    pub(crate) channels: Vec<(String, String)>,
    pub(crate) signed_metadata: bool,
    /// What it was merged of, where it is filled so.
    #[serde(skip)]
    pub(crate) sources: Vec<MergeSource>,
    /// What the places on other servers show, by their names.
    pub(crate) targets: BTreeMap<String, TargetState>,
    /// Servers that fail, whoever else gives what is wanted.
    pub(crate) failing_servers: Vec<FailingServer>,
    /// What the last new sets have changed, newest first.
    pub(crate) changes: Vec<ChangeNote>,
}

/// A server that fails.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct FailingServer {
    /// Its URL without logins.
    pub(crate) url: String,
    /// Since when, seconds since 1970.
    pub(crate) since: u64,
    /// Seconds since then.
    pub(crate) seconds: u64,
    pub(crate) why: String,
}

/// An older snapshot is held.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Hold {
    /// When that snapshot was made, as a date that names it.
    pub(crate) at: String,
    /// When it was gone back to, seconds since 1970.
    pub(crate) since: u64,
    /// The command that ends it.
    pub(crate) ended_by: String,
}

impl RepoStatus {
    /// Whether it needs no look: one that is left out on purpose needs none.
    pub(crate) fn is_well(&self) -> bool {
        self.disabled || self.behind().next().is_none() && self.ended_well()
    }

    /// What it is, for people.
    pub(crate) fn words(&self) -> String {
        match self.disabled {
            true => "disabled".to_owned(),
            false => self.state.words(self.state_since),
        }
    }

    /// Whether a place on another server shows what this mirror shows.
    fn is_shown_at(&self, target: &TargetState) -> bool {
        let mut channels = self.channels.iter();
        target.error.is_none() && channels.all(|(channel, stamp)| target.shows(channel, stamp))
    }

    /// Why places on other servers do not show what this mirror shows.
    fn behind(&self) -> impl Iterator<Item = String> {
        self.targets.values().filter_map(|target| {
            let why = target.error.as_ref()?;
            Some(format!("{why} (since {})", minute(target.since)))
        })
    }

    /// Whether the last run did, as far as this mirror is concerned.
    fn ended_well(&self) -> bool {
        match self.outcome.as_str() {
            "new" | "nothing-new" => true,
            // Nobody has asked for anything yet, or will.
            "" => {
                self.mode == RepoMode::Proxy
                    || (self.mode == RepoMode::Bundle && self.snapshot.is_some())
            }
            _ => false,
        }
    }

    /// Why it needs a look, in one line.
    fn reason(&self) -> Option<String> {
        let why = match &self.error {
            Some(error) => one_line(error),
            None => {
                let behind: Vec<String> = self.behind().collect();
                match behind.is_empty() {
                    true => self.state.words(self.state_since),
                    false => behind.join("; "),
                }
            }
        };
        let names = [
            format!("{}: ", self.id),
            format!("repository {}: ", self.id),
            format!("repo.{}: ", self.id),
        ];
        let is_named = names.iter().any(|name| why.starts_with(name));
        let line = if is_named {
            why
        } else {
            format!("{}: {why}", self.id)
        };
        (!self.is_well()).then_some(line)
    }

    /// The lines below its row, or on its card: of a hold, and what should be known.
    pub(crate) fn notes(&self) -> Vec<String> {
        let hold = self.hold.as_ref().map(|hold| {
            let more = match self.upstream_packages {
                Some(count) => format!("upstream has {}", counted(count as u64, "package")),
                None => "upstream has something newer".to_owned(),
            };
            format!(
                "held at {} since {}; {more}; `{}` ends it",
                hold.at,
                minute(hold.since),
                hold.ended_by
            )
        });
        let warnings = self.warnings.iter().map(|line| format!("warning: {line}"));
        let behind = self.behind();
        hold.into_iter().chain(behind).chain(warnings).collect()
    }
}

/// Looks at the mirror.
pub(crate) fn collect(config: &Config, layout: &Layout, now: u64) -> Status {
    let unwritable = unwritable(layout);
    let mut last_run = last_run::read(layout);
    // Whoever may not see a repository is not told of it.
    last_run.failed.retain(|id, _| config.repo.contains_key(id));
    let mut status = Status {
        format: 1,
        name: config.mirror.name.clone(),
        version: crate::VERSION.to_owned(),
        now,
        disk_free: repo_client::free_space(layout.root()).unwrap_or(0),
        ..Status::default()
    };
    for (id, section) in &config.repo {
        let mut repo = RepoStatus {
            id: id.clone(),
            name: section.name.clone().unwrap_or_else(|| id.clone()),
            mode: section.mode,
            disabled: section.disabled,
            ..RepoStatus::default()
        };
        let mut facts = Facts::default();
        let filled = fill(&mut repo, &mut facts, layout, (now, &last_run)).err();
        look_at_sources(&mut repo, &mut facts, config, layout);
        let is_asked = |name: &str| config.target.get(name).is_some_and(|one| one.takes(id));
        repo.targets.retain(|name, _| is_asked(name));
        find_unsent(&mut repo, &facts, config, now);
        if let Some(why) = filled
            .map(|error| error.about(id))
            .or_else(|| unwritable.clone())
        {
            RepoOutcome::Failed.word().clone_into(&mut repo.outcome);
            repo.error = Some(why);
        }
        (repo.state, repo.state_since) = state::of(&repo, &facts);
        status.published_bytes += repo.bytes;
        status.reasons.extend(repo.reason());
        status.repos.push(repo);
    }
    // Where a repository tells of a failure, its cause kept the pages from being written as well.
    let is_told = status.repos.iter().any(|repo| !repo.is_well());
    let of_run = last_run.error.clone().filter(|_| !is_told);
    status
        .reasons
        .extend(of_run.map(|why| format!("{OF_RUN}{}", one_line(&why))));
    status.last_run = last_run;
    status.healthy = status.reasons.is_empty();
    status
}

/// Finds the places that do not show what the mirror shows though no run has said why: nothing was sent there yet, it is on
/// its way, or the run was killed.
fn find_unsent(repo: &mut RepoStatus, facts: &Facts, config: &Config, now: u64) {
    if repo.mode == RepoMode::Proxy || repo.channels.is_empty() {
        return;
    }
    let targets = config.target.iter();
    for (name, section) in targets.filter(|(_, section)| section.takes(&repo.id)) {
        let there = repo.targets.entry(name.clone()).or_default();
        let url = repo_client::redact(&section.url);
        if there.url != url {
            *there = TargetState {
                url,
                ..TargetState::default()
            };
        }
        let channels = repo.channels.iter();
        let unsent = channels.filter(|(channel, stamp)| !there.shows(channel, stamp));
        let times = unsent.filter_map(|(channel, _)| facts.published.get(channel));
        let (None, Some(&since)) = (&there.error, times.min()) else {
            continue;
        };
        let why = format!(
            "target {name}: what the mirror shows is not there yet; `mirror-sync sync` sends it"
        );
        if now.saturating_sub(since) < SENDING {
            repo.warnings.push(why);
        } else {
            (there.error, there.since) = (Some(why), since);
        }
    }
}

impl Status {
    /// What anybody may read: not where the places on other servers are, nor what those answered.
    pub(crate) fn for_clients(mut self) -> Self {
        for repo in &mut self.repos {
            let told = repo.reason();
            for (name, target) in &mut repo.targets {
                target.url.clear();
                if let Some(error) = &mut target.error {
                    *error = format!("target {name} does not show what the mirror shows");
                }
            }
            let own = self
                .reasons
                .iter_mut()
                .find(|one| told.as_ref() == Some(&**one));
            if let (Some(own), Some(now)) = (own, repo.reason()) {
                *own = now;
            }
        }
        self
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Why a run that could not write it into the state of a repository has failed there.
fn failure(run: &LastRun, repo: &RepoStatus) -> Option<String> {
    let of_all = || {
        let is_meant = run.is_aborted && repo.mode == RepoMode::Mirror && !repo.disabled;
        run.error.clone().filter(|_| is_meant)
    };
    run.failed.get(&repo.id).cloned().or_else(of_all)
}

/// Why the next run cannot keep anything, as the last one could not say how it ended.
fn unwritable(layout: &Layout) -> Option<String> {
    let about = rustix::fs::statvfs(layout.root()).ok()?;
    let root = layout.root().display();
    if about.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Some(format!(
            "{root} is mounted read-only: nothing can be fetched"
        ));
    }
    if about.f_files > 0 && about.f_favail == 0 {
        return Some(format!("{root}: no inode is left: nothing can be fetched"));
    }
    (about.f_bavail == 0).then(|| format!("{root}: no space is left: nothing can be fetched"))
}

fn fill(
    repo: &mut RepoStatus,
    facts: &mut Facts,
    layout: &Layout,
    (now, last_run): (u64, &LastRun),
) -> Result<()> {
    let age = |time: u64| (time > 0).then(|| now.saturating_sub(time));
    let state = manifest::read_state(layout, &repo.id)?;
    repo.outcome.clone_from(&state.outcome);
    repo.error.clone_from(&state.error);
    (repo.last_try, repo.last_success) = (state.last_try, state.last_success);
    facts.failed_since = state.failed_since;
    // In the same second the one that ended all is the later one: another would have written over it.
    if last_run.started >= state.last_try
        && let Some(why) = failure(last_run, repo)
        && !repo
            .error
            .as_ref()
            .is_some_and(|error| error.starts_with(&why))
    {
        RepoOutcome::Failed.word().clone_into(&mut repo.outcome);
        repo.error = Some(why);
        repo.last_try = last_run.started;
        if facts.failed_since == 0 {
            facts.failed_since = last_run.started;
        }
    }
    if let Some(damage) = &state.damage {
        RepoOutcome::Failed.word().clone_into(&mut repo.outcome);
        let also = repo.error.take().map(|error| format!("; {error}"));
        repo.error = Some(format!("{}{}", damage.what, also.unwrap_or_default()));
        if facts.failed_since == 0 {
            facts.failed_since = damage.since;
        }
    }
    repo.targets.clone_from(&state.targets);
    for target in repo.targets.values_mut() {
        target.url = repo_client::redact(&target.url);
        target.public_url = None;
    }
    repo.lag_seconds = age(state.last_success);
    repo.try_age_seconds = age(repo.last_try);
    repo.rate = state.rate;
    repo.limit.clone_from(&state.limit);
    let failing = state.servers.iter().filter(|(_, server)| server.since > 0);
    for (url, server) in failing {
        let (since, why) = (server.since, one_line(&server.why));
        let seconds = now.saturating_sub(since);
        if seconds >= DEAD_AFTER {
            let day = minute(since);
            let line = format!("server {url} fails since {day}: {why}; take it out, or mend it");
            repo.warnings.push(line);
        }
        repo.failing_servers.push(FailingServer {
            url: url.clone(),
            since,
            seconds,
            why,
        });
    }
    repo.changes.clone_from(&state.history);
    repo.snapshots = manifest::stamps(layout, &repo.id)?;
    repo.snapshots.reverse();
    for (channel, one) in state.shown() {
        repo.channels.push((channel.clone(), one.stamp.clone()));
        facts.published.insert(channel.clone(), one.at);
    }
    if repo.mode == RepoMode::Proxy {
        (repo.packages, repo.bytes) = asked::count(layout, &repo.id)?;
        return Ok(());
    }
    let Some(shown) = state.current(CURRENT) else {
        return Ok(());
    };
    facts.shown_since = shown.at;
    repo.rolled_back_from = state.rolled_back_from(CURRENT).map(str::to_owned);
    repo.snapshot = Some(shown.stamp.clone());
    if let Some(ahead) = &state.ahead {
        facts.behind_since = ahead.since;
        repo.upstream_packages = Some(ahead.packages).filter(|count| *count > 0);
    }
    if let Some(newest) = &repo.rolled_back_from {
        let newest = manifest::read(layout, &repo.id, newest);
        let id = shell_word(&repo.id);
        repo.hold = Some(Hold {
            at: manifest::minute_of(&shown.stamp),
            since: shown.at,
            ended_by: match newest {
                Ok(_) => format!("mirror-sync snapshot promote {id} --to {CURRENT}"),
                Err(_) => format!("mirror-sync sync --force {id}"),
            },
        });
        let known = newest.ok().map(|newest| newest.packages);
        repo.upstream_packages = repo.upstream_packages.or(known);
    }
    let manifest = match manifest::read(layout, &repo.id, &shown.stamp) {
        Ok(manifest) => manifest,
        Err(error @ Error::Damaged { .. }) => return Err(error),
        Err(_) => return Ok(()),
    };
    repo.upstream_time = manifest.timestamp;
    repo.upstream_age_seconds = age(manifest.timestamp);
    repo.first_part = manifest.first_part;
    repo.part = manifest.made_here;
    (repo.packages, repo.bytes) = (manifest.packages, manifest.bytes);
    let signature = "repodata/repomd.xml.asc";
    if repo.mode == RepoMode::Merge {
        repo.sources = manifest.sources;
    }
    repo.signed_metadata = manifest.files.iter().any(|file| file.path == signature);
    Ok(())
}

/// Whether what it was merged of is what its sources show now.
fn look_at_sources(repo: &mut RepoStatus, facts: &mut Facts, config: &Config, layout: &Layout) {
    let mut newer = Vec::new();
    for source in repo.sources.iter().filter(|source| !source.fixed) {
        let id = &source.repo;
        // Whoever may not see a repository is not told of it.
        let is_known = config.repo.contains_key(id);
        let Ok(state) = manifest::read_state(layout, id) else {
            continue;
        };
        if let Some(shown) = state.current(CURRENT)
            && shown.stamp != source.stamp
        {
            facts.behind_since = match facts.behind_since {
                0 => shown.at,
                since => since.min(shown.at),
            };
            newer.extend(is_known.then(|| id.clone()));
        }
        if let (true, Some(error)) = (is_known, &state.error) {
            let line = format!("its source {id} has failed: {}", one_line(error));
            repo.warnings.push(line);
        }
    }
    if !newer.is_empty() {
        let line = format!(
            "{} shows something else since: `mirror-sync snapshot merge --into {} ...` takes it",
            newer.join(", "),
            shell_word(&repo.id)
        );
        repo.warnings.push(line);
    }
}

/// Publishes the pages that any web server can show: status, metrics, the ready `.repo` file, keys. Says what of it
/// could not be done.
pub(crate) fn publish_pages(publisher: &Publisher<'_>) -> Vec<Error> {
    let config = publisher.config;
    let status = collect(config, publisher.layout, publisher.now).for_clients();
    let (mut pages, mut faults) = public_keys(config, &status);
    let mut add = |path: &str, data: Vec<u8>| pages.push((path.to_owned(), data));
    add(
        "index.html",
        page(&status, config, PageOf::Static).into_bytes(),
    );
    add("metrics", metrics(&status).into_bytes());
    if let Some(url) = &config.mirror.url {
        add("mirror.repo", repo_file(config, &status, url).into_bytes());
    }
    match serde_json::to_vec(&status) {
        Ok(json) => add("status.json", json),
        Err(error) => faults.push(Error::unfit("status.json", "write", error)),
    }
    let put = |(path, data): &(String, Vec<u8>)| publisher.put(path, data).err();
    faults.extend(pages.iter().filter_map(put));
    faults
}

/// The pages of a bucket: what clients need, and nothing that changes with every run.
pub(crate) fn target_pages(config: &Config, status: &Status, target: &TargetSection) -> Vec<Page> {
    // Nothing there asks for a token or a certificate.
    let mut config = config.clone();
    config.serve = ServeSection::default();
    for section in config.repo.values_mut() {
        section.tokens_file = None;
    }
    let (mut pages, _) = public_keys(&config, status);
    // Nothing is said of what does not go there.
    let others = config.repo.keys().filter(|id| !target.takes(id));
    let others: Vec<String> = others.map(|id| format!("keys/{id}-")).collect();
    let is_other = |path: &str| {
        let at = path.rfind('-').map_or(0, |at| at + 1);
        path.get(..at)
            .is_some_and(|own| others.iter().any(|other| other == own))
    };
    pages.retain(|(path, _)| !is_other(path));
    let taken = status
        .repos
        .iter()
        .filter(|repo| target.takes(&repo.id) && repo.mode != RepoMode::Proxy);
    let there = Status {
        repos: taken.cloned().collect(),
        ..Status::default()
    };
    let text = target_repo_file(&config, &there, target);
    pages.push(("mirror.repo".to_owned(), text.into_bytes()));
    pages
}

impl Status {
    /// What was wrong with the last run as a whole.
    fn of_run(&self) -> impl Iterator<Item = &String> {
        let of_run = |why: &&String| why.starts_with(OF_RUN);
        self.reasons.iter().filter(of_run)
    }

    /// The exit code of `status`.
    pub(crate) fn exit_code(&self) -> u8 {
        let unwell = self.repos.iter().filter(|repo| !repo.is_well()).count();
        match (unwell, self.healthy) {
            (0, true) => EXIT_DONE,
            (some, _) if some < self.repos.len() => EXIT_PARTIAL,
            _ => EXIT_FAILED,
        }
    }
}

/// A span of time as people say it.
pub(crate) fn ago(seconds: u64) -> String {
    match seconds {
        0..=89 => "just now".to_owned(),
        90..=5399 => format!("{} minutes ago", (seconds + 30) / 60),
        5400..=129_599 => format!("{} hours ago", (seconds + 1800) / 3600),
        _ => format!("{} days ago", (seconds + 43_200) / 86_400),
    }
}
