//! Package triggers: scriptlets of one package that run when another one comes or goes
//! (docs/reference/transactions.md, 3.5). The database does not know the changes of this transaction before the commit
//! point; the elements that are done are added and taken away here.

use std::collections::HashSet;

use rpm_db::Index;
use rpm_pkg::dep::{Dep, DepFlags};
use rpm_pkg::header::Header;
use rpm_pkg::nevra::Nevra;

use super::Generation;
use super::element::{PackageFacts, Script};
use super::error::TransactionError;
use super::progress::Progress;
use super::scriptlets::Scriptlet;

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

/// One condition of a package's triggers.
struct Condition {
    on: Dep,
    flags: u32,
    script: usize,
}

/// Finds the package triggers that an element sets off.
pub(crate) struct Triggers<'a, 'd> {
    /// What is installed at this moment.
    pub progress: &'a Progress<'d>,
    /// The rpm whose rules are followed.
    pub generation: Generation,
}

impl Triggers<'_, '_> {
    /// Before an install: triggers of others, then its own.
    pub(crate) fn before_install(&self, index: usize) -> Result<Vec<Scriptlet>, TransactionError> {
        let mut due = self.others(index, PREIN, 0)?;
        due.extend(self.own(index, PREIN, 0)?);
        Ok(due)
    }

    /// After an install: the same.
    pub(crate) fn after_install(&self, index: usize) -> Result<Vec<Scriptlet>, TransactionError> {
        let mut due = self.others(index, IN, 0)?;
        due.extend(self.own(index, IN, 0)?);
        Ok(due)
    }

    /// Before an erasure: its own triggers, then those of others.
    pub(crate) fn before_erase(&self, index: usize) -> Result<Vec<Scriptlet>, TransactionError> {
        let fatal = self.generation >= Generation::Rpm6;
        let kind = (UN.0, UN.1, fatal);
        let mut due = self.own(index, kind, -1)?;
        due.extend(self.others(index, kind, -1)?);
        Ok(due)
    }

    /// After an erasure: triggers of others only.
    pub(crate) fn after_erase(&self, index: usize) -> Result<Vec<Scriptlet>, TransactionError> {
        self.others(index, POSTUN, -1)
    }

    /// Triggers of other packages on this element; one at most for each package.
    fn others(
        &self,
        index: usize,
        kind: Kind,
        by: i64,
    ) -> Result<Vec<Scriptlet>, TransactionError> {
        let Some(element) = self.progress.elements().get(index) else {
            return Ok(Vec::new());
        };
        let package = &element.package;
        let count = self.progress.count(&package.name)? + by;
        let mut due = Vec::new();
        let mut seen = HashSet::new();
        let installed = self.progress.installed();
        for found in installed.find(Index::Triggername, package.name.as_bytes())? {
            let there = self.progress.is_present(found.hnum);
            if !there || !seen.insert(found.hnum) {
                continue;
            }
            if let Some(header) = installed.db.get(found.hnum)? {
                due.extend(self.due(&header, &package.header, kind, (0, count))?);
            }
        }
        for other in self.added(index, kind) {
            due.extend(self.due(&other.header, &package.header, kind, (0, count))?);
        }
        Ok(due)
    }

    /// This element's own triggers on what is installed; each script once.
    fn own(&self, index: usize, kind: Kind, by: i64) -> Result<Vec<Scriptlet>, TransactionError> {
        let Some(element) = self.progress.elements().get(index) else {
            return Ok(Vec::new());
        };
        let header = &element.package.header;
        let mut due: Vec<Scriptlet> = Vec::new();
        let mut seen = HashSet::new();
        for condition in conditions(header) {
            if condition.flags & kind.0 == 0 || seen.contains(&condition.script) {
                continue;
            }
            let name = &condition.on.name;
            let mut meets = false;
            let installed = self.progress.installed();
            for hnum in installed.named(name)? {
                let present = self.progress.is_present(hnum);
                if let (true, Some(other)) = (present, installed.db.get(hnum)?) {
                    meets |= condition.on.overlaps(&provided(&other));
                }
            }
            for other in self.added(index, kind) {
                meets |= other.name == *name && condition.on.overlaps(&provided(&other.header));
            }
            if meets && seen.insert(condition.script) {
                let arguments = [
                    self.progress.count(&element.package.name)? + by,
                    self.progress.count(name)?,
                ];
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
    ) -> Result<Option<Scriptlet>, TransactionError> {
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
            [self.progress.count(name)? + by, count],
        ))
    }

    /// The packages that are in the system by now: one that was just installed sees itself.
    fn added(&self, index: usize, kind: Kind) -> impl Iterator<Item = &PackageFacts> {
        let count = match kind.0 == IN.0 {
            true => index + 1,
            false => self.progress.finished(),
        };
        let done = self.progress.elements().iter().take(count);
        done.filter(|e| e.is_install()).map(|e| &e.package)
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
) -> Option<Scriptlet> {
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
    Some(Scriptlet {
        nevra,
        label,
        fatal,
        script,
        arguments: arguments.to_vec(),
        input: Vec::new(),
    })
}
