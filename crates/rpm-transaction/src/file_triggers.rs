//! File triggers and transaction file triggers: scriptlets that run when paths with a prefix come
//! or go (docs/reference/transactions.md, 3.5; what is not said there was compared with rpm 4.18).
//!
//! A file trigger of an installed package (the element's own included) looks at the files of the
//! element. When the package of a trigger comes or goes itself, the trigger looks at the files of
//! all packages that are installed at that moment, but for its own when it comes.
//! Transaction file triggers look at all packages that the transaction brings or takes away.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rpm_db::IndexTable;
use rpm_pkg::dep::DepFlags;
use rpm_pkg::header::Header;
use rpm_pkg::nevra::Nevra;
use rpm_pkg::script::{Trigger, TriggerClass, triggers};

use super::element::{Deed, Loaded, PackageFacts, ScriptKind};
use super::error::TransactionError;
use super::files::state;
use super::plan::{ElementPlan, FilePlan};
use super::progress::Progress;
use super::scriptlets::Scriptlet;
use super::{Generation, Options};

/// Triggers of this priority and above run before `%post` and `%preun`, the others after them.
const PRIORITY_BOUND: u32 = 10_000;

const IN: DepFlags = DepFlags::TRIGGERIN;
const UN: DepFlags = DepFlags::TRIGGERUN;
const POSTUN: DepFlags = DepFlags::TRIGGERPOSTUN;

/// What makes a trigger run: sense flag and rpm's name.
pub(crate) type Kind = (DepFlags, &'static str);

pub(crate) const FILE_IN: Kind = (IN, "%filetriggerin");
pub(crate) const FILE_UN: Kind = (UN, "%filetriggerun");
pub(crate) const FILE_POSTUN: Kind = (POSTUN, "%filetriggerpostun");
const TRANSACTION_IN: Kind = (IN, "%transfiletriggerin");
const TRANSACTION_UN: Kind = (UN, "%transfiletriggerun");
const TRANSACTION_POSTUN: Kind = (POSTUN, "%transfiletriggerpostun");

/// The two moments of an element at which file triggers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Band {
    /// Before the scriptlet.
    High,
    /// After it.
    Low,
}

impl Band {
    fn has(self, trigger: &Trigger) -> bool {
        (trigger.priority >= PRIORITY_BOUND) == (self == Band::High)
    }
}

/// Where a package stands: in the database as it was before, or among the elements. The order is that
/// of the numbers that rpm's database gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Record(u32),
    Element(usize),
}

/// A package with file triggers.
#[derive(Debug)]
struct Owner {
    place: Place,
    name: String,
    nevra: String,
    file: Vec<Trigger>,
    transaction: Vec<Trigger>,
}

impl Owner {
    fn of(place: Place, header: &Header) -> Option<Owner> {
        let file = triggers(header, TriggerClass::File);
        let transaction = triggers(header, TriggerClass::TransactionFile);
        if file.is_empty() && transaction.is_empty() {
            return None;
        }
        let nevra = Nevra::from_header(header).ok()?;
        Some(Owner {
            place,
            name: nevra.name.clone(),
            nevra: nevra.to_string(),
            file,
            transaction,
        })
    }
}

/// All packages with file triggers, installed or to be installed. Most systems have a handful.
#[derive(Debug)]
pub(crate) struct FileTriggers {
    owners: Vec<Owner>,
}

impl FileTriggers {
    /// Finds them.
    pub(crate) fn read(progress: &Progress<'_>) -> Result<FileTriggers, TransactionError> {
        let (installed, elements) = (progress.installed(), progress.elements());
        let mut records = BTreeSet::new();
        for table in [
            IndexTable::Filetriggername,
            IndexTable::Transfiletriggername,
        ] {
            let found = installed.find_prefix(table, b"")?;
            records.extend(found.into_iter().map(|(_, place)| place.hnum));
        }
        let mut owners = Vec::new();
        for hnum in records {
            if let Some(header) = installed.db.get(hnum)? {
                owners.extend(Owner::of(Place::Record(hnum), &header));
            }
        }
        let installs = elements.iter().enumerate().filter(|(_, e)| e.is_install());
        owners
            .extend(installs.filter_map(|(i, e)| Owner::of(Place::Element(i), &e.package.header)));
        Ok(FileTriggers { owners })
    }
}

/// One trigger that was set off, in the order to run.
type Fired<'o> = BTreeMap<(Reverse<u32>, Place, usize), (&'o Owner, &'o Trigger, Vec<u8>)>;

fn senses(trigger: &Trigger, sense: DepFlags) -> bool {
    trigger.conditions.iter().any(|c| c.flags.has(sense))
}

/// Sets a trigger off, if there are paths for it.
fn fire<'o>(fired: &mut Fired<'o>, owner: &'o Owner, trigger: &'o Trigger, paths: Vec<u8>) {
    if !paths.is_empty() {
        let key = (Reverse(trigger.priority), owner.place, trigger.index);
        fired.insert(key, (owner, trigger, paths));
    }
}

/// A trigger that is to run with these arguments.
fn due_of(
    owner: &Owner,
    trigger: &Trigger,
    label: &'static str,
    arguments: Vec<i64>,
    input: Vec<u8>,
) -> Scriptlet {
    Scriptlet {
        nevra: owner.nevra.clone(),
        label,
        fatal: false,
        script: trigger.clone().into(),
        arguments,
        input,
    }
}

/// The paths with a prefix of the trigger's, one per line: prefix by prefix.
fn matching(trigger: &Trigger, mut add: impl FnMut(&[u8], &mut Vec<u8>)) -> Vec<u8> {
    let mut lines = Vec::new();
    for condition in &trigger.conditions {
        add(&condition.name, &mut lines);
    }
    lines
}

/// The files of a package with a prefix whose state says that they are on the disk.
fn add_files(package: &PackageFacts, states: &[u8], prefix: &[u8], lines: &mut Vec<u8>) {
    for index in 0..package.files.len() {
        let there = matches!(
            states.get(index),
            Some(&(state::NORMAL | state::NET_SHARED))
        );
        let (dir, base) = package.name_of(index);
        if there && has_prefix(dir, base, prefix) {
            lines.extend_from_slice(dir);
            lines.extend_from_slice(base);
            lines.push(b'\n');
        }
    }
}

fn has_prefix(dir: &[u8], base: &[u8], prefix: &[u8]) -> bool {
    match prefix.strip_prefix(dir) {
        Some(rest) => base.starts_with(rest),
        None => dir.starts_with(prefix),
    }
}

/// Does the package have files in a directory with the prefix? rpm asks its table of directories
/// first, so a prefix that names a file finds nothing.
fn has_directory(package: &PackageFacts, prefix: &[u8]) -> bool {
    let mut dirs = package.header.strings(rpm_pkg::header::tag::DIRNAMES);
    dirs.any(|dir| dir.starts_with(prefix))
}

/// Finds the file triggers that elements set off.
pub(crate) struct Picture<'a, 'd> {
    /// All packages with file triggers.
    pub triggers: &'a FileTriggers,
    /// What is installed at this moment.
    pub progress: &'a Progress<'d>,
    /// What happens to each file.
    pub plan: &'a FilePlan,
    /// The rpm whose rules are followed.
    pub generation: Generation,
}

impl Picture<'_, '_> {
    /// What an element sets off. Once the files of an install are in place triggers of others come
    /// first, then its own; before the files of an erasure go it is the other way round, and after
    /// that there are those of others only.
    pub(crate) fn of_element(
        &self,
        index: usize,
        kind: Kind,
        band: Band,
    ) -> Result<Vec<Scriptlet>, TransactionError> {
        let mut due = match kind == FILE_UN {
            true => self.own_fired(index, kind, band)?,
            false => Vec::new(),
        };
        due.extend(self.fired_by_files(index, kind, band)?);
        if kind == FILE_IN {
            due.extend(self.own_fired(index, kind, band)?);
        }
        Ok(due)
    }

    /// Before the first element: triggers on what the transaction takes away.
    pub(crate) fn before_transaction(&self) -> Result<Vec<Scriptlet>, TransactionError> {
        let mut due = self.fired_by_transaction(TRANSACTION_UN)?;
        due.extend(self.own_fired_by_transaction(TRANSACTION_UN)?);
        Ok(due)
    }

    /// What is to run after everything: triggers of packages that stay on what came, triggers on
    /// what went, and the triggers of what came. To be asked when all elements are done and the
    /// database has not been written.
    pub(crate) fn after_transaction(
        &self,
        options: &Options<'_>,
    ) -> Result<Vec<Scriptlet>, TransactionError> {
        let runs = |sense| options.runs_around(ScriptKind::PostTrans, sense);
        let mut due = Vec::new();
        if runs(IN) {
            due.extend(self.fired_by_transaction(TRANSACTION_IN)?);
        }
        if runs(POSTUN) {
            due.extend(self.fired_after_transaction()?);
        }
        if runs(IN) {
            due.extend(self.own_fired_by_transaction(TRANSACTION_IN)?);
        }
        Ok(due)
    }

    /// Is a package installed while element `index` is being done?
    fn is_there(&self, place: Place, index: usize) -> bool {
        match place {
            Place::Record(hnum) => self.progress.is_present(hnum),
            Place::Element(element) => element < self.progress.finished() || element == index,
        }
    }

    fn is_own(&self, place: Place, index: usize) -> bool {
        match (place, self.progress.elements().get(index).map(|e| &e.deed)) {
            (Place::Element(element), _) => element == index,
            (Place::Record(number), Some(Deed::Erase { hnum, .. })) => number == *hnum,
            _ => false,
        }
    }

    /// The scripts of what was set off. Since 4.20 rpm tells them how many packages there are:
    /// `told` answers it of an owner. Before, `$1` is 0.
    fn dues(
        &self,
        fired: Fired<'_>,
        label: &'static str,
        told: impl Fn(&Owner) -> Result<Vec<i64>, TransactionError>,
    ) -> Result<Vec<Scriptlet>, TransactionError> {
        let counted = self.generation >= Generation::Rpm4_20;
        let due = |(owner, trigger, input): (&Owner, &Trigger, Vec<u8>)| {
            let arguments = match counted {
                true => told(owner)?,
                false => vec![0],
            };
            Ok(due_of(owner, trigger, label, arguments, input))
        };
        fired.into_values().map(due).collect()
    }

    /// Since rpm 6 an upgraded package that has a trigger in both versions runs it once: the new
    /// one on what comes and on what is gone, the old one before something goes.
    fn leaves_it_to_the_other(&self, place: Place, sense: DepFlags) -> bool {
        self.generation >= Generation::Rpm6
            && match place {
                Place::Record(_) => sense != UN && !self.is_bystander(place),
                Place::Element(_) => sense == UN,
            }
    }

    /// Triggers of all packages that the files of an element set off; files that it left alone do not count.
    fn fired_by_files(
        &self,
        index: usize,
        (sense, label): Kind,
        band: Band,
    ) -> Result<Vec<Scriptlet>, TransactionError> {
        let (Some(element), Some(files)) = (
            self.progress.elements().get(index),
            self.plan.elements.get(index),
        ) else {
            return Ok(Vec::new());
        };
        let owners = &self.triggers.owners;
        let mut fired = Fired::new();
        for owner in owners.iter() {
            if !self.is_there(owner.place, index) || self.leaves_it_to_the_other(owner.place, sense)
            {
                continue;
            }
            let wanted = |t: &&Trigger| band.has(t) && senses(t, sense);
            for trigger in owner.file.iter().filter(wanted) {
                let lines = matching(trigger, |prefix, lines| {
                    add_files(&element.package, &files.touched, prefix, lines);
                });
                fire(&mut fired, owner, trigger, lines);
            }
        }
        let by = if sense == IN { 0 } else { -1 };
        let count = self.progress.count(&element.package.name)? + by;
        self.dues(fired, label, |owner| {
            Ok(vec![self.progress.count(&owner.name)?, count])
        })
    }

    /// The element's own triggers, set off by any package that is installed.
    fn own_fired(
        &self,
        index: usize,
        (sense, label): Kind,
        band: Band,
    ) -> Result<Vec<Scriptlet>, TransactionError> {
        let owners = &self.triggers.owners;
        let Some(owner) = owners.iter().find(|o| self.is_own(o.place, index)) else {
            return Ok(Vec::new());
        };
        let wanted: Vec<&Trigger> = owner
            .file
            .iter()
            .filter(|t| band.has(t) && senses(t, sense))
            .collect();
        // What it brings itself has set it off already.
        let but = (sense == IN).then_some(owner.place);
        let mut fired = Fired::new();
        for trigger in wanted {
            let lines = self.everywhere(index, trigger, but)?;
            fire(&mut fired, owner, trigger, lines);
        }
        let by = if sense == IN { 0 } else { -1 };
        self.dues(fired, label, |owner| {
            Ok(vec![self.progress.count(&owner.name)? + by, 1])
        })
    }

    /// The paths of all packages but one that are installed while element `index` is being done.
    fn everywhere(
        &self,
        index: usize,
        trigger: &Trigger,
        but: Option<Place>,
    ) -> Result<Vec<u8>, TransactionError> {
        let mut lines = Vec::new();
        for condition in &trigger.conditions {
            let prefix = condition.name.as_slice();
            let found = self
                .progress
                .installed()
                .find_prefix(IndexTable::Dirnames, prefix)?;
            let records: BTreeSet<u32> = found.into_iter().map(|(_, place)| place.hnum).collect();
            for hnum in records {
                if self.progress.is_present(hnum) && but != Some(Place::Record(hnum)) {
                    let package = self.progress.installed().package(hnum)?;
                    add_files(&package, &package.states, prefix, &mut lines);
                }
            }
            for (other, (element, files)) in self
                .progress
                .elements()
                .iter()
                .zip(&self.plan.elements)
                .enumerate()
            {
                let place = Place::Element(other);
                let there = element.is_install() && self.is_there(place, index);
                if there && but != Some(place) && has_directory(&element.package, prefix) {
                    add_files(&element.package, &files.states, prefix, &mut lines);
                }
            }
        }
        Ok(lines)
    }

    /// Does the transaction leave this package alone?
    fn is_bystander(&self, place: Place) -> bool {
        matches!(place, Place::Record(hnum) if self.progress.is_bystander(hnum))
    }

    fn fired_by_transaction(
        &self,
        (sense, label): Kind,
    ) -> Result<Vec<Scriptlet>, TransactionError> {
        let owners = &self.triggers.owners;
        let mut fired = Fired::new();
        let mut chosen: Vec<(&Loaded, &ElementPlan)> = self
            .progress
            .elements()
            .iter()
            .zip(&self.plan.elements)
            .filter(|(element, _)| element.is_install() == (sense == IN))
            .collect();
        // By number in the database, which for new packages is the order of the transaction.
        chosen.sort_by_key(|(element, _)| match element.deed {
            Deed::Erase { hnum, .. } => hnum,
            Deed::Install { .. } => 0,
        });
        for owner in owners.iter().filter(|o| self.is_bystander(o.place)) {
            for trigger in owner.transaction.iter().filter(|t| senses(t, sense)) {
                let lines = matching(trigger, |prefix, lines| {
                    for (element, files) in &chosen {
                        let package = &element.package;
                        if has_directory(package, prefix) {
                            let states = match element.is_install() {
                                true => &files.states,
                                false => &package.states,
                            };
                            add_files(package, states, prefix, lines);
                        }
                    }
                });
                fire(&mut fired, owner, trigger, lines);
            }
        }
        self.dues(fired, label, |owner| {
            Ok(vec![self.progress.count(&owner.name)?])
        })
    }

    fn own_fired_by_transaction(
        &self,
        (sense, label): Kind,
    ) -> Result<Vec<Scriptlet>, TransactionError> {
        let owners = &self.triggers.owners;
        let mut due = Vec::new();
        for index in 0..self.progress.elements().len() {
            let chosen =
                self.progress.elements().get(index).map(Loaded::is_install) == Some(sense == IN);
            let owner = owners.iter().find(|o| self.is_own(o.place, index));
            let Some(owner) = owner.filter(|_| chosen) else {
                continue;
            };
            let mut fired = Fired::new();
            for trigger in owner.transaction.iter().filter(|t| senses(t, sense)) {
                // No element but those that are finished.
                let lines = self.everywhere(usize::MAX, trigger, None)?;
                fire(&mut fired, owner, trigger, lines);
            }
            // As %posttrans and %preuntrans are told.
            let by = match sense {
                IN => i64::from(self.progress.has_partner(index)),
                _ => -i64::from(!self.progress.is_replaced(index)),
            };
            due.extend(self.dues(fired, label, |owner| {
                Ok(vec![self.progress.count(&owner.name)? + by])
            })?);
        }
        Ok(due)
    }

    /// Triggers of what is installed in the end on what went; they are told no paths.
    fn fired_after_transaction(&self) -> Result<Vec<Scriptlet>, TransactionError> {
        let owners = &self.triggers.owners;
        let mut fired = Fired::new();
        for owner in owners.iter() {
            if !self.is_bystander(owner.place) && matches!(owner.place, Place::Record(_)) {
                continue;
            }
            for trigger in owner.transaction.iter().filter(|t| senses(t, POSTUN)) {
                // rpm (4.18) looks at the first prefix only, here and nowhere else.
                let Some(condition) = trigger.conditions.first() else {
                    continue;
                };
                let mut lines = Vec::new();
                for element in self.progress.elements().iter().filter(|e| !e.is_install()) {
                    let package = &element.package;
                    add_files(package, &package.states, &condition.name, &mut lines);
                }
                fire(&mut fired, owner, trigger, lines);
            }
        }
        fired.values_mut().for_each(|(_, _, paths)| paths.clear());
        self.dues(fired, TRANSACTION_POSTUN.1, |owner| {
            Ok(vec![self.progress.count(&owner.name)?])
        })
    }
}
