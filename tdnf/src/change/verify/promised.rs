//! What a package needs and provides, compared with what the metadata promised of it.
//!
//! The solver believed the metadata; rpm goes by the header. Where both differ, the plan was made
//! for another package than the one that came.

use std::collections::BTreeSet;

use rpm_pkg::dep::{Dep, DepFlags, DepGroup, Deps, rich};
use rpm_pkg::files::FileList;
use rpm_pkg::header::{Header, tag};

use crate::plan::Promised;

/// Says what the header has or lacks against the promise, if it breaks it.
///
/// Writers of metadata leave out requires that a package fulfils itself, those on rpm's own
/// features, and all but the newest symbol version of libc (createrepo_c 0.20): that is no
/// difference. What the metadata adds always is one.
pub(super) fn broken(header: &Header, promised: &Promised) -> Option<String> {
    let own = of_header(header, DepGroup::Provides);
    let told: BTreeSet<Canonical> = promised.provides.iter().map(|text| of_text(text)).collect();
    if let Some(extra) = told.iter().find(|dep| !own.contains(dep)) {
        // Some writers add what rpm understands by itself: the name, and files as capabilities.
        let implied = Some(extra.name.as_bytes()) == header.string(tag::NAME)
            || extra.name.starts_with('/') && owns(header, &extra.name);
        if !implied {
            return Some(format!("does not provide {extra}"));
        }
    }
    if let Some(missing) = own.iter().find(|dep| !told.contains(dep)) {
        return Some(format!("provides {missing}"));
    }
    let needs = of_header(header, DepGroup::Requires);
    let told: BTreeSet<Canonical> = promised.requires.iter().map(|text| of_text(text)).collect();
    if let Some(extra) = told.iter().find(|dep| !needs.contains(dep)) {
        return Some(format!("does not require {extra}"));
    }
    let left_out = |dep: &Canonical| {
        dep.name.starts_with("rpmlib(")
            || dep.name.starts_with("libc.so.6")
            || own.iter().any(|provide| provide.fulfils(dep))
            || dep.name.starts_with('/') && owns(header, &dep.name)
    };
    let missing = needs
        .iter()
        .find(|dep| !told.contains(dep) && !left_out(dep));
    missing.map(|dep| format!("requires {dep}"))
}

/// A dependency in a normal form, for comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Canonical {
    /// The name; the operands of a rich dependency.
    name: String,
    relation: u32,
    evr: String,
}

impl std::fmt::Display for Canonical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Dep::new(&*self.name, DepFlags(self.relation), &*self.evr).fmt(f)
    }
}

impl Canonical {
    fn of(dep: &Dep) -> Self {
        if dep.is_rich() {
            return Self::rich(&dep.name);
        }
        if dep.name.contains(char::is_whitespace) {
            return Self::plain(dep.to_string());
        }
        let relation = dep.flags.relation().0;
        let versioned = relation != 0 && !dep.evr.is_empty();
        Self {
            name: dep.name.clone(),
            relation: if versioned { relation } else { 0 },
            evr: if versioned {
                evr(&dep.evr)
            } else {
                String::new()
            },
        }
    }

    /// Libraries print the same expression with different parentheses and blanks.
    fn rich(text: &str) -> Self {
        let name = match rich::index_names(text) {
            Ok(mut names) => {
                names.sort();
                format!("({})", names.join(" "))
            }
            Err(_) => text.split_whitespace().collect(),
        };
        Self::plain(name)
    }

    fn plain(name: String) -> Self {
        Self {
            name,
            relation: 0,
            evr: String::new(),
        }
    }

    fn fulfils(&self, wanted: &Self) -> bool {
        let dep = |it: &Self| Dep::new(&*it.name, DepFlags(it.relation), &*it.evr);
        self.name == wanted.name && dep(self).overlaps(&dep(wanted))
    }
}

/// Without a leading epoch of zero: writers of metadata always give one.
fn evr(text: &str) -> String {
    match text.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|digit| digit == b'0') => rest.to_owned(),
        _ => text.to_owned(),
    }
}

fn of_text(text: &str) -> Canonical {
    Dep::parse(text).map_or_else(
        || Canonical::plain(text.to_owned()),
        |dep| Canonical::of(&dep),
    )
}

fn of_header(header: &Header, group: DepGroup) -> BTreeSet<Canonical> {
    Deps::of(header, group)
        .map(|dep| Canonical::of(&dep.to_dep()))
        .collect()
}

fn owns(header: &Header, path: &str) -> bool {
    FileList::from_header(header)
        .is_ok_and(|files| (0..files.len()).any(|i| files.path(i) == path.as_bytes()))
}
