//! Payloads that lie (docs/threats.md, rows 44, 46, 60, 64).

use rpm_pkg::files::{FileList, FilesError};
use rpm_pkg::header::{HeaderBuilder, HeaderKind, TagValue, tag};
use rpm_pkg::package::PayloadDigests;
use rpm_pkg::payload::{Payload, PayloadError, PayloadLimits, PayloadSummary};
use std::io::Write;

/// A header with regular files `(dir, base, size)`.
fn header(files: &[(&str, &str, u32)]) -> rpm_pkg::header::Header {
    let mut builder = HeaderBuilder::new();
    let count = files.len() as u32;
    builder
        .add(tag::NAME, TagValue::string("t"))
        .add(tag::SOURCERPM, TagValue::string("t.src.rpm"));
    builder.add(tag::BASENAMES, TagValue::strings(files.iter().map(|f| f.1)));
    builder.add(tag::DIRNAMES, TagValue::strings(files.iter().map(|f| f.0)));
    builder.add(tag::DIRINDEXES, TagValue::Int32((0..count).collect()));
    builder.add(
        tag::FILESIZES,
        TagValue::Int32(files.iter().map(|f| f.2).collect()),
    );
    builder.add(
        tag::FILEMODES,
        TagValue::Int16(files.iter().map(|_| 0o100644).collect()),
    );
    builder.build(HeaderKind::Main).unwrap()
}

fn list(files: &[(&str, &str, u32)]) -> FileList {
    FileList::from_header(&header(files)).unwrap()
}

fn entry(name: &[u8], size: u32, data: &[u8]) -> Vec<u8> {
    let mut out = b"070701".to_vec();
    let fields = [
        1,
        0o100644,
        0,
        0,
        1,
        0,
        size,
        0,
        0,
        0,
        0,
        name.len() as u32 + 1,
        0,
    ];
    for field in fields {
        out.extend(format!("{field:08x}").into_bytes());
    }
    out.extend(name);
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(data);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn trailer() -> Vec<u8> {
    entry(b"TRAILER!!!", 0, b"")
}

fn read(
    files: &[(&str, &str, u32)],
    archive: &[u8],
    compressor: Option<&str>,
) -> Result<PayloadSummary, PayloadError> {
    let (digests, limits) = (PayloadDigests::none(), PayloadLimits::default());
    Payload::open(archive, list(files), None, compressor, digests, limits)?.finish()
}

const ONE: &[(&str, &str, u32)] = &[("/usr/", "a", 3)];
const TWO: &[(&str, &str, u32)] = &[("/usr/", "a", 3), ("/usr/", "b", 0)];

fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries = entries.iter();
    let mut out: Vec<u8> = entries
        .flat_map(|(name, data)| entry(name.as_bytes(), data.len() as u32, data.as_bytes()))
        .collect();
    out.extend(trailer());
    out
}

#[test]
fn honest_archives_pass() {
    for name in ["./usr/a", "/usr/a", "usr/a"] {
        assert_eq!(
            read(ONE, &archive(&[(name, "abc")]), None).unwrap().entries,
            1
        );
    }
    let both = archive(&[("./usr/b", ""), ("./usr/a", "abc")]);
    assert_eq!(read(TWO, &both, None).unwrap().entries, 2);
}

#[test]
fn names_outside_the_header_are_refused() {
    for name in [
        "../usr/a",
        "./../usr/a",
        "//usr/a",
        "/etc/passwd",
        "usr/../usr/a",
        "usr/a/",
        "",
    ] {
        let result = read(ONE, &archive(&[(name, "abc")]), None);
        assert!(
            matches!(result, Err(PayloadError::Unlisted(_))),
            "{name}: {result:?}"
        );
    }
}

/// docs/threats.md, row 64.
#[test]
fn sizes_must_be_those_of_the_header() {
    for data in ["", "ab", "abcd"] {
        let result = read(ONE, &archive(&[("./usr/a", data)]), None);
        assert!(
            matches!(result, Err(PayloadError::Size { expected: 3, .. })),
            "{data}"
        );
    }
    let lie = [entry(b"./usr/a", u32::MAX, b"abc"), trailer()].concat();
    assert!(matches!(
        read(ONE, &lie, None),
        Err(PayloadError::Size { .. })
    ));
}

/// docs/threats.md, row 64.
#[test]
fn missing_and_double_files_are_refused() {
    let result = read(TWO, &archive(&[("./usr/a", "abc")]), None);
    assert!(matches!(result, Err(PayloadError::Missing(path)) if path == "/usr/b"));
    let result = read(
        ONE,
        &archive(&[("./usr/a", "abc"), ("./usr/a", "abc")]),
        None,
    );
    assert!(matches!(result, Err(PayloadError::Duplicate(_))));
    let twice = &[("/usr/", "a", 0), ("/usr/", "a", 0)];
    let result = read(twice, &archive(&[("./usr/b", "")]), None);
    assert!(matches!(result, Err(PayloadError::Duplicate(_))));
}

#[test]
fn every_truncation_is_noticed() {
    let whole = archive(&[("./usr/a", "abc")]);
    for length in 0..whole.len() {
        assert!(read(ONE, &whole[..length], None).is_err(), "{length}");
    }
    let mut no_trailer = entry(b"./usr/a", 3, b"abc");
    assert!(matches!(
        read(ONE, &no_trailer, None),
        Err(PayloadError::Truncated)
    ));
    no_trailer.extend([0; 512]);
    assert!(matches!(
        read(ONE, &no_trailer, None),
        Err(PayloadError::Entry(_))
    ));
}

/// docs/threats.md, row 64.
#[test]
fn long_and_broken_names_are_refused() {
    let long = vec![b'a'; 5000];
    let result = read(ONE, &entry(&long, 0, b""), None);
    assert!(matches!(result, Err(PayloadError::NameLength(5001))));
    let mut huge = entry(b"./usr/a", 3, b"abc");
    huge[94..102].copy_from_slice(b"ffffffff");
    assert!(matches!(
        read(ONE, &huge, None),
        Err(PayloadError::NameLength(_))
    ));
    let mut bad = entry(b"./usr/a", 3, b"abc");
    bad[60] = b'x';
    assert!(matches!(read(ONE, &bad, None), Err(PayloadError::Entry(_))));
    assert!(matches!(
        read(ONE, &entry(b"a\0b", 0, b""), None),
        Err(PayloadError::Entry(_))
    ));
    let stripped = b"07070X00000009\0\0";
    assert!(matches!(
        read(ONE, stripped, None),
        Err(PayloadError::UnlistedIndex(9))
    ));
}

/// 64 MiB of zeros after an honest archive, in every compressed form.
/// docs/threats.md, row 46.
#[test]
fn bombs_stop_early() {
    let whole = [archive(&[("./usr/a", "abc")]), vec![0; 64 << 20]].concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&whole).unwrap();
    let zstd = zstd::encode_all(whole.as_slice(), 1).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    xz.write_all(&whole).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&whole).unwrap();
    let forms = [
        ("gzip", gzip.finish().unwrap()),
        ("zstd", zstd),
        ("xz", xz.finish().unwrap()),
        ("bzip2", bzip2.finish().unwrap()),
    ];
    for (compressor, data) in forms {
        let result = read(ONE, &data, Some(compressor));
        assert!(
            matches!(result, Err(PayloadError::Trailing)),
            "{compressor}: {result:?}"
        );
    }
}

#[test]
fn a_zstd_window_above_the_limit_is_refused() {
    let whole = archive(&[("./usr/a", "abc")]);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(30).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&whole).unwrap();
    let data = encoder.finish().unwrap();
    assert!(matches!(
        read(ONE, &data, Some("zstd")),
        Err(PayloadError::Io(_))
    ));
}

#[test]
fn concatenated_streams_are_one_payload() {
    let whole = archive(&[("./usr/a", "abc")]);
    let (first, second) = whole.split_at(100);
    let gzip = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let xz = |data: &[u8]| {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let bzip2 = |data: &[u8]| {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |data: &[u8]| zstd::encode_all(data, 1).unwrap();
    assert!(read(ONE, &[gzip(first), gzip(second)].concat(), Some("gzip")).is_ok());
    assert!(read(ONE, &[xz(first), xz(second)].concat(), Some("xz")).is_ok());
    assert!(read(ONE, &[bzip2(first), bzip2(second)].concat(), Some("bzip2")).is_ok());
    assert!(read(ONE, &[zstd(first), zstd(second)].concat(), Some("zstd")).is_ok());
}

/// docs/threats.md, row 60.
#[test]
fn paths_that_lead_elsewhere_are_refused() {
    let bad_dirs = [
        "usr/", "/usr", "/usr//", "/../", "/usr/../", "/./", "", "//",
    ];
    for dir in bad_dirs {
        let result = FileList::from_header(&header(&[(dir, "a", 0)]));
        assert!(
            matches!(result, Err(FilesError::Directory(_))),
            "{dir}: {result:?}"
        );
    }
    for base in ["", ".", "..", "a/b", "/", "../a", &"x".repeat(256)] {
        let result = FileList::from_header(&header(&[("/usr/", base, 0)]));
        assert!(
            matches!(result, Err(FilesError::Name(_))),
            "{base}: {result:?}"
        );
    }
    let deep = format!("/{}", "d/".repeat(2040));
    let result = FileList::from_header(&header(&[(&deep, &"x".repeat(30), 0)]));
    assert!(matches!(result, Err(FilesError::PathLength { index: 0 })));
}

#[test]
fn random_changes_of_an_archive_never_panic() {
    let whole = archive(&[("./usr/a", "abc"), ("./usr/b", "")]);
    let zstd = zstd::encode_all(whole.as_slice(), 1).unwrap();
    let mut random = fastrand::Rng::with_seed(77);
    for (form, data) in [(None, &whole), (Some("zstd"), &zstd)] {
        for _ in 0..5000 {
            let mut changed = data.clone();
            let at = random.usize(..changed.len());
            changed[at] = random.u8(..);
            let _ = read(TWO, &changed, form);
        }
    }
}

/// The order of the archive must not matter: a search per name would take minutes here.
#[test]
fn fifty_thousand_files_in_any_order() {
    let names: Vec<String> = (0..50_000).map(|n| format!("f{n:05}")).collect();
    let files: Vec<(&str, &str, u32)> = names.iter().map(|n| ("/usr/", n.as_str(), 1)).collect();
    let write = |name: &String| entry(format!("./usr/{name}").as_bytes(), 1, b"x");
    let forward: Vec<u8> = names.iter().flat_map(write).chain(trailer()).collect();
    let backward: Vec<u8> = names
        .iter()
        .rev()
        .flat_map(write)
        .chain(trailer())
        .collect();
    for (order, archive) in [("forward", forward), ("backward", backward)] {
        let zstd = zstd::encode_all(archive.as_slice(), 1).unwrap();
        for (form, data) in [(None, &archive), (Some("zstd"), &zstd)] {
            let start = std::time::Instant::now();
            assert_eq!(read(&files, data, form).unwrap().entries, 50_000);
            println!("{order} {form:?}: {:?}", start.elapsed());
            assert!(start.elapsed().as_secs() < 10);
        }
    }
}
