//! `update` with `--security`, `--sec-severity` or `--reboot-required`: only what advisories name.

use super::change::{open, perform};
use super::updateinfo::{WITH_ADVISORIES, advised_names, installed};
use crate::error::{Code, Outcome};
use crate::goal::Verb;
use crate::session::{Freshness, Session};
use crate::view::advisories::AdvisoryCounts;

/// Updates the installed packages (those that `words` name, or all) for which an advisory that
/// passes the filter has something newer.
pub(super) fn update(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let sources = session.sources(WITH_ADVISORIES, Freshness::WhenExpired)?;
    let (mut packages, request) = open(session, sources)?;
    let installed = installed(session, &mut packages, words)?;
    let names = advised_names(session, &packages, &installed)?;
    if names.is_empty() {
        session.printer.show(&AdvisoryCounts(&[]));
        return Err(Code::NO_DATA.into());
    }
    let names: Vec<String> = names.into_iter().collect();
    let mut request = request.with(&names);
    // As an update of everything: what cannot come is named and holds nothing else back.
    request.skips.broken |= words.is_empty() && !request.best;
    perform(session, packages, Verb::Update, &request)
}
