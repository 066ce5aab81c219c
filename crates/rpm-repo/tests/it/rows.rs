//! Rows of `docs/threats.md` that this crate answers for, by number and name.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::compress::{Ahead, Decoder, Expected, StreamError, StreamPart, VerifiedReader};
use rpm_repo::config::{MainConfig, read_repo_file};
use rpm_repo::layout::{Href, Place, cache_dir_name, check_base, is_relative_base};
use rpm_repo::primary::{self, PrimaryPackage};
use rpm_repo::vars::Vars;
use rpm_repo::xml::XmlLimits;
use rpm_repo::{Result, comps, filelists, metalink, other, repomd, updateinfo};

/// A repomd with one primary record at `location`, attributes and all.
fn repomd_with(location: &str) -> Result<repomd::Repomd> {
    let text = format!(
        "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><data type=\"primary\">\
         <location {location}/></data></repomd>"
    );
    repomd::parse("repomd.xml", text.as_bytes())
}

/// A primary with one package; `fields` stand behind what every package must have.
fn primary_with(location: &str, fields: &str) -> Result<Vec<String>> {
    let text = format!(
        "<metadata xmlns:rpm=\"r\" packages=\"1\"><package type=\"rpm\"><name>a</name><arch>noarch</arch>\
         <version epoch=\"0\" ver=\"1\" rel=\"1\"/><checksum type=\"sha256\">00</checksum>\
         <location {location}/>{fields}</package></metadata>"
    );
    names(text.as_bytes())
}

fn names(stream: impl Read) -> Result<Vec<String>> {
    let mut out = Vec::new();
    let mut each = |p: &PrimaryPackage| {
        out.push(p.name().to_owned());
        ControlFlow::Continue(())
    };
    let summary = primary::read("primary.xml", stream, &XmlLimits::default(), &mut each)?;
    match summary.left_out {
        None => Ok(out),
        Some(left_out) => Err(rpm_repo::Error::Document {
            document: "primary.xml".to_owned(),
            position: 0,
            what: left_out.to_string(),
        }),
    }
}

fn attribute(href: &str) -> String {
    format!(
        "href=\"{}\"",
        href.replace('&', "&amp;").replace('\n', "&#10;")
    )
}

const EVIL: &[&str] = &[
    "../../etc/cron.d/x",
    "a/../../b",
    "..",
    "repodata/..",
    "/etc/shadow",
    "",
    "%2e%2e/x",
    "a/..%2f..%2fx",
    "%2E./x",
    "a%2f..%2fx",
    "..\\x",
    "\\..\\x",
    "a%5c..%5cx",
    "a\nb",
    "a%0ab",
    "a%00b",
    "a\u{7f}b",
    "a\u{85}b",
    "%ff%fe",
    "%c0%ae%c0%ae/x",
];

#[test]
fn row_31_href_dotdot_and_row_32_href_encoded() {
    for href in EVIL {
        assert!(Href::parse(href).is_err(), "{href:?}");
        let error = repomd_with(&attribute(href)).unwrap_err().to_string();
        assert!(error.contains("refused location"), "{href:?}: {error}");
        assert!(!error.contains('\n'), "{error:?}");
    }
    assert!(Href::parse(&"a".repeat(4097)).is_err());
    for (idle, tidy) in [("./x", "x"), ("a//b", "a/b"), ("././a/.//b/.", "a/b")] {
        assert_eq!(Href::parse(idle).unwrap().as_str(), tidy);
    }
    for good in [
        "repodata/a-primary.xml.gz",
        "Packages/a/a-1:2~b^c+d-1.x86_64.rpm",
        "a..b/...c",
        "x%20y",
        "100%",
    ] {
        assert_eq!(Href::parse(good).unwrap().as_str(), good);
        assert!(primary_with(&attribute(good), "").is_ok(), "{good}");
    }
}

/// No location is both a package's and one of metadata.
#[test]
fn row_133_a_place_is_of_packages_or_of_metadata() {
    for (location, place) in [
        ("repodata/a-primary.xml.gz", Place::Metadata),
        ("repodata/deltas/x", Place::Metadata),
        ("./repodata//x.yaml", Place::Metadata),
        ("Packages/a.rpm", Place::Package),
        ("a.rpm", Place::Package),
        ("repodata-1.rpm", Place::Package),
        ("a/repodata/b.rpm", Place::Package),
        ("extra.xml", Place::Package),
        ("repodata", Place::Nothing),
        ("repodata/a.rpm", Place::Nothing),
        ("repodata/a.DRPM", Place::Nothing),
        ("repodata/a%2erpm", Place::Nothing),
        ("repodata%2fa.xml", Place::Nothing),
        ("%72epodata/a.xml", Place::Nothing),
        (".%2frepodata/a.xml", Place::Nothing),
    ] {
        assert_eq!(Place::of(location), place, "{location}");
    }
}

#[test]
fn row_33_a_refused_location_costs_its_own_package() {
    let hrefs: Vec<&str> = EVIL
        .iter()
        .copied()
        .chain(["good.rpm", ".//b.rpm"])
        .collect();
    let mut text = String::from("<metadata>");
    for href in &hrefs {
        let location = attribute(href);
        text.push_str(&format!(
            "<package><name>a</name><arch>x</arch><version ver=\"1\"/>\
             <checksum type=\"sha256\">00</checksum><location {location}/></package>"
        ));
    }
    text.push_str("</metadata>");
    let mut seen = Vec::new();
    primary::read(
        "p",
        text.as_bytes(),
        &XmlLimits::default(),
        &mut |package| {
            assert_eq!(
                package.location().is_empty(),
                package.location_fault().is_some()
            );
            seen.push(package.location().to_owned());
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    let good = seen.split_off(EVIL.len());
    assert!(seen.iter().all(String::is_empty), "{seen:?}");
    assert_eq!(good, ["good.rpm", "b.rpm"]);
}

#[test]
fn row_34_href_absolute_url() {
    for href in [
        "file:///etc/shadow",
        "http://10.0.0.1/x",
        "https://h/x",
        "FTP://h/x",
        "//h/x",
        "http:%2f%2fh/x",
    ] {
        assert!(Href::parse(href).is_err(), "{href}");
    }
    let record = repomd_with("xml:base=\"file:///etc\" href=\"shadow\"")
        .unwrap()
        .records
        .remove(0);
    let base = record.base.unwrap();
    assert!(check_base(&base, "http://h/repo/").is_err());
    assert!(check_base(&base, "file:///srv/repo/").is_ok());
    assert!(check_base("http://other/", "https://h/repo/").is_err());
    assert!(check_base("http://other/", "file:///srv/repo/").is_ok());
    assert!(check_base("ftp://other/", "file:///srv/repo/").is_err());
    assert!(check_base("https://other/", "http://h/repo/").is_ok());
    assert!(check_base("http://other/x", "http://h/repo/").is_ok());
    assert!(check_base("http://other/a/%2e%2e/x", "http://h/repo/").is_err());
    assert!(check_base("http://other/a%2f%2e%2e%2fx", "http://h/repo/").is_err());
    assert!(check_base("http://other/a%5c..%5cx", "http://h/repo/").is_err());
    assert!(check_base("http://other/a%0ax", "http://h/repo/").is_err());
    assert!(check_base("../x", "http://h/repo/").is_err());
    for above in ["../x", "a/../../x", "%2e%2e/x", ".."] {
        assert!(is_relative_base(above, "file:///srv/repo"), "{above}");
        assert!(!is_relative_base(above, "https://h/repo/"), "{above}");
    }
    for relative in ["pool", "pool/", "./a/b", "a%20b"] {
        assert!(is_relative_base(relative, "http://h/repo/"), "{relative}");
    }
    for other in [
        "",
        "/x",
        "%2fx",
        "//h/x",
        "http://h/",
        "http:%2f%2fh",
        "file:/etc",
        "a\\b",
        "a%5cb",
        "a%0ab",
        "a%ffb",
    ] {
        assert!(!is_relative_base(other, "file:///srv/repo"), "{other}");
    }
}

#[test]
fn row_36_repo_path_escape() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.repo");
    std::fs::write(&path, "[a]\nname=A\npath=../other\n").unwrap();
    let error = read_repo_file(Path::new("/"), &path, &MainConfig::default(), &Vars::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("x.repo:3: key path is not allowed in repository a"),
        "{error}"
    );
}

#[test]
fn row_39_repo_id_odd() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.repo");
    for id in ["..", ".", "", "a/b", "../x", "x\u{85}y", &"i".repeat(300)] {
        std::fs::write(&path, format!("[{id}]\n")).unwrap();
        let error = read_repo_file(Path::new("/"), &path, &MainConfig::default(), &Vars::new())
            .unwrap_err();
        assert!(error.to_string().contains("x.repo:1"), "{id:?}: {error}");
    }
    let ids = [
        "a",
        "A",
        "a b",
        "a_b",
        "a%20b",
        "ä",
        "..",
        ".",
        "",
        "a/b",
        ".hidden",
        "a-12345678",
        "a\nb",
    ];
    let long: Vec<String> = (0..3).map(|n| format!("{}{n}", "i".repeat(300))).collect();
    let mut seen = std::collections::BTreeSet::new();
    for id in ids.into_iter().chain(long.iter().map(String::as_str)) {
        for url in [None, Some("http://a/"), Some("http://b/")] {
            let name = cache_dir_name(id, url);
            assert!(
                name.len() <= 255 && !name.contains('/') && !name.starts_with('.'),
                "{name}"
            );
            assert!(name.bytes().all(|b| b.is_ascii_graphic()), "{name}");
            assert!(seen.insert(name.clone()), "{name} twice");
        }
    }
    // The form of the C program: docs/reference/tdnf.md, 11.
    let digest = Hasher::digest(DigestAlgo::Sha256, b"http://h/r").hex();
    assert_eq!(
        cache_dir_name("photon", Some("http://h/r")),
        format!("photon-{}", &digest[..8])
    );
}

#[test]
fn row_41_compressed_vs_open_hash() {
    let packed = gzip(b"<metadata/>");
    let sha = |bytes: &[u8]| Some(Hasher::digest(DigestAlgo::Sha256, bytes));
    let good = Expected {
        size: Some(packed.len() as u64),
        checksum: sha(&packed),
        open_size: Some(11),
        open_checksum: sha(b"<metadata/>"),
    };
    let read = |bytes: &[u8], expected: &Expected| -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        VerifiedReader::new(bytes, "p.xml.gz", expected.clone())?.read_to_end(&mut out)?;
        Ok(out)
    };
    assert_eq!(read(&packed, &good).unwrap(), b"<metadata/>");
    let other_open = Expected {
        open_checksum: sha(b"x"),
        ..good.clone()
    };
    let error = read(&packed, &other_open).unwrap_err();
    assert!(matches!(
        StreamError::of(&error),
        Some(StreamError::Checksum {
            part: StreamPart::Open,
            ..
        })
    ));
    let other_packed = Expected {
        checksum: sha(b"x"),
        ..good.clone()
    };
    let error = read(&packed, &other_packed).unwrap_err();
    assert!(matches!(
        StreamError::of(&error),
        Some(StreamError::Checksum {
            part: StreamPart::Packed,
            ..
        })
    ));
    let longer = [packed.clone(), b"trailing".to_vec()].concat();
    assert!(read(&longer, &good).is_err());
    assert!(read(&packed[..packed.len() - 1], &good).is_err());
    assert!(
        read(
            &packed,
            &Expected {
                open_size: Some(12),
                ..good.clone()
            }
        )
        .is_err()
    );
    assert!(
        read(
            &packed,
            &Expected {
                open_size: Some(10),
                ..good.clone()
            }
        )
        .is_err()
    );
    // The error passes through the thread that reads ahead, and through a parser.
    let mut ahead =
        Ahead::spawn(move || VerifiedReader::new(io::Cursor::new(packed), "p.xml.gz", other_open))
            .unwrap();
    let error = names(&mut ahead).unwrap_err().to_string();
    assert!(
        error.contains("checksum of the decompressed data differs"),
        "{error}"
    );
}

#[test]
fn row_43_billion_laughs_xxe_and_external_dtd() {
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    let xxe = "<!DOCTYPE l [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>";
    let external = "<!DOCTYPE l SYSTEM \"http://127.0.0.1:1/x.dtd\">";
    let limits = XmlLimits::default();
    for doctype in [laughs, xxe, external, ""] {
        let with = |root: &str, body: &str| {
            format!("<?xml version=\"1.0\"?>{doctype}<{root}>{body}</{root}>")
        };
        let package = "<package pkgid=\"0\" name=\"&b;\"><file>&b;</file><changelog>&b;</changelog></package>";
        let main = "<package><name>&b;</name></package>";
        let text = with("metadata", main);
        assert!(names(text.as_bytes()).is_err());
        let text = with("filelists", package);
        let each = &mut |_: &filelists::FilelistsPackage| ControlFlow::Continue(());
        assert!(filelists::read("f", text.as_bytes(), &limits, each).is_err());
        let text = with("otherdata", package);
        let each = &mut |_: &other::OtherPackage| ControlFlow::Continue(());
        assert!(other::read("o", text.as_bytes(), &limits, each).is_err());
        let text = with("updates", "<update><id>&b;</id></update>");
        let each = &mut |_| ControlFlow::Continue(());
        assert!(updateinfo::read("u", text.as_bytes(), &limits, each).is_err());
        let text = with("comps", "<group><id>&b;</id></group>");
        assert!(comps::read("c", text.as_bytes(), &limits).is_err());
        assert!(repomd::parse("r", with("repomd", "<revision>&b;</revision>").as_bytes()).is_err());
        let body = "<files><file name=\"repomd.xml\"><size>&b;</size></file></files>";
        assert!(metalink::parse("m", with("metalink", body).as_bytes()).is_err());
    }
}

#[test]
fn row_44_number_overflow() {
    let location = attribute("a.rpm");
    let sizes = |value: &str| format!("<size package=\"{value}\" installed=\"0\" archive=\"0\"/>");
    assert!(primary_with(&location, &sizes("9223372036854775807")).is_ok());
    for value in [
        "-1",
        "9223372036854775808",
        "18446744073709551616",
        "1e99",
        "0x10",
        "+1",
        "1.5",
        "",
        "٣",
    ] {
        assert!(primary_with(&location, &sizes(value)).is_err(), "{value}");
    }
    for epoch in ["4294967296", "-1", "x"] {
        let fields = format!("<version epoch=\"{epoch}\" ver=\"1\"/>");
        assert!(primary_with(&location, &fields).is_err(), "{epoch}");
        let fields = format!(
            "<format><rpm:requires><rpm:entry name=\"a\" flags=\"EQ\" epoch=\"{epoch}\"/></rpm:requires></format>"
        );
        assert!(primary_with(&location, &fields).is_err(), "{epoch}");
    }
    assert!(
        primary_with(
            &location,
            "<time file=\"18446744073709551616\" build=\"0\"/>"
        )
        .is_err()
    );
    for value in ["-1", "9223372036854775808", "1e9"] {
        let text = format!(
            "<repomd><data type=\"p\"><location href=\"a\"/><size>{value}</size></data></repomd>"
        );
        assert!(repomd::parse("r", text.as_bytes()).is_err(), "{value}");
    }
}

/// Repeats a text for as many bytes as wanted, without holding them.
struct Repeat {
    text: Vec<u8>,
    left: u64,
    at: usize,
}

impl Read for Repeat {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < out.len() && self.left > 0 {
            let part = &self.text[self.at..];
            let fits = part.len().min(out.len() - count).min(self.left as usize);
            out[count..count + fits].copy_from_slice(&part[..fits]);
            self.at = (self.at + fits) % self.text.len();
            self.left -= fits as u64;
            count += fits;
        }
        Ok(count)
    }
}

fn repeat(text: &'static [u8], bytes: u64) -> Repeat {
    Repeat {
        text: text.repeat(4096),
        left: bytes,
        at: 0,
    }
}

#[test]
fn row_45_deep_xml_huge_attribute_and_many_provides() {
    let deep = (&b"<metadata>"[..]).chain(repeat(b"<a>", 3_000_000));
    assert!(
        names(deep)
            .unwrap_err()
            .to_string()
            .contains("nested too deep")
    );
    let deep = (&b"<metadata><package><name>"[..]).chain(repeat(b"<a>", 3_000_000));
    assert!(
        names(deep)
            .unwrap_err()
            .to_string()
            .contains("nested too deep")
    );
    let attribute = (&b"<metadata><package a=\""[..]).chain(repeat(b"x", 1 << 30));
    assert!(
        names(attribute)
            .unwrap_err()
            .to_string()
            .contains("too long")
    );
    let text = (&b"<metadata><package><name>"[..]).chain(repeat(b"x", 1 << 30));
    assert!(names(text).unwrap_err().to_string().contains("too long"));
    let comment = (&b"<metadata><!--"[..]).chain(repeat(b"x", 1 << 30));
    assert!(names(comment).unwrap_err().to_string().contains("too long"));
    let references = (&b"<metadata><package><name>"[..]).chain(repeat(b"&amp;", 1 << 30));
    let limits = XmlLimits {
        max_record_text: 1 << 20,
        ..XmlLimits::default()
    };
    let each = &mut |_: &PrimaryPackage| ControlFlow::Continue(());
    let error = primary::read("p", references, &limits, each).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    let start = b"<metadata><package><format><provides>";
    let provides = (&start[..]).chain(repeat(b"<entry name=\"x\"/>", 1_700_000_000));
    assert!(
        names(provides)
            .unwrap_err()
            .to_string()
            .contains("too many dependencies")
    );
}

/// A primary of good packages, with one of these in the middle, and an `other` alike.
fn among_others(bad: &[u8]) -> [Result<(Vec<String>, primary::ParseSummary)>; 2] {
    let good = |name: &str| {
        format!(
            "<package pkgid=\"00\" name=\"{name}\" arch=\"x\"><name>{name}</name><arch>x</arch><version ver=\"1\"/>\
             <checksum type=\"sha256\">00</checksum><location href=\"{name}.rpm\"/></package>"
        )
    };
    let document = |root: &str| {
        let (before, after) = (good("before"), good("after"));
        let start = format!("<{root}>{before}").into_bytes();
        let end = format!("{after}</{root}>\n");
        [&start, bad, end.as_bytes()].concat()
    };
    let limits = XmlLimits::default();
    let (mut packages, mut others) = (Vec::new(), Vec::new());
    let text = document("metadata");
    let read = primary::read("p", &text[..], &limits, &mut |package| {
        packages.push(package.name().to_owned());
        ControlFlow::Continue(())
    });
    let text = document("otherdata");
    let read_other = other::read("o", &text[..], &limits, &mut |package| {
        others.push(package.name().to_owned());
        ControlFlow::Continue(())
    });
    [
        read.map(|summary| (packages, summary)),
        read_other.map(|summary| (others, summary)),
    ]
}

/// Row 127: what cannot be used costs its own package, is counted, and the first is named; what is no XML costs all.
#[test]
fn a_bad_record_costs_its_own_package() {
    let long = "x".repeat(9 << 20);
    let name = |name: &str| {
        format!(
            "<package pkgid=\"00\" name=\"{name}\" arch=\"x\"><name>{name}</name><arch>x</arch><version ver=\"1\"/>\
             <checksum type=\"sha256\">00</checksum><location href=\"a\"/></package>"
        )
    };
    for bad in ["a/b", "..", "", "a&#10;b", &"n".repeat(256), &long] {
        for read in among_others(name(bad).repeat(2).as_bytes()) {
            let (names, summary) = read.unwrap();
            assert_eq!(names, ["before", "after"]);
            assert_eq!(summary.records, 2);
            assert!(summary.complete);
            let left_out = summary.left_out.unwrap();
            assert_eq!(left_out.records, 2, "{left_out}");
            assert!(left_out.to_string().len() < 400, "{left_out}");
        }
    }
    let inside = |inside: &str| {
        let start = "<package pkgid=\"0\" name=\"bad\"><name>bad</name>";
        format!("{start}{inside}</package>")
    };
    for bad in [
        format!("<summary>{long}</summary>"),
        format!("<changelog author=\"{long}\">{long}</changelog><checksum>x</checksum>"),
        format!(
            "<changelog date=\"x\"/><format><requires><entry name=\"{long}\"/></requires></format>"
        ),
        "<changelog date=\"-1\"/><size package=\"-1\"/><format><file>/a</file></format>".to_owned(),
    ] {
        let [read, _] = among_others(inside(&bad).as_bytes());
        let (names, summary) = read.unwrap();
        assert_eq!(names, ["before", "after"]);
        let left_out = summary.left_out.unwrap();
        assert_eq!(
            (left_out.records, &*left_out.first),
            (1, "bad"),
            "{left_out}"
        );
    }
    let comment = format!("<!-- {long} -->");
    for broken in [
        "<a>",
        "<summary>&x;</summary><changelog>&x;</changelog>",
        "&",
        "<a b=c>",
        &comment,
    ] {
        assert!(
            among_others(inside(broken).as_bytes())
                .iter()
                .all(Result::is_err),
            "{broken:.20}"
        );
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn row_46_bombs_stop_at_the_announced_size() {
    const SIZE: u64 = 64 << 20;
    let zeros = || repeat(b"\0", SIZE);
    let mut gz = flate2::read::GzEncoder::new(zeros(), flate2::Compression::fast());
    let mut xz = liblzma::read::XzEncoder::new(zeros(), 0);
    let mut bz = bzip2::read::BzEncoder::new(zeros(), bzip2::Compression::fast());
    let mut zst = zstd::stream::read::Encoder::new(zeros(), 1).unwrap();
    let encoders: [(&str, &mut dyn Read); 4] = [
        ("a.gz", &mut gz),
        ("a.xz", &mut xz),
        ("a.bz2", &mut bz),
        ("a.zst", &mut zst),
    ];
    for (name, encoder) in encoders {
        let mut packed = Vec::new();
        encoder.read_to_end(&mut packed).unwrap();
        assert!(packed.len() < 1 << 20, "{name}: {}", packed.len());
        let expected = Expected {
            open_size: Some(1000),
            ..Expected::default()
        };
        let mut reader = VerifiedReader::new(&packed[..], name, expected).unwrap();
        let mut buffer = [0; 600];
        let mut got = 0;
        let error = loop {
            match reader.read(&mut buffer) {
                Ok(count) => got += count,
                Err(error) => break error,
            }
        };
        assert!(got <= 1000, "{name}: {got}");
        assert_eq!(
            StreamError::of(&error),
            Some(&StreamError::TooLarge {
                part: StreamPart::Open,
                limit: 1000
            })
        );
        assert!(reader.read(&mut buffer).is_err());
        // Without a bomb's mark the same stream is fine.
        let expected = Expected {
            open_size: Some(SIZE),
            ..Expected::default()
        };
        let mut reader = VerifiedReader::new(&packed[..], name, expected).unwrap();
        assert_eq!(
            io::copy(&mut reader, &mut io::sink()).unwrap(),
            SIZE,
            "{name}"
        );
        assert!(reader.is_verified());
    }
}

/// Row 46: an index that promises what the bomb holds does not make it less of one.
#[test]
fn row_46_a_bomb_whose_size_is_promised() {
    const PROMISED: u64 = 300 << 20;
    let zeros = repeat(b"\0", PROMISED);
    let mut encoder = zstd::stream::read::Encoder::new(zeros, 1).unwrap();
    let mut packed = Vec::new();
    encoder.read_to_end(&mut packed).unwrap();
    for open_size in [Some(PROMISED), None] {
        let expected = Expected {
            open_size,
            ..Expected::default()
        };
        let mut reader = VerifiedReader::new(&packed[..], "a.zst", expected).unwrap();
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        let Some(StreamError::TooLarge { part, limit }) = StreamError::of(&error) else {
            panic!("{error}");
        };
        assert_eq!((*part, *limit), (StreamPart::Open, 256 << 20));
    }
}

/// Row 45: one advisory, and one comps document, are bounded as a whole, however small their parts.
#[test]
fn row_45_advisories_and_comps_are_bounded_as_a_whole() {
    let reference = "<reference id=\"CVE-1\" type=\"cve\" href=\"h\"/>".repeat(200_000);
    let advisory = format!(
        "<updates><update><id>a</id><references>{reference}</references></update></updates>"
    );
    let limits = XmlLimits::default();
    let read = |text: &str| {
        updateinfo::read("u", text.as_bytes(), &limits, &mut |_| {
            std::ops::ControlFlow::Continue(())
        })
    };
    let error = read(&advisory).unwrap_err().to_string();
    assert!(error.contains("an advisory with too many items"), "{error}");
    let package = "<packagereq>x</packagereq>".repeat(1000);
    let groups = format!("<group><id>g</id><packagelist>{package}</packagelist></group>");
    let comps = format!("<comps>{}</comps>", groups.repeat(300));
    let error = rpm_repo::comps::read("c", comps.as_bytes(), &limits).unwrap_err();
    assert!(error.to_string().contains("too many items"), "{error}");
}

/// Row 45: packages that each have no more provides than they may are too much together.
#[test]
fn row_45_provides_of_all_packages_are_bounded() {
    let provides = "<entry name=\"x\"/>".repeat(99_000);
    let package = format!(
        "<package><name>a</name><arch>x</arch><version ver=\"1\"/><checksum type=\"sha256\">00</checksum>\
         <location href=\"a.rpm\"/><format><provides>{provides}</provides></format></package>"
    );
    let text = format!("<metadata>{}</metadata>", package.repeat(22));
    let mut seen = 0;
    let mut each = |_: &PrimaryPackage| {
        seen += 1;
        ControlFlow::Continue(())
    };
    let error = primary::read("p", text.as_bytes(), &XmlLimits::default(), &mut each);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("too many dependencies and files"), "{error}");
    assert_eq!((seen, error.lines().count()), (20, 1));
}

#[test]
fn row_46_a_zstd_window_of_2_gib_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(30).unwrap();
    encoder.write_all(b"hello").unwrap();
    let packed = encoder.finish().unwrap();
    let mut decoder = Decoder::new(&packed[..], "a.zst").unwrap();
    assert!(io::copy(&mut decoder, &mut io::sink()).is_err());
}

#[test]
fn row_47_an_endless_body_stops_at_the_expected_size() {
    let expected = Expected {
        size: Some(5000),
        ..Expected::default()
    };
    let reader = VerifiedReader::new(repeat(b"x", u64::MAX), "a.xml", expected);
    let error = reader
        .and_then(|mut r| io::copy(&mut r, &mut io::sink()))
        .unwrap_err();
    assert!(
        matches!(StreamError::of(&error), Some(StreamError::TooLarge { .. })),
        "{error}"
    );
}

#[test]
fn row_48_endless_repomd() {
    let mut text = b"<repomd>".to_vec();
    text.resize(repomd::MAX_SIZE + 1, b' ');
    assert!(
        repomd::parse("r", &text)
            .unwrap_err()
            .to_string()
            .contains("too large")
    );
    let many = format!(
        "<repomd>{}</repomd>",
        "<data type=\"a\"><location href=\"a\"/></data>".repeat(1001)
    );
    assert!(
        repomd::parse("r", many.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("too many records")
    );
}

#[test]
fn html_and_cut_documents_are_refused() {
    for text in [
        "",
        " ",
        "<html><body>404</body></html>",
        "not xml",
        "<metadata>",
        "<metadata></filelists>",
        "<metadata/><metadata/>",
        "<metadata/>x",
        "<metadata><package><name>a</name>",
    ] {
        assert!(names(text.as_bytes()).is_err(), "{text}");
    }
    let error = Decoder::new(&b"<html>"[..], "primary.xml.gz")
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "primary.xml.gz is not gzip data");
    let utf16 = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><metadata/>";
    assert!(names(utf16.as_bytes()).is_err());
    assert!(names(&b"<metadata><package><name>\xff</name></package></metadata>"[..]).is_err());
}

/// Row 57: whatever a document says, and however: what is written of it is well-formed, by expat's word.
#[test]
fn row_57_what_is_written_is_well_formed() {
    let written = |text: &str| {
        let document = format!(
            "<metadata><package><name>a</name><arch>x</arch><version ver=\"1\"/>\
             <checksum type=\"sha256\">00</checksum><summary>{text}</summary><location href=\"a.rpm\"/>\
             <format><provides><entry name=\"1{text}\"/></provides></format></package></metadata>"
        );
        let mut out = String::new();
        primary::begin(1, &mut out);
        primary::read(
            "p",
            document.as_bytes(),
            &XmlLimits::default(),
            &mut |package| {
                primary::write_package(package, &mut out);
                ControlFlow::Continue(())
            },
        )
        .ok()?;
        Some(out + primary::END)
    };
    let mut taken = 0;
    for number in (0..0x300)
        .chain(0x2000..0x2100)
        .chain(0xd7f0..0x1_0010)
        .chain([0x10_ffff])
    {
        let raw = char::from_u32(number).filter(|c| !"<&\"".contains(*c));
        for text in [Some(format!("&#x{number:x};")), raw.map(String::from)]
            .into_iter()
            .flatten()
        {
            let Some(document) = written(&text) else {
                continue;
            };
            taken += 1;
            let faults = |c: &char| {
                *c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}')
            };
            assert_eq!(document.chars().find(faults), None, "{number:x}");
        }
    }
    assert!(taken > 18_000, "{taken}");
    let document = written("\u{fffe}\u{ffff}&#x7f;&#x9b;&#x202e;&#13;&#10;").unwrap();
    let script =
        "import sys, xml.parsers.expat as e; e.ParserCreate().Parse(sys.argv[1].encode(), True)";
    let mut expat = std::process::Command::new("/usr/bin/python3");
    testkit::program::ok(expat.args(["-c", script, &document]));
}
