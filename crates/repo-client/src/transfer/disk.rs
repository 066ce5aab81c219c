//! The unfinished files of a run, and the threads that take the disk's time.

use std::collections::HashMap;
use std::time::Instant;

use rustix::fs::OFlags;
use whole_file::open_plain;

use super::file::WantedFile;
use super::finish::{DiskDone, Finisher, Prefix, Whole};
use super::ids::FileId;
use super::part::Part;
use super::segments::{Arrived, SourcedSpan};
use super::tuning::turns::HEAD;
use crate::error::{Error, Result};
use crate::ranges::Bell;

/// What a run has on the disk.
pub(crate) struct PartsOnDisk {
    parts: HashMap<FileId, Part>,
    finisher: Finisher,
}

impl PartsOnDisk {
    pub(crate) fn new(bell: &Bell) -> Self {
        Self {
            parts: HashMap::new(),
            finisher: Finisher::start(bell),
        }
    }

    /// Opens a file's part; what an earlier run left goes into its map. False if another process has it.
    pub(crate) fn begin(
        &mut self,
        id: FileId,
        file: &mut WantedFile,
        now: Instant,
    ) -> Result<bool> {
        let part = Part::open(file, now)?;
        Ok(part.map(|part| self.parts.insert(id, part)).is_some())
    }

    pub(crate) fn has(&self, id: FileId) -> bool {
        self.parts.contains_key(&id)
    }

    /// The part of a file that is being fetched.
    ///
    /// # Errors
    /// There is none: a fault of ours.
    pub(crate) fn part(&mut self, id: FileId) -> Result<&mut Part> {
        let part = self.parts.get_mut(&id);
        part.ok_or(Error::Fault("a file is fetched that was not begun"))
    }

    /// Writes bytes that came, and their note.
    pub(crate) fn write(
        &mut self,
        id: FileId,
        file: &WantedFile,
        arrived: &Arrived,
        data: &[u8],
        now: Instant,
    ) -> Result<()> {
        let part = self.part(id)?;
        part.write(arrived, data)?;
        if !file.map.is_whole() {
            part.note(file, now, false)?;
        }
        if let Some(handle) = part.sync_due(&file.map, now) {
            self.finisher.sync(id, handle);
        }
        Ok(())
    }

    /// Does what has become due for a file.
    pub(crate) fn look_after(&mut self, id: FileId, file: &WantedFile, now: Instant) -> Result<()> {
        let part = self.part(id)?;
        part.note(file, now, false)?;
        let sync = part.sync_due(&file.map, now);
        let hash = part.hash_due(file.map.frontier());
        if let Some(handle) = sync {
            self.finisher.sync(id, handle);
        }
        if let Some((handle, hash, end)) = hash {
            self.finisher.hash(handle, hash, end);
        }
        Ok(())
    }

    /// A file's data are on the disk: its journal says so.
    pub(crate) fn synced(&mut self, id: FileId, file: &WantedFile) -> Result<()> {
        // It may have been given up meanwhile.
        if let Some(part) = self.parts.get_mut(&id)
            && let Some(journal) = part.synced(file)?
        {
            self.finisher.sync_journal(journal);
        }
        Ok(())
    }

    /// The first bytes of a file.
    pub(crate) fn head(&self, id: FileId) -> Vec<u8> {
        let part = self.parts.get(&id);
        part.map(|part| part.head(HEAD)).unwrap_or_default()
    }

    /// Has a file with all its bytes checked and named.
    pub(crate) fn check(&mut self, id: FileId, file: &WantedFile) -> Result<()> {
        let part = self.part(id)?;
        let whole = Whole {
            file: id,
            handle: part.file.clone(),
            hash: part.take_hash(),
            wanted: file.request.digest,
            size: file.map.size(),
            sync: file.request.sync,
            part: part.path.clone(),
            dest: file.request.dest.clone(),
        };
        self.finisher.finish(whole);
        Ok(())
    }

    /// Whether the finished file may be there already: then it is checked again. One of a wrong size is
    /// removed.
    pub(crate) fn is_there(&mut self, id: FileId, file: &mut WantedFile) -> Result<bool> {
        let request = &file.request;
        let (Some(digest), Ok(handle)) =
            (request.digest, open_plain(&request.dest, OFlags::RDONLY))
        else {
            return Ok(false);
        };
        let about = handle.metadata();
        let size = about
            .map_err(|e| Error::io(&request.dest, "look at", e))?
            .len();
        if request.size.is_some_and(|expected| expected != size) {
            std::fs::remove_file(&request.dest)
                .map_err(|e| Error::io(&request.dest, "remove", e))?;
            return Ok(false);
        }
        let dest = request.dest.clone();
        self.finisher.finish(Whole {
            file: id,
            handle: handle.into(),
            hash: Some(Prefix::new(digest.algo())),
            wanted: Some(digest),
            size,
            sync: false,
            part: dest.clone(),
            dest,
        });
        let source = file.add_forgotten();
        file.map.set_size(size);
        file.map.add(SourcedSpan {
            from: 0,
            to: size,
            source,
        });
        Ok(true)
    }

    /// A file has its name.
    pub(crate) fn finished(&mut self, id: FileId) {
        if let Some(part) = self.parts.remove(&id) {
            part.finished();
        }
    }

    /// A file is given up: what has come is kept.
    pub(crate) fn given_up(&mut self, id: FileId, file: &WantedFile, now: Instant) {
        if let Some(mut part) = self.parts.remove(&id) {
            // Without a note the next run starts over: no reason to fail those of this one.
            let _ = part.note(file, now, true);
            if file.map.have() == 0 {
                part.discard();
            }
        }
    }

    /// What has been done meanwhile.
    pub(crate) fn done(&self) -> Vec<DiskDone> {
        self.finisher.done()
    }
}
