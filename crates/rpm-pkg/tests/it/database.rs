//! Database records: byte for byte what real rpm stores.

use crate::support::{have_rpm, real_rpms, run};
use rpm_pkg::files::FileList;
use rpm_pkg::header::{
    DatabaseHeader, Header, HeaderBuilder, HeaderKind, TagValue, WriteError, tag,
};
use rpm_pkg::package::Package;
use std::path::Path;

/// The record that real rpm makes of a package, in a database of its own.
fn record_of_real_rpm(package: &Path) -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let dbpath = dir.path().to_str().unwrap();
    let flags = "-i --nodeps --justdb --noscripts --notriggers --nosignature --nodigest \
        --ignorearch --ignoreos --ignoresize --nofiledigest";
    let args = ["--define", "_pkgverify_level none", "--dbpath", dbpath].into_iter();
    let (ok, _) = run(
        "rpm",
        args.chain(flags.split_whitespace())
            .chain([package.to_str()?]),
    );
    if !ok {
        return None;
    }
    let file = dir.path().join("rpmdb.sqlite");
    let (ok, hex) = run(
        "sqlite3",
        [file.to_str()?, "select hex(blob) from Packages"],
    );
    assert!(ok);
    let hex = String::from_utf8(hex).unwrap();
    let pairs = hex.trim().as_bytes().chunks_exact(2);
    Some(
        pairs
            .map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap())
            .collect(),
    )
}

/// What rpm 4 takes over from a signature header: the tag there, the tag in a record.
const SIGNATURE_TAGS: [(u32, u32); 15] = [
    (tag::DSAHEADER, tag::DSAHEADER),
    (tag::RSAHEADER, tag::RSAHEADER),
    (tag::SHA1HEADER, tag::SHA1HEADER),
    (tag::LONGSIGSIZE, tag::LONGSIGSIZE),
    (tag::LONGARCHIVESIZE, tag::LONGARCHIVESIZE),
    (tag::SHA256HEADER, tag::SHA256HEADER),
    (tag::SIG_FILESIGNATURES, tag::FILESIGNATURES),
    (tag::SIG_FILESIGNATURELENGTH, tag::FILESIGNATURELENGTH),
    (tag::VERITYSIGNATURES, tag::VERITYSIGNATURES),
    (tag::VERITYSIGNATUREALGO, tag::VERITYSIGNATUREALGO),
    (tag::SIG_SIZE, tag::SIGSIZE),
    (tag::SIG_PGP, tag::SIGPGP),
    (tag::SIG_MD5, tag::SIGMD5),
    (tag::SIG_GPG, tag::SIGGPG),
    (tag::SIG_PAYLOADSIZE, tag::ARCHIVESIZE),
];

#[test]
fn records_equal_those_of_real_rpm() {
    if !have_rpm()
        || std::process::Command::new("sqlite3")
            .arg("-version")
            .output()
            .is_err()
    {
        println!("skipped: no rpm or sqlite3");
        return;
    }
    let (mut same, mut wrong) = (0, Vec::new());
    let rpms = real_rpms().into_iter().filter(|rpm| rpm.digests == "OK");
    for rpm in rpms.step_by(6) {
        let bytes = std::fs::read(&rpm.path).unwrap();
        let Ok(package) = Package::open(bytes.as_slice()) else {
            continue;
        };
        if package.is_source() {
            continue;
        }
        let Some(theirs) = record_of_real_rpm(&rpm.path) else {
            println!("rpm does not install {}", rpm.name);
            continue;
        };
        let real = Header::parse(theirs.as_slice(), HeaderKind::Database).unwrap();
        let mut record = DatabaseHeader::from_header(&package.header);
        for (from, to) in SIGNATURE_TAGS {
            if let Some(entry) = package.signature.entry(from) {
                record.copy(to, &entry);
            }
        }
        let files = FileList::from_header(&package.header).unwrap().len();
        if files > 0 {
            record.add(tag::FILESTATES, TagValue::Char(vec![0; files]));
        }
        // Times and the machine's color are the only values taken from rpm.
        for tag in [tag::INSTALLTIME, tag::INSTALLCOLOR, tag::INSTALLTID] {
            record.add(tag, TagValue::int32(real.u32(tag).unwrap()));
        }
        if let Some(prefixes) = real.entry(tag::INSTPREFIXES) {
            record.add(tag::INSTPREFIXES, TagValue::strings(prefixes.strings()));
        }
        let ours = record.build().unwrap();
        if ours.bytes() == theirs {
            same += 1;
        } else {
            let added = |h: &Header| {
                let tags = h
                    .entries()
                    .filter(|e| !e.in_region)
                    .map(|e| (e.tag, e.data.len()));
                tags.collect::<Vec<_>>()
            };
            wrong.push(format!(
                "{}: {:?} / {:?}",
                rpm.name,
                added(&ours),
                added(&real)
            ));
        }
        assert_eq!(real.immutable_region().to_vec(), package.header_bytes());
        let again = DatabaseHeader::from_header(&real).build().unwrap();
        assert_eq!(
            again.bytes(),
            theirs,
            "{}: a record that is not changed",
            rpm.name
        );
    }
    println!("{same} records are the same");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(same >= 30 || real_rpms().is_empty(), "{same}");
}

#[test]
fn a_header_from_nothing_reads_back() {
    let mut builder = HeaderBuilder::new();
    builder.add(tag::NAME, TagValue::string("gpg-pubkey"));
    builder.add(tag::SUMMARY, TagValue::I18nString(vec![b"key".to_vec()]));
    builder.add(tag::PROVIDENAME, TagValue::strings(["gpg(a)", "gpg(b)"]));
    builder.add(tag::BUILDTIME, TagValue::int32(5));
    builder.add(tag::LONGSIZE, TagValue::Int64(vec![1 << 40]));
    builder.add(tag::FILEMODES, TagValue::Int16(vec![0o100644]));
    let header = builder.build(HeaderKind::Main).unwrap();
    assert_eq!(header.text(tag::NAME), Some("gpg-pubkey"));
    assert_eq!(
        header.strings(tag::PROVIDENAME).collect::<Vec<_>>(),
        [b"gpg(a)", b"gpg(b)"]
    );
    assert_eq!(header.u64(tag::LONGSIZE), Some(1 << 40));
    assert_eq!(header.uint(tag::FILEMODES), Some(0o100644));
    let mut record = DatabaseHeader::from_header(&header);
    record
        .add(tag::INSTALLTIME, TagValue::int32(9))
        .add(tag::NAME, TagValue::string("shadow"));
    let record = record.build().unwrap();
    assert_eq!(record.u32(tag::INSTALLTIME), Some(9));
    assert_eq!(record.text(tag::NAME), Some("shadow"));
    assert_eq!(
        record.immutable_region().to_vec(),
        header.bytes_with_magic()
    );
}

#[test]
fn what_cannot_be_read_is_not_written() {
    let mut builder = HeaderBuilder::new();
    builder.add(tag::NAME, TagValue::string("a\0b"));
    assert_eq!(
        builder.build(HeaderKind::Main).unwrap_err(),
        WriteError::Nul(tag::NAME)
    );
    builder = HeaderBuilder::new();
    builder.add(tag::NAME, TagValue::int32(1));
    assert!(matches!(
        builder.build(HeaderKind::Main),
        Err(WriteError::Invalid(_))
    ));
    builder = HeaderBuilder::new();
    builder.add(tag::FILESTATES, TagValue::Char(Vec::new()));
    assert!(matches!(
        builder.build(HeaderKind::Main),
        Err(WriteError::Invalid(_))
    ));
}

#[test]
fn records_of_a_real_system_are_read_and_written_back() {
    let Some(dir) = testkit::fixtures::real() else {
        return;
    };
    let found = run("find", [dir.to_str().unwrap(), "-name", "*.sqlite"]).1;
    let mut records = 0;
    for file in String::from_utf8(found).unwrap().lines() {
        // A database that is not one of rpm's has no such table.
        let query = "select hex(blob) from Packages";
        let uri = format!("file:{file}?immutable=1");
        let (ok, lines) = run("sqlite3", ["-readonly", &uri, query]);
        if !ok {
            continue;
        }
        for line in lines.split(|c| *c == b'\n').filter(|line| !line.is_empty()) {
            let byte = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap();
            let blob: Vec<u8> = line.chunks_exact(2).map(byte).collect();
            let header = Header::parse(blob.as_slice(), HeaderKind::Database).unwrap();
            let nevra = rpm_pkg::nevra::Nevra::from_header(&header).unwrap();
            let files = FileList::from_header(&header).unwrap();
            let states = header.count(tag::FILESTATES);
            assert_eq!(files.len(), states, "{nevra}");
            let again = DatabaseHeader::from_header(&header).build().unwrap();
            assert_eq!(again.bytes(), blob, "{nevra}");
            records += 1;
        }
    }
    println!("{records} records");
    assert!(records > 100, "{records}");
}
