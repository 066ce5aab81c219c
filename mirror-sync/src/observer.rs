//! What happens on the network, shown as it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cli_kit::{Printer, Progress, SaidOnce, Traffic, iec_rate};
use repo_client::{Cause, Event, Observer, server_name};

/// Most failures that a run remembers.
const MAX_FAILURES: usize = 1000;

/// What a run hears of servers, for what is remembered of them.
#[derive(Default)]
pub(crate) struct Heard {
    failures: Mutex<Failures>,
    /// Names of servers that gave bytes.
    gave: Mutex<BTreeSet<String>>,
}

/// The URLs that failed in a way that is about their server.
#[derive(Clone, Default)]
pub(crate) struct Failures(BTreeMap<String, ServerFailure>);

/// How a server failed.
#[derive(Clone)]
pub(crate) struct ServerFailure {
    /// It did not give the index, or is the list of mirrors.
    pub(crate) is_of_index: bool,
    pub(crate) why: String,
}

impl Failures {
    /// The failure of a URL, or of one below it; both redacted.
    pub(crate) fn below(&self, url: &str) -> Option<&ServerFailure> {
        let below = self.0.range(url.to_owned()..);
        let mut below = below.take_while(|(failed, _)| failed.starts_with(url));
        let is_path = |failed: &str| {
            let rest = failed.get(url.len()..).unwrap_or_default();
            rest.is_empty() || url.ends_with('/') || rest.starts_with('/')
        };
        below
            .find(|(failed, _)| is_path(failed))
            .map(|(_, failure)| failure)
    }
}

impl Heard {
    fn failed(&self, url: &str, cause: &Cause) {
        let is_of_index = url.ends_with("/repodata/repomd.xml");
        // Of a file that is not there nobody knows whose fault that is.
        if !is_of_index && !cause.is_passing()
            || matches!(cause, Cause::Stopped | Cause::Older { .. })
        {
            return;
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.0.len() < MAX_FAILURES {
            let why = cause.to_string();
            failures
                .0
                .insert(url.to_owned(), ServerFailure { is_of_index, why });
        }
    }

    /// What has failed so far.
    pub(crate) fn failures(&self) -> Failures {
        let failures = self.failures.lock();
        failures.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a server, by its name, gave bytes of a file.
    pub(crate) fn gave(&self, server: &str) -> bool {
        let gave = self.gave.lock().unwrap_or_else(PoisonError::into_inner);
        gave.contains(server)
    }
}

/// Shows transfers as bars or lines and tells of what goes wrong.
pub(crate) struct TerminalObserver {
    printer: Printer,
    bars: Progress,
    /// What the run fetches.
    pub(crate) traffic: Traffic,
    /// Servers that failed with no other one to go on, by transfer (what is the same for all files, the line): a warning
    /// once the file has come all the same; where it has not, the error says it.
    failed: Mutex<BTreeMap<u64, Vec<(String, String)>>>,
    /// What is remembered of servers.
    pub(crate) heard: Heard,
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
            heard: Heard::default(),
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
                let mut gave = self
                    .heard
                    .gave
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                gave.extend(named.clone().map(|(name, _)| name));
                drop(gave);
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
                self.heard.failed(url, cause);
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
