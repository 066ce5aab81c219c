//! `install`.

use std::collections::BTreeMap;

use rpm_solv::{Action, DepKind, JobFlags, SelectFlags, Selection, SolvableId};

use super::{Goal, is_glob, not_found, select};
use crate::error::Outcome;
use crate::session::{Packages, Session};

/// Adds what `install WORD...` asks for. `files` are packages of the command line, already in
/// the catalog.
pub fn install(
    session: &Session<'_>,
    catalog: &mut Packages,
    words: &[String],
    files: &[SolvableId],
) -> Outcome<Goal> {
    let mut goal = Goal::default();
    for file in files {
        want_unless_installed(session, catalog, &mut goal, *file);
    }
    for word in words {
        let selection = select(session, catalog, word, SelectFlags::default())?;
        let available = available(catalog, &selection);
        if selection.is_empty() && word.starts_with('/') {
            want_owner(session, catalog, &mut goal, word)?;
        } else if available.is_empty() && selection.is_empty() {
            want_hidden(session, catalog, &mut goal, word)?;
        } else if selection.by_provides {
            want_any(session, catalog, &mut goal, &selection);
        } else {
            for (name, candidates) in by_name(catalog, selection.solvables()) {
                let plain = is_glob(word) || name == *word;
                want_best(session, catalog, &mut goal, &name, &candidates, plain)?;
            }
        }
    }
    Ok(goal)
}

/// The packages of a selection that are not installed ones.
pub(super) fn available(catalog: &Packages, selection: &Selection) -> Vec<SolvableId> {
    let all = selection.solvables().iter().copied();
    all.filter(|id| !catalog.pool.is_installed(*id)).collect()
}

/// Packages by their name, in the order of names.
pub(super) fn by_name(
    catalog: &Packages,
    packages: &[SolvableId],
) -> BTreeMap<String, Vec<SolvableId>> {
    let mut names: BTreeMap<String, Vec<SolvableId>> = BTreeMap::new();
    for id in packages {
        names
            .entry(catalog.pool.name(*id).to_owned())
            .or_default()
            .push(*id);
    }
    names
}

/// Wants the best of the candidates, unless it is installed already or the installed one is
/// newer. A plain name also finds what has taken its place.
fn want_best(
    session: &Session<'_>,
    catalog: &mut Packages,
    goal: &mut Goal,
    name: &str,
    candidates: &[SolvableId],
    plain: bool,
) -> Outcome<()> {
    let (installed, available): (Vec<_>, Vec<_>) = candidates
        .iter()
        .copied()
        .partition(|id| catalog.pool.is_installed(*id));
    let best = catalog.best(&available);
    if best.is_none()
        && let Some(old) = catalog.best_too_old(&available)
    {
        want_unless_installed(session, catalog, goal, old);
        return Ok(());
    }
    let newest = catalog.best(&installed);
    if plain && newest.is_none() {
        let obsoleters = obsoleters(catalog, name)?;
        if let Some(id) = catalog.best(&obsoleters) {
            want_unless_installed(session, catalog, goal, id);
            return Ok(());
        }
    }
    match (best, newest) {
        (Some(best), Some(installed)) => {
            let multi = session
                .settings
                .main
                .installonlypkgs
                .iter()
                .any(|only| only == name);
            let newer = catalog.pool.compare_versions(best, installed).is_gt();
            if newer || (multi && catalog.pool.evr(best) != catalog.pool.evr(installed)) {
                want_unless_installed(session, catalog, goal, best);
            } else {
                already_installed(session, catalog, goal, installed);
            }
        }
        (Some(best), None) => want_unless_installed(session, catalog, goal, best),
        (None, Some(installed)) => already_installed(session, catalog, goal, installed),
        // Everything of this name is excluded.
        (None, None) => session
            .printer
            .info(&format!("all packages named {name} are excluded")),
    }
    Ok(())
}

/// A word that nothing fits which may be installed: `minversions` may hide what it means, which
/// the solver then refuses in words, or an exclude, which leaves nothing to do.
fn want_hidden(
    session: &Session<'_>,
    catalog: &mut Packages,
    goal: &mut Goal,
    word: &str,
) -> Outcome<()> {
    let hidden = catalog.select_hidden(word)?;
    if let Some(old) = catalog.best_too_old(&hidden) {
        goal.want(catalog, old);
    } else if hidden.is_empty() {
        not_found(session, catalog, goal, word)?;
    } else {
        session
            .printer
            .err(&format!("all packages that {word} names are excluded"));
    }
    Ok(())
}

/// Whether another package obsoletes and provides a name.
pub fn has_successor(catalog: &mut Packages, name: &str) -> Outcome<bool> {
    Ok(!obsoleters(catalog, name)?.is_empty())
}

/// Packages that obsolete and provide a name.
fn obsoleters(catalog: &mut Packages, name: &str) -> Outcome<Vec<SolvableId>> {
    let mut found = catalog.pool.whatmatches(DepKind::Obsoletes, name)?;
    let providers = catalog.pool.whatprovides(name)?;
    let pool = &catalog.pool;
    found.retain(|id| providers.contains(id) && !pool.is_installed(*id) && pool.name(*id) != name);
    Ok(found)
}

/// Wants one package in this version, unless exactly this one is installed.
fn want_unless_installed(
    session: &Session<'_>,
    catalog: &Packages,
    goal: &mut Goal,
    id: SolvableId,
) {
    let pool = &catalog.pool;
    let same =
        |other: &SolvableId| pool.evr(*other) == pool.evr(id) && pool.arch(*other) == pool.arch(id);
    match catalog
        .installed_named(pool.name(id))
        .into_iter()
        .find(same)
    {
        Some(installed) => already_installed(session, catalog, goal, installed),
        None => goal.want(catalog, id),
    }
}

/// Says that there is nothing to do for a package; it counts as asked for from now on.
fn already_installed(session: &Session<'_>, catalog: &Packages, goal: &mut Goal, id: SolvableId) {
    let name = catalog.pool.name(id);
    session
        .printer
        .err(&format!("Package {name} is already installed."));
    goal.requested.insert(name.to_owned());
}

/// Wants the best package that owns a path which only the file lists know.
fn want_owner(
    session: &Session<'_>,
    catalog: &mut Packages,
    goal: &mut Goal,
    path: &str,
) -> Outcome<()> {
    let owners = catalog.owners_of_path(session, path)?;
    match catalog.best(&owners) {
        Some(id) => {
            session
                .printer
                .info(&format!("[using file list match for '{path}']"));
            want_unless_installed(session, catalog, goal, id);
            Ok(())
        }
        None => not_found(session, catalog, goal, path),
    }
}

/// Wants any provider of a capability; the solver chooses.
fn want_any(session: &Session<'_>, catalog: &Packages, goal: &mut Goal, selection: &Selection) {
    let pool = &catalog.pool;
    if let Some(id) = selection
        .solvables()
        .iter()
        .copied()
        .find(|id| pool.is_installed(*id))
    {
        return already_installed(session, catalog, goal, id);
    }
    let names = selection
        .solvables()
        .iter()
        .map(|id| pool.name(*id).to_owned());
    goal.requested.extend(names);
    goal.jobs
        .extend(selection.jobs(Action::Install, JobFlags::default()));
}
