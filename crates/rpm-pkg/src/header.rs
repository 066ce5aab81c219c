//! The header: rpm's tagged, typed records, as found in package files and databases.
//!
//! A [`Header`] exists only after every check that rpm makes (4.18; docs/reference/packages.md, 1.4), so
//! its getters need no error path: a missing tag and a tag of another type both read as absent.

mod iter;
mod read;
pub mod tag;
mod write;

use std::ops::Range;
use std::sync::Arc;

pub use crate::error::HeaderError;
pub use iter::{Strings, U16s, U32s, U64s};
use read::RawEntry;
pub use write::{DatabaseHeader, HeaderBuilder, TagValue, WriteError};

/// The eight bytes before every header in a file; not stored in databases, but part of what
/// header digests and signatures cover.
pub const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
/// Most index entries of a main header or database record (rpm: `hdrchkTags`).
pub const MAX_MAIN_ENTRIES: u32 = 65_535;
/// Most index entries of a signature header.
pub const MAX_SIGNATURE_ENTRIES: u32 = 32;
/// Most data bytes of a main header or database record.
pub const MAX_DATA: u32 = 0x0fff_ffff;
/// Most data bytes of a signature header.
pub const MAX_SIGNATURE_DATA: u32 = 64 * 1024 * 1024;
/// Total size (counts, index, data) must be below this.
pub const MAX_TOTAL: u64 = 256 * 1024 * 1024;
/// Most elements of one entry, byte strings excepted (rpm 4.18 on).
pub const MAX_COUNT: u32 = 0x000f_ffff;

/// Size of one index entry, and of a region's trailer.
const ENTRY_SIZE: usize = 16;
/// Size of the two counts at the start.
const INTRO_SIZE: usize = 8;

/// Where a header comes from; decides the limits and how exact its region must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderKind {
    /// The signature header of a package file.
    Signature,
    /// The main header of a package file.
    Main,
    /// A record of an rpm database: a region followed by added entries.
    Database,
}

/// The type of an entry's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TagType {
    /// One byte each.
    Char = 1,
    /// 8-bit integers.
    Int8 = 2,
    /// 16-bit integers.
    Int16 = 3,
    /// 32-bit integers.
    Int32 = 4,
    /// 64-bit integers.
    Int64 = 5,
    /// One string.
    String = 6,
    /// Bytes.
    Bin = 7,
    /// Strings.
    StringArray = 8,
    /// One string per locale of tag 100.
    I18nString = 9,
}

impl TagType {
    /// The type with this number on disk.
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => TagType::Char,
            2 => TagType::Int8,
            3 => TagType::Int16,
            4 => TagType::Int32,
            5 => TagType::Int64,
            6 => TagType::String,
            7 => TagType::Bin,
            8 => TagType::StringArray,
            9 => TagType::I18nString,
            _ => return None,
        })
    }

    /// Bytes per element, which is also the alignment; 1 for strings.
    pub fn size(self) -> u32 {
        match self {
            TagType::Int16 => 2,
            TagType::Int32 => 4,
            TagType::Int64 => 8,
            _ => 1,
        }
    }

    /// Whether values are NUL-terminated strings.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            TagType::String | TagType::StringArray | TagType::I18nString
        )
    }
}

/// What a checked header keeps of an index entry: a transaction holds thousands of headers, and all else stands in
/// their bytes.
#[derive(Debug, Clone, Copy)]
struct IndexSlot {
    /// Bytes of the value.
    length: u32,
    /// Position in the index; [`MAX_MAIN_ENTRIES`] fits.
    position: u16,
}

/// One tag with its value, borrowed from a header.
#[derive(Debug, Clone, Copy)]
pub struct IndexEntry<'a> {
    /// The tag; see [`tag`].
    pub tag: u32,
    /// The value's type.
    pub kind: TagType,
    /// Number of elements.
    pub count: u32,
    /// The value as stored: big-endian integers, strings with their NULs.
    pub data: &'a [u8],
    /// Whether the entry belongs to the signed region (false: added by a database).
    pub in_region: bool,
}

impl<'a> IndexEntry<'a> {
    /// The strings of a text entry; empty for other types.
    pub fn strings(&self) -> Strings<'a> {
        if self.kind.is_text() {
            Strings::new(self.data, self.count)
        } else {
            Strings::default()
        }
    }

    /// The first element of an integer entry, widened.
    pub fn uint(&self) -> Option<u64> {
        let size = match self.kind {
            TagType::Bin => return None,
            kind if kind.is_text() => return None,
            kind => kind.size() as usize,
        };
        self.data.get(..size).map(big_endian)
    }
}

/// Up to eight bytes as one number.
pub(crate) fn big_endian(bytes: &[u8]) -> u64 {
    let wider = |value, byte: &u8| value << 8 | u64::from(*byte);
    bytes.iter().fold(0, wider)
}

/// A checked header that owns its bytes. A clone shares them.
#[derive(Clone)]
pub struct Header {
    /// Counts, index, data: all that follows the magic.
    bytes: Arc<Vec<u8>>,
    kind: HeaderKind,
    /// Position of the data area in `bytes`.
    data_start: usize,
    /// Entries sorted by tag; added entries have replaced those of the region.
    slots: Arc<[IndexSlot]>,
    region_entries: u32,
    region_data: u32,
}

/// What a header digest or signature covers, in three pieces that follow each other.
#[derive(Debug, Clone, Copy)]
pub struct ImmutableRegion<'a> {
    intro: [u8; 16],
    index: &'a [u8],
    data: &'a [u8],
}

impl ImmutableRegion<'_> {
    /// The pieces: magic and counts, index, data.
    pub fn chunks(&self) -> [&[u8]; 3] {
        [&self.intro, self.index, self.data]
    }

    /// All bytes in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        self.chunks().concat()
    }

    /// A reader over all bytes.
    pub fn reader(&self) -> impl std::io::Read + '_ {
        use std::io::Read as _;
        self.intro.as_slice().chain(self.index).chain(self.data)
    }

    /// Hashes all bytes.
    pub fn digest(&self, algo: crate::digest::DigestAlgo) -> crate::digest::Digest {
        let mut hasher = crate::digest::Hasher::new(algo);
        self.chunks().iter().for_each(|chunk| hasher.update(chunk));
        hasher.finish()
    }
}

impl Header {
    /// Checks `bytes` (counts, index, data; no magic, nothing after) and takes them over.
    ///
    /// # Errors
    /// Everything that makes rpm 4.18 refuse the header, see [`HeaderError`].
    pub fn parse(bytes: impl Into<Vec<u8>>, kind: HeaderKind) -> Result<Self, HeaderError> {
        read::parse(bytes.into(), kind)
    }

    /// Like [`Header::parse`], for bytes that begin with [`MAGIC`].
    pub fn parse_with_magic(bytes: &[u8], kind: HeaderKind) -> Result<Self, HeaderError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(HeaderError::Magic)?;
        read::parse(rest.to_vec(), kind)
    }

    /// Size of the header without magic, from its first 8 bytes, after checking both counts.
    pub fn size_from_counts(counts: [u8; 8], kind: HeaderKind) -> Result<usize, HeaderError> {
        read::HeaderCounts::read(&counts, kind).map(|c| c.total() as usize)
    }

    /// Where the header comes from.
    pub fn kind(&self) -> HeaderKind {
        self.kind
    }

    /// The bytes as stored, without magic: for a database header exactly the blob.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// The magic and the bytes as stored; for a main header the input of header digests.
    pub fn bytes_with_magic(&self) -> Vec<u8> {
        [MAGIC.as_slice(), self.bytes()].concat()
    }

    /// The bytes that digests and signatures of the header cover.
    pub fn immutable_region(&self) -> ImmutableRegion<'_> {
        let mut intro = [0; 16];
        let counts = [self.region_entries, self.region_data].map(u32::to_be_bytes);
        let begin = MAGIC.iter().chain(counts.as_flattened());
        intro
            .iter_mut()
            .zip(begin)
            .for_each(|(to, from)| *to = *from);
        let index_end = INTRO_SIZE + self.region_entries as usize * ENTRY_SIZE;
        let data_end = self.data_start + self.region_data as usize;
        ImmutableRegion {
            intro,
            index: self.bytes.get(INTRO_SIZE..index_end).unwrap_or_default(),
            data: self
                .bytes
                .get(self.data_start..data_end)
                .unwrap_or_default(),
        }
    }

    /// Number of index entries in the region, the region's own entry included.
    pub fn region_entry_count(&self) -> u32 {
        self.region_entries
    }

    /// All entries sorted by tag, the region's own entry excluded.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = IndexEntry<'_>> + '_ {
        self.slots.iter().map(|slot| self.view(slot))
    }

    /// The entry of `tag`.
    pub fn entry(&self, tag: u32) -> Option<IndexEntry<'_>> {
        self.slot(tag).map(|slot| self.view(slot))
    }

    fn slot(&self, tag: u32) -> Option<&IndexSlot> {
        let of = |slot: &IndexSlot| RawEntry::at(&self.bytes, slot.position).tag;
        let index = self.slots.partition_point(|slot| of(slot) < tag);
        self.slots.get(index).filter(|slot| of(slot) == tag)
    }

    fn range(&self, slot: &IndexSlot) -> Range<usize> {
        let offset = RawEntry::at(&self.bytes, slot.position).offset;
        let start = self.data_start + offset as usize;
        start..start + slot.length as usize
    }

    fn view(&self, slot: &IndexSlot) -> IndexEntry<'_> {
        let raw = RawEntry::at(&self.bytes, slot.position);
        IndexEntry {
            tag: raw.tag,
            // The types were checked when the header was read.
            kind: TagType::from_number(raw.kind).unwrap_or(TagType::Bin),
            count: raw.count,
            data: self.bytes.get(self.range(slot)).unwrap_or_default(),
            in_region: (raw.offset as u32) < self.region_data,
        }
    }

    /// Whether the header has `tag`.
    pub fn has(&self, tag: u32) -> bool {
        self.entry(tag).is_some()
    }

    /// Number of elements of `tag`, 0 when absent.
    pub fn count(&self, tag: u32) -> usize {
        self.entry(tag).map_or(0, |entry| entry.count as usize)
    }

    /// First string of `tag` (for translated texts: the untranslated one).
    pub fn string(&self, tag: u32) -> Option<&[u8]> {
        self.strings(tag).next()
    }

    /// First string of `tag` if it is UTF-8.
    pub fn text(&self, tag: u32) -> Option<&str> {
        self.string(tag)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// All strings of `tag`; none when absent.
    pub fn strings(&self, tag: u32) -> Strings<'_> {
        self.entry(tag)
            .map_or_else(Strings::default, |entry| entry.strings())
    }

    /// The 16-bit integers of `tag`; none when absent.
    pub fn u16s(&self, tag: u32) -> U16s<'_> {
        U16s::new(self.raw(tag, TagType::Int16))
    }

    /// The 32-bit integers of `tag`; none when absent.
    pub fn u32s(&self, tag: u32) -> U32s<'_> {
        U32s::new(self.raw(tag, TagType::Int32))
    }

    /// The 64-bit integers of `tag`; none when absent.
    pub fn u64s(&self, tag: u32) -> U64s<'_> {
        U64s::new(self.raw(tag, TagType::Int64))
    }

    /// First 32-bit integer of `tag`.
    pub fn u32(&self, tag: u32) -> Option<u32> {
        self.u32s(tag).next()
    }

    /// First 64-bit integer of `tag`.
    pub fn u64(&self, tag: u32) -> Option<u64> {
        self.u64s(tag).next()
    }

    /// First integer of `tag`, whatever its width.
    pub fn uint(&self, tag: u32) -> Option<u64> {
        self.entry(tag).and_then(|entry| entry.uint())
    }

    /// The bytes of a BIN, CHAR or INT8 value.
    pub fn bin(&self, tag: u32) -> Option<&[u8]> {
        self.entry(tag)
            .filter(|e| matches!(e.kind, TagType::Bin | TagType::Char | TagType::Int8))
            .map(|e| e.data)
    }

    /// Where the value of `tag` lies in [`Header::bytes`].
    pub(crate) fn value_range(&self, tag: u32) -> Option<Range<usize>> {
        self.slot(tag).map(|slot| self.range(slot))
    }

    fn raw(&self, tag: u32, kind: TagType) -> &[u8] {
        self.entry(tag)
            .filter(|entry| entry.kind == kind)
            .map_or(&[], |entry| entry.data)
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header")
            .field("kind", &self.kind)
            .field("entries", &self.slots.len())
            .field("bytes", &self.bytes.len())
            .finish()
    }
}
