//! What differs between two sets.

use std::fmt;

use super::{LockedArch, LockedPackage, Signer};

/// One difference between an old and a new set; its text is a line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The new set has it besides.
    Added(String),
    /// The new set lacks it.
    Removed(String),
    /// Another version: name and architecture, the old version, the new one.
    Moved(String, String, String),
    /// The same version in another file: package, the old digest, the new one.
    Rebuilt(String, String, String),
    /// The same file is said to be signed by another key: package, the old key, the new one.
    Signed(String, String, String),
    /// No repository offers the file any more.
    Gone(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(nevra) => write!(f, "+ {nevra}"),
            Self::Removed(nevra) => write!(f, "- {nevra}"),
            Self::Moved(name, old, new) => write!(f, "{name} {old} -> {new}"),
            Self::Rebuilt(nevra, old, new) => write!(f, "{nevra}: {old} -> {new}"),
            Self::Signed(nevra, old, new) => write!(f, "{nevra}: signer {old} -> {new}"),
            Self::Gone(nevra) => write!(f, "{nevra}: no repository offers this file any more"),
        }
    }
}

/// What differs between two sets, by name. Both have to be sorted.
pub fn differences(old: &LockedArch, new: &LockedArch) -> Vec<Difference> {
    let (mut gone, mut found) = (Vec::new(), Vec::new());
    for package in &old.packages {
        match find(new, package) {
            Some(same) => {
                found.extend(same_version(package, same).map(|found| (&package.name, found)))
            }
            None => gone.push(package),
        }
    }
    let come = new
        .packages
        .iter()
        .filter(|package| find(old, package).is_none());
    for package in come {
        let is_older =
            |other: &&LockedPackage| other.name == package.name && other.arch == package.arch;
        let difference = match gone.iter().position(is_older) {
            Some(at) => {
                let name = format!("{}.{}", package.name, package.arch);
                Difference::Moved(name, gone.remove(at).evr(), package.evr())
            }
            None => Difference::Added(package.nevra()),
        };
        found.push((&package.name, difference));
    }
    found.extend(
        gone.into_iter()
            .map(|package| (&package.name, Difference::Removed(package.nevra()))),
    );
    found.sort_by_key(|(name, _)| *name);
    found
        .into_iter()
        .map(|(_, difference)| difference)
        .collect()
}

/// The same package; sets are sorted by name.
fn find<'s>(section: &'s LockedArch, package: &LockedPackage) -> Option<&'s LockedPackage> {
    let first = section
        .packages
        .partition_point(|other| other.name < package.name);
    let named = section.packages.iter().skip(first);
    let mut named = named.take_while(|other| other.name == package.name);
    named.find(|other| other.is_same(package))
}

fn same_version(old: &LockedPackage, new: &LockedPackage) -> Option<Difference> {
    if old.checksum != new.checksum {
        let [before, after] = [old, new].map(|package| package.checksum.to_string());
        return Some(Difference::Rebuilt(old.nevra(), before, after));
    }
    let told = |signer: &Signer| match signer {
        Signer::Key(fingerprint) => Some(fingerprint.clone()),
        Signer::Nobody => Some("nobody".to_owned()),
        Signer::Untold => None,
    };
    let (before, after) = (told(&old.signer)?, told(&new.signer)?);
    (before != after).then(|| Difference::Signed(old.nevra(), before, after))
}
