//! Small files in memory.

use std::io::Read;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use reqwest::Url;
use reqwest::header::{ETAG, LAST_MODIFIED};

use crate::client::{Client, origin, parse_url};
use crate::error::{Cause, Error, Result};
use crate::event::{Event, Logged, Observer};
use crate::html::looks_like_html;
use crate::limit::Pace;
use crate::options::Access;
use crate::redact::redact_url;
use crate::transfer::{IdTable, NextTurn, Rounds, SourceId, Turns};
use crate::transport::coding::Coding;
use crate::transport::file;
use crate::transport::http::{Ask, get};
use crate::wire::{next_chunk, text_header};

/// A small file in memory.
pub(crate) struct Small {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<String>,
}

/// A file that is fetched into memory.
pub struct SmallFile<'a> {
    /// What it is, in words for the user ("base (key)").
    pub label: &'a str,
    /// Where it is.
    pub url: &'a str,
    /// How the server is spoken to.
    pub access: &'a Access,
    /// Most bytes accepted.
    pub limit: u64,
}

/// Fetches a small file into memory: nothing on disk is read or written.
pub fn fetch_small(
    client: &Client,
    small: &SmallFile<'_>,
    observer: &dyn Observer,
) -> Result<Vec<u8>> {
    let observer = Logged(observer);
    let done = client.block_on(fetch_in_rounds(client, small, &observer));
    done.unwrap_or_else(|error| Err(Error::Setup(error.to_string())))
}

async fn fetch_in_rounds(
    client: &Client,
    small: &SmallFile<'_>,
    observer: &dyn Observer,
) -> Result<Vec<u8>> {
    let url = parse_url(small.url)?;
    let (id, shown) = (client.next_id(), redact_url(&url));
    let rounds = Rounds {
        extra: small.access.retries,
        unreachable: small.access.retries,
    };
    let sources: IdTable<SourceId, &Url> = vec![&url].into();
    let mut turns = Turns::new(sources.ids(), rounds);
    let mut last = Cause::Stopped;
    loop {
        match turns.next() {
            NextTurn::Ask(source) => {
                let cause = match whole(client, small, &url).await {
                    Ok(bytes) => return Ok(bytes),
                    Err(cause) => cause,
                };
                observer.event(Event::MirrorFailed {
                    id,
                    label: small.label,
                    url: &shown,
                    cause: &cause,
                    next: None,
                });
                if cause.is_passing() {
                    client.blame(&origin(&url), &cause);
                }
                last = cause.clone();
                turns.failed(source, cause, None);
            }
            NextTurn::Rest(pause) => {
                observer.event(pause.event(id, small.label));
                if client.pause(pause.lasts).await.is_err() {
                    break;
                }
                turns.begin_round(pause.attempt);
            }
            NextTurn::Again | NextTurn::Over => break,
        }
    }
    Err(Error::at(small.label.to_owned(), shown, last))
}

async fn whole(
    client: &Client,
    small: &SmallFile<'_>,
    url: &Url,
) -> std::result::Result<Vec<u8>, Cause> {
    let asked = (&Ask::default(), small.limit);
    match ask(client, small.access, url, asked).await? {
        Some(small) if looks_like_html(&small.bytes) => Err(Cause::Html),
        Some(small) => Ok(small.bytes),
        None => Err(Cause::Status(304)),
    }
}

/// A file of so many bytes at most; none for "not modified". Ends at once when asked to stop.
pub(crate) async fn ask(
    client: &Client,
    access: &Access,
    url: &Url,
    asked: (&Ask, u64),
) -> std::result::Result<Option<Small>, Cause> {
    let stop = pin!(client.pause(Duration::MAX));
    match select(pin!(answer(client, access, url, asked)), stop).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(Cause::Stopped),
    }
}

async fn answer(
    client: &Client,
    access: &Access,
    url: &Url,
    (ask, limit): (&Ask, u64),
) -> std::result::Result<Option<Small>, Cause> {
    if url.scheme() == "file" {
        let mut bytes = Vec::new();
        let open = file::open(url)?;
        open.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| Cause::Read(e.to_string()))?;
        if bytes.len() as u64 > limit {
            return Err(Cause::TooLarge { limit });
        }
        return Ok(Some(Small {
            bytes,
            etag: None,
            modified: None,
        }));
    }
    let mut response = get(client, access, url, ask).await?;
    match response.status().as_u16() {
        200 => {}
        304 if ask.etag.is_some() || ask.modified.is_some() => return Ok(None),
        other => return Err(Cause::Status(other)),
    }
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Err(Cause::TooLarge { limit });
    }
    let etag = text_header(response.headers(), ETAG);
    let modified = text_header(response.headers(), LAST_MODIFIED);
    let mut bytes = Vec::new();
    let mut pace = Pace::new(access.timeout, access.min_rate);
    let mut coding = Coding::of(response.headers(), url);
    let mut keep = |data: Bytes| {
        if (bytes.len() as u64).saturating_add(data.len() as u64) > limit {
            return Err(Cause::TooLarge { limit });
        }
        bytes.extend_from_slice(&data);
        Ok(())
    };
    while let Some(chunk) = next_chunk(&mut response, access.timeout).await? {
        pace.count(chunk.len())?;
        keep(match &mut coding {
            Some(coding) => coding.decode(chunk)?,
            None => chunk,
        })?;
    }
    if let Some(rest) = coding.as_mut().and_then(Coding::rest) {
        keep(rest)?;
    }
    Ok(Some(Small {
        bytes,
        etag,
        modified,
    }))
}
