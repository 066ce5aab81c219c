//! Events of the network side as people see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use cli_kit::{Printer, Progress};
use repo_client::{Event, Observer};

/// Shows transfers, retries and failing mirrors.
pub struct NetworkView<'a> {
    printer: &'a Printer,
    progress: Progress,
    /// Repository id to name, for the line that tdnf prints before it refreshes one.
    names: BTreeMap<String, String>,
    told: Mutex<BTreeSet<String>>,
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
            told: Mutex::default(),
        }
    }

    /// Says once that a repository is being refreshed.
    fn refreshing(&self, repo: &str) {
        let Some(name) = self.names.get(repo) else {
            return;
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(repo.to_owned()) {
            self.printer
                .info(&format!("Refreshing metadata for: '{name}'"));
        }
    }

    /// Says once what a mirror answered; each retry would say it again.
    fn mirror_failed(&self, line: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(line.to_owned()) {
            self.printer.err(line);
        }
    }

    fn name<'b>(&'b self, repo: &'b str) -> &'b str {
        self.names.get(repo).map_or(repo, String::as_str)
    }
}

impl Observer for NetworkView<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::RepoAsked { repo } => self.refreshing(repo),
            Event::Started {
                id, label, total, ..
            } => self.progress.start(id, label, total),
            Event::Progress { id, bytes } => self.progress.advance(id, bytes),
            Event::Finished { id, bytes } => {
                self.progress.advance(id, bytes);
                self.progress.finish(id, true);
            }
            Event::Failed { id } => self.progress.finish(id, false),
            Event::Retry { attempt, limit, .. } => {
                self.printer.info(&format!("retrying {attempt}/{limit}"));
            }
            Event::MirrorFailed { url, cause, .. } => {
                // The words that scripts know.
                let line = match cause.status() {
                    Some(status) => format!(
                        "Error: {status} when downloading {url}. Please check repo url or \
                         refresh metadata with 'tdnf makecache'."
                    ),
                    None => format!("Error: {url}: {cause}"),
                };
                self.mirror_failed(&line);
            }
            Event::OldCacheUsed { repo, why } => {
                let name = self.name(repo);
                self.printer.err(&format!(
                    "warning: repo '{name}': {why}; using old metadata"
                ));
            }
            Event::OlderMetadata { repo, .. } => {
                let name = self.name(repo);
                self.printer.err(&format!(
                    "warning: repo '{name}' offers older metadata than before"
                ));
            }
            Event::UnverifiedTls { repo } => {
                let name = self.name(repo);
                self.printer.err(&format!(
                    "warning: repo '{name}': certificates are not checked"
                ));
            }
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
