//! The C declarations: the generated bindings, and what they lack, declared by hand.

pub(crate) use libsolv_sys::ffi::*;
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};

// evr.h of libsolv 0.7.39: not reached by the generated bindings.
unsafe extern "C" {
    pub(crate) fn pool_evrcmp_str(
        pool: *const Pool,
        evr1: *const c_char,
        evr2: *const c_char,
        mode: c_int,
    ) -> c_int;
}

/// The head of a `Solver`, as solver.h of libsolv 0.7.39 has it inside the library: the bindings see the public part.
#[repr(C)]
struct SolverHead {
    public: Solver,
    installed: *mut Repo,
    rules: *mut c_void,
    nrules: Id,
}

/// Where a solver counts its rules.
///
/// # Safety
/// `solver` must be a live solver, made by `solver_create`.
pub(crate) unsafe fn rule_count(solver: *mut Solver) -> *mut Id {
    // SAFETY: each solver of solver_create begins with such a head (caller).
    unsafe { &raw mut (*solver.cast::<SolverHead>()).nrules }
}

// leave.c.
unsafe extern "C" {
    /// Solves `jobs`, or looks for the solutions of `problem` where that is not 0. 1 where it was left because libsolv told
    /// something of `kinds`; else 0, and the search's answer.
    ///
    /// # Safety
    /// All that is pointed to must be live, and `problem` a number of a problem of the solver's, or 0. A search that was
    /// left leaves the solver and the jobs in a state in which they may not be freed.
    pub(crate) fn rpm_solv_search(
        pool: *mut Pool,
        solver: *mut Solver,
        jobs: *mut Queue,
        problem: Id,
        kinds: c_int,
        answer: *mut c_int,
    ) -> c_int;
}

/// `EVRCMP_COMPARE` of evr.h.
pub(crate) const EVRCMP_COMPARE: c_int = 0;
/// Id of the string that stands before pre-requires.
pub(crate) const PREREQ_MARKER: Id = solv_knownid_SOLVABLE_PREREQMARKER as Id;
/// Id of the string that stands before provides that come from file lists.
pub(crate) const FILE_MARKER: Id = solv_knownid_SOLVABLE_FILEMARKER as Id;
/// How many strings every pool begins with.
pub(crate) const KNOWN_STRINGS: c_int = solv_knownid_ID_NUM_INTERNAL as c_int;
/// The bit that tells a relation's id from a string's.
pub(crate) const REL_BIT: u32 = 0x8000_0000;

/// The ids at `at`, up to the 0 that ends their list.
///
/// # Safety
/// The list must have an end, and stay as it is while the answer is in use.
pub(crate) unsafe fn ids_at<'a>(at: *const Id) -> &'a [Id] {
    // SAFETY: as the caller promises.
    unsafe {
        let length = (0..).take_while(|index| *at.add(*index) != 0).count();
        std::slice::from_raw_parts(at, length)
    }
}

/// A copy of a text of libsolv's; empty for none.
///
/// # Safety
/// `text` must be null or a NUL-terminated string that stays for the call.
pub(crate) unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// Every string of a pool that is a path, with its id: the paths that packages depend on.
///
/// # Safety
/// `pool` must be a live pool.
pub(crate) unsafe fn path_strings(pool: *const Pool) -> Vec<(Vec<u8>, Id)> {
    // SAFETY: the pool is live (caller); offsets of ids below nstrings lead to NUL-terminated strings.
    let text = |id: Id| unsafe {
        let strings = &(*pool).ss;
        CStr::from_ptr(
            strings
                .stringspace
                .add(*strings.strings.add(id as usize) as usize),
        )
    };
    // SAFETY: the pool is live (caller).
    let ids = KNOWN_STRINGS..unsafe { (*pool).ss.nstrings };
    let texts = ids.map(|id| (text(id).to_bytes(), id));
    let paths = texts.filter(|(text, _)| text.first() == Some(&b'/'));
    paths.map(|(text, id)| (text.to_vec(), id)).collect()
}
