//! A bucket, or what is below a prefix of it, to be written: listed, read, removed from.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::xml::push_text;

use super::refusal::Refusal;
use super::send::{Call, Payload};
use super::target::{Target, key_of};
use super::{SCHEME, xml};
use crate::client::{Client, parse_url};
use crate::error::{Cause, Error, Result};
use crate::options::Access;
use crate::patience::{Patience, Waiting};
use crate::redact::redact_url;

/// Most bytes of a page of a listing: 1000 keys of 1024 bytes, each written as five.
const MAX_PAGE: u64 = 8 << 20;
/// Most objects that are listed.
const MAX_OBJECTS: usize = 5_000_000;
/// Most bytes of their keys and versions together: two million of usual ones.
const MAX_LISTED: usize = 256 << 20;
/// Keys that a request to remove may name.
const KEYS_AT_ONCE: usize = 1000;
/// Most bytes of an answer that only says that something is done.
pub(super) const MAX_DONE: u64 = 64 << 10;

/// What is below `s3://BUCKET/PREFIX`. Keys are below the prefix throughout, without a slash before them.
///
/// Its functions block. What may pass (no connection, a server that fails or asks for fewer requests) is tried again
/// with growing pauses, [`Access::retries`] times, a server that cannot be reached at all twice; the stop flag and the speed limit of the client hold here, too. Each
/// request bears a checksum of what it brings, so that the server refuses what was damaged on the way.
pub struct Bucket<'a> {
    pub(super) client: &'a Client,
    pub(super) access: &'a Access,
    pub(super) url: Url,
    /// With a slash behind it, or empty.
    prefix: String,
    pub(super) requests: AtomicU64,
    /// The store takes versions without quotation marks alone.
    pub(super) plain_etags: AtomicBool,
    pub(super) patience: Patience<'a>,
}

/// An object of a [`Bucket`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its key, below the prefix.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// What this version goes by, with its quotation marks; empty where a store does not list it.
    pub etag: String,
}

impl StoredObject {
    /// Bytes of memory, about.
    fn held(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.etag.len()
    }
}

/// An upload in parts that was begun and not ended: its parts take room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The key that it was to have, below the prefix.
    pub key: String,
    /// What the server calls it.
    pub id: String,
    /// When it was begun, as the server writes it (RFC 3339); empty if it does not say.
    pub since: String,
}

impl<'a> Bucket<'a> {
    /// What `url` names; nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::BadUrl`]: it is no URL of this kind, or has a query.
    pub fn open(client: &'a Client, access: &'a Access, url: &str) -> Result<Self> {
        let parsed = parse_url(url)?;
        let bad = |why: &str| Error::BadUrl {
            url: redact_url(&parsed),
            why: why.to_owned(),
        };
        if parsed.scheme() != SCHEME || parsed.query().is_some() {
            return Err(bad("s3://BUCKET/PREFIX is expected"));
        }
        let prefix = key_of(&parsed);
        let prefix = match prefix.trim_end_matches('/') {
            "" => String::new(),
            above => format!("{above}/"),
        };
        Target::of(client, access, &parsed).map_err(|cause| bad(&cause.to_string()))?;
        Ok(Self {
            client,
            access,
            url: parsed,
            prefix,
            requests: AtomicU64::new(0),
            plain_etags: AtomicBool::new(false),
            patience: Patience::default(),
        })
    }

    /// Who hears, once for each server, that it is waited for.
    #[must_use]
    pub fn telling(mut self, tell: Waiting<'a>) -> Self {
        self.patience.tell = Some(tell);
        self
    }

    /// Requests sent so far, those that were sent again among them.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// All objects whose keys begin with `below`, in the order of the server.
    ///
    /// # Errors
    /// [`Error::Transfer`]: the server refuses, or there are more than five million. [`Error::Stopped`].
    pub fn list(&self, below: &str) -> Result<Vec<StoredObject>> {
        let whole = self.key(below);
        let work = self.client.block_on(self.listed(&whole))?;
        work.map_err(|refusal| self.failed("listing", &whole, refusal))
    }

    async fn listed(&self, whole: &str) -> std::result::Result<Vec<StoredObject>, Refusal> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let mut next = None::<String>;
        loop {
            let mut call = Call::new(Method::GET, String::new(), MAX_PAGE);
            call.query = vec![("list-type", "2"), ("prefix", whole)];
            call.query
                .extend(next.as_deref().map(|token| ("continuation-token", token)));
            let reply = self.call(&call).await?;
            let before = (found.len(), next.take());
            next = self.page(&reply.body, &mut found)?;
            if next.is_some() && (next == before.1 || found.len() == before.0) {
                let why = "the store's listing does not end".to_owned();
                return Err(Cause::Malformed(why).into());
            }
            let new = found.get(before.0..).unwrap_or_default();
            bytes += new.iter().map(StoredObject::held).sum::<usize>();
            if found.len() > MAX_OBJECTS || bytes > MAX_LISTED {
                let why = format!(
                    "more than {MAX_OBJECTS} objects, or {} MiB of keys",
                    MAX_LISTED >> 20
                );
                return Err(Cause::Malformed(why).into());
            }
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    /// Adds the objects of a page; where the next begins.
    fn page(
        &self,
        body: &[u8],
        found: &mut Vec<StoredObject>,
    ) -> std::result::Result<Option<String>, Cause> {
        let (mut key, mut size, mut etag) = (String::new(), None, String::new());
        let (mut next, mut goes_on) = (None, false);
        let (mut foreign, mut is_listing) = (false, false);
        let inner = ["Contents", "Owner", "CommonPrefixes"];
        xml::walk(body, &inner, &mut |name, text| match (name, text) {
            ("Key", Some(text)) => key = text,
            ("Size", Some(text)) => size = text.trim().parse().ok(),
            ("ETag", Some(text)) => etag = quoted(&text),
            ("NextContinuationToken", Some(text)) => next = Some(text),
            ("IsTruncated", Some(text)) => goes_on = text.trim() == "true",
            ("ListBucketResult", None) => is_listing = true,
            ("Contents", None) => {
                let key = std::mem::take(&mut key);
                match (key.strip_prefix(&self.prefix), size.take()) {
                    (Some(key), Some(size)) => found.push(StoredObject {
                        key: key.to_owned(),
                        size,
                        etag: std::mem::take(&mut etag),
                    }),
                    _ => foreign = true,
                }
            }
            _ => {}
        })?;
        if !is_listing {
            let why = "the answer is no listing: a login page, or no object store?".to_owned();
            return Err(Cause::Malformed(why));
        }
        match (foreign, goes_on, next) {
            (true, ..) => Err(Cause::Malformed(
                "the store lists what was not asked for".to_owned(),
            )),
            (_, true, None) => Err(Cause::Malformed(
                "the store's listing breaks off".to_owned(),
            )),
            (_, true, next) => Ok(next),
            (_, false, _) => Ok(None),
        }
    }

    /// An object of at most `limit` bytes, and what its version goes by; none if there is none of this key.
    ///
    /// # Errors
    /// [`Error::Transfer`]: it is larger, or the server refuses. [`Error::Stopped`].
    pub fn get(&self, key: &str, limit: u64) -> Result<Option<(Vec<u8>, String)>> {
        let whole = self.key(key);
        let done = self.client.block_on(self.got(&whole, limit))?;
        done.map_err(|refusal| self.failed("reading", &whole, refusal))
    }

    pub(super) async fn got(
        &self,
        whole: &str,
        limit: u64,
    ) -> std::result::Result<Option<(Vec<u8>, String)>, Refusal> {
        let call = Call::new(Method::GET, whole.to_owned(), limit);
        match self.call(&call).await {
            Ok(reply) => Ok(Some((reply.body, etag_of(&reply.headers)))),
            Err(refusal) if is_none(&refusal) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Size and version of an object; none if there is none of this key.
    ///
    /// # Errors
    /// [`Error::Transfer`]: the server refuses. [`Error::Stopped`].
    pub fn look(&self, key: &str) -> Result<Option<StoredObject>> {
        let whole = self.key(key);
        let done = self.client.block_on(self.looked(&whole))?;
        let done = done.map_err(|refusal| self.failed("reading", &whole, refusal))?;
        let named = |(size, etag)| StoredObject {
            key: key.to_owned(),
            size,
            etag,
        };
        Ok(done.map(named))
    }

    pub(super) async fn looked(
        &self,
        whole: &str,
    ) -> std::result::Result<Option<(u64, String)>, Refusal> {
        let call = Call::new(Method::HEAD, whole.to_owned(), MAX_DONE);
        match self.call(&call).await {
            Ok(reply) => {
                let size = reply.headers.get(reqwest::header::CONTENT_LENGTH);
                let size = size.and_then(|value| value.to_str().ok()?.parse().ok());
                let lacks = || Cause::Malformed("the store does not say its size".to_owned());
                Ok(Some((size.ok_or_else(lacks)?, etag_of(&reply.headers))))
            }
            Err(refusal) if is_none(&refusal) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Removes objects; keys of which there is none count as removed.
    ///
    /// # Errors
    /// [`Error::Transfer`]: the server refuses, or does not remove one of them. [`Error::Stopped`].
    pub fn delete(&self, keys: &[String]) -> Result<()> {
        let done = self.client.block_on(async {
            for some in keys.chunks(KEYS_AT_ONCE) {
                self.remove(some).await?;
            }
            Ok(())
        })?;
        done.map_err(|refusal| self.failed("removal", &self.prefix, refusal))
    }

    async fn remove(&self, keys: &[String]) -> std::result::Result<(), Refusal> {
        let mut body =
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
                .to_owned();
        for key in keys {
            body.push_str("<Object><Key>");
            push_text(&self.key(key), &mut body);
            body.push_str("</Key></Object>");
        }
        body.push_str("</Delete>");
        let mut call = Call::new(Method::POST, String::new(), MAX_PAGE);
        call.query = vec![("delete", "")];
        call.headers = document_headers(body.as_bytes())?;
        call.payload = Payload::Bytes(Bytes::from(body));
        let reply = self.call(&call).await?;
        let (mut key, mut code, mut first) = (String::new(), String::new(), None);
        xml::walk(
            &reply.body,
            &["Error", "Deleted"],
            &mut |name, text| match (name, text) {
                ("Key", Some(text)) => key = text,
                ("Code", Some(text)) => code = super::refusal::plain(&text),
                ("Error", None) if code != "NoSuchKey" && first.is_none() => {
                    first = Some((std::mem::take(&mut key), std::mem::take(&mut code)));
                }
                _ => {}
            },
        )?;
        match first {
            None => Ok(()),
            Some((key, code)) => {
                let why = format!("{} is not removed: {code}", self.shown(&key));
                Err(Cause::Refused { status: 200, why }.into())
            }
        }
    }

    /// The whole key.
    pub(super) fn key(&self, below: &str) -> String {
        format!("{}{below}", self.prefix)
    }

    /// The key below the prefix.
    pub(super) fn below<'k>(&self, whole: &'k str) -> Option<&'k str> {
        whole.strip_prefix(&self.prefix)
    }

    /// The error that a refusal of a request is.
    pub(super) fn failed(&self, what: &str, whole: &str, refusal: Refusal) -> Error {
        match refusal.cause {
            Cause::Stopped => Error::Stopped,
            cause => Error::at(what.to_owned(), self.shown(whole), cause),
        }
    }
}

/// There is no object of that key.
pub(super) fn is_none(refusal: &Refusal) -> bool {
    matches!(refusal.cause, Cause::Status(404 | 410))
}

/// The version that an answer names.
/// The version that a store says it has written.
pub(super) fn written(etag: String) -> std::result::Result<String, Cause> {
    if etag.is_empty() {
        let why =
            "the answer names no version of what was written: a login page, or no object store?";
        return Err(Cause::Malformed(why.to_owned()));
    }
    Ok(etag)
}

pub(super) fn etag_of(headers: &HeaderMap) -> String {
    let value = headers.get(ETAG).and_then(|value| value.to_str().ok());
    quoted(value.unwrap_or_default())
}

/// Some stores leave the quotation marks out.
pub(super) fn quoted(etag: &str) -> String {
    match etag.trim() {
        "" => String::new(),
        tag if tag.ends_with('"') => tag.to_owned(),
        tag => format!("\"{tag}\""),
    }
}

/// Headers of a document that asks for something: old servers want its MD5.
pub(super) fn document_headers(body: &[u8]) -> std::result::Result<HeaderMap, Cause> {
    let mut hasher = Hasher::new(DigestAlgo::Md5);
    hasher.update(body);
    let md5 = hasher.finish();
    let md5 = HeaderValue::from_str(&base64(md5.bytes()));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(
        "content-md5",
        md5.map_err(|e| Cause::Broken(e.to_string()))?,
    );
    Ok(headers)
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}
