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
    /// Repositories that may be left out: what fails there is no error.
    skippable: BTreeSet<String>,
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
            skippable: BTreeSet::new(),
            told: Mutex::default(),
        }
    }

    /// The same where these repositories (by id) may be left out.
    pub fn skipping(mut self, skippable: BTreeSet<String>) -> Self {
        self.skippable = skippable;
        self
    }

    /// Says once what goes by this key; each retry would say it again.
    fn once(&self, key: &str, line: &str, say: impl FnOnce(&Printer, &str)) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(key.to_owned()) {
            say(self.printer, line);
        }
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
                if let Some(name) = self.names.get(repo) {
                    let line = format!("Refreshing metadata for: '{name}'");
                    self.once(repo, &line, Printer::info);
                }
            }
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
            Event::MirrorFailed {
                url, cause, label, ..
            } => {
                let repo = label.split_once(": ").map_or("", |(repo, _)| repo);
                let word = match self.skippable.contains(repo) {
                    true => "warning",
                    false => "Error",
                };
                // The words that scripts know.
                let line = match cause.status() {
                    Some(status) => format!(
                        "{word}: {status} when downloading {url}. Please check repo url or \
                         refresh metadata with 'tdnf makecache'."
                    ),
                    None => format!("{word}: {url}: {cause}"),
                };
                self.once(&line, &line, Printer::err);
            }
            Event::OldCacheUsed { repo, why } => {
                self.warn(repo, &format!(": {why}; using old metadata"));
            }
            Event::OlderMetadata { repo, .. } => {
                self.warn(repo, " offers older metadata than before");
            }
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
