//! Everything below the install root, reached through directory descriptors only.
//!
//! No path is ever joined into a string for the kernel to walk freely: a directory is opened by
//! [`RootDir::open_dir`], which follows a symbolic link only inside the root and only when its
//! owner may be trusted (the rule of rpm since 4.18 after CVE-2017-7500/7501 and
//! CVE-2021-35937/8/9), and files are then named relative to that descriptor.

mod canonical;
mod owners;
mod walk;
mod xattr;

#[cfg(test)]
mod tests;

pub(crate) use canonical::Canonical;
pub use owners::Owners;
pub(crate) use xattr::SELINUX_XATTR;
pub use xattr::{CAPABILITY_XATTR, encode_capabilities};

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::path::Arg;

use super::error::TransactionError;

/// The longest path in the root that is accepted, as the kernel's PATH_MAX.
pub(crate) const MAX_PATH: usize = 4096;

/// Files that are read whole (passwd, group) may have this size at most.
const MAX_SMALL_FILE: u64 = 64 << 20;

/// An opened install root.
#[derive(Debug)]
pub struct RootDir {
    fd: OwnedFd,
    path: PathBuf,
}

impl RootDir {
    /// Opens the directory `path` of the host as install root. It must exist.
    pub fn open(path: &Path) -> Result<RootDir, TransactionError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(RootDir {
                fd,
                path: path.to_owned(),
            }),
            Err(e) => Err(TransactionError::Root {
                path: path.to_owned(),
                source: e.into(),
            }),
        }
    }

    /// The root as the host names it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor of the root directory.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Is it the root of this process? Any other may have been made by somebody else, with what stands in it: names of
    /// files outside (hard links), folders of this machine mounted into it, a journal.
    pub(crate) fn is_own(&self) -> Result<bool, Errno> {
        let (root, own) = (fs::fstat(&self.fd)?, fs::stat("/")?);
        Ok((root.st_dev, root.st_ino) == (own.st_dev, own.st_ino))
    }

    /// Opens the directory `dir` (an absolute path in the root).
    ///
    /// Symbolic links are followed inside the root, and only when root or the owner of the
    /// directory they lead to made them.
    pub fn open_dir(&self, dir: &[u8]) -> Result<OwnedFd, Errno> {
        walk::open_dir(self.fd(), dir)
    }

    /// Like [`RootDir::open_dir`], but missing directories are made, owned by root, mode 0755.
    /// The names of those that were made are returned, outermost first.
    pub fn create_dirs(&self, dir: &[u8]) -> Result<(OwnedFd, Vec<Vec<u8>>), Errno> {
        let mut made = Vec::new();
        let mut fd = rustix::io::fcntl_dupfd_cloexec(self.fd(), 3)?;
        let mut sofar: Vec<u8> = Vec::with_capacity(dir.len());
        for component in components(dir) {
            sofar.push(b'/');
            sofar.extend_from_slice(component);
            fd = match self.open_dir(&sofar) {
                Ok(next) => next,
                Err(Errno::NOENT) => {
                    fs::mkdirat(&fd, component, Mode::from_raw_mode(0o755))?;
                    made.push(sofar.clone());
                    let next = self.open_dir(&sofar)?;
                    fs::fchmod(&next, Mode::from_raw_mode(0o755))?;
                    next
                }
                Err(e) => return Err(e),
            };
        }
        Ok((fd, made))
    }

    /// Opens the directory that holds `path`, and names the last component.
    pub fn open_parent<'p>(&self, path: &'p [u8]) -> Result<(OwnedFd, &'p [u8]), Errno> {
        let (dir, base) = split(path);
        if base.is_empty() {
            return Err(Errno::INVAL);
        }
        Ok((self.open_dir(dir)?, base))
    }

    /// Is something mounted at `path` itself (a file of the host over one of a container)? It can
    /// be neither replaced nor removed. Kernels before 5.8 do not tell; the answer is no then.
    pub fn is_mount_point(&self, path: &[u8]) -> Result<bool, Errno> {
        let (dir, base) = self.open_parent(path)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        match fs::statx(dir, base, flags, fs::StatxFlags::empty()) {
            Ok(stat) => Ok(stat
                .stx_attributes
                .contains(fs::StatxAttributes::MOUNT_ROOT)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NOSYS) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// What is at `path`, a last symbolic link not followed; `None` when nothing is there.
    pub fn lstat(&self, path: &[u8]) -> Result<Option<Stat>, Errno> {
        if components(path).next().is_none() {
            return fs::fstat(&self.fd).map(Some);
        }
        let found = self
            .open_parent(path)
            .and_then(|(dir, base)| fs::statat(dir, base, AtFlags::SYMLINK_NOFOLLOW));
        match found {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The target of the symbolic link at `path`.
    pub fn read_link(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let (dir, base) = self.open_parent(path)?;
        Ok(fs::readlinkat(dir, base, Vec::new())?.into_bytes())
    }

    /// Opens the regular file at `path` for reading. A symbolic link there is not followed and
    /// a special file is refused without being opened.
    pub fn open_file(&self, path: &[u8]) -> io::Result<File> {
        let (dir, base) = self.open_parent(path)?;
        open_regular(dir.as_fd(), base)
    }

    /// Reads a small text file of the root through trusted links; `None` when it is not there.
    pub(crate) fn read_small(&self, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open_file(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut text = Vec::new();
        file.take(MAX_SMALL_FILE).read_to_end(&mut text)?;
        Ok(Some(text))
    }
}

/// Opens a regular file relative to a directory, never through a link, never a device.
pub(crate) fn open_regular(dir: BorrowedFd<'_>, base: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let before = fs::statat(dir, base, AtFlags::SYMLINK_NOFOLLOW)?;
    if !FileType::from_raw_mode(before.st_mode).is_file() {
        return Err(Errno::INVAL.into());
    }
    let fd = fs::openat(dir, base, flags, Mode::empty())?;
    let stat = fs::fstat(&fd)?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(Errno::INVAL.into());
    }
    Ok(File::from(fd))
}

/// The names in a directory, but for `.` and `..`.
pub(crate) fn names_in(dir: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let names = fs::Dir::read_from(dir)?.map(|entry| Ok(entry?.file_name().to_owned()));
    let own = |name: &Result<CString, Errno>| !matches!(name, Ok(name) if matches!(name.to_bytes(), b"." | b".."));
    names.filter(own).collect()
}

/// Takes a name that may be gone already out of a directory.
pub(crate) fn unlink(dir: impl AsFd, name: impl Arg) -> Result<(), Errno> {
    match fs::unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// The components of a path; empty ones and `.` are skipped.
pub(crate) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&b| b == b'/')
        .filter(|c| !c.is_empty() && *c != b".")
}

/// Directory and last component of an absolute path; both without a slash at the end.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|&b| b != b'/').map_or(0, |i| i + 1);
    let path = path.get(..end).unwrap_or_default();
    match path.iter().rposition(|&b| b == b'/') {
        Some(at) => {
            let (dir, base) = path.split_at(at);
            (dir, base.get(1..).unwrap_or_default())
        }
        None => (&[], path),
    }
}

/// `dir` and `base` as one path.
pub(crate) fn join(dir: &[u8], base: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(dir.len() + base.len() + 1);
    path.extend_from_slice(dir);
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(base);
    path
}
