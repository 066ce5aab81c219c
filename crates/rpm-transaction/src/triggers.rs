//! Package triggers: scriptlets of one package that run when another one comes or goes
//! (docs/reference/transactions.md, 3.5). The database does not know the changes of this transaction before the commit
//! point; the elements that are done are added and taken away here.

use std::collections::HashSet;

use rpm_db::Index;
use rpm_pkg::dep::{Dep, DepFlags};
use rpm_pkg::header::Header;
use rpm_pkg::nevra::Nevra;

use super::Generation;
use super::commit::Execution;
use super::element::{Deed, Script};
use super::error::TransactionError;

/// What makes a trigger run: sense flag, rpm's name, and whether a failure stops the
/// transaction (`%triggerprein`, as rpm 6 does).
type Kind = (u32, &'static str, bool);

const PREIN: Kind = (1 << 25, "%triggerprein", true);
const IN: Kind = (1 << 16, "%triggerin", false);
const UN: Kind = (1 << 17, "%triggerun", false);
const POSTUN: Kind = (1 << 18, "%triggerpostun", false);

/// Tags of scripts, programs, script flags, names, versions, flags and indexes.
const SCRIPTS: u32 = 1065;
const PROGRAMS: u32 = 1092;
const SCRIPT_FLAGS: u32 = 5027;
const NAMES: u32 = 1066;
const VERSIONS: u32 = 1067;
const FLAGS: u32 = 1068;
const INDEXES: u32 = 1069;

/// One trigger that is to run.
pub(crate) struct Due {
    /// The package that has the trigger.
    pub nevra: String,
    /// rpm's name of the kind.
    pub label: &'static str,
    /// A failure stops the transaction.
    pub fatal: bool,
    /// What to run.
    pub script: Script,
    /// `$1` and, if there is one, `$2`.
    pub arguments: Vec<i64>,
    /// What it reads.
    pub input: Vec<u8>,
}

/// One condition of a package's triggers.
struct Condition {
    on: Dep,
    flags: u32,
    script: usize,
}

impl Execution<'_, '_> {
    /// Before an install: triggers of others, then its own.
    pub(crate) fn trigger_prein(&mut self, index: usize) -> Result<(), TransactionError> {
        self.run_triggers(index, PREIN, true, 0)
    }

    /// After an install.
    pub(crate) fn trigger_in(&mut self, index: usize) -> Result<(), TransactionError> {
        self.run_triggers(index, IN, true, 0)
    }

    /// Before an erasure: its own triggers, then those of others.
    pub(crate) fn trigger_un(&mut self, index: usize) -> Result<(), TransactionError> {
        self.run_triggers(index, UN, false, -1)
    }

    /// After an erasure: triggers of others only.
    pub(crate) fn trigger_postun(&mut self, index: usize) -> Result<(), TransactionError> {
        let others = self.others(index, POSTUN, -1)?;
        self.run_due(others)
    }

    /// Triggers are scriptlets, too.
    pub(crate) fn runs_no_trigger(&self) -> bool {
        self.options.no_scripts || self.options.no_triggers || self.options.just_db
    }

    fn run_triggers(
        &mut self,
        index: usize,
        kind: Kind,
        others_first: bool,
        by: i64,
    ) -> Result<(), TransactionError> {
        if self.runs_no_trigger() {
            return Ok(());
        }
        let kind = match kind {
            UN if self.options.generation >= Generation::Rpm6 => (UN.0, UN.1, true),
            other => other,
        };
        let mut due = self.others(index, kind, by)?;
        let own = self.own(index, kind, by)?;
        if others_first {
            due.extend(own);
        } else {
            due.splice(0..0, own);
        }
        self.run_due(due)
    }

    /// Runs triggers in this order.
    pub(crate) fn run_due(&mut self, due: Vec<Due>) -> Result<(), TransactionError> {
        if self.runs_no_trigger() {
            return Ok(());
        }
        for Due {
            nevra,
            label,
            fatal,
            script,
            arguments,
            input,
        } in due
        {
            self.run_script(&nevra, label, &script, &arguments, input, fatal)?;
        }
        Ok(())
    }

    /// Triggers of other packages on this element; one at most for each package.
    fn others(&self, index: usize, kind: Kind, by: i64) -> Result<Vec<Due>, TransactionError> {
        let Some(element) = self.elements.get(index) else {
            return Ok(Vec::new());
        };
        let package = &element.package;
        let count = self.count(&package.name)? + by;
        let mut due = Vec::new();
        let mut seen = HashSet::new();
        for found in self
            .installed
            .find(Index::Triggername, package.name.as_bytes())?
        {
            let there = self.is_present(found.hnum);
            if !there || !seen.insert(found.hnum) {
                continue;
            }
            if let Some(header) = self.installed.db.get(found.hnum)? {
                due.extend(self.due(&header, &package.header, kind, (0, count))?);
            }
        }
        for other in self.elements.iter().take(self.added(index, kind)) {
            if other.is_install() {
                let header = &other.package.header;
                due.extend(self.due(header, &package.header, kind, (0, count))?);
            }
        }
        Ok(due)
    }

    /// This element's own triggers on what is installed; each script once.
    fn own(&self, index: usize, kind: Kind, by: i64) -> Result<Vec<Due>, TransactionError> {
        let Some(element) = self.elements.get(index) else {
            return Ok(Vec::new());
        };
        let header = &element.package.header;
        let mut due: Vec<Due> = Vec::new();
        let mut seen = HashSet::new();
        for condition in conditions(header) {
            if condition.flags & kind.0 == 0 || seen.contains(&condition.script) {
                continue;
            }
            let name = &condition.on.name;
            let mut meets = false;
            for hnum in self.installed.named(name)? {
                if let (true, Some(other)) = (self.is_present(hnum), self.installed.db.get(hnum)?) {
                    meets |= condition.on.overlaps(&provided(&other));
                }
            }
            for other in self
                .elements
                .iter()
                .take(self.added(index, kind))
                .filter(|e| e.is_install())
            {
                let other = &other.package;
                meets |= other.name == *name && condition.on.overlaps(&provided(&other.header));
            }
            if meets && seen.insert(condition.script) {
                let arguments = [self.count(&element.package.name)? + by, self.count(name)?];
                due.extend(due_of(header, &condition, kind, arguments));
            }
        }
        Ok(due)
    }

    /// The trigger of `owner` on a package, if a condition holds. The counts are those of the
    /// owner's correction and of the package.
    fn due(
        &self,
        owner: &Header,
        package: &Header,
        kind: Kind,
        (by, count): (i64, i64),
    ) -> Result<Option<Due>, TransactionError> {
        let provided = provided(package);
        let holds = |c: &Condition| {
            c.flags & kind.0 != 0 && c.on.name == provided.name && c.on.overlaps(&provided)
        };
        let Some(condition) = conditions(owner).into_iter().find(holds) else {
            return Ok(None);
        };
        let name = owner.text(rpm_pkg::header::tag::NAME).unwrap_or_default();
        Ok(due_of(
            owner,
            &condition,
            kind,
            [self.count(name)? + by, count],
        ))
    }

    /// How many elements are in the system: a package that was just installed sees itself.
    fn added(&self, index: usize, kind: Kind) -> usize {
        if kind.0 == IN.0 {
            index + 1
        } else {
            self.finished
        }
    }

    /// Is the record still installed at this moment?
    pub(crate) fn is_present(&self, hnum: u32) -> bool {
        let gone = self.elements.iter().take(self.finished);
        !gone
            .into_iter()
            .any(|e| matches!(e.deed, Deed::Erase { hnum: h, .. } if h == hnum))
    }
}

/// The package as something that can be matched: its name with exactly its version.
fn provided(header: &Header) -> Dep {
    match Nevra::from_header(header) {
        Ok(nevra) => Dep::new(nevra.name.clone(), DepFlags::EQUAL, nevra.evr.to_string()),
        Err(_) => Dep::new("", DepFlags::ANY, ""),
    }
}

fn conditions(header: &Header) -> Vec<Condition> {
    let mut versions = header.strings(VERSIONS);
    let mut flags = header.u32s(FLAGS);
    let mut indexes = header.u32s(INDEXES);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let condition = |name: &[u8]| {
        let flags = flags.next()?;
        let evr = text(versions.next()?);
        let on = Dep::new(text(name), DepFlags(flags).relation(), evr);
        Some(Condition {
            on,
            flags,
            script: indexes.next()? as usize,
        })
    };
    header.strings(NAMES).map_while(condition).collect()
}

fn due_of(
    owner: &Header,
    condition: &Condition,
    (_, label, fatal): Kind,
    arguments: [i64; 2],
) -> Option<Due> {
    let body = owner.strings(SCRIPTS).nth(condition.script)?;
    let program = owner
        .strings(PROGRAMS)
        .nth(condition.script)
        .unwrap_or(b"/bin/sh");
    let script = Script {
        program: vec![program.to_vec()],
        body: (!body.is_empty()).then(|| body.to_vec()),
        flags: owner.u32s(SCRIPT_FLAGS).nth(condition.script).unwrap_or(0),
        prefixes: Vec::new(),
    };
    let nevra = Nevra::from_header(owner).ok()?.to_string();
    Some(Due {
        nevra,
        label,
        fatal,
        script,
        arguments: arguments.to_vec(),
        input: Vec::new(),
    })
}
