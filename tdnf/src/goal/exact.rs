//! Packages by their whole name, as the history keeps them, and checks without a plan.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rpm_solv::{SolvableId, SolveResult as Answer, SolverJob, SolverOptions};

use super::problems::{MAX_FIXES, explain, is_skipped};
use super::solve::mentions_path;
use super::{Goal, Request};
use crate::error::Outcome;
use crate::session::{OnDemand, Packages};

/// What there is of a package `name-[epoch:]version-release.arch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exact {
    /// It is installed.
    Installed(SolvableId),
    /// A repository has it.
    Available(SolvableId),
    /// No repository has it.
    Missing,
}

/// All packages by their whole names: made once for many look-ups.
pub struct Names {
    installed: HashMap<String, SolvableId>,
    available: HashMap<String, Vec<SolvableId>>,
}

impl Names {
    /// Reads the names of all packages that are not excluded.
    pub fn of(packages: &Packages) -> Self {
        let mut names = Self {
            installed: HashMap::new(),
            available: HashMap::new(),
        };
        for id in packages.pool.solvables() {
            let nevra = packages.package_id(id).nevra();
            if packages.pool.is_installed(id) {
                names.installed.insert(nevra, id);
            } else {
                names.available.entry(nevra).or_default().push(id);
            }
        }
        names
    }

    /// Looks for a package by its whole name; the preferred repository wins.
    pub fn find(&self, packages: &Packages, nevra: &str) -> Exact {
        let key = plain(nevra);
        if let Some(id) = self.installed.get(&*key) {
            return Exact::Installed(*id);
        }
        let found = self.available.get(&*key).map(Vec::as_slice);
        match packages.best(found.unwrap_or_default()) {
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
    /// Asks for exactly this package, even if other packages have to go.
    pub fn want_exactly(&mut self, packages: &Packages, id: SolvableId) {
        self.allow_uninstall = true;
        self.want(packages, id);
    }

    /// Asks that this installed package goes, unless another version of it is wanted.
    pub fn drop_exactly(&mut self, packages: &Packages, id: SolvableId) {
        if !self.requested.contains(packages.pool.name(id)) {
            self.unwant(id);
        }
    }
}

/// How long a search may take that asks for the packages of all repositories at once.
const CHECK_LIMIT: Duration = Duration::from_secs(600);

/// Whether jobs can be done together; their problems as error 1301, without those that the
/// request leaves out.
pub fn check(
    request: &Request,
    packages: &mut Packages,
    metadata: &dyn OnDemand,
    jobs: &[SolverJob],
) -> Outcome<()> {
    let options = SolverOptions {
        limit: CHECK_LIMIT,
        ..SolverOptions::default()
    };
    let mut problems = loop {
        match packages.pool.solve(jobs, &options)? {
            Answer::Solved(_) => return Ok(()),
            Answer::Problems(problems)
                if mentions_path(&problems) && metadata.learn_paths(packages)? => {}
            Answer::Problems(problems) => break problems,
        }
    };
    problems.retain(|problem| !is_skipped(problem, request.skips));
    if problems.is_empty() {
        return Ok(());
    }
    let ways_out = packages.pool.ways_out(jobs, &options, MAX_FIXES)?.into();
    Err(explain(
        request,
        packages,
        &BTreeMap::new(),
        &problems,
        &ways_out,
    ))
}
