//! What all steps of a refresh need to know, and small files in memory.

use std::io::Read;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use reqwest::Url;
use reqwest::header::{ETAG, LAST_MODIFIED};

use super::RepoRefresh;
use crate::client::{Client, origin};
use crate::error::{Cause, Error};
use crate::event::{Event, Observer};
use crate::limit::Pace;
use crate::options::Access;
use crate::redact::redact_url;
use crate::transport::coding::Coding;
use crate::transport::file;
use crate::transport::http::{Ask, get, next_chunk, text_header};

/// A small file in memory.
pub(crate) struct Small {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<String>,
}

/// One repository, how its servers are spoken to, and who is told.
pub(crate) struct RepoContext<'a> {
    pub(crate) client: &'a Client,
    pub(crate) repo: &'a RepoRefresh<'a>,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) access: Arc<Access>,
}

impl<'a> RepoContext<'a> {
    pub(crate) fn id(&self) -> &'a str {
        &self.repo.config.id
    }

    /// What the index is called in errors and events.
    pub(crate) fn index_label(&self) -> String {
        format!("{}: repomd.xml", self.id())
    }

    /// What is needed of the cache and not there.
    pub(crate) fn not_cached(&self, what: impl Into<String>) -> Error {
        Error::NotCached {
            repo: self.id().to_owned(),
            what: what.into(),
            path: self.repo.cache.clone(),
        }
    }

    /// Says that a server failed; one whose failure may pass is asked after others from now on.
    pub(crate) fn tell_failure(&self, transfer: u64, label: &str, url: &Url, cause: &Cause) {
        self.observer.event(Event::MirrorFailed {
            id: transfer,
            label,
            url: &redact_url(url),
            cause,
        });
        if cause.is_passing() {
            self.client.blame(&origin(url));
        }
    }

    /// A small file; none for "not modified". Ends at once when asked to stop.
    pub(crate) async fn small(
        &self,
        url: &Url,
        ask: &Ask,
        limit: u64,
    ) -> std::result::Result<Option<Small>, Cause> {
        let stop = pin!(self.client.pause(Duration::MAX));
        match select(pin!(self.answer(url, ask, limit)), stop).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(Cause::Stopped),
        }
    }

    async fn answer(
        &self,
        url: &Url,
        ask: &Ask,
        limit: u64,
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
        let mut response = get(self.client, &self.access, url, ask).await?;
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
        let mut pace = Pace::new(self.access.timeout, self.access.min_rate);
        let mut coding = Coding::of(response.headers(), url);
        let mut keep = |data: Bytes| {
            if (bytes.len() as u64).saturating_add(data.len() as u64) > limit {
                return Err(Cause::TooLarge { limit });
            }
            bytes.extend_from_slice(&data);
            Ok(())
        };
        while let Some(chunk) = next_chunk(&mut response, self.access.timeout).await? {
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
}
