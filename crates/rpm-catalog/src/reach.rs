//! Opening the packages that a question is about, in place of all.

use super::error::CatalogError;
use super::{Catalog, RepoSource};
use rpm_solv::{CacheFile, SelectFlags, names_of_spec};

/// Which packages of repositories a question can reach; the installed ones are always all there.
#[derive(Debug, Clone, Copy)]
pub enum Reach<'a> {
    /// Any.
    All,
    /// What these words select. Where one of them is a pattern or selects nothing, that is any.
    Words(&'a [String], SelectFlags),
    /// Those that are called as an installed one is.
    Namesakes,
}

impl Reach<'_> {
    /// The packages that can be reached and no others, the rest of the metadata unread: every answer about them is the same as
    /// in the whole catalog. `None` where only that can tell.
    pub(super) fn open(
        self,
        arch: &str,
        installed: Option<&CacheFile>,
        sources: &[RepoSource<'_>],
        caches: &[CacheFile],
    ) -> Result<Option<Catalog>, CatalogError> {
        let specs = match self {
            // Without an architecture any word behind a dot could be one.
            Self::Words(words, _) if !words.is_empty() && !arch.is_empty() => words,
            Self::Namesakes => &[],
            Self::Words(..) | Self::All => return Ok(None),
        };
        let names = specs.iter().map(|word| names_of_spec(word));
        let Some(names) = names.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let mut names: Vec<String> = names.into_iter().flatten().map(str::to_owned).collect();
        let mut catalog = Catalog::empty(arch, sources)?;
        let (pool, system) = (&mut catalog.pool, catalog.installed);
        if let Some(cache) = installed {
            pool.load_cache(system, cache.again()?)?;
        }
        if matches!(self, Self::Namesakes) {
            names.extend(
                pool.repo_solvables(system)
                    .map(|id| pool.name(id).to_owned()),
            );
        }
        names.sort_unstable();
        names.dedup();
        for (repo, cache) in catalog.repos.iter().zip(caches) {
            pool.load_named(*repo, cache.again()?, &names)?;
        }
        if let Self::Words(words, flags) = self {
            for word in words {
                if pool.select(word, flags, false)?.is_empty() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(catalog))
    }
}
