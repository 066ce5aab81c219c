//! Walking to a directory of the root.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{MAX_PATH, components};

/// How many symbolic links one path may lead through, as the kernel's limit.
const MAX_LINKS: u32 = 40;

const OPEN_DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Opens `dir`, an absolute path, below `root`.
pub(super) fn open_dir(root: BorrowedFd<'_>, dir: &[u8]) -> Result<OwnedFd, Errno> {
    if dir.len() >= MAX_PATH {
        return Err(Errno::NAMETOOLONG);
    }
    match open_plain(root, dir) {
        Err(Errno::LOOP | Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::AGAIN) => {
            walk(root, dir)
        }
        other => other,
    }
}

/// The fast way, one call: no component may be a symbolic link (Linux 5.6).
fn open_plain(root: BorrowedFd<'_>, dir: &[u8]) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let dir = if dir.is_empty() { b"/" } else { dir };
    fs::openat2(root, dir, OPEN_DIR, Mode::empty(), resolve)
}

/// The slow way, component by component, through links that may be trusted.
fn walk(root: BorrowedFd<'_>, dir: &[u8]) -> Result<OwnedFd, Errno> {
    let mut walk = Walk {
        root,
        stack: Vec::new(),
        links: 0,
    };
    walk.go(dir, 0)?;
    match walk.stack.pop() {
        Some(fd) => Ok(fd),
        None => rustix::io::fcntl_dupfd_cloexec(root, 3),
    }
}

/// The directories from the root to the place reached so far.
struct Walk<'r> {
    root: BorrowedFd<'r>,
    stack: Vec<OwnedFd>,
    links: u32,
}

impl Walk<'_> {
    fn here(&self) -> BorrowedFd<'_> {
        self.stack.last().map_or(self.root, |fd| fd.as_fd())
    }

    /// Goes on along `path` from here. `..` never leaves the root.
    fn go(&mut self, path: &[u8], depth: u32) -> Result<(), Errno> {
        if path.first() == Some(&b'/') {
            self.stack.clear();
        }
        for component in components(path) {
            if component == b".." {
                self.stack.pop();
                continue;
            }
            self.step(component, depth)?;
        }
        Ok(())
    }

    /// One component: a directory is entered, a trusted link followed.
    fn step(&mut self, component: &[u8], depth: u32) -> Result<(), Errno> {
        let flags = OPEN_DIR | OFlags::NOFOLLOW;
        match fs::openat(self.here(), component, flags, Mode::empty()) {
            Ok(fd) => {
                self.stack.push(fd);
                Ok(())
            }
            Err(Errno::LOOP | Errno::NOTDIR) => self.follow(component, depth),
            Err(e) => Err(e),
        }
    }

    /// Follows the link `component`. Owner and target are read from one descriptor of the link
    /// itself, so that it cannot be exchanged between the two.
    fn follow(&mut self, component: &[u8], depth: u32) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS || depth > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = fs::openat(self.here(), component, flags, Mode::empty())?;
        let stat = fs::fstat(&link)?;
        if !FileType::from_raw_mode(stat.st_mode).is_symlink() {
            return Err(Errno::NOTDIR);
        }
        let target = fs::readlinkat(&link, "", Vec::new())?.into_bytes();
        self.go(&target, depth + 1)?;
        let reached = fs::statat(self.here(), "", AtFlags::EMPTY_PATH)?;
        if trusted(stat.st_uid, reached.st_uid) {
            Ok(())
        } else {
            Err(Errno::LOOP)
        }
    }
}

/// May a link made by `link_uid` be followed to something owned by `target_uid`? (rpm 4.18)
pub(super) fn trusted(link_uid: u32, target_uid: u32) -> bool {
    link_uid == 0 || link_uid == target_uid
}
