//! An opening tag, whichever way it was read.

use quick_xml::events::BytesStart;

use super::plain::PlainTag;
use super::text::unescape_into;
use super::{Parsed, XmlFault};

/// An opening tag.
pub struct Tag<'e>(pub(super) TagSource<'e>);

pub(super) enum TagSource<'e> {
    Plain(PlainTag<'e>),
    Any(BytesStart<'e>),
}

impl Tag<'_> {
    /// The name without prefix.
    #[inline]
    pub fn name(&self) -> &[u8] {
        match &self.0 {
            TagSource::Plain(tag) => local(tag.name()).as_bytes(),
            TagSource::Any(tag) => local(tag.name().0).as_bytes(),
        }
    }

    /// Calls `f` with the local name and the raw (still escaped) value of every attribute; the
    /// namespace declarations are left out. Errors: malformed attributes; what `f` returns.
    #[inline]
    pub fn attributes(&self, mut f: impl FnMut(&[u8], &str) -> Parsed<()>) -> Parsed<()> {
        let mut each = |key: &str, value: &str| match key.starts_with("xmlns") {
            true => Ok(()),
            false => f(local(key).as_bytes(), value),
        };
        let tag = match &self.0 {
            TagSource::Plain(tag) => {
                return tag
                    .attributes()
                    .try_for_each(|(key, value)| each(key, value));
            }
            TagSource::Any(tag) => tag,
        };
        let mut attributes = tag.attributes();
        attributes.with_checks(false);
        for attribute in attributes {
            let Ok(attribute) = attribute else {
                return Err(XmlFault::syntax("malformed attributes"));
            };
            each(attribute.key.0, &attribute.value)?;
        }
        Ok(())
    }

    /// One attribute, unescaped, if present.
    pub fn attribute(&self, name: &[u8]) -> Parsed<Option<String>> {
        let mut found = None;
        self.attributes(|key, value| {
            if key == name && found.is_none() {
                let mut text = String::new();
                unescape_into(value, &mut text)?;
                found = Some(text);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

#[inline]
fn local(name: &str) -> &str {
    match name.bytes().position(|b| b == b':') {
        Some(at) => name.get(at + 1..).unwrap_or(name),
        None => name,
    }
}
