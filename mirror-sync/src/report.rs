//! What a run did, for people and for `--json`.

use cli_kit::{Printer, TrafficSum, counted, iec_size, span, with_options};
use serde::Serialize;

use crate::error::{EXIT_DONE, EXIT_FAILED, EXIT_NOTHING_NEW, EXIT_PARTIAL, Error};
use crate::fetch::Transferred;
use crate::plan::SetChange;

/// How the work on one repository ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RepoOutcome {
    /// A new snapshot was published.
    New,
    /// What is published is current.
    NothingNew,
    /// Only told what would be done.
    Planned,
    /// Some files are missing; nothing was published.
    Partial,
    /// It failed; nothing was published.
    #[default]
    Failed,
}

impl RepoOutcome {
    /// The word for state files and metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            RepoOutcome::New => "new",
            RepoOutcome::NothingNew => "nothing-new",
            RepoOutcome::Planned => "planned",
            RepoOutcome::Partial => "partial",
            RepoOutcome::Failed => "failed",
        }
    }
}

/// One repository.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RepoReport {
    pub(crate) id: String,
    pub(crate) outcome: RepoOutcome,
    /// The snapshot that is published now.
    pub(crate) snapshot: Option<String>,
    /// A first snapshot with what was asked for first, published before the rest.
    #[serde(rename = "first_light")]
    pub(crate) first_part: Option<String>,
    pub(crate) change: SetChange,
    /// Seconds the transfer is expected to take at the rate measured last; none if never measured.
    pub(crate) expected_seconds: Option<u64>,
    pub(crate) error: Option<String>,
    /// Files that could not be taken, and why.
    pub(crate) failed: Vec<(String, String)>,
    /// Snapshots that went by the retention rule.
    pub(crate) expired: Vec<String>,
    /// Bytes received for deltas of metadata, their index included.
    pub(crate) delta_bytes: u64,
    /// Requests sent for them.
    #[serde(skip)]
    pub(crate) delta_requests: u64,
    /// Bytes of metadata that need not be received because of them.
    pub(crate) saved_bytes: u64,
    /// How the failure counts for the exit code.
    #[serde(skip)]
    pub(crate) code: u8,
}

impl RepoReport {
    pub(crate) fn fail(&mut self, error: &Error) {
        self.code = error.exit_code();
        self.outcome = if self.code == EXIT_PARTIAL {
            RepoOutcome::Partial
        } else {
            RepoOutcome::Failed
        };
        self.error = Some(error.about(&self.id));
    }
}

/// A run.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RunReport {
    pub(crate) format: u32,
    /// When it began, seconds since 1970.
    pub(crate) started: u64,
    pub(crate) seconds: f64,
    pub(crate) exit_code: u8,
    pub(crate) bytes_received: u64,
    /// What came over the network, and from whom.
    pub(crate) fetched: Option<TrafficSum>,
    /// Requests sent for packages and metadata parts (the index not counted).
    pub(crate) requests: u64,
    /// What kept the transfer from being faster, in words.
    pub(crate) limit: Option<String>,
    /// The repositories in the order of the configuration.
    pub(crate) repos: Vec<RepoReport>,
}

impl RunReport {
    pub(crate) fn count(&mut self, done: &Transferred) {
        self.bytes_received += done.bytes;
        self.requests += done.requests;
        if done.limit.is_some() {
            self.limit.clone_from(&done.limit);
        }
    }

    /// The exit code that follows from the outcomes.
    pub(crate) fn judge(&mut self) -> u8 {
        let is = |outcome: RepoOutcome| move |repo: &RepoReport| repo.outcome == outcome;
        let bad =
            |repo: &&RepoReport| matches!(repo.outcome, RepoOutcome::Failed | RepoOutcome::Partial);
        let failures = self.repos.iter().filter(bad).count();
        self.exit_code = if failures == 0 {
            let current = self.repos.iter().all(is(RepoOutcome::NothingNew));
            if current && !self.repos.is_empty() {
                EXIT_NOTHING_NEW
            } else {
                EXIT_DONE
            }
        } else if failures < self.repos.len() || self.repos.iter().any(is(RepoOutcome::Partial)) {
            EXIT_PARTIAL
        } else {
            EXIT_FAILED
        };
        self.exit_code
    }

    /// Prints it; `options` are repeated in hints.
    pub(crate) fn print(&self, printer: &Printer, options: &str) {
        printer.json(self);
        for repo in &self.repos {
            print_repo(repo, printer);
            if let Some(error) = &repo.error {
                let error = with_options("mirror-sync", error, options);
                printer.err(&format!("Error: {error}"));
            }
        }
        if self.repos.is_empty() {
            printer.info(
                "nothing to fetch: the repositories of this mirror are filled by `mirror-sync bundle apply` and `mirror-sync serve`",
            );
        }
        if let Some(sum) = &self.fetched {
            let limit = self.limit.as_deref();
            let limit = limit.map_or(String::new(), |limit| format!("; {limit}"));
            printer.info(&format!("{}{limit}", sum.line()));
        }
    }
}

fn print_repo(repo: &RepoReport, printer: &Printer) {
    let change = &repo.change;
    let snapshot = repo.snapshot.as_deref().unwrap_or("-");
    let counts = format!(
        "{}, {}; {} new, {} gone",
        counted(change.packages as u64, "package"),
        iec_size(change.bytes),
        change.added.len(),
        change.removed.len()
    );
    match repo.outcome {
        RepoOutcome::New => {
            printer.info(&format!("{}: published {snapshot}: {counts}", repo.id));
            if repo.saved_bytes > 0 {
                printer.info(&format!(
                    "{}: {} of metadata came as deltas of {}",
                    repo.id,
                    iec_size(repo.saved_bytes + repo.delta_bytes),
                    iec_size(repo.delta_bytes)
                ));
            }
        }
        RepoOutcome::NothingNew => {
            printer.info(&format!("{}: nothing new, {snapshot} is current", repo.id))
        }
        RepoOutcome::Planned => {
            let time = repo.expected_seconds.map_or_else(
                || "time unknown: nothing was measured yet".to_owned(),
                |seconds| format!("about {} at the last measured rate", span(seconds)),
            );
            printer.crit(&format!(
                "{}: {counts}; {}, {} to fetch, {time}",
                repo.id,
                counted(change.to_fetch as u64, "file"),
                iec_size(change.to_fetch_bytes),
            ));
            for name in &change.added {
                printer.info(&format!("  + {name}"));
            }
            for name in &change.removed {
                printer.info(&format!("  - {name}"));
            }
        }
        RepoOutcome::Partial | RepoOutcome::Failed => {}
    }
    for (what, why) in &repo.failed {
        printer.err(&format!("{}: {what}: {why}", repo.id));
    }
}
