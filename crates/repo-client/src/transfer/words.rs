//! Which limit a transfer met, told from what was measured.

use std::fs;
use std::time::Duration;

use super::run::Run;
use super::wanted::{Event, LimitKind};

/// Of our own limit, this much in use means that it is what limits.
const OWN: f64 = 0.85;
/// Connections that keep this share of the first one's rate are limited one by one.
const EACH: f64 = 0.6;
/// Answers that wait so much longer under load stand in a queue.
const QUEUE: Duration = Duration::from_millis(20);
/// ... at low rates, so many packets longer: a few of them are on the line whoever limits it ...
const QUEUED_PACKETS: f64 = 8.0;
/// ... and so many times as long: a new connection alone makes it twice.
const QUEUED: f64 = 2.0;
/// A full packet, bytes.
const PACKET: f64 = 1500.0;
/// No queue is asked to be longer, in seconds.
const MAX_QUEUE: f64 = 60.0;
/// Packets out of order, per packet received, that mean loss.
const LOSS: f64 = 0.002;
/// Connections that together bring so many times what the first one did help.
const MORE: f64 = 1.3;
/// Received packets before that can be told.
const PACKETS: u64 = 50;
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

    /// Whether packets have been lost since then.
    pub(crate) fn is_lossy(&self) -> bool {
        self.loss() > LOSS
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
    pub(crate) fn name_limits(&mut self) {
        let lossy = self.evidence.is_lossy();
        let total: f64 = (0..self.hosts.len())
            .map(|at| self.probe.standing(at).rate)
            .sum();
        for at in 0..self.hosts.len() {
            let limit = self.limit_of(at, lossy, total);
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

    fn limit_of(&self, at: usize, lossy: bool, total: f64) -> LimitKind {
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
        // What limits can be told only where more than one connection was tried.
        if standing.rate <= 0.0 || standing.alone.is_none() || standing.tried < 2 {
            return LimitKind::Unknown;
        }
        let bps = standing.rate as u64;
        let connections = standing.measured;
        let each = bps / connections.max(1) as u64;
        if host.waiting_share() > WAITING && !host.is_multiplexed() {
            let answer = host.fastest.unwrap_or_default();
            return LimitKind::Latency {
                answer,
                connections,
            };
        }
        if !self.probe.has_settled() {
            return LimitKind::Unknown;
        }
        let (alone, loaded) = (host.fastest.unwrap_or_default(), host.answers_loaded());
        let packets = QUEUED_PACKETS * PACKET / standing.rate;
        let least = QUEUE.max(Duration::from_secs_f64(packets.min(MAX_QUEUE)));
        // A full line loses packets, too; but there more connections do not bring more.
        let more = standing
            .alone
            .is_some_and(|alone| standing.rate >= MORE * alone);
        if connections > 1 && lossy && more && !standing.fewer_did() {
            return LimitKind::Loss {
                bps: each,
                connections,
            };
        }
        if connections > 1 && standing.share() >= EACH {
            return LimitKind::PerConnection {
                bps: each,
                connections,
            };
        }
        if loaded.is_some_and(|loaded| loaded > alone.mul_f64(QUEUED) + least) {
            LimitKind::FullLink { bps }
        } else {
            LimitKind::PerClient { bps }
        }
    }
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
