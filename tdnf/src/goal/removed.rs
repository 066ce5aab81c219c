//! Why packages go that nobody named, and what nothing needs once they are gone.

use std::collections::{BTreeMap, BTreeSet};

use rpm_pkg::dep::DepGroup;
use rpm_solv::{JobAction, Solution, SolvableId, SolveResult, SolverJob, SolverOptions, StepKind};

use super::solve::{kept, requires};
use super::{Goal, Request};
use crate::error::Outcome;
use crate::note::Note;
use crate::plan::{ChangeReason, Plan, PlannedAction};
use crate::session::Packages;

/// Says of each package of the plan that goes as a consequence what is the reason. Where dependencies
/// are cleaned up, one that needs nothing of what was named goes because nothing needs it.
pub(super) fn name_reasons(
    request: &Request,
    goal: &Goal,
    packages: &mut Packages,
    solution: &Solution,
    plan: &mut Plan,
) -> Outcome<()> {
    let mut lacking = BTreeMap::new();
    let mut caused: BTreeSet<String> = BTreeSet::new();
    for id in erased(solution) {
        let number = packages.pool.plan_facts(id)?.database_number;
        let found = plan.changes.iter().position(|change| {
            change.action == PlannedAction::Remove && change.installed_number == Some(number)
        });
        let Some(at) = found else { continue };
        let name = packages.pool.name(id).to_owned();
        if plan.changes[at].reason != ChangeReason::Consequence {
            if plan.changes[at].reason == ChangeReason::User {
                caused.insert(name);
            }
            continue;
        }
        let lacked = lacked(packages, id, solution)?;
        if lacked.is_empty() {
            let other = adversary(packages, id, solution)?;
            plan.changes[at].because = other.map(|name| format!("conflicts with {name}"));
            caused.insert(name);
        } else {
            lacking.insert(at, lacked);
        }
    }
    // What needs something that was named, or something that needs it, and so on.
    let may_clean = |name: &String| goal.clean_dependencies && request.auto.contains(name);
    loop {
        let before = caused.len();
        for (at, lacked) in &lacking {
            let name = &plan.changes[*at].package.name;
            if !may_clean(name) || lacked.iter().any(|need| caused.contains(need)) {
                caused.insert(name.clone());
            }
        }
        if caused.len() == before {
            break;
        }
    }
    for (at, lacked) in lacking {
        let change = &mut plan.changes[at];
        match caused.contains(&change.package.name) {
            true => change.because = Some(format!("needs {}", lacked.join(", "))),
            false => change.reason = ChangeReason::Unneeded,
        }
    }
    Ok(())
}

fn erased(solution: &Solution) -> Vec<SolvableId> {
    let steps = solution.steps.iter();
    let erased = steps.filter(|step| step.kind == StepKind::Erase);
    erased.map(|step| step.solvable).collect()
}

/// What a package needs that goes: the name of a package, or what an older version of one provides.
fn lacked(packages: &mut Packages, id: SolvableId, solution: &Solution) -> Outcome<Vec<String>> {
    let erased = erased(solution);
    let replaced = solution.steps.iter().flat_map(|step| &step.replaces);
    let replaced: BTreeSet<SolvableId> = replaced.copied().collect();
    let mut names = BTreeSet::new();
    for dep in requires(packages, id) {
        let mut providers = packages.pool.whatprovides(&dep)?;
        providers.retain(|provider| packages.pool.is_installed(*provider) && *provider != id);
        let goes = |id: &SolvableId| erased.contains(id) || replaced.contains(id);
        if providers.is_empty() || !providers.iter().all(goes) {
            continue;
        }
        match providers.iter().find(|provider| erased.contains(provider)) {
            Some(erased) => names.insert(packages.pool.name(*erased).to_owned()),
            None => names.insert(dep),
        };
    }
    Ok(names.into_iter().collect())
}

/// The package that comes and cannot stand beside this one.
fn adversary(
    packages: &mut Packages,
    id: SolvableId,
    solution: &Solution,
) -> Outcome<Option<String>> {
    let steps = solution
        .steps
        .iter()
        .filter(|step| step.kind != StepKind::Erase);
    for coming in steps.map(|step| step.solvable) {
        for (one, other) in [(id, coming), (coming, id)] {
            for dep in packages.pool.deps(one, DepGroup::Conflicts) {
                if packages.pool.whatprovides(&dep)?.contains(&other) {
                    return Ok(Some(packages.pool.name(coming).to_owned()));
                }
            }
        }
    }
    Ok(None)
}

/// The dependencies that nothing needs once the packages of a removal are gone, where they stay.
pub(super) fn left_over(
    request: &Request,
    goal: &Goal,
    packages: &mut Packages,
    solution: &Solution,
) -> Outcome<Option<Note>> {
    let removes = |job: &SolverJob| job.action == JobAction::Erase;
    if goal.clean_dependencies || request.auto.is_empty() || !goal.jobs.iter().any(removes) {
        return Ok(None);
    }
    let mut jobs = goal.jobs.clone();
    jobs.iter_mut()
        .filter(|job| removes(job))
        .for_each(|job| job.flags.clean_deps = true);
    jobs.extend(kept(request, packages));
    jobs.extend(request.policy.locks(packages));
    let options = SolverOptions {
        allow_uninstall: true,
        ..SolverOptions::default()
    };
    let SolveResult::Solved(cleaned) = packages.pool.solve(&jobs, &options)? else {
        return Ok(None);
    };
    let gone: BTreeSet<SolvableId> = erased(solution).into_iter().collect();
    let left = erased(&cleaned).into_iter().filter(|id| !gone.contains(id));
    let mut names: Vec<String> = left.map(|id| packages.pool.name(id).to_owned()).collect();
    names.sort();
    Ok((!names.is_empty()).then_some(Note::LeftOver(names)))
}
