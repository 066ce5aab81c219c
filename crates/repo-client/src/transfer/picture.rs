//! All that is known of a run: files, servers, and who is to bring what. No socket and no disk.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use reqwest::Url;

use super::file::{FileStage, Sample, Stream, WantedFile};
use super::host::{Host, Room, rank};
use super::ids::{FileId, HostId, IdTable, SourceId};
use super::limits::TransferLimits;
use super::policy::probe::Probe;
use super::policy::{RequestKind, SegmentRequest};
use super::tuning::host::FEW;
use crate::client::{Client, origin, parse_url};
use crate::error::{Error, Result};
use crate::ranges::RangeId;
use crate::request::FileRequest;

/// A request that is over sooner tells no higher rate.
const SHORTEST: Duration = Duration::from_millis(50);

/// The picture that policies look at.
pub(crate) struct Picture {
    pub(crate) files: IdTable<FileId, WantedFile>,
    /// Files not begun, in the order in which they are requested.
    pub(crate) queue: VecDeque<FileId>,
    /// Files begun and not settled.
    pub(crate) open: Vec<FileId>,
    pub(crate) hosts: IdTable<HostId, Host>,
    pub(crate) streams: HashMap<RangeId, Stream>,
    pub(crate) limits: TransferLimits,
    pub(crate) probe: Probe,
    /// Files not settled.
    pub(crate) left: usize,
    /// By name.
    known: HashMap<String, HostId>,
    /// When the first request was sent.
    began: Option<Instant>,
}

impl Picture {
    /// Nothing to be done.
    pub(crate) fn new(limits: TransferLimits) -> Self {
        Self {
            files: IdTable::new(),
            queue: VecDeque::new(),
            open: Vec::new(),
            hosts: IdTable::new(),
            streams: HashMap::new(),
            limits,
            probe: Probe::default(),
            left: 0,
            known: HashMap::new(),
            began: None,
        }
    }

    /// Adds files; those that cannot even be asked for, with the reason.
    pub(crate) fn add(
        &mut self,
        client: &Client,
        requests: Vec<FileRequest>,
    ) -> Vec<(FileId, Error)> {
        let mut refused = Vec::new();
        for request in requests {
            let urls = request.urls.iter().map(|url| parse_url(url));
            let urls: Result<Vec<Url>> = urls.collect();
            let urls = urls.and_then(|urls| match urls.is_empty() {
                true => Err(Error::Transfer {
                    label: request.label.clone(),
                    failures: Vec::new(),
                }),
                false => Ok(urls),
            });
            let (urls, error) = match urls {
                Ok(urls) => (urls, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            let at: Vec<HostId> = urls.iter().map(|url| self.host(client, url)).collect();
            let leads = at.iter().min_by_key(|host| self.hosts[**host].rank);
            if let Some(leads) = leads {
                self.hosts[*leads].leads = true;
            }
            let id = self.add_file(WantedFile::new(request, client.next_id(), &at));
            refused.extend(error.map(|error| (id, error)));
        }
        let files = &self.files;
        let queue = self.queue.make_contiguous();
        queue.sort_by_key(|id| files[*id].request.priority);
        refused
    }

    /// Adds a file behind the others.
    pub(crate) fn add_file(&mut self, file: WantedFile) -> FileId {
        let id = self.files.push(file);
        self.queue.push_back(id);
        self.left += 1;
        id
    }

    /// Adds a server.
    pub(crate) fn add_host(&mut self, host: Host) -> HostId {
        self.probe.add();
        self.hosts.push(host)
    }

    fn host(&mut self, client: &Client, url: &Url) -> HostId {
        let name = origin(url);
        if let Some(known) = self.known.get(&name) {
            return *known;
        }
        let mut host = Host::new(name.clone(), self.limits.connections_per_host);
        host.rank = rank(client.failures_of(&name), client.rate_of(&name));
        host.left_out = self.limits.unreachable.is_some() && client.is_unreachable(&name);
        let id = self.add_host(host);
        self.known.insert(name, id);
        id
    }

    /// A request under way.
    ///
    /// # Errors
    /// It is not: a fault of ours.
    pub(crate) fn stream(&mut self, id: RangeId) -> Result<&mut Stream> {
        let stream = self.streams.get_mut(&id);
        stream.ok_or(Error::Fault("a request that is over is asked about"))
    }

    /// Servers that may be asked now, the best first.
    pub(crate) fn askable(&self, now: Instant) -> Vec<HostId> {
        let is_able = |host: &Host| host.is_usable() && (host.in_use() > 0 || host.is_ready(now));
        let spent = self.began.map_or(Duration::ZERO, |began| now - began);
        // A server that fails is not waited for.
        let troubled = |host: &Host| host.leads && !is_able(host);
        let all = spent >= self.limits.alone || self.hosts.rows().iter().any(troubled);
        let able = self.hosts.iter();
        let able = able.filter(|(_, host)| is_able(host) && (all || host.leads));
        let mut able: Vec<HostId> = able.map(|(id, _)| id).collect();
        able.sort_by_key(|id| self.hosts[*id].rank);
        able
    }

    /// Servers in use.
    pub(crate) fn busy(&self) -> impl Iterator<Item = HostId> {
        let all = self.hosts.iter();
        all.filter_map(|(id, host)| (host.in_use() > 0).then_some(id))
    }

    /// Connections that a server is to have: as many as were found to help, and before that a few where it answers so
    /// soon that small files would come one by one faster than they are asked for.
    fn target(&self, host: HostId) -> usize {
        let found = self.probe.target(host);
        if !self.probe.is_first() || !self.hosts[host].is_near() {
            return found;
        }
        let waiting = self.queue.iter().take(FEW);
        found.max(waiting.filter(|id| self.files[**id].is_small()).count())
    }

    /// What a server has room for now.
    pub(crate) fn room(&self, host: HostId, now: Instant) -> Option<Room> {
        let one = Some(&self.hosts[host]).filter(|one| one.is_ready(now))?;
        let room = one.room(self.target(host));
        let all = || self.hosts.rows().iter().map(Host::in_use).sum::<usize>();
        // One over a connection that is there already is none more.
        room.filter(|room| *room == Room::Stream || all() < self.limits.connections.max(1))
    }

    /// Rate of one connection to a server, if one has been measured.
    pub(crate) fn each(&self, host: HostId) -> Option<f64> {
        let rate = self.probe.standing(host).rate;
        (rate > 0.0).then(|| rate / self.hosts[host].in_use().max(1) as f64)
    }

    /// Whether bytes of a source may be mixed with those of others without a look at them.
    pub(crate) fn is_known(&self, file: &WantedFile, source: SourceId) -> bool {
        let one = &file.sources[source];
        one.sampled || one.host.is_some_and(|host| self.hosts[host].verified > 0)
    }

    /// Another server than that of a source that may still bring a file.
    pub(crate) fn other(&self, file: FileId, source: SourceId) -> Option<HostId> {
        let file = &self.files[file];
        let ours = file.sources[source].host;
        let open = file.sources.rows().iter().filter(|one| one.is_open());
        let mut others = open.filter_map(|one| one.host);
        others.find(|host| Some(*host) != ours && self.hosts[*host].is_usable())
    }

    /// Files being fetched that may be split, and how a server could bring them.
    pub(crate) fn shared_files(
        &self,
        host: HostId,
        now: Instant,
    ) -> impl Iterator<Item = (FileId, &WantedFile, SourceId)> {
        let all = self.open.iter().map(|id| (*id, &self.files[*id]));
        let open = all.filter(|(_, file)| file.stage == FileStage::Open && file.may_mix());
        open.filter_map(move |(id, file)| Some((id, file, file.source_at(host, now)?)))
    }

    pub(crate) fn asked(&mut self, id: RangeId, ask: &SegmentRequest, now: Instant) -> Result<()> {
        self.began.get_or_insert(now);
        let file = &mut self.files[ask.file];
        let whole = ask.from == 0 && ask.to >= file.map.size();
        let mut stream = Stream::new(ask.file, ask.source, ask.host, !whole, now);
        let host = &mut self.hosts[ask.host];
        let shares = file.turns.is_none() && file.is_small() && whole && host.shares();
        stream.shared = shares.then_some(file.map.size());
        stream.loaded = host.in_use() > 0;
        host.asked(stream.shared, now);
        // Where one source has its turn, what it goes on from is another's or an earlier run's.
        if file.turns.is_some() {
            file.kept = file.map.have() > 0;
        }
        match ask.kind {
            RequestKind::Sample => {
                let length = usize::try_from(ask.to - ask.from);
                stream.sample = Some(Sample {
                    from: ask.from,
                    length: length.map_err(|_| Error::Fault("a sample is too large"))?,
                    data: Vec::new(),
                });
            }
            RequestKind::Gap => file.map.claim(id, ask.from, ask.to, ask.source),
            RequestKind::Steal(victim) => {
                file.map.shorten(victim, ask.from);
                file.map.claim(id, ask.from, ask.to, ask.source);
            }
        }
        self.streams.insert(id, stream);
        Ok(())
    }

    /// A request is over: its connection and what it has not brought are free.
    pub(crate) fn over(&mut self, id: RangeId, now: Instant) {
        if let Some(stream) = self.streams.remove(&id) {
            let host = &mut self.hosts[stream.host];
            // Of a fast server no request may last until its rate can be told.
            let spent = stream.age(now).max(SHORTEST).as_secs_f64();
            host.best = host.best.max(stream.bytes as f64 / spent);
            host.over(stream.shared, now, stream.age(now));
            self.files[stream.file].map.release(id);
        }
    }

    /// Moves the windows in which rates are taken.
    pub(crate) fn take_rates(&mut self, now: Instant) {
        for stream in self.streams.values_mut() {
            stream.turn(now);
            if let Some(rate) = stream.rate(now) {
                let host = &mut self.hosts[stream.host];
                host.best = host.best.max(rate);
            }
        }
    }

    /// A file is done or given up.
    pub(crate) fn settle(&mut self, id: FileId) {
        let file = &mut self.files[id];
        if file.stage != FileStage::Settled {
            file.stage = FileStage::Settled;
            self.left -= 1;
            self.open.retain(|one| *one != id);
        }
    }
}
