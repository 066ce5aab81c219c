//! From words to solver jobs, and from the solver's answer to a [`Plan`].
//!
//! The choice among versions is tdnf's (reference 5.6 to 5.12): the best package of a name is
//! chosen here, and the solver finds what else it takes.

mod change;
mod erase;
mod exact;
mod install;
mod missing;
mod policy;
mod problems;
mod solve;
mod source;

use std::collections::BTreeSet;

use rpm_solv::{Action, Job, SelectFlags, Selection, SolvableId};

use crate::error::{Code, Failure, Outcome};
use crate::history::Flags;
use crate::session::{Packages, Session, glob};

pub use change::{distro_sync, downgrade, reinstall, update};
pub use erase::{autoremove, erase};
pub use exact::{Exact, Names, check};
pub use install::{has_successor, install};
pub use policy::Policy;
pub use solve::{named_only, solve, unneeded};
pub use source::{build_deps, sources};

/// What is asked of the solver.
#[derive(Debug, Default)]
pub struct Goal {
    /// Wishes.
    pub jobs: Vec<Job>,
    /// Whether installed packages may be removed to fulfil them.
    pub allow_uninstall: bool,
    /// Whether dependencies that nobody needs afterwards go, too.
    pub clean_dependencies: bool,
    /// Packages that were named, and with them everything of their name, count as asked for.
    pub requested: BTreeSet<String>,
    /// Marks that the history sets besides: names, and 1 for auto-installed.
    pub marks: Flags,
    /// Words that matched nothing and were left out (`--skip-broken`).
    pub unavailable: Vec<String>,
}

impl Goal {
    /// Asks for exactly this package.
    fn want(&mut self, catalog: &Packages, id: SolvableId) {
        self.requested.insert(catalog.pool.name(id).to_owned());
        self.jobs.push(Job::solvable(Action::Install, id));
    }

    /// Asks that this installed package goes.
    fn unwant(&mut self, id: SolvableId) {
        self.allow_uninstall = true;
        self.jobs.push(Job::solvable(Action::Erase, id));
    }
}

/// Selects what a word names and says how it was understood where that is not plain.
pub fn select(
    session: &Session<'_>,
    catalog: &mut Packages,
    word: &str,
    flags: SelectFlags,
) -> Outcome<Selection> {
    let selection = catalog.pool.select(word, flags, true)?;
    if selection.is_empty() {
        return Ok(selection);
    }
    if selection.case_ignored {
        session
            .printer
            .info(&format!("[ignoring case for '{word}']"));
    }
    if selection.by_file {
        session
            .printer
            .info(&format!("[using file list match for '{word}']"));
    } else if selection.by_provides {
        session
            .printer
            .info(&format!("[using capability match for '{word}']"));
    }
    Ok(selection)
}

/// As [`select`]; a word that names nothing ends as [`not_found`] says.
fn select_known(
    session: &Session<'_>,
    catalog: &mut Packages,
    goal: &mut Goal,
    word: &str,
    flags: SelectFlags,
) -> Outcome<Selection> {
    let selection = select(session, catalog, word, flags)?;
    if selection.is_empty() {
        not_found(session, catalog, goal, word)?;
    }
    Ok(selection)
}

/// A word that nothing has: said on stderr, with what is like it; an error unless such words are left out. Where the
/// administrator hid what it names, that is said, and the word is passed over (an exclude) or
/// refused (`minversions`), as in tdnf.
fn not_found(
    session: &Session<'_>,
    catalog: &mut Packages,
    goal: &mut Goal,
    word: &str,
) -> Outcome<()> {
    let hidden = hidden(catalog, word)?;
    if !hidden.is_empty() {
        return left_out(session, catalog, &hidden, word);
    }
    let line = format!("{word} package not found or not installed");
    if !session.settings.skips.broken {
        let failure = Failure::because(Code::NO_MATCH, line);
        return Err(missing::advise(session, catalog, word, failure));
    }
    session.printer.err(&line);
    goal.unavailable.push(word.to_owned());
    Ok(())
}

/// What a word would name if nothing were excluded.
fn hidden(catalog: &mut Packages, word: &str) -> Outcome<Vec<SolvableId>> {
    let excluded = catalog.pool.set_excluded(Vec::new());
    if excluded.is_empty() {
        return Ok(Vec::new());
    }
    let named = catalog.pool.select(word, SelectFlags::default(), true);
    catalog.pool.set_excluded(excluded);
    Ok(named?.solvables().to_vec())
}

/// Packages that are hidden: passed over with a word where an exclude did it, refused where they
/// are below the lowest version allowed (the words of tdnf's solver).
fn left_out(
    session: &Session<'_>,
    catalog: &Packages,
    hidden: &[SolvableId],
    word: &str,
) -> Outcome<()> {
    let excludes = &session.settings.excludes;
    let by_name = |id: &&SolvableId| {
        let name = catalog.pool.name(**id);
        excludes.iter().any(|pattern| glob(pattern, name))
    };
    if hidden.iter().any(|id| by_name(&id)) {
        session.printer.err(&format!(
            "{word} is excluded (--exclude, or excludepkgs of {})",
            session.settings.config_file.display()
        ));
        return Ok(());
    }
    Err(disabled(catalog, hidden))
}

/// Error 1301 for packages below their lowest version.
fn disabled(catalog: &Packages, hidden: &[SolvableId]) -> Failure {
    let mut failure = Failure::new(Code::SOLV_FAILED);
    for (at, id) in hidden.iter().enumerate() {
        let nevra = catalog.pool.nevra(*id);
        failure = failure.detail(format!("{}. package {nevra} is disabled", at + 1));
    }
    failure
        .detail(format!("Found {} problem(s) while resolving", hidden.len()))
        .hint("minversions of the configuration asks for a newer version")
}

/// Whether a word is a pattern.
pub fn is_glob(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

impl Packages {
    /// The best of some packages of one name: of the preferred repository, then of the best
    /// architecture, then the newest. Excluded packages are out.
    fn best(&self, candidates: &[SolvableId]) -> Option<SolvableId> {
        let considered = candidates
            .iter()
            .copied()
            .filter(|id| !self.pool.is_excluded(*id));
        considered.reduce(|best, next| {
            if self.is_better(next, best) {
                next
            } else {
                best
            }
        })
    }

    /// What a word names among the packages that excludes and `minversions` hide.
    fn select_hidden(&mut self, word: &str) -> Outcome<Vec<SolvableId>> {
        let pool = &self.pool;
        let hidden: Vec<SolvableId> = pool
            .solvables()
            .filter(|id| pool.is_excluded(*id))
            .collect();
        if hidden.is_empty() {
            return Ok(hidden);
        }
        self.pool.set_excluded(Vec::new());
        let selection = self.pool.select(word, SelectFlags::default(), false);
        self.pool.set_excluded(hidden);
        let mut found = selection?.solvables().to_vec();
        found.retain(|id| self.pool.is_excluded(*id));
        Ok(found)
    }

    /// The best of the candidates, where `minversions` alone hides all of them: the solver is
    /// asked for it and says that it is disabled.
    fn best_too_old(&self, candidates: &[SolvableId]) -> Option<SolvableId> {
        let old = candidates.iter().copied();
        old.filter(|id| self.too_old.contains(id))
            .reduce(|best, next| match self.is_better(next, best) {
                true => next,
                false => best,
            })
    }

    fn is_better(&self, next: SolvableId, best: SolvableId) -> bool {
        let rank = |id| (self.priority(id), self.arch_rank(id));
        match rank(next).cmp(&rank(best)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => self.pool.compare_versions(next, best).is_gt(),
        }
    }

    /// 0 for the architecture of the system and `noarch`, 1 for others it can run.
    fn arch_rank(&self, id: SolvableId) -> u8 {
        let arch = self.pool.arch(id);
        u8::from(arch != self.arch && arch != "noarch")
    }

    /// Whether this system can run a package: its own architecture, `noarch`, or, as the solver
    /// knows, one that it is compatible with.
    fn runs_here(&self, id: SolvableId) -> bool {
        let arch = self.pool.arch(id);
        let compatible: &[&str] = match self.arch.as_str() {
            "x86_64" => &["i686", "i586", "i486", "i386"],
            _ => &[],
        };
        arch == self.arch || arch == "noarch" || compatible.contains(&arch)
    }

    /// Installed packages of a name.
    fn installed_named(&self, name: &str) -> Vec<SolvableId> {
        let Some(repo) = self.pool.installed() else {
            return Vec::new();
        };
        self.pool
            .repo_solvables(repo)
            .filter(|id| self.pool.name(*id) == name)
            .collect()
    }
}
