//! Limits of time and memory for libsolv's searches: it has none. A few lines of metadata are enough to keep it searching
//! for years, and of some megabytes it makes gigabytes of rules.

use crate::error::SolvError;
use crate::ffi::{self, Id};
use crate::pool::{Pool, SolvableId};
use crate::query::providers;
use crate::solver::RawSolver;
use rpm_pkg::dep::DepGroup;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
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

/// What unwinds a search that has passed a limit.
struct Over;

/// Runs a search of `solver`, at most for the time that `limit` says and with so many rules as there may be. A search that
/// passes a limit is unwound out of a callback of libsolv's, where it next makes a rule, a choice, or meets a conflict.
/// Whatever it has made so far must then be forgotten and not freed.
pub(crate) fn within<T>(
    pool: &mut Pool,
    solver: &mut RawSolver,
    limit: Duration,
    search: impl FnOnce(*mut ffi::Solver) -> T,
) -> Result<T, SolvError> {
    let (raw, solver) = (pool.raw.as_ptr(), solver.as_ptr());
    // SAFETY: pool and solver are live; the callback needs no data and stays until it is taken away below.
    let (mask, rules, most) = unsafe {
        ffi::pool_setdebugcallback(
            raw,
            Some(ffi::as_debug_callback(told)),
            std::ptr::null_mut(),
        );
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
        let outcome = catch_unwind(AssertUnwindSafe(|| search(solver)));
        *is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        ended.notify_one();
        Ok(outcome)
    });
    // SAFETY: the pool is live.
    unsafe {
        ffi::pool_setdebugmask(raw, 0);
        ffi::pool_setdebugcallback(raw, None, std::ptr::null_mut());
    }
    match outcome? {
        Ok(value) => Ok(value),
        // SAFETY: the solver is live.
        Err(payload) if payload.is::<Over>() => Err(match unsafe { *ffi::rule_count(solver) } {
            few if few <= most => SolvError::TooLong(limit),
            _ => pool.too_many_rules(),
        }),
        Err(payload) => resume_unwind(payload),
    }
}

/// Most rules of a search among so many packages.
fn most_rules(packages: c_int) -> c_int {
    packages
        .saturating_mul(RULES_EACH)
        .clamp(FEW_RULES, MAX_RULES)
}

/// Called by libsolv where it tells something.
extern "C-unwind" fn told(_: *mut ffi::Pool, _: *mut c_void, kind: c_int, _: *const c_char) {
    if kind & OFTEN != 0 {
        resume_unwind(Box::new(Over));
    }
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
