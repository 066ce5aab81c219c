//! Loading a cache file into a pool.

use super::{CacheFile, CacheSection, SOLVABLE_WORDS, set_words};
use crate::deps;
use crate::error::SolvError;
use crate::ffi::{self, Id};
use crate::pool::MAX_PACKAGES;
use std::ptr::NonNull;

// Allocation steps of strpool.c, poolid.c and repo.c: arrays that libsolv is to grow must be a whole number of them long.
const STRING_BLOCK: usize = 2047;
const STRINGSPACE_BLOCK: usize = 65535;
const REL_BLOCK: usize = 1023;
const IDARRAY_BLOCK: usize = 4095;
/// Relation flags end below this number (pool.h: REL_ERROR is 31).
const MAX_REL_FLAGS: u32 = 32;
/// Most bytes of text, relations or array entries (libsolv counts them in `int`).
const MAX_COUNT: usize = 0x3fff_ffff;

/// A cache file's sections, checked: every number is a valid index.
pub(super) struct CacheSections {
    pub(super) text: Vec<u8>,
    /// Where each string begins.
    pub(super) strings: Vec<u32>,
    /// Name, evr, flags.
    pub(super) rels: Vec<[u32; 3]>,
    pub(super) solvables: Vec<[u32; SOLVABLE_WORDS]>,
    pub(super) arrays: Vec<u32>,
}

impl CacheSections {
    pub(super) fn read(cache: &CacheFile) -> Result<Self, SolvError> {
        let damaged = || cache.unusable("its numbers do not fit together");
        let text = cache.section(CacheSection::Strings)?;
        if text.last() != Some(&0) || text.len() > MAX_COUNT {
            return Err(damaged());
        }
        let strings = starts(&text);
        let rels = cache.groups(CacheSection::Relations)?;
        let solvables = cache.groups(CacheSection::Solvables)?;
        let arrays = cache.words(CacheSection::Arrays)?;
        let parts = Self {
            text,
            strings,
            rels,
            solvables,
            arrays,
        };
        let fits = parts.rels.len() <= MAX_COUNT
            && parts.solvables.len() as u64 <= MAX_PACKAGES
            && parts.solvables.len() == cache.package_count()
            && parts.arrays.len() <= MAX_COUNT
            && parts.indexes_fit();
        fits.then_some(parts).ok_or_else(damaged)
    }

    /// No package yet, and no string but those of `text`.
    pub(super) fn with_text(text: Vec<u8>) -> Self {
        Self {
            strings: starts(&text),
            text,
            rels: vec![[0; 3]],
            solvables: Vec::new(),
            arrays: vec![0],
        }
    }

    pub(super) fn indexes_fit(&self) -> bool {
        let strings = self.strings.len() as u32;
        let rels = self.rels.len() as u32;
        let is_id = |id: u32, rels: u32| {
            if id & ffi::REL_BIT == 0 {
                id < strings
            } else {
                let rel = id & !ffi::REL_BIT;
                rel > 0 && rel < rels
            }
        };
        let arrays = self.arrays.len() as u32;
        strings >= ffi::KNOWN_STRINGS as u32
            && rels > 0
            // A relation is made of earlier ones: no circles.
            && self.rels.iter().enumerate().all(|(index, [name, evr, flags])| {
                is_id(*name, index as u32) && is_id(*evr, index as u32) && *flags < MAX_REL_FLAGS
            })
            && (arrays == 0 || self.arrays.last() == Some(&0))
            && self.arrays.iter().all(|id| is_id(*id, rels))
            && self.solvables.iter().all(|words| {
                words[..4].iter().all(|id| *id < strings)
                    && words[0] > 0
                    && words[1] > 0
                    && words[2] > 0
                    && words[4..].iter().all(|offset| *offset == 0 || *offset < arrays)
            })
    }

    /// The hash table of strings; `None` if it is not one that libsolv can search: of a power of two, with ids
    /// only, and at least half empty, so that every search ends.
    fn hashes(&self, cache: &CacheFile) -> Result<Option<Vec<u32>>, SolvError> {
        let hashes = cache.words(CacheSection::StringHashes)?;
        let strings = self.strings.len() as u32;
        let used = hashes.iter().filter(|id| **id != 0).count();
        let fits = hashes.len().is_power_of_two()
            && hashes.len() <= MAX_COUNT
            && used <= hashes.len() / 2
            && hashes.iter().all(|id| *id < strings);
        Ok(fits.then_some(hashes))
    }

    pub(super) fn string(&self, index: usize) -> &[u8] {
        let start = self.strings[index] as usize;
        let end = self
            .strings
            .get(index + 1)
            .map_or(self.text.len(), |next| *next as usize);
        &self.text[start..end - 1]
    }
}

/// Where each of the strings of a text begins, all of which end with NUL.
fn starts(text: &[u8]) -> Vec<u32> {
    // Texts are some twenty bytes long: the room is right at once for most repositories.
    let mut strings = Vec::with_capacity(text.len() / 18);
    strings.push(0);
    strings.extend(memchr::memchr_iter(0, text).map(|end| end as u32 + 1));
    strings.pop();
    strings
}

/// The strings that every pool begins with, as they stand in this one.
///
/// # Safety
/// The pool must not change while the text is in use.
pub(super) unsafe fn known_text(pool: &ffi::Pool) -> &[u8] {
    // SAFETY: libsolv keeps sstrings bytes of text, and where each string begins.
    unsafe {
        let length = if pool.ss.nstrings > ffi::KNOWN_STRINGS {
            *pool.ss.strings.add(ffi::KNOWN_STRINGS as usize)
        } else {
            pool.ss.sstrings
        };
        std::slice::from_raw_parts(pool.ss.stringspace.cast(), length as usize)
    }
}

impl CacheFile {
    /// Puts all packages into `repo`: first solvable and how many.
    pub(crate) fn load_into(
        &mut self,
        pool: NonNull<ffi::Pool>,
        repo: *mut ffi::Repo,
    ) -> Result<(Id, Id), SolvError> {
        let parts = CacheSections::read(self)?;
        for index in ffi::KNOWN_STRINGS as usize..parts.strings.len() {
            let text = parts.string(index);
            if text.first() == Some(&b'/') {
                self.own_paths.insert(text.to_vec());
            }
        }
        // SAFETY: pool and repository are live and belong together (the pool passes its own); the parts were checked.
        unsafe {
            let (known, fresh) = {
                let pool = pool.as_ref();
                let known = known_text(pool);
                let fresh = pool.ss.nstrings == ffi::KNOWN_STRINGS
                    && pool.nrels == 1
                    && (*repo).idarraydata.is_null()
                    && pool.whatprovides.is_null();
                (known, fresh)
            };
            if !parts.text.starts_with(known) {
                return Err(self.unusable("it was made by another version"));
            }
            Ok(if fresh {
                let hashes = parts.hashes(self)?;
                take_over(pool.as_ptr(), repo, &parts, hashes.as_deref())
            } else {
                merge(pool.as_ptr(), repo, &parts)
            })
        }
    }
}

/// Copies everything into an empty pool: ids stay what they are in the file.
///
/// # Safety
/// `pool` must be live and hold nothing but its known strings, `repo` be its and empty, `parts` checked.
unsafe fn take_over(
    pool: *mut ffi::Pool,
    repo: *mut ffi::Repo,
    parts: &CacheSections,
    hashes: Option<&[u32]>,
) -> (Id, Id) {
    // SAFETY: the copies are as long as what they copy, and of the same layout. The previous hashes are freed: without a
    // table libsolv builds one.
    unsafe {
        let p = &mut *pool;
        ffi::pool_freeidhashes(pool);
        let (text, strings) = (parts.text.as_slice(), parts.strings.as_slice());
        p.ss.stringspace = extend(
            p.ss.stringspace,
            0,
            text.as_ptr().cast(),
            text.len(),
            STRINGSPACE_BLOCK,
        );
        p.ss.sstrings = text.len() as u32;
        p.ss.strings = extend(
            p.ss.strings,
            0,
            strings.as_ptr(),
            strings.len(),
            STRING_BLOCK,
        );
        p.ss.nstrings = strings.len() as i32;
        if let Some(hashes) = hashes {
            p.ss.stringhashtbl = extend(
                std::ptr::null_mut(),
                0,
                hashes.as_ptr().cast(),
                hashes.len(),
                0,
            );
            p.ss.stringhashmask = hashes.len() as u32 - 1;
        }
        p.rels = extend(
            p.rels,
            0,
            parts.rels.as_ptr().cast(),
            parts.rels.len(),
            REL_BLOCK,
        );
        p.nrels = parts.rels.len() as i32;
        add_arrays(repo, parts.arrays.as_ptr().cast(), parts.arrays.len());
        add_solvables(pool, repo, parts, 0, &|id| id as Id)
    }
}

/// Gives an array of libsolv's, as long as `before`, room for more, and copies `count` elements of `new` there; where
/// the array stands now.
///
/// # Safety
/// `array` must be null or libsolv's, and grow in steps of `block`; `count` elements must be readable at `new`.
unsafe fn extend<T>(
    array: *mut T,
    before: usize,
    new: *const T,
    count: usize,
    block: usize,
) -> *mut T {
    // SAFETY: solv_extend_realloc gives room for at least the given number of elements, and aborts when out of memory.
    unsafe {
        let room =
            ffi::solv_extend_realloc(array.cast(), before + count + 1, size_of::<T>(), block);
        let room: *mut T = room.cast();
        std::ptr::copy_nonoverlapping(new, room.add(before), count);
        room
    }
}

/// Puts ids behind a repository's dependency arrays; how far their offsets move by that.
///
/// # Safety
/// `repo` must be live; `count` ids must be readable at `ids`.
unsafe fn add_arrays(repo: *mut ffi::Repo, ids: *const Id, count: usize) -> u32 {
    // SAFETY: the repository is live (caller), and its array is as long as it says. libsolv's `lastoff` stays as it is,
    // which no list has as its offset.
    unsafe {
        let repo = &mut *repo;
        let before = match repo.idarraydata.is_null() {
            true if count == 0 => return 0,
            true => 0,
            false => repo.idarraysize as usize,
        };
        repo.idarraydata = extend(repo.idarraydata, before, ids, count, IDARRAY_BLOCK);
        repo.idarraysize = (before + count) as i32;
        before as u32
    }
}

/// Adds everything to a pool that already holds something: ids are mapped.
///
/// # Safety
/// `pool` must be live, `repo` one of its repositories, `parts` checked.
pub(super) unsafe fn merge(
    pool: *mut ffi::Pool,
    repo: *mut ffi::Repo,
    parts: &CacheSections,
) -> (Id, Id) {
    // SAFETY: pool and repository are live (caller), and mapped ids come from the pool itself.
    unsafe {
        ffi::stringpool_reserve(
            &mut (*pool).ss,
            parts.strings.len() as i32,
            parts.text.len() as u32,
        );
        let mut strings = Vec::with_capacity(parts.strings.len());
        for index in 0..parts.strings.len() {
            strings.push(match index {
                0 => 0,
                known if known < ffi::KNOWN_STRINGS as usize => known as Id,
                _ => deps::intern(pool, parts.string(index)),
            });
        }
        let mut rels: Vec<Id> = Vec::with_capacity(parts.rels.len());
        for (index, [name, evr, flags]) in parts.rels.iter().enumerate() {
            let map = |id: u32| map_id(id, &strings, &rels);
            rels.push(if index == 0 {
                0
            } else {
                ffi::pool_rel2id(pool, map(*name), map(*evr), *flags as i32, 1)
            });
        }
        let map = |id: u32| map_id(id, &strings, &rels);
        let arrays: Vec<Id> = parts.arrays.iter().map(|id| map(*id)).collect();
        let moved = add_arrays(repo, arrays.as_ptr(), arrays.len());
        add_solvables(pool, repo, parts, moved, &map)
    }
}

fn map_id(id: u32, strings: &[Id], rels: &[Id]) -> Id {
    if id & ffi::REL_BIT == 0 {
        strings[id as usize]
    } else {
        rels[(id & !ffi::REL_BIT) as usize]
    }
}

/// # Safety
/// `pool` must be live, `repo` one of its repositories; mapped ids and moved offsets must be valid there.
unsafe fn add_solvables(
    pool: *mut ffi::Pool,
    repo: *mut ffi::Repo,
    parts: &CacheSections,
    moved: u32,
    map: &dyn Fn(u32) -> Id,
) -> (Id, Id) {
    let count = parts.solvables.len() as Id;
    if count == 0 {
        // SAFETY: the pool is live.
        return (unsafe { (*pool).nsolvables }, 0);
    }
    // SAFETY: repo_add_solvable_block makes `count` zeroed solvables that belong to the repository.
    unsafe {
        let start = ffi::repo_add_solvable_block(repo, count);
        let block =
            std::slice::from_raw_parts_mut((*pool).solvables.add(start as usize), count as usize);
        let at = |offset: u32| if offset == 0 { 0 } else { offset + moved };
        for (solvable, words) in block.iter_mut().zip(&parts.solvables) {
            let [name, arch, evr, vendor, lists @ ..] = *words;
            set_words(solvable, [name, arch, evr, vendor].map(map), lists.map(at));
        }
        (start, count)
    }
}
