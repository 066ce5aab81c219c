//! Mirror lists: one URL per line.

use crate::error::{Error, Result};

/// Largest mirror list in bytes.
pub const MAX_SIZE: usize = 1 << 20;
/// Most mirrors that are kept; the rest of the list is skipped.
pub const MAX_MIRRORS: usize = 1000;

/// Parses a mirror list: `#` lines and empty lines are skipped, every other line must be a URL
/// (`http`, `https`, `ftp` or `file`); lines that are none are skipped, as librepo does. A later
/// caller must not let a list from the network name `file:` URLs: see [`crate::layout::check_base`].
///
/// `document` is the list's name in errors. Errors: too large, not UTF-8, or lines but no URL among
/// them (an HTML page). A list of nothing but comments is empty.
pub fn parse(document: &str, bytes: &[u8]) -> Result<Vec<String>> {
    let refuse = |position: usize, what| Error::document(document, position as u64, what);
    if bytes.len() > MAX_SIZE {
        return Err(refuse(MAX_SIZE, "the mirror list is too large"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| refuse(error.valid_up_to(), "the mirror list is not UTF-8"))?;
    let lines = text.lines().map(str::trim);
    let urls: Vec<String> = lines
        .filter(|line| is_url(line))
        .take(MAX_MIRRORS)
        .map(str::to_owned)
        .collect();
    let is_content = |line: &str| !line.is_empty() && !line.starts_with('#');
    if urls.is_empty() && text.lines().map(str::trim).any(is_content) {
        return Err(refuse(0, "no URL in the mirror list"));
    }
    Ok(urls)
}

/// A URL that a mirror may have: known scheme, no white space or control characters.
pub(crate) fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let known = ["http", "https", "ftp", "file", "oci", "oci+http", "s3"]
        .iter()
        .any(|s| scheme.eq_ignore_ascii_case(s));
    known
        && !rest.is_empty()
        && text.len() <= crate::layout::MAX_HREF
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}
