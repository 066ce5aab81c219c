//! `other.xml`: the changelogs of every package.

mod header;
mod write;

use std::io::Read;
use std::ops::ControlFlow;

use crate::error::Result;
pub use crate::record::ParseSummary;
use crate::record::{Listing, PackageKey, TextSpan, keep, key_texts, read_listings};
use crate::xml::{Parsed, Tag, XmlLimits, number};
pub use header::CHANGELOG_LIMIT;
pub use write::{END, begin, write_package};

/// One package of other; lent to the callback of [`read`] and filled again for the next.
#[derive(Debug, Default)]
pub struct OtherPackage {
    text: String,
    key: PackageKey,
    changelogs: Vec<OtherEntry>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct OtherEntry {
    author: TextSpan,
    date: u64,
    text: TextSpan,
}

/// One changelog entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changelog<'p> {
    /// Who wrote it, often with the version.
    pub author: &'p str,
    /// When, seconds since 1970.
    pub date: u64,
    /// What changed.
    pub text: &'p str,
}

key_texts!(OtherPackage);

impl OtherPackage {
    /// Every entry, in the order of the document (createrepo writes the oldest first).
    pub fn changelogs(&self) -> impl ExactSizeIterator<Item = Changelog<'_>> {
        self.changelogs.iter().map(|entry| Changelog {
            author: entry.author.of(&self.text),
            date: entry.date,
            text: entry.text.of(&self.text),
        })
    }
}

/// Reads an other document; `document` is its name in errors. `each` sees every package in the
/// order of the document and may stop the reading. As with [`crate::primary::read`], what was
/// made of the packages must be thrown away when this returns an error.
///
/// A package that metadata cannot have ([`OtherPackage::fault`], a date that is none) is left out, and the summary tells
/// of it. Errors: what [`XmlReader`] refuses; too many packages.
pub fn read(
    document: &str,
    stream: impl Read,
    limits: &XmlLimits,
    each: &mut dyn FnMut(&OtherPackage) -> ControlFlow<()>,
) -> Result<ParseSummary> {
    read_listings(document, stream, limits, each)
}

impl Listing for OtherPackage {
    const ROOT: &'static str = "otherdata";
    const ITEM: &'static [u8] = b"changelog";
    const TOO_MANY: &'static str = "a package with too many changelog entries";
    type Item = OtherEntry;

    fn key(&mut self) -> (&mut PackageKey, &mut String) {
        (&mut self.key, &mut self.text)
    }

    fn parts(&self) -> (&PackageKey, &str) {
        (&self.key, &self.text)
    }

    fn spans(&self) -> impl Iterator<Item = TextSpan> {
        let entries = self.changelogs.iter();
        entries.flat_map(|entry| [entry.author, entry.text])
    }

    fn clear_items(&mut self) {
        self.changelogs.clear();
    }

    fn item(tag: &Tag<'_>, text: &mut String, limits: &XmlLimits) -> Parsed<OtherEntry> {
        changelog(tag, text, limits)
    }

    fn push(&mut self, entry: OtherEntry, text: TextSpan) -> usize {
        self.changelogs.push(OtherEntry { text, ..entry });
        self.changelogs.len()
    }
}

fn changelog(tag: &Tag<'_>, text: &mut String, limits: &XmlLimits) -> Parsed<OtherEntry> {
    let mut entry = OtherEntry {
        author: TextSpan::default(),
        date: 0,
        text: TextSpan::default(),
    };
    tag.attributes(|key, value| {
        match key {
            b"author" => entry.author = keep(value, text, limits.max_record_text)?,
            b"date" => entry.date = number(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(entry)
}
