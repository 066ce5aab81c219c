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

pub(crate) use line::{Id, Line};

use rpm_pkg::dep::{DepGroup, Deps};
use rpm_pkg::header::Header;

use super::element::PackageFacts;
use super::error::TransactionError;
use super::event::Warning;
use super::log::Log;
use super::root::RootDir;
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

/// Makes the users and groups of one line of sysusers.d(5) that are missing in a root, on day `today` since 1970; what
/// exists stays as it is. False: the line is not understood, and nothing is made.
///
/// # Errors
/// The files of the root cannot be read or written.
pub fn make_account(root: &RootDir, line: &str, today: u64) -> Result<bool, TransactionError> {
    match Line::parse(line) {
        Some(line) => create(root, &[line], today).map(|()| true),
        None => Ok(false),
    }
}

/// Makes the users and groups that a package names, on day `today` since 1970; like the work of a
/// scriptlet they stay if the transaction is undone. True when it names any.
pub(crate) fn make_accounts(
    root: &RootDir,
    log: &mut Log<'_>,
    package: &PackageFacts,
    today: u64,
) -> Result<bool, TransactionError> {
    let lines = Lines::of(&package.header);
    if lines.is_empty() {
        return Ok(false);
    }
    log.script_starts(&package.nevra, "sysusers")?;
    let made = create(root, &lines.understood, today);
    log.script_ends(made.is_ok())?;
    for line in lines.strange {
        let package = package.nevra.clone();
        log.warn(Warning::Account { package, line });
    }
    made.map(|()| true)
}
