//! The transaction from its first check to its last cleaning.

use std::collections::{HashMap, HashSet};

use rpm_db::Db;
use rpm_pkg::dep::{Dep, DepFlags, DepGroup, Deps};

use super::commit::Execution;
use super::cross_device::Moved;
use super::element::{Deed, Loaded, ScriptKind, load};
use super::error::{Problem, TransactionError};
use super::event::{Event, TransactionObserver};
use super::file_triggers::FileTriggers;
use super::installed::Installed;
use super::journal::{Journal, Record, VERSION};
use super::mounts::Mounts;
use super::order::{Member, sequence};
use super::plan::{FilePlan, Planner, ops};
use super::recover::pending;
use super::root::{Canonical, RootDir};
use super::scripts::remove_body;
use super::stage::{Stages, remove_stages, stage_element};
use super::{Committed, Element, Mode, Options};

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
            let before = dep.flags.0 & DepFlags::PRETRANS.0 != 0;
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

/// Makes the changes that `elements` ask for, or none.
///
/// The caller holds the lock of the rpm database, has called [`super::recover`], and has verified
/// every package. The elements are ordered here. With `test_only` everything is checked and
/// nothing changed.
///
/// # Errors
/// Whatever the error, the system is as before, but for what scriptlets did, and unless the
/// error is [`TransactionError::UndoFailed`] or [`TransactionError::AfterCommit`].
pub fn run(
    root: &RootDir,
    db: &Db,
    elements: Vec<Element>,
    options: &Options<'_>,
    observer: &mut dyn TransactionObserver,
) -> Result<Committed, TransactionError> {
    if pending(root, &options.state_dir)? {
        let journal = options.state_dir.clone();
        return Err(TransactionError::RecoveryPending { journal });
    }
    let tid = u32::try_from(options.now).unwrap_or(u32::MAX);
    let mut installed = Installed::new(db)?;
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
    let checked = check(
        root,
        &mut installed,
        &elements,
        options,
        tid,
        &mut problems,
        true,
    )?;
    if !problems.is_empty() {
        return Err(TransactionError::Problems(problems));
    }
    let done = Committed {
        tid,
        ..Committed::default()
    };
    if options.test_only || elements.is_empty() {
        return Ok(done);
    }
    let file_triggers = FileTriggers::read(&installed, &elements)?;
    let journal = begin_journal(root, options, tid)?;
    let execution = Execution {
        root,
        installed,
        options,
        observer,
        journal,
        elements,
        done,
        counts: HashMap::new(),
        owners: None,
        labels: None,
        finished: 0,
        begun: HashSet::new(),
        file_triggers,
        last: Vec::new(),
        committed: false,
        moved: Moved::default(),
    };
    execute(execution, checked)
}

/// The journal with its first record; none where that has no room.
fn begin_journal(
    root: &RootDir,
    options: &Options<'_>,
    tid: u32,
) -> Result<Journal, TransactionError> {
    let mut journal = Journal::create(root, options.state_dir.as_bytes())?;
    let version = VERSION;
    let begun = journal.add(&Record::Start { version, tid });
    match begun.and_then(|()| journal.sync()) {
        Ok(()) => Ok(journal),
        Err(cause) => {
            // What cannot be removed now is removed by the next start: nothing was done.
            let _ = journal.remove();
            Err(cause)
        }
    }
}

/// Plan and file systems that belong together.
type Checked = (FilePlan, Mounts);

/// All checks of files and space.
fn check(
    root: &RootDir,
    installed: &mut Installed<'_>,
    elements: &[Loaded],
    options: &Options<'_>,
    tid: u32,
    problems: &mut Vec<Problem>,
    first: bool,
) -> Result<Checked, TransactionError> {
    let mut mounts = Mounts::new(tid)?;
    let before_pretrans = first && !options.no_scripts;
    let planner = Planner::new(
        root,
        installed,
        options,
        &mut mounts,
        problems,
        before_pretrans,
    );
    let plan = planner.plan(elements)?;
    mounts.check(root, options.ignore_space, problems)?;
    Ok((plan, mounts))
}

/// Everything from the first change on.
fn execute(
    mut execution: Execution<'_, '_>,
    checked: Checked,
) -> Result<Committed, TransactionError> {
    let (plan, mounts) = match prepare(&mut execution, checked) {
        Ok(ready) => ready,
        Err(cause) => return Err(abandon(execution, cause)),
    };
    let mut stages = match stage(&mut execution, &plan, &mounts) {
        Ok(stages) => stages,
        Err(cause) => return Err(abandon(execution, cause)),
    };
    let changed = execution
        .elements(&mut stages, &plan)
        .and_then(|()| execution.check_cancelled())
        .and_then(|()| execution.commit_database(&stages, &plan));
    if let Err(cause) = changed {
        execution.observer.event(Event::RollingBack);
        return Err(match execution.undo_all(&stages, &plan) {
            Ok(()) => abandon(execution, cause),
            Err(undo) => TransactionError::UndoFailed {
                cause: Box::new(cause),
                undo: Box::new(undo),
            },
        });
    }
    finish(execution).map_err(|cause| TransactionError::AfterCommit {
        cause: Box::new(cause),
    })
}

/// Everything after the commit point. What can be done is done, whatever failed before it.
fn finish(mut execution: Execution<'_, '_>) -> Result<Committed, TransactionError> {
    execution.committed = true;
    let marked = execution.mark_committed();
    let removed = remove_stages(execution.root, &execution.moved.paths);
    // A disk that was full has room now.
    let marked = marked.or_else(|_| execution.mark_committed());
    let ran = execution.after_commit();
    remove_body(execution.root, &execution.options.state_dir);
    // With backups still there the journal stays: the next start deletes both.
    removed?;
    let Execution { journal, done, .. } = execution;
    journal.remove()?;
    // Without the journal the mark is not read.
    drop(marked);
    ran.map(|()| done)
}

/// Runs %pretrans; if there was one, everything is checked again: it may have changed the disk.
fn prepare(
    execution: &mut Execution<'_, '_>,
    checked: Checked,
) -> Result<Checked, TransactionError> {
    execution.check_cancelled()?;
    let ran = execution.pretrans()?;
    let has_one =
        |e: &Loaded| e.is_install() && ScriptKind::PreTrans.of(&e.package.header).is_some();
    if !ran && !execution.elements.iter().any(has_one) {
        return Ok(checked);
    }
    let mut problems = Vec::new();
    let Execution {
        root,
        installed,
        elements,
        options,
        done,
        ..
    } = execution;
    let again = check(
        root,
        installed,
        elements,
        options,
        done.tid,
        &mut problems,
        false,
    )?;
    if problems.is_empty() {
        Ok(again)
    } else {
        Err(TransactionError::Problems(problems))
    }
}

/// Stages all payloads and prepares the journal.
fn stage(
    execution: &mut Execution<'_, '_>,
    plan: &FilePlan,
    mounts: &Mounts,
) -> Result<Stages, TransactionError> {
    execution.moved.paths = stage_paths(mounts);
    execution
        .journal
        .add(&Record::Staging(execution.moved.paths.clone()))?;
    execution.journal.sync()?;
    let stages = Stages::create(execution.root, mounts)?;
    let total = execution.elements.iter().filter(|e| e.is_install()).count();
    let mut position = 0;
    for (element, files) in execution.elements.iter().zip(&plan.elements) {
        if element.is_install() {
            position += 1;
            let package = &element.package.nevra;
            execution.observer.event(Event::Staging {
                position,
                total,
                package,
            });
            if (execution.options.cancelled)() {
                return Err(TransactionError::Cancelled);
            }
            stage_element(&stages, element, files)?;
        }
    }
    for (index, (element, files)) in execution.elements.iter().zip(&plan.elements).enumerate() {
        execution.journal.add(&Record::Element {
            index: index as u32,
            nevra: element.package.nevra.clone(),
            install: element.is_install(),
            ops: ops(files),
        })?;
    }
    stages.sync()?;
    execution.journal.add(&Record::Prepared)?;
    execution.journal.sync()?;
    Ok(stages)
}

fn stage_paths(mounts: &Mounts) -> Vec<Vec<u8>> {
    mounts
        .list
        .iter()
        .map(|mount| mount.stage.clone())
        .collect()
}

/// Nothing of the system has changed, or everything was undone: takes the staging directories
/// and the journal away and gives the cause back.
fn abandon(mut execution: Execution<'_, '_>, cause: TransactionError) -> TransactionError {
    remove_body(execution.root, &execution.options.state_dir);
    let removed = match execution.moved.paths.is_empty() {
        true => Ok(()),
        false => {
            let marked = execution.journal.roll_back();
            marked.and_then(|()| remove_stages(execution.root, &execution.moved.paths))
        }
    };
    match removed.and_then(|()| execution.journal.remove()) {
        Ok(()) => cause,
        Err(undo) => TransactionError::UndoFailed {
            cause: Box::new(cause),
            undo: Box::new(undo),
        },
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
    taken
        .map(|mut element| {
            if let Deed::Erase {
                linked_to: Some(link),
                ..
            } = &mut element.deed
            {
                *link = place.get(*link).copied().unwrap_or(usize::MAX);
            }
            element
        })
        .collect()
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
