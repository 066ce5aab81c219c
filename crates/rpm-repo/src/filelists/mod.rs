//! `filelists.xml`: every file of every package.
//!
//! The largest document of a repository by far (600 MB for 65,000 packages): one reused package, one
//! text buffer, no allocation per file.

mod header;
pub(crate) use header::each_file;
mod write;

use std::io::Read;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::primary::{FileKind, FileRecord, written_file};
pub use crate::record::ParseSummary;
use crate::record::{Listing, PackageKey, TextSpan, key_texts, read_listings};
use crate::xml::{Parsed, Tag, Written, XmlLimits};
pub use write::{END, begin, write_package};

/// One package of filelists; lent to the callback of [`read`] and filled again for the next.
#[derive(Debug, Default)]
pub struct FilelistsPackage {
    text: String,
    key: PackageKey,
    files: Vec<(TextSpan, FileKind)>,
}

key_texts!(FilelistsPackage);

impl FilelistsPackage {
    /// Every file, in the order of the document.
    pub fn files(&self) -> impl ExactSizeIterator<Item = FileRecord<'_>> {
        self.files.iter().map(|&(path, kind)| FileRecord {
            path: path.of(&self.text),
            kind,
        })
    }
}

/// Reads a filelists document; `document` is its name in errors. `each` sees every package in the
/// order of the document and may stop the reading. As with [`crate::primary::read`], what was
/// made of the packages must be thrown away when this returns an error.
///
/// A package that metadata cannot have ([`FilelistsPackage::fault`]) is left out, and the summary tells of it. Errors:
/// what [`XmlReader`] refuses; too many packages.
pub fn read(
    document: &str,
    stream: impl Read,
    limits: &XmlLimits,
    each: &mut dyn FnMut(&FilelistsPackage) -> ControlFlow<()>,
) -> Result<ParseSummary> {
    read_listings(document, stream, limits, each)
}

impl Listing for FilelistsPackage {
    const ROOT: &'static str = "filelists";
    const ITEM: &'static [u8] = b"file";
    const TOO_MANY: &'static str = "a package with too many files";
    type Item = FileKind;

    fn key(&mut self) -> (&mut PackageKey, &mut String) {
        (&mut self.key, &mut self.text)
    }

    fn parts(&self) -> (&PackageKey, &str) {
        (&self.key, &self.text)
    }

    fn spans(&self) -> impl Iterator<Item = TextSpan> {
        self.files.iter().map(|file| file.0)
    }

    fn clear_items(&mut self) {
        self.files.clear();
    }

    fn item(tag: &Tag<'_>, _: &mut String, _: &XmlLimits) -> Parsed<FileKind> {
        crate::primary::file_kind(tag)
    }

    fn push(&mut self, kind: FileKind, path: TextSpan) -> usize {
        self.files.push((path, kind));
        self.files.len()
    }

    fn push_written(&mut self, text: &str, limits: &XmlLimits) -> usize {
        let mut written = Written::new(text);
        let mut done = 0;
        while self.files.len() < limits.max_items
            && let Some((kind, path)) = written_file(&mut written)
        {
            let start = self.text.len();
            let has_room = start + path.raw.len() <= limits.max_record_text;
            if !has_room || path.push_to(&mut self.text).is_none() {
                self.text.truncate(start);
                break;
            }
            let span = TextSpan::since(start, &self.text);
            self.files.push((span, kind));
            done = written.place();
        }
        done
    }
}
