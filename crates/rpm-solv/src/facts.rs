//! Facts about packages that the solver does not need: one record each, in memory or in a cache file.

use crate::input::PackageFacts;
use xxhash_rust::xxh3::xxh3_64;

/// Largest record: texts of one package together.
pub(crate) const MAX_RECORD: usize = 64 << 20;
/// Bytes before a record's body: length, checksum, package number.
pub(crate) const RECORD_HEAD: usize = 12;
const TEXTS: usize = 12;
const NUMBERS: usize = 8;

/// [`PackageFacts`] that own their text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the fields are those of PackageFacts, described there
pub struct Facts {
    pub summary: String,
    pub description: String,
    pub url: String,
    pub license: String,
    pub group: String,
    pub packager: String,
    pub buildhost: String,
    pub sourcerpm: String,
    pub location: String,
    pub location_base: String,
    pub checksum_kind: String,
    pub checksum: String,
    pub build_time: u64,
    pub file_time: u64,
    pub package_size: u64,
    pub installed_size: u64,
    pub archive_size: u64,
    pub header_start: u64,
    pub header_end: u64,
    pub database_number: u32,
}

/// Appends the record of package `index` to `out`.
pub(crate) fn encode(facts: &PackageFacts<'_>, index: u32, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; RECORD_HEAD]);
    let texts: [&str; TEXTS] = [
        facts.summary,
        facts.description,
        facts.url,
        facts.license,
        facts.group,
        facts.packager,
        facts.buildhost,
        facts.sourcerpm,
        facts.location,
        facts.location_base,
        facts.checksum_kind,
        facts.checksum,
    ];
    let mut room = MAX_RECORD / 2;
    for text in texts {
        let text = text.get(..text.floor_char_boundary(room)).unwrap_or(text);
        room -= text.len();
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    let numbers: [u64; NUMBERS] = [
        facts.build_time,
        facts.file_time,
        facts.package_size,
        facts.installed_size,
        facts.archive_size,
        facts.header_start,
        facts.header_end,
        u64::from(facts.database_number),
    ];
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let length = (out.len() - start - RECORD_HEAD) as u32;
    let sum = xxh3_64(&out[start + RECORD_HEAD..]) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    out[start + 8..start + 12].copy_from_slice(&index.to_le_bytes());
}

/// A record's head: body length, checksum, package number.
pub(crate) fn head(bytes: &[u8]) -> Option<(usize, u32, u32)> {
    let length = u32_at(bytes, 0)? as usize;
    (length <= MAX_RECORD).then_some((length, u32_at(bytes, 4)?, u32_at(bytes, 8)?))
}

/// The body of the record at the start of `bytes`, if it is whole and belongs to package `index`.
pub(crate) fn body(bytes: &[u8], index: u32) -> Option<&[u8]> {
    let (length, sum, number) = head(bytes)?;
    let body = bytes.get(RECORD_HEAD..RECORD_HEAD.checked_add(length)?)?;
    (number == index && xxh3_64(body) as u32 == sum).then_some(body)
}

/// Summary and description at the start of a body, and where they end.
pub(crate) fn texts_of(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    Some((take(body, &mut at)?, take(body, &mut at)?))
}

/// The checksum in a body: the last of its texts.
pub(crate) fn checksum_of(body: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    for _ in 1..TEXTS {
        take(body, &mut at)?;
    }
    take(body, &mut at)
}

/// A body as [`Facts`].
pub(crate) fn decode(body: &[u8]) -> Option<Facts> {
    let mut at = 0;
    let mut text = || take(body, &mut at).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut facts = Facts {
        summary: text()?,
        description: text()?,
        url: text()?,
        license: text()?,
        group: text()?,
        packager: text()?,
        buildhost: text()?,
        sourcerpm: text()?,
        location: text()?,
        location_base: text()?,
        checksum_kind: text()?,
        checksum: text()?,
        ..Facts::default()
    };
    let mut number = || {
        let bytes = body.get(at..at + 8)?;
        at += 8;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    facts.build_time = number()?;
    facts.file_time = number()?;
    facts.package_size = number()?;
    facts.installed_size = number()?;
    facts.archive_size = number()?;
    facts.header_start = number()?;
    facts.header_end = number()?;
    facts.database_number = u32::try_from(number()?).ok()?;
    Some(facts)
}

fn take<'a>(body: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let length = u32_at(body, *at)? as usize;
    let start = *at + 4;
    let bytes = body.get(start..start.checked_add(length)?)?;
    *at = start + length;
    Some(bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}
