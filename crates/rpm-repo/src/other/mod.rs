//! `other.xml`: the changelogs of every package.

mod header;
mod write;

use std::io::Read;
use std::ops::ControlFlow;

use crate::error::Result;
pub use crate::record::Summary;
use crate::record::{PackageKey, Span, keep, key_texts};
use crate::xml::{Event, Fault, Limits, Tag, XmlReader, number};
pub use header::CHANGELOG_LIMIT;
pub use write::{END, begin, write_package};

/// One package of other; lent to the callback of [`read`] and filled again for the next.
#[derive(Debug, Default)]
pub struct OtherPackage {
    text: String,
    key: PackageKey,
    changelogs: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    author: Span,
    date: u64,
    text: Span,
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
/// Errors: what [`XmlReader`] refuses; a package without pkgid or name; a date that is none; a limit.
pub fn read(
    document: &str,
    stream: impl Read,
    limits: &Limits,
    each: &mut dyn FnMut(&OtherPackage) -> ControlFlow<()>,
) -> Result<Summary> {
    let mut xml = XmlReader::new(document, stream, limits);
    let mut package = OtherPackage::default();
    let mut summary = Summary::from_root(&xml.root("otherdata")?);
    loop {
        match xml.next()? {
            Event::Start(tag) if tag.name() == b"package" => {
                package.text.clear();
                package.changelogs.clear();
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
    package: &mut OtherPackage,
    limits: &Limits,
) -> Result<()> {
    loop {
        let entry = match xml.next()? {
            Event::Start(tag) if tag.name() == b"changelog" => {
                changelog(&tag, &mut package.text, limits).map(Some)
            }
            Event::Start(tag) if tag.name() == b"version" => package
                .key
                .version_from(&tag, &mut package.text, limits)
                .map(|()| None),
            Event::Start(_) => Ok(None),
            Event::End => return Ok(()),
            Event::Other => continue,
        };
        let Some(mut entry) = entry.map_err(|fault| xml.fault(fault))? else {
            xml.skip()?;
            continue;
        };
        let start = package.text.len();
        xml.text_into(&mut package.text, limits.max_record_text)?;
        entry.text = Span::since(start, &package.text);
        package.changelogs.push(entry);
        if package.changelogs.len() > limits.max_items {
            return Err(xml.error("a package with too many changelog entries"));
        }
    }
}

fn changelog(tag: &Tag<'_>, text: &mut String, limits: &Limits) -> Parsed<Entry> {
    let mut entry = Entry {
        author: Span::default(),
        date: 0,
        text: Span::default(),
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

type Parsed<T> = std::result::Result<T, Fault>;
