//! The staging directories: one on each file system that the transaction writes to. They hold new
//! files before they get their names, and old ones until the commit point.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::error::TransactionError;
use super::journal::debug;
use super::root::{RootDir, names_in, split};

/// The staging directories, by their number.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    /// As the journal has them.
    paths: Vec<Vec<u8>>,
    /// Those that were made; one that an interrupted transaction left may be gone.
    dirs: Vec<Option<OwnedFd>>,
}

impl Stages {
    /// Names one more, which is not made yet, and answers its number.
    pub(crate) fn add(&mut self, path: Vec<u8>) -> u32 {
        self.paths.push(path);
        self.paths.len() as u32 - 1
    }

    /// Their paths in the root, made or not.
    pub(crate) fn paths(&self) -> &[Vec<u8>] {
        &self.paths
    }

    /// Makes those that were only named; they must not exist. The journal names them already.
    pub(crate) fn make(&mut self, root: &RootDir) -> Result<(), TransactionError> {
        for path in self.paths.iter().skip(self.dirs.len()) {
            self.dirs.push(Some(make(root, path)?));
        }
        Ok(())
    }

    /// Opens staging directories that an interrupted transaction left; some may be gone.
    pub(crate) fn open(root: &RootDir, paths: &[Vec<u8>]) -> Result<Stages, TransactionError> {
        let open = |path: &Vec<u8>| open_made(root, path).map(|made| made.map(|(dir, _)| dir));
        Ok(Stages {
            paths: paths.to_vec(),
            dirs: paths.iter().map(open).collect::<Result<_, _>>()?,
        })
    }

    /// The directory with this number.
    pub(crate) fn dir(&self, mount: u32) -> Option<BorrowedFd<'_>> {
        self.dirs.get(mount as usize)?.as_ref().map(AsFd::as_fd)
    }

    /// Those that are there.
    pub(crate) fn made(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.dirs.iter().flatten().map(AsFd::as_fd)
    }

    /// Waits until everything written to these file systems is on their disks.
    pub(crate) fn sync(&self) -> Result<(), TransactionError> {
        for dir in self.made() {
            fs::syncfs(dir).map_err(|e| TransactionError::file("cannot sync", b"/", e))?;
        }
        Ok(())
    }
}

const NAME_START: &str = ".tdnf-stage-";

/// The name of the staging directories of a transaction.
pub(crate) fn stage_name(tid: u32, random: u64) -> Vec<u8> {
    format!("{NAME_START}{tid:08x}-{random:016x}").into_bytes()
}

/// Whether this is the path of a staging directory of the transaction `tid`.
pub(crate) fn is_stage(path: &[u8], tid: u32) -> bool {
    let random = split(path).1.strip_prefix(NAME_START.as_bytes());
    let random = random.and_then(|rest| str::from_utf8(rest.get(9..)?).ok());
    let random = random.and_then(|hex| u64::from_str_radix(hex, 16).ok());
    random.is_some_and(|random| split(path).1 == stage_name(tid, random))
}

/// Opens a staging directory and the one that it is in; none where it is gone. Its name is in a journal, which an image may
/// bring with anything else: it is no link, and has the owner and mode that it was made with.
fn open_made(root: &RootDir, path: &[u8]) -> Result<Option<(OwnedFd, OwnedFd)>, TransactionError> {
    let failed = |e: Errno| TransactionError::file("cannot open", path, e);
    let (parent, base) = match root.open_parent(path) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = match fs::openat(&parent, base, flags, Mode::empty()) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let stat = fs::fstat(&dir).map_err(failed)?;
    if !is_ours(&stat) || stat.st_mode & 0o077 != 0 {
        let why = "no staging directory of this program: it belongs to another user, or others may use it; remove it";
        return Err(TransactionError::file(
            "cannot open",
            path,
            io::Error::other(why),
        ));
    }
    Ok(Some((dir, parent)))
}

/// Whether a file was made by this user, or by root.
pub(crate) fn is_ours(stat: &fs::Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw()
}

fn make(root: &RootDir, path: &[u8]) -> Result<OwnedFd, TransactionError> {
    let failed = |e: Errno| TransactionError::file("cannot create", path, e);
    let (parent, base) = root.open_parent(path).map_err(failed)?;
    fs::mkdirat(&parent, base, Mode::RWXU).map_err(failed)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = fs::openat(&parent, base, flags, Mode::empty()).map_err(failed)?;
    // A default ACL of the parent would be inherited by every staged file.
    for name in ["system.posix_acl_default", "system.posix_acl_access"] {
        let _ = fs::fremovexattr(&dir, name);
    }
    fs::fchmod(&dir, Mode::RWXU).map_err(failed)?;
    Ok(dir)
}

/// The name of a staged file.
pub(crate) fn staged_name(id: u32) -> String {
    format!("n{id}")
}

/// The name of a backup.
pub(crate) fn backup_name(id: u32) -> String {
    format!("b{id}")
}

/// Deletes the staging directories with what is left in them: staged files, backups of replaced
/// and erased ones. A backup loses its set-id bits and capabilities first: another hard link of
/// it may live elsewhere (CVE-2021-35937 and older). Not in a root that is not this machine's: there the other link may be
/// a program of this machine, which an image was made with.
pub(crate) fn remove_stages(root: &RootDir, paths: &[Vec<u8>]) -> Result<(), TransactionError> {
    for path in paths {
        let failed = |e: Errno| TransactionError::file("cannot remove", path, e);
        let Some((dir, parent)) = open_made(root, path)? else {
            continue;
        };
        let strip = root.is_own().map_err(failed)?;
        empty_stage(&dir, strip).map_err(failed)?;
        fs::unlinkat(&parent, split(path).1, AtFlags::REMOVEDIR).map_err(failed)?;
        // The journal, which knows this name, may lie on another file system and must not be gone first.
        fs::fsync(&parent).map_err(failed)?;
        debug::step();
    }
    Ok(())
}

fn empty_stage(dir: &OwnedFd, strip: bool) -> Result<(), Errno> {
    for name in names_in(dir)? {
        let bytes = name.to_bytes();
        if strip && bytes.starts_with(b"b") {
            strip_privileges(dir, bytes);
        }
        match fs::unlinkat(dir, &name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR) => remove_dir(dir, bytes)?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// A directory was empty when it came here; only root's own processes could put files into it since.
fn remove_dir(stage: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let gone = fs::unlinkat(stage, name, AtFlags::REMOVEDIR);
    if !matches!(gone, Err(Errno::NOTEMPTY | Errno::EXIST)) {
        return gone;
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = fs::openat(stage, name, flags, Mode::empty())?;
    for name in names_in(&dir)? {
        fs::unlinkat(&dir, name, AtFlags::empty())?;
    }
    fs::unlinkat(stage, name, AtFlags::REMOVEDIR)
}

/// Takes set-id bits and capabilities from a regular file that is about to lose a name.
fn strip_privileges(dir: &OwnedFd, name: &[u8]) {
    let Ok(stat) = fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
        return;
    };
    let regular = fs::FileType::from_raw_mode(stat.st_mode).is_file();
    // The last link needs nothing: the file is gone right after.
    if !regular || stat.st_nlink < 2 {
        return;
    }
    if let Ok(file) = super::root::open_regular(dir.as_fd(), name) {
        // Failing here leaves what was there before this transaction, no more.
        let _ = fs::fremovexattr(&file, super::root::CAPABILITY_XATTR);
        if stat.st_mode & 0o6000 != 0 {
            let _ = fs::fchmod(&file, Mode::from_raw_mode(stat.st_mode & 0o1777));
        }
    }
}
