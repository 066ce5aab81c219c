//! One wanted file on its way.

use std::time::{Duration, Instant};

use crate::{Cause, Failure, RangeId, redact};

use super::error::Error;
use super::host::{Host, rest_after};
use super::part::Part;
use super::segments::Segments;
use super::wanted::Wanted;

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was asked for it yet.
    Waiting,
    /// Being fetched.
    Open,
    /// All bytes are there and are being checked.
    Checking,
    /// Done or given up.
    Settled,
}

/// What is known of one URL of a file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) host: usize,
    /// Why it failed last.
    pub(crate) last: Option<Cause>,
    /// It is not asked again for this file.
    pub(crate) out: bool,
    /// Left out to see whether the file is right without it.
    pub(crate) suspect: bool,
    /// Compared with another source, and equal.
    pub(crate) sampled: bool,
    /// Compared with this other source, and different.
    pub(crate) differs: Option<usize>,
    failures: u32,
    not_before: Option<Instant>,
}

/// A file up to this size is asked for whole, over a connection shared with others if there is one.
const SMALL: u64 = 1 << 20;

/// A file and all that is known of it.
pub(crate) struct WantedFile {
    pub(crate) wanted: Wanted,
    pub(crate) stage: Stage,
    pub(crate) map: Segments<RangeId>,
    pub(crate) part: Option<Part>,
    pub(crate) sources: Vec<Source>,
    /// Bytes received in this run.
    pub(crate) received: u64,
    /// Bytes that an earlier run had left.
    pub(crate) resumed: u64,
    /// One source at a time, from the beginning: together they were wrong.
    pub(crate) solo: bool,
}

impl WantedFile {
    pub(crate) fn new(wanted: Wanted, hosts: &[usize]) -> Self {
        let source = |host: &usize| Source {
            host: *host,
            last: None,
            out: false,
            suspect: false,
            sampled: false,
            differs: None,
            failures: 0,
            not_before: None,
        };
        let sources = hosts.iter().map(source).collect();
        let map = Segments::new(wanted.size.unwrap_or(u64::MAX));
        Self {
            wanted,
            stage: Stage::Waiting,
            map,
            part: None,
            sources,
            received: 0,
            resumed: 0,
            solo: false,
        }
    }

    /// The source at a server, if it may be asked now.
    pub(crate) fn source_at(&self, host: usize, now: Instant) -> Option<usize> {
        self.sources.iter().position(|one| {
            one.host == host
                && !one.out
                && !one.suspect
                && one.not_before.is_none_or(|until| now >= until)
        })
    }

    /// Whether bytes from several sources can be told to fit together.
    pub(crate) fn may_mix(&self) -> bool {
        self.wanted.digest.is_some() && self.map.size() != u64::MAX && !self.solo
    }

    /// A source failed for this file; `limit` failures, or one that will not pass, and it is out.
    pub(crate) fn source_failed(&mut self, source: usize, cause: Cause, now: Instant, limit: u32) {
        if let Some(one) = self.sources.get_mut(source) {
            one.failures = one.failures.saturating_add(1);
            one.out |= !cause.is_passing() || one.failures > limit;
            one.not_before = Some(now + rest_after(one.failures));
            one.last = Some(cause);
        }
    }

    /// A source gave bytes: its failures are over.
    pub(crate) fn source_gave(&mut self, source: usize) {
        if let Some(one) = self.sources.get_mut(source) {
            (one.failures, one.not_before) = (0, None);
        }
    }

    /// A source is left alone for a while.
    pub(crate) fn source_rests(&mut self, source: usize, until: Instant) {
        if let Some(one) = self.sources.get_mut(source) {
            one.not_before = Some(until);
        }
    }

    /// Whether some source may still bring it.
    pub(crate) fn has_hope(&self, hosts: &[Host]) -> bool {
        let usable = |one: &Source| hosts.get(one.host).is_some_and(Host::is_usable);
        self.sources
            .iter()
            .any(|one| !one.out && !one.suspect && usable(one))
            || !self.map.claims().is_empty()
    }

    /// Why it cannot be had: the last word of every source.
    pub(crate) fn hopeless(&self) -> Error {
        let urls = self.wanted.sources.iter();
        let failures = urls.zip(&self.sources).map(|(url, one)| Failure {
            url: redact(url),
            cause: one
                .last
                .clone()
                .unwrap_or(Cause::Broken("its server was given up".into())),
        });
        Error::Sources {
            id: self.wanted.id.clone(),
            failures: failures.collect(),
        }
    }

    /// Whether it is small, and nothing of it is there or asked for.
    pub(crate) fn is_small(&self) -> bool {
        let untouched = self.map.claims().is_empty() && self.map.done().is_empty();
        untouched && self.map.size() <= SMALL
    }

    /// Most failures in a row before something is given up.
    pub(crate) fn retries(&self) -> u32 {
        self.wanted.access.retries
    }
}

/// One request under way.
pub(crate) struct Stream {
    pub(crate) file: usize,
    pub(crate) source: usize,
    pub(crate) host: usize,
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
    pub(crate) marks: [(Instant, u64); 2],
}

/// Bytes that two sources are to agree on.
pub(crate) struct Sample {
    pub(crate) from: u64,
    pub(crate) length: usize,
    pub(crate) data: Vec<u8>,
}

/// Rates are over the last one to two of these.
const WINDOW: Duration = Duration::from_secs(3);

impl Stream {
    pub(crate) fn new(file: usize, source: usize, host: usize, ranged: bool, now: Instant) -> Self {
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

    fn turn(&mut self, now: Instant) {
        if now.duration_since(self.marks[1].0) >= WINDOW {
            self.marks = [self.marks[1], (now, self.bytes)];
        }
    }

    /// Bytes per second lately; none before it can be told.
    pub(crate) fn rate(&mut self, now: Instant) -> Option<f64> {
        self.turn(now);
        let (at, bytes) = self.marks[0];
        let spent = now.duration_since(at).as_secs_f64();
        (spent >= 0.5).then(|| (self.bytes - bytes) as f64 / spent)
    }
}
