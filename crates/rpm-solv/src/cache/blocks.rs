//! The fact records of a cache file in blocks: those of plans as they are, the others compressed.
//!
//! A plan asks for thousands of packages in any order, so its part must not be decompressed; the texts of many packages
//! together take a quarter of their length.

use super::CacheFile;
use crate::error::SolvError;
use crate::facts::{self, FACT_PARTS, FactPart};
use std::collections::VecDeque;
use std::io;
use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::{Compressor, Decompressor};

/// A block is closed when its records take this many bytes.
const FULL: usize = 40 << 10;
/// zstd's fastest but some: a stronger one costs more time than making a cache has.
const LEVEL: i32 = -1;
/// Most bytes of a part: more than any record has.
const MAX_PART: u32 = 128 << 20;
/// So many parts that were read last are kept: packages in the order of names may come from several places.
const RECENT: usize = 12;
/// Numbers per block in the table: its packages, then for each part its bytes in the file, those of the records, and a
/// checksum.
const BLOCK_WORDS: usize = 1 + 3 * FACT_PARTS;

/// A row of the table.
pub(super) type BlockRow = [u32; BLOCK_WORDS];

/// Gathers records into blocks.
pub(super) struct BlockWriter {
    parts: [Vec<u8>; FACT_PARTS],
    packages: u32,
    /// None where the texts stay plain.
    compressor: Option<Compressor<'static>>,
    table: Vec<BlockRow>,
}

impl BlockWriter {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            parts: Default::default(),
            packages: 0,
            compressor: Some(Compressor::new(LEVEL)?),
            table: Vec::new(),
        })
    }

    pub(super) fn leave_plain(&mut self) {
        self.compressor = None;
    }

    /// Adds a package to the block, whose records `put` appends: whether the block must be closed now.
    pub(super) fn add(&mut self, put: &mut dyn FnMut(FactPart, &mut Vec<u8>)) -> bool {
        for part in FactPart::ALL {
            put(part, &mut self.parts[part as usize]);
        }
        self.packages += 1;
        self.parts.iter().map(Vec::len).sum::<usize>() >= FULL
    }

    /// Closes the block and hands its bytes to `write`, part by part.
    pub(super) fn close(
        &mut self,
        write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.packages == 0 {
            return Ok(());
        }
        let mut row = [self.packages; BLOCK_WORDS];
        for (part, numbers) in FactPart::ALL.into_iter().zip(row[1..].as_chunks_mut().0) {
            let records = &mut self.parts[part as usize];
            let length = records.len() as u32;
            let packed = match &mut self.compressor {
                Some(compressor) if part != FactPart::Plan => Some(compressor.compress(records)?),
                _ => None,
            };
            let shorter = packed
                .as_ref()
                .filter(|packed| packed.len() < records.len());
            let stored = shorter.unwrap_or(records);
            *numbers = [stored.len() as u32, length, xxh3_64(stored) as u32];
            write(stored)?;
            records.clear();
        }
        self.table.push(row);
        self.packages = 0;
        Ok(())
    }

    /// The closed blocks; what is needed for more is freed, for the rest of the file takes the most memory.
    pub(super) fn finish(&mut self) -> Vec<BlockRow> {
        self.parts = Default::default();
        self.compressor = None;
        std::mem::take(&mut self.table)
    }
}

/// Where a block lies and what is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// Number of its first package.
    first: u32,
    /// Number of the package behind its last.
    pub(super) end: u32,
    at: u64,
    /// For each part its bytes in the file, those of the records, and a checksum.
    parts: [[u32; 3]; FACT_PARTS],
}

/// The blocks of a table, from the first byte of the facts on, and where they end: none if their numbers do not fit.
pub(super) fn blocks(table: &[BlockRow], mut at: u64) -> Option<(Vec<Block>, u64)> {
    let mut first: u32 = 0;
    let mut blocks = Vec::with_capacity(table.len());
    for [packages, numbers @ ..] in table {
        let mut parts = [[0; 3]; FACT_PARTS];
        parts.copy_from_slice(numbers.as_chunks().0);
        let end = first.checked_add(*packages)?;
        blocks.push(Block {
            first,
            end,
            at,
            parts,
        });
        first = end;
        for [stored, length, _] in parts {
            if stored.max(length) > MAX_PART {
                return None;
            }
            at = at.checked_add(u64::from(stored))?;
        }
    }
    Some((blocks, at))
}

/// Reads parts of blocks, and keeps those that were read last, the latest first.
#[derive(Default)]
pub(super) struct BlockReader {
    recent: VecDeque<(u64, FactPart, Vec<u8>)>,
    stored: Vec<u8>,
    decompressor: Option<Decompressor<'static>>,
}

impl BlockReader {
    /// Reads the records of a part into `records`.
    fn read(
        &mut self,
        cache: &CacheFile,
        block: &Block,
        part: FactPart,
        records: &mut Vec<u8>,
    ) -> Result<(), SolvError> {
        let damaged = || cache.unusable("a block is damaged");
        let (before, rest) = block.parts.split_at(part as usize);
        let [stored, length, sum] = rest.first().copied().ok_or_else(damaged)?;
        let at = block.at + before.iter().map(|part| u64::from(part[0])).sum::<u64>();
        self.stored.resize(stored as usize, 0);
        cache.read(&mut self.stored, at)?;
        if xxh3_64(&self.stored) as u32 != sum {
            return Err(damaged());
        }
        // What would not have become shorter is not compressed.
        if stored == length {
            std::mem::swap(&mut self.stored, records);
            return Ok(());
        }
        let mut decompressor = match self.decompressor.take() {
            Some(decompressor) => decompressor,
            None => Decompressor::new().map_err(cache.io())?,
        };
        records.clear();
        records.reserve_exact(length as usize);
        let whole = decompressor.decompress_to_buffer(&self.stored, records);
        self.decompressor = Some(decompressor);
        match whole {
            Ok(bytes) if bytes == length as usize => Ok(()),
            _ => Err(damaged()),
        }
    }
}

impl CacheFile {
    /// Lends the record of package `index` to `look`.
    pub(crate) fn record<T>(
        &self,
        index: u32,
        part: FactPart,
        look: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, SolvError> {
        let damaged = || self.unusable("a record is damaged");
        let number = self.blocks.partition_point(|block| block.end <= index);
        let block = self.blocks.get(number).ok_or_else(damaged)?;
        let mut reader = self.reader.borrow_mut();
        let have = reader
            .recent
            .iter()
            .position(|(at, kind, _)| *at == block.at && *kind == part);
        let latest = match have.and_then(|have| reader.recent.remove(have)) {
            Some(latest) => latest,
            None => {
                let mut records = Vec::new();
                reader.read(self, block, part, &mut records)?;
                (block.at, part, records)
            }
        };
        let found = facts::bodies(&latest.2)
            .nth((index - block.first) as usize)
            .and_then(look);
        reader.recent.truncate(RECENT - 1);
        reader.recent.push_front(latest);
        found.ok_or_else(damaged)
    }

    /// Reads all records of one part in order, and hands each to `visit` with its package number.
    pub(crate) fn scan(
        &self,
        part: FactPart,
        visit: &mut dyn FnMut(u32, &[u8]),
    ) -> Result<(), SolvError> {
        let mut reader = BlockReader::default();
        let mut records = Vec::new();
        for block in &self.blocks {
            reader.read(self, block, part, &mut records)?;
            let mut index = block.first;
            for body in facts::bodies(&records).take((block.end - block.first) as usize) {
                visit(index, body);
                index += 1;
            }
            if index != block.end {
                return Err(self.unusable("a record is damaged"));
            }
        }
        Ok(())
    }
}
