//! `install --source` and `install --builddeps`.

use rpm_solv::{Action, DepKind, Job, JobFlags, SelectFlags, SolvableId, Target};

use super::install::by_name;
use super::{Goal, select_known};
use crate::error::Outcome;
use crate::session::{Packages, Session};

/// Adds the best source package of each word; `files` are source packages of the command line.
pub fn sources(
    session: &Session<'_>,
    catalog: &mut Packages,
    words: &[String],
    files: &[SolvableId],
) -> Outcome<Goal> {
    let mut goal = Goal::default();
    for file in files {
        goal.want(catalog, *file);
    }
    for word in words {
        let flags = SelectFlags {
            source_only: true,
            ..SelectFlags::default()
        };
        let selection = select_known(session, catalog, &mut goal, word, flags)?;
        for (_, candidates) in by_name(catalog, selection.solvables()) {
            if let Some(best) = catalog.best(&candidates) {
                goal.want(catalog, best);
            }
        }
    }
    Ok(goal)
}

/// What the source packages of `sources` need to be built, as one goal.
pub fn build_deps(catalog: &Packages, sources: &Goal) -> Goal {
    let mut goal = Goal {
        unavailable: sources.unavailable.clone(),
        ..Goal::default()
    };
    let chosen = sources.jobs.iter().filter_map(|job| match job.target {
        Target::Solvable(id) => Some(id),
        _ => None,
    });
    let mut needed: Vec<String> = chosen
        .flat_map(|id| {
            let mut deps = catalog.pool.deps(id, DepKind::Requires);
            deps.extend(catalog.pool.deps(id, DepKind::RequiresPre));
            deps
        })
        .filter(|dep| !dep.starts_with("rpmlib("))
        .collect();
    needed.sort();
    needed.dedup();
    goal.jobs = needed
        .into_iter()
        .map(|dep| Job::new(Action::Install, Target::Provides(dep), JobFlags::default()))
        .collect();
    goal
}
