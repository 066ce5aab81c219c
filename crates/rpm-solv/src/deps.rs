//! Turning borrowed package descriptions into libsolv's ids.
//!
//! The functions here take the raw pool; their callers own it (see [`crate::Pool`]).

use crate::ffi::{self, Id};
use crate::input::{DepInput, EvrInput, PackageInput, Relation};
use crate::rich::rich_id;
use std::fmt::Write;

/// Buffers reused from package to package.
#[derive(Default)]
pub(crate) struct Scratch {
    text: String,
    pre: Vec<Id>,
}

/// The id of `text` (cut at a NUL byte, which libsolv's strings cannot hold).
///
/// # Safety
/// `pool` must be a live pool.
pub(crate) unsafe fn intern(pool: *mut ffi::Pool, text: &[u8]) -> Id {
    let text = memchr::memchr(0, text).map_or(text, |end| &text[..end]);
    let length = text.len().min(0x3fff_ffff) as u32;
    // SAFETY: the pool is live (caller), and `length` bytes can be read at the pointer.
    unsafe { ffi::pool_strn2id(pool, text.as_ptr().cast(), length, 1) }
}

/// Writes `evr` as libsolv wants it: `epoch:version-release`, no zero epoch.
fn write_evr(evr: &EvrInput<'_>, out: &mut String) {
    out.clear();
    let mut version = evr.version;
    if evr.epoch != 0 {
        let _ = write!(out, "{}:", evr.epoch);
    } else if let Some((before, after)) = version.split_once(':')
        && before.bytes().all(|byte| byte == b'0')
    {
        // "0:1-1" in one piece means the same as "1-1".
        version = after;
    }
    out.push_str(version);
    if !evr.release.is_empty() {
        out.push('-');
        out.push_str(evr.release);
    }
}

/// The id of a version.
///
/// # Safety
/// `pool` must be a live pool.
pub(crate) unsafe fn evr_id(pool: *mut ffi::Pool, evr: &EvrInput<'_>, text: &mut String) -> Id {
    write_evr(evr, text);
    // SAFETY: the pool is live (caller).
    unsafe { intern(pool, text.as_bytes()) }
}

/// The id of a dependency; boolean ones (in parentheses) are parsed, and taken as a plain name if they do not parse.
///
/// # Safety
/// `pool` must be a live pool.
pub(crate) unsafe fn dep_id(pool: *mut ffi::Pool, dep: &DepInput<'_>, text: &mut String) -> Id {
    if dep.name.starts_with('(') && dep.relation == Relation::ANY {
        // SAFETY: the pool is live (caller).
        if let Some(id) = unsafe { rich_id(pool, dep.name) } {
            return id;
        }
    }
    // SAFETY: the pool is live (caller).
    unsafe { plain_id(pool, dep, text) }
}

/// The id of a name with its version.
///
/// # Safety
/// `pool` must be a live pool.
pub(crate) unsafe fn plain_id(pool: *mut ffi::Pool, dep: &DepInput<'_>, text: &mut String) -> Id {
    // SAFETY: the pool is live (caller); the ids given to pool_rel2id come from it.
    unsafe {
        let name = intern(pool, dep.name.as_bytes());
        if dep.relation == Relation::ANY {
            return name;
        }
        let evr = evr_id(pool, &dep.evr, text);
        ffi::pool_rel2id(pool, name, evr, i32::from(dep.relation.bits()), 1)
    }
}

/// Appends ids to a repository's dependency array; the offset where the list now stands.
///
/// # Safety
/// `repo` must be a live repository.
pub(crate) unsafe fn append(repo: *mut ffi::Repo, mut offset: u32, ids: &[Id]) -> u32 {
    for id in ids {
        // SAFETY: the repository is live (caller), and `offset` came from it.
        offset = unsafe { ffi::repo_addid(repo, offset, *id) };
    }
    offset
}

/// Adds a package: its solvable id, or `None` when the pool is full.
///
/// # Safety
/// `pool` must be a live pool, `repo` one of its repositories, and no other solvable block may be open.
pub(crate) unsafe fn add_package(
    pool: *mut ffi::Pool,
    repo: *mut ffi::Repo,
    input: &PackageInput<'_>,
    scratch: &mut Scratch,
) -> Id {
    // SAFETY: pool and repository are live (caller); the new solvable lies inside pool->solvables, which does not
    // move until the next solvable is added.
    unsafe {
        let name = intern(pool, input.name.as_bytes());
        let arch = intern(pool, input.arch.as_bytes());
        let evr = evr_id(pool, &input.evr, &mut scratch.text);
        let vendor = if input.vendor.is_empty() {
            0
        } else {
            intern(pool, input.vendor.as_bytes())
        };
        let id = ffi::repo_add_solvable(repo);
        let own = if input.arch == "src" || input.arch == "nosrc" {
            0
        } else {
            ffi::pool_rel2id(pool, name, evr, 2, 1)
        };
        let provides = add_provides(pool, repo, input.provides, own, scratch);
        let requires = add_requires(pool, repo, input.requires, scratch);
        let conflicts = add_list(pool, repo, input.conflicts, scratch);
        let obsoletes = add_list(pool, repo, input.obsoletes, scratch);
        let recommends = add_list(pool, repo, input.recommends, scratch);
        let suggests = add_list(pool, repo, input.suggests, scratch);
        let supplements = add_list(pool, repo, input.supplements, scratch);
        let enhances = add_list(pool, repo, input.enhances, scratch);
        let solvable = &mut *(*pool).solvables.add(id as usize);
        solvable.name = name;
        solvable.arch = arch;
        solvable.evr = evr;
        solvable.vendor = vendor;
        solvable.provides = provides;
        solvable.requires = requires;
        solvable.conflicts = conflicts;
        solvable.obsoletes = obsoletes;
        solvable.recommends = recommends;
        solvable.suggests = suggests;
        solvable.supplements = supplements;
        solvable.enhances = enhances;
        id
    }
}

/// # Safety
/// As [`add_package`].
unsafe fn add_list(
    pool: *mut ffi::Pool,
    repo: *mut ffi::Repo,
    deps: &[DepInput<'_>],
    scratch: &mut Scratch,
) -> u32 {
    let mut offset = 0;
    for dep in deps {
        // SAFETY: pool and repository are live (caller).
        unsafe {
            let id = dep_id(pool, dep, &mut scratch.text);
            offset = append(repo, offset, &[id]);
        }
    }
    offset
}

/// # Safety
/// As [`add_package`].
unsafe fn add_provides(
    pool: *mut ffi::Pool,
    repo: *mut ffi::Repo,
    deps: &[DepInput<'_>],
    own: Id,
    scratch: &mut Scratch,
) -> u32 {
    let mut offset = 0;
    let mut has_own = own == 0;
    for dep in deps {
        // SAFETY: pool and repository are live (caller).
        unsafe {
            let id = dep_id(pool, dep, &mut scratch.text);
            has_own |= id == own;
            offset = append(repo, offset, &[id]);
        }
    }
    if !has_own {
        // SAFETY: the repository is live (caller).
        offset = unsafe { append(repo, offset, &[own]) };
    }
    offset
}

/// Requires, a marker, and then those needed before scripts run.
///
/// # Safety
/// As [`add_package`].
unsafe fn add_requires(
    pool: *mut ffi::Pool,
    repo: *mut ffi::Repo,
    deps: &[DepInput<'_>],
    scratch: &mut Scratch,
) -> u32 {
    let mut offset = 0;
    scratch.pre.clear();
    for dep in deps {
        // SAFETY: pool and repository are live (caller).
        unsafe {
            let id = dep_id(pool, dep, &mut scratch.text);
            if dep.pre {
                scratch.pre.push(id);
            } else {
                offset = append(repo, offset, &[id]);
            }
        }
    }
    if !scratch.pre.is_empty() {
        // SAFETY: the repository is live (caller).
        unsafe {
            offset = append(repo, offset, &[ffi::PREREQ_MARKER]);
            offset = append(repo, offset, &scratch.pre);
        }
    }
    offset
}
