//! Changed headers: no panic, and nothing accepted that real rpm refuses.

use fastrand::Rng;

use crate::support::{have_rpm, real_rpms, run};
use rpm_pkg::dep::{DepGroup, Deps};
use rpm_pkg::files::FileList;
use rpm_pkg::header::{Header, HeaderBuilder, HeaderError, HeaderKind, MAGIC, TagValue, tag};
use rpm_pkg::nevra::Nevra;
use rpm_pkg::package::Package;
use rpm_pkg::script::{Scriptlets, TriggerClass, triggers};
use std::path::PathBuf;
use testkit::fixtures::real;

/// Reads everything that a header can be asked for.
fn exercise(header: &Header) {
    for entry in header.entries() {
        let strings = entry.strings().map(<[u8]>::len).sum::<usize>();
        assert!(strings <= entry.data.len());
        let _ = (
            entry.uint(),
            header.string(entry.tag),
            header.u64s(entry.tag).count(),
        );
    }
    let _ = Nevra::from_header(header);
    for group in DepGroup::ALL {
        Deps::of(header, group).for_each(drop);
    }
    let _ = Scriptlets::from_header(header);
    for class in [
        TriggerClass::Package,
        TriggerClass::File,
        TriggerClass::TransactionFile,
    ] {
        let _ = triggers(header, class);
    }
    if let Ok(files) = FileList::from_header(header) {
        files
            .iter()
            .for_each(|file| assert!(file.path().len() <= 4096));
        let _ = files.hardlink_sets();
    }
}

/// A few packages of different builders.
fn samples() -> Vec<PathBuf> {
    let small = |p: &PathBuf| std::fs::metadata(p).is_ok_and(|m| m.len() < 60_000);
    let rpms = real_rpms()
        .into_iter()
        .filter(|r| r.digests == "OK")
        .map(|r| r.path);
    rpms.filter(small).step_by(23).take(10).collect()
}

#[test]
fn random_changes_never_panic() {
    let mut random = Rng::with_seed(0x5eed_0001);
    let (mut accepted, mut refused) = (0, 0);
    for path in samples() {
        let bytes = std::fs::read(&path).unwrap();
        let whole = Package::open(bytes.as_slice()).unwrap();
        let end = whole.payload_offset() as usize;
        let main = whole.header.bytes().to_vec();
        for round in 0..1500 {
            let mut changed = main.clone();
            // Every other round aims at counts and index, where a change matters most.
            let index = 8 + whole.header.region_entry_count() as usize * 16;
            let range = if round % 2 == 0 { index } else { changed.len() };
            for _ in 0..=random.usize(..3) {
                let at = random.usize(..range.max(1));
                changed[at] = [0, 1, 0x7f, 0x80, 0xff, random.u8(..)][random.usize(..6)];
            }
            if round % 7 == 0 {
                changed.truncate(random.usize(..main.len()));
            }
            for kind in [
                HeaderKind::Main,
                HeaderKind::Database,
                HeaderKind::Signature,
            ] {
                match Header::parse(changed.as_slice(), kind) {
                    Ok(header) => {
                        accepted += 1;
                        exercise(&header);
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        for length in (0..end).step_by(97) {
            assert!(
                Package::open(&bytes[..length]).is_err(),
                "{}",
                path.display()
            );
        }
    }
    println!("{accepted} accepted, {refused} refused");
}

#[test]
fn what_rpm_refuses_is_refused() {
    if !have_rpm() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.rpm");
    let mut random = Rng::with_seed(0x5eed_0002);
    let mut wrong = Vec::new();
    let (mut both, mut neither, mut ours_only) = (0, 0, 0);
    for path in samples().iter().take(6) {
        let bytes = std::fs::read(path).unwrap();
        let whole = Package::open(bytes.as_slice()).unwrap();
        let range = whole.header_range();
        let index_end = range.start + 16 + u64::from(whole.header.region_entry_count()) * 16;
        for round in 0..60 {
            let mut changed = bytes.clone();
            let (start, end) = if round % 4 == 3 {
                (104, range.start as usize)
            } else {
                (range.start as usize + 8, index_end as usize)
            };
            let at = start + random.usize(..(end - start).max(1));
            changed[at] = [0, 1, 3, 8, 0x7f, 0x80, 0xff][random.usize(..7)];
            if changed == bytes {
                continue;
            }
            std::fs::write(&file, &changed).unwrap();
            let args = ["-qp", "--nosignature", "--nodigest", "--qf", "x"];
            let (theirs, _) = run("rpm", args.into_iter().chain([file.to_str().unwrap()]));
            let ours = Package::open(changed.as_slice());
            match (&ours, theirs) {
                (Ok(_), true) => both += 1,
                (Err(_), false) => neither += 1,
                (Err(_), true) => ours_only += 1,
                (Ok(_), false) => {
                    wrong.push(format!("{} byte {at} = {}", path.display(), changed[at]))
                }
            }
        }
    }
    println!("{both} accepted by both, {neither} by none, {ours_only} refused by us alone");
    assert!(
        wrong.is_empty(),
        "{} accepted against rpm:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(real().is_none() || neither > 50);
}

fn good() -> Header {
    let mut builder = HeaderBuilder::new();
    builder
        .add(tag::NAME, TagValue::string("a"))
        .add(tag::VERSION, TagValue::string("1"));
    builder
        .add(tag::RELEASE, TagValue::string("1"))
        .add(tag::SIZE, TagValue::int32(7));
    builder.add(tag::BASENAMES, TagValue::strings(["x", "y"]));
    builder.build(HeaderKind::Main).unwrap()
}

/// The bytes of [`good`] with one 32-bit field of the index (or of the counts) replaced.
fn with_field(position: usize, value: u32) -> Result<Header, HeaderError> {
    let mut bytes = good().bytes().to_vec();
    bytes[position..position + 4].copy_from_slice(&value.to_be_bytes());
    Header::parse(bytes, HeaderKind::Main)
}

#[test]
fn each_check_has_its_error() {
    use rpm_pkg::EntryProblem::*;
    let entry = |result: Result<Header, HeaderError>| match result {
        Err(HeaderError::Entry { problem, .. }) => Some(problem),
        other => panic!("{other:?}"),
    };
    // Index entry n begins at 8 + 16 n: tag, type, offset, count. Entry 1 is NAME, 4 is SIZE,
    // 5 BASENAMES.
    let field = |n: usize, k: usize| 8 + 16 * n + 4 * k;
    assert!(matches!(with_field(0, 0), Err(HeaderError::EntryCount(0))));
    assert!(matches!(
        with_field(0, 70_000),
        Err(HeaderError::EntryCount(70_000))
    ));
    assert!(matches!(
        with_field(4, u32::MAX),
        Err(HeaderError::DataSize(_))
    ));
    assert!(matches!(with_field(4, 1), Err(HeaderError::Size { .. })));
    assert!(matches!(
        with_field(field(0, 0), 1000),
        Err(HeaderError::NoRegion { first_tag: 1000 })
    ));
    assert!(matches!(
        with_field(field(0, 1), 6),
        Err(HeaderError::Region(_))
    ));
    assert!(matches!(
        with_field(field(0, 2), u32::MAX),
        Err(HeaderError::Region(_))
    ));
    assert!(matches!(
        with_field(field(0, 2), 0x7fff_ffff),
        Err(HeaderError::Region(_))
    ));
    assert_eq!(entry(with_field(field(1, 0), 99)), Some(Tag));
    assert_eq!(entry(with_field(field(1, 1), 0)), Some(Type));
    assert_eq!(entry(with_field(field(1, 1), 10)), Some(Type));
    assert_eq!(entry(with_field(field(1, 3), 0)), Some(Count));
    assert_eq!(entry(with_field(field(1, 3), u32::MAX)), Some(Count));
    assert_eq!(entry(with_field(field(4, 2), 1)), Some(Alignment));
    assert_eq!(entry(with_field(field(1, 2), u32::MAX)), Some(Offset));
    assert_eq!(entry(with_field(field(4, 1), 2)), Some(KnownType));
    assert_eq!(entry(with_field(field(1, 3), 2)), Some(Truncated));
    assert_eq!(entry(with_field(field(2, 2), 0)), Some(Overlap));
    assert!(Header::parse_with_magic(&good().bytes_with_magic(), HeaderKind::Main).is_ok());
    assert!(Header::parse_with_magic(good().bytes(), HeaderKind::Main).is_err());
    let mut longer = good().bytes().to_vec();
    longer.push(0);
    assert!(matches!(
        Header::parse(longer, HeaderKind::Main),
        Err(HeaderError::Size { .. })
    ));
    assert_eq!(MAGIC.len(), 8);
}

#[test]
fn random_changes_of_whole_packages_never_panic() {
    use rpm_pkg::package::DigestChoice;
    use rpm_pkg::payload::PayloadLimits;
    let mut random = Rng::with_seed(0x5eed_0003);
    let (mut opened, mut passed) = (0, 0);
    let small = |p: &PathBuf| std::fs::metadata(p).is_ok_and(|m| m.len() < 12_000);
    let rpms = real_rpms().into_iter().filter(|r| r.digests == "OK");
    let paths = rpms.map(|r| r.path).filter(small);
    for path in paths.step_by(7).take(12) {
        let bytes = std::fs::read(&path).unwrap();
        for _ in 0..600 {
            let mut changed = bytes.clone();
            for _ in 0..=random.usize(..2) {
                let at = random.usize(..changed.len());
                changed[at] = random.u8(..);
            }
            let Ok(package) = Package::open(changed.as_slice()) else {
                continue;
            };
            opened += 1;
            let _ = (
                package.digests(),
                package.signatures(),
                package.verify_header_digests(),
            );
            let limits = PayloadLimits::default();
            let Ok(payload) = package.into_payload(DigestChoice::All, limits) else {
                continue;
            };
            passed += usize::from(payload.finish().is_ok());
        }
    }
    println!("{opened} opened, {passed} read to their end");
    assert!(opened > 100 || real().is_none());
}
