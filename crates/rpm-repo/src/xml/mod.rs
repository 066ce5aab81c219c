//! The one XML reader that all parsers of this crate share: quick-xml behind guards, and two short ways
//! past it: [`plain`] for tags as every generator writes them, [`written`] for whole records in the layout of
//! createrepo_c.
//!
//! What it refuses, whatever the document: DOCTYPE (so no entities of one's own, no external
//! subsets), references other than the five of XML and numbers, encodings other than UTF-8, nesting
//! deeper than [`Limits::max_depth`], a tag or text longer than [`Limits::max_event`], anything but
//! white space and comments around the root element, a document that ends inside an element.
//! Elements and attributes are known by their local names: prefixes are dropped.

mod escape;
mod guard;
mod plain;
mod tag;
mod text;
mod written;

use std::io::{self, Read};

use memchr::memmem::Finder;
use quick_xml::events::Event as RawEvent;
use quick_xml::reader::Reader;

use crate::error::{Error, Result, quoted};
use crate::rule;
pub(crate) use escape::{is_xml, push_element, push_number, push_pair};
pub use escape::{push_attribute, push_clean, push_text};
use guard::Guard;
use plain::{Found, Plain};
pub use tag::Tag;
use tag::TagSource;
pub use text::{number, number32, unescape_into};
use text::{push_lines, reference};
pub(crate) use written::{Piece, Written};

/// What a document may hold at most. [`Limits::default`] suits repositories of 100,000 packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XmlLimits {
    /// Deepest nesting of elements.
    pub max_depth: u32,
    /// Longest tag or text in bytes, as written.
    pub max_event: usize,
    /// Most records (packages, advisories, groups) in a document.
    pub max_records: u64,
    /// Most bytes of text in one record.
    pub max_record_text: usize,
    /// Most items (dependencies, files, changelog entries, references) in one record.
    pub max_items: usize,
}

impl Default for XmlLimits {
    fn default() -> XmlLimits {
        XmlLimits {
            max_depth: 64,
            max_event: rule::MAX_WRITTEN,
            max_records: 4_000_000,
            max_record_text: rule::MAX_RECORD_TEXT,
            max_items: rule::MAX_ITEMS,
        }
    }
}

/// A guarded pull parser. Each element that [`XmlReader::next`] opened must be finished: by reading
/// to its [`Event::End`], by [`XmlReader::text_into`], or by [`XmlReader::skip`].
pub struct XmlReader<'d, R> {
    reader: Reader<Guard<R>>,
    /// The last event of the reader below.
    buffer: Vec<u8>,
    plain: Plain,
    document: &'d str,
    depth: u32,
    max_depth: u32,
    /// `<a/>` was read: the next event is its end.
    pending_end: bool,
    /// The root element was opened (and, at depth 0, closed).
    has_root: bool,
    /// `<!DOCTYPE name PUBLIC ...>` without a subset of its own is skipped.
    plain_doctype: bool,
}

/// What comes next inside an element.
pub enum XmlEvent<'e> {
    /// A child opens.
    Start(Tag<'e>),
    /// The element closes.
    End,
    /// Text, a comment: nothing of interest between elements.
    Other,
}

/// What is wrong with a piece of a document, before the document's name and position are added
/// with [`XmlReader::fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XmlFault {
    what: &'static str,
    /// The document is no XML here, and cannot be read on.
    is_syntax: bool,
}

impl XmlFault {
    /// A value that cannot be used.
    pub(crate) fn of(what: &'static str) -> XmlFault {
        XmlFault {
            what,
            is_syntax: false,
        }
    }

    /// What is no XML.
    fn syntax(what: &'static str) -> XmlFault {
        XmlFault {
            what,
            is_syntax: true,
        }
    }
}

/// What is read from a piece of a document.
pub(crate) type Parsed<T> = std::result::Result<T, XmlFault>;

impl<'d, R: Read> XmlReader<'d, R> {
    /// Starts a document; `document` is its name in errors.
    pub fn new(document: &'d str, stream: R, limits: &XmlLimits) -> XmlReader<'d, R> {
        XmlReader {
            reader: Reader::from_reader(Guard::new(stream, limits.max_event)),
            buffer: Vec::with_capacity(4096),
            plain: Plain::default(),
            document,
            depth: 0,
            max_depth: limits.max_depth,
            pending_end: false,
            has_root: false,
            plain_doctype: false,
        }
    }

    /// Passes over a DOCTYPE that declares nothing itself, as comps has one. Nothing is fetched.
    pub(crate) fn allow_plain_doctype(mut self) -> Self {
        self.plain_doctype = true;
        self
    }

    /// Reads up to the root element, whose local name must be `name`; returns its attribute
    /// `packages` if that is a number.
    pub fn root(&mut self, name: &str) -> Result<Option<u64>> {
        let root = self.child(|tag| {
            if tag.name() != name.as_bytes() {
                return Ok(None);
            }
            let mut packages = None;
            tag.attributes(|key, value| {
                let mut text = String::new();
                unescape_into(value, &mut text)?;
                if key == b"packages" {
                    packages = packages.or(number(&text).ok());
                }
                Ok(())
            })?;
            Ok(Some(packages))
        })?;
        let wrong = || self.error(format!("this is no <{name}> document"));
        root.flatten().ok_or_else(wrong)
    }

    /// What `read` makes of the next child of the open element, which is then to be finished; `None`
    /// at the element's end.
    #[inline]
    pub fn child<T>(&mut self, mut read: impl FnMut(&Tag<'_>) -> Parsed<T>) -> Result<Option<T>> {
        loop {
            let child = match self.next()? {
                XmlEvent::Start(tag) => read(&tag),
                XmlEvent::End => return Ok(None),
                XmlEvent::Other => continue,
            };
            return child.map(Some).map_err(|fault| self.fault(fault));
        }
    }

    /// The next event inside the element that is open. At the top level only the root is left to come.
    #[inline]
    #[allow(clippy::should_implement_trait)] // it lends from the reader
    pub fn next(&mut self) -> Result<XmlEvent<'_>> {
        if self.pending_end {
            self.pending_end = false;
            self.depth -= 1;
            return Ok(XmlEvent::End);
        }
        match self.plain_tag() {
            Some(Found::Start(name, is_empty)) => {
                self.depth += 1;
                self.pending_end = is_empty;
                let (text, _) = self.reader.get_ref().text().unwrap_or_default();
                return Ok(XmlEvent::Start(Tag(TagSource::Plain(
                    self.plain.last(text, name),
                ))));
            }
            Some(Found::End) => {
                self.depth -= 1;
                return Ok(XmlEvent::End);
            }
            None => self.hand_over()?,
        }
        let event = raw_event(&mut self.reader, &mut self.buffer, self.document)?;
        let is_empty = matches!(event, RawEvent::Empty(_));
        let what = match event {
            RawEvent::Start(tag) | RawEvent::Empty(tag)
                if self.depth < self.max_depth && (self.depth > 0 || !self.has_root) =>
            {
                self.depth += 1;
                self.has_root = true;
                self.pending_end = is_empty;
                return Ok(XmlEvent::Start(Tag(TagSource::Any(tag))));
            }
            RawEvent::End(_) if self.depth > 0 => {
                self.depth -= 1;
                return Ok(XmlEvent::End);
            }
            RawEvent::Text(text) if self.depth > 0 || is_blank(&text) => {
                return Ok(XmlEvent::Other);
            }
            RawEvent::CData(_) | RawEvent::GeneralRef(_) if self.depth > 0 => {
                return Ok(XmlEvent::Other);
            }
            RawEvent::Comment(_) | RawEvent::PI(_) => return Ok(XmlEvent::Other),
            RawEvent::Decl(decl) => match decl.encoding() {
                None => return Ok(XmlEvent::Other),
                Some(Ok(name)) if is_utf8(&name) => return Ok(XmlEvent::Other),
                Some(_) => "its encoding is not UTF-8".to_owned(),
            },
            RawEvent::Start(_) | RawEvent::Empty(_) if self.depth > 0 => {
                "nested too deep".to_owned()
            }
            RawEvent::Start(_) | RawEvent::Empty(_) => "a second root element".to_owned(),
            RawEvent::End(_) => "an end without a start".to_owned(),
            RawEvent::DocType(text)
                if self.plain_doctype && !self.has_root && !text.contains('[') =>
            {
                return Ok(XmlEvent::Other);
            }
            RawEvent::DocType(_) => "a DOCTYPE, which repository metadata never has".to_owned(),
            RawEvent::Eof if !self.has_root => "it holds no XML element".to_owned(),
            RawEvent::Eof => "it ends inside an element".to_owned(),
            RawEvent::Text(text) => format!("text outside of elements: {}", quoted(text.trim())),
            _ => "text outside of elements".to_owned(),
        };
        Err(document_error(self.document, &self.reader, what))
    }

    /// Appends the text of the element that was just opened and finishes it. Child elements are
    /// skipped. Errors: a reference that is refused; `out` would grow over `max` bytes.
    pub fn text_into(&mut self, out: &mut String, max: usize) -> Result<()> {
        if self.pending_end {
            self.pending_end = false;
            self.depth -= 1;
            return Ok(());
        }
        if self.plain_text(out, max) {
            return Ok(());
        }
        self.hand_over()?;
        loop {
            let fault = match raw_event(&mut self.reader, &mut self.buffer, self.document)? {
                RawEvent::Text(text) if out.len() + text.len() <= max => {
                    push_lines(&text, out);
                    continue;
                }
                RawEvent::CData(text) if out.len() + text.len() <= max => {
                    push_lines(&text, out);
                    continue;
                }
                RawEvent::Text(_) | RawEvent::CData(_) => XmlFault::of("the text is too long"),
                RawEvent::GeneralRef(_) if out.len() >= max => XmlFault::of("the text is too long"),
                RawEvent::GeneralRef(name) => match reference(&name) {
                    Ok(c) => {
                        out.push(c);
                        continue;
                    }
                    Err(fault) => fault,
                },
                RawEvent::End(_) => {
                    self.depth -= 1;
                    return Ok(());
                }
                RawEvent::Start(_) if self.depth < self.max_depth => {
                    self.depth += 1;
                    self.skip()?;
                    continue;
                }
                RawEvent::Empty(_) | RawEvent::Comment(_) | RawEvent::PI(_) => continue,
                RawEvent::Start(_) => XmlFault::syntax("nested too deep"),
                RawEvent::Eof => XmlFault::syntax("it ends inside an element"),
                RawEvent::DocType(_) | RawEvent::Decl(_) => {
                    XmlFault::syntax("a declaration inside an element")
                }
            };
            return Err(self.fault(fault));
        }
    }

    /// Whether the reader below is between two events of which the last was no text: then it need not know of what is
    /// read past it.
    #[inline]
    fn is_between(&self) -> bool {
        self.buffer.first() == Some(&b'<')
    }

    /// The text up to an end tag, behind which the open element goes on, if all of it is at hand and nothing in it can
    /// be nested deeper than `levels`. It may be read by who knows what it looks like, and then [`XmlReader::pass`] it.
    pub(crate) fn whole(&mut self, end: &Finder<'_>, levels: u32) -> Option<&str> {
        let is_free = self.is_between() && !self.pending_end && self.plain.opened.is_empty();
        if !is_free || self.depth == 0 || self.depth + levels > self.max_depth {
            return None;
        }
        let find = |guard: &Guard<R>| {
            let (text, start) = guard.text()?;
            let at = end.find(text.as_bytes().get(start..)?)?;
            Some(start + at + end.needle().len())
        };
        let found = find(self.reader.get_ref());
        if found.is_none() && !self.reader.get_mut().top_up() {
            return None;
        }
        let found = found.or_else(|| find(self.reader.get_ref()))?;
        let (text, start) = self.reader.get_ref().text()?;
        text.get(start..found)
    }

    /// The text at hand inside the open element, in the middle of which it may end. Whole children with nothing in
    /// them may be read by who knows what they look like, who then has to [`XmlReader::pass`] them.
    #[inline]
    pub(crate) fn at_hand(&self) -> Option<&str> {
        if !self.is_between() || self.pending_end || self.depth == 0 || self.depth >= self.max_depth
        {
            return None;
        }
        let (text, start) = self.reader.get_ref().text()?;
        text.get(start..)
    }

    /// Goes on behind so many bytes of [`XmlReader::whole`] or [`XmlReader::at_hand`].
    #[inline]
    pub(crate) fn pass(&mut self, length: usize) {
        let guard = self.reader.get_mut();
        if let Some((_, start)) = guard.text() {
            guard.pass_to(start + length);
        }
    }

    /// The next tag, if it can be read the short way.
    #[inline]
    fn plain_tag(&mut self) -> Option<Found> {
        let (text, start) = self.reader.get_ref().text()?;
        if !self.is_between() || self.depth == 0 || self.depth >= self.max_depth {
            return None;
        }
        let (found, end) = self.plain.tag(text, start)?;
        if let Found::Start(name, false) = found {
            self.plain.opened.push(name);
        }
        self.reader.get_mut().pass_to(end);
        Some(found)
    }

    /// [`XmlReader::text_into`], if it can be read the short way.
    #[inline]
    fn plain_text(&mut self, out: &mut String, max: usize) -> bool {
        if self.plain.opened.is_empty() {
            return false;
        }
        let Some((text, start)) = self.reader.get_ref().text() else {
            return false;
        };
        let before = out.len();
        let Some(end) = self.plain.text(text, start, out, max) else {
            out.truncate(before);
            return false;
        };
        self.reader.get_mut().pass_to(end);
        self.depth -= 1;
        true
    }

    /// Before the reader below goes on: tells it which elements were opened without it.
    #[inline]
    fn hand_over(&mut self) -> Result<()> {
        match self.plain.opened.is_empty() {
            true => Ok(()),
            false => self.tell_opened(),
        }
    }

    fn tell_opened(&mut self) -> Result<()> {
        let (text, _) = self.reader.get_ref().text().unwrap_or_default();
        let mut tags = String::new();
        let count = self.plain.opened.len();
        for (start, end) in self.plain.opened.drain(..) {
            for part in ["<", text.get(start..end).unwrap_or_default(), ">"] {
                tags.push_str(part);
            }
        }
        self.reader.get_mut().put_before(tags);
        for _ in 0..count {
            raw_event(&mut self.reader, &mut self.buffer, self.document)?;
        }
        Ok(())
    }

    /// The text of the element that was just opened, at most `max` bytes; finishes the element.
    pub fn text(&mut self, max: usize) -> Result<String> {
        let mut out = String::new();
        self.text_into(&mut out, max)?;
        Ok(out)
    }

    /// Finishes the element that was just opened without looking at it.
    #[inline]
    pub fn skip(&mut self) -> Result<()> {
        let outer = self.depth - 1;
        loop {
            if let XmlEvent::End = self.next()?
                && self.depth == outer
            {
                return Ok(());
            }
        }
    }

    /// After the root was closed: reads to the end of the stream, so that what verifies the
    /// stream has seen all of it. Errors: anything but white space and comments is left.
    pub fn finish(&mut self) -> Result<()> {
        loop {
            match raw_event(&mut self.reader, &mut self.buffer, self.document)? {
                RawEvent::Eof => return Ok(()),
                RawEvent::Comment(_) | RawEvent::PI(_) => {}
                RawEvent::Text(text) if is_blank(&text) => {}
                _ => return Err(self.error("something follows the root element")),
            }
        }
    }

    /// The error for a fault at the current position.
    pub fn fault(&self, fault: XmlFault) -> Error {
        match fault.is_syntax {
            true => self.error(fault.what),
            false => record_error(self.document, &self.reader, fault.what),
        }
    }

    /// An error at the current position that ends the reading of the document.
    pub fn error(&self, what: impl Into<String>) -> Error {
        document_error(self.document, &self.reader, what.into())
    }

    /// How many elements are open.
    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// After [`Error::Record`] in a `record` that lies in `outer` open elements, or whose own tag is too long: goes on
    /// behind its end, which is looked for without parsing, so that nothing of it costs memory. False where the
    /// document cannot be read on.
    ///
    /// Errors: the stream fails.
    #[cold]
    pub(crate) fn leave_record(&mut self, record: &[u8], outer: u32) -> Result<bool> {
        let is_cut = self.reader.get_ref().exceeded;
        if is_cut && !self.is_cut_in(record, outer) {
            return Ok(false);
        }
        if self.pending_end && self.depth == outer + 1 {
            self.pending_end = false;
            self.depth = outer;
        }
        if self.depth == outer && !is_cut {
            return Ok(true);
        }
        self.plain.opened.clear();
        let stopped = Reader::from_reader(Guard::empty());
        let mut guard = std::mem::replace(&mut self.reader, stopped).into_inner();
        let found = guard.skip_past(record);
        self.reader = Reader::from_reader(guard);
        // It has not seen the elements open that are closed from here on.
        self.reader.config_mut().allow_unmatched_ends = true;
        (self.pending_end, self.depth) = (false, outer);
        found.map_err(|source| Error::Stream {
            document: self.document.to_owned(),
            source,
        })
    }

    /// Whether what was too long is a text or a tag of a record: behind a comment, or a reference without end, there is
    /// no telling where the record ends.
    fn is_cut_in(&self, record: &[u8], outer: u32) -> bool {
        let is_plain = !matches!(self.buffer.as_slice(), [b'<', b'!' | b'?', ..] | [b'&', ..]);
        let own_tag = self.buffer.strip_prefix(b"<");
        let own_tag = own_tag.and_then(|tag| tag.strip_prefix(record));
        let is_own = own_tag.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_whitespace));
        is_plain && (self.depth > outer || is_own)
    }
}

fn document_error<R: Read>(document: &str, reader: &Reader<Guard<R>>, what: String) -> Error {
    Error::document(document, position(reader), what)
}

fn record_error<R: Read>(document: &str, reader: &Reader<Guard<R>>, what: &'static str) -> Error {
    Error::Record {
        document: document.to_owned(),
        position: position(reader),
        what,
    }
}

/// Bytes of the stream before the reader, and those that it has read.
fn position<R: Read>(reader: &Reader<Guard<R>>) -> u64 {
    reader.get_ref().passed + reader.buffer_position()
}

/// The next event of the parser below, with a fresh allowance of bytes.
#[inline]
fn raw_event<'b, R: Read>(
    reader: &mut Reader<Guard<R>>,
    buffer: &'b mut Vec<u8>,
    document: &str,
) -> Result<RawEvent<'b>> {
    buffer.clear();
    reader.get_mut().used = 0;
    match reader.read_event_into(buffer) {
        Ok(event) => Ok(event),
        Err(error) => Err(syntax(document, reader, error)),
    }
}

fn syntax<R: Read>(document: &str, reader: &Reader<Guard<R>>, error: quick_xml::Error) -> Error {
    match error {
        quick_xml::Error::Io(_) if reader.get_ref().exceeded => {
            record_error(document, reader, "a tag or text is too long")
        }
        quick_xml::Error::Io(source) => {
            let source = std::sync::Arc::try_unwrap(source)
                .unwrap_or_else(|shared| io::Error::new(shared.kind(), shared.to_string()));
            Error::Stream {
                document: document.to_owned(),
                source,
            }
        }
        quick_xml::Error::Encoding(_) => {
            document_error(document, reader, "it is not UTF-8 here".to_owned())
        }
        other => document_error(document, reader, quoted(&other.to_string())),
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_whitespace()) || text == "\u{feff}"
}

fn is_utf8(name: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}
