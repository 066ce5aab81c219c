//! One repository's run: what is in the cache, what the servers have, and what takes the place of what.

use std::sync::Arc;
use std::time::Duration;

use rpm_repo::repomd::Repomd;

use super::cache::{self, Cache, LoadedSet};
use super::context::RepoContext;
use super::index::{self, IndexAnswer};
use super::{MetadataSet, OlderMetadata, PartFile, RepoRefresh, parts, sources};
use crate::client::Client;
use crate::error::{Cause, Error, Failure, Result};
use crate::event::{Event, Observer};
use crate::options::Access;
use crate::redact::redact;
use crate::transfer::Orders;

/// How often in one run a repository may be published anew between its index and its parts.
const MAX_REPUBLISHED: u32 = 3;

/// How a run came into a cache.
enum Entered {
    /// The cache is ours, or not ours to write.
    Locked(Option<std::fs::File>),
    /// Another process has it, and what is there will do.
    Fresh(Box<MetadataSet>),
}

/// A run over one repository.
struct RefreshRun<'a> {
    context: RepoContext<'a>,
    cache: Cache,
}

/// Brings one repository up to date.
pub(crate) async fn refresh_one(
    client: &Client,
    repo: &RepoRefresh<'_>,
    orders: &Orders,
    observer: &dyn Observer,
) -> Result<MetadataSet> {
    let access = Arc::new(Access::from_config(repo.config));
    let cache = Cache::new(&repo.cache);
    let context = RepoContext {
        client,
        repo,
        observer,
        access,
        orders,
    };
    let mut run = RefreshRun { context, cache };
    if let Some(shared) = &repo.shared {
        if let Some(set) = run.fresh_set() {
            return Ok(set);
        }
        let own = std::mem::replace(&mut run.cache, Cache::new(shared));
        if let Some(set) = run.fresh_set() {
            return Ok(set);
        }
        run.cache = own;
    }
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

impl RefreshRun<'_> {
    async fn run(&self) -> Result<MetadataSet> {
        if self.context.repo.cache_only {
            return self.read_cache_only();
        }
        let _lock = match self.lock().await? {
            Entered::Locked(file) => file,
            Entered::Fresh(set) => return Ok(*set),
        };
        self.cache.recover();
        let old = self.cache.load(self.context.repo);
        let fresh = !self.context.repo.force
            && self.cache.is_fresh(
                self.context.repo.now,
                self.context.repo.config.metadata_expire,
            );
        tracing::info!(
            repo = self.context.id(),
            state = self.state_of(old.as_ref(), fresh),
            "cache"
        );
        if let Some(loaded) = old
            .as_ref()
            .filter(|loaded| fresh && loaded.missing.is_empty())
        {
            return Ok(self.kept(loaded, false));
        }
        let asked = match &self.context.repo.spared {
            Some(spared) => Err(Error::Spared(spared.clone())),
            None => self.ask_servers(old.as_ref(), fresh).await,
        };
        match asked {
            Ok(set) => Ok(set),
            Err(error) => {
                match old.filter(|old| self.context.repo.stale_ok && old.missing.is_empty()) {
                    None => Err(error),
                    Some(old) => {
                        let why = error.to_string();
                        self.context.observer.event(Event::OldCacheUsed {
                            repo: self.context.id(),
                            why: &why,
                        });
                        Ok(self.kept(&old, true))
                    }
                }
            }
        }
    }

    /// Why the servers are asked or not, for the log.
    fn state_of(&self, old: Option<&LoadedSet>, fresh: bool) -> &'static str {
        match old {
            None => "empty",
            Some(_) if self.context.repo.force => "to be refreshed",
            Some(_) if !fresh => "expired",
            Some(old) if !old.missing.is_empty() => "incomplete",
            Some(_) => "fresh",
        }
    }

    fn read_cache_only(&self) -> Result<MetadataSet> {
        let loaded = self.cache.load(self.context.repo);
        let loaded = loaded.ok_or_else(|| self.context.not_cached("repomd.xml"))?;
        match loaded.missing.first() {
            Some(kind) => Err(self.context.not_cached(kind)),
            None => Ok(self.kept(&loaded, false)),
        }
    }

    async fn ask_servers(&self, old: Option<&LoadedSet>, fresh: bool) -> Result<MetadataSet> {
        if !self.context.access.tls.verify {
            self.context.observer.event(Event::UnverifiedTls {
                repo: self.context.id(),
            });
        }
        let config = self.context.repo.config;
        let named = config.mirrorlist.is_some() || config.metalink.is_some();
        if !(fresh && old.is_some()) && (named || !config.baseurl.is_empty()) {
            let repo = self.context.id();
            self.context.observer.event(Event::RepoAsked { repo });
        }
        let found = sources::ask(&self.context, &self.cache).await?;
        if let Some(old) = old.filter(|_| fresh) {
            // Not expired, only parts are missing: no need to ask for the index, unless the
            // repository has moved on.
            if let Ok(set) = self.complete(old, &found.bases).await {
                return Ok(set);
            }
        }
        let mut failures: Vec<Failure> = Vec::new();
        let mut bases = found.bases.clone();
        let mut fatal = None;
        let mut republished = 0;
        let mut lacking = None;
        let seen = self
            .cache
            .seen(self.context.repo.config.address_as_written());
        // Each failure but a few removes a base, so this ends.
        while !bases.is_empty() {
            let known = index::Known {
                seen,
                old,
                sources: &found,
                if_newer: lacking.is_none() && self.context.repo.older != OlderMetadata::Take,
            };
            let (index, used) = match index::ask(&self.context, &bases, &known).await {
                Ok(found) => found,
                Err(Error::Transfer { failures: more, .. }) => {
                    failures.extend(more);
                    break;
                }
                Err(other) => return Err(other),
            };
            let first = bases.remove(used);
            let asked = match &index {
                IndexAnswer::Unchanged => old.map(|old| old.digest.to_string()),
                IndexAnswer::New(new) => Some(new.state.repomd.clone()),
            };
            tracing::info!(
                repo = self.context.id(),
                mirror = redact(&first),
                index = match &index {
                    IndexAnswer::Unchanged => "unchanged",
                    IndexAnswer::New(_) => "new",
                },
                "mirror chosen"
            );
            let others = found.bases.iter().filter(|base| **base != first).cloned();
            let order: Vec<String> = std::iter::once(first.clone()).chain(others).collect();
            match self.adopt(index, old, &order).await {
                Ok(set) => return Ok(set),
                Err(Error::Transfer {
                    failures: more,
                    label,
                }) => {
                    let stopped = more.iter().any(|failure| failure.cause == Cause::Stopped);
                    // Published anew between its index and its parts: the next index is another.
                    let moved_on = more.iter().any(|f| f.cause.is_moved_on());
                    if moved_on && republished < MAX_REPUBLISHED && asked != lacking {
                        republished += 1;
                        lacking = asked;
                        bases.insert(0, first);
                        continue;
                    }
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
        let label = fatal.unwrap_or_else(|| self.context.index_label());
        Err(Error::Transfer { label, failures })
    }

    /// Makes the answer of a server the current set.
    async fn adopt(
        &self,
        index: IndexAnswer,
        old: Option<&LoadedSet>,
        bases: &[String],
    ) -> Result<MetadataSet> {
        match (index, old) {
            (IndexAnswer::Unchanged, Some(old)) => {
                let set = self.complete(old, bases).await?;
                self.cache.touch()?;
                self.remember(&old.repomd);
                Ok(set)
            }
            (IndexAnswer::New(new), old) => {
                let files =
                    parts::stage(&self.context, &self.cache.staging(), &new, old, bases).await?;
                self.cache.write_index(&new, &files)?;
                self.cache.swap(old.is_some())?;
                self.cache.touch()?;
                self.remember(&new.repomd);
                let loaded = self.cache.load(self.context.repo);
                let loaded =
                    loaded.ok_or_else(|| self.context.not_cached("the set just written"))?;
                hand_on_doubts(&files, &loaded);
                Ok(self.set(&loaded, bases.to_vec(), false, false))
            }
            (IndexAnswer::Unchanged, None) => {
                let label = self.context.index_label();
                Err(Error::at(label, String::new(), Cause::Status(304)))
            }
        }
    }

    fn remember(&self, repomd: &Repomd) {
        let repo = self.context.repo;
        let allow_older = repo.older == OlderMetadata::Take;
        let address = repo.config.address_as_written();
        self.cache.remember(repomd, address, repo.now, allow_older);
    }

    /// Fetches what the current set lacks, into it.
    async fn complete(&self, old: &LoadedSet, bases: &[String]) -> Result<MetadataSet> {
        if old.missing.is_empty() {
            return Ok(self.set(old, bases.to_vec(), true, false));
        }
        let dir = self.cache.live();
        let files = parts::complete(&self.context, &dir, old, bases).await?;
        self.cache.write_state(&dir, &old.state, &files)?;
        let loaded = self
            .cache
            .load(self.context.repo)
            .filter(|loaded| loaded.missing.is_empty());
        let loaded = loaded.ok_or_else(|| Error::NotCached {
            repo: self.context.id().to_owned(),
            what: "the part just written".into(),
            path: dir,
        })?;
        hand_on_doubts(&files, &loaded);
        Ok(self.set(&loaded, bases.to_vec(), false, false))
    }

    /// The set of the cache.
    fn kept(&self, loaded: &LoadedSet, stale: bool) -> MetadataSet {
        let bases = sources::known(self.context.repo.config, &self.cache);
        self.set(loaded, bases, true, stale)
    }

    fn set(
        &self,
        loaded: &LoadedSet,
        mut base_urls: Vec<String>,
        from_cache: bool,
        stale: bool,
    ) -> MetadataSet {
        for record in &loaded.misplaced {
            self.context.observer.event(Event::PartMisplaced {
                repo: self.context.id(),
                kind: &record.kind,
                href: record.href.as_str(),
            });
        }
        let config = self.context.repo.config;
        if config.metalink.is_some() {
            // The server of the index need not be the best one for packages: as in the runs that follow.
            let listed = sources::known(config, &self.cache);
            base_urls.sort_by_key(|base| listed.iter().position(|one| one == base));
        }
        MetadataSet {
            repo: self.context.id().to_owned(),
            dir: self.cache.live(),
            repomd: loaded.repomd.clone(),
            repomd_digest: loaded.digest,
            parts: loaded.parts.clone(),
            base_urls,
            access: Arc::clone(&self.context.access),
            from_cache,
            stale,
        }
    }

    /// The set of the cache, if it is whole and has not expired.
    fn fresh_set(&self) -> Option<MetadataSet> {
        let expire = self.context.repo.config.metadata_expire;
        if self.context.repo.force || !self.cache.is_fresh(self.context.repo.now, expire) {
            return None;
        }
        let loaded = self.cache.load(self.context.repo)?;
        let whole = loaded.missing.is_empty();
        whole.then(|| self.kept(&loaded, false))
    }

    /// Waits until no other process refreshes this cache; a caller that is content with what is there
    /// does not wait. A cache that is not ours to write is read without a lock.
    async fn lock(&self) -> Result<Entered> {
        let mut told = false;
        loop {
            match self.cache.try_lock()? {
                cache::CacheLock::Held(file) => return Ok(Entered::Locked(Some(file))),
                cache::CacheLock::Impossible => return Ok(Entered::Locked(None)),
                cache::CacheLock::Busy => {}
            }
            if let Some(set) = self.fresh_set() {
                return Ok(Entered::Fresh(Box::new(set)));
            }
            if !std::mem::replace(&mut told, true) {
                self.context.observer.event(Event::Waiting {
                    repo: self.context.id(),
                });
            }
            let waited = self.context.client.pause(Duration::from_millis(100)).await;
            let place = self.context.repo.cache.display().to_string();
            waited.map_err(|cause| Error::at(self.context.id().to_owned(), place, cause))?;
        }
    }
}

/// What was in doubt about a part while it was fetched is so in the set that it belongs to.
fn hand_on_doubts(fetched: &[PartFile], set: &LoadedSet) {
    for part in &set.parts {
        let mut same = fetched.iter().filter(|file| file.kind == part.kind);
        if same.any(|file| file.doubt.take()) {
            part.doubt.raise();
        }
    }
}
