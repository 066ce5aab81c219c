//! The parser of `repomd.xml`.

use std::io::Read;

use rpm_pkg::digest::{Digest, DigestAlgo};

use super::{MAX_RECORDS, MAX_SIZE, Repomd, RepomdRecord};
use crate::error::{Error, Result, quoted};
use crate::layout::Href;
use crate::primary::size;
use crate::xml::{Parsed, Tag, XmlFault, XmlLimits, XmlReader, number, unescape_into};

/// Longest text of one element in bytes.
const MAX_TEXT: usize = 64 << 10;

/// Parses a `repomd.xml`; `document` is its name in errors.
///
/// A file from before open checksums and sizes were written is fine; a record without location is
/// not. Timestamps with a fraction (old createrepo) count as their whole seconds. Of two checksums with unknown
/// algorithms nothing is kept: the record then has no checksum, and it is for the caller to refuse it.
///
/// Errors: larger than [`MAX_SIZE`]; more than [`MAX_RECORDS`]; what [`XmlReader`] refuses; a
/// location that may not be followed; a checksum of the wrong length; numbers that are none.
pub fn parse(document: &str, bytes: &[u8]) -> Result<Repomd> {
    if bytes.len() > MAX_SIZE {
        let what = "repomd.xml is too large";
        return Err(Error::document(document, MAX_SIZE as u64, what));
    }
    let mut parser = RepomdParser {
        xml: XmlReader::new(document, bytes, &XmlLimits::default()),
    };
    parser.repomd()
}

struct RepomdParser<'d, R> {
    xml: XmlReader<'d, R>,
}

/// The children of `repomd`, `data` and `tags` that are looked at.
enum RepomdChild {
    Data(String),
    Tags,
    Revision,
    Other,
}

/// What is known of a record while it is read.
#[derive(Default)]
struct RecordDraft {
    href: Option<String>,
    base: Option<String>,
    checksum: Option<Digest>,
    open_checksum: Option<Digest>,
    size: Option<u64>,
    open_size: Option<u64>,
    timestamp: Option<u64>,
    database_version: Option<u64>,
}

impl<R: Read> RepomdParser<'_, R> {
    fn repomd(&mut self) -> Result<Repomd> {
        self.xml.root("repomd")?;
        let mut repomd = Repomd::default();
        while let Some(child) = self.xml.child(repomd_child)? {
            match child {
                RepomdChild::Data(kind) => {
                    let record = self.data(kind)?;
                    repomd.records.push(record);
                    if repomd.records.len() > MAX_RECORDS {
                        return Err(self.xml.error("too many records"));
                    }
                }
                RepomdChild::Tags => self.tags(&mut repomd)?,
                RepomdChild::Revision => {
                    let text = self.xml.text(MAX_TEXT)?;
                    repomd.revision = Some(text.trim().to_owned()).filter(|t| !t.is_empty());
                }
                RepomdChild::Other => self.xml.skip()?,
            }
        }
        self.xml.finish()?;
        Ok(repomd)
    }

    fn data(&mut self, kind: String) -> Result<RepomdRecord> {
        let mut draft = RecordDraft::default();
        while let Some((name, attribute)) = self.xml.child(|tag| {
            let attribute = data_child(tag, &mut draft)?;
            Ok((tag.name().to_vec(), attribute))
        })? {
            if name == b"location" {
                self.xml.skip()?;
                continue;
            }
            let text = self.xml.text(MAX_TEXT)?;
            draft
                .put(&name, attribute, text.trim())
                .map_err(|fault| self.xml.fault(fault))?;
        }
        let Some(href) = draft.href else {
            return Err(self
                .xml
                .error(format!("record {} has no location", quoted(&kind))));
        };
        let href = Href::parse(&href).map_err(|error| self.xml.error(error.to_string()))?;
        Ok(RepomdRecord {
            kind,
            href,
            base: draft.base,
            checksum: draft.checksum,
            open_checksum: draft.open_checksum,
            size: draft.size,
            open_size: draft.open_size,
            timestamp: draft.timestamp,
            database_version: draft.database_version,
        })
    }

    fn tags(&mut self, repomd: &mut Repomd) -> Result<()> {
        while let Some((name, cpe)) = self.xml.child(|tag| {
            let cpe = tag.attribute(b"cpeid")?;
            Ok((tag.name().to_vec(), cpe))
        })? {
            let text = self.xml.text(MAX_TEXT)?;
            match name.as_slice() {
                b"repo" => repomd.repo_tags.push(text),
                b"content" => repomd.content_tags.push(text),
                b"distro" => repomd.distro_tags.push((cpe, text)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl RecordDraft {
    fn put(&mut self, name: &[u8], attribute: Option<String>, text: &str) -> Parsed<()> {
        match name {
            b"checksum" => self.checksum = digest(attribute.as_deref(), text)?,
            b"open-checksum" => self.open_checksum = digest(attribute.as_deref(), text)?,
            b"size" => self.size = Some(size(text)?),
            b"open-size" => self.open_size = Some(size(text)?),
            b"database_version" => self.database_version = number(text).ok(),
            b"timestamp" => {
                let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
                self.timestamp = Some(number(whole)?);
            }
            _ => {}
        }
        Ok(())
    }
}

fn repomd_child(tag: &Tag<'_>) -> Parsed<RepomdChild> {
    Ok(match tag.name() {
        b"data" => match tag.attribute(b"type")? {
            Some(kind) if !kind.is_empty() => RepomdChild::Data(kind),
            _ => return Err(XmlFault::of("a record without a type")),
        },
        b"tags" => RepomdChild::Tags,
        b"revision" => RepomdChild::Revision,
        _ => RepomdChild::Other,
    })
}

/// Takes the location; returns the `type` of anything else.
fn data_child(tag: &Tag<'_>, draft: &mut RecordDraft) -> Parsed<Option<String>> {
    if tag.name() != b"location" {
        return tag.attribute(b"type");
    }
    tag.attributes(|key, value| {
        let slot = match key {
            b"href" => &mut draft.href,
            b"base" => &mut draft.base,
            _ => return Ok(()),
        };
        let mut text = String::new();
        unescape_into(value, &mut text)?;
        *slot = Some(text);
        Ok(())
    })?;
    Ok(None)
}

/// A checksum; one of an unknown algorithm is none.
fn digest(kind: Option<&str>, text: &str) -> Parsed<Option<Digest>> {
    let kind = kind.ok_or(XmlFault::of("a checksum without a type"))?;
    match DigestAlgo::from_name(kind) {
        None => Ok(None),
        Some(algo) => match Digest::from_hex(algo, text) {
            Ok(digest) => Ok(Some(digest)),
            Err(_) => Err(XmlFault::of("a checksum that does not fit its type")),
        },
    }
}
