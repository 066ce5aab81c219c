//! A tree that becomes a folder: the root itself, made what the image shows.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, Mode, OFlags};

use super::tree::{MACHINE_ID, Tree};
use crate::error::{Code, Failure, Outcome};

impl Tree {
    /// Makes the root itself what is shown.
    ///
    /// # Errors
    /// Something cannot be changed.
    pub fn become_dir(&self) -> Outcome<()> {
        let root = self.root.fd().try_clone_to_owned();
        let root = root.map_err(|error| Failure::io(self.root.path(), &error))?;
        self.settle(root, &mut Vec::new(), 0)
    }

    /// Gives the root another name, which nothing has, or an empty folder.
    ///
    /// # Errors
    /// The name is that of something else.
    pub fn move_to(&self, target: &Path) -> Outcome<()> {
        let moved = std::fs::rename(self.root.path(), target);
        moved.map_err(|error| match error.kind() {
            std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists => {
                let line = format!("{}: it is there already, and not empty", target.display());
                Failure::because(Code::FILESYS_IO, line)
            }
            _ => Failure::io(target, &error),
        })
    }

    /// Removes what is left out, and sets the times that are shown; folders after what is in them.
    fn settle(&self, dir: OwnedFd, path: &mut Vec<u8>, depth: usize) -> Outcome<()> {
        self.each(&dir, path, depth, &mut |name, path, stat| {
            let is_folder = fs::FileType::from_raw_mode(stat.st_mode).is_dir();
            let shown = self.entry((dir.as_fd(), name), path, stat).attributes;
            match (self.is_left_out(path), is_folder) {
                (true, true) => {
                    let path = self.root.path().join(std::ffi::OsStr::from_bytes(path));
                    return super::workplace::remove(&path)
                        .map_err(|error| Failure::io(&path, &error));
                }
                (true, false) => {
                    let removed = fs::unlinkat(&dir, name, AtFlags::empty());
                    return removed.map_err(|error| self.failed(path, error));
                }
                (false, true) => {
                    let below = self.open_folder(&dir, name, path)?;
                    self.settle(below, path, depth + 1)?;
                }
                (false, false) if path == MACHINE_ID => {
                    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    let emptied = fs::openat(&dir, name, flags, Mode::empty());
                    emptied.map_err(|error| self.failed(path, error))?;
                }
                (false, false) => {}
            }
            let time = fs::Timespec {
                tv_sec: i64::try_from(shown.mtime).unwrap_or(i64::MAX),
                tv_nsec: 0,
            };
            let times = fs::Timestamps {
                last_access: time,
                last_modification: time,
            };
            let set = fs::utimensat(&dir, name, &times, AtFlags::SYMLINK_NOFOLLOW);
            set.map_err(|error| self.failed(path, error))
        })
    }
}
