//! ndb databases (`Packages.db`, SUSE), read only.
//!
//! Layout, all integers little-endian: a 32-byte file header (`RpmP`, version, generation, number of 4096-byte slot
//! pages, next package number); then 16-byte slots (`Slot`, package number, block offset, block count) up to the end
//! of the slot pages; a block is 16 bytes. A used slot points at a blob: `BlbS`, package number, generation, length,
//! the header bytes, then zeros up to the tail (Adler-32, length, `BlbE`) in the last 12 bytes of its blocks.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::DbError;
use crate::schema::MAX_HEADER;

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
    file: File,
    path: PathBuf,
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
        let file = File::open(path).map_err(DbError::io(path))?;
        let mut this = Self {
            file,
            path: path.to_path_buf(),
            slots: Vec::new(),
        };
        let mut head = [0; HEAD as usize];
        this.read(&mut head, 0)?;
        if word(&head, 0) != FILE_MAGIC || word(&head, 4) != 0 {
            return Err(this.damaged("not an ndb database of version 0"));
        }
        let pages = word(&head, 12);
        if pages == 0 || pages > MAX_SLOT_PAGES {
            return Err(this.damaged("impossible number of slot pages"));
        }
        // The file header takes the place of the first two slots.
        let mut table = vec![0; usize::try_from(u64::from(pages) * PAGE - HEAD).unwrap_or(0)];
        this.read(&mut table, HEAD)?;
        for raw in table.chunks_exact(SLOT) {
            if word(raw, 0) != SLOT_MAGIC {
                return Err(this.damaged("a slot without its mark"));
            }
            let slot = NdbSlot {
                package: word(raw, 4),
                offset: word(raw, 8),
                blocks: word(raw, 12),
            };
            if slot.package != 0 && slot.offset != 0 {
                this.slots.push(slot);
            }
        }
        this.slots.sort_by_key(|slot| slot.package);
        Ok(this)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Package numbers, ascending.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.iter().map(|slot| slot.package)
    }

    /// The header bytes of a package.
    pub(crate) fn blob(&self, package: u32) -> Result<Option<Vec<u8>>, DbError> {
        let Ok(at) = self.slots.binary_search_by_key(&package, |s| s.package) else {
            return Ok(None);
        };
        let Some(slot) = self.slots.get(at) else {
            return Ok(None);
        };
        let start = u64::from(slot.offset) * BLOCK;
        let mut head = [0; 16];
        self.read(&mut head, start)?;
        let length = word(&head, 12);
        let room = u64::from(slot.blocks) * BLOCK;
        if word(&head, 0) != BLOB_MAGIC || word(&head, 4) != package {
            return Err(self.damaged("a header without its mark"));
        }
        if length > MAX_HEADER || u64::from(length) + 16 + TAIL > room {
            return Err(self.damaged("a header larger than its blocks"));
        }
        let mut tail = [0; TAIL as usize];
        self.read(&mut tail, start + room - TAIL)?;
        if word(&tail, 4) != length || word(&tail, 8) != TAIL_MAGIC {
            return Err(self.damaged("a header without its end mark"));
        }
        let mut blob = vec![0; length as usize];
        self.read(&mut blob, start + 16)?;
        Ok(Some(blob))
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), DbError> {
        self.file.read_exact_at(buffer, offset).map_err(|e| {
            if e.kind() == std::io::ErrorKind::UnexpectedEof {
                self.damaged("the file is cut short")
            } else {
                DbError::io(&self.path)(e)
            }
        })
    }

    fn damaged(&self, why: &'static str) -> DbError {
        DbError::Ndb {
            path: self.path.clone(),
            why,
        }
    }
}

/// The little-endian number at `at`; zero past the end, which no caller asks for.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}
