//! Readers, writers, and the thread between them that keeps the order.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::ScopedJoinHandle;

use rpm_repo::repomd::Record;

use super::{Built, Plan, Step};
use crate::document::{self, Document, FileStyle, Piece};
use crate::error::{Error, PackageFault, Result};
use crate::package::{Reader, Records};
use crate::scan::Stamp;

/// Pieces that may wait for the writer of a document.
const WAITING: usize = 8;
/// Packages under way for each reading thread, finished ones that wait for their turn included.
const AHEAD: usize = 4;

type Done = (usize, std::result::Result<(Records, Stamp), PackageFault>);
type Writer<'s> = ScopedJoinHandle<'s, Result<Option<Record>>>;

/// Reads what is to be read and writes the documents.
pub(super) fn run(plan: &Plan<'_>, style: &FileStyle) -> Result<Built> {
    let mut built = Built {
        records: Vec::new(),
        bad: Vec::new(),
        stamps: vec![None; plan.found.len()],
        warnings: Vec::new(),
        read: Vec::new(),
    };
    let count = plan.found.len() as u64;
    let records = std::thread::scope(|scope| {
        let mut pieces = Vec::new();
        let mut writers: Vec<Writer<'_>> = Vec::new();
        for document in Document::ALL {
            let (send, receive) = sync_channel(WAITING);
            pieces.push(send);
            let old = plan.old.as_ref();
            writers
                .push(scope.spawn(move || document::write(document, count, old, &receive, style)));
        }
        let (give, tasks) = channel();
        let tasks = Arc::new(Mutex::new(tasks));
        let (send, done) = channel();
        let reading = plan
            .steps
            .iter()
            .filter(|step| **step == Step::Read)
            .count();
        for _ in 0..plan.options.workers.min(reading) {
            let send = send.clone();
            let tasks = Arc::clone(&tasks);
            scope.spawn(move || work(plan, &tasks, &send));
        }
        drop(send);
        let order = Order {
            plan,
            give,
            done,
            pieces,
            names: HashMap::new(),
        };
        let finished = order.run(&mut built);
        let records: Vec<_> = writers.into_iter().map(Writer::join).collect();
        let records = records
            .into_iter()
            .map(|joined| joined.map_err(|_| Error::Thread)?)
            .collect::<Result<Vec<_>>>()?;
        finished?;
        records
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .ok_or(Error::Thread)
    })?;
    built.records = records;
    let good = built.stamps.iter().flatten().count() as u64;
    if good != count {
        let pairs = Document::ALL.into_iter().zip(&built.records);
        built.records = pairs
            .map(|(document, record)| document::recount(document, record, good, style))
            .collect::<Result<_>>()?;
    }
    Ok(built)
}

/// A reading thread.
fn work(plan: &Plan<'_>, tasks: &Mutex<Receiver<usize>>, done: &Sender<Done>) {
    let mut reader = Reader::default();
    loop {
        let task = tasks.lock().map(|tasks| tasks.recv());
        let Ok(Ok(index)) = task else { return };
        let (Some(found), Some(href)) = (plan.found.get(index), plan.hrefs.get(index)) else {
            return;
        };
        let path = plan.options.dir.join(&found.location);
        let read = reader.read(&path, href, &plan.options.style, None);
        if done.send((index, read)).is_err() {
            return;
        }
    }
}

struct Order<'p> {
    plan: &'p Plan<'p>,
    give: Sender<usize>,
    done: Receiver<Done>,
    pieces: Vec<SyncSender<Piece>>,
    /// Hash of a full name: its first package and the hash of that one's checksum.
    names: HashMap<u64, (usize, u64)>,
}

impl Order<'_> {
    /// Hands out the reading and passes the results on in the order of the plan. Ends early when a
    /// writer has ended; that one knows why.
    fn run(mut self, built: &mut Built) -> Result<()> {
        let plan = self.plan;
        let mut next = 0;
        let mut under_way = 0;
        let mut early: BTreeMap<usize, _> = BTreeMap::new();
        let window = plan.options.workers.max(1) * AHEAD;
        for (index, step) in plan.steps.iter().enumerate() {
            while under_way < window && next < plan.steps.len() {
                if plan.steps.get(next) == Some(&Step::Read) {
                    self.give.send(next).map_err(|_| Error::Thread)?;
                    under_way += 1;
                }
                next += 1;
            }
            let sent = match *step {
                Step::Keep(place) => {
                    self.keep(index, place, built);
                    self.send_old(place)
                }
                Step::Read => {
                    let read = loop {
                        if let Some(read) = early.remove(&index) {
                            break read;
                        }
                        let (ready, read) = self.done.recv().map_err(|_| Error::Thread)?;
                        early.insert(ready, read);
                    };
                    under_way -= 1;
                    self.fresh(index, read, built)
                }
            };
            if !sent {
                return Err(Error::Thread);
            }
        }
        for pieces in &self.pieces {
            // A writer that has ended is found when it is joined.
            let _ = pieces.send(Piece::Stop);
        }
        Ok(())
    }

    fn keep(&mut self, index: usize, place: u64, built: &mut Built) {
        if let (Some(slot), Some(found)) = (built.stamps.get_mut(index), self.plan.found.get(index))
        {
            *slot = Some(found.stamp);
        }
        let checksum = self.plan.old.as_ref().and_then(|old| {
            let at = old.kept.binary_search(&place).ok()?;
            old.checksums.get(at)
        });
        let name = self.plan.names.get(&place);
        if let (Some(name), Some(checksum)) = (name, checksum) {
            self.note(index, *name, crate::hash(checksum), built);
        }
    }

    /// Warns of two different packages with one name: clients see one of them only.
    fn note(&mut self, index: usize, name: u64, checksum: u64, built: &mut Built) {
        let (first, other) = *self.names.entry(name).or_insert((index, checksum));
        if other == checksum {
            return;
        }
        let location = |index: usize| {
            self.plan
                .found
                .get(index)
                .map_or("", |f| f.location.as_str())
        };
        built.warnings.push(format!(
            "{} and {} are different packages of the same name, version and architecture",
            location(first),
            location(index)
        ));
    }

    fn send_old(&self, place: u64) -> bool {
        self.pieces
            .iter()
            .all(|pieces| pieces.send(Piece::Old(place)).is_ok())
    }

    fn fresh(
        &mut self,
        index: usize,
        read: std::result::Result<(Records, Stamp), PackageFault>,
        built: &mut Built,
    ) -> bool {
        let Some(found) = self.plan.found.get(index) else {
            return true;
        };
        match read {
            Ok((records, stamp)) => {
                if let Some(slot) = built.stamps.get_mut(index) {
                    *slot = Some(stamp);
                }
                built.read.push(format!("{}\n", found.location));
                let name = crate::hash(&records.nevra);
                self.note(index, name, crate::hash(&records.checksum), built);
                let texts = records.texts.into_iter();
                self.pieces
                    .iter()
                    .zip(texts)
                    .all(|(pieces, text)| pieces.send(Piece::Fresh(text)).is_ok())
            }
            Err(fault) => {
                let path: PathBuf = self.plan.options.dir.join(&found.location);
                built.bad.push((path, fault));
                true
            }
        }
    }
}
