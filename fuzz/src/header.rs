//! Headers: as raw bytes, as part of a package file, and well formed with wild values.
//!
//! Input: a package file, or one byte that chooses the form and what it is about.

use rpm_pkg::dep::{DepGroup, Deps, rich};
use rpm_pkg::files::FileList;
use rpm_pkg::header::{Header, HeaderBuilder, HeaderKind, MAGIC, TagValue};
use rpm_pkg::nevra::{self, Nevra};
use rpm_pkg::package::{DigestChoice, Package};

/// First bytes of a package file.
const LEAD: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

/// One input.
pub fn run(data: &[u8]) {
    if data.starts_with(&LEAD) {
        if let Ok(package) = Package::open(data) {
            let _ = package.verify_header_digests();
            let _ = package.payload_digests(DigestChoice::All);
            use_all(&package.header);
            use_all(&package.signature);
        }
        return;
    }
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    let kinds = [
        HeaderKind::Main,
        HeaderKind::Signature,
        HeaderKind::Database,
    ];
    let kind = kinds[usize::from(form & 3) % kinds.len()];
    let header = match form & 4 {
        0 => Header::parse_with_magic(&[&MAGIC[..], rest].concat(), kind).ok(),
        _ => built(rest, kind),
    };
    if let Some(header) = header {
        use_all(&header);
    }
}

/// A header that keeps to the format: groups of tag, type, count and as many bytes.
fn built(mut data: &[u8], kind: HeaderKind) -> Option<Header> {
    let mut builder = HeaderBuilder::new();
    while let [high, low, form, count, rest @ ..] = data {
        let tag = u32::from(u16::from_be_bytes([*high, *low]));
        let (bytes, rest) = rest.split_at_checked(usize::from(*count))?;
        let words = || {
            bytes
                .chunks(4)
                .map(|c| c.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
        };
        let texts = || {
            bytes
                .split(|b| *b == 0)
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        };
        let value = match form % 7 {
            0 => TagValue::Int32(words().collect()),
            1 => TagValue::Int16(words().map(|w| w as u16).collect()),
            2 => TagValue::Int64(words().map(|w| u64::from(w) << 17).collect()),
            3 => TagValue::Bin(bytes.to_vec()),
            4 => TagValue::String(texts().swap_remove(0)),
            5 => TagValue::StringArray(texts()),
            _ => TagValue::I18nString(texts()),
        };
        builder.add(tag, value);
        data = rest;
    }
    builder.build(kind).ok()
}

/// Everything that a transaction reads of a header.
fn use_all(header: &Header) {
    for entry in header.entries() {
        let _ = (entry.uint(), entry.strings().count());
    }
    let _ = nevra::is_source(header);
    let _ = Nevra::from_header(header).map(|name| Nevra::parse(&name.to_string()));
    for group in DepGroup::ALL {
        for dep in Deps::of(header, group) {
            let dep = dep.to_dep();
            let _ = dep.overlaps(&dep);
            if dep.is_rich() {
                let _ = rich::parse(&dep.name);
            }
        }
    }
    if let Ok(files) = FileList::from_header(header) {
        // Source packages list plain names.
        let named = nevra::is_source(header) || files.iter().all(|f| f.path().starts_with(b"/"));
        assert!(named, "a path of a package is absolute");
        for set in files.hardlink_sets() {
            assert!(set.iter().all(|&index| files.get(index).is_some()));
        }
    }
    // What was accepted is written and accepted again.
    let again = Header::parse(header.bytes().to_vec(), header.kind());
    assert_eq!(
        again.map(|h| h.bytes().to_vec()).ok().as_deref(),
        Some(header.bytes())
    );
}
