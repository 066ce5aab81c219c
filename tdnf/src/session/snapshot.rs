//! What exists in a repository: `snapshot=` lists it, `snapshottime=` ends it.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use repo_client::MetadataSet;
use rpm_pkg::evr::Evr;
use rpm_repo::config::RepoConfig;
use serde::Serialize;

use super::{Freshness, Session, small_files};
use crate::error::{Code, Failure, Outcome};
use crate::screen::{JsonShape, View};

/// Largest list: a repository of 65,000 packages has one of 3 MB.
const MAX_LIST: u64 = 16 << 20;

/// What a repository's `snapshot` lists; see vmware/tdnf pull request 518.
pub struct SnapshotList(HashMap<String, Vec<Evr>>);

impl SnapshotList {
    /// The list that a repository names, if it names one. A list on a server is asked for again with the
    /// repository's metadata.
    pub(super) fn of(
        session: &Session<'_>,
        repo: &RepoConfig,
        set: &MetadataSet,
        freshness: Freshness,
    ) -> Outcome<Option<Self>> {
        let Some(address) = &repo.snapshot else {
            return Ok(None);
        };
        let shown = repo_client::redact(address);
        let read = || {
            let path = match address {
                url if url.starts_with("file:") => repo_client::file_url_path(url)
                    .map_err(|why| Failure::invalid(format!("{shown}: {why}")))?,
                url if url.contains("://") => {
                    fetched(session, repo, (set, freshness == Freshness::Forced), url)?
                }
                path => local(repo, Path::new(path)),
            };
            let text = small_files::read(&path, MAX_LIST, Code::INVALID_PARAMETER)?;
            Self::parse(&String::from_utf8_lossy(&text), &path)
        };
        let told =
            |failure: Failure| failure.detail(format!("repository {}: snapshot={shown}", repo.id));
        read().map(Some).map_err(told)
    }

    /// Lines of NAME=EVR; empty ones and those that begin with `#` say nothing.
    fn parse(text: &str, path: &Path) -> Outcome<Self> {
        let mut listed: HashMap<String, Vec<Evr>> = HashMap::new();
        let text = text.trim_start_matches('\u{feff}');
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, evr) = line
                .split_once('=')
                .map(|(name, evr)| (name.trim(), evr.trim()))
                .filter(|(name, evr)| is_word(name) && is_word(evr) && evr.contains('-'))
                .ok_or_else(|| {
                    let place = format!("{}:{}", path.display(), number + 1);
                    Failure::invalid(format!("{place}: NAME=VERSION-RELEASE expected"))
                })?;
            listed
                .entry(name.to_owned())
                .or_default()
                .push(Evr::parse(evr));
        }
        Ok(Self(listed))
    }

    /// Whether a package exists.
    pub fn has(&self, name: &str, evr: &str) -> bool {
        let versions = self.0.get(name);
        versions.is_some_and(|versions| versions.contains(&Evr::parse(evr)))
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || matches!(c, ',' | '#' | '='))
}

/// What `snapshottime` takes out of a repository; see vmware/tdnf pull request 497.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LeftOut {
    repo: String,
    snapshot_time: u64,
    later: u64,
    undated: u64,
}

impl LeftOut {
    /// Nothing yet; `None` where the repository is not limited.
    pub fn of(repo: &RepoConfig) -> Option<Self> {
        repo.snapshottime.map(|snapshot_time| Self {
            repo: repo.id.clone(),
            snapshot_time,
            later: 0,
            undated: 0,
        })
    }

    /// Whether a package of this file time (0: none is known) does not exist; counts those.
    pub fn takes(&mut self, file_time: u64) -> bool {
        match file_time {
            0 => self.undated += 1,
            time if time > self.snapshot_time => self.later += 1,
            _ => return false,
        }
        true
    }

    fn lines(&self, now: u64) -> Vec<String> {
        let (repo, time) = (&self.repo, self.snapshot_time);
        let date = i64::try_from(time).ok();
        let date = date.and_then(|time| chrono::DateTime::from_timestamp(time, 0));
        let date = date.map_or_else(String::new, |date| date.format("%F %T UTC").to_string());
        let left_out = |count: u64, which: String| match count {
            1 => format!("warning: 1 package {which} is left out of {repo}"),
            count => format!("warning: {count} packages {which} are left out of {repo}"),
        };
        let which = format!("later than {date} (snapshottime={time})");
        let later = left_out(self.later, which);
        let which = "without a file time, which snapshottime cannot judge,".to_owned();
        let undated = left_out(self.undated, which);
        let future = format!("warning: snapshottime={time} is later than now: is it in seconds?");
        let lines = [
            (later, self.later > 0),
            (undated, self.undated > 0),
            (future, time > now),
        ];
        let lines = lines.into_iter().filter(|(_, is_due)| *is_due);
        lines.map(|(line, _)| line).collect()
    }
}

/// Of all repositories of a run.
struct SnapshotTimes(Vec<LeftOut>);

impl View for SnapshotTimes {
    const FIELD: &'static str = "SnapshotTimes";
    const SINCE: JsonShape = JsonShape::Document;

    fn json(&self) -> impl Serialize {
        &self.0
    }
}

impl Session<'_> {
    /// Says once for each repository what `snapshottime` takes out of it.
    pub fn say_left_out(&self, left_out: LeftOut) {
        for line in left_out.lines(self.settings.environment.clock) {
            self.warn_once(&line);
        }
        let mut all = self.snapshot_times.borrow_mut();
        all.insert(left_out.repo.clone(), left_out);
        let all = all.values().cloned().collect();
        self.printer.show(&SnapshotTimes(all));
    }
}

/// A path: relative ones begin where the .repo file is.
fn local(repo: &RepoConfig, path: &Path) -> PathBuf {
    let place = repo.place_of("snapshot").unwrap_or(&repo.source);
    let file = place.file().parent().filter(|_| place.line_number() > 0);
    file.unwrap_or(Path::new("")).join(path)
}

fn fetched(
    session: &Session<'_>,
    repo: &RepoConfig,
    (set, asked): (&MetadataSet, bool),
    url: &str,
) -> Outcome<PathBuf> {
    let dest = session
        .repo_cache(repo)
        .join(small_files::cache_name(url, "list"));
    let keeps = !asked || session.settings.cache_only;
    if keeps && is_fresh(session, repo, set, &dest) {
        return Ok(dest);
    }
    small_files::fetch(session, repo, ("snapshot", url), &dest, MAX_LIST)?;
    Ok(dest)
}

/// Whether the list was fetched since the metadata changed, and not longer ago than `metadata_expire`.
fn is_fresh(session: &Session<'_>, repo: &RepoConfig, set: &MetadataSet, list: &Path) -> bool {
    let Ok(found) = list.metadata() else {
        return false;
    };
    let settings = &session.settings;
    let made = u64::try_from(found.ctime()).unwrap_or(0);
    let age = settings.environment.now.abs_diff(made);
    let young = repo.metadata_expire.is_none_or(|most| age < most.as_secs());
    settings.cache_only || (set.from_cache && !settings.refresh && young)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_rpm_does() {
        let text = "# of today\nalpha=1.0-1\n\n beta = 0:2-1.ph5 \nbeta=1:1-1\n";
        let list = SnapshotList::parse(text, Path::new("x.list")).unwrap();
        assert!(list.has("alpha", "1.0-1") && list.has("beta", "2-1.ph5"));
        assert!(list.has("beta", "1:1-1") && !list.has("beta", "1-1"));
        assert!(!list.has("alpha", "1.0-2") && !list.has("alph", "1.0-1"));
        let marked = SnapshotList::parse("\u{feff}alpha=1-1\n", Path::new("x.list")).unwrap();
        assert!(marked.has("alpha", "1-1"));
        for bad in [
            "alpha",
            "alpha=",
            "=1-1",
            "a=1",
            "a=1-1 # no",
            "a=1-1,b=2-1",
        ] {
            let text = format!("beta=1-1\n{bad}\n");
            let failure = SnapshotList::parse(&text, Path::new("x.list"))
                .err()
                .unwrap();
            assert!(failure.details.concat().contains("x.list:2"), "{bad}");
        }
    }
}
