//! `diff A B`: what a repository has more, less or otherwise than another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{RunContext, example};
use crate::error::{Error, Result};
use crate::repository::Repository;
use rpm_pkg::evr::Evr;

/// Compares two repositories in directories: added, removed and changed packages
#[derive(Args)]
#[command(after_help = example("repo-tools diff --exit-code /srv/repo.old /srv/repo"))]
pub(super) struct DiffArgs {
    /// The one repository
    old: PathBuf,
    /// The other
    new: PathBuf,
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Exit with 1 when they differ
    #[arg(long)]
    exit_code: bool,
}

/// Name and architecture; in it versions and the checksums of their packages.
type PackagesByName = BTreeMap<(String, String), BTreeMap<Evr, BTreeSet<String>>>;

/// What differs.
#[derive(Debug, Default, Serialize)]
struct Difference {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<VersionChange>,
}

/// Packages of one name and architecture on both sides.
#[derive(Debug, Serialize)]
struct VersionChange {
    name: String,
    arch: String,
    old: Vec<String>,
    new: Vec<String>,
    /// The same version with other content.
    rebuilt: bool,
}

fn read(dir: &Path) -> Result<PackagesByName> {
    let repository = Repository::open(dir)?;
    let mut packages = PackagesByName::new();
    repository.packages(&mut |_, package| {
        let key = (package.name().to_owned(), package.arch().to_owned());
        let evr = Evr::new(Some(package.epoch()), package.version(), package.release());
        let versions = packages.entry(key).or_default();
        versions
            .entry(evr)
            .or_default()
            .insert(package.checksum().to_owned());
    })?;
    Ok(packages)
}

impl DiffArgs {
    pub(super) fn run(&self, session: &RunContext) -> Result<()> {
        let old = read(&self.old)?;
        let new = read(&self.new)?;
        let difference = compare(&old, &new);
        let printer = &session.printer;
        for (sign, list) in [("-", &difference.removed), ("+", &difference.added)] {
            list.iter()
                .for_each(|package| printer.crit(&format!("{sign} {package}")));
        }
        for change in &difference.changed {
            let VersionChange {
                name,
                arch,
                old,
                new,
                rebuilt,
            } = change;
            let line = match rebuilt {
                true => format!("! {name}.{arch}: {} has other content", old.join(" ")),
                false => format!("~ {name}.{arch}: {} -> {}", old.join(" "), new.join(" ")),
            };
            printer.crit(&line);
        }
        printer.json(&difference);
        let count = difference.added.len() + difference.removed.len() + difference.changed.len();
        printer.info(&format!(
            "{} added, {} removed, {} changed",
            difference.added.len(),
            difference.removed.len(),
            difference.changed.len()
        ));
        if self.exit_code && count > 0 {
            return Err(Error::Problems(count));
        }
        Ok(())
    }
}

fn compare(old: &PackagesByName, new: &PackagesByName) -> Difference {
    let mut difference = Difference::default();
    let none = BTreeMap::new();
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (name, arch) = key;
        let before = old.get(key).unwrap_or(&none);
        let after = new.get(key).unwrap_or(&none);
        let full = |evr: &Evr| {
            let evr = (evr.epoch_or_zero(), &*evr.version, &*evr.release);
            crate::nevra_of(name, evr, arch)
        };
        let gone: Vec<&Evr> = before
            .keys()
            .filter(|evr| !after.contains_key(evr))
            .collect();
        let come: Vec<&Evr> = after
            .keys()
            .filter(|evr| !before.contains_key(evr))
            .collect();
        for (evr, sums) in before {
            if after.get(evr).is_some_and(|other| other != sums) {
                difference.changed.push(VersionChange {
                    name: name.clone(),
                    arch: arch.clone(),
                    old: vec![evr.to_string()],
                    new: vec![evr.to_string()],
                    rebuilt: true,
                });
            }
        }
        if gone.is_empty() || come.is_empty() {
            difference.removed.extend(gone.into_iter().map(full));
            difference.added.extend(come.into_iter().map(full));
        } else {
            difference.changed.push(VersionChange {
                name: name.clone(),
                arch: arch.clone(),
                old: gone.iter().map(ToString::to_string).collect(),
                new: come.iter().map(ToString::to_string).collect(),
                rebuilt: false,
            });
        }
    }
    difference
}
