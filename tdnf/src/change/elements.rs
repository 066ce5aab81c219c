//! A verified plan as the transaction takes it.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use rpm_trust::KeyInfo;

use super::verify::{Verified, VerifiedPackage};
use crate::plan::{Plan, PlannedAction, PlannedChange};
use rpm_transaction::{Element, Erase, Install, Mode};

/// What is left of verified packages once the transaction has the rest.
#[derive(Debug)]
pub(super) struct Rest {
    /// Keys that the user accepted: they are stored once the packages are installed.
    pub accepted_keys: Vec<KeyInfo>,
    cached: Vec<PathBuf>,
}

impl Rest {
    /// Removes the package files that a successful run need not keep.
    pub(super) fn remove_cached(&self) {
        for path in &self.cached {
            // A file that stays is only space; `clean packages` finds it again.
            let _ = fs::remove_file(path);
        }
    }
}

/// The elements of a plan, by name: each install right before what it replaces, and removals.
/// Where no dependency decides, the order of a transaction follows from this one, as that of rpm
/// follows from the order of its arguments; it must not depend on the solver.
pub(super) fn elements(plan: &Plan, verified: Verified) -> (Vec<Element>, Rest) {
    let (packages, accepted_keys) = verified.into_parts();
    let cached = packages.iter().filter(|package| package.is_cached());
    let rest = Rest {
        cached: cached.map(|package| package.path().to_owned()).collect(),
        accepted_keys,
    };
    let of_change = |package: VerifiedPackage| (package.change(), package);
    let mut packages: HashMap<usize, _> = packages.into_iter().map(of_change).collect();
    let mut changes: Vec<(usize, &PlannedChange)> = plan.changes.iter().enumerate().collect();
    changes.sort_by_key(|(index, change)| (&change.package, *index));
    let mut elements = Vec::new();
    for (index, change) in changes {
        if let Some(package) = packages.remove(&index) {
            let position = elements.len();
            let (path, identity) = package.into_file();
            let install = Install {
                path,
                identity,
                mode: mode(change),
            };
            elements.push(Element::Install(install));
            let replaced = change.replaces.iter();
            elements.extend(replaced.map(|hnum| erase(*hnum, Some(position))));
        } else if change.action == PlannedAction::Remove {
            elements.extend(change.installed_number.map(|hnum| erase(hnum, None)));
        }
    }
    (elements, rest)
}

/// An installed package that goes, alone or because the element at a position comes.
pub(super) fn erase(hnum: u32, linked_to: Option<usize>) -> Element {
    Element::Erase(Erase { hnum, linked_to })
}

fn mode(change: &PlannedChange) -> Mode {
    match change.action {
        PlannedAction::Upgrade => Mode::Upgrade,
        PlannedAction::Downgrade => Mode::Downgrade,
        PlannedAction::Reinstall => Mode::Reinstall,
        _ => Mode::Install,
    }
}
