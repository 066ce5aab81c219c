//! Where a new repodata is made, and how it takes the place of the old one as one.
//!
//! Beside `repodata` stands `.repo-tools` with a lock and the state of the last run and, during a run, the new
//! directory `.repodata`. createrepo_c works in a directory of that name, too, and takes it for its lock: so its runs
//! and ours keep out of each other's way. A mark in `.repo-tools` says that it is ours. The exchange is one `renameat2(RENAME_EXCHANGE)`: a reader sees the old
//! repodata or the new one. On file systems without it there are two renames, and the next run
//! finishes what a kill between them left.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, OFlags};
use whole_file::{Durability, Folder};

use crate::error::{Error, Result};

/// The working directory beside `repodata`.
pub const WORK_DIR: &str = ".repo-tools";
/// The directory in the making.
pub const NEW_DIR: &str = ".repodata";
/// The repository's own directory.
pub const REPODATA: &str = "repodata";
/// The file in it that lists the others.
pub(crate) const INDEX: &str = "repomd.xml";
/// Largest state that is read, in bytes: some 300,000 packages.
const MAX_STATE: u64 = 48 << 20;

/// The lock of a repository, in its working directory.
const LOCK: &str = "lock";
/// Says that the directory in the making is ours.
const MARK: &str = "making";
/// The repodata before, where directories cannot be exchanged.
const OLD: &str = "old";
/// The state of the last run.
const STATE: &str = "state";

/// The right to change a repository, and the place to do it. Somebody else may own the directory: everything in it is
/// reached through descriptors, and what was opened at the beginning is what is worked on.
#[derive(Debug)]
pub struct RepoChange {
    root: Folder,
    work: Folder,
    repodata: Option<Folder>,
    new: Option<Folder>,
    /// Held locked until the end.
    _lock: File,
}

impl RepoChange {
    /// Takes the lock of the repository in `root`, which is made where it is not there, and clears what an earlier run
    /// left.
    ///
    /// # Errors
    /// As [`RepoChange::of`].
    pub fn open(root: &Path) -> Result<RepoChange> {
        fs::create_dir_all(root).map_err(Error::file(root, "create"))?;
        RepoChange::of(Folder::open(root).map_err(Error::file(root, "open"))?)
    }

    /// Takes the lock of the repository in an open directory.
    ///
    /// # Errors
    /// Another run holds the lock; the directory cannot be written, or links stand in it in the place of ours.
    pub fn of(root: Folder) -> Result<RepoChange> {
        let work = root.make_all(Path::new(WORK_DIR));
        let work = work.map_err(Error::file(root.path().join(WORK_DIR), "create"))?;
        let lock = work.file(Path::new(LOCK), OFlags::RDWR | OFlags::CREATE);
        let lock = lock.map_err(|error| odd(work.path().join(LOCK), "open", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(root.path().to_owned())),
            Err(TryLockError::Error(error)) => {
                return Err(Error::file(work.path().join(LOCK), "lock")(error));
            }
        }
        let mut stage = RepoChange {
            root,
            work,
            repodata: None,
            new: None,
            _lock: lock,
        };
        stage.clear()?;
        let path = stage.root.path().join(REPODATA);
        stage.repodata = match stage.root.kind(Path::new(REPODATA)) {
            None => None,
            Some(FileType::Symlink) => return Err(Error::LinkedRepodata(path)),
            Some(_) => {
                let repodata = stage.root.folder(Path::new(REPODATA));
                Some(repodata.map_err(Error::file(path, "open"))?)
            }
        };
        Ok(stage)
    }

    /// The directory that holds `repodata`.
    pub fn root(&self) -> &Folder {
        &self.root
    }

    /// `repodata` as it was at the beginning.
    pub fn repodata(&self) -> Option<&Folder> {
        self.repodata.as_ref()
    }

    /// The directory in the making.
    ///
    /// # Errors
    /// There is none.
    pub fn new_dir(&self) -> Result<&Folder> {
        let none = || Error::file(self.root.path().join(NEW_DIR), "open");
        let new = self.new.as_ref();
        new.ok_or_else(|| none()(io::ErrorKind::NotFound.into()))
    }

    fn clear(&self) -> Result<()> {
        let is_moved = self.work.kind(Path::new(OLD)) == Some(FileType::Directory);
        if is_moved && self.root.kind(Path::new(REPODATA)).is_none() {
            let restored = (self.work).rename(Path::new(OLD), &self.root, Path::new(REPODATA));
            restored.map_err(Error::file(self.root.path().join(REPODATA), "restore"))?;
        }
        remove(&self.work, OLD)?;
        self.work
            .clear_waiting()
            .map_err(Error::file(self.work.path(), "clear"))?;
        match self.is_marked() {
            true => self.give_up(),
            false => Ok(()),
        }
    }

    fn is_marked(&self) -> bool {
        self.work.kind(Path::new(MARK)).is_some()
    }

    /// Makes the empty new directory.
    pub fn begin(&mut self) -> Result<Folder> {
        let path = self.root.path().join(NEW_DIR);
        if self.root.kind(Path::new(NEW_DIR)).is_some() {
            return Err(Error::BusyElsewhere(path));
        }
        remove(&self.work, MARK)?;
        let mark = self.work.create_new(Path::new(MARK));
        mark.map_err(Error::file(self.work.path().join(MARK), "create"))?;
        let new = self
            .root
            .make(NEW_DIR)
            .map_err(Error::file(path, "create"))?;
        self.new = Some(new.clone());
        Ok(new)
    }

    /// Removes the new directory: the present repodata stays.
    pub fn give_up(&self) -> Result<()> {
        remove(&self.root, NEW_DIR)?;
        remove(&self.work, MARK)
    }

    /// Throws away what another program's run left, or what it is still making.
    pub fn ignore_lock(&self) -> Result<()> {
        remove(&self.root, NEW_DIR)
    }

    /// Takes files of the present repodata over into the new one, as links where possible. Files
    /// that the new one has already, or that are gone, are skipped.
    pub fn keep(&self, names: &BTreeSet<String>) -> Result<()> {
        let Some(present) = &self.repodata else {
            return Ok(());
        };
        let new = self.new_dir()?;
        for name in names {
            let below = Path::new(name);
            if present.kind(below) != Some(FileType::RegularFile) {
                continue;
            }
            if let Some(parent) = below.parent().filter(|above| !above.as_os_str().is_empty()) {
                new.make_all(parent)
                    .map_err(Error::file(new.path().join(parent), "create"))?;
            }
            present
                .link(below, new)
                .map_err(Error::file(new.path().join(name), "copy"))?;
        }
        Ok(())
    }

    /// Writes everything to disk and lets the new directory take the place of the old one.
    pub fn publish(&self) -> Result<()> {
        let new = self.new_dir()?;
        new.sync_entries()
            .map_err(Error::file(new.path(), "sync"))?;
        match &self.repodata {
            Some(repodata) if is_here(repodata) => fill(new, repodata)?,
            _ => self.exchange(new)?,
        }
        sync(&self.root)?;
        self.give_up()?;
        remove(&self.work, OLD)
    }

    fn exchange(&self, new: &Folder) -> Result<()> {
        let path = self.root.path().join(REPODATA);
        self.expect(new, NEW_DIR)?;
        let (from, to) = (Path::new(NEW_DIR), Path::new(REPODATA));
        let is_done = match self.repodata {
            Some(_) => self.root.exchange(NEW_DIR, REPODATA),
            None => Ok(false),
        };
        if !is_done.map_err(Error::file(&path, "replace"))? {
            if self.repodata.is_some() {
                let moved = self.root.rename(to, &self.work, Path::new(OLD));
                moved.map_err(Error::file(&path, "move"))?;
            }
            let moved = self.root.rename(from, &self.root, to);
            moved.map_err(Error::file(&path, "replace"))?;
        }
        self.expect(new, REPODATA)
    }

    /// That the directory that was made still has this name: its owner's neighbour may have put another there.
    fn expect(&self, new: &Folder, name: &str) -> Result<()> {
        let path = || self.root.path().join(name);
        let id = new.id().map_err(Error::file(path(), "read"))?;
        match self.root.stat(Path::new(name)) {
            Ok(about) if (about.st_dev, about.st_ino) == id => Ok(()),
            _ => Err(Error::Exchanged(path())),
        }
    }

    /// The bytes of the state of the last run; none if there is none that could be one.
    pub fn state(&self) -> Option<Vec<u8>> {
        self.work.read(Path::new(STATE), MAX_STATE).ok()
    }

    /// Writes the state as one.
    pub fn save_state(&self, state: &[u8]) -> Result<()> {
        if self.work.kind(Path::new(STATE)) == Some(FileType::Directory) {
            remove(&self.work, STATE)?;
        }
        let saved = self.work.replace(STATE, state, Durability::Cache);
        saved.map_err(Error::file(self.work.path().join(STATE), "replace"))
    }
}

impl Drop for RepoChange {
    /// A run that fails leaves nothing that would keep createrepo_c out; what cannot be removed the next run removes.
    fn drop(&mut self) {
        if self.is_marked() {
            let _ = self.give_up();
        }
    }
}

/// The error of a file of ours: where something else stands in its place, what to do.
fn odd(path: PathBuf, what: &'static str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData => Error::Damaged {
            path,
            what: format!("{error}: remove it, then run this again"),
        },
        _ => Error::file(path, what)(error),
    }
}

/// Whether a directory is the one that this program was started in.
fn is_here(dir: &Folder) -> bool {
    let here = fs::metadata(".").map(|meta| (meta.dev(), meta.ino()));
    here.ok().is_some_and(|here| dir.id().ok() == Some(here))
}

/// Gives a directory the files of another: who stands in it stays in it. `repomd.xml` comes last, then what it
/// replaces goes. Names with checksums leave readers under way what they read.
fn fill(new: &Folder, repodata: &Folder) -> Result<()> {
    let listed = |dir: &Folder| dir.files().map_err(Error::file(dir.path(), "read"));
    let moved = |name: &Path| {
        let moved = new.rename(name, repodata, name);
        moved.map_err(Error::file(repodata.path().join(name), "replace"))
    };
    let mut names = listed(new)?;
    for name in &names {
        let dir = name.parent().unwrap_or(Path::new(""));
        repodata
            .make_all(dir)
            .map_err(Error::file(repodata.path().join(dir), "create"))?;
        if name != Path::new(INDEX) {
            moved(name)?;
        }
    }
    moved(Path::new(INDEX))?;
    sync(repodata)?;
    names.sort_unstable();
    for name in listed(repodata)? {
        if names.binary_search(&name).is_err() {
            let gone = repodata.remove(&name);
            gone.map_err(Error::file(repodata.path().join(&name), "remove"))?;
        }
    }
    Ok(())
}

fn sync(dir: &Folder) -> Result<()> {
    dir.sync().map_err(Error::file(dir.path(), "sync"))
}

fn remove(dir: &Folder, name: &str) -> Result<()> {
    dir.remove_all(OsStr::new(name))
        .map_err(Error::file(dir.path().join(name), "remove"))
}
