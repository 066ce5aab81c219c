//! Object stores that speak S3: `s3://BUCKET/PREFIX` is read like any server ([`place`], [`judge`]), and written by
//! [`Bucket`].
//!
//! Keys and signatures are in no error, event or debug output, and go to the server that the configuration names alone.

mod bucket;
mod identity;
mod keys;
mod memory;
mod multipart;
mod profile;
mod refusal;
mod send;
mod sigv4;
mod target;
mod upload;
mod xml;

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Response, Url};

pub use bucket::{Bucket, StoredObject, Unfinished};
pub use upload::{PutOptions, Upload};

use crate::client::Client;
use crate::error::Cause;
use crate::options::Access;
use refusal::Refusal;
use target::Target;

/// The scheme of its URLs.
pub(crate) const SCHEME: &str = "s3";

/// The request for a file that an `s3:` URL names, and what proves who asks.
pub(crate) async fn place(
    client: &Client,
    access: &Access,
    url: &Url,
) -> Result<(Url, HeaderMap), Cause> {
    let target = Target::of(client, access, url)?;
    let query = sigv4::query_of(url.query().unwrap_or_default());
    let http = target.url(&target::key_of(url), &query)?;
    let mut proof = HeaderMap::new();
    if let Some(keys) = keys::find(client, access, url, &target).await? {
        let empty = sigv4::sha256_hex(b"");
        keys::signer(client, &keys, &target)?.sign("GET", &http, &mut proof, &empty)?;
    }
    Ok((http, proof))
}

/// The answer of a store; none if it says how it is to be asked instead, which is remembered for the next [`place`].
///
/// # Errors
/// It refuses. That there is no such object is the plain status.
pub(crate) async fn judge(
    client: &Client,
    access: &Access,
    url: &Url,
    response: Response,
    may_heal: bool,
) -> Result<Option<Response>, Cause> {
    let status = response.status();
    // What leads elsewhere, and not to the region of the bucket, is followed as ever: without keys.
    let has = |name: &str| response.headers().contains_key(name);
    let leads = has(LOCATION.as_str()) && !has(refusal::REGION);
    let is_plain = match status.as_u16() {
        304 | 416 => true,
        // How long to wait stands in its head.
        429 | 503 => has(RETRY_AFTER.as_str()),
        300..400 => leads,
        _ => status.is_success(),
    };
    if is_plain {
        return Ok(Some(response));
    }
    let target = Target::of(client, access, url)?;
    let signed = keys::find(client, access, url, &target).await?;
    let refusal = Refusal::read(client, access, &target, signed.as_deref(), response).await;
    if may_heal && refusal.heals(client, &target).await {
        return Ok(None);
    }
    Err(refusal.cause)
}
