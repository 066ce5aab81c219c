//! How much may be asked of the network, which limit was met, and what a run did.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::LimitKind;

use crate::error::Error;

/// How long the best server is asked alone in a run that somebody waits for.
const ALONE: Duration = Duration::from_secs(1);
/// First segment of a large file before any rate is known, in bytes; in a run that somebody waits for most files come
/// whole, and where they last the rest of one is still taken over by others.
pub(crate) const FIRST: u64 = 1 << 20;
const FIRST_HASTY: u64 = 16 << 20;
/// Extra tries of a server that cannot be reached in a run that somebody waits for.
const UNREACHABLE: u32 = 2;

/// Most connections to one server when nobody says otherwise: public mirrors call more than ten
/// unreasonable.
pub const POLITE: usize = 6;

/// How much may be asked of the network. Rates are in bytes per second.
#[derive(Debug, Clone)]
pub struct TransferLimits {
    /// Over everything.
    pub global_bps: Option<u64>,
    /// Over all connections to one server.
    pub per_host_bps: Option<u64>,
    /// Connections to one server at once.
    pub connections_per_host: usize,
    /// Connections that may work on one file at once.
    pub connections_per_file: usize,
    /// Connections at once, over all servers.
    pub connections: usize,
    /// Servers that may be in use at once.
    pub hosts: usize,
    /// How long the best server of each file is asked alone before others are asked beside it.
    pub alone: Duration,
    /// Extra tries of a server that cannot be reached, where there is no other one: where there is it is asked once a
    /// run. None: it is tried as often as one that fails otherwise.
    pub unreachable: Option<u32>,
    /// Bytes that are asked for at once before any rate is known.
    pub first: u64,
    /// How long a server may stay silent or useless while another one could be asked.
    pub patience: Duration,
}

impl Default for TransferLimits {
    fn default() -> Self {
        Self {
            global_bps: None,
            per_host_bps: None,
            connections_per_host: POLITE,
            connections_per_file: 32,
            connections: usize::MAX,
            hosts: 5,
            alone: Duration::ZERO,
            unreachable: None,
            first: FIRST,
            patience: Duration::from_secs(8),
        }
    }
}

impl TransferLimits {
    /// For a run that somebody waits for, most often a short one: the best server is enough where it is fast, and one
    /// that cannot be reached is not waited for.
    pub fn hasty() -> Self {
        Self {
            alone: ALONE,
            unreachable: Some(UNREACHABLE),
            first: FIRST_HASTY,
            ..Self::default()
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
pub struct TransferSummary {
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
