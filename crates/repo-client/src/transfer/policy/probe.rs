//! How many connections each server is worth: found by trying.
//!
//! Every server begins with one. While the total grows, connections are doubled, far away four times
//! as many (all servers at once, so that a step is judged as one). One step that does not show is no proof, for servers hand
//! out bursts and packets are lost: only two in a row end the way up. At the top, a server
//! whose connections have become slower than its first one was alone is halved again for as long
//! as the total holds: what does not help is given back. After a minute, and then ever more
//! seldom, a few more are tried, for lines change.

use crate::transfer::ids::{HostId, IdTable};
use crate::transfer::tuning::probe::{
    ALONE, ANSWERS, AS_MUCH, FAR, FAR_ANSWERS, FAR_FIRST, FIRST, HELPS, LEVELS, LONG, LOSSY_HELPS,
    LOSSY_HOLDS, MAX_REST, MAX_SLOW, PATIENCE, REST, SETTLE, SHARE, STEP, TRIAL,
};

/// What one server stands at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    /// Bytes so far.
    pub(crate) bytes: u64,
    /// Connections in use.
    pub(crate) in_use: usize,
    /// Most it may have.
    pub(crate) cap: usize,
    /// Whether it is asked at all now.
    pub(crate) active: bool,
}

/// One server's standing in the probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// Connections it is to have.
    pub(crate) target: usize,
    /// Rate of its first connection when it was alone.
    pub(crate) alone: Option<f64>,
    /// Rate in the last window, bytes per second.
    pub(crate) rate: f64,
    /// Connections that the rate was measured with.
    pub(crate) measured: usize,
    /// Most that were measured: what limits can be told only if more were tried.
    pub(crate) tried: usize,
    mark: u64,
    base: f64,
    before: usize,
    /// Connections and the rate that was last measured with them, one pair for each doubling.
    seen: [(usize, f64); LEVELS],
    /// Gave back what did not help: not to be tried again before all is settled.
    held: bool,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            target: 1,
            alone: None,
            rate: 0.0,
            measured: 1,
            tried: 0,
            mark: 0,
            base: 0.0,
            before: 1,
            seen: [(0, 0.0); LEVELS],
            held: false,
        }
    }
}

impl Standing {
    /// Share of the first connection's rate that each one has now.
    pub(crate) fn share(&self) -> f64 {
        let each = self.rate / self.measured.max(1) as f64;
        self.alone
            .filter(|alone| *alone > 0.0)
            .map_or(1.0, |alone| each / alone)
    }

    /// Whether half of the connections or fewer brought as much, when they were tried.
    pub(crate) fn fewer_did(&self) -> bool {
        let enough = self.rate * AS_MUCH;
        let fewer = |(n, rate): &(usize, f64)| *n > 0 && n * 2 <= self.measured && *rate >= enough;
        self.seen.iter().any(fewer)
    }

    fn note(&mut self) {
        let level = self.measured.max(1).ilog2() as usize;
        if let Some(slot) = self.seen.get_mut(level) {
            *slot = (self.measured, self.rate);
        }
    }

    /// Whether half of the connections may well do as much.
    fn is_crowded(&self, lossy: bool) -> bool {
        if !lossy {
            return self.share() < ALONE;
        }
        // What the first one brought before its first loss is no measure: what half of them did is, or
        // the most below that were measured.
        let fewer = self
            .seen
            .iter()
            .filter(|(n, _)| (1..=self.target / 2).contains(n));
        let most = fewer.max_by_key(|(n, _)| *n);
        most.is_none_or(|(_, rate)| self.rate < rate * LOSSY_HELPS)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum ProbePhase {
    /// Nothing has come yet.
    Waiting,
    Up {
        first: bool,
    },
    Top,
    Down,
    Steady,
}

/// The probe over all servers of a run. Times are seconds since the run began.
#[derive(Debug)]
pub(crate) struct Probe {
    phase: ProbePhase,
    since: f64,
    window: f64,
    /// Time that an answer takes: windows must be longer.
    answer: f64,
    /// Packets are lost: rates jump about, and windows must be longer.
    lossy: bool,
    settled: bool,
    /// The last step did not show, and the next one is under way.
    doubted: bool,
    /// What is tried was added to something settled.
    trial: bool,
    rest: f64,
    total: f64,
    servers: IdTable<HostId, Standing>,
    active: Vec<bool>,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            phase: ProbePhase::Waiting,
            since: 0.0,
            window: FIRST,
            answer: 0.0,
            lossy: false,
            settled: false,
            doubted: false,
            trial: false,
            rest: REST,
            total: 0.0,
            servers: IdTable::new(),
            active: Vec::new(),
        }
    }
}

impl Probe {
    /// One more server.
    pub(crate) fn add(&mut self) {
        self.servers.push(Standing::default());
        self.active.push(false);
    }

    /// Connections that a server is to have.
    pub(crate) fn target(&self, server: HostId) -> usize {
        self.servers[server].target
    }

    pub(crate) fn standing(&self, server: HostId) -> Standing {
        self.servers[server]
    }

    /// Whether servers are still seen with one connection.
    pub(crate) fn is_first(&self) -> bool {
        matches!(
            self.phase,
            ProbePhase::Waiting | ProbePhase::Up { first: true }
        )
    }

    /// Whether something was settled in this run: before, no limit is known.
    pub(crate) fn has_settled(&self) -> bool {
        self.settled
    }

    /// Whether connections beyond the targets are to be given back at once.
    pub(crate) fn sheds(&self) -> bool {
        matches!(self.phase, ProbePhase::Down | ProbePhase::Steady)
    }

    /// Whether the next look will judge something.
    pub(crate) fn is_due(&self, now: f64) -> bool {
        now - self.since >= self.window
    }

    /// Whether packets are lost on the way.
    pub(crate) fn is_lossy(&self) -> bool {
        self.lossy
    }

    /// Says whether packets are lost on the way.
    pub(crate) fn set_lossy(&mut self, lossy: bool) {
        self.lossy = lossy;
    }

    /// A server refused another connection: it gets no more than it had.
    pub(crate) fn refused(&mut self, server: HostId, had: usize) {
        let one = &mut self.servers[server];
        one.target = one.target.min(had.max(1));
        one.before = one.before.min(one.target);
    }

    /// Looks at the servers, whose answers take `answer` seconds; true when something is settled that was not before.
    pub(crate) fn tick(&mut self, now: f64, answer: f64, readings: &[Reading]) -> bool {
        self.answer = answer;
        if self.phase == ProbePhase::Waiting {
            if readings.iter().any(|one| one.bytes > 0) {
                let window = if self.is_noisy() { FAR_FIRST } else { FIRST };
                self.begin(ProbePhase::Up { first: true }, window, now, readings);
            }
            return false;
        }
        let active: Vec<bool> = readings.iter().map(|one| one.active).collect();
        if active != self.active && self.phase != ProbePhase::Steady {
            let window = if matches!(self.phase, ProbePhase::Up { .. }) {
                STEP
            } else {
                LONG
            };
            let phase = if self.phase == ProbePhase::Down {
                ProbePhase::Top
            } else {
                self.phase
            };
            self.begin(phase, window, now, readings);
            return false;
        }
        self.settle(now, readings);
        if !self.is_due(now) {
            return false;
        }
        let first = self.phase == (ProbePhase::Up { first: true });
        let silent = self
            .servers
            .rows()
            .iter()
            .zip(readings)
            .all(|(one, r)| r.bytes == one.mark);
        if first && silent && now - self.since < PATIENCE {
            // Some servers hand out a second's worth at once, and then nothing for a while.
            return false;
        }
        self.measure(now, readings);
        match self.phase {
            ProbePhase::Waiting => false,
            ProbePhase::Up { first } => self.judge_up(first, now, readings),
            ProbePhase::Top => self.judge_top(now, readings),
            ProbePhase::Down => self.judge_down(now, readings),
            ProbePhase::Steady => {
                self.again(now, readings);
                false
            }
        }
    }

    /// Lines change: some more are tried, and what is crowded now is found.
    fn again(&mut self, now: f64, readings: &[Reading]) {
        self.total = self.sum();
        self.keep_base();
        self.rest = (self.rest * 2.0).min(MAX_REST);
        for one in self.servers.rows_mut() {
            one.held = false;
        }
        self.trial = self.grow(now, readings, |n| n + (n / TRIAL).max(1));
    }

    /// Long windows begin when the new connections have got going.
    fn settle(&mut self, now: f64, readings: &[Reading]) {
        if self.since > now {
            self.mark(readings);
        }
    }

    fn mark(&mut self, readings: &[Reading]) {
        for (one, reading) in self.servers.rows_mut().iter_mut().zip(readings) {
            one.mark = reading.bytes;
        }
    }

    fn begin(&mut self, phase: ProbePhase, window: f64, now: f64, readings: &[Reading]) {
        // Nothing can be seen of a step before its connections have had answers.
        let up = matches!(phase, ProbePhase::Up { .. });
        let answers = if up && self.is_noisy() {
            FAR_ANSWERS
        } else {
            ANSWERS
        };
        let least = (self.answer * answers).min(MAX_SLOW);
        self.settled |= phase == ProbePhase::Steady;
        (self.phase, self.window) = (phase, window.max(least));
        self.since = if window >= LONG && phase != ProbePhase::Steady {
            now + SETTLE.max(2.0 * self.answer)
        } else {
            now
        };
        self.active = readings.iter().map(|one| one.active).collect();
        self.mark(readings);
    }

    fn measure(&mut self, now: f64, readings: &[Reading]) {
        let spent = (now - self.since).max(0.001);
        for (one, reading) in self.servers.rows_mut().iter_mut().zip(readings) {
            one.rate = reading.bytes.saturating_sub(one.mark) as f64 / spent;
            one.measured = reading.in_use.max(1);
            one.tried = one.tried.max(one.measured);
            one.note();
            let each = one.rate / one.measured as f64;
            if self.lossy && one.measured <= 2 {
                // What the first one brought before its first loss is no measure.
                one.alone = Some(one.alone.map_or(each, |alone| alone.min(each)));
            } else if one.measured == 1 && one.rate > 0.0 {
                one.alone = Some(one.alone.unwrap_or(0.0).max(one.rate));
            }
        }
    }

    fn sum(&self) -> f64 {
        self.servers.rows().iter().map(|one| one.rate).sum()
    }

    fn keep_base(&mut self) {
        for one in self.servers.rows_mut() {
            one.base = one.rate;
            one.before = one.target;
        }
    }

    /// Gives more to every server that uses what it has; false if there is none.
    fn grow(&mut self, now: f64, readings: &[Reading], more: impl Fn(usize) -> usize) -> bool {
        let mut any = false;
        for (one, reading) in self.servers.rows_mut().iter_mut().zip(readings) {
            if reading.active
                && !one.held
                && reading.in_use >= one.target
                && one.target < reading.cap
            {
                one.target = more(one.target).min(reading.cap);
                any = true;
            }
        }
        if any {
            self.begin(ProbePhase::Up { first: false }, STEP, now, readings);
        } else {
            self.begin(ProbePhase::Top, LONG, now, readings);
        }
        any
    }

    /// Whether rates jump about: far away, or with packets lost.
    fn is_noisy(&self) -> bool {
        self.lossy || self.answer >= FAR
    }

    /// By what the connections are multiplied on the way up. Far away each step takes its time, and
    /// what a single connection brings is little.
    fn step(&self) -> usize {
        if self.is_noisy() { 4 } else { 2 }
    }

    fn judge_up(&mut self, first: bool, now: f64, readings: &[Reading]) -> bool {
        let helped = first || self.sum() >= self.total * HELPS;
        let trial = std::mem::take(&mut self.trial);
        if helped {
            self.doubted = false;
            self.rest = REST;
            if first {
                // Some had more from the beginning.
                for one in self.servers.rows_mut() {
                    one.target = one.target.max(one.measured);
                }
            }
            self.hold_back(first, readings);
            self.total = self.sum();
            self.keep_base();
            let step = self.step();
            self.grow(now, readings, |n| n * step);
        } else if !self.doubted && (self.is_noisy() || !trial) {
            self.trial = trial;
            // The next step is judged by what was before this one.
            self.doubted = true;
            let step = self.step();
            self.grow(now, readings, |n| n * step);
        } else if trial {
            self.doubted = false;
            for one in self.servers.rows_mut() {
                one.target = one.before;
            }
            self.begin(ProbePhase::Steady, self.rest, now, readings);
        } else {
            self.doubted = false;
            self.begin(ProbePhase::Top, LONG, now, readings);
        }
        false
    }

    /// Of several servers some have grown, and one has not: it gives back at once.
    fn hold_back(&mut self, first: bool, readings: &[Reading]) {
        let several = readings.iter().filter(|one| one.active).count() > 1;
        if first || !several || self.is_noisy() {
            return;
        }
        for one in self.servers.rows_mut() {
            let promised = one.target as f64 / one.before.max(1) as f64 - 1.0;
            let needed = one.base * (1.0 + (promised * SHARE).max(HELPS - 1.0));
            if one.target > one.before && one.rate < needed {
                one.target = one.before;
                one.held = true;
            }
        }
    }

    fn judge_top(&mut self, now: f64, readings: &[Reading]) -> bool {
        self.total = self.sum();
        self.keep_base();
        self.shrink(now, readings)
    }

    /// Halves every server whose connections disturb each other; true if there is none.
    fn shrink(&mut self, now: f64, readings: &[Reading]) -> bool {
        let mut any = false;
        let lossy = self.lossy;
        for (one, reading) in self.servers.rows_mut().iter_mut().zip(readings) {
            one.before = one.target;
            if reading.active
                && one.target > 1
                && reading.in_use >= one.target
                && one.is_crowded(lossy)
            {
                one.target /= 2;
                any = true;
            }
        }
        if any {
            self.begin(ProbePhase::Down, LONG, now, readings);
            return false;
        }
        self.begin(ProbePhase::Steady, self.rest, now, readings);
        true
    }

    fn judge_down(&mut self, now: f64, readings: &[Reading]) -> bool {
        let holds = if self.lossy { LOSSY_HOLDS } else { HELPS };
        if self.sum() * holds >= self.total {
            return self.shrink(now, readings);
        }
        for one in self.servers.rows_mut() {
            if one.target < one.before {
                // They are needed after all: what the first one brought was no measure.
                let each = one.base / one.before.max(1) as f64;
                one.alone = one.alone.map(|alone| alone.min(each));
            }
            one.target = one.before;
        }
        self.begin(ProbePhase::Steady, self.rest, now, readings);
        true
    }
}

#[cfg(test)]
mod tests;
