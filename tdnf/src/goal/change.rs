//! `update`, `distro-sync`, `downgrade` and `reinstall`.

use rpm_solv::{JobAction, JobTarget, SelectFlags, SolvableId, SolverJob};

use std::collections::BTreeSet;

use super::held_back::{Kept, excluded_updates, kept_out};
use super::install::by_name;
use super::is_glob;
use super::matcher::Matcher;
use crate::error::{Code, Failure, Outcome};
use crate::note::Note;
use crate::session::Packages;

impl Matcher<'_> {
    /// What `update [WORD...]` asks for; no word means everything.
    pub(super) fn update(&mut self) -> Outcome<()> {
        let request = self.request;
        self.goal.only_up = true;
        if request.words.is_empty() && self.files.is_empty() {
            self.goal.jobs.push(SolverJob::all(JobAction::Update));
            self.nothing_to_bring(&|_| true, Kept::Newer);
            return Ok(());
        }
        let mut unknown = Vec::new();
        for file in self.files.clone() {
            if !self.update_to_file(file) {
                unknown.push(self.packages.pool.nevra(file));
            }
        }
        for word in &request.words {
            self.update_word(word)?;
        }
        // A file of something that is not installed does not keep the others from coming.
        match unknown.first() {
            Some(nevra) if unknown.len() == self.files.len() && request.words.is_empty() => {
                self.not_found(&nevra.clone())
            }
            _ => {
                let notes = unknown.into_iter().map(Note::FileNotInstalled);
                self.notes.extend(notes);
                Ok(())
            }
        }
    }

    /// Asks for a package file that is newer than what is installed, or takes its place; whether
    /// there is something installed that it is a version of.
    fn update_to_file(&mut self, file: SolvableId) -> bool {
        let packages = &*self.packages;
        let installed = newest(packages, &packages.replaceable_by(file));
        let is_newer = |old| packages.pool.compare_versions(file, old).is_gt();
        let replaces = match installed {
            Some(installed) => is_newer(installed),
            None => !packages.obsoleted_by(file).is_empty(),
        };
        if replaces {
            self.replace_by(file);
        } else if let Some(installed) = installed {
            self.nothing_newer(installed);
        }
        replaces || installed.is_some()
    }

    /// Nothing newer can come for an installed package; what is excluded is named.
    fn nothing_newer(&mut self, installed: SolvableId) {
        let (packages, request) = (&*self.packages, self.request);
        let newer = packages.newer_than(&request.hidden(packages), installed);
        let pool = &packages.pool;
        let notes = match newer.first() {
            Some(excluded) => vec![Note::Excluded(
                pool.nevra(*excluded),
                request.config_file.clone(),
            )],
            None => {
                let name = pool.name(installed);
                kept_out(request, packages, &|other| other == name, Kept::Newer)
            }
        };
        let none = Note::NothingNewer(pool.nevra(installed));
        let none = notes.is_empty().then_some(none);
        for note in notes.into_iter().chain(none) {
            if !self.goal.if_nothing.contains(&note) {
                self.goal.if_nothing.push(note);
            }
        }
    }

    /// What is said of installed packages of these names where nothing comes: what keeps other versions of them out, or
    /// that there are none.
    fn nothing_to_bring(&mut self, is_asked: &dyn Fn(&str) -> bool, kept: Kept) {
        let (packages, request) = (&*self.packages, self.request);
        let mut notes = kept_out(request, packages, is_asked, kept);
        if notes.is_empty() {
            let is_excluded = !request.hidden(packages).is_empty();
            let excludes = is_excluded.then(|| request.config_file.clone());
            notes.push(match kept {
                Kept::Newer => Note::AllNewest(excludes),
                Kept::Other => Note::InStep(excludes),
            });
        } else {
            notes.extend(excluded_updates(request, packages));
        }
        self.goal.if_nothing.extend(notes);
    }

    /// What `distro-sync [WORD...]` asks for: the installed packages, or those that are named, in
    /// the version the repositories have.
    pub(super) fn distro_sync(&mut self) -> Outcome<()> {
        if self.request.words.is_empty() && self.files.is_empty() {
            self.goal.jobs.push(SolverJob::all(JobAction::DistUpgrade));
            self.nothing_to_bring(&|_| true, Kept::Other);
            return Ok(());
        }
        let action = JobAction::DistUpgrade;
        for file in &self.files {
            self.goal.jobs.push(SolverJob::solvable(action, *file));
        }
        let mut names = BTreeSet::new();
        for word in &self.request.words {
            let selection = self.select_known(word, SelectFlags::USUAL)?;
            let all = selection.solvables().iter().copied();
            let pool = &self.packages.pool;
            let installed = |id: &SolvableId| self.packages.is_installed_name(pool.name(*id));
            let (kept, offered): (Vec<_>, Vec<_>) =
                all.filter(installed).partition(|id| pool.is_installed(*id));
            if kept.is_empty() && offered.is_empty() {
                self.not_found(word)?;
            }
            // A version that is not installed is one to go to.
            let targets = if kept.is_empty() { offered } else { kept };
            let pool = &self.packages.pool;
            names.extend(targets.iter().map(|id| pool.name(*id).to_owned()));
            let jobs = targets.into_iter();
            let jobs = jobs.map(|id| SolverJob::solvable(action, id));
            self.goal.jobs.extend(jobs);
        }
        self.nothing_to_bring(&|name| names.contains(name), Kept::Other);
        Ok(())
    }

    fn update_word(&mut self, word: &str) -> Outcome<()> {
        let selection = self.select(word, SelectFlags::USUAL)?;
        let mut found = false;
        for (name, candidates) in by_name(self.packages, selection.solvables()) {
            let plain = !selection.by_provides && (is_glob(word) || name == word);
            let slots = self.packages.installed_by_arch(&name);
            for installed in &slots {
                self.update_installed(*installed, &candidates, plain);
            }
            // A glob is about what is installed; C tdnf fails here.
            found |= !slots.is_empty() || self.update_to_obsoleter(&candidates);
        }
        match found {
            true => Ok(()),
            false => self.not_found(word),
        }
    }

    /// Asks for something newer than an installed package, of its own architecture.
    fn update_installed(&mut self, installed: SolvableId, candidates: &[SolvableId], plain: bool) {
        self.nothing_newer(installed);
        let packages = &mut *self.packages;
        let newer = packages.newer(candidates, installed);
        let best = packages.best(&newer);
        // Another name may have taken its place, in which a preferred repository has the last word.
        if plain && (best.is_none() || packages.is_obsoleted(installed)) {
            let job = SolverJob::solvable(JobAction::Update, installed);
            self.goal.jobs.push(job);
        } else if let Some(best) = best {
            let job = match self.request.nobest {
                false => SolverJob::solvable(JobAction::Install, best),
                true => one_of(JobAction::Update, [newer, vec![installed]].concat()),
            };
            self.goal.jobs.push(job);
        }
    }

    /// A name that is not installed is an update of what it obsoletes.
    fn update_to_obsoleter(&mut self, candidates: &[SolvableId]) -> bool {
        let packages = &*self.packages;
        let replacing = candidates.iter().copied();
        let replacing = replacing.filter(|id| !packages.obsoleted_by(*id).is_empty());
        let best = packages.best(&replacing.collect::<Vec<_>>());
        best.inspect(|best| self.replace_by(*best)).is_some()
    }

    /// What `downgrade [WORD...]` asks for: the highest version below the lowest installed one.
    pub(super) fn downgrade(&mut self) -> Outcome<()> {
        if self.request.words.is_empty() {
            self.goal.if_nothing.push(Note::AllOldest);
            return self.downgrade_all();
        }
        for word in &self.request.words {
            let selection = self.select_known(word, SelectFlags::USUAL)?;
            for (name, candidates) in by_name(self.packages, selection.solvables()) {
                if !self.packages.installed_named(&name).is_empty() {
                    self.downgrade_name(word, &name, &candidates)?;
                } else if !is_glob(word) {
                    self.not_found(word)?;
                }
            }
        }
        Ok(())
    }

    fn downgrade_all(&mut self) -> Outcome<()> {
        let installed = self.packages.pool.repo_solvables(self.packages.installed);
        let installed: Vec<_> = installed.collect();
        for name in by_name(self.packages, &installed).into_keys() {
            let candidates = self.packages.available_named(&name);
            for lower in below_installed(self.packages, &name, &candidates) {
                self.replace_by(lower);
            }
        }
        Ok(())
    }

    fn downgrade_name(&mut self, word: &str, name: &str, candidates: &[SolvableId]) -> Outcome<()> {
        let packages = &*self.packages;
        let mut lower = below_installed(packages, name, candidates);
        if lower.is_empty() && word == name {
            // One that minversions hide: the solver says that it is disabled.
            let old = packages.too_old.iter().copied();
            let old: Vec<_> = old.filter(|id| packages.pool.name(*id) == name).collect();
            lower = below_installed(packages, name, &old);
        }
        if lower.is_empty() {
            return self.no_path(name);
        }
        lower.into_iter().for_each(|id| self.replace_by(id));
        Ok(())
    }

    /// There is nothing lower; an error if there is, below the lowest version allowed.
    fn no_path(&mut self, name: &str) -> Outcome<()> {
        let hidden = self.hidden(name)?;
        if let Some(lower) = lower_versions(self.packages, name, &hidden).first() {
            return self.left_out(&[*lower], name);
        }
        self.notes.push(Note::NoDowngrade(name.to_owned()));
        Ok(())
    }

    /// What `reinstall WORD...` asks for: the very same package from a repository or a file.
    pub(super) fn reinstall(&mut self) -> Outcome<()> {
        for file in self.files.clone() {
            if self.packages.installed_same(file).is_empty() {
                let line = format!("{} is not installed", self.packages.pool.nevra(file));
                return Err(Failure::because(Code::NO_MATCH, line));
            }
            self.replace_by(file);
        }
        for word in &self.request.words {
            let selection = self.select_known(word, SelectFlags::INSTALLED)?;
            for installed in selection.solvables() {
                self.reinstall_one(*installed)?;
            }
        }
        Ok(())
    }

    fn reinstall_one(&mut self, installed: SolvableId) -> Outcome<()> {
        let name = self.packages.pool.name(installed).to_owned();
        let mut same = self.packages.available_named(&name);
        same.retain(|id| self.packages.is_same(*id, installed));
        if let Some(id) = self.packages.best(&same) {
            self.replace_by(id);
            return Ok(());
        }
        let excluded = self.packages.hidden_same(installed);
        if !excluded.is_empty() {
            return self.left_out(&excluded, &name);
        }
        let note = Note::NoSameVersion(self.packages.pool.nevra(installed));
        if !self.request.skips.broken {
            return Err(Failure::because(Code::NO_MATCH, note.to_string()));
        }
        self.notes.push(note);
        Ok(())
    }
}

/// The best candidate below every installed version of a name, for each architecture of them.
fn below_installed(packages: &Packages, name: &str, candidates: &[SolvableId]) -> Vec<SolvableId> {
    let lower = lower_versions(packages, name, candidates);
    let slots = packages.installed_by_arch(name).into_iter();
    let best = slots.filter_map(|slot| {
        let mut lower = lower.clone();
        lower.retain(|id| packages.pool.arch(*id) == packages.pool.arch(slot));
        let old = || packages.best_too_old(&lower);
        packages.best(&lower).or_else(old)
    });
    best.collect()
}

/// The candidates below every installed version of their name and architecture.
fn lower_versions(packages: &Packages, name: &str, candidates: &[SolvableId]) -> Vec<SolvableId> {
    let pool = &packages.pool;
    let installed = packages.installed_named(name);
    let is_lower = |id: &SolvableId| {
        let mut of_arch = installed
            .iter()
            .filter(|old| pool.arch(**old) == pool.arch(*id))
            .peekable();
        of_arch.peek().is_some() && of_arch.all(|old| pool.compare_versions(*id, *old).is_lt())
    };
    let offered = candidates.iter().copied();
    let offered = offered.filter(|id| !pool.is_installed(*id));
    offered.filter(is_lower).collect()
}

/// A wish about one of several packages; the best of them stands first.
pub(super) fn one_of(action: JobAction, ids: Vec<SolvableId>) -> SolverJob {
    let mut job = SolverJob::new(action, JobTarget::OneOf(ids));
    job.flags.targeted = action == JobAction::Update;
    job
}

fn newest(packages: &Packages, ids: &[SolvableId]) -> Option<SolvableId> {
    let newer = |a: &SolvableId, b: &SolvableId| packages.pool.compare_versions(*b, *a);
    ids.iter().copied().min_by(newer)
}
