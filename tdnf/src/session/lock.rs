//! The instance lock: one changing run at a time.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cli_kit::Printer;
use rustix::fs::{FlockOperation, OFlags, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};

use whole_file::open_plain;

use super::Holder;
use crate::error::advice::WAIT_LONGER;
use crate::error::{At, Code, Failure, Outcome};
use crate::settings::Settings;

/// The lock of the running system: the file that C tdnf locks, too, so that both respect each
/// other.
const HOST_FILE: &str = "/var/run/.tdnf-instance-lockfile";
/// Its name below the persist directory of an installroot.
const ROOT_FILE: &str = ".tdnf-instance-lockfile";
/// How often a waiting run looks again.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest lock file that is looked at.
const MAX_FILE: u64 = 4096;

/// A held lock; the kernel releases it with the process, whatever ends that. The file stays: who
/// removed it would let two others in (C tdnf does).
#[derive(Debug)]
pub struct InstanceLock {
    file: File,
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        self.clear();
    }
}

impl InstanceLock {
    /// The lock file of a root.
    pub fn path(root: &Path, persist_dir: &Path) -> PathBuf {
        if root == Path::new("/") {
            PathBuf::from(HOST_FILE)
        } else {
            persist_dir.join(ROOT_FILE)
        }
    }

    /// Empties the file: this run is not to be named to others any more.
    pub fn clear(&self) {
        // An empty file keeps its time.
        if self.file.metadata().is_ok_and(|meta| meta.len() > 0) {
            let _ = self.file.set_len(0);
        }
    }

    /// Takes the lock; waits for its holder as long as the settings say, and says for whom.
    pub fn acquire(path: &Path, settings: &Settings, printer: &Printer) -> Outcome<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).at(dir)?;
        }
        let mut file = open_plain(path, OFlags::RDWR | OFlags::CREATE).at(path)?;
        // It is written in place: in the tree of others its second name may be that of a file of this machine.
        if settings.root != Path::new("/") && file.metadata().at(path)?.nlink() > 1 {
            let line = format!("{}: the lock has a second name: remove it", path.display());
            return Err(Failure::because(Code::FILESYS_IO, line));
        }
        let start = Instant::now();
        let mut told = false;
        loop {
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::AGAIN | Errno::ACCESS) => {}
                Err(error) => return Err(Failure::io(path, &error.into())),
            }
            if settings
                .lock_timeout
                .is_some_and(|limit| start.elapsed() >= limit)
            {
                return Err(still_held(path, &holder(&mut file)));
            }
            if !told {
                told = true;
                tracing::info!(path = %path.display(), holder = %holder(&mut file), "waiting for the lock");
                printer.crit(&format!(
                    "waiting for tdnf_instance lock on {}",
                    path.display()
                ));
                printer.info(&format!("it is held by {}", holder(&mut file)));
            }
            sleep(PAUSE);
        }
        tracing::debug!(path = %path.display(), waited = ?start.elapsed(), "lock taken");
        let this = Holder::this(&settings.command_line, settings.environment.clock);
        // Who holds it is only for people: a disk without room is no reason to stop.
        let _ = write(&mut file, &this);
        Ok(Self { file })
    }
}

/// A lock that another process kept for too long. Such a lock is never broken: the kernel frees it with
/// its holder.
pub(super) fn still_held(path: &Path, holder: &Holder) -> Failure {
    Failure::because(
        Code::LOCKED,
        format!("Error: {} is held by {holder}", path.display()),
    )
    .hint(WAIT_LONGER)
}

/// The kernel knows the process, the file what it does; where the two disagree the kernel is
/// right.
fn holder(file: &mut File) -> Holder {
    let wished = Flock::from(FlockType::WriteLock);
    let lock = fcntl_getlk(&*file, &wished).ok().flatten();
    let pid = lock.and_then(|lock| u32::try_from(lock.pid?.as_raw_nonzero().get()).ok());
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0));
    let read = read.and_then(|_| file.take(MAX_FILE).read_to_string(&mut text));
    let noted = read.ok().and_then(|_| Holder::of_text(&text));
    match (pid, noted) {
        (Some(pid), Some(noted)) if noted.pid == Some(pid) => {
            noted.or(Holder::of_process(Some(pid)))
        }
        (Some(pid), _) => Holder::of_process(Some(pid)),
        // A process of another container has no number here, but it may have left its words.
        (None, Some(noted)) => Holder { pid: None, ..noted },
        (None, None) => Holder::default(),
    }
}

fn write(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    file.write_all(holder.to_text().as_bytes())
}
