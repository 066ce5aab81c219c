//! Repositories whose metadata could not be had: what is said of them, and which may be left out.

use repo_client::Error;
use rpm_repo::config::RepoConfig;
use serde::Serialize;

use super::{Session, plugins};
use crate::error::{Code, Failure, Outcome};
use crate::screen::{JsonShape, View};

/// One of them, for the JSON document.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UnreadRepo {
    repo: String,
    number: u32,
    why: String,
}

struct UnreadRepos<'a>(&'a [&'a UnreadRepo]);

impl View for UnreadRepos<'_> {
    const FIELD: &'static str = "UnreadRepos";
    const SINCE: JsonShape = JsonShape::Document;

    fn json(&self) -> impl Serialize {
        self.0
    }
}

impl Session<'_> {
    /// Says that a repository cannot be had; an error unless the repository may be skipped.
    pub(super) fn unavailable(&self, config: &RepoConfig, error: Error) -> Outcome<()> {
        if error.is_of_our_disk() {
            // No server is at fault: the other repositories meet the same.
            let failure = Failure::from(error);
            return Err(failure.detail(not_synchronized(config)));
        }
        let no_url = matches!(error, Error::NoUrl { .. });
        let of_plugins = plugins::lines_about(config, &error);
        let mut failure = Failure::from(error);
        failure.details.extend(of_plugins);
        if no_url {
            let name = &config.name;
            failure = failure.detail(format!(
                "Error: Cannot find a valid base URL for repo: {name}"
            ));
        }
        self.left_out(config, failure)
    }

    /// Says why a repository is not used; an error unless it may be skipped.
    pub(super) fn left_out(&self, config: &RepoConfig, failure: Failure) -> Outcome<()> {
        let why = failure.details.first().map_or("", String::as_str);
        self.note_unread(config, failure.code, why);
        let failure = failure.detail(not_synchronized(config));
        if !config.skip_if_unavailable || failure.code == Code::ACCESS_DENIED {
            let is_on = |other: &RepoConfig| other.enabled && other.id != config.id;
            if !self.repos()?.iter().any(is_on) {
                // Without it no repository would be on.
                return Err(failure);
            }
            let id = &config.id;
            let command = self.args.repeated().again(&format!("--disablerepo={id}"));
            return Err(failure.hint(format!(
                "{command} goes on without it, as with skip_if_unavailable=1 in {}",
                config.source
            )));
        }
        for line in &failure.details {
            let what = line.trim_start_matches("Error: ");
            self.printer.err(&format!("warning: {what}"));
        }
        let line = format!("Disabling Repo: '{}'", config.name);
        self.printer.info(&line);
        self.left_out.borrow_mut().insert(config.id.clone());
        Ok(())
    }

    /// Notes that the metadata of a repository could not be had, for the JSON document.
    pub(super) fn note_unread(&self, config: &RepoConfig, code: Code, why: &str) {
        let mut unread = self.unread.borrow_mut();
        unread.entry(config.id.clone()).or_insert(UnreadRepo {
            repo: config.id.clone(),
            number: code.0,
            why: why.trim_start_matches("Error: ").to_owned(),
        });
        let all: Vec<&UnreadRepo> = unread.values().collect();
        self.printer.show(&UnreadRepos(&all));
    }

    /// Of the repositories that are on nothing is left: where they could not be read, that is said, once.
    pub(super) fn tell_none_read(&self) {
        let unread = self.left_out_repos().join(", ");
        self.none_read.set(!unread.is_empty());
        if !unread.is_empty() {
            self.warn_once(&format!(
                "warning: none of the repositories could be read ({unread}): nothing is known of what they have"
            ));
        }
    }

    /// The repositories that this run does without because they could not be read.
    pub fn left_out_repos(&self) -> Vec<String> {
        self.left_out.borrow().iter().cloned().collect()
    }
}

fn not_synchronized(config: &RepoConfig) -> String {
    format!(
        "Error: Failed to synchronize cache for repo '{}'",
        config.name
    )
}
