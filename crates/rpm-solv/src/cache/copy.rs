//! Taking packages over from an earlier cache file, without their descriptions being made again.

use super::load::CacheSections;
use super::{CacheFile, CacheWriter, set_words};
use crate::deps;
use crate::error::SolvError;
use crate::facts::{self, FACT_PARTS, FactPart};
use crate::ffi::{self, Id};
use std::ops::Range;

/// How deep relations may be nested: rich dependencies are a few deep, one term after another.
pub(super) const MAX_NESTING: u32 = 1000;

/// The packages of an earlier file, to be [taken over](CacheWriter::copy) into a new one.
pub struct EarlierCache {
    file: CacheFile,
    parts: CacheSections,
    bodies: Vec<u8>,
    /// Where each package's record lies in `bodies`, part by part.
    records: [Vec<Range<usize>>; FACT_PARTS],
    /// The file's strings and relations in the writer's pool; 0 for those that were not needed yet.
    strings: Vec<Id>,
    rels: Vec<Id>,
    /// The new number of each package that was taken over.
    taken: Vec<Option<u32>>,
}

impl EarlierCache {
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn read(mut file: CacheFile) -> Result<Self, SolvError> {
        let parts = CacheSections::read(&file)?;
        if !is_shallow(&parts.rels) {
            return Err(file.unusable("its numbers do not fit together"));
        }
        file.file_index()?;
        let (mut bodies, mut records) = (Vec::new(), [const { Vec::new() }; FACT_PARTS]);
        for part in FactPart::ALL {
            file.scan(part, &mut |_, body| {
                let start = bodies.len();
                bodies.extend_from_slice(body);
                records[part as usize].push(start..bodies.len());
            })?;
        }
        Ok(Self {
            strings: vec![0; parts.strings.len()],
            rels: vec![0; parts.rels.len()],
            taken: vec![None; parts.solvables.len()],
            file,
            parts,
            bodies,
            records,
        })
    }

    /// Checksum and number in the rpm database of each package, in file order.
    pub fn identities(&self) -> impl Iterator<Item = (String, u32)> {
        let records = self.records[FactPart::Plan as usize].iter();
        records.map(|at| facts::identity(&self.bodies[at.clone()]).unwrap_or_default())
    }

    /// The list at `offset`, up to its end or to the marker behind which the paths of files stand: those are found
    /// anew when the file is finished.
    fn list(&self, offset: u32) -> &[u32] {
        let list = match offset {
            0 => &[],
            offset => &self.parts.arrays[offset as usize..],
        };
        let end = list
            .iter()
            .position(|id| *id == 0 || *id == ffi::FILE_MARKER as u32);
        &list[..end.unwrap_or(list.len())]
    }

    /// # Safety
    /// `pool` must be live, and always the same one.
    unsafe fn string(&mut self, pool: *mut ffi::Pool, id: u32) -> Id {
        if id < ffi::KNOWN_STRINGS as u32 {
            return id as Id;
        }
        let known = self.strings[id as usize];
        if known != 0 {
            return known;
        }
        // SAFETY: the pool is live (caller).
        let new = unsafe { deps::intern(pool, self.parts.string(id as usize)) };
        self.strings[id as usize] = new;
        new
    }

    /// # Safety
    /// As for [`Self::string`].
    unsafe fn id(&mut self, pool: *mut ffi::Pool, id: u32) -> Id {
        // SAFETY: the pool is live (caller), and the ids given to pool_rel2id come from it.
        unsafe {
            if id & ffi::REL_BIT == 0 {
                return self.string(pool, id);
            }
            let index = (id & !ffi::REL_BIT) as usize;
            if self.rels[index] == 0 {
                let [name, evr, flags] = self.parts.rels[index];
                let (name, evr) = (self.id(pool, name), self.id(pool, evr));
                self.rels[index] = ffi::pool_rel2id(pool, name, evr, flags as i32, 1);
            }
            self.rels[index]
        }
    }
}

/// Whether no relation is nested deeper than [`MAX_NESTING`]; each is made of earlier ones.
fn is_shallow(rels: &[[u32; 3]]) -> bool {
    let mut depths: Vec<u32> = Vec::with_capacity(rels.len());
    for [name, evr, _] in rels {
        let below = |id: &u32| match id & ffi::REL_BIT {
            0 => 0,
            _ => depths[(id & !ffi::REL_BIT) as usize],
        };
        depths.push(below(name).max(below(evr)) + 1);
    }
    depths.into_iter().all(|depth| depth <= MAX_NESTING)
}

impl CacheWriter {
    /// Adds package `index` of an earlier file; all packages that are copied come from the same one.
    ///
    /// # Errors
    /// As [`CacheWriter::add`], and the earlier file is damaged.
    pub fn copy(&mut self, earlier: &mut EarlierCache, index: usize) -> Result<(), SolvError> {
        let number = self.next_number()?;
        let words = earlier.parts.solvables[index];
        let (pool, repo) = (self.raw.as_ptr(), self.repo);
        // SAFETY: pool and repository are this writer's; the new solvable lies inside pool->solvables, which does not
        // move until the next one is added.
        unsafe {
            let [name, arch, evr, vendor, lists @ ..] = words;
            let strings = [name, arch, evr, vendor].map(|id| earlier.string(pool, id));
            let lists = lists.map(|list| {
                (0..earlier.list(list).len()).fold(0, |offset, position| {
                    let old = earlier.parts.arrays[list as usize + position];
                    ffi::repo_addid(repo, offset, earlier.id(pool, old))
                })
            });
            let id = ffi::repo_add_solvable(repo);
            set_words(&mut *(*pool).solvables.add(id as usize), strings, lists);
        }
        earlier.taken[index] = Some(number);
        self.add_records(&mut |part, out| {
            let at = earlier.records[part as usize][index].clone();
            facts::put_body(&earlier.bodies[at], out);
        })
    }

    /// The paths of all packages that were copied: they are known once all of them are.
    ///
    /// # Errors
    /// The earlier file is damaged.
    pub fn copy_paths(&mut self, mut earlier: EarlierCache) -> Result<(), SolvError> {
        let EarlierCache { file, taken, .. } = &mut earlier;
        for (hash, package) in file.file_index()?.entries() {
            if let Some(number) = taken.get(*package as usize).copied().flatten() {
                self.files.add_hash(*hash, number);
            }
        }
        Ok(())
    }
}
