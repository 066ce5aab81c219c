//! From text to values: booleans, numbers, sizes, durations, lists.

use std::path::PathBuf;
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

/// A number of bytes: digits, with a point among them as dnf takes them, and an optional `k`, `M`, `G` or `T`
/// (powers of 1024, as dnf). What is less than a byte is dropped.
pub fn parse_bytes(text: &str) -> Option<u64> {
    const UNITS: [(u8, u64); 4] = [
        (b'k', 1 << 10),
        (b'm', 1 << 20),
        (b'g', 1 << 30),
        (b't', 1 << 40),
    ];
    /// More of them say nothing about a whole byte of a terabyte.
    const FRACTION_DIGITS: usize = 12;
    let (digits, unit) = split_unit(text, &UNITS)?;
    let digits = digits.trim_end();
    let Some((whole, fraction)) = digits.split_once('.') else {
        return parse_u64(digits)?.checked_mul(unit);
    };
    let fraction = fraction.get(..FRACTION_DIGITS).unwrap_or(fraction);
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = u128::from(parse_u64(fraction)?) * u128::from(unit) / scale;
    let whole = parse_u64(whole)?.checked_mul(unit)?;
    whole.checked_add(u64::try_from(part).ok()?)
}

/// `metadata_expire`: seconds, or a number with `s`, `m`, `h` or `d`; `Some(None)` is never (`never`
/// or a negative number); `None` is a text that means nothing.
pub fn parse_expire(text: &str) -> Option<Option<Duration>> {
    if text.eq_ignore_ascii_case("never") {
        return Some(None);
    }
    let units = [(b's', 1), (b'm', 60), (b'h', 3600), (b'd', 86400)];
    let (digits, unit) = split_unit(text, &units)?;
    if let Some(positive) = digits.strip_prefix('-') {
        return parse_u64(positive).map(|_| None);
    }
    let seconds = parse_u64(digits)?.checked_mul(unit)?;
    Some(Some(Duration::from_secs(seconds)))
}

/// What stands before a unit of either case, and what the unit means (1 without one); none of an
/// empty text.
fn split_unit<'t>(text: &'t str, units: &[(u8, u64)]) -> Option<(&'t str, u64)> {
    let last = text.as_bytes().last()?.to_ascii_lowercase();
    match units.iter().find(|(unit, _)| *unit == last) {
        Some((_, size)) => Some((text.get(..text.len() - 1)?, *size)),
        None => Some((text, 1)),
    }
}

/// A list: items between spaces, tabs, line ends and commas, as dnf and yum cut them. A comma that belongs
/// to an item of a list of URLs is written `%2C`.
pub fn parse_list(text: &str) -> Vec<String> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Digits only: no sign, no space.
pub(super) fn parse_u64(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// A key and its value as they are written, and where.
#[derive(Clone, Copy)]
pub(super) struct KeyLine<'l> {
    pub(super) key: &'l str,
    pub(super) value: &'l str,
    pub(super) place: &'l Place,
}

impl KeyLine<'_> {
    /// The error for a value of the wrong kind.
    pub(super) fn bad(&self, expected: &'static str) -> Error {
        Error::BadValue {
            place: self.place.clone(),
            key: self.key.to_owned(),
            value: quoted(self.value),
            expected,
        }
    }

    fn put<T>(&self, field: &mut T, value: Option<T>, expected: &'static str) -> Result<()> {
        *field = value.ok_or_else(|| self.bad(expected))?;
        Ok(())
    }
}

const BOOLEAN: &str = "a boolean such as 1, 0, yes or no";
const WHOLE: &str = "a whole number, zero or more";

pub(super) fn boolean(field: &mut bool, line: &KeyLine<'_>) -> Result<()> {
    line.put(field, parse_bool(line.value), BOOLEAN)
}

pub(super) fn some_boolean(field: &mut Option<bool>, line: &KeyLine<'_>) -> Result<()> {
    line.put(field, parse_bool(line.value).map(Some), BOOLEAN)
}

fn parse_u32(text: &str) -> Option<u32> {
    u32::try_from(parse_u64(text)?).ok()
}

pub(super) fn whole(field: &mut u32, line: &KeyLine<'_>) -> Result<()> {
    line.put(field, parse_u32(line.value), WHOLE)
}

pub(super) fn some_whole(field: &mut Option<u32>, line: &KeyLine<'_>) -> Result<()> {
    line.put(field, parse_u32(line.value).map(Some), WHOLE)
}

pub(super) fn integer(field: &mut i32, line: &KeyLine<'_>) -> Result<()> {
    line.put(field, line.value.parse().ok(), "a whole number")
}

pub(super) fn bytes(field: &mut u64, line: &KeyLine<'_>) -> Result<()> {
    let expected = "bytes per second, with k, M or G if you like";
    line.put(field, parse_bytes(line.value), expected)
}

/// `throttle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// Bytes per second; 0 is no limit.
    Rate(u64),
    /// Percent of `bandwidth`, at most 100.
    Percent(u64),
}

/// `throttle`: bytes, or dnf's percentage of `bandwidth`.
pub(super) fn throttle(field: &mut Throttle, line: &KeyLine<'_>) -> Result<()> {
    let percent = line.value.strip_suffix('%').map(parse_u64);
    let read = match percent {
        Some(percent) => percent.filter(|n| *n <= 100).map(Throttle::Percent),
        None => parse_bytes(line.value).map(Throttle::Rate),
    };
    let expected = "bytes per second, with k, M or G if you like, or a percentage of bandwidth";
    line.put(field, read, expected)
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// `ip_resolve`, as dnf spells it.
pub(super) fn ip_family(field: &mut Option<IpFamily>, line: &KeyLine<'_>) -> Result<()> {
    let family = match line.value.to_ascii_lowercase().as_str() {
        "" | "whatever" => Some(None),
        "4" | "ipv4" => Some(Some(IpFamily::V4)),
        "6" | "ipv6" => Some(Some(IpFamily::V6)),
        _ => None,
    };
    line.put(field, family, "4, IPv4, 6, IPv6 or whatever")
}

/// How a bucket of an object store is named in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum S3Style {
    /// In the path: `https://server/bucket/key`.
    Path,
    /// In the host: `https://bucket.server/key`.
    Host,
}

/// `s3_style`.
pub(super) fn s3_style(field: &mut Option<S3Style>, line: &KeyLine<'_>) -> Result<()> {
    let style = match line.value.to_ascii_lowercase().as_str() {
        "" | "auto" => Some(None),
        "path" => Some(Some(S3Style::Path)),
        "host" => Some(Some(S3Style::Host)),
        _ => None,
    };
    line.put(field, style, "path, host or auto")
}

/// How the login of a proxy is told to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ProxyAuth {
    /// Any way that can be spoken: Basic (`any`, `basic`).
    #[default]
    Basic,
    /// Not at all (`none`).
    None,
    /// A way of dnf's that cannot be spoken here, by its name.
    Unspoken(&'static str),
}

/// Ways of dnf's that cannot be spoken here.
const UNSPOKEN: [&str; 5] = ["digest", "negotiate", "ntlm", "digest_ie", "ntlm_wb"];

/// `proxy_auth_method`, as dnf spells it.
pub(super) fn proxy_auth(field: &mut ProxyAuth, line: &KeyLine<'_>) -> Result<()> {
    let method = match line.value.to_ascii_lowercase().as_str() {
        "any" | "basic" => Some(ProxyAuth::Basic),
        "none" => Some(ProxyAuth::None),
        other => {
            let name = UNSPOKEN.into_iter().find(|name| *name == other);
            name.map(ProxyAuth::Unspoken)
        }
    };
    line.put(field, method, "any, basic or none")
}

/// A point in time: digits and nothing else, as what follows them would be dropped by others without a word.
/// An empty value is none.
pub(super) fn posix_time(field: &mut Option<u64>, line: &KeyLine<'_>) -> Result<()> {
    let time = match line.value {
        "" => Some(None),
        text => parse_u64(text).map(Some),
    };
    line.put(field, time, "a POSIX time: seconds since 1970, digits only")
}

/// Seconds; none where they are 0.
pub(super) fn seconds(field: &mut Option<Duration>, line: &KeyLine<'_>) -> Result<()> {
    let seconds = parse_u32(line.value).map(u64::from);
    let time = seconds.map(|n| (n > 0).then(|| Duration::from_secs(n)));
    line.put(field, time, WHOLE)
}

pub(super) fn expire(field: &mut Option<Duration>, line: &KeyLine<'_>) -> Result<()> {
    *field = parse_expire(line.value).ok_or_else(|| Error::BadMetadataExpire {
        place: line.place.clone(),
        value: quoted(line.value),
    })?;
    Ok(())
}

/// As [`expire`]; no time at all is never.
pub(super) fn max_age(field: &mut Option<Option<Duration>>, line: &KeyLine<'_>) -> Result<()> {
    let most = parse_expire(line.value).map(|most| Some(most.filter(|most| !most.is_zero())));
    line.put(field, most, "seconds, a number with s, m, h or d, or never")
}

pub(super) fn text(field: &mut String, line: &KeyLine<'_>) -> Result<()> {
    line.value.clone_into(field);
    Ok(())
}

pub(super) fn list(field: &mut Vec<String>, line: &KeyLine<'_>) -> Result<()> {
    *field = parse_list(line.value);
    Ok(())
}

/// What `weak_signatures` can admit (docs/signatures.md).
pub const WEAK_SIGNATURES: [&str; 3] = ["sha1", "rsa1024", "expired"];

/// Words of [`WEAK_SIGNATURES`] in any case; nothing, or `none` alone, is none of them.
pub(super) fn weak_signatures(field: &mut Vec<String>, line: &KeyLine<'_>) -> Result<()> {
    let words = parse_list(&line.value.to_ascii_lowercase());
    let words = if words == ["none"] { Vec::new() } else { words };
    let known = words
        .iter()
        .all(|word| WEAK_SIGNATURES.contains(&word.as_str()));
    line.put(
        field,
        known.then_some(words),
        "sha1, rsa1024, expired or several of them",
    )
}

/// Fingerprints of keys in any case, as one word each or in groups of four digits, commas between them.
pub(super) fn fingerprints(field: &mut Vec<String>, line: &KeyLine<'_>) -> Result<()> {
    let mut found = Vec::new();
    for part in line.value.to_ascii_lowercase().split(',') {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words.iter().all(|word| word.len() == 4) {
            true => found.push(words.concat()),
            false => found.extend(words.iter().map(|word| (*word).to_owned())),
        }
    }
    found.retain(|one| !one.is_empty());
    let whole = |one: &String| {
        FINGERPRINT_DIGITS.contains(&one.len()) && one.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let known = found.iter().all(whole);
    line.put(
        field,
        known.then_some(found),
        "fingerprints of 40 or 64 hexadecimal digits, commas between them",
    )
}

/// Digits of a fingerprint: of version 4 keys, and of version 6.
const FINGERPRINT_DIGITS: [usize; 2] = [40, 64];

/// Adds to the list; an empty value empties it.
pub(super) fn more(field: &mut Vec<String>, line: &KeyLine<'_>) -> Result<()> {
    match parse_list(line.value) {
        none if none.is_empty() => field.clear(),
        items => field.extend(items),
    }
    Ok(())
}

/// An empty value is none.
pub(super) fn optional<T>(field: &mut Option<T>, line: &KeyLine<'_>) -> Result<()>
where
    T: for<'t> From<&'t str>,
{
    *field = (!line.value.is_empty()).then(|| T::from(line.value));
    Ok(())
}

/// A path that means the same wherever the program is started; an empty value is none.
pub(super) fn absolute(field: &mut Option<PathBuf>, line: &KeyLine<'_>) -> Result<()> {
    let path = match line.value {
        "" => Some(None),
        path => path.starts_with('/').then(|| Some(PathBuf::from(path))),
    };
    line.put(field, path, "an absolute path")
}

/// An empty value leaves the path as it is.
pub(super) fn path(field: &mut PathBuf, line: &KeyLine<'_>) -> Result<()> {
    if !line.value.is_empty() {
        *field = PathBuf::from(line.value);
    }
    Ok(())
}

/// An empty list leaves the paths as they are.
pub(super) fn paths(field: &mut Vec<PathBuf>, line: &KeyLine<'_>) -> Result<()> {
    let paths = parse_list(line.value).into_iter().map(PathBuf::from);
    if paths.len() > 0 {
        *field = paths.collect();
    }
    Ok(())
}
