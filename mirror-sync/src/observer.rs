//! What happens on the network, shown as it happens.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cli_kit::{Printer, Progress, SaidOnce, Traffic, iec_rate};
use repo_client::{Event, Observer, server_name};

/// Shows transfers as bars or lines and tells of what goes wrong.
pub(crate) struct TerminalObserver {
    printer: Printer,
    bars: Progress,
    /// What the run fetches.
    pub(crate) traffic: Traffic,
    /// Servers that failed with no other one to go on, by transfer (what is the same for all files, the line): a warning
    /// once the file has come all the same; where it has not, the error says it.
    failed: Mutex<BTreeMap<u64, Vec<(String, String)>>>,
    /// Each further try, and each further file, would say the same.
    said: SaidOnce,
}

impl TerminalObserver {
    /// Shows what happens through this printer.
    pub(crate) fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            bars: Progress::new(printer),
            traffic: Traffic::default(),
            failed: Mutex::default(),
            said: SaidOnce::default(),
        }
    }

    fn failed(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<(String, String)>>> {
        // A panic elsewhere leaves at worst a line out.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, (kind, line): &(String, String)) {
        if self.said.is_first(kind) {
            self.printer.err(line);
        }
    }
}

impl Observer for TerminalObserver {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started {
                id,
                label,
                total,
                resumed,
            } => self.bars.start(id, label, total, resumed),
            Event::RunBegun {
                files,
                bytes,
                unsized_files,
            } => {
                self.traffic.begin();
                self.bars.begin_run(files, bytes, unsized_files);
            }
            Event::RunEnded { servers } => {
                let named = servers.iter().map(|(at, bytes)| (server_name(at), *bytes));
                self.traffic.end(named);
                self.bars.end_run();
            }
            Event::Limit { host, limit } if limit.is_told() || self.printer.mode().verbose => {
                let host = server_name(host);
                if self.said.is_first(&format!("{host} {}", limit.kind())) {
                    let line = format!("{host}: {}", limit.words(iec_rate));
                    self.printer.info(&line);
                }
            }
            Event::Progress { id, bytes } => self.bars.advance(id, bytes),
            Event::Finished { id, bytes } => {
                self.bars.finish(id, Some(bytes));
                let failed = self.failed().remove(&id).unwrap_or_default();
                failed.iter().for_each(|one| self.tell(one));
            }
            Event::Failed { id } => {
                self.bars.finish(id, None);
                self.failed().remove(&id);
            }
            Event::MirrorFailed {
                id,
                url,
                cause,
                next,
                ..
            } => {
                let line = format!("warning: {}", cause.line(url, next));
                let failed = (cause.kind_at(url), line);
                match next {
                    Some(_) => self.tell(&failed),
                    None => self.failed().entry(id).or_default().push(failed),
                }
            }
            // Said once, and with -v each time.
            Event::Retry {
                id, attempt, limit, ..
            } => {
                let failed = self.failed();
                if let Some((kind, line)) = failed.get(&id).and_then(|all| all.last())
                    && (self.said.is_first(kind) || self.printer.mode().verbose)
                {
                    self.printer
                        .err(&format!("{line}; trying again ({attempt} of {limit})"));
                }
            }
            Event::UnverifiedTls { repo } => self.printer.err(&format!(
                "{repo}: the server's certificate is not checked (sslverify = false)"
            )),
            Event::PartMisplaced { repo, kind, href } => {
                let line = format!(
                    "{repo}: warning: {kind} of repomd.xml is left out: {href} is no place of metadata"
                );
                if self.said.is_first(&line) {
                    self.printer.err(&line);
                }
            }
            Event::Waiting { repo } => self
                .printer
                .err(&format!("{repo}: waiting for another process")),
            _ => {}
        }
    }
}
