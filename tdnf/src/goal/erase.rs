//! `erase` and `autoremove`.

use rpm_solv::{SelectFlags, SolvableId};

use super::{Goal, not_found, select};
use crate::error::Outcome;
use crate::session::{Packages, Session};

/// Adds what `erase WORD...` asks for. Globs are about installed packages.
pub fn erase(session: &Session<'_>, catalog: &mut Packages, words: &[String]) -> Outcome<Goal> {
    let mut goal = Goal {
        allow_uninstall: true,
        clean_dependencies: session.settings.clean_requirements,
        ..Goal::default()
    };
    for word in words {
        let flags = SelectFlags {
            installed_only: true,
            ..SelectFlags::default()
        };
        let installed = select(session, catalog, word, flags)?;
        if !installed.is_empty() {
            for id in installed.solvables() {
                goal.unwant(*id);
            }
            continue;
        }
        // Known, but not installed: there is nothing to do for it.
        if catalog
            .pool
            .select(word, SelectFlags::default(), true)?
            .is_empty()
        {
            not_found(session, catalog, &mut goal, word)?;
        }
    }
    Ok(goal)
}

/// Adds what `autoremove [WORD...]` asks for. Without words: every package that came as a
/// dependency and that nothing needs any more; `unneeded` are those.
pub fn autoremove(
    session: &Session<'_>,
    catalog: &mut Packages,
    words: &[String],
    unneeded: &[SolvableId],
) -> Outcome<Goal> {
    let mut goal = erase(session, catalog, words)?;
    goal.clean_dependencies = !words.is_empty();
    if words.is_empty() {
        for id in unneeded {
            goal.unwant(*id);
        }
    }
    Ok(goal)
}
