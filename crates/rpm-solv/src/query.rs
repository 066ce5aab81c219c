//! Asking the pool about packages.

use crate::deps;
use crate::error::SolvError;
use crate::facts::{self, FactPart, Facts, PlanFacts};
use crate::ffi::{self, Id};
use crate::input::DepInput;
use crate::pool::{Pool, RepoId, SolvableId, TextBlock, TextStore};
use crate::queue::Queue;
use rpm_pkg::dep::{Dep, DepGroup};
use std::cmp::Ordering;

impl Pool {
    /// All packages in pool order: repository by repository as added, inside each in metadata order.
    pub fn solvables(&self) -> impl Iterator<Item = SolvableId> + '_ {
        self.repos().flat_map(|repo| self.repo_solvables(repo))
    }

    /// The package at a place in a repository's order; of packages that were [picked](Self::load_named) the place in their
    /// file counts.
    #[must_use]
    pub fn solvable_at(&self, repo: RepoId, index: usize) -> Option<SolvableId> {
        let mut index = i32::try_from(index).ok()?;
        for block in &self.repos.get(repo.0)?.blocks {
            let places = match &block.store {
                TextStore::Picked(cache, _) => cache.package_count() as i32,
                _ => block.count,
            };
            if index < places {
                let place = match &block.store {
                    TextStore::Picked(_, numbers) => numbers.binary_search(&(index as u32)).ok()?,
                    _ => index as usize,
                };
                let id = SolvableId(block.start + place as i32);
                return self.solvable(id).map(|_| id);
            }
            index -= places;
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
            .filter(|id| self.solvable(*id).is_some())
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

    /// What a plan says of a package: read from the cache file for cached repositories, at less cost than
    /// [`Pool::facts`].
    ///
    /// # Errors
    /// The package is not of this pool, or the cache file was damaged meanwhile.
    pub fn plan_facts(&self, id: SolvableId) -> Result<PlanFacts<String>, SolvError> {
        let usual = || facts::usual_file(self.name(id), self.evr(id), self.arch(id));
        self.record(id, FactPart::Plan, |body| facts::plan(body, &usual))
    }

    /// What the solver does not need to know about a package, as [`Pool::plan_facts`].
    ///
    /// # Errors
    /// As there.
    pub fn facts(&self, id: SolvableId) -> Result<Facts, SolvError> {
        let plan = self.plan_facts(id)?;
        let texts = self.record(id, FactPart::Summary, |body| {
            let (summary, description) = facts::summary(body)?;
            Some((facts::owned(summary), facts::owned(description)))
        })?;
        self.record(id, FactPart::Details, |body| {
            facts::facts(plan, texts, body)
        })
    }

    /// Lends a package's record to `look`.
    fn record<T>(
        &self,
        id: SolvableId,
        part: FactPart,
        look: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, SolvError> {
        let slot = self.slot(self.repo_of(id)?)?;
        let missing = SolvError::NoSuchSolvable(id.number());
        let holds = |block: &&TextBlock| (block.start..block.start + block.count).contains(&id.0);
        let Some(block) = slot.blocks.iter().find(holds) else {
            return Err(missing);
        };
        let index = (id.0 - block.start) as u32;
        match &block.store {
            TextStore::Memory(records) => records
                .get(index as usize)
                .and_then(|records| facts::bodies(&records[part as usize]).next())
                .and_then(look)
                .ok_or(missing),
            TextStore::File(cache) => cache.record(index, part, look),
            TextStore::Picked(cache, numbers) => match numbers.get(index as usize) {
                Some(number) => cache.record(*number, part, look),
                None => Err(missing),
            },
        }
    }

    /// A package's dependencies of one kind as text, in metadata order (recommends from a cache file: in that of libsolv's
    /// own cache files): without provides that come from file lists, and
    /// without [`Pool::pre_requires`].
    #[must_use]
    pub fn deps(&self, id: SolvableId, kind: DepGroup) -> Vec<String> {
        self.texts(self.dep_ids(id, kind).0)
    }

    /// Whether a package has dependencies of this kind.
    #[must_use]
    pub fn has_deps(&self, id: SolvableId, kind: DepGroup) -> bool {
        !self.dep_ids(id, kind).0.is_empty()
    }

    /// What a package needs before its scripts run (`Requires(pre)` and the like), as text.
    #[must_use]
    pub fn pre_requires(&self, id: SolvableId) -> Vec<String> {
        self.texts(self.dep_ids(id, DepGroup::Requires).1)
    }

    fn texts(&self, deps: &[Id]) -> Vec<String> {
        deps.iter().map(|dep| self.dep_text(*dep)).collect()
    }

    /// The dependencies of one kind: those before the list's marker and those behind it.
    pub(crate) fn dep_ids(&self, id: SolvableId, kind: DepGroup) -> (&[Id], &[Id]) {
        let Some(solvable) = self.solvable(id) else {
            return (&[], &[]);
        };
        let (offset, marker) = match kind {
            DepGroup::Provides => (solvable.provides, ffi::FILE_MARKER),
            DepGroup::Requires => (solvable.requires, ffi::PREREQ_MARKER),
            DepGroup::Conflicts => (solvable.conflicts, 0),
            DepGroup::Obsoletes => (solvable.obsoletes, 0),
            DepGroup::Recommends => (solvable.recommends, 0),
            DepGroup::Suggests => (solvable.suggests, 0),
            DepGroup::Supplements => (solvable.supplements, 0),
            DepGroup::Enhances => (solvable.enhances, 0),
            DepGroup::OrderWithRequires => return (&[], &[]),
        };
        if offset == 0 {
            return (&[], &[]);
        }
        // SAFETY: a solvable's offsets lead into its repository's array, where each list ends with 0.
        let list = unsafe { ffi::ids_at((*solvable.repo).idarraydata.add(offset as usize)) };
        let mut parts = list.splitn(2, |id| *id == marker);
        (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        )
    }

    /// Whether a package obsoletes another by its name and version, as libsolv matches them.
    #[must_use]
    pub fn obsoletes(&self, new: SolvableId, old: SolvableId) -> bool {
        let Some(old) = self.solvable(old) else {
            return false;
        };
        let (deps, _) = self.dep_ids(new, DepGroup::Obsoletes);
        let old = std::ptr::from_ref(old).cast_mut();
        deps.iter().any(|dep| {
            if *dep as u32 & ffi::REL_BIT == 0 {
                // SAFETY: the solvable is live.
                return unsafe { (*old).name == *dep };
            }
            // SAFETY: the pool and the solvable are live, the dependency is one of the pool's relations; nothing is changed.
            unsafe { ffi::pool_match_nevr_rel(self.raw.as_ptr(), old, *dep) != 0 }
        })
    }

    pub(crate) fn dep_text(&self, dep: Id) -> String {
        // SAFETY: the pool is live and `dep` comes from its arrays; the text lies in pool-owned temporary space and is copied at once.
        unsafe { ffi::owned(ffi::pool_dep2str(self.raw.as_ptr(), dep)) }
    }

    /// Packages with a dependency of this kind whose name is `name`, whatever its version; pool order.
    #[must_use]
    pub fn solvables_with_dep_name(&self, kind: DepGroup, name: &str) -> Vec<SolvableId> {
        let Some(wanted) = self.known_string(name) else {
            return Vec::new();
        };
        self.solvables()
            .filter(|id| {
                let (deps, behind) = self.dep_ids(*id, kind);
                // Behind the marker of provides stand paths from file lists.
                let behind = behind.iter().filter(|_| kind == DepGroup::Requires);
                deps.iter()
                    .chain(behind)
                    .any(|dep| self.mentions(*dep, wanted))
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
        // SAFETY: the pool is live and prepared.
        Ok(self.solvables_of(unsafe { providers(self.raw.as_ptr(), dep) }))
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
    pub(crate) fn counts_as_provider(&self, id: SolvableId) -> bool {
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
    pub fn whatmatches(&mut self, kind: DepGroup, dep: &str) -> Result<Vec<SolvableId>, SolvError> {
        if self.is_new_path(dep) {
            return Ok(Vec::new());
        }
        let dep = self.parse_dep(dep)?;
        self.prepare()?;
        let key = match kind {
            DepGroup::Provides => ffi::solv_knownid_SOLVABLE_PROVIDES,
            DepGroup::Requires => ffi::solv_knownid_SOLVABLE_REQUIRES,
            DepGroup::Conflicts => ffi::solv_knownid_SOLVABLE_CONFLICTS,
            DepGroup::Obsoletes => ffi::solv_knownid_SOLVABLE_OBSOLETES,
            DepGroup::Recommends => ffi::solv_knownid_SOLVABLE_RECOMMENDS,
            DepGroup::Suggests => ffi::solv_knownid_SOLVABLE_SUGGESTS,
            DepGroup::Supplements => ffi::solv_knownid_SOLVABLE_SUPPLEMENTS,
            DepGroup::Enhances => ffi::solv_knownid_SOLVABLE_ENHANCES,
            DepGroup::OrderWithRequires => return Ok(Vec::new()),
        };
        let mut queue = Queue::new();
        // SAFETY: the pool is live and prepared, the queue initialised.
        unsafe {
            ffi::pool_whatmatchesdep(self.raw.as_ptr(), key as Id, dep, queue.as_mut_ptr(), 0);
        }
        Ok(self.solvables_of(queue.ids()))
    }

    /// Those of `ids` that are packages, in pool order.
    pub(crate) fn solvables_of(&self, ids: &[Id]) -> Vec<SolvableId> {
        let ids = ids.iter().copied().map(SolvableId);
        let mut found: Vec<_> = ids.filter(|id| self.solvable(*id).is_some()).collect();
        self.sort(&mut found);
        found
    }

    /// The id of a dependency given as text.
    pub(crate) fn parse_dep(&mut self, text: &str) -> Result<Id, SolvError> {
        if text.contains('\0') {
            return Err(SolvError::Nul(text.to_owned()));
        }
        let dep = Dep::parse(text).ok_or_else(|| SolvError::BadDependency(text.to_owned()))?;
        // SAFETY: the pool is live.
        Ok(unsafe { deps::dep_id(self.raw.as_ptr(), &DepInput::from(&dep), &mut String::new()) })
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
        found.retain(|id| self.solvable(*id).is_some());
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
            // SAFETY: the pool is live and prepared.
            .filter(|(_, id)| unsafe { providers(pool, *id) }.is_empty())
            .filter_map(|(path, _)| String::from_utf8(path).ok())
            .collect())
    }
}

/// The providers of a dependency, as libsolv's inline `pool_whatprovides` finds them.
///
/// # Safety
/// The pool must be live and prepared, `dep` an id of it, and the pool must not change while the list is in use.
pub(crate) unsafe fn providers<'a>(pool: *mut ffi::Pool, dep: Id) -> &'a [Id] {
    // SAFETY: whatprovides and whatprovides_rel have an entry for each id of a prepared pool (caller); 0 means not yet
    // computed; a list of providers ends with 0.
    unsafe {
        let offset = if dep as u32 & ffi::REL_BIT == 0 {
            *(*pool).whatprovides.add(dep as usize)
        } else {
            *(*pool)
                .whatprovides_rel
                .add((dep as u32 & !ffi::REL_BIT) as usize)
        };
        let offset = match offset {
            0 => ffi::pool_addrelproviders(pool, dep) as u32,
            known => known,
        };
        ffi::ids_at((*pool).whatprovidesdata.add(offset as usize))
    }
}
