//! `install --source` and `install --builddeps`.

use super::change::{Words, goal_of, open_for, require};
use super::files::PackageScope;
use crate::change;
use crate::error::Outcome;
use crate::goal::{self, Goal, Request, Verb};
use crate::session::{Packages, Session};
use crate::source_files;

/// Unpacks source packages into the build tree (`_topdir`). Nothing is solved, and the rpm
/// database is not touched.
pub(super) fn install(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let (packages, _, goal) = chosen(session, words)?;
    let plan = goal::named_only(&packages, &goal)?;
    let Some(verified) = change::obtain(session, &packages, &plan)? else {
        return Ok(0);
    };
    if session.settings.download_only || session.settings.test_only {
        return Ok(0);
    }
    for package in verified.packages() {
        if let Some(change) = plan.changes.get(package.change()) {
            let (name, version) = (&change.package.name, change.package.version_release());
            let line = format!("Installing/Updating: {name}-{version} (source)");
            session.printer.info(&line);
        }
        source_files::unpack(&session.settings, package)?;
    }
    Ok(0)
}

/// Installs what source packages need to be built.
pub(super) fn build_deps(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let (packages, request, sources) = chosen(session, words)?;
    let goal = goal::build_deps(&packages, &sources);
    change::perform(session, packages, &goal, &request)
}

fn chosen(session: &Session<'_>, words: &[String]) -> Outcome<(Packages, Request, Goal)> {
    require(words, Words::Needed)?;
    let (mut packages, request) = open_for(session, words, PackageScope::Source)?;
    let goal = goal_of(session, &mut packages, Verb::Source, &request)?;
    Ok((packages, request, goal))
}
