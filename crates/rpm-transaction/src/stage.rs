//! Staging: every new file is written into a private directory of its target file system, and
//! its content is proven there, before anything is changed.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::BorrowedFd;

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::check::{Checked, Files};
use super::element::{Loaded, PackageFacts, Runs, ScriptKind};
use super::error::{DEVICE_FAILED, TransactionError, printable};
use super::file_triggers::FileTriggers;
use super::files::Kind;
use super::journal::{Op, Record, debug};
use super::log::Log;
use super::mounts::Mounts;
use super::plan::{ElementPlan, FilePlan, ops};
use super::running::{Running, begin_journal};
use super::stages::{Stages, staged_name};
use super::unpack::unpack_all;

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
    unpack_all(elements.iter().zip(&plan.elements), stages, options, log)?;
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

/// Writes one package.
pub(crate) struct Stager<'a> {
    stages: &'a Stages,
    pub(crate) package: &'a PackageFacts,
    places: Places,
    /// Devices stay in the rpm database.
    recorded: bool,
}

/// An empty file where a device will be.
fn stand_in(dir: BorrowedFd<'_>, name: &str, mode: Mode) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    fs::openat(dir, name, flags, mode).map(drop)
}

/// A file that must not exist yet, and that nobody else may open.
fn new_file(dir: BorrowedFd<'_>, name: &str) -> Result<File, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(dir, name, flags, Mode::from_raw_mode(0o600)).map(File::from)
}

impl<'a> Stager<'a> {
    /// What writes the files that `plan` places.
    pub(crate) fn new(
        stages: &'a Stages,
        package: &'a PackageFacts,
        plan: &ElementPlan,
        recorded: bool,
    ) -> Result<Stager<'a>, TransactionError> {
        let mut places = Places::new();
        for step in plan.steps.read()? {
            if let (Op::Place { mount, id, .. }, Some(index)) = (step.op, step.file) {
                places.insert(index, (mount, id));
            }
        }
        Ok(Stager {
            stages,
            package,
            places,
            recorded,
        })
    }

    /// The file `index` could not be written.
    pub(crate) fn failed(
        &self,
        index: usize,
        error: impl Into<std::io::Error>,
    ) -> TransactionError {
        let path = self.package.files.path(index);
        TransactionError::file("cannot write", &path, error)
    }

    fn place(&self, index: usize) -> Option<(BorrowedFd<'_>, String)> {
        let (mount, id) = self.places.get(&(index as u32))?;
        Some((self.stages.dir(*mount)?, staged_name(*id)))
    }

    /// Links, pipes and devices carry no content.
    pub(crate) fn make_specials(&self) -> Result<(), TransactionError> {
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

    /// The payload is not what it must be.
    pub(crate) fn payload_error(&self, reason: String) -> TransactionError {
        TransactionError::Payload {
            package: self.package.nevra.clone(),
            reason,
        }
    }

    /// The files that get the content which the payload has for file `index`, if that is a regular one: all members of a
    /// hard link set come with the one that has it.
    fn members<'i>(&'i self, index: &'i usize) -> &'i [usize] {
        let entry = self.package.entry(*index);
        if entry.is_none_or(|entry| entry.kind != Kind::Regular) {
            return &[];
        }
        match self.package.files.hardlink_set(*index) {
            Some(set) if set.last() == Some(index) => set,
            Some([_, ..]) => &[],
            _ => std::slice::from_ref(index),
        }
    }

    /// Whether the content of file `index` goes anywhere.
    pub(crate) fn wants(&self, index: usize) -> bool {
        let mut members = self.members(&index).iter();
        members.any(|&member| self.place(member).is_some())
    }

    /// Makes the file that gets the content of file `index`, and gives it with its number.
    pub(crate) fn create(&self, index: usize) -> Result<Option<(usize, File)>, TransactionError> {
        let mut first: Option<(usize, File, BorrowedFd<'_>, String)> = None;
        for &member in self.members(&index) {
            let Some((dir, name)) = self.place(member) else {
                continue;
            };
            match &first {
                None => {
                    let file = new_file(dir, &name).map_err(|e| self.failed(member, e))?;
                    debug::step();
                    first = Some((member, file, dir, name));
                }
                Some((_, _, from, original)) => {
                    fs::linkat(from, original, dir, &name, AtFlags::empty())
                        .map_err(|e| self.failed(member, e))?;
                }
            }
        }
        Ok(first.map(|(member, file, ..)| (member, file)))
    }

    /// Every file that the plan places must be staged now.
    pub(crate) fn check_complete(&self) -> Result<(), TransactionError> {
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
