//! The short way through a document and quick-xml come to the same: records, summaries and errors with their places.
//!
//! The short way takes only what lies whole in the block that was read. A stream that gives a byte at a time therefore
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
];

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
    for document in &DOCUMENTS[..4] {
        for round in 0..500 {
            let mut text = (*document).to_owned();
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
