//! Directories that take nothing from the staging directory of their file system.
//!
//! A rename within one file system may still be refused with EXDEV: between directories of
//! different project quotas or encryption keys. Such a directory gets a staging directory of its
//! own, inside it. Its staged files are copied there, and the journal learns of both before the
//! first step that relies on them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::apply::{link_kept, stage_dir};
use super::element::Loaded;
use super::error::TransactionError;
use super::journal::{Journal, Op, Record};
use super::plan::{ElementPlan, Step, ops};
use super::root::{RootDir, join, open_regular, split, unlink};
use super::stages::{Stages, backup_name, staged_name};

/// Where steps are made, and where they are written down before.
pub(crate) struct Site<'a> {
    pub root: &'a RootDir,
    pub stages: &'a mut Stages,
    pub journal: &'a mut Journal,
}

/// One element whose steps are made.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    /// Its position in the transaction.
    pub index: usize,
    pub element: &'a Loaded,
    pub files: &'a ElementPlan,
}

/// What was moved so far.
#[derive(Debug, Default)]
pub(crate) struct CrossDevice {
    /// Staging directory of each directory that has its own.
    own: HashMap<Vec<u8>, u32>,
    /// The steps of elements that were changed.
    steps: HashMap<usize, Vec<Step>>,
    /// Elements whose kept files are linked.
    begun: HashSet<usize>,
}

/// One directory of an element's that gets its own staging directory.
struct Move<'d> {
    dir: &'d [u8],
    /// The first step that goes by it.
    from: usize,
    /// What the element keeps is linked already.
    begun: bool,
}

/// Staging directory and number of a step that has them.
fn staged(op: &Op) -> Option<(u32, u32)> {
    match op {
        Op::Place { mount, id, .. } | Op::Keep { mount, id, .. } | Op::Remove { mount, id, .. } => {
            Some((*mount, *id))
        }
        _ => None,
    }
}

fn set_mount(op: &mut Op, new: u32) {
    if let Op::Place { mount, .. } | Op::Keep { mount, .. } | Op::Remove { mount, .. } = op {
        *mount = new;
    }
}

fn is_cross_device(error: &TransactionError) -> bool {
    let refused = io::ErrorKind::CrossesDevices;
    matches!(error, TransactionError::File { source, .. } if source.kind() == refused)
}

impl CrossDevice {
    /// The steps of an element as they are made.
    pub(crate) fn ops(
        &self,
        index: usize,
        plan: &ElementPlan,
    ) -> Result<Vec<Op>, TransactionError> {
        match self.steps.get(&index) {
            Some(steps) => Ok(steps.iter().map(|step| step.op.clone()).collect()),
            None => ops(plan),
        }
    }

    /// Whether the kept files of an element are linked.
    pub(crate) fn has_begun(&self, index: usize) -> bool {
        self.begun.contains(&index)
    }

    /// The steps of an element, those in directories known to need it moved; what is kept is
    /// linked, and the journal knows that.
    pub(crate) fn begin(
        &mut self,
        site: &mut Site<'_>,
        item: Item<'_>,
    ) -> Result<Vec<Step>, TransactionError> {
        let mut steps = item.files.steps.read()?;
        if !self.own.is_empty() {
            let dirs = steps.iter().map(|step| split(step.op.target()).0.to_vec());
            let mut known: Vec<Vec<u8>> = dirs.collect();
            known.sort_unstable();
            known.dedup();
            known.retain(|dir| self.own.contains_key(dir));
            for dir in known {
                self.move_to(site, item, &mut steps, &Move::of(&dir))?;
            }
        }
        let linked = match link_kept(site.root, site.stages, &steps) {
            Err(error) if is_cross_device(&error) => {
                let kept = |step: &&Step| matches!(step.op, Op::Keep { .. });
                let dirs: Vec<Vec<u8>> = steps
                    .iter()
                    .filter(kept)
                    .map(|step| split(step.op.target()).0.to_vec())
                    .collect();
                for dir in dirs {
                    if !self.own.contains_key(&dir) {
                        self.move_to(site, item, &mut steps, &Move::of(&dir))?;
                    }
                }
                link_kept(site.root, site.stages, &steps)
            }
            other => other,
        }?;
        if linked {
            self.begun.insert(item.index);
            site.journal.add(&Record::Begin(item.index as u32))?;
            site.journal.sync()?;
        }
        Ok(steps)
    }

    /// Makes step `at`, which was refused, possible: its directory gets a staging directory of its
    /// own. Gives the error back where that is not the matter, or has been done already.
    pub(crate) fn after_refusal(
        &mut self,
        site: &mut Site<'_>,
        item: Item<'_>,
        steps: &mut Vec<Step>,
        at: usize,
        error: TransactionError,
    ) -> Result<(), TransactionError> {
        let target = steps.get(at).map(|step| step.op.target().to_vec());
        let dir = target.map(|target| split(&target).0.to_vec());
        match dir {
            Some(dir) if is_cross_device(&error) && !self.own.contains_key(&dir) => {
                let refused = Move {
                    dir: &dir,
                    from: at,
                    begun: true,
                };
                self.move_to(site, item, steps, &refused)
            }
            _ => Err(error),
        }
    }

    /// From one step on, what goes to a directory goes by its own staging directory.
    fn move_to(
        &mut self,
        site: &mut Site<'_>,
        item: Item<'_>,
        steps: &mut Vec<Step>,
        &Move { dir, from, begun }: &Move<'_>,
    ) -> Result<(), TransactionError> {
        let own = match self.own.get(dir) {
            Some(&own) => own,
            None => self.make_own(site, dir)?,
        };
        let mut new = steps.clone();
        let mut left = Vec::new();
        let mut copied = HashMap::new();
        for step in new.iter_mut().skip(from) {
            let Some((mount, id)) = staged(&step.op).filter(|(mount, _)| *mount != own) else {
                continue;
            };
            if split(step.op.target()).0 != dir {
                continue;
            }
            let (from, to) = (stage_dir(site.stages, mount)?, stage_dir(site.stages, own)?);
            copy(from, to, &staged_name(id), &mut copied)
                .map_err(|e| TransactionError::file("cannot stage", step.op.target(), e))?;
            set_mount(&mut step.op, own);
            left.push((mount, id, split(step.op.target()).1.to_vec()));
        }
        site.stages.sync()?;
        site.write_down(item, &new, begun)?;
        let failed = |e: Errno| TransactionError::file("cannot stage", dir, e);
        for (mount, id, base) in left {
            let from = stage_dir(site.stages, mount)?;
            unkeep(site.root, from, id, (dir, &base)).map_err(failed)?;
            unlink(from, staged_name(id)).map_err(failed)?;
        }
        self.steps.insert(item.index, new.clone());
        *steps = new;
        Ok(())
    }

    fn make_own(&mut self, site: &mut Site<'_>, dir: &[u8]) -> Result<u32, TransactionError> {
        let first = site.stages.paths().first();
        let path = join(dir, first.map_or(&[][..], |path| split(path).1));
        let own = site.stages.add(path);
        let staging = Record::Staging(site.stages.paths().to_vec());
        site.journal.add(&staging)?;
        site.journal.sync()?;
        site.stages.make(site.root)?;
        self.own.insert(dir.to_vec(), own);
        Ok(own)
    }
}

impl<'d> Move<'d> {
    /// Before the first step of an element.
    fn of(dir: &'d [u8]) -> Move<'d> {
        Move {
            dir,
            from: 0,
            begun: false,
        }
    }
}

impl Site<'_> {
    /// The journal learns the new steps of an element.
    fn write_down(
        &mut self,
        item: Item<'_>,
        steps: &[Step],
        begun: bool,
    ) -> Result<(), TransactionError> {
        self.journal.add(&Record::Element {
            index: item.index as u32,
            nevra: item.element.package.nevra.clone(),
            install: item.element.is_install(),
            ops: steps.iter().map(|step| step.op.clone()).collect(),
        })?;
        let keeps = steps.iter().any(|step| matches!(step.op, Op::Keep { .. }));
        if begun && keeps {
            self.journal.add(&Record::Begin(item.index as u32))?;
        }
        self.journal.sync()
    }
}

/// Takes away the backup that a refused step made: it is a second name of what still stands at
/// its place, or, where links are not possible, what stood there.
fn unkeep(
    root: &RootDir,
    from: BorrowedFd<'_>,
    id: u32,
    (dir, base): (&[u8], &[u8]),
) -> Result<(), Errno> {
    let name = backup_name(id);
    if let Ok(dir) = root.open_dir(dir) {
        match fs::renameat_with(from, &name, dir, base, RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::NOENT | Errno::EXIST) => {}
            Err(e) => return Err(e),
        }
    }
    unlink(from, &name)
}

/// Copies a staged file; links among what is copied stay links. Owner and mode come later, with
/// the step. Nothing there: nothing to do.
fn copy(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &str,
    copied: &mut HashMap<u64, String>,
) -> io::Result<()> {
    let stat = match fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    if let Some(first) = copied.get(&stat.st_ino) {
        return Ok(fs::linkat(to, first, to, name, AtFlags::empty())?);
    }
    let private = Mode::from_raw_mode(0o600);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mut new = File::from(fs::openat(to, name, flags, private)?);
            io::copy(&mut open_regular(from, name.as_bytes())?, &mut new)?;
        }
        FileType::Symlink => {
            let link = fs::readlinkat(from, name, Vec::new())?;
            fs::symlinkat(link, to, name)?;
        }
        kind => fs::mknodat(to, name, kind, private, stat.st_rdev)?,
    }
    copied.insert(stat.st_ino, name.to_owned());
    Ok(())
}
