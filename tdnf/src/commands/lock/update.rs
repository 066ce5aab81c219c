//! `lock --update`: the named packages of a lock in today's versions, and nothing else that need not move.

use std::collections::{BTreeMap, BTreeSet};

use rpm_pkg::glob::glob_matches;
use rpm_repo::lock::{Lock, LockedArch};
use rpm_solv::{JobAction, JobTarget, SolvableId, SolveResult, SolverJob, SolverOptions};

use super::check::require_words;
use super::make::{files_of, on, section, solve};
use super::{compare, put, read};
use crate::error::{Failure, Outcome};
use crate::goal::{self, Request, Verb};
use crate::session::{Freshness, Packages, Session};
use crate::view::lock::LockDifferences;

pub(super) fn update(session: &Session<'_>, file: &str, names: &[String]) -> Outcome<u8> {
    let old = read(session, file)?;
    require_words(file, &old.words)?;
    session.require_repos()?;
    let mut new = Lock {
        architectures: BTreeMap::new(),
        ..old.clone()
    };
    let mut named = BTreeSet::new();
    for (arch, before) in &old.architectures {
        let free = free_names(before, names, &mut named);
        let after = on(session, arch, old.releasever.as_deref(), |session| {
            let pins = |packages: &mut Packages, request: &mut Request| {
                pin(session, packages, request, before, free)
            };
            let (packages, plan) = solve(session, &old.words, Freshness::WhenExpired, pins)?;
            section(session, &packages, &plan, Some(before), &mut |_, _| Ok(()))
        })?;
        new.architectures.insert(arch.clone(), after);
    }
    if let Some(name) = names.iter().find(|name| !named.contains(*name)) {
        return Err(Failure::invalid(format!(
            "{file}: it has no package {name}"
        )));
    }
    let differing = compare(&old, &new);
    let done = put(session, &new, file)?;
    if session.args.options.target.output.as_deref() != Some(super::STDOUT) {
        session.printer.show(&LockDifferences(&differing));
    }
    Ok(done)
}

/// The names that may move: those that `names` (names or globs) mean, or all.
fn free_names(
    before: &LockedArch,
    names: &[String],
    named: &mut BTreeSet<String>,
) -> BTreeSet<String> {
    let mut free = BTreeSet::new();
    for package in &before.packages {
        let means = |glob: &&String| glob_matches(glob, &package.name);
        let meant: Vec<&String> = names.iter().filter(means).collect();
        if names.is_empty() || !meant.is_empty() {
            free.insert(package.name.clone());
        }
        named.extend(meant.into_iter().cloned());
    }
    free
}

/// Hides all but the locked file of each package that need not move.
fn pin(
    session: &Session<'_>,
    packages: &mut Packages,
    request: &mut Request,
    before: &LockedArch,
    mut free: BTreeSet<String>,
) -> Outcome<()> {
    let locked: BTreeSet<SolvableId> = files_of(packages, before)?.into_keys().collect();
    let asked = free.clone();
    // What no repository has any more has to move.
    let there: BTreeSet<&str> = locked.iter().map(|id| packages.pool.name(*id)).collect();
    let gone = before
        .packages
        .iter()
        .filter(|package| !there.contains(package.name.as_str()));
    free.extend(gone.map(|package| package.name.clone()));
    let hidden = packages.pool.set_excluded(Vec::new());
    let all: BTreeSet<String> = before
        .packages
        .iter()
        .map(|package| package.name.clone())
        .collect();
    hide(packages, &hidden, &locked, &all, &free);
    let (moves, chosen) = must_move(session, packages, request, (&locked, &hidden, &asked))?;
    free.extend(moves);
    // What was asked for comes in the version that was found for it.
    let names: BTreeSet<String> = chosen
        .iter()
        .map(|id| packages.pool.name(*id).to_owned())
        .collect();
    free.retain(|name| !names.contains(name));
    let mut kept = locked;
    kept.retain(|id| !names.contains(packages.pool.name(*id)));
    kept.extend(chosen);
    hide(packages, &hidden, &kept, &all, &free);
    Ok(())
}

/// Hides what was hidden before, and other versions of locked names that are not free.
fn hide(
    packages: &mut Packages,
    before: &[SolvableId],
    locked: &BTreeSet<SolvableId>,
    all: &BTreeSet<String>,
    free: &BTreeSet<String>,
) {
    let pool = &packages.pool;
    let is_pinned = |id: &SolvableId| {
        let name = pool.name(*id);
        all.contains(name) && !free.contains(name) && !locked.contains(id)
    };
    let pinned = pool.solvables().filter(is_pinned);
    let hidden = pinned.chain(before.iter().copied()).collect();
    packages.pool.set_excluded(hidden);
}

/// The names that cannot stay if those that were asked for are to come in their best version: the fewest that the
/// solver finds where it is asked to keep the locked files as far as it can. And the packages that it takes for those
/// that were asked for.
fn must_move(
    session: &Session<'_>,
    packages: &mut Packages,
    request: &Request,
    (locked, hidden, asked): (&BTreeSet<SolvableId>, &[SolvableId], &BTreeSet<String>),
) -> Outcome<(BTreeSet<String>, BTreeSet<SolvableId>)> {
    // How the words are understood is said when they are understood for good.
    let mut jobs = goal::of(Verb::Install, request, packages, session).1?.jobs;
    let best = asked
        .iter()
        .filter_map(|name| packages.best(&packages.available_named(name)));
    let best: Vec<SolvableId> = best.collect();
    packages.pool.set_excluded(hidden.to_vec());
    for job in &mut jobs {
        // A word that means a locked package is content with another version of it.
        if let JobTarget::Solvable(id) = job.target
            && locked.contains(&id)
        {
            job.target = JobTarget::OneOf(packages.available_named(packages.pool.name(id)));
        }
    }
    jobs.extend(
        best.iter()
            .map(|id| SolverJob::solvable(JobAction::Install, *id)),
    );
    let kept = locked
        .iter()
        .filter(|id| !asked.contains(packages.pool.name(**id)));
    let kept: Vec<SolvableId> = kept.copied().collect();
    let weak = kept.iter().map(|id| {
        let mut job = SolverJob::solvable(JobAction::Install, *id);
        job.flags.weak = true;
        job
    });
    jobs.extend(weak);
    let options = SolverOptions {
        ignore_recommended: true,
        ..SolverOptions::default()
    };
    let (mut moved, mut chosen) = (BTreeSet::new(), BTreeSet::new());
    if let SolveResult::Solved(solution) = packages.pool.solve(&jobs, &options)? {
        let come: BTreeSet<SolvableId> = solution.steps.iter().map(|step| step.solvable).collect();
        let goes = kept.iter().filter(|id| !come.contains(id));
        moved.extend(goes.map(|id| packages.pool.name(*id).to_owned()));
        let is_asked = |id: &SolvableId| asked.contains(packages.pool.name(*id));
        chosen.extend(come.into_iter().filter(is_asked));
    }
    Ok((moved, chosen))
}
