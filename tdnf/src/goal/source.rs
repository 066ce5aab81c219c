//! `install --source` and `install --builddeps`.

use std::collections::BTreeSet;

use rpm_solv::{JobAction, JobTarget, SelectFlags, SolverJob};

use super::Goal;
use super::install::by_name;
use super::matcher::Matcher;
use super::solve::requires;
use crate::error::Outcome;
use crate::note::Note;
use crate::session::Packages;

impl Matcher<'_> {
    /// The best source package of each word, and the source packages given as files.
    pub(super) fn sources(&mut self) -> Outcome<()> {
        for file in self.files.clone() {
            self.want(file);
        }
        for word in &self.request.words {
            let selection = self.select_known(word, SelectFlags::SOURCE)?;
            for (_, candidates) in by_name(self.packages, selection.solvables()) {
                if let Some(best) = self.packages.best(&candidates) {
                    self.want(best);
                }
            }
        }
        Ok(())
    }
}

/// What the source packages of `sources` need to be built, as one goal.
pub fn build_deps(packages: &Packages, sources: &Goal) -> Goal {
    let mut goal = Goal {
        unavailable: sources.unavailable.clone(),
        if_nothing: vec![Note::BuildDepsThere],
        ..Goal::default()
    };
    let chosen = sources.jobs.iter().filter_map(|job| match job.target {
        JobTarget::Solvable(id) => Some(id),
        _ => None,
    });
    let needed = chosen.flat_map(|id| requires(packages, id));
    let needed: BTreeSet<String> = needed.filter(|dep| !dep.starts_with("rpmlib(")).collect();
    let job = |dep| SolverJob::new(JobAction::Install, JobTarget::Provides(dep));
    goal.jobs = needed.into_iter().map(job).collect();
    goal
}
