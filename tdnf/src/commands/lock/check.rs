//! `lock --check`: what the same words would be today, and whether every file is still offered.

use std::collections::BTreeSet;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::lock::{Difference, LockedArch, Signer, differences};

use super::make::{digest, files_of, on, package, solve};
use super::{Differing, read, show};
use crate::error::{Failure, Outcome};
use crate::plan::Plan;
use crate::session::{Freshness, Packages, Session};

pub(super) fn check(session: &Session<'_>, file: &str) -> Outcome<u8> {
    let lock = read(session, file)?;
    require_words(file, &lock.words)?;
    session.require_repos()?;
    let mut differing = Differing::new();
    for (arch, old) in &lock.architectures {
        let found = on(session, arch, lock.releasever.as_deref(), |session| {
            // What is offered now, not what was when somebody asked last.
            let (packages, plan) = solve(session, &lock.words, Freshness::Forced, |_, _| Ok(()))?;
            let mut found = differences(old, &section(&plan, old));
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
fn section(plan: &Plan, old: &LockedArch) -> LockedArch {
    let mut section = LockedArch::default();
    for change in plan.incoming() {
        let Some(origin) = &change.origin else {
            continue;
        };
        let Some((kind, hex)) = &origin.checksum else {
            continue;
        };
        // A weak digest says nothing: version and size have to do.
        let weak = || {
            let nevra = change.package.nevra();
            let mut known = old.packages.iter();
            let known = known.find(|known| known.nevra() == nevra && known.size == origin.size);
            known.map_or_else(
                || Hasher::digest(DigestAlgo::Sha256, hex.as_bytes()),
                |known| known.checksum,
            )
        };
        let checksum = digest(kind, hex).unwrap_or_else(weak);
        section
            .packages
            .push(package(change, origin, checksum, Signer::Untold, None));
    }
    section.sort();
    section
}

/// Packages whose file no repository has.
fn gone(packages: &Packages, old: &LockedArch) -> Outcome<Vec<Difference>> {
    let there = files_of(packages, old)?;
    let there: BTreeSet<String> = there.values().map(|package| package.nevra()).collect();
    let gone = old.packages.iter().map(|package| package.nevra());
    let gone = gone.filter(|nevra| !there.contains(nevra));
    Ok(gone.map(Difference::Gone).collect())
}
