//! Metalink files: mirrors of `repomd.xml` with its checksums.

use std::io::Read;

use rpm_pkg::digest::{Digest, DigestAlgo};

use crate::error::{Error, Result};
use crate::mirrorlist::is_url;
use crate::xml::{Parsed, Tag, XmlFault, XmlLimits, XmlReader, number};

#[cfg(test)]
mod tests;

/// Largest metalink file in bytes.
pub const MAX_SIZE: usize = 4 << 20;
/// Most mirrors that are kept; the rest is skipped.
pub const MAX_MIRRORS: usize = 1000;
/// Longest URL or checksum in bytes.
const MAX_TEXT: usize = 64 << 10;
/// The file that counts.
const FILE_NAME: &str = "repomd.xml";
/// What every useful URL ends in.
const URL_END: &str = "repodata/repomd.xml";

/// What a metalink file says of `repomd.xml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metalink {
    /// Checksums of the strongest type that is listed, those that are well-formed; `repomd.xml` must match one
    /// of them. Empty if the file lists none at all; it is for the caller to refuse that (C tdnf: 1004).
    pub hashes: Vec<Digest>,
    /// Those of older revisions that mirrors may still have (`mm0:alternates`), of the same type.
    pub older: Vec<Digest>,
    /// Size of `repomd.xml` in bytes, if given.
    pub size: Option<u64>,
    /// Base URLs of the repository (what stands before `repodata/repomd.xml`), preferred ones first.
    pub urls: Vec<String>,
}

#[derive(Default)]
struct MetalinkDraft {
    hashes: Vec<(DigestAlgo, String)>,
    urls: Vec<(u64, String)>,
    size: Option<u64>,
    alternates: Vec<(DigestAlgo, String)>,
}

/// Parses a metalink (version 3) file; `document` is its name in errors.
///
/// Kept: `http`, `https`, `ftp` and `file` URLs that end in `repodata/repomd.xml`, sorted by
/// preference (highest first, ties in file order). Everything else is skipped, as is a hash of
/// an unknown type. A preference or size that is no number counts as none.
///
/// Errors: larger than [`MAX_SIZE`]; what [`XmlReader`] refuses; no `<file name="repomd.xml">`; every
/// hash of the strongest listed type is malformed (C tdnf accepts that without any check: a hole).
pub fn parse(document: &str, bytes: &[u8]) -> Result<Metalink> {
    if bytes.len() > MAX_SIZE {
        let what = "the metalink is too large";
        return Err(Error::document(document, MAX_SIZE as u64, what));
    }
    let mut xml = XmlReader::new(document, bytes, &XmlLimits::default());
    xml.root("metalink")?;
    let mut draft = None;
    walk(&mut xml, Inside::Metalink, &mut draft)?;
    xml.finish()?;
    let Some(draft) = draft else {
        return Err(xml.error("no file repomd.xml in the metalink"));
    };
    draft.finish().map_err(|fault| xml.fault(fault))
}

/// Where in the file we are: only `metalink/files/file/{size,verification/hash,resources/url}` counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Metalink,
    Files,
    File,
    Verification,
    Resources,
    Alternates,
    Alternate,
    AlternateVerification,
}

/// What to do with a child.
enum MetalinkChild {
    Enter(Inside),
    Hash(DigestAlgo),
    OlderHash(DigestAlgo),
    Url(u64),
    Size,
    Pass,
}

fn walk<R: Read>(
    xml: &mut XmlReader<'_, R>,
    inside: Inside,
    draft: &mut Option<MetalinkDraft>,
) -> Result<()> {
    while let Some(child) = xml.child(|tag| child(tag, inside))? {
        match child {
            MetalinkChild::Enter(next) => {
                if next == Inside::File {
                    draft.get_or_insert_default();
                }
                walk(xml, next, draft)?;
            }
            MetalinkChild::Pass => xml.skip()?,
            leaf => {
                let text = xml.text(MAX_TEXT)?;
                if let Some(draft) = draft {
                    draft.put(leaf, text.trim());
                }
            }
        }
    }
    Ok(())
}

fn child(tag: &Tag<'_>, inside: Inside) -> Parsed<MetalinkChild> {
    Ok(match (inside, tag.name()) {
        (Inside::Metalink, b"files") => MetalinkChild::Enter(Inside::Files),
        (Inside::Files, b"file") if tag.attribute(b"name")?.as_deref() == Some(FILE_NAME) => {
            MetalinkChild::Enter(Inside::File)
        }
        (Inside::File, b"size") => MetalinkChild::Size,
        (Inside::File, b"verification") => MetalinkChild::Enter(Inside::Verification),
        (Inside::File, b"resources") => MetalinkChild::Enter(Inside::Resources),
        (Inside::File, b"alternates") => MetalinkChild::Enter(Inside::Alternates),
        (Inside::Alternates, b"alternate") => MetalinkChild::Enter(Inside::Alternate),
        (Inside::Alternate, b"verification") => MetalinkChild::Enter(Inside::AlternateVerification),
        (Inside::Verification | Inside::AlternateVerification, b"hash") => {
            let algo = tag
                .attribute(b"type")?
                .and_then(|kind| DigestAlgo::from_name(&kind));
            match (algo, inside) {
                (None, _) => MetalinkChild::Pass,
                (Some(algo), Inside::Verification) => MetalinkChild::Hash(algo),
                (Some(algo), _) => MetalinkChild::OlderHash(algo),
            }
        }
        (Inside::Resources, b"url") => {
            let preference = tag.attribute(b"preference")?;
            MetalinkChild::Url(
                preference
                    .and_then(|text| number(&text).ok())
                    .unwrap_or(0)
                    .min(100),
            )
        }
        _ => MetalinkChild::Pass,
    })
}

impl MetalinkDraft {
    fn put(&mut self, leaf: MetalinkChild, text: &str) {
        match leaf {
            MetalinkChild::Hash(algo) => self.hashes.push((algo, text.to_owned())),
            MetalinkChild::OlderHash(algo) => self.alternates.push((algo, text.to_owned())),
            MetalinkChild::Size => self.size = number(text).ok(),
            MetalinkChild::Url(preference) => {
                if let Some(base) = text.strip_suffix(URL_END)
                    && base.ends_with('/')
                    && is_url(text)
                    && self.urls.len() < MAX_MIRRORS
                {
                    self.urls.push((preference, base.to_owned()));
                }
            }
            MetalinkChild::Enter(_) | MetalinkChild::Pass => {}
        }
    }

    fn finish(mut self) -> Parsed<Metalink> {
        let strongest = self.hashes.iter().map(|&(algo, _)| algo).max();
        let of_strongest = |list: &[(DigestAlgo, String)]| -> Vec<Digest> {
            let strongest = list.iter().filter(|(algo, _)| Some(*algo) == strongest);
            strongest
                .filter_map(|(algo, hex)| Digest::from_hex(*algo, hex).ok())
                .collect()
        };
        let hashes = of_strongest(&self.hashes);
        if strongest.is_some() && hashes.is_empty() {
            return Err(XmlFault::of(
                "the strongest checksum of the metalink is malformed",
            ));
        }
        let older = of_strongest(&self.alternates);
        self.urls
            .sort_by_key(|&(preference, _)| std::cmp::Reverse(preference));
        let urls = self.urls.into_iter().map(|(_, url)| url).collect();
        Ok(Metalink {
            hashes,
            older,
            size: self.size,
            urls,
        })
    }
}
