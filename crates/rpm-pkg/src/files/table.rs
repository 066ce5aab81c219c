//! Random access to the arrays of a header.

use super::FilesError;
use crate::header::{Header, TagType, big_endian};
use std::ops::Range;

/// A string array: where each string lies in the header's bytes.
#[derive(Debug, Clone)]
pub(super) enum FileTexts {
    /// All are equally long, as names of owners and empty languages are.
    Even {
        /// Where the first begins.
        start: u32,
        /// Bytes of each, without its NUL.
        length: u32,
        count: u32,
    },
    /// Where each begins, and one more.
    Uneven(Box<[u32]>),
}

impl FileTexts {
    const NONE: FileTexts = FileTexts::Even {
        start: 0,
        length: 0,
        count: 0,
    };

    /// The strings of `tag`, however many.
    pub(super) fn of(header: &Header, tag: u32) -> Self {
        let (Some(range), Some(entry)) = (header.value_range(tag), header.entry(tag)) else {
            return FileTexts::NONE;
        };
        let start = range.start as u32;
        let Some(length) = entry.strings().next().map(<[u8]>::len) else {
            return FileTexts::NONE;
        };
        if entry.strings().all(|text| text.len() == length) {
            return FileTexts::Even {
                start,
                length: length as u32,
                count: entry.count,
            };
        }
        let next = |at: &mut u32, text: &[u8]| {
            *at += text.len() as u32 + 1;
            Some(*at)
        };
        let mut starts = Vec::with_capacity(entry.count as usize + 1);
        starts.push(start);
        starts.extend(entry.strings().scan(start, next));
        FileTexts::Uneven(starts.into())
    }

    /// The strings of `tag`: none at all, or `count`.
    pub(super) fn checked(header: &Header, tag: u32, count: usize) -> Result<Self, FilesError> {
        let texts = FileTexts::of(header, tag);
        let actual = texts.len();
        if header.has(tag) && actual != count {
            return Err(FilesError::Count {
                tag,
                actual,
                expected: count,
            });
        }
        Ok(texts)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            FileTexts::Even { count, .. } => *count as usize,
            FileTexts::Uneven(starts) => starts.len().saturating_sub(1),
        }
    }

    /// Where string `index` lies in the header's bytes; empty when it does not exist.
    fn range(&self, index: usize) -> Range<usize> {
        match self {
            FileTexts::Even {
                start,
                length,
                count,
            } if index < *count as usize => {
                let length = *length as usize;
                let start = *start as usize + index * (length + 1);
                start..start + length
            }
            FileTexts::Even { .. } => 0..0,
            FileTexts::Uneven(starts) => match (starts.get(index), starts.get(index + 1)) {
                (Some(start), Some(next)) => *start as usize..*next as usize - 1,
                _ => 0..0,
            },
        }
    }

    /// String `index`; empty when it does not exist.
    pub(super) fn get<'a>(&self, header: &'a Header, index: usize) -> &'a [u8] {
        header.bytes().get(self.range(index)).unwrap_or_default()
    }
}

/// An integer array of any width.
#[derive(Debug, Clone, Default)]
pub(super) struct Integers {
    start: u32,
    count: u32,
    width: u8,
}

impl Integers {
    /// The integers of `tag`: none at all, or `count`.
    pub(super) fn checked(header: &Header, tag: u32, count: usize) -> Result<Self, FilesError> {
        if header.has(tag) {
            Integers::required(header, tag, count)
        } else {
            Ok(Self::default())
        }
    }

    /// Exactly `count` integers of `tag`.
    pub(super) fn required(header: &Header, tag: u32, count: usize) -> Result<Self, FilesError> {
        let actual = header.count(tag);
        let wrong = FilesError::Count {
            tag,
            actual,
            expected: count,
        };
        if actual != count {
            return Err(wrong);
        }
        let (Some(range), Some(entry)) = (header.value_range(tag), header.entry(tag)) else {
            return Ok(Integers::default());
        };
        match entry.kind {
            TagType::Int16 | TagType::Int32 | TagType::Int64 => Ok(Integers {
                start: range.start as u32,
                count: entry.count,
                width: entry.kind.size() as u8,
            }),
            _ => Err(wrong),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Integer `index`; 0 when it does not exist.
    pub(super) fn get(&self, header: &Header, index: usize) -> u64 {
        if index >= self.count as usize {
            return 0;
        }
        let width = usize::from(self.width);
        let start = self.start as usize + index * width;
        let bytes = header.bytes().get(start..start + width);
        big_endian(bytes.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::FileTexts;
    use crate::header::{HeaderBuilder, HeaderKind, TagValue, tag};

    #[test]
    fn strings_that_are_equally_long_need_no_table() {
        let mut header = HeaderBuilder::new();
        header
            .add(tag::FILEUSERNAME, TagValue::strings(["root"; 3]))
            .add(tag::FILELANGS, TagValue::strings([""; 3]))
            .add(tag::BASENAMES, TagValue::strings(["a", "bc", ""]));
        let header = header.build(HeaderKind::Main).unwrap();
        let texts = |tag| {
            let table = FileTexts::of(&header, tag);
            let texts = (0..=table.len()).map(|i| table.get(&header, i).to_vec());
            let even = matches!(table, FileTexts::Even { count: 3, .. });
            (texts.collect::<Vec<_>>(), even)
        };
        let of = |texts: [&str; 4]| texts.map(|text| text.as_bytes().to_vec()).to_vec();
        assert_eq!(
            texts(tag::FILEUSERNAME),
            (of(["root", "root", "root", ""]), true)
        );
        assert_eq!(texts(tag::FILELANGS), (of([""; 4]), true));
        assert_eq!(texts(tag::BASENAMES), (of(["a", "bc", "", ""]), false));
        assert_eq!(FileTexts::of(&header, tag::FILECAPS).len(), 0);
    }
}
