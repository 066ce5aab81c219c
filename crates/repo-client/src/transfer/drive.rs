//! The loop: hears what came, and gives work to who is free. It alone has the sockets and the disk.

mod serve;
mod tell;

use std::time::Instant;

use whole_file::Stamp;

use super::answers::{self, Act};
use super::disk::PartsOnDisk;
use super::file::FileStage;
use super::finish::DiskDone;
use super::host::Host;
use super::ids::{FileId, Id, SourceId};
use super::limits::{TransferLimits, TransferSummary};
use super::picture::Picture;
use super::policy::segments::{self, NextSegment};
use super::policy::turns::{self, Pause, Rounds, TurnStep, Turns};
use super::policy::{SegmentRequest, idle};
use super::segments::Segments;
use super::tuning::drive::{RATED, TICK};
use super::tuning::turns::{HELD, UNREACHABLE_ROUNDS};
use super::watch::{self, Watch};
use crate::client::Client;
use crate::error::{Cause, Error, Result};
use crate::event::{Event, Observer};
use crate::html::looks_like_html;
use crate::ranges::{Bell, RangeEvent, RangeId, RangeRequest, Ranges};
use crate::request::{FetchedFile, FileRequest};
pub(crate) use serve::serve;

/// How the work is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Pieces of files from all servers at once, with as many connections as help.
    Spread {
        /// A file that another process fetches is waited for, and one that our disk refuses leaves the others alone.
        each: bool,
    },
    /// So many files at once, each from one source at a time, in their order.
    Turns {
        /// Files at once.
        width: usize,
    },
}

impl Sharing {
    fn is_spread(self) -> bool {
        matches!(self, Self::Spread { .. })
    }

    /// Whether each file has a result of its own, whatever becomes of the others.
    fn is_each(self) -> bool {
        self != Self::Spread { each: false }
    }
}

/// Takes each file, or why it could not be had, as soon as that is known.
pub(crate) type FetchSink<'a> = dyn FnMut(FileId, Result<FetchedFile>) -> Result<()> + 'a;

/// One run.
pub(crate) struct Drive<'a> {
    client: &'a Client,
    mode: Sharing,
    picture: Picture,
    ranges: Ranges<'a>,
    disk: PartsOnDisk,
    observer: &'a dyn Observer,
    sink: &'a mut FetchSink<'a>,
    ticked: Instant,
    watch: Watch,
    summary: TransferSummary,
}

/// Runs a transfer to its end, or until `stop` says so.
///
/// # Errors
/// [`Error::Stopped`], what the sink said, a part that cannot be written.
pub(crate) async fn transfer<'a>(
    client: &'a Client,
    requests: Vec<FileRequest>,
    how: (Sharing, TransferLimits),
    observer: &'a dyn Observer,
    sink: &'a mut FetchSink<'a>,
    stop: &dyn Fn() -> bool,
) -> Result<TransferSummary> {
    let mut drive = Drive::new(client, how, Bell::default(), observer, sink);
    drive.add(requests)?;
    let outcome = drive.go(stop).await;
    drive.end(outcome)
}

impl<'a> Drive<'a> {
    fn new(
        client: &'a Client,
        (mode, limits): (Sharing, TransferLimits),
        bell: Bell,
        observer: &'a dyn Observer,
        sink: &'a mut FetchSink<'a>,
    ) -> Self {
        let now = Instant::now();
        Self {
            client,
            mode,
            disk: PartsOnDisk::new(&bell),
            ranges: Ranges::new(client, limits.global_bps, limits.per_host_bps, bell),
            picture: Picture::new(limits),
            observer,
            sink,
            ticked: now,
            watch: Watch::begin(now),
            summary: TransferSummary::default(),
        }
    }

    fn add(&mut self, requests: Vec<FileRequest>) -> Result<()> {
        self.tell_begun(&requests);
        let refused = self.picture.add(self.client, requests);
        let mut refused = refused.into_iter();
        refused.try_for_each(|(id, error)| self.give_up(id, error))
    }

    /// What has come is kept, and what was learned is remembered.
    fn end(mut self, outcome: Result<()>) -> Result<TransferSummary> {
        let kept = self.keep();
        self.tell_end();
        outcome.and(kept)?;
        if self.mode.is_spread() {
            self.watch.name_limits(&mut self.picture, self.observer);
        }
        watch::report(&self.picture, &mut self.summary);
        for (name, host) in &self.summary.hosts {
            if host.bytes >= RATED {
                self.client.measured(name, host.bps);
            }
        }
        Ok(self.summary)
    }
}

impl Drive<'_> {
    async fn go(&mut self, stop: &dyn Fn() -> bool) -> Result<()> {
        self.plan()?;
        while self.picture.left > 0 {
            if stop() {
                return Err(Error::Stopped);
            }
            for (id, event) in self.ranges.wait(TICK).await {
                self.event(id, event)?;
            }
            for done in self.disk.done() {
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

    /// What has come is kept, however the run ends.
    fn keep(&mut self) -> Result<()> {
        let now = Instant::now();
        let open = std::mem::take(&mut self.picture.open);
        let noted = open.iter().map(|id| {
            let file = &self.picture.files[*id];
            match self.disk.has(*id) {
                true => self.disk.part(*id)?.note(file, now, true),
                false => Ok(()),
            }
        });
        noted.fold(Ok(()), Result::and)
    }

    /// Gives work to every connection that may have some.
    fn plan(&mut self) -> Result<()> {
        let now = Instant::now();
        if let Sharing::Turns { width } = self.mode {
            if self.client.stopped() {
                self.stop_resting()?;
            }
            while let Some(step) = turns::step(&self.picture, width, now) {
                self.step(step, now)?;
            }
            return Ok(());
        }
        let is_due = |id: &FileId| {
            let file = &self.picture.files[*id];
            file.stage == FileStage::Held && !file.rests(now)
        };
        let due: Vec<FileId> = self.picture.open.iter().copied().filter(is_due).collect();
        for id in due {
            self.begin(id, now)?;
        }
        let mut busy = self.picture.busy().count();
        for host in self.picture.askable(now) {
            let idle = self.picture.hosts[host].in_use() == 0;
            if idle && busy >= self.picture.limits.hosts.max(1) {
                continue;
            }
            loop {
                let ask = match segments::next(&self.picture, host, now) {
                    NextSegment::Nothing => break,
                    NextSegment::Ask(ask) => Some(ask),
                    NextSegment::Begin(id) => {
                        self.begin(id, now)?;
                        segments::gap_in(&self.picture, id, host, now)
                    }
                };
                if let Some(ask) = ask {
                    self.ask(&ask, now)?;
                }
            }
            busy += usize::from(idle && self.picture.hosts[host].in_use() > 0);
        }
        for id in idle::hopeless(&self.picture) {
            self.last_chance(id, now)?;
        }
        Ok(())
    }

    fn step(&mut self, step: TurnStep, now: Instant) -> Result<()> {
        match step {
            TurnStep::Begin(id) => self.begin(id, now),
            TurnStep::Check(id) => self.check(id, now),
            TurnStep::Ask(ask) => self.ask(&ask, now),
            TurnStep::Drop(id) => {
                self.picture.files[id].drop_all();
                self.disk.part(id)?.dropped(&self.picture.files[id], 0)
            }
            TurnStep::Again(id) => {
                self.turns(id)?.begin_round(0);
                Ok(())
            }
            TurnStep::Rest(id, pause) => self.rest(id, pause, now),
            TurnStep::GiveUp(id) => {
                let error = self.picture.files[id].hopeless();
                self.give_up(id, error)
            }
        }
    }

    fn turns(&mut self, id: FileId) -> Result<&mut Turns> {
        let turns = self.picture.files[id].turns.as_mut();
        turns.ok_or(Error::Fault("a file without turns has one"))
    }

    fn rest(&mut self, id: FileId, pause: Pause, now: Instant) -> Result<()> {
        self.turns(id)?.begin_round(pause.attempt);
        let file = &mut self.picture.files[id];
        file.rest_until = Some(now + pause.lasts);
        self.observer
            .event(pause.event(file.id, &file.request.label));
        Ok(())
    }

    /// Asked to stop: what rests does not go on. Requests under way end by themselves.
    fn stop_resting(&mut self) -> Result<()> {
        let all = self.picture.open.iter().chain(&self.picture.queue).copied();
        let resting = |id: &FileId| {
            let file = &self.picture.files[*id];
            file.map.claims().is_empty() && file.stage != FileStage::Checking
        };
        for id in all.filter(resting).collect::<Vec<_>>() {
            let file = &self.picture.files[id];
            let (label, first) = (file.request.label.clone(), SourceId::new(0));
            let error = match file.turns.iter().flat_map(Turns::failures).next() {
                Some(_) => file.hopeless(),
                None => Error::at(label, file.shown(first), Cause::Stopped),
            };
            self.give_up(id, error)?;
        }
        Ok(())
    }

    fn ask(&mut self, ask: &SegmentRequest, now: Instant) -> Result<()> {
        let file = &self.picture.files[ask.file];
        let url = file.request.urls.get(ask.source.place());
        let url = url.ok_or(Error::Fault("a source without a URL is asked"))?;
        let whole = ask.from == 0 && ask.to >= file.map.size();
        let shared = file.turns.is_some()
            || file.is_small() && whole && self.picture.hosts[ask.host].shares();
        // Where there is a digest a date says nothing that it does not say better.
        let dated = file.request.digest.is_none();
        let validator = file.sources[ask.source].validator.as_ref();
        let validator = validator.filter(|one| !whole && (dated || one.starts_with('"')));
        let request = RangeRequest {
            url: url.clone(),
            access: file.request.access.clone(),
            from: ask.from,
            to: (ask.to < file.map.size()).then_some(ask.to),
            if_range: validator.cloned(),
            digest: file.request.digest,
            shared,
        };
        let (label, to) = (file.request.label.as_str(), request.to);
        tracing::trace!(
            label,
            url = file.shown(ask.source),
            from = ask.from,
            to,
            "asked"
        );
        let id = self.ranges.start(request)?;
        self.picture.asked(id, ask, now)?;
        self.summary.requests += 1;
        let connections = self.picture.hosts.rows().iter().map(Host::in_use).sum();
        self.summary.connections = self.summary.connections.max(connections);
        Ok(())
    }

    fn event(&mut self, id: RangeId, event: RangeEvent) -> Result<()> {
        let Some(file) = self.picture.streams.get(&id).map(|stream| stream.file) else {
            // An earlier event of the same moment has ended its request.
            return Ok(());
        };
        match self.answer(id, event) {
            // Our own disk: the other files may lie on another one.
            Err(error @ Error::Io { .. }) if self.mode.is_each() => self.give_up(file, error),
            other => other,
        }
    }

    fn answer(&mut self, id: RangeId, event: RangeEvent) -> Result<()> {
        let picture = &mut self.picture;
        let acts = match event {
            RangeEvent::Opened(answer) => answers::opened(picture, id, answer)?,
            RangeEvent::Data(data) => {
                self.summary.bytes += data.len() as u64;
                let at = picture.stream(id)?.file;
                let acts = answers::data(picture, &mut self.disk, id, &data)?;
                let file = &self.picture.files[at];
                let bytes = file.map.have();
                self.observer.event(Event::Progress { id: file.id, bytes });
                acts
            }
            RangeEvent::Ended => answers::ended(picture, id)?,
            RangeEvent::Failed { cause, retry_after } => {
                answers::failed(picture, &mut self.disk, id, cause, retry_after)?
            }
        };
        self.act(acts)
    }

    fn act(&mut self, acts: Vec<Act>) -> Result<()> {
        let now = Instant::now();
        for act in acts {
            match act {
                Act::Stop(id) => self.ranges.stop(id),
                Act::Fail(id, cause) => {
                    let (picture, disk) = (&mut self.picture, &mut self.disk);
                    let more = answers::failed(picture, disk, id, cause, None)?;
                    self.act(more)?;
                }
                Act::Tell(id, source, cause) => self.tell(id, source, &cause),
                Act::Dropped(id, from) => {
                    self.disk.part(id)?.dropped(&self.picture.files[id], from)?;
                }
                Act::Learned(id, source) => {
                    self.disk
                        .part(id)?
                        .learned(&self.picture.files[id], source)?;
                }
                Act::Check(id) => self.check(id, now)?,
                Act::Anew(id) => self.begin_anew(id, now)?,
                Act::Rest(id, source, limit) => self.tell_rest(id, source, limit, now),
                Act::GiveUp(id, error) => self.give_up(id, error)?,
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) -> Result<()> {
        let mut overtaken = Vec::new();
        for id in self.picture.open.clone() {
            let file = &self.picture.files[id];
            if file.stage == FileStage::Open {
                self.disk.look_after(id, file, now)?;
                overtaken.extend(file.map.overtaken());
            }
        }
        if !self.mode.is_spread() {
            return Ok(());
        }
        self.stop(overtaken, now);
        self.give_up_idle(now)?;
        let surplus = self.watch.probe(&mut self.picture, self.observer, now);
        self.stop(surplus, now);
        Ok(())
    }

    fn stop(&mut self, requests: Vec<RangeId>, now: Instant) {
        for id in requests {
            self.picture.over(id, now);
            self.ranges.stop(id);
        }
    }

    fn give_up_idle(&mut self, now: Instant) -> Result<()> {
        self.picture.take_rates(now);
        for (id, cause) in idle::useless(&self.picture, now) {
            let host = self.picture.stream(id)?.host;
            self.picture.hosts[host].trickled(now, &cause);
            self.act(vec![Act::Fail(id, cause)])?;
        }
        let silent = idle::silent(&self.picture, now);
        self.act(
            silent
                .into_iter()
                .map(|(id, cause)| Act::Fail(id, cause))
                .collect(),
        )
    }

    /// Begins a file: what is there of it is taken over.
    fn begin(&mut self, id: FileId, now: Instant) -> Result<()> {
        let file = &mut self.picture.files[id];
        if file.stage == FileStage::Waiting {
            self.picture.queue.retain(|one| *one != id);
            self.picture.open.push(id);
        }
        if !self.mode.is_spread() && file.turns.is_none() {
            let (mut order, extra) = (file.sources.iter().collect::<Vec<_>>(), file.retries());
            let hosts = &self.picture.hosts;
            order.sort_by_key(|(_, one)| one.host.map_or((0, 0), |host| hosts[host].rank));
            let rounds = Rounds {
                extra,
                unreachable: UNREACHABLE_ROUNDS,
            };
            let order: Vec<SourceId> = order.into_iter().map(|(source, _)| source).collect();
            file.turns = Some(Turns::new(order, rounds));
        }
        if file.request.is_used_in_place() {
            return self.use_in_place(id);
        }
        match self.disk.is_there(id, file) {
            Ok(true) => {
                file.stage = FileStage::Checking;
                file.kept = true;
                return Ok(());
            }
            Ok(false) => {}
            Err(error) => return self.give_up(id, error),
        }
        match self.disk.begin(id, file, now) {
            Ok(true) => {}
            Ok(false) if self.mode.is_each() => {
                file.stage = FileStage::Held;
                file.rest_until = Some(now + HELD);
                return Ok(());
            }
            Ok(false) => {
                let path = file.request.dest.clone();
                return self.give_up(id, Error::Busy { path });
            }
            Err(error) => return self.give_up(id, error),
        }
        file.stage = FileStage::Open;
        file.rest_until = None;
        let resumed = file.map.have();
        file.kept = resumed > 0;
        self.started(id, resumed);
        if self.picture.files[id].map.is_whole() {
            self.check(id, now)?;
        }
        Ok(())
    }

    fn use_in_place(&mut self, id: FileId) -> Result<()> {
        self.started(id, 0);
        match self.picture.files[id].request.use_in_place() {
            Ok(done) => self.hand_over(id, done),
            Err(error) => self.give_up(id, error),
        }
    }

    /// What an earlier run had finished is not right any more: away with it.
    fn begin_anew(&mut self, id: FileId, now: Instant) -> Result<()> {
        let file = &mut self.picture.files[id];
        let dest = &file.request.dest;
        std::fs::remove_file(dest).map_err(|e| Error::io(dest, "remove", e))?;
        file.map = Segments::new(file.request.size.unwrap_or(u64::MAX));
        self.begin(id, now)
    }

    /// All bytes are there: requests that still bring some of them stop, and the content is checked.
    fn check(&mut self, id: FileId, now: Instant) -> Result<()> {
        let file = &mut self.picture.files[id];
        if file.stage != FileStage::Open {
            return Ok(());
        }
        if file.turns.is_some()
            && file.request.digest.is_none()
            && looks_like_html(&self.disk.head(id))
            && let Some(turns::NextTurn::Ask(source)) = file.turns.as_ref().map(Turns::next)
        {
            let (picture, disk) = (&mut self.picture, &mut self.disk);
            let acts = answers::turn_failed(picture, disk, id, source, Cause::Html, None);
            return self.act(acts);
        }
        file.stage = FileStage::Checking;
        // What is about to end by itself may do so, and keep its connection.
        let claims = file.map.claims().iter();
        let useless: Vec<RangeId> = claims.filter(|c| c.at < c.to).map(|c| c.key).collect();
        self.stop(useless, now);
        self.disk.check(id, &self.picture.files[id])
    }

    fn done(&mut self, done: DiskDone) -> Result<()> {
        match done {
            DiskDone::Synced(id) => {
                let file = &self.picture.files[id];
                match file.stage {
                    FileStage::Open => self.disk.synced(id, file),
                    _ => Ok(()),
                }
            }
            DiskDone::Finished(id, stamp) => self.finished(id, stamp),
            DiskDone::Mismatch(id, found) => {
                let (picture, disk) = (&mut self.picture, &mut self.disk);
                let acts = answers::mismatch(picture, disk, id, &found);
                self.act(acts)
            }
            DiskDone::Failed(id, error) => self.give_up(id, error),
        }
    }

    fn finished(&mut self, id: FileId, stamp: Option<Stamp>) -> Result<()> {
        let acts = answers::right(&mut self.picture, id);
        self.act(acts)?;
        let fresh = self.disk.has(id);
        self.disk.finished(id);
        let file = &self.picture.files[id];
        let size = file.map.size();
        if !fresh && self.mode.is_each() {
            self.started(id, size);
        }
        let file = &self.picture.files[id];
        let last = file.map.done().last().filter(|_| file.received > 0);
        let fetched = FetchedFile {
            label: file.request.label.clone(),
            path: file.request.dest.clone(),
            size,
            digest: file.request.digest,
            stamp,
            url: last.map(|span| file.shown(span.source)),
            transferred: file.received,
        };
        self.hand_over(id, fetched)
    }

    fn hand_over(&mut self, id: FileId, fetched: FetchedFile) -> Result<()> {
        let (name, bytes) = (self.picture.files[id].id, fetched.size);
        tracing::debug!(id = name, bytes, last_from = fetched.url, "whole and right");
        self.observer.event(Event::Finished { id: name, bytes });
        self.picture.settle(id);
        self.summary.files += 1;
        (self.sink)(id, Ok(fetched))
    }

    /// A file for which no source is left: those left out are asked once more, or it is given up.
    fn last_chance(&mut self, id: FileId, now: Instant) -> Result<()> {
        let Some(acts) = answers::second_chance(&mut self.picture, id) else {
            let error = self.picture.files[id].hopeless();
            return self.give_up(id, error);
        };
        match self.picture.files[id].stage {
            FileStage::Waiting if !acts.is_empty() => self.begin(id, now),
            _ => self.act(acts),
        }
    }

    fn give_up(&mut self, id: FileId, error: Error) -> Result<()> {
        let now = Instant::now();
        self.picture.queue.retain(|one| *one != id);
        let file = &self.picture.files[id];
        let claims = file.map.claims().iter();
        let running: Vec<RangeId> = claims.map(|claim| claim.key).collect();
        self.disk.given_up(id, file, now);
        self.observer.event(Event::Failed { id: file.id });
        self.stop(running, now);
        self.picture.settle(id);
        (self.sink)(id, Err(error))
    }
}
