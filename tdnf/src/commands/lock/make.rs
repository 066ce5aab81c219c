//! A lock of what the solver finds for an empty root, and of what is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use repo_client::without_login;
use rpm_pkg::digest::{Digest, DigestAlgo};
use rpm_pkg::header::{Header, tag};
use rpm_pkg::package::Package;
use rpm_repo::layout::tidied;
use rpm_repo::lock::{Lock, LockReason, LockedArch, LockedPackage, LockedRepo, Signer};
use rpm_solv::SolvableId;
use rustix::fs::OFlags;
use whole_file::open_named;

use super::{FILE, put};
use crate::change;
use crate::commands::change::{goal_of, request, tell_idle_excludes};
use crate::commands::files;
use crate::error::{At, Code, Failure, Outcome};
use crate::goal::{self, Request, Verb};
use crate::plan::{ChangeReason, PackageOrigin, Plan, PlannedAction, PlannedChange};
use crate::session::{Freshness, LoadedRepo, PRIMARY, Packages, Session, digest_of, offered_keys};
use crate::settings::arches;
use crate::view;

/// `lock WORD...`.
pub(super) fn write(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    if let Some(file) = files::split(words).0.first() {
        let line = format!("{file}: a lock names packages of repositories, no files");
        return Err(
            Failure::invalid(line).hint("--repofromdir ID,DIR makes a repository of a folder")
        );
    }
    session.require_repos()?;
    let mut lock = Lock {
        words: words.to_vec(),
        releasever: session.used_releasever()?,
        ..Lock::default()
    };
    for arch in architectures(session)? {
        let section = on(session, &arch, None, |session| {
            let (packages, plan) = solve(session, words, Freshness::WhenExpired, |_, _| Ok(()))?;
            section(session, &packages, &plan, None, &mut |_, _| Ok(()))
        })?;
        lock.architectures.insert(arch, section);
    }
    put(session, &lock, FILE)
}

/// The architectures of `--arch`, lists with commas among them; else the machine's.
fn architectures(session: &Session<'_>) -> Outcome<Vec<String>> {
    let given = session.args.options.arch.arch.iter();
    let mut all: Vec<String> = given
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .map(str::to_owned)
        .collect();
    if all.is_empty() {
        all.push(session.settings.arch.clone());
    }
    let mut seen = BTreeSet::new();
    for arch in &all {
        if arch.is_empty()
            || arch == "noarch"
            || arch == "src"
            || arch.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        {
            return Err(Failure::invalid(format!(
                "--arch={arch}: the architecture of a machine is expected"
            )));
        }
        arches::machine("arch", arch)?;
        if !seen.insert(arch) {
            return Err(Failure::invalid(format!("--arch: {arch} is named twice")));
        }
    }
    Ok(all)
}

/// Does something as on a machine of this architecture and, where one is given, release.
pub(super) fn on<T>(
    session: &Session<'_>,
    arch: &str,
    releasever: Option<&str>,
    work: impl FnOnce(&Session<'_>) -> Outcome<T>,
) -> Outcome<T> {
    let settings = &session.settings;
    let is_same = settings.arch == arch
        && (releasever.is_none() || releasever == settings.releasever.as_deref());
    match is_same {
        true => work(session),
        false => work(&session.as_on(arch, releasever)?),
    }
}

/// What the words take in a root in which nothing is. `hide` may hide packages before the words are understood.
pub(super) fn solve(
    session: &Session<'_>,
    words: &[String],
    freshness: Freshness,
    hide: impl FnOnce(&mut Packages, &mut Request) -> Outcome<()>,
) -> Outcome<(Packages, Plan)> {
    let sources = session.sources(PRIMARY, freshness)?;
    let mut packages = session.packages_of(sources)?;
    let mut request = request(session)?.with(words);
    request.name_install_only(&mut packages)?;
    tell_idle_excludes(session, &packages);
    request.hide(&mut packages);
    hide(&mut packages, &mut request)?;
    let goal = goal_of(session, &mut packages, Verb::Install, &request)?;
    let plan = goal::solve(&request, &goal, &mut packages, session)?;
    view::notes::show(session.printer, &plan.notes);
    if plan.is_empty() {
        return Err(Code::CLI_NOTHING_TO_DO.into());
    }
    Ok((packages, plan))
}

/// The section of a plan. Packages of `known` that are the same file keep their signer; the others are fetched and
/// judged, and `each` sees their files.
pub(super) fn section(
    session: &Session<'_>,
    packages: &Packages,
    plan: &Plan,
    known: Option<&LockedArch>,
    each: &mut dyn FnMut(&PlannedChange, &Path) -> Outcome<()>,
) -> Outcome<LockedArch> {
    let known = known.map_or(&[][..], |known| &known.packages);
    let known: BTreeMap<(String, String), &LockedPackage> = known
        .iter()
        .map(|package| ((package.nevra(), package.checksum.to_string()), package))
        .collect();
    let signer_of = |change: &PlannedChange| {
        let (kind, hex) = change.origin.as_ref()?.checksum.as_ref()?;
        let digest = digest(kind, hex)?.to_string();
        let known = known.get(&(change.package.nevra(), digest))?;
        (known.signer != Signer::Untold).then(|| known.signer.clone())
    };
    let is_new = |change: &&PlannedChange| signer_of(change).is_none();
    let fresh = Plan {
        changes: plan.incoming().filter(is_new).cloned().collect(),
        ..Plan::default()
    };
    let mut judged = change::signers(session, packages, &fresh)?;
    let sources = source_packages(packages, plan)?;
    let mut section = LockedArch::default();
    let mut next = 0;
    for change in plan.incoming() {
        let Some(origin) = &change.origin else {
            continue;
        };
        let strong = origin
            .checksum
            .as_ref()
            .and_then(|(kind, hex)| digest(kind, hex));
        let (signer, checksum) = match signer_of(change) {
            Some(signer) => (signer, strong),
            None => {
                let (signer, path) = judged.remove(&next).ok_or_else(|| lost(change))?;
                next += 1;
                each(change, &path)?;
                let checksum = strong.map_or_else(|| digest_of(DigestAlgo::Sha256, &path), Ok)?;
                (signer, Some(checksum))
            }
        };
        let checksum = checksum.ok_or_else(|| lost(change))?;
        let key = (change.repo().to_owned(), change.package.nevra());
        let sourcerpm = sources.get(&key).cloned().filter(|name| !name.is_empty());
        section
            .packages
            .push(package(change, origin, checksum, signer, sourcerpm));
    }
    let used: BTreeSet<&str> = section
        .packages
        .iter()
        .map(|package| package.repo.as_str())
        .collect();
    for source in packages
        .sources
        .iter()
        .filter(|source| used.contains(source.config.id.as_str()))
    {
        section.repositories.push(repository(session, source)?);
    }
    section.sort();
    Ok(section)
}

fn lost(change: &PlannedChange) -> Failure {
    let line = format!("{}: its file was not judged", change.package.nevra());
    Failure::because(Code::BASE, line)
}

/// The digest that metadata name, if it is a strong one.
pub(super) fn digest(kind: &str, hex: &str) -> Option<Digest> {
    let algo = DigestAlgo::from_name(kind).filter(|algo| algo.is_strong())?;
    Digest::from_hex(algo, hex).ok()
}

/// The packages of the pool that are files of a section, each with its package. Where the metadata name a weak digest
/// alone, version and size have to do: what is fetched has the lock's digest or is refused.
pub(super) fn files_of<'l>(
    packages: &Packages,
    section: &'l LockedArch,
) -> Outcome<BTreeMap<SolvableId, &'l LockedPackage>> {
    let named = section
        .packages
        .iter()
        .map(|package| (package.nevra(), package));
    let named: BTreeMap<String, &LockedPackage> = named.collect();
    let names: BTreeSet<&str> = section
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let pool = &packages.pool;
    let mut found = BTreeMap::new();
    for id in pool
        .solvables()
        .filter(|id| names.contains(pool.name(*id)) && !pool.is_installed(*id))
    {
        let Some(package) = named.get(&packages.package_id(id).nevra()) else {
            continue;
        };
        let facts = pool.plan_facts(id)?;
        let is_same = match digest(&facts.checksum_kind, &facts.checksum) {
            Some(digest) => digest == package.checksum,
            None => facts.package_size == package.size,
        };
        if is_same {
            found.insert(id, *package);
        }
    }
    Ok(found)
}

pub(super) fn package(
    change: &PlannedChange,
    origin: &PackageOrigin,
    checksum: Digest,
    signer: Signer,
    sourcerpm: Option<String>,
) -> LockedPackage {
    let id = &change.package;
    LockedPackage {
        name: id.name.clone(),
        epoch: id.epoch,
        version: id.version.clone(),
        release: id.release.clone(),
        arch: id.arch.clone(),
        repo: origin.repo.clone(),
        location: tidied(&origin.location).into_owned(),
        url: origin.url.clone(),
        size: origin.size,
        checksum,
        signer,
        reason: match change.reason {
            ChangeReason::User => LockReason::User,
            ChangeReason::WeakDependency => LockReason::Weak,
            _ => LockReason::Dependency,
        },
        sourcerpm,
    }
}

/// The source packages of a plan, by repository and package.
fn source_packages(
    packages: &Packages,
    plan: &Plan,
) -> Outcome<BTreeMap<(String, String), String>> {
    let names: BTreeSet<&str> = plan
        .incoming()
        .map(|change| change.package.name.as_str())
        .collect();
    let pool = &packages.pool;
    let mut found = BTreeMap::new();
    for id in pool.solvables().filter(|id| names.contains(pool.name(*id))) {
        let key = (packages.repo_of(id), packages.package_id(id).nevra());
        found.insert(key, pool.facts(id)?.sourcerpm);
    }
    Ok(found)
}

/// A repository as a lock remembers it.
pub(in crate::commands) fn repository(
    session: &Session<'_>,
    source: &LoadedRepo,
) -> Outcome<LockedRepo> {
    let config = &source.config;
    let base = config.baseurl.first().or(source.set.base_urls.first());
    let offered = match config.gpgkey.is_empty() {
        true => Vec::new(),
        false => offered_keys(session, config)?,
    };
    let keys: BTreeSet<String> = offered
        .into_iter()
        .map(|offered| offered.key.fingerprint)
        .collect();
    Ok(LockedRepo {
        id: config.id.clone(),
        baseurl: base.map_or_else(String::new, |url| without_login(url)),
        repomd: Some(source.set.repomd_digest),
        keys: keys.into_iter().collect(),
    })
}

/// `lock --installed`: what is installed, from the repositories that offer exactly that.
pub(super) fn write_installed(session: &Session<'_>) -> Outcome<u8> {
    if !session.args.options.arch.arch.is_empty() {
        return Err(Failure::invalid(
            "--arch has no meaning with --installed: what is installed has its own",
        ));
    }
    session.require_repos()?;
    let auto = change::auto_installed(session)?;
    let packages = session.packages(session.sources(PRIMARY, Freshness::WhenExpired)?)?;
    let pool = &packages.pool;
    let mut offered: BTreeMap<String, Vec<SolvableId>> = BTreeMap::new();
    for id in pool.solvables().filter(|id| !pool.is_installed(*id)) {
        offered
            .entry(packages.package_id(id).nevra())
            .or_default()
            .push(id);
    }
    let (mut plan, mut missing) = (Plan::default(), Vec::new());
    let (mut words, mut numbers) = (BTreeSet::new(), BTreeMap::new());
    for id in pool.repo_solvables(packages.installed) {
        let (name, nevra) = (pool.name(id), packages.package_id(id).nevra());
        // Keys are records that no repository offers.
        if name == "gpg-pubkey" {
            continue;
        }
        let facts = pool.plan_facts(id)?;
        // Of several builds of one version the one of the same size is meant.
        let rank = |other: &SolvableId| {
            let size = pool.plan_facts(*other).map(|other| other.installed_size);
            let differs = size.ok() != Some(facts.installed_size);
            (differs, packages.priority(*other))
        };
        let candidates = offered.get(&nevra).into_iter().flatten().copied();
        let Some(best) = candidates.min_by_key(rank) else {
            missing.push(nevra);
            continue;
        };
        numbers.insert(nevra, facts.database_number);
        let reason = match auto.contains(name) {
            true => ChangeReason::Dependency,
            false => ChangeReason::User,
        };
        if reason == ChangeReason::User {
            words.insert(name.to_owned());
        }
        plan.changes.push(goal::change(
            &packages,
            best,
            PlannedAction::Install,
            reason,
        )?);
    }
    if !missing.is_empty() {
        missing.sort();
        let mut failure = Failure::new(Code::NO_MATCH);
        failure.details = missing
            .iter()
            .map(|nevra| format!("{nevra}: installed, and no repository offers it"))
            .collect();
        return Err(failure.hint("only what a repository offers can be fetched again: enable the one that it came from, or make one of the files with --repofromdir ID,DIR"));
    }
    if plan.is_empty() {
        let root = session.settings.root.display();
        let line = format!("{root}: nothing is installed there");
        return Err(Failure::because(Code::NO_MATCH, line));
    }
    plan.changes.sort_by(|a, b| a.package.cmp(&b.package));
    let mut lock = Lock {
        words: words.into_iter().collect(),
        releasever: session.used_releasever()?,
        ..Lock::default()
    };
    let db = session.db()?;
    let mut others = Failure::new(Code::NO_MATCH);
    let section = section(session, &packages, &plan, None, &mut |change, path| {
        let nevra = change.package.nevra();
        let number = numbers.get(&nevra).copied();
        let header = match (&db, number) {
            (Some(db), Some(number)) => db.get(number)?,
            _ => None,
        };
        let (file, _) = open_named(path, OFlags::RDONLY).at(path)?;
        let opened = Package::open(BufReader::new(file))
            .map_err(|error| Failure::package(Code::RPMRC_FAIL, path, &error))?;
        if let Some(why) = header.and_then(|header| difference(&header, &opened)) {
            others.details.push(format!(
                "{nevra}: what repository {} offers is another build than what is installed: {why}",
                change.repo()
            ));
        }
        Ok(())
    })?;
    if !others.details.is_empty() {
        return Err(others.hint("reinstall them, or enable the repository that they came from and leave out this one with --disablerepo ID"));
    }
    lock.architectures
        .insert(session.settings.arch.clone(), section);
    put(session, &lock, FILE)
}

/// What tells the build of a file from the installed one, as far as both say it.
fn difference(installed: &Header, file: &Package<BufReader<File>>) -> Option<String> {
    let text = |header: &Header, tag| {
        let text = header.string(tag)?;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let bytes = |header: &Header, tag| {
        let bytes = header.bin(tag)?.iter();
        Some(bytes.map(|byte| format!("{byte:02x}")).collect::<String>())
    };
    let built = |header: &Header| Some(header.u32(tag::BUILDTIME)?.to_string());
    let pairs = [
        (
            "SHA-256 of the header",
            text(installed, tag::SHA256HEADER),
            text(&file.signature, tag::SHA256HEADER),
        ),
        (
            "SHA-1 of the header",
            text(installed, tag::SHA1HEADER),
            text(&file.signature, tag::SHA1HEADER),
        ),
        (
            "MD5 of header and payload",
            bytes(installed, tag::SIGMD5),
            bytes(&file.signature, tag::SIG_MD5),
        ),
        ("time of the build", built(installed), built(&file.header)),
    ];
    let mut told = pairs
        .into_iter()
        .filter_map(|(what, here, there)| Some((what, here?, there?)));
    let (what, here, there) = told.find(|(_, here, there)| here != there)?;
    Some(format!("{what} is {there}, and {here} is installed"))
}
