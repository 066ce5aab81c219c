//! A limit of time for libsolv's searches: it has none, and a few lines of metadata are enough to keep it searching for
//! years.

use crate::error::SolvError;
use crate::ffi;
use crate::pool::Pool;
use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Stack of the thread that keeps the time.
const STACK: usize = 64 << 10;
/// What libsolv tells at each conflict of a search.
const AT_CONFLICTS: c_int = ffi::SOLV_DEBUG_ANALYZE as c_int;

/// What unwinds a search whose time is up.
struct TimeIsUp;

/// Runs a search, at most for the time that `limit` says. A search that takes longer is unwound at its next conflict,
/// out of a callback of libsolv's; between conflicts a search takes no long time. Whatever the search has made so far
/// must then be forgotten and not freed.
pub(crate) fn within<T>(
    pool: &mut Pool,
    limit: Duration,
    search: impl FnOnce() -> T,
) -> Result<T, SolvError> {
    let raw = pool.raw.as_ptr();
    // SAFETY: the pool is live; the callback needs no data and stays until it is taken away below.
    let mask = unsafe {
        ffi::pool_setdebugcallback(
            raw,
            Some(ffi::as_debug_callback(at_conflict)),
            std::ptr::null_mut(),
        );
        AtomicPtr::new(&raw mut (*raw).debugmask)
    };
    let (is_over, ended) = (Mutex::new(false), Condvar::new());
    let outcome = thread::scope(|scope| {
        let keep_time = || {
            let over = is_over.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = ended.wait_timeout_while(over, limit, |over| !*over);
            if waited.is_ok_and(|(over, _)| !*over) {
                // SAFETY: the pool outlives this thread's scope; libsolv reads the number, from memory, at each conflict.
                let mask = unsafe { AtomicI32::from_ptr(mask.load(Ordering::Relaxed)) };
                mask.store(AT_CONFLICTS, Ordering::Relaxed);
            }
        };
        let keeper = thread::Builder::new().stack_size(STACK);
        let _keeper = keeper
            .spawn_scoped(scope, keep_time)
            .map_err(|_| SolvError::memory())?;
        let outcome = catch_unwind(AssertUnwindSafe(search));
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
        Err(payload) if payload.is::<TimeIsUp>() => Err(SolvError::TooLong(limit)),
        Err(payload) => resume_unwind(payload),
    }
}

/// Called by libsolv where it tells something.
extern "C-unwind" fn at_conflict(_: *mut ffi::Pool, _: *mut c_void, kind: c_int, _: *const c_char) {
    if kind & AT_CONFLICTS != 0 {
        resume_unwind(Box::new(TimeIsUp));
    }
}
