//! What there is instead of a package that was not found: a like name, another architecture, a
//! repository that is off.

use rpm_solv::SelectFlags;

use crate::error::{Code, Failure};
use crate::near::{again, nearest, shell_word};
use crate::note::Note;
use crate::session::{OnDemand, Packages};

/// A word that nothing has: what may help, in words, and what to do next.
fn missing(packages: &Packages, metadata: &dyn OnDemand, typed: &[String], word: &str) -> Failure {
    let note = Note::NotFound(word.to_owned());
    let mut failure = Failure::because(Code::NO_MATCH, note.to_string());
    let off = switched_off(metadata, word);
    if let Some((nevra, repo)) = &off {
        failure = failure
            .detail(format!(
                "{nevra} is in repository {repo}, which is switched off"
            ))
            .hint(format!(
                "{} switches it on for this run",
                again(typed, &format!("--enablerepo={repo}"))
            ));
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
            "look for it: `tdnf search {word}`, `tdnf provides {word}`",
            word = shell_word(word)
        )),
    }
}

/// One failure for all words of the command `typed` that nothing has, in which each has its hints: the user corrects them at
/// once. `None` where there are none.
pub fn all_missing(
    packages: &Packages,
    metadata: &dyn OnDemand,
    typed: &[String],
    words: &[String],
) -> Option<Failure> {
    if let [word] = words {
        return Some(missing(packages, metadata, typed, word));
    }
    let mut all = Failure::new(Code::NO_MATCH);
    for word in words {
        let failure = missing(packages, metadata, typed, word);
        all.details.extend(failure.details);
        let hints = failure.hints.into_iter();
        all.hints
            .extend(hints.map(|hint| format!("{word}: {hint}")));
    }
    (!words.is_empty()).then_some(all)
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
