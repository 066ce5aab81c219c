//! Packages by their whole name, as the history keeps them, and checks without a plan.

use std::borrow::Cow;
use std::collections::HashMap;

use rpm_solv::{Job, Outcome as Answer, SolvableId, SolverOptions};

use super::Goal;
use super::problems::{MAX_FIXES, explain, is_skipped};
use crate::error::Outcome;
use crate::session::{Packages, Session};

/// What there is of a package `name-[epoch:]version-release.arch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exact {
    /// It is installed.
    Installed(SolvableId),
    /// A repository has it.
    Available(SolvableId),
    /// Nobody has it.
    Missing,
}

/// All packages by their whole names: made once for many look-ups.
pub struct Names {
    installed: HashMap<String, SolvableId>,
    available: HashMap<String, Vec<SolvableId>>,
}

impl Names {
    /// Reads the names of all packages that are not excluded.
    pub fn of(catalog: &Packages) -> Self {
        let mut names = Self {
            installed: HashMap::new(),
            available: HashMap::new(),
        };
        for id in catalog.pool.solvables() {
            let nevra = catalog.identity(id).nevra();
            if catalog.pool.is_installed(id) {
                names.installed.insert(nevra, id);
            } else {
                names.available.entry(nevra).or_default().push(id);
            }
        }
        names
    }

    /// Looks for a package by its whole name; the preferred repository wins.
    pub fn find(&self, catalog: &Packages, nevra: &str) -> Exact {
        let key = plain(nevra);
        if let Some(id) = self.installed.get(&*key) {
            return Exact::Installed(*id);
        }
        let found = self.available.get(&*key).map(Vec::as_slice);
        match catalog.best(found.unwrap_or_default()) {
            Some(id) => Exact::Available(id),
            None => Exact::Missing,
        }
    }
}

/// An explicit epoch of 0 is none.
fn plain(nevra: &str) -> Cow<'_, str> {
    match nevra.contains("-0:") {
        true => Cow::Owned(nevra.replacen("-0:", "-", 1)),
        false => Cow::Borrowed(nevra),
    }
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
    for learn in [Packages::learn_merged_paths, Packages::learn_missing_paths] {
        if let Answer::Problems(problems) = &answer
            && super::solve::mentions_path(problems)
            && learn(catalog, session)?
        {
            answer = catalog.pool.solve(jobs, &options)?;
        }
    }
    let Answer::Problems(mut problems) = answer else {
        return Ok(());
    };
    problems.retain(|problem| !is_skipped(problem, session.settings.skips));
    if problems.is_empty() {
        return Ok(());
    }
    let ways_out = catalog.pool.ways_out(jobs, &options, MAX_FIXES)?;
    Err(explain(session, catalog, &[], &problems, &ways_out))
}
