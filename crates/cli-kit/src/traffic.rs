//! What a command has received over the network.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::size::{iec_rate, iec_size};

/// Sums up the transfers of one command; clones share the sum.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Mutex<Sum>>);

#[derive(Debug, Default)]
struct Sum {
    /// Bytes by server (`host` or `host:port`).
    servers: BTreeMap<String, u64>,
    /// Since when something is transferred.
    since: Option<Instant>,
    /// How long some transfer went on, without the pauses between them.
    spent: Duration,
}

/// The sum of a command's transfers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TrafficSum {
    /// Bytes received, those that were thrown away included.
    pub bytes: u64,
    /// Seconds in which something was transferred.
    pub seconds: f64,
    /// Bytes per second.
    pub bytes_per_second: u64,
    /// Bytes by server (`host` or `host:port`).
    pub servers: BTreeMap<String, u64>,
}

impl Traffic {
    /// A run of transfers begins, or has got more to do.
    pub fn begin(&self) {
        self.lock().since.get_or_insert_with(Instant::now);
    }

    /// The run has ended, and these servers gave so many bytes.
    pub fn end(&self, servers: impl IntoIterator<Item = (String, u64)>) {
        let mut sum = self.lock();
        for (server, bytes) in servers {
            let all = sum.servers.entry(server).or_default();
            *all = all.saturating_add(bytes);
        }
        if let Some(since) = sum.since.take() {
            sum.spent += since.elapsed();
        }
    }

    /// The sum so far; none if nothing came.
    pub fn sum(&self) -> Option<TrafficSum> {
        let sum = self.lock();
        let bytes = sum.servers.values().copied().fold(0, u64::saturating_add);
        let seconds = sum.spent.as_secs_f64();
        (bytes > 0).then(|| TrafficSum {
            bytes,
            seconds,
            bytes_per_second: (bytes as f64 / seconds.max(0.001)) as u64,
            servers: sum.servers.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Sum> {
        // A panic elsewhere leaves at worst a number that is too small.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TrafficSum {
    /// The line that tells it: `Fetched 34.0 MiB in 53.2 s (654.4 KiB/s) from a.example, b.example`.
    pub fn line(&self) -> String {
        let names: Vec<&str> = self.servers.keys().map(String::as_str).collect();
        format!(
            "Fetched {} in {:.1} s ({}) from {}",
            iec_size(self.bytes),
            self.seconds,
            iec_rate(self.bytes_per_second),
            names.join(", ")
        )
    }
}
