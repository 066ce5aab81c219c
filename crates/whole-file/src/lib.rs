//! How a file is replaced as one: a reader sees the old content or the new one, never half of it.
//!
//! The new content is written to a file without a name (`O_TMPFILE`), so that a killed program leaves nothing behind.
//! It gets a random name beside the target, and that name is moved over the target. Where a file system knows no
//! files without a name, it has the random one from the start (`O_EXCL`: nothing that stands there is ever opened).
//! A symbolic link at the target is replaced itself, never written through. Links in the folders above are the
//! caller's affair: below a root, [`WholeFile::below`] takes the descriptor of a folder that was opened safely, and a
//! [`Folder`] is one whose owner is somebody else. [`open_plain`] is how a file that anybody may have put there is opened,
//! [`open_inside`] one of an image.

mod folder;
mod inside;
mod own;
mod plain;
mod stamp;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, XattrFlags};
use rustix::io::Errno;

pub use folder::Folder;
pub use inside::{inside, make_folders, open_inside, open_of_root};
pub use own::{is_of_others, open_own, own_folder};
pub use plain::{check_database, open_named, open_plain, read_up_to, remove_odd};
pub use stamp::Stamp;

/// Attempts at a name that nothing has; each has 64 random bits.
const ATTEMPTS: usize = 16;
/// How the name of a file begins that has not taken its place; the random bits follow, as 16 hexadecimal digits.
const NEW: &str = ".new-";
/// Where the kernel shows the files that this process has open.
const OPEN_FILES: &str = "/proc/self/fd";
/// Where SELinux keeps the label of a file.
const SELINUX_XATTR: &str = "security.selinux";
/// Longest label that is carried over, in bytes.
const MAX_LABEL: usize = 256;

/// Takes from whatever this process makes what nobody can want, whichever umask its caller has: that everybody may
/// write it and, where it is root's, that a group may.
pub fn narrow_umask() {
    let narrow = forbidden(rustix::process::geteuid());
    let asked = rustix::process::umask(narrow);
    rustix::process::umask(asked | narrow);
}

/// Refuses a place where something else than a regular file stands: a device, a pipe, a folder or a link that somebody
/// names as a target is no file that may be replaced.
///
/// # Errors
/// It is there and no regular file, or cannot be looked at.
pub fn only_regular(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(about) if !about.is_file() => {
            Err(io::Error::other("it is there already, and no regular file"))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that may grow no longer (`ulimit -f`) is an error of the write, as a full disk is, and ends the process no more.
/// Programs that it starts are as they were.
pub fn survive_limits() {
    // It says nothing to anybody: that there is a handler does it. Without one the signal ends the process as before.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}

/// Permissions that nothing of `user` gives to others: that everybody may write it and, where it is root's, a group.
fn forbidden(user: Uid) -> Mode {
    match user.is_root() {
        true => Mode::WGRP | Mode::WOTH,
        false => Mode::WOTH,
    }
}

/// What is left of a new file after the machine crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It can be made again: it may be the old one, damaged or gone.
    Cache,
    /// The new one, once [`WholeFile::place`] has returned; before that the old one or the new one.
    Synced,
}

/// Who may use the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// As any new file: 0666 without the bits of the umask.
    Umask,
    /// Exactly these permission bits.
    Mode(u32),
    /// Permission bits, owner (if this process is root's) and SELinux label of the file that is replaced; these
    /// permission bits if there is none. What is replaced must be a regular file.
    Kept(u32),
}

/// A new file that has not taken its place yet; dropped before, it leaves no trace.
#[derive(Debug)]
pub struct WholeFile<'d> {
    file: File,
    access: Access,
    target: Target<'d>,
    named: Option<Temporary<'d>>,
}

/// A new file that is complete, closed, and waits beside its target under a name of its own; dropped, it is removed.
#[derive(Debug)]
#[must_use = "the old file is still in place"]
pub struct Waiting<'d> {
    target: Target<'d>,
    named: Temporary<'d>,
    durability: Durability,
}

/// A path below an open folder.
#[derive(Debug, Clone)]
struct Target<'d> {
    dir: BorrowedFd<'d>,
    path: PathBuf,
}

/// A name that goes when it was not moved.
#[derive(Debug)]
struct Temporary<'d> {
    dir: BorrowedFd<'d>,
    /// Empty once it was moved.
    name: PathBuf,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.name.as_os_str().is_empty() {
            // Best effort: the error that led here is the one to tell.
            let _ = rustix::fs::unlinkat(self.dir, &self.name, AtFlags::empty());
        }
    }
}

impl<'d> Target<'d> {
    fn parent(&self) -> &Path {
        let parent = self.path.parent();
        parent
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
    }

    /// Has something made beside the target under a name that nothing has.
    fn beside<T>(
        &self,
        mut make: impl FnMut(&Path) -> io::Result<T>,
    ) -> io::Result<(Temporary<'d>, T)> {
        for _ in 0..ATTEMPTS {
            let name = format!("{NEW}{:016x}", getrandom::u64()?);
            let name = self.path.with_file_name(name);
            match make(&name) {
                Ok(made) => {
                    let dir = self.dir;
                    return Ok((Temporary { dir, name }, made));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// A file without a name on the target's file system; none where that is not possible.
    fn unnamed(&self, mode: Mode) -> Option<File> {
        // It is from there that it gets its name.
        rustix::fs::access(OPEN_FILES, rustix::fs::Access::EXISTS).ok()?;
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        let made = rustix::fs::openat(self.dir, self.parent(), flags, mode);
        made.ok().map(File::from)
    }
}

impl WholeFile<'static> {
    /// Begins a new file for `path`.
    ///
    /// # Errors
    /// The folder is not there or cannot be written.
    pub fn new(path: &Path, access: Access) -> io::Result<Self> {
        Self::below(CWD, path, access)
    }
}

impl<'d> WholeFile<'d> {
    /// Begins a new file for `path` below the open folder `dir`.
    ///
    /// # Errors
    /// As [`WholeFile::new`].
    pub fn below(dir: BorrowedFd<'d>, path: &Path, access: Access) -> io::Result<Self> {
        let path = path.to_owned();
        Self::begin(Target { dir, path }, access, true)
    }

    fn begin(target: Target<'d>, access: Access, unnamed: bool) -> io::Result<Self> {
        // Nobody else looks into it before its access is settled.
        let mode = Mode::from_raw_mode(if access == Access::Umask {
            0o666
        } else {
            0o600
        });
        let (file, named) = match unnamed.then(|| target.unnamed(mode)).flatten() {
            Some(file) => (file, None),
            None => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let open = |name: &Path| Ok(rustix::fs::openat(target.dir, name, flags, mode)?);
                let (named, file) = target.beside(open)?;
                (File::from(file), Some(named))
            }
        };
        Ok(Self {
            file,
            access,
            target,
            named,
        })
    }

    /// The file, open for writing.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Ends the file and closes it; it waits for its place under a name of its own.
    ///
    /// # Errors
    /// It cannot be written to the disk, or not have the access that it should.
    pub fn wait(self, durability: Durability) -> io::Result<Waiting<'d>> {
        self.settle_access()?;
        if durability == Durability::Synced {
            self.file.sync_all()?;
        }
        let named = match self.named {
            Some(named) => named,
            None => {
                let open = format!(
                    "{OPEN_FILES}/{}",
                    std::os::fd::AsRawFd::as_raw_fd(&self.file)
                );
                let dir = self.target.dir;
                let link = |name: &Path| {
                    let follow = AtFlags::SYMLINK_FOLLOW;
                    Ok(rustix::fs::linkat(CWD, &open, dir, name, follow)?)
                };
                self.target.beside(link)?.0
            }
        };
        Ok(Waiting {
            target: self.target,
            named,
            durability,
        })
    }

    /// Ends the file and puts it in the place of what has its name now.
    ///
    /// # Errors
    /// As [`WholeFile::wait`] and [`Waiting::place`].
    pub fn place(self, durability: Durability) -> io::Result<()> {
        self.wait(durability)?.place()
    }

    fn settle_access(&self) -> io::Result<()> {
        let mode = match self.access {
            Access::Umask => return Ok(()),
            Access::Mode(mode) => mode,
            Access::Kept(otherwise) => self.take_over()?.unwrap_or(otherwise),
        };
        Ok(rustix::fs::fchmod(&self.file, Mode::from_raw_mode(mode))?)
    }

    /// Takes owner and label of the file that is replaced; says its permission bits.
    fn take_over(&self) -> io::Result<Option<u32>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Target { dir, path } = &self.target;
        let old = match rustix::fs::openat(dir, path, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            other => other?,
        };
        let about = rustix::fs::fstat(&old)?;
        if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("not a regular file"));
        }
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = (Uid::from_raw(about.st_uid), Gid::from_raw(about.st_gid));
            rustix::fs::fchown(&self.file, Some(uid), Some(gid))?;
        }
        let mut label = [0; MAX_LABEL];
        if let Ok(length) = rustix::fs::fgetxattr(&old, SELINUX_XATTR, &mut label) {
            let label = label.get(..length).unwrap_or_default();
            rustix::fs::fsetxattr(&self.file, SELINUX_XATTR, label, XattrFlags::empty())?;
        }
        Ok(Some(about.st_mode & 0o7777))
    }
}

impl Write for WholeFile<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.file.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Waiting<'_> {
    /// Puts the new file in the place of what has the name `path`, in the same folder: of one that is named by what is
    /// in it.
    ///
    /// # Errors
    /// As [`Waiting::place`].
    pub fn place_as(mut self, path: &Path) -> io::Result<()> {
        self.target.path = path.to_owned();
        self.place()
    }

    /// Puts the new file in the place of what has its name now.
    ///
    /// # Errors
    /// The name cannot be moved: nothing has changed. Or the folder cannot be synced: the new file is in place.
    pub fn place(mut self) -> io::Result<()> {
        let Target { dir, path } = &self.target;
        rustix::fs::renameat(dir, &self.named.name, dir, path)?;
        self.named.name.clear();
        if self.durability == Durability::Cache {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(dir, self.target.parent(), flags, Mode::empty())?;
        match rustix::fs::fsync(folder.as_fd()) {
            // This file system has no syncing of folders.
            Err(Errno::INVAL) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// Replaces the file at `path`.
///
/// # Errors
/// As [`WholeFile::new`] and [`WholeFile::place`].
pub fn replace(path: &Path, data: &[u8], access: Access, durability: Durability) -> io::Result<()> {
    let mut new = WholeFile::new(path, access)?;
    new.write_all(data)?;
    new.place(durability)
}

/// Replaces what has the name `path` by what `make` makes under another name beside it: a hard or symbolic link.
///
/// # Errors
/// What `make` says ("exists" lets it try another name), and as [`Waiting::place`].
pub fn replace_by(
    path: &Path,
    durability: Durability,
    make: impl FnMut(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let path = path.to_owned();
    let target = Target { dir: CWD, path };
    let (named, ()) = target.beside(make)?;
    // A move onto another name of the same file does nothing (rename(2)): then this one is still there.
    let _again = Temporary {
        dir: named.dir,
        name: named.name.clone(),
    };
    let waiting = Waiting {
        target,
        named,
        durability,
    };
    waiting.place()
}

#[cfg(test)]
mod tests;
