//! Who needs whom: relations between elements, from the dependencies in their headers.

use std::collections::{HashMap, HashSet};

use rpm_pkg::dep::{Dep, DepFlags, DepGroup, Deps};
use rpm_pkg::files::FileList;
use rpm_pkg::header::Header;

use super::Relation;

/// rpm's sense flags (reference 5.2).
const PRETRANS: u32 = 1 << 7;
const PRE: u32 = 1 << 9;
const POST: u32 = 1 << 10;
const PREUN: u32 = 1 << 11;
const POSTUN: u32 = 1 << 12;
const VERIFY: u32 = 1 << 13;
const RPMLIB: u32 = 1 << 24;
const KEYRING: u32 = 1 << 26;
const CONFIG: u32 = 1 << 28;
const META: u32 = 1 << 29;
const PREREQ: u32 = 1 << 6;
const POSTTRANS: u32 = 1 << 5;

/// Dependencies that never order, unless a scriptlet needs them.
const WITHOUT_ORDER: u32 = RPMLIB | CONFIG | PRETRANS | POSTTRANS | VERIFY | META;
const BY_SCRIPTS: u32 = PRE | POST | PREUN | POSTUN;

/// Dependencies that order. Weak ones order without the strong mark (rpm 4.18).
const GROUPS: [DepGroup; 4] = [
    DepGroup::Requires,
    DepGroup::OrderWithRequires,
    DepGroup::Recommends,
    DepGroup::Suggests,
];

/// What ordering needs to know of an element.
pub(crate) struct Member<'a> {
    /// Its header.
    pub header: &'a Header,
    /// It is installed; otherwise erased.
    pub install: bool,
    /// Its files: others may require them.
    pub files: &'a FileList,
}

/// All relations between the members.
pub(crate) fn relations(members: &[Member<'_>]) -> Vec<Relation> {
    let mut provides: HashMap<String, Vec<(usize, Dep)>> = HashMap::new();
    for (index, member) in members.iter().enumerate() {
        for dep in Deps::of(member.header, DepGroup::Provides) {
            let dep = dep.to_dep();
            provides
                .entry(dep.name.clone())
                .or_default()
                .push((index, dep));
        }
    }
    add_files(members, &mut provides);
    let mut found = Vec::new();
    for (index, member) in members.iter().enumerate() {
        for group in GROUPS {
            let weak = matches!(group, DepGroup::Recommends | DepGroup::Suggests);
            for dep in Deps::of(member.header, group) {
                let dep = dep.to_dep();
                let Some(strong) = orders(dep.flags.0, member.install) else {
                    continue;
                };
                for wanted in operands(&dep) {
                    let provider = provider(members, &provides, index, &wanted);
                    found.extend(
                        provider
                            .map(|other| relation(other, index, strong && !weak, member.install)),
                    );
                }
            }
        }
    }
    found
}

/// Files that somebody requires are provided like names.
fn add_files(members: &[Member<'_>], provides: &mut HashMap<String, Vec<(usize, Dep)>>) {
    let mut wanted: HashSet<Vec<u8>> = HashSet::new();
    for member in members {
        for dep in GROUPS
            .iter()
            .flat_map(|&group| Deps::of(member.header, group))
        {
            let dep = dep.to_dep();
            let paths = operands(&dep)
                .into_iter()
                .filter(|dep| dep.name.starts_with('/'));
            wanted.extend(paths.map(|dep| dep.name.into_bytes()));
        }
    }
    if wanted.is_empty() {
        return;
    }
    for (index, member) in members.iter().enumerate() {
        for path in (0..member.files.len()).map(|i| member.files.path(i)) {
            if let (true, Ok(name)) = (wanted.contains(&path), String::from_utf8(path)) {
                let dep = Dep::new(name.clone(), DepFlags(0), "");
                provides.entry(name).or_default().push((index, dep));
            }
        }
    }
}

/// A requirer is installed after, and erased before, what it needs.
fn relation(needed: usize, by: usize, strong: bool, install: bool) -> Relation {
    let (before, after) = if install { (needed, by) } else { (by, needed) };
    Relation {
        before,
        after,
        strong,
    }
}

/// Does a dependency with these flags order, and strongly?
fn orders(flags: u32, install: bool) -> Option<bool> {
    if flags & WITHOUT_ORDER != 0 && flags & BY_SCRIPTS == 0 {
        return None;
    }
    let strong = if install {
        PRE | POST | KEYRING
    } else {
        PREUN | POSTUN
    };
    Some(flags & (strong | PREREQ) != 0)
}

/// The plain dependencies of one that may be rich: every name in it, without ranges.
fn operands(dep: &Dep) -> Vec<Dep> {
    if !dep.is_rich() {
        return vec![dep.clone()];
    }
    let names = rpm_pkg::dep::rich::index_names(&dep.name).unwrap_or_default();
    let plain = names
        .into_iter()
        .filter(|name| !name.starts_with(['!', '(']));
    plain.map(|name| Dep::new(name, DepFlags(0), "")).collect()
}

/// The member of the same kind that satisfies `dep`, itself excluded: a package that satisfies
/// its own need is ordered after nobody for it.
fn provider(
    members: &[Member<'_>],
    provides: &HashMap<String, Vec<(usize, Dep)>>,
    index: usize,
    dep: &Dep,
) -> Option<usize> {
    let install = members.get(index)?.install;
    let alike = |other: usize| members.get(other).is_some_and(|m| m.install == install);
    let mut candidates = provides
        .get(&dep.name)
        .into_iter()
        .flatten()
        .filter(|(other, provided)| alike(*other) && provided.overlaps(dep))
        .map(|(other, _)| *other)
        .peekable();
    if candidates.peek().is_some() {
        let all: Vec<usize> = candidates.collect();
        return if all.contains(&index) {
            None
        } else {
            all.first().copied()
        };
    }
    None
}
