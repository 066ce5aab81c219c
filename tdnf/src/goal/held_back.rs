//! What an update of everything passes over, and why: the solver itself only leaves it as it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use rpm_solv::{
    JobAction, JobTarget, SolvableId, SolveResult, SolverJob, SolverOptions, SolverProblem,
};

use super::install::by_name;
use super::problems::why_hidden;
use super::{Goal, Request};
use crate::error::Outcome;
use crate::note::Note;
use crate::plan::Plan;
use crate::session::Packages;

/// Packages whose reason is told; of further ones the name is enough.
const MAX_REASONS: usize = 20;

/// How long the reasons are looked for.
const REASON_LIMIT: Duration = Duration::from_secs(5);

/// The newer packages that a plan does without although the goal asks for all updates or a sync, each with
/// the solver's reason.
pub(super) fn held_back(
    request: &Request,
    goal: &Goal,
    packages: &mut Packages,
    plan: &Plan,
) -> Outcome<Vec<Note>> {
    let of_all = |job: &SolverJob| {
        let updates = matches!(job.action, JobAction::Update | JobAction::DistUpgrade);
        updates && job.target == JobTarget::All
    };
    if !goal.jobs.iter().any(of_all) {
        return Ok(Vec::new());
    }
    let missed = missed(request, packages, plan);
    let asked = missed.iter().take(MAX_REASONS);
    let asked = asked.map(|id| SolverJob::solvable(JobAction::Install, *id));
    let several = request.install_only.iter().cloned().map(JobTarget::Name);
    let several = several.map(|name| SolverJob::new(JobAction::MultiVersion, name));
    let jobs: Vec<SolverJob> = asked.chain(several).collect();
    let options = SolverOptions {
        limit: REASON_LIMIT,
        ..SolverOptions::default()
    };
    let problems = match missed.is_empty() {
        true => Vec::new(),
        false => match packages.pool.solve(&jobs, &options) {
            Ok(SolveResult::Problems(problems)) => problems,
            // The names are enough where the reasons are hard to find.
            Ok(SolveResult::Solved(_)) => Vec::new(),
            Err(error) if error.is_given_up() => Vec::new(),
            Err(error) => return Err(error.into()),
        },
    };
    let packages = &*packages;
    let note = |id: &SolvableId| {
        let why = why(packages, &problems, *id);
        Note::HeldBack(packages.pool.nevra(*id), why)
    };
    let mut notes: Vec<Note> = missed.iter().map(note).collect();
    if !notes.is_empty() {
        notes.extend(excluded_updates(request, packages));
        notes.extend(kept_out(request, packages, &|_| true, Kept::Newer));
    }
    Ok(notes)
}

/// The best newer version of each installed package that the plan does not bring.
fn missed(request: &Request, packages: &Packages, plan: &Plan) -> Vec<SolvableId> {
    let pool = &packages.pool;
    let locked = |name: &str| request.policy.locks.contains_key(name);
    let changed: BTreeSet<&str> = plan
        .changes
        .iter()
        .map(|change| change.package.name.as_str())
        .collect();
    let installed = pool.repo_solvables(packages.installed);
    let names: HashSet<&str> = installed.map(|id| pool.name(id)).collect();
    let offered =
        packages.offered(&|name| names.contains(name) && !changed.contains(name) && !locked(name));
    let mut missed = Vec::new();
    for (name, candidates) in &offered {
        for installed in packages.installed_by_arch(name) {
            let newer = packages.newer(candidates, installed);
            // A preferred repository hides what others have.
            missed.extend(
                newer
                    .first()
                    .filter(|id| packages.is_preferred(**id, candidates)),
            );
        }
    }
    missed
}

/// What is newer than an installed package and excluded.
pub(super) fn excluded_updates(request: &Request, packages: &Packages) -> Vec<Note> {
    let hidden = request.hidden(packages);
    let mut best: BTreeSet<SolvableId> = BTreeSet::new();
    for name in by_name(packages, &hidden).keys() {
        let installed = packages.installed_by_arch(name).into_iter();
        let newer = installed.filter_map(|old| packages.newer_than(&hidden, old).first().copied());
        best.extend(newer);
    }
    let note = |id| Note::Excluded(packages.pool.nevra(id), request.config_file.clone());
    best.into_iter().map(note).collect()
}

/// Which versions are missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Newer ones.
    Newer,
    /// The repositories' where they have not the installed one, be it older: `distro-sync`.
    Other,
}

/// What would take the place of installed packages of these names, but for a lock or the section of its repository.
pub(super) fn kept_out(
    request: &Request,
    packages: &Packages,
    is_asked: &dyn Fn(&str) -> bool,
    kept: Kept,
) -> Vec<Note> {
    let locks = &request.policy.locks;
    if locks.is_empty() && packages.leaves_nothing_out() {
        return Vec::new();
    }
    let pool = &packages.pool;
    let mut offered: BTreeMap<&str, Vec<SolvableId>> = BTreeMap::new();
    for id in pool.solvables().filter(|id| !pool.is_installed(*id)) {
        let name = pool.name(id);
        if is_asked(name) && packages.is_installed_name(name) && packages.runs_here(id) {
            let is_locked = locks.contains_key(name) && !pool.is_excluded(id);
            if is_locked || packages.is_left_out(id) {
                offered.entry(name).or_default().push(id);
            }
        }
    }
    let mut notes = Vec::new();
    for (name, candidates) in &offered {
        for old in packages.installed_by_arch(name) {
            let newer = packages.newer_than(candidates, old).first().copied();
            let is_same = |id: &SolvableId| packages.is_same(*id, old);
            let older = match kept {
                Kept::Other if !candidates.iter().any(is_same) => packages.best(candidates),
                _ => None,
            };
            let Some(id) = newer.or(older) else {
                continue;
            };
            let left_out = packages.left_out_by(&[id]).map(Note::LeftOutOfRepo);
            let lock = locks.get(*name).cloned();
            let locked = lock.map(|file| Note::Locked(pool.nevra(old), pool.nevra(id), file));
            notes.extend(left_out.or(locked));
        }
    }
    notes
}

/// The line of the first problem that is about a package.
fn why(packages: &Packages, problems: &[SolverProblem], id: SolvableId) -> String {
    let about = |problem: &&SolverProblem| {
        let mut rules = std::iter::once(&problem.main).chain(&problem.chain);
        rules.any(|rule| rule.source == Some(id) || rule.target == Some(id))
    };
    let found = problems.iter().find(about);
    found.map_or_else(String::new, |problem| {
        let text = &problem.main.text;
        match why_hidden(packages, problem) {
            Some(hidden) => format!("{text}; {hidden}"),
            None => text.clone(),
        }
    })
}
