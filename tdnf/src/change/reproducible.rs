//! Roots that are the same whenever they are built: what a run with `SOURCE_DATE_EPOCH` leaves.
//!
//! The transaction has written that time into the database and the history already. What remains
//! are the times of files and directories that were made on the way, the side files of the
//! database, and the words in the lock file.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rpm_pkg::header::{Header, tag};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use crate::error::{At, Outcome};
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
    let begun = settings.environment.clock;
    let mut packaged = Packaged::since(begun);
    if let Some(db) = session.db()? {
        db.for_each(&mut |_, header| packaged.add(&header))?;
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
        let clamp = Clamp {
            epoch,
            begun,
            packaged,
            device,
        };
        remove_linker_cache(&dir)?;
        clamp.directory(dir, 0)
    });
    clamped.at(root)
}

/// Takes away what `ldconfig` keeps to be faster the next time: inode numbers and times, which are
/// others in each root.
fn remove_linker_cache(root: &OwnedFd) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut dir = root.try_clone().map_err(|_| Errno::MFILE)?;
    let absent = |error| matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP);
    for name in ["var", "cache", "ldconfig"] {
        dir = match fs::openat(&dir, name, flags, Mode::empty()) {
            Err(error) if absent(error) => return Ok(()),
            opened => opened?,
        };
    }
    match fs::unlinkat(&dir, "aux-cache", AtFlags::empty()) {
        Err(error) if absent(error) => Ok(()),
        removed => removed,
    }
}

/// The files of packages that are as young as this run, or younger: made within its first second,
/// or by a machine whose clock is ahead. Seldom any.
struct Packaged {
    /// Unix seconds.
    begun: u64,
    /// Last name and time. The path is left out: links among the directories of the root may give
    /// a file another one than its package says.
    files: HashSet<(Vec<u8>, u32)>,
}

impl Packaged {
    fn since(begun: u64) -> Self {
        let files = HashSet::new();
        Self { begun, files }
    }

    fn add(&mut self, header: &Header) -> ControlFlow<()> {
        let times = header.u32s(tag::FILEMTIMES);
        for (name, time) in header.strings(tag::BASENAMES).zip(times) {
            if u64::from(time) >= self.begun {
                self.files.insert((name.to_vec(), time));
            }
        }
        ControlFlow::Continue(())
    }

    fn has(&self, name: &[u8], stat: &fs::Stat) -> bool {
        let time = u32::try_from(stat.st_mtime).ok();
        let whole = time.filter(|_| stat.st_mtime_nsec == 0 && !self.files.is_empty());
        whole.is_some_and(|time| self.files.contains(&(name.to_vec(), time)))
    }
}

/// Sets back the time of everything that changed during this run. Files of packages keep the
/// times that their packages name, which are the same for every build.
struct Clamp {
    /// Where to.
    epoch: u64,
    /// When this run began.
    begun: u64,
    /// What keeps its time all the same.
    packaged: Packaged,
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
                continue;
            }
            let times = self.times(&stat);
            if let Some(times) = times.filter(|_| !self.packaged.has(name.to_bytes(), &stat)) {
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
