//! Packages by their whole name, as the history keeps them, and checks without a plan.

use rpm_solv::{Job, Outcome as Answer, SolvableId, SolverOptions};

use super::Goal;
use super::problems::{explain, is_skipped};
use crate::error::Outcome;
use crate::session::{Packages, Session};

/// What there is of a package `name-[epoch:]version-release.arch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exact {
    /// It is installed.
    Installed,
    /// A repository has it.
    Available(SolvableId),
    /// Nobody has it.
    Missing,
}

/// Looks for a package by its whole name; the preferred repository wins.
pub fn exactly(catalog: &Packages, nevra: &str) -> Exact {
    if installed_exactly(catalog, nevra).is_some() {
        return Exact::Installed;
    }
    let offered = catalog
        .pool
        .solvables()
        .filter(|id| !catalog.pool.is_installed(*id) && is(catalog, *id, nevra));
    let found: Vec<SolvableId> = offered.collect();
    match catalog.best(&found) {
        Some(id) => Exact::Available(id),
        None => Exact::Missing,
    }
}

/// The installed package of this name.
pub fn installed_exactly(catalog: &Packages, nevra: &str) -> Option<SolvableId> {
    let mut installed = catalog.pool.repo_solvables(catalog.installed);
    installed.find(|id| is(catalog, *id, nevra))
}

/// An explicit epoch of 0 is none.
fn is(catalog: &Packages, id: SolvableId, nevra: &str) -> bool {
    if !nevra.starts_with(catalog.pool.name(id)) {
        return false;
    }
    let identity = catalog.identity(id);
    identity.nevra() == nevra
        || identity.epoch == 0
            && nevra
                == format!(
                    "{}-0:{}.{}",
                    identity.name,
                    identity.version_release(),
                    identity.arch
                )
}

impl Goal {
    /// Asks for exactly this package, whoever wanted it.
    pub fn want_exactly(&mut self, catalog: &Packages, id: SolvableId) {
        self.allow_uninstall = true;
        self.want(catalog, id);
    }

    /// Asks that this installed package goes, unless another version of it is wanted.
    pub fn drop_exactly(&mut self, catalog: &Packages, id: SolvableId) {
        if !self.requested.contains(catalog.pool.name(id)) {
            self.unwant(id);
        }
    }
}

/// Whether jobs can be done together; their problems as error 1301, without those that the
/// settings leave out.
pub fn check(session: &Session<'_>, catalog: &mut Packages, jobs: &[Job]) -> Outcome<()> {
    let options = SolverOptions::default();
    let mut answer = catalog.pool.solve(jobs, &options)?;
    if let Answer::Problems(problems) = &answer
        && super::solve::mentions_path(problems)
        && catalog.learn_missing_paths(session)?
    {
        answer = catalog.pool.solve(jobs, &options)?;
    }
    let Answer::Problems(mut problems) = answer else {
        return Ok(());
    };
    problems.retain(|problem| !is_skipped(problem, session.settings.skips));
    if problems.is_empty() {
        Ok(())
    } else {
        Err(explain(catalog, &problems))
    }
}
