//! Writing headers: new ones, and database records made of a package's header.
//!
//! Layout: docs/reference/packages.md, 1.3, and docs/reference/rpmdb.md, 2.4, as rpm 4.18 writes it.

use super::{ENTRY_SIZE, Header, HeaderError, HeaderKind, INTRO_SIZE, IndexEntry, TagType, tag};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a header could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// What was written would not be accepted by a reader.
    #[error("header to be written is invalid: {0}")]
    Invalid(#[from] HeaderError),
    /// A string holds a NUL.
    #[error("value of tag {0} has a NUL inside a string")]
    Nul(u32),
}

fn numbers<T, const N: usize>(data: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _) = data.as_chunks::<N>();
    numbers.iter().map(|bytes| read(*bytes)).collect()
}

/// A value to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagValue {
    /// Bytes of type CHAR.
    Char(Vec<u8>),
    /// 8-bit integers.
    Int8(Vec<u8>),
    /// 16-bit integers.
    Int16(Vec<u16>),
    /// 32-bit integers.
    Int32(Vec<u32>),
    /// 64-bit integers.
    Int64(Vec<u64>),
    /// One string, without NUL.
    String(Vec<u8>),
    /// Bytes.
    Bin(Vec<u8>),
    /// Strings, without NULs.
    StringArray(Vec<Vec<u8>>),
    /// A translated text; usually one string.
    I18nString(Vec<Vec<u8>>),
}

impl TagValue {
    /// One 32-bit integer.
    pub fn int32(value: u32) -> Self {
        TagValue::Int32(vec![value])
    }

    /// One string.
    pub fn string(value: impl AsRef<[u8]>) -> Self {
        TagValue::String(value.as_ref().to_vec())
    }

    /// An array of strings.
    pub fn strings<T: AsRef<[u8]>>(values: impl IntoIterator<Item = T>) -> Self {
        TagValue::StringArray(values.into_iter().map(|v| v.as_ref().to_vec()).collect())
    }

    /// The value of an entry that was read. An empty text stands where a string entry has none.
    pub fn of(entry: &IndexEntry<'_>) -> Self {
        let texts = || entry.strings().map(<[u8]>::to_vec).collect();
        match entry.kind {
            TagType::Char => TagValue::Char(entry.data.to_vec()),
            TagType::Int8 => TagValue::Int8(entry.data.to_vec()),
            TagType::Int16 => TagValue::Int16(numbers(entry.data, u16::from_be_bytes)),
            TagType::Int32 => TagValue::Int32(numbers(entry.data, u32::from_be_bytes)),
            TagType::Int64 => TagValue::Int64(numbers(entry.data, u64::from_be_bytes)),
            TagType::String => TagValue::string(entry.strings().next().unwrap_or_default()),
            TagType::Bin => TagValue::Bin(entry.data.to_vec()),
            TagType::StringArray => TagValue::StringArray(texts()),
            TagType::I18nString => TagValue::I18nString(texts()),
        }
    }

    fn encode(&self) -> Encoded {
        let join = |strings: &[Vec<u8>]| {
            let ended = strings.iter().flat_map(|s| s.iter().copied().chain([0]));
            ended.collect::<Vec<u8>>()
        };
        let (kind, count, data) = match self {
            TagValue::Char(v) => (TagType::Char, v.len(), v.clone()),
            TagValue::Int8(v) => (TagType::Int8, v.len(), v.clone()),
            TagValue::Int16(v) => (TagType::Int16, v.len(), stored(v, u16::to_be_bytes)),
            TagValue::Int32(v) => (TagType::Int32, v.len(), stored(v, u32::to_be_bytes)),
            TagValue::Int64(v) => (TagType::Int64, v.len(), stored(v, u64::to_be_bytes)),
            TagValue::String(v) => (TagType::String, 1, join(std::slice::from_ref(v))),
            TagValue::Bin(v) => (TagType::Bin, v.len(), v.clone()),
            TagValue::StringArray(v) => (TagType::StringArray, v.len(), join(v)),
            TagValue::I18nString(v) => (TagType::I18nString, v.len(), join(v)),
        };
        Encoded {
            kind,
            count: u32::try_from(count).unwrap_or(u32::MAX),
            data,
        }
    }

    fn has_inner_nul(&self) -> bool {
        match self {
            TagValue::String(v) => v.contains(&0),
            TagValue::StringArray(v) | TagValue::I18nString(v) => v.iter().any(|s| s.contains(&0)),
            _ => false,
        }
    }
}

fn stored<T: Copy, const N: usize>(numbers: &[T], to_bytes: fn(T) -> [u8; N]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| to_bytes(*number))
        .collect()
}

/// A value in its stored form.
#[derive(Debug, Clone)]
struct Encoded {
    kind: TagType,
    count: u32,
    data: Vec<u8>,
}

impl Encoded {
    fn of(entry: &IndexEntry<'_>) -> Self {
        Encoded {
            kind: entry.kind,
            count: entry.count,
            data: entry.data.to_vec(),
        }
    }
}

/// Entries to be written, each tag once.
#[derive(Debug, Clone, Default)]
struct Values {
    of_tag: BTreeMap<u32, Encoded>,
    nul: Option<u32>,
}

impl Values {
    fn add(&mut self, tag: u32, value: &TagValue) {
        if value.has_inner_nul() {
            self.nul = Some(tag);
        }
        self.of_tag.insert(tag, value.encode());
    }

    fn write(&self, area: &mut Area) -> Result<(), WriteError> {
        if let Some(tag) = self.nul {
            return Err(WriteError::Nul(tag));
        }
        self.of_tag
            .iter()
            .for_each(|(tag, value)| area.push(*tag, value));
        Ok(())
    }
}

/// Index and data while they grow.
#[derive(Default)]
struct Area {
    index: Vec<u8>,
    data: Vec<u8>,
}

impl Area {
    fn push(&mut self, tag: u32, value: &Encoded) {
        let aligned = self.data.len().next_multiple_of(value.kind.size() as usize);
        self.data.resize(aligned, 0);
        let offset = self.data.len() as u32;
        for field in [tag, value.kind as u32, offset, value.count] {
            self.index.extend(field.to_be_bytes());
        }
        self.data.extend(&value.data);
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(INTRO_SIZE + self.index.len() + self.data.len());
        bytes.extend(((self.index.len() / ENTRY_SIZE) as u32).to_be_bytes());
        bytes.extend((self.data.len() as u32).to_be_bytes());
        bytes.extend(self.index);
        bytes.extend(self.data);
        bytes
    }
}

/// Makes a header from nothing, with a region around all its entries: what `gpg-pubkey` records
/// begin as, and what tests need.
#[derive(Debug, Clone, Default)]
pub struct HeaderBuilder {
    values: Values,
}

impl HeaderBuilder {
    /// Starts without entries.
    pub fn new() -> Self {
        HeaderBuilder::default()
    }

    /// Sets the value of `tag`; an earlier one is replaced. Order does not matter.
    pub fn add(&mut self, tag: u32, value: TagValue) -> &mut Self {
        self.values.add(tag, &value);
        self
    }

    /// Writes the header and checks it as a reader would.
    ///
    /// # Errors
    /// Values that no reader accepts: no elements, wrong type for a known tag, NULs in strings.
    pub fn build(&self, kind: HeaderKind) -> Result<Header, WriteError> {
        let region = if kind == HeaderKind::Signature {
            tag::HEADERSIGNATURES
        } else {
            tag::HEADERIMMUTABLE
        };
        let mut area = Area {
            index: vec![0; ENTRY_SIZE],
            data: Vec::new(),
        };
        self.values.write(&mut area)?;
        let index_size = area.index.len() as u32;
        let write = |offset: u32| {
            [region, TagType::Bin as u32, offset, ENTRY_SIZE as u32]
                .map(u32::to_be_bytes)
                .concat()
        };
        let entry = write(area.data.len() as u32);
        area.index.splice(..ENTRY_SIZE, entry);
        area.data.extend(write(index_size.wrapping_neg()));
        Ok(Header::parse(area.into_bytes(), kind)?)
    }
}

/// A database record in the making: a package's region, never altered, and entries added to it.
#[derive(Debug, Clone)]
pub struct DatabaseHeader {
    base: Header,
    added: Values,
}

impl DatabaseHeader {
    /// Starts from a package's main header (or one from [`HeaderBuilder`]). A database record
    /// keeps its added entries, so that changing file states is `from_header`, `add`, `build`.
    pub fn from_header(main: &Header) -> Self {
        let added = main.entries().filter(|entry| !entry.in_region);
        let of_tag = added
            .map(|entry| (entry.tag, Encoded::of(&entry)))
            .collect();
        DatabaseHeader {
            added: Values { of_tag, nul: None },
            base: main.clone(),
        }
    }

    /// Whether region or added entries have `tag`.
    pub fn has(&self, tag: u32) -> bool {
        self.added.of_tag.contains_key(&tag) || self.base.has(tag)
    }

    /// Adds an entry; one of the same tag is replaced (in the region: shadowed).
    pub fn add(&mut self, tag: u32, value: TagValue) -> &mut Self {
        self.added.add(tag, &value);
        self
    }

    /// Adds a copy of `entry` under the number `tag`, as [`Self::add`].
    pub fn copy(&mut self, tag: u32, entry: &IndexEntry<'_>) -> &mut Self {
        self.added.of_tag.insert(tag, Encoded::of(entry));
        self
    }

    /// Writes the record: the blob for the database's Packages table, as a checked header whose
    /// [`Header::bytes`] are the blob.
    ///
    /// # Errors
    /// As [`HeaderBuilder::build`].
    pub fn build(&self) -> Result<Header, WriteError> {
        let region = self.base.immutable_region();
        let mut area = Area {
            index: region.index.to_vec(),
            data: region.data.to_vec(),
        };
        self.added.write(&mut area)?;
        Ok(Header::parse(area.into_bytes(), HeaderKind::Database)?)
    }
}
