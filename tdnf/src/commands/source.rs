//! `install --source` and `install --builddeps`.

use super::change::{Words, goal_of, open, require};
use super::files::{self, PackageScope};
use crate::change;
use crate::error::Outcome;
use crate::goal::{self, Goal, Request, Verb};
use crate::session::{Freshness, PRIMARY, Packages, Session};
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
        let name = plan
            .changes
            .get(package.change())
            .map(|change| &change.package);
        if let Some(id) = name {
            session.printer.info(&format!(
                "Installing/Updating: {}-{} (source)",
                id.name,
                id.version_release()
            ));
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
    let sources = session.sources(PRIMARY, Freshness::WhenExpired)?;
    let (mut packages, mut request) = open(session, sources)?;
    let (given, words) = files::split(words);
    request.files = files::add(session, &mut packages, &given, PackageScope::Source)?;
    request.words = words;
    let goal = goal_of(session, &mut packages, Verb::Source, &request)?;
    Ok((packages, request, goal))
}
