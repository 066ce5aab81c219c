//! Paths outside primary metadata: read from filelists on demand.

use super::error::CatalogError;
use super::path_index::path_index;
use super::repo::read_part;
use super::{Catalog, RepoSource};
use rpm_solv::{RepoId, SolvableId};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

/// A path that was looked for, and a package that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// The package.
    pub solvable: SolvableId,
    /// The path.
    pub path: String,
}

/// A match before its package is known in the pool.
struct Hit {
    pkgid: String,
    name: String,
    path: String,
}

impl Catalog {
    /// Every file of the repositories whose path `wanted` accepts, in pool order. Repositories whose
    /// filelists are not on disk are skipped. `sources` are the ones the catalog was opened with.
    ///
    /// # Errors
    /// Filelists are damaged or cannot be read.
    pub fn find_files(
        &self,
        sources: &[RepoSource<'_>],
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<FoundFile>, CatalogError> {
        let mut found = Vec::new();
        for (source, repo) in sources.iter().zip(&self.repos) {
            if source.set.part("filelists").is_some() {
                let hits = read_hits(source, wanted)?;
                self.place(*repo, hits, &mut found)?;
            }
        }
        found.sort_by_key(|file| file.solvable);
        found.dedup();
        Ok(found)
    }

    /// The holders of exact paths, from the index of filelists (made first if need be), in pool order.
    /// Repositories whose filelists are not on disk are skipped.
    ///
    /// # Errors
    /// As [`Catalog::find_files`].
    pub fn find_paths<'p>(
        &self,
        sources: &[RepoSource<'_>],
        paths: impl Iterator<Item = &'p str> + Clone,
    ) -> Result<Vec<FoundFile>, CatalogError> {
        let mut found = Vec::new();
        for (source, repo) in sources.iter().zip(&self.repos) {
            if source.set.part("filelists").is_none() {
                continue;
            }
            let index = path_index(source.set)?;
            for path in paths.clone() {
                for package in index.find(path.as_bytes())? {
                    let solvable = self.pool.solvable_at(*repo, package as usize);
                    let path = path.to_owned();
                    found.extend(solvable.map(|solvable| FoundFile { solvable, path }));
                }
            }
        }
        Ok(found)
    }

    /// Looks up in filelists the paths that packages depend on and nobody is known to provide, and
    /// adds them as provides: the solver can then use them. `other_name` tells under which other
    /// name a path may be listed. Says how many were looked for.
    ///
    /// # Errors
    /// As [`Catalog::find_files`].
    pub fn add_missing_paths(
        &mut self,
        sources: &[RepoSource<'_>],
        other_name: &dyn Fn(&str) -> Option<String>,
    ) -> Result<usize, CatalogError> {
        // Listed name to required names.
        let mut missing: HashMap<String, Vec<String>> = HashMap::new();
        for path in self.pool.missing_paths()? {
            for listed in other_name(&path).into_iter().chain([path.clone()]) {
                missing.entry(listed).or_default().push(path.clone());
            }
        }
        if missing.is_empty() {
            return Ok(0);
        }
        for file in self.find_paths(sources, missing.keys().map(String::as_str))? {
            for required in missing.get(&file.path).into_iter().flatten() {
                self.pool
                    .add_file_provide(file.solvable, required.as_bytes())?;
            }
        }
        Ok(missing.len())
    }

    fn place(
        &self,
        repo: RepoId,
        hits: Vec<Hit>,
        found: &mut Vec<FoundFile>,
    ) -> Result<(), CatalogError> {
        if hits.is_empty() {
            return Ok(());
        }
        let names: HashSet<&str> = hits.iter().map(|hit| hit.name.as_str()).collect();
        for solvable in self.pool.repo_solvables(repo) {
            let name = self.pool.name(solvable);
            if !names.contains(name) {
                continue;
            }
            let checksum = self.pool.plan_facts(solvable)?.checksum;
            let mine = hits.iter().filter(|hit| hit.pkgid == checksum);
            found.extend(mine.map(|hit| FoundFile {
                solvable,
                path: hit.path.clone(),
            }));
        }
        Ok(())
    }
}

fn read_hits(
    source: &RepoSource<'_>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Hit>, CatalogError> {
    let mut hits = Vec::new();
    read_part(source.set, "filelists", |name, stream, limits| {
        rpm_repo::filelists::read(name, stream, limits, &mut |package| {
            for file in package.files().filter(|file| wanted(file.path)) {
                hits.push(Hit {
                    pkgid: package.pkgid().to_owned(),
                    name: package.name().to_owned(),
                    path: file.path.to_owned(),
                });
            }
            ControlFlow::Continue(())
        })
    })?;
    Ok(hits)
}
