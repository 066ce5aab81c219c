//! What there is instead of a package that was not found: a like name, another architecture, a
//! repository that is off.

use std::collections::BTreeSet;

use rpm_solv::SelectFlags;

use crate::error::{Code, Failure};
use crate::near::nearest;
use crate::note::Note;
use crate::session::{OnDemand, Packages};
use crate::typed::Typed;
use cli_kit::shell_word;

/// Versions of a package that are named where none of them is the one that was asked for.
const MAX_VERSIONS: usize = 5;

/// What was looked for.
#[derive(Clone, Copy)]
pub struct Sought<'a> {
    /// The command line, which hints repeat.
    pub typed: &'a Typed,
    /// The repositories that are off.
    pub metadata: &'a dyn OnDemand,
    /// What kind of packages would have done.
    pub flags: SelectFlags,
}

/// A word that nothing has: what may help, in words, and what to do next.
fn missing(packages: &mut Packages, sought: Sought<'_>, word: &str) -> Failure {
    let note = not_found(sought.metadata, word);
    let mut failure = Failure::because(Code::NO_MATCH, note.to_string());
    if matches!(note, Note::NoneRead(_)) {
        return failure;
    }
    if let Some((line, hint)) = of_another_kind(packages, sought.flags, word) {
        failure = failure.detail(line);
        return match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        };
    }
    let off = switched_off(sought.metadata, word);
    if let Some((nevra, repo)) = &off {
        failure = failure
            .detail(format!(
                "{nevra} is in repository {repo}, which is switched off"
            ))
            .hint(format!(
                "{} switches it on for this run",
                sought.typed.again(&format!("--enablerepo={repo}"))
            ));
    }
    let others = other_arches(packages, word).or_else(|| other_versions(packages, word));
    let told = off.is_some() || others.is_some();
    failure.details.extend(others);
    if told {
        return failure;
    }
    match near_name(packages, word) {
        Some(near) => failure.hint(format!("did you mean '{near}'?")),
        None if super::is_glob(word) => failure,
        None => failure.hint(format!(
            "look for it: `tdnf search {word}`, `tdnf provides {word}`",
            word = shell_word(word)
        )),
    }
}

/// What is said of a word that nothing has.
pub(super) fn not_found(metadata: &dyn OnDemand, word: &str) -> Note {
    match metadata.none_read() {
        true => Note::NoneRead(word.to_owned()),
        false => Note::NotFound(word.to_owned()),
    }
}

/// One failure for all words that nothing has, in which each has its hints: the user corrects them at once. `None` where
/// there are none.
pub fn all_missing(
    packages: &mut Packages,
    sought: Sought<'_>,
    words: &[String],
) -> Option<Failure> {
    if let [word] = words {
        return Some(missing(packages, sought, word));
    }
    let mut all = Failure::new(Code::NO_MATCH);
    for word in words {
        let failure = missing(packages, sought, word);
        all.details.extend(failure.details);
        let hints = failure.hints.into_iter();
        all.hints
            .extend(hints.map(|hint| format!("{word}: {hint}")));
    }
    (!words.is_empty()).then_some(all)
}

/// What there is of a word where installed or source packages alone would have done: a line, and what to do.
fn of_another_kind(
    packages: &mut Packages,
    flags: SelectFlags,
    word: &str,
) -> Option<(String, Option<String>)> {
    if !flags.installed_only && !flags.source_only {
        return None;
    }
    let selection = packages.pool.select(word, SelectFlags::USUAL, false).ok()?;
    let found = selection.solvables().iter().copied();
    let offered = found.filter(|id| flags.source_only || !packages.pool.is_installed(*id));
    let best = packages.best(&offered.collect::<Vec<_>>())?;
    let (name, nevra) = (packages.pool.name(best), packages.pool.nevra(best));
    let repo = packages.repo_of(best);
    if flags.source_only {
        let line = format!("there is no source package of {word}, only {nevra} ({repo})");
        return Some((line, None));
    }
    let line = format!("{nevra} of repository {repo} is not installed");
    let hint = format!("`tdnf install {}` installs it", shell_word(name));
    Some((line, Some(hint)))
}

/// For which architectures there is a package where it is asked for without one that this system can run, or for one
/// that it is not there for.
fn other_arches(packages: &Packages, word: &str) -> Option<String> {
    let pool = &packages.pool;
    let arches_of = |name: &str| {
        let named = pool.solvables().filter(|id| pool.name(*id) == name);
        let arches = named
            .map(|id| pool.arch(id))
            .filter(|arch| !is_source(arch));
        arches.collect::<BTreeSet<_>>()
    };
    let list = |arches: BTreeSet<&str>| arches.into_iter().collect::<Vec<_>>().join(", ");
    let own = arches_of(word);
    if !own.is_empty() {
        let (arches, this) = (list(own), &packages.arch);
        return Some(format!(
            "there is a package {word} for {arches} only; this system is {this}"
        ));
    }
    let (name, arch) = word.rsplit_once('.')?;
    let arches = arches_of(name);
    let is_absent = !arches.is_empty() && !is_source(arch) && !arches.contains(arch);
    is_absent.then(|| format!("there is a package {name} for {} only", list(arches)))
}

fn is_source(arch: &str) -> bool {
    matches!(arch, "src" | "nosrc")
}

/// Which versions there are of the package that a word names with another one.
fn other_versions(packages: &Packages, word: &str) -> Option<String> {
    let pool = &packages.pool;
    let name = without_version(word)?;
    let named = pool.solvables().filter(|id| pool.name(*id) == name);
    let mut named: Vec<_> = named
        .filter(|id| packages.runs_here(*id) && !pool.is_excluded(*id))
        .collect();
    named.sort_by(|a, b| pool.compare_versions(*b, *a));
    let mut versions: Vec<&str> = named.into_iter().map(|id| pool.evr(id)).collect();
    versions.dedup();
    let more = if versions.len() > MAX_VERSIONS {
        ", ..."
    } else {
        ""
    };
    versions.truncate(MAX_VERSIONS);
    (!versions.is_empty())
        .then(|| format!("there is {name} in version {}{more}", versions.join(", ")))
}

/// The name in `NAME-VERSION`, `NAME=VERSION`, `NAME >= VERSION`.
fn without_version(word: &str) -> Option<&str> {
    if let Some(at) = word.find(['=', '<', '>']) {
        return word.get(..at).map(str::trim_end);
    }
    let digit = |at: &usize| word.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
    let at = word.match_indices('-').map(|(at, _)| at).find(digit)?;
    word.get(..at)
}

/// The name that a word is like, with the architecture of the word where there is such a package.
fn near_name(packages: &Packages, word: &str) -> Option<String> {
    let pool = &packages.pool;
    let names = || pool.solvables().map(|id| pool.name(id));
    if let Some(near) = nearest(word, names()) {
        return Some(near.to_owned());
    }
    if let Some((name, arch)) = word.rsplit_once('.')
        && let Some(near) = nearest(name, names())
        && pool
            .solvables()
            .any(|id| pool.name(id) == near && pool.arch(id) == arch)
    {
        return Some(format!("{near}.{arch}"));
    }
    nearest(without_version(word)?, names()).map(str::to_owned)
}

/// The best package of the repositories that are off, as far as their metadata is in the cache,
/// and its repository.
fn switched_off(metadata: &dyn OnDemand, word: &str) -> Option<(String, String)> {
    let mut packages = metadata.switched_off()?;
    let selection = packages.pool.select(word, SelectFlags::USUAL, false);
    let best = packages.best(selection.ok()?.solvables())?;
    Some((packages.pool.nevra(best), packages.repo_of(best)))
}
