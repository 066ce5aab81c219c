//! The steps of one element on the file system, each with its way back kept.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::element::PackageFacts;
use super::error::{OWNER_FAILED, TransactionError, printable};
use super::event::Warning;
use super::files::Kind;
use super::journal::{Op, debug};
use super::label::Labels;
use super::plan::Step;
use super::root::{
    CAPABILITY_XATTR, Owners, RootDir, encode_capabilities, names_in, open_regular, split,
};
use super::stages::{Stages, backup_name, staged_name};

/// The length of `.rpmsave` and `.rpmorig`.
const KEPT_SUFFIX: usize = 8;

/// Makes the steps of one element.
pub(crate) struct Applier<'a> {
    pub root: &'a RootDir,
    pub stages: &'a Stages,
    pub package: &'a PackageFacts,
    pub owners: &'a Owners,
    /// Only root may give files away and set capabilities.
    pub privileged: bool,
    /// Owners stay in the rpm database.
    pub recorded: bool,
    /// File capabilities are set.
    pub caps: bool,
    /// The SELinux labels of new files.
    pub labels: &'a Labels,
    pub warnings: &'a mut Vec<Warning>,
}

/// Links what the element will keep into the staging directories. Must be done, and recorded,
/// before its steps begin.
pub(crate) fn link_kept(
    root: &RootDir,
    stages: &Stages,
    steps: &[Step],
) -> Result<bool, TransactionError> {
    let mut any = false;
    for step in steps {
        let Op::Keep { target, mount, id } = &step.op else {
            continue;
        };
        any = true;
        let stage = stage_dir(stages, *mount)?;
        let source = target
            .get(..target.len().saturating_sub(KEPT_SUFFIX))
            .unwrap_or_default();
        let failed = |e: Errno| TransactionError::file("cannot keep", source, e);
        let linked = root.open_parent(source).and_then(|(dir, base)| {
            fs::linkat(dir, base, stage, staged_name(*id), AtFlags::empty())
        });
        match linked {
            // It was linked before its staging directory had to change.
            Ok(()) | Err(Errno::EXIST) => {}
            // A scriptlet took it away meanwhile: the marker says that there is nothing to do.
            Err(Errno::NOENT) => mark_undone(stage, *id).map_err(failed)?,
            Err(e) => return Err(failed(e)),
        }
    }
    Ok(any)
}

/// Puts an empty file at the staged name: the step counts as not made.
pub(crate) fn mark_undone(stage: BorrowedFd<'_>, id: u32) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    fs::openat(stage, staged_name(id), flags, Mode::empty()).map(drop)
}

/// The staging directory with this number.
pub(crate) fn stage_dir(stages: &Stages, mount: u32) -> Result<BorrowedFd<'_>, TransactionError> {
    stages
        .dir(mount)
        .ok_or_else(|| TransactionError::file("cannot open", b"staging directory", Errno::NOENT))
}

impl Applier<'_> {
    /// Makes one step.
    pub(crate) fn apply(&mut self, step: &Step) -> Result<(), TransactionError> {
        debug::step();
        match &step.op {
            Op::Place { target, mount, id } => {
                if let Some(file) = step.file {
                    self.dress(file as usize, *mount, *id)?;
                }
                self.label(target, step.file, *mount, *id)?;
                self.place(target, *mount, *id)
            }
            Op::Keep { target, mount, id } => self.place_kept(target, *mount, *id),
            Op::Remove { target, mount, id } => self.remove(target, *mount, *id),
            Op::MakeDir { target } => self.make_dir(target, step.file),
            Op::RemoveDir {
                target,
                mode,
                uid,
                gid,
                mount,
                id,
            } => {
                let owner = (*mode, *uid, *gid);
                self.remove_dir(target, owner, stage_dir(self.stages, *mount)?, *id);
                Ok(())
            }
            Op::DirOwner { target, .. } => self.dress_dir(target, step.file),
        }
    }

    /// Gives a staged file its owner, mode, capabilities and time: in this order, because
    /// chown takes set-id bits and capabilities away.
    fn dress(&mut self, file: usize, mount: u32, id: u32) -> Result<(), TransactionError> {
        let Some(facts) = self.package.files.get(file) else {
            return Ok(());
        };
        let path = facts.path();
        let failed = |e: Errno| TransactionError::file(OWNER_FAILED, &path, e);
        let dir = stage_dir(self.stages, mount)?;
        let name = staged_name(id);
        let kind = Kind::from_mode(facts.mode);
        let (uid, gid, kept) = self.owner(facts.user, facts.group);
        if self.privileged {
            fs::chownat(dir, &name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed)?;
        }
        if kind != Some(Kind::Symlink) {
            let mode = u32::from(facts.mode) & kept | self.own(Mode::RUSR | Mode::WUSR);
            let mode = Mode::from_raw_mode(mode);
            fs::chmodat(dir, &name, mode, AtFlags::empty()).map_err(failed)?;
        }
        if kind == Some(Kind::Regular) && self.caps && !facts.caps.is_empty() {
            self.set_capabilities(dir, &name, facts.caps, &path)?;
        }
        fs::utimensat(dir, &name, &times(facts.mtime), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)
    }

    fn set_capabilities(
        &self,
        dir: BorrowedFd<'_>,
        name: &str,
        text: &[u8],
        path: &[u8],
    ) -> Result<(), TransactionError> {
        let failed =
            |e: std::io::Error| TransactionError::file("cannot set the capabilities of", path, e);
        let bytes = std::str::from_utf8(text)
            .ok()
            .and_then(encode_capabilities)
            .ok_or_else(|| failed(std::io::ErrorKind::InvalidData.into()))?;
        let file = open_regular(dir, name.as_bytes()).map_err(failed)?;
        fs::fsetxattr(&file, CAPABILITY_XATTR, &bytes, fs::XattrFlags::empty())
            .map_err(|e| failed(e.into()))
    }

    /// The numbers of an owner in the root, and the bits of a mode that count: where root stands in for an unknown
    /// user the set-uid bit goes, for an unknown group the set-gid bit.
    fn owner(&mut self, user: &str, group: &str) -> (Uid, Gid, u32) {
        let uid = self.owners.uid(user.as_bytes());
        let gid = self.owners.gid(group.as_bytes());
        if self.privileged || self.recorded {
            self.warn_unknown(uid.is_none(), "user", user);
            self.warn_unknown(gid.is_none(), "group", group);
        }
        let mut kept = 0o1777;
        kept |= uid.map_or(0, |_| SET_UID);
        kept |= gid.map_or(0, |_| SET_GID);
        (
            Uid::from_raw(uid.unwrap_or(0)),
            Gid::from_raw(gid.unwrap_or(0)),
            kept,
        )
    }

    /// What of these bits a user needs who is not root, and whose files they all are.
    fn own(&self, bits: Mode) -> u32 {
        let needed = self.recorded && !rustix::process::geteuid().is_root();
        if needed { bits.as_raw_mode() } else { 0 }
    }

    fn warn_unknown(&mut self, unknown: bool, what: &str, name: &str) {
        let warning = Warning::UnknownOwner {
            package: self.package.nevra.clone(),
            owner: format!("{what} {name}"),
        };
        if unknown && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The parent of a target; missing directories are made (a scriptlet took them away).
    fn parent<'t>(&self, target: &'t [u8]) -> Result<(OwnedFd, &'t [u8]), TransactionError> {
        let (dir, base) = split(target);
        let opened = match self.root.open_dir(dir) {
            Err(Errno::NOENT) => self.root.create_dirs(dir).map(|(fd, _)| fd),
            other => other,
        };
        match opened {
            Ok(fd) => Ok((fd, base)),
            Err(e) => Err(TransactionError::file(
                "cannot open the directory of",
                target,
                e,
            )),
        }
    }

    fn label(
        &self,
        target: &[u8],
        file: Option<u32>,
        mount: u32,
        id: u32,
    ) -> Result<(), TransactionError> {
        if !self.labels.in_use() {
            return Ok(());
        }
        let facts = file.and_then(|i| self.package.files.get(i as usize));
        let kind = facts.and_then(|facts| Kind::from_mode(facts.mode));
        let (dir, base) = self.parent(target)?;
        let stage = stage_dir(self.stages, mount)?;
        self.labels
            .set(
                (target, kind.unwrap_or(Kind::Regular)),
                (dir.as_fd(), base),
                (stage, &staged_name(id)),
            )
            .map_err(|e| TransactionError::file("cannot set the label of", target, e))
    }

    fn place(&self, target: &[u8], mount: u32, id: u32) -> Result<(), TransactionError> {
        let (dir, base) = self.parent(target)?;
        let stage = stage_dir(self.stages, mount)?;
        back_up(dir.as_fd(), base, stage, id)
            .map_err(|e| TransactionError::file("cannot back up", target, e))?;
        debug::step();
        fs::renameat(stage, staged_name(id), dir, base)
            .map_err(|e| TransactionError::file("cannot install", target, e))
    }

    fn place_kept(&self, target: &[u8], mount: u32, id: u32) -> Result<(), TransactionError> {
        let stage = stage_dir(self.stages, mount)?;
        let staged = fs::statat(stage, staged_name(id), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| TransactionError::file("cannot keep", target, e))?;
        let marker = staged.st_mode & 0o7777 == 0 && staged.st_size == 0 && staged.st_nlink == 1;
        if marker {
            Ok(())
        } else {
            self.place(target, mount, id)
        }
    }

    fn remove(&self, target: &[u8], mount: u32, id: u32) -> Result<(), TransactionError> {
        let failed = |e: Errno| TransactionError::file("cannot remove", target, e);
        let (dir, base) = match self.root.open_parent(target) {
            Ok(found) => found,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(e) => return Err(failed(e)),
        };
        let stage = stage_dir(self.stages, mount)?;
        match fs::renameat_with(dir, base, stage, backup_name(id), RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(failed(e)),
        }
    }

    fn make_dir(&mut self, target: &[u8], file: Option<u32>) -> Result<(), TransactionError> {
        let (dir, base) = self.parent(target)?;
        match fs::mkdirat(dir, base, Mode::RWXU) {
            Ok(()) => {
                let made = self.root.open_dir(target);
                made.and_then(|made| self.labels.set_dir(target, made.as_fd()))
                    .map_err(|e| TransactionError::file("cannot set the label of", target, e))?;
            }
            Err(Errno::EXIST) if self.root.open_dir(target).is_ok() => {}
            Err(e) => return Err(TransactionError::file("cannot create directory", target, e)),
        }
        self.dress_dir(target, file)
    }

    /// Owner and mode of a directory; 0755 and root's when no package says otherwise.
    fn dress_dir(&mut self, target: &[u8], file: Option<u32>) -> Result<(), TransactionError> {
        let facts = file.and_then(|i| self.package.files.get(i as usize));
        let (mode, user, group) = facts.as_ref().map_or((0o755, "root", "root"), |f| {
            (u32::from(f.mode), f.user, f.group)
        });
        let (uid, gid, kept) = self.owner(user, group);
        let mode = Mode::from_raw_mode(mode & kept | self.own(Mode::RWXU));
        let mtime = facts.as_ref().map(|f| f.mtime);
        let dressed = self.root.open_dir(target).and_then(|dir| {
            let stat = fs::fstat(&dir)?;
            let changed = (stat.st_uid, stat.st_gid) != (uid.as_raw(), gid.as_raw());
            let changed = changed && !self.recorded;
            if self.privileged && changed {
                fs::fchown(&dir, Some(uid), Some(gid))?;
            }
            if stat.st_mode & 0o7777 != mode.as_raw_mode() || changed {
                fs::fchmod(&dir, mode)?;
            }
            // As in rpm, whatever comes of it.
            let _ = mtime.map(|mtime| fs::futimens(&dir, &times(mtime)));
            Ok(())
        });
        match dressed {
            // Mount points of containers (/sys, /proc) may refuse.
            Err(e @ (Errno::ROFS | Errno::PERM)) => {
                let reason = format!("owner and mode not set: {e}");
                self.warnings.push(Warning::File {
                    path: printable(target),
                    reason,
                });
                Ok(())
            }
            other => other.map_err(|e| TransactionError::file(OWNER_FAILED, target, e)),
        }
    }

    /// A directory goes if it is empty; as in rpm, anything else in its way is no error.
    fn remove_dir(
        &mut self,
        target: &[u8],
        owner: (u32, u32, u32),
        stage: BorrowedFd<'_>,
        id: u32,
    ) {
        let Ok((dir, base)) = self.root.open_parent(target) else {
            return;
        };
        match back_up_dir(dir.as_fd(), base, owner, stage, id) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            Err(e) => {
                let reason = format!("directory not removed: {e}");
                self.warnings.push(Warning::File {
                    path: printable(target),
                    reason,
                });
            }
        }
    }
}

/// What stands at `base` gets the backup name as well; where links are not possible it is
/// renamed there. Nothing there: nothing to do.
fn back_up(dir: BorrowedFd<'_>, base: &[u8], stage: BorrowedFd<'_>, id: u32) -> Result<(), Errno> {
    let name = backup_name(id);
    match fs::linkat(dir, base, stage, &name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP) => {
            fs::renameat_with(dir, base, stage, &name, RenameFlags::NOREPLACE)
        }
        Err(e) => Err(e),
    }
}

/// An empty directory moves to the backup name. Nobody but root can put anything into it there: it
/// is closed, and goes back if another process was faster.
fn back_up_dir(
    dir: BorrowedFd<'_>,
    base: &[u8],
    owner: (u32, u32, u32),
    stage: BorrowedFd<'_>,
    id: u32,
) -> Result<(), Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let old = fs::openat(dir, base, flags, Mode::empty())?;
    if !names_in(&old)?.is_empty() {
        return Err(Errno::NOTEMPTY);
    }
    let name = backup_name(id);
    match fs::renameat_with(dir, base, stage, &name, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        // The lower layer of an overlay, another project quota, a file system without the flag, no
        // room for one more name: it is recreated if it has to come back.
        Err(_) => return fs::unlinkat(dir, base, AtFlags::REMOVEDIR),
    }
    if rustix::process::geteuid().is_root() {
        let _ = fs::fchown(&old, Some(Uid::ROOT), Some(Gid::ROOT));
    }
    fs::fchmod(&old, Mode::RWXU)?;
    if names_in(&old)?.is_empty() {
        return Ok(());
    }
    give_back(&old, owner)?;
    fs::renameat_with(stage, &name, dir, base, RenameFlags::NOREPLACE)?;
    Err(Errno::NOTEMPTY)
}

/// A directory gets back mode, user and group. Giving it to whom it has is no change: that needs no right.
pub(crate) fn give_back(dir: &OwnedFd, (mode, uid, gid): (u32, u32, u32)) -> Result<(), Errno> {
    let stat = fs::fstat(dir)?;
    if (stat.st_uid, stat.st_gid) != (uid, gid) {
        fs::fchown(dir, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    fs::fchmod(dir, Mode::from_raw_mode(mode & 0o7777))
}

/// The bits of a mode that make a program run as the user or group that it belongs to.
const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;

fn times(mtime: u32) -> Timestamps {
    let time = Timespec {
        tv_sec: i64::from(mtime),
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
