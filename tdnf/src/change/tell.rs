//! The words of a transaction while it runs.

use crate::screen::Screen;

use crate::interrupt::PhaseGuard;
use crate::view::transcript::Transcript;
use rpm_transaction::{Event, ScriptStream, TransactionObserver, Warning};

/// Tells the events of a transaction.
pub(super) struct Teller<'a> {
    printer: &'a Screen,
    phase: &'a PhaseGuard<'a>,
    running: bool,
    transcript: Transcript,
}

impl<'a> Teller<'a> {
    /// Tells on `printer`.
    pub(super) fn new(printer: &'a Screen, phase: &'a PhaseGuard<'a>) -> Self {
        Self {
            printer,
            phase,
            running: false,
            transcript: Transcript::default(),
        }
    }

    /// Whether a scriptlet or a change has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.running
    }

    /// The transaction is over: what happened goes into the JSON document.
    pub(super) fn close(mut self, committed: bool, warnings: &[String]) {
        self.transcript.committed = committed;
        self.transcript.warnings = warnings.to_vec();
        self.printer.show(&self.transcript);
    }

    fn start(&mut self) {
        if !self.running {
            self.running = true;
            self.printer.info("Running transaction");
        }
    }
}

impl TransactionObserver for Teller<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Checking => {
                self.printer.tell_traffic();
                self.printer.info("Testing transaction");
            }
            Event::Installing { package, .. } => {
                self.start();
                self.transcript.installed.push(package.to_owned());
                self.printer
                    .info(&format!("Installing/Updating: {package}"));
            }
            Event::Erasing { package, .. } => {
                self.start();
                self.transcript.removed.push(package.to_owned());
                self.printer.info(&format!("Removing: {package}"));
            }
            Event::ScriptStarted { package, script } => {
                self.start();
                self.transcript.script(package, script);
            }
            Event::ScriptOutput {
                package,
                script,
                stream,
                bytes,
            } => {
                self.transcript.output(package, script, stream, bytes);
                self.script_output(stream, bytes);
            }
            Event::Committing => self.phase.committed(),
            Event::RollingBack => {
                self.phase.undoable();
                self.printer.err("undoing what was done so far");
            }
            _ => {}
        }
    }
}

impl Teller<'_> {
    /// A scriptlet's words go where it sent them; in JSON mode standard output is data only.
    fn script_output(&self, stream: ScriptStream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if stream == ScriptStream::Out && !self.printer.mode().json {
            self.printer.crit_part(&text);
        } else {
            self.printer.err_part(&text);
        }
    }
}

/// A warning as tdnf prints it.
pub(super) fn warning_line(warning: &Warning) -> String {
    match warning {
        Warning::Scriptlet { .. } => {
            format!("warning: %{}", warning.to_string().trim_start_matches('%'))
        }
        _ => format!("warning: {warning}"),
    }
}
