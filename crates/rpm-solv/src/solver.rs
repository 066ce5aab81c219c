//! Running the solver.

use crate::error::SolvError;
use crate::ffi::{self, Id};
use crate::goal::{SolverJob, SolverOptions};
use crate::limit::{Search, within};
use crate::pool::{Pool, SolvableId};
use crate::problem::{Fix, SolverProblem, read_problems, read_ways_out};
use crate::queue::{Queue, queue_ids};
use crate::reason::Reasons;
use crate::step::{Solution, StepKind, TransactionStep};
use std::ptr::NonNull;

/// What the solver says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SolveResult {
    /// It can be done so.
    Solved(Solution),
    /// It cannot be done.
    Problems(Vec<SolverProblem>),
}

/// A solver of a live pool; freed when dropped.
pub(crate) struct RawSolver(NonNull<ffi::Solver>);

impl RawSolver {
    pub(crate) fn as_ptr(&mut self) -> *mut ffi::Solver {
        self.0.as_ptr()
    }
}

impl Drop for RawSolver {
    fn drop(&mut self) {
        // SAFETY: made by solver_create and freed once, while its pool is live (it never leaves the methods of Pool that run it).
        unsafe { ffi::solver_free(self.0.as_ptr()) }
    }
}

/// A transaction of a live solver's pool; freed when dropped.
struct RawTransaction(NonNull<ffi::Transaction>);

impl Drop for RawTransaction {
    fn drop(&mut self) {
        // SAFETY: made by solver_create_transaction and freed once, while its pool is live.
        unsafe { ffi::transaction_free(self.0.as_ptr()) }
    }
}

/// How steps are classified: by the new package, obsoleted ones named with it.
const STEP_MODE: i32 = (ffi::SOLVER_TRANSACTION_SHOW_ACTIVE
    | ffi::SOLVER_TRANSACTION_SHOW_ALL
    | ffi::SOLVER_TRANSACTION_SHOW_OBSOLETES) as i32;

impl Pool {
    /// Solves `jobs`. Job order does not matter to the result; problems name jobs by index.
    ///
    /// # Errors
    /// A job names a package that is not of this pool, or the pool could not be prepared.
    pub fn solve(
        &mut self,
        jobs: &[SolverJob],
        options: &SolverOptions,
    ) -> Result<SolveResult, SolvError> {
        let (mut solver, solved) = self.run_solver(jobs, options)?;
        Ok(if solved {
            SolveResult::Solved(self.read_solution(&mut solver))
        } else {
            SolveResult::Problems(read_problems(self, &mut solver))
        })
    }

    /// As [`Self::solve`], but where there are problems it also tells what could be done with the jobs
    /// and rules that caused them left out: for commands that skip what is broken.
    ///
    /// # Errors
    /// As [`Self::solve`].
    pub fn solve_as_far_as_possible(
        &mut self,
        jobs: &[SolverJob],
        options: &SolverOptions,
    ) -> Result<(Vec<SolverProblem>, Solution), SolvError> {
        let (mut solver, solved) = self.run_solver(jobs, options)?;
        let solution = self.read_solution(&mut solver);
        let problems = if solved {
            Vec::new()
        } else {
            read_problems(self, &mut solver)
        };
        Ok((problems, solution))
    }

    /// Installed packages that neither `jobs` nor another package asks for, or why there is no telling.
    ///
    /// # Errors
    /// As [`Self::solve`].
    pub fn unneeded(
        &mut self,
        jobs: &[SolverJob],
        options: &SolverOptions,
    ) -> Result<Result<Vec<SolvableId>, Vec<SolverProblem>>, SolvError> {
        let (mut solver, solved) = self.run_solver(jobs, options)?;
        if !solved {
            return Ok(Err(read_problems(self, &mut solver)));
        }
        let mut unneeded = Queue::new();
        // SAFETY: the solver is live and has run; the queue is initialised.
        unsafe { ffi::solver_get_unneeded(solver.as_ptr(), unneeded.as_mut_ptr(), 0) };
        Ok(Ok(solvable_ids(&unneeded)))
    }

    /// The ways out of the problems that [`Self::solve`] named for the same jobs and options: a list
    /// for each problem, in order, and no further lists once there are `limit` ways out. This solves
    /// again and tries what could be left out, so it is for problems that are shown or skipped.
    ///
    /// # Errors
    /// As [`Self::solve`].
    pub fn ways_out(
        &mut self,
        jobs: &[SolverJob],
        options: &SolverOptions,
        limit: usize,
    ) -> Result<Vec<Vec<Fix>>, SolvError> {
        let (mut solver, _) = self.run_solver(jobs, options)?;
        let found = read_ways_out(self, &mut solver, options.limit, limit);
        if found.is_err() {
            // Unwound half-way: it may not be freed.
            std::mem::forget(solver);
        }
        found
    }

    /// A solver that has run, and whether it found a solution.
    fn run_solver(
        &mut self,
        jobs: &[SolverJob],
        options: &SolverOptions,
    ) -> Result<(RawSolver, bool), SolvError> {
        let _span = tracing::info_span!("solve", jobs = jobs.len()).entered();
        self.prepare()?;
        let mut queue = Queue::new();
        for job in jobs {
            let (how, what) = job.encode(self)?;
            queue.extend(&[how, what]);
        }
        // SAFETY: the pool is live and prepared.
        let raw = unsafe { ffi::solver_create(self.raw.as_ptr()) };
        let mut solver = RawSolver(NonNull::new(raw).ok_or_else(SolvError::memory)?);
        // SAFETY: solver and queue are live; each `how, what` pair was made for this pool.
        unsafe {
            for (flag, value) in options.pairs() {
                ffi::solver_set_flag(solver.as_ptr(), flag, value);
            }
        }
        let searched = within(self, &mut solver, options.limit, Search::Jobs(&mut queue));
        let problems = match searched {
            Ok(problems) => problems,
            Err(error) => {
                // Left half-way: it may not be freed.
                std::mem::forget((solver, queue));
                return Err(error);
            }
        };
        // SAFETY: the solver is live.
        let rules = unsafe { *ffi::rule_count(solver.as_ptr()) };
        tracing::debug!(problems, rules, "solved");
        Ok((solver, problems == 0))
    }

    /// The solver's answer. It is not put into transaction order: whoever runs it orders it, and a plan
    /// that is only shown is spared that.
    fn read_solution(&self, solver: &mut RawSolver) -> Solution {
        // SAFETY: the solver is live and has run.
        let raw = unsafe { ffi::solver_create_transaction(solver.as_ptr()) };
        let Some(transaction) = NonNull::new(raw).map(RawTransaction) else {
            return Solution::default();
        };
        // SAFETY: the transaction is live; its steps do not change while they are read.
        let steps = unsafe { queue_ids(&(*transaction.0.as_ptr()).steps) }.to_vec();
        let mut reasons = Reasons::new(solver);
        let steps = steps
            .into_iter()
            .filter_map(|id| read_step(self, &mut reasons, &transaction, id));
        Solution {
            steps: steps.collect(),
        }
    }
}

fn read_step(
    pool: &Pool,
    reasons: &mut Reasons<'_>,
    transaction: &RawTransaction,
    id: Id,
) -> Option<TransactionStep> {
    pool.solvable(SolvableId(id))?;
    // SAFETY: the transaction is live and the id one of its steps.
    let kind = unsafe { ffi::transaction_type(transaction.0.as_ptr(), id, STEP_MODE) } as u32;
    let kind = match kind {
        ffi::SOLVER_TRANSACTION_ERASE => StepKind::Erase,
        ffi::SOLVER_TRANSACTION_INSTALL | ffi::SOLVER_TRANSACTION_MULTIINSTALL => StepKind::Install,
        ffi::SOLVER_TRANSACTION_REINSTALL | ffi::SOLVER_TRANSACTION_MULTIREINSTALL => {
            StepKind::Reinstall
        }
        ffi::SOLVER_TRANSACTION_UPGRADE => StepKind::Upgrade,
        ffi::SOLVER_TRANSACTION_DOWNGRADE => StepKind::Downgrade,
        ffi::SOLVER_TRANSACTION_CHANGE => StepKind::Change,
        ffi::SOLVER_TRANSACTION_OBSOLETES => StepKind::Obsoletes,
        _ => return None,
    };
    let mut replaced = Queue::new();
    if kind != StepKind::Erase {
        // SAFETY: the transaction is live, the id one of its steps, the queue initialised.
        unsafe {
            ffi::transaction_all_obs_pkgs(transaction.0.as_ptr(), id, replaced.as_mut_ptr());
        }
    }
    Some(TransactionStep {
        kind,
        solvable: SolvableId(id),
        replaces: solvable_ids(&replaced),
        reason: reasons.of(id),
    })
}

fn solvable_ids(queue: &Queue) -> Vec<SolvableId> {
    queue.ids().iter().copied().map(SolvableId).collect()
}
