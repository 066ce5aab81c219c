//! Requests of a [`Bucket`]: signed, counted, sent again while the failure may pass.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use reqwest::{Body, Method};

use super::bucket::Bucket;
use super::refusal::Refusal;
use super::sigv4;
use super::target::Target;
use super::{keys, target};
use crate::error::{Cause, server_name};
use crate::tls;
use crate::wire::{FileBody, PIECE, classify, small_body};

/// The first pause; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest.
const LAST_PAUSE: Duration = Duration::from_secs(20);

/// What goes along.
pub(super) enum Payload {
    Bytes(Bytes),
    Part(FilePart),
}

/// A piece of a file.
#[derive(Clone)]
pub(super) struct FilePart {
    pub(super) path: PathBuf,
    pub(super) from: u64,
    pub(super) size: u64,
    /// In hexadecimal.
    pub(super) sha256: String,
}

/// A request.
pub(super) struct Call<'b> {
    pub(super) method: Method,
    /// The whole key; empty for the bucket itself.
    pub(super) key: String,
    pub(super) query: Vec<(&'b str, &'b str)>,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload,
    /// Most bytes of the answer.
    pub(super) limit: u64,
}

/// Its answer.
pub(super) struct Reply {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Call<'_> {
    /// A request without a body.
    pub(super) fn new(method: Method, key: String, limit: u64) -> Self {
        Self {
            method,
            key,
            query: Vec::new(),
            headers: HeaderMap::new(),
            payload: Payload::Bytes(Bytes::new()),
            limit,
        }
    }

    fn sha256(&self) -> String {
        match &self.payload {
            Payload::Bytes(bytes) => sigv4::sha256_hex(bytes),
            Payload::Part(part) => part.sha256.clone(),
        }
    }
}

impl Bucket<'_> {
    /// The answer to a request that is done; failures that may pass are waited for, longer each time.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let (mut failures, mut may_heal) = (0, true);
        let (client, patience) = (self.client, &self.patience);
        let url = Target::of(client, self.access, &self.url)?.url("", "")?;
        let server = url.origin().ascii_serialization();
        loop {
            let mut refusal = match self.once(call).await {
                Ok(reply) => {
                    patience.answered(client, &server);
                    return Ok(reply);
                }
                Err(refusal) => refusal,
            };
            if refusal.status > 0 {
                patience.answered(client, &server);
            }
            refusal.again = failures > 0;
            if may_heal {
                let target = Target::of(self.client, self.access, &self.url)?;
                if refusal.heals(self.client, &target).await {
                    may_heal = false;
                    continue;
                }
            }
            let cause = &refusal.cause;
            let retries = patience.tries(client, &server, cause, self.access.retries);
            if !refusal.is_passing() || failures >= retries {
                patience.given_up(client, &server, cause);
                return Err(refusal);
            }
            tracing::debug!(key = call.key, %cause, failures, "is sent again");
            let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
            let pause = pause.min(LAST_PAUSE).max(refusal.wait.unwrap_or_default());
            let host = server_name(url.as_str());
            patience
                .wait(client, (&server, &host), cause, pause)
                .await?;
            failures += 1;
        }
    }

    /// Sends it once, until nothing moves any more or the caller asks to stop.
    async fn once(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let sent = Arc::default();
        let (answer, silence) = (self.exchange(call, &sent), self.silence(&sent));
        match select(pin!(answer), pin!(silence)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((cause, _)) => Err(cause.into()),
        }
    }

    /// Sends it once.
    pub(super) async fn exchange(
        &self,
        call: &Call<'_>,
        sent: &Arc<AtomicU64>,
    ) -> Result<Reply, Refusal> {
        let (client, access) = (self.client, self.access);
        let target = Target::of(client, access, &self.url)?;
        let url = target.url(&call.key, &sigv4::query(&call.query))?;
        let mut headers = call.headers.clone();
        let keys = keys::find(client, access, &self.url, &target).await?;
        if let Some(keys) = &keys {
            let signer = keys::signer(client, keys, &target)?;
            signer.sign(call.method.as_str(), &url, &mut headers, &call.sha256())?;
        }
        let (body, length) = self.body(&call.payload, sent)?;
        if !matches!(call.method, Method::GET | Method::HEAD) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let apart = length > PIECE as u64;
        let http = client.http(access, &url, apart)?;
        let request = http
            .request(call.method.clone(), url.clone())
            .headers(headers)
            .body(body);
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut response = request.send().await.map_err(|error| {
            let cause = classify(&error, access.timeout);
            let cause = client.blaming_proxy(&access.route, &url, cause);
            tls::naming_ours(cause, &access.tls)
        })?;
        let keys = keys.as_deref();
        if !response.status().is_success() {
            return Err(Refusal::read(client, access, &target, keys, response).await);
        }
        let body = small_body(&mut response, call.limit, access).await?;
        let headers = std::mem::take(response.headers_mut());
        // A store that has begun to answer may still fail: it says so in the body.
        if call.is_answered_late() && body.windows(7).any(|seven| seven == b"<Error>") {
            return Err(Refusal::of(client, (&target, keys), (500, &headers), &body));
        }
        Ok(Reply { headers, body })
    }

    /// Ends when nothing has been sent for too long, or the caller asked to stop.
    async fn silence(&self, sent: &AtomicU64) -> Cause {
        let limit = self.access.timeout;
        let mut before = sent.load(Ordering::Relaxed);
        loop {
            if let Err(stopped) = self.client.pause(limit).await {
                return stopped;
            }
            let now = sent.load(Ordering::Relaxed);
            if now == before {
                return Cause::Timeout(limit.as_secs());
            }
            before = now;
        }
    }

    fn body(&self, payload: &Payload, sent: &Arc<AtomicU64>) -> Result<(Body, u64), Cause> {
        let part = match payload {
            Payload::Bytes(bytes) => return Ok((bytes.clone().into(), bytes.len() as u64)),
            Payload::Part(part) => part,
        };
        let file = open(part).map_err(|error| {
            let path = part.path.display();
            Cause::Read(format!("{path}: {error}"))
        })?;
        let body = FileBody {
            file,
            left: part.size,
            limiter: self.client.limiter(self.access),
            throttle: self.access.throttle,
            sent: Arc::clone(sent),
        };
        Ok((body.into(), part.size))
    }

    /// The bucket, and what a key in it is called in errors.
    pub(super) fn shown(&self, key: &str) -> String {
        let prefix = target::key_of(&self.url);
        let below = key.strip_prefix(&prefix).unwrap_or(key);
        let base = crate::redact::redact_url(&self.url);
        let below = below.trim_start_matches('/');
        format!("{}/{below}", base.trim_end_matches('/'))
    }
}

impl Call<'_> {
    /// Copies, and what ends an upload in parts, are begun to be answered before they are done.
    fn is_answered_late(&self) -> bool {
        self.method == Method::POST && self.query.iter().any(|(name, _)| *name == "uploadId")
    }
}

pub(super) fn open(part: &FilePart) -> std::io::Result<File> {
    let mut file = File::open(&part.path)?;
    file.seek(SeekFrom::Start(part.from))?;
    Ok(file)
}
