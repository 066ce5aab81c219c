//! The way back, and what is done about a transaction that was interrupted.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

use rpm_db::{Db, IndexTable};
use rpm_pkg::header::tag;
use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::apply::{give_back, mark_undone, stage_dir};
use super::error::{TransactionError, printable};
use super::journal::{FILE_NAME, Journal, Op, Record, debug};
use super::mounts::Reach;
use super::root::{RootDir, join, split, unlink};
use super::scripts::remove_body;
use super::stages::{Stages, backup_name, is_stage, remove_stages, staged_name};

/// What an interrupted transaction came to.
#[must_use = "the user must be told"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The new system is complete; otherwise the old one was restored.
    pub finished: bool,
    /// NEVRA of what was to be installed.
    pub installs: Vec<String>,
    /// NEVRA of what was to be removed.
    pub erasures: Vec<String>,
    /// Scriptlets that had run ("NEVRA %pre"): what they did to the system stays.
    pub scripts_done: Vec<String>,
    /// The scriptlet that was running. It is not run again.
    pub script_interrupted: Option<String>,
    /// Scriptlets that were to run and did not.
    pub scripts_missed: Vec<String>,
    /// Directories on file systems that the transaction wrote no files to, in a root that is not `/`: their owner and mode
    /// stay as they are.
    pub left: Vec<String>,
}

/// Has a transaction been interrupted? Changes nothing; any user may ask.
pub fn pending(root: &RootDir, state_dir: &str) -> Result<bool, TransactionError> {
    let path = join(state_dir.as_bytes(), FILE_NAME);
    match root.lstat(&path) {
        Ok(found) => Ok(found.is_some()),
        Err(e) => Err(TransactionError::file("cannot look at", &path, e)),
    }
}

/// Finishes or undoes an interrupted transaction; `None` when there is none. The caller holds
/// the lock of the rpm database.
pub fn recover(
    root: &RootDir,
    db: &Db,
    state_dir: &str,
) -> Result<Option<Recovery>, TransactionError> {
    let Some((mut journal, records)) = Journal::open(root, state_dir.as_bytes())? else {
        return Ok(None);
    };
    let story = Story::of(&records);
    let (prepared, committed) = (story.prepared, story.committed);
    tracing::info!(
        records = records.len(),
        prepared,
        committed,
        "journal of an interrupted transaction"
    );
    if let Some(path) = story.stages.iter().find(|p| !is_stage(p, story.tid)) {
        let path = printable(path);
        return Err(journal.refused(format!(
            "no journal of this program: it would empty {path}; remove it"
        )));
    }
    remove_body(root, state_dir);
    let mut left = Vec::new();
    let finished = !story.rolled_back && (story.committed || story.database_committed(db)?);
    if !finished && story.prepared && !story.rolled_back {
        let stages = Stages::open(root, &story.stages)?;
        let reach = Reach::of(root, &stages)
            .map_err(|e| TransactionError::file("cannot look at", b"/", e))?;
        let mut way = Way { reach, left };
        undo(root, &stages, &story.undoable(), &mut way)?;
        left = way.left;
        stages.sync()?;
        journal.roll_back()?;
    }
    remove_stages(root, &story.stages)?;
    journal.remove()?;
    tracing::info!(finished, "interrupted transaction is settled");
    Ok(Some(story.tell(finished, left)))
}

/// The steps of one element for undoing.
pub(crate) struct Undoable<'a> {
    /// Its steps in order.
    pub ops: Vec<&'a Op>,
    /// Its kept files were linked.
    pub begun: bool,
}

/// How far the way back goes.
pub(crate) struct Way {
    reach: Reach,
    /// As in [`Recovery`].
    left: Vec<String>,
}

impl Way {
    /// The steps are those of this process.
    pub(crate) fn everywhere() -> Way {
        Way {
            reach: Reach::everywhere(),
            left: Vec::new(),
        }
    }

    /// Refuses a step that changes a directory on a file system that the transaction did not write to.
    fn check(&self, root: &RootDir, op: &Op) -> Result<(), TransactionError> {
        let dir = split(op.target()).0;
        match self.reach.has_place(root, dir) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let why = "the journal names it, but its file system had no part in the transaction; unmount it or remove the journal";
                let why = std::io::Error::other(why);
                Err(TransactionError::file("cannot restore", op.target(), why))
            }
            Err(e) => Err(TransactionError::file("cannot restore", op.target(), e)),
        }
    }

    /// Gives a directory its owner and mode back.
    fn own_dir(
        &mut self,
        root: &RootDir,
        target: &[u8],
        owner: (u32, u32, u32),
    ) -> Result<(), Errno> {
        let dir = root.open_dir(target)?;
        if self.reach.has(&dir)? {
            return give_back(&dir, owner);
        }
        let now = fs::fstat(&dir)?;
        if (now.st_mode & 0o7777, now.st_uid, now.st_gid) != owner {
            self.left.push(printable(target));
        }
        Ok(())
    }
}

/// Undoes all steps, last first. May be interrupted and repeated.
pub(crate) fn undo(
    root: &RootDir,
    stages: &Stages,
    elements: &[Undoable<'_>],
    way: &mut Way,
) -> Result<(), TransactionError> {
    for element in elements.iter().rev() {
        for op in element.ops.iter().rev() {
            if element.begun || !matches!(op, Op::Keep { .. }) {
                debug::step();
                undo_op(root, stages, op, way)?;
            }
        }
    }
    Ok(())
}

fn undo_op(
    root: &RootDir,
    stages: &Stages,
    op: &Op,
    way: &mut Way,
) -> Result<(), TransactionError> {
    let failed = |e: Errno| TransactionError::file("cannot restore", op.target(), e);
    if !matches!(op, Op::DirOwner { .. }) {
        way.check(root, op)?;
    }
    match op {
        Op::Place { target, mount, id } | Op::Keep { target, mount, id } => {
            undo_place(root, stages, target, *mount, *id)
        }
        Op::Remove { target, mount, id } => put_back(root, stages, target, *mount, *id),
        Op::MakeDir { target } => {
            let Ok((dir, base)) = root.open_parent(target) else {
                return Ok(());
            };
            match fs::unlinkat(dir, base, AtFlags::REMOVEDIR) {
                // A scriptlet's files stay, and so does the directory they are in.
                Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {
                    Ok(())
                }
                Err(e) => Err(failed(e)),
            }
        }
        Op::RemoveDir {
            target,
            mode,
            uid,
            gid,
            mount,
            id,
        } => {
            let owner = (*mode, *uid, *gid);
            undo_remove_dir(root, stages, target, owner, (*mount, *id)).map_err(failed)
        }
        Op::DirOwner {
            target,
            mode,
            uid,
            gid,
        } => match way.own_dir(root, target, (*mode, *uid, *gid)) {
            Ok(()) | Err(Errno::NOENT | Errno::ROFS | Errno::PERM) => Ok(()),
            Err(e) => Err(failed(e)),
        },
    }
}

/// A directory that was removed comes back as it was; where it could not be kept, a new one.
fn undo_remove_dir(
    root: &RootDir,
    stages: &Stages,
    target: &[u8],
    (mode, uid, gid): (u32, u32, u32),
    (mount, id): (u32, u32),
) -> Result<(), Errno> {
    if root.lstat(target)?.is_some() {
        return Ok(());
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let backup = backup_name(id);
    let kept = stages
        .dir(mount)
        .map(|stage| (stage, fs::openat(stage, &backup, flags, Mode::empty())));
    match kept {
        Some((stage, Ok(old))) => {
            // First its owner: once it is back nothing tells that it lacks it.
            give_back(&old, (mode, uid, gid))?;
            let (parent, base) = split(target);
            let (dir, _) = root.create_dirs(parent)?;
            fs::renameat_with(stage, &backup, dir, base, RenameFlags::NOREPLACE)
        }
        Some((_, Err(Errno::NOENT))) | None => {
            root.create_dirs(target)?;
            give_back(&root.open_dir(target)?, (mode, uid, gid))
        }
        Some((_, Err(e))) => Err(e),
    }
}

/// A file that was placed goes back to the staging directory, so that repeating this finds the
/// step not made; what it replaced takes its place again.
fn undo_place(
    root: &RootDir,
    stages: &Stages,
    target: &[u8],
    mount: u32,
    id: u32,
) -> Result<(), TransactionError> {
    let failed = |e: Errno| TransactionError::file("cannot restore", target, e);
    let Some(stage) = stages.dir(mount) else {
        return Ok(());
    };
    let staged = staged_name(id);
    let made = !exists(stage, &staged).map_err(failed)?;
    if exists(stage, &backup_name(id)).map_err(failed)? {
        if made {
            keep_new(root, stage, target, id).map_err(failed)?;
        }
        return put_back(root, stages, target, mount, id);
    }
    if !made {
        return Ok(());
    }
    let moved = root
        .open_parent(target)
        .and_then(|(dir, base)| fs::renameat(dir, base, stage, &staged));
    match moved {
        Ok(()) => Ok(()),
        Err(Errno::NOENT | Errno::NOTDIR) => mark_undone(stage, id).map_err(failed),
        Err(e) => Err(failed(e)),
    }
}

/// Gives the new file its staged name back, beside the one that it is about to lose. A link needs no room, which a full
/// disk may not have.
fn keep_new(root: &RootDir, stage: BorrowedFd<'_>, target: &[u8], id: u32) -> Result<(), Errno> {
    let linked = root
        .open_parent(target)
        .and_then(|(dir, base)| fs::linkat(dir, base, stage, staged_name(id), AtFlags::empty()));
    linked.or_else(|_| mark_undone(stage, id))
}

/// The backup goes back to its place, if there is one.
fn put_back(
    root: &RootDir,
    stages: &Stages,
    target: &[u8],
    mount: u32,
    id: u32,
) -> Result<(), TransactionError> {
    let failed = |e: Errno| TransactionError::file("cannot restore", target, e);
    let stage = stage_dir(stages, mount)?;
    let backup = backup_name(id);
    if !exists(stage, &backup).map_err(failed)? {
        return Ok(());
    }
    let (parent, base) = split(target);
    let (dir, _) = root.create_dirs(parent).map_err(failed)?;
    fs::renameat(stage, &backup, &dir, base).map_err(failed)?;
    // Renaming one of two links of a file onto the other does nothing: take the name away.
    unlink(stage, &backup).map_err(failed)
}

fn exists(dir: BorrowedFd<'_>, name: &str) -> Result<bool, Errno> {
    match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(e) => Err(e),
    }
}

/// What a journal tells.
#[derive(Default)]
struct Story<'r> {
    tid: u32,
    stages: Vec<Vec<u8>>,
    /// Elements by position, which an image's journal may number as it likes: NEVRA, installed, steps, begun.
    elements: BTreeMap<u32, (&'r str, bool, &'r [Op], bool)>,
    prepared: bool,
    rolled_back: bool,
    committing: Option<(&'r [u32], &'r [String])>,
    committed: bool,
    scripts_done: Vec<String>,
    script_running: Option<String>,
    scripts_planned: &'r [String],
}

impl<'r> Story<'r> {
    fn of(records: &'r [Record]) -> Story<'r> {
        let mut story = Story::default();
        for record in records {
            story.hear(record);
        }
        story
    }

    fn hear(&mut self, record: &'r Record) {
        match record {
            Record::Start { tid, .. } => self.tid = *tid,
            Record::Staging(dirs) => self.stages = dirs.clone(),
            Record::Element {
                index,
                nevra,
                install,
                ops,
            } => {
                self.elements.insert(*index, (nevra, *install, ops, false));
            }
            Record::Prepared => self.prepared = true,
            Record::RolledBack => self.rolled_back = true,
            Record::Begin(index) => {
                if let Some(element) = self.elements.get_mut(index) {
                    element.3 = true;
                }
            }
            Record::ScriptStart { nevra, script } => {
                self.script_running = Some(format!("{nevra} {script}"));
            }
            Record::ScriptEnd { .. } => self.scripts_done.extend(self.script_running.take()),
            Record::Committing { erased, added } => self.committing = Some((erased, added)),
            Record::Committed { scripts } => {
                self.committed = true;
                self.scripts_planned = scripts;
            }
        }
    }

    fn undoable(&self) -> Vec<Undoable<'r>> {
        let one = |&(_, _, ops, begun): &(&str, bool, &'r [Op], bool)| Undoable {
            ops: ops.iter().collect(),
            begun,
        };
        self.elements.values().map(one).collect()
    }

    /// Did the database commit happen, although its mark is missing? All its changes came
    /// together, so one of them tells.
    fn database_committed(&self, db: &Db) -> Result<bool, TransactionError> {
        let Some((erased, added)) = self.committing else {
            return Ok(false);
        };
        if let Some(&hnum) = erased.first() {
            return Ok(db.get(hnum)?.is_none());
        }
        let Some(first) = added.first() else {
            return Ok(false);
        };
        let nevra = rpm_pkg::nevra::Nevra::parse(first).ok();
        let Some(nevra) = nevra else { return Ok(false) };
        for found in db.find(IndexTable::Name, nevra.name.as_bytes())? {
            let header = db.get(found.hnum)?;
            let same = header.as_ref().is_some_and(|header| {
                header.u32(tag::INSTALLTID) == Some(self.tid)
                    && rpm_pkg::nevra::Nevra::from_header(header).is_ok_and(|n| n == nevra)
            });
            if same {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn tell(self, finished: bool, left: Vec<String>) -> Recovery {
        let names = |wanted: bool| {
            let of = self.elements.values().filter(|e| e.1 == wanted);
            of.map(|e| e.0.to_owned()).collect()
        };
        let missed = |script: &&String| {
            !self.scripts_done.contains(script) && self.script_running.as_ref() != Some(script)
        };
        Recovery {
            finished,
            left,
            installs: names(true),
            erasures: names(false),
            scripts_missed: self
                .scripts_planned
                .iter()
                .filter(missed)
                .cloned()
                .collect(),
            scripts_done: self.scripts_done,
            script_interrupted: self.script_running,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_123_an_element_of_any_number() {
        let index = u32::MAX;
        let element = Record::Element {
            index,
            nevra: "a-1-1.noarch".into(),
            install: true,
            ops: Vec::new(),
        };
        let records = [element, Record::Begin(index)];
        let undoable = Story::of(&records).undoable();
        assert!(matches!(&undoable[..], [one] if one.begun));
    }
}
