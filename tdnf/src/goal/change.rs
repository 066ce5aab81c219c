//! `update`, `downgrade` and `reinstall`.

use rpm_solv::{Action, Job, SelectFlags, SolvableId};

use super::install::{available, by_name};
use super::{Goal, is_glob, not_found, select, select_known};
use crate::error::{Code, Failure, Outcome};
use crate::session::{Packages, Session};

/// Adds what `update [WORD...]` asks for; no word means everything.
pub fn update(
    session: &Session<'_>,
    catalog: &mut Packages,
    words: &[String],
    files: &[SolvableId],
) -> Outcome<Goal> {
    let mut goal = Goal::default();
    if words.is_empty() && files.is_empty() {
        goal.jobs.push(Job::all(Action::Update));
        return Ok(goal);
    }
    for file in files {
        let name = catalog.pool.name(*file).to_owned();
        match newest(catalog, &catalog.installed_named(&name)) {
            Some(installed) if catalog.pool.compare_versions(*file, installed).is_gt() => {
                goal.want(catalog, *file);
            }
            Some(_) => {}
            None => not_found(session, catalog, &mut goal, &name)?,
        }
    }
    for word in words {
        update_word(session, catalog, &mut goal, word)?;
    }
    Ok(goal)
}

/// What `distro-sync` asks for: every package in the version the repositories have. Words are not
/// looked at, as in tdnf.
pub fn distro_sync() -> Goal {
    Goal {
        jobs: vec![Job::all(Action::DistUpgrade)],
        ..Goal::default()
    }
}

fn update_word(
    session: &Session<'_>,
    catalog: &mut Packages,
    goal: &mut Goal,
    word: &str,
) -> Outcome<()> {
    let selection = select(session, catalog, word, SelectFlags::default())?;
    let mut found = false;
    for (name, candidates) in by_name(catalog, selection.solvables()) {
        let Some(installed) = newest(catalog, &catalog.installed_named(&name)) else {
            // A glob is about what is installed; C tdnf fails here.
            continue;
        };
        found = true;
        let (_, candidates): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|id| catalog.pool.is_installed(*id));
        match catalog.best(&candidates) {
            Some(best) if catalog.pool.compare_versions(best, installed).is_gt() => {
                goal.want(catalog, best);
            }
            // Another name may have taken its place.
            _ if !selection.by_provides && (is_glob(word) || name == word) => {
                goal.requested.insert(name);
                goal.jobs.push(Job::solvable(Action::Update, installed));
            }
            _ => {}
        }
    }
    if found {
        Ok(())
    } else {
        not_found(session, catalog, goal, word)
    }
}

/// Adds what `downgrade [WORD...]` asks for: the highest version below the lowest installed one.
pub fn downgrade(session: &Session<'_>, catalog: &mut Packages, words: &[String]) -> Outcome<Goal> {
    let mut goal = Goal::default();
    if words.is_empty() {
        let installed: Vec<_> = catalog
            .pool
            .installed()
            .map_or_else(Vec::new, |repo| catalog.pool.repo_solvables(repo).collect());
        for (name, _) in by_name(catalog, &installed) {
            let candidates = catalog.available_named(&name);
            if let Some(lower) = below_installed(catalog, &name, &candidates) {
                goal.want(catalog, lower);
            }
        }
        return Ok(goal);
    }
    for word in words {
        let flags = SelectFlags::default();
        let selection = select_known(session, catalog, &mut goal, word, flags)?;
        for (name, _) in by_name(catalog, selection.solvables()) {
            if catalog.installed_named(&name).is_empty() {
                if !is_glob(word) {
                    not_found(session, catalog, &mut goal, word)?;
                }
                continue;
            }
            let mut candidates = available(catalog, &selection);
            candidates.retain(|id| catalog.pool.name(*id) == name);
            let lower = below_installed(catalog, &name, &candidates).or_else(|| {
                // One that minversions hide: the solver says that it is disabled.
                let old = catalog.too_old.iter().copied();
                let old: Vec<_> = old.filter(|id| catalog.pool.name(*id) == name).collect();
                below_installed(catalog, &name, &old).filter(|_| *word == name)
            });
            match lower {
                Some(lower) => goal.want(catalog, lower),
                None => no_path(session, catalog, &name)?,
            }
        }
    }
    Ok(goal)
}

/// Says that there is nothing lower; an error if there is, below the lowest version allowed.
fn no_path(session: &Session<'_>, catalog: &mut Packages, name: &str) -> Outcome<()> {
    let hidden = super::hidden(catalog, name)?;
    if let Some(lower) = lower_versions(catalog, name, &hidden).first() {
        return super::left_out(session, catalog, &[*lower], name);
    }
    let line = format!("There is no downgrade path for {name}.");
    session.printer.err(&line);
    Ok(())
}

/// The best candidate below every installed version of a name.
fn below_installed(
    catalog: &Packages,
    name: &str,
    candidates: &[SolvableId],
) -> Option<SolvableId> {
    let lower = lower_versions(catalog, name, candidates);
    catalog
        .best(&lower)
        .or_else(|| catalog.best_too_old(&lower))
}

/// The candidates below every installed version of a name.
fn lower_versions(catalog: &Packages, name: &str, candidates: &[SolvableId]) -> Vec<SolvableId> {
    let pool = &catalog.pool;
    let installed = catalog.installed_named(name);
    let lowest = installed.into_iter().reduce(|low, next| {
        if pool.compare_versions(next, low).is_lt() {
            next
        } else {
            low
        }
    });
    let Some(lowest) = lowest else {
        return Vec::new();
    };
    let lower = candidates.iter().copied();
    lower
        .filter(|id| {
            pool.compare_versions(*id, lowest).is_lt()
                && pool.arch(*id) == pool.arch(lowest)
                && !pool.is_installed(*id)
        })
        .collect()
}

fn newest(catalog: &Packages, packages: &[SolvableId]) -> Option<SolvableId> {
    packages.iter().copied().reduce(|best, next| {
        if catalog.pool.compare_versions(next, best).is_gt() {
            next
        } else {
            best
        }
    })
}

/// Adds what `reinstall WORD...` asks for: the very same package from a repository or a file.
pub fn reinstall(
    session: &Session<'_>,
    catalog: &mut Packages,
    words: &[String],
    files: &[SolvableId],
) -> Outcome<Goal> {
    let mut goal = Goal::default();
    for file in files {
        let installed = catalog.installed_named(catalog.pool.name(*file));
        if installed.iter().any(|id| same_package(catalog, *id, *file)) {
            goal.want(catalog, *file);
        } else {
            let nevra = catalog.pool.nevra(*file);
            return Err(Failure::because(
                Code::NO_MATCH,
                format!("{nevra} is not installed"),
            ));
        }
    }
    for word in words {
        let flags = SelectFlags {
            installed_only: true,
            ..SelectFlags::default()
        };
        let selection = select_known(session, catalog, &mut goal, word, flags)?;
        for installed in selection.solvables() {
            reinstall_one(session, catalog, &mut goal, *installed)?;
        }
    }
    Ok(goal)
}

fn reinstall_one(
    session: &Session<'_>,
    catalog: &Packages,
    goal: &mut Goal,
    installed: SolvableId,
) -> Outcome<()> {
    let nevra = catalog.pool.nevra(installed);
    let mut same = catalog.available_named(catalog.pool.name(installed));
    same.retain(|id| same_package(catalog, *id, installed));
    let excluded: Vec<SolvableId> = hidden_same(catalog, installed);
    if same.is_empty() && !excluded.is_empty() {
        return super::left_out(session, catalog, &excluded, catalog.pool.name(installed));
    }
    if same.is_empty() {
        let line = format!("{nevra}: no repository that is on has this version");
        return if session.settings.skips.broken {
            session.printer.err(&line);
            Ok(())
        } else {
            Err(Failure::because(Code::NO_MATCH, line))
        };
    }
    if let Some(id) = catalog.best(&same) {
        goal.want(catalog, id);
    }
    Ok(())
}

/// Excluded packages of repositories that are the very same as an installed one.
fn hidden_same(catalog: &Packages, installed: SolvableId) -> Vec<SolvableId> {
    let pool = &catalog.pool;
    let hidden = pool
        .solvables()
        .filter(|id| pool.is_excluded(*id) && !pool.is_installed(*id));
    hidden
        .filter(|id| {
            pool.name(*id) == pool.name(installed) && same_package(catalog, *id, installed)
        })
        .collect()
}

fn same_package(catalog: &Packages, left: SolvableId, right: SolvableId) -> bool {
    let pool = &catalog.pool;
    pool.evr(left) == pool.evr(right) && pool.arch(left) == pool.arch(right)
}
