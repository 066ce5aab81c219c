//! rpm's transaction lock, `.rpm.lock` in the database directory (docs/reference/rpmdb.md, 2.5).
//!
//! It is a classic `fcntl` record lock: the kernel frees it when its holder ends, however it ends. The file is never
//! deleted. Such a lock belongs to the process, so a second [`TransactionLock`] on the same file in one process is
//! refused by a list kept here.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags};
use rustix::process::{Flock, FlockType};
use whole_file::open_plain;

use crate::DbError;

/// Name of the lock file, the last part of `%_rpmlock_path`.
pub const LOCK_FILE: &str = ".rpm.lock";
/// Pause between two tries.
const POLL: Duration = Duration::from_millis(100);

/// Files (device, inode) that this process holds a lock on.
static HELD: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

/// How long to wait for another holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Fail at once.
    Never,
    /// Try again until the time is over.
    AtMost(Duration),
    /// Until the holder is gone.
    Forever,
}

/// The exclusive lock; freed when dropped.
#[derive(Debug)]
#[must_use = "the lock is freed when this is dropped"]
pub struct TransactionLock {
    /// None on a read-only file system, where rpm also goes on without lock.
    file: Option<(File, (u64, u64))>,
    path: PathBuf,
}

impl TransactionLock {
    /// Takes the lock of the database in `dir`, which must exist.
    ///
    /// `waiting` is called once, with the holder, before the first pause; it may end the wait by answering false.
    ///
    /// # Errors
    /// [`DbError::Locked`] when another process (or this one) still holds it after `wait`, or `waiting` said no;
    /// [`DbError::Io`] when the file cannot be opened or made.
    pub fn acquire(
        dir: &Path,
        wait: Wait,
        waiting: &mut dyn FnMut(Option<u32>) -> bool,
    ) -> Result<Self, DbError> {
        let path = dir.join(LOCK_FILE);
        let start = Instant::now();
        let mut asked = false;
        loop {
            let pid = match attempt(&path)? {
                LockAttempt::Held(file, id) => {
                    let file = Some((file, id));
                    return Ok(Self { file, path });
                }
                LockAttempt::ReadOnly => return Ok(Self { file: None, path }),
                LockAttempt::Taken(pid) => pid,
            };
            let over = match wait {
                Wait::Never => true,
                Wait::AtMost(limit) => start.elapsed() >= limit,
                Wait::Forever => false,
            };
            if over || (!asked && !waiting(pid)) {
                return Err(DbError::Locked { path, pid });
            }
            asked = true;
            std::thread::sleep(POLL);
        }
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// False on a read-only file system, where there is nothing to lock.
    pub fn is_held(&self) -> bool {
        self.file.is_some()
    }
}

impl Drop for TransactionLock {
    fn drop(&mut self) {
        if let Some((file, id)) = self.file.take() {
            let mut held = held();
            drop(file);
            held.retain(|other| *other != id);
        }
    }
}

/// The process that holds the lock of the database in `dir` at this moment, for messages; none when it is free.
///
/// # Errors
/// [`DbError::Io`] when the lock file exists and cannot be opened.
pub fn current_holder(dir: &Path) -> Result<Option<u32>, DbError> {
    let path = dir.join(LOCK_FILE);
    let held = held();
    if own(&path, &held) {
        return Ok(Some(std::process::id()));
    }
    match open_plain(&path, OFlags::RDONLY) {
        Ok(file) => Ok(holder(&file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(DbError::io(&path)(e)),
    }
}

enum LockAttempt {
    Held(File, (u64, u64)),
    ReadOnly,
    Taken(Option<u32>),
}

/// One try. The list stays locked meanwhile, and a file on it is not even opened: closing any descriptor of a file
/// frees all classic locks that the process has on it.
fn attempt(path: &Path) -> Result<LockAttempt, DbError> {
    let mut held = held();
    if own(path, &held) {
        return Ok(LockAttempt::Taken(Some(std::process::id())));
    }
    let Some(file) = open(path)? else {
        return Ok(LockAttempt::ReadOnly);
    };
    match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            let id = identity(&file.metadata().map_err(DbError::io(path))?);
            held.push(id);
            Ok(LockAttempt::Held(file, id))
        }
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
            Ok(LockAttempt::Taken(holder(&file)))
        }
        Err(e) => Err(DbError::io(path)(e.into())),
    }
}

fn own(path: &Path, held: &[(u64, u64)]) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| held.contains(&identity(&meta)))
}

fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

fn held() -> std::sync::MutexGuard<'static, Vec<(u64, u64)>> {
    HELD.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Opens or makes the lock file, but never through a symbolic link; none on a read-only file system.
fn open(path: &Path) -> Result<Option<File>, DbError> {
    match open_plain(path, OFlags::RDWR | OFlags::CREATE) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(None),
        Err(e) => Err(DbError::io(path)(e)),
    }
}

fn holder(file: &File) -> Option<u32> {
    let wished = Flock::from(FlockType::WriteLock);
    let lock = rustix::process::fcntl_getlk(file, &wished).ok()??;
    u32::try_from(lock.pid?.as_raw_nonzero().get()).ok()
}
