//! What is asked of a transfer, what it tells meanwhile and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Cause;
use crate::options::Access;
use rpm_pkg::digest::Digest;

use super::Error;

/// Most connections to one server when nobody says otherwise: public mirrors call more than ten
/// unreasonable.
pub const POLITE: usize = 6;

/// One file to have.
#[derive(Clone)]
pub struct Wanted {
    /// For messages: repository and href.
    pub id: String,
    /// URLs of the same file, preferred first (http, https, file).
    pub sources: Vec<String>,
    /// Bytes, from the metadata.
    pub size: Option<u64>,
    /// From the metadata.
    pub digest: Option<Digest>,
    /// Where the finished file lies until it is taken; `PARTIAL.part` and `PARTIAL.journal` are
    /// used until it is whole. Name it by the digest, so that it is found again in a later run.
    pub partial: PathBuf,
    /// 0 is asked for first.
    pub priority: u32,
    /// How the servers of its repository are spoken to.
    pub access: Arc<Access>,
}

/// How much may be asked of the network. Rates are in bytes per second.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Over everything.
    pub global_bps: Option<u64>,
    /// Over all connections to one server.
    pub per_host_bps: Option<u64>,
    /// Connections to one server at once.
    pub connections_per_host: usize,
    /// Connections that may work on one file at once.
    pub connections_per_file: usize,
    /// Servers that may be in use at once.
    pub hosts: usize,
    /// How long a server may stay silent or useless while another one could be asked.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            global_bps: None,
            per_host_bps: None,
            connections_per_host: POLITE,
            connections_per_file: 32,
            hosts: 5,
            patience: Duration::from_secs(8),
        }
    }
}

/// What keeps the transfer from being faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LimitKind {
    /// Nothing was found: the run was too short to tell.
    #[default]
    Unknown,
    /// Each connection gets so much (bytes per second), more connections get more.
    PerConnection {
        /// Of one connection.
        bps: u64,
        /// In use.
        connections: usize,
    },
    /// All connections together get no more than one, and no queue is seen: the server's limit for
    /// one client, or a line whose queue is short.
    PerClient {
        /// Of all together.
        bps: u64,
    },
    /// The line is full: more connections bring nothing, and answers wait in a queue.
    FullLink {
        /// Of all together.
        bps: u64,
    },
    /// Connections stall and differ widely: packets are lost on the way.
    Loss {
        /// Of one connection, on average.
        bps: u64,
        /// In use.
        connections: usize,
    },
    /// The time is spent waiting for answers to many small requests.
    Latency {
        /// From a request to its answer.
        answer: Duration,
        /// In use.
        connections: usize,
    },
    /// Our own limit (`--limit-rate`) is reached.
    Own {
        /// The limit.
        bps: u64,
    },
}

fn rate(bps: u64) -> String {
    match bps {
        0..10_000 => format!("{:.1} kB/s", bps as f64 / 1e3),
        10_000..1_000_000 => format!("{:.0} kB/s", bps as f64 / 1e3),
        _ => format!("{:.1} MB/s", bps as f64 / 1e6),
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |n: usize| if n == 1 { "connection" } else { "connections" };
        match *self {
            Self::Unknown => f.write_str("no limit found"),
            Self::PerConnection { bps, connections } => write!(
                f,
                "upstream gives {} per connection; {connections} {} in use",
                rate(bps),
                many(connections)
            ),
            Self::PerClient { bps } => write!(
                f,
                "no more than {} comes, however many connections there are: upstream's limit for \
                 one client, or a full line",
                rate(bps)
            ),
            Self::FullLink { bps } => write!(f, "the line is full at {}", rate(bps)),
            Self::Loss { bps, connections } => write!(
                f,
                "packets are lost on the way: {} per connection on average; {connections} {} in use",
                rate(bps),
                many(connections)
            ),
            Self::Latency {
                answer,
                connections,
            } => write!(
                f,
                "each small file waits {} ms for its answer; {connections} {} in use",
                answer.as_millis(),
                many(connections)
            ),
            Self::Own { bps } => write!(f, "the configured limit of {} is reached", rate(bps)),
        }
    }
}

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A file is begun, or gone on with.
    Started {
        /// [`Wanted::id`].
        id: &'a str,
        /// Its size, if known.
        size: Option<u64>,
        /// Bytes kept from an earlier run.
        resumed: u64,
    },
    /// Bytes of a file came; `bytes` of it are there.
    Progress {
        /// [`Wanted::id`].
        id: &'a str,
        /// Bytes there.
        bytes: u64,
    },
    /// A source failed or gave wrong bytes; others go on.
    Source {
        /// [`Wanted::id`].
        id: &'a str,
        /// Redacted URL.
        url: &'a str,
        /// Why.
        cause: &'a Cause,
    },
    /// What limits a server, or all of them, was found or has changed.
    Limit {
        /// Server (`scheme://host:port`).
        host: &'a str,
        /// In words by its `Display`.
        limit: LimitKind,
    },
    /// The file is whole and checked.
    Done {
        /// [`Wanted::id`].
        id: &'a str,
        /// Its size.
        bytes: u64,
    },
    /// The file was given up.
    Failed {
        /// [`Wanted::id`].
        id: &'a str,
        /// Why.
        error: &'a Error,
    },
}

/// Is told what happens. Called from the thread that called [`super::fetch_all`]; a slow observer
/// slows the transfer.
pub trait Observer: Sync {
    /// One thing happened.
    fn event(&self, event: &Event<'_>);
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &Event<'_>) {}
}

/// A file that is there, with the size and digest that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// [`Wanted::id`].
    pub id: String,
    /// Where: [`Wanted::partial`].
    pub path: PathBuf,
    /// Size.
    pub size: u64,
    /// What its bytes were found to have; none if [`Wanted::digest`] asked for none.
    pub digest: Option<Digest>,
    /// Bytes that came over the network for it in this run; 0 if it was there already.
    pub bytes_received: u64,
}

/// What one server did in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostReport {
    /// Bytes received.
    pub bytes: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that failed, or brought wrong bytes.
    pub errors: u64,
    /// Bytes per second while it was in use.
    pub bps: u64,
    /// What limits it.
    pub limit: LimitKind,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Summary {
    /// Files that are there.
    pub files: u64,
    /// Bytes received over the network, those that were thrown away included.
    pub bytes: u64,
    /// Requests sent.
    pub requests: u64,
    /// Most connections in use at once.
    pub connections: usize,
    /// By server (`scheme://host:port`).
    pub hosts: BTreeMap<String, HostReport>,
    /// Files that could not be had.
    pub failed: Vec<(String, Error)>,
    /// What kept the run from being faster.
    pub limit: LimitKind,
}
