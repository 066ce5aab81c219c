//! The C declarations: the generated bindings, and what they lack, declared by hand.

pub(crate) use libsolv_sys::ffi::*;
use std::os::raw::{c_char, c_int};

// evr.h of libsolv 0.7.39: not reached by the generated bindings.
unsafe extern "C" {
    pub(crate) fn pool_evrcmp_str(
        pool: *const Pool,
        evr1: *const c_char,
        evr2: *const c_char,
        mode: c_int,
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
