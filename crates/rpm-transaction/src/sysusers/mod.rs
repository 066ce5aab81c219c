//! Users and groups that a package brings by sysusers.d lines.
//!
//! Packages built by rpm 4.19 and later provide `user(NAME)`, `group(NAME)` and
//! `groupmember(USER/GROUP)`, each with the sysusers.d(5) line in base64 for its version. rpm runs
//! systemd-sysusers or a script of its own over them before the package's %pre (docs/reference/transactions.md, 3.9);
//! here the files of the root are changed by [`accounts`], without any program.

mod accounts;
mod line;
#[cfg(test)]
mod tests;

pub use line::{Id, Line};

use rpm_pkg::dep::{DepGroup, Deps};
use rpm_pkg::header::Header;

use super::commit::Execution;
use super::error::TransactionError;
use super::event::Warning;
use super::journal::Record;
use accounts::create;

/// The lines of a package: what can be done, and what is not understood, as it stands there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub understood: Vec<Line>,
    pub strange: Vec<String>,
}

impl Lines {
    /// Reads them; most packages have none.
    pub(crate) fn of(header: &Header) -> Lines {
        let mut lines = Lines::default();
        for dep in Deps::of(header, DepGroup::Provides) {
            match Line::of_provide(dep.name, dep.evr) {
                None => {}
                Some(Ok(line)) => lines.understood.push(line),
                Some(Err(text)) => lines.strange.push(text),
            }
        }
        lines
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.understood.is_empty() && self.strange.is_empty()
    }
}

impl Execution<'_, '_> {
    /// Makes the users and groups that the package names; like the work of a scriptlet they stay
    /// if the transaction is undone.
    pub(crate) fn sysusers(&mut self, index: usize) -> Result<(), TransactionError> {
        let Some(element) = self.elements.get(index).filter(|_| !self.options.just_db) else {
            return Ok(());
        };
        let lines = Lines::of(&element.package.header);
        if lines.is_empty() {
            return Ok(());
        }
        let package = element.package.nevra.clone();
        self.journal.add(&Record::ScriptStart {
            nevra: package.clone(),
            script: "sysusers".to_owned(),
        })?;
        self.journal.flush()?;
        let made = create(self.root, &lines.understood, self.options.now / 86_400);
        self.owners = None;
        self.journal.add(&Record::ScriptEnd { ok: made.is_ok() })?;
        self.journal.flush()?;
        for line in lines.strange {
            let package = package.clone();
            self.warn(Warning::Account { package, line });
        }
        made
    }
}
