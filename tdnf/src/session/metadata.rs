//! Metadata of the repositories that are on.

use std::collections::BTreeMap;

use repo_client::{
    Cause, DetachedCheck, MetadataSet, OlderMetadata, RepoRefresh, SignatureFault, refresh,
};
use rpm_pkg::digest::Digest;
use rpm_repo::config::RepoConfig;
use rpm_repo::layout::Href;

use super::snapshot::SnapshotList;
use super::{Session, from_dir, keys, plugins};
use crate::error::{Code, Failure, Outcome};
use crate::progress::NetworkView;
use crate::settings::RepoOrigin;

/// How often a repository may be published anew in one run.
const MAX_RENEWALS: u32 = 3;

/// A repository with its metadata.
pub struct LoadedRepo {
    /// Its configuration.
    pub config: RepoConfig,
    /// Its metadata, on disk and checked.
    pub set: MetadataSet,
    /// What exists in it, if not all that the metadata names.
    pub snapshot: Option<SnapshotList>,
}

impl LoadedRepo {
    /// The one of this id.
    pub fn find<'a>(repos: &'a [Self], id: &str) -> Option<&'a Self> {
        repos.iter().find(|repo| repo.config.id == id)
    }

    /// Where a package is to be had, best first: by its location and its `xml:base`, as the metadata name them.
    ///
    /// Errors: a location or base that may not be followed.
    pub fn urls_of(&self, location: &str, base: Option<&str>) -> Outcome<Vec<String>> {
        Ok(self.set.urls_of(&Href::parse(location)?, base)?)
    }
}

/// Said where packages of repositories are looked for.
const NONE_ON: &str = "warning: no repository is on: nothing is known but what is installed and what the command line \
     names (`tdnf repolist all` lists the repositories)";

/// Seconds of a day.
const DAY: u64 = 24 * 3600;

type SignatureCheck = Option<Box<DetachedCheck<'static>>>;

/// How eagerly metadata is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// When the cache has expired, or with `--refresh`.
    WhenExpired,
    /// Always.
    Forced,
    /// Never: what is in the cache counts, however old.
    Never,
}

/// Parts every command needs.
pub const PRIMARY: &[&str] = &["primary"];

impl Session<'_> {
    /// Brings the repositories that are on up to date and returns them, preferred ones first.
    /// Repositories that cannot be had stop the run, unless they say `skip_if_unavailable`.
    pub fn sources(&self, parts: &[&str], freshness: Freshness) -> Outcome<Vec<LoadedRepo>> {
        // Wherever packages are, modules may decide over them.
        let parts = &[parts, &["modules"]].concat();
        let enabled = self.enabled_repos()?;
        if enabled.is_empty() {
            self.warn_once(NONE_ON);
        }
        self.publish_folders(&enabled)?;
        let (mut repos, mut checks, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
        for repo in enabled {
            match addresses(&repo).and_then(|()| self.signature_check(&repo)) {
                Ok(check) => {
                    repos.push(repo);
                    checks.push(check);
                }
                Err(failure) => {
                    let failure = self.skipped(&repo, failure);
                    stopped.extend(failure.map(|failure| (repo, failure)));
                }
            }
        }
        self.stopped_by(std::mem::take(&mut stopped))?;
        let names = repos
            .iter()
            .map(|repo| (repo.id.clone(), repo.name.clone()));
        let names = names.collect();
        let results = self.refresh((&repos, &checks), parts, freshness, names)?;
        for (config, result) in repos.iter().zip(&results) {
            let is_forced = freshness == Freshness::Forced || self.settings.refresh;
            let never = freshness == Freshness::Never || self.settings.cache_only;
            // What was fresh in the cache says nothing of the servers.
            let was_fresh = result.as_ref().is_ok_and(|set| set.from_cache) && !is_forced;
            if !never && !was_fresh {
                self.note_gone(config, result.as_ref().err());
            }
            if let Err(error) = result {
                let code = Code::of_transfer(error);
                self.note_unread(config, code, &error.to_string());
            }
        }
        let mut sources = Vec::new();
        for (config, result) in repos.into_iter().zip(results) {
            let set = match result {
                Ok(set) => set,
                Err(error) => {
                    let failure = self.unavailable(&config, error)?;
                    stopped.extend(failure.map(|failure| (config, failure)));
                    continue;
                }
            };
            match SnapshotList::of(self, &config, &set, freshness) {
                Ok(snapshot) => sources.push(LoadedRepo {
                    config,
                    set,
                    snapshot,
                }),
                Err(failure) => self.left_out(&config, failure)?,
            }
        }
        self.stopped_by(stopped)?;
        if sources.is_empty() && freshness != Freshness::Forced {
            self.tell_none_read();
        }
        self.tell_doubts(&sources);
        for source in sources.iter().filter(|source| !source.set.from_cache) {
            (self.on_new_metadata)(self, source);
        }
        Ok(sources)
    }

    /// Asks for the metadata of a repository that lacks a file they name, a few times in a run; whether there are
    /// others now.
    pub fn has_moved_on(&self, id: &str) -> bool {
        let mut renewed = self.renewed.borrow_mut();
        let times = renewed.entry(id.to_owned()).or_default();
        if self.settings.cache_only || *times >= MAX_RENEWALS {
            return false;
        }
        *times += 1;
        drop(renewed);
        let before = self.digest_of(id, false);
        let after = self.digest_of(id, true);
        let moved_on = after.is_some() && after != before;
        if moved_on {
            self.printer.err(&format!(
                "repository {id} has been published anew: it is read again"
            ));
        }
        moved_on
    }

    /// The state of a repository: of the cache, or after asking its servers.
    fn digest_of(&self, id: &str, ask: bool) -> Option<Digest> {
        let mut repos = self.enabled_repos().ok()?;
        repos.retain(|repo| repo.id == id);
        let checks = vec![self.signature_check(repos.first()?).ok()?];
        // Without its name: that it is asked is not told.
        let names = BTreeMap::new();
        let freshness = match ask {
            true => Freshness::Forced,
            false => Freshness::Never,
        };
        let sets = self
            .refresh((&repos, &checks), PRIMARY, freshness, names)
            .ok()?;
        sets.into_iter()
            .flatten()
            .map(|set| set.repomd_digest)
            .next()
    }

    /// Repositories that are off and whose metadata is in the cache, however old; nothing is
    /// fetched.
    pub fn cached_disabled_sources(&self) -> Outcome<Vec<LoadedRepo>> {
        let mut repos = self.repos()?;
        repos.retain(|repo| !repo.enabled && repo.fault.is_none());
        repos.retain(|repo| self.repo_cache(repo).join("repodata/repomd.xml").is_file());
        let view = NetworkView::new(self.printer);
        let mut found = Vec::new();
        for config in repos {
            // Its signature was checked when it was fetched; nothing is installed from here.
            let mut unsigned = config.clone();
            unsigned.repo_gpgcheck = false;
            let wish = RepoRefresh {
                cache_only: true,
                stale_ok: true,
                ..self.wish(&unsigned, PRIMARY)
            };
            let sets = refresh(self.client(), &[wish], &self.limits(), &view);
            found.extend(sets.into_iter().flatten().map(|set| LoadedRepo {
                config: config.clone(),
                set,
                snapshot: None,
            }));
        }
        Ok(found)
    }

    /// Makes the metadata of `--repofromdir` repositories that are on.
    fn publish_folders(&self, repos: &[RepoConfig]) -> Outcome<()> {
        for temporary in &self.settings.temporary_repos {
            let on = repos.iter().any(|repo| repo.id == temporary.id);
            if let RepoOrigin::Dir(dir) = &temporary.origin
                && on
            {
                let made = from_dir::metadata_dir(self.cache_dir(), &temporary.id);
                from_dir::publish(dir, &made)?;
            }
        }
        Ok(())
    }

    fn refresh(
        &self,
        (repos, checks): (&[RepoConfig], &[SignatureCheck]),
        parts: &[&str],
        freshness: Freshness,
        names: BTreeMap<String, String>,
    ) -> Outcome<Vec<repo_client::Result<MetadataSet>>> {
        let settings = &self.settings;
        let view = NetworkView::for_repos(self.printer, names);
        let force = freshness == Freshness::Forced || settings.refresh;
        let never = settings.cache_only || freshness == Freshness::Never;
        let wishes: Vec<RepoRefresh<'_>> = repos
            .iter()
            .zip(checks)
            .map(|(config, check)| RepoRefresh {
                force: force && !never,
                cache_only: never,
                spared: self.gone_lately(config).filter(|_| !force),
                check_signature: check.as_deref(),
                ..self.wish(config, parts)
            })
            .collect();
        let results = self.transfer(|| refresh(self.client(), &wishes, &self.limits(), &view))?;
        for (repo, result) in repos.iter().zip(&results) {
            view.settle(&repo.id, result.is_ok());
        }
        Ok(results)
    }

    /// Asks for what has expired, unless only the cache may be used; no signature is checked.
    fn wish<'c>(&self, config: &'c RepoConfig, parts: &'c [&'c str]) -> RepoRefresh<'c> {
        RepoRefresh {
            config,
            cache: self.repo_cache(config),
            shared: self
                .system_cache
                .as_ref()
                .map(|dir| dir.join(config.cache_dir_name())),
            parts,
            force: false,
            cache_only: self.settings.cache_only,
            stale_ok: false,
            older: match self.settings.allow_older {
                true => OlderMetadata::Take,
                false => OlderMetadata::RefuseSigned,
            },
            spared: None,
            now: self.settings.environment.now,
            check_signature: None,
        }
    }

    /// The check of a repository that wants its index signed, with the repository's keys.
    fn signature_check(&self, repo: &RepoConfig) -> Outcome<SignatureCheck> {
        if !repo.repo_gpgcheck {
            return Ok(None);
        }
        let now = self.settings.environment.now;
        let keyring = keys::repository_keyring(self, repo)?;
        Ok(Some(Box::new(move |signature: &[u8], data: &[u8]| {
            let refused = |fault, text| Cause::Signature { fault, text };
            let outcome = rpm_trust::verify_detached(&keyring, signature, data, now)
                .map_err(|error| refused(SignatureFault::NotAccepted, error.to_string()))?;
            match outcome.accepted() {
                Some(_) => Ok(()),
                None => {
                    let text = plugins::signature_words(&outcome, &keyring);
                    Err(refused(SignatureFault::of(&outcome), text))
                }
            }
        })))
    }

    /// Says once which metadata was made so long ago that somebody may be withholding what came after it.
    fn tell_age(&self, sources: &[LoadedRepo]) {
        let now = self.settings.environment.now;
        for LoadedRepo { config, set, .. } in sources {
            let made = set.made().filter(|made| *made < now);
            let Some((made, most)) = made.zip(config.max_age()) else {
                continue;
            };
            let days = (now - made) / DAY;
            if now - made > most.as_secs() {
                self.warn_once(&format!(
                    "warning: repository {}: its metadata is {days} days old: the mirror may be out of date or keep \
                     updates back, or the clock here be wrong (metadata_max_age= of its section sets another limit)",
                    config.id
                ));
            }
        }
    }

    /// Says once what repomd.xml has wrong about the parts that were read, what of these cannot be used, and what is old.
    pub fn tell_doubts(&self, sources: &[LoadedRepo]) {
        self.tell_age(sources);
        for set in sources.iter().map(|source| &source.set) {
            for part in &set.parts {
                if let Some(left_out) = part.left_out.take() {
                    let (repo, kind) = (&set.repo, &part.kind);
                    self.warn_once(&format!("warning: repository {repo}: {kind}: {left_out}"));
                }
            }
            for part in set.parts.iter().filter(|part| part.doubt.take()) {
                let (repo, kind) = (&set.repo, &part.kind);
                self.warn_once(&format!(
                    "warning: repository {repo}: repomd.xml is wrong about a size of {kind}, or about the checksum of what it unpacks to; \
                     the file itself is right and was read"
                ));
            }
        }
    }
}

/// What curl calls a URL that is none.
const BAD_URL: u32 = 3;

/// Error 1204 with file and line where an address of a section is none.
fn addresses(repo: &RepoConfig) -> Outcome<()> {
    let keys = [
        ("baseurl", repo.baseurl.as_slice()),
        ("mirrorlist", repo.mirrorlist.as_slice()),
        ("metalink", repo.metalink.as_slice()),
    ];
    let all = keys
        .iter()
        .flat_map(|(key, urls)| urls.iter().map(move |url| (key, url)));
    for (key, url) in all {
        let scheme = url.split_once(':').map(|(scheme, _)| scheme);
        let why = match scheme {
            _ if url.starts_with(['"', '\'']) => "is in quotes: leave them out",
            Some(scheme) if !scheme.is_empty() && !scheme.contains('/') => continue,
            _ => {
                "is not a URL: http://, https:// or file:// is expected; a blank in one is written %20"
            }
        };
        let place = repo.place_of(key).unwrap_or(&repo.source);
        let line = format!("Error: {place}: {key}: {} {why}", repo_client::redact(url));
        return Err(Failure::because(Code::transfer(BAD_URL), line).hint("correct the line"));
    }
    Ok(())
}
