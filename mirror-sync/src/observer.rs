//! What happens on the network, shown as it happens.

use cli_kit::{Printer, Progress, SaidOnce};
use repo_client::{Event, Observer};

/// Shows transfers as bars or lines and tells of what goes wrong.
pub(crate) struct TerminalObserver {
    printer: Printer,
    bars: Progress,
    /// Lines about failed tries: each further try would say the same.
    said: SaidOnce,
}

impl TerminalObserver {
    /// Shows what happens through this printer.
    pub(crate) fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            bars: Progress::new(printer),
            said: SaidOnce::default(),
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
            } => {
                self.bars.start(id, label, total);
                self.bars.advance(id, resumed);
            }
            Event::Limit { host, limit } => self.printer.info(&format!("{host}: {limit}")),
            Event::Progress { id, bytes } => self.bars.advance(id, bytes),
            Event::Finished { id, bytes } => {
                self.bars.advance(id, bytes);
                self.bars.finish(id, true);
            }
            Event::Failed { id } => self.bars.finish(id, false),
            Event::MirrorFailed {
                label, url, cause, ..
            } => {
                let line = format!("{label}: {url}: {cause}");
                if self.said.is_first(&line) {
                    self.printer.err(&line);
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
