//! How much may be asked of the network, which limit was met, and what a run did.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::LimitKind;

use crate::error::Error;

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
    /// Servers that may be in use at once.
    pub hosts: usize,
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
            hosts: 5,
            patience: Duration::from_secs(8),
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
