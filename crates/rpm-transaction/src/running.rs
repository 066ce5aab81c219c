//! A transaction from the first record of its journal to the removal of it.

use super::Options;
use super::element::ScriptKind;
use super::error::TransactionError;
use super::journal::{Journal, Record, VERSION};
use super::log::Log;
use super::progress::Progress;
use super::root::RootDir;
use super::scriptlets::Scriptlet;
use super::scripts::remove_body;
use super::stages::{Stages, remove_stages};

/// What staging and commit have in common.
pub(crate) struct Running<'a> {
    pub root: &'a RootDir,
    pub options: &'a Options<'a>,
    /// INSTALLTID of the new rows.
    pub tid: u32,
    pub progress: Progress<'a>,
    pub log: Log<'a>,
    pub stages: Stages,
}

impl Running<'_> {
    /// Runs the scriptlets of this kind of all elements; `by` as in [`Scriptlet::of_element`]. True
    /// when there was one.
    pub(crate) fn scripts_of_all(
        &mut self,
        kind: ScriptKind,
        by: impl Fn(&Progress<'_>, usize) -> i64,
    ) -> Result<bool, TransactionError> {
        let mut any = false;
        for index in 0..self.progress.elements().len() {
            let by = by(&self.progress, index);
            any |= self.element_script(index, kind, by)?;
        }
        Ok(any)
    }

    /// Runs the scriptlet of this kind of an element, as [`Scriptlet::of_element`] finds it. True when
    /// there was one.
    pub(crate) fn element_script(
        &mut self,
        index: usize,
        kind: ScriptKind,
        by: i64,
    ) -> Result<bool, TransactionError> {
        if !self.options.runs(kind) {
            return Ok(false);
        }
        match Scriptlet::of_element(&self.progress, index, kind, by)? {
            None => Ok(false),
            Some(scriptlet) => self.run(scriptlet).map(|()| true),
        }
    }

    /// Runs one scriptlet.
    pub(crate) fn run(&mut self, scriptlet: Scriptlet) -> Result<(), TransactionError> {
        scriptlet.run(self.root, self.options, &mut self.log)
    }

    /// Nothing of the system has changed, or everything was undone: takes the staging directories
    /// and the journal away and gives the cause back.
    pub(crate) fn abandon(self, cause: TransactionError) -> TransactionError {
        remove_body(self.root, &self.options.state_dir);
        let (mut journal, _) = self.log.close();
        let removed = match self.stages.paths() {
            [] => Ok(()),
            paths => {
                let marked = journal.roll_back();
                marked.and_then(|()| remove_stages(self.root, paths))
            }
        };
        match removed.and_then(|()| journal.remove()) {
            Ok(()) => cause,
            Err(undo) => TransactionError::UndoFailed {
                cause: Box::new(cause),
                undo: Box::new(undo),
            },
        }
    }
}

/// The journal with its first record; none where that has no room.
pub(crate) fn begin_journal(
    root: &RootDir,
    options: &Options<'_>,
    tid: u32,
) -> Result<Journal, TransactionError> {
    let mut journal = Journal::create(root, options.state_dir.as_bytes())?;
    let version = VERSION;
    let begun = journal.add(&Record::Start { version, tid });
    match begun.and_then(|()| journal.sync()) {
        Ok(()) => Ok(journal),
        Err(cause) => {
            // What cannot be removed now is removed by the next start: nothing was done.
            let _ = journal.remove();
            Err(cause)
        }
    }
}
