//! Where a new repodata is made, and how it takes the place of the old one as one.
//!
//! Beside `repodata` stands `.repo-tools` with a lock and the state of the last run and, during a run, the new
//! directory `.repodata`. createrepo_c works in a directory of that name, too, and takes it for its lock: so its runs
//! and ours keep out of each other's way. A mark in `.repo-tools` says that it is ours. The exchange is one `renameat2(RENAME_EXCHANGE)`: a reader sees the old
//! repodata or the new one. On file systems without it there are two renames, and the next run
//! finishes what a kill between them left.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, renameat_with};
use whole_file::{Access, Durability};

use crate::error::{Error, Result};

/// The working directory beside `repodata`.
pub const WORK_DIR: &str = ".repo-tools";
/// The directory in the making.
pub const NEW_DIR: &str = ".repodata";
/// The repository's own directory.
pub const REPODATA: &str = "repodata";
/// The file in it that lists the others.
const INDEX: &str = "repomd.xml";

/// The right to change a repository, and the place to do it.
#[derive(Debug)]
pub struct RepoChange {
    root: PathBuf,
    /// Held locked until the end.
    _lock: File,
}

impl RepoChange {
    /// Takes the lock of the repository in `root` and clears what an earlier run left.
    ///
    /// # Errors
    /// Another run holds the lock; the directory cannot be written.
    pub fn open(root: &Path) -> Result<RepoChange> {
        let work = root.join(WORK_DIR);
        fs::create_dir_all(&work).map_err(Error::file(&work, "create"))?;
        let path = work.join("lock");
        // Others may write here: a link that one of them made would send us elsewhere.
        let dir = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&work, dir, Mode::empty());
        let dir = dir.map_err(|error| Error::file(&work, "open")(error.into()))?;
        let lock = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(&dir, "lock", lock, Mode::from_raw_mode(0o666));
        let lock = File::from(lock.map_err(|error| Error::file(&path, "open")(error.into()))?);
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(root.to_owned())),
            Err(TryLockError::Error(error)) => return Err(Error::file(path, "lock")(error)),
        }
        let stage = RepoChange {
            root: root.to_owned(),
            _lock: lock,
        };
        stage.clear()?;
        let repodata = stage.repodata();
        if fs::symlink_metadata(&repodata).is_ok_and(|meta| meta.is_symlink()) {
            return Err(Error::LinkedRepodata(repodata));
        }
        Ok(stage)
    }

    /// `repodata`.
    pub fn repodata(&self) -> PathBuf {
        self.root.join(REPODATA)
    }

    /// The directory in the making.
    pub fn new_dir(&self) -> PathBuf {
        self.root.join(NEW_DIR)
    }

    /// Says that the directory in the making is ours.
    fn mark(&self) -> PathBuf {
        self.root.join(WORK_DIR).join("making")
    }

    fn old_dir(&self) -> PathBuf {
        self.root.join(WORK_DIR).join("old")
    }

    /// The file with the state of the last run.
    pub fn state_file(&self) -> PathBuf {
        self.root.join(WORK_DIR).join("state")
    }

    fn clear(&self) -> Result<()> {
        let (old, repodata) = (self.old_dir(), self.repodata());
        if old.exists() && !repodata.exists() {
            fs::rename(&old, &repodata).map_err(Error::file(&repodata, "restore"))?;
        }
        remove_dir(&old)?;
        let work = self.root.join(WORK_DIR);
        whole_file::clear_waiting(&work).map_err(Error::file(&work, "clear"))?;
        match self.mark().exists() {
            true => self.give_up(),
            false => Ok(()),
        }
    }

    /// Makes the empty new directory.
    pub fn begin(&self) -> Result<PathBuf> {
        let (dir, mark) = (self.new_dir(), self.mark());
        if fs::symlink_metadata(&dir).is_ok() {
            return Err(Error::BusyElsewhere(dir));
        }
        self.unmark()?;
        File::create_new(&mark).map_err(Error::file(&mark, "create"))?;
        fs::create_dir(&dir).map_err(Error::file(&dir, "create"))?;
        Ok(dir)
    }

    /// Removes the new directory: the present repodata stays.
    pub fn give_up(&self) -> Result<()> {
        remove_dir(&self.new_dir())?;
        self.unmark()
    }

    fn unmark(&self) -> Result<()> {
        let mark = self.mark();
        match fs::remove_file(&mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::file(mark, "remove")(error))
            }
            _ => Ok(()),
        }
    }

    /// Throws away what another program's run left, or what it is still making.
    pub fn ignore_lock(&self) -> Result<()> {
        remove_dir(&self.new_dir())
    }

    /// Takes files of the present repodata over into the new one, as links where possible. Files
    /// that the new one has already, or that are gone, are skipped.
    pub fn keep(&self, names: &BTreeSet<String>) -> Result<()> {
        for name in names {
            let (from, to) = (self.repodata().join(name), self.new_dir().join(name));
            if to.exists() || !from.is_file() {
                continue;
            }
            if name.contains('/') {
                let parent = to.parent().unwrap_or(&to);
                fs::create_dir_all(parent).map_err(Error::file(parent, "create"))?;
            }
            if fs::hard_link(&from, &to).is_err() {
                copy(&from, &to).map_err(Error::file(&to, "copy"))?;
            }
        }
        Ok(())
    }

    /// Writes everything to disk and lets the new directory take the place of the old one.
    pub fn publish(&self) -> Result<()> {
        let (new, repodata) = (self.new_dir(), self.repodata());
        for entry in fs::read_dir(&new).map_err(Error::file(&new, "read"))? {
            let path = entry.map_err(Error::file(&new, "read"))?.path();
            sync(&path)?;
        }
        sync(&new)?;
        if is_here(&repodata) {
            fill(&new, &repodata)?;
        } else if repodata.exists() {
            self.exchange(&new, &repodata)?;
        } else {
            fs::rename(&new, &repodata).map_err(Error::file(&repodata, "create"))?;
        }
        sync(&self.root)?;
        self.give_up()?;
        remove_dir(&self.old_dir())
    }

    fn exchange(&self, new: &Path, repodata: &Path) -> Result<()> {
        match renameat_with(CWD, new, CWD, repodata, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                let old = self.old_dir();
                fs::rename(repodata, &old).map_err(Error::file(repodata, "move"))?;
                fs::rename(new, repodata).map_err(Error::file(repodata, "replace"))
            }
            Err(error) => Err(Error::file(repodata, "replace")(error.into())),
        }
    }

    /// Writes the state as one.
    pub fn save_state(&self, state: &[u8]) -> Result<()> {
        let path = self.state_file();
        whole_file::replace(&path, state, Access::Umask, Durability::Cache)
            .map_err(Error::file(&path, "replace"))
    }
}

impl Drop for RepoChange {
    /// A run that fails leaves nothing that would keep createrepo_c out; what cannot be removed the next run removes.
    fn drop(&mut self) {
        if self.mark().exists() {
            let _ = self.give_up();
        }
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = whole_file::open_plain(from, OFlags::RDONLY)?;
    io::copy(&mut from, &mut File::create_new(to)?).map(drop)
}

/// Whether a directory is the one that this program was started in.
fn is_here(dir: &Path) -> bool {
    let id = |dir: &Path| fs::metadata(dir).ok().map(|meta| (meta.dev(), meta.ino()));
    id(dir).is_some_and(|dir| id(Path::new(".")) == Some(dir))
}

/// Gives a directory the files of another: who stands in it stays in it. `repomd.xml` comes last, then what it
/// replaces goes. Names with checksums leave readers under way what they read.
fn fill(new: &Path, repodata: &Path) -> Result<()> {
    let mut names = files_below(new)?;
    for name in &names {
        let (from, to) = (new.join(name), repodata.join(name));
        let dir = to.parent().unwrap_or(repodata);
        whole_file::make_folders(repodata, dir)
            .map_err(|(place, error)| Error::file(place, "create")(error))?;
        if name != Path::new(INDEX) {
            fs::rename(&from, &to).map_err(Error::file(&to, "replace"))?;
        }
    }
    let index = repodata.join(INDEX);
    fs::rename(new.join(INDEX), &index).map_err(Error::file(&index, "replace"))?;
    sync(repodata)?;
    names.sort_unstable();
    for name in files_below(repodata)? {
        if names.binary_search(&name).is_err() {
            let path = repodata.join(name);
            fs::remove_file(&path).map_err(Error::file(&path, "remove"))?;
        }
    }
    Ok(())
}

/// The files of a directory and of those in it.
fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let here = dir.join(&below);
        for entry in fs::read_dir(&here).map_err(Error::file(&here, "read"))? {
            let entry = entry.map_err(Error::file(&here, "read"))?;
            let kind = entry.file_type().map_err(Error::file(&here, "read"))?;
            let name = below.join(entry.file_name());
            match kind.is_dir() {
                true => open.push(name),
                false => files.push(name),
            }
        }
    }
    Ok(files)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(Error::file(path, "sync"))
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file(dir, "remove")(error))
        }
        _ => Ok(()),
    }
}
