//! Which limit a transfer met, told from what was measured.

use std::fs;
use std::time::{Duration, Instant};

use super::file::Stream;
use super::run::Run;
use super::wanted::{Event, LimitKind};

/// Of our own limit, this much in use means that it is what limits.
const OWN: f64 = 0.85;
/// Connections that keep this share of the first one's rate are limited one by one.
const EACH: f64 = 0.6;
/// Answers that wait so much longer under load stand in a queue.
const QUEUE: Duration = Duration::from_millis(20);
/// Packets out of order, per packet received, that mean loss.
const LOSS: f64 = 0.002;
/// Received packets before that can be told.
const PACKETS: u64 = 200;
/// Share of time spent waiting for answers that means that nothing else matters.
const WAITING: f64 = 0.5;

/// What the kernel counts: packets received, and those that came out of order because one before
/// them was lost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Evidence {
    received: u64,
    out_of_order: u64,
}

impl Evidence {
    /// The counters now.
    pub(crate) fn begin() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            received: counter(&read("/proc/net/snmp"), "Tcp:", "InSegs"),
            out_of_order: counter(&read("/proc/net/netstat"), "TcpExt:", "TCPOFOQueue"),
        }
    }

    /// Share of packets out of order since then.
    fn loss(&self) -> f64 {
        let now = Self::begin();
        let received = now.received.saturating_sub(self.received);
        if received < PACKETS {
            return 0.0;
        }
        now.out_of_order.saturating_sub(self.out_of_order) as f64 / received as f64
    }
}

/// A counter of the kernel's two-line tables: names, then values.
fn counter(table: &str, group: &str, name: &str) -> u64 {
    let mut lines = table.lines().filter_map(|line| line.strip_prefix(group));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return 0;
    };
    let pairs = names.split_whitespace().zip(values.split_whitespace());
    let found = pairs
        .filter(|(key, _)| *key == name)
        .find_map(|(_, value)| value.parse().ok());
    found.unwrap_or(0)
}

impl Run<'_> {
    /// Says of each server what limits it.
    pub(crate) fn name_limits(&mut self, now: Instant) {
        let loss = self.evidence.loss();
        let total: f64 = (0..self.hosts.len())
            .map(|at| self.probe.standing(at).rate)
            .sum();
        for at in 0..self.hosts.len() {
            let limit = self.limit_of(at, loss, total, now);
            let Some(host) = self.hosts.get_mut(at) else {
                continue;
            };
            if limit != LimitKind::Unknown && limit != host.limit {
                host.limit = limit;
                let name = host.name.as_str();
                self.observer.event(&Event::Limit { host: name, limit });
            }
        }
    }

    /// Whether the configured limit over everything is what limits.
    pub(crate) fn own_limit_reached(&self) -> bool {
        let total: f64 = (0..self.hosts.len())
            .map(|at| self.probe.standing(at).rate)
            .sum();
        let global = self.limits.global_bps;
        global.is_some_and(|own| total >= OWN * own as f64)
    }

    fn limit_of(&mut self, at: usize, loss: f64, total: f64, now: Instant) -> LimitKind {
        let standing = self.probe.standing(at);
        let Some(host) = self.hosts.get(at).filter(|host| host.bytes > 0) else {
            return LimitKind::Unknown;
        };
        let near = |own: Option<u64>, rate: f64| own.filter(|own| rate >= OWN * *own as f64);
        if let Some(bps) =
            near(self.limits.global_bps, total).or(near(self.limits.per_host_bps, standing.rate))
        {
            return LimitKind::Own { bps };
        }
        if standing.rate <= 0.0 || standing.alone.is_none() {
            return LimitKind::Unknown;
        }
        let bps = standing.rate as u64;
        let connections = standing.target;
        let each = bps / connections.max(1) as u64;
        if loss > LOSS {
            return LimitKind::Loss {
                bps: each,
                connections,
            };
        }
        if host.waiting_share() > WAITING {
            let answer = host.waited_first.unwrap_or_default();
            return LimitKind::Latency {
                answer,
                connections,
            };
        }
        let streams = self.streams.values_mut().filter(|s| s.host == at);
        let rates: Vec<f64> = streams.filter_map(|s: &mut Stream| s.rate(now)).collect();
        if connections > 1 && standing.share() >= EACH && !uneven(&rates) {
            return LimitKind::PerConnection {
                bps: each,
                connections,
            };
        }
        let before = host.waited_first.unwrap_or_default();
        let queue = host.waited_last > before.mul_f64(1.5) + QUEUE;
        match (queue, connections) {
            (false, 1) => LimitKind::PerClient { bps },
            _ => LimitKind::FullLink { bps },
        }
    }
}

/// Whether the rates differ as they do when packets are lost.
fn uneven(rates: &[f64]) -> bool {
    let n = rates.len() as f64;
    if rates.len() < 3 {
        return false;
    }
    let mean = rates.iter().sum::<f64>() / n;
    let spread = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / n;
    spread.sqrt() > 0.6 * mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let table = "Tcp: A InSegs B\nTcp: 1 42 3\nUdp: InSegs\nUdp: 7\n";
        assert_eq!(counter(table, "Tcp:", "InSegs"), 42);
        assert_eq!(counter(table, "Tcp:", "Other"), 0);
        assert_eq!(counter("", "Tcp:", "InSegs"), 0);
        let here = std::fs::read_to_string("/proc/net/netstat").unwrap();
        assert!(here.contains("TCPOFOQueue"), "the kernel counts it");
    }
}
