//! Why packages come and go.

use crate::ffi::{self, Id};
use crate::queue::Queue;
use crate::solver::RawSolver;
use crate::step::DecisionReason;
use std::collections::HashSet;

/// The reasons of a solver that has run.
///
/// libsolv looks through all decisions for the one that it is asked about: with thousands of packages
/// that takes as long as loading them. Most follow from the dependencies of others, so it is asked
/// only about those of `others`.
pub(crate) struct Reasons<'a> {
    solver: &'a mut RawSolver,
    /// Packages that may have another reason than a dependency.
    others: HashSet<Id>,
}

impl<'a> Reasons<'a> {
    pub(crate) fn new(solver: &'a mut RawSolver) -> Self {
        let mut others = free_decisions(solver);
        others.extend(wished(solver));
        Self { solver, others }
    }

    /// Why a package comes or goes.
    pub(crate) fn of(&mut self, id: Id) -> DecisionReason {
        if self.others.contains(&id) {
            return self.told(id);
        }
        debug_assert_eq!(self.told(id), DecisionReason::Dependency);
        DecisionReason::Dependency
    }

    /// The reason as libsolv tells it.
    fn told(&mut self, id: Id) -> DecisionReason {
        let mut info = 0;
        // SAFETY: the solver is live and has run; the id is one of its pool.
        let why = unsafe { ffi::solver_describe_decision(self.solver.as_ptr(), id, &mut info) };
        match why as u32 {
            ffi::SOLVER_REASON_RESOLVE_JOB => DecisionReason::User,
            ffi::SOLVER_REASON_WEAKDEP
            | ffi::SOLVER_REASON_RECOMMENDED
            | ffi::SOLVER_REASON_SUPPLEMENTED => DecisionReason::Weak,
            ffi::SOLVER_REASON_UPDATE_INSTALLED => DecisionReason::Update,
            ffi::SOLVER_REASON_CLEANDEPS_ERASE => DecisionReason::Clean,
            ffi::SOLVER_REASON_UNIT_RULE => self.of_rule(info),
            _ => DecisionReason::Dependency,
        }
    }

    /// A decision that followed from one rule: from a job's rule it is the user's.
    fn of_rule(&mut self, rule: Id) -> DecisionReason {
        match class(self.solver, rule) {
            ffi::SolverRuleinfo_SOLVER_RULE_JOB => DecisionReason::User,
            ffi::SolverRuleinfo_SOLVER_RULE_UPDATE
            | ffi::SolverRuleinfo_SOLVER_RULE_FEATURE
            | ffi::SolverRuleinfo_SOLVER_RULE_DISTUPGRADE => DecisionReason::Update,
            _ => DecisionReason::Dependency,
        }
    }
}

/// Decisions that no rule made, each the first of its level: the others of the level follow from it.
fn free_decisions(solver: &mut RawSolver) -> HashSet<Id> {
    let mut decisions = Queue::new();
    // SAFETY: the solver is live and has run; the queue is initialised.
    unsafe { ffi::solver_get_decisionqueue(solver.as_ptr(), decisions.as_mut_ptr()) };
    let mut free = HashSet::new();
    let mut before = 0;
    for id in decisions.ids().iter().map(|decision| decision.abs()) {
        // SAFETY: the solver is live, and the id one that it decided about.
        let level = unsafe { ffi::solver_get_decisionlevel(solver.as_ptr(), id) }.abs();
        if level != before {
            free.insert(id);
            before = level;
        }
    }
    free
}

/// Packages in rules that were made for jobs and for installed packages. libsolv numbers rules from 1,
/// those of dependencies first and those that it learned last.
fn wished(solver: &mut RawSolver) -> HashSet<Id> {
    let mut wished = HashSet::new();
    let mut literals = Queue::new();
    for rule in 1.. {
        match class(solver, rule) {
            ffi::SolverRuleinfo_SOLVER_RULE_PKG => {}
            ffi::SolverRuleinfo_SOLVER_RULE_JOB
            | ffi::SolverRuleinfo_SOLVER_RULE_UPDATE
            | ffi::SolverRuleinfo_SOLVER_RULE_FEATURE
            | ffi::SolverRuleinfo_SOLVER_RULE_DISTUPGRADE => {
                // SAFETY: the solver is live, and the rule, as its class says, one of its own.
                unsafe {
                    ffi::solver_ruleliterals(solver.as_ptr(), rule, literals.as_mut_ptr());
                }
                wished.extend(literals.ids().iter().map(|literal| literal.abs()));
            }
            ffi::SolverRuleinfo_SOLVER_RULE_LEARNT | ffi::SolverRuleinfo_SOLVER_RULE_UNKNOWN => {
                break;
            }
            _ => {}
        }
    }
    wished
}

fn class(solver: &mut RawSolver, rule: Id) -> ffi::SolverRuleinfo {
    // SAFETY: the solver is live; libsolv checks the number.
    unsafe { ffi::solver_ruleclass(solver.as_ptr(), rule) }
}
