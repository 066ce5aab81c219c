//! Events of the network side as people see them.

use std::collections::{BTreeMap, BTreeSet};

use cli_kit::{Printer, Progress, SaidOnce};
use repo_client::{Cause, Event, Observer};

/// Shows transfers, retries and failing mirrors.
pub struct NetworkView<'a> {
    printer: &'a Printer,
    progress: Progress,
    /// Repository id to name, for the line that tdnf prints before it refreshes one.
    names: BTreeMap<String, String>,
    /// Repositories that may be left out: what fails there is no error.
    skippable: BTreeSet<String>,
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
            skippable: BTreeSet::new(),
            said: SaidOnce::default(),
        }
    }

    /// The same where these repositories (by id) may be left out.
    pub fn skipping(mut self, skippable: BTreeSet<String>) -> Self {
        self.skippable = skippable;
        self
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
            }
            Event::Failed { id } => self.progress.finish(id, false),
            Event::Retry { attempt, limit, .. } => {
                self.printer.info(&format!("retrying {attempt}/{limit}"));
            }
            Event::MirrorFailed {
                url, cause, label, ..
            } => {
                let repo = label.split_once(": ").map_or("", |(repo, _)| repo);
                // A wrong size of a part may be the fault of repomd.xml: it is asked for once more.
                let may_heal = !repo.is_empty() && matches!(cause, Cause::Size { .. });
                let word = match may_heal || self.skippable.contains(repo) {
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
                if self.said.is_first(&line) {
                    self.printer.err(&line);
                }
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
