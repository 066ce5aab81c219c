//! How the mirror is: one model, and its forms for people, programs and Prometheus.

mod metrics;
mod page;
mod ready;

use cli_kit::{Printer, iec_size};
use rustix::fs::StatVfsMountFlags;
use serde::Serialize;

use crate::config::{Config, RepoMode};
use crate::error::{Error, Result};
use crate::layout::{CURRENT, Layout};
use crate::manifest::{self, asked};
use crate::publish::Publisher;
use crate::report::RepoOutcome;

pub(crate) use metrics::metrics;
pub(crate) use page::page;
pub(crate) use ready::{public_keys, repo_file};

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
    /// How the last run ended: `new`, `nothing-new`, `partial`, `failed`, or empty if none was.
    pub(crate) outcome: String,
    pub(crate) error: Option<String>,
    /// When a run last tried, seconds since 1970; 0 if never.
    pub(crate) last_try: u64,
    /// When the mirror was last known to be what upstream has; 0 if never.
    pub(crate) last_success: u64,
    /// Seconds since then.
    pub(crate) lag_seconds: Option<u64>,
    pub(crate) snapshot: Option<String>,
    /// The newer snapshot that it was rolled back from: clients are held back until upstream has something newer.
    pub(crate) rolled_back_from: Option<String>,
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
}

impl RepoStatus {
    pub(crate) fn is_well(&self) -> bool {
        match self.outcome.as_str() {
            "new" | "nothing-new" => true,
            // Nobody has asked for anything yet.
            "" => self.mode == RepoMode::Proxy,
            _ => false,
        }
    }
}

/// Looks at the mirror.
pub(crate) fn collect(config: &Config, layout: &Layout, now: u64) -> Status {
    let unwritable = unwritable(layout);
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
            ..RepoStatus::default()
        };
        let filled = fill(&mut repo, layout, now).err();
        if let Some(why) = filled
            .map(|error| error.about(id))
            .or_else(|| unwritable.clone())
        {
            RepoOutcome::Failed.word().clone_into(&mut repo.outcome);
            repo.error = Some(why);
        }
        status.published_bytes += repo.bytes;
        status.repos.push(repo);
    }
    status.healthy = status.repos.iter().all(RepoStatus::is_well);
    status
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
    (about.f_bavail == 0).then(|| format!("{root}: no space is left: nothing can be fetched"))
}

fn fill(repo: &mut RepoStatus, layout: &Layout, now: u64) -> Result<()> {
    let state = manifest::read_state(layout, &repo.id)?;
    repo.outcome.clone_from(&state.outcome);
    repo.error.clone_from(&state.error);
    (repo.last_try, repo.last_success) = (state.last_try, state.last_success);
    repo.lag_seconds = (state.last_success > 0).then(|| now.saturating_sub(state.last_success));
    repo.rate = state.rate;
    repo.limit.clone_from(&state.limit);
    repo.snapshots = manifest::stamps(layout, &repo.id)?;
    repo.snapshots.reverse();
    let shown = state.shown();
    repo.channels = shown
        .map(|(channel, one)| (channel.clone(), one.stamp.clone()))
        .collect();
    if repo.mode == RepoMode::Proxy {
        (repo.packages, repo.bytes) = asked::count(layout, &repo.id)?;
        return Ok(());
    }
    let Some(shown) = state.current(CURRENT) else {
        return Ok(());
    };
    repo.rolled_back_from = state.rolled_back_from(CURRENT).map(str::to_owned);
    repo.snapshot = Some(shown.stamp.clone());
    let manifest = match manifest::read(layout, &repo.id, &shown.stamp) {
        Ok(manifest) => manifest,
        Err(error @ Error::Damaged { .. }) => return Err(error),
        Err(_) => return Ok(()),
    };
    repo.upstream_time = manifest.timestamp;
    repo.first_part = manifest.first_part;
    repo.part = manifest.made_here;
    (repo.packages, repo.bytes) = (manifest.packages, manifest.bytes);
    let signature = "repodata/repomd.xml.asc";
    repo.signed_metadata = manifest.files.iter().any(|file| file.path == signature);
    Ok(())
}

/// Publishes the pages that any web server can show: status, metrics, the ready `.repo` file, keys. Says what of it
/// could not be done.
pub(crate) fn publish_pages(publisher: &Publisher<'_>) -> Vec<Error> {
    let config = publisher.config;
    let status = collect(config, publisher.layout, publisher.now);
    let (mut pages, mut faults) = public_keys(config);
    let mut add = |path: &str, data: Vec<u8>| pages.push((path.to_owned(), data));
    add("index.html", page(&status, config).into_bytes());
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

pub(crate) fn print(status: &Status, printer: &Printer) {
    printer.json(status);
    for repo in &status.repos {
        let age = repo.lag_seconds.map_or("never".to_owned(), ago);
        let same = match &repo.rolled_back_from {
            Some(_) => "held".to_owned(),
            None => format!("same as upstream: {age}"),
        };
        printer.row(&format!(
            "{:<24} {:<12} {:>7} packages {:>10}  {same}  {}",
            repo.id,
            match repo.mode {
                RepoMode::Proxy => "proxy",
                _ => &repo.outcome,
            },
            repo.packages,
            iec_size(repo.bytes),
            repo.snapshot.as_deref().unwrap_or("-"),
        ));
        if let Some(newer) = &repo.rolled_back_from {
            printer.crit(&format!(
                "    rolled back from {newer}: this older snapshot is held until upstream has something newer"
            ));
        }
        if let Some(error) = &repo.error {
            printer.crit(&format!("    {error}"));
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
