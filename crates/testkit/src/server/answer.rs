//! What an answer may do wrong.

use std::time::Duration;

/// How one request is answered. The default is the honest answer from the folder, with `ETag`,
/// `Last-Modified`, ranges and conditional requests; every field set bends it.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Status instead of the honest one; with 3xx and [`Answer::location`] a redirect.
    pub status: Option<u16>,
    /// `Location` header.
    pub location: Option<String>,
    /// Body instead of the file's.
    pub body: Option<Vec<u8>>,
    /// `Content-Type` header.
    pub content_type: Option<String>,
    /// `ETag` instead of the honest one; empty means none (and no `Last-Modified`).
    pub etag: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// `Content-Length` to lie with; the body is as it is.
    pub length: Option<u64>,
    /// No `Content-Length`; the connection's end ends the body.
    pub no_length: bool,
    /// Bytes of the body sent before the connection is closed.
    pub cut_at: Option<u64>,
    /// The cut is a TCP reset, not an orderly close.
    pub reset: bool,
    /// The body never ends.
    pub endless: bool,
    /// Pause before the answer.
    pub delay: Option<Duration>,
    /// Body in pieces of so many bytes, a pause after each.
    pub pieces: Option<(usize, Duration)>,
    /// Answers 200 with all to a range request.
    pub ignore_range: bool,
    /// Answers 206 with a range that begins so many bytes later than asked.
    pub shift_range: u64,
    /// Wants this login (user, password), else 401; on a proxied request 407.
    pub login: Option<(String, String)>,
    /// Sends these bytes as they are and closes.
    pub raw: Option<Vec<u8>>,
    /// 304 whatever was asked.
    pub not_modified: bool,
}

impl Answer {
    /// Only a status.
    pub fn status(status: u16) -> Self {
        Self {
            status: Some(status),
            body: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// A redirect.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self {
            location: Some(to.to_owned()),
            ..Self::status(status)
        }
    }

    /// The body ends after so many bytes, the connection is closed.
    pub fn cut_at(bytes: u64) -> Self {
        Self {
            cut_at: Some(bytes),
            ..Self::default()
        }
    }

    /// Another body.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Some(body.into()),
            ..Self::default()
        }
    }

    /// A login page with status 200.
    pub fn login_page() -> Self {
        let page = "<!DOCTYPE html>\n<html><head><title>Hotel WiFi</title></head><body>Log in</body></html>\n";
        Self {
            content_type: Some("text/html".into()),
            ..Self::body(page)
        }
    }

    /// Raw bytes instead of HTTP.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            raw: Some(bytes.into()),
            ..Self::default()
        }
    }
}
