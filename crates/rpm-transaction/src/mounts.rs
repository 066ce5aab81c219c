//! The file systems that a transaction writes to.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, AtFlags, StatVfsMountFlags, StatxFlags};
use rustix::io::Errno;

use super::error::{Problem, TransactionError, printable};
use super::root::{RootDir, join, split};
use super::stages::{Stages, stage_name};

/// One file system as far as the transaction sees it.
#[derive(Debug)]
pub(crate) struct Mount {
    /// The topmost directory of the root that lies on it, without a slash at the end.
    pub top: Vec<u8>,
    /// The staging directory, a path in the root.
    pub stage: Vec<u8>,
    /// Blocks that the new files need.
    blocks: u64,
    /// Inodes that they need.
    inodes: u64,
    block_size: u64,
    /// A package that writes here, for messages.
    package: String,
}

/// Device and mount number: a bind mount of the same file system is another place for rename.
type Key = (u32, u32, u64);

/// All file systems met so far; the index is the number in the journal.
#[derive(Debug)]
pub(crate) struct Mounts {
    pub list: Vec<Mount>,
    by_key: HashMap<Key, u32>,
    by_dir: HashMap<Vec<u8>, u32>,
    stage_name: Vec<u8>,
}

impl Mounts {
    /// None so far; staging directories will have this name.
    pub(crate) fn new(tid: u32) -> Result<Mounts, TransactionError> {
        let random = getrandom::u64()
            .map_err(|e| TransactionError::file("cannot name staging directories in", b"/", e))?;
        Ok(Mounts {
            list: Vec::new(),
            by_key: HashMap::new(),
            by_dir: HashMap::new(),
            // Nobody can foresee it: the top of a mount may be writable for all.
            stage_name: stage_name(tid, random),
        })
    }

    /// The file system that holds (or will hold) the directory `dir`.
    pub(crate) fn of_dir(
        &mut self,
        root: &RootDir,
        dir: &[u8],
        package: &str,
    ) -> Result<u32, TransactionError> {
        if let Some(&known) = self.by_dir.get(dir) {
            return Ok(known);
        }
        let failed = |e: Errno| TransactionError::file("cannot look at", dir, e);
        let mut at = dir;
        let fd = loop {
            match root.open_dir(at) {
                Ok(fd) => break fd,
                Err(Errno::NOENT | Errno::NOTDIR) if !at.is_empty() => at = split(at).0,
                Err(e) => return Err(failed(e)),
            }
        };
        let key = key_of(&fd).map_err(failed)?;
        let index = match self.by_key.get(&key) {
            Some(&index) => index,
            None => self.add(root, at, key, &fd, package)?,
        };
        self.by_dir.insert(dir.to_vec(), index);
        Ok(index)
    }

    fn add(
        &mut self,
        root: &RootDir,
        dir: &[u8],
        key: Key,
        fd: &OwnedFd,
        package: &str,
    ) -> Result<u32, TransactionError> {
        let mut top = dir;
        while !top.is_empty() {
            let parent = split(top).0;
            let same = root.open_dir(parent).and_then(|fd| key_of(&fd)) == Ok(key);
            if !same {
                break;
            }
            top = parent;
        }
        let vfs = fs::fstatvfs(fd).map_err(|e| TransactionError::file("cannot look at", dir, e))?;
        let index = self.list.len() as u32;
        self.list.push(Mount {
            top: top.to_vec(),
            stage: join(top, &self.stage_name),
            blocks: 0,
            inodes: 0,
            block_size: vfs.f_frsize.max(1),
            package: package.to_owned(),
        });
        self.by_key.insert(key, index);
        Ok(index)
    }

    /// Counts a new file of `size` bytes.
    pub(crate) fn need(&mut self, mount: u32, size: u64) {
        if let Some(mount) = self.list.get_mut(mount as usize) {
            mount.blocks = mount.blocks.saturating_add(size.div_ceil(mount.block_size));
            mount.inodes = mount.inodes.saturating_add(1);
        }
    }

    /// Is there room everywhere, may everything be written? Everything that is staged needs its
    /// room at once; what is replaced is given back only at the end, so nothing is credited.
    pub(crate) fn check(
        &self,
        root: &RootDir,
        ignore_space: bool,
        problems: &mut Vec<Problem>,
    ) -> Result<(), TransactionError> {
        for mount in &self.list {
            let failed = |e: Errno| TransactionError::file("cannot look at", &mount.top, e);
            let fd = root.open_dir(&mount.top).map_err(failed)?;
            let vfs = fs::fstatvfs(&fd).map_err(failed)?;
            mount.check_writable(&fd, vfs.f_flag, problems);
            if !ignore_space {
                mount.check_room(&vfs, problems);
            }
        }
        Ok(())
    }
}

/// The file systems that a way back may change. A journal that an image brings may name any folder of this machine that
/// is mounted into the image.
#[derive(Debug)]
pub(crate) struct Reach(Option<HashSet<Key>>);

impl Reach {
    /// All: the steps are those of this process.
    pub(crate) fn everywhere() -> Reach {
        Reach(None)
    }

    /// Those that the transaction of a journal wrote to: the root's, and each that a staging directory is on. All where
    /// the root is that of this machine.
    pub(crate) fn of(root: &RootDir, stages: &Stages) -> Result<Reach, Errno> {
        if root.is_own()? {
            return Ok(Reach::everywhere());
        }
        let keys = stages.made().map(key_of);
        let own = std::iter::once(key_of(root.fd()));
        Ok(Reach(Some(own.chain(keys).collect::<Result<_, _>>()?)))
    }

    /// Whether it has an open directory.
    pub(crate) fn has(&self, dir: impl AsFd) -> Result<bool, Errno> {
        match &self.0 {
            None => Ok(true),
            Some(keys) => Ok(keys.contains(&key_of(dir)?)),
        }
    }

    /// Whether it has the place where `dir` is, or would be made.
    pub(crate) fn has_place(&self, root: &RootDir, mut dir: &[u8]) -> Result<bool, Errno> {
        loop {
            match root.open_dir(dir) {
                Ok(fd) => return self.has(fd),
                Err(Errno::NOENT | Errno::NOTDIR) if !dir.is_empty() => dir = split(dir).0,
                Err(e) => return Err(e),
            }
        }
    }
}

impl Mount {
    fn check_writable(&self, fd: &OwnedFd, flags: StatVfsMountFlags, out: &mut Vec<Problem>) {
        let reason = if flags.contains(StatVfsMountFlags::RDONLY) {
            "read-only file system"
        } else if fs::accessat(fd, ".", fs::Access::WRITE_OK, AtFlags::EACCESS).is_err() {
            "permission denied"
        } else {
            return;
        };
        out.push(Problem::NotWritable {
            path: shown(&self.top),
            package: self.package.clone(),
            reason: reason.to_owned(),
        });
    }

    /// rpm's margin: 21/20 of what is needed must be available.
    fn check_room(&self, vfs: &fs::StatVfs, out: &mut Vec<Problem>) {
        let with_margin = |n: u64| n.saturating_mul(21).div_ceil(20);
        let blocks = with_margin(self.blocks);
        if blocks > vfs.f_bavail {
            out.push(Problem::DiskSpace {
                mount: shown(&self.top),
                needed: blocks.saturating_mul(self.block_size),
                available: vfs.f_bavail.saturating_mul(self.block_size),
            });
        }
        // Some file systems (btrfs) count no inodes: all zero.
        let inodes = with_margin(self.inodes);
        if vfs.f_files > 0 && inodes > vfs.f_favail {
            out.push(Problem::Inodes {
                mount: shown(&self.top),
                needed: inodes,
                available: vfs.f_favail,
            });
        }
    }
}

fn shown(top: &[u8]) -> String {
    if top.is_empty() {
        "/".to_owned()
    } else {
        printable(top)
    }
}

fn key_of(fd: impl AsFd) -> Result<Key, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    match fs::statx(&fd, "", AtFlags::EMPTY_PATH, wanted) {
        Ok(stat) => {
            let known = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID);
            let mount = if known { stat.stx_mnt_id } else { 0 };
            Ok((stat.stx_dev_major, stat.stx_dev_minor, mount))
        }
        Err(Errno::NOSYS) => {
            let stat = fs::fstat(fd)?;
            Ok((fs::major(stat.st_dev), fs::minor(stat.st_dev), 0))
        }
        Err(e) => Err(e),
    }
}
