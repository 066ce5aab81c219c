//! Why there is no solution.

use crate::error::SolvError;
use crate::ffi::{self, Id};
use crate::limit::{Search, within};
use crate::pool::{Pool, SolvableId};
use crate::queue::Queue;
use crate::solver::RawSolver;
use std::time::Duration;

/// The kinds of rule that matter to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RuleKind {
    /// The package does not fit: architecture, excluded, disabled repository.
    NotInstallable,
    /// Nothing provides what the package requires.
    NothingProvides,
    /// Requires something whose providers cannot be installed.
    Requires,
    /// Conflicts with itself.
    SelfConflict,
    /// Two packages conflict.
    Conflicts,
    /// Two packages of one name.
    SameName,
    /// One obsoletes the other.
    Obsoletes,
    /// An installed package must be kept or updated.
    Update,
    /// A job.
    Job,
    /// A job about something that nothing provides.
    JobNothingProvides,
    /// A job about a name that no package has.
    JobUnknownPackage,
    /// Distribution upgrade.
    DistUpgrade,
    /// Inferior architecture.
    InferiorArch,
    /// Only the best candidate is allowed.
    Best,
    /// Anything else.
    Other,
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What kind of rule.
    pub kind: RuleKind,
    /// The package the rule is about; none for a job.
    pub source: Option<SolvableId>,
    /// The package it meets; none for a job.
    pub target: Option<SolvableId>,
    /// The dependency it is about, as text; of a job, the name or dependency that it names.
    pub dep: Option<String>,
    /// libsolv's own words.
    pub text: String,
}

/// What a fix changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FixKind {
    /// Drop the job with this index.
    DropJob(usize),
    /// Install this one although it is of an inferior architecture, not the best, or forbidden by distribution upgrade.
    Accept(SolvableId),
    /// Erase the installed package.
    Erase(SolvableId),
    /// Let the first installed package become the second.
    Replace(SolvableId, SolvableId),
    /// Anything else.
    Other,
}

/// One way out: all its elements together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The changes, each with libsolv's own words.
    pub elements: Vec<(FixKind, String)>,
}

/// One problem. Its ways out are asked for with [`Pool::ways_out`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolverProblem {
    /// The rule that says most: what tdnf prints.
    pub main: Rule,
    /// The rules that clash; of very many problems the later ones may lack some.
    pub chain: Vec<Rule>,
}

/// Most rules of all chains together: of 20,000 packages that need one another and break at one end, each has a chain
/// with all before it. Problems behind that have their main rule alone.
const MAX_CHAINED: usize = 100_000;

/// `SOLVER_SOLUTION_JOB` of solver.h: the element is a job.
const SOLUTION_JOB: Id = 0;

/// Reads all problems out of a solver that found no solution.
pub(crate) fn read_problems(pool: &Pool, solver: &mut RawSolver) -> Vec<SolverProblem> {
    // SAFETY: the solver is live and has run.
    let count = unsafe { ffi::solver_problem_count(solver.as_ptr()) } as Id;
    let mut left = MAX_CHAINED;
    (1..=count)
        .map(|problem| {
            // SAFETY: the problem number is within the solver's count.
            let main = unsafe { ffi::solver_findproblemrule(solver.as_ptr(), problem) };
            let mut rules = Queue::new();
            if left > 0 {
                // SAFETY: as above; the queue is initialised.
                unsafe {
                    ffi::solver_findallproblemrules(solver.as_ptr(), problem, rules.as_mut_ptr());
                }
            }
            let rules = rules.ids().iter().take(left);
            let chain: Vec<Rule> = rules.map(|rule| read_rule(pool, solver, *rule)).collect();
            left -= chain.len();
            SolverProblem {
                main: read_rule(pool, solver, main),
                chain,
            }
        })
        .collect()
}

fn read_rule(pool: &Pool, solver: &mut RawSolver, rule: Id) -> Rule {
    let (mut source, mut target, mut dep) = (0, 0, 0);
    // SAFETY: the solver is live and the rule number its own; the text lies in pool-owned temporary space and is copied at once.
    let (class, kind, text) = unsafe {
        let kind = ffi::solver_ruleinfo(solver.as_ptr(), rule, &mut source, &mut target, &mut dep);
        let text = ffi::solver_problemruleinfo2str(solver.as_ptr(), kind, source, target, dep);
        let class = ffi::solver_ruleclass(solver.as_ptr(), rule);
        (class, kind, ffi::owned(text))
    };
    let [source, target, dep] = meaning(class, [source, target, dep]);
    Rule {
        kind: rule_kind(kind),
        source: known(pool, source),
        target: known(pool, target),
        dep: (dep != 0).then(|| pool.dep_text(dep)),
        text,
    }
}

/// Source, target and dependency of a rule, 0 where `solver_ruleinfo` says something else with the
/// number: for a job its place, its kind and what it selects; for others the number of a rule.
fn meaning(class: ffi::SolverRuleinfo, [source, target, dep]: [Id; 3]) -> [Id; 3] {
    match class {
        ffi::SolverRuleinfo_SOLVER_RULE_JOB => {
            let select = target as u32 & ffi::SOLVER_SELECTMASK;
            let names = [ffi::SOLVER_SOLVABLE_NAME, ffi::SOLVER_SOLVABLE_PROVIDES];
            [0, 0, if names.contains(&select) { dep } else { 0 }]
        }
        ffi::SolverRuleinfo_SOLVER_RULE_BEST => [source, 0, dep],
        ffi::SolverRuleinfo_SOLVER_RULE_CHOICE | ffi::SolverRuleinfo_SOLVER_RULE_RECOMMENDS => {
            [0, 0, dep]
        }
        _ => [source, target, dep],
    }
}

fn rule_kind(kind: ffi::SolverRuleinfo) -> RuleKind {
    match kind {
        ffi::SolverRuleinfo_SOLVER_RULE_PKG_NOT_INSTALLABLE => RuleKind::NotInstallable,
        ffi::SolverRuleinfo_SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP => RuleKind::NothingProvides,
        ffi::SolverRuleinfo_SOLVER_RULE_PKG_REQUIRES => RuleKind::Requires,
        ffi::SolverRuleinfo_SOLVER_RULE_PKG_SELF_CONFLICT => RuleKind::SelfConflict,
        ffi::SolverRuleinfo_SOLVER_RULE_PKG_CONFLICTS => RuleKind::Conflicts,
        ffi::SolverRuleinfo_SOLVER_RULE_PKG_SAME_NAME => RuleKind::SameName,
        ffi::SolverRuleinfo_SOLVER_RULE_PKG_OBSOLETES
        | ffi::SolverRuleinfo_SOLVER_RULE_PKG_IMPLICIT_OBSOLETES
        | ffi::SolverRuleinfo_SOLVER_RULE_PKG_INSTALLED_OBSOLETES
        | ffi::SolverRuleinfo_SOLVER_RULE_YUMOBS => RuleKind::Obsoletes,
        ffi::SolverRuleinfo_SOLVER_RULE_UPDATE | ffi::SolverRuleinfo_SOLVER_RULE_FEATURE => {
            RuleKind::Update
        }
        ffi::SolverRuleinfo_SOLVER_RULE_JOB => RuleKind::Job,
        ffi::SolverRuleinfo_SOLVER_RULE_JOB_NOTHING_PROVIDES_DEP => RuleKind::JobNothingProvides,
        ffi::SolverRuleinfo_SOLVER_RULE_JOB_UNKNOWN_PACKAGE => RuleKind::JobUnknownPackage,
        ffi::SolverRuleinfo_SOLVER_RULE_DISTUPGRADE => RuleKind::DistUpgrade,
        ffi::SolverRuleinfo_SOLVER_RULE_INFARCH => RuleKind::InferiorArch,
        ffi::SolverRuleinfo_SOLVER_RULE_BEST => RuleKind::Best,
        _ => RuleKind::Other,
    }
}

/// The ways out of the problems, in their order, until there are `limit` of them. Each is found by
/// solving again without one of the rules that clash, which takes its time where there are many.
///
/// # Errors
/// A search takes longer than `time`; the solver may then not be freed.
pub(crate) fn read_ways_out(
    pool: &mut Pool,
    solver: &mut RawSolver,
    time: Duration,
    limit: usize,
) -> Result<Vec<Vec<Fix>>, SolvError> {
    // SAFETY: the solver is live and has run.
    let count = unsafe { ffi::solver_problem_count(solver.as_ptr()) } as Id;
    let (mut all, mut found) = (Vec::new(), 0);
    for problem in 1..=count {
        if found >= limit {
            break;
        }
        // The problem's number is within the solver's count.
        let count = within(pool, solver, time, Search::Solutions(problem))?;
        let fixes = read_fixes(pool, solver, problem, count);
        found += fixes.len();
        all.push(fixes);
    }
    Ok(all)
}

fn read_fixes(pool: &Pool, solver: &mut RawSolver, problem: Id, count: Id) -> Vec<Fix> {
    (1..=count)
        .map(|solution| {
            let mut elements = Vec::new();
            let (mut element, mut p, mut rp) = (0, 0, 0);
            loop {
                // SAFETY: problem and solution are within the solver's counts; the element walks from 0 as the API asks.
                element = unsafe {
                    ffi::solver_next_solutionelement(
                        solver.as_ptr(),
                        problem,
                        solution,
                        element,
                        &mut p,
                        &mut rp,
                    )
                };
                if element == 0 {
                    break;
                }
                // SAFETY: p and rp come from the solver; the text is copied at once.
                let text =
                    unsafe { ffi::owned(ffi::solver_solutionelement2str(solver.as_ptr(), p, rp)) };
                elements.push((fix_kind(pool, p, rp), text));
            }
            Fix { elements }
        })
        .collect()
}

fn fix_kind(pool: &Pool, p: Id, rp: Id) -> FixKind {
    match (p, known(pool, p), known(pool, rp)) {
        (SOLUTION_JOB, ..) => FixKind::DropJob((rp.max(1) - 1) as usize / 2),
        (i32::MIN..=-1, _, Some(id)) => FixKind::Accept(id),
        (_, Some(old), Some(new)) => FixKind::Replace(old, new),
        (_, Some(old), None) if rp == 0 => FixKind::Erase(old),
        _ => FixKind::Other,
    }
}

fn known(pool: &Pool, id: Id) -> Option<SolvableId> {
    pool.solvable(SolvableId(id)).map(|_| SolvableId(id))
}
