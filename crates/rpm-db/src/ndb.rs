//! ndb databases (`Packages.db`, SUSE): read, and written as a whole.
//!
//! Layout, all integers little-endian: a 32-byte file header (`RpmP`, version, generation, number of 4096-byte slot
//! pages, next package number); then 16-byte slots (`Slot`, package number, block offset, block count) up to the end
//! of the slot pages; a block is 16 bytes. A used slot points at a blob: `BlbS`, package number, generation, length,
//! the header bytes, then zeros up to the tail (Adler-32 of all before it, length, `BlbE`) in the last 12 bytes of its
//! blocks.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

use crate::record_file::{RawFile, RecordFile};
use crate::schema::MAX_HEADER;
use crate::{Backend, Db, DbError};

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
        let mut pairs = slots.windows(2);
        if pairs.any(|pair| matches!(pair, [a, b] if a.package == b.package)) {
            return Err(file.damaged("two headers with one number"));
        }
        // Headers share no block, so together they are no longer than the file.
        let blocks: u64 = slots.iter().map(|slot| u64::from(slot.blocks)).sum();
        if blocks * BLOCK > file.len()? {
            return Err(file.damaged("headers larger than the file"));
        }
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

/// Writes the headers of `db`, each under its number, to a new file. rpm makes the index beside it when it first needs one.
///
/// # Errors
/// No room, `path` exists, or `db` is damaged or too large for the format.
pub(crate) fn write(path: &Path, db: &Db) -> Result<(), DbError> {
    let mut sizes = Vec::new();
    db.for_each_blob(&mut |package, blob| {
        sizes.push((package, blob.len()));
        ControlFlow::Continue(())
    })?;
    let file = File::create_new(path).map_err(DbError::io(path))?;
    let mut to = BufWriter::new(file);
    let mut written = write_slots(&mut to, &sizes);
    db.for_each_blob(&mut |package, blob| {
        if written.is_ok() {
            written = write_blob(&mut to, package, &blob);
        }
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    let ended = written.and_then(|()| to.into_inner().map_err(io::IntoInnerError::into_error));
    let synced = ended.and_then(|file| file.sync_all());
    synced.map_err(DbError::io(path))
}

/// The file header, a slot for each package, and empty slots up to the end of their page.
fn write_slots(to: &mut impl Write, sizes: &[(u32, usize)]) -> io::Result<()> {
    let slots_of_a_page = PAGE / SLOT as u64;
    // The header takes the place of the first two slots.
    let pages = (sizes.len() as u64 + 2).div_ceil(slots_of_a_page);
    let last = sizes.iter().map(|(package, _)| *package).max();
    let next = last
        .unwrap_or(0)
        .checked_add(1)
        .ok_or(io::ErrorKind::FileTooLarge)?;
    let first_generation = 1;
    words(
        to,
        &[FILE_MAGIC, 0, first_generation, fits(pages)?, next, 0, 0, 0],
    )?;
    let mut offset = pages * PAGE / BLOCK;
    for (package, length) in sizes {
        let blocks = blocks(*length);
        words(to, &[SLOT_MAGIC, *package, fits(offset)?, fits(blocks)?])?;
        offset += blocks;
    }
    for _ in sizes.len() as u64 + 2..pages * slots_of_a_page {
        words(to, &[SLOT_MAGIC, 0, 0, 0])?;
    }
    Ok(())
}

fn write_blob(to: &mut impl Write, package: u32, header: &[u8]) -> io::Result<()> {
    let length = fits(header.len() as u64)?;
    let first_generation = 1;
    let mut blob = Vec::new();
    words(&mut blob, &[BLOB_MAGIC, package, first_generation, length])?;
    blob.extend_from_slice(header);
    let end = blocks(header.len()) * BLOCK - TAIL;
    blob.resize(usize::try_from(end).map_err(io::Error::other)?, 0);
    to.write_all(&blob)?;
    words(to, &[adler32(&blob), length, TAIL_MAGIC])
}

/// Blocks that a header of this length takes, with what stands before and after it.
fn blocks(length: usize) -> u64 {
    (length as u64 + 16 + TAIL).div_ceil(BLOCK)
}

fn words(to: &mut impl Write, numbers: &[u32]) -> io::Result<()> {
    numbers
        .iter()
        .try_for_each(|number| to.write_all(&number.to_le_bytes()))
}

fn fits(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

/// RFC 1950, 8.2.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % MODULUS;
        (a, (b + a) % MODULUS)
    });
    b << 16 | a
}

/// The little-endian number at `at`; zero past the end, which no caller asks for.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}
