//! `lock --check`: what the same words would be today, and whether every file is still offered.

use std::collections::BTreeSet;

use rpm_repo::lock::{Difference, LockedArch, Signer, differences};

use super::make::{digest, on, solve};
use super::{Differing, read, show};
use crate::error::{Failure, Outcome};
use crate::plan::Plan;
use crate::session::{Packages, Session};

pub(super) fn check(session: &Session<'_>, file: &str) -> Outcome<u8> {
    let lock = read(session, file)?;
    require_words(file, &lock.words)?;
    session.require_repos()?;
    let mut differing = Differing::new();
    for (arch, old) in &lock.architectures {
        let found = on(session, arch, lock.releasever.as_deref(), |session| {
            let (packages, plan) = solve(session, &lock.words, |_, _| Ok(()))?;
            let mut found = differences(old, &section(&plan));
            found.extend(gone(&packages, old)?);
            Ok(found)
        })?;
        differing.push((arch.clone(), found));
    }
    differing.retain(|(_, found)| !found.is_empty());
    if differing.is_empty() {
        session.printer.info(&format!("{file}: nothing differs"));
    }
    Ok(show(session, &differing))
}

/// A lock of a foreign format does not say what was asked for.
pub(super) fn require_words(file: &str, words: &[String]) -> Outcome<()> {
    match words.is_empty() {
        true => Err(Failure::invalid(format!(
            "{file}: it does not say which packages were asked for, so nothing can be solved again"
        ))),
        false => Ok(()),
    }
}

/// A plan as the section that it would be; signers are not asked for: the same file has the same one.
fn section(plan: &Plan) -> LockedArch {
    let mut section = LockedArch::default();
    for change in plan.incoming() {
        let Some(origin) = &change.origin else {
            continue;
        };
        let checksum = origin
            .checksum
            .as_ref()
            .and_then(|(kind, hex)| digest(kind, hex));
        // A weak digest of the metadata says nothing; whether the file is the same is seen when it is fetched.
        if let Some(checksum) = checksum {
            section.packages.push(super::make::package(
                change,
                origin,
                checksum,
                Signer::Untold,
                None,
            ));
        }
    }
    section.sort();
    section
}

/// Packages whose file no repository has.
fn gone(packages: &Packages, old: &LockedArch) -> Outcome<Vec<Difference>> {
    let mut offered = BTreeSet::new();
    for id in packages.pool.solvables() {
        let facts = packages.pool.plan_facts(id)?;
        offered
            .extend(digest(&facts.checksum_kind, &facts.checksum).map(|digest| digest.to_string()));
    }
    let gone = old
        .packages
        .iter()
        .filter(|package| !offered.contains(&package.checksum.to_string()));
    Ok(gone
        .map(|package| Difference::Gone(package.nevra()))
        .collect())
}
