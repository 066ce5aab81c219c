//! What there is instead of a package that was not found: a like name, another architecture, a
//! repository that is off.

use rpm_solv::SelectFlags;

use super::matcher::Matcher;
use crate::error::Failure;
use crate::near::nearest;
use crate::session::{OnDemand, Packages};

/// Adds to the failure what may help, in words, and what to do next.
pub(super) fn advise(matcher: &Matcher<'_>, word: &str, mut failure: Failure) -> Failure {
    let packages = &*matcher.packages;
    let off = switched_off(matcher.metadata, word);
    if let Some((nevra, repo)) = &off {
        failure = failure
            .detail(format!(
                "{nevra} is in repository {repo}, which is switched off"
            ))
            .hint(format!("switch it on for this run: --enablerepo={repo}"));
    }
    let arches = other_arches(packages, word);
    if !arches.is_empty() {
        failure = failure.detail(format!(
            "there is a package {word} for {} only; this system is {}",
            arches.join(", "),
            packages.arch
        ));
    }
    if off.is_some() || !arches.is_empty() {
        return failure;
    }
    let pool = &packages.pool;
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
fn other_arches(packages: &Packages, word: &str) -> Vec<String> {
    let pool = &packages.pool;
    let named = pool.solvables().filter(|id| pool.name(*id) == word);
    let mut arches: Vec<String> = named
        .filter(|id| !packages.runs_here(*id))
        .map(|id| pool.arch(id).to_owned())
        .filter(|arch| arch != "src" && arch != "nosrc")
        .collect();
    arches.sort();
    arches.dedup();
    arches
}

/// The best package of the repositories that are off, as far as their metadata is in the cache,
/// and its repository.
fn switched_off(metadata: &dyn OnDemand, word: &str) -> Option<(String, String)> {
    let mut packages = metadata.switched_off()?;
    let selection = packages.pool.select(word, SelectFlags::USUAL, false);
    let best = packages.best(selection.ok()?.solvables())?;
    Some((packages.pool.nevra(best), packages.repo_of(best)))
}
