//! The catalog: all packages a command looks at, in one pool.
//!
//! Each repository's primary metadata is turned once into a cache file of the pool's own form
//! (`<repo cache>/catalog/primary`, named by repomd.xml's digest); the installed packages likewise
//! (named by the database's cookie). Opening a catalog loads these by copies. Damage to a cache is
//! noticed and answered by rebuilding it.

mod convert;
mod details;
mod error;
mod filelists;
mod header;
mod installed;
mod path_index;
mod prepare;
mod reach;
mod repo;
mod store;
#[cfg(test)]
mod tests;

pub use convert::with_primary;
pub use details::ChangelogEntry;
pub use error::CatalogError;
pub use filelists::FoundFile;
pub use path_index::{PathIndex, path_index};
pub use prepare::prepare;
pub use reach::Reach;
pub use repo::open_part;
pub use repo::{CATALOG_DIR, primary_cache};

use header::{Outside, with_header};
use prepare::side_by_side;
use repo_client::MetadataSet;
use rpm_db::{Damaged, Db};
use rpm_pkg::glob::glob_matches;
use rpm_pkg::header::Header;
use rpm_solv::{CacheFile, Pool, RepoId, SolvableId};
use std::path::Path;

/// Name of the repository of installed packages.
pub const SYSTEM_REPO: &str = "@System";
/// Name of the repository of packages given as files.
pub const FILES_REPO: &str = "@cmdline";

/// A repository to be opened.
#[derive(Clone, Copy)]
pub struct RepoSource<'a> {
    /// Its metadata on disk.
    pub set: &'a MetadataSet,
    /// `priority=` of the .repo file: lower is preferred.
    pub priority: i32,
}

/// The installed packages to be opened.
#[derive(Clone, Copy)]
pub struct InstalledSource<'a> {
    /// The database.
    pub db: &'a Db,
    /// Where their cache may be kept.
    pub cache: Option<&'a Path>,
}

/// All packages, in one pool.
pub struct Catalog {
    /// The pool; repositories stand in list order: installed, then as given, then files.
    pub pool: Pool,
    /// Installed packages.
    pub installed: RepoId,
    /// Headers of the rpm database that cannot be used; their packages are not among the installed ones.
    pub damaged: Vec<Damaged>,
    /// Repositories in the order they were given.
    pub repos: Vec<RepoId>,
    /// Packages given as files on the command line.
    pub files: RepoId,
}

impl Catalog {
    /// Opens repositories (preferred first) and installed packages for a machine of `arch`: of the repositories what `reach`
    /// says, at least.
    ///
    /// # Errors
    /// Metadata or database cannot be read.
    pub fn open(
        arch: &str,
        installed: Option<InstalledSource<'_>>,
        sources: &[RepoSource<'_>],
        reach: Reach<'_>,
    ) -> Result<Self, CatalogError> {
        let installed = installed
            .map(|source| installed::installed_cache(source.db, source.cache))
            .transpose()?;
        let (installed, damaged) = installed.unzip();
        let caches = side_by_side(sources, |source| primary_cache(source.set));
        let caches: Vec<CacheFile> = caches.into_iter().collect::<Result<_, _>>()?;
        let narrow = reach.open(arch, installed.as_ref(), sources, &caches)?;
        let mut catalog = match narrow {
            Some(catalog) => catalog,
            None => Self::whole(arch, installed, sources, caches)?,
        };
        catalog.damaged = damaged.unwrap_or_default();
        Ok(catalog)
    }

    /// All packages of these caches.
    fn whole(
        arch: &str,
        installed: Option<CacheFile>,
        sources: &[RepoSource<'_>],
        caches: Vec<CacheFile>,
    ) -> Result<Self, CatalogError> {
        let mut catalog = Self::empty(arch, sources)?;
        let installed = installed.map(|cache| (catalog.installed, cache));
        let repos = catalog.repos.iter().copied().zip(caches);
        let mut loads: Vec<_> = installed.into_iter().chain(repos).collect();
        // An empty pool takes a cache over as it is; so the largest goes first.
        loads.sort_by_key(|(_, cache)| std::cmp::Reverse(cache.package_count()));
        for (repo, cache) in loads {
            catalog.pool.load_cache(repo, cache)?;
        }
        Ok(catalog)
    }

    /// The repositories without packages.
    fn empty(arch: &str, sources: &[RepoSource<'_>]) -> Result<Self, CatalogError> {
        let mut pool = Pool::new(arch)?;
        let installed = pool.add_repo(SYSTEM_REPO, 0)?;
        pool.set_installed(installed)?;
        let repos = sources
            .iter()
            .map(|source| pool.add_repo(&source.set.repo, source.priority))
            .collect::<Result<_, _>>()?;
        let files = pool.add_repo(FILES_REPO, 0)?;
        Ok(Self {
            pool,
            installed,
            damaged: Vec::new(),
            repos,
            files,
        })
    }

    /// Adds a package file that was given on the command line. `location` is its path or URL.
    ///
    /// # Errors
    /// The header has no name, version or release.
    pub fn add_file(
        &mut self,
        header: &Header,
        location: &str,
        package_size: u64,
    ) -> Result<SolvableId, CatalogError> {
        let outside = Outside {
            location,
            package_size,
            ..Outside::default()
        };
        let (pool, repo) = (&mut self.pool, self.files);
        with_header(header, location, &outside, |input| {
            pool.add_package(repo, input)
        })
    }

    /// Hides every package, installed ones too, that one of the `patterns` names by name or glob.
    pub fn exclude(&mut self, patterns: &[String]) {
        let hidden = self
            .pool
            .solvables()
            .filter(|id| {
                let name = self.pool.name(*id);
                patterns.iter().any(|pattern| glob_matches(pattern, name))
            })
            .collect();
        self.pool.set_excluded(hidden);
    }
}
