//! File lists and changelogs of chosen packages, read from metadata on demand.

use super::error::CatalogError;
use super::repo::read_part;
use super::{Catalog, RepoSource};
use repo_client::MetadataSet;
use rpm_repo::updateinfo::Advisory;
use rpm_solv::{RepoId, SolvableId};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// A changelog entry that owns its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangelogEntry {
    /// Who, often with the version.
    pub author: String,
    /// When, seconds since 1970.
    pub date: u64,
    /// What.
    pub text: String,
}

impl Catalog {
    /// All paths of each of `wanted` that repositories have, in metadata order. `sources` are the
    /// ones the catalog was opened with; those without filelists on disk are skipped.
    ///
    /// # Errors
    /// Filelists are damaged or cannot be read.
    pub fn files_of(
        &self,
        sources: &[RepoSource<'_>],
        wanted: &[SolvableId],
    ) -> Result<HashMap<SolvableId, Vec<String>>, CatalogError> {
        let mut found = HashMap::new();
        for (source, repo) in sources.iter().zip(&self.repos) {
            let ids = self.by_checksum(*repo, wanted)?;
            if ids.is_empty() || source.set.part("filelists").is_none() {
                continue;
            }
            read_part(source.set, "filelists", |name, stream, limits| {
                rpm_repo::filelists::read(name, stream, limits, &mut |package| {
                    if let Some(id) = ids.get(package.pkgid()) {
                        let paths = package.files().map(|file| file.path.to_owned()).collect();
                        found.insert(*id, paths);
                    }
                    ControlFlow::Continue(())
                })
            })?;
        }
        Ok(found)
    }

    /// The changelog of each of `wanted`, newest entry first. As [`Catalog::files_of`].
    ///
    /// # Errors
    /// The metadata is damaged or cannot be read.
    pub fn changelogs_of(
        &self,
        sources: &[RepoSource<'_>],
        wanted: &[SolvableId],
    ) -> Result<HashMap<SolvableId, Vec<ChangelogEntry>>, CatalogError> {
        let mut found = HashMap::new();
        for (source, repo) in sources.iter().zip(&self.repos) {
            let ids = self.by_checksum(*repo, wanted)?;
            if ids.is_empty() || source.set.part("other").is_none() {
                continue;
            }
            read_part(source.set, "other", |name, stream, limits| {
                rpm_repo::other::read(name, stream, limits, &mut |package| {
                    if let Some(id) = ids.get(package.pkgid()) {
                        let entries = package.changelogs().map(|entry| ChangelogEntry {
                            author: entry.author.to_owned(),
                            date: entry.date,
                            text: entry.text.to_owned(),
                        });
                        let mut entries: Vec<_> = entries.collect();
                        entries.sort_by_key(|entry| std::cmp::Reverse(entry.date));
                        found.insert(*id, entries);
                    }
                    ControlFlow::Continue(())
                })
            })?;
        }
        Ok(found)
    }

    /// Shows the advisories of all repositories that have any to `each`, which keeps what it wants and may stop.
    ///
    /// # Errors
    /// The metadata is damaged or cannot be read.
    pub fn advisories_of(
        &self,
        sources: &[RepoSource<'_>],
        each: &mut dyn FnMut(Advisory) -> ControlFlow<()>,
    ) -> Result<(), CatalogError> {
        for source in sources {
            if source.set.part("updateinfo").is_none() {
                continue;
            }
            read_part(source.set, "updateinfo", |name, stream, limits| {
                rpm_repo::updateinfo::read(name, stream, limits, each)
            })?;
        }
        Ok(())
    }

    /// The file times of the packages of a repository by their checksums, as its primary metadata tells them: 0 where
    /// it does not, the latest where a checksum stands twice. All of the metadata is read.
    ///
    /// # Errors
    /// The metadata is damaged or cannot be read.
    pub fn file_times(set: &MetadataSet) -> Result<HashMap<String, u64>, CatalogError> {
        let mut times: HashMap<String, u64> = HashMap::new();
        read_part(set, "primary", |name, stream, limits| {
            rpm_repo::primary::read(name, stream, limits, &mut |package| {
                let checksum = package.checksum().to_ascii_lowercase();
                let time = times.entry(checksum).or_default();
                *time = package.file_time().max(*time);
                ControlFlow::Continue(())
            })
        })?;
        Ok(times)
    }

    fn by_checksum(
        &self,
        repo: RepoId,
        wanted: &[SolvableId],
    ) -> Result<HashMap<String, SolvableId>, CatalogError> {
        let mut ids = HashMap::new();
        for id in wanted {
            if self.pool.repo_of(*id)? == repo {
                ids.insert(self.pool.plan_facts(*id)?.checksum, *id);
            }
        }
        Ok(ids)
    }
}
