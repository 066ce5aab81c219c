//! Who is asked for what next.

use std::time::Instant;

use crate::{Cause, RangeId, RangeRequest};

use super::error::{Error, Result};
use super::file::{Sample, Stage, Stream, WantedFile};
use super::host::{Host, Room};
use super::run::Run;
use super::segments::Claim;

/// Smallest segment that is planned.
const SEGMENT: u64 = 256 * 1024;
/// First segment of a large file, before any rate is known.
const FIRST: u64 = 1 << 20;
/// A segment is to last so long, in seconds.
const LASTS: f64 = 30.0;
/// Smallest rest that is taken from a slow request at the end, and how long it must last.
const REST: u64 = 16 * 1024;
const REST_LASTS: f64 = 2.0;
/// Silence after which a request is taken for stalled; where packets are lost one of them can hold up the
/// last bytes for seconds.
const STALLS: f64 = 2.0;
const LOSSY_STALLS: f64 = 1.0;
/// A whole segment's worth is taken from a request that would last so long.
const STEAL_LASTS: f64 = 0.5;
/// Bytes that a source nobody knows yet must have in common with another one.
const SAMPLE: u64 = 32 * 1024;
/// Files begun at once, beyond one for each connection.
const OPEN: usize = 64;
/// A request that brings less than this (bytes per second), and less than a fiftieth of what
/// others bring, is given up.
const USELESS: f64 = 1024.0;
const USELESS_SHARE: f64 = 0.02;

/// One piece of work for one connection.
struct Work {
    file: usize,
    source: usize,
    from: u64,
    to: u64,
    sample: bool,
}

impl Run<'_> {
    /// Servers that are in use now: the first ones that can be asked, in order.
    pub(crate) fn enabled(&self, now: Instant) -> Vec<usize> {
        let ready =
            |(at, host): (usize, &Host)| (host.in_use() > 0 || host.is_ready(now)).then_some(at);
        let usable = self
            .hosts
            .iter()
            .enumerate()
            .filter(|(_, host)| host.is_usable());
        usable
            .filter_map(ready)
            .take(self.limits.hosts.max(1))
            .collect()
    }

    /// Gives work to every connection that may have some.
    pub(crate) fn plan(&mut self) -> Result<()> {
        let now = Instant::now();
        for host in self.enabled(now) {
            while let Some(room) = self.room(host, now)
                && self.give_work(host, room, now)?
            {}
        }
        self.bury(now)
    }

    fn room(&self, host: usize, now: Instant) -> Option<Room> {
        let one = self.hosts.get(host).filter(|one| one.is_ready(now))?;
        one.room(self.probe.target(host))
    }

    /// One more request to a server; false if there is nothing for it.
    fn give_work(&mut self, host: usize, room: Room, now: Instant) -> Result<bool> {
        let unknown = self.hosts.get(host).is_some_and(|one| one.verified == 0);
        if unknown && self.awaits_verdict(host) {
            return Ok(false);
        }
        // A server that has proved nothing yet begins with a file of its own.
        let mixed_first = !unknown;
        let mut work = match room {
            Room::Stream => self.small_at(host, now),
            Room::Connection if mixed_first => self.gap_at(host, now),
            Room::Connection => self.alone_at(host, now),
        };
        while work.is_none() && self.open.len() < self.streams.len() + OPEN {
            let Some(at) = self.next_file(host, room, now) else {
                break;
            };
            self.begin(at, now)?;
            work = self.gap_in(at, host, now);
        }
        if room == Room::Stream {
            return work.map_or(Ok(false), |work| self.ask(host, &work, now));
        }
        let work = work
            .or_else(|| self.gap_at(host, now))
            .or_else(|| self.steal(host, now))
            .or_else(|| self.hedge(host, now));
        match work {
            Some(work) => self.ask(host, &work, now),
            None => Ok(false),
        }
    }

    /// Whether the first bytes of a server are being checked: before, nothing more is asked of it if
    /// there are others.
    fn awaits_verdict(&self, host: usize) -> bool {
        let brought = |at: &usize| {
            let file = self.files.get(*at).filter(|f| f.stage == Stage::Checking);
            file.is_some_and(|file| {
                let mut sources = file.map.contributors().into_iter();
                sources.any(|(source, _)| file.sources.get(source).is_some_and(|s| s.host == host))
            })
        };
        self.hosts.len() > 1 && self.open.iter().any(brought)
    }

    fn next_file(&mut self, host: usize, room: Room, now: Instant) -> Option<usize> {
        let files = &self.files;
        let fits = |at: &usize| {
            files.get(*at).is_some_and(|f| {
                f.source_at(host, now).is_some() && (room == Room::Connection || f.is_small())
            })
        };
        let place = self.queue.iter().take(1000).position(fits)?;
        self.queue.remove(place)
    }

    fn gap_at(&self, host: usize, now: Instant) -> Option<Work> {
        self.open.iter().find_map(|at| self.gap_in(*at, host, now))
    }

    /// A small file that nobody is at.
    fn small_at(&self, host: usize, now: Instant) -> Option<Work> {
        let small = |at: &&usize| self.files.get(**at).is_some_and(WantedFile::is_small);
        let mut open = self.open.iter().filter(small);
        open.find_map(|at| self.gap_in(*at, host, now))
    }

    /// A gap in a file that has no bytes of others.
    fn alone_at(&self, host: usize, now: Instant) -> Option<Work> {
        let alone = |at: &&usize| {
            self.files.get(**at).is_some_and(|file| {
                let source = file.source_at(host, now);
                file.map
                    .contributors()
                    .iter()
                    .all(|(who, _)| Some(*who) == source)
                    && file
                        .map
                        .claims()
                        .iter()
                        .all(|claim| Some(claim.source) == source)
            })
        };
        self.open
            .iter()
            .filter(alone)
            .find_map(|at| self.gap_in(*at, host, now))
    }

    /// The next segment of a file for a server.
    fn gap_in(&self, at: usize, host: usize, now: Instant) -> Option<Work> {
        let file = self
            .files
            .get(at)
            .filter(|file| file.stage == Stage::Open)?;
        let source = file.source_at(host, now)?;
        let claims = file.map.claims();
        if claims.len() >= self.limits.connections_per_file.max(1) {
            return None;
        }
        let (from, end) = file.map.gap()?;
        let state = self.hosts.get(host)?;
        let whole = from == 0 && claims.is_empty() && file.map.have() == 0;
        if !whole && (state.no_ranges || !file.may_mix()) {
            // All of it or nothing, and only if nobody else is at it.
            let restart = claims.is_empty()
                && file.sources.iter().enumerate().all(|(i, one)| {
                    i == source
                        || one.out
                        || self
                            .hosts
                            .get(one.host)
                            .is_none_or(|h| h.no_ranges || !h.is_usable())
                });
            let resume = claims.is_empty() && file.map.contributors() == [(source, from)];
            return (restart || resume).then_some(Work {
                file: at,
                source,
                from,
                to: end,
                sample: false,
            });
        }
        if let Some(work) = self.sample_of(at, file, source, state, now) {
            return work;
        }
        let length = self.segment(file, host);
        let to = if file.may_mix() {
            end.min(from.saturating_add(length))
        } else {
            end
        };
        // No crumbs: what would be left is taken along.
        let to = if end.saturating_sub(to) < SEGMENT / 2 {
            end
        } else {
            to
        };
        Some(Work {
            file: at,
            source,
            from,
            to,
            sample: false,
        })
    }

    /// `Some(None)`: nothing for this source before it can be compared with others.
    fn sample_of(
        &self,
        at: usize,
        file: &WantedFile,
        source: usize,
        state: &Host,
        now: Instant,
    ) -> Option<Option<Work>> {
        let known = state.verified > 0 || file.sources.get(source).is_some_and(|one| one.sampled);
        let spans = file.map.done().iter();
        let mut theirs = spans.filter(|span| span.source != source).peekable();
        let claims = file.map.claims().iter();
        let mut running = claims.filter(|claim| claim.source != source).peekable();
        if known || (theirs.peek().is_none() && running.peek().is_none()) {
            return None;
        }
        let mut streams = self.streams.values();
        if streams.any(|s| s.file == at && s.source == source && s.sample.is_some()) {
            return Some(None);
        }
        if let Some(span) = theirs.find(|span| span.to - span.from >= SAMPLE) {
            let (from, to) = (span.from, span.from + SAMPLE);
            let sample = true;
            return Some(Some(Work {
                file: at,
                source,
                from,
                to,
                sample,
            }));
        }
        // Nothing to compare with yet; but no waiting for one that may never bring it, however many
        // more requests it gets.
        let young = |claim: &Claim<RangeId>| {
            let host = file.sources.get(claim.source).map(|one| one.host);
            let host = host.and_then(|at| self.hosts.get(at));
            host.is_some_and(|host| host.age(now).as_secs_f64() < REST_LASTS)
        };
        running.any(young).then_some(None)
    }

    /// Length of a new segment: some seconds' worth, shorter towards the end.
    fn segment(&self, file: &WantedFile, host: usize) -> u64 {
        let rate = self.each(host).map_or(FIRST, |rate| (rate * LASTS) as u64);
        let asking = self.streams.len().max(1) as u64;
        let fair = file.map.unclaimed() / (asking + 1);
        rate.min(fair.max(SEGMENT)).max(SEGMENT)
    }

    /// Rate of one connection to a server, if one has been measured.
    fn each(&self, host: usize) -> Option<f64> {
        let standing = self.probe.standing(host);
        (standing.rate > 0.0)
            .then(|| standing.rate / self.hosts.get(host).map_or(1, |h| h.in_use().max(1)) as f64)
    }

    /// Whether a server brings next to nothing while another one brings much more: it takes over no request,
    /// least of all its own, from which the other one could take the rest.
    fn is_useless(&self, host: usize) -> bool {
        let others = self.hosts.iter().enumerate();
        let others = others.filter(|(at, one)| *at != host && one.is_usable());
        let best = others.map(|(_, one)| one.best).fold(0.0, f64::max);
        self.each(host)
            .is_some_and(|ours| ours < USELESS && ours < best * USELESS_SHARE)
    }

    /// The second half of the request that would take longest.
    fn steal(&mut self, host: usize, now: Instant) -> Option<Work> {
        if self.hosts.get(host)?.no_ranges || self.is_useless(host) {
            return None;
        }
        let mut best: Option<(f64, RangeId, Work)> = None;
        for at in &self.open {
            let Some(file) = self
                .files
                .get(*at)
                .filter(|f| f.stage == Stage::Open && f.may_mix())
            else {
                continue;
            };
            let Some(source) = file.source_at(host, now) else {
                continue;
            };
            let unknown = self.hosts.get(host).is_none_or(|h| h.verified == 0);
            let sampled = file.sources.get(source).is_some_and(|one| one.sampled);
            for claim in file.map.claims() {
                let Some(stream) = self
                    .streams
                    .get_mut(&claim.key)
                    .filter(|s| s.sample.is_none())
                else {
                    continue;
                };
                let age = now.duration_since(stream.began).as_secs_f64();
                if unknown && !sampled && claim.source != source && age < REST_LASTS {
                    continue;
                }
                let rest = claim.to.saturating_sub(claim.at);
                let Some(rate) = stream.rate(now) else {
                    continue;
                };
                let lasts = rest as f64 / rate.max(1.0);
                let large = rest >= 2 * SEGMENT && lasts > STEAL_LASTS;
                if !(large || rest >= 2 * REST && lasts > REST_LASTS) {
                    continue;
                }
                if best.as_ref().is_none_or(|(longest, ..)| lasts > *longest) {
                    let to = claim.to;
                    let work = Work {
                        file: *at,
                        source,
                        from: rest,
                        to,
                        sample: false,
                    };
                    best = Some((lasts, claim.key, work));
                }
            }
        }
        let (lasts, victim, mut work) = best?;
        let rest = work.from;
        let theirs = rest as f64 / lasts.max(0.001);
        let ours = self.each(host).unwrap_or(theirs);
        let share = (rest as f64 * ours / (ours + theirs).max(1.0)) as u64;
        work.from = work.to - share.clamp(REST, rest - REST);
        self.files
            .get_mut(work.file)?
            .map
            .shorten(victim, work.from);
        Some(work)
    }

    /// The rest of a request that stalls, asked once more of someone else.
    fn hedge(&mut self, host: usize, now: Instant) -> Option<Work> {
        if self.hosts.get(host)?.no_ranges || self.is_useless(host) {
            return None;
        }
        let ours = self.each(host);
        let stalls = if self.probe.is_lossy() {
            LOSSY_STALLS
        } else {
            STALLS
        };
        for at in &self.open {
            let Some(file) = self
                .files
                .get(*at)
                .filter(|f| f.stage == Stage::Open && f.may_mix())
            else {
                continue;
            };
            let Some(source) = file.source_at(host, now) else {
                continue;
            };
            let known = self.hosts.get(host).is_some_and(|h| h.verified > 0)
                || file.sources.get(source).is_some_and(|one| one.sampled);
            for claim in file.map.claims() {
                let twice = file
                    .map
                    .claims()
                    .iter()
                    .any(|o| o.key != claim.key && o.at < claim.to && claim.at < o.to);
                let Some(stream) = self.streams.get_mut(&claim.key) else {
                    continue;
                };
                // Over the same connection it would come no sooner.
                let same = stream.shared.is_some() && stream.host == host;
                if twice || same || claim.at >= claim.to || stream.sample.is_some() {
                    continue;
                }
                let stalled = now.duration_since(stream.last).as_secs_f64() > stalls;
                let old = now.duration_since(stream.began).as_secs_f64() > REST_LASTS;
                if !known && claim.source != source && !old {
                    continue;
                }
                let rest = (claim.to - claim.at) as f64;
                let slow = stream.host != host
                    && stream.rate(now).zip(ours).is_some_and(|(theirs, ours)| {
                        rest / theirs.max(1.0) > REST_LASTS + 3.0 * rest / ours.max(1.0)
                    });
                if !(stalled || slow) {
                    continue;
                }
                let Some((from, to)) = file.map.missing(claim.at, claim.to) else {
                    continue;
                };
                return Some(Work {
                    file: *at,
                    source,
                    from,
                    to,
                    sample: false,
                });
            }
        }
        None
    }

    fn ask(&mut self, host: usize, work: &Work, now: Instant) -> Result<bool> {
        let Some(file) = self.files.get_mut(work.file) else {
            return Ok(false);
        };
        let Some(url) = file.wanted.sources.get(work.source) else {
            return Ok(false);
        };
        let size = file.map.size();
        let whole = work.from == 0 && work.to >= size;
        let shares = self.hosts.get(host).is_some_and(Host::shares);
        let shared = (file.is_small() && whole && shares).then_some(size);
        let etag = file.part.as_ref().and_then(|part| part.etag(work.source));
        let request = RangeRequest {
            url: url.clone(),
            access: file.wanted.access.clone(),
            from: work.from,
            to: (!whole && work.to != u64::MAX).then_some(work.to),
            if_range: etag.filter(|_| !whole).map(str::to_owned),
            shared: shared.is_some(),
        };
        let id = self.ranges.start(request)?;
        let sample = work.sample.then(|| Sample {
            from: work.from,
            length: usize::try_from(work.to - work.from).unwrap_or(0),
            data: Vec::new(),
        });
        if sample.is_none() {
            file.map.claim(id, work.from, work.to, work.source);
        }
        let mut stream = Stream::new(work.file, work.source, host, !whole, now);
        stream.shared = shared;
        self.add_stream(id, stream, sample);
        Ok(true)
    }

    /// Ends requests that bring next to nothing while others could bring it.
    pub(crate) fn drop_useless(&mut self, now: Instant) -> Result<()> {
        let rates: Vec<(RangeId, usize, usize, f64)> = self
            .streams
            .iter_mut()
            .filter_map(|(id, s)| Some((*id, s.host, s.file, s.rate(now)?)))
            .collect();
        for (_, host, _, rate) in &rates {
            if let Some(host) = self.hosts.get_mut(*host) {
                host.best = host.best.max(*rate);
            }
        }
        for (id, host, file, rate) in rates {
            let old = self
                .streams
                .get(&id)
                .is_some_and(|s| now.duration_since(s.began) >= self.limits.patience);
            let better = self.files.get(file).is_some_and(|file| {
                file.sources.iter().any(|one| {
                    let other = self.hosts.get(one.host).filter(|h| h.is_usable());
                    let best = other.map_or(0.0, |host| host.best);
                    one.host != host && !one.out && rate < best * USELESS_SHARE
                })
            });
            if old && better && rate < USELESS {
                let got = self.streams.get(&id).map_or(0, |s| s.bytes);
                let seconds = self.limits.patience.as_secs();
                let cause = Cause::TooSlow { got, seconds };
                if let Some(one) = self.hosts.get_mut(host) {
                    // Trickling bytes are no success.
                    let failures = one.failures.max(4);
                    one.failures = failures;
                    one.failed(now, &cause, u32::MAX);
                }
                self.failed(id, cause, None)?;
            }
        }
        Ok(())
    }

    /// Ends requests that have brought something and now are silent: a connection can die without a
    /// word, and the next one finds the server at its new address.
    pub(crate) fn drop_silent(&mut self, now: Instant) -> Result<()> {
        let patience = self.limits.patience;
        if self
            .limits
            .global_bps
            .or(self.limits.per_host_bps)
            .is_some()
        {
            // It may be we who do not read.
            return Ok(());
        }
        let silent = |stream: &Stream| {
            stream.bytes > 0 && now.duration_since(stream.last.max(stream.began)) >= patience
        };
        let all = self.streams.iter().filter(|(_, stream)| silent(stream));
        let silent: Vec<(RangeId, u64)> = all.map(|(id, stream)| (*id, stream.bytes)).collect();
        for (id, got) in silent {
            let seconds = patience.as_secs();
            self.failed(id, Cause::TooSlow { got, seconds }, None)?;
        }
        Ok(())
    }

    /// Gives up files that nobody can bring.
    fn bury(&mut self, now: Instant) -> Result<()> {
        let waiting = self.queue.iter().copied().take(64);
        let hopeless: Vec<usize> = self
            .open
            .iter()
            .copied()
            .chain(waiting)
            .filter(|at| {
                self.files
                    .get(*at)
                    .is_some_and(|f| f.stage != Stage::Checking && !f.has_hope(&self.hosts))
            })
            .collect();
        for at in hopeless {
            self.queue.retain(|one| *one != at);
            if !self.second_thoughts(at, now)? {
                let error = self.files.get(at).map(WantedFile::hopeless);
                self.give_up(at, error.unwrap_or(Error::Stopped))?;
            }
        }
        Ok(())
    }
}
