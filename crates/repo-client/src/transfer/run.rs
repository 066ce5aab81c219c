//! The run: the loop that hears what came and gives work to who is free.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{Client, RangeId, Ranges, server_of};

use super::error::{Error, Result};
use super::file::{Sample, Stage, Stream, WantedFile};
use super::finish::Finisher;
use super::host::Host;
use super::probe::{Probe, Reading};
use super::wanted::{Fetched, HostReport, Limits, Observer, Summary, Wanted};
use super::words::Evidence;

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
    pub(crate) finisher: Finisher,
    pub(crate) sink: &'a mut dyn FnMut(Fetched) -> Result<()>,
    pub(crate) summary: Summary,
    pub(crate) left: usize,
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
        self.drop_silent(now)?;
        let mut overtaken = Vec::new();
        for at in self.open.clone() {
            let Some(file) = self.files.get_mut(at) else {
                continue;
            };
            if file.stage != Stage::Open {
                continue;
            }
            let Some(part) = &mut file.part else { continue };
            overtaken.extend(file.map.overtaken());
            part.note(&file.map, now, false)?;
            if let Some(handle) = part.sync_due(&file.map, now) {
                self.finisher.sync(at, handle);
            }
            if let Some((handle, hash, end)) = part.hash_due(file.map.frontier()) {
                self.finisher.hash(handle, hash, end);
            }
        }
        for id in overtaken {
            self.close(id, now);
        }
        for host in &mut self.hosts {
            host.recover(now, self.limits.connections_per_host);
        }
        let active = self.enabled(now);
        // Where our own limit is reached, more connections cannot help.
        let own = self.own_limit_reached();
        let reading = |(at, host): (usize, &Host)| Reading {
            bytes: host.bytes,
            in_use: host.in_use(),
            cap: if own { host.in_use() } else { host.cap },
            active: active.contains(&at),
        };
        let readings: Vec<Reading> = self.hosts.iter().enumerate().map(reading).collect();
        let time = now.duration_since(self.began).as_secs_f64();
        // A server that hardly brings anything is not waited for.
        let ours = active.iter().filter_map(|at| self.hosts.get(*at));
        let busiest = ours.max_by_key(|host| host.bytes);
        let answer = busiest.and_then(|host| host.fastest).unwrap_or_default();
        let answer = answer.as_secs_f64();
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
            while self
                .hosts
                .get(at)
                .is_some_and(|host| host.in_use() > target)
            {
                let own = |stream: &Stream| stream.host == at && stream.shared.is_none();
                let ours = self.streams.iter().filter(|(_, stream)| own(stream));
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

    /// A request is over: its connection and what it has not brought are free.
    pub(crate) fn close(&mut self, id: RangeId, now: Instant) {
        self.ranges.stop(id);
        let Some(stream) = self.streams.remove(&id) else {
            return;
        };
        if let Some(host) = self.hosts.get_mut(stream.host) {
            host.over(stream.shared, now, now.duration_since(stream.began));
        }
        if let Some(file) = self.files.get_mut(stream.file) {
            file.map.release(id);
        }
    }

    pub(crate) fn add_stream(&mut self, id: RangeId, mut stream: Stream, sample: Option<Sample>) {
        if let Some(host) = self.hosts.get_mut(stream.host) {
            stream.loaded = host.in_use() > 0;
            host.asked(stream.shared, stream.began);
        }
        self.summary.requests += 1;
        self.streams.insert(id, Stream { sample, ..stream });
        let connections = self.hosts.iter().map(Host::in_use).sum();
        self.summary.connections = self.summary.connections.max(connections);
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
