//! What a run did, for people and for `--json`.

use cli_kit::{Printer, TrafficSum, counted, iec_size, span, with_options};
use serde::Serialize;

use crate::error::{EXIT_DONE, EXIT_FAILED, EXIT_NOTHING_NEW, EXIT_PARTIAL, Error};
use crate::fetch::Transferred;
use crate::manifest::AdvisoryNote;
use crate::manifest::last_run::LastRun;
use crate::plan::SetChange;
use crate::publish::TargetReport;

/// Names of one kind that are printed of what has changed in a repository; JSON has all.
const MAX_SHOWN: usize = 20;

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
    /// Security advisories that the set before lacked; some of all.
    pub(crate) advisories: Vec<AdvisoryNote>,
    pub(crate) advisory_count: usize,
    /// Packages that clients see after the run.
    pub(crate) published_packages: usize,
    /// Their bytes, metadata included.
    pub(crate) published_bytes: u64,
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
    /// Nothing was published before.
    #[serde(skip)]
    pub(crate) is_first: bool,
    /// What became of it on other servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) targets: Vec<TargetReport>,
    /// Its error is damage, which its state remembers until it is mended.
    #[serde(skip)]
    pub(crate) is_damaged: bool,
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

impl RepoReport {
    /// Why places on other servers do not show it.
    fn behind(&self) -> impl Iterator<Item = &str> {
        let targets = self.targets.iter();
        targets.filter_map(|target| target.error.as_deref())
    }
}

/// All repositories of a run together.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Totals {
    pub(crate) repositories: usize,
    /// Packages that clients see after it, and their bytes.
    pub(crate) packages: usize,
    pub(crate) bytes: u64,
    /// What new sets brought, and what they lack.
    pub(crate) added: usize,
    pub(crate) removed: usize,
    pub(crate) advisories: usize,
}

/// A run.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RunReport {
    pub(crate) format: u32,
    /// When it began, seconds since 1970.
    pub(crate) started: u64,
    pub(crate) seconds: f64,
    pub(crate) exit_code: u8,
    /// What ended all of it, or kept what it did from being shown.
    pub(crate) error: Option<String>,
    pub(crate) bytes_received: u64,
    /// What came over the network, and from whom.
    pub(crate) fetched: Option<TrafficSum>,
    /// Requests sent for packages and metadata parts (the index not counted).
    pub(crate) requests: u64,
    /// What kept the transfer from being faster, in words.
    pub(crate) limit: Option<String>,
    pub(crate) totals: Totals,
    /// The repositories in the order of the configuration.
    pub(crate) repos: Vec<RepoReport>,
}

impl RunReport {
    /// A run that an error ended before any repository was looked at.
    pub(crate) fn failed(started: u64, error: &Error) -> Self {
        Self {
            format: 1,
            started,
            exit_code: error.exit_code(),
            error: Some(error.to_string()),
            ..Self::default()
        }
    }

    /// What is to be remembered of it where nothing else can be.
    pub(crate) fn last_run(&self) -> LastRun {
        let why = |repo: &RepoReport| Some((repo.id.clone(), repo.error.clone()?));
        let failed = self.repos.iter().filter(|repo| !repo.is_damaged);
        LastRun {
            started: self.started,
            exit_code: self.exit_code,
            is_aborted: self.error.is_some() && self.repos.is_empty(),
            error: self.error.clone(),
            failed: failed.filter_map(why).collect(),
        }
    }

    pub(crate) fn count(&mut self, done: &Transferred) {
        self.bytes_received += done.bytes;
        self.requests += done.requests;
        if done.limit.is_some() {
            self.limit.clone_from(&done.limit);
        }
    }

    /// The exit code that follows from the outcomes.
    pub(crate) fn judge(&mut self) -> u8 {
        let mut totals = Totals::default();
        for repo in &self.repos {
            totals.repositories += 1;
            totals.packages += repo.published_packages;
            totals.bytes += repo.published_bytes;
            if repo.outcome == RepoOutcome::New {
                totals.added += repo.change.added.len();
                totals.removed += repo.change.removed.len();
                totals.advisories += repo.advisory_count;
            }
        }
        self.totals = totals;
        let is = |outcome: RepoOutcome| move |repo: &RepoReport| repo.outcome == outcome;
        let bad =
            |repo: &&RepoReport| matches!(repo.outcome, RepoOutcome::Failed | RepoOutcome::Partial);
        let failures = self.repos.iter().filter(bad).count();
        let is_behind = self.repos.iter().any(|repo| repo.behind().next().is_some());
        self.exit_code = if failures == 0 && is_behind {
            EXIT_PARTIAL
        } else if failures == 0 {
            let has_sent = |repo: &RepoReport| repo.targets.iter().any(TargetReport::has_sent);
            let is_same = |repo: &RepoReport| is(RepoOutcome::NothingNew)(repo) && !has_sent(repo);
            let current = self.repos.iter().all(is_same);
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
            for why in repo.behind() {
                printer.err(&format!("Error: {}: {why}", repo.id));
            }
        }
        if let Some(error) = &self.error {
            printer.err(&format!("Error: {error}"));
        }
        if self.repos.is_empty() {
            printer.info(
                "nothing to fetch: the repositories of this mirror are filled by `mirror-sync bundle apply`, `mirror-sync serve` and `mirror-sync snapshot merge`",
            );
        }
        let is_plan = |repo: &RepoReport| repo.outcome == RepoOutcome::Planned;
        if !self.repos.is_empty() && !self.repos.iter().any(is_plan) {
            printer.info(&self.totals.line());
        }
        if let Some(sum) = &self.fetched {
            let limit = self.limit.as_deref();
            let limit = limit.map_or(String::new(), |limit| format!("; {limit}"));
            printer.info(&format!("{}{limit}", sum.line()));
        }
    }
}

impl Totals {
    fn line(&self) -> String {
        let word = match self.repositories {
            1 => "repository",
            _ => "repositories",
        };
        let security = match self.advisories {
            0 => String::new(),
            some => format!(", {}", advisories(some)),
        };
        format!(
            "total: {} {word}, {}, {}; {} new, {} gone{security}",
            self.repositories,
            counted(self.packages as u64, "package"),
            iec_size(self.bytes),
            self.added,
            self.removed
        )
    }
}

fn advisories(count: usize) -> String {
    match count {
        1 => "1 security advisory".to_owned(),
        some => format!("{some} security advisories"),
    }
}

/// Prints what a new set has changed: some names, and how many more there are.
fn print_changes(repo: &RepoReport, printer: &Printer) {
    let more = |count: usize, what: &str| {
        if count > MAX_SHOWN {
            printer.info(&format!("  and {} more {what}", count - MAX_SHOWN));
        }
    };
    for (sign, names, what) in [
        ("+", &repo.change.added, "new"),
        ("-", &repo.change.removed, "gone"),
    ] {
        for name in names.iter().take(MAX_SHOWN) {
            printer.info(&format!("  {sign} {name}"));
        }
        more(names.len(), what);
    }
    for advisory in repo.advisories.iter().take(MAX_SHOWN) {
        let severity = match advisory.severity.as_str() {
            "" => String::new(),
            severity => format!(" ({severity})"),
        };
        let text = format!("{}{severity} {}", advisory.id, advisory.title);
        printer.info(&format!("  security: {}", plain_line(&text)));
    }
    more(repo.advisory_count, "security advisories");
}

/// What upstream wrote, in one line without control characters.
fn plain_line(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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
            // On a first run everything is new.
            if !repo.is_first {
                print_changes(repo, printer);
            }
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
