//! From raw text to values: references, white space, numbers.

use super::escape::is_xml;
use super::{Parsed, XmlFault};

/// Appends text with its line ends made `\n` (XML 1.0 2.11).
#[inline]
pub(super) fn push_lines(text: &str, out: &mut String) {
    if !text.as_bytes().contains(&b'\r') {
        return out.push_str(text);
    }
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\r') {
        out.push_str(line);
        out.push('\n');
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    out.push_str(rest);
}

/// The character of `&name;`: the five of XML 1.0 4.6 and the numbers of 4.1.
pub(super) fn reference(name: &str) -> Parsed<char> {
    let number = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => name.strip_prefix('#').ok_or(XmlFault::syntax(
            "an entity that XML does not define itself",
        ))?,
    };
    let code = match number.strip_prefix('x') {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u32::from_str_radix(hex, 16).ok()
        }
        None if number.bytes().all(|b| b.is_ascii_digit()) => number.parse().ok(),
        _ => None,
    };
    // XML 1.0 2.2: no control characters but tab, line feed and carriage return.
    code.and_then(char::from_u32)
        .filter(|&c| is_xml(c))
        .ok_or(XmlFault::syntax(
            "a character reference that is no character",
        ))
}

/// Appends a raw attribute value: references replaced, white space made spaces (XML 1.0 3.3.3).
#[inline]
pub fn unescape_into(raw: &str, out: &mut String) -> Parsed<()> {
    if raw.bytes().any(|b| b == b'&' || b < b' ') {
        return unescape_slowly(raw, out);
    }
    out.push_str(raw);
    Ok(())
}

#[cold]
fn unescape_slowly(raw: &str, out: &mut String) -> Parsed<()> {
    let spaced = |text: &str, out: &mut String| {
        let text = text.replace("\r\n", " ");
        out.extend(text.chars().map(|c| {
            if matches!(c, '\t' | '\n' | '\r') {
                ' '
            } else {
                c
            }
        }));
    };
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        spaced(before, out);
        let (name, tail) = after
            .split_once(';')
            .ok_or(XmlFault::syntax("an & without a ;"))?;
        out.push(reference(name)?);
        rest = tail;
    }
    spaced(rest, out);
    Ok(())
}

/// A whole number without sign; the text may be padded with white space.
#[inline]
pub fn number(text: &str) -> Parsed<u64> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err(XmlFault::of("an empty number"));
    }
    let mut value = 0_u64;
    for byte in text.bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(XmlFault::of("a number that is not made of digits"));
        }
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(u64::from(digit)))
            .ok_or(XmlFault::of("a number that is too large"))?;
    }
    Ok(value)
}

/// A [`number`] that fits into 32 bits.
#[inline]
pub fn number32(text: &str) -> Parsed<u32> {
    u32::try_from(number(text)?).map_err(|_| XmlFault::of("a number that is too large"))
}
