//! Folders that somebody else may write, and the files in them: everything goes through the descriptor of an open
//! folder, and no symbolic link is followed on the way.
//!
//! Whoever owns such a folder may exchange what is in it for links at any moment. What is reached through the
//! descriptor is what was opened, wherever its name leads by then: the worst that an exchange brings is an error.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat, fstat, statat,
};
use rustix::io::Errno;

use crate::plain::{odd, regular};
use crate::{Access, Durability, NEW, WholeFile, read_up_to};

/// How a folder is opened that only leads to others.
const PASSED: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// An open folder. Names of files are paths below it: what a link stands in the way of is an error.
#[derive(Debug, Clone)]
pub struct Folder {
    fd: Arc<OwnedFd>,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder that somebody named: links on the way are followed.
    ///
    /// # Errors
    /// As `open(2)`.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let named = match path.as_os_str().is_empty() {
            true => Path::new("."),
            false => path,
        };
        let fd = rustix::fs::openat(CWD, named, PASSED | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Folder {
            fd: Arc::new(fd),
            path: path.to_owned(),
        })
    }

    /// The path by which it was opened, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode.
    ///
    /// # Errors
    /// As `fstat(2)`.
    pub fn id(&self) -> io::Result<(u64, u64)> {
        let about = fstat(&self.fd)?;
        Ok((about.st_dev, about.st_ino))
    }

    /// Opens a folder below this one.
    ///
    /// # Errors
    /// As `open(2)`.
    pub fn folder(&self, below: &Path) -> io::Result<Folder> {
        let fd = open_below(self.fd.as_fd(), below, PASSED, Mode::empty()).map_err(told)?;
        Ok(Folder {
            fd: Arc::new(fd),
            path: self.path.join(below),
        })
    }

    /// Makes a folder that is not there yet.
    ///
    /// # Errors
    /// As `mkdir(2)`.
    pub fn make(&self, name: &str) -> io::Result<Folder> {
        rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o777))?;
        self.folder(Path::new(name))
    }

    /// Opens a folder below this one; it is made, and those on the way are, where they are not there.
    ///
    /// # Errors
    /// As `mkdir(2)`; something that is no folder stands there.
    pub fn make_all(&self, below: &Path) -> io::Result<Folder> {
        let mut here = self.clone();
        for name in below {
            match rustix::fs::mkdirat(&here.fd, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => here = here.folder(Path::new(name))?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(here)
    }

    /// Opens a regular file, without waiting for anything. One that `flags` create gets 0666 without the bits of the umask.
    ///
    /// # Errors
    /// As `open(2)`; `InvalidData`: what stands there is no regular file, or a link is in the way.
    pub fn file(&self, below: &Path, flags: OFlags) -> io::Result<File> {
        let opened = open_below(self.fd.as_fd(), below, flags, Mode::from_raw_mode(0o666));
        Ok(regular(opened.map_err(told)?)?.0)
    }

    /// Opens a regular file in it for reading; a link in its place is followed.
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub fn named(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.fd, name, flags, Mode::empty());
        Ok(regular(opened.map_err(told)?)?.0)
    }

    /// Makes a file that is not there yet, open for writing and reading.
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub fn create_new(&self, below: &Path) -> io::Result<File> {
        self.file(below, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
    }

    /// Reads a file of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Folder::file`]; `InvalidData`: it is larger.
    pub fn read(&self, below: &Path, limit: u64) -> io::Result<Vec<u8>> {
        read_up_to(self.file(below, OFlags::RDONLY)?, limit)
    }

    /// Begins a file that takes the place of what has its name.
    ///
    /// # Errors
    /// As [`WholeFile::new`].
    pub fn whole(&self, name: &str, access: Access) -> io::Result<WholeFile<'_>> {
        WholeFile::below(self.fd.as_fd(), Path::new(name), access)
    }

    /// Replaces a file.
    ///
    /// # Errors
    /// As [`replace`](crate::replace).
    pub fn replace(&self, name: &str, data: &[u8], durability: Durability) -> io::Result<()> {
        let mut new = self.whole(name, Access::Umask)?;
        new.write_all(data)?;
        new.place(durability)
    }

    /// Removes the files that killed programs had ready and did not put in their place. The caller keeps all others out
    /// who may be replacing a file there.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn clear_waiting(&self) -> io::Result<()> {
        let is_ours = |name: &str| {
            let bits = name.strip_prefix(NEW).unwrap_or_default();
            bits.len() == 16 && bits.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        for (name, kind) in self.entries()? {
            if name.to_str().is_some_and(is_ours) && kind == FileType::RegularFile {
                self.remove(Path::new(&name))?;
            }
        }
        Ok(())
    }

    /// What is known of a file, or of the link in its place.
    ///
    /// # Errors
    /// As `stat(2)`.
    pub fn stat(&self, below: &Path) -> io::Result<Stat> {
        let (folder, name) = self.parent(below)?;
        Ok(statat(&folder.fd, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// What stands there; none if nothing does that could be reached.
    #[must_use]
    pub fn kind(&self, below: &Path) -> Option<FileType> {
        let about = self.stat(below).ok()?;
        Some(FileType::from_raw_mode(about.st_mode))
    }

    /// The names in it, and what each is of.
    ///
    /// # Errors
    /// As `readdir(3)`.
    pub fn entries(&self) -> io::Result<Vec<(OsString, FileType)>> {
        let mut entries = Vec::new();
        for entry in Dir::new(self.entry(OsStr::new("."), OFlags::DIRECTORY)?)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                // This file system does not say.
                FileType::Unknown => self.kind(Path::new(name)).unwrap_or(FileType::Unknown),
                kind => kind,
            };
            entries.push((name.to_owned(), kind));
        }
        Ok(entries)
    }

    /// What is no folder in it and in those below, by path.
    ///
    /// # Errors
    /// As [`Folder::entries`].
    pub fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut left = vec![PathBuf::new()];
        while let Some(below) = left.pop() {
            let here = match below.as_os_str().is_empty() {
                true => self.clone(),
                false => self.folder(&below)?,
            };
            for (name, kind) in here.entries()? {
                match kind {
                    FileType::Directory => left.push(below.join(name)),
                    _ => files.push(below.join(name)),
                }
            }
        }
        Ok(files)
    }

    /// Moves what has the name `from` to `name` in the folder `to`.
    ///
    /// # Errors
    /// As `rename(2)`.
    pub fn rename(&self, from: &Path, to: &Folder, name: &Path) -> io::Result<()> {
        let (old, from) = self.parent(from)?;
        let (new, name) = to.parent(name)?;
        Ok(rustix::fs::renameat(&old.fd, from, &new.fd, name)?)
    }

    /// Exchanges two names in it; false where the file system cannot.
    ///
    /// # Errors
    /// As `renameat2(2)`.
    pub fn exchange(&self, one: &str, other: &str) -> io::Result<bool> {
        let flags = RenameFlags::EXCHANGE;
        match rustix::fs::renameat_with(&self.fd, one, &self.fd, other, flags) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a file the same path below `to`, too: as a link where that is possible, else as a copy. What stands there
    /// already stays.
    ///
    /// # Errors
    /// As `link(2)` and [`Folder::file`].
    pub fn link(&self, below: &Path, to: &Folder) -> io::Result<()> {
        let (old, name) = self.parent(below)?;
        let (new, _) = to.parent(below)?;
        match rustix::fs::linkat(&old.fd, name, &new.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(_) => {
                let mut from = old.file(Path::new(name), OFlags::RDONLY)?;
                io::copy(&mut from, &mut new.create_new(Path::new(name))?).map(drop)
            }
        }
    }

    /// Removes a file, or the link in its place.
    ///
    /// # Errors
    /// As `unlink(2)`; `InvalidData`: a link is in the way.
    pub fn remove(&self, below: &Path) -> io::Result<()> {
        let (folder, name) = self.parent(below)?;
        Ok(rustix::fs::unlinkat(&folder.fd, name, AtFlags::empty())?)
    }

    /// Removes what has this name, if anything has, and all that is in it.
    ///
    /// # Errors
    /// As `unlink(2)`, `rmdir(2)`.
    pub fn remove_all(&self, name: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        let folder = self.folder(Path::new(name))?;
        for (name, _) in folder.entries()? {
            folder.remove_all(&name)?;
        }
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    /// Writes the list of its names to the disk.
    ///
    /// # Errors
    /// As `fsync(2)`.
    pub fn sync(&self) -> io::Result<()> {
        let folder = self.entry(OsStr::new("."), OFlags::DIRECTORY)?;
        Ok(rustix::fs::fsync(folder)?)
    }

    /// Writes it and the files and folders in it to the disk.
    ///
    /// # Errors
    /// As `fsync(2)`.
    pub fn sync_entries(&self) -> io::Result<()> {
        for (name, kind) in self.entries()? {
            if matches!(kind, FileType::RegularFile | FileType::Directory) {
                rustix::fs::fsync(self.entry(&name, OFlags::empty())?)?;
            }
        }
        self.sync()
    }

    /// Opens something in it for what it is asked for, not for its content.
    fn entry(&self, name: &OsStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let all = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, name, flags | all, Mode::empty())
    }

    /// The folder in which a path below this one ends, and the name there.
    fn parent<'p>(&self, below: &'p Path) -> io::Result<(Folder, &'p OsStr)> {
        let name = below.file_name().ok_or(Errno::INVAL)?;
        let folder = match below.parent() {
            Some(above) if !above.as_os_str().is_empty() => self.folder(above)?,
            _ => self.clone(),
        };
        Ok((folder, name))
    }
}

/// What the kernel means where it was told to follow no link, and not to wait.
fn told(error: Errno) -> io::Error {
    match error {
        Errno::LOOP | Errno::XDEV => odd("a symbolic link is in the way"),
        Errno::NOTDIR => odd("a link or a file is in the place of a folder"),
        Errno::NXIO | Errno::ISDIR => odd("not a regular file"),
        error => error.into(),
    }
}

/// Opens what stands at a path below an open folder: it follows no link, waits for nothing and does not lead out.
pub(crate) fn open_below(
    dir: BorrowedFd<'_>,
    below: &Path,
    flags: OFlags,
    mode: Mode,
) -> rustix::io::Result<OwnedFd> {
    let mut flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // The kernel refuses what would have no effect.
    if !flags.contains(OFlags::PATH) {
        flags |= OFlags::NONBLOCK;
    }
    let mode = match flags.contains(OFlags::CREATE) {
        true => mode,
        false => Mode::empty(),
    };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(dir, below, flags, mode, resolve) {
        // Older kernels, and what filters their calls, do not know it.
        Err(Errno::NOSYS | Errno::PERM) => walk(dir, below, flags, mode),
        opened => opened,
    }
}

/// [`open_below`] a name at a time.
fn walk(
    dir: BorrowedFd<'_>,
    below: &Path,
    flags: OFlags,
    mode: Mode,
) -> rustix::io::Result<OwnedFd> {
    let mut here: Option<OwnedFd> = None;
    let mut names = below
        .components()
        .filter(|part| *part != Component::CurDir)
        .peekable();
    while let Some(name) = names.next() {
        let Component::Normal(name) = name else {
            return Err(Errno::XDEV);
        };
        let at = here.as_ref().map_or(dir, AsFd::as_fd);
        here = Some(match names.peek() {
            Some(_) => {
                let passed = PASSED | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                // A link is no folder, either.
                rustix::fs::openat(at, name, passed, Mode::empty()).map_err(
                    |error| match error {
                        Errno::NOTDIR => Errno::LOOP,
                        error => error,
                    },
                )?
            }
            None => rustix::fs::openat(at, name, flags, mode)?,
        });
    }
    here.ok_or(Errno::NOENT)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn text(path: &str) -> &Path {
        Path::new(path)
    }

    /// A folder with a file, a link to one outside, a link to the folder outside and a pipe.
    fn stage() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let (inner, outer) = (dir.path().join("in"), dir.path().join("out"));
        fs::create_dir_all(inner.join("sub")).unwrap();
        fs::create_dir(&outer).unwrap();
        fs::write(outer.join("precious"), "precious").unwrap();
        fs::write(inner.join("sub/file"), "file").unwrap();
        symlink(outer.join("precious"), inner.join("sub/link")).unwrap();
        symlink(&outer, inner.join("way")).unwrap();
        let pipe = inner.join("pipe");
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let folder = Folder::open(&inner).unwrap();
        (dir, folder)
    }

    #[test]
    fn row_136_nothing_below_a_folder_leads_out_of_it() {
        let (dir, folder) = stage();
        assert_eq!(folder.read(text("sub/file"), 4).unwrap(), b"file");
        let refused = [
            "sub/link",
            "way/precious",
            "pipe",
            "sub",
            "../out/precious",
            "sub/../../out/precious",
        ];
        for path in refused {
            let error = folder.read(text(path), 100).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{path}: {error}");
        }
        let error = folder.read(text("sub/file"), 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        folder.remove(text("way/precious")).unwrap_err();
        folder.create_new(text("way/new")).unwrap_err();
        folder.make_all(text("way/new")).unwrap_err();
        let to = folder.make("to").unwrap();
        to.make_all(text("way")).unwrap();
        folder.link(text("way/precious"), &to).unwrap_err();
        let moved = folder.rename(text("sub/file"), &folder, text("way/file"));
        moved.unwrap_err();
        for name in ["way", "sub", "pipe", "to", "gone"] {
            folder.remove_all(OsStr::new(name)).unwrap();
        }
        assert!(folder.entries().unwrap().is_empty());
        let outside = fs::read_dir(dir.path().join("out")).unwrap();
        assert_eq!(outside.count(), 1);
        assert!(dir.path().join("out/precious").is_file());
    }

    #[test]
    fn row_136_without_openat2_the_same_is_refused() {
        let (_dir, folder) = stage();
        let walk = |path| {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
            walk(folder.fd.as_fd(), text(path), flags, Mode::empty())
        };
        walk("./sub/file").unwrap();
        for path in ["sub/link", "way/precious"] {
            assert_eq!(walk(path).unwrap_err(), Errno::LOOP, "{path}");
        }
        assert_eq!(walk("sub/../sub/file").unwrap_err(), Errno::XDEV);
    }

    #[test]
    fn a_folder_that_was_exchanged_is_still_the_one_that_was_opened() {
        let (dir, folder) = stage();
        let new = folder.make("new").unwrap();
        fs::rename(dir.path().join("in/new"), dir.path().join("in/aside")).unwrap();
        symlink(dir.path().join("out"), dir.path().join("in/new")).unwrap();
        new.replace("f", b"x", Durability::Synced).unwrap();
        assert_eq!(fs::read(dir.path().join("in/aside/f")).unwrap(), b"x");
        assert!(!dir.path().join("out/f").exists());
        let stat = folder.stat(text("new")).unwrap();
        assert_ne!((stat.st_dev, stat.st_ino), new.id().unwrap());
    }

    #[test]
    fn files_get_a_second_name_in_another_folder() {
        let (dir, folder) = stage();
        let to = folder.make("to").unwrap();
        to.make_all(text("sub")).unwrap();
        folder.link(text("sub/file"), &to).unwrap();
        folder.link(text("sub/file"), &to).unwrap();
        to.sync_entries().unwrap();
        assert_eq!(to.files().unwrap(), [text("sub/file")]);
        assert_eq!(
            fs::read(dir.path().join("in/to/sub/file")).unwrap(),
            b"file"
        );
        assert!(folder.exchange("sub", "to").unwrap());
        assert!(dir.path().join("in/sub/sub/file").is_file());
    }
}
