//! One request with what it carries, and the redirects of one that carries nothing.

use std::fs::File;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Response};

use super::talk::Request;
use crate::client::Client;
use crate::error::Cause;
use crate::options::Access;
use crate::tls;
use crate::wire::{FileBody, classify, redirect_target};

/// Redirects followed for one request.
const MAX_REDIRECTS: usize = 5;
/// How long a registry may take to look at what it was sent.
const LOOKS: Duration = Duration::from_secs(300);

/// What a request carries.
pub(crate) enum Body<'a> {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// Values of a form.
    Form(String),
    /// A file of so many bytes.
    File(&'a Path, u64),
}

/// How requests are sent.
pub(crate) struct Sending<'a> {
    pub(crate) client: &'a Client,
    pub(crate) access: &'a Access,
}

impl Sending<'_> {
    /// Sends a request; `proof` is for its own server alone. Ends at once when asked to stop.
    pub(crate) async fn send(
        &self,
        request: &Request<'_>,
        proof: &HeaderMap,
    ) -> Result<Response, Cause> {
        let stop = pin!(self.client.pause(Duration::MAX));
        match select(pin!(self.follow(request, proof)), stop).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(Cause::Stopped),
        }
    }

    async fn follow(&self, request: &Request<'_>, proof: &HeaderMap) -> Result<Response, Cause> {
        let mut at = request.url.clone();
        let asks = [Method::GET, Method::HEAD].contains(&request.method);
        for _ in 0..=MAX_REDIRECTS {
            let moved = Arc::<AtomicU64>::default();
            let (body, size) = self.body(&request.body, &moved)?;
            let http = self.client.http(self.access, &at, size > 0)?;
            let mut built = http
                .request(request.method.clone(), at.clone())
                .headers(request.headers.clone());
            if at.origin() == request.url.origin() {
                built = built.headers(proof.clone());
            }
            if let Body::Form(_) = request.body {
                built = built.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            }
            if let Some(body) = body {
                built = built.header(CONTENT_LENGTH, size).body(body);
            }
            let response = self.watch(built, &moved, size).await.map_err(|cause| {
                let route = &self.access.route;
                tls::naming_ours(
                    self.client.blaming_proxy(route, &at, cause),
                    &self.access.tls,
                )
            })?;
            if !asks {
                return Ok(response);
            }
            match redirect_target(&at, &response)? {
                Some(next) => at = next,
                None => return Ok(response),
            }
        }
        Err(Cause::Redirect(format!("more than {MAX_REDIRECTS}")))
    }

    /// The answer; silence is bounded, not the time that a file takes.
    async fn watch(
        &self,
        built: reqwest::RequestBuilder,
        moved: &AtomicU64,
        size: u64,
    ) -> Result<Response, Cause> {
        let mut answer = pin!(built.send());
        let mut seen = 0;
        loop {
            let all = size > 0 && seen >= size;
            let limit = self.access.timeout;
            let limit = if all { limit.max(LOOKS) } else { limit };
            if let Ok(answer) = tokio::time::timeout(limit, &mut answer).await {
                return answer.map_err(|error| classify(&error, limit));
            }
            let now = moved.load(Ordering::Relaxed);
            if now == seen {
                return Err(Cause::Timeout(limit.as_secs()));
            }
            seen = now;
        }
    }

    fn body(
        &self,
        body: &Body<'_>,
        moved: &Arc<AtomicU64>,
    ) -> Result<(Option<reqwest::Body>, u64), Cause> {
        Ok(match body {
            Body::Empty => (None, 0),
            Body::Bytes(bytes) => (Some(bytes.clone().into()), bytes.len() as u64),
            Body::Form(text) => (Some(text.clone().into()), text.len() as u64),
            Body::File(path, size) => {
                let read = |e: std::io::Error| Cause::Read(format!("{}: {e}", path.display()));
                let file = File::open(path).map_err(read)?;
                let body = FileBody {
                    file,
                    left: *size,
                    limiter: self.client.limiter(self.access),
                    throttle: self.access.throttle,
                    sent: Arc::clone(moved),
                };
                (Some(body.into()), *size)
            }
        })
    }
}
