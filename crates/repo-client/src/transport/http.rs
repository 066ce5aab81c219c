//! One GET: headers, login, redirects by our rules, errors named.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_RANGE, ETAG, HeaderMap, HeaderName,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE, RETRY_AFTER,
};
use reqwest::{Response, StatusCode, Url};

use crate::auth_header;
use crate::client::{Client, origin};
use crate::dns::{FamilyError, LookupError};
use crate::error::{Cause, server_name};
use crate::options::Access;
use crate::redact::redact_url;
use crate::tls;
use crate::transport::words;

/// Redirects followed for one request.
pub(crate) const MAX_REDIRECTS: usize = 10;
/// Longest `Location` header, in bytes.
const MAX_LOCATION: usize = 8192;
/// Longest pause a server may ask for with `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// What to ask for besides the URL.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ask {
    /// First byte wanted.
    pub(crate) from: Option<u64>,
    /// Byte after the last one wanted; none means to the end.
    pub(crate) to: Option<u64>,
    /// Validator for `If-Range`.
    pub(crate) if_range: Option<String>,
    /// Validator for `If-None-Match`.
    pub(crate) etag: Option<String>,
    /// Date for `If-Modified-Since`.
    pub(crate) modified: Option<String>,
    /// On a connection that nothing else uses meanwhile.
    pub(crate) apart: bool,
}

impl Ask {
    fn headers(&self) -> Vec<(HeaderName, String)> {
        // The files are hashed as they are on the wire: no further compression, please.
        let mut list = vec![
            (ACCEPT, "*/*".to_owned()),
            (ACCEPT_ENCODING, "identity".to_owned()),
        ];
        if let Some(from) = self.from {
            let last = self.to.map(|to| to.saturating_sub(1).to_string());
            list.push((RANGE, format!("bytes={from}-{}", last.unwrap_or_default())));
            list.extend(self.if_range.clone().map(|value| (IF_RANGE, value)));
        }
        list.extend(self.etag.clone().map(|value| (IF_NONE_MATCH, value)));
        list.extend(
            self.modified
                .clone()
                .map(|value| (IF_MODIFIED_SINCE, value)),
        );
        list
    }
}

/// Sends the request and follows redirects; any final status is returned as it is.
pub(crate) async fn get(
    client: &Client,
    access: &Access,
    url: &Url,
    ask: &Ask,
) -> Result<Response, Cause> {
    let mut at = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        if client.stopped() {
            return Err(Cause::Stopped);
        }
        let login = access.login_for(&at);
        let mut bare = at.clone();
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        bare.set_fragment(None);
        let mut request = client.http(access, &at, ask.apart)?.get(bare);
        for (name, value) in ask.headers() {
            request = request.header(name, value);
        }
        // Read for each request: tokens are renewed while a mirror serves.
        let header = access.auth_header_for(&at).map(auth_header::read);
        let header = header.transpose()?;
        let is_ours = header
            .as_ref()
            .is_some_and(|(name, _)| *name == AUTHORIZATION);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        if let Some((user, password)) = login.filter(|_| !is_ours) {
            request = request.basic_auth(user, password);
        }
        let response = tokio::time::timeout(access.timeout, request.send())
            .await
            .map_err(|_| led(url, &at, Cause::Timeout(access.timeout.as_secs())))?
            .map_err(|e| {
                let cause = client.blaming_proxy(&access.route, &at, classify(&e, access.timeout));
                led(url, &at, tls::naming_ours(cause, &access.tls))
            })?;
        match redirect_target(&at, &response)? {
            None => return Ok(response),
            Some(next) => at = next,
        }
    }
    Err(Cause::Redirect(format!("more than {MAX_REDIRECTS}")))
}

/// A failure at the place that the server of `url` led to names that place: it is not that server which failed.
fn led(url: &Url, at: &Url, cause: Cause) -> Cause {
    if origin(url) == origin(at) || cause.is_of_proxy() {
        return cause;
    }
    let led = |why: &str| {
        let place = server_name(&origin(at));
        format!("it led to {place}: {why}")
    };
    match cause {
        Cause::Dns(why) => Cause::Dns(led(&why)),
        Cause::Connect(why) => Cause::Connect(led(&why)),
        Cause::Broken(why) => Cause::Broken(led(&why)),
        Cause::Timeout(_) => Cause::Connect(led(&cause.to_string())),
        Cause::Tls { fault, text } if text.is_empty() => Cause::Tls {
            fault,
            text: format!("at {}", server_name(&origin(at))),
        },
        Cause::Tls { fault, text } => Cause::Tls {
            fault,
            text: format!("at {}: {text}", server_name(&origin(at))),
        },
        other => other,
    }
}

fn redirect_target(at: &Url, response: &Response) -> Result<Option<Url>, Cause> {
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

/// `Content-Range: bytes FIRST-LAST/TOTAL` as (first, total); total is none for `*`.
pub(crate) fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim();
    let (range, total) = text.strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    if last < first {
        return None;
    }
    match total.trim() {
        "*" => Some((first, None)),
        number => number.parse().ok().map(|total| (first, Some(total))),
    }
}

pub(crate) fn text_header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= 1024).then(|| value.to_owned())
}

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

/// What this version of a file goes by in a request for the rest of it. A weak `ETag` may not be used
/// for ranges (RFC 9110 13.1.5).
pub(crate) fn validator(headers: &HeaderMap) -> Option<String> {
    let strong = text_header(headers, ETAG).filter(|tag| !tag.starts_with("W/"));
    strong.or_else(|| text_header(headers, LAST_MODIFIED))
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
