//! From values to raw text: what may stand in a document, and how.

/// Appends the content of a header string: UTF-8 as it is, anything else byte by byte as Latin-1
/// (what createrepo does with names of the years before UTF-8). Characters that XML 1.0 2.2 does
/// not have are left out; false if there were any.
pub fn push_clean(bytes: &[u8], out: &mut String) -> bool {
    let mut is_whole = true;
    let mut is_kept = |c: &char| {
        let is_kept = is_xml(*c);
        is_whole &= is_kept;
        is_kept
    };
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|b| *b >= b' ' && *b < 0xef) => out.push_str(text),
        Ok(text) => out.extend(text.chars().filter(&mut is_kept)),
        Err(_) => out.extend(bytes.iter().copied().map(char::from).filter(&mut is_kept)),
    }
    is_whole
}

/// Whether it is a character of XML (XML 1.0 2.2).
pub(crate) fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && c != '\u{fffe}' && c != '\u{ffff}')
}

/// Appends element content.
pub fn push_text(text: &str, out: &mut String) {
    push(text, false, out);
}

/// Appends an attribute value, without the quotes around it.
pub fn push_attribute(text: &str, out: &mut String) {
    push(text, true, out);
}

/// A carriage return would be read back as a line feed (XML 1.0 2.11), white space in attributes as
/// spaces (3.3.3): both are written as numbers. What is no character of XML is left out.
fn push(text: &str, in_attribute: bool, out: &mut String) {
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let replacement = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'\r' => "&#13;",
            b'"' if in_attribute => "&quot;",
            b'\n' if in_attribute => "&#10;",
            b'\t' if in_attribute => "&#9;",
            // U+FFFE and U+FFFF, which no document has (XML 1.0 2.2).
            0xef if matches!(
                text.as_bytes().get(at + 1..at + 3),
                Some([0xbf, 0xbe | 0xbf])
            ) =>
            {
                ""
            }
            b'\t' | b'\n' | b' '.. => continue,
            _ => "",
        };
        out.push_str(text.get(done..at).unwrap_or_default());
        out.push_str(replacement);
        done = at + if byte == 0xef { 3 } else { 1 };
    }
    out.push_str(text.get(done..).unwrap_or_default());
}

/// Appends `indent`, `<name>`, the text and `</name>`, or `<name/>` when there is none.
pub(crate) fn push_element(indent: &str, name: &str, text: &str, out: &mut String) {
    for part in [indent, "<", name] {
        out.push_str(part);
    }
    if text.is_empty() {
        out.push_str("/>\n");
        return;
    }
    out.push('>');
    push_text(text, out);
    for part in ["</", name, ">\n"] {
        out.push_str(part);
    }
}

/// Appends ` name="value"`.
pub(crate) fn push_pair(name: &str, value: &str, out: &mut String) {
    for part in [" ", name, "=\""] {
        out.push_str(part);
    }
    push_attribute(value, out);
    out.push('"');
}

/// Appends ` name="number"`.
pub(crate) fn push_number(name: &str, value: u64, out: &mut String) {
    use std::fmt::Write as _;
    // Writing into a string cannot fail.
    let _ = write!(out, " {name}=\"{value}\"");
}
