//! Reading a little here and there: behind the facts a cache file is a row of pages, each with a checksum of its own, so
//! that what is read is checked without the rest being read.

use super::{CacheFile, CacheSection};
use crate::error::SolvError;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a page.
const PAGE: usize = 4096;
/// So many pages are held at most, each in the one place that its number has.
const HELD: usize = 512;

/// The checksums of pages that are being written.
#[derive(Default)]
pub(super) struct PageSums {
    page: Vec<u8>,
    sums: Vec<u32>,
}

impl PageSums {
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = PAGE - self.page.len();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.page.extend_from_slice(now);
            if self.page.len() == PAGE {
                self.close();
            }
            bytes = later;
        }
    }

    fn close(&mut self) {
        self.sums.push(xxh3_64(&self.page) as u32);
        self.page.clear();
    }

    /// All of them; the last page may be short.
    pub(super) fn finish(&mut self) -> Vec<u32> {
        if !self.page.is_empty() {
            self.close();
        }
        std::mem::take(&mut self.sums)
    }
}

/// The pages of a file.
pub(super) struct Pages<'a> {
    cache: &'a CacheFile,
    sums: Vec<u32>,
    start: u64,
    end: u64,
    /// Number and bytes.
    held: Vec<(u64, Vec<u8>)>,
}

impl<'a> Pages<'a> {
    pub(super) fn open(cache: &'a CacheFile) -> Result<Self, SolvError> {
        let start = cache.place(CacheSection::Strings).offset;
        let end = cache.place(CacheSection::Pages).offset;
        let sums = cache.words(CacheSection::Pages)?;
        if end.saturating_sub(start).div_ceil(PAGE as u64) != sums.len() as u64 {
            return Err(cache.unusable("its pages do not fill it"));
        }
        Ok(Self {
            cache,
            sums,
            start,
            end,
            held: vec![(u64::MAX, Vec::new()); HELD],
        })
    }

    /// What is said of a file whose numbers lead astray.
    pub(super) fn damaged(&self) -> SolvError {
        self.cache.unusable("its numbers do not fit together")
    }

    /// How many bytes a section has.
    pub(super) fn length(&self, section: CacheSection) -> u64 {
        self.cache.place(section).length
    }

    /// The bytes from `at` on in a section.
    pub(super) fn read(
        &mut self,
        section: CacheSection,
        at: u64,
        mut out: &mut [u8],
    ) -> Result<(), SolvError> {
        let place = self.cache.place(section);
        let end = at.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > place.length) {
            return Err(self.damaged());
        }
        let mut at = place.offset - self.start + at;
        while !out.is_empty() {
            let page = self.page(at / PAGE as u64)?;
            let from = page.get((at % PAGE as u64) as usize..).unwrap_or_default();
            let count = from.len().min(out.len());
            if count == 0 {
                return Err(self.damaged());
            }
            let (now, later) = out.split_at_mut(count);
            now.copy_from_slice(&from[..count]);
            at += count as u64;
            out = later;
        }
        Ok(())
    }

    /// The group of numbers at a place in a section.
    pub(super) fn group<const N: usize>(
        &mut self,
        section: CacheSection,
        index: u64,
    ) -> Result<[u32; N], SolvError> {
        let mut bytes = [[0; 4]; N];
        let at = index.saturating_mul((N * 4) as u64);
        self.read(section, at, bytes.as_flattened_mut())?;
        Ok(bytes.map(u32::from_ne_bytes))
    }

    fn page(&mut self, number: u64) -> Result<&[u8], SolvError> {
        let slot = &mut self.held[(number % HELD as u64) as usize];
        if slot.0 != number {
            slot.0 = u64::MAX;
            let damaged = || self.cache.unusable("a page is damaged");
            let at = self.start + number * PAGE as u64;
            let sum = self.sums.get(number as usize).ok_or_else(damaged)?;
            slot.1.resize(PAGE.min((self.end - at) as usize), 0);
            self.cache.read(&mut slot.1, at)?;
            if xxh3_64(&slot.1) as u32 != *sum {
                return Err(damaged());
            }
            slot.0 = number;
        }
        Ok(&slot.1)
    }
}
