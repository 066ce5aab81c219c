//! What there is instead of a package that was not found: a like name, another architecture, a
//! repository that is off.

use rpm_solv::SelectFlags;

use crate::error::Failure;
use crate::near::nearest;
use crate::session::{Packages, Session};

/// Adds to the failure what may help, in words, and what to do next.
pub(super) fn advise(
    session: &Session<'_>,
    catalog: &Packages,
    word: &str,
    mut failure: Failure,
) -> Failure {
    let off = in_disabled_repositories(session, word);
    for (nevra, repo) in &off {
        failure = failure
            .detail(format!(
                "{nevra} is in repository {repo}, which is switched off"
            ))
            .hint(format!("switch it on for this run: --enablerepo={repo}"));
    }
    let arches = other_arches(catalog, word);
    if !arches.is_empty() {
        failure = failure.detail(format!(
            "there is a package {word} for {} only; this system is {}",
            arches.join(", "),
            catalog.arch
        ));
    }
    if !off.is_empty() || !arches.is_empty() {
        return failure;
    }
    let pool = &catalog.pool;
    let names = pool.solvables().map(|id| pool.name(id));
    match nearest(word, names) {
        Some(near) => failure.hint(format!("did you mean '{near}'?")),
        None if super::is_glob(word) => failure,
        None => failure.hint(format!(
            "look for it: 'tdnf search {word}', 'tdnf provides {word}'"
        )),
    }
}

/// Architectures of packages of this name that this system cannot run.
fn other_arches(catalog: &Packages, word: &str) -> Vec<String> {
    let pool = &catalog.pool;
    let named = pool.solvables().filter(|id| pool.name(*id) == word);
    let mut arches: Vec<String> = named
        .filter(|id| !catalog.runs_here(*id))
        .map(|id| pool.arch(id).to_owned())
        .filter(|arch| arch != "src" && arch != "nosrc")
        .collect();
    arches.sort();
    arches.dedup();
    arches
}

/// The best package of each repository that is off, as far as its metadata is in the cache.
fn in_disabled_repositories(session: &Session<'_>, word: &str) -> Vec<(String, String)> {
    let Ok(sources) = session.cached_disabled_sources() else {
        return Vec::new();
    };
    if sources.is_empty() {
        return Vec::new();
    }
    let Ok(mut packages) = session.packages_of(sources) else {
        return Vec::new();
    };
    let selection = packages.pool.select(word, SelectFlags::default(), false);
    let Ok(selection) = selection else {
        return Vec::new();
    };
    let best = packages.best(selection.solvables());
    best.map(|id| (packages.pool.nevra(id), packages.repo_of(id)))
        .into_iter()
        .collect()
}
