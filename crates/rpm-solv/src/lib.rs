//! A safe face over libsolv: pool, repositories, solver, problems, cache.
//!
//! * [`Pool`] holds repositories and their packages; [`Pool::add_repo`], [`Pool::add_package`] and
//!   [`Pool::load_cache`] fill it, [`Pool::prepare`] indexes it.
//! * [`Pool::load_named`] takes the packages of some names out of a cache file, at no cost of the others.
//! * [`CacheWriter`] turns a stream of packages into a file that [`Pool::load_cache`] loads by bulk
//!   copies; what the solver does not need (summaries, locations, checksums) stays in the file.
//! * [`Pool::select`] finds packages by what a user typed; [`Job`] says what to do with them;
//!   [`Pool::solve`] answers with a [`Solution`] in transaction order or with [`Problem`]s.
//! * [`LastWords`] is no part of libsolv: the allocator of a program that says so when memory ends.
//!
//! Invariants: ids are checked against the pool at each use; no raw pointer leaves the crate; all
//! calls into C happen on a pool that this crate created and alone frees.

mod cache;
mod deps;
mod error;
mod facts;
mod ffi;
mod files;
mod goal;
mod input;
mod limit;
mod memory;
mod pool;
mod problem;
mod query;
mod queue;
mod reason;
mod rich;
mod search;
mod select;
mod solver;
mod step;

pub use cache::{CacheFile, CacheWriter, EarlierCache};
pub use error::SolvError;
pub use facts::{Facts, PackageFacts, PlanFacts};
pub use files::path_hash;
pub use goal::{JobAction, JobFlags, JobTarget, SOLVER_LIMIT, SolverJob, SolverOptions};
pub use input::{DepInput, EvrInput, PackageInput};
pub use memory::LastWords;
pub use pool::{Pool, RepoId, SolvableId, compare_evr};
pub use problem::{Fix, FixKind, Rule, RuleKind, SolverProblem};
pub use select::{SelectFlags, Selection, names_of_spec};
pub use solver::SolveResult;
pub use step::{DecisionReason, Solution, StepKind, TransactionStep};
