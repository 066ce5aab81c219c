//! What of a URL may be shown: everything but passwords, user names and query strings.

use reqwest::Url;

/// The form of `url` that messages, events and logs carry: user and password replaced by `***`,
/// the query string (where tokens live) replaced by `?***`, the fragment dropped. Text that is
/// no URL is cut at its first `?` and loses anything between `//` and `@`.
pub fn redact(url: &str) -> String {
    match Url::parse(url) {
        Ok(parsed) => redact_url(&parsed),
        Err(_) => redact_text(url),
    }
}

/// [`redact`] for a parsed URL.
pub(crate) fn redact_url(url: &Url) -> String {
    let secret = !url.username().is_empty() || url.password().is_some();
    let mut shown = url.clone();
    let _ = shown.set_username(if secret { "***" } else { "" });
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    if url.query().is_some() {
        shown.set_query(Some("***"));
    }
    shown.to_string()
}

fn redact_text(text: &str) -> String {
    let head = text.split(['?', '#']).next().unwrap_or_default();
    match (head.find("//"), head.rfind('@')) {
        (Some(start), Some(at)) if at > start => {
            let scheme = head.get(..start + 2).unwrap_or_default();
            let rest = head.get(at + 1..).unwrap_or_default();
            format!("{scheme}***@{rest}")
        }
        _ => head.to_owned(),
    }
}
