//! The checks: is the transaction possible, and what would it do? Nothing is changed.

use rpm_db::Db;
use rpm_pkg::dep::{Dep, DepFlags, DepGroup, Deps};

use super::element::{Deed, Loaded, ScriptKind, load};
use super::error::{Problem, TransactionError};
use super::event::{Event, TransactionObserver};
use super::installed::Installed;
use super::mounts::Mounts;
use super::order::{Member, sequence};
use super::plan::{FilePlan, Planner};
use super::progress::Progress;
use super::recover::pending;
use super::root::{Canonical, RootDir};
use super::{Element, Mode, Options};

/// Requires(pretrans) that nothing installed satisfies: a %pretrans runs before the first package
/// of the transaction is there, so what comes with it does not count (rpm's rpmtsCheck). Paths are
/// left to the %pretrans itself: an interpreter may be there without a package that says so.
fn needed_before(
    installed: &Installed<'_>,
    elements: &[Loaded],
) -> Result<Vec<Problem>, TransactionError> {
    let mut unmet = Vec::new();
    for element in elements.iter().filter(|element| element.is_install()) {
        for dep in Deps::of(&element.package.header, DepGroup::Requires) {
            let dep = dep.to_dep();
            let before = dep.flags.has(DepFlags::PRETRANS);
            let by_rpm = dep.name.starts_with("rpmlib(") || dep.is_rich();
            let path = dep.name.starts_with('/');
            if before && !by_rpm && !path && !is_met(installed, &dep)? {
                unmet.push(Problem::NeededBefore {
                    dep: dep.to_string(),
                    package: element.package.nevra.clone(),
                });
            }
        }
    }
    Ok(unmet)
}

/// Whether an installed package provides a dependency.
fn is_met(installed: &Installed<'_>, dep: &Dep) -> Result<bool, TransactionError> {
    for found in installed.db.providers(&dep.name)? {
        let Some(header) = installed.db.get(found.hnum)? else {
            continue;
        };
        let mut provides = Deps::of(&header, DepGroup::Provides);
        if provides.any(|provided| provided.to_dep().overlaps(dep)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A transaction that is possible: nothing has changed yet, and dropped it leaves nothing. Comes from
/// [`check`] alone, and goes into [`stage`](super::stage()).
#[must_use = "nothing is installed yet"]
pub struct Checked<'a> {
    pub(super) root: &'a RootDir,
    pub(super) options: &'a Options<'a>,
    pub(super) observer: &'a mut dyn TransactionObserver,
    pub(super) tid: u32,
    pub(super) progress: Progress<'a>,
    pub(super) files: Files,
}

/// Reads all headers, puts the elements in their order, decides what happens to each file, and looks
/// for conflicts and space. Every problem is reported at once.
///
/// The caller holds the lock of the rpm database, has called [`super::recover`], and has verified
/// every package.
///
/// # Errors
/// [`TransactionError::Problems`] where the transaction is not possible. Nothing was changed.
pub fn check<'a>(
    root: &'a RootDir,
    db: &'a Db,
    elements: Vec<Element>,
    options: &'a Options<'a>,
    observer: &'a mut dyn TransactionObserver,
) -> Result<Checked<'a>, TransactionError> {
    let _span = tracing::info_span!("check", elements = elements.len()).entered();
    if pending(root, &options.state_dir)? {
        let journal = options.state_dir.clone();
        return Err(TransactionError::RecoveryPending { journal });
    }
    let tid = u32::try_from(options.now).unwrap_or(u32::MAX);
    let _state = db.snapshot()?;
    let installed = Installed::new(db)?;
    let mut problems = Vec::new();
    let elements = ordered(root, load(db, elements, options, &mut problems)?, options);
    if options.needs_checked {
        let unmet = needed_before(&installed, &elements)?;
        if !unmet.is_empty() {
            return Err(TransactionError::Problems(unmet));
        }
    }
    observer.event(Event::Checking);
    find_installed(&installed, &elements, &mut problems)?;
    let progress = Progress::new(installed, elements);
    let (files, of_files) = Files::check(root, &progress, options, tid, true)?;
    problems.extend(of_files);
    if !problems.is_empty() {
        return Err(TransactionError::Problems(problems));
    }
    Ok(Checked {
        root,
        options,
        observer,
        tid,
        progress,
        files,
    })
}

/// What happens to each file, and the file systems that it happens on.
pub(crate) struct Files {
    pub plan: FilePlan,
    pub mounts: Mounts,
}

impl Files {
    /// All checks of files and space. `first`: %pretrans has still to run.
    pub(super) fn check(
        root: &RootDir,
        progress: &Progress<'_>,
        options: &Options<'_>,
        tid: u32,
        first: bool,
    ) -> Result<(Files, Vec<Problem>), TransactionError> {
        let before_pretrans = first && options.runs(ScriptKind::PreTrans);
        let mounts = Mounts::new(tid)?;
        let planner = Planner::new(root, progress, options, mounts, before_pretrans);
        let (plan, mounts, mut problems) = planner.plan()?;
        mounts.check(root, options.ignore_space, &mut problems)?;
        Ok((Files { plan, mounts }, problems))
    }
}

/// The elements in the order to be done; links between them follow.
fn ordered(root: &RootDir, elements: Vec<Loaded>, options: &Options<'_>) -> Vec<Loaded> {
    let members: Vec<Member<'_>> = elements
        .iter()
        .map(|element| Member {
            header: &element.package.header,
            install: element.is_install(),
            files: &element.package.files,
        })
        .collect();
    let mut canonical = Canonical::default();
    for element in elements.iter().filter(|element| element.is_install()) {
        element.add_links(&mut canonical);
    }
    let order = sequence(
        &members,
        (options.generation, options.color),
        root,
        &mut canonical,
    );
    drop(members);
    let mut place = vec![0; order.len()];
    for (new, &old) in order.iter().enumerate() {
        if let Some(place) = place.get_mut(old) {
            *place = new;
        }
    }
    let mut slots: Vec<Option<Loaded>> = elements.into_iter().map(Some).collect();
    let taken = order
        .iter()
        .filter_map(|&old| slots.get_mut(old).and_then(Option::take));
    let mut ordered = Vec::with_capacity(order.len());
    ordered.extend(taken.map(|mut element| {
        if let Deed::Erase {
            linked_to: Some(link),
            ..
        } = &mut element.deed
        {
            *link = place.get(*link).copied().unwrap_or(usize::MAX);
        }
        element
    }));
    ordered
}

/// A package that is installed already cannot be installed again, unless this transaction
/// removes it.
fn find_installed(
    installed: &Installed<'_>,
    elements: &[Loaded],
    problems: &mut Vec<Problem>,
) -> Result<(), TransactionError> {
    let leaving = |hnum: u32| {
        elements
            .iter()
            .any(|e| matches!(e.deed, Deed::Erase { hnum: h, .. } if h == hnum))
    };
    for element in elements {
        let Deed::Install { mode, .. } = element.deed else {
            continue;
        };
        for hnum in installed.named(&element.package.name)? {
            let Some(header) = installed.db.get(hnum)? else {
                continue;
            };
            let same = rpm_pkg::nevra::Nevra::from_header(&header)
                .is_ok_and(|nevra| nevra.to_string() == element.package.nevra);
            if same && !leaving(hnum) && mode != Mode::Reinstall {
                let package = element.package.nevra.clone();
                problems.push(Problem::AlreadyInstalled { package });
            }
        }
    }
    Ok(())
}
