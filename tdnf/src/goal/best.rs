//! Which packages of a name there are, and which of them is the best.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use rpm_pkg::dep::DepGroup;
use rpm_solv::{SelectFlags, SolvableId};

use crate::error::Outcome;
use crate::session::Packages;

impl Packages {
    /// The best of some packages of one name: of the preferred repository, then of the best
    /// architecture, then the newest. Excluded packages are out.
    pub fn best(&self, candidates: &[SolvableId]) -> Option<SolvableId> {
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

    /// Hides what repositories offer: a removal brings nothing.
    pub(super) fn hide_offered(&mut self) {
        let mut hidden = self.pool.set_excluded(Vec::new());
        let pool = &self.pool;
        hidden.extend(pool.solvables().filter(|id| !pool.is_installed(*id)));
        self.pool.set_excluded(hidden);
    }

    /// The best of the candidates, where `minversions` alone hides all of them: the solver is
    /// asked for it and says that it is disabled.
    pub(super) fn best_too_old(&self, candidates: &[SolvableId]) -> Option<SolvableId> {
        let old = candidates.iter().copied();
        self.first(old.filter(|id| self.too_old.contains(id)))
    }

    fn first(&self, candidates: impl Iterator<Item = SolvableId>) -> Option<SolvableId> {
        candidates.min_by(|a, b| self.by_preference(*a, *b))
    }

    /// The preferred one is the lesser.
    fn by_preference(&self, one: SolvableId, other: SolvableId) -> Ordering {
        let rank = |id| (self.priority(id), self.arch_rank(id));
        let ranks = rank(one).cmp(&rank(other));
        ranks.then_with(|| self.pool.compare_versions(other, one))
    }

    /// 0 for the architecture of the system and `noarch`, 1 for others it can run.
    fn arch_rank(&self, id: SolvableId) -> u8 {
        let arch = self.pool.arch(id);
        u8::from(arch != self.arch && arch != "noarch")
    }

    /// Whether this system can run a package: its own architecture, `noarch`, or, as the solver
    /// knows, one that it is compatible with.
    pub fn runs_here(&self, id: SolvableId) -> bool {
        let arch = self.pool.arch(id);
        let compatible: &[&str] = match self.arch.as_str() {
            "x86_64" => &["i686", "i586", "i486", "i386"],
            _ => &[],
        };
        arch == self.arch || arch == "noarch" || compatible.contains(&arch)
    }

    /// The newest installed package of a name in each architecture.
    pub(super) fn installed_by_arch(&self, name: &str) -> Vec<SolvableId> {
        let mut newest: BTreeMap<&str, SolvableId> = BTreeMap::new();
        for id in self.installed_named(name) {
            let of_arch = newest.entry(self.pool.arch(id)).or_insert(id);
            if self.pool.compare_versions(id, *of_arch).is_gt() {
                *of_arch = id;
            }
        }
        newest.into_values().collect()
    }

    /// Installed packages that another version could take the place of: those of its name in its
    /// architecture, where `noarch` goes with each.
    pub(super) fn replaceable_by(&self, id: SolvableId) -> Vec<SolvableId> {
        let mut installed = self.installed_named(self.pool.name(id));
        installed.retain(|other| self.is_arch_kept(*other, id));
        installed
    }

    /// Whether one package in place of the other leaves the architecture as it is.
    pub fn is_arch_kept(&self, one: SolvableId, other: SolvableId) -> bool {
        let (one, other) = (self.pool.arch(one), self.pool.arch(other));
        one == other || [one, other].contains(&"noarch")
    }

    /// Those of the candidates that are newer than an installed package and could take its place,
    /// the best first.
    pub(super) fn newer(
        &self,
        candidates: &[SolvableId],
        installed: SolvableId,
    ) -> Vec<SolvableId> {
        let mut newer = self.newer_than(candidates, installed);
        newer.retain(|id| !self.pool.is_excluded(*id));
        newer
    }

    /// The same, whether they are excluded or not.
    pub(super) fn newer_than(
        &self,
        candidates: &[SolvableId],
        installed: SolvableId,
    ) -> Vec<SolvableId> {
        let pool = &self.pool;
        let mut newer = candidates.to_vec();
        newer.retain(|id| {
            !pool.is_installed(*id)
                && pool.name(*id) == pool.name(installed)
                && self.is_arch_kept(*id, installed)
                && pool.compare_versions(*id, installed).is_gt()
        });
        newer.sort_by(|a, b| self.by_preference(*a, *b));
        newer
    }

    /// Those of the candidates that are not excluded, the best first.
    pub(super) fn preferred(&self, candidates: &[SolvableId]) -> Vec<SolvableId> {
        let mut all = candidates.to_vec();
        all.retain(|id| !self.pool.is_excluded(*id));
        all.sort_by(|a, b| self.by_preference(*a, *b));
        all
    }

    /// Whether no repository that is preferred to a package's has one of the candidates.
    pub(super) fn is_preferred(&self, id: SolvableId, candidates: &[SolvableId]) -> bool {
        let mut ranks = candidates.iter().map(|other| self.priority(*other));
        ranks.all(|rank| rank >= self.priority(id))
    }

    /// Package files without those that are the same as one before: a glob and a name that meet.
    pub(super) fn without_copies(&self, files: &[SolvableId]) -> Outcome<Vec<SolvableId>> {
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for id in files {
            let location = self.pool.plan_facts(*id)?.location;
            if seen.insert((self.pool.nevra(*id), location)) {
                kept.push(*id);
            }
        }
        Ok(kept)
    }

    /// Installed packages of other names that a package obsoletes.
    pub fn obsoleted_by(&self, id: SolvableId) -> Vec<SolvableId> {
        let pool = &self.pool;
        if !pool.has_deps(id, DepGroup::Obsoletes) {
            return Vec::new();
        }
        let installed = pool.repo_solvables(self.installed);
        let others = installed.filter(|old| pool.name(*old) != pool.name(id));
        others.filter(|old| pool.obsoletes(id, *old)).collect()
    }

    /// Whether something that may be installed obsoletes an installed package.
    pub(super) fn is_obsoleted(&self, installed: SolvableId) -> bool {
        let pool = &self.pool;
        let mut offered = pool
            .solvables()
            .filter(|id| !pool.is_installed(*id) && !pool.is_excluded(*id) && self.runs_here(*id));
        offered.any(|id| pool.name(id) != pool.name(installed) && pool.obsoletes(id, installed))
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
