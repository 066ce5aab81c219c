//! What happens on the network, shown as it happens.

use std::collections::HashMap;
use std::sync::Mutex;

use cli_kit::{Printer, Progress};
use repo_client as client;
use repo_client::transfer;

/// Shows transfers as bars or lines and tells of what goes wrong.
pub struct TerminalObserver {
    printer: Printer,
    bars: Progress,
    ids: Mutex<(u64, HashMap<String, u64>)>,
}

impl TerminalObserver {
    /// Shows what happens through this printer.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            bars: Progress::new(printer),
            // Far from the client's own numbers.
            ids: Mutex::new((1 << 40, HashMap::new())),
        }
    }

    fn number(&self, id: &str) -> u64 {
        let mut all = self
            .ids
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(number) = all.1.get(id) {
            return *number;
        }
        all.0 += 1;
        let number = all.0;
        all.1.insert(id.to_owned(), number);
        number
    }

    fn end(&self, id: &str, well: bool) {
        let number = self.number(id);
        self.bars.finish(number, well);
        if let Ok(mut all) = self.ids.lock() {
            all.1.remove(id);
        }
    }
}

impl client::Observer for TerminalObserver {
    fn event(&self, event: client::Event<'_>) {
        use client::Event;
        match event {
            Event::Started {
                id, label, total, ..
            } => self.bars.start(id, label, total),
            Event::Progress { id, bytes } => self.bars.advance(id, bytes),
            Event::Finished { id, bytes } => {
                self.bars.advance(id, bytes);
                self.bars.finish(id, true);
            }
            Event::Failed { id } => self.bars.finish(id, false),
            Event::MirrorFailed {
                label, url, cause, ..
            } => self.printer.err(&format!("{label}: {url}: {cause}")),
            Event::UnverifiedTls { repo } => self.printer.err(&format!(
                "{repo}: the server's certificate is not checked (sslverify = false)"
            )),
            Event::Waiting { repo } => self
                .printer
                .err(&format!("{repo}: waiting for another process")),
            _ => {}
        }
    }
}

impl transfer::Observer for TerminalObserver {
    fn event(&self, event: &transfer::Event<'_>) {
        use transfer::Event;
        match event {
            Event::Started { id, size, resumed } => {
                let number = self.number(id);
                self.bars.start(number, id, *size);
                self.bars.advance(number, *resumed);
            }
            Event::Progress { id, bytes } => self.bars.advance(self.number(id), *bytes),
            Event::Done { id, .. } => self.end(id, true),
            Event::Failed { id, .. } => self.end(id, false),
            Event::Source { id, url, cause } => {
                self.printer.err(&format!("{id}: {url}: {cause}"));
            }
            Event::Limit { host, limit } => self.printer.info(&format!("{host}: {limit}")),
        }
    }
}
