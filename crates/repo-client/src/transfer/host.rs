//! One server: what it has given, how it fails, and how long it is left alone.

use std::time::{Duration, Instant};

use crate::error::Cause;

use super::tuning::host::{
    AHEAD, AHEAD_LASTS, CAPPED, FADES, FAIR, FIRST_REST, LATELY, MAX_REST, NEAR, REFUSAL_REST,
    STREAMS, TRICKLED,
};
use crate::event::LimitKind;

/// The lower, the sooner a server is asked: how often it failed in this run of the program, then how slow it was, in
/// halvings, when it was asked last: those about as fast as each other keep the order of the configuration.
pub(crate) type Rank = (u32, u32);

/// The rank of a server: its failures, and its rate in bytes per second if one is known.
pub(crate) fn rank(failures: u32, rate: Option<u64>) -> Rank {
    (failures, rate.unwrap_or(FAIR).max(1).leading_zeros())
}

/// What a server has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Another connection.
    Connection,
    /// Another small file over the connection that is shared already.
    Stream,
}

/// A server of this run.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// `scheme://host:port`.
    pub(crate) name: String,
    /// Requests under way that have a connection each.
    own: usize,
    /// Requests under way that share one, if the server knows how.
    shared: usize,
    /// Whether it does (HTTP/2), once an answer has told.
    multiplexed: Option<bool>,
    /// Most requests that may share the connection.
    streams: usize,
    /// Size of the files that are to come over it.
    ahead: u64,
    /// When the present rate was last taken, and the bytes then.
    mark: Option<(Instant, u64)>,
    /// The best rate lately, bytes per second.
    lately: Option<f64>,
    /// Most it accepts; less than what we may once it has refused.
    pub(crate) cap: usize,
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Bytes of files that turned out right: only such a server is believed.
    pub(crate) verified: u64,
    /// It brought bytes that were wrong: nothing more is asked of it.
    pub(crate) liar: bool,
    /// It sends whole files, whatever range is asked for.
    pub(crate) no_ranges: bool,
    /// Failures since the last success.
    pub(crate) failures: u32,
    /// Failed as often as it may: nothing more is asked of it.
    pub(crate) dead: bool,
    /// It could not be reached: nothing more is asked of it while others have what it has.
    pub(crate) left_out: bool,
    /// Some file is to be asked of it first.
    pub(crate) leads: bool,
    pub(crate) rank: Rank,
    rest_until: Option<Instant>,
    /// Until when it is assumed to take no more requests than `cap`.
    capped_until: Option<Instant>,
    /// The fastest answer.
    pub(crate) fastest: Option<Duration>,
    /// Answers while something else was coming from here: their time, and how many.
    loaded: (Duration, u32),
    /// Best rate of one connection, bytes per second.
    pub(crate) best: f64,
    waited_sum: Duration,
    busy: Duration,
    first_use: Option<Instant>,
    last_use: Option<Instant>,
    pub(crate) limit: LimitKind,
}

impl Host {
    pub(crate) fn new(name: String, cap: usize) -> Self {
        Self {
            name,
            streams: STREAMS,
            cap: cap.max(1),
            ..Self::default()
        }
    }

    /// Whether it will be asked again in this run.
    pub(crate) fn is_usable(&self) -> bool {
        !self.dead && !self.liar && !self.left_out
    }

    /// One that was left out may be asked again; false if it was not, or has failed too often.
    pub(crate) fn come_back(&mut self) -> bool {
        std::mem::take(&mut self.left_out) && self.is_usable()
    }

    /// How long it is still left alone.
    pub(crate) fn rests(&self, now: Instant) -> Duration {
        let until = self.rest_until.unwrap_or(now);
        until.saturating_duration_since(now)
    }

    /// Whether it may be asked now.
    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        self.is_usable() && self.rest_until.is_none_or(|until| now >= until)
    }

    /// How long ago the first request was sent.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.first_use
            .map_or(Duration::ZERO, |first| now.duration_since(first))
    }

    /// Connections in use.
    pub(crate) fn in_use(&self) -> usize {
        let shared = match self.multiplexed {
            Some(true) => self.shared.min(1),
            _ => self.shared,
        };
        self.own + shared
    }

    /// What it has room for if it is to have so many connections.
    pub(crate) fn room(&self, target: usize) -> Option<Room> {
        if self.in_use() < self.cap.min(target) {
            return Some(Room::Connection);
        }
        (self.is_multiplexed() && self.shared > 0 && self.shares()).then_some(Room::Stream)
    }

    /// Whether another small file may share the connection now, as far as is known.
    pub(crate) fn shares(&self) -> bool {
        if !self.multiplexed.unwrap_or(true) || self.shared >= self.streams {
            return false;
        }
        let worth = |rate: f64| ((rate * AHEAD_LASTS) as u64).max(1);
        self.ahead < self.lately.map_or(AHEAD, worth)
    }

    /// Whether it answers at once, has brought something that was right, and each request has a connection of its own.
    pub(crate) fn is_near(&self) -> bool {
        let soon = self.fastest.is_some_and(|answer| answer < NEAR);
        soon && self.verified > 0 && self.multiplexed == Some(false)
    }

    /// Whether its small files are known to share a connection.
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.multiplexed == Some(true)
    }

    /// An answer has told whether requests share a connection; this one was to.
    pub(crate) fn tells(&mut self, multiplexed: bool, size: u64) {
        self.multiplexed = Some(multiplexed);
        if !multiplexed {
            self.leave(Some(size));
            self.own += 1;
        }
    }

    fn leave(&mut self, shared: Option<u64>) {
        if let Some(size) = shared {
            self.shared = self.shared.saturating_sub(1);
            self.ahead = self.ahead.saturating_sub(size);
        } else {
            self.own = self.own.saturating_sub(1);
        }
    }

    /// A request begins; `shared` is the size of a file that is to share a connection.
    pub(crate) fn asked(&mut self, shared: Option<u64>, now: Instant) {
        if let Some(size) = shared {
            self.shared += 1;
            self.ahead = self.ahead.saturating_add(size);
        } else {
            self.own += 1;
        }
        self.requests += 1;
        self.first_use.get_or_insert(now);
    }

    /// A request is over, `lasted` after it began.
    pub(crate) fn over(&mut self, shared: Option<u64>, now: Instant, lasted: Duration) {
        self.leave(shared);
        self.busy += lasted;
        self.last_use = Some(now);
    }

    pub(crate) fn answered(&mut self, waited: Duration, loaded: bool) {
        self.fastest = Some(self.fastest.map_or(waited, |fastest| fastest.min(waited)));
        if loaded {
            self.loaded.0 += waited;
            self.loaded.1 += 1;
        }
        self.waited_sum += waited;
    }

    /// Bytes came: whatever failed before is over.
    pub(crate) fn gave(&mut self, bytes: u64, now: Instant) {
        let (at, before) = *self.mark.get_or_insert((now, self.bytes));
        let spent = now.duration_since(at);
        if spent >= LATELY {
            let rate = self.bytes.saturating_sub(before) as f64 / spent.as_secs_f64();
            self.lately = Some(self.lately.map_or(rate, |best| rate.max(best * FADES)));
            self.mark = Some((now, self.bytes));
        }
        self.bytes += bytes;
        self.failures = 0;
    }

    /// Mean time of answers while something else was coming from here.
    pub(crate) fn answers_loaded(&self) -> Option<Duration> {
        self.loaded.0.checked_div(self.loaded.1)
    }

    /// Share of the connections' time spent waiting for answers.
    pub(crate) fn waiting_share(&self) -> f64 {
        self.waited_sum.as_secs_f64() / self.busy.as_secs_f64().max(0.001)
    }

    /// Rate of one connection as far as the requests that are over tell, before it has been measured.
    pub(crate) fn rate_so_far(&self) -> Option<f64> {
        let rate = Some(self.rate()).filter(|rate| *rate > 0)?;
        Some(rate as f64 / self.in_use().max(1) as f64)
    }

    /// Bytes per second while it was in use.
    pub(crate) fn rate(&self) -> u64 {
        let (Some(from), Some(to)) = (self.first_use, self.last_use) else {
            return 0;
        };
        let spent = to.duration_since(from).as_secs_f64().max(0.001);
        (self.bytes as f64 / spent) as u64
    }

    /// 429 or 503: it wants fewer requests. True if it serves those it has: then it gets no more.
    pub(crate) fn refused(&mut self, now: Instant, asked: Option<Duration>) -> bool {
        let rest = asked.unwrap_or(REFUSAL_REST);
        self.rest_until = Some(now + rest);
        let bears = self.in_use() > 0;
        if bears {
            self.cap = self.cap.min(self.in_use());
            self.streams = self.streams.min(self.shared.max(1));
            self.capped_until = Some(now + rest.max(CAPPED));
        }
        tracing::debug!(
            host = self.name,
            cap = self.cap,
            ?rest,
            "wants fewer requests"
        );
        bears
    }

    /// After a while it may be given `most` again.
    pub(crate) fn recover(&mut self, now: Instant, most: usize) {
        if self.capped_until.is_some_and(|until| now >= until) {
            self.capped_until = None;
            self.cap = most.max(1);
            self.streams = STREAMS;
        }
    }

    /// It trickled: that is no success.
    pub(crate) fn trickled(&mut self, now: Instant, cause: &Cause) {
        self.failures = self.failures.max(TRICKLED);
        self.failed(now, cause, u32::MAX);
    }

    /// A failure of the server, not of one file. `limit` failures in a row and it is given up.
    pub(crate) fn failed(&mut self, now: Instant, cause: &Cause, limit: u32) {
        self.errors += 1;
        self.failures = self.failures.saturating_add(1);
        self.rest_until = Some(now + rest_after(self.failures));
        self.dead |= self.failures > limit || matches!(cause, Cause::Tls { .. });
        let (host, failures, dead) = (self.name.as_str(), self.failures, self.dead);
        tracing::debug!(host, failures, dead, %cause, "server failed");
    }
}

/// How long to leave something alone after so many failures in a row.
pub(crate) fn rest_after(failures: u32) -> Duration {
    let doubled = FIRST_REST.saturating_mul(1 << failures.saturating_sub(1).min(8));
    doubled.min(MAX_REST)
}
