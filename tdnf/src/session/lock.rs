//! The instance lock: one changing run at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use cli_kit::Printer;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use crate::error::{Failure, Outcome};

/// The lock of the running system: the file that C tdnf locks, too, so that both respect each
/// other.
const HOST_FILE: &str = "/var/run/.tdnf-instance-lockfile";
/// Its name below the persist directory of an installroot.
const ROOT_FILE: &str = ".tdnf-instance-lockfile";
/// How often a waiting run looks again.
const PAUSE: Duration = Duration::from_millis(200);

/// A held lock; the kernel releases it with the process, whatever ends that. The file stays: who
/// removed it would let two others in (C tdnf does).
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
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

    /// Takes the lock; waits for its holder and says so.
    pub fn acquire(path: &Path, printer: &Printer) -> Outcome<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|error| Failure::io(dir, &error))?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| Failure::io(path, &error))?;
        let mut told = false;
        loop {
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::AGAIN | Errno::ACCESS) => {}
                Err(error) => return Err(Failure::io(path, &error.into())),
            }
            if !told {
                told = true;
                printer.crit(&format!(
                    "waiting for tdnf_instance lock on {}",
                    path.display()
                ));
                if let Some(pid) = holder(&mut file) {
                    printer.info(&format!("it is held by process {pid}"));
                }
            }
            sleep(PAUSE);
        }
        // Who holds it is only for people: a disk without room is no reason to stop.
        let _ = write_pid(&mut file);
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    write!(file, "{}", std::process::id())
}
