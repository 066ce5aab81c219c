//! Reading what is written in one known layout: each word of it is compared as it stands, and a value is looked at once.
//!
//! What does not fit is no error: the same bytes are read again as any XML is.

use super::plain::push_special;
use super::text::unescape_into;

/// Eight bytes of a one.
const ONES: u64 = u64::from_le_bytes([1; 8]);
/// Eight bytes of the highest bit alone.
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// A text, read from its beginning on.
pub(crate) struct Written<'t> {
    text: &'t str,
    rest: &'t [u8],
}

/// A value, as it stands in the text.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'t> {
    /// Its first byte in the text.
    pub(crate) start: usize,
    pub(crate) raw: &'t str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// It is the value itself.
    Same,
    /// An attribute with references or white space in it.
    Attribute,
    /// Content with references or ends of lines in it.
    Content,
}

impl Piece<'_> {
    /// Whether the value is what stands there.
    #[inline]
    pub(crate) fn is_same(&self) -> bool {
        matches!(self.kind, Kind::Same)
    }

    /// Appends the value. None where it is refused; some of it may be appended then.
    #[inline]
    pub(crate) fn push_to(&self, out: &mut String) -> Option<()> {
        match self.kind {
            Kind::Same => out.push_str(self.raw),
            Kind::Attribute => unescape_into(self.raw, out).ok()?,
            Kind::Content => push_content(self.raw, out)?,
        }
        Some(())
    }
}

impl<'t> Written<'t> {
    pub(crate) fn new(text: &'t str) -> Written<'t> {
        let rest = text.as_bytes();
        Written { text, rest }
    }

    /// How much is read.
    #[inline]
    pub(crate) fn place(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// Reads `word` if it comes next.
    #[inline(always)]
    pub(crate) fn eat(&mut self, word: &'static str) -> bool {
        let rest = self.rest.strip_prefix(word.as_bytes());
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Reads `word`, which must come next.
    #[inline(always)]
    pub(crate) fn need(&mut self, word: &'static str) -> Option<()> {
        self.eat(word).then_some(())
    }

    /// Reads white space, if any comes.
    #[inline(always)]
    pub(crate) fn gap(&mut self) {
        while let Some((word, after)) = self.rest.split_first_chunk() {
            let word = u64::from_le_bytes(*word);
            // The highest bit of each byte that is greater than a space.
            let marks = (((word & !HIGH) + ONES * (0x80 - 0x21)) | word) & HIGH;
            if marks != 0 {
                self.skip(marks.trailing_zeros() as usize / 8);
                return;
            }
            self.rest = after;
        }
        while let Some((b'\0'..=b' ', after)) = self.rest.split_first() {
            self.rest = after;
        }
    }

    #[inline(always)]
    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The value of an attribute whose first quote was read, up to and with the second.
    #[inline(always)]
    pub(crate) fn value(&mut self) -> Option<Piece<'t>> {
        let start = self.place();
        let mut length = self.short(|_| 0);
        let mut kind = Kind::Same;
        if *self.rest.get(length)? != b'"' {
            length += memchr::memchr(b'"', self.rest.get(length..)?)?;
            kind = Kind::Attribute;
        }
        self.skip(length + 1);
        let raw = self.text.get(start..start + length)?;
        Some(Piece { start, raw, kind })
    }

    /// The content of an element, up to the next tag; a few words at most, and no white space as a rule.
    #[inline(always)]
    pub(crate) fn word(&mut self) -> Option<Piece<'t>> {
        let length = self.short(|word| {
            let other = word ^ (ONES * u64::from(b'<'));
            other.wrapping_sub(ONES) & !other
        });
        match *self.rest.get(length)? {
            b'<' => self.content(length, length),
            _ => self.long(length),
        }
    }

    /// The content of an element, up to the next tag.
    #[inline]
    pub(crate) fn words(&mut self) -> Option<Piece<'t>> {
        self.long(0)
    }

    #[inline(always)]
    fn long(&mut self, from: usize) -> Option<Piece<'t>> {
        let special = from + memchr::memchr3(b'<', b'&', b'\r', self.rest.get(from..)?)?;
        let mut length = special;
        if *self.rest.get(special)? != b'<' {
            length += memchr::memchr(b'<', self.rest.get(special..)?)?;
        }
        self.content(length, special)
    }

    #[inline(always)]
    fn content(&mut self, length: usize, special: usize) -> Option<Piece<'t>> {
        let start = self.place();
        let raw = self.text.get(start..start + length)?;
        self.skip(length);
        let kind = match special < length {
            true => Kind::Content,
            false => Kind::Same,
        };
        Some(Piece { start, raw, kind })
    }

    /// The bytes before the first that is less than `'` (quotes, references and white space are) or that `also` marks
    /// in its highest bit.
    #[inline(always)]
    fn short(&self, also: impl Fn(u64) -> u64) -> usize {
        let mut length = 0;
        let mut rest = self.rest;
        while let Some((word, after)) = rest.split_first_chunk() {
            let word = u64::from_le_bytes(*word);
            // A borrow goes to higher bytes alone: the lowest mark is right, and no other counts.
            let marks = (word.wrapping_sub(ONES * u64::from(b'\'')) & !word | also(word)) & HIGH;
            if marks != 0 {
                return length + marks.trailing_zeros() as usize / 8;
            }
            length += 8;
            rest = after;
        }
        length
    }
}

/// Appends content in which the references are no tag.
#[cold]
fn push_content(raw: &str, out: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr2(b'&', b'\r', rest.as_bytes()) {
        out.push_str(rest.get(..at)?);
        rest = rest.get(at..)?;
        rest = rest.get(push_special(rest, out).ok()??..)?;
    }
    out.push_str(rest);
    Some(())
}
