//! From an action to steps on the file system.

use std::collections::HashSet;

use rustix::fs::FileType;

use super::super::disk::DiskFile;
use super::super::error::TransactionError;
use super::super::files::{Action, Kind, Removal};
use super::super::journal::Op;
use super::super::mounts::Mounts;
use super::super::root::{RootDir, split};
use super::{ElementPlan, PackageFile};

/// One step and the file of the package that it places or removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What is done.
    pub op: Op,
    /// The file whose content or metadata is used.
    pub file: Option<u32>,
}

/// Turns actions into steps, and counts what they need.
pub(super) struct Steps<'a> {
    root: &'a RootDir,
    mounts: Mounts,
    /// Directories that will exist.
    dirs: HashSet<Vec<u8>>,
    /// Number of the last staged file or backup.
    last_id: u32,
}

impl<'a> Steps<'a> {
    /// None yet.
    pub(super) fn new(root: &'a RootDir, mounts: Mounts) -> Steps<'a> {
        Steps {
            root,
            mounts,
            dirs: HashSet::new(),
            last_id: 0,
        }
    }

    /// The file systems that are written to, with what they need.
    pub(super) fn into_mounts(self) -> Mounts {
        self.mounts
    }

    fn new_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    /// Adds the steps that put a file of an install in place.
    pub(super) fn place(
        &mut self,
        plan: &mut ElementPlan,
        file: PackageFile<'_>,
        action: Action,
    ) -> Result<(), TransactionError> {
        if matches!(action, Action::Skip | Action::SkipState(_)) {
            return Ok(());
        }
        let PackageFile { entry, target, .. } = file;
        let nevra = &file.package.nevra;
        let dir = split(target).0;
        self.add_parents(plan, dir)?;
        let number = Some(file.number as u32);
        if entry.kind == Kind::Directory {
            return self.add_directory(plan, target, number, nevra);
        }
        let mount = self.mounts.of_dir(self.root, dir, nevra)?;
        let size = if entry.kind == Kind::Regular {
            entry.size
        } else {
            0
        };
        self.mounts.need(mount, size);
        let suffix = match action {
            Action::Save => Some(&b".rpmsave"[..]),
            Action::Backup => Some(&b".rpmorig"[..]),
            _ => None,
        };
        if let Some(suffix) = suffix {
            self.add_keep(plan, target, suffix, mount);
        }
        let mut placed = target.to_vec();
        if action == Action::AltName {
            placed.extend_from_slice(b".rpmnew");
            plan.kept.push((target.to_vec(), placed.clone()));
        }
        let op = Op::Place {
            target: placed,
            mount,
            id: self.new_id(),
        };
        plan.steps.push(Step { op, file: number });
        Ok(())
    }

    /// The file at `target` is kept under another name.
    fn add_keep(&mut self, plan: &mut ElementPlan, target: &[u8], suffix: &[u8], mount: u32) {
        let kept = [target, suffix].concat();
        plan.kept.push((target.to_vec(), kept.clone()));
        let op = Op::Keep {
            target: kept,
            mount,
            id: self.new_id(),
        };
        plan.steps.push(Step { op, file: None });
    }

    /// Makes the missing directories on the way to `dir`, as rpm does for parents that no
    /// package owns.
    fn add_parents(&mut self, plan: &mut ElementPlan, dir: &[u8]) -> Result<(), TransactionError> {
        if dir.is_empty() || self.dirs.contains(dir) {
            return Ok(());
        }
        self.add_parents(plan, split(dir).0)?;
        let there = DiskFile::look(self.root, dir)?;
        if there.stat().is_none() {
            plan.steps.push(Step {
                op: Op::MakeDir {
                    target: dir.to_vec(),
                },
                file: None,
            });
        }
        self.dirs.insert(dir.to_vec());
        Ok(())
    }

    fn add_directory(
        &mut self,
        plan: &mut ElementPlan,
        target: &[u8],
        file: Option<u32>,
        nevra: &str,
    ) -> Result<(), TransactionError> {
        let disk = DiskFile::look(self.root, target)?;
        let planned = self.dirs.contains(target);
        self.dirs.insert(target.to_vec());
        let target = target.to_vec();
        match disk.stat().copied() {
            None if planned => {
                // An earlier step makes it; its metadata come with this one.
                let op = Op::DirOwner {
                    target,
                    mode: 0o755,
                    uid: 0,
                    gid: 0,
                };
                plan.steps.push(Step { op, file });
            }
            None => {
                self.mounts_need_dir(&target, nevra)?;
                plan.steps.push(Step {
                    op: Op::MakeDir { target },
                    file,
                });
            }
            Some(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => {
                let mode = stat.st_mode & 0o7777;
                let op = Op::DirOwner {
                    target,
                    mode,
                    uid: stat.st_uid,
                    gid: stat.st_gid,
                };
                plan.steps.push(Step { op, file });
            }
            // A trusted link to a directory stays.
            Some(_) if self.root.open_dir(&target).is_ok() => {}
            Some(_) => {
                let mount = self.mounts.of_dir(self.root, split(&target).0, nevra)?;
                let id = self.new_id();
                let op = Op::Remove {
                    target: target.clone(),
                    mount,
                    id,
                };
                plan.steps.push(Step { op, file: None });
                plan.steps.push(Step {
                    op: Op::MakeDir { target },
                    file,
                });
            }
        }
        Ok(())
    }

    fn mounts_need_dir(&mut self, target: &[u8], nevra: &str) -> Result<(), TransactionError> {
        let mount = self.mounts.of_dir(self.root, split(target).0, nevra)?;
        self.mounts.need(mount, 1);
        Ok(())
    }

    /// Adds the steps that take a file of an erasure away.
    pub(super) fn remove(
        &mut self,
        plan: &mut ElementPlan,
        file: PackageFile<'_>,
        removal: Removal,
    ) -> Result<(), TransactionError> {
        let PackageFile {
            package, target, ..
        } = file;
        let disk = DiskFile::look(self.root, target)?;
        // What is gone already is nothing to do; rpm only warns.
        let Some(stat) = disk.stat().copied() else {
            return Ok(());
        };
        let is_dir = FileType::from_raw_mode(stat.st_mode).is_dir();
        let listed_dir = file.entry.kind == Kind::Directory;
        let file = Some(file.number as u32);
        if is_dir || listed_dir {
            if is_dir && !target.is_empty() && target != b"/" {
                let parent = split(target).0;
                let mount = self.mounts.of_dir(self.root, parent, &package.nevra)?;
                let op = Op::RemoveDir {
                    target: target.to_vec(),
                    mode: stat.st_mode & 0o7777,
                    uid: stat.st_uid,
                    gid: stat.st_gid,
                    mount,
                    id: self.new_id(),
                };
                plan.steps.push(Step { op, file });
            }
            return Ok(());
        }
        if disk.is_mounted()? {
            plan.mounted.push(target.to_vec());
            return Ok(());
        }
        let mount = self
            .mounts
            .of_dir(self.root, split(target).0, &package.nevra)?;
        if removal == Removal::Save {
            self.add_keep(plan, target, b".rpmsave", mount);
        }
        let id = self.new_id();
        let op = Op::Remove {
            target: target.to_vec(),
            mount,
            id,
        };
        plan.steps.push(Step { op, file });
        Ok(())
    }
}
