//! The journal: what the transaction is about to do, written before it is done.
//!
//! A file of records that only grows: `length (u32) | checksum (8 bytes) | body`, numbers in
//! little endian, the checksum being the first bytes of the SHA-256 of the body. A torn or
//! damaged tail ends the journal there: what follows was never relied upon, because the writer
//! syncs the file before it makes a step that a record must announce.
//!
//! Undoing needs no record per file step: every step is planned in an [`Record::Element`], synced
//! by [`Record::Prepared`], and whether it was made is seen on the disk (see [`Op`]).

mod frame;
mod record;
#[cfg(test)]
mod tests;

pub(crate) use frame::{frame, parse};
pub(crate) use record::{Op, Record};

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::error::{TransactionError, printable};
use super::root::{RootDir, join};
use super::stages::is_ours;

/// The file name of the journal in the state directory.
pub(crate) const FILE_NAME: &[u8] = b"journal";
/// The version of the format, in the first record.
pub(crate) const VERSION: u32 = 1;
/// A journal larger than this is not read.
const MAX_JOURNAL: u64 = 1 << 30;
/// Records are gathered up to this size before they are written.
const BUFFER: usize = 256 << 10;

/// An open journal.
pub(crate) struct Journal {
    file: File,
    dir: OwnedFd,
    path: String,
    buffer: Vec<u8>,
    /// Where the file ends: whole records only.
    length: u64,
    /// Where [`Record::Prepared`] begins, once it is there.
    prepared: Option<u64>,
}

impl Journal {
    /// Makes a new journal in `state_dir` (a path in the root); there must be none.
    pub(crate) fn create(root: &RootDir, state_dir: &[u8]) -> Result<Journal, TransactionError> {
        let path = printable(&join(state_dir, FILE_NAME));
        let (dir, _) = root
            .create_dirs(state_dir)
            .map_err(|e| TransactionError::file("cannot create", state_dir, e))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = match fs::openat(&dir, FILE_NAME, flags, Mode::from_raw_mode(0o600)) {
            Ok(fd) => fd,
            Err(Errno::EXIST) => return Err(TransactionError::RecoveryPending { journal: path }),
            Err(e) => return Err(failed(&path)(e)),
        };
        if let Err(e) = fs::fsync(&dir) {
            let _ = fs::unlinkat(&dir, FILE_NAME, AtFlags::empty());
            return Err(failed(&path)(e));
        }
        Ok(Journal::new(fd, dir, path))
    }

    fn new(fd: OwnedFd, dir: OwnedFd, path: String) -> Journal {
        Journal {
            file: File::from(fd),
            dir,
            path,
            buffer: Vec::new(),
            length: 0,
            prepared: None,
        }
    }

    /// Opens the journal that an interrupted transaction left, with its records; `None` when
    /// there is none. A torn tail is cut off.
    pub(crate) fn open(
        root: &RootDir,
        state_dir: &[u8],
    ) -> Result<Option<(Journal, Vec<Record>)>, TransactionError> {
        let path = printable(&join(state_dir, FILE_NAME));
        let dir = match root.open_dir(state_dir) {
            Ok(dir) => dir,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(e) => return Err(failed(&path)(e)),
        };
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match fs::openat(&dir, FILE_NAME, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(failed(&path)(e)),
        };
        let about = fs::fstat(&fd).map_err(failed(&path))?;
        // Ours has one name. It is cut and written in place: in an image, a second name may be that of any other file.
        if !fs::FileType::from_raw_mode(about.st_mode).is_file() || about.st_nlink > 1 {
            let why =
                "no journal of this program: it is no regular file or has a second name; remove it";
            return Err(failed(&path)(why));
        }
        if !is_ours(&about) || about.st_mode & 0o022 != 0 {
            let why = "it belongs to another user, or others may write it; run this as its owner, or remove it";
            return Err(failed(&path)(why));
        }
        let mut journal = Journal::new(fd, dir, path);
        let records = journal.read_back()?;
        Ok(Some((journal, records)))
    }

    /// What it says is nothing that this program writes.
    pub(crate) fn refused(&self, reason: String) -> TransactionError {
        failed(&self.path)(reason)
    }

    /// Adds a record; it reaches the disk with the next [`Journal::sync`], the file before.
    pub(crate) fn add(&mut self, record: &Record) -> Result<(), TransactionError> {
        if *record == Record::Prepared {
            self.prepared = Some(self.length + self.buffer.len() as u64);
        }
        let body = record.encode();
        if u32::try_from(body.len()).is_err() {
            return Err(failed(&self.path)("record too long"));
        }
        self.buffer.extend(frame(&body));
        if self.buffer.len() >= BUFFER {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Writes what was added: a killed process loses nothing after this, a power cut may.
    pub(crate) fn flush(&mut self) -> Result<(), TransactionError> {
        let written = self.file.write_all(&self.buffer);
        let added = self.buffer.len() as u64;
        self.buffer.clear();
        match written {
            Ok(()) => self.length += added,
            Err(e) => {
                // Half a record would hide all that follow it: the disk may have room again for those.
                let _ = self.file.set_len(self.length);
                let _ = self.file.seek(SeekFrom::Start(self.length));
                return Err(failed(&self.path)(e));
            }
        }
        debug::step();
        Ok(())
    }

    /// Writes what was added and waits until it is on the disk.
    pub(crate) fn sync(&mut self) -> Result<(), TransactionError> {
        self.flush()?;
        self.file.sync_data().map_err(failed(&self.path))
    }

    /// Everything is undone and on the disk: what is staged may go now, and must never be taken for steps that were
    /// made. A full disk may have no room for the record; then it takes the place of [`Record::Prepared`], which has
    /// its length. What follows there stays: it may name further staging directories.
    pub(crate) fn roll_back(&mut self) -> Result<(), TransactionError> {
        let Some(prepared) = self.prepared else {
            return Ok(());
        };
        if self
            .add(&Record::RolledBack)
            .and_then(|()| self.sync())
            .is_err()
        {
            self.buffer.clear();
            self.replace_prepared(prepared)
                .map_err(failed(&self.path))?;
        }
        self.prepared = None;
        Ok(())
    }

    fn replace_prepared(&self, prepared: u64) -> io::Result<()> {
        // It had no room itself.
        if prepared >= self.length {
            return Ok(());
        }
        let over = self
            .file
            .write_all_at(&frame(&Record::RolledBack.encode()), prepared);
        // Where even that needs room the journal is cut off: nothing was prepared then.
        over.or_else(|_| self.file.set_len(prepared))?;
        self.file.sync_data()
    }

    /// The transaction is over: deletes the journal.
    pub(crate) fn remove(self) -> Result<(), TransactionError> {
        let gone = fs::unlinkat(&self.dir, FILE_NAME, AtFlags::empty());
        gone.and_then(|()| fs::fsync(&self.dir))
            .map_err(failed(&self.path))
    }

    fn read_back(&mut self) -> Result<Vec<Record>, TransactionError> {
        let length = self.file.metadata().map_err(failed(&self.path))?.len();
        if length > MAX_JOURNAL {
            return Err(failed(&self.path)(
                "larger than any journal of this program",
            ));
        }
        let mut bytes = Vec::new();
        self.file
            .read_to_end(&mut bytes)
            .map_err(failed(&self.path))?;
        let (records, good) = parse(&bytes).map_err(failed(&self.path))?;
        let mut at = 0;
        for record in &records {
            if *record == Record::Prepared {
                self.prepared = Some(at);
            }
            at += 12 + record.encode().len() as u64;
        }
        let end = SeekFrom::Start(good as u64);
        let cut = self.file.set_len(good as u64);
        let cut = cut.and_then(|()| self.file.seek(end));
        self.length = cut.map_err(failed(&self.path))?;
        Ok(records)
    }
}

fn failed<E: ToString>(path: &str) -> impl FnOnce(E) -> TransactionError + '_ {
    move |reason| TransactionError::Journal {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// A place where tests stop the process as a power button would.
pub(crate) mod debug {
    /// Kills this process when TDNF_TEST_KILL_STEP says so; nothing in a release build.
    pub(crate) fn step() {
        #[cfg(debug_assertions)]
        {
            use std::sync::atomic::{AtomicU64, Ordering};
            static STEPS: AtomicU64 = AtomicU64::new(0);
            let step = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
            let wanted = std::env::var("TDNF_TEST_KILL_STEP")
                .ok()
                .and_then(|n| n.parse().ok());
            if wanted == Some(step) {
                let me = rustix::process::getpid();
                let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
            }
        }
    }
}
