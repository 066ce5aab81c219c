//! The run: what came is written, who failed is left alone, who is free is given work.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use repo_client::{Cause, Client, MAX_UNKNOWN, RangeEvent, RangeId, Ranges, redact, server_of};
use rpm_pkg::digest::Hasher;

use super::error::{Error, Result};
use super::file::{Sample, Stage, Stream, WantedFile};
use super::finish::{Done, Finisher, Whole};
use super::host::Host;
use super::part::Part;
use super::probe::{Probe, Reading};
use super::segments::Span;
use super::wanted::{Event, Fetched, HostReport, Limits, Observer, Summary, Wanted};
use super::words::Evidence;

/// How an answer begins.
struct Answer {
    from: u64,
    /// The whole file, whatever was asked for.
    whole: bool,
    total: Option<u64>,
    etag: Option<String>,
}

/// Longest wait between two looks at the clocks.
const TICK: Duration = Duration::from_millis(100);

/// Everything of one call of [`super::fetch_all`].
pub(crate) struct Run<'a> {
    pub(crate) ranges: Ranges<'a>,
    pub(crate) files: Vec<WantedFile>,
    /// Files nobody has begun, in the order to be asked for.
    pub(crate) queue: VecDeque<usize>,
    /// Files begun.
    pub(crate) open: Vec<usize>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) streams: HashMap<RangeId, Stream>,
    pub(crate) limits: &'a Limits,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) probe: Probe,
    pub(crate) began: Instant,
    pub(crate) ticked: Instant,
    pub(crate) evidence: Evidence,
    finisher: Finisher,
    sink: &'a mut dyn FnMut(Fetched) -> Result<()>,
    summary: Summary,
    left: usize,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        client: &'a Client,
        wanted: Vec<Wanted>,
        limits: &'a Limits,
        observer: &'a dyn Observer,
        sink: &'a mut dyn FnMut(Fetched) -> Result<()>,
    ) -> Result<Self> {
        let mut hosts: Vec<Host> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut files = Vec::with_capacity(wanted.len());
        let mut summary = Summary::default();
        for one in wanted {
            let names: std::result::Result<Vec<String>, _> =
                one.sources.iter().map(|url| server_of(url)).collect();
            let names = match names {
                Ok(names) => names,
                Err(error) => {
                    summary.failed.push((one.id, error.into()));
                    continue;
                }
            };
            let mut at = Vec::with_capacity(names.len());
            for name in names {
                at.push(*known.entry(name.clone()).or_insert_with(|| {
                    hosts.push(Host::new(name, limits.connections_per_host));
                    hosts.len() - 1
                }));
            }
            files.push(WantedFile::new(one, &at));
        }
        let mut order: Vec<usize> = (0..files.len()).collect();
        order.sort_by_key(|at| files.get(*at).map(|file| file.wanted.priority));
        let ranges = Ranges::new(client, limits.global_bps, limits.per_host_bps);
        let now = Instant::now();
        Ok(Self {
            finisher: Finisher::start(&ranges.bell()),
            ranges,
            left: files.len(),
            files,
            queue: order.into(),
            open: Vec::new(),
            probe: Probe::new(hosts.len()),
            hosts,
            streams: HashMap::new(),
            limits,
            observer,
            began: now,
            ticked: now,
            evidence: Evidence::begin(),
            sink,
            summary,
        })
    }

    pub(crate) fn run(mut self, interrupt: &AtomicBool) -> Result<Summary> {
        let outcome = self.go(interrupt);
        let now = Instant::now();
        for file in &mut self.files {
            if let Some(part) = &mut file.part {
                // What has come is kept, however the run ends.
                let noted = part.note(&file.map, now, true);
                if outcome.is_ok() {
                    noted?;
                }
            }
        }
        outcome.map(|()| self.report())
    }

    fn go(&mut self, interrupt: &AtomicBool) -> Result<()> {
        self.plan()?;
        while self.left > 0 {
            if interrupt.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            for (id, event) in self.ranges.wait(TICK)? {
                self.event(id, event)?;
            }
            for done in self.finisher.done() {
                self.done(done)?;
            }
            let now = Instant::now();
            if now.duration_since(self.ticked) >= TICK {
                self.ticked = now;
                self.tick(now)?;
            }
            self.plan()?;
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) -> Result<()> {
        self.drop_useless(now)?;
        for at in self.open.clone() {
            let Some(file) = self.files.get_mut(at) else {
                continue;
            };
            let Some(part) = &mut file.part else { continue };
            part.note(&file.map, now, false)?;
            if let Some(handle) = part.sync_due(&file.map, now) {
                self.finisher.sync(at, handle);
            }
        }
        for host in &mut self.hosts {
            host.recover(now, self.limits.connections_per_host);
        }
        let active = self.enabled(now);
        // Where our own limit is reached, more connections cannot help.
        let own = self.own_limit_reached();
        let reading = |(at, host): (usize, &Host)| Reading {
            bytes: host.bytes,
            in_use: host.in_use,
            cap: if own { host.in_use } else { host.cap },
            active: active.contains(&at),
        };
        let readings: Vec<Reading> = self.hosts.iter().enumerate().map(reading).collect();
        let time = now.duration_since(self.began).as_secs_f64();
        let answers = active.iter().filter_map(|at| self.hosts.get(*at)?.fastest);
        let answer = answers.max().unwrap_or_default().as_secs_f64();
        if self.probe.sheds() {
            self.shed(now);
        }
        if self.probe.is_due(time) {
            self.probe.set_lossy(self.evidence.is_lossy());
        }
        if self.probe.tick(time, answer, &readings) {
            self.name_limits();
        }
        Ok(())
    }

    /// Gives back the connections that did not help: those that have brought least.
    fn shed(&mut self, now: Instant) {
        for at in 0..self.hosts.len() {
            let target = self.probe.target(at);
            while self.hosts.get(at).is_some_and(|host| host.in_use > target) {
                let ours = self.streams.iter().filter(|(_, stream)| stream.host == at);
                let Some(id) = ours
                    .min_by_key(|(_, stream)| stream.bytes)
                    .map(|(id, _)| *id)
                else {
                    break;
                };
                self.close(id, now);
            }
        }
    }

    fn event(&mut self, id: RangeId, event: RangeEvent) -> Result<()> {
        match event {
            RangeEvent::Opened {
                from,
                partial,
                total,
                etag,
                waited,
            } => {
                let whole = !partial;
                self.opened(
                    id,
                    Answer {
                        from,
                        whole,
                        total,
                        etag,
                    },
                    waited,
                )
            }
            RangeEvent::Data(data) => self.data(id, &data),
            RangeEvent::Ended => self.ended(id),
            RangeEvent::Failed { cause, retry_after } => self.failed(id, cause, retry_after),
        }
    }

    fn opened(&mut self, id: RangeId, answer: Answer, waited: Duration) -> Result<()> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let (at, source, ranged) = (stream.file, stream.source, stream.ranged);
        let loaded = stream.loaded;
        if let Some(host) = self.hosts.get_mut(stream.host) {
            host.answered(waited, loaded);
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        if let (Some(got), Some(expected)) = (answer.total, file.wanted.size)
            && got != expected
        {
            // Another version of the file: this server is older or newer than the metadata.
            return self.failed(id, Cause::Size { got, expected }, None);
        }
        let known = file.part.as_ref().and_then(|part| part.etag(source));
        // Asked with If-Range, all of a changed file comes: no sign that it knows no ranges.
        let changed = known.is_some() && known != answer.etag.as_deref();
        if let Some(part) = &mut file.part {
            part.set_etag(source, answer.etag)?;
        }
        if let Some(total) = answer.total.filter(|_| file.wanted.size.is_none()) {
            file.map.set_size(total);
        }
        if ranged && answer.whole && answer.from == 0 {
            return self.whole_instead(id, changed);
        }
        Ok(())
    }

    /// A server sends the whole file though a part of it was asked for.
    fn whole_instead(&mut self, id: RangeId, changed: bool) -> Result<()> {
        let Some(stream) = self.streams.get(&id) else {
            return Ok(());
        };
        let (at, host, sampling) = (stream.file, stream.host, stream.sample.is_some());
        if let Some(host) = self.hosts.get_mut(host) {
            host.no_ranges |= !changed;
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        let from_start = file.map.claim_of(id).is_some_and(|claim| claim.at == 0);
        let alone = file.map.claims().len() == 1 && !sampling;
        let hosts = &self.hosts;
        let others = file.sources.iter().any(|one| {
            let ranges = hosts
                .get(one.host)
                .is_some_and(|h| h.is_usable() && !h.no_ranges);
            ranges && !one.out && !one.suspect && one.host != host
        });
        if from_start && !sampling {
            // What was asked for comes first; without anybody else at it, take all the rest, too.
            if alone {
                file.map.replace(id, 0, u64::MAX);
            }
            return Ok(());
        }
        if !alone || others {
            self.close(id, Instant::now());
            return Ok(());
        }
        // The only one there is: all of it, from the beginning, in one stream.
        file.map.clear();
        file.map.replace(id, 0, u64::MAX);
        match &mut file.part {
            Some(part) => part.dropped(&file.map, 0),
            None => Ok(()),
        }
    }

    fn data(&mut self, id: RangeId, data: &[u8]) -> Result<()> {
        let now = Instant::now();
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let length = data.len() as u64;
        stream.gave(length, now);
        self.summary.bytes += length;
        let (at, source) = (stream.file, stream.source);
        if let Some(host) = self.hosts.get_mut(stream.host) {
            host.gave(length);
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        file.received += length;
        file.source_gave(source);
        if let Some(sample) = &mut stream.sample {
            sample.data.extend_from_slice(data);
            return if sample.data.len() >= sample.length {
                self.sampled(id)
            } else {
                Ok(())
            };
        }
        let Some(arrived) = file.map.arrived(id, length) else {
            return Ok(());
        };
        if let Some(part) = &mut file.part {
            part.write(arrived.from, &arrived.fresh, data)?;
            part.note(&file.map, now, false)?;
            if let Some(handle) = part.sync_due(&file.map, now) {
                self.finisher.sync(at, handle);
            }
        }
        let bytes = file.map.have();
        if file.map.size() == u64::MAX && bytes > MAX_UNKNOWN {
            return self.failed(id, Cause::TooLarge { limit: MAX_UNKNOWN }, None);
        }
        let name = file.wanted.id.as_str();
        self.observer.event(&Event::Progress { id: name, bytes });
        let whole = file.map.is_whole();
        // A shortened claim ends before its answer does; a whole answer ends by itself, and its
        // connection is kept.
        if arrived.over && arrived.from + length > file.map.claim_of(id).map_or(0, |c| c.to) {
            self.close(id, now);
        }
        if whole { self.check(at) } else { Ok(()) }
    }

    fn ended(&mut self, id: RangeId) -> Result<()> {
        let Some(stream) = self.streams.get(&id) else {
            return Ok(());
        };
        let at = stream.file;
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        if let Some(claim) = file.map.claim_of(id) {
            if file.map.size() == u64::MAX {
                file.map.set_size(claim.at);
            } else if claim.at < claim.to && stream.sample.is_none() {
                let (got, expected) = (claim.at, claim.to);
                return self.failed(id, Cause::Truncated { got, expected }, None);
            }
        }
        self.close(id, Instant::now());
        let whole = self.files.get(at).is_some_and(|file| file.map.is_whole());
        if whole { self.check(at) } else { Ok(()) }
    }

    /// A request is over: its connection and what it has not brought are free.
    pub(crate) fn close(&mut self, id: RangeId, now: Instant) {
        self.ranges.stop(id);
        let Some(stream) = self.streams.remove(&id) else {
            return;
        };
        if let Some(host) = self.hosts.get_mut(stream.host) {
            host.over(now, now.duration_since(stream.began));
        }
        if let Some(file) = self.files.get_mut(stream.file) {
            file.map.release(id);
        }
    }

    pub(crate) fn failed(
        &mut self,
        id: RangeId,
        cause: Cause,
        retry: Option<Duration>,
    ) -> Result<()> {
        let now = Instant::now();
        let Some(stream) = self.streams.get(&id) else {
            return Ok(());
        };
        let (at, source, host, bytes) = (stream.file, stream.source, stream.host, stream.bytes);
        self.close(id, now);
        let (Some(file), Some(host_state)) = (self.files.get_mut(at), self.hosts.get_mut(host))
        else {
            return Ok(());
        };
        match &cause {
            Cause::Stopped => return Err(Error::Stopped),
            Cause::Status(429 | 503) => {
                if host_state.refused(now, retry) {
                    self.probe.refused(host, host_state.cap);
                    return Ok(());
                }
                file.source_failed(source, cause.clone(), now, file.retries());
                if let Some(wait) = retry {
                    file.source_rests(source, now + wait);
                }
            }
            Cause::Range(_) if !host_state.no_ranges => {
                // It may still send whole files.
                host_state.no_ranges = true;
                host_state.errors += 1;
                return Ok(());
            }
            passing if passing.is_passing() && bytes > 0 => {
                // A break with progress: once more, soon.
                host_state.errors += 1;
                file.source_failed(source, cause.clone(), now, file.retries());
            }
            passing if passing.is_passing() => {
                let limit = file.retries();
                // One failure of a server is one, however many connections tell it.
                if host_state.is_ready(now) {
                    host_state.failed(now, &cause, limit);
                }
                file.source_failed(source, cause.clone(), now, limit);
            }
            Cause::Tls { .. } => {
                host_state.failed(now, &cause, 0);
                file.source_failed(source, cause.clone(), now, 0);
            }
            _ => {
                host_state.errors += 1;
                file.source_failed(source, cause.clone(), now, 0);
            }
        }
        self.tell_source(at, source, &cause);
        Ok(())
    }

    pub(crate) fn tell_source(&self, file: usize, source: usize, cause: &Cause) {
        let Some(file) = self.files.get(file) else {
            return;
        };
        if let Some(url) = file.wanted.sources.get(source) {
            let (id, url) = (file.wanted.id.as_str(), redact(url));
            self.observer.event(&Event::Source {
                id,
                url: &url,
                cause,
            });
        }
    }

    /// All bytes are there: whoever still brings some of them stops, and the content is checked.
    pub(crate) fn check(&mut self, at: usize) -> Result<()> {
        let now = Instant::now();
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        if file.stage != Stage::Open {
            return Ok(());
        }
        file.stage = Stage::Checking;
        // What is about to end by itself may do so, and keep its connection.
        let useless: Vec<RangeId> = file
            .map
            .claims()
            .iter()
            .filter(|c| c.at < c.to)
            .map(|c| c.key)
            .collect();
        for id in useless {
            self.close(id, now);
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        let Some(part) = &mut file.part else {
            return Ok(());
        };
        let (hasher, hashed) = part.take_hash();
        self.finisher.finish(Whole {
            file: at,
            handle: part.file.clone(),
            hasher,
            hashed,
            wanted: file.wanted.digest,
            size: file.map.size(),
            part: part.path.clone(),
            dest: file.wanted.partial.clone(),
        });
        Ok(())
    }

    fn done(&mut self, done: Done) -> Result<()> {
        match done {
            Done::Synced(at) => {
                let Some(file) = self.files.get_mut(at) else {
                    return Ok(());
                };
                if let Some(part) = &mut file.part
                    && file.stage == Stage::Open
                    && let Some(journal) = part.synced(&file.map)?
                {
                    self.finisher.sync_journal(journal);
                }
                Ok(())
            }
            Done::Finished(at) => self.finished(at),
            Done::Mismatch(at, found) => self.mismatch(at, &found),
            Done::Failed(at, error) => self.give_up(at, error),
        }
    }

    fn finished(&mut self, at: usize) -> Result<()> {
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        for (source, bytes) in file.map.contributors() {
            let host = file.sources.get(source).map(|one| one.host);
            if let Some(host) = host.and_then(|host| self.hosts.get_mut(host)) {
                host.verified += bytes;
            }
        }
        self.trusted_after(at);
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        if let Some(part) = file.part.take() {
            part.finished();
        }
        let (id, bytes) = (file.wanted.id.clone(), file.map.size());
        self.observer.event(&Event::Done { id: &id, bytes });
        let fetched = Fetched {
            id,
            path: file.wanted.partial.clone(),
            size: bytes,
            bytes_received: file.received,
        };
        self.settle(at);
        self.summary.files += 1;
        (self.sink)(fetched)
    }

    fn settle(&mut self, at: usize) {
        if let Some(file) = self.files.get_mut(at)
            && file.stage != Stage::Settled
        {
            file.stage = Stage::Settled;
            self.left -= 1;
            self.open.retain(|one| *one != at);
        }
    }

    pub(crate) fn give_up(&mut self, at: usize, error: Error) -> Result<()> {
        let now = Instant::now();
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        let running: Vec<RangeId> = file.map.claims().iter().map(|claim| claim.key).collect();
        if let Some(mut part) = file.part.take() {
            part.note(&file.map, now, true)?;
            if file.map.have() == 0 {
                part.discard();
            }
        }
        let id = file.wanted.id.clone();
        for id in running {
            self.close(id, now);
        }
        self.observer.event(&Event::Failed {
            id: &id,
            error: &error,
        });
        self.settle(at);
        self.summary.failed.push((id, error));
        Ok(())
    }

    /// Begins a file: what an earlier run left is taken over.
    pub(crate) fn begin(&mut self, at: usize, now: Instant) -> Result<()> {
        if self.is_there(at) {
            return Ok(());
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        match Part::open(&file.wanted, &mut file.map, now) {
            Ok(Some(part)) => file.part = Some(part),
            Ok(None) => {
                let path = file.wanted.partial.clone();
                return self.give_up(at, Error::Busy { path });
            }
            Err(error) => return self.give_up(at, error),
        }
        if file.stage == Stage::Waiting {
            self.open.push(at);
        }
        file.stage = Stage::Open;
        file.resumed = file.map.have();
        let (id, size, resumed) = (file.wanted.id.as_str(), file.wanted.size, file.resumed);
        self.observer.event(&Event::Started { id, size, resumed });
        if file.map.is_whole() {
            self.check(at)?;
        }
        Ok(())
    }

    /// Whether an earlier run has finished a file that nobody has taken since: it is checked again.
    fn is_there(&mut self, at: usize) -> bool {
        let Some(file) = self.files.get_mut(at) else {
            return false;
        };
        let wanted = &file.wanted;
        let Some(digest) = wanted.digest.filter(|_| file.stage == Stage::Waiting) else {
            return false;
        };
        let Ok(handle) = std::fs::File::open(&wanted.partial) else {
            return false;
        };
        let Ok(size) = handle.metadata().map(|about| about.len()) else {
            return false;
        };
        if wanted.size.is_some_and(|expected| expected != size) {
            return false;
        }
        file.map.set_size(size);
        let source = usize::MAX;
        file.map.add(Span {
            from: 0,
            to: size,
            source,
        });
        file.resumed = size;
        file.stage = Stage::Checking;
        self.open.push(at);
        self.finisher.finish(Whole {
            file: at,
            handle: handle.into(),
            hasher: Some(Hasher::new(digest.algo())),
            hashed: 0,
            wanted: Some(digest),
            size,
            part: wanted.partial.clone(),
            dest: wanted.partial.clone(),
        });
        true
    }

    pub(crate) fn add_stream(&mut self, id: RangeId, mut stream: Stream, sample: Option<Sample>) {
        if let Some(host) = self.hosts.get_mut(stream.host) {
            stream.loaded = host.in_use > 0;
            host.asked(stream.began);
        }
        self.summary.requests += 1;
        self.streams.insert(id, Stream { sample, ..stream });
        self.summary.connections = self.summary.connections.max(self.streams.len());
    }

    fn report(mut self) -> Summary {
        self.name_limits();
        for host in &self.hosts {
            let report = HostReport {
                bytes: host.bytes,
                requests: host.requests,
                errors: host.errors,
                bps: host.rate(),
                limit: host.limit,
            };
            self.summary.hosts.insert(host.name.clone(), report);
        }
        let busiest = self.hosts.iter().max_by_key(|host| host.bytes);
        self.summary.limit = busiest.map(|host| host.limit).unwrap_or_default();
        std::mem::take(&mut self.summary)
    }
}
