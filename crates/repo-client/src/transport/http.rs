//! One GET: headers, login, redirects by our rules, errors named.

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_RANGE, ETAG, HeaderMap, HeaderName,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Response, Url};
use rpm_pkg::digest::Digest;

use crate::auth_header;
use crate::client::{Client, origin};
use crate::error::{Cause, server_name};
use crate::options::Access;
use crate::tls;
use crate::transport::place::{self, Judged, Place};
use crate::wire::{classify, redirect_target, text_header};

/// Redirects followed for one request.
pub(crate) const MAX_REDIRECTS: usize = 10;
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
    /// SHA-256 of the whole file, if it is known: a registry is asked by that.
    pub(crate) digest: Option<Digest>,
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

/// Sends the request and follows redirects; any final status is returned as it is, but where `url` is none of HTTP: what
/// its servers refuse is said in their words.
pub(crate) async fn get(
    client: &Client,
    access: &Access,
    url: &Url,
    ask: &Ask,
) -> Result<Response, Cause> {
    let mut place = place::of(client, access, url, ask.digest).await?;
    let mut at = place.url.clone();
    for _ in 0..=MAX_REDIRECTS {
        if client.stopped() {
            return Err(Cause::Stopped);
        }
        let mut response = send(client, access, (&place, &at), ask).await?;
        if at.origin() == place.url.origin() {
            response = match place::judge(client, access, url, (&place, response)).await? {
                Judged::Answer(response) => response,
                Judged::Again(next) => {
                    at = next.url.clone();
                    place = next;
                    continue;
                }
            };
        }
        match redirect_target(&at, &response)? {
            None => return Ok(response),
            Some(next) => at = next,
        }
    }
    Err(Cause::Redirect(format!("more than {MAX_REDIRECTS}")))
}

/// One request, at `place` or where that led to.
async fn send(
    client: &Client,
    access: &Access,
    (place, at): (&Place, &Url),
    ask: &Ask,
) -> Result<Response, Cause> {
    let mut bare = at.clone();
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_fragment(None);
    let mut request = client.http(access, at, ask.apart)?.get(bare);
    for (name, value) in ask.headers() {
        request = request.header(name, value);
    }
    // What is asked for with a proof of its own has no login besides.
    if place.proof.is_none() {
        // Read for each request: tokens are renewed while a mirror serves.
        let header = access.auth_header_for(at).map(auth_header::read);
        let header = header.transpose()?;
        let login = access.login_for(at);
        let is_login = |(name, _): &(HeaderName, _)| *name == AUTHORIZATION;
        if let Some((user, password)) = login.filter(|_| !header.as_ref().is_some_and(is_login)) {
            request = request.basic_auth(user, password);
        }
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
    }
    if at.origin() == place.url.origin() {
        request = request.headers(place.proof.clone().unwrap_or_default());
    }
    let first = &place.url;
    tokio::time::timeout(access.timeout, request.send())
        .await
        .map_err(|_| led(first, at, Cause::Timeout(access.timeout.as_secs())))?
        .map_err(|e| {
            let cause = client.blaming_proxy(&access.route, at, classify(&e, access.timeout));
            led(first, at, tls::naming_ours(cause, &access.tls))
        })
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

/// What this version of a file goes by in a request for the rest of it. A weak `ETag` may not be used
/// for ranges (RFC 9110 13.1.5).
pub(crate) fn validator(headers: &HeaderMap) -> Option<String> {
    let strong = text_header(headers, ETAG).filter(|tag| !tag.starts_with("W/"));
    strong.or_else(|| text_header(headers, LAST_MODIFIED))
}
