//! Answers of stores: short documents in XML.

use rpm_repo::xml::{XmlEvent, XmlLimits, XmlReader};

use crate::error::Cause;

/// Deepest nesting of elements.
const MAX_DEPTH: u32 = 8;
/// Longest text of an element in bytes: session tokens are the longest.
const MAX_TEXT: usize = 16 << 10;

/// Calls `each` with name and text of every element, and with the name alone where an element ends that is one of
/// `inner`: it has elements in it.
///
/// # Errors
/// The document is none.
pub(super) fn walk(
    document: &[u8],
    inner: &[&str],
    each: &mut dyn FnMut(&str, Option<String>),
) -> Result<(), Cause> {
    let bad = |error: rpm_repo::Error| Cause::Malformed(format!("the store's answer: {error}"));
    let limits = XmlLimits {
        max_depth: MAX_DEPTH,
        max_event: MAX_TEXT,
        ..XmlLimits::default()
    };
    let mut reader = XmlReader::new("XML", document, &limits);
    let mut open: Vec<String> = Vec::new();
    loop {
        let name = match reader.next().map_err(bad)? {
            XmlEvent::Other => continue,
            XmlEvent::End => {
                let Some(name) = open.pop() else {
                    return Ok(());
                };
                each(&name, None);
                if open.is_empty() {
                    return Ok(());
                }
                continue;
            }
            XmlEvent::Start(tag) => String::from_utf8_lossy(tag.name()).into_owned(),
        };
        if open.is_empty() || inner.contains(&name.as_str()) {
            open.push(name);
        } else {
            let text = reader.text(MAX_TEXT).map_err(bad)?;
            each(&name, Some(text));
        }
    }
}
