//! All that is known of a run: files, servers, and who is to bring what. No socket and no disk.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use reqwest::Url;

use super::file::{FileStage, Sample, Stream, WantedFile};
use super::host::{Host, Room};
use super::ids::{FileId, HostId, IdTable, SourceId};
use super::limits::TransferLimits;
use super::policy::probe::Probe;
use super::policy::{RequestKind, SegmentRequest};
use crate::client::{Client, origin, parse_url};
use crate::error::{Error, Result};
use crate::ranges::RangeId;
use crate::request::FileRequest;

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
}

impl Picture {
    /// Files at servers, nothing begun.
    pub(crate) fn new(
        files: IdTable<FileId, WantedFile>,
        hosts: IdTable<HostId, Host>,
        limits: TransferLimits,
    ) -> Self {
        let mut queue: Vec<FileId> = files.ids().collect();
        queue.sort_by_key(|id| files[*id].request.priority);
        Self {
            left: files.len(),
            probe: Probe::new(hosts.len()),
            files,
            queue: queue.into(),
            open: Vec::new(),
            hosts,
            streams: HashMap::new(),
            limits,
        }
    }

    /// The picture at the beginning, and the files that cannot even be asked for.
    pub(crate) fn of(
        client: &Client,
        requests: Vec<FileRequest>,
        limits: TransferLimits,
    ) -> (Self, Vec<(FileId, Error)>) {
        let mut hosts: IdTable<HostId, Host> = IdTable::new();
        let mut known: HashMap<String, HostId> = HashMap::new();
        let (mut files, mut refused) = (IdTable::new(), Vec::new());
        for request in requests {
            let urls = request.urls.iter().map(|url| parse_url(url));
            let urls: Result<Vec<Url>> = urls.collect();
            let at: Vec<HostId> = urls
                .iter()
                .flatten()
                .map(|url| {
                    let new = |name: &String| {
                        hosts.push(Host::new(name.clone(), limits.connections_per_host))
                    };
                    *known.entry(origin(url)).or_insert_with_key(new)
                })
                .collect();
            let none = Error::Transfer {
                label: request.label.clone(),
                failures: Vec::new(),
            };
            let none = at.is_empty().then_some(none);
            let id = files.push(WantedFile::new(request, client.next_id(), &at));
            refused.extend(urls.err().or(none).map(|error| (id, error)));
        }
        (Self::new(files, hosts, limits), refused)
    }

    /// A request under way.
    ///
    /// # Errors
    /// It is not: a fault of ours.
    pub(crate) fn stream(&mut self, id: RangeId) -> Result<&mut Stream> {
        let stream = self.streams.get_mut(&id);
        stream.ok_or(Error::Fault("a request that is over is asked about"))
    }

    /// Servers that are in use now: the first ones that can be asked, in order.
    pub(crate) fn enabled(&self, now: Instant) -> Vec<HostId> {
        let in_use = |host: &Host| host.is_usable() && (host.in_use() > 0 || host.is_ready(now));
        let usable = self.hosts.iter().filter(|(_, host)| in_use(host));
        let most = self.limits.hosts.max(1);
        usable.map(|(id, _)| id).take(most).collect()
    }

    /// What a server has room for now.
    pub(crate) fn room(&self, host: HostId, now: Instant) -> Option<Room> {
        let one = Some(&self.hosts[host]).filter(|one| one.is_ready(now))?;
        one.room(self.probe.target(host))
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
            self.hosts[stream.host].over(stream.shared, now, stream.age(now));
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
