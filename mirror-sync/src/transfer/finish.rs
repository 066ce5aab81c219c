//! What takes the disk's time: hashing the rest of a file, giving it its name, syncing a part. Done in
//! threads, so that the network never waits for a disk.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use repo_client::Bell;
use rpm_pkg::digest::{Digest, Hasher};

use super::error::{Error, Result};

/// Buffer for reading back.
const BUFFER: usize = 1 << 20;

/// A file that has all its bytes.
pub(crate) struct Whole {
    pub(crate) file: usize,
    pub(crate) handle: Arc<File>,
    pub(crate) hasher: Option<Hasher>,
    pub(crate) hashed: u64,
    pub(crate) wanted: Option<Digest>,
    pub(crate) size: u64,
    pub(crate) part: PathBuf,
    pub(crate) dest: PathBuf,
}

/// What a thread has done.
pub(crate) enum Done {
    /// The file has its name.
    Finished(usize),
    /// The content is not what was wanted.
    Mismatch(usize, Digest),
    /// The disk failed.
    Failed(usize, Error),
    /// The data so far are on the disk.
    Synced(usize),
}

enum Sync {
    Data(usize, Arc<File>),
    Journal(File),
}

/// The threads; dropping it ends them after what they have begun.
pub(crate) struct Finisher {
    whole: Option<Sender<Whole>>,
    sync: Option<Sender<Sync>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
}

impl Finisher {
    pub(crate) fn start(bell: &Bell) -> Self {
        let (whole, wholes) = channel::<Whole>();
        let (sync, syncs) = channel();
        let (said, done) = channel();
        let (also, bells) = (said.clone(), (bell.clone(), bell.clone()));
        let finish = std::thread::spawn(move || {
            while let Ok(one) = wholes.recv() {
                let _ = said.send(finish(one));
                bells.0.ring();
            }
        });
        let write = std::thread::spawn(move || {
            while let Ok(one) = syncs.recv() {
                match one {
                    Sync::Data(file, handle) => {
                        // A failure here leaves the journal as it was: less is kept over a reboot.
                        if handle.sync_data().is_ok() {
                            let _ = also.send(Done::Synced(file));
                        }
                    }
                    Sync::Journal(handle) => {
                        let _ = handle.sync_all();
                    }
                }
                bells.1.ring();
            }
        });
        Self {
            whole: Some(whole),
            sync: Some(sync),
            done,
            threads: vec![finish, write],
        }
    }

    pub(crate) fn finish(&self, one: Whole) {
        if let Some(to) = &self.whole {
            let _ = to.send(one);
        }
    }

    pub(crate) fn sync(&self, file: usize, handle: Arc<File>) {
        if let Some(to) = &self.sync {
            let _ = to.send(Sync::Data(file, handle));
        }
    }

    pub(crate) fn sync_journal(&self, handle: File) {
        if let Some(to) = &self.sync {
            let _ = to.send(Sync::Journal(handle));
        }
    }

    pub(crate) fn done(&self) -> Vec<Done> {
        self.done.try_iter().collect()
    }
}

impl Drop for Finisher {
    fn drop(&mut self) {
        self.whole = None;
        self.sync = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Checks a file and gives it its name. It is not synced here: a file that a crash of the machine
/// left under its name is hashed again before it is believed, in a later run and in the store.
fn finish(mut one: Whole) -> Done {
    match check(&mut one) {
        Ok(Some(found)) => Done::Mismatch(one.file, found),
        Err(error) => Done::Failed(one.file, error),
        Ok(None) => match name(&one) {
            Ok(()) => Done::Finished(one.file),
            Err(error) => Done::Failed(one.file, error),
        },
    }
}

/// The digest that was found, if it is not the wanted one.
fn check(one: &mut Whole) -> Result<Option<Digest>> {
    let (Some(wanted), Some(mut hasher)) = (one.wanted, one.hasher.take()) else {
        return Ok(None);
    };
    let mut at = one.hashed;
    let mut buffer = vec![
        0;
        usize::try_from(one.size - at.min(one.size))
            .unwrap_or(BUFFER)
            .min(BUFFER)
    ];
    while at < one.size {
        let got = one
            .handle
            .read_at(&mut buffer, at)
            .map_err(|e| Error::io(&one.part, "read", e))?;
        let Some(data) = buffer.get(..got).filter(|data| !data.is_empty()) else {
            break;
        };
        hasher.update(data);
        at += got as u64;
    }
    let found = hasher.finish();
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
    fs::rename(&one.part, &one.dest).map_err(|e| Error::io(&one.dest, "put in place", e))
}
