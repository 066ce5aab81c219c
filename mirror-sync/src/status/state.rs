//! What a repository is to its clients, apart from how the last run ended.

use std::collections::BTreeMap;

use serde::Serialize;

use super::RepoStatus;
use crate::config::RepoMode;
use crate::manifest::minute;

/// What a repository is to its clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Nothing is there yet, and nobody has tried.
    #[default]
    NothingYet,
    /// What upstream had when it was asked last.
    UpToDate,
    /// An older snapshot, until upstream has something newer or somebody ends that.
    Held,
    /// Upstream is known to have something that is not here.
    Behind,
    /// Nobody knows what upstream has, or nothing can be kept.
    Failed,
    /// Filled as clients ask.
    OnDemand,
    /// What the last bundle brought.
    Bundle,
}

impl State {
    /// All of them, for metrics.
    pub(crate) const ALL: [State; 7] = [
        State::NothingYet,
        State::UpToDate,
        State::Held,
        State::Behind,
        State::Failed,
        State::OnDemand,
        State::Bundle,
    ];

    /// The word for JSON and metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            State::NothingYet => "nothing-yet",
            State::UpToDate => "up-to-date",
            State::Held => "held",
            State::Behind => "behind",
            State::Failed => "failed",
            State::OnDemand => "on-demand",
            State::Bundle => "bundle",
        }
    }

    /// The words for people.
    pub(crate) fn words(self, since: Option<u64>) -> String {
        let with = |words: &str| match since {
            Some(since) => format!("{words} since {}", minute(since)),
            None => words.to_owned(),
        };
        match self {
            State::NothingYet => "nothing yet".to_owned(),
            State::UpToDate => "up to date".to_owned(),
            State::Held => with("held"),
            State::Behind => with("behind"),
            State::Failed => with("failed"),
            State::OnDemand => "proxy, on demand".to_owned(),
            State::Bundle => match since {
                Some(since) => format!("bundle of {}", minute(since)),
                None => "bundle".to_owned(),
            },
        }
    }
}

/// What decides the state besides what [`RepoStatus`] has.
#[derive(Default)]
pub(super) struct Facts {
    /// Since when runs fail; 0 if the last one did not.
    pub(super) failed_since: u64,
    /// Since when upstream is known to have something else; 0 if it is not.
    pub(super) behind_since: u64,
    /// When what clients see was published; 0 if nothing was.
    pub(super) shown_since: u64,
    /// When each channel came to what it shows.
    pub(super) published: BTreeMap<String, u64>,
}

/// The state, and since when.
pub(super) fn of(repo: &RepoStatus, facts: &Facts) -> (State, Option<u64>) {
    let time = |seconds: u64| (seconds > 0).then_some(seconds);
    let has_failed = matches!(repo.outcome.as_str(), "failed" | "partial");
    let is_shown = repo.snapshot.is_some();
    if is_shown && repo.rolled_back_from.is_some() {
        (State::Held, time(facts.shown_since))
    } else if is_shown && facts.behind_since > 0 {
        (State::Behind, time(facts.behind_since))
    } else if has_failed {
        (State::Failed, time(facts.failed_since))
    } else {
        match (repo.mode, is_shown) {
            (RepoMode::Proxy, _) => (State::OnDemand, None),
            (_, false) => (State::NothingYet, None),
            (RepoMode::Bundle, true) => (State::Bundle, time(facts.shown_since)),
            (RepoMode::Mirror | RepoMode::Merge, true) => (State::UpToDate, None),
        }
    }
}
