//! `update`, `distro-sync`, `downgrade` and `reinstall`.

use rpm_solv::{JobAction, SelectFlags, SolvableId, SolverJob};

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
        if request.words.is_empty() && request.files.is_empty() {
            self.goal.jobs.push(SolverJob::all(JobAction::Update));
            return Ok(());
        }
        for file in &request.files {
            let name = self.packages.pool.name(*file).to_owned();
            let packages = &*self.packages;
            match newest(packages, &packages.installed_named(&name)) {
                Some(installed) if packages.pool.compare_versions(*file, installed).is_gt() => {
                    self.want(*file);
                }
                Some(_) => {}
                None => self.not_found(&name)?,
            }
        }
        for word in &request.words {
            self.update_word(word)?;
        }
        Ok(())
    }

    /// What `distro-sync` asks for: every package in the version the repositories have. Words are
    /// not looked at, as in tdnf.
    pub(super) fn distro_sync(&mut self) -> Outcome<()> {
        self.goal.jobs.push(SolverJob::all(JobAction::DistUpgrade));
        Ok(())
    }

    fn update_word(&mut self, word: &str) -> Outcome<()> {
        let selection = self.select(word, SelectFlags::USUAL)?;
        let mut found = false;
        for (name, candidates) in by_name(self.packages, selection.solvables()) {
            let packages = &*self.packages;
            let Some(installed) = newest(packages, &packages.installed_named(&name)) else {
                // A glob is about what is installed; C tdnf fails here.
                continue;
            };
            found = true;
            let available = candidates.iter().copied();
            let available = available.filter(|id| !packages.pool.is_installed(*id));
            match packages.best(&available.collect::<Vec<_>>()) {
                Some(best) if packages.pool.compare_versions(best, installed).is_gt() => {
                    self.want(best);
                }
                // Another name may have taken its place.
                _ if !selection.by_provides && (is_glob(word) || name == word) => {
                    self.goal.requested.insert(name);
                    let job = SolverJob::solvable(JobAction::Update, installed);
                    self.goal.jobs.push(job);
                }
                _ => {}
            }
        }
        match found {
            true => Ok(()),
            false => self.not_found(word),
        }
    }

    /// What `downgrade [WORD...]` asks for: the highest version below the lowest installed one.
    pub(super) fn downgrade(&mut self) -> Outcome<()> {
        if self.request.words.is_empty() {
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
            if let Some(lower) = below_installed(self.packages, &name, &candidates) {
                self.want(lower);
            }
        }
        Ok(())
    }

    fn downgrade_name(&mut self, word: &str, name: &str, candidates: &[SolvableId]) -> Outcome<()> {
        let packages = &*self.packages;
        let lower = below_installed(packages, name, candidates).or_else(|| {
            // One that minversions hide: the solver says that it is disabled.
            let old = packages.too_old.iter().copied();
            let old: Vec<_> = old.filter(|id| packages.pool.name(*id) == name).collect();
            below_installed(packages, name, &old).filter(|_| word == name)
        });
        match lower {
            Some(lower) => self.want(lower),
            None => self.no_path(name)?,
        }
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
        for file in &self.request.files {
            if self.packages.installed_same(*file).is_empty() {
                let line = format!("{} is not installed", self.packages.pool.nevra(*file));
                return Err(Failure::because(Code::NO_MATCH, line));
            }
            self.want(*file);
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
            self.want(id);
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

/// The best candidate below every installed version of a name.
fn below_installed(
    packages: &Packages,
    name: &str,
    candidates: &[SolvableId],
) -> Option<SolvableId> {
    let lower = lower_versions(packages, name, candidates);
    let old = || packages.best_too_old(&lower);
    packages.best(&lower).or_else(old)
}

/// The candidates below every installed version of a name.
fn lower_versions(packages: &Packages, name: &str, candidates: &[SolvableId]) -> Vec<SolvableId> {
    let pool = &packages.pool;
    let installed = packages.installed_named(name).into_iter();
    let lowest = installed.min_by(|a, b| pool.compare_versions(*a, *b));
    let Some(lowest) = lowest else {
        return Vec::new();
    };
    let is_lower = |id: &SolvableId| {
        pool.compare_versions(*id, lowest).is_lt()
            && pool.arch(*id) == pool.arch(lowest)
            && !pool.is_installed(*id)
    };
    candidates.iter().copied().filter(is_lower).collect()
}

fn newest(packages: &Packages, ids: &[SolvableId]) -> Option<SolvableId> {
    let newer = |a: &SolvableId, b: &SolvableId| packages.pool.compare_versions(*b, *a);
    ids.iter().copied().min_by(newer)
}
