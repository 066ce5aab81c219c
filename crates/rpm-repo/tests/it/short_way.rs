//! The short ways through a document and quick-xml come to the same: records, summaries and errors with their places.
//!
//! The short ways take only what lies whole in the block that was read. A stream that gives a byte at a time therefore
//! leaves everything to quick-xml.

use std::io::Read;
use std::ops::ControlFlow;

use fastrand::Rng;
use rpm_repo::compress::Decoder;
use rpm_repo::primary::ParseSummary;
use rpm_repo::xml::XmlLimits;
use rpm_repo::{Result, filelists, other, primary, updateinfo};

use crate::mutated::{DOCUMENTS, damage};

/// Gives as many bytes at a time as `next` says.
struct Drip<'b, F>(&'b [u8], F);

impl<F: FnMut() -> usize> Read for Drip<'_, F> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let most = (self.1)().min(out.len());
        self.0.read(&mut out[..most])
    }
}

/// What a reader says of a document: every record, and how it ended.
type Said = (Vec<String>, std::result::Result<ParseSummary, String>);

fn said<T: std::fmt::Debug>(
    read: impl FnOnce(&mut dyn FnMut(&T) -> ControlFlow<()>) -> Result<ParseSummary>,
) -> Said {
    let mut records = Vec::new();
    let end = read(&mut |record| {
        records.push(format!("{record:?}"));
        ControlFlow::Continue(())
    });
    (records, end.map_err(|error| format!("{error:?}")))
}

/// What all readers of records say.
fn all<'b>(stream: &dyn Fn() -> Box<dyn Read + 'b>, limits: &XmlLimits) -> [Said; 4] {
    [
        said(|each| primary::read("p", stream(), limits, each)),
        said(|each| filelists::read("f", stream(), limits, each)),
        said(|each| other::read("o", stream(), limits, each)),
        said(|each| updateinfo::read("u", stream(), limits, &mut |record| each(&record))),
    ]
}

fn assert_same(document: &[u8], limits: &XmlLimits, random: &mut Rng) {
    let slow = all(&|| Box::new(Drip(document, || 1)), limits);
    let whole = all(&|| Box::new(document), limits);
    assert_eq!(slow, whole, "{}", String::from_utf8_lossy(document));
    let (seed, most) = (random.u64(..), random.usize(1..300));
    let pieces = || {
        let mut random = Rng::with_seed(seed);
        Box::new(Drip(document, move || random.usize(1..=most))) as Box<dyn Read>
    };
    let pieces = all(&pieces, limits);
    assert_eq!(slow, pieces, "{}", String::from_utf8_lossy(document));
}

/// What XML may hold and generators seldom write, and what it may not.
const STRAYS: &[&str] = &[
    "<!-- c -->",
    "<!-- </package> -->",
    "<![CDATA[<b>&]]>",
    "<?pi x?>",
    "&amp;",
    "&#65;",
    "&#x1F600;",
    "&#0;",
    "&nbsp;",
    "&",
    ";",
    "\r",
    "\r\n",
    "\t",
    "\n    ",
    " ",
    "ü",
    "\u{feff}",
    "<a>",
    "</a>",
    "<a/>",
    "<a />",
    "<x:a b='>' c=\"/>\">t</x:a>",
    "<a b=\"<\" c = \"1\"/>",
    " a=\"'\"",
    " a='\"'",
    " xmlns:q=\"u\"",
    " a",
    "=",
    "'",
    "\"",
    ">",
    "/>",
    "</",
    "<",
    "</package>",
    "<package>",
    "</format >",
    "<file>",
    "</file>",
    "<name>n</name>",
    "<rpm:entry name=\"&lt;a\" pre=\"0\" flags=\"EQ\" ver=\"&#10;\"/>",
    "<entry/>",
    "]]>",
    "<!DOCTYPE a>",
    "<size package=\"99999999999999999999\"/>",
    "<version epoch=\"x\"/>",
    "<arch>b</arch>",
    "<summary/>",
    "<description>&lt;\r\nü&#13;]]></description>",
    "<rpm:provides>",
    "</rpm:provides>",
    "<rpm:provides/>",
    "<rpm:requires><rpm:entry name=\"x\"/></rpm:requires>",
    "<format>",
    "<format/>",
    "</format>",
    "<file type=\"dir\">/a b/ü&amp;</file>",
    "<file type=\"link\">/a</file>",
    "<file/>",
    " flags=\"XX\"",
    " epoch=\"\"",
    " pre=\"0\"",
    " name=\"b\"",
    " ver=\"&quot;\t'\"",
    " xml:base=\"file:///\"",
    "/",
    "-",
    "\u{1}",
    "\u{7f}",
];

/// As createrepo_c writes it.
const WRITTEN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<metadata xmlns=\"c\" xmlns:rpm=\"r\" packages=\"2\">
<package type=\"rpm\">
  <name>a</name>
  <arch>noarch</arch>
  <version epoch=\"0\" ver=\"1\" rel=\"2.el9\"/>
  <checksum type=\"sha256\" pkgid=\"YES\">00ff</checksum>
  <summary>A &lt;tool></summary>
  <description>Of two
lines &amp; ü.</description>
  <packager></packager>
  <url>http://a/?b=1&amp;c</url>
  <time file=\"1\" build=\"2\"/>
  <size package=\"1\" installed=\"2\" archive=\"3\"/>
  <location href=\"./a//a.rpm\"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:vendor/>
    <rpm:group>Unspecified</rpm:group>
    <rpm:buildhost>h</rpm:buildhost>
    <rpm:sourcerpm>a-1-2.el9.src.rpm</rpm:sourcerpm>
    <rpm:header-range start=\"1\" end=\"2\"/>
    <rpm:provides>
      <rpm:entry name=\"a\" flags=\"EQ\" epoch=\"0\" ver=\"1\" rel=\"2.el9\"/>
    </rpm:provides>
    <rpm:requires>
      <rpm:entry name=\"/bin/sh\" pre=\"1\"/>
      <rpm:entry name=\"(b &gt;= 1 if c)\"/>
      <rpm:entry name=\"libb.so.1()(64bit)\"/>
    </rpm:requires>
    <rpm:obsoletes>
      <rpm:entry name=\"b\" flags=\"LT\" epoch=\"1\" ver=\"3\"/>
    </rpm:obsoletes>
    <file>/etc/a.conf</file>
    <file type=\"dir\">/etc/a d</file>
    <file type=\"ghost\">/etc/&amp;</file>
  </format>
</package>
<package type=\"rpm\"><name>b</name><arch>x86_64</arch><version epoch=\"1\" ver=\"3\" rel=\"1\"/><checksum type=\"md5\" \
pkgid=\"YES\">20b6d77930574ae541108e8e7987ad3f</checksum><summary/><description/><time file=\"1\" build=\"2\"/><size \
package=\"1\" installed=\"2\" archive=\"3\"/><location xml:base=\"http://h/\" href=\"b.rpm\"/><format></format></package>
</metadata>
";

/// Puts strays where a tag begins or ends, or anywhere; takes tags out, and puts them twice.
fn stir(document: &mut String, random: &mut Rng) {
    for _ in 0..=random.usize(..3) {
        let edges: Vec<usize> = document
            .match_indices(['<', '>', '"', ' '])
            .map(|(at, _)| at)
            .collect();
        let Some(&edge) = random.choice(&edges) else {
            return;
        };
        let (from, to) = (
            edge + random.usize(..2),
            *random.choice(&edges).unwrap_or(&edge),
        );
        match random.usize(..6) {
            0 => drop(document.drain(from.min(to)..to.max(from).min(from + 200))),
            1 => {
                let piece = document[from.min(to)..to.max(from).min(from.min(to) + 200)].to_owned();
                document.insert_str(to, &piece);
            }
            2 => document.truncate(from),
            _ => document.insert_str(from, STRAYS[random.usize(..STRAYS.len())]),
        }
    }
}

fn small() -> XmlLimits {
    XmlLimits {
        max_depth: 4,
        max_event: 60,
        max_records: 3,
        max_record_text: 120,
        max_items: 3,
    }
}

#[test]
fn damaged_documents_are_read_the_same_both_ways() {
    let mut random = Rng::with_seed(3);
    let documents = [&DOCUMENTS[..4], &[WRITTEN; 4]].concat();
    for document in documents {
        for round in 0..500 {
            let mut text = document.to_owned();
            stir(&mut text, &mut random);
            let mut bytes = text.into_bytes();
            if round % 4 == 0 {
                damage(&mut bytes, &mut random);
            }
            // Where a limit of bytes is noticed depends on the blocks; those of the rest do not.
            let limits = XmlLimits {
                max_event: XmlLimits::default().max_event,
                ..small()
            };
            let limits = if round % 3 == 0 {
                limits
            } else {
                XmlLimits::default()
            };
            assert_same(&bytes, &limits, &mut random);
        }
    }
}

#[test]
fn real_documents_are_read_the_same_both_ways() {
    let Some(root) = testkit::fixtures::real() else {
        return;
    };
    let mut random = Rng::with_seed(4);
    let mut documents = 0;
    for path in testkit::tree::files(&root) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_listing = ["primary", "filelists", "other", "updateinfo"]
            .iter()
            .any(|part| name.contains(part));
        if !is_listing || !name.contains(".xml") || name.ends_with(".zck") {
            continue;
        }
        let mut bytes = Vec::new();
        let stream = Decoder::new(std::fs::File::open(&path).unwrap(), name);
        // Some are damaged on purpose, others of many megabytes.
        let read = stream.and_then(|stream| stream.take(300_000).read_to_end(&mut bytes));
        if read.is_err() {
            continue;
        }
        documents += 1;
        assert_same(&bytes, &XmlLimits::default(), &mut random);
        let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(20_000)]).into_owned();
        stir(&mut text, &mut random);
        assert_same(text.as_bytes(), &XmlLimits::default(), &mut random);
    }
    assert!(documents > 90, "{documents}");
}
