//! Ranges of files: many requests at once, their bytes handed over as they come.
//!
//! This is transport only. What is asked of which server, how often and for what is policy
//! ([`crate::transfer`]); headers, logins, redirects, TLS, timeouts and speed limits are
//! handled here, and an answer that does not fit its request is an error, never data.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::FutureExt;
use futures_util::stream::{self, AbortHandle, Abortable, SelectAll, Stream, StreamExt};
use reqwest::header::CONTENT_ENCODING;
use reqwest::{Response, Url, Version};
use rpm_pkg::digest::Digest;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::client::{Client, origin, parse_url};
use crate::error::{Cause, Result};
use crate::html::{is_html_type, looks_like_html};
use crate::limit::{Limiter, Pace};
use crate::options::Access;
use crate::transport::coding::Coding;
use crate::transport::file;
use crate::transport::http::{Ask, content_range, get, validator};
use crate::wire::{next_chunk, retry_after};

/// Bytes handed over by one [`Ranges::wait`] before it returns, give or take one piece.
const BATCH: usize = 1 << 20;
/// Piece size when reading local files.
const BLOCK: usize = 256 * 1024;

/// One range to be asked of one server.
#[derive(Clone)]
pub(crate) struct RangeRequest {
    /// Full URL (http, https, file).
    pub(crate) url: String,
    /// How the server is spoken to.
    pub(crate) access: Arc<Access>,
    /// First byte.
    pub(crate) from: u64,
    /// Byte after the last; none means to the end of the file.
    pub(crate) to: Option<u64>,
    /// Strong `ETag` or date that the file must still have; otherwise all of it comes ([`RangeEvent::Opened`]).
    pub(crate) if_range: Option<String>,
    /// Of the whole file, if it is known.
    pub(crate) digest: Option<Digest>,
    /// It may share a connection with others (HTTP/2) where the server knows how. Otherwise it has
    /// one of its own while it lasts: many servers and lines limit each connection.
    pub(crate) shared: bool,
}

impl RangeRequest {
    fn is_whole(&self) -> bool {
        self.from == 0 && self.to.is_none()
    }
}

/// Names a request for the life of its [`Ranges`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RangeId(u64);

#[cfg(test)]
impl RangeId {
    /// A request of a test without a network.
    pub(crate) fn test(number: u64) -> Self {
        Self(number)
    }
}

/// How an answer begins.
#[derive(Debug)]
pub(crate) struct Answer {
    /// First byte that comes: the one asked for, or 0 if the server sends the whole file
    /// (it knows no ranges, or the file has changed).
    pub(crate) from: u64,
    /// Whether it is the range asked for and no more.
    pub(crate) partial: bool,
    /// Size of the whole file, if the server says so.
    pub(crate) total: Option<u64>,
    /// What this version of the file goes by: strong `ETag`, else `Last-Modified`.
    pub(crate) validator: Option<String>,
    /// From the request to its answer.
    pub(crate) waited: Duration,
    /// It shares its connection with others (HTTP/2).
    pub(crate) multiplexed: bool,
    /// It is said to be a web page.
    pub(crate) page: bool,
}

/// What a request met.
#[derive(Debug)]
pub(crate) enum RangeEvent {
    /// The answer begins.
    Opened(Answer),
    /// The next bytes. A careless server may send more than the range asked for.
    Data(Bytes),
    /// The answer ended as announced. Whether it was long enough is for the caller to see.
    Ended,
    /// The request failed; nothing more comes.
    Failed {
        /// Why.
        cause: Cause,
        /// How long the server asks to stay away.
        retry_after: Option<Duration>,
    },
}

/// Lets the running or next [`Ranges::wait`] return at once when another thread notifies it.
pub(crate) type Bell = Arc<Notify>;

type Running<'c> = Abortable<Pin<Box<dyn Stream<Item = (RangeId, RangeEvent)> + 'c>>>;

/// Requests under way. Nothing moves outside of [`Ranges::wait`].
pub(crate) struct Ranges<'c> {
    client: &'c Client,
    running: SelectAll<Running<'c>>,
    stops: HashMap<RangeId, AbortHandle>,
    global: Option<Arc<Limiter>>,
    per_host: Option<u64>,
    hosts: HashMap<String, Arc<Limiter>>,
    bell: Bell,
    next: u64,
}

impl<'c> Ranges<'c> {
    /// No request yet. `global` and `per_host` are bytes per second over all requests, and over
    /// those to one server; `bell` ends a [`Ranges::wait`].
    pub(crate) fn new(
        client: &'c Client,
        global: Option<u64>,
        per_host: Option<u64>,
        bell: Bell,
    ) -> Self {
        Self {
            client,
            running: SelectAll::new(),
            stops: HashMap::new(),
            global: global.map(|rate| Arc::new(Limiter::new(rate))),
            per_host,
            hosts: HashMap::new(),
            bell,
            next: 0,
        }
    }

    /// Begins a request.
    ///
    /// # Errors
    /// A URL that is none, or not http, https or file.
    pub(crate) fn start(&mut self, request: RangeRequest) -> Result<RangeId> {
        let url = parse_url(&request.url)?;
        let id = RangeId(self.next);
        self.next = self.next.wrapping_add(1);
        let limiters = self.limiters(&url, &request.access);
        let piece = Piece {
            client: self.client,
            url,
            request,
            limiters,
        };
        let events = piece.events().map(move |event| (id, event));
        let (handle, registration) = AbortHandle::new_pair();
        let boxed: Pin<Box<dyn Stream<Item = _> + 'c>> = Box::pin(events);
        self.running.push(Abortable::new(boxed, registration));
        self.stops.insert(id, handle);
        Ok(id)
    }

    /// Ends a request; nothing more comes of it. Its connection is closed unless its answer had
    /// been read to the end.
    pub(crate) fn stop(&mut self, id: RangeId) {
        if let Some(handle) = self.stops.remove(&id) {
            handle.abort();
        }
    }

    /// What happened; waits for the first event until `limit` is over or the bell rings.
    pub(crate) async fn wait(&mut self, limit: Duration) -> Vec<(RangeId, RangeEvent)> {
        let mut events = Vec::new();
        let mut bytes = 0;
        let bell = self.bell.clone();
        let nobody = self.running.is_empty();
        tokio::select! {
            first = self.running.next(), if !nobody => self.keep(first, &mut events, &mut bytes),
            () = bell.notified() => {}
            () = tokio::time::sleep(limit) => {}
        }
        while bytes < BATCH
            && let Some(Some(event)) = self.running.next().now_or_never()
        {
            self.keep(Some(event), &mut events, &mut bytes);
        }
        events
    }

    fn keep(
        &mut self,
        event: Option<(RangeId, RangeEvent)>,
        events: &mut Vec<(RangeId, RangeEvent)>,
        bytes: &mut usize,
    ) {
        let Some((id, event)) = event else { return };
        // Polled once more before the abort was seen.
        if !self.stops.contains_key(&id) {
            return;
        }
        match &event {
            RangeEvent::Data(data) => *bytes += data.len(),
            RangeEvent::Ended | RangeEvent::Failed { .. } => {
                self.stops.remove(&id);
            }
            RangeEvent::Opened(_) => {}
        }
        events.push((id, event));
    }

    fn limiters(&mut self, url: &Url, access: &Access) -> Vec<Arc<Limiter>> {
        if url.scheme() == "file" {
            return Vec::new();
        }
        let per_host = self.per_host.map(|rate| {
            let one = self.hosts.entry(origin(url));
            Arc::clone(one.or_insert_with(|| Arc::new(Limiter::new(rate))))
        });
        let ours = self.client.limiter(access);
        self.global
            .iter()
            .cloned()
            .chain(per_host)
            .chain(ours)
            .collect()
    }
}

/// One request with what it needs.
struct Piece<'c> {
    client: &'c Client,
    url: Url,
    request: RangeRequest,
    limiters: Vec<Arc<Limiter>>,
}

enum AnswerState<'c> {
    Ask(Box<Piece<'c>>),
    Body(Box<Body<'c>>),
    Local(std::fs::File, Option<u64>),
    Over,
}

struct Body<'c> {
    piece: Piece<'c>,
    response: Response,
    pace: Pace,
    /// What stands around the file.
    coding: Option<Coding>,
    /// Bytes that are announced and have not come.
    left: Option<u64>,
    /// Said to be a web page, and nothing has come yet.
    page: bool,
}

impl<'c> Piece<'c> {
    fn events(self) -> impl Stream<Item = RangeEvent> + 'c {
        stream::unfold(AnswerState::Ask(Box::new(self)), |state| async move {
            let step = match state {
                AnswerState::Ask(piece) if piece.url.scheme() == "file" => piece.open_local(),
                AnswerState::Ask(piece) => piece.ask().await,
                AnswerState::Body(body) => body.more().await,
                AnswerState::Local(file, left) => read_local(file, left),
                AnswerState::Over => return None,
            };
            Some(step.unwrap_or_else(|(cause, retry_after)| {
                (RangeEvent::Failed { cause, retry_after }, AnswerState::Over)
            }))
        })
    }

    async fn ask(self) -> RangeStep<'c> {
        let request = &self.request;
        let ask = Ask {
            from: (!request.is_whole()).then_some(request.from),
            to: request.to,
            if_range: request.if_range.clone(),
            digest: request.digest,
            apart: !request.shared,
            ..Ask::default()
        };
        let began = Instant::now();
        let response = get(self.client, &request.access, &self.url, &ask)
            .await
            .map_err(|cause| (cause, None))?;
        let waited = began.elapsed();
        let (from, total) = self.judge(&response)?;
        let partial = response.status().as_u16() == 206;
        let coding = Coding::of(response.headers(), &self.url);
        // A range of the coded bytes is none of the file's.
        if partial && coding.as_ref().is_some_and(Coding::is_certain) {
            return Err((Cause::Range("a range of a coded file".into()), None));
        }
        let answer = Answer {
            from,
            partial,
            total,
            validator: validator(response.headers()),
            waited,
            multiplexed: response.version() == Version::HTTP_2,
            page: is_html_type(response.headers()),
        };
        let body = Body {
            pace: Pace::new(request.access.timeout, request.access.min_rate),
            left: response.content_length(),
            page: answer.page && from == 0,
            coding: coding.filter(|_| !partial),
            piece: self,
            response,
        };
        Ok((
            RangeEvent::Opened(answer),
            AnswerState::Body(Box::new(body)),
        ))
    }

    /// First byte and total size of an answer that fits the request.
    fn judge(&self, response: &Response) -> std::result::Result<(u64, Option<u64>), RangeFault> {
        let wrong = |why: String| Err((Cause::Range(why), None));
        let asked = self.request.from;
        match response.status().as_u16() {
            200 => Ok((0, announced(response))),
            206 if self.request.is_whole() => wrong("206 though no range was asked for".into()),
            206 => match content_range(response.headers()) {
                Some((first, total)) if first == asked => Ok((first, total)),
                Some((first, _)) => wrong(format!("asked from byte {asked}, got byte {first}")),
                None => wrong("206 without a valid Content-Range".into()),
            },
            416 => wrong(format!("the server's file ends before byte {asked}")),
            code => Err((Cause::Status(code), retry_after(response.headers()))),
        }
    }

    fn open_local(self) -> RangeStep<'c> {
        let mut from = file::open(&self.url).map_err(|cause| (cause, None))?;
        let read = |e: std::io::Error| (Cause::Read(e.to_string()), None);
        let total = from.metadata().map_err(read)?.len();
        let first = self.request.from;
        from.seek(SeekFrom::Start(first)).map_err(read)?;
        let opened = RangeEvent::Opened(Answer {
            from: first,
            partial: !self.request.is_whole(),
            total: Some(total),
            validator: None,
            waited: Duration::ZERO,
            multiplexed: false,
            page: false,
        });
        let left = self.request.to.map(|to| to.saturating_sub(first));
        Ok((opened, AnswerState::Local(from, left)))
    }
}

/// The length of a body that comes as it is.
fn announced(response: &Response) -> Option<u64> {
    let plain = !response.headers().contains_key(CONTENT_ENCODING);
    response.content_length().filter(|_| plain)
}

type RangeFault = (Cause, Option<Duration>);
type RangeStep<'c> = std::result::Result<(RangeEvent, AnswerState<'c>), RangeFault>;

impl<'c> Body<'c> {
    async fn more(mut self: Box<Self>) -> RangeStep<'c> {
        if self.left == Some(0) {
            // Read to the end, so that the connection is kept for the next request.
            let limit = self.piece.request.access.timeout;
            let _ = next_chunk(&mut self.response, limit).await;
            return Ok(self.over());
        }
        let failed = |cause| (cause, None);
        let limit = self.piece.request.access.timeout;
        let chunk = next_chunk(&mut self.response, limit)
            .await
            .map_err(failed)?;
        let Some(chunk) = chunk else {
            return Ok(self.over());
        };
        if self.piece.client.stopped() {
            return Err(failed(Cause::Stopped));
        }
        let length = chunk.len() as u64;
        self.left = self.left.map(|left| left.saturating_sub(length));
        self.pace.count(chunk.len()).map_err(failed)?;
        let wait = self
            .piece
            .limiters
            .iter()
            .map(|one| one.charge(chunk.len()))
            .max();
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            self.piece.client.pause(wait).await.map_err(failed)?;
            self.pace.excuse(wait);
        }
        let data = match &mut self.coding {
            Some(coding) => coding.decode(chunk).map_err(failed)?,
            None => chunk,
        };
        if self.page && looks_like_html(&data) {
            return Err(failed(Cause::Html));
        }
        self.page &= data.is_empty();
        Ok((RangeEvent::Data(data), AnswerState::Body(self)))
    }

    /// No more comes: what was held back, then the end.
    fn over(mut self: Box<Self>) -> (RangeEvent, AnswerState<'c>) {
        self.left = Some(0);
        match self.coding.as_mut().and_then(Coding::rest) {
            Some(rest) => (RangeEvent::Data(rest), AnswerState::Body(self)),
            None => (RangeEvent::Ended, AnswerState::Over),
        }
    }
}

fn read_local<'c>(mut from: std::fs::File, left: Option<u64>) -> RangeStep<'c> {
    let room = left.map_or(BLOCK, |left| {
        usize::try_from(left).unwrap_or(BLOCK).min(BLOCK)
    });
    let mut buffer = vec![0; room];
    let got = from
        .read(&mut buffer)
        .map_err(|e| (Cause::Read(e.to_string()), None))?;
    if got == 0 {
        return Ok((RangeEvent::Ended, AnswerState::Over));
    }
    buffer.truncate(got);
    let left = left.map(|left| left.saturating_sub(got as u64));
    Ok((
        RangeEvent::Data(Bytes::from(buffer)),
        AnswerState::Local(from, left),
    ))
}
