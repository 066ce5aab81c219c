//! From staged files to the new system: scriptlets, renames, the commit point, and what follows.

use rpm_pkg::dep::DepFlags;

use super::cross_device::{Item, Site};
use super::element::{Runs, ScriptKind};
use super::error::{TransactionError, printable};
use super::event::{Event, Warning};
use super::file_steps::FileSteps;
use super::file_triggers::{self, Band, FileTriggers, Picture};
use super::journal::Record;
use super::plan::{ElementPlan, FilePlan};
use super::progress::Progress;
use super::running::Running;
use super::scriptlets::Scriptlet;
use super::scripts::remove_body;
use super::stage::Staged;
use super::stages::remove_stages;
use super::sysusers::make_accounts;
use super::triggers::{self, Triggers};
use super::{Generation, rows};

/// A transaction that happened. Comes from [`commit`] alone.
#[must_use = "warnings of scriptlets must be shown"]
#[derive(Debug)]
pub struct Committed {
    installed: Vec<String>,
    erased: Vec<String>,
    warnings: Vec<Warning>,
}

impl Committed {
    /// NEVRA of what was installed, in the order of the transaction.
    pub fn installed(&self) -> &[String] {
        &self.installed
    }

    /// NEVRA of what was removed, in the order of the transaction.
    pub fn erased(&self) -> &[String] {
        &self.erased
    }

    /// What did not go as it should but did not stop the transaction.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// Makes everything that was staged the new system.
///
/// # Errors
/// Whatever the error, the system is as before, but for what scriptlets did, and unless the error
/// is [`TransactionError::UndoFailed`] or [`TransactionError::AfterCommit`].
pub fn commit(staged: Staged<'_>) -> Result<Committed, TransactionError> {
    let Staged {
        running,
        plan,
        file_triggers,
    } = staged;
    let mut execution = Execution {
        file_steps: FileSteps::new(running.options),
        package_triggers: Triggers::read(running.progress.installs(), running.options.generation),
        running,
        plan,
        file_triggers,
        installed: Vec::new(),
        erased: Vec::new(),
    };
    match execution.reach_commit_point() {
        Ok(last) => execution
            .finish(last)
            .map_err(|cause| TransactionError::AfterCommit {
                cause: Box::new(cause),
            }),
        Err(cause) => Err(execution.undo_all(cause)),
    }
}

/// A staged transaction that is carried out.
struct Execution<'a> {
    running: Running<'a>,
    plan: FilePlan,
    package_triggers: Triggers,
    file_triggers: FileTriggers,
    file_steps: FileSteps,
    installed: Vec<String>,
    erased: Vec<String>,
}

impl Execution<'_> {
    /// Everything up to the commit point, that included. An error leaves the undoing to the caller.
    /// Gives the transaction file triggers that are to run after everything.
    fn reach_commit_point(&mut self) -> Result<Vec<Scriptlet>, TransactionError> {
        self.elements()?;
        self.running.options.check_cancelled()?;
        let last = self.picture().after_transaction(self.running.options)?;
        self.running.stages.sync()?;
        rows::write(&mut self.running, &self.plan)?;
        Ok(last)
    }

    /// Everything from the first %preuntrans to the last erased file.
    fn elements(&mut self) -> Result<(), TransactionError> {
        let _span = tracing::info_span!("apply").entered();
        // `$1` is the number of packages of the name, without this one when nothing takes its place.
        let alone = |progress: &Progress<'_>, index| -i64::from(!progress.is_replaced(index));
        let ran = self.running.scripts_of_all(ScriptKind::PreUnTrans, alone)?;
        self.after_scripts(ran);
        let un = DepFlags::TRIGGERUN;
        if self.running.options.runs_around(ScriptKind::PreTrans, un) {
            self.triggers(un, |this| this.picture().before_transaction())?;
        }
        for index in 0..self.running.progress.elements().len() {
            self.running.options.check_cancelled()?;
            self.element(index)?;
        }
        Ok(())
    }

    fn element(&mut self, index: usize) -> Result<(), TransactionError> {
        let Some(element) = self.running.progress.elements().get(index) else {
            return Ok(());
        };
        let (package, install) = (element.package.nevra.clone(), element.is_install());
        if install {
            self.before_install(index)?;
            let event = Event::Installing { package: &package };
            self.running.log.event(event);
            self.install(index)?;
            self.installed.push(package);
        } else {
            self.before_erase(index)?;
            self.running.log.event(Event::Erasing { package: &package });
            self.erase(index)?;
            self.erased.push(package);
        }
        self.running.progress.finish(index);
        if let Some(files) = self.plan.elements.get(index) {
            kept(files).for_each(|warning| self.running.log.warn(warning));
        }
        Ok(())
    }

    /// What runs before the first file of a package; rpm tells of the package after it.
    fn before_install(&mut self, index: usize) -> Result<(), TransactionError> {
        self.sysusers(index)?;
        self.package_triggers(index, triggers::PREIN)?;
        self.script(index, ScriptKind::Pre, 1)
    }

    fn install(&mut self, index: usize) -> Result<(), TransactionError> {
        self.apply(index)?;
        self.running.progress.add_count(index, 1);
        self.file_triggers(index, file_triggers::FILE_IN, Band::High)?;
        // The count includes this package already.
        self.script(index, ScriptKind::Post, 0)?;
        self.package_triggers(index, triggers::IN)?;
        self.file_triggers(index, file_triggers::FILE_IN, Band::Low)
    }

    /// What runs before the first file of a package goes; rpm tells of the package after it.
    fn before_erase(&mut self, index: usize) -> Result<(), TransactionError> {
        self.file_triggers(index, file_triggers::FILE_UN, Band::High)?;
        self.package_triggers(index, triggers::UN)?;
        self.script(index, ScriptKind::PreUn, -1)?;
        self.file_triggers(index, file_triggers::FILE_UN, Band::Low)
    }

    fn erase(&mut self, index: usize) -> Result<(), TransactionError> {
        self.apply(index)?;
        self.file_triggers(index, file_triggers::FILE_POSTUN, Band::High)?;
        self.script(index, ScriptKind::PostUn, -1)?;
        self.package_triggers(index, triggers::POSTUN)?;
        self.file_triggers(index, file_triggers::FILE_POSTUN, Band::Low)?;
        self.running.progress.add_count(index, -1);
        Ok(())
    }

    fn package_triggers(
        &mut self,
        index: usize,
        kind: triggers::Kind,
    ) -> Result<(), TransactionError> {
        self.triggers(kind.0, |this| {
            let progress = &this.running.progress;
            this.package_triggers.find(progress, index, kind)
        })
    }

    fn file_triggers(
        &mut self,
        index: usize,
        kind: file_triggers::Kind,
        band: Band,
    ) -> Result<(), TransactionError> {
        self.triggers(kind.0, |this| this.picture().of_element(index, kind, band))
    }

    /// What file triggers are found by.
    fn picture(&self) -> Picture<'_, '_> {
        Picture {
            triggers: &self.file_triggers,
            progress: &self.running.progress,
            plan: &self.plan,
            generation: self.running.options.generation,
        }
    }

    /// Runs triggers of a sense, unless none is to run.
    fn triggers(
        &mut self,
        sense: DepFlags,
        find: impl FnOnce(&Self) -> Result<Vec<Scriptlet>, TransactionError>,
    ) -> Result<(), TransactionError> {
        if !self.running.options.runs_triggers(sense) {
            return Ok(());
        }
        for due in find(self)? {
            self.running.run(due)?;
            self.after_scripts(true);
        }
        Ok(())
    }

    /// Runs a scriptlet of an element, if it has one.
    fn script(&mut self, index: usize, kind: ScriptKind, by: i64) -> Result<(), TransactionError> {
        let ran = self.running.element_script(index, kind, by)?;
        self.after_scripts(ran);
        Ok(())
    }

    /// A scriptlet may have changed users and groups.
    fn after_scripts(&mut self, ran: bool) {
        if ran {
            self.file_steps.forget_owners();
        }
    }

    /// Users and groups that a package names.
    fn sysusers(&mut self, index: usize) -> Result<(), TransactionError> {
        let Running {
            root,
            options,
            progress,
            log,
            ..
        } = &mut self.running;
        let element = progress.elements().get(index);
        let Some(element) = element.filter(|_| !options.just_db) else {
            return Ok(());
        };
        let made = make_accounts(root, log, &element.package, options.now / 86_400)?;
        self.after_scripts(made);
        Ok(())
    }

    /// The file steps of one element.
    fn apply(&mut self, index: usize) -> Result<(), TransactionError> {
        let Running {
            root,
            progress,
            log,
            stages,
            ..
        } = &mut self.running;
        let element = progress.elements().get(index);
        let (Some(element), Some(files)) = (element, self.plan.elements.get(index)) else {
            return Ok(());
        };
        let mut site = Site {
            root,
            stages,
            journal: log.journal(),
        };
        let item = Item {
            index,
            element,
            files,
        };
        let mut warnings = Vec::new();
        let applied = self.file_steps.apply(&mut site, item, &mut warnings);
        warnings.into_iter().for_each(|warning| log.warn(warning));
        applied
    }

    /// Restores the old system after an error before the commit point.
    fn undo_all(mut self, cause: TransactionError) -> TransactionError {
        let _span = tracing::info_span!("undo").entered();
        tracing::warn!(%cause, "rolling back");
        self.running.log.event(Event::RollingBack);
        let (root, stages) = (self.running.root, &self.running.stages);
        let undone = self
            .file_steps
            .undo(root, stages, &self.plan)
            .and_then(|()| stages.sync())
            .and_then(|()| self.running.log.journal().roll_back());
        match undone {
            Ok(()) => self.running.abandon(cause),
            Err(undo) => TransactionError::UndoFailed {
                cause: Box::new(cause),
                undo: Box::new(undo),
            },
        }
    }

    /// Everything after the commit point. What can be done is done, whatever failed before it.
    fn finish(mut self, last: Vec<Scriptlet>) -> Result<Committed, TransactionError> {
        let _span = tracing::info_span!("after commit").entered();
        let running = &mut self.running;
        running.log.commit();
        let marked = mark_committed(running, &last);
        let removed = remove_stages(running.root, running.stages.paths());
        // A disk that was full has room now.
        let marked = marked.or_else(|_| mark_committed(running, &last));
        let ran = after_commit(running, last);
        remove_body(running.root, &running.options.state_dir);
        // With backups still there the journal stays: the next start deletes both.
        removed?;
        let (journal, warnings) = self.running.log.close();
        journal.remove()?;
        // Without the journal the mark is not read.
        drop(marked);
        ran.map(|()| Committed {
            installed: self.installed,
            erased: self.erased,
            warnings,
        })
    }
}

/// Marks the journal: only forward from here.
fn mark_committed(running: &mut Running<'_>, last: &[Scriptlet]) -> Result<(), TransactionError> {
    let mut scripts = Vec::new();
    for kind in [ScriptKind::PostTrans, ScriptKind::PostUnTrans] {
        for element in running.progress.elements() {
            let fits = element.is_install() == kind.is_of_install();
            if fits && kind.of(&element.package.header).is_some() {
                scripts.push(format!("{} {}", element.package.nevra, kind.label()));
            }
        }
    }
    scripts.extend(
        last.iter()
            .map(|due| format!("{} {}", due.nevra, due.label)),
    );
    let journal = running.log.journal();
    journal.add(&Record::Committed { scripts })?;
    journal.sync()
}

/// What runs after the commit point. The database has the previous counts now.
fn after_commit(running: &mut Running<'_>, last: Vec<Scriptlet>) -> Result<(), TransactionError> {
    running.progress.commit();
    let counted = running.options.generation >= Generation::Rpm4_18;
    let replaced =
        |progress: &Progress<'_>, index| i64::from(counted && progress.has_partner(index));
    running.scripts_of_all(ScriptKind::PostTrans, replaced)?;
    running.scripts_of_all(ScriptKind::PostUnTrans, |_, _| 0)?;
    last.into_iter().try_for_each(|due| running.run(due))
}

/// What an element left on the disk although it was to go, or beside what was to be replaced.
fn kept(files: &ElementPlan) -> impl Iterator<Item = Warning> {
    let mounted = files.mounted.iter().map(|path| Warning::File {
        path: printable(path),
        reason: "not removed: it is a mount point".to_owned(),
    });
    let kept = files.kept.iter().map(|(path, kept)| Warning::ConfigKept {
        path: printable(path),
        saved_as: printable(kept),
    });
    mounted.chain(kept)
}
