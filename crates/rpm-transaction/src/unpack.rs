//! Payloads are read in this thread and written in another: while a piece is decompressed and hashed, the one before it
//! goes to the file system. Both go through the packages in the order of the transaction.

use std::fs::File;
use std::io::Write;
use std::mem;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Scope, ScopedJoinHandle};

use rpm_pkg::package::{DigestChoice, Package, payload_passes};
use rpm_pkg::payload::{PayloadError, PayloadLimits};

use super::Options;
use super::element::{Deed, Loaded, Source, open_verified};
use super::error::{TransactionError, printable};
use super::event::Event;
use super::log::Log;
use super::plan::ElementPlan;
use super::stage::Stager;
use super::stages::Stages;

/// Bytes of content that are handed over at a time. With those that wait, that which is filled and that which is
/// written there are four of them.
const BATCH: usize = 256 << 10;
/// Most steps that are handed over at a time: files may be empty.
const MAX_STEPS: usize = 1024;
/// Batches that wait for the writer.
const WAITING: usize = 2;

/// Stages all payloads, with every digest checked that proves what is installed.
///
/// # Errors
/// What could not be written, else what could not be read. Nothing writes any more then.
pub(crate) fn unpack_all<'a>(
    elements: impl Iterator<Item = (&'a Loaded, &'a ElementPlan)>,
    stages: &'a Stages,
    options: &Options<'_>,
    log: &mut Log<'_>,
) -> Result<(), TransactionError> {
    thread::scope(|scope| {
        let mut out = Output::begin(scope);
        let read_all = || {
            for (element, plan) in elements {
                let Deed::Install { path, identity, .. } = &element.deed else {
                    continue;
                };
                let package = &element.package.nevra;
                log.event(Event::Staging { package });
                options.check_cancelled()?;
                let stager = Stager::new(stages, &element.package, plan, options.record_owners)?;
                let stager = Arc::new(stager);
                out.add(Step::Begin(stager.clone()))?;
                read(&stager, open_verified(path, identity)?, &mut out)?;
                out.add(Step::End)?;
            }
            Ok(())
        };
        let read = read_all();
        // What was read before something could not be is written all the same: what fails there comes first.
        let handed = out.hand_over();
        handed.and(out.end()).and(read)
    })
}

/// Reads a whole payload.
fn read(
    stager: &Stager<'_>,
    package: Package<Source>,
    out: &mut Output<'_, '_>,
) -> Result<(), TransactionError> {
    let payload_error = |e: PayloadError| stager.payload_error(e.to_string());
    package
        .verify_header_digests()
        .map_err(|e| stager.payload_error(e.to_string()))?;
    let mut payload = package
        .into_payload(DigestChoice::BesideFiles, PayloadLimits::default())
        .map_err(payload_error)?;
    while let Some(entry) = payload.next_entry().map_err(payload_error)? {
        if !stager.wants(entry.index) {
            continue;
        }
        out.add(Step::File(entry.index))?;
        loop {
            match payload.read_data(out.room()?) {
                Ok(0) => break,
                Ok(count) => out.filled(count),
                Err(PayloadError::FileDigest(_)) => {
                    return Err(TransactionError::FileDigest {
                        package: stager.package.nevra.clone(),
                        path: printable(&stager.package.files.path(entry.index)),
                    });
                }
                Err(e) => return Err(payload_error(e)),
            }
        }
    }
    let summary = payload.finish().map_err(payload_error)?;
    if payload_passes(&summary.digests) {
        Ok(())
    } else {
        Err(stager.payload_error("a digest of the package does not match".to_owned()))
    }
}

/// What the writer does next.
enum Step<'a> {
    /// A package begins.
    Begin(Arc<Stager<'a>>),
    /// The content of this file follows.
    File(usize),
    /// So many bytes of it.
    Content(usize),
    /// The package is over.
    End,
}

/// Steps, and the bytes of all their contents.
struct Batch<'a> {
    steps: Vec<Step<'a>>,
    bytes: Vec<u8>,
    filled: usize,
}

impl Batch<'_> {
    fn new() -> Self {
        Batch {
            steps: Vec::new(),
            bytes: vec![0; BATCH],
            filled: 0,
        }
    }

    fn clear(&mut self) {
        self.steps.clear();
        self.filled = 0;
    }
}

/// Where batches are written.
enum Way<'scope, 'a> {
    /// In this thread: there is no other.
    Here(Writer<'a>),
    /// In a thread of its own.
    There {
        to: SyncSender<Batch<'a>>,
        back: Receiver<Batch<'a>>,
        thread: ScopedJoinHandle<'scope, Result<(), TransactionError>>,
    },
    /// Nowhere any more.
    Over,
}

/// What was read on its way to where it is written.
struct Output<'scope, 'a> {
    batch: Batch<'a>,
    way: Way<'scope, 'a>,
}

impl<'scope, 'a: 'scope> Output<'scope, 'a> {
    fn begin(scope: &'scope Scope<'scope, '_>) -> Self {
        let (to, from) = mpsc::sync_channel::<Batch<'a>>(WAITING);
        let (give_back, back) = mpsc::channel();
        let write_all = move || {
            let mut writer = Writer::default();
            for mut batch in from {
                writer.write(&batch)?;
                batch.clear();
                // Whoever reads may be gone.
                let _ = give_back.send(batch);
            }
            Ok(())
        };
        let way = match thread::Builder::new().spawn_scoped(scope, write_all) {
            Ok(thread) => Way::There { to, back, thread },
            Err(_) => Way::Here(Writer::default()),
        };
        let batch = Batch::new();
        Output { batch, way }
    }
}

impl<'a> Output<'_, 'a> {
    fn add(&mut self, step: Step<'a>) -> Result<(), TransactionError> {
        if self.batch.steps.len() >= MAX_STEPS {
            self.hand_over()?;
        }
        self.batch.steps.push(step);
        Ok(())
    }

    /// Where the next bytes of content may be put; never nothing.
    fn room(&mut self) -> Result<&mut [u8], TransactionError> {
        if self.batch.filled >= BATCH {
            self.hand_over()?;
        }
        let room = self.batch.bytes.get_mut(self.batch.filled..);
        Ok(room.unwrap_or_default())
    }

    /// So many bytes were put there.
    fn filled(&mut self, count: usize) {
        self.batch.filled += count;
        match self.batch.steps.last_mut() {
            Some(Step::Content(before)) => *before += count,
            _ => self.batch.steps.push(Step::Content(count)),
        }
    }

    /// Gives what was gathered to the writer, whose error comes back.
    fn hand_over(&mut self) -> Result<(), TransactionError> {
        match &mut self.way {
            Way::Here(writer) => {
                writer.write(&self.batch)?;
                self.batch.clear();
                Ok(())
            }
            Way::There { to, back, .. } => {
                let next = back.try_recv().unwrap_or_else(|_| Batch::new());
                match to.send(mem::replace(&mut self.batch, next)) {
                    Ok(()) => Ok(()),
                    Err(_) => self.end(),
                }
            }
            Way::Over => Ok(()),
        }
    }

    /// Waits until all is written that was handed over.
    fn end(&mut self) -> Result<(), TransactionError> {
        match mem::replace(&mut self.way, Way::Over) {
            Way::There { to, thread, .. } => {
                drop(to);
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            }
            Way::Here(_) | Way::Over => Ok(()),
        }
    }
}

/// Writes what the batches say.
#[derive(Default)]
struct Writer<'a> {
    stager: Option<Arc<Stager<'a>>>,
    /// The file that is being written, with its number.
    file: Option<(usize, File)>,
}

impl<'a> Writer<'a> {
    fn write(&mut self, batch: &Batch<'a>) -> Result<(), TransactionError> {
        let mut contents = &batch.bytes[..];
        for step in &batch.steps {
            match (step, &self.stager) {
                (Step::Begin(stager), _) => {
                    stager.make_specials()?;
                    self.stager = Some(stager.clone());
                }
                (Step::File(index), Some(stager)) => self.file = stager.create(*index)?,
                (Step::Content(count), Some(stager)) => {
                    let content = contents.split_off(..*count).unwrap_or_default();
                    if let Some((index, file)) = &mut self.file {
                        file.write_all(content)
                            .map_err(|e| stager.failed(*index, e))?;
                    }
                }
                (Step::End, Some(stager)) => {
                    self.file = None;
                    stager.check_complete()?;
                    self.stager = None;
                }
                (_, None) => {}
            }
        }
        Ok(())
    }
}
