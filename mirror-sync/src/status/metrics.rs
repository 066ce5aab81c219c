//! The status in the text format of Prometheus (exposition format 0.0.4).

use std::fmt::Write;

use super::state::State;
use super::{RepoStatus, Status};

/// One number of a repository: its name, what it is, and how to get it; where there is none there is no line.
type Gauge = (&'static str, &'static str, fn(&RepoStatus) -> Option<u64>);

/// A time, where there was one.
fn time(seconds: u64) -> Option<u64> {
    (seconds > 0).then_some(seconds)
}

const GAUGES: [Gauge; 13] = [
    ("up", "Whether the last run ended well.", |r| {
        Some(u64::from(r.is_well()))
    }),
    (
        "last_try_timestamp_seconds",
        "When a run last tried.",
        |r| Some(r.last_try),
    ),
    (
        "last_success_timestamp_seconds",
        "When the mirror was last known to be what upstream has.",
        |r| Some(r.last_success),
    ),
    (
        "upstream_timestamp_seconds",
        "Upstream's time of what is published.",
        |r| Some(r.upstream_time),
    ),
    (
        "try_age_seconds",
        "Seconds since a run last tried, when this was written.",
        |r| r.try_age_seconds,
    ),
    (
        "success_age_seconds",
        "Seconds since the mirror was last known to be what upstream has, when this was written.",
        |r| r.lag_seconds,
    ),
    (
        "upstream_age_seconds",
        "Seconds since upstream's time of what is published, when this was written.",
        |r| r.upstream_age_seconds,
    ),
    (
        "state_since_timestamp_seconds",
        "Since when the repository is held, behind or failed.",
        |r| r.state_since.and_then(time),
    ),
    ("packages", "Packages published.", |r| {
        Some(r.packages as u64)
    }),
    ("published_bytes", "Bytes published.", |r| Some(r.bytes)),
    (
        "transfer_bytes_per_second",
        "Rate of the last transfer.",
        |r| Some(r.rate),
    ),
    (
        "rolled_back",
        "Whether an older snapshot is held than was published before.",
        |r| Some(u64::from(r.rolled_back_from.is_some())),
    ),
    ("snapshots", "Snapshots kept.", |r| {
        Some(r.snapshots.len() as u64)
    }),
];

pub(crate) fn metrics(status: &Status) -> String {
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, lines: &mut dyn Iterator<Item = (String, u64)>| {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "# HELP mirror_sync_{name} {help}");
        let _ = writeln!(out, "# TYPE mirror_sync_{name} gauge");
        for (labels, value) in lines {
            let _ = writeln!(out, "mirror_sync_{name}{labels} {value}");
        }
    };
    let repos = || status.repos.iter();
    for (name, help, value) in GAUGES {
        let line = |repo: &RepoStatus| Some((labels(&[("repo", &repo.id)]), value(repo)?));
        gauge(name, help, &mut repos().filter_map(line));
    }
    let states = repos().flat_map(|repo| State::ALL.map(|state| (repo, state)));
    let mut states = states.map(|(repo, state)| {
        let labels = labels(&[("repo", &repo.id), ("state", state.word())]);
        (labels, u64::from(repo.state == state))
    });
    gauge(
        "state",
        "What the repository is to its clients: 1 for the state that it has.",
        &mut states,
    );
    let servers = repos().flat_map(|repo| {
        repo.failing_servers
            .iter()
            .map(move |server| (repo, server))
    });
    let mut servers = servers.map(|(repo, server)| {
        let labels = labels(&[("repo", &repo.id), ("server", &server.url)]);
        (labels, server.seconds)
    });
    gauge(
        "server_failing_seconds",
        "Seconds since a server of the repository fails, where one does.",
        &mut servers,
    );
    let warnings = |repo: &RepoStatus| (labels(&[("repo", &repo.id)]), repo.warnings.len() as u64);
    gauge(
        "warnings",
        "What should be known of the repository though nothing has failed.",
        &mut repos().map(warnings),
    );
    let places = || {
        repos().flat_map(|repo| {
            repo.targets
                .iter()
                .map(move |(name, one)| (repo, name, one))
        })
    };
    let of = |repo: &RepoStatus, name: &str| labels(&[("repo", &repo.id), ("target", name)]);
    gauge(
        "target_up",
        "Whether a place on another server shows what the mirror shows.",
        &mut places().map(|(repo, name, one)| (of(repo, name), u64::from(repo.is_shown_at(one)))),
    );
    gauge(
        "target_success_timestamp_seconds",
        "When it last did.",
        &mut places().filter_map(|(repo, name, one)| Some((of(repo, name), time(one.at)?))),
    );
    let mut alone = |name: &str, help: &str, value: u64| {
        gauge(name, help, &mut std::iter::once((String::new(), value)));
    };
    alone(
        "healthy",
        "Whether the last runs of all repositories ended well.",
        u64::from(status.healthy),
    );
    alone(
        "disk_free_bytes",
        "Bytes free for the mirror.",
        status.disk_free,
    );
    out
}

/// Labels in braces; what they say is escaped as the format wants it.
fn labels(pairs: &[(&str, &str)]) -> String {
    let plain = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        text.replace('\n', "\\n")
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", plain(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_hold_whatever_they_name() {
        assert_eq!(
            labels(&[("a", "x\"y\\\n"), ("b", "")]),
            r#"{a="x\"y\\\n",b=""}"#
        );
    }
}
