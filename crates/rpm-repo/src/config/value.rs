//! From text to values: booleans, numbers, sizes, durations, lists.

use std::time::Duration;

use crate::error::{Error, Place, Result, quoted};

/// A boolean: `true`/`false`, `yes`/`no`, `on`/`off` in any case, or a whole number (0 is false).
pub fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        number => number.parse::<i64>().ok().map(|n| n != 0),
    }
}

/// A number of bytes: a whole number with an optional `k`, `M` or `G` (powers of 1024, as dnf).
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        b'g' | b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1_u64),
    };
    parse_u64(digits.trim_end())?.checked_mul(unit)
}

/// `metadata_expire`: seconds, or a number with `s`, `m`, `h` or `d`; `Some(None)` is never (`never`
/// or a negative number); `None` is a text that means nothing.
pub fn parse_expire(text: &str) -> Option<Option<Duration>> {
    if text.eq_ignore_ascii_case("never") {
        return Some(None);
    }
    let (digits, unit) = match text.as_bytes().last()? {
        b's' | b'S' => (&text[..text.len() - 1], 1),
        b'm' | b'M' => (&text[..text.len() - 1], 60),
        b'h' | b'H' => (&text[..text.len() - 1], 3600),
        b'd' | b'D' => (&text[..text.len() - 1], 86400),
        _ => (text, 1_u64),
    };
    if let Some(positive) = digits.strip_prefix('-') {
        return parse_u64(positive).map(|_| None);
    }
    let seconds = parse_u64(digits)?.checked_mul(unit)?;
    Some(Some(Duration::from_secs(seconds)))
}

/// A list: items between spaces, tabs or commas that end an item.
pub fn parse_list(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|item| item.trim_end_matches(','))
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Digits only: no sign, no space.
pub(super) fn parse_u64(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// The error for a value of the wrong kind.
pub(super) fn bad(place: &Place, key: &str, value: &str, expected: &'static str) -> Error {
    Error::BadValue {
        place: place.clone(),
        key: key.to_owned(),
        value: quoted(value),
        expected,
    }
}

pub(super) fn boolean(place: &Place, key: &str, value: &str) -> Result<bool> {
    parse_bool(value).ok_or_else(|| bad(place, key, value, "a boolean such as 1, 0, yes or no"))
}

pub(super) fn bytes(place: &Place, key: &str, value: &str) -> Result<u64> {
    parse_bytes(value).ok_or_else(|| {
        bad(
            place,
            key,
            value,
            "bytes per second, with k, M or G if you like",
        )
    })
}

/// `throttle`: bytes, or dnf's percentage of `bandwidth`, a key that tdnf lacks: no limit then, as
/// in dnf without `bandwidth`.
pub(super) fn throttle(place: &Place, key: &str, value: &str) -> Result<u64> {
    match value.strip_suffix('%').and_then(parse_u64) {
        Some(percent) if percent <= 100 => Ok(0),
        _ => bytes(place, key, value),
    }
}

pub(super) fn whole(place: &Place, key: &str, value: &str) -> Result<u32> {
    parse_u64(value)
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| bad(place, key, value, "a whole number, zero or more"))
}

pub(super) fn optional(value: &str) -> Option<String> {
    if value.is_empty() {
        None
    } else {
        Some(value.to_owned())
    }
}
