//! Turning borrowed package descriptions into libsolv's ids.
//!
//! The functions here take the raw pool; their callers own it (see [`crate::Pool`]).

use crate::ffi::{self, Id};
use crate::input::{DepInput, EvrInput, PackageInput};
use crate::rich::rich_id;
use rpm_pkg::dep::DepFlags;
use std::fmt::Write;

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
    if dep.name.starts_with('(') && relation(dep.flags) == 0 {
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
        match relation(dep.flags) {
            0 => name,
            relation => ffi::pool_rel2id(pool, name, evr_id(pool, &dep.evr, text), relation, 1),
        }
    }
}

/// libsolv's bits for a relation: 1 greater, 2 equal, 4 less; 0 for none.
fn relation(flags: DepFlags) -> i32 {
    let bits = [
        (DepFlags::GREATER, 1),
        (DepFlags::EQUAL, 2),
        (DepFlags::LESS, 4),
    ];
    bits.into_iter()
        .filter(|(flag, _)| flags.has(*flag))
        .map(|(_, bit)| bit)
        .sum()
}

/// Puts ids into a repository's dependency array; the offset where the list now stands, 0 for no ids.
///
/// # Safety
/// `repo` must be a live repository.
unsafe fn append(repo: *mut ffi::Repo, ids: impl IntoIterator<Item = Id>) -> u32 {
    // SAFETY: the repository is live (caller), and the offset came from it.
    let add = |offset, id| unsafe { ffi::repo_addid(repo, offset, id) };
    ids.into_iter().fold(0, add)
}

/// Adds a package: its solvable id. `text` is a buffer that is used again and again.
///
/// # Safety
/// `pool` must be a live pool, `repo` one of its repositories, and no other solvable block may be open.
pub(crate) unsafe fn add_package(
    pool: *mut ffi::Pool,
    repo: *mut ffi::Repo,
    input: &PackageInput<'_>,
    text: &mut String,
) -> Id {
    // SAFETY: pool and repository are live (caller); the new solvable lies inside pool->solvables, which does not
    // move until the next solvable is added.
    unsafe {
        let name = intern(pool, input.name.as_bytes());
        let arch = intern(pool, input.arch.as_bytes());
        let evr = evr_id(pool, &input.evr, text);
        let vendor = match input.vendor {
            "" => 0,
            vendor => intern(pool, vendor.as_bytes()),
        };
        let id = ffi::repo_add_solvable(repo);
        let own = match input.arch {
            "src" | "nosrc" => 0,
            _ => ffi::pool_rel2id(pool, name, evr, relation(DepFlags::EQUAL), 1),
        };
        let solvable = (*pool).solvables.add(id as usize);
        (*solvable).name = name;
        (*solvable).arch = arch;
        (*solvable).evr = evr;
        (*solvable).vendor = vendor;
        let mut id_of = |dep| dep_id(pool, dep, text);
        let mut provides: Vec<Id> = input.provides.iter().map(&mut id_of).collect();
        if own != 0 && !provides.contains(&own) {
            provides.push(own);
        }
        (*solvable).provides = append(repo, provides);
        let requires: Vec<Id> = input.requires.iter().map(&mut id_of).collect();
        let needed = |pre: bool| {
            let all = requires.iter().zip(input.requires);
            all.filter(move |(_, dep)| dep.pre == pre)
                .map(|(id, _)| *id)
        };
        // Those needed before scripts run stand behind a marker.
        let marker = needed(true).next().map(|_| ffi::PREREQ_MARKER);
        (*solvable).requires = append(repo, needed(false).chain(marker).chain(needed(true)));
        (*solvable).conflicts = append(repo, input.conflicts.iter().map(&mut id_of));
        (*solvable).obsoletes = append(repo, input.obsoletes.iter().map(&mut id_of));
        (*solvable).recommends = append(repo, input.recommends.iter().map(&mut id_of));
        (*solvable).suggests = append(repo, input.suggests.iter().map(&mut id_of));
        (*solvable).supplements = append(repo, input.supplements.iter().map(&mut id_of));
        (*solvable).enhances = append(repo, input.enhances.iter().map(&mut id_of));
        id
    }
}
