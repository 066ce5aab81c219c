//! Events of the network side as people see them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cli_kit::{Printer, Progress, SaidOnce};
use repo_client::{Event, Observer};

use crate::error::failure_words;

/// Shows transfers, retries and failing mirrors.
pub struct NetworkView<'a> {
    printer: &'a Printer,
    progress: Progress,
    /// Repository id to name, for the line that tdnf prints before it refreshes one.
    names: BTreeMap<String, String>,
    /// What failed on the way to a repository or file: a warning once another server has given it; where none has,
    /// the error that ends the run says it.
    failed: Mutex<BTreeMap<String, Vec<String>>>,
    /// Each retry would say the same again.
    said: SaidOnce,
}

impl<'a> NetworkView<'a> {
    /// A view for transfers of files.
    pub fn new(printer: &'a Printer) -> Self {
        Self::for_repos(printer, BTreeMap::new())
    }

    /// A view for a refresh of the repositories `names` (id to name).
    pub fn for_repos(printer: &'a Printer, names: BTreeMap<String, String>) -> Self {
        Self {
            printer,
            progress: Progress::new(printer),
            names,
            failed: Mutex::default(),
            said: SaidOnce::default(),
        }
    }

    /// A repository (by its id) is refreshed, or cannot be had.
    pub fn settle(&self, what: &str, is_had: bool) {
        let lines = self.failed().remove(what).unwrap_or_default();
        let told = lines
            .iter()
            .filter(|line| is_had && self.said.is_first(line));
        told.for_each(|line| self.printer.err(line));
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<String>>> {
        // A panic elsewhere leaves at worst a line out.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name<'b>(&'b self, repo: &'b str) -> &'b str {
        self.names.get(repo).map_or(repo, String::as_str)
    }

    fn warn(&self, repo: &str, what: &str) {
        let name = self.name(repo);
        self.printer.err(&format!("warning: repo '{name}'{what}"));
    }
}

impl Observer for NetworkView<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::RepoAsked { repo } => {
                if let Some(name) = self.names.get(repo)
                    && self.said.is_first(repo)
                {
                    let line = format!("Refreshing metadata for: '{name}'");
                    self.printer.info(&line);
                }
            }
            Event::Started {
                id, label, total, ..
            } => self.progress.start(id, label, total),
            Event::Progress { id, bytes } => self.progress.advance(id, bytes),
            Event::Finished { id, bytes } => {
                self.progress.advance(id, bytes);
                self.progress.finish(id, true);
                self.settle(&id.to_string(), true);
            }
            Event::Failed { id } => {
                self.progress.finish(id, false);
                self.settle(&id.to_string(), false);
            }
            Event::Retry { attempt, limit, .. } => {
                self.printer.info(&format!("retrying {attempt}/{limit}"));
            }
            Event::MirrorFailed {
                id,
                url,
                cause,
                label,
                ..
            } => {
                let repo = label.split_once(": ").map_or("", |(repo, _)| repo);
                let what = match self.names.contains_key(repo) {
                    true => repo.to_owned(),
                    false => id.to_string(),
                };
                let line = format!("warning: {}", failure_words(url, cause));
                self.failed().entry(what).or_default().push(line);
            }
            Event::OldCacheUsed { repo, why } => {
                self.warn(repo, &format!(": {why}; using old metadata"));
            }
            Event::OlderMetadata { repo, .. } => {
                self.warn(repo, " offers older metadata than before");
            }
            Event::PartMisplaced { repo, kind, href } => {
                let what =
                    format!(": {kind} of repomd.xml is left out: {href} is no place of metadata");
                if self.said.is_first(&format!("{repo}{what}")) {
                    self.warn(repo, &what);
                }
            }
            Event::ChangedMetadata { repo } => self.warn(
                repo,
                " offers other signed metadata of the same date and revision as before",
            ),
            Event::UnverifiedTls { repo } => self.warn(repo, ": certificates are not checked"),
            Event::Waiting { repo } => {
                let name = self.name(repo);
                self.printer.info(&format!(
                    "waiting for another process that refreshes '{name}'"
                ));
            }
            // The error comes with the result.
            _ => {}
        }
    }
}
