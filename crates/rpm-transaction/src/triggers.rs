//! Package triggers: scriptlets of one package that run when another one comes or goes
//! (docs/reference/transactions.md, 3.5). The database does not know the changes of this transaction before the commit
//! point; the elements that are done are added and taken away here.

use std::collections::{HashMap, HashSet};

use rpm_db::IndexTable;
use rpm_pkg::dep::{Dep, DepFlags};
use rpm_pkg::header::{Header, tag};
use rpm_pkg::nevra::Nevra;
use rpm_pkg::script::{TriggerClass, triggers};

use super::Generation;
use super::element::{Loaded, PackageFacts};
use super::error::TransactionError;
use super::progress::Progress;
use super::scriptlets::Scriptlet;

/// What makes a trigger run: sense flag, rpm's name, and whether a failure stops the
/// transaction (`%triggerprein`, as rpm 6 does).
pub(crate) type Kind = (DepFlags, &'static str, bool);

pub(crate) const PREIN: Kind = (DepFlags::TRIGGERPREIN, "%triggerprein", true);
pub(crate) const IN: Kind = (DepFlags::TRIGGERIN, "%triggerin", false);
pub(crate) const UN: Kind = (DepFlags::TRIGGERUN, "%triggerun", false);
pub(crate) const POSTUN: Kind = (DepFlags::TRIGGERPOSTUN, "%triggerpostun", false);

/// One condition of a package's triggers.
struct Condition {
    on: Dep,
    sense: DepFlags,
    /// The number of the script among those of the header.
    script: usize,
}

/// Finds the package triggers that an element sets off.
pub(crate) struct Triggers {
    /// The rpm whose rules are followed.
    generation: Generation,
    /// Installs with a trigger on a name, in the order of the transaction.
    on: ByName,
    /// Installs of a name, in the same order.
    named: ByName,
}

/// Positions of elements by a name.
type ByName = HashMap<String, Vec<usize>>;

impl Triggers {
    /// Looks once through what is installed, by its position in the transaction.
    pub(crate) fn read<'e>(
        installs: impl Iterator<Item = (usize, &'e PackageFacts)>,
        generation: Generation,
    ) -> Triggers {
        let (mut on, mut named) = (ByName::new(), ByName::new());
        for (index, package) in installs {
            named.entry(package.name.clone()).or_default().push(index);
            let mut names: Vec<String> = package
                .header
                .strings(tag::TRIGGERNAME)
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                on.entry(name).or_default().push(index);
            }
        }
        Triggers {
            generation,
            on,
            named,
        }
    }

    /// What an element sets off. Around an install triggers of others come first, then its own; before
    /// an erasure it is the other way round, and after one there are those of others only.
    pub(crate) fn find(
        &self,
        progress: &Progress<'_>,
        index: usize,
        (sense, label, fatal): Kind,
    ) -> Result<Vec<Scriptlet>, TransactionError> {
        let fatal = fatal || (sense == UN.0 && self.generation >= Generation::Rpm6);
        let install = sense == PREIN.0 || sense == IN.0;
        let by = if install { 0 } else { -1 };
        let moment = Moment::new(progress, index, (sense, label, fatal), by);
        let mut due = match sense == UN.0 {
            true => self.own(&moment)?,
            false => Vec::new(),
        };
        due.extend(self.others(&moment)?);
        if install {
            due.extend(self.own(&moment)?);
        }
        Ok(due)
    }

    /// Triggers of other packages on this element; one at most for each package.
    fn others(&self, moment: &Moment<'_, '_>) -> Result<Vec<Scriptlet>, TransactionError> {
        let Some(element) = moment.element() else {
            return Ok(Vec::new());
        };
        let (package, installed) = (&element.package, moment.progress.installed());
        let provided = provided(&package.header);
        let mut due = Vec::new();
        let mut seen = HashSet::new();
        for found in installed.find(IndexTable::Triggername, package.name.as_bytes())? {
            let there = moment.progress.is_present(found.hnum);
            if !there || !seen.insert(found.hnum) {
                continue;
            }
            if let Some(header) = installed.db.get(found.hnum)? {
                due.extend(moment.due(&header, &provided)?);
            }
        }
        for owner in moment.added(&self.on, &package.name) {
            due.extend(moment.due(&owner.header, &provided)?);
        }
        Ok(due)
    }

    /// This element's own triggers on what is installed; each script once.
    fn own(&self, moment: &Moment<'_, '_>) -> Result<Vec<Scriptlet>, TransactionError> {
        let Some(element) = moment.element() else {
            return Ok(Vec::new());
        };
        let (header, progress) = (&element.package.header, moment.progress);
        let mut due: Vec<Scriptlet> = Vec::new();
        let mut seen = HashSet::new();
        for condition in conditions(header) {
            if !condition.sense.has(moment.kind.0) || seen.contains(&condition.script) {
                continue;
            }
            let name = &condition.on.name;
            let mut meets = false;
            let installed = progress.installed();
            for hnum in installed.named(name)? {
                let present = progress.is_present(hnum);
                if let (true, Some(other)) = (present, installed.db.get(hnum)?) {
                    meets |= condition.on.overlaps(&provided(&other));
                }
            }
            for other in moment.added(&self.named, name) {
                meets |= condition.on.overlaps(&provided(&other.header));
            }
            if meets && seen.insert(condition.script) {
                let arguments = [
                    progress.count(&element.package.name)? + moment.by,
                    progress.count(name)?,
                ];
                due.extend(due_of(header, &condition, moment.kind, arguments));
            }
        }
        Ok(due)
    }
}

/// An element, and what is looked for on its account.
struct Moment<'a, 'd> {
    progress: &'a Progress<'d>,
    index: usize,
    kind: Kind,
    /// The correction of the number of packages of the element's name.
    by: i64,
    /// So many elements are in the system: a package that was just installed sees itself.
    done: usize,
}

impl<'a, 'd> Moment<'a, 'd> {
    fn new(progress: &'a Progress<'d>, index: usize, kind: Kind, by: i64) -> Moment<'a, 'd> {
        let done = match kind.0 == IN.0 {
            true => index + 1,
            false => progress.finished(),
        };
        Moment {
            progress,
            index,
            kind,
            by,
            done,
        }
    }

    fn element(&self) -> Option<&'a Loaded> {
        self.progress.elements().get(self.index)
    }

    /// The packages of a table under a name that are in the system by now.
    fn added<'t>(
        &'t self,
        table: &'t ByName,
        name: &str,
    ) -> impl Iterator<Item = &'a PackageFacts> + 't {
        let places = table.get(name).into_iter().flatten();
        let done = places.take_while(|&&place| place < self.done);
        let elements = self.progress.elements();
        done.filter_map(|&place| Some(&elements.get(place)?.package))
    }

    /// The trigger of `owner` on what the element provides, if a condition holds.
    fn due(&self, owner: &Header, provided: &Dep) -> Result<Option<Scriptlet>, TransactionError> {
        let holds = |c: &Condition| {
            c.sense.has(self.kind.0) && c.on.name == provided.name && c.on.overlaps(provided)
        };
        let Some(condition) = conditions(owner).into_iter().find(holds) else {
            return Ok(None);
        };
        let name = owner.text(tag::NAME).unwrap_or_default();
        let arguments = [
            self.progress.count(name)?,
            self.progress.count(&provided.name)? + self.by,
        ];
        Ok(due_of(owner, &condition, self.kind, arguments))
    }
}

/// The package as something that can be matched: its name with exactly its version.
fn provided(header: &Header) -> Dep {
    match Nevra::from_header(header) {
        Ok(nevra) => Dep::new(nevra.name.clone(), DepFlags::EQUAL, nevra.evr.to_string()),
        Err(_) => Dep::new("", DepFlags::ANY, ""),
    }
}

/// The conditions in the order of the header.
fn conditions(header: &Header) -> Vec<Condition> {
    let mut versions = header.strings(tag::TRIGGERVERSION);
    let mut flags = header.u32s(tag::TRIGGERFLAGS);
    let mut indexes = header.u32s(tag::TRIGGERINDEX);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let condition = |name: &[u8]| {
        let sense = DepFlags(flags.next()?);
        let evr = text(versions.next()?);
        Some(Condition {
            on: Dep::new(text(name), sense.relation(), evr),
            sense,
            script: indexes.next()? as usize,
        })
    };
    let names = header.strings(tag::TRIGGERNAME);
    names.map_while(condition).collect()
}

fn due_of(
    owner: &Header,
    condition: &Condition,
    (_, label, fatal): Kind,
    arguments: [i64; 2],
) -> Option<Scriptlet> {
    owner.strings(tag::TRIGGERSCRIPTS).nth(condition.script)?;
    let mut scripts = triggers(owner, TriggerClass::Package).into_iter();
    Some(Scriptlet {
        nevra: Nevra::from_header(owner).ok()?.to_string(),
        label,
        fatal,
        script: scripts.nth(condition.script)?.into(),
        arguments: arguments.to_vec(),
        input: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use rpm_pkg::header::tag::{ARCH, NAME, OS, RELEASE, VERSION};
    use rpm_pkg::header::{HeaderBuilder, HeaderKind, TagValue};

    use super::*;

    /// A package with triggers on others.
    fn package(name: &str, triggers: &[&str]) -> PackageFacts {
        let mut header = HeaderBuilder::new();
        let texts = [
            (NAME, name),
            (VERSION, "1"),
            (RELEASE, "1"),
            (ARCH, "noarch"),
            (OS, "linux"),
        ];
        for (tag, value) in texts {
            header.add(tag, TagValue::string(value));
        }
        if !triggers.is_empty() {
            header.add(tag::TRIGGERNAME, TagValue::strings(triggers));
        }
        PackageFacts::read(header.build(HeaderKind::Main).unwrap(), name).unwrap()
    }

    #[test]
    fn only_packages_with_a_trigger_on_the_name_are_asked() {
        let installs = [
            (0, &package("a", &["c", "b", "b"])),
            (1, &package("b", &[])),
            (3, &package("c", &["c"])),
        ];
        let found = Triggers::read(installs.into_iter(), Generation::Rpm4_18);
        assert_eq!(found.on.get("b"), Some(&vec![0]));
        assert_eq!(found.on.get("c"), Some(&vec![0, 3]));
        assert_eq!(found.on.get("a"), None);
        assert_eq!(found.named.get("c"), Some(&vec![3]));
    }
}
