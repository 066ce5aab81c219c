//! The parser of `primary.xml`.

use std::io::Read;
use std::ops::ControlFlow;

use memchr::memmem::Finder;

use super::ParseSummary;
use super::package::{DEP_LISTS, DepSpans, FileKind, PrimaryPackage};
use super::write::FLAGS;
use crate::error::Result;
use crate::record::{RecordParser, TextSpan, keep, read_records};
use crate::rule::{MAX_DEPS, MAX_LISTED, MEAN_LISTED};
use crate::xml::{Parsed, Tag, XmlFault, XmlLimits, XmlReader, number, number32};

/// Reads a primary document; `document` is its name in errors. `each` sees every package in the
/// order of the document and may stop the reading.
///
/// Packages are handed out before the end of the stream, hence before a verifying stream has
/// verified it: whatever was made of them must be thrown away when this returns an error.
///
/// A package that metadata cannot have ([`PrimaryPackage::fault`], numbers that are none or too large) is left out, and
/// the summary tells of it. Errors: what [`XmlReader`] refuses; too many packages; more dependencies and files than
/// so many packages have.
pub fn read(
    document: &str,
    stream: impl Read,
    limits: &XmlLimits,
    each: &mut dyn FnMut(&PrimaryPackage) -> ControlFlow<()>,
) -> Result<ParseSummary> {
    let mut parser = PrimaryParser {
        end: Finder::new(b"</package>"),
        package: PrimaryPackage::default(),
        limits: *limits,
        left: MAX_LISTED,
        each,
    };
    read_records(document, stream, limits, &mut parser)
}

/// What is said of packages each of which has no more dependencies and files than it may have, but all of them have.
const TOO_MANY_LISTED: &str = "too many dependencies and files for so few packages: this is no repository; if it is, split it";

/// A package, its format, a list in it and an entry.
const LEVELS: u32 = 4;

struct PrimaryParser<'e> {
    end: Finder<'static>,
    package: PrimaryPackage,
    limits: XmlLimits,
    /// Dependencies and files that may still come.
    left: u64,
    each: &'e mut dyn FnMut(&PrimaryPackage) -> ControlFlow<()>,
}

/// A child of `package` or `format` that holds text or attributes.
enum Field {
    Text(fn(&mut PrimaryPackage, TextSpan)),
    Done,
    Format,
    Deps(usize),
    File(FileKind),
}

impl RecordParser for PrimaryParser<'_> {
    const ROOT: &'static str = "metadata";
    const RECORD: &'static [u8] = b"package";
    const TOO_MANY: &'static str = "too many packages";

    fn begin(&mut self, _: &Tag<'_>) -> Parsed<()> {
        self.package.clear();
        Ok(())
    }

    fn whole(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<Option<ControlFlow<()>>> {
        let Some(record) = xml.whole(&self.end, LEVELS) else {
            return Ok(None);
        };
        self.package.clear();
        let read = super::whole::read(record, &mut self.package, &self.limits);
        if read.is_none() || self.package.fault().is_some() {
            return Ok(None);
        }
        let length = record.len();
        xml.pass(length);
        self.finish(xml).map(Some)
    }

    fn called(&self) -> &str {
        self.package.name()
    }

    fn record(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<ControlFlow<()>> {
        self.children(xml, 0)?;
        if let Some(what) = self.package.fault() {
            return Err(xml.fault(XmlFault::of(what)));
        }
        self.finish(xml)
    }
}

impl PrimaryParser<'_> {
    /// Hands out the package that was read.
    fn finish(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<ControlFlow<()>> {
        let listed = self.package.listed();
        let left = self.left.saturating_add(MEAN_LISTED).checked_sub(listed);
        self.left = left.ok_or_else(|| xml.error(TOO_MANY_LISTED))?;
        self.package.tidy_location();
        Ok((self.each)(&self.package))
    }

    /// The children of `package` (level 0) and of `format` (level 1).
    fn children(&mut self, xml: &mut XmlReader<'_, impl Read>, level: u32) -> Result<()> {
        while let Some(field) = xml.child(|tag| field(tag, &mut self.package, &self.limits))? {
            match field {
                Field::Text(put) => {
                    let span = self.text(xml)?;
                    put(&mut self.package, span);
                }
                Field::Format if level == 0 => self.children(xml, 1)?,
                Field::Deps(list) => self.deps(xml, list)?,
                Field::File(kind) => {
                    let path = self.text(xml)?;
                    self.package.files.push((path, kind));
                    if self.package.files.len() > self.limits.max_items {
                        return Err(xml.fault(XmlFault::of("a package with too many files")));
                    }
                }
                Field::Done | Field::Format => xml.skip()?,
            }
        }
        Ok(())
    }

    fn text(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<TextSpan> {
        let start = self.package.text.len();
        xml.text_into(&mut self.package.text, self.limits.max_record_text)?;
        Ok(TextSpan::since(start, &self.package.text))
    }

    fn deps(&mut self, xml: &mut XmlReader<'_, impl Read>, list: usize) -> Result<()> {
        let PrimaryPackage { text, deps, .. } = &mut self.package;
        let max = self.limits.max_record_text;
        while let Some(dep) = xml.child(|tag| match tag.name() {
            b"entry" => dep(tag, text, max).map(Some),
            _ => Ok(None),
        })? {
            xml.skip()?;
            if let (Some(dep), Some(deps)) = (dep, deps.get_mut(list)) {
                deps.push(dep);
                if deps.len() > self.limits.max_items.min(MAX_DEPS) {
                    return Err(xml.fault(XmlFault::of("a package with too many dependencies")));
                }
            }
        }
        Ok(())
    }
}

/// Takes the attributes of a child, and says what else is to be done with it.
fn field(tag: &Tag<'_>, package: &mut PrimaryPackage, limits: &XmlLimits) -> Parsed<Field> {
    let max = limits.max_record_text;
    let field = match tag.name() {
        b"name" => Field::Text(|p, s| p.texts.name = s),
        b"arch" => Field::Text(|p, s| p.texts.arch = s),
        b"summary" => Field::Text(|p, s| p.texts.summary = s),
        b"description" => Field::Text(|p, s| p.texts.description = s),
        b"packager" => Field::Text(|p, s| p.texts.packager = s),
        b"url" => Field::Text(|p, s| p.texts.url = s),
        b"license" => Field::Text(|p, s| p.texts.license = s),
        b"vendor" => Field::Text(|p, s| p.texts.vendor = s),
        b"group" => Field::Text(|p, s| p.texts.group = s),
        b"buildhost" => Field::Text(|p, s| p.texts.buildhost = s),
        b"sourcerpm" => Field::Text(|p, s| p.texts.sourcerpm = s),
        b"checksum" => {
            tag.attributes(|key, value| {
                if key == b"type" {
                    package.texts.checksum_type = keep(value, &mut package.text, max)?;
                }
                Ok(())
            })?;
            Field::Text(|p, s| p.texts.checksum = s)
        }
        b"format" => Field::Format,
        b"file" => Field::File(file_kind(tag)?),
        name => match DEP_LISTS.iter().find(|(_, list)| list.as_bytes() == name) {
            Some((group, _)) => Field::Deps(*group as usize),
            None => return attributes_only(name, tag, package, max),
        },
    };
    Ok(field)
}

/// The children that hold attributes and nothing else.
fn attributes_only(
    name: &[u8],
    tag: &Tag<'_>,
    package: &mut PrimaryPackage,
    max: usize,
) -> Parsed<Field> {
    let PrimaryPackage {
        text,
        texts,
        numbers,
        ..
    } = package;
    tag.attributes(|key, value| {
        match (name, key) {
            (b"version", b"epoch") => numbers.epoch = epoch(value)?.unwrap_or(0),
            (b"version", b"ver") => texts.version = keep(value, text, max)?,
            (b"version", b"rel") => texts.release = keep(value, text, max)?,
            (b"location", b"href") => texts.location = keep(value, text, max)?,
            (b"location", b"base") => texts.location_base = keep(value, text, max)?,
            (b"time", b"file") => numbers.file_time = number(value)?,
            (b"time", b"build") => numbers.build_time = number(value)?,
            (b"size", b"package") => numbers.package_size = size(value)?,
            (b"size", b"installed") => numbers.installed_size = size(value)?,
            (b"size", b"archive") => numbers.archive_size = size(value)?,
            (b"header-range", b"start") => numbers.header_start = size(value)?,
            (b"header-range", b"end") => numbers.header_end = size(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Field::Done)
}

/// A size in bytes: what fits a file offset (below 2^63).
pub(crate) fn size(value: &str) -> Parsed<u64> {
    let size = number(value)?;
    if i64::try_from(size).is_err() {
        return Err(XmlFault::of("a size that is too large"));
    }
    Ok(size)
}

/// An epoch; an empty one is none.
pub(crate) fn epoch(value: &str) -> Parsed<Option<u32>> {
    if value.is_empty() {
        Ok(None)
    } else {
        number32(value).map(Some)
    }
}

/// `<file type="dir|ghost">`.
pub(crate) fn file_kind(tag: &Tag<'_>) -> Parsed<FileKind> {
    let mut kind = FileKind::File;
    tag.attributes(|key, value| {
        kind = match (key, value) {
            (b"type", "dir") => FileKind::Dir,
            (b"type", "ghost") => FileKind::Ghost,
            _ => kind,
        };
        Ok(())
    })?;
    Ok(kind)
}

#[inline]
fn dep(tag: &Tag<'_>, text: &mut String, max: usize) -> Parsed<DepSpans> {
    let mut dep = DepSpans::default();
    tag.attributes(|key, value| {
        match key {
            b"name" => dep.name = keep(value, text, max)?,
            b"flags" => dep.flags = flags(value)?,
            b"epoch" => dep.epoch = epoch(value)?,
            b"ver" => dep.version = keep(value, text, max)?,
            b"rel" => dep.release = keep(value, text, max)?,
            b"pre" => dep.pre = value != "0",
            _ => {}
        }
        Ok(())
    })?;
    if dep.name.is_empty() {
        return Err(XmlFault::of("a dependency without a name"));
    }
    Ok(dep)
}

/// rpm's comparison bits.
pub(super) fn flags(value: &str) -> Parsed<u8> {
    match FLAGS.iter().find(|(_, word)| *word == value) {
        Some((bits, _)) => Ok(*bits),
        None if value.is_empty() => Ok(0),
        None => Err(XmlFault::of("a dependency with an unknown comparison")),
    }
}
