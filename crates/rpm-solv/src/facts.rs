//! What the solver does not need to know about a package: three records, in memory or in a cache file.
//!
//! ```text
//! record:  length (32 bits, little endian) | body
//! plan:    location | its base | checksum's algorithm | checksum | package size | installed size | database number
//! summary: summary | description
//! details: url | license | source package | file time
//! number:  seven bits in a byte, the lowest first; all bytes but the last have the eighth bit set
//! text:    number (length * 2 + mark) | bytes
//! ```
//! A marked location goes on with `name-version-release.arch.rpm`; a marked description is the summary. An algorithm is
//! rpm's number and the checksum raw bytes; 0 stands for any other, and its name and the checksum follow as texts.

use crate::input::PackageInput;
use rpm_pkg::digest::{Digest, DigestAlgo};

/// What is longer is cut.
const MAX_TEXT: usize = 16 << 20;

/// What a plan says of a package.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlanFacts<T> {
    /// Path below the repository's base.
    pub location: T,
    /// `xml:base` of the location, else empty.
    pub location_base: T,
    /// Checksum algorithm as metadata names it (`sha256`).
    pub checksum_kind: T,
    /// Checksum in hexadecimal.
    pub checksum: T,
    /// Bytes of the .rpm file.
    pub package_size: u64,
    /// Bytes when installed.
    pub installed_size: u64,
    /// Number of the header in the rpm database; 0 if not installed.
    pub database_number: u32,
}

/// What the solver does not look at; kept out of memory for cached repositories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackageFacts<T> {
    /// What a plan says of it.
    pub plan: PlanFacts<T>,
    /// One line.
    pub summary: T,
    /// Several lines.
    pub description: T,
    /// Home page.
    pub url: T,
    /// License expression.
    pub license: T,
    /// File name of the source package.
    pub sourcerpm: T,
    /// Seconds since 1970: file time in a repository, install time of an installed package.
    pub file_time: u64,
}

/// [`PackageFacts`] that own their text.
pub type Facts = PackageFacts<String>;

/// Records of a package.
pub(crate) const FACT_PARTS: usize = 3;

/// Which record of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FactPart {
    /// What a plan says.
    Plan,
    /// What is searched.
    Summary,
    /// The rest.
    Details,
}

impl FactPart {
    pub(crate) const ALL: [Self; FACT_PARTS] = [Self::Plan, Self::Summary, Self::Details];

    /// Appends a package's record.
    pub(crate) fn put(self, input: &PackageInput<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        match self {
            Self::Plan => put_plan(input, out),
            Self::Summary => put_summary(&input.facts, out),
            Self::Details => put_details(&input.facts, out),
        }
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// Appends a record with a body that another one had.
pub(crate) fn put_body(body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(body);
}

fn put_plan(input: &PackageInput<'_>, out: &mut Vec<u8>) {
    let plan = &input.facts.plan;
    let dir = usual_dir(input);
    put_text(dir.unwrap_or(plan.location), dir.is_some(), out);
    put_text(plan.location_base, false, out);
    if let Some(digest) = digest(plan) {
        put_number(digest.algo().rpm_id().into(), out);
        out.extend_from_slice(digest.bytes());
    } else {
        put_number(0, out);
        put_text(plan.checksum_kind, false, out);
        put_text(plan.checksum, false, out);
    }
    put_number(plan.package_size, out);
    put_number(plan.installed_size, out);
    put_number(plan.database_number.into(), out);
}

/// The start of a location that ends with the usual file name, as [`usual_file`] makes it.
fn usual_dir<'a>(input: &PackageInput<'a>) -> Option<&'a str> {
    let location = input.facts.plan.location;
    let (version, release) = (input.evr.version, input.evr.release);
    // Such a version is not the pool's, which holds no NUL either.
    let nul = memchr::memchr(0, location.as_bytes()).is_some();
    if nul || version.contains(':') || release.is_empty() {
        return None;
    }
    location
        .strip_suffix(".rpm")?
        .strip_suffix(input.arch)?
        .strip_suffix('.')?
        .strip_suffix(release)?
        .strip_suffix('-')?
        .strip_suffix(version)?
        .strip_suffix('-')?
        .strip_suffix(input.name)
}

/// The usual name of a package's file, from its name, version and architecture in the pool.
pub(crate) fn usual_file(name: &str, evr: &str, arch: &str) -> String {
    let version = evr.split_once(':').map_or(evr, |(_, version)| version);
    format!("{name}-{version}.{arch}.rpm")
}

/// A checksum that can be stored as bytes and comes back as the same text.
fn digest(plan: &PlanFacts<&str>) -> Option<Digest> {
    let named = |algo: &DigestAlgo| algo.name() == plan.checksum_kind;
    let algo = DigestAlgo::ALL.into_iter().find(named)?;
    // Of hexadecimal digits those in upper case alone lack this bit.
    let lower = plan.checksum.bytes().fold(0x20, |bits, byte| bits & byte) != 0;
    let digest = Digest::from_hex(algo, plan.checksum).ok();
    digest.filter(|_| lower)
}

/// A plan's record read again; `usual_file` is asked for the file's name where the location needs it.
pub(crate) fn plan(mut body: &[u8], usual_file: &dyn Fn() -> String) -> Option<PlanFacts<String>> {
    let body = &mut body;
    let (dir, usual) = take_text(body)?;
    let mut location = owned(dir);
    if usual {
        location.push_str(&usual_file());
    }
    let location_base = owned(take_text(body)?.0);
    let (checksum_kind, checksum) = take_checksum(body)?;
    Some(PlanFacts {
        location,
        location_base,
        checksum_kind,
        checksum,
        package_size: take_number(body)?,
        installed_size: take_number(body)?,
        database_number: take_number(body)?.try_into().ok()?,
    })
}

/// The checksum in a plan's record, and the number in the rpm database.
pub(crate) fn identity(mut body: &[u8]) -> Option<(String, u32)> {
    let body = &mut body;
    take_text(body)?;
    take_text(body)?;
    let (_, checksum) = take_checksum(body)?;
    take_number(body)?;
    take_number(body)?;
    Some((checksum, take_number(body)?.try_into().ok()?))
}

/// A checksum's algorithm and hexadecimal text.
fn take_checksum(body: &mut &[u8]) -> Option<(String, String)> {
    match take_number(body)? {
        0 => Some((owned(take_text(body)?.0), owned(take_text(body)?.0))),
        algo => {
            let algo = DigestAlgo::from_rpm_id(algo.try_into().ok()?)?;
            let digest = Digest::from_bytes(algo, take(body, algo.len())?).ok()?;
            Some((algo.name().to_owned(), digest.hex()))
        }
    }
}

fn put_summary(facts: &PackageFacts<&str>, out: &mut Vec<u8>) {
    let same = facts.description == facts.summary;
    put_text(facts.summary, false, out);
    put_text(if same { "" } else { facts.description }, same, out);
}

fn put_details(facts: &PackageFacts<&str>, out: &mut Vec<u8>) {
    for text in [facts.url, facts.license, facts.sourcerpm] {
        put_text(text, false, out);
    }
    put_number(facts.file_time, out);
}

/// Summary and description in their record.
pub(crate) fn summary(mut body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (summary, _) = take_text(&mut body)?;
    let (description, same) = take_text(&mut body)?;
    Some((summary, if same { summary } else { description }))
}

/// All facts, from the other two records' and that of the details.
pub(crate) fn facts(
    plan: PlanFacts<String>,
    (summary, description): (String, String),
    mut details: &[u8],
) -> Option<Facts> {
    Some(Facts {
        plan,
        summary,
        description,
        url: owned(take_text(&mut details)?.0),
        license: owned(take_text(&mut details)?.0),
        sourcerpm: owned(take_text(&mut details)?.0),
        file_time: take_number(&mut details)?,
    })
}

/// The bodies of the records that stand one after the other in `bytes`, as far as they are whole.
pub(crate) fn bodies(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u32::from_le_bytes(take(&mut bytes, 4)?.try_into().ok()?);
        take(&mut bytes, length as usize)
    })
}

fn put_text(text: &str, mark: bool, out: &mut Vec<u8>) {
    let text = text
        .get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text);
    put_number((text.len() as u64) << 1 | u64::from(mark), out);
    out.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(body: &mut &'a [u8]) -> Option<(&'a [u8], bool)> {
    let head = take_number(body)?;
    let text = take(body, usize::try_from(head >> 1).ok()?)?;
    Some((text, head & 1 == 1))
}

fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(body: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = body.split_first()?;
        *body = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(body: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = body.split_at_checked(length)?;
    *body = rest;
    Some(taken)
}

/// Text from a file, which may be damaged.
pub(crate) fn owned(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
