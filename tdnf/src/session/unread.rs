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
    /// Says that a repository cannot be had; if it may not be skipped, why not ([`Session::stopped_by`]).
    ///
    /// Errors: what ends the run whatever other repositories there are.
    pub(super) fn unavailable(
        &self,
        config: &RepoConfig,
        error: Error,
    ) -> Outcome<Option<Failure>> {
        if error.is_of_our_disk() {
            // No server is at fault: the other repositories meet the same.
            let failure = Failure::from(error);
            return Err(failure.detail(not_synchronized(config)));
        }
        let no_url = matches!(error, Error::NoUrl { .. });
        let login = refused_login(config, &error);
        let of_plugins = plugins::lines_about(config, &error);
        let mut failure = Failure::from(error);
        failure.details.extend(of_plugins);
        if let Some(hint) = login {
            failure.hints = vec![hint];
        }
        if no_url {
            let name = &config.name;
            failure = failure.detail(format!(
                "Error: Cannot find a valid base URL for repo: {name}"
            ));
        }
        Ok(self.skipped(config, failure))
    }

    /// Says why a repository is not used; an error unless it may be skipped.
    pub(super) fn left_out(&self, config: &RepoConfig, failure: Failure) -> Outcome<()> {
        let stopped = self.skipped(config, failure);
        self.stopped_by(stopped.map(|failure| (config.clone(), failure)))
    }

    /// Ends the run, if there are repositories that cannot be had and may not be skipped.
    pub(super) fn stopped_by(
        &self,
        stopped: impl IntoIterator<Item = (RepoConfig, Failure)>,
    ) -> Outcome<()> {
        let (configs, failures): (Vec<RepoConfig>, Vec<Failure>) = stopped.into_iter().unzip();
        let mut failures = failures.into_iter();
        let Some(mut whole) = failures.next() else {
            return Ok(());
        };
        for failure in failures {
            whole.details.extend(failure.details);
            let news = failure.hints.into_iter();
            let news: Vec<_> = news.filter(|hint| !whole.hints.contains(hint)).collect();
            whole.hints.extend(news);
        }
        let ids: Vec<&str> = configs.iter().map(|config| config.id.as_str()).collect();
        let is_on = |other: &RepoConfig| other.enabled && !ids.contains(&other.id.as_str());
        if !self.repos()?.iter().any(is_on) {
            // Without them no repository would be on.
            return Err(whole);
        }
        let option = format!("--disablerepo={}", ids.join(","));
        let command = self.args.repeated().again(&option);
        let them = if ids.len() == 1 { "it" } else { "them" };
        let mut places: Vec<String> = configs.iter().map(|one| one.source.to_string()).collect();
        places.dedup();
        Err(whole.hint(format!(
            "{command} goes on without {them}, as with skip_if_unavailable=1 in {}",
            places.join(", ")
        )))
    }

    /// Says why a repository is not used, if it may be skipped; else what there is to say when the run ends.
    pub(super) fn skipped(&self, config: &RepoConfig, failure: Failure) -> Option<Failure> {
        let why = failure.details.first().map_or("", String::as_str);
        self.note_unread(config, failure.code, why);
        let failure = failure.detail(not_synchronized(config));
        if !config.skip_if_unavailable || failure.code == Code::ACCESS_DENIED {
            return Some(failure);
        }
        for line in &failure.details {
            let what = line.trim_start_matches("Error: ");
            self.printer.err(&format!("warning: {what}"));
        }
        let line = format!("Disabling Repo: '{}'", config.name);
        self.printer.info(&line);
        self.left_out.borrow_mut().insert(config.id.clone());
        None
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

/// What to do where a server does not let us in though it was told who we are.
fn refused_login(config: &RepoConfig, error: &Error) -> Option<String> {
    let status = error.failures().last()?.cause.status();
    status.filter(|status| matches!(status, 401 | 403))?;
    match (&config.auth_header_file, &config.username) {
        (Some(file), _) => Some(format!(
            "the server refuses the header of {}: renew it",
            file.display()
        )),
        (None, Some(_)) => Some(format!(
            "the server refuses username= and password= of {}",
            config.source
        )),
        (None, None) => None,
    }
}

fn not_synchronized(config: &RepoConfig) -> String {
    format!(
        "Error: Failed to synchronize cache for repo '{}'",
        config.name
    )
}
