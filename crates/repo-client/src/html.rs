//! Web pages that come in place of a file: a login page, a captive portal.

use reqwest::header::{CONTENT_TYPE, HeaderMap};

use crate::wire::text_header;

/// Whether the first bytes of something are those of a web page.
pub(crate) fn looks_like_html(head: &[u8]) -> bool {
    let text = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start();
    if text.first() != Some(&b'<') {
        return false;
    }
    let lower = String::from_utf8_lossy(text).to_ascii_lowercase();
    lower.contains("<!doctype html") || lower.contains("<html")
}

/// Whether an answer says that it is a web page.
pub(crate) fn is_html_type(headers: &HeaderMap) -> bool {
    text_header(headers, CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("text/html") || kind.starts_with("application/xhtml"))
}
