//! `install`.

use std::collections::BTreeMap;

use rpm_pkg::dep::DepGroup;
use rpm_solv::{JobAction, SelectFlags, Selection, SolvableId};

use super::change::one_of;
use super::is_glob;
use super::matcher::{Matcher, modular};
use crate::error::{Code, Failure, Outcome};
use crate::note::Note;
use crate::session::Packages;

impl Matcher<'_> {
    /// What `install WORD...` asks for.
    pub(super) fn install(&mut self) -> Outcome<()> {
        for file in self.files.clone() {
            self.want_unless_installed(file);
        }
        for word in &self.request.words {
            let selection = self.select(word, SelectFlags::USUAL)?;
            if selection.is_empty() && word.starts_with('/') {
                self.want_owner(word)?;
            } else if selection.is_empty() {
                self.want_hidden(word)?;
            } else if selection.by_provides {
                self.want_any(&selection);
            } else {
                for (name, candidates) in by_name(self.packages, selection.solvables()) {
                    let plain = is_glob(word) || name == *word;
                    self.want_best(&name, &candidates, plain)?;
                }
            }
        }
        Ok(())
    }

    /// Wants the best of the candidates, unless it is installed already or the installed one is
    /// newer. A plain name also finds what has taken its place.
    fn want_best(&mut self, name: &str, candidates: &[SolvableId], plain: bool) -> Outcome<()> {
        let packages = &mut *self.packages;
        let (installed, available): (Vec<_>, Vec<_>) = candidates
            .iter()
            .copied()
            .partition(|id| packages.pool.is_installed(*id));
        let best = packages.best(&available);
        if best.is_none()
            && let Some(old) = packages.best_too_old(&available)
        {
            self.want_unless_installed(old);
            return Ok(());
        }
        let newest = packages.best(&installed);
        if plain && let Some(id) = successor(packages, name, newest.or(best))? {
            let rank = |id| packages.priority(id);
            if best.is_none_or(|best| rank(id) <= rank(best)) {
                let pool = &self.packages.pool;
                let is_newer = |best: &SolvableId| {
                    newest.is_none_or(|old| pool.compare_versions(*best, old).is_gt())
                };
                // What obsoletes the name, or else its best version.
                match best.filter(is_newer) {
                    Some(best) => self.want_one_of(name, &[id, best]),
                    None => self.want_unless_installed(id),
                }
                return Ok(());
            }
        }
        match (best, newest) {
            (Some(_), Some(installed)) if self.request.nobest => {
                let mut ids = self.packages.newer(&available, installed);
                if ids.is_empty() {
                    self.already_installed(installed);
                } else {
                    ids.push(installed);
                    self.goal.requested.insert(name.to_owned());
                    self.goal.jobs.push(one_of(JobAction::Update, ids));
                }
            }
            (Some(best), Some(installed)) => self.want_beside(name, best, installed, plain),
            (Some(_), None) if self.request.nobest => self.want_one_of(name, &available),
            (Some(best), None) => self.want_unless_installed(best),
            (None, Some(installed)) => self.already_installed(installed),
            (None, None) => self.notes.push(Note::NameExcluded(name.to_owned())),
        }
        Ok(())
    }

    /// Wants the best package of a name that is installed: a newer one, or, where a version is named,
    /// another one of those that stand side by side.
    fn want_beside(&mut self, name: &str, best: SolvableId, installed: SolvableId, plain: bool) {
        let pool = &self.packages.pool;
        let newer = pool.compare_versions(best, installed).is_gt();
        let other = pool.evr(best) != pool.evr(installed);
        if newer || (other && !plain && self.request.is_install_only(name)) {
            self.want_unless_installed(best);
        } else {
            self.already_installed(installed);
        }
    }

    /// Wants the best of the candidates that can be had.
    fn want_one_of(&mut self, name: &str, candidates: &[SolvableId]) {
        let ids = self.packages.preferred(candidates);
        self.goal.requested.insert(name.to_owned());
        let arch = |id: &SolvableId| self.packages.pool.arch(*id);
        let is_one_arch = ids.iter().all(|id| arch(id) == arch(&ids[0]));
        let mut job = one_of(JobAction::Install, ids);
        job.flags.keeps_arch = is_one_arch;
        self.goal.jobs.push(job);
    }

    /// A word that nothing fits which may be installed: `minversions` may hide what it means,
    /// which the solver then refuses in words, or an exclude, which leaves nothing to do.
    fn want_hidden(&mut self, word: &str) -> Outcome<()> {
        let hidden = self.packages.select_hidden(word)?;
        if let Some(failure) = modular(self.packages, &hidden) {
            return Err(failure);
        }
        if let Some(old) = self.packages.best_too_old(&hidden) {
            self.want(old);
        } else if hidden.is_empty() {
            self.not_found(word)?;
        } else {
            if let Some(line) = self.packages.left_out_by(&hidden) {
                return Err(Failure::because(Code::NO_MATCH, line));
            }
            let note = Note::AllExcluded(word.to_owned());
            // tdnf ends well where names are excluded; it does not know finer excludes.
            let by_name =
                |id: &SolvableId| self.request.excludes_name(self.packages.pool.name(*id));
            if !self.request.skips.broken && !hidden.iter().all(by_name) {
                return Err(Failure::because(Code::NO_MATCH, note.to_string()));
            }
            self.notes.push(note);
        }
        Ok(())
    }

    /// Wants one package in this version, unless exactly this one is installed.
    fn want_unless_installed(&mut self, id: SolvableId) {
        match self.packages.installed_same(id).first() {
            Some(installed) => self.already_installed(*installed),
            None => self.want(id),
        }
    }

    /// There is nothing to do for a package; it counts as asked for from now on.
    fn already_installed(&mut self, id: SolvableId) {
        let name = self.packages.pool.name(id).to_owned();
        self.notes.push(Note::AlreadyInstalled(name.clone()));
        self.goal.requested.insert(name);
    }

    /// Wants the best package that owns a path which only the file lists know.
    fn want_owner(&mut self, path: &str) -> Outcome<()> {
        let owners = self.metadata.owners(self.packages, path)?;
        match self.packages.best(&owners) {
            Some(id) => {
                self.notes.push(Note::FileMatch(path.to_owned()));
                self.want_unless_installed(id);
                Ok(())
            }
            None => self.not_found(path),
        }
    }

    /// Wants any provider of a capability; the solver chooses.
    fn want_any(&mut self, selection: &Selection) {
        let pool = &self.packages.pool;
        let mut all = selection.solvables().iter().copied();
        if let Some(id) = all.find(|id| pool.is_installed(*id)) {
            return self.already_installed(id);
        }
        let all = selection.solvables().iter();
        let names = all.map(|id| pool.name(*id).to_owned());
        self.goal.requested.extend(names);
        let jobs = selection.jobs(JobAction::Install);
        self.goal.jobs.extend(jobs);
    }
}

/// Packages by their name, in the order of names.
pub(super) fn by_name(
    packages: &Packages,
    ids: &[SolvableId],
) -> BTreeMap<String, Vec<SolvableId>> {
    let mut names: BTreeMap<String, Vec<SolvableId>> = BTreeMap::new();
    for id in ids {
        let name = packages.pool.name(*id).to_owned();
        names.entry(name).or_default().push(*id);
    }
    names
}

/// Whether another package obsoletes and provides a name.
pub fn has_successor(packages: &mut Packages, name: &str) -> Outcome<bool> {
    Ok(!obsoleters(packages, name)?.is_empty())
}

/// The best package that takes the place of `old`, which has this name. Where it is not installed, the
/// package also has to provide the name, as in tdnf.
fn successor(
    packages: &mut Packages,
    name: &str,
    old: Option<SolvableId>,
) -> Outcome<Option<SolvableId>> {
    let mut found = match old.is_some_and(|old| packages.pool.is_installed(old)) {
        true => packages.pool.whatmatches(DepGroup::Obsoletes, name)?,
        false => obsoleters(packages, name)?,
    };
    let pool = &packages.pool;
    found.retain(|id| {
        let other = !pool.is_installed(*id) && pool.name(*id) != name;
        other && packages.runs_here(*id) && old.is_none_or(|old| pool.obsoletes(*id, old))
    });
    Ok(packages.best(&found))
}

/// Packages that obsolete and provide a name.
fn obsoleters(packages: &mut Packages, name: &str) -> Outcome<Vec<SolvableId>> {
    let mut found = packages.pool.whatmatches(DepGroup::Obsoletes, name)?;
    let providers = packages.pool.whatprovides(name)?;
    let pool = &packages.pool;
    found.retain(|id| providers.contains(id) && !pool.is_installed(*id) && pool.name(*id) != name);
    Ok(found)
}
