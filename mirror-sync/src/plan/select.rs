//! Which packages are wanted: by architecture, name, age, number of versions, advisory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;

use rpm_pkg::glob::glob_matches;
use rpm_repo::updateinfo::{self, Advisory};
use rpm_repo::xml::XmlLimits;

use crate::config::{SelectSection, day_start};
use crate::error::Result;
use crate::upstream::Listed;

/// Name, epoch, version, release and architecture: what advisories name.
pub(crate) type AdvisoryKey = (String, u32, String, String, String);

pub(crate) fn key(package: &Listed) -> AdvisoryKey {
    (
        package.name.clone(),
        package.evr.epoch.unwrap_or(0),
        package.evr.version.clone(),
        package.evr.release.clone(),
        package.arch.clone(),
    )
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
            passes(package, select)
                && after.is_none_or(|day| package.built >= day)
                && before.is_none_or(|day| package.built < day)
                && advised.is_none_or(|keys| keys.contains(&key(package)))
        })
        .collect();
    if select.newest > 0 {
        only_newest(packages, &mut keep, select.newest);
    }
    keep
}

fn passes(package: &Listed, select: &SelectSection) -> bool {
    let source = package.arch == "src" || package.arch == "nosrc";
    if (select.no_source && source) || (select.no_debug && is_debug(&package.name)) {
        return false;
    }
    if !select.arch.is_empty() && !select.arch.contains(&package.arch) {
        return false;
    }
    let full = package.nevra();
    let one_of = |patterns: &[String]| {
        patterns
            .iter()
            .any(|pattern| glob_matches(pattern, &package.name) || glob_matches(pattern, &full))
    };
    (select.include.is_empty() || one_of(&select.include)) && !one_of(&select.exclude)
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
            let name = (package.name.as_str(), package.arch.as_str());
            by_name.entry(name).or_default().push(at);
        }
    }
    for mut places in by_name.into_values() {
        places.sort_by(|a, b| match (packages.get(*b), packages.get(*a)) {
            (Some(b), Some(a)) => b.evr.cmp(&a.evr),
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

/// The packages of the advisories asked for.
pub(crate) fn advised(
    name: &str,
    stream: impl Read,
    asked: &[String],
) -> Result<BTreeSet<AdvisoryKey>> {
    let mut keys = BTreeSet::new();
    updateinfo::read(name, stream, &XmlLimits::default(), &mut |advisory| {
        if is_asked_for(&advisory, asked) {
            let all = advisory.packages.into_iter();
            keys.extend(all.map(|p| (p.name, p.epoch, p.version, p.release, p.arch)));
        }
        ControlFlow::Continue(())
    })?;
    Ok(keys)
}

#[cfg(test)]
mod tests;
