//! Scriptlets, triggers and signatures of real packages; payloads that were changed.

use crate::support::{have_rpm, real_rpms, run};
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_pkg::files::FileList;
use rpm_pkg::header::{HeaderBuilder, HeaderKind, TagValue, tag};
use rpm_pkg::package::{Covers, DigestChoice, DigestItem, Package, PayloadDigests, payload_passes};
use rpm_pkg::payload::{Payload, PayloadError, PayloadLimits};
use rpm_pkg::script::{ScriptletKind, Scriptlets, Trigger, TriggerClass, triggers};
use testkit::fixtures::{RealRpm, real};

/// Package files with the verdict that all digests are good.
fn good() -> impl Iterator<Item = (RealRpm, Vec<u8>)> {
    let rpms = real_rpms().into_iter().filter(|rpm| rpm.digests == "OK");
    rpms.map(|rpm| {
        let bytes = std::fs::read(&rpm.path).unwrap();
        (rpm, bytes)
    })
}

#[test]
fn scriptlets_are_those_that_rpm_lists() {
    if !have_rpm() {
        return;
    }
    let kinds = [
        (ScriptletKind::Pre, "PREIN"),
        (ScriptletKind::Post, "POSTIN"),
        (ScriptletKind::PreUn, "PREUN"),
        (ScriptletKind::PostUn, "POSTUN"),
        (ScriptletKind::PreTrans, "PRETRANS"),
        (ScriptletKind::PostTrans, "POSTTRANS"),
    ];
    let format: Vec<String> = kinds
        .iter()
        .map(|(_, n)| format!("%{{{n}}}\\n[%{{{n}PROG}} ]\\n%{{{n}FLAGS}}\\n"))
        .collect();
    let mut found = 0;
    for (rpm, bytes) in good() {
        let Ok(package) = Package::open(bytes.as_slice()) else {
            continue;
        };
        let scripts = Scriptlets::from_header(&package.header);
        let ours = kinds.iter().flat_map(|(kind, _)| {
            let Some(script) = scripts.get(*kind) else {
                return b"(none)\n\n(none)\n".to_vec();
            };
            found += 1;
            let body = script.body.clone().unwrap_or_else(|| b"(none)".to_vec());
            let (_, program, flags) = kind.tags();
            let words: Vec<u8> = script
                .program
                .iter()
                .flat_map(|w| [w.as_slice(), b" "].concat())
                .collect();
            let words = if package.header.has(program) {
                words
            } else {
                Vec::new()
            };
            let flags = package.header.has(flags).then(|| script.flags.to_string());
            let flags = flags.unwrap_or_else(|| "(none)".to_owned());
            [body.as_slice(), &words, flags.as_bytes(), b""].join(&b'\n')
        });
        let ours: Vec<u8> = ours.collect();
        let format = format.concat();
        let args = ["-qp", "--nosignature", "--nodigest", "--qf", &format];
        let (ok, theirs) = run("rpm", args.into_iter().chain([rpm.path.to_str().unwrap()]));
        let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(ok);
        assert_eq!(show(&ours), show(&theirs), "{}", rpm.name);
    }
    println!("{found} scriptlets compared");
}

/// One line per condition of a class of triggers.
fn describe(list: &[Trigger]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = |trigger: &Trigger| {
        let one = |c: &rpm_pkg::script::TriggerCondition| {
            format!(
                "{}|{}|{}|{}",
                trigger.index,
                text(&c.name),
                c.flags.0,
                text(&c.evr)
            )
        };
        trigger.conditions.iter().map(one).collect::<Vec<_>>()
    };
    list.iter().flat_map(line).collect()
}

#[test]
fn triggers_are_those_that_rpm_lists() {
    if !have_rpm() {
        return;
    }
    let classes = [
        (TriggerClass::Package, "TRIGGER"),
        (TriggerClass::File, "FILETRIGGER"),
        (TriggerClass::TransactionFile, "TRANSFILETRIGGER"),
    ];
    let mut found = 0;
    for (rpm, bytes) in good() {
        let Ok(package) = Package::open(bytes.as_slice()) else {
            continue;
        };
        for (class, n) in classes {
            let ours = triggers(&package.header, class);
            if ours.is_empty() {
                continue;
            }
            let format =
                format!("[%{{{n}INDEX}}|%{{{n}NAME}}|%{{{n}FLAGS:depflags}}|%{{{n}VERSION}}\\n]");
            let format = format.replace(":depflags", "");
            let args = ["-qp", "--nosignature", "--nodigest", "--qf", &format];
            let (ok, theirs) = run("rpm", args.into_iter().chain([rpm.path.to_str().unwrap()]));
            assert!(ok);
            let mut ours = describe(&ours);
            found += ours.len();
            let theirs = String::from_utf8(theirs).unwrap();
            let mut theirs: Vec<_> = theirs.lines().map(str::to_owned).collect();
            ours.sort();
            theirs.sort();
            assert_eq!(ours, theirs, "{} {class:?}", rpm.name);
        }
    }
    println!("{found} trigger conditions compared");
    assert!(found > 0 || real().is_none());
}

#[test]
fn signatures_are_those_that_rpm_lists() {
    let Some(dir) = real() else { return };
    let list = std::fs::read_to_string(dir.with_file_name("RPMS.tsv")).unwrap();
    let mut found = 0;
    for line in list.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let bytes = std::fs::read(dir.join(fields[0])).unwrap();
        let Ok(package) = Package::open(bytes.as_slice()) else {
            continue;
        };
        let items = package.signatures().unwrap();
        // In a v6 package the signatures of header and payload do not count.
        let ignored = |s: &str| package.is_v6() && s.contains("hdr+payload");
        let counts = |s: &&str| !s.is_empty() && !ignored(s);
        let listed: Vec<&str> = fields[6].split("; ").filter(counts).collect();
        let modern = listed.iter().filter(|s| s.starts_with("OPENPGP")).count();
        // With OPENPGP present the older signatures do not count.
        let expected = if modern > 0 { modern } else { listed.len() };
        assert_eq!(items.len(), expected, "{}: {listed:?}", fields[0]);
        let whole = listed.iter().filter(|s| s.contains("hdr+payload")).count();
        let ours = items
            .iter()
            .filter(|i| i.covers == Covers::HeaderAndPayload)
            .count();
        assert!(modern > 0 || whole == ours, "{}", fields[0]);
        assert!(
            items
                .iter()
                .all(|i| i.packet.first().is_some_and(|b| b & 0x80 != 0))
        );
        found += items.len();
    }
    println!("{found} signatures");
}

/// Reads a changed package; whether anything was noticed.
fn is_noticed(bytes: &[u8], choice: DigestChoice) -> bool {
    let limits = PayloadLimits {
        verify_files: false,
        ..PayloadLimits::default()
    };
    let Ok(package) = Package::open(bytes) else {
        return true;
    };
    let Ok(payload) = package.into_payload(choice, limits) else {
        return true;
    };
    payload
        .finish()
        .map_or(true, |summary| !payload_passes(&summary.digests))
}

#[test]
fn one_changed_byte_of_a_payload_is_noticed() {
    let mut tried = 0;
    for (rpm, bytes) in good().step_by(9) {
        let Ok(package) = Package::open(bytes.as_slice()) else {
            continue;
        };
        let start = package.payload_offset() as usize;
        // Where only the uncompressed digest holds, rpm forgives; gzip's header is such a place.
        let compressed = package
            .digests()
            .unwrap()
            .iter()
            .any(|i| i.covers == Covers::Payload);
        for at in [start + 12, (start + bytes.len()) / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            let Some(byte) = changed.get_mut(at) else {
                continue;
            };
            *byte ^= 0x40;
            let choice = if compressed {
                DigestChoice::Strongest
            } else {
                DigestChoice::All
            };
            assert!(is_noticed(&changed, choice), "{} at {at}", rpm.name);
            tried += 1;
        }
        assert!(
            is_noticed(&bytes[..bytes.len() - 1], DigestChoice::Strongest),
            "{}",
            rpm.name
        );
        assert!(!is_noticed(&bytes, DigestChoice::Strongest), "{}", rpm.name);
    }
    println!("{tried} changes noticed");
}

#[test]
fn md5_is_computed_where_nothing_stronger_covers_both_parts() {
    let hashed = |bytes: &[u8], choice| -> Vec<(Covers, DigestAlgo)> {
        let package = Package::open(bytes).unwrap();
        let outcomes = package.payload_digests(choice).unwrap().finish();
        let of = |item: DigestItem| (item.covers, item.expected.algo());
        outcomes.iter().map(|outcome| of(outcome.item)).collect()
    };
    let (mut left_out, mut kept) = (0, 0);
    let mut good = good().peekable();
    // Where the real packages are not here nothing is counted.
    if good.peek().is_none() {
        return;
    }
    for (rpm, bytes) in good {
        let package = Package::open(bytes.as_slice());
        let Ok(digests) = package.and_then(|package| package.digests()) else {
            continue;
        };
        let strong = |part| {
            let mut of_part = digests.iter().filter(|item| item.covers == part);
            of_part.any(|item| item.expected.algo() >= DigestAlgo::Sha224)
        };
        let mut expected = hashed(&bytes, DigestChoice::All);
        let md5 = (Covers::HeaderAndPayload, DigestAlgo::Md5);
        if strong(Covers::Header) && strong(Covers::Payload) {
            left_out += usize::from(expected.contains(&md5));
            expected.retain(|one| *one != md5);
        } else {
            kept += usize::from(expected.contains(&md5));
        }
        assert_eq!(
            hashed(&bytes, DigestChoice::Needed),
            expected,
            "{}",
            rpm.name
        );
    }
    assert!(left_out > 50 && kept > 10, "{left_out} {kept}");
}

#[test]
fn content_must_match_the_digest_in_the_header() {
    let md5 = "900150983cd24fb0d6963f7d28e17f72";
    let mut builder = HeaderBuilder::new();
    builder.add(tag::SOURCERPM, TagValue::string("t.src.rpm"));
    builder
        .add(tag::BASENAMES, TagValue::strings(["a"]))
        .add(tag::DIRNAMES, TagValue::strings(["/"]));
    builder
        .add(tag::DIRINDEXES, TagValue::int32(0))
        .add(tag::FILESIZES, TagValue::int32(3));
    builder.add(tag::FILEMODES, TagValue::Int16(vec![0o100644]));
    builder.add(tag::FILEDIGESTS, TagValue::strings([md5]));
    let files = FileList::from_header(&builder.build(HeaderKind::Main).unwrap()).unwrap();
    // A stripped archive: 14 bytes, padded to 16, then the data; 0xffffffff ends it.
    let archive = |data: &str| format!("07070X00000000\0\0{data}\007070Xffffffff\0\0");
    let read = |data: &str, verify_files| {
        let archive = archive(data);
        let limits = PayloadLimits {
            verify_files,
            ..PayloadLimits::default()
        };
        let none = PayloadDigests::none();
        Payload::open(archive.as_bytes(), files.clone(), None, None, none, limits)?.finish()
    };
    assert_eq!(read("abc", true).unwrap().entries, 1);
    assert!(matches!(read("abd", true), Err(PayloadError::FileDigest(path)) if path == "/a"));
    assert!(read("abd", false).is_ok());
}

/// What proves the contents of a built package, and whether a changed payload of it is noticed.
fn beside_files(define: &str, expects: bool) -> Vec<(Covers, DigestAlgo)> {
    let spec = testkit::spec::Spec::new("beside", "1")
        .install("echo content > %{buildroot}/f; ln -s f %{buildroot}/l; mkdir %{buildroot}/d")
        .files("/f\n/l\n%dir /d")
        .define(define);
    let bytes = std::fs::read(spec.build()).unwrap();
    let mut package = Package::open(bytes.as_slice()).unwrap();
    if expects {
        let whole = bytes.get(package.payload_offset() as usize..).unwrap();
        package.expect_payload(Hasher::digest(DigestAlgo::Sha256, whole));
    }
    let payload = package.into_payload(DigestChoice::BesideFiles, PayloadLimits::default());
    let summary = payload.unwrap().finish().unwrap();
    assert!(payload_passes(&summary.digests));
    let of = |item: DigestItem| (item.covers, item.expected.algo());
    let outcomes = summary.digests.iter();
    outcomes.map(|outcome| of(outcome.item)).collect()
}

#[test]
fn a_payload_is_hashed_beside_its_files_where_they_do_not_prove_it() {
    if !have_rpm() {
        return;
    }
    let stored = [(Covers::Payload, DigestAlgo::Sha256)];
    assert_eq!(beside_files("_binary_filedigest_algorithm 8", false), []);
    assert_eq!(beside_files("_binary_filedigest_algorithm 10", false), []);
    assert_eq!(
        beside_files("_binary_filedigest_algorithm 1", false),
        stored
    );
    assert_eq!(
        beside_files("_binary_filedigest_algorithm 2", false),
        stored
    );
    assert_eq!(beside_files("_binary_filedigest_algorithm 8", true), stored);
}
