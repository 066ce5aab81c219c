//! Directories that take nothing from the staging directory of their file system.
//!
//! A rename within one file system may still be refused with EXDEV: between directories of
//! different project quotas or encryption keys. Such a directory gets a staging directory of its
//! own, inside it. Its staged files are copied there, and the journal learns of both before the
//! first step that relies on them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::apply::{Applier, link_kept, stage_dir};
use super::commit::Execution;
use super::error::TransactionError;
use super::journal::{Op, Record};
use super::label::Labels;
use super::plan::{ElementPlan, Step, ops};
use super::root::{join, open_regular, split};
use super::stage::{Stages, backup_name, staged_name};

/// What was moved so far.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Staging directory of each directory that has its own.
    own: HashMap<Vec<u8>, u32>,
    /// The steps of elements that were changed.
    steps: HashMap<usize, Vec<Step>>,
    /// All staging directories of the transaction, as the journal has them.
    pub(crate) paths: Vec<Vec<u8>>,
}

impl Moved {
    /// The steps of an element as they are made.
    pub(crate) fn ops(&self, index: usize, plan: &ElementPlan) -> Vec<Op> {
        match self.steps.get(&index) {
            Some(steps) => steps.iter().map(|step| step.op.clone()).collect(),
            None => ops(plan),
        }
    }
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

impl Execution<'_, '_> {
    /// The steps of an element, those in directories known to need it moved; what is kept is
    /// linked, and the journal knows that.
    pub(crate) fn begin<'p>(
        &mut self,
        stages: &mut Stages,
        index: usize,
        files: &'p ElementPlan,
    ) -> Result<Cow<'p, [Step]>, TransactionError> {
        let mut steps = Cow::Borrowed(&files.steps[..]);
        if !self.moved.own.is_empty() {
            let mut known: Vec<&[u8]> =
                files.steps.iter().map(|s| split(s.op.target()).0).collect();
            known.sort_unstable();
            known.dedup();
            known.retain(|dir| self.moved.own.contains_key(*dir));
            for dir in known {
                self.move_to(stages, index, &mut steps, 0, dir, false)?;
            }
        }
        let linked = match link_kept(self.root, stages, &steps) {
            Err(error) if is_cross_device(&error) => {
                let kept = |step: &&Step| matches!(step.op, Op::Keep { .. });
                let dirs: Vec<Vec<u8>> = steps
                    .iter()
                    .filter(kept)
                    .map(|step| split(step.op.target()).0.to_vec())
                    .collect();
                for dir in dirs {
                    if !self.moved.own.contains_key(&dir) {
                        self.move_to(stages, index, &mut steps, 0, &dir, false)?;
                    }
                }
                link_kept(self.root, stages, &steps)
            }
            other => other,
        }?;
        if linked {
            self.begun.insert(index);
            self.journal.add(&Record::Begin(index as u32))?;
            self.journal.sync()?;
        }
        Ok(steps)
    }

    /// Makes a step that was refused possible: its directory gets a staging directory of its own.
    /// Gives the error back where that is not the matter, or has been done already.
    pub(crate) fn after_refusal(
        &mut self,
        stages: &mut Stages,
        index: usize,
        steps: &mut Cow<'_, [Step]>,
        at: usize,
        error: TransactionError,
    ) -> Result<(), TransactionError> {
        let target = steps.get(at).map(|step| step.op.target().to_vec());
        let dir = target.map(|target| split(&target).0.to_vec());
        match dir {
            Some(dir) if is_cross_device(&error) && !self.moved.own.contains_key(&dir) => {
                self.move_to(stages, index, steps, at, &dir, true)
            }
            _ => Err(error),
        }
    }

    /// From step `at` on, what goes to `dir` goes by its own staging directory. `begun`: what the
    /// element keeps is linked already.
    fn move_to(
        &mut self,
        stages: &mut Stages,
        index: usize,
        steps: &mut Cow<'_, [Step]>,
        at: usize,
        dir: &[u8],
        begun: bool,
    ) -> Result<(), TransactionError> {
        let own = match self.moved.own.get(dir) {
            Some(&own) => own,
            None => self.make_own(stages, dir)?,
        };
        let mut new = steps.to_vec();
        let mut left = Vec::new();
        let mut copied = HashMap::new();
        for step in new.iter_mut().skip(at) {
            let Some((mount, id)) = staged(&step.op).filter(|(mount, _)| *mount != own) else {
                continue;
            };
            if split(step.op.target()).0 != dir {
                continue;
            }
            let (from, to) = (stage_dir(stages, mount)?, stage_dir(stages, own)?);
            copy(from, to, &staged_name(id), &mut copied)
                .map_err(|e| TransactionError::file("cannot stage", step.op.target(), e))?;
            set_mount(&mut step.op, own);
            left.push((mount, id, split(step.op.target()).1.to_vec()));
        }
        stages.sync()?;
        let Some(element) = self.elements.get(index) else {
            return Ok(());
        };
        self.journal.add(&Record::Element {
            index: index as u32,
            nevra: element.package.nevra.clone(),
            install: element.is_install(),
            ops: new.iter().map(|step| step.op.clone()).collect(),
        })?;
        let keeps = new.iter().any(|step| matches!(step.op, Op::Keep { .. }));
        if begun && keeps {
            self.journal.add(&Record::Begin(index as u32))?;
        }
        self.journal.sync()?;
        let failed = |e: Errno| TransactionError::file("cannot stage", dir, e);
        for (mount, id, base) in left {
            let from = stage_dir(stages, mount)?;
            self.unkeep(from, id, dir, &base).map_err(failed)?;
            remove(from, &staged_name(id)).map_err(failed)?;
        }
        self.moved.steps.insert(index, new.clone());
        *steps = Cow::Owned(new);
        Ok(())
    }

    /// Takes away the backup that a refused step made: it is a second name of what still stands at
    /// its place, or, where links are not possible, what stood there.
    fn unkeep(&self, from: BorrowedFd<'_>, id: u32, dir: &[u8], base: &[u8]) -> Result<(), Errno> {
        let name = backup_name(id);
        if let Ok(dir) = self.root.open_dir(dir) {
            match fs::renameat_with(from, &name, dir, base, RenameFlags::NOREPLACE) {
                Ok(()) | Err(Errno::NOENT | Errno::EXIST) => {}
                Err(e) => return Err(e),
            }
        }
        remove(from, &name)
    }

    fn make_own(&mut self, stages: &mut Stages, dir: &[u8]) -> Result<u32, TransactionError> {
        let name = self
            .moved
            .paths
            .first()
            .map_or(&[][..], |path| split(path).1);
        let path = join(dir, name);
        self.moved.paths.push(path.clone());
        self.journal
            .add(&Record::Staging(self.moved.paths.clone()))?;
        self.journal.sync()?;
        let own = stages.add(self.root, &path)?;
        self.moved.own.insert(dir.to_vec(), own);
        Ok(own)
    }

    /// Makes the steps of an element, one after the other.
    pub(crate) fn make_steps(
        &mut self,
        stages: &mut Stages,
        index: usize,
        files: &ElementPlan,
        settings: &Settings,
        warnings: &mut Vec<super::Warning>,
    ) -> Result<(), TransactionError> {
        let mut steps = self.begin(stages, index, files)?;
        let mut at = 0;
        while at < steps.len() {
            let (Some(element), Some(owners)) = (self.elements.get(index), &self.owners) else {
                return Ok(());
            };
            let mut applier = Applier {
                root: self.root,
                stages,
                package: &element.package,
                owners,
                privileged: settings.privileged,
                caps: settings.caps,
                labels: &settings.labels,
                warnings: &mut *warnings,
            };
            let mut refused = None;
            while let (Some(step), None) = (steps.get(at), &refused) {
                match applier.apply(step) {
                    Ok(()) => at += 1,
                    Err(error) => refused = Some(error),
                }
            }
            if let Some(error) = refused {
                self.after_refusal(stages, index, &mut steps, at, error)?;
            }
        }
        Ok(())
    }
}

fn remove(dir: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    match fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e),
    }
}

/// What the steps of all elements have in common.
#[derive(Debug)]
pub(crate) struct Settings {
    /// See [`Applier`].
    pub privileged: bool,
    /// See [`Applier`].
    pub caps: bool,
    /// See [`Applier`].
    pub labels: Rc<Labels>,
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
