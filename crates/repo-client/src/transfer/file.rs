//! One file on its way, and one request for a piece of it.

use std::time::{Duration, Instant};

use super::host::{Host, rest_after};
use super::ids::{FileId, HostId, Id, IdTable, SourceId};
use super::policy::turns::Turns;
use super::segments::Segments;
use super::tuning::file::{SMALL, WINDOW};
use super::tuning::turns::PROGRESS;
use crate::error::{Cause, Error, Failure};
use crate::redact::redact;
use crate::request::FileRequest;

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileStage {
    /// Nothing was asked for it yet.
    Waiting,
    /// Another process fetches it.
    Held,
    /// Being fetched.
    Open,
    /// All bytes are there and are being checked.
    Checking,
    /// Done or given up.
    Settled,
}

/// What is known of one URL of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileSource {
    /// Its server; none if an earlier run knew it and the request does not name it.
    pub(crate) host: Option<HostId>,
    /// Why it failed last.
    pub(crate) last: Option<Cause>,
    /// It is not asked again for this file.
    pub(crate) out: bool,
    /// Left out to see whether the file is right without it.
    pub(crate) suspect: bool,
    /// Compared with another source, and equal.
    pub(crate) sampled: bool,
    /// Compared with this other source, and different.
    pub(crate) differs: Option<SourceId>,
    /// What its version of the file goes by: strong `ETag`, else `Last-Modified`.
    pub(crate) validator: Option<String>,
    pub(crate) failures: u32,
    not_before: Option<Instant>,
}

impl FileSource {
    fn new(host: Option<HostId>) -> Self {
        Self {
            host,
            out: host.is_none(),
            ..Self::default()
        }
    }

    /// Whether it may still be asked for this file, its server willing.
    pub(crate) fn is_open(&self) -> bool {
        !self.out && !self.suspect
    }

    /// It failed; `limit` failures, or one that will not pass, and it is out.
    pub(crate) fn failed(&mut self, cause: Cause, now: Instant, limit: u32) {
        // What several connections meet at once is one failure.
        if self.not_before.is_none_or(|until| now >= until) {
            self.failures = self.failures.saturating_add(1);
            self.not_before = Some(now + rest_after(self.failures));
        }
        self.out |= !cause.is_passing() || self.failures > limit;
        self.last = Some(cause);
    }

    /// It is left out of this file until that is right, or wrong without it.
    pub(crate) fn doubted(&mut self, cause: Cause) {
        (self.suspect, self.last) = (true, Some(cause));
    }

    /// It gave bytes: its failures are over.
    pub(crate) fn gave(&mut self) {
        (self.failures, self.not_before) = (0, None);
    }

    /// It is left alone for a while.
    pub(crate) fn rests(&mut self, until: Instant) {
        self.not_before = Some(until);
    }
}

/// A file and all that is known of it.
pub(crate) struct WantedFile {
    pub(crate) request: FileRequest,
    /// Names it in events.
    pub(crate) id: u64,
    pub(crate) stage: FileStage,
    pub(crate) map: Segments,
    /// The URLs of the request first.
    pub(crate) sources: IdTable<SourceId, FileSource>,
    /// Bytes received in this run.
    pub(crate) received: u64,
    /// Most bytes that were ever there, as far as they were not wrong: only more is progress.
    most: u64,
    /// Something of it was there before the present request.
    pub(crate) kept: bool,
    /// One source at a time, from the beginning: together they were wrong.
    pub(crate) solo: bool,
    /// Its sources are asked in turn; none while the run spreads it over all of them.
    pub(crate) turns: Option<Turns>,
    /// Nothing is done for it before.
    pub(crate) rest_until: Option<Instant>,
}

impl WantedFile {
    pub(crate) fn new(request: FileRequest, id: u64, hosts: &[HostId]) -> Self {
        let sources: Vec<FileSource> = hosts
            .iter()
            .map(|host| FileSource::new(Some(*host)))
            .collect();
        let map = Segments::new(request.size.unwrap_or(u64::MAX));
        Self {
            request,
            id,
            stage: FileStage::Waiting,
            map,
            sources: sources.into(),
            received: 0,
            most: 0,
            kept: false,
            solo: false,
            turns: None,
            rest_until: None,
        }
    }

    /// Whether nothing is done for it yet.
    pub(crate) fn rests(&self, now: Instant) -> bool {
        self.rest_until.is_some_and(|until| now < until)
    }

    /// A place for bytes of a source that the request does not name.
    pub(crate) fn add_forgotten(&mut self) -> SourceId {
        self.sources.push(FileSource::new(None))
    }

    /// The URL of a source, redacted.
    pub(crate) fn shown(&self, source: SourceId) -> String {
        let url = self.request.urls.get(source.place());
        url.map(|url| redact(url)).unwrap_or_default()
    }

    /// The source at a server, if it may be asked now.
    pub(crate) fn source_at(&self, host: HostId, now: Instant) -> Option<SourceId> {
        let ready = |one: &FileSource| {
            one.host == Some(host)
                && one.is_open()
                && one.not_before.is_none_or(|until| now >= until)
        };
        let mut all = self.sources.iter();
        all.find_map(|(source, one)| ready(one).then_some(source))
    }

    /// Whether bytes from several sources can be told to fit together.
    pub(crate) fn may_mix(&self) -> bool {
        let whole = self.solo || self.turns.is_some();
        self.request.digest.is_some() && self.map.size() != u64::MAX && !whole
    }

    /// Whether some source may still bring it.
    pub(crate) fn has_hope(&self, hosts: &IdTable<HostId, Host>) -> bool {
        let usable = |one: &FileSource| one.host.is_some_and(|host| hosts[host].is_usable());
        let mut all = self.sources.rows().iter();
        all.any(|one| one.is_open() && usable(one)) || !self.map.claims().is_empty()
    }

    pub(crate) fn failure(&self, source: SourceId, cause: &Cause) -> Failure {
        Failure {
            url: self.shown(source),
            cause: cause.clone(),
        }
    }

    /// Why it cannot be had: the last word of every source.
    pub(crate) fn hopeless(&self) -> Error {
        let gone = Cause::Broken("its server was given up".into());
        let failures = match &self.turns {
            Some(turns) => turns
                .failures()
                .map(|(s, cause)| self.failure(s, cause))
                .collect(),
            None => {
                let named = self.sources.iter().filter(|(_, one)| one.host.is_some());
                named
                    .map(|(s, one)| self.failure(s, one.last.as_ref().unwrap_or(&gone)))
                    .collect()
            }
        };
        Error::Transfer {
            label: self.request.label.clone(),
            failures,
        }
    }

    /// Whether it is small, and nothing of it is there or asked for.
    pub(crate) fn is_small(&self) -> bool {
        let untouched = self.map.claims().is_empty() && self.map.done().is_empty();
        untouched && self.map.size() <= SMALL
    }

    /// Bytes of a source have come. What was there before and comes once more, because the server knows no ranges,
    /// brings the file no nearer to its end: the failures of the source go on counting.
    pub(crate) fn gained(&mut self, source: SourceId) {
        let have = self.map.have();
        let gained = have.saturating_sub(self.most);
        if gained < PROGRESS {
            return;
        }
        self.most = have;
        match &mut self.turns {
            Some(turns) => turns.gave(gained),
            None => self.sources[source].gave(),
        }
    }

    /// Forgets all bytes because they are wrong: right ones in their place are progress.
    pub(crate) fn drop_wrong(&mut self) {
        self.drop_all();
        self.most = 0;
    }

    /// Drops what a source brought, because it is wrong; the first byte dropped.
    pub(crate) fn forget(&mut self, source: SourceId) -> Option<u64> {
        self.most = 0;
        self.map.forget(source)
    }

    /// Most failures in a row before something is given up.
    pub(crate) fn retries(&self) -> u32 {
        self.request.access.retries
    }

    /// Forgets all bytes; a size that only an answer told goes, too.
    pub(crate) fn drop_all(&mut self) {
        self.map.clear();
        if self.map.claims().is_empty() {
            self.map.set_size(self.request.size.unwrap_or(u64::MAX));
        }
        self.kept = false;
    }
}

/// One request under way.
pub(crate) struct Stream {
    pub(crate) file: FileId,
    pub(crate) source: SourceId,
    pub(crate) host: HostId,
    pub(crate) began: Instant,
    /// When bytes came last (or it began).
    pub(crate) last: Instant,
    pub(crate) bytes: u64,
    /// Something else was coming from the server when it began.
    pub(crate) loaded: bool,
    /// It asked for a range.
    pub(crate) ranged: bool,
    /// Size of the file, if it shares its connection with others, or would if the server knew how.
    pub(crate) shared: Option<u64>,
    /// It brings what is there already, to be compared.
    pub(crate) sample: Option<Sample>,
    marks: [(Instant, u64); 2],
}

/// Bytes that two sources are to agree on.
pub(crate) struct Sample {
    pub(crate) from: u64,
    pub(crate) length: usize,
    pub(crate) data: Vec<u8>,
}

impl Stream {
    pub(crate) fn new(
        file: FileId,
        source: SourceId,
        host: HostId,
        ranged: bool,
        now: Instant,
    ) -> Self {
        Self {
            file,
            source,
            host,
            began: now,
            last: now,
            bytes: 0,
            loaded: false,
            ranged,
            shared: None,
            sample: None,
            marks: [(now, 0); 2],
        }
    }

    pub(crate) fn gave(&mut self, bytes: u64, now: Instant) {
        self.bytes += bytes;
        self.last = now;
        self.turn(now);
    }

    /// Moves the window that [`Stream::rate`] looks at.
    pub(crate) fn turn(&mut self, now: Instant) {
        if now.duration_since(self.marks[1].0) >= WINDOW {
            self.marks = [self.marks[1], (now, self.bytes)];
        }
    }

    /// Bytes per second lately; none before it can be told.
    pub(crate) fn rate(&self, now: Instant) -> Option<f64> {
        let (at, bytes) = self.marks[0];
        let spent = now.duration_since(at).as_secs_f64();
        (spent >= 0.5).then(|| (self.bytes - bytes) as f64 / spent)
    }

    /// How long ago it began.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.duration_since(self.began)
    }
}
