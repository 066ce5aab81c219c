//! The unfinished file on disk: bytes written where they belong, hashed as far as they join up.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rpm_pkg::digest::DigestAlgo;
use rustix::fs::{FlockOperation, OFlags};
use whole_file::open_plain;

use super::file::WantedFile;
use super::finish::Prefix;
use super::ids::{Id, SourceId};
use super::journal::{Memory, PartJournal, url_key};
use super::segments::{Arrived, Segments, SourcedSpan};
use super::tuning::disk::{
    BEGIN_AFTER, HASH_BYTES, MAX_HASH, NOTE_AFTER, NOTE_BYTES, SYNC_AFTER, SYNC_BYTES,
};
use crate::error::{Error, Result};
use crate::path::with_suffix;

/// How often a part is opened again that its holder had just renamed.
const LOCK_TRIES: usize = 100;

/// A part, open and ours. Dropping it keeps it for the next run.
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
    journal: PartJournal,
    /// Whether the journal is on disk at all: small files are done before they need one.
    begun: bool,
    /// The SHA-256 of the URL of each source.
    keys: Vec<String>,
    /// Synced after so many bytes.
    sync_bytes: u64,
    hash: Option<Prefix>,
    algo: Option<DigestAlgo>,
    pending: Vec<SourcedSpan>,
    pending_bytes: u64,
    noted: Instant,
    unsynced: u64,
    synced: Instant,
    syncing: Option<Vec<SourcedSpan>>,
}

impl Part {
    /// Opens or creates the part of a file and puts what is there into its map; none if another
    /// process fills it.
    pub(crate) fn open(file: &mut WantedFile, now: Instant) -> Result<Option<Self>> {
        let request = &file.request;
        let path = with_suffix(&request.dest, ".part");
        let Some(held) = lock(&path)? else {
            return Ok(None);
        };
        let journal = with_suffix(&request.dest, ".journal");
        // Where one source has its turn all comes in order, and little is lost by a crash.
        let many = file.turns.is_none();
        let mut part = Self {
            path,
            file: Arc::new(held),
            journal: PartJournal::new(journal, request.digest, request.size),
            begun: false,
            keys: request.urls.iter().map(|url| url_key(url)).collect(),
            sync_bytes: if many { SYNC_BYTES } else { u64::MAX },
            hash: request.digest.map(|digest| Prefix::new(digest.algo())),
            algo: request.digest.map(|digest| digest.algo()),
            pending: Vec::new(),
            pending_bytes: 0,
            noted: now,
            unsynced: 0,
            synced: now,
            syncing: None,
        };
        part.adopt(file)?;
        Ok(Some(part))
    }

    fn adopt(&mut self, file: &mut WantedFile) -> Result<()> {
        let about = self.file.metadata();
        let there = about
            .map_err(|e| Error::io(&self.path, "look at", e))?
            .len();
        if there == 0 {
            return Ok(());
        }
        let Some(memory) = self.journal.read() else {
            return self
                .file
                .set_len(0)
                .map_err(|e| Error::io(&self.path, "empty", e));
        };
        for span in &memory.got {
            let (key, validator) = memory
                .sources
                .get(span.source.place())
                .cloned()
                .unwrap_or_default();
            let known = self.keys.iter().position(|ours| *ours == key);
            // Without a digest only bytes of the same version of the same URL can be told to fit.
            if file.request.digest.is_none() && (known.is_none() || validator.is_none()) {
                continue;
            }
            // A source that is no longer named keeps a place of its own, to be blamed if need be.
            let source = known.unwrap_or_else(|| {
                self.keys.push(key);
                self.keys.len() - 1
            });
            while file.sources.len() <= source {
                file.add_forgotten();
            }
            let source = SourceId::new(source);
            file.sources[source].validator = validator;
            let (from, to) = (span.from, span.to.min(there).min(file.map.size()));
            if from < to {
                file.map.add(SourcedSpan { from, to, source });
            }
        }
        // After a kill the page cache may still be ahead of the disk.
        self.file
            .sync_data()
            .map_err(|e| Error::io(&self.path, "sync", e))?;
        self.begun = true;
        self.journal.rewrite(&self.memory(file), true)
    }

    fn begin(&mut self, file: &WantedFile) -> Result<()> {
        self.begun = true;
        self.journal.rewrite(&self.memory(file), false)?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    fn memory(&self, file: &WantedFile) -> Memory {
        let sources = self.keys.iter().cloned();
        let validators = file.sources.rows().iter().map(|one| one.validator.clone());
        Memory {
            sources: sources.zip(validators).collect(),
            got: file.map.done().to_vec(),
        }
    }

    /// Writes down what a source's version goes by.
    pub(crate) fn learned(&mut self, file: &WantedFile, source: SourceId) -> Result<()> {
        let validator = file.sources[source].validator.as_deref();
        match self.keys.get(source.place()) {
            Some(key) if self.begun => self.journal.source(source, key, validator),
            _ => Ok(()),
        }
    }

    /// Writes the bytes of `data` that are new.
    pub(crate) fn write(&mut self, arrived: &Arrived, data: &[u8]) -> Result<()> {
        for span in &arrived.fresh {
            let piece = usize::try_from(span.from - arrived.from)
                .ok()
                .zip(usize::try_from(span.to - arrived.from).ok())
                .and_then(|(a, b)| data.get(a..b))
                .unwrap_or_default();
            self.file
                .write_all_at(piece, span.from)
                .map_err(|e| Error::io(&self.path, "write", e))?;
            if let Some(hash) = &self.hash {
                hash.append(span.from, piece);
            }
            self.pending_bytes += span.to - span.from;
            self.unsynced += span.to - span.from;
            match self
                .pending
                .iter_mut()
                .find(|p| p.to == span.from && p.source == span.source)
            {
                Some(before) => before.to = span.to,
                None => self.pending.push(*span),
            }
        }
        Ok(())
    }

    /// Writes down what has come, if it is time to.
    pub(crate) fn note(&mut self, file: &WantedFile, now: Instant, at_once: bool) -> Result<()> {
        let since = now.duration_since(self.noted);
        let due = if self.begun {
            self.pending_bytes >= NOTE_BYTES || since >= NOTE_AFTER
        } else {
            since >= BEGIN_AFTER
        };
        if self.pending.is_empty() || !(due || at_once) {
            return Ok(());
        }
        self.noted = now;
        if !self.begun {
            return self.begin(file);
        }
        self.journal.append(&self.pending)?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    /// A handle to be synced, if it is time to; [`Part::synced`] is to be called afterwards.
    pub(crate) fn sync_due(&mut self, map: &Segments, now: Instant) -> Option<Arc<File>> {
        let due = self.unsynced >= self.sync_bytes
            || (self.unsynced > 0 && now.duration_since(self.synced) >= SYNC_AFTER);
        if !due || self.syncing.is_some() {
            return None;
        }
        self.syncing = Some(map.done().to_vec());
        self.unsynced = 0;
        self.synced = now;
        Some(Arc::clone(&self.file))
    }

    /// The data asked for by [`Part::sync_due`] are on the disk: a journal that says so, to be synced.
    pub(crate) fn synced(&mut self, file: &WantedFile) -> Result<Option<File>> {
        let Some(safe) = self.syncing.take() else {
            return Ok(None);
        };
        self.begun = true;
        let done = file.map.done();
        // Bytes may have been dropped meanwhile: what is no longer there is not claimed.
        let there =
            |span: &SourcedSpan| done.iter().any(|d| d.from <= span.from && d.to >= span.to);
        let mut memory = self.memory(file);
        memory.got = safe.into_iter().filter(there).collect();
        self.journal.rewrite(&memory, true)?;
        self.journal.append(done)?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(self.journal.handle())
    }

    /// Bytes from `from` on were dropped: the hash begins again if it had seen them.
    pub(crate) fn dropped(&mut self, file: &WantedFile, from: u64) -> Result<()> {
        let hashed = self.hash.as_ref().map(Prefix::to);
        if hashed.is_some_and(|to| to.is_none_or(|to| from < to)) {
            // A thread that is at it hashes on for nobody.
            self.hash = self.algo.map(Prefix::new);
        }
        self.syncing = None;
        self.begin(file)
    }

    /// Hash of the first bytes.
    pub(crate) fn take_hash(&mut self) -> Option<Prefix> {
        std::mem::replace(&mut self.hash, self.algo.map(Prefix::new))
    }

    /// The hash of the first bytes, if it is far behind those that are there, and how far it may go.
    pub(crate) fn hash_due(&self, there: u64) -> Option<(Arc<File>, Prefix, u64)> {
        let hash = self.hash.as_ref()?;
        let hashed = hash.to()?;
        let due = there.saturating_sub(hashed) >= HASH_BYTES;
        due.then(|| {
            let end = there.min(hashed.saturating_add(MAX_HASH));
            (Arc::clone(&self.file), hash.clone(), end)
        })
    }

    /// The first bytes, up to so many.
    pub(crate) fn head(&self, most: usize) -> Vec<u8> {
        let mut head = vec![0; most];
        let got = self.file.read_at(&mut head, 0).unwrap_or(0);
        head.truncate(got);
        head
    }

    /// Bytes that are there.
    pub(crate) fn read_at(&self, from: u64, length: usize) -> Option<Vec<u8>> {
        let mut data = vec![0; length];
        self.file.read_exact_at(&mut data, from).ok()?;
        Some(data)
    }

    /// The file has its name: the journal goes.
    pub(crate) fn finished(mut self) {
        if self.begun {
            self.journal.remove();
        }
    }

    /// Removes part and journal.
    pub(crate) fn discard(mut self) {
        let _ = fs::remove_file(&self.path);
        self.journal.remove();
    }
}

/// Opens and locks a part; none if another process holds it.
fn lock(path: &Path) -> Result<Option<File>> {
    for _ in 0..LOCK_TRIES {
        let flags = OFlags::RDWR | OFlags::CREATE;
        let opened = open_plain(path, flags).or_else(|error| match path.parent() {
            Some(dir) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(dir)?;
                open_plain(path, flags)
            }
            _ => Err(error),
        });
        let file = opened.map_err(|e| Error::io(path, "open", e))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(Error::io(path, "lock", e.into())),
        }
        // The holder before us may have given the file its name between our open and our lock.
        let held = file.metadata().map_err(|e| Error::io(path, "look at", e))?;
        // It is written in place; whose the second name is nobody knows.
        if held.nlink() > 1 {
            fs::remove_file(path).map_err(|e| Error::io(path, "remove", e))?;
            continue;
        }
        let named = fs::symlink_metadata(path);
        if named.is_ok_and(|named| named.ino() == held.ino() && named.dev() == held.dev()) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}
