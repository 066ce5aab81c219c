//! What a run asks for, as plain values.

use rpm_pkg::glob::glob_matches;
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use rpm_pkg::evr::Evr;
use rpm_solv::SolvableId;

use super::{SolverPolicy, is_glob};
use crate::error::Outcome;
use crate::session::Packages;
use crate::settings::Settings;
use crate::settings::SkipOptions;
use crate::typed::Typed;

/// What a run asks for and what the answer has to keep to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The words that name packages.
    pub words: Vec<String>,
    /// Package files of the command line, already among the packages.
    pub files: Vec<SolvableId>,
    /// What was typed: messages name it.
    pub typed: Typed,
    /// Which problems leave out what cannot be done.
    pub skips: SkipOptions,
    /// Nothing but the best version will do.
    pub best: bool,
    /// What packages recommend stays out.
    pub no_recommends: bool,
    /// An older version of what is named will do where the best cannot be had.
    pub nobest: bool,
    /// Installed packages may go to make room.
    pub allow_erasing: bool,
    /// Dependencies that are no longer needed are removed with what needed them.
    pub clean_requirements: bool,
    /// `distro-sync` also replaces a package by another build of the same version.
    pub reinstall_changed: bool,
    /// Names of packages of which several versions stand side by side.
    pub install_only: Vec<String>,
    /// How many versions of each of those stay; at least one.
    pub install_only_limit: usize,
    /// Names and globs to leave out.
    pub excludes: Vec<String>,
    /// The configuration file, which messages name.
    pub config_file: PathBuf,
    /// Locks, protected packages and lowest versions.
    pub policy: SolverPolicy,
    /// Names of installed packages that came as dependencies.
    pub auto: BTreeSet<String>,
    /// Numbers in the rpm database of the packages that hold the running kernel.
    pub running: Vec<u32>,
}

impl Request {
    /// A request without words under these settings. Messages name what was `typed`.
    pub fn new(settings: &Settings, typed: Typed, policy: SolverPolicy) -> Self {
        let main = &settings.main;
        // 0 is no limit, as in dnf.
        let limit = match usize::try_from(main.installonly_limit) {
            Ok(limit @ 1..) => limit,
            _ => usize::MAX,
        };
        Self {
            typed,
            skips: settings.skips,
            best: settings.best,
            no_recommends: !main.install_weak_deps,
            nobest: settings.nobest,
            allow_erasing: settings.allow_erasing,
            clean_requirements: settings.clean_requirements,
            reinstall_changed: main.distrosync_reinstall_changed,
            install_only: main.installonlypkgs.clone(),
            install_only_limit: limit,
            excludes: settings.excludes.clone(),
            config_file: settings.config_file.clone(),
            policy,
            ..Self::default()
        }
    }

    /// The same request for these words.
    #[must_use]
    pub fn with(mut self, words: &[String]) -> Self {
        self.words = words.to_vec();
        self
    }

    /// Whether `--exclude` or `excludepkgs` leaves this package out.
    pub(super) fn excludes(&self, packages: &Packages, id: SolvableId) -> bool {
        let mut patterns = self.excludes.iter();
        patterns.any(|pattern| packages.pool.is_named(id, pattern))
    }

    /// What repositories offer and `--exclude` or `excludepkgs` leaves out.
    pub(super) fn hidden(&self, packages: &Packages) -> Vec<SolvableId> {
        if self.excludes.is_empty() {
            return Vec::new();
        }
        let pool = &packages.pool;
        let offered = pool.solvables().filter(|id| !pool.is_installed(*id));
        offered.filter(|id| self.excludes(packages, *id)).collect()
    }

    /// Whether `--exclude` or `excludepkgs` leaves all packages of a name out.
    pub(super) fn excludes_name(&self, name: &str) -> bool {
        let mut patterns = self.excludes.iter();
        patterns.any(|pattern| glob_matches(pattern, name))
    }

    /// Whether a package holds the running kernel.
    pub(super) fn is_running(&self, packages: &Packages, id: SolvableId) -> bool {
        let number = match self.running.is_empty() {
            true => None,
            false => packages.pool.plan_facts(id).ok(),
        };
        number.is_some_and(|facts| self.running.contains(&facts.database_number))
    }

    /// Whether several versions of this name may stand side by side.
    pub(super) fn is_install_only(&self, name: &str) -> bool {
        self.install_only.iter().any(|only| only == name)
    }

    /// Makes names of what `installonlypkgs` says otherwise: dnf reads globs and what packages provide, such as
    /// `installonlypkg(kernel)`.
    pub fn name_install_only(&mut self, packages: &mut Packages) -> Outcome<()> {
        let mut names = BTreeSet::new();
        for word in std::mem::take(&mut self.install_only) {
            let pool = &mut packages.pool;
            if is_glob(&word) {
                let all = pool.solvables().map(|id| pool.name(id));
                let fitting = all.filter(|name| glob_matches(&word, name));
                names.extend(fitting.map(str::to_owned));
            } else {
                let providers = pool.whatprovides(&word)?;
                names.extend(providers.iter().map(|id| pool.name(*id).to_owned()));
                names.insert(word);
            }
        }
        self.install_only = names.into_iter().collect();
        Ok(())
    }

    /// Hides what is excluded or too old from selections and the solver.
    pub fn hide(&self, packages: &mut Packages) {
        let minimum = &self.policy.minimum;
        let nothing = packages.leaves_nothing_out() && packages.modular.is_empty();
        if self.excludes.is_empty() && minimum.is_empty() && nothing {
            return;
        }
        let pool = &packages.pool;
        let excluded = |id: &SolvableId| self.excludes(packages, *id) || packages.is_left_out(*id);
        let too_old = |id: &SolvableId| {
            let (name, evr) = (pool.name(*id), pool.evr(*id));
            // What is installed already stays as it is.
            let mut lowest = minimum.iter().filter(|(low, _)| low == name);
            !pool.is_installed(*id)
                && lowest.any(|(_, lowest)| Evr::parse(evr) < Evr::parse(lowest))
        };
        let mut hidden: Vec<SolvableId> = pool.solvables().filter(excluded).collect();
        let old = pool.solvables().filter(too_old).filter(|id| !excluded(id));
        let old: HashSet<SolvableId> = old.collect();
        hidden.extend(&old);
        hidden.extend(packages.modular.keys());
        packages.too_old = old;
        packages.pool.set_excluded(hidden);
    }
}
