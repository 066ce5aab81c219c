//! A header that lets us in, from a file (`auth_header_file`).

use std::fmt::Display;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use rustix::fs::OFlags;

use crate::error::Cause;

/// Most bytes of the file: servers take no longer headers.
const MAX_FILE: u64 = 16 << 10;

/// Headers that this program sets, or that say where a message ends and whose it is.
const TAKEN: [&str; 16] = [
    "connection",
    "cookie2",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Beginnings of the names of others.
const TAKEN_STARTS: [&str; 7] = [
    "accept",
    "access-control-",
    "content-",
    "if-",
    "proxy-",
    "sec-",
    "x-forwarded-",
];

/// Whether whoever sits on the way to `url` reads what is sent there: it is plain http, and not to this machine.
pub fn is_in_clear(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    matches!(url.scheme(), "http" | "oci+http") && !is_here(&url)
}

/// Whether a URL leads to this machine.
pub(crate) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// The header in a file of one line. Its text is in no error: it is a secret.
pub(crate) fn read(path: &Path) -> Result<(HeaderName, HeaderValue), Cause> {
    let failed =
        |why: &dyn Display| Cause::Settings(format!("auth_header_file {}: {why}", path.display()));
    let opened = whole_file::open_named(path, OFlags::RDONLY);
    let text = opened.and_then(|(file, _)| whole_file::read_up_to(file, MAX_FILE));
    let text = text.map_err(|error| failed(&error))?;
    parse(&text).map_err(|why| failed(&why))
}

/// Whether everybody on this machine may read a file.
pub fn is_open_to_all(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|about| about.is_file() && about.mode() & 0o004 != 0)
}

fn parse(text: &[u8]) -> Result<(HeaderName, HeaderValue), &'static str> {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err("it is empty: a line such as `Authorization: Bearer TOKEN` is expected");
    }
    if line.contains(&b'\n') || line.contains(&b'\r') {
        return Err("it has more than one line");
    }
    let line = std::str::from_utf8(line).unwrap_or("\0");
    if line.contains(|c: char| c != '\t' && c != ' ' && !c.is_ascii_graphic()) {
        return Err("it has a character that is no printable ASCII");
    }
    let (name, value) = line.split_once(':').unwrap_or_default();
    let value = value.trim();
    let name = HeaderName::from_bytes(name.as_bytes());
    let (Ok(name), false) = (name, value.is_empty()) else {
        return Err("it is no header: a line such as `Authorization: Bearer TOKEN` is expected");
    };
    let starts = TAKEN_STARTS.iter();
    if TAKEN.contains(&name.as_str()) || { starts }.any(|start| name.as_str().starts_with(start)) {
        return Err(
            "its header belongs to HTTP itself: Authorization, Cookie and names of a server's own can be set",
        );
    }
    let mut value = HeaderValue::from_str(value).map_err(|_| "its value is none of a header")?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 139: what the file can put into a request is one header that is not HTTP's.
    #[test]
    fn row_139_a_file_gives_one_header_and_tells_nothing() {
        for (text, name, value) in [
            ("Authorization: Bearer abc\n", "authorization", "Bearer abc"),
            ("X-JFrog-Art-Api:k3y", "x-jfrog-art-api", "k3y"),
            ("private-token: \t a b \r\n", "private-token", "a b"),
            ("Cookie: a=b:c", "cookie", "a=b:c"),
        ] {
            let (got_name, got_value) = parse(text.as_bytes()).unwrap();
            assert_eq!(
                (got_name.as_str(), got_value.to_str().unwrap()),
                (name, value)
            );
            assert!(!format!("{got_value:?}").contains(value));
        }
        for text in [
            "",
            "\n",
            "Bearer s3cret",
            "Authorization:",
            "Authorization: \n",
            ": s3cret",
            " Authorization: s3cret",
            "Authorization : s3cret",
            "A: s3cret\nB: c",
            "A: s3cret\r\nB: c\r\n",
            "A: s3cret\n\n",
            "A: s3cret\rB: c",
            "A: s3cret\0",
            "A: s3cr\u{e9}t",
            "A: s3cret\u{7f}",
            "Host: s3cret",
            "CONTENT-LENGTH: 5",
            "Transfer-Encoding: chunked",
            "Proxy-Authorization: Basic s3cret",
            "Range: bytes=0-1",
            "If-None-Match: s3cret",
            "Accept: s3cret",
            "User-Agent: s3cret",
        ] {
            let why = parse(text.as_bytes()).unwrap_err();
            assert!(!why.contains("s3cret"), "{why}");
        }
        assert!(parse(b"A: \xff").is_err());
    }
}
