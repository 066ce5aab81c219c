//! The unfinished file on disk: bytes written where they belong, hashed as far as they join up.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rpm_pkg::digest::DigestAlgo;
use rustix::fs::{FlockOperation, OFlags};

use super::error::{Error, Result};
use super::finish::Prefix;
use super::journal::{Journal, Memory, url_key, with_suffix};
use super::segments::{Segments, Span};
use super::wanted::Wanted;

/// Written down after so many bytes, or so long.
const NOTE_BYTES: u64 = 16 * 1024;
const NOTE_AFTER: Duration = Duration::from_millis(2);
/// The journal is begun so long after the part: what is done in no time needs none, and is one file
/// less to create and to remove.
const BEGIN_AFTER: Duration = Duration::from_millis(10);
/// Synced after so many bytes, or so long.
const SYNC_BYTES: u64 = 4 << 20;
const SYNC_AFTER: Duration = Duration::from_secs(10);

/// The hash of the first bytes is carried on when it is so far behind them, by so much at a time.
const HASH_BYTES: u64 = 8 << 20;
const MAX_HASH: u64 = 64 << 20;

/// A part, open and ours. Dropping it keeps it for the next run.
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
    journal: Journal,
    /// Whether the journal is on disk at all: small files are done before they need one.
    begun: bool,
    sources: Vec<(String, Option<String>)>,
    hash: Option<Prefix>,
    algo: Option<DigestAlgo>,
    pending: Vec<Span>,
    pending_bytes: u64,
    noted: Instant,
    unsynced: u64,
    synced: Instant,
    syncing: Option<Vec<Span>>,
}

impl Part {
    /// Opens or creates the part of a file and puts what is there into `map`; none if another
    /// process fills it.
    pub(crate) fn open<K: Copy + PartialEq>(
        wanted: &Wanted,
        map: &mut Segments<K>,
        now: Instant,
    ) -> Result<Option<Self>> {
        let path = with_suffix(&wanted.partial, ".part");
        let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.custom_flags(flags.cast_signed());
        let opened = options.open(&path).or_else(|error| match path.parent() {
            Some(dir) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(dir)?;
                options.open(&path)
            }
            _ => Err(error),
        });
        let file = opened.map_err(|e| Error::io(&path, "open", e))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(Error::io(&path, "lock", e.into())),
        }
        // The holder before us may have given the file its name between our open and our lock.
        let held = file
            .metadata()
            .map_err(|e| Error::io(&path, "look at", e))?
            .ino();
        if fs::symlink_metadata(&path).map(|named| named.ino()).ok() != Some(held) {
            return Ok(None);
        }
        let journal = with_suffix(&wanted.partial, ".journal");
        let mut part = Self {
            path,
            file: Arc::new(file),
            journal: Journal::new(journal, wanted.digest, wanted.size),
            begun: false,
            sources: wanted
                .sources
                .iter()
                .map(|url| (url_key(url), None))
                .collect(),
            hash: wanted.digest.map(|digest| Prefix::new(digest.algo())),
            algo: wanted.digest.map(|digest| digest.algo()),
            pending: Vec::new(),
            pending_bytes: 0,
            noted: now,
            unsynced: 0,
            synced: now,
            syncing: None,
        };
        part.adopt(wanted, map)?;
        Ok(Some(part))
    }

    fn adopt<K: Copy + PartialEq>(&mut self, wanted: &Wanted, map: &mut Segments<K>) -> Result<()> {
        let there = self
            .file
            .metadata()
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
            let (key, etag) = memory.sources.get(span.source).cloned().unwrap_or_default();
            let known = self.sources.iter().position(|(ours, _)| *ours == key);
            // Without a digest only bytes of the same version of the same URL can be told to fit.
            if wanted.digest.is_none() && (known.is_none() || etag.is_none()) {
                continue;
            }
            // A source that is no longer named keeps a place of its own, to be blamed if need be.
            let source = known.unwrap_or_else(|| {
                self.sources.push((key, None));
                self.sources.len() - 1
            });
            if let Some(slot) = self.sources.get_mut(source) {
                slot.1 = etag;
            }
            let to = span.to.min(there).min(map.size());
            if span.from < to {
                map.add(Span {
                    from: span.from,
                    to,
                    source,
                });
            }
        }
        // After a kill the page cache may still be ahead of the disk.
        self.file
            .sync_data()
            .map_err(|e| Error::io(&self.path, "sync", e))?;
        self.begun = true;
        let memory = self.memory(map.done().to_vec());
        self.journal.rewrite(&memory, true)
    }

    fn begin<K: Copy + PartialEq>(&mut self, map: &Segments<K>) -> Result<()> {
        self.begun = true;
        let memory = self.memory(map.done().to_vec());
        self.journal.rewrite(&memory, false)?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    fn memory(&self, got: Vec<Span>) -> Memory {
        let sources = self.sources.clone();
        Memory { sources, got }
    }

    /// The `ETag` that a source gave, in this or an earlier run.
    pub(crate) fn etag(&self, source: usize) -> Option<&str> {
        self.sources.get(source)?.1.as_deref()
    }

    /// Notes a source's `ETag`; false if it is another one than before.
    pub(crate) fn set_etag(&mut self, source: usize, etag: Option<String>) -> Result<bool> {
        let Some((key, known)) = self.sources.get_mut(source) else {
            return Ok(true);
        };
        if *known == etag {
            return Ok(true);
        }
        let same = known.is_none() || etag.is_none();
        if etag.is_some() {
            *known = etag;
            if self.begun {
                self.journal.source(source, key, known.as_deref())?;
            }
        }
        Ok(same)
    }

    /// Writes new bytes; `data` begins at `from`.
    pub(crate) fn write(&mut self, from: u64, fresh: &[Span], data: &[u8]) -> Result<()> {
        for span in fresh {
            let piece = usize::try_from(span.from - from)
                .ok()
                .zip(usize::try_from(span.to - from).ok())
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
    pub(crate) fn note<K: Copy + PartialEq>(
        &mut self,
        map: &Segments<K>,
        now: Instant,
        at_once: bool,
    ) -> Result<()> {
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
            return self.begin(map);
        }
        self.journal.append(&self.pending)?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    /// A handle to be synced, if it is time to; [`Part::synced`] is to be called afterwards.
    pub(crate) fn sync_due<K: Copy + PartialEq>(
        &mut self,
        map: &Segments<K>,
        now: Instant,
    ) -> Option<Arc<File>> {
        let due = self.unsynced >= SYNC_BYTES
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
    pub(crate) fn synced<K: Copy + PartialEq>(
        &mut self,
        map: &Segments<K>,
    ) -> Result<Option<File>> {
        let Some(safe) = self.syncing.take() else {
            return Ok(None);
        };
        self.begun = true;
        // Bytes may have been dropped meanwhile: what is no longer there is not claimed.
        let still: Vec<Span> = safe
            .into_iter()
            .filter(|span| {
                map.done()
                    .iter()
                    .any(|d| d.from <= span.from && d.to >= span.to)
            })
            .collect();
        let memory = self.memory(still);
        self.journal.rewrite(&memory, true)?;
        self.journal.append(map.done())?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(self.journal.handle())
    }

    /// Bytes from `from` on were dropped: the hash begins again if it had seen them.
    pub(crate) fn dropped<K: Copy + PartialEq>(
        &mut self,
        map: &Segments<K>,
        from: u64,
    ) -> Result<()> {
        let hashed = self.hash.as_ref().map(Prefix::to);
        if hashed.is_some_and(|to| to.is_none_or(|to| from < to)) {
            // A thread that is at it hashes on for nobody.
            self.hash = self.algo.map(Prefix::new);
        }
        self.syncing = None;
        self.begin(map)
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
