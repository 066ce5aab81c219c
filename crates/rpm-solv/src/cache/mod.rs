//! The cache file of a repository.
//!
//! ```text
//! magic | blocks of fact records ... | table of blocks | string space | relations | solvables | id arrays | file index | string hashes
//!       | index of names | starts of strings | checksums of pages | footer
//! block: records for plans | summaries, compressed together | details, likewise
//! ```
//! Strings, relations, solvables, arrays and hashes are libsolv's own, numbered as in a pool that holds this
//! repository alone: an empty pool takes them over by copies, any other pool maps them. Each section
//! carries a checksum in the footer, the footer one of its own, each part of a block one in the table. A query that names
//! its packages reads them alone ([`crate::Pool::load_named`]): from the index of names on, page by page, each of which has
//! a checksum as well.
//! Numbers are checked before they are used as indexes, so that not even a file with right checksums
//! and wrong content can make the pool read astray. The byte order is the machine's; the magic says so.

mod blocks;
mod copy;
mod load;
mod names;
mod order;
mod pages;
mod pick;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use copy::EarlierCache;
pub use read::CacheFile;
pub use write::CacheWriter;

use crate::ffi::{self, Id};

/// Format version and byte order: another value means "build it again".
pub(crate) const MAGIC: u64 = u64::from_ne_bytes(*b"rpmsolv4");
/// Longest key.
pub(crate) const MAX_KEY: usize = 96;
/// Numbers per solvable: name, arch, evr, vendor and eight offsets.
pub(crate) const SOLVABLE_WORDS: usize = 12;

/// The sections, in file order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CacheSection {
    Facts,
    Blocks,
    Strings,
    Relations,
    Solvables,
    Arrays,
    FileHashes,
    FilePackages,
    StringHashes,
    /// What [`names`] has.
    Names,
    /// Where every [`pick::STRIDE`]-th string begins.
    StringStarts,
    /// What [`pages`] has of all sections from the strings on to this one.
    Pages,
}

pub(crate) const SECTIONS: usize = 12;

/// Where a section lies and what it must hash to (not used for facts: their blocks have their own).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CachePlace {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) hash: u64,
}

/// The last bytes of the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Footer {
    pub(crate) key: Vec<u8>,
    pub(crate) places: [CachePlace; SECTIONS],
}

/// Bytes of a footer: magic, key length and key, places, hash.
pub(crate) const FOOTER: usize = 8 + 8 + MAX_KEY + SECTIONS * 24 + 8;

impl Footer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER);
        out.extend_from_slice(&MAGIC.to_ne_bytes());
        out.extend_from_slice(&(self.key.len() as u64).to_ne_bytes());
        out.extend_from_slice(&self.key);
        out.resize(16 + MAX_KEY, 0);
        for place in &self.places {
            for number in [place.offset, place.length, place.hash] {
                out.extend_from_slice(&number.to_ne_bytes());
            }
        }
        let hash = xxhash_rust::xxh3::xxh3_64(&out);
        out.extend_from_slice(&hash.to_ne_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8; FOOTER]) -> Option<Self> {
        let (body, hash) = bytes.split_at(FOOTER - 8);
        if word(body, 0)? != MAGIC || xxhash_rust::xxh3::xxh3_64(body) != word(hash, 0)? {
            return None;
        }
        let key_length = usize::try_from(word(body, 1)?).ok()?;
        let mut footer = Self {
            key: body.get(16..16 + MAX_KEY)?.get(..key_length)?.to_vec(),
            places: Default::default(),
        };
        let first = (16 + MAX_KEY) / 8;
        for (index, place) in footer.places.iter_mut().enumerate() {
            place.offset = word(body, first + index * 3)?;
            place.length = word(body, first + index * 3 + 1)?;
            place.hash = word(body, first + index * 3 + 2)?;
        }
        Some(footer)
    }
}

fn word(bytes: &[u8], index: usize) -> Option<u64> {
    let chunk = bytes.get(index * 8..index * 8 + 8)?;
    Some(u64::from_ne_bytes(chunk.try_into().ok()?))
}

/// The numbers of a solvable, in the order of the file.
fn words_of(s: &ffi::Solvable) -> [u32; SOLVABLE_WORDS] {
    [
        s.name as u32,
        s.arch as u32,
        s.evr as u32,
        s.vendor as u32,
        s.provides,
        s.obsoletes,
        s.conflicts,
        s.requires,
        s.recommends,
        s.suggests,
        s.supplements,
        s.enhances,
    ]
}

/// What [`words_of`] reads: four strings, and where eight lists begin.
fn set_words(s: &mut ffi::Solvable, strings: [Id; 4], lists: [u32; 8]) {
    [s.name, s.arch, s.evr, s.vendor] = strings;
    [
        s.provides,
        s.obsoletes,
        s.conflicts,
        s.requires,
        s.recommends,
        s.suggests,
        s.supplements,
        s.enhances,
    ] = lists;
}
