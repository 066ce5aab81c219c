//! One file from one of its mirrors: rounds, retries, resuming, checks.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, ETAG, LAST_MODIFIED};
use reqwest::{Response, Url};
use rpm_pkg::digest::Digest;

use crate::client::Client;
use crate::error::{Cause, Error, Failure, Result};
use crate::event::{Event, Observer};
use crate::limit::Pace;
use crate::part::{Opened, Part, looks_like_html};
use crate::redact::{redact, redact_url};
use crate::request::{Fetched, FileRequest, reuse};
use crate::transport::file;
use crate::transport::http::{Ask, content_range, get, retry_after, text_header};

/// An attempt that brought this many bytes counts as progress and starts the retries anew.
const PROGRESS: u64 = 4096;
/// Extra rounds when no server could even be reached.
const UNREACHABLE_ROUNDS: u32 = 2;
/// First pause between rounds; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause between rounds.
const MAX_PAUSE: Duration = Duration::from_secs(8);

/// Why an attempt failed: the mirror's fault, or ours (then no other mirror helps).
pub(crate) enum Fault {
    Mirror(Cause, Option<Duration>),
    Local(Error),
}

impl From<Cause> for Fault {
    fn from(cause: Cause) -> Self {
        Self::Mirror(cause, None)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Local(error)
    }
}

type Attempt<T> = std::result::Result<T, Fault>;

struct Mirror {
    url: Url,
    last: Option<Cause>,
    given_up: bool,
}

struct Transfer<'a> {
    client: &'a Client,
    request: &'a FileRequest,
    observer: &'a dyn Observer,
    id: u64,
    transferred: u64,
    validators: (Option<String>, Option<String>),
}

/// Fetches one file.
pub(crate) async fn download(
    client: &Client,
    request: &FileRequest,
    observer: &dyn Observer,
) -> Result<Fetched> {
    let id = client.next_id();
    let validators = (None, None);
    let mut transfer = Transfer {
        client,
        request,
        observer,
        id,
        transferred: 0,
        validators,
    };
    let outcome = transfer.run().await;
    observer.event(match &outcome {
        Ok(done) => Event::Finished {
            id,
            bytes: done.size,
        },
        Err(_) => Event::Failed { id },
    });
    outcome
}

/// Parses one URL of a list; only http, https and file are spoken.
pub(crate) fn parse_url(text: &str) -> Result<Url> {
    let bad = |why: String| Error::BadUrl {
        url: redact(text),
        why,
    };
    let url = Url::parse(text).map_err(|e| bad(e.to_string()))?;
    match url.scheme() {
        "http" | "https" | "file" => Ok(url),
        other => Err(bad(format!(
            "cannot speak {other}: only http, https and file"
        ))),
    }
}

impl Transfer<'_> {
    async fn run(&mut self) -> Result<Fetched> {
        let request = self.request;
        let mut urls: Vec<Url> = request
            .urls
            .iter()
            .map(|u| parse_url(u))
            .collect::<Result<_>>()?;
        if urls.is_empty() {
            return Err(self.failed(Vec::new()));
        }
        self.client.order(&mut urls);
        let mut mirrors: Vec<Mirror> = urls
            .into_iter()
            .map(|url| Mirror {
                url,
                last: None,
                given_up: false,
            })
            .collect();
        if request.in_place && mirrors.iter().all(|m| m.url.scheme() == "file") {
            self.started(0);
            return self.use_in_place(&mirrors);
        }
        if let Some(done) = reuse(&request.dest, request)? {
            self.started(done.size);
            return Ok(done);
        }
        if let Some(dir) = request.dest.parent() {
            std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, "create", e))?;
        }
        let mut part = match self.own_part().await? {
            Ok(part) => part,
            Err(done) => return Ok(done),
        };
        self.started(part.len());
        match self.rounds(&mut part, &mut mirrors).await {
            Ok((digest, url)) => self.finish(*part, digest, &url),
            Err(error) => {
                if part.len() == 0 {
                    part.discard();
                }
                Err(error)
            }
        }
    }

    fn started(&self, resumed: u64) {
        let (label, total) = (self.request.label.as_str(), self.request.size);
        self.observer.event(Event::Started {
            id: self.id,
            label,
            total,
            resumed,
        });
    }

    /// The part, or the finished file if another process completed it while we waited.
    async fn own_part(&self) -> Result<std::result::Result<Box<Part>, Fetched>> {
        let request = self.request;
        loop {
            match Part::open(&request.dest, request.digest, request.size)? {
                Opened::Ready(part) => return Ok(Ok(part)),
                Opened::Busy => {
                    let waited = self.client.pause(Duration::from_millis(100)).await;
                    waited.map_err(|cause| {
                        self.failed(vec![Failure {
                            url: String::new(),
                            cause,
                        }])
                    })?;
                    if let Some(done) = reuse(&request.dest, request)? {
                        return Ok(Err(done));
                    }
                }
            }
        }
    }

    fn finish(&self, part: Part, digest: Option<Digest>, url: &Url) -> Result<Fetched> {
        let size = part.len();
        part.publish(self.request.sync)?;
        Ok(Fetched {
            path: self.request.dest.clone(),
            size,
            digest,
            url: Some(redact_url(url)),
            transferred: self.transferred,
            validators: self.validators.clone(),
        })
    }

    fn failed(&self, failures: Vec<Failure>) -> Error {
        Error::Transfer {
            label: self.request.label.clone(),
            failures,
        }
    }

    /// Asks the mirrors in turn, round after round, until one gives the whole file.
    async fn rounds(
        &mut self,
        part: &mut Part,
        mirrors: &mut [Mirror],
    ) -> Result<(Option<Digest>, Url)> {
        let mut round = 0;
        loop {
            let before = self.transferred;
            let mut wait = None;
            for mirror in mirrors.iter_mut().filter(|mirror| !mirror.given_up) {
                match self.attempt(part, &mirror.url).await {
                    Ok(digest) => return Ok((digest, mirror.url.clone())),
                    Err(Fault::Local(error)) => return Err(error),
                    Err(Fault::Mirror(cause, pause)) => {
                        wait = wait.max(pause);
                        self.note(mirror, cause);
                    }
                }
                if mirror.last == Some(Cause::Stopped) {
                    break;
                }
            }
            let limit = self.rounds_allowed(mirrors);
            if limit > 0 && self.transferred.saturating_sub(before) >= PROGRESS && wait.is_none() {
                round = 0;
                continue;
            }
            round += 1;
            if round > limit {
                return Err(self.failed(list(mirrors)));
            }
            self.rest(round, limit, wait, mirrors).await?;
        }
    }

    fn note(&self, mirror: &mut Mirror, cause: Cause) {
        let url = redact_url(&mirror.url);
        let label = self.request.label.as_str();
        self.observer.event(Event::MirrorFailed {
            id: self.id,
            label,
            url: &url,
            cause: &cause,
        });
        // A 404 is said of the file, not of the mirror.
        if !matches!(
            cause,
            Cause::Status(404 | 410) | Cause::NotFound | Cause::Stopped
        ) {
            self.client.blame(&mirror.url);
        }
        mirror.given_up = !cause.is_passing();
        mirror.last = Some(cause);
    }

    fn rounds_allowed(&self, mirrors: &[Mirror]) -> u32 {
        let mut open = mirrors.iter().filter(|mirror| !mirror.given_up).peekable();
        if open.peek().is_none() {
            return 0;
        }
        let unreachable = open.all(|mirror| {
            matches!(
                mirror.last,
                Some(Cause::Dns(_) | Cause::Connect(_) | Cause::Proxy(_))
            )
        });
        let retries = self.request.access.retries;
        if unreachable {
            retries.min(UNREACHABLE_ROUNDS)
        } else {
            retries
        }
    }

    async fn rest(
        &self,
        round: u32,
        limit: u32,
        asked: Option<Duration>,
        mirrors: &[Mirror],
    ) -> Result<()> {
        let pause = FIRST_PAUSE
            .saturating_mul(1 << (round - 1).min(8))
            .min(MAX_PAUSE);
        let pause = pause.max(asked.unwrap_or_default());
        self.observer.event(Event::Retry {
            id: self.id,
            label: &self.request.label,
            attempt: round,
            limit,
            delay_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        });
        let rested = self.client.pause(pause).await;
        rested.map_err(|_| self.failed(list(mirrors)))
    }

    async fn attempt(&mut self, part: &mut Part, url: &Url) -> Attempt<Option<Digest>> {
        let resumed = part.len() > 0;
        if self.request.size != Some(part.len()) {
            if url.scheme() == "file" {
                self.copy(part, url)?;
            } else {
                self.load(part, url).await?;
            }
        }
        match self.complete(part) {
            // What we kept may have been another content: once more, from zero.
            Err(Fault::Mirror(Cause::Digest { .. }, _)) if resumed => {
                part.restart()?;
                if url.scheme() == "file" {
                    self.copy(part, url)?;
                } else {
                    self.load(part, url).await?;
                }
                self.complete(part)
            }
            other => other,
        }
    }

    /// Checks size and digest of a part that claims to be whole.
    fn complete(&self, part: &mut Part) -> Attempt<Option<Digest>> {
        let (got, html) = (part.len(), looks_like_html(part.head()));
        if let Some(expected) = self.request.size.filter(|size| *size != got) {
            if html {
                part.restart()?;
                return Err(Cause::Html.into());
            }
            return Err(Cause::Truncated { got, expected }.into());
        }
        match part.check() {
            Ok(None) if html => {
                part.restart()?;
                Err(Cause::Html.into())
            }
            Ok(digest) => Ok(digest),
            Err(found) => {
                part.restart()?;
                let expected = self
                    .request
                    .digest
                    .map(|d| d.to_string())
                    .unwrap_or_default();
                let wrong = Cause::Digest {
                    got: found.to_string(),
                    expected,
                };
                Err(if html { Cause::Html } else { wrong }.into())
            }
        }
    }

    fn copy(&mut self, part: &mut Part, url: &Url) -> Attempt<()> {
        let mut from = file::open(url)?;
        part.restart()?;
        part.note_origin(url, None, None);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            if self.client.stopped() {
                return Err(Cause::Stopped.into());
            }
            let got = from
                .read(&mut buffer)
                .map_err(|e| Cause::Read(e.to_string()))?;
            let Some(data) = buffer.get(..got).filter(|data| !data.is_empty()) else {
                return Ok(());
            };
            self.accept(part, data)?;
        }
    }

    fn accept(&mut self, part: &mut Part, data: &[u8]) -> Attempt<()> {
        let limit = self.request.limit();
        let after = part.len().saturating_add(data.len() as u64);
        if after > limit {
            let cause = if looks_like_html(part.head()) {
                Cause::Html
            } else {
                Cause::TooLarge { limit }
            };
            part.restart()?;
            return Err(cause.into());
        }
        part.write(data)?;
        self.transferred = self.transferred.saturating_add(data.len() as u64);
        self.observer.event(Event::Progress {
            id: self.id,
            bytes: part.len(),
        });
        Ok(())
    }

    /// Asks one server, for the rest if there is a beginning, and streams the body.
    async fn load(&mut self, part: &mut Part, url: &Url) -> Attempt<()> {
        let mut again = false;
        loop {
            let mut ask = Ask::default();
            if part.len() > 0 {
                match part.validator(url) {
                    Ok(if_range) => {
                        ask = Ask {
                            from: Some(part.len()),
                            if_range,
                            ..ask
                        }
                    }
                    Err(()) => part.restart()?,
                }
            }
            let response = get(self.client, &self.request.access, url, &ask).await?;
            match self.judge(part, &response, ask.from)? {
                Answer::Body => return self.stream(part, url, response).await,
                Answer::Mistaken(why) if again => return Err(Cause::Range(why).into()),
                Answer::Mistaken(_) => {
                    again = true;
                    part.restart()?;
                }
            }
        }
    }

    fn judge(&self, part: &mut Part, response: &Response, from: Option<u64>) -> Attempt<Answer> {
        let code = response.status().as_u16();
        match (code, from) {
            (206, Some(from)) => match content_range(response.headers()) {
                Some((first, total)) if first == from && self.fits(total) => Ok(Answer::Body),
                Some((first, total)) => Ok(Answer::Mistaken(format!(
                    "asked from byte {from}, got byte {first} of {total:?}"
                ))),
                None => Ok(Answer::Mistaken("206 without a valid Content-Range".into())),
            },
            (416, Some(_)) => Ok(Answer::Mistaken("416".into())),
            (206, None) => Err(Cause::Range("206 though no range was asked for".into()).into()),
            (200, _) => {
                self.announced(response)?;
                if part.len() > 0 {
                    part.restart()?;
                }
                Ok(Answer::Body)
            }
            _ => Err(Fault::Mirror(
                Cause::Status(code),
                retry_after(response.headers()),
            )),
        }
    }

    fn fits(&self, total: Option<u64>) -> bool {
        match (total, self.request.size) {
            (Some(total), Some(size)) => total == size,
            (Some(total), None) => total <= self.request.max_size,
            (None, _) => true,
        }
    }

    /// Refuses a body whose announced length cannot be right, before a byte of it is read.
    fn announced(&self, response: &Response) -> Attempt<()> {
        let Some(length) = response.content_length() else {
            return Ok(());
        };
        if response.headers().contains_key(CONTENT_ENCODING) {
            return Ok(());
        }
        match self.request.size {
            // A page in place of the file: let the body tell.
            Some(_) if is_html_type(response) => Ok(()),
            Some(expected) if length != expected => Err(Cause::Size {
                got: length,
                expected,
            }
            .into()),
            None if length > self.request.max_size => Err(Cause::TooLarge {
                limit: self.request.max_size,
            }
            .into()),
            _ => Ok(()),
        }
    }

    async fn stream(&mut self, part: &mut Part, url: &Url, mut response: Response) -> Attempt<()> {
        let etag = text_header(response.headers(), ETAG);
        let modified = text_header(response.headers(), LAST_MODIFIED);
        self.validators = (etag.clone(), modified.clone());
        part.note_origin(url, etag, modified);
        let page = is_html_type(&response);
        let access = &self.request.access;
        let limiter = self.client.limiter(access);
        let mut pace = Pace::new(access.timeout, access.min_rate);
        while let Some(data) = next_chunk(&mut response, access.timeout).await? {
            if self.client.stopped() {
                return Err(Cause::Stopped.into());
            }
            self.accept(part, &data)?;
            if page && looks_like_html(part.head()) {
                part.restart()?;
                return Err(Cause::Html.into());
            }
            pace.count(data.len())?;
            if let Some(limiter) = &limiter {
                let wait = limiter.charge(data.len());
                self.client.pause(wait).await?;
                pace.excuse(wait);
            }
        }
        Ok(())
    }

    fn use_in_place(&mut self, mirrors: &[Mirror]) -> Result<Fetched> {
        let mut failures = Vec::new();
        for mirror in mirrors {
            match self.request.check_in_place(&mirror.url) {
                Ok(done) => return Ok(done),
                Err(cause) => failures.push(Failure {
                    url: redact_url(&mirror.url),
                    cause,
                }),
            }
        }
        Err(self.failed(failures))
    }
}

enum Answer {
    /// The body continues (206) or begins (200) the file.
    Body,
    /// The server misunderstood the range: start from zero.
    Mistaken(String),
}

/// The next piece of the body, or why there is none within the limit.
pub(crate) async fn next_chunk(
    response: &mut Response,
    limit: Duration,
) -> std::result::Result<Option<Bytes>, Cause> {
    match tokio::time::timeout(limit, response.chunk()).await {
        Err(_) => Err(Cause::Timeout(limit.as_secs())),
        Ok(Err(e)) => Err(crate::transport::http::classify(&e, limit)),
        Ok(Ok(chunk)) => Ok(chunk),
    }
}

fn is_html_type(response: &Response) -> bool {
    text_header(response.headers(), reqwest::header::CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("text/html") || kind.starts_with("application/xhtml"))
}

fn list(mirrors: &[Mirror]) -> Vec<Failure> {
    let one = |mirror: &Mirror| {
        let cause = mirror.last.clone()?;
        Some(Failure {
            url: redact_url(&mirror.url),
            cause,
        })
    };
    mirrors.iter().filter_map(one).collect()
}
