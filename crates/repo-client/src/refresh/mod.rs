//! Repositories brought up to date, side by side.
//!
//! In a repository's cache folder stand `repodata/` (the last good set as published: repomd.xml,
//! its signature, the parts still compressed, and `tdnf.state`), `repodata.new/` (a set being
//! fetched; kept after a failure so that the next run goes on), `lastrefresh`, `mirrorlist` or
//! `metalink`, `seen` (highest age seen) and `.lock`. A new set takes the place of the old one by
//! one exchange of the two folders; until then the old one is not touched. It stays as
//! `repodata.old/` until the new one was read to its end ([`MetadataSet::accept`],
//! [`MetadataSet::reject`]).
//!
//! What is checked here: repomd.xml.asc before repomd.xml is parsed, repomd.xml against a
//! metalink's digest, every part's size and checksum while it streams. The open (decompressed)
//! checksum is left to whoever decompresses (`rpm_repo::compress`), so that nothing is
//! decompressed twice.

mod cache;
mod index;
mod parts;
mod sources;
mod state;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rpm_pkg::digest::Digest;
use rpm_repo::config::RepoConfig;
use rpm_repo::layout::{Href, check_base};
use rpm_repo::repomd::{Record, Repomd};
use rpm_trust::{Keyring, verify_detached};

use crate::client::Client;
use crate::error::{Cause, Error, Failure, Result};
use crate::event::{Event, Observer};
use crate::options::Access;
use crate::redact::redact;
use cache::{Cache, Loaded};
use index::Index;
pub use sources::join_url;

/// Checks a detached signature: `(signature, data)`; the error is one line that names key ids.
pub type SignatureCheck<'a> = dyn Fn(&[u8], &[u8]) -> std::result::Result<(), String> + Sync + 'a;

/// A [`SignatureCheck`] against the keys of a repository (`gpgkey=`) at the time `now`, seconds
/// since 1970. Some signature must be good and none bad.
pub fn keyring_check(
    keyring: &Keyring,
    now: u64,
) -> impl Fn(&[u8], &[u8]) -> std::result::Result<(), String> + Sync + '_ {
    move |signature, data| {
        let outcome =
            verify_detached(keyring, signature, data, now).map_err(|error| error.to_string())?;
        match outcome.accepted() {
            Some(_) => Ok(()),
            None => Err(outcome
                .explain(keyring)
                .unwrap_or_else(|| "not accepted".to_owned())),
        }
    }
}

/// One repository to be brought up to date.
#[derive(Clone)]
pub struct RepoRefresh<'a> {
    /// Its configuration.
    pub config: &'a RepoConfig,
    /// Its own cache folder (`<cachedir>/<id>-<h>`, see `RepoConfig::cache_dir_name`).
    pub cache: PathBuf,
    /// Kinds of parts wanted (`primary`, `filelists`, `updateinfo`, `other`, `group`, ...).
    /// `primary` must be there; the others may be absent from the repository. What the
    /// configuration skips (`skip_md_*`) is left out.
    pub parts: &'a [&'a str],
    /// Ask the server even if the cache has not expired.
    pub force: bool,
    /// Never ask a server.
    pub cache_only: bool,
    /// If the servers fail, use the last good set, however old.
    pub stale_ok: bool,
    /// Accept signed metadata older than what was seen before.
    pub allow_older: bool,
    /// Seconds since 1970.
    pub now: u64,
    /// Used if the configuration says `repo_gpgcheck=1`; then `None` is an error.
    pub check_signature: Option<&'a SignatureCheck<'a>>,
}

/// A whole, checked set of metadata in the cache.
#[derive(Clone)]
pub struct MetadataSet {
    /// Repository id.
    pub repo: String,
    /// The `repodata` folder.
    pub dir: PathBuf,
    /// The parsed index.
    pub repomd: Repomd,
    /// SHA-256 of repomd.xml: names this state of the repository.
    pub repomd_digest: Digest,
    /// The parts that are on disk, as published (compressed).
    pub parts: Vec<PartFile>,
    /// Base URLs, best first: where packages are to be had. Empty only with `cache_only`.
    pub base_urls: Vec<String>,
    /// How these servers are spoken to.
    pub access: Arc<Access>,
    /// Nothing new was fetched: expiry not reached, or the server had nothing new.
    pub from_cache: bool,
    /// The servers failed and this is the last good set.
    pub stale: bool,
}

/// A part on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFile {
    /// `primary`, `filelists`, ...
    pub kind: String,
    /// The file.
    pub path: PathBuf,
    /// What repomd.xml says of it.
    pub record: Record,
}

/// Without the URLs: they may hold a login.
impl fmt::Debug for MetadataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataSet")
            .field("repo", &self.repo)
            .field("dir", &self.dir)
            .field("repomd_digest", &self.repomd_digest)
            .field("from_cache", &self.from_cache)
            .field("stale", &self.stale)
            .finish_non_exhaustive()
    }
}

impl MetadataSet {
    /// Says that this set was read to its end and is good: the set before it, which was kept in
    /// case it is not, is removed.
    pub fn accept(&self) {
        self.cache().accept();
    }

    /// Says that this set cannot be read, though it is what the index names: the last good set
    /// takes its place. False if there is none, or the cache is not ours to change.
    pub fn reject(&self) -> bool {
        self.cache().reject()
    }

    fn cache(&self) -> Cache {
        Cache::new(self.dir.parent().unwrap_or(&self.dir))
    }

    /// The file of a kind, if it is there.
    pub fn part(&self, kind: &str) -> Option<&PartFile> {
        self.parts.iter().find(|part| part.kind == kind)
    }

    /// URLs of a file of this repository, best first. `base` is an `xml:base`; it replaces the
    /// repository's own URLs if it may (same scheme or https, never file: from a server).
    pub fn urls_of(&self, href: &Href, base: Option<&str>) -> Result<Vec<String>> {
        let one = |from: &str| join_url(from, href.as_str());
        let Some(base) = base else {
            return self.base_urls.iter().map(|b| one(b)).collect();
        };
        let from = self.base_urls.first().map_or("", String::as_str);
        check_base(base, from).map_err(|e| Error::BadUrl {
            url: redact(base),
            why: e.to_string(),
        })?;
        Ok(vec![one(base)?])
    }
}

impl Access {
    /// The settings of a repository's configuration. `timeout` is the limit for a connection and
    /// for silence, not for a whole file as in C tdnf: a large file on a slow line must not fail.
    pub fn from_config(config: &RepoConfig) -> Self {
        let secret =
            |s: &Option<rpm_repo::config::Secret>| s.as_ref().map(|s| s.expose().to_owned());
        let named = config.mirrorlist.iter().chain(&config.metalink);
        let default = Self::default();
        Self {
            repo: config.id.clone(),
            username: secret(&config.username),
            password: secret(&config.password),
            origins: config.baseurl.iter().chain(named).cloned().collect(),
            timeout: config
                .timeout
                .filter(|t| !t.is_zero())
                .unwrap_or(default.timeout),
            min_rate: if config.minrate == 0 {
                default.min_rate
            } else {
                config.minrate
            },
            throttle: config.throttle,
            retries: config.retries,
            tls: crate::options::Tls {
                verify: config.sslverify,
                ca: config.sslcacert.clone(),
                client_cert: config.sslclientcert.clone(),
                client_key: config.sslclientkey.clone(),
            },
        }
    }
}

/// Brings all repositories up to date at the same time; one result for each, in their order. A
/// failure of one does not touch the others, nor its own last good set. Whether a failure may be
/// skipped (`skip_if_unavailable`) is the caller's decision; `Event::RepoFailed` has been told.
pub fn refresh(
    client: &Client,
    repos: &[RepoRefresh<'_>],
    observer: &dyn Observer,
) -> Vec<Result<MetadataSet>> {
    let work = join_all(repos.iter().map(|repo| refresh_one(client, repo, observer)));
    match client.block_on(work) {
        Ok(results) => results,
        Err(error) => {
            let text = error.to_string();
            repos
                .iter()
                .map(|_| Err(Error::Setup(text.clone())))
                .collect()
        }
    }
}

/// How a run came into a cache.
enum Entered {
    /// The cache is ours, or not ours to write.
    Locked(Option<std::fs::File>),
    /// Another process has it, and what is there will do.
    Fresh(Box<MetadataSet>),
}

/// One repository's run: what all its steps need.
pub(crate) struct Run<'a> {
    pub(crate) client: &'a Client,
    pub(crate) repo: &'a RepoRefresh<'a>,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) access: Arc<Access>,
    pub(crate) cache: Cache,
}

async fn refresh_one(
    client: &Client,
    repo: &RepoRefresh<'_>,
    observer: &dyn Observer,
) -> Result<MetadataSet> {
    let access = Arc::new(Access::from_config(repo.config));
    let cache = Cache::new(&repo.cache);
    let run = Run {
        client,
        repo,
        observer,
        access,
        cache,
    };
    let outcome = run.run().await;
    if let Err(error) = &outcome {
        let why = error.to_string();
        observer.event(Event::RepoFailed {
            repo: &repo.config.id,
            why: &why,
        });
    }
    outcome
}

impl Run<'_> {
    fn id(&self) -> &str {
        &self.repo.config.id
    }

    /// Kinds to be had.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &str> {
        let config = self.repo.config;
        self.repo.parts.iter().copied().filter(|kind| match *kind {
            "filelists" => !config.skip_md_filelists,
            "updateinfo" => !config.skip_md_updateinfo,
            "other" => !config.skip_md_other,
            _ => true,
        })
    }

    async fn run(&self) -> Result<MetadataSet> {
        if self.repo.cache_only {
            return self.read_cache_only();
        }
        let _lock = match self.lock().await? {
            Entered::Locked(file) => file,
            Entered::Fresh(set) => return Ok(*set),
        };
        self.cache.recover();
        let old = self.cache.load(self);
        let fresh = !self.repo.force
            && self
                .cache
                .is_fresh(self.repo.now, self.repo.config.metadata_expire);
        if let Some(loaded) = old
            .as_ref()
            .filter(|loaded| fresh && loaded.missing.is_empty())
        {
            return Ok(self.set(loaded, self.known_bases(), true, false));
        }
        match self.ask_servers(old.as_ref(), fresh).await {
            Ok(set) => Ok(set),
            Err(error) => match old.filter(|old| self.repo.stale_ok && old.missing.is_empty()) {
                None => Err(error),
                Some(old) => {
                    let why = error.to_string();
                    self.observer.event(Event::OldCacheUsed {
                        repo: self.id(),
                        why: &why,
                    });
                    Ok(self.set(&old, self.known_bases(), true, true))
                }
            },
        }
    }

    fn read_cache_only(&self) -> Result<MetadataSet> {
        let absent = |what: String| Error::NotCached {
            repo: self.id().to_owned(),
            what,
            path: self.repo.cache.clone(),
        };
        let loaded = self
            .cache
            .load(self)
            .ok_or_else(|| absent("repomd.xml".into()))?;
        match loaded.missing.first() {
            Some(kind) => Err(absent(kind.clone())),
            None => Ok(self.set(&loaded, self.known_bases(), true, false)),
        }
    }

    async fn ask_servers(&self, old: Option<&Loaded>, fresh: bool) -> Result<MetadataSet> {
        if !self.access.tls.verify {
            self.observer
                .event(Event::UnverifiedTls { repo: self.id() });
        }
        let config = self.repo.config;
        let named = config.mirrorlist.is_some() || config.metalink.is_some();
        if !(fresh && old.is_some()) && (named || !config.baseurl.is_empty()) {
            let repo = self.id();
            self.observer.event(Event::RepoAsked { repo });
        }
        let sources = self.sources().await?;
        if let Some(old) = old.filter(|_| fresh) {
            // Not expired, only parts are missing: no need to ask for the index, unless the
            // repository has moved on.
            if let Ok(set) = self.complete(old, &sources.bases).await {
                return Ok(set);
            }
        }
        let mut failures: Vec<Failure> = Vec::new();
        let mut bases = sources.bases.clone();
        let mut fatal = None;
        // Each failure removes a base, so this ends.
        while !bases.is_empty() {
            let (index, used) = match self.index(&bases, old, &sources.hashes).await {
                Ok(found) => found,
                Err(Error::Transfer { failures: more, .. }) => {
                    failures.extend(more);
                    break;
                }
                Err(other) => return Err(other),
            };
            let first = bases.remove(used);
            let others = sources.bases.iter().filter(|base| **base != first).cloned();
            let order: Vec<String> = std::iter::once(first.clone()).chain(others).collect();
            match self.adopt(index, old, &order).await {
                Ok(set) => return Ok(set),
                Err(Error::Transfer {
                    failures: more,
                    label,
                }) => {
                    let stopped = more.iter().any(|failure| failure.cause == Cause::Stopped);
                    failures.extend(more);
                    fatal = Some(label);
                    if stopped {
                        break;
                    }
                }
                Err(other) => return Err(other),
            }
        }
        failures.dedup();
        let label = fatal.unwrap_or_else(|| format!("{}: repomd.xml", self.id()));
        Err(Error::Transfer { label, failures })
    }

    /// Makes the answer of a server the current set.
    async fn adopt(
        &self,
        index: Index,
        old: Option<&Loaded>,
        bases: &[String],
    ) -> Result<MetadataSet> {
        match (index, old) {
            (Index::Unchanged, Some(old)) => {
                let set = self.complete(old, bases).await?;
                self.cache.touch()?;
                Ok(set)
            }
            (Index::New(new), old) => {
                let files = self.stage(&new, old, bases).await?;
                self.cache.write_index(&new, &files)?;
                self.cache.swap(old.is_some())?;
                self.cache.touch()?;
                self.cache.remember(&new.repomd, self.repo.now);
                let loaded = self.cache.load(self).ok_or_else(|| Error::NotCached {
                    repo: self.id().to_owned(),
                    what: "the set just written".into(),
                    path: self.repo.cache.clone(),
                })?;
                Ok(self.set(&loaded, bases.to_vec(), false, false))
            }
            (Index::Unchanged, None) => Err(Error::Transfer {
                label: format!("{}: repomd.xml", self.id()),
                failures: vec![Failure {
                    url: String::new(),
                    cause: Cause::Status(304),
                }],
            }),
        }
    }

    fn set(
        &self,
        loaded: &Loaded,
        base_urls: Vec<String>,
        from_cache: bool,
        stale: bool,
    ) -> MetadataSet {
        MetadataSet {
            repo: self.id().to_owned(),
            dir: self.cache.live(),
            repomd: loaded.repomd.clone(),
            repomd_digest: loaded.digest,
            parts: loaded.parts.clone(),
            base_urls,
            access: Arc::clone(&self.access),
            from_cache,
            stale,
        }
    }

    /// The set of the cache, if it is whole and has not expired.
    fn fresh_set(&self) -> Option<MetadataSet> {
        let expire = self.repo.config.metadata_expire;
        if self.repo.force || !self.cache.is_fresh(self.repo.now, expire) {
            return None;
        }
        let loaded = self.cache.load(self)?;
        let whole = loaded.missing.is_empty();
        whole.then(|| self.set(&loaded, self.known_bases(), true, false))
    }

    /// Waits until no other process refreshes this cache; whoever is content with what is there
    /// does not wait. A cache that is not ours to write is read without a lock.
    async fn lock(&self) -> Result<Entered> {
        let mut told = false;
        loop {
            match self.cache.try_lock()? {
                cache::Lock::Held(file) => return Ok(Entered::Locked(Some(file))),
                cache::Lock::Impossible => return Ok(Entered::Locked(None)),
                cache::Lock::Busy => {}
            }
            if let Some(set) = self.fresh_set() {
                return Ok(Entered::Fresh(Box::new(set)));
            }
            if !std::mem::replace(&mut told, true) {
                self.observer.event(Event::Waiting { repo: self.id() });
            }
            let waited = self.client.pause(Duration::from_millis(100)).await;
            waited.map_err(|cause| Error::Transfer {
                label: self.id().to_owned(),
                failures: vec![Failure {
                    url: self.repo.cache.display().to_string(),
                    cause,
                }],
            })?;
        }
    }
}

/// The name of a part in the set's folder: what follows `repodata/` in its location, else its
/// checksum's start and last component, so that nothing of a set lies outside its folder.
pub(crate) fn local_name(record: &Record) -> String {
    match record.href.as_str().strip_prefix("repodata/") {
        Some(rest) if !rest.is_empty() && !Path::new(rest).starts_with("tdnf.state") => {
            rest.to_owned()
        }
        _ => {
            let hex = record
                .checksum
                .map(|digest| digest.hex())
                .unwrap_or_default();
            format!(
                "{}-{}",
                hex.get(..16).unwrap_or("x"),
                record.href.file_name()
            )
        }
    }
}
