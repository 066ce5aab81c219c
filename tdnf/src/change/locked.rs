//! The packages of a lock as a plan: exactly these files, or none and a line for each difference.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;

use rpm_pkg::evr::Evr;
use rpm_pkg::glob::glob_matches;
use rpm_pkg::package::Package;
use rpm_repo::config::RepoConfig;
use rpm_repo::lock::{LockReason, LockedArch, LockedPackage, Signer};
use rpm_solv::{JobAction, SolvableId, SolverJob};
use rpm_trust::policy::Policy;
use rustix::fs::OFlags;
use whole_file::open_named;

use super::verify::{Admitted, RootRpm, Verified, file};
use super::{Prepared, carry_out, fetch, is_agreed, locate, say_verified, say_weak, verify};
use crate::error::{At, Code, Failure, Outcome};
use crate::goal::{self, Goal, Request, SolverPolicy};
use crate::plan::{
    ChangeReason, PackageId, PackageOrigin, Plan, PlannedAction, PlannedChange, WeakSignature,
};
use crate::session::{Packages, Session, database_keyring, offered_keys};
use crate::view::Addresses;

/// What is to come, and where its files may be.
pub struct Locked {
    /// The set.
    pub section: LockedArch,
    /// Folders that have package files.
    pub seeds: Vec<PathBuf>,
}

/// Installs exactly the packages of a lock.
pub fn install_locked(session: &Session<'_>, locked: &Locked) -> Outcome<u8> {
    match prepare_locked(session, locked)? {
        Some((goal, prepared)) => carry_out(session, &goal, prepared),
        None => Ok(0),
    }
}

/// The verified packages of a lock that are not in the root in exactly their version. `None`: the settings go no
/// further.
///
/// # Errors
/// As [`obtain_locked`]; nothing is to be done.
pub(crate) fn prepare_locked(
    session: &Session<'_>,
    locked: &Locked,
) -> Outcome<Option<(Goal, Prepared)>> {
    let packages = session.packages(Vec::new())?;
    let mut plan = plan_of(session, locked, &packages);
    if plan.is_empty() {
        return Err(Code::CLI_NOTHING_TO_DO.into());
    }
    let Some(verified) = obtain(session, locked, packages, &mut plan)? else {
        return Ok(None);
    };
    if session.settings.download_only {
        return Ok(None);
    }
    let asked = plan
        .changes
        .iter()
        .filter(|change| change.reason == ChangeReason::User);
    let goal = Goal {
        requested: asked.map(|change| change.package.name.clone()).collect(),
        ..Goal::default()
    };
    session.client().rest();
    Ok(Some((goal, Prepared { plan, verified })))
}

/// The verified packages of a lock for a root in which nothing is, and their plan; none where it was only to be shown.
/// Nothing is written but the cache, and no rpm database is needed.
///
/// # Errors
/// A line for each file that is nowhere or has changed, for each other signer, and for each package that is missing or
/// too much in the set.
pub(crate) fn obtain_locked(session: &Session<'_>, locked: &Locked) -> Outcome<Option<Prepared>> {
    let packages = session.packages_of(Vec::new())?;
    let mut plan = plan_of(session, locked, &packages);
    let verified = obtain(session, locked, packages, &mut plan)?;
    Ok(verified.map(|verified| Prepared { plan, verified }))
}

/// Who signed each of the packages that a plan brings, by its place in the plan, as far as the section of its repository
/// wants signatures: they are fetched and judged as an install does it. No key is stored.
pub fn signers(
    session: &Session<'_>,
    packages: &Packages,
    plan: &Plan,
) -> Outcome<BTreeMap<usize, (Signer, PathBuf)>> {
    let sources = &packages.sources;
    let fetched = fetch::download(session, plan, sources, BTreeMap::new(), &mut |_, _| {})?;
    let rpm = RootRpm::of(session)?;
    let stored = database_keyring(session)?;
    let mut judges = BTreeMap::new();
    for source in sources {
        let mut keyring = stored.clone();
        let offered = match source.config.gpgkey.is_empty() {
            true => Vec::new(),
            false => offered_keys(session, &source.config)?,
        };
        for key in offered {
            key.add_to(&mut keyring)?;
        }
        let admitted = Admitted::by(session, &rpm, Some(&source.config))?;
        let check = session.settings.check_signatures && source.config.gpgcheck;
        let policy = if check {
            Policy::GpgCheck
        } else {
            Policy::NoGpgCheck
        };
        judges.insert(source.config.id.as_str(), (keyring, admitted, policy));
    }
    let mut found = BTreeMap::new();
    let mut weak = Vec::new();
    let mut unsigned: BTreeMap<&str, usize> = BTreeMap::new();
    for item in fetched {
        let Some(change) = plan.changes.get(item.change) else {
            continue;
        };
        let Some((keyring, admitted, policy)) = judges.get(change.repo()) else {
            continue;
        };
        let verdict = file(
            session,
            &item.path,
            &change.package,
            (keyring, admitted),
            *policy,
        )?;
        if let Some((_, weaknesses)) = verdict.admitted() {
            weak.push(WeakSignature {
                package: change.package.nevra(),
                weaknesses: weaknesses.to_string(),
                admitted_by: admitted.source.clone(),
            });
        }
        let signer = match verdict.signer() {
            Some(key) => Signer::Key(key.fingerprint.clone()),
            None => {
                *unsigned.entry(change.repo()).or_default() += 1;
                Signer::Nobody
            }
        };
        found.insert(item.change, (signer, item.path));
    }
    say_weak(session, &weak);
    for (repo, count) in unsigned {
        session.warn_once(&format!(
            "warning: repository {repo}: no checked signature of {count} package(s): gpgcheck is off, and the lock names no signer"
        ));
    }
    Ok(found)
}

/// Shows the plan, asks, finds the files, judges them, and holds them against the lock.
fn obtain(
    session: &Session<'_>,
    locked: &Locked,
    packages: Packages,
    plan: &mut Plan,
) -> Outcome<Option<Verified>> {
    let by_nevra = locked
        .section
        .packages
        .iter()
        .map(|package| (package.nevra(), package));
    let by_nevra: BTreeMap<String, &LockedPackage> = by_nevra.collect();
    let of_plan = plan.changes.iter().enumerate();
    let of_plan = of_plan
        .filter_map(|(index, change)| Some((index, *by_nevra.get(&change.package.nevra())?)));
    let of_plan: BTreeMap<usize, &LockedPackage> = of_plan.collect();
    if session.settings.urls_only {
        let urls = of_plan.values().map(|package| package.url.clone());
        session.printer.show(&Addresses(urls.collect()));
        return Ok(None);
    }
    leave_none_out(session, plan)?;
    if !is_agreed(session, plan)? {
        return Ok(None);
    }
    let configs = configs(session);
    session.use_cache();
    let found = locate::locate(session, &of_plan, &locked.seeds, &configs)?;
    let fetched = fetch::fetch(session, plan, &[], found)?;
    let configs: Vec<&RepoConfig> = configs.iter().collect();
    let verified = verify::verify(session, plan, fetched, &configs)?;
    check_signers(&of_plan, &verified)?;
    check_whole(session, packages, plan, &verified)?;
    say_verified(session, plan, &verified);
    Ok(Some(verified))
}

/// The sections of this system, on or off: whose signatures they ask for counts here, too. Where they cannot be read
/// the packages are judged as those of the command line.
fn configs(session: &Session<'_>) -> Vec<RepoConfig> {
    session.repos().unwrap_or_else(|failure| {
        for line in &failure.details {
            session.warn_once(&format!(
                "warning: {}: the lock goes without repositories",
                line.trim_start_matches("Error: ")
            ));
        }
        Vec::new()
    })
}

/// An error where the settings leave out what the lock names: exactly the set, or nothing.
fn leave_none_out(session: &Session<'_>, plan: &Plan) -> Outcome<()> {
    let mut failure = Failure::new(Code::INVALID_PARAMETER);
    for change in &plan.changes {
        let named = |glob: &&String| glob_matches(glob, &change.package.name);
        if let Some(glob) = session.settings.excludes.iter().find(named) {
            failure = failure.detail(format!(
                "{}: the lock names it, and the exclude '{glob}' leaves it out",
                change.package.nevra()
            ));
        }
    }
    match failure.details.is_empty() {
        true => Ok(()),
        false => {
            Err(failure.hint("--disableexcludes leaves the excludes of the configuration out"))
        }
    }
}

/// The signer has to be the one that the lock names. Where a check was waived there is none.
fn check_signers(of_plan: &BTreeMap<usize, &LockedPackage>, verified: &Verified) -> Outcome<()> {
    let mut failure = Failure::new(Code::RPMRC_NOTTRUSTED);
    for package in verified.packages() {
        let Some(Signer::Key(expected)) =
            of_plan.get(&package.change()).map(|locked| &locked.signer)
        else {
            continue;
        };
        let signer = package.verdict().signer();
        if let Some(signer) = signer.filter(|signer| signer.fingerprint != *expected) {
            let nevra = of_plan.get(&package.change()).map(|locked| locked.nevra());
            failure = failure.detail(format!(
                "{}: signed by key {}, and the lock says {expected}",
                nevra.unwrap_or_default(),
                signer.fingerprint
            ));
        }
    }
    match failure.details.is_empty() {
        true => Ok(()),
        false => Err(failure.hint("nothing was changed")),
    }
}

/// What the solver makes of the packages themselves has to be the plan; what takes the place of what is taken from it.
fn check_whole(
    session: &Session<'_>,
    mut packages: Packages,
    plan: &mut Plan,
    verified: &Verified,
) -> Outcome<()> {
    let policy = SolverPolicy::read(&session.settings)?;
    let mut request = Request::new(&session.settings, session.args.repeated(), policy);
    request.no_recommends = true;
    let mut goal = Goal::default();
    for package in verified.packages() {
        let path = package.path();
        let (file, about) = open_named(path, OFlags::RDONLY).at(path)?;
        let opened = Package::open(BufReader::new(file))
            .map_err(|error| Failure::package(Code::RPMRC_FAIL, path, &error))?;
        let id = packages.add_file(&opened.header, &path.to_string_lossy(), about.len())?;
        goal.jobs.push(SolverJob::solvable(JobAction::Install, id));
    }
    request.name_install_only(&mut packages)?;
    let solved = goal::solve(&request, &goal, &mut packages, session).map_err(|mut failure| {
        failure.details.insert(
            0,
            "the packages of the lock do not fit together, or not with what is installed:"
                .to_owned(),
        );
        failure.hints = vec![
            "make the lock anew, or install it into an empty root; nothing was changed".to_owned(),
        ];
        failure
    })?;
    let mut failure = Failure::new(Code::SOLV_FAILED);
    let mut left: BTreeMap<&PackageId, usize> = plan
        .changes
        .iter()
        .enumerate()
        .map(|(index, change)| (&change.package, index))
        .collect();
    let mut pairs = Vec::new();
    for change in solved.changes {
        match left
            .remove(&change.package)
            .filter(|_| !change.is_removal())
        {
            Some(index) => pairs.push((index, change)),
            None => {
                failure = failure.detail(format!(
                    "{}: it would go, which the lock does not say",
                    change.package.nevra()
                ))
            }
        }
    }
    let absent = left.keys().map(|package| {
        format!(
            "{}: the lock names it, and it cannot be installed beside the others",
            package.nevra()
        )
    });
    failure.details.extend(absent);
    if !failure.details.is_empty() {
        return Err(failure.hint("nothing was changed"));
    }
    for (index, change) in pairs {
        if let Some(own) = plan.changes.get_mut(index) {
            own.action = change.action;
            own.replaces = change.replaces;
            own.replaced = change.replaced;
        }
    }
    (plan.known, plan.promoted) = (solved.known, solved.promoted);
    Ok(())
}

/// What is to be done for the packages of a lock that are not installed in exactly their version.
fn plan_of(session: &Session<'_>, locked: &Locked, packages: &Packages) -> Plan {
    let mut plan = Plan::default();
    for package in &locked.section.packages {
        let id = package_id(package);
        let installed = packages.installed_named(&package.name);
        if installed.iter().any(|old| packages.package_id(*old) == id) {
            continue;
        }
        let stays = session
            .settings
            .main
            .installonlypkgs
            .contains(&package.name);
        let replaced = installed
            .into_iter()
            .map(|old| (old, packages.package_id(old)));
        let replaced = replaced.filter(|(_, old)| !stays && old.arch == id.arch);
        let replaced: Vec<(SolvableId, PackageId)> = replaced.collect();
        let action = match replaced.last() {
            None => PlannedAction::Install,
            Some((_, old)) if Evr::parse(&old.evr()) < Evr::parse(&id.evr()) => {
                PlannedAction::Upgrade
            }
            Some(_) => PlannedAction::Downgrade,
        };
        plan.changes.push(PlannedChange {
            action,
            replaced: replaced.into_iter().map(|(_, old)| old).collect(),
            reason: match package.reason {
                LockReason::User => ChangeReason::User,
                LockReason::Dependency => ChangeReason::Dependency,
                LockReason::Weak => ChangeReason::WeakDependency,
            },
            origin: Some(PackageOrigin {
                repo: package.repo.clone(),
                location: package.location.clone(),
                base: None,
                checksum: Some((
                    package.checksum.algo().name().to_owned(),
                    package.checksum.hex(),
                )),
                size: package.size,
                url: package.url.clone(),
                promised: None,
            }),
            ..PlannedChange::bare(id)
        });
    }
    plan
}

fn package_id(package: &LockedPackage) -> PackageId {
    PackageId {
        name: package.name.clone(),
        epoch: package.epoch,
        version: package.version.clone(),
        release: package.release.clone(),
        arch: package.arch.clone(),
    }
}
