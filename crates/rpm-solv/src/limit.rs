//! Limits of time and memory for libsolv's searches: it has none. A few lines of metadata are enough to keep it searching
//! for years, and of some megabytes it makes gigabytes of rules.

use crate::error::SolvError;
use crate::ffi::{self, Id};
use crate::pool::{Pool, SolvableId};
use crate::query::providers;
use crate::queue::Queue;
use crate::solver::RawSolver;
use rpm_pkg::dep::DepGroup;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Stack of the thread that keeps the time.
const STACK: usize = 64 << 10;
/// How often that thread looks at the number of rules.
const LOOK: Duration = Duration::from_millis(10);
/// Rules that every search may have: some 100 MB. N packages that conflict with what N packages provide are N * N rules.
/// All that an office suite leads to in a distribution of 65,580 packages makes 69,000.
const FEW_RULES: c_int = 4_000_000;
/// Rules that a search may have for each package of its pool: N versions of one name are N / 2 for each, and a repository of
/// nightly builds has hundreds.
const RULES_EACH: c_int = 400;
/// Most rules of any search: some 400 MB.
const MAX_RULES: c_int = 16_000_000;
/// What libsolv tells often enough to end a search there: each rule that it makes, each conflict, each choice.
const OFTEN: c_int = (ffi::SOLV_DEBUG_RULE_CREATION
    | ffi::SOLV_DEBUG_PROPAGATE
    | ffi::SOLV_DEBUG_ANALYZE
    | ffi::SOLV_DEBUG_POLICY
    | ffi::SOLV_DEBUG_SOLUTIONS) as c_int;

/// A search of libsolv's.
pub(crate) enum Search<'a> {
    /// Solves the jobs; answers how many problems there are.
    Jobs(&'a mut Queue),
    /// Looks for the solutions of the problem of this number, from 1 on; answers how many there are.
    Solutions(Id),
}

/// Runs a search of `solver`, at most for the time that `limit` says and with so many rules as there may be. A search that
/// passes a limit is left out of a callback of libsolv's (`leave.c`), where it next makes a rule, a choice, or meets a
/// conflict. Whatever it has made so far must then be forgotten and not freed.
pub(crate) fn within(
    pool: &mut Pool,
    solver: &mut RawSolver,
    limit: Duration,
    search: Search<'_>,
) -> Result<c_int, SolvError> {
    let (raw, solver) = (pool.raw.as_ptr(), solver.as_ptr());
    let (jobs, problem) = match search {
        Search::Jobs(jobs) => (jobs.as_mut_ptr(), 0),
        Search::Solutions(problem) => (std::ptr::null_mut(), problem),
    };
    // SAFETY: pool and solver are live.
    let (mask, rules, most) = unsafe {
        let rules = AtomicPtr::new(ffi::rule_count(solver));
        let mask = AtomicPtr::new(&raw mut (*raw).debugmask);
        (mask, rules, most_rules((*raw).nsolvables))
    };
    let (is_over, ended) = (Mutex::new(false), Condvar::new());
    let outcome = thread::scope(|scope| {
        let keep_time = || {
            let begun = Instant::now();
            let mut over = is_over.lock().unwrap_or_else(PoisonError::into_inner);
            while !*over {
                let waited = ended.wait_timeout(over, LOOK);
                (over, _) = waited.unwrap_or_else(PoisonError::into_inner);
                // SAFETY: pool and solver outlive this thread's scope; libsolv keeps both numbers in memory.
                let (mask, rules) = unsafe {
                    let mask = AtomicI32::from_ptr(mask.load(Ordering::Relaxed));
                    (mask, AtomicI32::from_ptr(rules.load(Ordering::Relaxed)))
                };
                if begun.elapsed() >= limit || rules.load(Ordering::Relaxed) > most {
                    mask.store(OFTEN, Ordering::Relaxed);
                }
            }
        };
        let keeper = thread::Builder::new().stack_size(STACK);
        let _keeper = keeper
            .spawn_scoped(scope, keep_time)
            .map_err(|_| SolvError::memory())?;
        let mut answer = 0;
        // SAFETY: pool, solver and jobs are live; the number of a problem is one of the solver's (callers).
        let left =
            unsafe { ffi::rpm_solv_search(raw, solver, jobs, problem, OFTEN, &mut answer) } != 0;
        *is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        ended.notify_one();
        Ok((!left).then_some(answer))
    });
    // SAFETY: the pool is live.
    unsafe { ffi::pool_setdebugmask(raw, 0) };
    if let Some(answer) = outcome? {
        return Ok(answer);
    }
    // SAFETY: the solver is live.
    Err(match unsafe { *ffi::rule_count(solver) } {
        few if few <= most => SolvError::TooLong(limit),
        _ => pool.too_many_rules(),
    })
}

/// Most rules of a search among so many packages.
fn most_rules(packages: c_int) -> c_int {
    packages
        .saturating_mul(RULES_EACH)
        .clamp(FEW_RULES, MAX_RULES)
}

impl Pool {
    /// Names what makes most rules of the pool: packages that conflict with a capability, obsolete it or are called so,
    /// times packages that provide it.
    fn too_many_rules(&self) -> SolvError {
        let mut against: HashMap<Id, (usize, SolvableId)> = HashMap::new();
        for id in self.solvables() {
            let [conflicts, obsoletes] = [DepGroup::Conflicts, DepGroup::Obsoletes];
            let deps = [self.dep_ids(id, conflicts).0, self.dep_ids(id, obsoletes).0];
            let name = self.solvable(id).map(|solvable| solvable.name);
            for dep in deps.concat().into_iter().chain(name) {
                against.entry(dep).or_insert((0, id)).0 += 1;
            }
        }
        let most = against.into_iter().max_by_key(|(dep, (count, _))| {
            // SAFETY: the pool is live and prepared, and the id one of its dependencies.
            let providers = unsafe { providers(self.raw.as_ptr(), *dep) }.len();
            (count.saturating_mul(providers), Reverse(*dep))
        });
        let (capability, repo) = most.map_or_else(Default::default, |(dep, (_, id))| {
            let repo = self.repo_of(id).map(|repo| self.repo_name(repo));
            (self.dep_text(dep), repo.unwrap_or_default().to_owned())
        });
        SolvError::TooManyRules { capability, repo }
    }
}
