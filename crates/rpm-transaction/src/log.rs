//! What a running transaction writes into its journal, and what it tells.

use super::error::TransactionError;
use super::event::{Event, TransactionObserver, Warning};
use super::journal::{Journal, Record};

/// The journal, and who is told.
pub(crate) struct Log<'a> {
    journal: Journal,
    observer: &'a mut dyn TransactionObserver,
    warnings: Vec<Warning>,
    /// The commit point is passed: nothing that fails from here on may stop the rest.
    committed: bool,
}

impl<'a> Log<'a> {
    /// A journal that has begun.
    pub(crate) fn new(journal: Journal, observer: &'a mut dyn TransactionObserver) -> Log<'a> {
        Log {
            journal,
            observer,
            warnings: Vec::new(),
            committed: false,
        }
    }

    /// For records other than those of scriptlets.
    pub(crate) fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Who is told.
    pub(crate) fn observer(&mut self) -> &mut dyn TransactionObserver {
        self.observer
    }

    /// Tells.
    pub(crate) fn event(&mut self, event: Event<'_>) {
        self.observer.event(event);
    }

    /// Tells a warning and keeps it.
    pub(crate) fn warn(&mut self, warning: Warning) {
        self.observer.event(Event::Warning(&warning));
        self.warnings.push(warning);
    }

    /// The commit point is passed.
    pub(crate) fn commit(&mut self) {
        self.committed = true;
    }

    /// Whether it is.
    pub(crate) fn is_committed(&self) -> bool {
        self.committed
    }

    /// A scriptlet is about to run.
    pub(crate) fn script_starts(
        &mut self,
        nevra: &str,
        script: &str,
    ) -> Result<(), TransactionError> {
        self.journal.add(&Record::ScriptStart {
            nevra: nevra.to_owned(),
            script: script.to_owned(),
        })?;
        self.flush()
    }

    /// The scriptlet is over.
    pub(crate) fn script_ends(&mut self, ok: bool) -> Result<(), TransactionError> {
        self.journal.add(&Record::ScriptEnd { ok })?;
        self.flush()
    }

    /// Behind the commit point a record of a scriptlet only serves a message of the next start.
    fn flush(&mut self) -> Result<(), TransactionError> {
        match self.journal.flush() {
            Err(_) if self.committed => Ok(()),
            other => other,
        }
    }

    /// The journal, which is still there, and all warnings.
    pub(crate) fn close(self) -> (Journal, Vec<Warning>) {
        (self.journal, self.warnings)
    }
}
