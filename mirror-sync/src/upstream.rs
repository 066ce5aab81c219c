//! What upstream has now: index, metadata, and the list of packages that they name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use repo_client::{
    Access, Cause, Client, Event, Failure, FileRequest, MetadataSet, Observer, OlderMetadata,
    PartFile, RepoRefresh, join_url, keyring_check, resolve_url,
};
use rpm_pkg::digest::Digest;
use rpm_pkg::evr::Evr;
use rpm_pkg::nevra::Nevra;

use rpm_repo::compress::{Doubt, VerifiedReader};
use rpm_repo::config::RepoConfig;
use rpm_repo::layout::{Href, Place};
use rpm_repo::primary::{self, LeftOut, ParseSummary, PrimaryPackage};
use rpm_repo::repomd::RepomdRecord;
use rpm_repo::xml::XmlLimits;
use rpm_trust::Keyring;

use crate::error::{Error, Result};
use crate::layout::{self, Layout};
use crate::manifest::SnapshotFile;

/// One package as upstream lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its full name; the architecture of source packages is `src`.
    pub(crate) nevra: Nevra,
    /// Where it is below the repository that is published here ([`here`]).
    pub(crate) location: String,
    /// `xml:base`, if it lies elsewhere.
    pub(crate) base: Option<String>,
    /// What upstream calls its location, where that is none of a repository that stands alone.
    pub(crate) href: Option<String>,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) digest: Digest,
    /// Build time, seconds since 1970.
    pub(crate) built: u64,
}

impl Listed {
    /// URLs of its file.
    pub(crate) fn urls(&self, set: &MetadataSet) -> FileUrls {
        let href = self.href.as_deref().unwrap_or(&self.location);
        urls(set, href, self.base.as_deref())
    }

    /// Whether clients of upstream's metadata would have it of another place than the mirror.
    pub(crate) fn lies_elsewhere(&self) -> bool {
        self.base.is_some() || self.href.is_some()
    }

    /// How a snapshot names it.
    pub(crate) fn entry(&self) -> SnapshotFile {
        SnapshotFile {
            package: Some(self.nevra.to_string()),
            ..SnapshotFile::new(&self.location, self.size, &self.digest)
        }
    }
}

/// URLs of a file, or why it is not to be followed.
pub(crate) type FileUrls = std::result::Result<Vec<String>, String>;

/// URLs of a file of a repository, by the location and the `xml:base` that its metadata name. Both may be references of
/// any kind; one that may not be followed gives none.
pub(crate) fn urls(set: &MetadataSet, href: &str, base: Option<&str>) -> FileUrls {
    let plain = Href::parse(href).ok();
    if let Some(Ok(urls)) = plain.map(|plain| set.urls_of(&plain, base)) {
        return Ok(urls);
    }
    let mut urls = Vec::new();
    for repository in &set.base_urls {
        let more = resolve_url(repository, base, href).map_err(|error| error.to_string())?;
        urls.extend(more);
    }
    // Of an absolute reference all servers of the repository make the same.
    let mut seen = BTreeSet::new();
    urls.retain(|url: &String| seen.insert(url.clone()));
    Ok(urls)
}

/// Where a package lies in a repository that stands alone: where upstream has it or, if that leads out of the
/// repository or into `repodata`, at a place of its own.
pub(crate) fn here(package: &PrimaryPackage) -> Cow<'_, str> {
    let location = package.location();
    if !location.is_empty() && Place::of(location) == Place::Package {
        return Cow::Borrowed(location);
    }
    let name = name_of(package);
    Cow::Owned(format!("elsewhere/{:.16}/{name}.rpm", package.checksum()))
}

/// Packages that cannot be taken, and why.
pub(crate) type Refused = Vec<(String, String)>;

/// Everything that upstream's metadata say.
pub(crate) struct Upstream {
    /// The index and where it came from.
    pub(crate) set: MetadataSet,
    /// The packages in the order of primary.
    pub(crate) packages: Vec<Listed>,
    /// Packages that cannot be taken, and why.
    pub(crate) refused: Vec<(Nevra, String)>,
}

/// Notes that metadata older than what was seen are offered, and hands every event on. That a server was refused for
/// that waits: where all were, the error says so.
struct AgeObserver<'a> {
    next: &'a dyn Observer,
    older: Mutex<Option<(u64, u64)>>,
    refused: Mutex<Vec<RefusedForAge>>,
}

/// A server whose index is older than what was seen before.
struct RefusedForAge {
    id: u64,
    label: String,
    failure: Failure,
    next: Option<String>,
}

impl Observer for AgeObserver<'_> {
    fn event(&self, event: Event<'_>) {
        if let Event::OlderMetadata { seen, offered, .. } = event
            && let Ok(mut older) = self.older.lock()
        {
            *older = Some((offered, seen));
        }
        match event {
            Event::MirrorFailed {
                id,
                label,
                url,
                cause: cause @ Cause::Older { .. },
                next,
            } => {
                let (url, cause) = (url.to_owned(), cause.clone());
                let refused = self.refused.lock();
                let mut refused = refused.unwrap_or_else(PoisonError::into_inner);
                refused.push(RefusedForAge {
                    id,
                    label: label.to_owned(),
                    failure: Failure { url, cause },
                    next: next.map(ToOwned::to_owned),
                });
            }
            other => self.next.event(other),
        }
    }
}

/// How upstream is asked.
#[derive(Clone, Copy)]
pub(crate) struct UpstreamQuery<'a> {
    pub(crate) config: &'a RepoConfig,
    pub(crate) keyring: &'a Keyring,
    /// Ask although nothing has expired; always, but for the offline proxy.
    pub(crate) ask: bool,
    /// The index was asked for a moment ago: only a missing part is fetched.
    pub(crate) complete: bool,
    /// Parts that are wanted with the index.
    pub(crate) parts: &'a [&'a str],
    /// What becomes of metadata older than what was seen before.
    pub(crate) older: OlderMetadata,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

impl<'a> UpstreamQuery<'a> {
    /// Asks for the index and primary.
    pub(crate) fn new(config: &'a RepoConfig, keyring: &'a Keyring, now: u64) -> Self {
        Self {
            config,
            keyring,
            ask: true,
            complete: false,
            parts: &["primary"],
            older: OlderMetadata::RefuseSigned,
            now,
        }
    }
}

/// Brings upstream's index and primary up to date: one conditional request when nothing is new.
pub(crate) fn refresh(
    client: &Client,
    layout: &Layout,
    question: &UpstreamQuery<'_>,
    observer: &dyn Observer,
) -> Result<(MetadataSet, Option<(u64, u64)>)> {
    let check = keyring_check(question.keyring, question.now);
    layout.make(&layout.state(&question.config.id))?;
    let request = RepoRefresh {
        shared: None,
        config: question.config,
        cache: layout.metadata(&question.config.id),
        parts: question.parts,
        force: question.ask && !question.complete,
        cache_only: !question.ask,
        stale_ok: false,
        spared: None,
        older: question.older,
        now: question.now,
        check_signature: Some(&check),
    };
    let observer = AgeObserver {
        next: observer,
        older: Mutex::new(None),
        refused: Mutex::default(),
    };
    let mut results = repo_client::refresh(
        client,
        &[request],
        &repo_client::TransferLimits::hasty(),
        &observer,
    );
    let result = results.pop().ok_or(Error::Stopped)?;
    let told = result.as_ref().err().and_then(refused_age);
    let refused = observer.refused.into_inner();
    let refused = refused.unwrap_or_else(PoisonError::into_inner).into_iter();
    for one in refused.filter(|_| told.is_none()) {
        observer.next.event(Event::MirrorFailed {
            id: one.id,
            label: &one.label,
            url: &one.failure.url,
            cause: &one.failure.cause,
            next: one.next.as_deref(),
        });
    }
    let set = result?;
    let older = observer.older.into_inner().unwrap_or_default();
    Ok((set, older))
}

/// What was offered and what was seen, where a server was refused for the age of its index.
pub(crate) fn refused_age(error: &repo_client::Error) -> Option<(u64, u64)> {
    let mut failures = error.failures().iter();
    failures.find_map(|failure| match failure.cause {
        Cause::Older { offered, seen } => Some((offered, seen)),
        _ => None,
    })
}

/// Gets a small file beside the index. It is asked for once.
///
/// # Errors
/// No server has it, or it is larger than `most` bytes.
pub(crate) fn download_beside(
    client: &Client,
    set: &MetadataSet,
    name: &str,
    dest: &Path,
    most: u64,
) -> std::result::Result<Vec<u8>, repo_client::Error> {
    let path = format!("repodata/{name}");
    let urls = set.base_urls.iter().map(|base| join_url(base, &path));
    let request = FileRequest {
        access: once(set),
        max_size: most,
        ..FileRequest::new(
            format!("{}: {name}", set.repo),
            urls.filter_map(|url| url.ok()).collect(),
            dest.to_owned(),
        )
    };
    let mut results = repo_client::fetch(
        client,
        vec![request],
        &repo_client::TransferLimits::hasty(),
        &repo_client::Silent,
    );
    let absent = || repo_client::Error::Setup(format!("{name}: no answer"));
    let found = results.pop().ok_or_else(absent)??;
    let data = layout::read(&found.path, most);
    let _ = std::fs::remove_file(dest);
    data.map_err(|error| repo_client::Error::Setup(format!("{name}: {error}")))
}

/// The access of a set without retries: for files that need not exist.
pub(crate) fn once(set: &MetadataSet) -> Arc<Access> {
    let mut access = Access::clone(&set.access);
    access.retries = 0;
    Arc::new(access)
}

/// Opens a part: decompressed and checked while it is read. Where its checksum is right, a wrong size of it, and a
/// wrong size or checksum of what it unpacks to, are a doubt: repositories in the field have such records.
pub(crate) fn open(
    path: &Path,
    record: &RepomdRecord,
    doubt: &Doubt,
) -> Result<VerifiedReader<File>> {
    let file = layout::open(path).map_err(Error::file(path, "read"))?;
    let mut expected = record.expected();
    let name = record.href.file_name();
    if expected.checksum.is_none() {
        return VerifiedReader::new(file, name, expected).map_err(Error::file(path, "read"));
    }
    expected.size = None;
    let reader = VerifiedReader::new(file, name, expected).map_err(Error::file(path, "read"))?;
    // The reader itself compares the checksum, at the same end.
    Ok(reader.doubting(doubt.clone(), Box::new(|| Ok(true))))
}

/// What a primary lists.
#[derive(Default)]
pub(crate) struct PrimaryList {
    /// In the order of primary.
    pub(crate) packages: Vec<Listed>,
    /// Packages that cannot be taken, and why.
    pub(crate) refused: Vec<(Nevra, String)>,
    /// Records that no reader takes.
    pub(crate) left_out: Option<LeftOut>,
}

/// Reads primary.
///
/// # Errors
/// It is not what the index says.
pub(crate) fn list(set: &MetadataSet) -> Result<PrimaryList> {
    let part = primary_of(set)?;
    let mut list = PrimaryList::default();
    let name = part.path.display().to_string();
    let summary = read_primary(
        &name,
        (&part.path, &part.record),
        &part.doubt,
        &mut |package| {
            match listed(package, set) {
                Ok(one) => list.packages.push(one),
                Err(why) => list.refused.push((nevra(package), why)),
            }
            ControlFlow::Continue(())
        },
    )?;
    let unread = summary.left_out.as_ref().map_or(0, |left| left.records);
    let records = summary.records + unread;
    list.left_out = summary.left_out;
    if let Some(declared) = summary.declared.filter(|told| *told != records) {
        return Err(Error::repository(
            &set.repo,
            format!("primary announces {declared} packages and lists {records}"),
        ));
    }
    claim_paths_once(&mut list);
    set.accept();
    Ok(list)
}

/// Reads a primary. One package with a path that leads astray must not keep the others out: it is
/// handed over with its fault.
pub(crate) fn read_primary(
    name: &str,
    (path, record): (&Path, &RepomdRecord),
    doubt: &Doubt,
    each: &mut dyn FnMut(&PrimaryPackage) -> ControlFlow<()>,
) -> Result<ParseSummary> {
    let limits = XmlLimits::default();
    Ok(primary::read(
        name,
        open(path, record, doubt)?,
        &limits,
        each,
    )?)
}

/// The checksum of a part of a repository, which may not be of an unknown kind.
pub(crate) fn checksum(repo: &str, record: &RepomdRecord) -> Result<Digest> {
    let what = || format!("{} has no checksum of a known kind", record.kind);
    record
        .checksum
        .ok_or_else(|| Error::repository(repo, what()))
}

/// The primary of a set, which every repository must have.
pub(crate) fn primary_of(set: &MetadataSet) -> Result<&PartFile> {
    let part = set.part("primary");
    part.ok_or_else(|| Error::repository(&set.repo, "repomd.xml lists no primary"))
}

/// What was read of a document of a repository, if all of it can be used.
pub(crate) fn whole(repo: &str, kind: &str, summary: &ParseSummary) -> Result<()> {
    match &summary.left_out {
        None => Ok(()),
        Some(left_out) => Err(Error::repository(repo, format!("{kind}: {left_out}"))),
    }
}

/// The full name of a package without its epoch.
pub(crate) fn name_of(package: &PrimaryPackage) -> String {
    let (name, version) = (package.name(), package.version());
    format!("{name}-{version}-{}.{}", package.release(), package.arch())
}

fn nevra(package: &PrimaryPackage) -> Nevra {
    Nevra::new(
        package.name(),
        Evr {
            epoch: Some(package.epoch()),
            version: package.version().to_owned(),
            release: package.release().to_owned(),
        },
        package.arch(),
    )
}

fn listed(package: &PrimaryPackage, set: &MetadataSet) -> std::result::Result<Listed, String> {
    let location = here(package);
    Href::parse(&location).map_err(|error| error.to_string())?;
    let digest = package
        .digest()
        .ok_or_else(|| format!("no checksum of a known kind ({})", package.checksum_type()))?;
    let moved = matches!(location, Cow::Owned(_));
    let listed = Listed {
        nevra: nevra(package),
        location: location.into_owned(),
        base: package.location_base().map(str::to_owned),
        href: moved.then(|| package.refused_location().to_owned()),
        size: package.package_size(),
        digest,
        built: package.build_time(),
    };
    if listed.lies_elsewhere() {
        listed.urls(set)?;
    }
    Ok(listed)
}

/// One path is one file: the same package listed twice is one; of two contents under one path nobody knows which is
/// right, and neither is taken.
fn claim_paths_once(list: &mut PrimaryList) {
    let mut seen: BTreeMap<String, Digest> = BTreeMap::new();
    let mut doubled = BTreeSet::new();
    list.packages
        .retain(|package| match seen.get(&package.location) {
            Some(digest) => {
                if *digest != package.digest {
                    doubled.insert(package.location.clone());
                }
                false
            }
            None => {
                seen.insert(package.location.clone(), package.digest);
                true
            }
        });
    let is_doubled = |package: &mut Listed| doubled.contains(&package.location);
    let refused = list.packages.extract_if(.., is_doubled);
    list.refused.extend(refused.map(|package| {
        let why = format!(
            "it is listed twice, with different content at {}",
            package.location
        );
        (package.nevra, why)
    }));
}

/// How old an index is: latest timestamp, then revision.
pub(crate) fn age(set: &MetadataSet) -> (u64, u64) {
    (
        set.repomd.max_timestamp().unwrap_or(0),
        set.repomd.revision_number().unwrap_or(0),
    )
}
