//! What is refused before anything is fetched or changed.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use repo_client::require_space;
use rpm_db::{IndexTable, Match};
use rustix::fs::{StatVfsMountFlags, fstatvfs};

use super::database::check_format;
use crate::error::{Code, Failure, Outcome};
use crate::plan::{Plan, PlannedChange};
use crate::session::{LoadedRepo, Session};
use rpm_transaction::RootDir;

/// Refuses a plan that takes the running kernel away (1030): the machine could load no module any
/// more and might not start again. An upgrade that replaces it is what was asked for.
pub(super) fn keep_running_kernel(session: &Session<'_>, plan: &Plan) -> Outcome<()> {
    let removed = plan.changes.iter().filter(|change| change.is_removal());
    let removed: Vec<&PlannedChange> = removed.collect();
    if removed.is_empty() {
        return Ok(());
    }
    let release = &session.settings.environment.kernel;
    refuse_owners(&removed, &running_kernel(session)?, release)
}

/// The installed packages that hold the running kernel; none for another root than `/`.
pub fn running_kernel(session: &Session<'_>) -> Outcome<Vec<Match>> {
    let mut running = Vec::new();
    if session.settings.root != Path::new("/") {
        return Ok(running);
    }
    let Some(db) = session.db()? else {
        return Ok(running);
    };
    let release = &session.settings.environment.kernel;
    for (index, key) in [
        (IndexTable::Dirnames, format!("/lib/modules/{release}/")),
        (IndexTable::Dirnames, format!("/usr/lib/modules/{release}/")),
        (IndexTable::Basenames, format!("vmlinuz-{release}")),
    ] {
        running.extend(db.find(index, key.as_bytes())?);
    }
    Ok(running)
}

/// Refuses changes that take away a package that owns files of the running kernel.
pub(super) fn refuse_owners(
    removed: &[&PlannedChange],
    running: &[Match],
    release: &str,
) -> Outcome<()> {
    let is_owner = |change: &&&PlannedChange| {
        let mut running = running.iter();
        running.any(|owner| Some(owner.hnum) == change.installed_number)
    };
    let mut failure = Failure::new(Code::PROTECTED);
    for change in removed.iter().filter(is_owner) {
        let name = &change.package.name;
        failure = failure.detail(format!("package {name} holds the running kernel {release}"));
    }
    match failure.details.is_empty() {
        true => Ok(()),
        false => Err(failure.hint("boot another kernel first")),
    }
}

/// Fails if the file system of the cache cannot hold the package files (before the question is
/// asked). Files of local repositories are used where they are.
pub(super) fn check_space(
    session: &Session<'_>,
    plan: &Plan,
    sources: &[LoadedRepo],
) -> Outcome<()> {
    let remote = |change: &&PlannedChange| {
        let origin = change.origin.as_ref();
        let source = origin.and_then(|origin| LoadedRepo::find(sources, &origin.repo));
        source.is_some_and(|s| s.set.base_urls.iter().any(|url| !url.starts_with("file:")))
    };
    let needed = plan.incoming().filter(remote);
    let needed = needed.map(PlannedChange::download_size);
    let needed = needed.fold(0, u64::saturating_add);
    let existing = session.cache_dir().ancestors().find(|dir| dir.is_dir());
    if needed > 0 {
        require_space(existing.unwrap_or(Path::new("/")), needed)?;
    }
    Ok(())
}

/// Fails if the rpm database is of a format that is only read, or if it or the programs of the root
/// are on a read-only file system: that is told before anything is fetched. Every file system that the packages really touch is looked at
/// again when the packages are there.
pub(super) fn check_writable(session: &Session<'_>) -> Outcome<()> {
    let root = &session.settings.root;
    if !root.is_dir() {
        return Ok(());
    }
    let dir = RootDir::open(root)?;
    let database = session.db_location()?;
    check_format(&database)?;
    let inside = database.dir.strip_prefix(&database.root);
    let inside = Path::new("/").join(inside.unwrap_or(&database.dir));
    for path in [PathBuf::from("/usr"), inside] {
        // What is missing will be made in the nearest directory that exists.
        let mut existing = path.ancestors();
        let found = existing.find_map(|path| {
            let fd = dir.open_dir(path.as_os_str().as_bytes()).ok()?;
            Some((path, fstatvfs(&fd).ok()?.f_flag))
        });
        if let Some((path, flags)) = found
            && flags.contains(StatVfsMountFlags::RDONLY)
        {
            return Err(Failure::new(Code::TRANSACTION_FAILED)
                .detail(format!("error: {}: read-only file system", path.display()))
                .hint("nothing was fetched; mount it writable and try again"));
        }
    }
    Ok(())
}
