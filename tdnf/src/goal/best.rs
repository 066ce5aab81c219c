//! Which packages of a name there are, and which of them is the best.

use rpm_solv::{SelectFlags, SolvableId};

use crate::error::Outcome;
use crate::session::Packages;

impl Packages {
    /// The best of some packages of one name: of the preferred repository, then of the best
    /// architecture, then the newest. Excluded packages are out.
    pub(super) fn best(&self, candidates: &[SolvableId]) -> Option<SolvableId> {
        let all = candidates.iter().copied();
        self.first(all.filter(|id| !self.pool.is_excluded(*id)))
    }

    /// What a word names among the packages that excludes and `minversions` hide.
    pub(super) fn select_hidden(&mut self, word: &str) -> Outcome<Vec<SolvableId>> {
        let pool = &self.pool;
        let hidden = pool.solvables().filter(|id| pool.is_excluded(*id));
        let hidden: Vec<SolvableId> = hidden.collect();
        if hidden.is_empty() {
            return Ok(hidden);
        }
        self.pool.set_excluded(Vec::new());
        let selection = self.pool.select(word, SelectFlags::USUAL, false);
        self.pool.set_excluded(hidden);
        let mut found = selection?.solvables().to_vec();
        found.retain(|id| self.pool.is_excluded(*id));
        Ok(found)
    }

    /// The best of the candidates, where `minversions` alone hides all of them: the solver is
    /// asked for it and says that it is disabled.
    pub(super) fn best_too_old(&self, candidates: &[SolvableId]) -> Option<SolvableId> {
        let old = candidates.iter().copied();
        self.first(old.filter(|id| self.too_old.contains(id)))
    }

    fn first(&self, candidates: impl Iterator<Item = SolvableId>) -> Option<SolvableId> {
        let rank = |id| (self.priority(id), self.arch_rank(id));
        candidates.min_by(|a, b| {
            let ranks = rank(*a).cmp(&rank(*b));
            ranks.then_with(|| self.pool.compare_versions(*b, *a))
        })
    }

    /// 0 for the architecture of the system and `noarch`, 1 for others it can run.
    fn arch_rank(&self, id: SolvableId) -> u8 {
        let arch = self.pool.arch(id);
        u8::from(arch != self.arch && arch != "noarch")
    }

    /// Whether this system can run a package: its own architecture, `noarch`, or, as the solver
    /// knows, one that it is compatible with.
    pub(super) fn runs_here(&self, id: SolvableId) -> bool {
        let arch = self.pool.arch(id);
        let compatible: &[&str] = match self.arch.as_str() {
            "x86_64" => &["i686", "i586", "i486", "i386"],
            _ => &[],
        };
        arch == self.arch || arch == "noarch" || compatible.contains(&arch)
    }

    /// Installed packages of a name.
    pub(super) fn installed_named(&self, name: &str) -> Vec<SolvableId> {
        let all = self.pool.repo_solvables(self.installed);
        all.filter(|id| self.pool.name(*id) == name).collect()
    }

    /// Installed packages of the same name, version and architecture.
    pub(super) fn installed_same(&self, id: SolvableId) -> Vec<SolvableId> {
        let mut installed = self.installed_named(self.pool.name(id));
        installed.retain(|other| self.is_same(*other, id));
        installed
    }

    /// Excluded packages of repositories that are the very same as an installed one.
    pub(super) fn hidden_same(&self, installed: SolvableId) -> Vec<SolvableId> {
        let pool = &self.pool;
        let hidden = |id: &SolvableId| pool.is_excluded(*id) && !pool.is_installed(*id);
        let all = pool.solvables().filter(hidden);
        all.filter(|id| pool.name(*id) == pool.name(installed) && self.is_same(*id, installed))
            .collect()
    }

    /// Whether two packages of one name have the same version and architecture.
    pub(super) fn is_same(&self, left: SolvableId, right: SolvableId) -> bool {
        let pool = &self.pool;
        pool.evr(left) == pool.evr(right) && pool.arch(left) == pool.arch(right)
    }
}
