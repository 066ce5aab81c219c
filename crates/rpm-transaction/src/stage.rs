//! Staging: every new file is written into a private directory of its target file system, and
//! its content is proven there, before anything is changed.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::BorrowedFd;

use rpm_pkg::package::{DigestChoice, Package, payload_passes};
use rpm_pkg::payload::{Payload, PayloadError, PayloadLimits};
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::check::{Checked, Files};
use super::element::{Deed, Loaded, PackageFacts, Runs, ScriptKind, Source, open_verified};
use super::error::{DEVICE_FAILED, TransactionError, printable};
use super::event::Event;
use super::file_triggers::FileTriggers;
use super::files::Kind;
use super::journal::{Op, Record, debug};
use super::log::Log;
use super::mounts::Mounts;
use super::plan::{ElementPlan, FilePlan, ops};
use super::running::{Running, begin_journal};
use super::stages::{Stages, staged_name};

/// Content is copied in pieces of this size.
const PIECE: usize = 128 << 10;

/// A transaction whose files all lie beside their places, with everything written down that will be
/// done. Comes from [`stage`] alone, and goes into [`commit`](super::commit()). Dropped, it stays on the
/// disk until [`recover`](super::recover()) takes it away.
#[must_use = "nothing is installed yet, and the next start would take it away"]
pub struct Staged<'a> {
    pub(super) running: Running<'a>,
    pub(super) plan: FilePlan,
    pub(super) file_triggers: FileTriggers,
}

/// Begins the journal, runs `%pretrans`, and unpacks all payloads beside their targets.
///
/// # Errors
/// Whatever the error, nothing is left of it but what scriptlets did, unless it is
/// [`TransactionError::UndoFailed`].
pub fn stage(checked: Checked<'_>) -> Result<Staged<'_>, TransactionError> {
    let Checked {
        root,
        options,
        observer,
        tid,
        progress,
        files,
    } = checked;
    let file_triggers = FileTriggers::read(&progress)?;
    let journal = begin_journal(root, options, tid)?;
    let mut running = Running {
        root,
        options,
        tid,
        progress,
        log: Log::new(journal, observer),
        stages: Stages::default(),
    };
    let staged = prepare(&mut running, files).and_then(|Files { plan, mounts }| {
        stage_all(&mut running, &plan, &mounts)?;
        Ok(plan)
    });
    match staged {
        Ok(plan) => Ok(Staged {
            running,
            plan,
            file_triggers,
        }),
        Err(cause) => Err(running.abandon(cause)),
    }
}

/// Runs %pretrans; if there was one, everything is checked again: it may have changed the disk.
fn prepare(running: &mut Running<'_>, files: Files) -> Result<Files, TransactionError> {
    running.options.check_cancelled()?;
    let span = tracing::info_span!("pretrans");
    let ran = span.in_scope(|| running.scripts_of_all(ScriptKind::PreTrans, |_, _| 1))?;
    drop(span);
    let has_one =
        |e: &Loaded| e.is_install() && ScriptKind::PreTrans.of(&e.package.header).is_some();
    if !ran && !running.progress.elements().iter().any(has_one) {
        return Ok(files);
    }
    let (again, problems) = Files::check(
        running.root,
        &running.progress,
        running.options,
        running.tid,
        false,
    )?;
    if problems.is_empty() {
        Ok(again)
    } else {
        Err(TransactionError::Problems(problems))
    }
}

/// Stages all payloads and prepares the journal.
fn stage_all(
    running: &mut Running<'_>,
    plan: &FilePlan,
    mounts: &Mounts,
) -> Result<(), TransactionError> {
    let _span = tracing::info_span!("stage").entered();
    let Running {
        root,
        options,
        progress,
        log,
        stages,
        ..
    } = running;
    for mount in &mounts.list {
        stages.add(mount.stage.clone());
    }
    log.journal()
        .add(&Record::Staging(stages.paths().to_vec()))?;
    log.journal().sync()?;
    stages.make(root)?;
    let elements = progress.elements();
    for (element, files) in elements.iter().zip(&plan.elements) {
        if element.is_install() {
            let package = &element.package.nevra;
            log.event(Event::Staging { package });
            options.check_cancelled()?;
            stage_element(stages, element, files, options.record_owners)?;
        }
    }
    for (index, (element, files)) in elements.iter().zip(&plan.elements).enumerate() {
        log.journal().add(&Record::Element {
            index: index as u32,
            nevra: element.package.nevra.clone(),
            install: element.is_install(),
            ops: ops(files)?,
        })?;
    }
    stages.sync()?;
    log.journal().add(&Record::Prepared)?;
    log.journal().sync()
}

/// Where file `index` of a package is staged.
type Places = HashMap<u32, (u32, u32)>;

/// Unpacks the payload of an element and makes its links and special files.
fn stage_element(
    stages: &Stages,
    element: &Loaded,
    plan: &ElementPlan,
    recorded: bool,
) -> Result<(), TransactionError> {
    let Deed::Install { path, identity, .. } = &element.deed else {
        return Ok(());
    };
    let mut places = Places::new();
    for step in plan.steps.read()? {
        if let (Op::Place { mount, id, .. }, Some(index)) = (step.op, step.file) {
            places.insert(index, (mount, id));
        }
    }
    let stager = Stager {
        stages,
        package: &element.package,
        places: &places,
        recorded,
    };
    stager.make_specials()?;
    stager.unpack(open_verified(path, identity)?)?;
    stager.check_complete()
}

/// Writes one package.
struct Stager<'a> {
    stages: &'a Stages,
    package: &'a PackageFacts,
    places: &'a Places,
    /// Devices stay in the rpm database.
    recorded: bool,
}

/// An empty file where a device will be.
fn stand_in(dir: BorrowedFd<'_>, name: &str, mode: Mode) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    fs::openat(dir, name, flags, mode).map(drop)
}

impl Stager<'_> {
    fn failed(&self, index: usize, error: impl Into<std::io::Error>) -> TransactionError {
        let path = self.package.files.path(index);
        TransactionError::file("cannot write", &path, error)
    }

    fn place(&self, index: usize) -> Option<(BorrowedFd<'_>, String)> {
        let (mount, id) = self.places.get(&(index as u32))?;
        Some((self.stages.dir(*mount)?, staged_name(*id)))
    }

    /// Links, pipes and devices carry no content.
    fn make_specials(&self) -> Result<(), TransactionError> {
        for &index in self.places.keys() {
            let index = index as usize;
            let (Some(entry), Some((dir, name))) = (self.package.entry(index), self.place(index))
            else {
                continue;
            };
            let private = Mode::from_raw_mode(0o600);
            // rpm stores device numbers in 16 bits: major << 8 | minor.
            let device = fs::makedev(entry.rdev >> 8 & 0xff, entry.rdev & 0xff);
            let special = |kind| fs::mknodat(dir, &name, kind, private, device);
            let made = match entry.kind {
                Kind::Regular | Kind::Directory => continue,
                Kind::Symlink => fs::symlinkat(entry.link, dir, &name),
                Kind::Fifo => special(fs::FileType::Fifo),
                Kind::CharDevice | Kind::BlockDevice if self.recorded => {
                    stand_in(dir, &name, private)
                }
                Kind::CharDevice => special(fs::FileType::CharacterDevice),
                Kind::BlockDevice => special(fs::FileType::BlockDevice),
                Kind::Socket => special(fs::FileType::Socket),
            };
            made.map_err(|e| {
                let path = self.package.files.path(index);
                TransactionError::file(DEVICE_FAILED, &path, e)
            })?;
        }
        Ok(())
    }

    /// Reads the whole payload, with every digest of package and files checked.
    fn unpack(&self, package: Package<Source>) -> Result<(), TransactionError> {
        package
            .verify_header_digests()
            .map_err(|e| self.payload_error(e.to_string()))?;
        let mut payload = package
            .into_payload(DigestChoice::Strongest, PayloadLimits::default())
            .map_err(|e| self.unpack_error(e))?;
        let mut piece = vec![0; PIECE];
        while let Some(entry) = payload.next_entry().map_err(|e| self.unpack_error(e))? {
            self.write_entry(entry.index, &mut payload, &mut piece)?;
        }
        let summary = payload.finish().map_err(|e| self.unpack_error(e))?;
        if payload_passes(&summary.digests) {
            Ok(())
        } else {
            Err(self.payload_error("a digest of the package does not match".to_owned()))
        }
    }

    fn payload_error(&self, reason: String) -> TransactionError {
        TransactionError::Payload {
            package: self.package.nevra.clone(),
            reason,
        }
    }

    fn unpack_error(&self, error: PayloadError) -> TransactionError {
        self.payload_error(error.to_string())
    }

    /// Writes a regular file; the members of a hard link set come with the member that has the
    /// content.
    fn write_entry(
        &self,
        index: usize,
        payload: &mut Payload<Source>,
        piece: &mut [u8],
    ) -> Result<(), TransactionError> {
        if self
            .package
            .entry(index)
            .is_none_or(|entry| entry.kind != Kind::Regular)
        {
            return Ok(());
        }
        let set = self.package.files.hardlink_set(index).unwrap_or_default();
        if set.last().is_some_and(|&last| last != index) {
            return Ok(());
        }
        let single = [index];
        let members = if set.is_empty() { &single[..] } else { set };
        let mut first: Option<(BorrowedFd<'_>, String)> = None;
        for &member in members {
            let Some((dir, name)) = self.place(member) else {
                continue;
            };
            match &first {
                None => {
                    self.write_content(member, dir, &name, payload, piece)?;
                    first = Some((dir, name));
                }
                Some((from, original)) => {
                    fs::linkat(from, original, dir, &name, AtFlags::empty())
                        .map_err(|e| self.failed(member, e))?;
                }
            }
        }
        Ok(())
    }

    fn write_content(
        &self,
        index: usize,
        dir: BorrowedFd<'_>,
        name: &str,
        payload: &mut Payload<Source>,
        piece: &mut [u8],
    ) -> Result<(), TransactionError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))
            .map_err(|e| self.failed(index, e))?;
        let mut file = File::from(fd);
        debug::step();
        loop {
            match payload.read_data(piece) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    let data = piece.get(..count).unwrap_or_default();
                    file.write_all(data).map_err(|e| self.failed(index, e))?;
                }
                Err(PayloadError::FileDigest(_)) => {
                    return Err(TransactionError::FileDigest {
                        package: self.package.nevra.clone(),
                        path: printable(&self.package.files.path(index)),
                    });
                }
                Err(e) => return Err(self.unpack_error(e)),
            }
        }
    }

    /// Every file that the plan places must be staged now.
    fn check_complete(&self) -> Result<(), TransactionError> {
        for &index in self.places.keys() {
            let index = index as usize;
            let Some((dir, name)) = self.place(index) else {
                continue;
            };
            if fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_err() {
                let path = printable(&self.package.files.path(index));
                return Err(self.payload_error(format!("{path} is missing in the payload")));
            }
        }
        Ok(())
    }
}
