//! Which relative paths a repository may name, and the name of its cache directory.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use rpm_pkg::digest::{DigestAlgo, Hasher};

use crate::error::{Error, Result, quoted};
use crate::vars;
use crate::xml::is_xml;

/// Longest location in bytes.
pub const MAX_HREF: usize = 4096;

/// A location from metadata that was found safe: relative, downward, plain.
///
/// Safe means, both as written and after percent-decoding once: not empty, at most [`MAX_HREF`]
/// bytes, no scheme, no leading `/`, no `.`, `..` or empty component, no backslash, no NUL, newline
/// or other control character, valid UTF-8. A `%` that is not followed by two hexadecimal digits
/// stands for itself (rpm file names may hold `%`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Href(String);

impl Href {
    /// Checks a location, [`tidied`] first. Errors: [`Error::BadHref`] with the reason.
    pub fn parse(text: &str) -> Result<Href> {
        let tidy = tidied(text);
        match fault(&tidy) {
            None => Ok(Href(tidy.into_owned())),
            Some(why) => Err(Error::BadHref {
                href: quoted(text),
                why,
            }),
        }
    }

    /// The location as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below a cache directory: the location as written (not percent-decoded, as other
    /// tools of this kind keep it).
    pub fn path(&self) -> &std::path::Path {
        std::path::Path::new(&self.0)
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Href {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What may lie at a location of a repository. No location is both: what is judged as a package never comes as metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A part of the metadata: below `repodata/`, where every tool writes them, and not named like a package.
    Metadata,
    /// A package: outside `repodata`.
    Package,
    /// Neither.
    Nothing,
}

impl Place {
    /// Judges a location, both as written and after percent-decoding once.
    pub fn of(location: &str) -> Place {
        let decoded = percent_decode_str(location).decode_utf8_lossy();
        let readings = [tidied(location), tidied(&decoded)];
        let below = |text: &str| {
            text.strip_prefix("repodata/")
                .is_some_and(|rest| !rest.is_empty())
        };
        let outside = |text: &str| text.split('/').next() != Some("repodata");
        let like_a_package = |text: &str| {
            let end = text.rsplit('.').next().unwrap_or_default();
            end.eq_ignore_ascii_case("rpm") || end.eq_ignore_ascii_case("drpm")
        };
        if readings.iter().all(|text| outside(text)) {
            Place::Package
        } else if readings
            .iter()
            .all(|text| below(text) && !like_a_package(text))
        {
            Place::Metadata
        } else {
            Place::Nothing
        }
    }
}

/// A location without `.` and empty components (`./a`, `a//b`, `a/./b`), which mean nothing: `find .` puts them
/// into lists of packages. A leading `/` stays: such a location is not relative.
pub fn tidied(text: &str) -> Cow<'_, str> {
    if is_simple(text) {
        return Cow::Borrowed(text);
    }
    let idle = |part: &str| part.is_empty() || part == ".";
    let mut parts = text.split('/');
    let first_counts = text.starts_with('/') || parts.clone().next() != Some(".");
    if first_counts && !parts.clone().skip(1).any(idle) {
        return Cow::Borrowed(text);
    }
    let first = parts.next().filter(|_| first_counts);
    let rest = parts.filter(|part| !idle(part));
    Cow::Owned(first.into_iter().chain(rest).collect::<Vec<_>>().join("/"))
}

/// Why a location may not be used, or `None` if it may. Allocates nothing for plain locations.
pub fn fault(text: &str) -> Option<&'static str> {
    if text.len() > MAX_HREF {
        return Some("it is too long");
    }
    if is_simple(text) {
        return None;
    }
    plain_fault(text).or_else(|| {
        if !text.contains('%') {
            return None;
        }
        match percent_decode_str(text).decode_utf8() {
            Ok(decoded) => plain_fault(&decoded),
            Err(_) => Some("its percent-encoding is not UTF-8"),
        }
    })
}

/// Whether nothing but parts of printable ASCII stands there, none of which is empty or begins with a point, and none of
/// the characters that a [`fault`] may lie in: nearly every location, seen at one look.
pub(crate) fn is_simple(text: &str) -> bool {
    let mut before = b'/';
    for byte in text.bytes() {
        let is_odd = !matches!(byte, b' '..=b'~') || matches!(byte, b'%' | b':' | b'\\');
        if is_odd || (before == b'/' && matches!(byte, b'.' | b'/')) {
            return false;
        }
        before = byte;
    }
    before != b'/'
}

fn plain_fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.bytes().any(|b| b < 0x20 || b == 0x7f) || text.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    if text.as_bytes().contains(&0xef) && !text.chars().all(is_xml) {
        return Some("it has a character that XML does not have");
    }
    if text.contains('\\') {
        return Some("it has a backslash");
    }
    if text.starts_with('/') {
        return Some("it is an absolute path");
    }
    if has_scheme(text) {
        return Some("it is a URL of its own");
    }
    text.split('/').find_map(|part| match part {
        "" => Some("it has an empty component"),
        "." => Some("it has a . component"),
        ".." => Some("it has a .. component"),
        _ => None,
    })
}

/// True for `scheme:` in front (RFC 3986 3.1) when what follows is `//` or there is no `/` before it.
/// A package file name may hold a colon only after a digit epoch (`foo-1:2.rpm` has no scheme: `-`
/// is legal in schemes, so only `:/` and one-word schemes followed by a slash count).
fn has_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    well_formed && (rest.starts_with('/') || !rest.contains('/') && !rest.contains('.'))
}

/// Whether an `xml:base` is a path from the URL of the repository on (docs/reference/tdnf.md, 23). Only on this machine
/// may it lead upwards: what stands beside a repository of a server is another's.
pub fn is_relative_base(base: &str, repository_url: &str) -> bool {
    let is_local = repository_url.starts_with("file:");
    let plain = |text: &str| {
        let clean = !text.chars().any(|c| c.is_control() || c == '\\');
        let inside = is_local || text.split('/').all(|part| part != "..");
        clean && inside && !text.is_empty() && !text.starts_with('/') && !has_scheme(text)
    };
    let decoded = percent_decode_str(base).decode_utf8();
    base.len() <= MAX_HREF && plain(base) && decoded.is_ok_and(|decoded| plain(&decoded))
}

/// A base URL that metadata names itself (`xml:base`), judged against the URL it came from: it must
/// have the same scheme or be https, or be http where the repository is a folder of this machine; it must not be
/// `file:` unless the repository is. (What is fetched from there has the checksum that the metadata name.)
///
/// Errors: [`Error::BadHref`].
pub fn check_base(base: &str, repository_url: &str) -> Result<()> {
    let scheme = |url: &str| url.split_once("://").map(|(s, _)| s.to_ascii_lowercase());
    let clean = !base.chars().any(|c| c.is_control() || c == '\\') && base.len() <= MAX_HREF;
    let from = scheme(repository_url);
    let decoded: Vec<u8> = percent_decode_str(base).collect();
    let dotted = decoded
        .split(|&b| b == b'/' || b == b'\\')
        .any(|part| part == b"..")
        || decoded.iter().any(u8::is_ascii_control);
    let why = match scheme(base) {
        _ if !clean || dotted => "it has a .. component, a backslash or a control character",
        Some(own) if own == "https" || Some(&own) == from.as_ref() => return Ok(()),
        Some(own) if own == "http" && from.as_deref() == Some("file") => return Ok(()),
        Some(_) => "its scheme is neither https nor that of the repository",
        None => "it is no URL",
    };
    Err(Error::BadHref {
        href: quoted(base),
        why,
    })
}

/// The name of a repository's cache directory: `<id>-<h>`, h = the first 8 hexadecimal digits of
/// SHA-256 of the expanded metalink, else mirrorlist, else first baseurl, else of nothing.
///
/// Safe for any id, and two ids never share a name: bytes other than letters, digits and `._-+:@~`
/// are written `%XX`, as is a leading dot; an id that gets longer than 200 bytes becomes `%` and its SHA-256.
pub fn cache_dir_name(id: &str, url: Option<&str>) -> String {
    let mut name = String::with_capacity(id.len() + 9);
    for (index, byte) in id.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"_-+:@~".contains(&byte);
        if plain || (byte == b'.' && index > 0) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.len() > MAX_PLAIN_ID {
        name = format!("%{}", sha256_hex(id.as_bytes()));
    }
    let hash = sha256_hex(url.unwrap_or_default().as_bytes());
    name.push('-');
    name.extend(hash.chars().take(8));
    name
}

/// Longest id that is written out in a cache directory's name (file names end at 255 bytes).
const MAX_PLAIN_ID: usize = 200;

fn sha256_hex(bytes: &[u8]) -> String {
    Hasher::digest(DigestAlgo::Sha256, bytes).hex()
}

/// The `.repo` files of a directory, by name; none if it does not exist. Links below `root` stay in it; one that leads
/// nowhere is listed, so that reading it says so.
pub fn repo_files(root: &Path, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vars::plain_files(root, dir, true)?;
    files.retain(|path| path.extension().is_some_and(|e| e == "repo"));
    Ok(files)
}

/// A `file://` URL of an absolute path. A comma is written as `%2C`: it would end an item of a list.
pub fn file_url(path: &Path) -> String {
    let mut url = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"/._~+-@:=".contains(byte);
        if plain {
            url.push(char::from(*byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::{is_simple, plain_fault, tidied};

    #[test]
    fn what_is_seen_at_one_look_is_right() {
        let signs = [
            "", "/", ".", "a", "%", ":", "\\", " ", "\n", "\u{7f}", "ü", "\u{ffff}",
        ];
        let (mut simple, mut all) = (0, 0);
        for index in 0..signs.len().pow(5) {
            let digits = (0..5).map(|place| index / signs.len().pow(place) % signs.len());
            let text: String = digits
                .filter_map(|digit| signs.get(digit))
                .copied()
                .collect();
            all += 1;
            if is_simple(&text) {
                simple += 1;
                assert_eq!(plain_fault(&text), None, "{text:?}");
                assert!(!text.contains('%'), "{text:?}");
                let is_idle = |part: &str| part.is_empty() || part == ".";
                assert!(!text.split('/').any(is_idle), "{text:?}");
                assert_eq!(tidied(&text), text);
            }
        }
        assert!(simple > 500 && simple < all / 10, "{simple} of {all}");
    }
}
