//! `repodata/deltas.json`: which deltas a repository offers. `repomd.xml` does not know of it, and
//! clients that do not ask for it never see it.

use rpm_pkg::digest::Digest;
use serde::{Deserialize, Serialize};

use super::header::digest;
use super::{Error, MAX_DELTA, Result};
use crate::compress::Format;
use crate::layout::Href;

/// Where it is, below the repository.
pub const INDEX: &str = "repodata/deltas.json";
/// Largest index in bytes.
pub const MAX_INDEX: u64 = 1 << 20;
/// Most deltas that an index may name.
pub const MAX_OFFERS: usize = 2000;
/// Where deltas are, below the repository.
const DIR: &str = "repodata/deltas/";
/// The form of the index; another number is another form.
const FORMAT: u32 = 1;

/// A delta that is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Checksum of the old file as it is stored.
    pub from: Digest,
    /// Checksum of the new file as it is stored.
    pub to: Digest,
    /// Where the delta is, below the repository.
    pub href: Href,
    /// Its size in bytes.
    pub size: u64,
    /// Its checksum.
    pub digest: Digest,
}

#[derive(Serialize, Deserialize)]
struct IndexDocument {
    format: u32,
    deltas: Vec<IndexLine>,
}

#[derive(Serialize, Deserialize)]
struct IndexLine {
    from: String,
    to: String,
    location: String,
    size: u64,
    digest: String,
}

/// The file name of the delta between two files: the same for the same pair.
pub fn file_name(from: &Digest, to: &Digest) -> String {
    let short = |digest: &Digest| digest.hex().chars().take(16).collect::<String>();
    format!("{}-{}.delta", short(from), short(to))
}

/// What a metadata file is called without its checksum in front and its compression behind: files of
/// the same stem are states of the same document.
pub fn stem(name: &str) -> &str {
    let digits = name.bytes().take_while(u8::is_ascii_hexdigit).count();
    let rest = name.get(digits..).and_then(|rest| rest.strip_prefix('-'));
    let name = rest.filter(|_| digits >= 32).unwrap_or(name);
    match (Format::of_name(name), name.rsplit_once('.')) {
        (Format::Plain, _) | (_, None) => name,
        (_, Some((stem, _))) => stem,
    }
}

impl Offer {
    /// The offer of a delta in its usual place.
    ///
    /// # Errors
    /// None in practice: the name is made of digests.
    pub fn new(from: Digest, to: Digest, size: u64, digest: Digest) -> crate::Result<Offer> {
        Ok(Offer {
            href: Href::parse(&format!("{DIR}{}", file_name(&from, &to)))?,
            from,
            to,
            size,
            digest,
        })
    }
}

/// Reads an index.
///
/// # Errors
/// [`Error::Form`]: it is none of this form, or names something that it may not.
pub fn parse(bytes: &[u8]) -> Result<Vec<Offer>> {
    if bytes.len() as u64 > MAX_INDEX {
        let (what, limit) = ("the index of deltas", MAX_INDEX);
        return Err(Error::TooLarge { what, limit });
    }
    let document: IndexDocument =
        serde_json::from_slice(bytes).map_err(|_| Error::Form("it is no index of deltas"))?;
    if document.format != FORMAT {
        return Err(Error::Form("its index is of another form"));
    }
    if document.deltas.len() > MAX_OFFERS {
        let (what, limit) = ("the list of deltas", MAX_OFFERS as u64);
        return Err(Error::TooLarge { what, limit });
    }
    document.deltas.iter().map(offer).collect()
}

fn offer(line: &IndexLine) -> Result<Offer> {
    let wrong = || Error::Form("its index has a bad digest");
    let href = Href::parse(&line.location).ok();
    let href = href.filter(|href| href.as_str().starts_with(DIR));
    if line.size > MAX_DELTA {
        let (what, limit) = ("a delta", MAX_DELTA);
        return Err(Error::TooLarge { what, limit });
    }
    Ok(Offer {
        from: digest(&line.from).ok_or_else(wrong)?,
        to: digest(&line.to).ok_or_else(wrong)?,
        href: href.ok_or(Error::Form("its index names a bad place"))?,
        size: line.size,
        digest: digest(&line.digest).ok_or_else(wrong)?,
    })
}

/// The bytes of an index; the same for the same offers in any order.
///
/// # Errors
/// None in practice: everything in it can be written.
pub fn to_bytes(offers: &[Offer]) -> Result<Vec<u8>> {
    let mut deltas: Vec<IndexLine> = offers
        .iter()
        .map(|offer| IndexLine {
            from: offer.from.to_string(),
            to: offer.to.to_string(),
            location: offer.href.as_str().to_owned(),
            size: offer.size,
            digest: offer.digest.to_string(),
        })
        .collect();
    deltas.sort_by(|a, b| (&a.to, &a.from).cmp(&(&b.to, &b.from)));
    let format = FORMAT;
    let mut bytes = serde_json::to_vec(&IndexDocument { format, deltas })
        .map_err(|error| Error::Io(error.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}
