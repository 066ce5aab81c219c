//! Random access to the arrays of a header.

use super::FilesError;
use crate::header::{Header, TagType, big_endian};

/// A string array: where each string begins.
#[derive(Debug, Clone, Default)]
pub(super) struct FileTexts {
    /// Positions in the header's bytes, one more than there are strings.
    starts: Vec<u32>,
}

impl FileTexts {
    /// The strings of `tag`, however many.
    pub(super) fn of(header: &Header, tag: u32) -> Self {
        let (Some(range), Some(entry)) = (header.value_range(tag), header.entry(tag)) else {
            return FileTexts::default();
        };
        if !entry.kind.is_text() {
            return FileTexts::default();
        }
        let mut at = range.start as u32;
        let mut starts = Vec::with_capacity(entry.count as usize + 1);
        starts.push(at);
        for text in entry.strings() {
            at += text.len() as u32 + 1;
            starts.push(at);
        }
        FileTexts { starts }
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
        self.starts.len().saturating_sub(1)
    }

    /// String `index`; empty when it does not exist.
    pub(super) fn get<'a>(&self, header: &'a Header, index: usize) -> &'a [u8] {
        let range = match (self.starts.get(index), self.starts.get(index + 1)) {
            (Some(start), Some(next)) => *start as usize..*next as usize - 1,
            _ => 0..0,
        };
        header.bytes().get(range).unwrap_or_default()
    }
}

/// An integer array of any width.
#[derive(Debug, Clone, Default)]
pub(super) struct Integers {
    start: usize,
    count: usize,
    width: usize,
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
            TagType::Int16 | TagType::Int32 | TagType::Int64 => {
                let width = entry.kind.size() as usize;
                Ok(Integers {
                    start: range.start,
                    count,
                    width,
                })
            }
            _ => Err(wrong),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Integer `index`; 0 when it does not exist.
    pub(super) fn get(&self, header: &Header, index: usize) -> u64 {
        if index >= self.count {
            return 0;
        }
        let start = self.start + index * self.width;
        let bytes = header.bytes().get(start..start + self.width);
        big_endian(bytes.unwrap_or_default())
    }
}
