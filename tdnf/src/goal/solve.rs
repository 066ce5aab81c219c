//! Running the solver and reading its answer as a [`Plan`].

use std::collections::{BTreeMap, BTreeSet};

use rpm_pkg::dep::DepGroup;
use rpm_solv::{
    FixKind, JobAction as Wish, JobTarget, Solution, SolvableId, SolveResult as Answer, SolverJob,
    SolverOptions, SolverProblem, StepKind, TransactionStep,
};

use super::held_back::held_back;
use super::problems::{MAX_FIXES, WaysOut, explain, is_skipped};
use super::removed::{left_over, name_reasons};
use super::{Goal, Request};
use crate::error::{Code, Outcome};
use crate::note::Note;
use crate::plan::{
    ChangeReason, PackageId, PackageOrigin, Plan, PlannedAction, PlannedChange, Promised,
};
use crate::session::{LoadedRepo, OnDemand, Packages};

/// Rounds of dropping jobs that cannot be done, and of trimming install-only packages.
const MAX_ROUNDS: usize = 20;

/// Solves a goal: the packages that come and go, by name.
pub fn solve(
    request: &Request,
    goal: &Goal,
    packages: &mut Packages,
    metadata: &dyn OnDemand,
) -> Outcome<Plan> {
    let mut jobs = jobs(request, goal, packages);
    if goal.jobs.iter().all(|job| job.action == Wish::Erase) {
        packages.hide_offered();
    }
    let options = SolverOptions {
        allow_uninstall: goal.allow_uninstall || request.allow_erasing,
        allow_downgrade: !goal.only_up,
        ignore_recommended: request.no_recommends,
        ..SolverOptions::default()
    };
    let mut left_out = Vec::new();
    for _ in 0..MAX_ROUNDS {
        match packages.pool.solve(&jobs, &options)? {
            Answer::Solved(solution) => {
                let surplus = surplus(request, packages, &solution);
                if surplus.is_empty() {
                    let mut plan = read(request, packages, &solution, goal)?;
                    request.policy.check(&plan)?;
                    left_out.extend(held_back(request, goal, packages, &plan)?);
                    name_reasons(request, goal, packages, &solution, &mut plan)?;
                    left_out.extend(left_over(request, goal, packages, &solution)?);
                    plan.notes = left_out;
                    return Ok(plan);
                }
                jobs.extend(surplus);
            }
            Answer::Problems(problems) => {
                // A path outside primary metadata may be in the file lists.
                if !mentions_path(&problems) || !metadata.learn_paths(packages)? {
                    let dropped = dropped(request, packages, (&jobs, &options), &problems)?;
                    let why = |(index, why): (&usize, &String)| {
                        Some(Note::LeftOut(
                            wish(packages, jobs.get(*index)?),
                            why.clone(),
                        ))
                    };
                    left_out.extend(dropped.iter().filter_map(why));
                    let kept = jobs.into_iter().enumerate();
                    let kept = kept.filter(|(index, _)| !dropped.contains_key(index));
                    jobs = kept.map(|(_, job)| job).collect();
                }
            }
        }
    }
    Err(Code::SOLV_FAILED.into())
}

/// Whether a problem is about a path that nothing provides.
pub(super) fn mentions_path(problems: &[SolverProblem]) -> bool {
    let rules = problems
        .iter()
        .flat_map(|problem| problem.chain.iter().chain([&problem.main]));
    let mut deps = rules.filter_map(|rule| rule.dep.as_deref());
    deps.any(|dep| dep.starts_with('/') || dep.contains(" /") || dep.contains("(/"))
}

/// The named packages alone, without the solver (`--nodeps`, download only).
pub fn named_only(packages: &Packages, goal: &Goal) -> Outcome<Plan> {
    let mut plan = Plan {
        unavailable: goal.unavailable.clone(),
        ..Plan::default()
    };
    for job in &goal.jobs {
        let id = match &job.target {
            JobTarget::Solvable(id) => Some(*id),
            JobTarget::OneOf(ids) => ids.first().copied(),
            _ => None,
        };
        if let Some(id) = id.filter(|id| !packages.pool.is_installed(*id)) {
            let (action, reason) = (PlannedAction::Install, ChangeReason::User);
            plan.changes.push(change(packages, id, action, reason)?);
        }
    }
    Ok(plan)
}

/// Packages that came as a dependency and that nothing installed needs any more.
pub(super) fn unneeded(request: &Request, packages: &mut Packages) -> Outcome<Vec<SolvableId>> {
    let jobs = kept(request, packages);
    let options = SolverOptions::default();
    match packages.pool.unneeded(&jobs, &options)? {
        Ok(mut unneeded) => {
            unneeded.retain(|id| request.auto.contains(packages.pool.name(*id)));
            Ok(unneeded)
        }
        Err(problems) => {
            let ways_out = packages.pool.ways_out(&jobs, &options, MAX_FIXES)?.into();
            Err(explain(
                request,
                packages,
                &BTreeMap::new(),
                &problems,
                &ways_out,
            ))
        }
    }
}

fn jobs(request: &Request, goal: &Goal, packages: &Packages) -> Vec<SolverJob> {
    let mut jobs = goal.jobs.clone();
    for job in &mut jobs {
        job.flags.force_best |= request.best && job.action != Wish::Erase;
        // Only what goes may take its dependencies along: an update must not remove what the
        // user asked for earlier (C tdnf does).
        job.flags.clean_deps |= goal.clean_dependencies && job.action == Wish::Erase;
    }
    if goal.clean_dependencies {
        jobs.extend(kept(request, packages));
    }
    jobs.extend(request.policy.locks(packages));
    let several = request.install_only.iter().cloned().map(JobTarget::Name);
    jobs.extend(several.map(|name| SolverJob::new(Wish::MultiVersion, name)));
    jobs
}

/// What clean-ups leave alone: packages that were asked for, that are protected, that hold the
/// running kernel, and the newest of each name that stands in several versions.
pub(super) fn kept(request: &Request, packages: &Packages) -> Vec<SolverJob> {
    let pool = &packages.pool;
    let newest = request.install_only.iter();
    let newest: BTreeSet<SolvableId> = newest
        .flat_map(|name| packages.installed_by_arch(name))
        .collect();
    let is_kept = |id: &SolvableId| {
        let name = pool.name(*id);
        !request.auto.contains(name)
            || request.policy.protected.iter().any(|own| own == name)
            || newest.contains(id)
            || request.is_running(packages, *id)
    };
    let all = pool.repo_solvables(packages.installed).filter(is_kept);
    all.map(|id| SolverJob::solvable(Wish::UserInstalled, id))
        .collect()
}

/// The jobs that cannot be done and why, if the user allowed to leave them out. Ways out are only
/// looked for here, where they are shown or taken: finding all of them takes its time.
fn dropped(
    request: &Request,
    packages: &mut Packages,
    (jobs, options): (&[SolverJob], &SolverOptions),
    problems: &[SolverProblem],
) -> Outcome<BTreeMap<usize, String>> {
    let locks = &request.policy.locks;
    let is_left: Vec<bool> = problems
        .iter()
        .map(|problem| !is_skipped(problem, request.skips))
        .collect();
    // The first few are enough where all problems are shown.
    let limit = match is_left.iter().all(|left| *left) {
        true => MAX_FIXES,
        false => usize::MAX,
    };
    let ways_out = match packages.pool.ways_out(jobs, options, limit) {
        // The problems alone are told where ways out are hard to find.
        Err(error) if error.is_given_up() && is_left.contains(&true) => {
            vec![Vec::new(); problems.len()]
        }
        found => found?,
    };
    if is_left.contains(&true) {
        let left = of_those(problems, &is_left);
        let ways_out = WaysOut {
            fixes: of_those(&ways_out, &is_left),
            erasing_helps: erasing_helps(request, packages, jobs, options),
        };
        return Err(explain(request, packages, locks, &left, &ways_out));
    }
    let mut dropped = BTreeMap::new();
    for (problem, fixes) in problems.iter().zip(&ways_out) {
        for (kind, _) in fixes.iter().flat_map(|fix| &fix.elements) {
            if let FixKind::DropJob(index) = kind {
                dropped.insert(*index, problem.main.text.clone());
            }
        }
    }
    if dropped.is_empty() {
        let ways_out = WaysOut {
            fixes: ways_out,
            erasing_helps: erasing_helps(request, packages, jobs, options),
        };
        return Err(explain(request, packages, locks, problems, &ways_out));
    }
    Ok(dropped)
}

/// Commands that know `--allowerasing`.
const MAY_ERASE: [&str; 7] = [
    "install",
    "reinstall",
    "update",
    "upgrade",
    "downgrade",
    "distro-sync",
    "history",
];

/// Whether everything can be done that is asked for where installed packages may go; protected ones never do.
fn erasing_helps(
    request: &Request,
    packages: &mut Packages,
    jobs: &[SolverJob],
    options: &SolverOptions,
) -> bool {
    let verb = request.typed.words.first();
    if options.allow_uninstall || !verb.is_some_and(|verb| MAY_ERASE.contains(&verb.as_str())) {
        return false;
    }
    let options = SolverOptions {
        allow_uninstall: true,
        ..*options
    };
    let Ok(Answer::Solved(solution)) = packages.pool.solve(jobs, &options) else {
        return false;
    };
    let (packages, protected) = (&*packages, &request.policy.protected);
    let mut gone = solution.steps.iter().flat_map(|step| {
        let own = (step.kind == StepKind::Erase).then_some(step.solvable);
        let name = packages.pool.name(step.solvable);
        let replaced = step.replaces.iter().copied();
        let obsoleted = replaced.filter(move |id| packages.pool.name(*id) != name);
        own.into_iter().chain(obsoleted)
    });
    let is_kept = |id: SolvableId| {
        let name = packages.pool.name(id);
        protected.iter().any(|own| own == name) || request.is_running(packages, id)
    };
    !gone.any(is_kept)
}

/// What a job is about, in words.
fn wish(packages: &Packages, job: &SolverJob) -> String {
    match &job.target {
        JobTarget::Solvable(id) => packages.pool.nevra(*id),
        JobTarget::OneOf(ids) => ids
            .first()
            .map_or_else(String::new, |id| packages.pool.name(*id).to_owned()),
        JobTarget::Name(text) | JobTarget::Provides(text) => text.clone(),
        _ => "what was asked for".to_owned(),
    }
}

/// The elements whose mark is set.
fn of_those<T: Clone>(all: &[T], marks: &[bool]) -> Vec<T> {
    let marked = all.iter().zip(marks).filter(|(_, mark)| **mark);
    marked.map(|(element, _)| element.clone()).collect()
}

/// The jobs that keep install-only packages within their limit: the oldest versions go, and what
/// was to come stays wanted (without that, an update would be content with those that are left).
fn surplus(request: &Request, packages: &Packages, solution: &Solution) -> Vec<SolverJob> {
    let limit = request.install_only_limit;
    let pool = &packages.pool;
    let steps = |erase: bool| {
        // What is put there again is counted where it stands.
        let of_kind = move |step: &&TransactionStep| {
            step.kind != StepKind::Reinstall && (step.kind == StepKind::Erase) == erase
        };
        solution.steps.iter().filter(of_kind).map(|s| s.solvable)
    };
    let erased: BTreeSet<_> = steps(true).collect();
    let mut jobs = Vec::new();
    for name in &request.install_only {
        let coming: Vec<_> = steps(false).filter(|id| pool.name(*id) == name).collect();
        let mut staying = packages.installed_named(name);
        staying.retain(|id| !erased.contains(id));
        staying.sort_by(|a, b| pool.compare_versions(*a, *b));
        let over = (staying.len() + coming.len()).saturating_sub(limit);
        staying.retain(|id| !request.is_running(packages, *id));
        if !coming.is_empty() && over > 0 && !staying.is_empty() {
            let keep = coming.into_iter().map(|id| (Wish::Install, id));
            let oldest = staying.into_iter().take(over).map(|id| (Wish::Erase, id));
            let all = keep.chain(oldest);
            jobs.extend(all.map(|(wish, id)| SolverJob::solvable(wish, id)));
        }
    }
    jobs
}

/// The solver's answer as a plan. It is sorted by name, not in transaction order, which whoever
/// carries it out finds from the packages themselves: most of that work would be lost where the
/// answer to the question is no.
fn read(request: &Request, packages: &Packages, solution: &Solution, goal: &Goal) -> Outcome<Plan> {
    let mut plan = Plan {
        unavailable: goal.unavailable.clone(),
        ..Plan::default()
    };
    let mut gone = BTreeSet::new();
    let mut replaced = BTreeSet::new();
    for step in &solution.steps {
        if is_unchanged(request, goal, step.kind) {
            continue;
        }
        let (action, name) = (action(step.kind), packages.pool.name(step.solvable));
        let reason = reason(step, goal, name);
        let mut change = change(packages, step.solvable, action, reason)?;
        if action == PlannedAction::Remove {
            if gone.insert(step.solvable) {
                plan.changes.push(change);
            }
            continue;
        }
        // Several packages may obsolete one; it goes with the first of them, once.
        for old in step.replaces.iter().filter(|old| replaced.insert(**old)) {
            if packages.pool.is_installed(*old) {
                change
                    .replaces
                    .push(packages.pool.plan_facts(*old)?.database_number);
                change.replaced.push(packages.package_id(*old));
            }
        }
        let old_names = step.replaces.iter().map(|id| packages.pool.name(*id));
        let old_names: Vec<&str> = old_names.filter(|old| *old != name).collect();
        inherit(request, packages, &old_names, &mut change, &mut plan);
        plan.changes.push(change);
        for old in &step.replaces {
            if packages.pool.name(*old) != name && gone.insert(*old) {
                let (action, reason) = (PlannedAction::Obsolete, ChangeReason::Consequence);
                plan.changes
                    .push(self::change(packages, *old, action, reason)?);
            }
        }
    }
    plan.changes.sort_by(|a, b| a.package.cmp(&b.package));
    Ok(plan)
}

/// What takes the place of something that the user asked for was asked for, too; what stands beside
/// another version or architecture was judged when that came.
fn inherit(
    request: &Request,
    packages: &Packages,
    old: &[&str],
    change: &mut PlannedChange,
    plan: &mut Plan,
) {
    let name = &change.package.name;
    let is_auto = |name: &str| request.auto.contains(name);
    let all_auto = old.iter().all(|old| is_auto(old));
    if packages.is_installed_name(name) {
        plan.known.insert(name.clone());
        if is_auto(name) && !all_auto {
            plan.promoted.insert(name.clone());
        }
    } else if !old.is_empty() && !all_auto {
        change.reason = ChangeReason::User;
    } else if !old.is_empty() && change.reason != ChangeReason::User {
        change.reason = ChangeReason::Dependency;
    }
}

/// Whether a step of `distro-sync` would put the same version there again: only done where
/// `distrosync_reinstall_changed` asks for it.
fn is_unchanged(request: &Request, goal: &Goal, kind: StepKind) -> bool {
    let syncs = goal.jobs.iter().any(|job| job.action == Wish::DistUpgrade);
    syncs && matches!(kind, StepKind::Reinstall | StepKind::Change) && !request.reinstall_changed
}

fn action(kind: StepKind) -> PlannedAction {
    match kind {
        StepKind::Upgrade => PlannedAction::Upgrade,
        StepKind::Downgrade => PlannedAction::Downgrade,
        StepKind::Reinstall | StepKind::Change => PlannedAction::Reinstall,
        StepKind::Erase => PlannedAction::Remove,
        _ => PlannedAction::Install,
    }
}

fn reason(step: &TransactionStep, goal: &Goal, name: &str) -> ChangeReason {
    let is_other_version = matches!(step.kind, StepKind::Upgrade | StepKind::Downgrade);
    let is_of_all = |job: &SolverJob| job.target == JobTarget::All;
    if goal.requested.contains(name) || is_other_version && goal.jobs.iter().any(is_of_all) {
        return ChangeReason::User;
    }
    match step.reason {
        rpm_solv::DecisionReason::User => ChangeReason::User,
        // What is removed because its requirement is removed is not needed by anything.
        rpm_solv::DecisionReason::Dependency if step.kind == StepKind::Erase => {
            ChangeReason::Consequence
        }
        rpm_solv::DecisionReason::Dependency => ChangeReason::Dependency,
        rpm_solv::DecisionReason::Weak => ChangeReason::WeakDependency,
        rpm_solv::DecisionReason::Clean => ChangeReason::Unneeded,
        _ => ChangeReason::Consequence,
    }
}

/// The change of a package as a plan has it: all that is known of it.
pub fn change(
    packages: &Packages,
    id: SolvableId,
    action: PlannedAction,
    reason: ChangeReason,
) -> Outcome<PlannedChange> {
    let facts = packages.pool.plan_facts(id)?;
    let installed = packages.pool.is_installed(id);
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let origin = || PackageOrigin {
        repo: packages.repo_of(id),
        location: facts.location.clone(),
        base: text(&facts.location_base),
        checksum: text(&facts.checksum).map(|hex| (facts.checksum_kind.clone(), hex)),
        size: facts.package_size,
        url: packages.url_of(id, &facts.location, &facts.location_base),
        promised: Some(Promised {
            provides: packages.pool.deps(id, DepGroup::Provides),
            requires: requires(packages, id),
        }),
    };
    Ok(PlannedChange {
        action,
        reason,
        install_size: facts.installed_size,
        origin: (!installed).then(origin),
        installed_number: installed.then_some(facts.database_number),
        ..PlannedChange::bare(packages.package_id(id))
    })
}

/// What a package requires, scriptlets included.
pub(super) fn requires(packages: &Packages, id: SolvableId) -> Vec<String> {
    let mut requires = packages.pool.deps(id, DepGroup::Requires);
    requires.extend(packages.pool.pre_requires(id));
    requires
}

impl Packages {
    /// Name, version and architecture of a package.
    pub fn package_id(&self, id: SolvableId) -> PackageId {
        let (epoch, version, release) = self.pool.evr_parts(id);
        PackageId {
            name: self.pool.name(id).to_owned(),
            epoch,
            version: version.to_owned(),
            release: release.to_owned(),
            arch: self.pool.arch(id).to_owned(),
        }
    }

    /// The first URL of a package of a repository, without a login; empty where it has none that may be followed.
    fn url_of(&self, id: SolvableId, location: &str, base: &str) -> String {
        let base = Some(base).filter(|base| !base.is_empty());
        let source = LoadedRepo::find(&self.sources, &self.repo_of(id));
        let urls = source.and_then(|source| source.urls_of(location, base).ok());
        let first = urls.and_then(|urls| urls.into_iter().next());
        first.map_or_else(String::new, |url| repo_client::without_login(&url))
    }

    /// The repository of a package as tables show it.
    pub fn repo_of(&self, id: SolvableId) -> String {
        if self.pool.is_installed(id) {
            return "@System".to_owned();
        }
        self.pool.repo_of(id).map_or_else(
            |_| String::new(),
            |repo| self.pool.repo_name(repo).to_owned(),
        )
    }
}
