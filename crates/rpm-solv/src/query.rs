//! Asking the pool about packages.

use crate::deps;
use crate::error::SolvError;
use crate::facts::{self, Facts};
use crate::ffi::{self, Id};
use crate::input::{DepInput, DependencyKind, EvrInput, Relation};
use crate::pool::{Pool, RepoId, SolvableId, TextStore};
use crate::queue::Queue;
use std::cmp::Ordering;
use std::ffi::CStr;

impl Pool {
    /// All packages in pool order: repository by repository as added, inside each in metadata order.
    pub fn solvables(&self) -> impl Iterator<Item = SolvableId> + '_ {
        self.repos().flat_map(|repo| self.repo_solvables(repo))
    }

    /// The package at a place in a repository's order.
    #[must_use]
    pub fn solvable_at(&self, repo: RepoId, index: usize) -> Option<SolvableId> {
        let mut index = i32::try_from(index).ok()?;
        for block in &self.repos.get(repo.0)?.blocks {
            if index < block.count {
                return Some(SolvableId(block.start + index));
            }
            index -= block.count;
        }
        None
    }

    /// Sorts packages into pool order.
    pub fn sort(&self, ids: &mut [SolvableId]) {
        ids.sort_by_key(|id| (self.repo_of(*id).ok(), *id));
    }

    /// Packages of one repository, in its order.
    pub fn repo_solvables(&self, repo: RepoId) -> impl Iterator<Item = SolvableId> + '_ {
        self.repos
            .get(repo.0)
            .map(|slot| slot.blocks.as_slice())
            .unwrap_or_default()
            .iter()
            .flat_map(|block| block.start..block.start + block.count)
            .map(SolvableId)
    }

    /// The repositories in order.
    pub fn repos(&self) -> impl Iterator<Item = RepoId> + '_ {
        (0..self.repos.len()).map(RepoId)
    }

    /// A repository's name; empty for an id of another pool.
    #[must_use]
    pub fn repo_name(&self, repo: RepoId) -> &str {
        self.repos.get(repo.0).map_or("", |slot| &slot.name)
    }

    /// Package name.
    #[must_use]
    pub fn name(&self, id: SolvableId) -> &str {
        self.solvable(id).map_or("", |s| self.string(s.name))
    }

    /// Architecture.
    #[must_use]
    pub fn arch(&self, id: SolvableId) -> &str {
        self.solvable(id).map_or("", |s| self.string(s.arch))
    }

    /// `[epoch:]version-release`, the epoch only if it is not zero.
    #[must_use]
    pub fn evr(&self, id: SolvableId) -> &str {
        self.solvable(id).map_or("", |s| self.string(s.evr))
    }

    /// Epoch (0 if none), version, release.
    #[must_use]
    pub fn evr_parts(&self, id: SolvableId) -> (u32, &str, &str) {
        let evr = self.evr(id);
        let (epoch, rest) = match evr.split_once(':') {
            Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
            None => (0, evr),
        };
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch, version, release)
    }

    /// Vendor.
    #[must_use]
    pub fn vendor(&self, id: SolvableId) -> &str {
        self.solvable(id).map_or("", |s| self.string(s.vendor))
    }

    /// `name-[epoch:]version-release.arch`.
    #[must_use]
    pub fn nevra(&self, id: SolvableId) -> String {
        format!("{}-{}.{}", self.name(id), self.evr(id), self.arch(id))
    }

    /// The repository a package is in.
    ///
    /// # Errors
    /// The package is not of this pool.
    pub fn repo_of(&self, id: SolvableId) -> Result<RepoId, SolvError> {
        let repo = self.check(id)?.repo;
        // SAFETY: check() only returns solvables whose repository is live; appdata holds the index we stored.
        let index = unsafe { (*repo).appdata }.addr();
        self.slot(RepoId(index))?;
        Ok(RepoId(index))
    }

    /// Whether a package is installed.
    #[must_use]
    pub fn is_installed(&self, id: SolvableId) -> bool {
        self.installed.is_some() && self.repo_of(id).ok() == self.installed
    }

    /// Compares the versions of two packages.
    #[must_use]
    pub fn compare_versions(&self, left: SolvableId, right: SolvableId) -> Ordering {
        match (self.solvable(left), self.solvable(right)) {
            (Some(left), Some(right)) if left.evr == right.evr => Ordering::Equal,
            (Some(left), Some(right)) => self.compare_evr_ids(left.evr, right.evr),
            _ => Ordering::Equal,
        }
    }

    fn compare_evr_ids(&self, left: Id, right: Id) -> Ordering {
        // SAFETY: the pool is live, and both ids come from its solvables.
        unsafe {
            let pool = self.raw.as_ptr();
            ffi::pool_evrcmp_str(
                pool,
                ffi::pool_id2str(pool, left),
                ffi::pool_id2str(pool, right),
                ffi::EVRCMP_COMPARE,
            )
        }
        .cmp(&0)
    }

    /// What the solver does not need to know about a package: read from the cache file for cached repositories.
    ///
    /// # Errors
    /// The package is not of this pool, or the cache file was damaged meanwhile.
    pub fn facts(&self, id: SolvableId) -> Result<Facts, SolvError> {
        let slot = self.slot(self.repo_of(id)?)?;
        let block = slot
            .blocks
            .iter()
            .find(|block| (block.start..block.start + block.count).contains(&id.0))
            .ok_or(SolvError::NoSuchSolvable(id.number()))?;
        let index = (id.0 - block.start) as u32;
        match &block.store {
            TextStore::Memory { bytes, starts } => starts
                .get(index as usize)
                .and_then(|start| bytes.get(*start..))
                .and_then(|record| facts::body(record, index))
                .and_then(facts::decode)
                .ok_or(SolvError::NoSuchSolvable(id.number())),
            TextStore::File(cache) => cache.facts(index),
        }
    }

    /// A package's dependencies of one kind as text, in metadata order; provides that come from file lists are left out.
    #[must_use]
    pub fn deps(&self, id: SolvableId, kind: DependencyKind) -> Vec<String> {
        self.dep_ids(id, kind)
            .into_iter()
            .map(|dep| self.dep_text(dep))
            .collect()
    }

    fn dep_ids(&self, id: SolvableId, kind: DependencyKind) -> Vec<Id> {
        let Some(solvable) = self.solvable(id) else {
            return Vec::new();
        };
        let (offset, marker) = match kind {
            DependencyKind::Provides => (solvable.provides, ffi::FILE_MARKER),
            DependencyKind::Requires | DependencyKind::RequiresPre => {
                (solvable.requires, ffi::PREREQ_MARKER)
            }
            DependencyKind::Conflicts => (solvable.conflicts, 0),
            DependencyKind::Obsoletes => (solvable.obsoletes, 0),
            DependencyKind::Recommends => (solvable.recommends, 0),
            DependencyKind::Suggests => (solvable.suggests, 0),
            DependencyKind::Supplements => (solvable.supplements, 0),
            DependencyKind::Enhances => (solvable.enhances, 0),
        };
        let mut ids = Vec::new();
        let mut behind = false;
        if offset != 0 {
            // SAFETY: a solvable's offsets lead into its repository's array, where each list ends with 0.
            unsafe {
                let mut at = (*solvable.repo).idarraydata.add(offset as usize);
                while *at != 0 {
                    if *at == marker {
                        behind = true;
                    } else if behind == (kind == DependencyKind::RequiresPre) {
                        ids.push(*at);
                    }
                    at = at.add(1);
                }
            }
        }
        ids
    }

    fn dep_text(&self, dep: Id) -> String {
        // SAFETY: the pool is live and `dep` comes from its arrays; the text lies in pool-owned temporary space and is copied at once.
        unsafe { CStr::from_ptr(ffi::pool_dep2str(self.raw.as_ptr(), dep)) }
            .to_string_lossy()
            .into_owned()
    }

    /// Packages with a dependency of this kind whose name is `name`, whatever its version; pool order.
    #[must_use]
    pub fn solvables_with_dep_name(&self, kind: DependencyKind, name: &str) -> Vec<SolvableId> {
        let Some(wanted) = self.known_string(name) else {
            return Vec::new();
        };
        self.solvables()
            .filter(|id| {
                let mut kinds = vec![kind];
                if kind == DependencyKind::Requires {
                    kinds.push(DependencyKind::RequiresPre);
                }
                kinds
                    .into_iter()
                    .flat_map(|kind| self.dep_ids(*id, kind))
                    .any(|dep| self.mentions(dep, wanted))
            })
            .collect()
    }

    fn mentions(&self, dep: Id, wanted: Id) -> bool {
        let mut dep = dep;
        while dep as u32 & ffi::REL_BIT != 0 {
            let index = (dep as u32 & !ffi::REL_BIT) as usize;
            // SAFETY: the pool is live, and the index is checked against nrels.
            let rel = unsafe {
                let pool = self.raw.as_ref();
                if index >= pool.nrels as usize {
                    return false;
                }
                *pool.rels.add(index)
            };
            if rel.flags > 7 && self.mentions(rel.evr, wanted) {
                return true;
            }
            dep = rel.name;
        }
        dep == wanted
    }

    fn known_string(&self, text: &str) -> Option<Id> {
        let length = u32::try_from(text.len()).ok()?;
        // SAFETY: the pool is live; with create = 0 libsolv only looks; the pointer holds `length` bytes.
        let id = unsafe { ffi::pool_strn2id(self.raw.as_ptr(), text.as_ptr().cast(), length, 0) };
        (id > 0).then_some(id)
    }

    /// Packages that provide `dep` (`name`, `name >= 1`, `(a or b)`), in pool order.
    ///
    /// # Errors
    /// `dep` is not a dependency, or preparing failed.
    pub fn whatprovides(&mut self, dep: &str) -> Result<Vec<SolvableId>, SolvError> {
        if self.is_new_path(dep) {
            self.prepare()?;
            let mut found = self.file_owners(dep.as_bytes())?;
            found.retain(|id| self.counts_as_provider(*id));
            return Ok(found);
        }
        let dep = self.parse_dep(dep)?;
        self.prepare()?;
        let mut found = Vec::new();
        // SAFETY: the pool is live and prepared; the provider list lies in its whatprovides data and ends with 0.
        unsafe {
            let pool = self.raw.as_ptr();
            let offset = provider_offset(pool, dep);
            let mut at = (*pool).whatprovidesdata.add(offset as usize);
            while *at != 0 {
                found.push(SolvableId(*at));
                at = at.add(1);
            }
        }
        found.retain(|id| self.solvable(*id).is_some());
        self.sort(&mut found);
        Ok(found)
    }

    /// Whether `dep` is a path that no package depends on so far. A question must not add it to the
    /// pool: [`Self::missing_paths`] would list it.
    fn is_new_path(&self, dep: &str) -> bool {
        dep.starts_with('/')
            && !dep.contains(char::is_whitespace)
            && !dep.contains('\0')
            && self.known_string(dep).is_none()
    }

    /// Whether libsolv counts the package among providers: it is installed, or it could be.
    fn counts_as_provider(&self, id: SolvableId) -> bool {
        if self.is_installed(id) {
            return true;
        }
        let Some(solvable) = self.solvable(id) else {
            return false;
        };
        // SAFETY: the pool is live; id2arch, if there is one, has an entry for each id up to lastarch.
        let fits = unsafe {
            let pool = self.raw.as_ref();
            pool.id2arch.is_null()
                || (solvable.arch > 0
                    && solvable.arch <= pool.lastarch
                    && *pool.id2arch.add(solvable.arch as usize) != 0)
        };
        fits && !self.is_excluded(id) && !matches!(self.arch(id), "src" | "nosrc")
    }

    /// Packages with a dependency of this kind that `dep` satisfies (versions and all), in pool order.
    ///
    /// # Errors
    /// `dep` is not a dependency, or preparing failed.
    pub fn whatmatches(
        &mut self,
        kind: DependencyKind,
        dep: &str,
    ) -> Result<Vec<SolvableId>, SolvError> {
        if self.is_new_path(dep) {
            return Ok(Vec::new());
        }
        let dep = self.parse_dep(dep)?;
        self.prepare()?;
        let key = match kind {
            DependencyKind::Provides => ffi::solv_knownid_SOLVABLE_PROVIDES,
            DependencyKind::Requires | DependencyKind::RequiresPre => {
                ffi::solv_knownid_SOLVABLE_REQUIRES
            }
            DependencyKind::Conflicts => ffi::solv_knownid_SOLVABLE_CONFLICTS,
            DependencyKind::Obsoletes => ffi::solv_knownid_SOLVABLE_OBSOLETES,
            DependencyKind::Recommends => ffi::solv_knownid_SOLVABLE_RECOMMENDS,
            DependencyKind::Suggests => ffi::solv_knownid_SOLVABLE_SUGGESTS,
            DependencyKind::Supplements => ffi::solv_knownid_SOLVABLE_SUPPLEMENTS,
            DependencyKind::Enhances => ffi::solv_knownid_SOLVABLE_ENHANCES,
        };
        let mut queue = Queue::new();
        // SAFETY: the pool is live and prepared, the queue initialised.
        unsafe {
            ffi::pool_whatmatchesdep(self.raw.as_ptr(), key as Id, dep, queue.as_mut_ptr(), 0);
        }
        let mut found: Vec<_> = queue.ids().iter().copied().map(SolvableId).collect();
        self.sort(&mut found);
        Ok(found)
    }

    /// The id of a dependency given as text.
    pub(crate) fn parse_dep(&mut self, text: &str) -> Result<Id, SolvError> {
        let bad = || SolvError::BadDependency(text.to_owned());
        if text.contains('\0') {
            return Err(SolvError::Nul(text.to_owned()));
        }
        let mut words = text.split_whitespace();
        let dep = if text.starts_with('(') {
            DepInput {
                name: text,
                ..DepInput::default()
            }
        } else {
            let name = words.next().ok_or_else(bad)?;
            let relation = match words.next() {
                None => Relation::ANY,
                Some("=" | "==") => Relation::EQUAL,
                Some("<") => Relation::LESS,
                Some("<=") => Relation::LESS_EQUAL,
                Some(">") => Relation::GREATER,
                Some(">=") => Relation::GREATER_EQUAL,
                Some(_) => return Err(bad()),
            };
            let version = match relation {
                Relation::ANY => "",
                _ => words.next().ok_or_else(bad)?,
            };
            if words.next().is_some() {
                return Err(bad());
            }
            DepInput {
                name,
                relation,
                evr: EvrInput {
                    version,
                    ..EvrInput::default()
                },
                pre: false,
            }
        };
        // SAFETY: the pool is live.
        Ok(unsafe { deps::dep_id(self.raw.as_ptr(), &dep, &mut String::new()) })
    }

    /// Packages that hold `path` as far as the pool was told about files; pool order.
    ///
    /// # Errors
    /// A cache file could not be read.
    pub fn file_owners(&mut self, path: &[u8]) -> Result<Vec<SolvableId>, SolvError> {
        let mut found = Vec::new();
        for slot in &mut self.repos {
            slot.files.sort();
            found.extend(slot.files.find(path).map(|id| SolvableId(id as Id)));
            for block in &mut slot.blocks {
                if let TextStore::File(cache) = &mut block.store {
                    let index = cache.file_index()?;
                    found.extend(
                        index
                            .find(path)
                            .filter(|package| (*package as Id) < block.count)
                            .map(|package| SolvableId(block.start + package as Id)),
                    );
                }
            }
        }
        self.sort(&mut found);
        found.dedup();
        Ok(found)
    }

    /// Paths that packages depend on and nobody provides so far: what file lists could answer.
    ///
    /// # Errors
    /// A cache file could not be read.
    pub fn missing_paths(&mut self) -> Result<Vec<String>, SolvError> {
        self.prepare()?;
        let pool = self.raw.as_ptr();
        Ok(self
            .path_strings()
            .into_iter()
            // SAFETY: the pool is live and prepared; the list at the offset can be read.
            .filter(|(_, id)| unsafe {
                *(*pool)
                    .whatprovidesdata
                    .add(provider_offset(pool, *id) as usize)
                    == 0
            })
            .filter_map(|(path, _)| String::from_utf8(path).ok())
            .collect())
    }
}

/// Where the providers of a dependency are listed, as libsolv's inline `pool_whatprovides` finds it.
///
/// # Safety
/// The pool must be live and prepared, and `dep` an id of it.
pub(crate) unsafe fn provider_offset(pool: *mut ffi::Pool, dep: Id) -> u32 {
    // SAFETY: whatprovides and whatprovides_rel have an entry for each id of a prepared pool (caller); 1 and 0 mean not yet computed for relations.
    unsafe {
        if dep as u32 & ffi::REL_BIT == 0 {
            let offset = *(*pool).whatprovides.add(dep as usize);
            if offset != 0 {
                return offset;
            }
        } else {
            let offset = *(*pool)
                .whatprovides_rel
                .add((dep as u32 & !ffi::REL_BIT) as usize);
            if offset != 0 {
                return offset;
            }
        }
        ffi::pool_addrelproviders(pool, dep) as u32
    }
}
