//! Writing headers in the form in which a database stores them (reference 1.3 and 2.4).

use rpm_pkg::header::{Entry, Header, Kind, TagType};

use crate::DbError;

const INTRO: usize = 8;
const SLOT: usize = 16;
/// Tag of the region that is covered by digests.
const IMMUTABLE: u32 = 63;
/// Bytes of a whole header; rpm refuses more.
const MAX_BLOB: usize = (256 << 20) - 1;

/// A tag to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    tag: u32,
    kind: TagType,
    count: u32,
    data: Vec<u8>,
}

impl Value {
    /// 32-bit integers.
    pub fn u32s(tag: u32, values: &[u32]) -> Self {
        Self {
            tag,
            kind: TagType::Int32,
            count: count(values.len()),
            data: values.iter().flat_map(|v| v.to_be_bytes()).collect(),
        }
    }

    /// One byte per element, type CHAR.
    pub fn chars(tag: u32, values: &[u8]) -> Self {
        Self {
            tag,
            kind: TagType::Char,
            count: count(values.len()),
            data: values.to_vec(),
        }
    }

    /// One string.
    pub fn string(tag: u32, text: &[u8]) -> Self {
        Self::text(tag, TagType::String, &[text])
    }

    /// One untranslated string of type I18NSTRING.
    pub fn i18n(tag: u32, text: &[u8]) -> Self {
        Self::text(tag, TagType::I18nString, &[text])
    }

    /// Several strings.
    pub fn strings<T: AsRef<[u8]>>(tag: u32, texts: &[T]) -> Self {
        Self::text(tag, TagType::StringArray, texts)
    }

    /// An entry of another header under a new number.
    pub fn copy(tag: u32, entry: &Entry<'_>) -> Self {
        Self {
            tag,
            kind: entry.kind,
            count: entry.count,
            data: entry.data.to_vec(),
        }
    }

    /// A NUL inside a text would end it for every reader: the text is cut there.
    fn text<T: AsRef<[u8]>>(tag: u32, kind: TagType, texts: &[T]) -> Self {
        let mut data = Vec::new();
        for text in texts {
            data.extend(text.as_ref().iter().take_while(|b| **b != 0));
            data.push(0);
        }
        Self {
            tag,
            kind,
            count: count(texts.len()),
            data,
        }
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A region and the tags added to it.
struct Region {
    index: Vec<u8>,
    data: Vec<u8>,
}

/// The main header of a package, byte for byte, followed by `added` tags. A tag with no elements is left out.
///
/// # Errors
/// [`DbError::HeaderTooLarge`].
pub fn with_dribbles(header: &Header, added: Vec<Value>) -> Result<Vec<u8>, DbError> {
    let [_, index, data] = header.immutable_region().chunks().map(<[u8]>::to_vec);
    join(Region { index, data }, added)
}

/// A header of its own: `region` tags in a region 63, `added` tags after it. `added` is asked once the region is
/// known, because digests of the region are among them.
///
/// # Errors
/// [`DbError::HeaderTooLarge`], or [`DbError::BadHeader`] if the tags make no valid header.
pub fn standalone(
    region: Vec<Value>,
    added: impl FnOnce(&Header) -> Vec<Value>,
) -> Result<Vec<u8>, DbError> {
    let region = build_region(region);
    let bare = join(
        Region {
            index: region.index.clone(),
            data: region.data.clone(),
        },
        Vec::new(),
    )?;
    let header = Header::parse(bare, Kind::Main).map_err(|source| DbError::BadHeader {
        what: "a header made here".to_owned(),
        source,
    })?;
    join(region, added(&header))
}

fn build_region(mut values: Vec<Value>) -> Region {
    values.sort_by_key(|value| value.tag);
    let mut index = Vec::new();
    let mut data = Vec::new();
    for value in &values {
        put(&mut index, &mut data, value);
    }
    let entries = values.len() + 1;
    let mut first = slot(IMMUTABLE, TagType::Bin, data.len(), SLOT);
    first.append(&mut index);
    // The trailer's offset is the size of the region's index, negative.
    let back = u32::try_from(entries * SLOT)
        .unwrap_or(u32::MAX)
        .wrapping_neg();
    for word in [IMMUTABLE, TagType::Bin as u32, back, 16] {
        data.extend(word.to_be_bytes());
    }
    Region { index: first, data }
}

fn join(region: Region, mut added: Vec<Value>) -> Result<Vec<u8>, DbError> {
    added.retain(|value| value.count > 0);
    added.sort_by_key(|value| value.tag);
    let Region {
        mut index,
        mut data,
    } = region;
    for value in &added {
        put(&mut index, &mut data, value);
    }
    let total = INTRO + index.len() + data.len();
    if total > MAX_BLOB {
        return Err(DbError::HeaderTooLarge { bytes: total });
    }
    let mut blob = Vec::with_capacity(total);
    blob.extend(count(index.len() / SLOT).to_be_bytes());
    blob.extend(count(data.len()).to_be_bytes());
    blob.append(&mut index);
    blob.append(&mut data);
    Ok(blob)
}

/// Appends one entry: its data at its natural alignment, its index line after those before.
fn put(index: &mut Vec<u8>, data: &mut Vec<u8>, value: &Value) {
    let align = value.kind.size() as usize;
    data.resize(data.len().next_multiple_of(align.max(1)), 0);
    index.append(&mut slot(
        value.tag,
        value.kind,
        data.len(),
        value.count as usize,
    ));
    data.extend_from_slice(&value.data);
}

fn slot(tag: u32, kind: TagType, offset: usize, elements: usize) -> Vec<u8> {
    [tag, kind as u32, count(offset), count(elements)]
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .collect()
}
