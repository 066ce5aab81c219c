//! Whether packets are lost on the way: the kernel counts them.

use std::fs;

use super::tuning::limit::{LOSS, PACKETS};

/// What the kernel counts: packets received, and those that came out of order because one before
/// them was lost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Loss {
    received: u64,
    out_of_order: u64,
}

impl Loss {
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
        self.share() > LOSS
    }

    /// Share of packets out of order since then.
    fn share(&self) -> f64 {
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
