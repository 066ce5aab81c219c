//! ndb databases (`Packages.db`, SUSE), read only.
//!
//! Layout, all integers little-endian: a 32-byte file header (`RpmP`, version, generation, number of 4096-byte slot
//! pages, next package number); then 16-byte slots (`Slot`, package number, block offset, block count) up to the end
//! of the slot pages; a block is 16 bytes. A used slot points at a blob: `BlbS`, package number, generation, length,
//! the header bytes, then zeros up to the tail (Adler-32, length, `BlbE`) in the last 12 bytes of its blocks.

use std::path::Path;

use crate::record_file::{RawFile, RecordFile};
use crate::schema::MAX_HEADER;
use crate::{Backend, DbError};

const FILE_MAGIC: u32 = u32::from_le_bytes(*b"RpmP");
const SLOT_MAGIC: u32 = u32::from_le_bytes(*b"Slot");
const BLOB_MAGIC: u32 = u32::from_le_bytes(*b"BlbS");
const TAIL_MAGIC: u32 = u32::from_le_bytes(*b"BlbE");
const HEAD: u64 = 32;
const SLOT: usize = 16;
const PAGE: u64 = 4096;
const BLOCK: u64 = 16;
const TAIL: u64 = 12;
/// Slot pages read: four million packages.
const MAX_SLOT_PAGES: u32 = 1 << 14;

/// An open `Packages.db` and the place of each header in it.
#[derive(Debug)]
pub(crate) struct NdbFile {
    file: RawFile,
    slots: Vec<NdbSlot>,
}

#[derive(Clone, Copy, Debug)]
struct NdbSlot {
    package: u32,
    offset: u32,
    blocks: u32,
}

impl NdbFile {
    pub(crate) fn open(path: &Path) -> Result<Self, DbError> {
        let file = RawFile::open(path, Backend::Ndb)?;
        let mut slots = Vec::new();
        let mut head = [0; HEAD as usize];
        file.read(&mut head, 0)?;
        if word(&head, 0) != FILE_MAGIC || word(&head, 4) != 0 {
            return Err(file.damaged("not an ndb database of version 0"));
        }
        let pages = word(&head, 12);
        if pages == 0 || pages > MAX_SLOT_PAGES {
            return Err(file.damaged("impossible number of slot pages"));
        }
        // The file header takes the place of the first two slots.
        let mut table = vec![0; usize::try_from(u64::from(pages) * PAGE - HEAD).unwrap_or(0)];
        file.read(&mut table, HEAD)?;
        for raw in table.chunks_exact(SLOT) {
            if word(raw, 0) != SLOT_MAGIC {
                return Err(file.damaged("a slot without its mark"));
            }
            let slot = NdbSlot {
                package: word(raw, 4),
                offset: word(raw, 8),
                blocks: word(raw, 12),
            };
            if slot.package != 0 && slot.offset != 0 {
                slots.push(slot);
            }
        }
        slots.sort_by_key(|slot| slot.package);
        Ok(Self { file, slots })
    }
}

impl RecordFile for NdbFile {
    fn numbers(&self) -> Vec<u32> {
        self.slots.iter().map(|slot| slot.package).collect()
    }

    fn blob(&self, package: u32) -> Result<Option<Vec<u8>>, DbError> {
        let Ok(at) = self.slots.binary_search_by_key(&package, |s| s.package) else {
            return Ok(None);
        };
        let Some(slot) = self.slots.get(at) else {
            return Ok(None);
        };
        let start = u64::from(slot.offset) * BLOCK;
        let mut head = [0; 16];
        self.file.read(&mut head, start)?;
        let length = word(&head, 12);
        let room = u64::from(slot.blocks) * BLOCK;
        if word(&head, 0) != BLOB_MAGIC || word(&head, 4) != package {
            return Err(self.file.damaged("a header without its mark"));
        }
        if length > MAX_HEADER || u64::from(length) + 16 + TAIL > room {
            return Err(self.file.damaged("a header larger than its blocks"));
        }
        let mut tail = [0; TAIL as usize];
        self.file.read(&mut tail, start + room - TAIL)?;
        if word(&tail, 4) != length || word(&tail, 8) != TAIL_MAGIC {
            return Err(self.file.damaged("a header without its end mark"));
        }
        let mut blob = vec![0; length as usize];
        self.file.read(&mut blob, start + 16)?;
        Ok(Some(blob))
    }
}

/// The little-endian number at `at`; zero past the end, which no caller asks for.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}
