//! The status in the text format of Prometheus (exposition format 0.0.4).

use std::fmt::Write;

use super::{RepoStatus, Status};

/// One number of a repository.
type Gauge = (&'static str, &'static str, fn(&RepoStatus) -> u64);

const GAUGES: [Gauge; 9] = [
    (
        "last_try_timestamp_seconds",
        "When a run last tried.",
        |r| r.last_try,
    ),
    (
        "last_success_timestamp_seconds",
        "When the mirror was last known to be what upstream has.",
        |r| r.last_success,
    ),
    ("up", "Whether the last run ended well.", |r| {
        u64::from(r.is_well())
    }),
    (
        "upstream_timestamp_seconds",
        "Upstream's time of what is published.",
        |r| r.upstream_time,
    ),
    ("packages", "Packages published.", |r| r.packages as u64),
    ("published_bytes", "Bytes published.", |r| r.bytes),
    (
        "transfer_bytes_per_second",
        "Rate of the last transfer.",
        |r| r.rate,
    ),
    (
        "rolled_back",
        "Whether an older snapshot is held than was published before.",
        |r| u64::from(r.rolled_back_from.is_some()),
    ),
    ("snapshots", "Snapshots kept.", |r| r.snapshots.len() as u64),
];

pub(crate) fn metrics(status: &Status) -> String {
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, lines: Vec<(String, u64)>| {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "# HELP mirror_sync_{name} {help}");
        let _ = writeln!(out, "# TYPE mirror_sync_{name} gauge");
        for (labels, value) in lines {
            let _ = writeln!(out, "mirror_sync_{name}{labels} {value}");
        }
    };
    for (name, help, value) in GAUGES {
        let line = |repo: &RepoStatus| (format!("{{repo=\"{}\"}}", repo.id), value(repo));
        gauge(name, help, status.repos.iter().map(line).collect());
    }
    gauge(
        "disk_free_bytes",
        "Bytes free for the mirror.",
        vec![(String::new(), status.disk_free)],
    );
    out
}
