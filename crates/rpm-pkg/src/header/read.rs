//! Checks on raw header bytes, in rpm's order (docs/reference/packages.md, 1.4; rpm 4.18 `header.c`).

use super::{
    ENTRY_SIZE, Header, HeaderKind, INTRO_SIZE, IndexSlot, MAX_COUNT, MAX_DATA, MAX_MAIN_ENTRIES,
    MAX_SIGNATURE_DATA, MAX_SIGNATURE_ENTRIES, MAX_TOTAL, TagType, tag,
};
use crate::error::{EntryProblem, HeaderError};
use std::sync::Arc;

/// Tags below this one are reserved; rpm's tags are signed, negative ones invalid.
const FIRST_TAG: u32 = 100;

/// The two counts at the start of a header, checked against the limits.
pub(super) struct HeaderCounts {
    entries: u32,
    data: u32,
}

impl HeaderCounts {
    pub(super) fn read(intro: &[u8], kind: HeaderKind) -> Result<Self, HeaderError> {
        let entries = be32(intro, 0);
        let data = be32(intro, 4);
        let (max_entries, max_data) = match kind {
            HeaderKind::Signature => (MAX_SIGNATURE_ENTRIES, MAX_SIGNATURE_DATA),
            HeaderKind::Main | HeaderKind::Database => (MAX_MAIN_ENTRIES, MAX_DATA),
        };
        if entries == 0 || entries > max_entries {
            return Err(HeaderError::EntryCount(entries));
        }
        let counts = HeaderCounts { entries, data };
        if data > max_data || counts.total() >= MAX_TOTAL {
            return Err(HeaderError::DataSize(data));
        }
        Ok(counts)
    }

    pub(super) fn total(&self) -> u64 {
        INTRO_SIZE as u64 + u64::from(self.entries) * ENTRY_SIZE as u64 + u64::from(self.data)
    }
}

/// An index entry or region trailer as stored.
#[derive(Clone, Copy)]
pub(super) struct RawEntry {
    pub(super) tag: u32,
    pub(super) kind: u32,
    pub(super) offset: i32,
    pub(super) count: u32,
}

/// A checked entry, while its header is read.
#[derive(Clone, Copy)]
struct CheckedEntry {
    tag: u32,
    kind: TagType,
    offset: u32,
    length: u32,
}

impl RawEntry {
    /// The entry at a position of the index of a whole header.
    pub(super) fn at(header: &[u8], position: u16) -> Self {
        let start = INTRO_SIZE + usize::from(position) * ENTRY_SIZE;
        RawEntry::read(header.get(start..).unwrap_or_default())
    }

    fn read(bytes: &[u8]) -> Self {
        RawEntry {
            tag: be32(bytes, 0),
            kind: be32(bytes, 4),
            offset: be32(bytes, 8) as i32,
            count: be32(bytes, 12),
        }
    }

    fn is_region_shaped(&self) -> bool {
        self.kind == TagType::Bin as u32 && self.count == ENTRY_SIZE as u32
    }
}

/// Where the region ends.
struct Region {
    entries: u32,
    data: u32,
    trailer: u32,
}

pub(super) fn parse(bytes: Vec<u8>, kind: HeaderKind) -> Result<Header, HeaderError> {
    let actual = bytes.len() as u64;
    let Some(intro) = bytes.get(..INTRO_SIZE) else {
        return Err(HeaderError::Size {
            expected: INTRO_SIZE as u64,
            actual,
        });
    };
    let counts = HeaderCounts::read(intro, kind)?;
    if counts.total() != actual {
        return Err(HeaderError::Size {
            expected: counts.total(),
            actual,
        });
    }
    let data_start = INTRO_SIZE + counts.entries as usize * ENTRY_SIZE;
    let index = bytes.get(INTRO_SIZE..data_start).unwrap_or_default();
    let data = bytes.get(data_start..).unwrap_or_default();
    let region = check_region(index, data, &counts, kind)?;
    let slots = check_entries(index, data, &region, kind)?;
    Ok(Header {
        kind,
        data_start,
        slots,
        region_entries: region.entries,
        region_data: region.data,
        bytes: bytes.into(),
    })
}

/// Checks 6 to 10: the region entry, its trailer, and what they say about sizes.
fn check_region(
    index: &[u8],
    data: &[u8],
    counts: &HeaderCounts,
    kind: HeaderKind,
) -> Result<Region, HeaderError> {
    let entry = RawEntry::read(index);
    let wanted = if kind == HeaderKind::Signature {
        tag::HEADERSIGNATURES
    } else {
        tag::HEADERIMMUTABLE
    };
    if entry.tag != wanted {
        return Err(HeaderError::NoRegion {
            first_tag: entry.tag,
        });
    }
    if !entry.is_region_shaped() {
        return Err(HeaderError::Region("entry has the wrong type or count"));
    }
    let outside = HeaderError::Region("offset outside the data");
    let Some(start) = usize::try_from(entry.offset).ok() else {
        return Err(outside);
    };
    let Some(trailer) = data.get(start..).and_then(|rest| rest.get(..ENTRY_SIZE)) else {
        return Err(outside);
    };
    let trailer = RawEntry::read(trailer);
    let old_image = kind == HeaderKind::Signature && trailer.tag == tag::HEADERIMAGE;
    if !trailer.is_region_shaped() || (trailer.tag != entry.tag && !old_image) {
        return Err(HeaderError::Region("bad trailer"));
    }
    let size = i64::from(trailer.offset)
        .checked_neg()
        .and_then(|v| u32::try_from(v).ok());
    let Some(index_size) = size.filter(|v| v % ENTRY_SIZE as u32 == 0 && *v > 0) else {
        return Err(HeaderError::Region("bad size in the trailer"));
    };
    let region = Region {
        entries: index_size / ENTRY_SIZE as u32,
        data: start as u32 + ENTRY_SIZE as u32,
        trailer: start as u32,
    };
    let exact = region.entries == counts.entries && region.data == counts.data;
    let fits = region.entries <= counts.entries && region.data <= counts.data;
    if !fits || (kind == HeaderKind::Main && !exact) {
        return Err(HeaderError::RegionSize {
            region_entries: region.entries,
            entries: counts.entries,
            region_data: region.data,
            data: counts.data,
        });
    }
    Ok(region)
}

/// Checks 11 to 22: every entry by itself, against its neighbours, and the sum of all. Gives the places of the values.
fn check_entries(
    index: &[u8],
    data: &[u8],
    region: &Region,
    kind: HeaderKind,
) -> Result<Arc<[IndexSlot]>, HeaderError> {
    let mut slots = Vec::with_capacity(index.len() / ENTRY_SIZE);
    let mut end = 0_u32;
    let mut used = 0_u64;
    for (position, raw) in index.chunks_exact(ENTRY_SIZE).enumerate().skip(1) {
        let raw = RawEntry::read(raw);
        let fail = |problem| HeaderError::Entry {
            index: position,
            tag: raw.tag,
            problem,
        };
        let entry = check_entry(&raw, data, kind).map_err(fail)?;
        let entry_end = entry.offset + entry.length;
        let in_region = position < region.entries as usize;
        let crosses = entry.offset < region.data && entry_end > region.trailer;
        if entry.offset < end || crosses || in_region != (entry.offset < region.data) {
            return Err(fail(EntryProblem::Overlap));
        }
        end = entry_end;
        used = used.next_multiple_of(u64::from(entry.kind.size())) + u64::from(entry.length);
        let position = u16::try_from(position).map_err(|_| fail(EntryProblem::Count))?;
        let length = entry.length;
        slots.push((entry.tag, IndexSlot { length, position }));
    }
    used += ENTRY_SIZE as u64;
    if used != data.len() as u64 {
        return Err(HeaderError::Unaccounted {
            used,
            data: data.len() as u32,
        });
    }
    Ok(sort(slots))
}

fn check_entry(
    raw: &RawEntry,
    data: &[u8],
    kind: HeaderKind,
) -> Result<CheckedEntry, EntryProblem> {
    if raw.tag < FIRST_TAG || i32::try_from(raw.tag).is_err() {
        return Err(EntryProblem::Tag);
    }
    let value = TagType::from_number(raw.kind).ok_or(EntryProblem::Type)?;
    let too_many = value != TagType::Bin && raw.count > MAX_COUNT;
    if raw.count == 0 || raw.count as usize > data.len() || too_many {
        return Err(EntryProblem::Count);
    }
    let offset = u32::try_from(raw.offset).map_err(|_| EntryProblem::Offset)?;
    if offset % value.size() != 0 {
        return Err(EntryProblem::Alignment);
    }
    let rest = data.get(offset as usize..).ok_or(EntryProblem::Offset)?;
    if kind != HeaderKind::Signature && !fits_known_type(raw.tag, value) {
        return Err(EntryProblem::KnownType);
    }
    let length = value_length(value, raw.count, rest).ok_or(EntryProblem::Truncated)?;
    Ok(CheckedEntry {
        tag: raw.tag,
        kind: value,
        offset,
        length,
    })
}

/// Whether a known tag has its documented type; the string types stand for each other.
fn fits_known_type(tag: u32, value: TagType) -> bool {
    match tag::known_type(tag) {
        None => true,
        Some(known) => known == value || (known.is_text() && value.is_text()),
    }
}

/// Bytes of a value at the start of `rest`.
fn value_length(kind: TagType, count: u32, rest: &[u8]) -> Option<u32> {
    if !kind.is_text() {
        let length = count.checked_mul(kind.size())?;
        return (length as usize <= rest.len()).then_some(length);
    }
    if kind == TagType::String && count != 1 {
        return None;
    }
    let mut ends = memchr::memchr_iter(0, rest);
    let last = ends.nth(count.checked_sub(1)? as usize)?;
    u32::try_from(last + 1).ok()
}

/// Sorts by tag. A later entry replaces an earlier one of the same tag: entries that a database
/// added win over those of the region, as in rpm's `hdrblobImport`.
fn sort(mut slots: Vec<(u32, IndexSlot)>) -> Arc<[IndexSlot]> {
    slots.sort_by_key(|(tag, _)| *tag);
    slots.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            *kept = *later;
        }
        same
    });
    slots.into_iter().map(|(_, slot)| slot).collect()
}

/// A big-endian integer at `at`; 0 when the bytes are missing, which callers have excluded.
fn be32(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    four.map_or(0, |four| u32::from_be_bytes(*four))
}
