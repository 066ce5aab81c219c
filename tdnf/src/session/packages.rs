//! All packages that a command looks at.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

use rpm_solv::{RepoId, SolvableId};

use super::{Session, Source};
use crate::catalog::{Catalog, InstalledSource, RepoSource};
use crate::error::Outcome;

/// File below the cache directory that keeps the installed packages in the pool's form.
const INSTALLED_CACHE: &str = "installed.catalog";

/// The catalog of a run and what its repositories are.
pub struct Packages {
    catalog: Catalog,
    priorities: HashMap<RepoId, i32>,
    /// The repositories, with their metadata.
    pub sources: Vec<Source>,
    /// The architecture of the system.
    pub arch: String,
}

impl Deref for Packages {
    type Target = Catalog;

    fn deref(&self) -> &Catalog {
        &self.catalog
    }
}

impl DerefMut for Packages {
    fn deref_mut(&mut self) -> &mut Catalog {
        &mut self.catalog
    }
}

impl Session<'_> {
    /// Opens the installed packages and those of `sources`. With `--alldeps` nothing counts as
    /// installed.
    pub fn packages(&self, sources: Vec<Source>) -> Outcome<Packages> {
        let alldeps = self
            .settings
            .download_only
            .as_ref()
            .is_some_and(|only| only.alldeps);
        let db = if alldeps { None } else { self.db()? };
        let cache = self.cache_dir().join(INSTALLED_CACHE);
        let installed = db.as_ref().map(|db| InstalledSource {
            db,
            cache: Some(&cache),
        });
        let wishes: Vec<RepoSource<'_>> = sources
            .iter()
            .map(|source| RepoSource {
                set: &source.set,
                priority: source.config.priority,
            })
            .collect();
        let catalog = Catalog::open(&self.settings.arch, installed, &wishes)?;
        let priorities = sources.iter().map(|source| source.config.priority);
        let priorities = catalog.repos.iter().copied().zip(priorities).collect();
        Ok(Packages {
            catalog,
            priorities,
            sources,
            arch: self.settings.arch.clone(),
        })
    }
}

impl Packages {
    /// Priority of a package's repository: lower is preferred; files of the command line are
    /// preferred to everything.
    pub fn priority(&self, id: SolvableId) -> i32 {
        let repo = self.pool.repo_of(id).ok();
        repo.and_then(|repo| self.priorities.get(&repo).copied())
            .unwrap_or(i32::MIN)
    }

    /// Whether a package of this name is installed.
    pub fn is_installed_name(&self, name: &str) -> bool {
        self.pool
            .repo_solvables(self.installed)
            .any(|id| self.pool.name(id) == name)
    }

    /// Packages of a name that repositories have and that are not excluded.
    pub fn available_named(&self, name: &str) -> Vec<SolvableId> {
        let all = self.pool.solvables();
        let offered = all.filter(|id| !self.pool.is_installed(*id) && !self.pool.is_excluded(*id));
        offered.filter(|id| self.pool.name(*id) == name).collect()
    }
}
