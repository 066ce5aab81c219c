//! `update` with `--security`, `--sec-severity` or `--reboot-required`: only what advisories name.

use std::collections::BTreeSet;

use super::change::open;
use super::updateinfo::{Filter, Scope, concerned, installed};
use crate::error::{Code, Outcome};
use crate::goal;
use crate::session::{Freshness, Session};
use crate::transact;
use crate::view::advisories as view;

/// Updates the installed packages (those that `words` name, or all) for which an advisory that
/// passes the filter has something newer.
pub(super) fn update(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let sources = session.sources(&["primary", "updateinfo"], Freshness::WhenExpired)?;
    let (mut packages, policy) = open(session, sources)?;
    let installed = installed(session, &mut packages, words)?;
    let filter = Filter::of(session)?;
    let mut names = BTreeSet::new();
    for advisory in packages.advisories()? {
        if filter.takes(&advisory) {
            let found = concerned(&packages, &installed, &advisory, Scope::Available);
            names.extend(found.map(|id| packages.pool.name(id).to_owned()));
        }
    }
    if names.is_empty() {
        view::summary(session.printer, &[]);
        return Err(Code::NO_DATA.into());
    }
    let names: Vec<String> = names.into_iter().collect();
    let goal = goal::update(session, &mut packages, &names, &[])?;
    transact::perform(session, packages, &goal, &policy)
}
