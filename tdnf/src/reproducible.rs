//! Roots that are the same whenever they are built: what a run with `SOURCE_DATE_EPOCH` leaves.
//!
//! The transaction has written that time into the database and the history already. What remains
//! are the times of files and directories that were made on the way, the side files of the
//! database, and the words in the lock file.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use crate::error::{Failure, Outcome};
use crate::session::Session;

/// How deep folders may be nested below the root.
const MAX_DEPTH: usize = 256;

/// Makes an installroot reproducible after a change; does nothing for the running system, or
/// without `SOURCE_DATE_EPOCH`.
pub(crate) fn settle(session: &Session<'_>) -> Outcome<()> {
    let settings = &session.settings;
    let Some(epoch) = settings.environment.source_date else {
        return Ok(());
    };
    if settings.root == Path::new("/") || settings.test_only {
        return Ok(());
    }
    let location = session.db_location()?;
    let lock = session.database_lock(&location)?;
    rpm_db::make_reproducible(&location)?;
    drop(lock);
    session.quieten_lock();
    let root = &settings.root;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let clamped = fs::open(root, flags, Mode::empty()).and_then(|dir| {
        let device = fs::fstat(&dir)?.st_dev;
        let begun = settings.environment.clock;
        let clamp = Clamp {
            epoch,
            begun,
            device,
        };
        clamp.directory(dir, 0)
    });
    clamped.map_err(|error| Failure::io(root, &error.into()))
}

/// Sets back the time of everything that changed during this run. Files of packages have the
/// times that their packages name, which are the same for every build.
struct Clamp {
    /// Where to.
    epoch: u64,
    /// When this run began.
    begun: u64,
    /// Other file systems are not entered: `/proc` and the like may be mounted in the root.
    device: u64,
}

impl Clamp {
    /// All below, then the directory itself.
    fn directory(&self, dir: OwnedFd, depth: usize) -> Result<(), Errno> {
        if depth >= MAX_DEPTH {
            return Err(Errno::NAMETOOLONG);
        }
        for entry in fs::Dir::read_from(&dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if stat.st_dev != self.device {
                continue;
            }
            if FileType::from_raw_mode(stat.st_mode).is_dir() {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = fs::openat(&dir, name, flags, Mode::empty())?;
                self.directory(below, depth + 1)?;
            } else if let Some(times) = self.times(&stat) {
                fs::utimensat(&dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
            }
        }
        match self.times(&fs::fstat(&dir)?) {
            Some(times) => fs::futimens(dir.as_fd(), &times),
            None => Ok(()),
        }
    }

    fn times(&self, stat: &fs::Stat) -> Option<Timestamps> {
        let epoch = i64::try_from(self.epoch).ok()?;
        let begun = i64::try_from(self.begun).ok()?;
        let late = stat.st_mtime >= begun && (stat.st_mtime, stat.st_mtime_nsec) > (epoch, 0);
        late.then_some(Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: epoch,
                tv_nsec: 0,
            },
        })
    }
}
