//! Packages and file names of strangers who upload them: what one of them says costs the others nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_pkg::header::{HeaderBuilder, HeaderKind, TagValue, tag};
use rpm_pkg::package::Package;
use testkit::program::Run;

use crate::lab::{bytes, ok, packages, parsed, run, text};

/// A package whose header says something else: a whole one, its digests are right.
fn altered(package: &Path, changes: &[(u32, TagValue)]) -> Vec<u8> {
    let file = fs::read(package).unwrap();
    let read = Package::open(&file[..]).unwrap();
    let mut main = HeaderBuilder::new();
    for entry in read.header.entries() {
        if entry.tag != tag::HEADERIMMUTABLE {
            main.add(entry.tag, TagValue::of(&entry));
        }
    }
    for (tag, value) in changes {
        main.add(*tag, value.clone());
    }
    let main = main.build(HeaderKind::Main).unwrap().bytes_with_magic();
    let mut signature = HeaderBuilder::new();
    let digest = Hasher::digest(DigestAlgo::Sha256, &main).hex();
    signature.add(tag::SHA256HEADER, TagValue::string(digest));
    let signature = signature.build(HeaderKind::Signature).unwrap();
    let mut out = file[..96].to_vec();
    out.extend(signature.bytes_with_magic());
    out.resize(out.len().next_multiple_of(8), 0);
    out.extend(main);
    out.extend(&file[read.payload_offset() as usize..]);
    out
}

/// A tree of one good package, and where the stranger's is put.
fn upload(dir: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let tree = dir.join("tree");
    fs::create_dir(&tree).unwrap();
    let built = packages("1");
    let bare = built.iter().find(|path| text(path).contains("/bare-"));
    fs::copy(bare.unwrap(), tree.join("good.rpm")).unwrap();
    let odd = built.iter().find(|path| text(path).contains("/odd-"));
    (tree.clone(), odd.unwrap().clone(), tree.join("strange.rpm"))
}

/// Row 127: what no client takes is a bad package, and named; the others are indexed as ever.
#[test]
fn packages_that_no_client_would_take_are_bad_packages() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, odd, strange) = upload(dir.path());
    ok(&["createrepo", text(&tree)]);
    let before = bytes(&tree.join("repodata"));
    let name = |name: &str| (tag::NAME, TagValue::string(name));
    let words = |text: &str| TagValue::I18nString(vec![text.into()]);
    let long = "n".repeat(3000);
    let many = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
        vec![
            (tag::PROVIDENAME, TagValue::strings(&names)),
            (tag::PROVIDEVERSION, TagValue::strings(vec![""; count])),
            (tag::PROVIDEFLAGS, TagValue::Int32(vec![0; count])),
        ]
    };
    let megabyte = "& <".repeat(400_000);
    let tries = [
        vec![name("a/b")],
        vec![name("../x")],
        vec![name("")],
        vec![name(".")],
        vec![name("a\nb")],
        vec![name("a\u{1}b")],
        vec![name(&long)],
        vec![(tag::VERSION, TagValue::string("1/../2"))],
        vec![(tag::RELEASE, TagValue::string("1\n"))],
        vec![(tag::ARCH, TagValue::string("x/y"))],
        vec![(tag::REQUIRENAME, TagValue::strings(["a\u{1}"; 14]))],
        vec![(tag::DIRNAMES, TagValue::strings(["/opt/\u{fffe}/"; 5]))],
        vec![(tag::SUMMARY, words(&megabyte))],
        vec![(tag::DESCRIPTION, words(&megabyte))],
        vec![(tag::CHANGELOGTEXT, TagValue::strings([&megabyte; 3]))],
        vec![(tag::CHANGELOGNAME, TagValue::strings([&megabyte; 3]))],
        vec![(tag::BASENAMES, TagValue::strings([&megabyte; 6]))],
        many(100_001),
    ];
    for (number, changes) in tries.iter().enumerate() {
        fs::write(&strange, altered(&odd, changes)).unwrap();
        let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
        let lines: Vec<&str> = err.lines().collect();
        assert_eq!((code, lines.len()), (1, 2), "{number}: {err}");
        assert!(
            lines[0].contains("strange.rpm: metadata cannot have it: "),
            "{err}"
        );
        assert_eq!(bytes(&tree.join("repodata")), before, "{number}");
    }
    let Run { code, err, .. } = run(&["createrepo", "--skip-broken", text(&tree)]);
    assert_eq!((code, err.lines().count()), (0, 1), "{err}");
    assert_eq!(parsed(&tree)["primary"].len(), 1);
    // As much as there may be, and 300,000 characters that take five bytes each.
    let most = [
        many(100_000),
        vec![(tag::SUMMARY, words(&"&".repeat(300_000)))],
        vec![(
            tag::CHANGELOGNAME,
            TagValue::strings(vec!["\"".repeat(1 << 20); 3]),
        )],
    ];
    for changes in most {
        fs::write(&strange, altered(&odd, &changes)).unwrap();
        ok(&["createrepo", text(&tree)]);
        ok(&["check", "--no-closure", text(&tree)]);
        assert_eq!(parsed(&tree)["primary"].len(), 2);
    }
}

/// Row 128: names of files in what is said; row 129: names that XML cannot say, or that would be another's then.
#[test]
fn names_of_files_forge_no_lines_and_no_locations() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, odd, _) = upload(dir.path());
    let names: [&[u8]; 8] = [
        b"x\rup: 1 package, all is well            .rpm",
        b"y\nError(1) : forged line.rpm",
        b"z\x1b[2Jz.rpm",
        b"good\xef\xbf\xbe.rpm",
        b"good\xef\xbf\xbf.rpm",
        b"good\x01.rpm",
        b"good\xff.rpm",
        b"good\xc2\x85.rpm",
    ];
    for name in names {
        fs::copy(&odd, tree.join(OsStr::from_bytes(name))).unwrap();
    }
    let Run { code, err, .. } = run(&["createrepo", "--skip-broken", text(&tree)]);
    assert_eq!(code, 0, "{err}");
    let is_whole = |line: &str| line.starts_with("warning: ") && !line.contains(char::is_control);
    assert!(err.lines().all(is_whole), "{err:?}");
    assert_eq!(err.lines().count(), names.len(), "{err}");
    assert!(err.contains(r"y\nError(1) : forged line.rpm"), "{err}");
    assert_eq!(parsed(&tree)["primary"].len(), 1);
    ok(&["check", "--no-closure", text(&tree)]);
    assert_eq!(run(&["createrepo", text(&tree)]).code, 1);
}
