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
//! checksum is left to the decompressor (`rpm_repo::compress`), so that nothing is
//! decompressed twice.

mod cache;
mod context;
mod index;
mod parts;
mod run;
mod small;
mod sources;
mod state;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{join, join_all};
use rpm_pkg::digest::Digest;
use rpm_repo::compress::Doubt;
use rpm_repo::config::RepoConfig;
use rpm_repo::layout::{Href, check_base, is_relative_base};
use rpm_repo::primary::LeftOutNote;
use rpm_repo::repomd::{Repomd, RepomdRecord};
use rpm_trust::{Keyring, verify_detached};

use crate::client::Client;
use crate::error::{Cause, Error, Result, SignatureFault, Spared};
use crate::event::{Logged, Observer};
use crate::options::{Access, decode_percent};
use crate::redact::redact;
use crate::transfer::{Orders, TransferLimits, serve};
use cache::Cache;
pub use parts::part_limit;
use run::refresh_one;
pub use small::{SmallFile, fetch_small};
pub use sources::{join_url, resolve_url};

/// Checks a detached signature: `(signature, data)`; the error is a [`Cause::Signature`] of one line that names key ids.
pub type DetachedCheck<'a> = dyn Fn(&[u8], &[u8]) -> std::result::Result<(), Cause> + Sync + 'a;

/// A [`SignatureCheck`] against the keys of a repository (`gpgkey=`) at the time `now`, seconds
/// since 1970. Some signature must be good and none bad.
pub fn keyring_check(
    keyring: &Keyring,
    now: u64,
) -> impl Fn(&[u8], &[u8]) -> std::result::Result<(), Cause> + Sync + '_ {
    let refused = |fault, text| Err(Cause::Signature { fault, text });
    move |signature, data| {
        let outcome = match verify_detached(keyring, signature, data, now) {
            Ok(outcome) => outcome,
            Err(error) => return refused(SignatureFault::NotAccepted, error.to_string()),
        };
        if outcome.accepted().is_some() {
            return Ok(());
        }
        let why = outcome.explain(keyring);
        refused(
            SignatureFault::of(&outcome),
            why.unwrap_or_else(|| "not accepted".to_owned()),
        )
    }
}

/// What becomes of metadata older than what was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OlderMetadata {
    /// Signed ones are refused; others are taken, with an event.
    #[default]
    RefuseSigned,
    /// All are refused.
    Refuse,
    /// All are taken, and are from then on what was seen.
    Take,
}

/// One repository to be brought up to date.
#[derive(Clone)]
pub struct RepoRefresh<'a> {
    /// Its configuration.
    pub config: &'a RepoConfig,
    /// Its own cache folder (`<cachedir>/<id>-<h>`, see `RepoConfig::cache_dir_name`).
    pub cache: PathBuf,
    /// A cache folder of this repository that is not ours to write: it is read while it is fresh.
    pub shared: Option<PathBuf>,
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
    /// What becomes of metadata older than what was seen before.
    pub older: OlderMetadata,
    /// Its servers could not be had a moment ago: they are not asked, this is the error.
    pub spared: Option<Spared>,
    /// Seconds since 1970.
    pub now: u64,
    /// Used if the configuration says `repo_gpgcheck=1`; then `None` is an error.
    pub check_signature: Option<&'a DetachedCheck<'a>>,
}

impl RepoRefresh<'_> {
    /// Kinds to be had: what is asked for and not skipped by the configuration.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &str> {
        let config = self.config;
        self.parts.iter().copied().filter(|kind| match *kind {
            "filelists" => !config.skip_md_filelists,
            "updateinfo" => !config.skip_md_updateinfo,
            "other" => !config.skip_md_other,
            _ => true,
        })
    }
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
#[derive(Debug, Clone)]
pub struct PartFile {
    /// `primary`, `filelists`, ...
    pub kind: String,
    /// The file.
    pub path: PathBuf,
    /// What repomd.xml says of it.
    pub record: RepomdRecord,
    /// Whether a reader found repomd.xml wrong about what it decompresses to.
    pub doubt: Doubt,
    /// What a reader left out of it.
    pub left_out: LeftOutNote,
}

impl PartFile {
    /// A part that lies at `path`.
    pub fn new(kind: &str, path: PathBuf, record: &RepomdRecord) -> Self {
        Self {
            kind: kind.to_owned(),
            path,
            record: record.clone(),
            doubt: Doubt::default(),
            left_out: LeftOutNote::default(),
        }
    }
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

    /// When it was made, in seconds since 1970: the newest of the times in its index; none where that has none.
    pub fn made(&self) -> Option<u64> {
        self.repomd.max_timestamp().filter(|time| *time > 0)
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
        urls_below(&self.base_urls, href, base)
    }
}

/// [`MetadataSet::urls_of`] for these base URLs.
fn urls_below(bases: &[String], href: &Href, base: Option<&str>) -> Result<Vec<String>> {
    let named: Vec<String>;
    let from = bases.first().map_or("", String::as_str);
    let bases = match base {
        None => bases,
        Some(base) if is_relative_base(base, from) => {
            let path = decode_percent(base);
            let below = bases.iter().map(|from| join_url(from, &path));
            named = below.collect::<Result<_>>()?;
            &named
        }
        Some(base) => {
            check_base(base, from).map_err(|e| Error::BadUrl {
                url: redact(base),
                why: e.to_string(),
            })?;
            named = vec![base.to_owned()];
            &named
        }
    };
    let name = href.as_str();
    let decoded = decode_percent(name);
    // Some tools write locations encoded: that reading is tried last.
    let readings = [Some(name), (decoded != name).then_some(decoded.as_str())];
    let names = readings.into_iter().flatten();
    names
        .flat_map(|name| bases.iter().map(move |base| join_url(base, name)))
        .collect()
}

/// Brings all repositories up to date at the same time; one result for each, in their order. A
/// failure of one does not touch the others, nor its own last good set. Whether a failure may be
/// skipped (`skip_if_unavailable`) is the caller's decision; `Event::RepoFailed` has been told.
pub fn refresh(
    client: &Client,
    repos: &[RepoRefresh<'_>],
    limits: &TransferLimits,
    observer: &dyn Observer,
) -> Vec<Result<MetadataSet>> {
    let observer = Logged(observer);
    let orders = Orders::default();
    let each = repos.iter();
    let each = each.map(|repo| refresh_one(client, repo, &orders, &observer));
    let all = join_all(each).map(|sets| {
        orders.close();
        sets
    });
    // The parts of all repositories are one run.
    let parts = serve(client, limits.clone(), &orders, &observer);
    let work = join(all, parts);
    let done = client.block_on(work).map(|(sets, parts)| {
        if let Err(error) = parts {
            tracing::error!(%error, "the parts of metadata");
        }
        sets
    });
    done.unwrap_or_else(|error| {
        let failed = |_| Err(Error::Setup(error.to_string()));
        repos.iter().map(failed).collect()
    })
}

/// The name of a part in the set's folder: what follows `repodata/` in its location, else its
/// checksum's start and last component, so that nothing of a set lies outside its folder.
pub(crate) fn local_name(record: &RepomdRecord) -> String {
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
