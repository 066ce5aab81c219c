//! What the record parsers share: text kept in one reused buffer, and the summary they return.

use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result, quoted};
use crate::rule;
use crate::xml::{Parsed, Tag, XmlFault, XmlLimits, XmlReader, push_clean, push_number, push_pair};

/// The records of a document that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// How many there are.
    pub records: u64,
    /// What the first is called, as far as it says.
    pub first: String,
    /// What is wrong with the first.
    pub why: &'static str,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeftOut {
            records,
            first,
            why,
        } = self;
        match records {
            1 => write!(f, "1 record is left out: {first}: {why}"),
            _ => write!(
                f,
                "{records} records are left out, the first: {first}: {why}"
            ),
        }
    }
}

/// What readers left out of a document, until it is said. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LeftOutNote(Arc<Mutex<Option<LeftOut>>>);

impl LeftOutNote {
    /// Notes what a reader left out, if anything.
    pub fn put(&self, left_out: Option<LeftOut>) {
        if left_out.is_some() {
            *self.lock() = left_out;
        }
    }

    /// What is to be said, for the first who asks.
    pub fn take(&self) -> Option<LeftOut> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<LeftOut>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a parser saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParseSummary {
    /// The number of records the document announces (`packages="N"`), if it does.
    pub declared: Option<u64>,
    /// The records that were read and handed out.
    pub records: u64,
    /// Those that cannot be used.
    pub left_out: Option<LeftOut>,
    /// False if the callback stopped the reading; then the stream was not read to its end, and a
    /// verifying stream has verified nothing.
    pub complete: bool,
}

/// A piece of a record's text buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TextSpan {
    start: u32,
    end: u32,
}

impl TextSpan {
    /// From `start` to the end of the buffer. The buffer's limit keeps it below 4 GiB.
    #[inline]
    pub(crate) fn since(start: usize, text: &str) -> TextSpan {
        TextSpan::at(start, text.len() - start)
    }

    /// A piece of the buffer.
    #[inline]
    pub(crate) fn at(start: usize, length: usize) -> TextSpan {
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        TextSpan {
            start: at(start),
            end: at(start + length),
        }
    }

    /// A header's string, cleaned and appended to the buffer.
    pub(crate) fn clean(bytes: &[u8], text: &mut String) -> TextSpan {
        TextSpan::clean_or(bytes, text, &mut None)
    }

    /// The same of a text that means something else without a character: that is a `fault`.
    pub(crate) fn clean_or(
        bytes: &[u8],
        text: &mut String,
        fault: &mut Option<&'static str>,
    ) -> TextSpan {
        let start = text.len();
        if !push_clean(bytes, text) {
            *fault = Some(rule::NO_XML);
        }
        TextSpan::since(start, text)
    }

    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    #[inline]
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or("")
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// Appends a raw attribute value to a record's buffer.
#[inline]
pub(crate) fn keep(raw: &str, text: &mut String, max: usize) -> Parsed<TextSpan> {
    if text.len() + raw.len() > max {
        return Err(XmlFault::of("a record with too much text"));
    }
    let start = text.len();
    crate::xml::unescape_into(raw, text)?;
    Ok(TextSpan::since(start, text))
}

/// The architecture as metadata has it: `src` for every source package, `nosrc` ones too.
pub(crate) fn arch(header: &rpm_pkg::header::Header) -> &[u8] {
    use rpm_pkg::header::tag;
    if rpm_pkg::nevra::is_source(header) {
        b"src"
    } else {
        header.string(tag::ARCH).unwrap_or_default()
    }
}

/// How filelists and other name the package that a record belongs to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PackageKey {
    pub(crate) pkgid: TextSpan,
    pub(crate) name: TextSpan,
    pub(crate) arch: TextSpan,
    pub(crate) version: TextSpan,
    pub(crate) release: TextSpan,
    pub(crate) epoch: u32,
    /// What could not be taken from a header as it stands there.
    pub(crate) header_fault: Option<&'static str>,
}

impl PackageKey {
    /// From a package's header and its checksum.
    pub(crate) fn from_header(
        header: &rpm_pkg::header::Header,
        checksum: &str,
        text: &mut String,
    ) -> PackageKey {
        use rpm_pkg::header::tag;
        let mut header_fault = None;
        let mut put = |bytes: &[u8]| TextSpan::clean_or(bytes, text, &mut header_fault);
        PackageKey {
            pkgid: put(checksum.as_bytes()),
            name: put(header.string(tag::NAME).unwrap_or_default()),
            arch: put(arch(header)),
            version: put(header.string(tag::VERSION).unwrap_or_default()),
            release: put(header.string(tag::RELEASE).unwrap_or_default()),
            epoch: header.u32(tag::EPOCH).unwrap_or(0),
            header_fault,
        }
    }

    /// From `<package pkgid= name= arch=>`.
    pub(crate) fn from_tag(
        tag: &Tag<'_>,
        text: &mut String,
        limits: &XmlLimits,
    ) -> Parsed<PackageKey> {
        let mut key = PackageKey::default();
        tag.attributes(|name, value| {
            let slot = match name {
                b"pkgid" => &mut key.pkgid,
                b"name" => &mut key.name,
                b"arch" => &mut key.arch,
                _ => return Ok(()),
            };
            *slot = keep(value, text, limits.max_record_text)?;
            Ok(())
        })?;
        if key.pkgid.is_empty() || key.name.is_empty() {
            return Err(XmlFault::of("a package without pkgid or name"));
        }
        Ok(key)
    }

    /// From `<version epoch= ver= rel=>`.
    pub(crate) fn version_from(
        &mut self,
        tag: &Tag<'_>,
        text: &mut String,
        limits: &XmlLimits,
    ) -> Parsed<()> {
        let max = limits.max_record_text;
        tag.attributes(|name, value| {
            match name {
                b"epoch" => self.epoch = crate::primary::epoch(value)?.unwrap_or(0),
                b"ver" => self.version = keep(value, text, max)?,
                b"rel" => self.release = keep(value, text, max)?,
                _ => {}
            }
            Ok(())
        })
    }
}

/// A package of filelists or other: a key, and items that each are one element with a text.
pub(crate) trait Listing: Default {
    /// The document's root element.
    const ROOT: &'static str;
    /// The element of an item.
    const ITEM: &'static [u8];
    /// What is said of a package with more items than the limit allows.
    const TOO_MANY: &'static str;
    /// What an item's attributes say.
    type Item;

    /// Key and text buffer.
    fn key(&mut self) -> (&mut PackageKey, &mut String);

    /// The same, only to look at.
    fn parts(&self) -> (&PackageKey, &str);

    /// The texts of all items.
    fn spans(&self) -> impl Iterator<Item = TextSpan>;

    /// Forgets all items.
    fn clear_items(&mut self);

    /// Reads the attributes of an item; what it keeps goes to `text`.
    fn item(tag: &Tag<'_>, text: &mut String, limits: &XmlLimits) -> Parsed<Self::Item>;

    /// Adds an item and its text; returns how many there are now.
    fn push(&mut self, item: Self::Item, text: TextSpan) -> usize;

    /// Adds the items that `text` begins with, as far as they are written in a layout that is known and within the
    /// limits; returns how much of it that is.
    fn push_written(&mut self, _: &str, _: &XmlLimits) -> usize {
        0
    }
}

/// Why metadata cannot have this package: no reader takes such a one, no writer may write it.
pub(crate) fn listing_fault(package: &impl Listing) -> Option<&'static str> {
    let (key, text) = package.parts();
    if key.pkgid.is_empty() {
        return Some("a package without a pkgid");
    }
    let words = [key.name, key.version, key.release, key.arch].map(|span| span.of(text));
    let spans = package.spans();
    let tags = spans.map(|span| [span, TextSpan::default(), TextSpan::default()]);
    key.header_fault
        .or_else(|| rule::name_fault(words))
        .or_else(|| rule::length_fault(text, tags))
}

/// A document that is a list of records, and the state of its parser.
pub(crate) trait RecordParser {
    /// The document's root element.
    const ROOT: &'static str;
    /// The element of a record.
    const RECORD: &'static [u8];
    /// What is said of a document with more records than the limit allows.
    const TOO_MANY: &'static str;

    /// Begins a record with what its tag says.
    fn begin(&mut self, tag: &Tag<'_>) -> Parsed<()>;

    /// Reads the next record with its tag and hands it out, if it is at hand and written in a layout that the parser
    /// knows. Otherwise nothing of it is read.
    fn whole(&mut self, _: &mut XmlReader<'_, impl Read>) -> Result<Option<ControlFlow<()>>> {
        Ok(None)
    }

    /// What the record is called, as far as it was read.
    fn called(&self) -> &str;

    /// Reads the rest of the record, and hands it out.
    fn record(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<ControlFlow<()>>;
}

/// Reads a list of records.
pub(crate) fn read_records<P: RecordParser>(
    document: &str,
    stream: impl Read,
    limits: &XmlLimits,
    parser: &mut P,
) -> Result<ParseSummary> {
    let mut xml = XmlReader::new(document, stream, limits);
    let mut summary = ParseSummary {
        declared: xml.root(P::ROOT)?,
        ..ParseSummary::default()
    };
    let outer = xml.depth();
    loop {
        let mut has_begun = false;
        let error = match next_record(&mut xml, parser, &mut has_begun) {
            Ok(Some(ControlFlow::Break(()))) => {
                summary.records += 1;
                return Ok(summary);
            }
            Ok(Some(ControlFlow::Continue(()))) => {
                summary.records += 1;
                None
            }
            Ok(None) => break,
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            let Error::Record { what, .. } = error else {
                return Err(error);
            };
            if !xml.leave_record(P::RECORD, outer)? {
                return Err(error);
            }
            let called = if has_begun { parser.called() } else { "" };
            summary.leave_out(called, what);
        }
        let left_out = summary.left_out.as_ref().map_or(0, |left| left.records);
        if summary.records + left_out > limits.max_records {
            return Err(xml.error(P::TOO_MANY));
        }
    }
    xml.finish()?;
    summary.complete = true;
    Ok(summary)
}

/// Reads the next record and hands it out; `None` at the end of the list.
fn next_record<P: RecordParser>(
    xml: &mut XmlReader<'_, impl Read>,
    parser: &mut P,
    has_begun: &mut bool,
) -> Result<Option<ControlFlow<()>>> {
    if let Some(flow) = parser.whole(xml)? {
        return Ok(Some(flow));
    }
    while let Some(is_record) = xml.child(|tag| {
        let is_record = tag.name() == P::RECORD;
        if is_record {
            *has_begun = true;
            parser.begin(tag)?;
        }
        Ok(is_record)
    })? {
        if is_record {
            return parser.record(xml).map(Some);
        }
        xml.skip()?;
    }
    Ok(None)
}

impl ParseSummary {
    fn leave_out(&mut self, called: &str, why: &'static str) {
        match &mut self.left_out {
            Some(left_out) => left_out.records += 1,
            None => {
                let first = match called {
                    "" => "a record without a name".to_owned(),
                    called => quoted(called),
                };
                self.left_out = Some(LeftOut {
                    records: 1,
                    first,
                    why,
                });
            }
        }
    }
}

struct ListingParser<'e, L> {
    package: L,
    limits: XmlLimits,
    each: &'e mut dyn FnMut(&L) -> ControlFlow<()>,
}

/// Reads a document of listings: [`crate::filelists::read`] and [`crate::other::read`].
pub(crate) fn read_listings<L: Listing>(
    document: &str,
    stream: impl Read,
    limits: &XmlLimits,
    each: &mut dyn FnMut(&L) -> ControlFlow<()>,
) -> Result<ParseSummary> {
    let mut parser = ListingParser {
        package: L::default(),
        limits: *limits,
        each,
    };
    read_records(document, stream, limits, &mut parser)
}

impl<L: Listing> RecordParser for ListingParser<'_, L> {
    const ROOT: &'static str = L::ROOT;
    const RECORD: &'static [u8] = b"package";
    const TOO_MANY: &'static str = "too many packages";

    fn begin(&mut self, tag: &Tag<'_>) -> Parsed<()> {
        self.package.clear_items();
        let (key, text) = self.package.key();
        text.clear();
        *key = PackageKey::default();
        *key = PackageKey::from_tag(tag, text, &self.limits)?;
        Ok(())
    }

    fn called(&self) -> &str {
        let (key, text) = self.package.parts();
        key.name.of(text)
    }

    fn record(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<ControlFlow<()>> {
        let limits = &self.limits;
        loop {
            if let Some(text) = xml.at_hand() {
                let length = self.package.push_written(text, limits);
                xml.pass(length);
            }
            let (key, text) = self.package.key();
            let item = xml.child(|tag| match tag.name() {
                name if name == L::ITEM => L::item(tag, text, limits).map(Some),
                b"version" => key.version_from(tag, text, limits).map(|()| None),
                _ => Ok(None),
            })?;
            let Some(item) = item else {
                if let Some(what) = listing_fault(&self.package) {
                    return Err(xml.fault(XmlFault::of(what)));
                }
                return Ok((self.each)(&self.package));
            };
            let Some(item) = item else {
                xml.skip()?;
                continue;
            };
            let start = text.len();
            xml.text_into(text, limits.max_record_text)?;
            let span = TextSpan::since(start, text);
            if self.package.push(item, span) > limits.max_items {
                return Err(xml.fault(XmlFault::of(L::TOO_MANY)));
            }
        }
    }
}

/// Appends the start of a document of `packages` packages: its root element, with the namespaces it
/// declares as they are written.
pub(crate) fn push_root(root: &str, namespaces: &str, packages: u64, out: &mut String) {
    for part in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<",
        root,
        " ",
        namespaces,
    ] {
        out.push_str(part);
    }
    push_number("packages", packages, out);
    out.push_str(">\n");
}

/// Appends `<package ...>` and `<version/>` of filelists and other.
pub(crate) fn push_key(key: &PackageKey, text: &str, out: &mut String) {
    out.push_str("<package");
    push_pair("pkgid", key.pkgid.of(text), out);
    push_pair("name", key.name.of(text), out);
    push_pair("arch", key.arch.of(text), out);
    out.push_str(">\n  <version");
    push_number("epoch", key.epoch.into(), out);
    push_pair("ver", key.version.of(text), out);
    push_pair("rel", key.release.of(text), out);
    out.push_str("/>\n");
}

/// The getters of the key that filelists and other share.
macro_rules! key_texts {
    ($type:ident) => {
        impl $type {
            /// The checksum of the package file in hexadecimal: the key to primary.
            pub fn pkgid(&self) -> &str {
                self.key.pkgid.of(&self.text)
            }

            /// The package's name.
            pub fn name(&self) -> &str {
                self.key.name.of(&self.text)
            }

            /// The package's architecture.
            pub fn arch(&self) -> &str {
                self.key.arch.of(&self.text)
            }

            /// The package's epoch; 0 if there is none.
            pub fn epoch(&self) -> u32 {
                self.key.epoch
            }

            /// The package's version.
            pub fn version(&self) -> &str {
                self.key.version.of(&self.text)
            }

            /// Why metadata cannot have this package: no reader takes such a one, no writer may write it.
            pub fn fault(&self) -> Option<&'static str> {
                crate::record::listing_fault(self)
            }

            /// The package's release.
            pub fn release(&self) -> &str {
                self.key.release.of(&self.text)
            }
        }
    };
}
pub(crate) use key_texts;
