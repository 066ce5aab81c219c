//! Readers, writers, and the thread between them that keeps the order.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::ScopedJoinHandle;

use super::{Built, CreatePlan, PackageStep};
use crate::document::{self, DocumentPiece, FileStyle, FinishedDocument, MetadataDocument};
use crate::error::{Error, PackageFault, Result};
use crate::package::{Noted, PackageIdentity, PackageReader};

/// Pieces that may wait for the writer of a document.
const WAITING: usize = 8;
/// Batches under way for each reading thread, finished ones that wait for their turn included.
const AHEAD: usize = 4;
/// Most packages in a batch, and the size in bytes of package files from which on it gets no more:
/// handing small packages over one by one would cost more than reading them.
const BATCH_PACKAGES: usize = 16;
const BATCH_BYTES: u64 = 512 << 10;

/// What a reading thread makes of a batch.
struct Read {
    /// The records of all good packages, for primary, filelists and other.
    texts: [String; 3],
    /// For each package in turn.
    outcomes: Vec<std::result::Result<Noted, PackageFault>>,
}

/// A batch by its number.
type ReadDone = (usize, Read);
type PartWriter<'s> = ScopedJoinHandle<'s, Result<Option<FinishedDocument>>>;

/// Reads what is to be read and writes the documents.
pub(super) fn run(plan: &CreatePlan<'_>, style: &FileStyle) -> Result<Built> {
    let mut built = Built {
        documents: Vec::new(),
        bad: Vec::new(),
        noted: vec![None; plan.found.len()],
        warnings: Vec::new(),
        read: Vec::new(),
    };
    let count = plan.found.len() as u64;
    let batches = &batches(plan);
    let documents = std::thread::scope(|scope| {
        let mut pieces = Vec::new();
        let mut writers: Vec<PartWriter<'_>> = Vec::new();
        for document in MetadataDocument::ALL {
            let (send, receive) = sync_channel(WAITING);
            pieces.push(send);
            let old = plan.reuse.old.as_ref();
            writers
                .push(scope.spawn(move || document::write(document, count, old, &receive, style)));
        }
        let (give, tasks) = channel();
        let tasks = Arc::new(Mutex::new(tasks));
        let (send, done) = channel();
        for _ in 0..plan.options.workers.min(batches.len()) {
            let send = send.clone();
            let tasks = Arc::clone(&tasks);
            scope.spawn(move || work(plan, batches, &tasks, &send));
        }
        drop(send);
        let order = BuildOrder {
            plan,
            batches,
            give,
            done,
            pieces,
            names: HashMap::new(),
        };
        let finished = order.run(&mut built);
        let records: Vec<_> = writers.into_iter().map(PartWriter::join).collect();
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
    built.documents = documents;
    let good = built.noted.iter().flatten().count() as u64;
    if good != count {
        let pairs = MetadataDocument::ALL.into_iter().zip(&built.documents);
        built.documents = pairs
            .map(|(document, (record, _))| document::recount(document, record, good, style))
            .collect::<Result<_>>()?;
    }
    Ok(built)
}

/// The packages that are to be read, in runs that follow each other in the plan.
fn batches(plan: &CreatePlan<'_>) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, (step, found)) in plan.reuse.steps.iter().zip(&plan.found).enumerate() {
        if *step != PackageStep::Read {
            continue;
        }
        let size = found.stamp.size;
        match all.last_mut() {
            Some(last)
                if last.end == index && last.len() < BATCH_PACKAGES && bytes < BATCH_BYTES =>
            {
                last.end = index + 1;
                bytes = bytes.saturating_add(size);
            }
            _ => {
                all.push(index..index + 1);
                bytes = size;
            }
        }
    }
    all
}

/// A reading thread.
fn work(
    plan: &CreatePlan<'_>,
    batches: &[Range<usize>],
    tasks: &Mutex<Receiver<usize>>,
    done: &Sender<ReadDone>,
) {
    let mut reader = PackageReader::default();
    loop {
        let task = tasks.lock().map(|tasks| tasks.recv());
        let Ok(Ok(number)) = task else { return };
        let mut read = Read {
            texts: Default::default(),
            outcomes: Vec::new(),
        };
        for index in batches.get(number).cloned().unwrap_or_default() {
            let (Some(found), Some(href)) = (plan.found.get(index), plan.hrefs.get(index)) else {
                return;
            };
            let path = plan.options.dir.join(&found.location);
            let outcome = reader.read(&path, href, &plan.options.style, None, &mut read.texts);
            read.outcomes.push(outcome.map(|(noted, _)| noted));
        }
        if done.send((number, read)).is_err() {
            return;
        }
    }
}

struct BuildOrder<'p> {
    plan: &'p CreatePlan<'p>,
    batches: &'p [Range<usize>],
    give: Sender<usize>,
    done: Receiver<ReadDone>,
    pieces: Vec<SyncSender<DocumentPiece>>,
    /// Hash of a full name: its first package and the hash of that one's checksum.
    names: HashMap<u64, (usize, u64)>,
}

impl BuildOrder<'_> {
    /// Hands out the reading and passes the results on in the order of the plan. Ends early when a
    /// writer has ended; that one knows why.
    fn run(mut self, built: &mut Built) -> Result<()> {
        let plan = self.plan;
        let window = plan.options.workers.max(1) * AHEAD;
        let mut early: BTreeMap<usize, Read> = BTreeMap::new();
        let (mut given, mut taken, mut index) = (0, 0, 0);
        while let Some(step) = plan.reuse.steps.get(index) {
            while given < self.batches.len() && given < taken + window {
                self.give.send(given).map_err(|_| Error::Thread)?;
                given += 1;
            }
            let sent = match *step {
                PackageStep::Keep(first) => {
                    let mut end = first;
                    while plan.reuse.steps.get(index) == Some(&PackageStep::Keep(end)) {
                        self.keep(index, end, built);
                        (index, end) = (index + 1, end + 1);
                    }
                    self.send_old(first..end)
                }
                PackageStep::Read => {
                    let read = loop {
                        if let Some(read) = early.remove(&taken) {
                            break read;
                        }
                        let (ready, read) = self.done.recv().map_err(|_| Error::Thread)?;
                        early.insert(ready, read);
                    };
                    if read.outcomes.is_empty() {
                        return Err(Error::Thread);
                    }
                    taken += 1;
                    let first = index;
                    index += read.outcomes.len();
                    self.fresh(first, read, built)
                }
            };
            if !sent {
                return Err(Error::Thread);
            }
        }
        for pieces in &self.pieces {
            // A writer that has ended is found when it is joined.
            let _ = pieces.send(DocumentPiece::Stop);
        }
        Ok(())
    }

    fn keep(&mut self, index: usize, place: u64, built: &mut Built) {
        let found = self.plan.found.get(index);
        let identity = self.plan.reuse.identities.get(&place);
        if let (Some(found), Some(identity)) = (found, identity) {
            let noted = Noted {
                stamp: found.stamp,
                identity: *identity,
            };
            self.note(index, noted, built);
        }
    }

    /// Warns of two different packages with one name: clients see one of them only.
    fn note(&mut self, index: usize, noted: Noted, built: &mut Built) {
        if let Some(slot) = built.noted.get_mut(index) {
            *slot = Some(noted);
        }
        let PackageIdentity { name, checksum } = noted.identity;
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

    fn send_old(&self, places: Range<u64>) -> bool {
        let mut pieces = self.pieces.iter();
        pieces.all(|pieces| pieces.send(DocumentPiece::Old(places.clone())).is_ok())
    }

    /// Notes and passes on a batch that begins at `first`.
    fn fresh(&mut self, first: usize, read: Read, built: &mut Built) -> bool {
        for (index, outcome) in (first..).zip(read.outcomes) {
            let Some(found) = self.plan.found.get(index) else {
                continue;
            };
            match outcome {
                Ok(noted) => {
                    built.read.push(format!("{}\n", found.location));
                    self.note(index, noted, built);
                }
                Err(fault) => {
                    let path: PathBuf = self.plan.options.dir.join(&found.location);
                    built.bad.push((path, fault));
                }
            }
        }
        self.pieces
            .iter()
            .zip(read.texts)
            .all(|(pieces, text)| pieces.send(DocumentPiece::Fresh(text)).is_ok())
    }
}
