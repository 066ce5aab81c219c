//! From words to solver jobs, and from the solver's answer to a [`Plan`].
//!
//! The choice among versions is tdnf's (docs/reference/tdnf.md, 5.6 to 5.12): the best package of a name is
//! chosen here, and the solver finds what else it takes.

mod best;
mod change;
mod erase;
mod exact;
mod held_back;
mod install;
mod matcher;
mod missing;
mod policy;
mod problems;
mod removed;
mod request;
mod solve;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rpm_solv::{JobAction, SolvableId, SolverJob};

use crate::history::Flags;
use crate::note::Note;
use crate::session::Packages;

pub use exact::{Exact, Names, check};
pub use install::has_successor;
pub use matcher::{Verb, of, select};
pub use missing::{Sought, all_missing};
pub use policy::SolverPolicy;
pub use request::Request;
pub use solve::{change, named_only, solve};
pub use source::build_deps;

/// What is asked of the solver.
#[derive(Debug, Default)]
pub struct Goal {
    /// Wishes.
    pub jobs: Vec<SolverJob>,
    /// Whether installed packages may be removed to fulfil them.
    pub allow_uninstall: bool,
    /// Whether nothing may go to an older version to fulfil them.
    pub only_up: bool,
    /// Whether dependencies that are not needed afterwards are removed, too.
    pub clean_dependencies: bool,
    /// Packages that were named, and with them everything of their name, count as asked for.
    pub requested: BTreeSet<String>,
    /// Marks that the history sets besides: names, and 1 for auto-installed.
    pub marks: Flags,
    /// Words that matched nothing and were left out (`--skip-broken`).
    pub unavailable: Vec<String>,
    /// Why nothing is to be done where nothing is.
    pub if_nothing: Vec<Note>,
}

impl Goal {
    /// Asks for exactly this package.
    fn want(&mut self, packages: &Packages, id: SolvableId) {
        self.requested.insert(packages.pool.name(id).to_owned());
        self.jobs.push(SolverJob::solvable(JobAction::Install, id));
    }

    /// Asks that this installed package goes.
    fn unwant(&mut self, id: SolvableId) {
        self.allow_uninstall = true;
        self.jobs.push(SolverJob::solvable(JobAction::Erase, id));
    }
}

/// Whether a word is a pattern.
pub fn is_glob(word: &str) -> bool {
    word.contains(['*', '?', '['])
}
