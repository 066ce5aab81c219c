//! What all steps of a refresh need to know.

use std::sync::Arc;

use reqwest::Url;

use super::RepoRefresh;
use super::small::{self, Small};
use crate::client::{Client, origin};
use crate::error::{Cause, Error};
use crate::event::{Event, Observer};
use crate::options::Access;
use crate::redact::redact_url;
use crate::transfer::Orders;
use crate::transport::http::Ask;

/// One repository, how its servers are spoken to, and who is told.
pub(crate) struct RepoContext<'a> {
    pub(crate) client: &'a Client,
    pub(crate) repo: &'a RepoRefresh<'a>,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) access: Arc<Access>,
    /// Where files are ordered.
    pub(crate) orders: &'a Orders,
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

    /// Says that a server failed, and which URL is asked next; one whose failure may pass is asked after others from now on.
    pub(crate) fn tell_failure(
        &self,
        (transfer, label): (u64, &str),
        url: &Url,
        cause: &Cause,
        next: Option<&Url>,
    ) {
        let next = next.map(origin).filter(|next| *next != origin(url));
        self.observer.event(Event::MirrorFailed {
            id: transfer,
            label,
            url: &redact_url(url),
            cause,
            next: next.as_deref(),
        });
        if cause.is_passing() {
            self.client.blame(&origin(url), cause);
        }
    }

    /// A small file; none for "not modified". Ends at once when asked to stop.
    pub(crate) async fn small(
        &self,
        url: &Url,
        ask: &Ask,
        limit: u64,
    ) -> std::result::Result<Option<Small>, Cause> {
        small::ask(self.client, &self.access, url, (ask, limit)).await
    }
}
