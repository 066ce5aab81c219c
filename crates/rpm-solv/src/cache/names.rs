//! From a name to the packages that are called so or provide it, without reading the others.
//!
//! Sorted numbers of 40 bits of the name's hash and 24 bits of package number: what one name leads to may hold a
//! package of another name with the same bits, which does no harm.

use super::pages::Pages;
use super::{CacheFile, CacheSection};
use crate::error::SolvError;
use crate::ffi::{self, Id};
use std::collections::BTreeSet;
use std::ffi::CStr;
use xxhash_rust::xxh3::xxh3_64;

/// Package numbers fit in this many bits: [`crate::pool::MAX_PACKAGES`] is less.
const PACKAGE_BITS: u32 = 24;
const PACKAGE_MASK: u64 = (1 << PACKAGE_BITS) - 1;

/// The bits that stand for a name.
fn name_bits(name: &[u8]) -> u64 {
    xxh3_64(name) & !PACKAGE_MASK
}

/// The index of the names of `solvables` and of what they provide.
///
/// # Safety
/// `pool` must be live and hold the solvables, whose lists end with 0; nothing may change it meanwhile.
pub(super) unsafe fn name_entries(pool: &ffi::Pool, solvables: &[ffi::Solvable]) -> Vec<u64> {
    let mut entries = Vec::with_capacity(solvables.len() * 2);
    for (number, solvable) in solvables.iter().enumerate() {
        // SAFETY: the solvable and its repository are live (caller); its offset leads to a list of the repository's.
        let provides = unsafe {
            match solvable.provides {
                0 => &[],
                offset => ffi::ids_at((*solvable.repo).idarraydata.add(offset as usize)),
            }
        };
        let mut last = 0;
        for id in std::iter::once(&solvable.name).chain(provides) {
            // SAFETY: the pool is live, and the id one of its strings or relations (caller).
            let name = unsafe { name_of(pool, *id) };
            if name == last {
                continue;
            }
            last = name;
            // SAFETY: as above; texts end with NUL.
            let text = unsafe {
                let start = *pool.ss.strings.add(name as usize) as usize;
                CStr::from_ptr(pool.ss.stringspace.add(start))
            };
            entries.push(name_bits(text.to_bytes()) | number as u64);
        }
    }
    entries.sort_unstable();
    entries.dedup();
    entries
}

/// The name that a dependency is about, as `pool_createwhatprovides` finds it.
///
/// # Safety
/// `id` must be a string or relation of the live pool.
unsafe fn name_of(pool: &ffi::Pool, mut id: Id) -> Id {
    while id as u32 & ffi::REL_BIT != 0 {
        // SAFETY: the relation is the pool's (caller), and made of earlier ones.
        id = unsafe { (*pool.rels.add((id as u32 & !ffi::REL_BIT) as usize)).name };
    }
    id
}

impl CacheFile {
    /// The packages that are called one of `names` or provide it, in file order.
    pub(super) fn numbers_of(
        &self,
        pages: &mut Pages<'_>,
        names: &[String],
    ) -> Result<BTreeSet<u32>, SolvError> {
        let mut numbers = BTreeSet::new();
        let count = pages.length(CacheSection::Names) / 8;
        for name in names {
            let bits = name_bits(name.as_bytes());
            let (mut from, mut to) = (0, count);
            while from < to {
                let middle = from + (to - from) / 2;
                match entry(pages, middle)? < bits {
                    true => from = middle + 1,
                    false => to = middle,
                }
            }
            while from < count {
                let entry = entry(pages, from)?;
                if entry & !PACKAGE_MASK != bits {
                    break;
                }
                numbers.insert((entry & PACKAGE_MASK) as u32);
                from += 1;
            }
        }
        match numbers.last() {
            Some(last) if *last as usize >= self.package_count() => Err(pages.damaged()),
            _ => Ok(numbers),
        }
    }
}

fn entry(pages: &mut Pages<'_>, index: u64) -> Result<u64, SolvError> {
    let mut bytes = [0; 8];
    pages.read(CacheSection::Names, index.saturating_mul(8), &mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
