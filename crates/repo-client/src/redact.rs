//! What of a URL may be shown: everything but passwords, user names and query strings.

use reqwest::Url;

/// What may stand behind a URL in a text and is none of it.
const CLOSING: [char; 10] = ['`', '\'', '"', ')', ']', '>', ',', ';', ':', '.'];
/// Parts of the names of values that let somebody in.
const KEYS: [&str; 6] = ["token", "key", "secret", "pass", "sig", "auth"];

/// The form of `url` that messages, events and logs carry: user and password replaced by `***`,
/// the query string (where tokens live) replaced by `?***`, the fragment dropped. A scheme may be lacking, as in the
/// words for a proxy; what is no URL is cut at its first `?` and loses anything before its last `@`.
pub fn redact(url: &str) -> String {
    match Url::parse(url) {
        Ok(parsed) if parsed.has_host() => redact_url(&parsed),
        _ => redact_text(url),
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

/// A URL without what lets somebody in: user and password, the query string (where tokens live), and the fragment. It
/// still names the same file. What is no URL stays as it is.
pub fn without_login(url: &str) -> String {
    let Ok(mut bare) = Url::parse(url) else {
        return url.to_owned();
    };
    if bare.username().is_empty()
        && bare.password().is_none()
        && bare.query().is_none()
        && bare.fragment().is_none()
    {
        return url.to_owned();
    }
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_query(None);
    bare.set_fragment(None);
    bare.to_string()
}

/// A text with each URL in it as [`redact`] shows it, all else as it stands. Without a scheme, `user:password@` counts
/// as a login, and `?token=` and what sounds like it as a query.
pub fn redact_in(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    let shown = words.map(|word| {
        let (word, blank) = word.split_at(word.trim_end().len());
        redact_word(word) + blank
    });
    shown.collect()
}

/// A word: URLs may stand behind one another with commas between them, and something before the first.
fn redact_word(word: &str) -> String {
    let starts = word.match_indices("://").map(|(mark, _)| {
        let before = word.get(..mark).unwrap_or_default();
        let scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        before.trim_end_matches(scheme).len()
    });
    let mut starts: Vec<usize> = starts.collect();
    starts.push(word.len());
    let ends = starts.iter().skip(1);
    let urls = starts.iter().zip(ends);
    let urls = urls.filter_map(|(start, end)| word.get(*start..*end));
    let bare = word.get(..starts[0]).unwrap_or_default();
    std::iter::once(redact_bare(bare))
        .chain(urls.map(redact_found))
        .collect()
}

/// A URL in a text, with what follows it.
fn redact_found(text: &str) -> String {
    if !text.contains(['@', '?']) {
        return text.to_owned();
    }
    // What was meant for a URL and has no scheme was taken for a path.
    if let Some(path) = text.strip_prefix("file://") {
        return format!("file://{}", redact_bare(path));
    }
    let (url, rest) = text.split_at(text.trim_end_matches(CLOSING).len());
    let is_shown = url.ends_with("?***") || !url.contains('?');
    let is_open = |url: Url| url.password().is_none() && ["", "***"].contains(&url.username());
    if is_shown && Url::parse(url).is_ok_and(is_open) {
        return text.to_owned();
    }
    format!("{}{rest}", redact(url))
}

fn redact_bare(text: &str) -> String {
    let is_secret = |name: &str| {
        KEYS.iter()
            .any(|key| name.to_ascii_lowercase().contains(key))
    };
    if let Some((head, query)) = text.split_once('?')
        && let Some((name, _)) = query.split_once('=')
        && is_secret(name)
    {
        return format!("{head}?***");
    }
    // The login begins behind what parts words: `proxy=u:p@host`.
    let Some((login, rest)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let start = login
        .find(['=', ',', '(', '`', '\'', '"', '<'])
        .map_or(0, |at| at + 1);
    let is_login = |login: &str| {
        let parts = login.split_once(':');
        parts.is_some_and(|(user, password)| !user.contains('/') && !password.is_empty())
    };
    let below = login.rfind('/').map_or(0, |at| at + 1);
    let mut starts = [start, below.max(start)].into_iter();
    match starts.find(|at| login.get(*at..).is_some_and(is_login)) {
        Some(at) => format!("{}***@{rest}", login.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn redact_text(text: &str) -> String {
    let start = text.find("//").map_or(0, |mark| mark + 2);
    let (scheme, rest) = text.split_at(start);
    // A password may have a `?` in it.
    let (login, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("***@", rest),
        None => ("", rest),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}{login}{rest}")
}
