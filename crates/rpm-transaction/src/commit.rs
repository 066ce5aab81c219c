//! From staged files to the new system: scriptlets, renames, the commit point, and what follows.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rpm_db::{FileState, InstallFacts, InstalledHeader};

use super::cross_device::{Moved, Settings};
use super::element::{Deed, Loaded, Script, ScriptKind, file_digests};
use super::error::{TransactionError, printable};
use super::event::{Event, TransactionObserver, Warning};
use super::file_triggers::{Band, FileTriggers};
use super::installed::Installed;
use super::journal::{Journal, Op, Record};
use super::label::Labels;
use super::plan::{ElementPlan, FilePlan};
use super::recover::{Undoable, undo};
use super::root::{Owners, RootDir};
use super::scripts::{BodyFile, Call, Ended, Runner};
use super::stage::Stages;
use super::triggers::Due;
use super::{Committed, Generation, Options};

/// Bit 2 of a script's flags: a failure is an error whatever the type.
const CRITICAL: u32 = 4;

/// Everything a running transaction needs.
pub(crate) struct Execution<'a, 'd> {
    pub root: &'a RootDir,
    pub installed: Installed<'d>,
    pub options: &'a Options<'a>,
    pub observer: &'a mut dyn TransactionObserver,
    pub journal: Journal,
    pub elements: Vec<Loaded>,
    pub done: Committed,
    /// How many packages of a name were added less those removed so far.
    pub counts: HashMap<String, i64>,
    /// Users and groups of the root; read again after each scriptlet and after each element that
    /// changes them.
    pub owners: Option<Owners>,
    /// SELinux labels of new files, once they are known.
    pub labels: Option<Rc<Labels>>,
    /// How many elements are done: they are in the system, or gone from it, although the
    /// database does not say so yet.
    pub finished: usize,
    /// Elements whose kept files are linked.
    pub begun: HashSet<usize>,
    /// Packages with file triggers.
    pub file_triggers: FileTriggers,
    /// File triggers that run after the commit point.
    pub last: Vec<Due>,
    /// The commit point is passed: nothing that fails from here on may stop the rest.
    pub committed: bool,
    /// Staging directories, and steps that had to change theirs.
    pub moved: Moved,
}

impl Execution<'_, '_> {
    /// How many packages of this name are installed at this moment.
    pub(crate) fn count(&self, name: &str) -> Result<i64, TransactionError> {
        Ok(self.installed.count(name)? + self.counts.get(name).copied().unwrap_or(0))
    }

    /// Runs every %pretrans. True when there was one.
    pub(crate) fn pretrans(&mut self) -> Result<bool, TransactionError> {
        let mut any = false;
        for index in 0..self.elements.len() {
            any |= self.element_script(index, ScriptKind::PreTrans, true, 1)?;
        }
        Ok(any)
    }

    /// Runs every %preuntrans. `$1` is the number of packages of the name, without this one when
    /// nothing takes its place.
    fn preuntrans(&mut self) -> Result<(), TransactionError> {
        for index in 0..self.elements.len() {
            let alone = -i64::from(!self.is_replaced(index));
            self.element_script(index, ScriptKind::PreUnTrans, false, alone)?;
        }
        Ok(())
    }

    /// Everything from the first %pre to the last erased file. An error leaves the undoing to
    /// the caller.
    pub(crate) fn elements(
        &mut self,
        stages: &mut Stages,
        plan: &FilePlan,
    ) -> Result<(), TransactionError> {
        self.preuntrans()?;
        self.transaction_file_triggers_un(plan)?;
        let total = self.elements.len();
        for (index, files) in plan.elements.iter().enumerate() {
            self.check_cancelled()?;
            let Some(element) = self.elements.get(index) else {
                continue;
            };
            let package = element.package.nevra.clone();
            let position = index + 1;
            if element.is_install() {
                self.before_install(index)?;
                self.observer.event(Event::Installing {
                    position,
                    total,
                    package: &package,
                });
                self.install(stages, index, plan)?;
                self.done.installed.push(package);
            } else {
                self.before_erase(index, plan)?;
                self.observer.event(Event::Erasing {
                    position,
                    total,
                    package: &package,
                });
                self.erase(stages, index, plan)?;
                self.done.erased.push(package);
            }
            self.finished = index + 1;
            self.tell_kept(files);
        }
        Ok(())
    }

    pub(crate) fn check_cancelled(&self) -> Result<(), TransactionError> {
        if (self.options.cancelled)() {
            Err(TransactionError::Cancelled)
        } else {
            Ok(())
        }
    }

    fn tell_kept(&mut self, files: &ElementPlan) {
        for path in &files.mounted {
            self.warn(Warning::File {
                path: printable(path),
                reason: "not removed: it is a mount point".to_owned(),
            });
        }
        for (path, kept) in &files.kept {
            self.warn(Warning::ConfigKept {
                path: printable(path),
                saved_as: printable(kept),
            });
        }
    }

    pub(crate) fn warn(&mut self, warning: Warning) {
        self.observer.event(Event::Warning(&warning));
        self.done.warnings.push(warning);
    }

    /// What runs before the first file of a package; rpm tells of the package after it.
    fn before_install(&mut self, index: usize) -> Result<(), TransactionError> {
        self.sysusers(index)?;
        self.trigger_prein(index)?;
        self.element_script(index, ScriptKind::Pre, true, 1)?;
        Ok(())
    }

    fn install(
        &mut self,
        stages: &mut Stages,
        index: usize,
        plan: &FilePlan,
    ) -> Result<(), TransactionError> {
        self.apply(stages, index, plan)?;
        self.add_count(index, 1);
        self.file_triggers_in(plan, index, Band::High)?;
        // The count includes this package already.
        self.element_script(index, ScriptKind::Post, true, 0)?;
        self.trigger_in(index)?;
        self.file_triggers_in(plan, index, Band::Low)
    }

    /// What runs before the first file of a package goes; rpm tells of the package after it.
    fn before_erase(&mut self, index: usize, plan: &FilePlan) -> Result<(), TransactionError> {
        self.file_triggers_un(plan, index, Band::High)?;
        self.trigger_un(index)?;
        self.element_script(index, ScriptKind::PreUn, false, -1)?;
        self.file_triggers_un(plan, index, Band::Low)
    }

    fn erase(
        &mut self,
        stages: &mut Stages,
        index: usize,
        plan: &FilePlan,
    ) -> Result<(), TransactionError> {
        self.apply(stages, index, plan)?;
        self.file_triggers_postun(plan, index, Band::High)?;
        self.element_script(index, ScriptKind::PostUn, false, -1)?;
        self.trigger_postun(index)?;
        self.file_triggers_postun(plan, index, Band::Low)?;
        self.add_count(index, -1);
        Ok(())
    }

    fn add_count(&mut self, index: usize, by: i64) {
        if let Some(element) = self.elements.get(index) {
            *self.counts.entry(element.package.name.clone()).or_insert(0) += by;
        }
    }

    /// The file steps of one element.
    fn apply(
        &mut self,
        stages: &mut Stages,
        index: usize,
        plan: &FilePlan,
    ) -> Result<(), TransactionError> {
        let Some(files) = plan.elements.get(index) else {
            return Ok(());
        };
        if self.owners.is_none() {
            let read = Owners::read(self.root);
            let read =
                read.map_err(|e| TransactionError::file("cannot read", b"/etc/passwd", e))?;
            self.owners = Some(read);
        }
        let privileged = rustix::process::geteuid().is_root();
        let mut warnings = Vec::new();
        let settings = Settings {
            privileged,
            caps: privileged && !self.options.no_caps,
            labels: self.labels(privileged, &mut warnings)?,
        };
        let applied = self.make_steps(stages, index, files, &settings, &mut warnings);
        if changes_owners(files) {
            self.owners = None;
        }
        warnings.into_iter().for_each(|warning| self.warn(warning));
        applied
    }

    /// The labels of the root as its policy was before the first file, as rpm reads it.
    fn labels(
        &mut self,
        privileged: bool,
        warnings: &mut Vec<Warning>,
    ) -> Result<Rc<Labels>, TransactionError> {
        if let Some(labels) = &self.labels {
            return Ok(Rc::clone(labels));
        }
        let read = match privileged && !self.options.no_contexts {
            true => Labels::of(self.root, warnings)?,
            false => Labels::none(),
        };
        let labels = Rc::new(read);
        self.labels = Some(Rc::clone(&labels));
        Ok(labels)
    }

    /// Runs a scriptlet of an element, if it is of the right kind and has one. `$1` is the
    /// number of packages of that name plus `by`.
    fn element_script(
        &mut self,
        index: usize,
        kind: ScriptKind,
        install: bool,
        by: i64,
    ) -> Result<bool, TransactionError> {
        let Some(element) = self
            .elements
            .get(index)
            .filter(|e| e.is_install() == install)
        else {
            return Ok(false);
        };
        if self.options.no_scripts || self.options.just_db {
            return Ok(false);
        }
        let Some(script) = kind.of(&element.package.header) else {
            return Ok(false);
        };
        let (nevra, name) = (element.package.nevra.clone(), element.package.name.clone());
        let count = self.count(&name)? + by;
        self.run_script(
            &nevra,
            kind.label(),
            &script,
            &[count],
            Vec::new(),
            kind.fatal(),
        )?;
        Ok(true)
    }

    /// Runs one scriptlet, journalled as started and as done.
    pub(crate) fn run_script(
        &mut self,
        nevra: &str,
        label: &str,
        script: &Script,
        arguments: &[i64],
        input: Vec<u8>,
        fatal: bool,
    ) -> Result<(), TransactionError> {
        if script.needs_expansion() {
            // Only of a package that another program installed: ours are refused.
            let status = "not run: its macros cannot be expanded".to_owned();
            return self.script_failed(nevra, label, status, fatal);
        }
        let body = BodyFile::choose(self.root, &self.options.state_dir, script.body.as_deref());
        self.journal.add(&Record::ScriptStart {
            nevra: nevra.to_owned(),
            script: label.to_owned(),
        })?;
        self.flush_journal()?;
        let runner = Runner {
            root: self.root,
            program: &self.options.runner,
            environment: &self.options.environment,
        };
        let call = Call {
            package: nevra,
            script: label,
            program: &script.program,
            body: script.body.as_deref(),
            arguments,
            input,
            prefixes: &script.prefixes,
        };
        let ended = match runner.run(&call, &body, self.observer) {
            Err(error) if self.committed => Ended::Badly(error.to_string()),
            other => other?,
        };
        self.owners = None;
        self.journal.add(&Record::ScriptEnd {
            ok: ended == Ended::Well,
        })?;
        self.flush_journal()?;
        let Ended::Badly(status) = ended else {
            return Ok(());
        };
        self.script_failed(nevra, label, status, fatal || script.flags & CRITICAL != 0)
    }

    fn script_failed(
        &mut self,
        nevra: &str,
        label: &str,
        status: String,
        fatal: bool,
    ) -> Result<(), TransactionError> {
        let (package, script) = (nevra.to_owned(), label.to_owned());
        if fatal {
            return Err(TransactionError::Scriptlet {
                package,
                script,
                status,
            });
        }
        self.warn(Warning::Scriptlet {
            package,
            script,
            status,
        });
        Ok(())
    }

    /// Writes the journal. Behind the commit point a record of a scriptlet only serves a message of the next start.
    fn flush_journal(&mut self) -> Result<(), TransactionError> {
        match self.journal.flush() {
            Err(_) if self.committed => Ok(()),
            other => other,
        }
    }

    /// The commit point: everything on the disk, then all rows of the database at once.
    pub(crate) fn commit_database(
        &mut self,
        stages: &Stages,
        plan: &FilePlan,
    ) -> Result<(), TransactionError> {
        self.last = self.last_file_triggers(plan)?;
        stages.sync()?;
        let digests = self.package_digests()?;
        let mut erased = Vec::new();
        let mut added = Vec::new();
        for element in &self.elements {
            match element.deed {
                Deed::Erase { hnum, .. } => erased.push(hnum),
                Deed::Install { .. } => added.push(element.package.nevra.clone()),
            }
        }
        self.journal.add(&Record::Committing {
            erased: erased.clone(),
            added,
        })?;
        self.journal.sync()?;
        self.observer.event(Event::Committing);
        let mut tx = self.installed.db.begin()?;
        let elements = self.elements.iter().zip(&plan.elements);
        for ((element, files), digests) in elements.zip(&digests) {
            if let Deed::Install { signature, .. } = &element.deed {
                let header = self.stored_header(element, signature, files, digests)?;
                tx.add(header.blob())?;
            }
        }
        for (&hnum, files) in &replaced_by_record(&plan.replaced) {
            if !erased.contains(&hnum) {
                let header = self.installed.db.get(hnum)?;
                if let Some(header) = header {
                    tx.rewrite(hnum, with_replaced(&header, files)?.blob())?;
                }
            }
        }
        for hnum in erased {
            tx.remove(hnum)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Digests of the whole files that are installed, by element: rpm 6 keeps them in its records.
    fn package_digests(&self) -> Result<Vec<Vec<(u32, String)>>, TransactionError> {
        let kept = self.options.generation >= Generation::Rpm6;
        let digests = |element: &Loaded| match &element.deed {
            Deed::Install { path, .. } if kept => file_digests(path),
            _ => Ok(Vec::new()),
        };
        self.elements.iter().map(digests).collect()
    }

    fn stored_header(
        &self,
        element: &Loaded,
        signature: &rpm_pkg::header::Header,
        files: &ElementPlan,
        digests: &[(u32, String)],
    ) -> Result<InstalledHeader, TransactionError> {
        let digests: Vec<(u32, &str)> = digests.iter().map(|(a, hex)| (*a, &hex[..])).collect();
        let states: Vec<FileState> = files
            .states
            .iter()
            .map(|&state| FileState::from_number(state).unwrap_or(FileState::Normal))
            .collect();
        let facts = InstallFacts {
            time: u32::try_from(self.options.now).unwrap_or(u32::MAX),
            tid: self.done.tid,
            color: self.options.color,
            states: &states,
            package_digests: &digests,
            as_rpm6: self.options.generation >= Generation::Rpm6,
        };
        Ok(InstalledHeader::from_package(
            signature,
            &element.package.header,
            &facts,
        )?)
    }

    /// Marks the journal: only forward from here.
    pub(crate) fn mark_committed(&mut self) -> Result<(), TransactionError> {
        let mut scripts = Vec::new();
        for element in self.elements.iter().filter(|e| e.is_install()) {
            if ScriptKind::PostTrans.of(&element.package.header).is_some() {
                scripts.push(format!("{} %posttrans", element.package.nevra));
            }
        }
        for element in self.elements.iter().filter(|e| !e.is_install()) {
            if ScriptKind::PostUnTrans
                .of(&element.package.header)
                .is_some()
            {
                scripts.push(format!("{} %postuntrans", element.package.nevra));
            }
        }
        let last = self.last.iter();
        scripts.extend(last.map(|due| format!("{} {}", due.nevra, due.label)));
        self.journal.add(&Record::Committed { scripts })?;
        self.journal.sync()
    }

    /// What runs after the commit point. The database has the previous counts now.
    pub(crate) fn after_commit(&mut self) -> Result<(), TransactionError> {
        self.counts.clear();
        self.installed.changed();
        for index in 0..self.elements.len() {
            let counted = self.options.generation >= Generation::Rpm4_18;
            let replaced = counted && self.has_partner(index);
            self.element_script(index, ScriptKind::PostTrans, true, i64::from(replaced))?;
        }
        for index in 0..self.elements.len() {
            self.element_script(index, ScriptKind::PostUnTrans, false, 0)?;
        }
        let last = std::mem::take(&mut self.last);
        self.run_due(last)
    }

    /// Does an install of this transaction take the place of this erasure?
    pub(crate) fn is_replaced(&self, index: usize) -> bool {
        let deed = self.elements.get(index).map(|e| &e.deed);
        let linked =
            |deed: &Deed| matches!(deed, Deed::Erase { linked_to, .. } if linked_to.is_some());
        deed.is_some_and(linked)
    }

    /// Does this install take the place of an erasure?
    pub(crate) fn has_partner(&self, index: usize) -> bool {
        let linked = |e: &Loaded| matches!(e.deed, Deed::Erase { linked_to, .. } if linked_to == Some(index));
        self.elements.iter().any(linked)
    }

    /// Restores the old system after an error before the commit point.
    pub(crate) fn undo_all(
        &mut self,
        stages: &Stages,
        plan: &FilePlan,
    ) -> Result<(), TransactionError> {
        let elements = plan.elements.iter().enumerate();
        let ops: Vec<Vec<Op>> = elements
            .map(|(index, files)| self.moved.ops(index, files))
            .collect();
        let elements: Vec<Undoable<'_>> = ops
            .iter()
            .enumerate()
            .map(|(index, ops)| Undoable {
                ops: ops.iter().collect(),
                begun: self.begun.contains(&index),
            })
            .collect();
        undo(self.root, stages, &elements)?;
        stages.sync()?;
        self.journal.roll_back()
    }
}

/// Does the element bring or take away the files that names of owners are looked up in? The
/// elements after it need the new ones: the first packages of a root bring its users.
fn changes_owners(files: &ElementPlan) -> bool {
    let sources: [&[u8]; 2] = [b"/etc/passwd", b"/etc/group"];
    let targets = files.steps.iter().map(|step| step.op.target());
    targets.into_iter().any(|t| sources.contains(&t))
}

/// Files that were replaced, by record.
fn replaced_by_record(replaced: &[(u32, u32)]) -> HashMap<u32, Vec<u32>> {
    let mut by_record: HashMap<u32, Vec<u32>> = HashMap::new();
    for &(hnum, file) in replaced {
        by_record.entry(hnum).or_default().push(file);
    }
    by_record
}

fn with_replaced(
    header: &rpm_pkg::header::Header,
    files: &[u32],
) -> Result<InstalledHeader, TransactionError> {
    let mut states: Vec<FileState> = FileState::of(header).collect();
    for &file in files {
        if let Some(state) = states.get_mut(file as usize) {
            *state = FileState::Replaced;
        }
    }
    Ok(InstalledHeader::with_states(header, &states)?)
}
