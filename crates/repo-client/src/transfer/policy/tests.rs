//! Pictures for the tests of policies: servers, files and requests under way, with a clock.

use std::time::{Duration, Instant};

use rpm_pkg::digest::{DigestAlgo, Hasher};

use super::{RequestKind, SegmentRequest};
use crate::ranges::RangeId;
use crate::request::FileRequest;
use crate::transfer::file::{FileStage, WantedFile};
use crate::transfer::host::Host;
use crate::transfer::ids::{FileId, HostId, Id, SourceId};
use crate::transfer::limits::TransferLimits;
use crate::transfer::picture::Picture;
use crate::transfer::segments::SourcedSpan;

pub(crate) fn host(number: usize) -> HostId {
    HostId::new(number)
}

pub(crate) fn source(number: usize) -> SourceId {
    SourceId::new(number)
}

/// A file at every server; source N is at server N.
pub(crate) fn wanted(size: u64, servers: usize) -> WantedFile {
    let urls = (0..servers).map(|at| format!("http://s{at}/f")).collect();
    let request = FileRequest {
        size: Some(size),
        digest: Some(Hasher::digest(DigestAlgo::Sha256, b"")),
        ..FileRequest::new("f", urls, "/nowhere/f")
    };
    let hosts: Vec<HostId> = (0..servers).map(host).collect();
    WantedFile::new(request, 0, &hosts)
}

pub(crate) struct PolicyStage {
    pub(crate) picture: Picture,
    pub(crate) now: Instant,
    next: u64,
}

impl PolicyStage {
    /// Files of these sizes at so many servers, which all have been right before; all files are begun.
    pub(crate) fn new(servers: usize, sizes: &[u64]) -> Self {
        let mut picture = Picture::new(TransferLimits::default());
        for at in 0..servers {
            let mut host = Host::new(format!("http://s{at}:80"), 6);
            host.verified = 1;
            picture.add_host(host);
        }
        for size in sizes {
            picture.add_file(wanted(*size, servers));
        }
        picture.open = picture.queue.drain(..).collect();
        for id in picture.files.ids() {
            picture.files[id].stage = FileStage::Open;
        }
        Self {
            picture,
            now: Instant::now(),
            next: 0,
        }
    }

    pub(crate) fn file(&mut self, number: usize) -> &mut WantedFile {
        &mut self.picture.files[FileId::new(number)]
    }

    pub(crate) fn host(&mut self, number: usize) -> &mut Host {
        &mut self.picture.hosts[host(number)]
    }

    /// Bytes of file 0 that are there.
    pub(crate) fn there(&mut self, from: u64, to: u64, of: usize) {
        let source = source(of);
        self.file(0).map.add(SourcedSpan { from, to, source });
    }

    /// A request of a server for bytes of file 0.
    pub(crate) fn running(&mut self, server: usize, from: u64, to: u64) -> RangeId {
        let id = RangeId::test(self.next);
        self.next += 1;
        let ask = SegmentRequest {
            file: FileId::new(0),
            source: source(server),
            host: host(server),
            from,
            to,
            kind: RequestKind::Gap,
        };
        self.picture.asked(id, &ask, self.now).unwrap();
        id
    }

    /// Bytes of a request come.
    pub(crate) fn give(&mut self, id: RangeId, bytes: u64) {
        let stream = self.picture.streams.get_mut(&id).unwrap();
        stream.gave(bytes, self.now);
        let (file, host) = (stream.file, stream.host);
        self.picture.hosts[host].gave(bytes, self.now);
        self.picture.files[file].map.arrived(id, bytes);
    }

    pub(crate) fn later(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
        self.picture.take_rates(self.now);
    }
}
