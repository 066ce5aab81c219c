//! What happens to a file: begun, whole, checked, handed over or given up.

use std::time::Instant;

use crate::RangeId;

use super::error::{Error, Result};
use super::file::Stage;
use super::finish::{Done, Prefix, Whole};
use super::part::Part;
use super::run::Run;
use super::segments::Span;
use super::wanted::{Event, Fetched};

impl Run<'_> {
    /// All bytes are there: whoever still brings some of them stops, and the content is checked.
    pub(crate) fn check(&mut self, at: usize) -> Result<()> {
        let now = Instant::now();
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        if file.stage != Stage::Open {
            return Ok(());
        }
        file.stage = Stage::Checking;
        // What is about to end by itself may do so, and keep its connection.
        let useless: Vec<RangeId> = file
            .map
            .claims()
            .iter()
            .filter(|c| c.at < c.to)
            .map(|c| c.key)
            .collect();
        for id in useless {
            self.close(id, now);
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        let Some(part) = &mut file.part else {
            return Ok(());
        };
        let hash = part.take_hash();
        self.finisher.finish(Whole {
            file: at,
            handle: part.file.clone(),
            hash,
            wanted: file.wanted.digest,
            size: file.map.size(),
            part: part.path.clone(),
            dest: file.wanted.partial.clone(),
        });
        Ok(())
    }

    pub(crate) fn done(&mut self, done: Done) -> Result<()> {
        match done {
            Done::Synced(at) => {
                let Some(file) = self.files.get_mut(at) else {
                    return Ok(());
                };
                if let Some(part) = &mut file.part
                    && file.stage == Stage::Open
                    && let Some(journal) = part.synced(&file.map)?
                {
                    self.finisher.sync_journal(journal);
                }
                Ok(())
            }
            Done::Finished(at) => self.finished(at),
            Done::Mismatch(at, found) => self.mismatch(at, &found),
            Done::Failed(at, error) => self.give_up(at, error),
        }
    }

    fn finished(&mut self, at: usize) -> Result<()> {
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        for (source, bytes) in file.map.contributors() {
            let host = file.sources.get(source).map(|one| one.host);
            if let Some(host) = host.and_then(|host| self.hosts.get_mut(host)) {
                host.verified += bytes;
            }
        }
        self.trusted_after(at);
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        if let Some(part) = file.part.take() {
            part.finished();
        }
        let (id, bytes) = (file.wanted.id.clone(), file.map.size());
        self.observer.event(&Event::Done { id: &id, bytes });
        let fetched = Fetched {
            id,
            path: file.wanted.partial.clone(),
            size: bytes,
            digest: file.wanted.digest,
            bytes_received: file.received,
        };
        self.settle(at);
        self.summary.files += 1;
        (self.sink)(fetched)
    }

    fn settle(&mut self, at: usize) {
        if let Some(file) = self.files.get_mut(at)
            && file.stage != Stage::Settled
        {
            file.stage = Stage::Settled;
            self.left -= 1;
            self.open.retain(|one| *one != at);
        }
    }

    pub(crate) fn give_up(&mut self, at: usize, error: Error) -> Result<()> {
        let now = Instant::now();
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        let running: Vec<RangeId> = file.map.claims().iter().map(|claim| claim.key).collect();
        if let Some(mut part) = file.part.take() {
            part.note(&file.map, now, true)?;
            if file.map.have() == 0 {
                part.discard();
            }
        }
        let id = file.wanted.id.clone();
        for id in running {
            self.close(id, now);
        }
        self.observer.event(&Event::Failed {
            id: &id,
            error: &error,
        });
        self.settle(at);
        self.summary.failed.push((id, error));
        Ok(())
    }

    /// Begins a file: what an earlier run left is taken over.
    pub(crate) fn begin(&mut self, at: usize, now: Instant) -> Result<()> {
        if self.is_there(at) {
            return Ok(());
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        match Part::open(&file.wanted, &mut file.map, now) {
            Ok(Some(part)) => file.part = Some(part),
            Ok(None) => {
                let path = file.wanted.partial.clone();
                return self.give_up(at, Error::Busy { path });
            }
            Err(error) => return self.give_up(at, error),
        }
        if file.stage == Stage::Waiting {
            self.open.push(at);
        }
        file.stage = Stage::Open;
        file.resumed = file.map.have();
        let (id, size, resumed) = (file.wanted.id.as_str(), file.wanted.size, file.resumed);
        self.observer.event(&Event::Started { id, size, resumed });
        if file.map.is_whole() {
            self.check(at)?;
        }
        Ok(())
    }

    /// Whether an earlier run has finished a file that nobody has taken since: it is checked again.
    fn is_there(&mut self, at: usize) -> bool {
        let Some(file) = self.files.get_mut(at) else {
            return false;
        };
        let wanted = &file.wanted;
        let Some(digest) = wanted.digest.filter(|_| file.stage == Stage::Waiting) else {
            return false;
        };
        let Ok(handle) = std::fs::File::open(&wanted.partial) else {
            return false;
        };
        let Ok(size) = handle.metadata().map(|about| about.len()) else {
            return false;
        };
        if wanted.size.is_some_and(|expected| expected != size) {
            return false;
        }
        file.map.set_size(size);
        let source = usize::MAX;
        file.map.add(Span {
            from: 0,
            to: size,
            source,
        });
        file.resumed = size;
        file.stage = Stage::Checking;
        self.open.push(at);
        self.finisher.finish(Whole {
            file: at,
            handle: handle.into(),
            hash: Some(Prefix::new(digest.algo())),
            wanted: Some(digest),
            size,
            part: wanted.partial.clone(),
            dest: wanted.partial.clone(),
        });
        true
    }
}
