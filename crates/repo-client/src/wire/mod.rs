//! What goes into a connection and comes of it, whatever is spoken over it: files and pieces of bodies, and errors in words of ours.

mod file_body;
mod words;

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};

use crate::dns::{FamilyError, LookupError};
use crate::error::Cause;
use crate::limit::Pace;
use crate::options::Access;
use crate::redact::redact_url;
use crate::tls;

pub(crate) use file_body::{FileBody, PIECE};

/// Longest `Location` header, in bytes.
const MAX_LOCATION: usize = 8192;
/// Longest pause a server may ask for with `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The next piece of the body, or why there is none within the limit.
pub(crate) async fn next_chunk(
    response: &mut Response,
    limit: Duration,
) -> Result<Option<Bytes>, Cause> {
    match tokio::time::timeout(limit, response.chunk()).await {
        Err(_) => Err(Cause::Timeout(limit.as_secs())),
        Ok(Err(e)) => Err(classify(&e, limit)),
        Ok(Ok(chunk)) => Ok(chunk),
    }
}

/// A whole body of so many bytes at most; silence and slowness end it as they end any other file.
pub(crate) async fn small_body(
    response: &mut Response,
    most: u64,
    access: &Access,
) -> Result<Vec<u8>, Cause> {
    let mut bytes = Vec::new();
    let mut pace = Pace::new(access.timeout, access.min_rate);
    while let Some(piece) = next_chunk(response, access.timeout).await? {
        pace.count(piece.len())?;
        if (bytes.len() as u64).saturating_add(piece.len() as u64) > most {
            return Err(Cause::TooLarge { limit: most });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Where an answer leads; none if it is no redirect.
pub(crate) fn redirect_target(at: &Url, response: &Response) -> Result<Option<Url>, Cause> {
    let code = response.status();
    let moved = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    if !moved.contains(&code) {
        return Ok(None);
    }
    let refuse = |why: &str| Err(Cause::Redirect(why.to_owned()));
    let Some(target) = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
    else {
        return refuse("no usable Location");
    };
    if target.len() > MAX_LOCATION {
        return refuse("Location is too long");
    }
    let Ok(next) = at.join(target) else {
        return refuse("Location is no URL");
    };
    match (at.scheme(), next.scheme()) {
        ("https", "http") => refuse(&format!("from https to {}", redact_url(&next))),
        (_, "http" | "https") => Ok(Some(next)),
        (_, other) => refuse(&format!("to a {other}: URL")),
    }
}

/// How long the server asks to wait (`Retry-After` in seconds), within our limit.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = text_header(headers, RETRY_AFTER)?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// A header as text, if it is not too long to be one of ours.
pub(crate) fn text_header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= 1024).then(|| value.to_owned())
}

/// What an error of the HTTP library means, in words of ours.
pub(crate) fn classify(error: &reqwest::Error, limit: Duration) -> Cause {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(level) = next {
        if let Some(known) = known_cause(level) {
            return known;
        }
        // An io::Error hides the error it carries from source(), and carries others of its kind.
        let mut carrier = level.downcast_ref::<std::io::Error>();
        while let Some(inside) = carrier.and_then(std::io::Error::get_ref) {
            let inside: &(dyn StdError + 'static) = inside;
            if let Some(known) = known_cause(inside) {
                return known;
            }
            carrier = inside.downcast_ref::<std::io::Error>();
        }
        next = level.source();
    }
    if error.is_timeout() {
        return Cause::Timeout(limit.as_secs());
    }
    let whole = format!("{:?}", error).to_ascii_lowercase();
    if error.is_connect() {
        let proxied =
            whole.contains("tunnel") || whole.contains("proxy") || whole.contains("socks");
        let why = words::of(error, "no connection");
        return match proxied {
            true if words::are_of_login(&why) => Cause::ProxyLogin(why),
            true => Cause::Proxy(why),
            false => Cause::Connect(why),
        };
    }
    Cause::Broken(words::of(error, "the connection broke"))
}

fn known_cause(level: &(dyn StdError + 'static)) -> Option<Cause> {
    if let Some(tls_error) = level.downcast_ref::<rustls::Error>() {
        return Some(tls::classify(tls_error));
    }
    if let Some(none) = level.downcast_ref::<FamilyError>() {
        return Some(Cause::Settings(none.0.clone()));
    }
    level
        .downcast_ref::<LookupError>()
        .map(|dns| Cause::Dns(dns.0.clone()))
}
