//! The short way through a document: tags and texts that lie whole in the block at hand and are written as every
//! generator writes them. It declines anything else, and then quick-xml reads the same bytes.

use super::Parsed;
use super::text::reference;

/// Where a name, or a name and a value, lie in the text of a block.
type Span = (usize, usize);

/// What the short way knows of the block at hand. All places are offsets into its text.
#[derive(Default)]
pub(super) struct Plain {
    /// Names of the elements that were opened here and not yet closed: quick-xml knows nothing of them.
    pub(super) opened: Vec<Span>,
    /// Keys and values of the last opening tag.
    attributes: Vec<(Span, Span)>,
}

/// What was found at a place.
pub(super) enum Found {
    /// An opening tag: its name; whether it is closed at once.
    Start(Span, bool),
    /// The end of the innermost element of [`Plain::opened`].
    End,
}

/// The opening tag that was found last, with the text of its block.
pub(super) struct PlainTag<'e> {
    text: &'e str,
    name: Span,
    attributes: &'e [(Span, Span)],
}

impl Plain {
    /// The tag behind white space at `at`, and where it ends.
    #[inline]
    pub(super) fn tag(&mut self, text: &str, mut at: usize) -> Option<(Found, usize)> {
        let bytes = text.as_bytes();
        while bytes.get(at)?.is_ascii_whitespace() {
            at += 1;
        }
        if *bytes.get(at)? != b'<' {
            return None;
        }
        at += 1;
        if *bytes.get(at)? == b'/' {
            let end = self.end(bytes, at)?;
            return Some((Found::End, end));
        }
        let name = name(bytes, at)?;
        at = name.1;
        self.attributes.clear();
        loop {
            match *bytes.get(at)? {
                b' ' => at += 1,
                b'>' => return Some((Found::Start(name, false), at + 1)),
                b'/' if *bytes.get(at + 1)? == b'>' => {
                    return Some((Found::Start(name, true), at + 2));
                }
                _ => return None,
            }
            let key = self::name(bytes, at)?;
            if bytes.get(key.1..key.1 + 2)? != b"=\"" {
                return None;
            }
            let start = key.1 + 2;
            let length = bytes.get(start..)?.iter().position(|b| *b == b'"')?;
            let value = (start, start + length);
            self.attributes.push((key, value));
            at = value.1 + 1;
        }
    }

    /// The end of `/name>` at `at`, if that is the name of the innermost element; it is closed then.
    #[inline]
    fn end(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let &(start, end) = self
            .opened
            .last()
            .filter(|_| bytes.get(at) == Some(&b'/'))?;
        let (from, to) = (at + 1, at + 1 + (end - start));
        if bytes.get(from..to)? != bytes.get(start..end)? || *bytes.get(to)? != b'>' {
            return None;
        }
        self.opened.pop();
        Some(to + 1)
    }

    /// Appends the text from `at` to the end of the innermost element, at most up to `max` bytes; returns the place
    /// behind that end. What it appended before it declines is the caller's to take back.
    #[inline]
    pub(super) fn text(
        &mut self,
        text: &str,
        at: usize,
        out: &mut String,
        max: usize,
    ) -> Option<usize> {
        let room = max.checked_sub(out.len())?;
        let mut done = at;
        loop {
            let rest = text.get(done..)?;
            let length = memchr::memchr3(b'<', b'&', b'\r', rest.as_bytes())?;
            out.push_str(rest.get(..length)?);
            done += length;
            let special = rest.get(length..)?;
            if special.starts_with('<') {
                break;
            }
            done += push_special(special, out).ok()??;
        }
        if done - at > room {
            return None;
        }
        self.end(text.as_bytes(), done + 1)
    }

    /// The tag that was found last.
    pub(super) fn last<'e>(&'e self, text: &'e str, name: Span) -> PlainTag<'e> {
        PlainTag {
            text,
            name,
            attributes: &self.attributes,
        }
    }
}

/// Appends the character of a reference, or the end of a line that begins with a carriage return (XML 1.0 2.11).
/// Returns the bytes it took; none where there is no end to it.
pub(super) fn push_special(special: &str, out: &mut String) -> Parsed<Option<usize>> {
    if let Some(after) = special.strip_prefix('\r') {
        out.push('\n');
        return Ok(Some(1 + usize::from(after.starts_with('\n'))));
    }
    let name = special.get(1..).unwrap_or_default();
    let Some(length) = name.bytes().position(|b| matches!(b, b';' | b'<' | b'&')) else {
        return Ok(None);
    };
    if name.as_bytes().get(length) != Some(&b';') {
        return Ok(None);
    }
    out.push(reference(name.get(..length).unwrap_or_default())?);
    Ok(Some(length + 2))
}

/// The name at `at`, which is not empty.
#[inline]
fn name(bytes: &[u8], at: usize) -> Option<Span> {
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'.');
    let length = bytes.get(at..)?.iter().position(|b| !is_part(b))?;
    (length > 0).then_some((at, at + length))
}

impl<'e> PlainTag<'e> {
    #[inline]
    fn at(&self, (start, end): Span) -> &'e str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The whole name.
    #[inline]
    pub(super) fn name(&self) -> &'e str {
        self.at(self.name)
    }

    /// Keys and raw values.
    #[inline]
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'e str, &'e str)> {
        let spans = self.attributes.iter();
        spans.map(|(key, value)| (self.at(*key), self.at(*value)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Result, XmlEvent, XmlLimits, XmlReader};

    const PACKAGE: &str = r#"<package type="rpm">
  <name>a&amp;b</name>
  <version epoch="0" ver="1" rel="2&gt;"/>
  <summary>&#252;ü</summary>
  <rpm:vendor/>
  <url></url>
  <rpm:provides>
    <rpm:entry name="a" flags="EQ"/>
  </rpm:provides>
</package>
"#;

    #[test]
    fn what_generators_write_is_read_without_quick_xml() -> Result<()> {
        let document = format!("<metadata>\n{}</metadata>", PACKAGE.repeat(3));
        let mut xml = XmlReader::new("d", document.as_bytes(), &XmlLimits::default());
        xml.root("metadata")?;
        let mut text = String::new();
        let mut names = 0;
        while names < 3 * 16 {
            match xml.next()? {
                XmlEvent::Start(tag)
                    if [&b"name"[..], b"summary", b"url"].contains(&tag.name()) =>
                {
                    names += 2;
                    xml.text_into(&mut text, 100)?;
                }
                XmlEvent::Other => {}
                XmlEvent::Start(_) | XmlEvent::End => names += 1,
            }
            assert_eq!(xml.buffer, b"<metadata>", "{text}");
        }
        assert_eq!(text, "a&büü".repeat(3));
        Ok(())
    }
}
