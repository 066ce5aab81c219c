//! Sources asked one after the other, round after round, with pauses between rounds.
//!
//! This is the one way in which something is tried again: a file of `fetch`, a part and the index of
//! a repository.

use std::time::{Duration, Instant};

use super::{RequestKind, SegmentRequest};
use crate::error::Cause;
use crate::event::Event;
use crate::transfer::file::{FileStage, WantedFile};
use crate::transfer::host::rest_after;
use crate::transfer::ids::{FileId, SourceId};
use crate::transfer::picture::Picture;
use crate::transfer::tuning::turns::PROGRESS;

/// How often all sources are asked again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    /// Extra rounds after failures that may pass.
    pub(crate) extra: u32,
    /// Extra rounds when no server could even be reached.
    pub(crate) unreachable: u32,
}

/// A pause before another round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    /// The coming round, from 1.
    pub(crate) attempt: u32,
    /// Rounds allowed.
    pub(crate) limit: u32,
    pub(crate) lasts: Duration,
}

impl Pause {
    /// Before this round, where nobody asked for more.
    pub(crate) fn before(attempt: u32, limit: u32) -> Self {
        Self {
            attempt,
            limit,
            lasts: rest_after(attempt),
        }
    }

    /// How it is told of.
    pub(crate) fn event(self, id: u64, label: &str) -> Event<'_> {
        Event::Retry {
            id,
            label,
            attempt: self.attempt,
            limit: self.limit,
            delay_ms: u64::try_from(self.lasts.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextTurn {
    Ask(SourceId),
    /// All have failed, but bytes have come: another first round, at once.
    Again,
    Rest(Pause),
    /// Nobody is left, or all rounds are over.
    Over,
}

#[derive(Debug, Clone)]
struct Turn {
    source: SourceId,
    last: Option<Cause>,
    out: bool,
    asked: bool,
}

/// Whose turn it is.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    turns: Vec<Turn>,
    rounds: Rounds,
    round: u32,
    /// Bytes that came in this round.
    moved: u64,
    /// How long servers asked to be left alone.
    wait: Option<Duration>,
}

impl Turns {
    /// The sources in the order to be asked.
    pub(crate) fn new(order: impl IntoIterator<Item = SourceId>, rounds: Rounds) -> Self {
        let turn = |source| Turn {
            source,
            last: None,
            out: false,
            asked: false,
        };
        Self {
            turns: order.into_iter().map(turn).collect(),
            rounds,
            round: 0,
            moved: 0,
            wait: None,
        }
    }

    pub(crate) fn next(&self) -> NextTurn {
        let stopped = |turn: &Turn| turn.last == Some(Cause::Stopped);
        let mut open = self.turns.iter().filter(|turn| !turn.out).peekable();
        if open.peek().is_none() || self.turns.iter().any(stopped) {
            return NextTurn::Over;
        }
        if let Some(turn) = open.find(|turn| !turn.asked) {
            return NextTurn::Ask(turn.source);
        }
        let limit = self.limit();
        if limit > 0 && self.moved >= PROGRESS && self.wait.is_none() {
            return NextTurn::Again;
        }
        let attempt = self.round + 1;
        if attempt > limit {
            return NextTurn::Over;
        }
        let lasts = rest_after(attempt).max(self.wait.unwrap_or_default());
        NextTurn::Rest(Pause {
            attempt,
            limit,
            lasts,
        })
    }

    fn limit(&self) -> u32 {
        let mut open = self.turns.iter().filter(|turn| !turn.out);
        let unreachable = open.all(|turn| {
            let last = turn.last.as_ref();
            last.is_some_and(|cause| {
                matches!(cause, Cause::Dns(_) | Cause::Connect(_) | Cause::Proxy(_))
            })
        });
        let extra = self.rounds.extra;
        if unreachable {
            extra.min(self.rounds.unreachable)
        } else {
            extra
        }
    }

    /// Begins a round: the one after a pause, or 0.
    pub(crate) fn begin_round(&mut self, round: u32) {
        (self.round, self.moved, self.wait) = (round, 0, None);
        for turn in &mut self.turns {
            turn.asked = false;
        }
    }

    /// A source is being asked; what it answers is not known yet.
    pub(crate) fn asked(&mut self, source: SourceId) {
        for turn in self.turns.iter_mut().filter(|turn| turn.source == source) {
            turn.asked = true;
        }
    }

    pub(crate) fn gave(&mut self, bytes: u64) {
        self.moved += bytes;
    }

    pub(crate) fn failed(&mut self, source: SourceId, cause: Cause, retry_after: Option<Duration>) {
        self.wait = self.wait.max(retry_after);
        for turn in self.turns.iter_mut().filter(|turn| turn.source == source) {
            turn.asked = true;
            turn.out |= !cause.is_passing();
            turn.last = Some(cause.clone());
        }
    }

    /// The last word of every source that was asked, in order.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (SourceId, &Cause)> {
        let all = self.turns.iter();
        all.filter_map(|turn| Some((turn.source, turn.last.as_ref()?)))
    }
}

/// One thing to do for files whose sources are asked in turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TurnStep {
    Begin(FileId),
    /// All bytes are there.
    Check(FileId),
    Ask(SegmentRequest),
    /// What is there cannot be told to fit what the next source has.
    Drop(FileId),
    Again(FileId),
    Rest(FileId, Pause),
    GiveUp(FileId),
}

/// The next step, with at most `width` files at once.
pub(crate) fn step(picture: &Picture, width: usize, now: Instant) -> Option<TurnStep> {
    let mut open = picture.open.iter().map(|id| (*id, &picture.files[*id]));
    if let Some(step) = open.find_map(|(id, file)| step_of(id, file, now)) {
        return Some(step);
    }
    let busy = |id: &&FileId| picture.files[**id].stage != FileStage::Checking;
    let room = picture.open.iter().filter(busy).count() < width;
    let next = picture.queue.front().filter(|_| room)?;
    Some(TurnStep::Begin(*next))
}

fn step_of(id: FileId, file: &WantedFile, now: Instant) -> Option<TurnStep> {
    if file.rests(now) {
        return None;
    }
    match file.stage {
        FileStage::Held => return Some(TurnStep::Begin(id)),
        FileStage::Open if file.map.claims().is_empty() => {}
        _ => return None,
    }
    if file.map.is_whole() {
        return Some(TurnStep::Check(id));
    }
    let source = match file.turns.as_ref()?.next() {
        NextTurn::Ask(source) => source,
        NextTurn::Again => return Some(TurnStep::Again(id)),
        NextTurn::Rest(pause) => return Some(TurnStep::Rest(id, pause)),
        NextTurn::Over => return Some(TurnStep::GiveUp(id)),
    };
    let from = file.map.frontier();
    // Without a digest only bytes of the same version of the same URL can be told to fit.
    let ours =
        file.map.contributors() == [(source, from)] && file.sources[source].validator.is_some();
    if from > 0 && file.request.digest.is_none() && !ours {
        return Some(TurnStep::Drop(id));
    }
    Some(TurnStep::Ask(SegmentRequest {
        file: id,
        source,
        host: file.sources[source].host?,
        from,
        to: file.map.size(),
        kind: RequestKind::Gap,
    }))
}

#[cfg(test)]
mod tests;
