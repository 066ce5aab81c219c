//! What can be wrong with a package, one variant per situation.

use thiserror::Error;

/// Why a header was refused. The numbers in the comments are rpm's own order of checks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The eight magic bytes are not those of a header (file only).
    #[error("bad header magic")]
    Magic,
    /// The bytes end before the header does, or go on after it.
    #[error("header of {expected} bytes, but {actual} bytes are available")]
    Size {
        /// Bytes that the counts in the intro call for.
        expected: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// More index entries than [`crate::header::MAX_MAIN_ENTRIES`] or
    /// [`crate::header::MAX_SIGNATURE_ENTRIES`], or none.
    #[error("header claims {0} index entries")]
    EntryCount(u32),
    /// More data bytes than [`crate::header::MAX_DATA`] or
    /// [`crate::header::MAX_SIGNATURE_DATA`].
    #[error("header claims {0} data bytes")]
    DataSize(u32),
    /// No region entry: a package in the v3 format of rpm before 4.0, or garbage.
    #[error("header has no region: v3 packages are not supported (first tag {first_tag})")]
    NoRegion {
        /// Tag of the first index entry.
        first_tag: u32,
    },
    /// The region entry or its trailer is not what it must be.
    #[error("bad header region: {0}")]
    Region(&'static str),
    /// A package file's main header must be all region.
    #[error(
        "header region covers {region_entries} of {entries} entries, {region_data} of {data} data bytes"
    )]
    RegionSize {
        /// Entries inside the region.
        region_entries: u32,
        /// All entries.
        entries: u32,
        /// Data bytes inside the region.
        region_data: u32,
        /// All data bytes.
        data: u32,
    },
    /// An index entry is invalid.
    #[error("bad header entry {index} (tag {tag}): {problem}")]
    Entry {
        /// Position in the index.
        index: usize,
        /// The entry's tag.
        tag: u32,
        /// What is wrong.
        problem: EntryProblem,
    },
    /// The entries do not fill the data area exactly.
    #[error("header entries use {used} of {data} data bytes")]
    Unaccounted {
        /// Sum of the aligned entry lengths and the trailer.
        used: u64,
        /// Data bytes that the header claims.
        data: u32,
    },
}

/// What is wrong with one index entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EntryProblem {
    /// Tags below 100 are reserved for regions.
    #[error("reserved tag")]
    Tag,
    /// Type outside 1 to 9.
    #[error("unknown type")]
    Type,
    /// Zero, larger than the data area, or more than [`crate::header::MAX_COUNT`].
    #[error("bad count")]
    Count,
    /// Not a multiple of the type's size.
    #[error("offset is not aligned")]
    Alignment,
    /// Negative or after the end of the data area.
    #[error("offset outside the data")]
    Offset,
    /// The tag is known and has another type.
    #[error("wrong type for this tag")]
    KnownType,
    /// The value goes past the end of the data, or a string has no end.
    #[error("value is cut short")]
    Truncated,
    /// Two values share bytes.
    #[error("value overlaps another")]
    Overlap,
}
