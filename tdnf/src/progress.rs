//! Events of the network side as people see them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cli_kit::{Progress, SaidOnce, iec_rate};
use repo_client::{Cause, Event, Observer, server_name};

use crate::error::warning_words;
use crate::screen::Screen;

/// Shows transfers, retries and failing mirrors.
pub struct NetworkView<'a> {
    printer: &'a Screen,
    progress: Progress,
    /// Repository id to name, for the line that tdnf prints before it refreshes one.
    names: BTreeMap<String, String>,
    /// What failed on the way to a repository or file with no other server to go on: a warning once it has come all the
    /// same; where it has not, the error that ends the run says it.
    failed: Mutex<BTreeMap<String, Vec<FailedServer>>>,
    /// Each retry would say the same again.
    said: SaidOnce,
}

/// What is said of a server that failed.
struct FailedServer {
    /// What is the same for all files.
    kind: String,
    line: String,
}

impl<'a> NetworkView<'a> {
    /// A view for transfers of files.
    pub fn new(printer: &'a Screen) -> Self {
        Self::for_repos(printer, BTreeMap::new())
    }

    /// A view for a refresh of the repositories `names` (id to name).
    pub fn for_repos(printer: &'a Screen, names: BTreeMap<String, String>) -> Self {
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
        let failed = self.failed().remove(what).unwrap_or_default();
        failed
            .iter()
            .filter(|_| is_had)
            .for_each(|one| self.tell(one));
    }

    fn tell(&self, failed: &FailedServer) {
        if self.said.is_first(&failed.kind) {
            self.printer.err(&failed.line);
        }
    }

    fn server_failed(&self, what: String, (url, cause): (&str, &Cause), next: Option<&str>) {
        let failed = FailedServer {
            kind: cause.kind_at(url),
            line: format!("warning: {}", warning_words(url, cause, next)),
        };
        match next {
            Some(_) => self.tell(&failed),
            None => self.failed().entry(what).or_default().push(failed),
        }
    }

    /// What a failure is kept by: the repository or the transfer.
    fn way(&self, id: u64, label: &str) -> String {
        let repo = label.split_once(": ").map_or("", |(repo, _)| repo);
        match self.names.contains_key(repo) {
            true => repo.to_owned(),
            false => id.to_string(),
        }
    }

    /// The last server that failed is asked again, for nobody else has it: said once, and with -v each time.
    fn tried_again(&self, what: &str, attempt: u32, limit: u32) {
        let failed = self.failed();
        let Some(last) = failed.get(what).and_then(|all| all.last()) else {
            return;
        };
        if self.said.is_first(&last.kind) || self.printer.mode().verbose {
            let line = &last.line;
            self.printer
                .err(&format!("{line}; trying again ({attempt} of {limit})"));
        }
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<FailedServer>>> {
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
            Event::RunBegun {
                files,
                bytes,
                unsized_files,
            } => {
                self.printer.traffic.begin();
                self.progress.begin_run(files, bytes, unsized_files);
            }
            Event::RunEnded { servers } => {
                let named = servers.iter().map(|(at, bytes)| (server_name(at), *bytes));
                self.printer.traffic.end(named);
                self.progress.end_run();
            }
            Event::Limit { host, limit } if limit.is_told() || self.printer.mode().verbose => {
                let host = server_name(host);
                if self.said.is_first(&format!("{host} {}", limit.kind())) {
                    let line = format!("{host}: {}", limit.words(iec_rate));
                    self.printer.info(&line);
                }
            }
            Event::Started {
                id,
                label,
                total,
                resumed,
            } => self.progress.start(id, label, total, resumed),
            Event::Progress { id, bytes } => self.progress.advance(id, bytes),
            Event::Finished { id, bytes } => {
                self.progress.finish(id, Some(bytes));
                self.settle(&id.to_string(), true);
            }
            Event::Failed { id } => {
                self.progress.finish(id, None);
                self.settle(&id.to_string(), false);
            }
            Event::Retry {
                id,
                label,
                attempt,
                limit,
                ..
            } => {
                // Of a small file the end is near, and says why.
                match is_small(label) && !self.printer.mode().verbose {
                    true => self.printer.info(&format!("retrying {attempt}/{limit}")),
                    false => self.tried_again(&self.way(id, label), attempt, limit),
                }
            }
            Event::MirrorFailed {
                id,
                url,
                cause,
                label,
                next,
            } => {
                self.server_failed(self.way(id, label), (url, cause), next);
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

/// Whether a label is that of a repository's index, or of a list of its servers.
fn is_small(label: &str) -> bool {
    let small = [": repomd.xml", ": metalink", ": mirrorlist"];
    small.iter().any(|end| label.ends_with(end))
}
