//! What is remembered of servers between runs: the rate of each, for a day, and for some minutes which repositories
//! could not be had.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use repo_client::{Client, Error, Spared};
use rpm_repo::config::RepoConfig;
use whole_file::{Durability, Folder};

use super::Session;

/// In the cache: a line for each server, with the time and the rate it was measured at (bytes per second).
pub(crate) const RATES: &str = "servers";
/// In the cache of a repository: when it could not be had, and why.
pub(crate) const GONE: &str = "unavailable";
/// Behind when a repository could not be had.
pub(crate) const ASKED_AGAIN: &str = "; asked again after";
/// Largest file of both, in bytes.
const MAX: u64 = 64 << 10;
/// How long a rate is good, in seconds.
const RATE_LASTS: u64 = 24 * 3600;
/// How long a repository that may be skipped is not asked again, in seconds.
const GONE_LASTS: u64 = 300;

/// A file of the cache whose loss costs nothing.
fn read(dir: &Path, name: &str) -> Option<String> {
    let bytes = Folder::open(dir).ok()?.read(Path::new(name), MAX).ok()?;
    String::from_utf8(bytes).ok()
}

/// What stands there is replaced, not written: in the cache of an image it may be a second name of any file.
fn write(dir: &Path, name: &str, text: &str) {
    let replace = |dir: Folder| dir.replace(name, text.as_bytes(), Durability::Cache);
    let done = Folder::open(dir).and_then(replace);
    if let Err(error) = done {
        tracing::debug!(dir = %dir.display(), name, %error, "not remembered");
    }
}

impl Session<'_> {
    /// The rates of the cache: by server its time and bytes per second.
    fn known_rates(&self) -> BTreeMap<String, (u64, u64)> {
        let text = read(self.cache_dir(), RATES).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.split(' ');
            let (at, bps) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let server = words.next()?.to_owned();
            self.is_young(at, RATE_LASTS).then_some((server, (at, bps)))
        };
        text.lines().filter_map(line).collect()
    }

    fn is_young(&self, at: u64, lasts: u64) -> bool {
        let now = self.settings.environment.now;
        now.checked_sub(at).is_some_and(|age| age < lasts)
    }

    /// Tells a new client what earlier runs have measured.
    pub(super) fn recall_rates(&self, client: &Client) {
        for (server, (_, bps)) in self.known_rates() {
            client.recall_rate(&server, bps);
        }
    }

    /// Writes down what this run has measured.
    pub(super) fn remember_rates(&self) {
        let news = self.client.get().map(Client::new_rates).unwrap_or_default();
        if news.is_empty() {
            return;
        }
        let mut known = self.known_rates();
        let now = self.settings.environment.now;
        let fit = news
            .into_iter()
            .filter(|(server, _)| !server.contains([' ', '\n']));
        known.extend(fit.map(|(server, bps)| (server, (now, bps))));
        let mut text = String::new();
        for (server, (at, bps)) in known {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{at} {bps} {server}");
        }
        write(self.cache_dir(), RATES, &text);
    }

    /// Why a repository that may be skipped is not asked: it could not be had some minutes ago.
    pub(super) fn gone_lately(&self, repo: &RepoConfig) -> Option<Spared> {
        if !repo.skip_if_unavailable {
            return None;
        }
        let text = read(&self.repo_cache(repo), GONE)?;
        let mut words = text.splitn(3, ' ');
        let at: u64 = words.next()?.parse().ok()?;
        let code = words.next()?.parse().ok()?;
        let why = words.next()?.trim_end();
        let ago = self.settings.environment.now.checked_sub(at)?;
        (ago < GONE_LASTS).then(|| Spared {
            code,
            why: format!(
                "{why} ({ago} s ago{ASKED_AGAIN} {} min, or with --refresh)",
                GONE_LASTS / 60
            ),
        })
    }

    /// A repository that may be skipped could not be had, or could.
    pub(super) fn note_gone(&self, repo: &RepoConfig, error: Option<&Error>) {
        if matches!(error, Some(Error::Spared(_))) {
            return;
        }
        let dir = self.repo_cache(repo);
        let passes = |error: &&Error| {
            let mut all = error.failures().iter();
            !error.failures().is_empty() && all.all(|failure| failure.cause.is_passing())
        };
        match error.filter(passes) {
            Some(error) if repo.skip_if_unavailable => {
                let (now, code) = (
                    self.settings.environment.now,
                    error.tdnf_code().unwrap_or(0),
                );
                write(&dir, GONE, &format!("{now} {code} {error}\n"));
            }
            _ => {
                // It was not there, most often.
                let _ = Folder::open(&dir).and_then(|dir| dir.remove(Path::new(GONE)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn row_135_what_is_remembered_of_servers_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let precious = dir.path().join("precious");
        fs::write(&precious, "host's").unwrap();
        fs::hard_link(&precious, dir.path().join(RATES)).unwrap();
        std::os::unix::fs::symlink(&precious, dir.path().join(GONE)).unwrap();
        for name in [RATES, GONE] {
            write(dir.path(), name, "of this run");
            assert_eq!(read(dir.path(), name).unwrap(), "of this run");
            assert_eq!(fs::read_to_string(&precious).unwrap(), "host's");
        }
    }
}
