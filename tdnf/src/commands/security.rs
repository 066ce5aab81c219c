//! `update` with `--security`, `--sec-severity` or `--reboot-required`: only what advisories name.

use std::collections::BTreeSet;

use super::change::{open, perform};
use super::updateinfo::{AdvisoryFilter, AdvisoryScope, Affected, installed};
use crate::error::{Code, Outcome};
use crate::goal::Verb;
use crate::session::{Freshness, Session};
use crate::view::advisories::AdvisoryCounts;

/// Updates the installed packages (those that `words` name, or all) for which an advisory that
/// passes the filter has something newer.
pub(super) fn update(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let sources = session.sources(&["primary", "updateinfo"], Freshness::WhenExpired)?;
    let (mut packages, request) = open(session, sources)?;
    let installed = installed(session, &mut packages, words)?;
    let filter = AdvisoryFilter::of(session)?;
    let mut names = BTreeSet::new();
    let advisories = packages.advisories()?;
    let affected = Affected::new(&packages, &installed);
    for advisory in advisories.iter().filter(|advisory| filter.takes(advisory)) {
        let found = affected.by(advisory, AdvisoryScope::Available);
        names.extend(found.map(|id| packages.pool.name(id).to_owned()));
    }
    if names.is_empty() {
        session.printer.show(&AdvisoryCounts(&[]));
        return Err(Code::NO_DATA.into());
    }
    let names: Vec<String> = names.into_iter().collect();
    perform(session, packages, Verb::Update, &request.with(&names))
}
