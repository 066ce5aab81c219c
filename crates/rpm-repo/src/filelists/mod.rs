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
use crate::primary::{FileKind, FileRecord};
pub use crate::record::Summary;
use crate::record::{PackageKey, Span, key_texts};
use crate::xml::{Event, Limits, XmlReader};
pub use write::{END, begin, write_package};

/// One package of filelists; lent to the callback of [`read`] and filled again for the next.
#[derive(Debug, Default)]
pub struct FilelistsPackage {
    text: String,
    key: PackageKey,
    files: Vec<(Span, FileKind)>,
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
/// Errors: what [`XmlReader`] refuses; a package without pkgid or name; a limit.
pub fn read(
    document: &str,
    stream: impl Read,
    limits: &Limits,
    each: &mut dyn FnMut(&FilelistsPackage) -> ControlFlow<()>,
) -> Result<Summary> {
    let mut xml = XmlReader::new(document, stream, limits);
    let mut package = FilelistsPackage::default();
    let mut summary = Summary::from_root(&xml.root("filelists")?);
    loop {
        match xml.next()? {
            Event::Start(tag) if tag.name() == b"package" => {
                package.text.clear();
                package.files.clear();
                let key = PackageKey::from_tag(&tag, &mut package.text, limits);
                package.key = key.map_err(|fault| xml.fault(fault))?;
            }
            Event::Start(_) => {
                xml.skip()?;
                continue;
            }
            Event::End => break,
            Event::Other => continue,
        }
        if summary.records == limits.max_records {
            return Err(xml.error("too many packages"));
        }
        children(&mut xml, &mut package, limits)?;
        summary.records += 1;
        if each(&package).is_break() {
            return Ok(summary);
        }
    }
    xml.finish()?;
    summary.complete = true;
    Ok(summary)
}

fn children<R: Read>(
    xml: &mut XmlReader<'_, R>,
    package: &mut FilelistsPackage,
    limits: &Limits,
) -> Result<()> {
    loop {
        let kind = match xml.next()? {
            Event::Start(tag) if tag.name() == b"file" => crate::primary::file_kind(&tag).map(Some),
            Event::Start(tag) if tag.name() == b"version" => package
                .key
                .version_from(&tag, &mut package.text, limits)
                .map(|()| None),
            Event::Start(_) => Ok(None),
            Event::End => return Ok(()),
            Event::Other => continue,
        };
        let Some(kind) = kind.map_err(|fault| xml.fault(fault))? else {
            xml.skip()?;
            continue;
        };
        let start = package.text.len();
        xml.text_into(&mut package.text, limits.max_record_text)?;
        package
            .files
            .push((Span::since(start, &package.text), kind));
        if package.files.len() > limits.max_items {
            return Err(xml.error("a package with too many files"));
        }
    }
}
