//! How much may be asked of the network, which limit was met, and what a run did.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::error::Error;

/// Most connections to one server when nobody says otherwise: public mirrors call more than ten
/// unreasonable.
pub const POLITE: usize = 6;

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
