//! Which packages are wanted: by architecture, name, age, number of versions, advisory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;

use rpm_pkg::glob::glob_matches;
use rpm_pkg::nevra::Nevra;
use rpm_repo::updateinfo::{self, Advisory, AdvisoryPackage};
use rpm_repo::xml::XmlLimits;

use crate::config::{SelectSection, day_start};
use crate::error::Result;
use crate::upstream::{self, Listed};

/// Name, epoch, version, release and architecture: what advisories name.
pub(crate) type AdvisoryKey = (String, u32, String, String, String);

pub(crate) fn key(nevra: Nevra) -> AdvisoryKey {
    let (epoch, evr) = (nevra.evr.epoch_or_zero(), nevra.evr);
    (nevra.name, epoch, evr.version, evr.release, nevra.arch)
}

/// The key of a package that an advisory names.
pub(crate) fn advisory_key(package: &AdvisoryPackage) -> AdvisoryKey {
    let (name, epoch) = (package.name.clone(), package.epoch);
    let (version, release) = (package.version.clone(), package.release.clone());
    (name, epoch, version, release, package.arch.clone())
}

/// Says which packages pass everything but the solver. `advised` are the packages of the wanted
/// advisories, if advisories are asked for.
pub(crate) fn wanted(
    packages: &[Listed],
    select: &SelectSection,
    advised: Option<&BTreeSet<AdvisoryKey>>,
) -> Vec<bool> {
    let after = select.built_after.as_deref().and_then(day_start);
    let before = select.built_before.as_deref().and_then(day_start);
    let mut keep: Vec<bool> = packages
        .iter()
        .map(|package| {
            passes(&package.nevra, select)
                && after.is_none_or(|day| package.built >= day)
                && before.is_none_or(|day| package.built < day)
                && advised.is_none_or(|keys| keys.contains(&key(package.nevra.clone())))
        })
        .collect();
    if select.newest > 0 {
        only_newest(packages, &mut keep, select.newest);
    }
    keep
}

/// Whether a package passes the filters of names and architectures.
pub(crate) fn passes(nevra: &Nevra, select: &SelectSection) -> bool {
    let Nevra { name, arch, .. } = nevra;
    let source = arch == "src" || arch == "nosrc";
    if (select.no_source && source) || (select.no_debug && is_debug(name)) {
        return false;
    }
    if !select.arch.is_empty() && !select.arch.contains(arch) {
        return false;
    }
    let full = nevra.to_string();
    let one_of = |patterns: &[String]| patterns.iter().any(|pattern| names(pattern, name, &full));
    (select.include.is_empty() || one_of(&select.include)) && !one_of(&select.exclude)
}

/// Whether a pattern means a package, by its name or its full name.
fn names(pattern: &str, name: &str, full: &str) -> bool {
    glob_matches(pattern, name) || glob_matches(pattern, full)
}

/// The patterns of `include` that mean no package at all: a typing error, more often than not.
pub(crate) fn idle<'s>(packages: &[Listed], select: &'s SelectSection) -> Vec<&'s str> {
    let mut idle: Vec<&str> = select.include.iter().map(String::as_str).collect();
    for Listed { nevra, .. } in packages {
        if idle.is_empty() {
            break;
        }
        let full = nevra.to_string();
        idle.retain(|pattern| !names(pattern, &nevra.name, &full));
    }
    idle
}

fn is_debug(name: &str) -> bool {
    name.ends_with("-debuginfo")
        || name.ends_with("-debugsource")
        || name.contains("-debuginfo-")
        || name.contains("-debugsource-")
}

fn only_newest(packages: &[Listed], keep: &mut [bool], count: usize) {
    let mut by_name: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (at, package) in packages.iter().enumerate() {
        if keep.get(at).copied().unwrap_or(false) {
            let name = (package.nevra.name.as_str(), package.nevra.arch.as_str());
            by_name.entry(name).or_default().push(at);
        }
    }
    for mut places in by_name.into_values() {
        places.sort_by(|a, b| match (packages.get(*b), packages.get(*a)) {
            (Some(b), Some(a)) => b.nevra.evr.cmp(&a.nevra.evr),
            _ => std::cmp::Ordering::Equal,
        });
        for place in places.into_iter().skip(count) {
            if let Some(slot) = keep.get_mut(place) {
                *slot = false;
            }
        }
    }
}

/// Whether an advisory is one of those asked for: by kind, id, or a CVE it names.
pub(crate) fn is_asked_for(advisory: &Advisory, asked: &[String]) -> bool {
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    asked.iter().any(|word| {
        same(word, &advisory.kind)
            || same(word, &advisory.id)
            || advisory.references.iter().any(|one| same(word, &one.id))
    })
}

pub(crate) fn advised(
    name: &str,
    stream: impl Read,
    asked: &[String],
) -> Result<BTreeSet<AdvisoryKey>> {
    let mut keys = BTreeSet::new();
    let summary = updateinfo::read(name, stream, &XmlLimits::default(), &mut |advisory| {
        if is_asked_for(&advisory, asked) {
            keys.extend(advisory.packages.iter().map(advisory_key));
        }
        ControlFlow::Continue(())
    })?;
    upstream::whole(name, "updateinfo", &summary)?;
    Ok(keys)
}

#[cfg(test)]
mod tests;
