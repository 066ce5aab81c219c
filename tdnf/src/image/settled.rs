//! A tree that becomes a folder: the root itself, made what the image shows.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::tree::{MACHINE_ID, MAX_DEPTH, Tree};
use crate::error::{Code, Failure, Outcome};

impl Tree {
    /// Makes the root itself what is shown, and gives it another name, which nothing has, or an empty folder.
    ///
    /// # Errors
    /// Something cannot be changed; the name is that of something else.
    pub fn become_dir(&self, target: &Path) -> Outcome<()> {
        let root = self.root.fd().try_clone_to_owned();
        let root = root.map_err(|error| Failure::io(self.root.path(), &error))?;
        self.settle(root, &mut Vec::new(), 0)?;
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
        if depth >= MAX_DEPTH {
            return Err(self.failed(path, Errno::NAMETOOLONG));
        }
        let length = path.len();
        for name in self.names(&dir, path)? {
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let failed = |error| self.failed(path, error);
            let stat = fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
            let is_folder = fs::FileType::from_raw_mode(stat.st_mode).is_dir();
            let shown = self.entry((dir.as_fd(), &name), path, &stat).attributes;
            match (self.is_left_out(path), is_folder) {
                (true, true) => {
                    let path = self.root.path().join(std::ffi::OsStr::from_bytes(path));
                    super::workplace::remove(&path).map_err(|error| Failure::io(&path, &error))?;
                }
                (true, false) => fs::unlinkat(&dir, &name, AtFlags::empty()).map_err(failed)?,
                (false, _) => {
                    if is_folder {
                        let flags =
                            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                        let below =
                            fs::openat(&dir, &name, flags, Mode::empty()).map_err(failed)?;
                        self.settle(below, path, depth + 1)?;
                    } else if path == MACHINE_ID {
                        let flags =
                            OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                        fs::openat(&dir, &name, flags, Mode::empty()).map_err(failed)?;
                    }
                    let time = fs::Timespec {
                        tv_sec: i64::try_from(shown.mtime).unwrap_or(i64::MAX),
                        tv_nsec: 0,
                    };
                    let times = fs::Timestamps {
                        last_access: time,
                        last_modification: time,
                    };
                    let set = fs::utimensat(&dir, &name, &times, AtFlags::SYMLINK_NOFOLLOW);
                    set.map_err(|error| self.failed(path, error))?;
                }
            }
            path.truncate(length);
        }
        Ok(())
    }
}
