//! The files of a lock, found by their digests: in folders that are given, in the cache, by the URL of the lock, and in
//! any repository that lists the same digest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use repo_client::{Access, FileRequest, fetch as fetch_files, join_below, join_url};
use rpm_pkg::digest::Digest;
use rpm_repo::Place;
use rpm_repo::config::RepoConfig;
use rpm_repo::layout::{Href, file_url};
use rpm_repo::lock::LockedPackage;
use rpm_solv::SolvableId;

use super::fetch::{CMDLINE, MAX_PACKAGE, PACKAGES};
use crate::error::{Code, Failure, Outcome};
use crate::progress::NetworkView;
use crate::session::{Freshness, LoadedRepo, PRIMARY, Packages, Session, any_below, digest_of};

/// A file that is looked for.
struct Sought<'l> {
    package: &'l LockedPackage,
    /// Its section, where its repository is known here, on or off.
    config: Option<&'l RepoConfig>,
    /// Why it is not there yet; more than one where several places have another file.
    why: Vec<String>,
    /// Where it was asked for.
    tried: BTreeSet<String>,
    /// Some place has another file in its stead.
    is_changed: bool,
}

/// Finds the files of `packages`, by their index. `seeds` are folders that are looked into first.
///
/// # Errors
/// A folder cannot be read; files that are nowhere, each with a line.
pub(super) fn locate(
    session: &Session<'_>,
    packages: &BTreeMap<usize, &LockedPackage>,
    seeds: &[PathBuf],
    configs: &[RepoConfig],
) -> Outcome<BTreeMap<usize, PathBuf>> {
    let sought = packages.iter().map(|(index, package)| {
        let config = configs.iter().find(|config| config.id == package.repo);
        let sought = Sought {
            package,
            config,
            why: Vec::new(),
            tried: BTreeSet::new(),
            is_changed: false,
        };
        (*index, sought)
    });
    let mut sought: BTreeMap<usize, Sought<'_>> = sought.collect();
    let mut found = BTreeMap::new();
    for seed in seeds {
        look_below(seed, &mut sought, &mut found)?;
    }
    if session.cache_dir().is_dir() {
        look_below(session.cache_dir(), &mut sought, &mut found)?;
    }
    if !session.settings.cache_only {
        ask(session, &mut sought, &mut found, &of_section)?;
        let anybody = Arc::new(Access::from_config(&anonymous(session)?));
        ask(session, &mut sought, &mut found, &|sought| {
            let url = Some(sought.package.url.clone()).filter(|url| !url.is_empty())?;
            Some((vec![url], Arc::clone(&anybody)))
        })?;
        if !sought.is_empty() && !session.is_without_repos() {
            ask_repositories(session, &mut sought, &mut found)?;
        }
    }
    match missing(&sought) {
        None => place(session, packages, found),
        Some(failure) => Err(failure),
    }
}

/// One line for each file that is nowhere.
fn missing(sought: &BTreeMap<usize, Sought<'_>>) -> Option<Failure> {
    let is_changed = sought.values().any(|one| one.is_changed);
    let code = if is_changed {
        Code::CHECKSUM_MISMATCH
    } else {
        Code::FILE_NOT_FOUND
    };
    let mut failure = Failure::new(code);
    for one in sought.values() {
        let (nevra, checksum) = (one.package.nevra(), one.package.checksum);
        let why = match one.why.as_slice() {
            [] => String::new(),
            lines => format!(": {}", lines.join("; ")),
        };
        failure = failure.detail(match one.is_changed {
            true => format!("{nevra}: changed since the lock{why}"),
            false => format!("{nevra}: no file with {checksum} is found{why}"),
        });
    }
    let failure = failure.hint("--seed DIR names a folder that has the files, whatever they are called; nothing was changed");
    (!sought.is_empty()).then_some(failure)
}

/// Takes every file below a folder that has the size and the digest of one that is looked for.
fn look_below(
    dir: &Path,
    sought: &mut BTreeMap<usize, Sought<'_>>,
    found: &mut BTreeMap<usize, PathBuf>,
) -> Outcome<()> {
    if sought.is_empty() {
        return Ok(());
    }
    for path in any_below(dir, &|_| true)? {
        let Some(size) = path
            .metadata()
            .ok()
            .filter(|about| about.is_file())
            .map(|about| about.len())
        else {
            continue;
        };
        let fits = |one: &Sought<'_>| {
            one.package.size == size
                || one.package.size == 0 && path.extension().is_some_and(|end| end == "rpm")
        };
        let algos = sought
            .values()
            .filter(|one| fits(one))
            .map(|one| one.package.checksum.algo());
        let mut algos: Vec<_> = algos.collect();
        algos.dedup();
        for algo in algos {
            let digest = digest_of(algo, &path).ok();
            let same = |digest: Digest| {
                sought
                    .iter()
                    .find(|(_, one)| one.package.checksum == digest)
            };
            if let Some(index) = digest.and_then(same).map(|(index, _)| *index) {
                sought.remove(&index);
                found.insert(index, path.clone());
                break;
            }
        }
        if sought.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Servers, and how they are spoken to.
type Way = (Vec<String>, Arc<Access>);

/// Asks for each file where `way` says; what comes is what is looked for.
fn ask(
    session: &Session<'_>,
    sought: &mut BTreeMap<usize, Sought<'_>>,
    found: &mut BTreeMap<usize, PathBuf>,
    way: &dyn Fn(&Sought<'_>) -> Option<Way>,
) -> Outcome<()> {
    let (mut asked, mut requests) = (Vec::new(), Vec::new());
    for (index, one) in sought.iter_mut() {
        if let Some((mut urls, access)) = way(one) {
            urls.retain(|url| one.tried.insert(url.clone()));
            if !urls.is_empty() {
                asked.push(*index);
                requests.push(request(session, one, urls, access)?);
            }
        }
    }
    if requests.is_empty() {
        return Ok(());
    }
    let view = NetworkView::new(session.printer);
    let results =
        session.transfer(|| fetch_files(session.client(), requests, &session.limits(), &view))?;
    for (index, result) in asked.into_iter().zip(results) {
        match (result, sought.get_mut(&index)) {
            (Ok(file), _) => {
                sought.remove(&index);
                found.insert(index, file.path);
            }
            (Err(error), Some(one)) => {
                use repo_client::Cause::{Digest, Size, TooLarge};
                let mut failures = error.failures().iter();
                one.is_changed |= failures.any(|failure| {
                    matches!(failure.cause, Digest { .. } | Size { .. } | TooLarge { .. })
                });
                let lines = error
                    .failures()
                    .iter()
                    .map(|failure| format!("{}: {}", failure.url, failure.cause));
                one.why.extend(lines);
                if error.failures().is_empty() {
                    one.why.push(error.to_string());
                }
            }
            (Err(_), None) => {}
        }
    }
    Ok(())
}

fn request(
    session: &Session<'_>,
    one: &Sought<'_>,
    urls: Vec<String>,
    access: Arc<Access>,
) -> Outcome<FileRequest> {
    let package = one.package;
    let dest = match one.config.filter(|_| !package.location.is_empty()) {
        Some(config) => join_below(
            &session.repo_cache(config).join(PACKAGES),
            &package.location,
        )?,
        None => join_below(
            &session.cache_dir().join(CMDLINE).join(PACKAGES),
            &package.file_name(),
        )?,
    };
    Ok(FileRequest {
        access,
        size: (package.size > 0).then_some(package.size),
        digest: Some(package.checksum),
        max_size: MAX_PACKAGE,
        in_place: true,
        ..FileRequest::new(package.nevra(), urls, dest)
    })
}

/// Below the base URLs of its section: there a login may be needed, and a mirror of the same id may stand.
fn of_section(sought: &Sought<'_>) -> Option<Way> {
    let config = sought.config?;
    let href = Href::parse(&sought.package.location).ok()?;
    let urls = config
        .baseurl
        .iter()
        .filter_map(|base| join_url(base, href.as_str()).ok());
    let urls: Vec<String> = urls.collect();
    (!urls.is_empty()).then(|| (urls, Arc::new(Access::from_config(config))))
}

/// A section that says nothing: for URLs of a lock, which get no login.
fn anonymous(session: &Session<'_>) -> Outcome<RepoConfig> {
    Ok(RepoConfig::new(
        "lock",
        Place::named("--locked"),
        &session.settings.main,
    )?)
}

/// Asks the repositories that are on for files of the same digest. One that cannot be read has none.
fn ask_repositories(
    session: &Session<'_>,
    sought: &mut BTreeMap<usize, Sought<'_>>,
    found: &mut BTreeMap<usize, PathBuf>,
) -> Outcome<()> {
    let sources = match session.sources(PRIMARY, Freshness::WhenExpired) {
        Ok(sources) => sources,
        Err(failure) => {
            session.go_on()?;
            session.printer.show_details(&failure);
            return Ok(());
        }
    };
    let packages = session.packages_of(sources)?;
    let wanted = sought.values().map(|one| one.package.checksum.hex());
    let wanted: BTreeSet<String> = wanted.collect();
    let mut ways: BTreeMap<String, Way> = BTreeMap::new();
    for id in packages.pool.solvables() {
        let hex = packages.pool.plan_facts(id)?.checksum.to_ascii_lowercase();
        if wanted.contains(&hex)
            && let Some(way) = way_to(&packages, id)
        {
            ways.entry(hex).or_insert(way);
        }
    }
    ask(session, sought, found, &|one| {
        ways.get(&one.package.checksum.hex()).cloned()
    })
}

fn way_to(packages: &Packages, id: SolvableId) -> Option<Way> {
    let facts = packages.pool.plan_facts(id).ok()?;
    let repo = packages.repo_of(id);
    let source = LoadedRepo::find(&packages.sources, &repo)?;
    let base = Some(&*facts.location_base).filter(|base| !base.is_empty());
    let urls = source.urls_of(&facts.location, base).ok()?;
    Some((urls, source.set.access.clone()))
}

/// Copies what was found to `--downloaddir`, where one was asked for.
fn place(
    session: &Session<'_>,
    packages: &BTreeMap<usize, &LockedPackage>,
    found: BTreeMap<usize, PathBuf>,
) -> Outcome<BTreeMap<usize, PathBuf>> {
    let Some(dir) = &session.settings.download_dir else {
        return Ok(found);
    };
    let (mut indexes, mut requests) = (Vec::new(), Vec::new());
    for (index, path) in &found {
        let Some(package) = packages.get(index) else {
            continue;
        };
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let dest = join_below(dir, &package.file_name())?;
        indexes.push(*index);
        requests.push(FileRequest {
            digest: Some(package.checksum),
            max_size: MAX_PACKAGE,
            ..FileRequest::new(package.nevra(), vec![file_url(&path)], dest)
        });
    }
    let view = NetworkView::new(session.printer);
    let results =
        session.transfer(|| fetch_files(session.client(), requests, &session.limits(), &view))?;
    let placed = indexes.into_iter().zip(results);
    placed
        .map(|(index, result)| Ok((index, result?.path)))
        .collect()
}
