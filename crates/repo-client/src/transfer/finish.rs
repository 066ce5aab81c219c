//! What takes the disk's time: hashing what did not come in order, giving a file its name, syncing a part. Done in
//! threads, so that the network never waits for a disk.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{Builder, JoinHandle};

use crate::ranges::Bell;
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use whole_file::Stamp;

use super::ids::FileId;
use super::tuning::disk::{BUFFER, STACK};
use crate::error::{Error, Result};

/// The hash of a file's first bytes, carried on where there is time: by the network's thread with bytes that
/// come in order, by a thread here with those that came before them.
#[derive(Clone)]
pub(crate) struct Prefix(Arc<Mutex<PrefixHash>>);

struct PrefixHash {
    hasher: Hasher,
    to: u64,
}

impl Prefix {
    /// Of no bytes.
    pub(crate) fn new(algo: DigestAlgo) -> Self {
        let hasher = Hasher::new(algo);
        Self(Arc::new(Mutex::new(PrefixHash { hasher, to: 0 })))
    }

    /// What is hashed; none while a thread is at it.
    fn free(&self) -> Option<MutexGuard<'_, PrefixHash>> {
        match self.0.try_lock() {
            Ok(free) => Some(free),
            Err(TryLockError::Poisoned(free)) => Some(free.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Bytes that are hashed; none while a thread is at it.
    pub(crate) fn to(&self) -> Option<u64> {
        self.free().map(|hashed| hashed.to)
    }

    /// Hashes bytes that are next; others will be read back.
    pub(crate) fn append(&self, from: u64, data: &[u8]) {
        if let Some(mut hashed) = self.free().filter(|hashed| hashed.to == from) {
            hashed.hasher.update(data);
            hashed.to = from.saturating_add(data.len() as u64);
        }
    }

    /// Reads back and hashes up to `end`, or to where the file ends.
    fn catch_up(&self, file: &File, end: u64) -> io::Result<()> {
        let mut hashed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = usize::try_from(end.saturating_sub(hashed.to)).unwrap_or(BUFFER);
        let mut buffer = vec![0; left.min(BUFFER)];
        while hashed.to < end {
            let room = usize::try_from(end - hashed.to)
                .unwrap_or(BUFFER)
                .min(BUFFER);
            let got = file.read_at(buffer.get_mut(..room).unwrap_or_default(), hashed.to)?;
            let Some(data) = buffer.get(..got).filter(|data| !data.is_empty()) else {
                break;
            };
            hashed.hasher.update(data);
            hashed.to += got as u64;
        }
        Ok(())
    }

    fn finish(&self, file: &File, size: u64) -> io::Result<Digest> {
        self.catch_up(file, size)?;
        let hashed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(hashed.hasher.clone().finish())
    }
}

/// A file that has all its bytes.
pub(crate) struct Whole {
    pub(crate) file: FileId,
    pub(crate) handle: Arc<File>,
    pub(crate) hash: Option<Prefix>,
    pub(crate) wanted: Option<Digest>,
    pub(crate) size: u64,
    /// The data are to be on the disk before it has its name.
    pub(crate) sync: bool,
    pub(crate) part: PathBuf,
    pub(crate) dest: PathBuf,
}

/// What a thread has done.
pub(crate) enum DiskDone {
    /// The file has its name; what it was when its digest had been checked.
    Finished(FileId, Option<Stamp>),
    /// The content is not what was wanted.
    Mismatch(FileId, Digest),
    /// The disk failed.
    Failed(FileId, Error),
    /// The data so far are on the disk.
    Synced(FileId),
}

/// What is to be done with a file.
enum FinishWork {
    Finish(Whole),
    /// Its first bytes are there.
    Hash(Arc<File>, Prefix, u64),
}

enum DiskSync {
    Data(FileId, Arc<File>),
    Journal(File),
}

/// The threads; dropping it ends them after what they have begun. A thread that cannot be had (no memory, a limit)
/// is done without: its work is done at once, and the transfer waits for it.
pub(crate) struct Finisher {
    work: Worker<FinishWork>,
    sync: Worker<DiskSync>,
    done: Receiver<DiskDone>,
}

/// A thread with a line of work before it, and what does the work where there is none.
struct Worker<T> {
    thread: Option<(Sender<T>, JoinHandle<()>)>,
    said: Sender<DiskDone>,
    bell: Bell,
    act: fn(T, &Sender<DiskDone>),
}

impl<T: Send + 'static> Worker<T> {
    fn start(said: &Sender<DiskDone>, bell: &Bell, act: fn(T, &Sender<DiskDone>)) -> Self {
        let (to, line) = channel();
        let (says, rings) = (said.clone(), bell.clone());
        let thread = Builder::new().stack_size(STACK).spawn(move || {
            while let Ok(one) = line.recv() {
                act(one, &says);
                rings.notify_one();
            }
        });
        Self {
            thread: thread.ok().map(|thread| (to, thread)),
            said: said.clone(),
            bell: bell.clone(),
            act,
        }
    }

    fn hand(&self, one: T) {
        let left = match &self.thread {
            Some((to, _)) => to.send(one).err().map(|unsent| unsent.0),
            None => Some(one),
        };
        if let Some(one) = left {
            (self.act)(one, &self.said);
            self.bell.notify_one();
        }
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        if let Some((to, thread)) = self.thread.take() {
            drop(to);
            let _ = thread.join();
        }
    }
}

impl Finisher {
    pub(crate) fn start(bell: &Bell) -> Self {
        let (said, done) = channel();
        Self {
            work: Worker::start(&said, bell, |one, said| match one {
                FinishWork::Finish(whole) => {
                    let _ = said.send(finish(whole));
                }
                // What cannot be read now is read again at the end, and told then.
                FinishWork::Hash(file, prefix, end) => drop(prefix.catch_up(&file, end)),
            }),
            sync: Worker::start(&said, bell, |one, said| match one {
                // A failure here leaves the journal as it was: less is kept over a reboot.
                DiskSync::Data(file, handle) => {
                    if handle.sync_data().is_ok() {
                        let _ = said.send(DiskDone::Synced(file));
                    }
                }
                DiskSync::Journal(handle) => {
                    let _ = handle.sync_all();
                }
            }),
            done,
        }
    }

    pub(crate) fn finish(&self, one: Whole) {
        self.work.hand(FinishWork::Finish(one));
    }

    /// Has the hash of a file's first bytes carried on while more of it comes.
    pub(crate) fn hash(&self, handle: Arc<File>, prefix: Prefix, end: u64) {
        self.work.hand(FinishWork::Hash(handle, prefix, end));
    }

    pub(crate) fn sync(&self, file: FileId, handle: Arc<File>) {
        self.sync.hand(DiskSync::Data(file, handle));
    }

    pub(crate) fn sync_journal(&self, handle: File) {
        self.sync.hand(DiskSync::Journal(handle));
    }

    pub(crate) fn done(&self) -> Vec<DiskDone> {
        self.done.try_iter().collect()
    }
}

/// Checks a file and gives it its name. It is not synced here: a file that a crash of the machine
/// left under its name is hashed again before it is believed, in a later run and in the store.
fn finish(one: Whole) -> DiskDone {
    // Of one that is there already the stamp is taken first: what is written into it meanwhile must show later.
    let there = (one.part == one.dest).then(|| stamp(&one));
    match check(&one) {
        Ok(Some(found)) => DiskDone::Mismatch(one.file, found),
        Err(error) => DiskDone::Failed(one.file, error),
        Ok(None) => match name(&one) {
            Ok(()) => DiskDone::Finished(one.file, there.unwrap_or_else(|| stamp(&one))),
            Err(error) => DiskDone::Failed(one.file, error),
        },
    }
}

fn stamp(one: &Whole) -> Option<Stamp> {
    let about = one.handle.metadata().ok();
    about
        .filter(|_| one.wanted.is_some())
        .map(|about| Stamp::of(&about))
}

/// The digest that was found, if it is not the wanted one.
fn check(one: &Whole) -> Result<Option<Digest>> {
    let (Some(wanted), Some(hash)) = (one.wanted, &one.hash) else {
        return Ok(None);
    };
    let found = hash.finish(&one.handle, one.size);
    let found = found.map_err(|e| Error::io(&one.part, "read", e))?;
    Ok((found != wanted).then_some(found))
}

fn name(one: &Whole) -> Result<()> {
    let failed = |what| move |e| Error::io(&one.part, what, e);
    if one.part == one.dest {
        return Ok(());
    }
    let there = one.handle.metadata().map_err(failed("look at"))?.len();
    if there != one.size {
        one.handle
            .set_len(one.size)
            .map_err(failed("cut to size"))?;
    }
    if one.sync {
        one.handle.sync_data().map_err(failed("sync"))?;
    }
    let placed = fs::rename(&one.part, &one.dest).map_err(|error| match error.kind() {
        // It may be somebody's: a package may be fetched into any folder.
        ErrorKind::IsADirectory => io::Error::other("a directory stands there: remove it"),
        _ => error,
    });
    placed.map_err(|e| Error::io(&one.dest, "put in place", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_carried_on_by_whoever_has_time() {
        let data: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&data, 0).unwrap();
        let prefix = Prefix::new(DigestAlgo::Sha256);
        prefix.append(0, &data[..1000]);
        assert_eq!(prefix.to(), Some(1000));
        // Not the next ones: they are read back.
        prefix.append(5000, &data[5000..6000]);
        assert_eq!(prefix.to(), Some(1000));
        prefix.catch_up(&file, 2_500_000).unwrap();
        assert_eq!(prefix.to(), Some(2_500_000));
        // A piece of work that was asked for before.
        prefix.catch_up(&file, 2_000_000).unwrap();
        assert_eq!(prefix.to(), Some(2_500_000));
        let busy = prefix.0.lock().unwrap();
        assert_eq!(prefix.to(), None);
        prefix.append(2_500_000, &data[2_500_000..2_600_000]);
        drop(busy);
        assert_eq!(prefix.to(), Some(2_500_000));
        let mut whole = Hasher::new(DigestAlgo::Sha256);
        whole.update(&data);
        let size = data.len() as u64;
        assert_eq!(prefix.finish(&file, size).unwrap(), whole.finish());
    }
}
