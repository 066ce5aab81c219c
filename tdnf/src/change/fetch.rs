//! Package files of a plan: from URL to a checked file in the cache.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use repo_client::{Cause, FetchedFile, FileRequest, fetch_each, join_below};
use rpm_pkg::digest::{Digest, DigestAlgo};
use rpm_repo::layout::Href;
use rpm_trust::Keyring;

use super::verify::{self, Examined};
use crate::error::{Code, Failure, Outcome, Restart};
use crate::plan::{PackageOrigin, Plan, PlannedChange};
use crate::progress::NetworkView;
use crate::session::{LoadedRepo, Packages, Session, database_keyring};
use crate::view::Addresses;

/// Folder of package files below the cache directory of a repository.
pub(super) const PACKAGES: &str = "rpms";
/// The pseudo repository of files on the command line.
pub const CMDLINE: &str = "@cmdline";
/// Largest package file whose size no metadata tells (files of the command line).
pub(super) const MAX_PACKAGE: u64 = 16 << 30;

/// A package file that is there and is the one the metadata names.
#[derive(Debug)]
pub(super) struct FetchedPackage {
    /// Its change in the plan.
    pub(super) change: usize,
    /// The file.
    pub(super) path: PathBuf,
    /// It lies in our cache and may be removed after use.
    pub(super) cached: bool,
}

/// All package files of a plan.
#[derive(Debug)]
#[must_use]
pub struct Fetched {
    packages: Vec<FetchedPackage>,
    keyring: Keyring,
    examined: Examined,
}

impl Fetched {
    /// The files, in the order of the plan; the keys that the root trusts; and what some of the files were found to be
    /// with those.
    pub(super) fn into_parts(self) -> (Vec<FetchedPackage>, Keyring, Examined) {
        (self.packages, self.keyring, self.examined)
    }
}

/// Fetches every package file of the plan, as [`download`] does; signatures are looked at while others still come.
pub(super) fn fetch(
    session: &Session<'_>,
    plan: &Plan,
    sources: &[LoadedRepo],
    found: BTreeMap<usize, PathBuf>,
) -> Outcome<Fetched> {
    let keyring = database_keyring(session)?;
    let now = session.settings.environment.now;
    let (packages, examined) = verify::beside(plan, &keyring, now, |there| {
        download(session, plan, sources, found, there)
    })?;
    Ok(Fetched {
        packages,
        keyring,
        examined,
    })
}

/// Fetches every package file of the plan, several at a time, and gives them in its order. Size and digest are checked
/// while the bytes come; what is in the cache already is checked, too, and fetched again if it is bad. `found` are files
/// that were checked already, by their change in the plan: those of a lock. `there` is told of each file, and its change,
/// as soon as it is there.
pub(super) fn download(
    session: &Session<'_>,
    plan: &Plan,
    sources: &[LoadedRepo],
    mut found: BTreeMap<usize, PathBuf>,
    there: &mut dyn FnMut(usize, PathBuf),
) -> Outcome<Vec<FetchedPackage>> {
    session.use_cache();
    let sources: BTreeMap<&str, &LoadedRepo> = sources
        .iter()
        .map(|source| (source.config.id.as_str(), source))
        .collect();
    let mut packages = Vec::new();
    let mut requests = Vec::new();
    let mut waiting = Vec::new();
    for (index, change) in plan.changes.iter().enumerate() {
        let Some(origin) = &change.origin else {
            continue;
        };
        let known = match origin.repo.as_str() {
            CMDLINE => Some((PathBuf::from(&origin.location), false)),
            _ => found.remove(&index).map(|path| {
                let cached = path.starts_with(session.cache_dir());
                (path, cached)
            }),
        };
        if let Some((path, cached)) = known {
            there(index, path.clone());
            packages.push(FetchedPackage {
                change: index,
                path,
                cached,
            });
            continue;
        }
        let closed = || format!("repository {} is not open", origin.repo);
        let source = sources.get(origin.repo.as_str());
        let source = source.ok_or_else(|| Failure::because(Code::BASE, closed()))?;
        requests.push(request(session, change, origin, source)?);
        waiting.push((index, origin));
    }
    let view = NetworkView::new(session.printer);
    let mut seen = |at: usize, file: &FetchedFile| {
        if let Some((change, _)) = waiting.get(at) {
            there(*change, file.path.clone());
        }
    };
    let limits = session.limits();
    let results =
        session.transfer(|| fetch_each(session.client(), requests, &limits, &view, &mut seen))?;
    for ((index, origin), result) in waiting.into_iter().zip(results) {
        let file = result.map_err(|error| refused(origin, error))?;
        if file.url.is_none() && file.transferred == 0 && is_asked_for(&file.path, session) {
            let change = plan.changes.get(index);
            let name = change.map_or("", |change| &change.package.name);
            let line = format!("{name} package already downloaded");
            session.printer.info(&line);
        }
        let cached = file.path.starts_with(session.cache_dir());
        packages.push(FetchedPackage {
            change: index,
            path: file.path,
            cached,
        });
    }
    packages.sort_by_key(|package: &FetchedPackage| package.change);
    Ok(packages)
}

/// Where the packages of a plan are: for each the first of its URLs, or its file.
pub(super) fn addresses(plan: &Plan, packages: &Packages) -> Outcome<Addresses> {
    let mut urls = Vec::new();
    let changes = plan.changes.iter();
    for origin in changes.filter_map(|change| change.origin.as_ref()) {
        match LoadedRepo::find(&packages.sources, &origin.repo) {
            Some(source) => {
                let of = source.urls_of(&origin.location, origin.base.as_deref())?;
                urls.extend(of.into_iter().next());
            }
            None => urls.push(origin.location.clone()),
        }
    }
    Ok(Addresses(urls))
}

/// Whether a file lies in `--downloaddir`: that it was there already is only told of those.
fn is_asked_for(path: &Path, session: &Session<'_>) -> bool {
    let dir = session.settings.download_dir.as_ref();
    dir.is_some_and(|dir| path.starts_with(dir))
}

fn request(
    session: &Session<'_>,
    change: &PlannedChange,
    origin: &PackageOrigin,
    source: &LoadedRepo,
) -> Outcome<FileRequest> {
    let href = Href::parse(&origin.location)?;
    let download_dir = session.settings.download_dir.as_ref();
    let cache = session.repo_cache(&source.config).join(PACKAGES);
    let dest = match download_dir {
        Some(dir) => join_below(dir, href.file_name())?,
        None => join_below(&cache, href.as_str())?,
    };
    let request = request_to(&change.package.nvra(), origin, source, dest)?;
    Ok(FileRequest {
        in_place: download_dir.is_none(),
        ..request
    })
}

/// What fetches a package of a repository to `dest`, with the size and digest that the metadata
/// promises.
pub(crate) fn request_to(
    label: &str,
    origin: &PackageOrigin,
    source: &LoadedRepo,
    dest: PathBuf,
) -> Outcome<FileRequest> {
    let urls = source.urls_of(&origin.location, origin.base.as_deref())?;
    let digest = match &origin.checksum {
        Some((algorithm, hex)) => Some(parse_digest(origin, algorithm, hex)?),
        None => None,
    };
    Ok(FileRequest {
        access: source.set.access.clone(),
        size: (origin.size > 0).then_some(origin.size),
        digest,
        max_size: MAX_PACKAGE,
        ..FileRequest::new(label, urls, dest)
    })
}

fn parse_digest(origin: &PackageOrigin, algorithm: &str, hex: &str) -> Outcome<Digest> {
    let parsed = DigestAlgo::from_name(algorithm).map(|algo| Digest::from_hex(algo, hex));
    match parsed {
        Some(Ok(digest)) => Ok(digest),
        _ => Err(Failure::because(
            Code::CHECKSUM_MISMATCH,
            format!(
                "{}: the metadata has no usable checksum ({algorithm})",
                origin.location
            ),
        )),
    }
}

/// A package file that could not be had or is not the one the metadata names.
pub(crate) fn refused(origin: &PackageOrigin, error: repo_client::Error) -> Failure {
    let location = &origin.location;
    let has = |cause: fn(&Cause) -> bool| error.failures().iter().any(|f| cause(&f.cause));
    let digest = has(|cause| matches!(cause, Cause::Digest { .. }));
    let size = has(|cause| matches!(cause, Cause::Size { .. } | Cause::TooLarge { .. }));
    let moved_on = has(Cause::is_moved_on);
    let mut failure = Failure::from(error);
    if moved_on {
        failure.restart = Some(Restart::WithNewer(origin.repo.clone()));
    }
    if digest {
        failure.code = Code::CHECKSUM_MISMATCH;
        failure = failure.detail(format!(
            "rpm file ({location}) Checksum FAILED (digest mismatch)"
        ));
    } else if size {
        failure.code = Code::SIZE_MISMATCH;
    }
    failure.detail(format!("Error processing package: {location}"))
}
