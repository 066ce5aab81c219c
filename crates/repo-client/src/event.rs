//! What happens during a refresh or a fetch, told as it happens.

use std::time::Duration;

use tracing::{debug, info, trace, warn};

/// Receives events. Called from the thread that called into this crate, never for long: a slow
/// observer slows the transfer. Every URL in an event is already redacted.
pub trait Observer: Send + Sync {
    /// One thing happened.
    fn event(&self, event: Event<'_>);
}

/// An observer that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: Event<'_>) {}
}

/// Logs what happens and passes it on.
pub(crate) struct Logged<'a>(pub(crate) &'a dyn Observer);

impl Observer for Logged<'_> {
    fn event(&self, event: Event<'_>) {
        log(&event);
        self.0.event(event);
    }
}

fn log(event: &Event<'_>) {
    match *event {
        // Told where the servers are chosen, with more about them.
        Event::RepoAsked { .. } | Event::Finished { .. } => {}
        Event::Progress { id, bytes } => trace!(id, bytes, "progress"),
        Event::Started {
            id,
            label,
            total,
            resumed,
        } => debug!(id, label, total, resumed, "transfer begins"),
        Event::Failed { id } => debug!(id, "transfer given up"),
        Event::RunBegun {
            files,
            bytes,
            unsized_files,
        } => debug!(files, bytes, unsized_files, "files to fetch"),
        Event::RunEnded { servers } => debug!(?servers, "bytes received"),
        Event::Retry {
            id,
            label,
            attempt,
            limit,
            delay_ms,
        } => info!(id, label, attempt, limit, delay_ms, "retry"),
        Event::MirrorFailed {
            id,
            label,
            url,
            cause,
            next,
        } => info!(id, label, url, %cause, next, "mirror failed"),
        Event::Limit { host, limit } => info!(host, ?limit, "limit"),
        Event::RepoFailed { repo, why } => warn!(repo, why, "no metadata"),
        Event::OldCacheUsed { repo, why } => warn!(repo, why, "old metadata are used"),
        Event::OlderMetadata {
            repo,
            seen,
            offered,
        } => warn!(repo, seen, offered, "older metadata are offered"),
        Event::ChangedMetadata { repo } => warn!(repo, "another index of the same age is offered"),
        Event::UnverifiedTls { repo } => warn!(repo, "certificates are not checked"),
        Event::PartMisplaced { repo, kind, href } => {
            warn!(repo, kind, href, "a part outside repodata/ is left out");
        }
        Event::Waiting { repo } => info!(repo, "waiting for the lock of the cache"),
    }
}

/// One event. `id` names a transfer; it is unique for the life of the [`crate::Client`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The servers of a repository are about to be asked for its index.
    RepoAsked {
        /// Repository id.
        repo: &'a str,
    },
    /// A run of the engine begins, or has got more to do: so much is to be there when it has ended besides what was told
    /// of before, what an earlier run left on disk included. Runs of one observer follow each other.
    RunBegun {
        /// Files.
        files: usize,
        /// Their sizes together, as far as they are known.
        bytes: u64,
        /// Files whose size is not known.
        unsized_files: usize,
    },
    /// A run of the engine has ended, well or badly.
    RunEnded {
        /// Bytes received from each server (`scheme://host:port`) that gave some, those that were thrown away included;
        /// local files (`file:`) are none.
        servers: &'a [(&'a str, u64)],
    },
    /// A transfer begins. `total` in bytes if known; `resumed` bytes are already on disk.
    Started {
        /// Transfer.
        id: u64,
        /// What is fetched, in the caller's words.
        label: &'a str,
        /// Expected size in bytes.
        total: Option<u64>,
        /// Bytes kept from an earlier run.
        resumed: u64,
    },
    /// The transfer now stands at `bytes` of its file (it may go back after a clean restart).
    Progress {
        /// Transfer.
        id: u64,
        /// Bytes of the file on disk.
        bytes: u64,
    },
    /// The transfer ended well.
    Finished {
        /// Transfer.
        id: u64,
        /// Final size in bytes.
        bytes: u64,
    },
    /// The transfer was given up; the error comes with the result.
    Failed {
        /// Transfer.
        id: u64,
    },
    /// All mirrors failed for a passing reason ([`Event::MirrorFailed`] came before); the next round starts after `delay_ms`.
    Retry {
        /// Transfer.
        id: u64,
        /// What is fetched.
        label: &'a str,
        /// Number of the coming round, from 1.
        attempt: u32,
        /// Rounds allowed.
        limit: u32,
        /// Pause before it, in milliseconds.
        delay_ms: u64,
    },
    /// One mirror failed for this file.
    MirrorFailed {
        /// Transfer.
        id: u64,
        /// What is fetched.
        label: &'a str,
        /// Redacted URL.
        url: &'a str,
        /// Why.
        cause: &'a crate::Cause,
        /// Another server (`scheme://host:port`) that goes on with it, if one is left in this round.
        next: Option<&'a str>,
    },
    /// What limits a server was found, or has changed.
    Limit {
        /// Server (`scheme://host:port`).
        host: &'a str,
        /// In words: [`LimitKind::words`].
        limit: LimitKind,
    },
    /// A repository could not be refreshed; the error comes with the result.
    RepoFailed {
        /// Repository id.
        repo: &'a str,
        /// Why, one line.
        why: &'a str,
    },
    /// A repository could not be refreshed and its last good metadata is used instead.
    OldCacheUsed {
        /// Repository id.
        repo: &'a str,
        /// Why, one line.
        why: &'a str,
    },
    /// A part is left out: its location in repomd.xml is none of metadata.
    PartMisplaced {
        /// Repository id.
        repo: &'a str,
        /// What repomd.xml calls it.
        kind: &'a str,
        /// Its location.
        href: &'a str,
    },
    /// A repository offers unsigned metadata older than what was seen before.
    OlderMetadata {
        /// Repository id.
        repo: &'a str,
        /// Timestamp seen before, seconds since 1970.
        seen: u64,
        /// Timestamp offered, seconds since 1970.
        offered: u64,
    },
    /// A repository offers another signed index of the same timestamp and revision as the one in the cache.
    ChangedMetadata {
        /// Repository id.
        repo: &'a str,
    },
    /// Server certificates of a repository are not checked (`sslverify=0`).
    UnverifiedTls {
        /// Repository id.
        repo: &'a str,
    },
    /// Another process refreshes the same cache; this one waits for it.
    Waiting {
        /// Repository id.
        repo: &'a str,
    },
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

impl LimitKind {
    /// What limits, in words; `rate` writes bytes per second.
    #[must_use]
    pub fn words(&self, rate: impl Fn(u64) -> String) -> String {
        let many = |n: usize| if n == 1 { "connection" } else { "connections" };
        match *self {
            Self::Unknown => "no limit found".to_owned(),
            Self::PerConnection { bps, connections } => format!(
                "upstream gives {} per connection; {connections} {} in use",
                rate(bps),
                many(connections)
            ),
            Self::PerClient { bps } => format!(
                "no more than {} comes, however many connections there are: upstream's limit for \
                 one client, or a full line",
                rate(bps)
            ),
            Self::FullLink { bps } => format!("the line is full at {}", rate(bps)),
            Self::Loss { bps, connections } => format!(
                "packets are lost on the way: {} per connection on average; {connections} {} in use",
                rate(bps),
                many(connections)
            ),
            Self::Latency {
                answer,
                connections,
            } => format!(
                "each small file waits {} ms for its answer; {connections} {} in use",
                answer.as_millis().max(1),
                many(connections)
            ),
            Self::Own { bps } => format!("the configured limit of {} is reached", rate(bps)),
        }
    }

    /// Whether it is worth a line in any run, and not in the log alone.
    #[must_use]
    pub fn is_told(&self) -> bool {
        !matches!(self, Self::Latency { .. })
    }

    /// What is the same while only the numbers change: that is said once.
    #[must_use]
    pub fn kind(&self) -> String {
        crate::error::variant(self)
    }
}
