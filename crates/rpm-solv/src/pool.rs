//! The pool: repositories, packages, and the index over what they provide.

use crate::cache::CacheFile;
use crate::deps;
use crate::error::SolvError;
use crate::facts::{FACT_PARTS, FactPart};
use crate::ffi::{self, Id};
use crate::files::FileIndex;
use crate::input::PackageInput;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::ptr::NonNull;

/// Most packages that one pool takes.
pub(crate) const MAX_PACKAGES: u64 = 4_000_000;

/// A package in a [`Pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SolvableId(pub(crate) Id);

impl SolvableId {
    /// The bare number, for sorting and messages.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0 as u32
    }
}

/// A repository in a [`Pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoId(pub(crate) usize);

/// Where the facts of a run of packages are.
pub(crate) enum TextStore {
    /// Each package's records, in the order of [`FactPart`].
    Memory(Vec<[Vec<u8>; FACT_PARTS]>),
    /// A cache file.
    File(Box<CacheFile>),
    /// Some packages of a cache file, with their numbers in it.
    Picked(Box<CacheFile>, Vec<u32>),
}

/// Packages that were added one after the other.
pub(crate) struct TextBlock {
    pub(crate) start: Id,
    pub(crate) count: Id,
    pub(crate) store: TextStore,
}

pub(crate) struct RepoSlot {
    pub(crate) raw: *mut ffi::Repo,
    pub(crate) name: String,
    pub(crate) blocks: Vec<TextBlock>,
    /// Paths of packages added one by one: package numbers are solvable ids.
    pub(crate) files: FileIndex,
}

/// Packages of all repositories, the installed ones among them, ready to be asked and solved.
pub struct Pool {
    pub(crate) raw: NonNull<ffi::Pool>,
    arch: CString,
    arch_set: bool,
    pub(crate) repos: Vec<RepoSlot>,
    pub(crate) installed: Option<RepoId>,
    excluded: HashSet<SolvableId>,
    considered: Option<Box<ffi::Map>>,
    pub(crate) prepared: bool,
    scratch: String,
}

impl Pool {
    /// An empty pool for packages that `arch` (`x86_64`, `aarch64`, ...) can run; `noarch` always fits. An empty
    /// `arch` takes packages of all architectures.
    ///
    /// # Errors
    /// `arch` holds a NUL byte.
    pub fn new(arch: &str) -> Result<Self, SolvError> {
        let arch = CString::new(arch).map_err(|_| SolvError::Nul(arch.to_owned()))?;
        // SAFETY: pool_create has no preconditions; it aborts rather than return null when out of memory.
        let raw = unsafe { ffi::pool_create() };
        let raw = NonNull::new(raw).ok_or_else(SolvError::memory)?;
        // SAFETY: the pool was just created.
        unsafe {
            ffi::pool_setdisttype(raw.as_ptr(), ffi::DISTTYPE_RPM as i32);
            // rpm keeps a 32-bit and a 64-bit package of one name side by side (its colours).
            ffi::pool_set_flag(
                raw.as_ptr(),
                ffi::POOL_FLAG_IMPLICITOBSOLETEUSESCOLORS as i32,
                1,
            );
        }
        Ok(Self {
            raw,
            arch,
            arch_set: false,
            repos: Vec::new(),
            installed: None,
            excluded: HashSet::new(),
            considered: None,
            prepared: false,
            scratch: String::new(),
        })
    }

    /// Adds an empty repository. Repositories keep the order they are added in. A lower `priority` number is preferred, as in .repo files.
    ///
    /// # Errors
    /// `name` holds a NUL byte.
    pub fn add_repo(&mut self, name: &str, priority: i32) -> Result<RepoId, SolvError> {
        let c_name = CString::new(name).map_err(|_| SolvError::Nul(name.to_owned()))?;
        let index = self.repos.len();
        // SAFETY: the pool is live; libsolv copies the name; appdata is ours and only ever holds this number.
        let raw = unsafe {
            let raw = ffi::repo_create(self.raw.as_ptr(), c_name.as_ptr());
            (*raw).priority = priority.saturating_neg();
            (*raw).appdata = std::ptr::without_provenance_mut(index);
            raw
        };
        self.repos.push(RepoSlot {
            raw,
            name: name.to_owned(),
            blocks: Vec::new(),
            files: FileIndex::default(),
        });
        Ok(RepoId(index))
    }

    /// Says which repository holds the installed packages.
    ///
    /// # Errors
    /// The repository is not of this pool.
    pub fn set_installed(&mut self, repo: RepoId) -> Result<(), SolvError> {
        let raw = self.slot(repo)?.raw;
        // SAFETY: pool and repository are live and belong together.
        unsafe { ffi::pool_set_installed(self.raw.as_ptr(), raw) };
        self.installed = Some(repo);
        self.prepared = false;
        Ok(())
    }

    /// The repository of installed packages.
    #[must_use]
    pub fn installed(&self) -> Option<RepoId> {
        self.installed
    }

    /// Adds one package.
    ///
    /// # Errors
    /// The repository is not of this pool, or the pool is full.
    pub fn add_package(
        &mut self,
        repo: RepoId,
        input: &PackageInput<'_>,
    ) -> Result<SolvableId, SolvError> {
        let slot = self.repos.get_mut(repo.0);
        let slot = slot.ok_or(SolvError::NoSuchRepo(repo.0 as u32))?;
        // SAFETY: the pool is live.
        if unsafe { self.raw.as_ref() }.nsolvables as u64 >= MAX_PACKAGES {
            return Err(SolvError::TooLarge {
                repo: slot.name.clone(),
                what: "packages",
                limit: MAX_PACKAGES,
            });
        }
        // SAFETY: pool and repository are live and belong together.
        let id =
            unsafe { deps::add_package(self.raw.as_ptr(), slot.raw, input, &mut self.scratch) };
        slot.remember(id, input);
        self.prepared = false;
        Ok(SolvableId(id))
    }

    /// Loads a cache file's packages into a repository, after those it has; their ids in the file's order.
    ///
    /// # Errors
    /// The repository is not of this pool, or the file is damaged: the pool must then be dropped.
    pub fn load_cache(
        &mut self,
        repo: RepoId,
        mut cache: CacheFile,
    ) -> Result<std::ops::Range<u32>, SolvError> {
        let raw = self.slot(repo)?.raw;
        let (start, count) = cache.load_into(self.raw, raw)?;
        if let Some(slot) = self.repos.get_mut(repo.0) {
            slot.blocks.push(TextBlock {
                start,
                count,
                store: TextStore::File(Box::new(cache)),
            });
        }
        self.prepared = false;
        Ok(start as u32..(start + count) as u32)
    }

    /// Loads the packages of a cache file that are called one of `names` or provide it, whatever the version, after those
    /// that the repository has and in the file's order. Nothing else of the file is read, and what only other packages
    /// know stays unknown: from now on no path becomes a provide, and what is asked of the pool must be of these names.
    ///
    /// # Errors
    /// As [`Self::load_cache`].
    pub fn load_named(
        &mut self,
        repo: RepoId,
        cache: CacheFile,
        names: &[String],
    ) -> Result<(), SolvError> {
        let raw = self.slot(repo)?.raw;
        let (start, numbers) = cache.load_named_into(self.raw, raw, names)?;
        if let Some(slot) = self.repos.get_mut(repo.0) {
            slot.blocks.push(TextBlock {
                start,
                count: numbers.len() as Id,
                store: TextStore::Picked(Box::new(cache), numbers),
            });
        }
        self.prepared = false;
        Ok(())
    }

    /// Takes packages out: they are in no repository any more. Their ids are not used again.
    pub fn remove(&mut self, ids: &[SolvableId]) {
        for id in ids {
            if let Some(repo) = self.solvable(*id).map(|solvable| solvable.repo) {
                // SAFETY: pool and repository are live, and the package is the repository's.
                unsafe { ffi::repo_free_solvable(repo, id.0, 0) };
            }
        }
        self.prepared = false;
    }

    /// Hides packages from selections and the solver, in place of those hidden before, which are returned.
    pub fn set_excluded(&mut self, excluded: Vec<SolvableId>) -> Vec<SolvableId> {
        let before = std::mem::replace(&mut self.excluded, excluded.into_iter().collect());
        self.prepared = false;
        before.into_iter().collect()
    }

    /// Sets a flag of the pool by its number in libsolv's `pool.h` (`POOL_FLAG_*`): for reading its test cases.
    pub fn set_flag(&mut self, number: u32, on: bool) {
        // SAFETY: the pool is live; a number that it does not know is ignored.
        unsafe { ffi::pool_set_flag(self.raw.as_ptr(), number as i32, i32::from(on)) };
        self.prepared = false;
    }

    /// Whether a package is hidden.
    #[must_use]
    pub fn is_excluded(&self, id: SolvableId) -> bool {
        self.excluded.contains(&id)
    }

    /// Builds the index over provides: file dependencies are looked up first. Called by whatever needs it; cheap when nothing changed.
    ///
    /// # Errors
    /// A cache file could not be read again.
    pub fn prepare(&mut self) -> Result<(), SolvError> {
        if self.prepared {
            return Ok(());
        }
        if !self.arch_set && !self.arch.is_empty() {
            // SAFETY: the pool is live, and the string ends with NUL.
            unsafe { ffi::pool_setarch(self.raw.as_ptr(), self.arch.as_ptr()) };
            self.arch_set = true;
        }
        self.add_file_provides()?;
        self.apply_excludes();
        self.index_provides();
        self.prepared = true;
        Ok(())
    }

    /// libsolv throws its hash tables away when it indexes provides, and builds them again for the next lookup;
    /// nothing that they depend on changes meanwhile, so they are kept.
    fn index_provides(&mut self) {
        // SAFETY: the pool is live; the considered map, if any, has a bit for each solvable. A table taken out has one
        // owner at all times: it goes back only where libsolv made no other, and then no string or relation was added.
        unsafe {
            let pool = self.raw.as_mut();
            let (strings, mask) = (pool.ss.stringhashtbl, pool.ss.stringhashmask);
            let count = pool.ss.nstrings;
            pool.ss.stringhashtbl = std::ptr::null_mut();
            pool.ss.stringhashmask = 0;
            ffi::pool_createwhatprovides(self.raw.as_ptr());
            let pool = self.raw.as_mut();
            if pool.ss.stringhashtbl.is_null() && pool.ss.nstrings == count {
                pool.ss.stringhashtbl = strings;
                pool.ss.stringhashmask = mask;
            } else {
                ffi::solv_free(strings.cast());
            }
        }
    }

    fn apply_excludes(&mut self) {
        self.drop_considered();
        if self.excluded.is_empty() {
            return;
        }
        let mut map = Box::new(ffi::Map {
            map: std::ptr::null_mut(),
            size: 0,
        });
        // SAFETY: map_init allocates a zeroed bit for each solvable; the pool is live. Bits are written inside the
        // map only, because excluded ids are checked against its size.
        unsafe {
            let count = self.raw.as_ref().nsolvables;
            ffi::map_init(&mut *map, count);
            std::ptr::write_bytes(map.map, 0xff, map.size as usize);
            for id in &self.excluded {
                let byte = id.0 as usize >> 3;
                if id.0 > 1 && byte < map.size as usize {
                    *map.map.add(byte) &= !(1u8 << (id.0 & 7));
                }
            }
            self.raw.as_mut().considered = &mut *map;
        }
        self.considered = Some(map);
    }

    fn drop_considered(&mut self) {
        if let Some(mut map) = self.considered.take() {
            // SAFETY: the pool is live and must forget the map before it is freed; it was made by map_init.
            unsafe {
                self.raw.as_mut().considered = std::ptr::null_mut();
                ffi::map_free(&mut *map);
            }
        }
    }

    /// Adds the path as a provide to every package that holds a file on which another package depends.
    fn add_file_provides(&mut self) -> Result<(), SolvError> {
        let mut blocks = self.repos.iter().flat_map(|slot| &slot.blocks);
        let is_picked = |block: &TextBlock| matches!(block.store, TextStore::Picked(..));
        if self.repos.iter().all(|slot| slot.blocks.is_empty()) || blocks.any(is_picked) {
            return Ok(());
        }
        let wanted = self.path_strings();
        if wanted.is_empty() {
            return Ok(());
        }
        let pool = self.raw.as_ptr();
        for slot in &mut self.repos {
            slot.files.sort();
            for (path, id) in &wanted {
                for solvable in slot.files.find(path) {
                    // SAFETY: the index holds ids of this repository's solvables.
                    unsafe { add_file_provide(pool, solvable as Id, *id) };
                }
            }
            for block in &mut slot.blocks {
                let TextStore::File(cache) = &mut block.store else {
                    continue;
                };
                let foreign: Vec<_> = wanted
                    .iter()
                    .filter(|(path, _)| !cache.knows_path(path))
                    .collect();
                if foreign.is_empty() {
                    continue;
                }
                let index = cache.file_index()?;
                for (path, id) in foreign {
                    for package in index.find(path) {
                        if (package as Id) < block.count {
                            // SAFETY: the package number was checked against the block, whose solvables are live.
                            unsafe { add_file_provide(pool, block.start + package as Id, *id) };
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Every string of the pool that is a path: the paths that packages depend on.
    pub(crate) fn path_strings(&self) -> Vec<(Vec<u8>, Id)> {
        // SAFETY: the pool is live.
        unsafe { ffi::path_strings(self.raw.as_ptr()) }
    }

    /// Adds a path as a provide of a package: for files found outside the primary metadata.
    ///
    /// # Errors
    /// The package is not of this pool.
    pub fn add_file_provide(&mut self, id: SolvableId, path: &[u8]) -> Result<(), SolvError> {
        self.check(id)?;
        // SAFETY: the pool is live and the solvable was checked.
        unsafe {
            let path = deps::intern(self.raw.as_ptr(), path);
            add_file_provide(self.raw.as_ptr(), id.0, path);
        }
        self.prepared = false;
        Ok(())
    }

    pub(crate) fn slot(&self, repo: RepoId) -> Result<&RepoSlot, SolvError> {
        self.repos
            .get(repo.0)
            .ok_or(SolvError::NoSuchRepo(repo.0 as u32))
    }

    /// The solvable behind an id, if the pool has one there.
    pub(crate) fn solvable(&self, id: SolvableId) -> Option<&ffi::Solvable> {
        // SAFETY: the pool is live; the index is checked against nsolvables; the borrow of self keeps it in place.
        unsafe {
            let pool = self.raw.as_ref();
            if id.0 < 2 || id.0 >= pool.nsolvables {
                return None;
            }
            let solvable = &*pool.solvables.add(id.0 as usize);
            (!solvable.repo.is_null()).then_some(solvable)
        }
    }

    pub(crate) fn check(&self, id: SolvableId) -> Result<&ffi::Solvable, SolvError> {
        self.solvable(id)
            .ok_or(SolvError::NoSuchSolvable(id.number()))
    }

    /// The bytes of the string with this id; empty if there is none.
    pub(crate) fn string(&self, id: Id) -> &str {
        // SAFETY: the pool is live; the id is checked; strings end with NUL and stay while self is borrowed.
        let bytes = unsafe {
            let strings = &self.raw.as_ref().ss;
            if id <= 0 || id >= strings.nstrings {
                return "";
            }
            let at = *strings.strings.add(id as usize) as usize;
            CStr::from_ptr(strings.stringspace.add(at)).to_bytes()
        };
        std::str::from_utf8(bytes).unwrap_or("?")
    }
}

/// Appends `path` to a solvable's file provides.
///
/// # Safety
/// `pool` must be live and `solvable` one of its ids with a repository.
pub(crate) unsafe fn add_file_provide(pool: *mut ffi::Pool, solvable: Id, path: Id) {
    // SAFETY: pool and solvable are live (caller), so its repository is; the list at `provides` ends with 0.
    unsafe {
        let solvable = &mut *(*pool).solvables.add(solvable as usize);
        let repo = solvable.repo;
        if repo.is_null() {
            return;
        }
        let provides: &[Id] = match solvable.provides {
            0 => &[],
            offset => ffi::ids_at((*repo).idarraydata.add(offset as usize)),
        };
        if provides.contains(&path) {
            return;
        }
        if !provides.contains(&ffi::FILE_MARKER) {
            solvable.provides = ffi::repo_addid(repo, solvable.provides, ffi::FILE_MARKER);
        }
        solvable.provides = ffi::repo_addid(repo, solvable.provides, path);
    }
}

impl RepoSlot {
    fn remember(&mut self, id: Id, input: &PackageInput<'_>) {
        for path in input.files {
            self.files.add(path, id as u32);
        }
        let fits = self.blocks.last().is_some_and(|block| {
            block.start + block.count == id && matches!(block.store, TextStore::Memory(_))
        });
        if !fits {
            self.blocks.push(TextBlock {
                start: id,
                count: 0,
                store: TextStore::Memory(Vec::new()),
            });
        }
        if let Some(block) = self.blocks.last_mut()
            && let TextStore::Memory(records) = &mut block.store
        {
            records.push(FactPart::ALL.map(|part| {
                let mut record = Vec::new();
                part.put(input, &mut record);
                record
            }));
            block.count += 1;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.drop_considered();
        // SAFETY: the pool was created by pool_create, nothing borrowed from it is left, and it is freed once.
        unsafe { ffi::pool_free(self.raw.as_ptr()) }
    }
}

/// Compares two versions `[epoch:]version[-release]` by rpm's rules (tilde, caret; a missing epoch is 0).
#[must_use]
pub fn compare_evr(left: &str, right: &str) -> Ordering {
    let (Ok(left), Ok(right)) = (
        CString::new(left.replace('\0', "")),
        CString::new(right.replace('\0', "")),
    ) else {
        return Ordering::Equal;
    };
    // SAFETY: pool_evrcmp_str looks at the pool only for its disttype, and only in builds with several semantics; ours
    // has rpm's alone, but a real pool is given anyway. Both strings end with NUL.
    unsafe {
        let pool = ffi::pool_create();
        let order = ffi::pool_evrcmp_str(pool, left.as_ptr(), right.as_ptr(), ffi::EVRCMP_COMPARE);
        ffi::pool_free(pool);
        order.cmp(&0)
    }
}
