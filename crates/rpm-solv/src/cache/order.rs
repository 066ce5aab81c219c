//! The order of the packages that a package recommends.

use crate::ffi::{self, Id};
use std::cmp::Reverse;
use std::ffi::CStr;

/// How often the packages of one repository name each string and each relation.
struct Uses<'a> {
    strings: &'a ffi::Stringpool,
    of_strings: Vec<u32>,
    of_relations: Vec<u32>,
}

/// Puts the recommends of each of `solvables` in the order of libsolv's own cache files: names before
/// relations, those that the repository uses most first, equal names by their bytes.
///
/// The solver takes up what is recommended in the order it finds, and two packages that exclude each
/// other may both be recommended. So that the choice falls as in other programs of libsolv, which
/// solve from such files, the order is theirs (repo_write.c of libsolv 0.7.39).
///
/// # Safety
/// `pool` must be live and hold `repo` alone, the slice be its solvables, and nothing else use either meanwhile.
pub(super) unsafe fn order_recommends(
    pool: &ffi::Pool,
    repo: &mut ffi::Repo,
    solvables: &[ffi::Solvable],
) {
    if repo.idarraydata.is_null() {
        return;
    }
    // SAFETY: libsolv keeps nrels relations and idarraysize ids there, which nothing else uses now (caller).
    let (relations, arrays) = unsafe {
        (
            std::slice::from_raw_parts(pool.rels, pool.nrels as usize),
            std::slice::from_raw_parts_mut(repo.idarraydata, repo.idarraysize as usize),
        )
    };
    let mut uses = Uses::new(&pool.ss, relations.len());
    for solvable in solvables {
        for id in [solvable.name, solvable.arch, solvable.evr, solvable.vendor] {
            uses.add(id);
        }
    }
    arrays.iter().for_each(|id| uses.add(*id));
    uses.add_parts(relations);
    for solvable in solvables.iter().filter(|s| s.recommends != 0) {
        let list = arrays.get_mut(solvable.recommends as usize..);
        let list = list.unwrap_or_default();
        let end = list.iter().position(|id| *id == 0);
        list[..end.unwrap_or(0)].sort_by(|a, b| uses.rank(*a).cmp(&uses.rank(*b)));
    }
}

impl<'a> Uses<'a> {
    fn new(strings: &'a ffi::Stringpool, relations: usize) -> Self {
        Self {
            strings,
            of_strings: vec![0; strings.nstrings as usize],
            of_relations: vec![0; relations],
        }
    }

    fn add(&mut self, id: Id) {
        let count = match relation(id) {
            Some(index) => self.of_relations.get_mut(index),
            None => self.of_strings.get_mut(id as usize),
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
    }

    /// What used relations are made of: a string is used once by each, and a relation counts for more
    /// than any that it is part of.
    fn add_parts(&mut self, relations: &[ffi::Reldep]) {
        for (index, made) in relations.iter().enumerate().skip(1).rev() {
            let count = self.of_relations[index];
            if count == 0 {
                continue;
            }
            for part in [made.name, made.evr] {
                match relation(part) {
                    Some(inner) => {
                        let least = &mut self.of_relations[inner];
                        *least = (*least).max(count.saturating_add(1));
                    }
                    None => self.add(part),
                }
            }
        }
    }

    /// What ids are sorted by.
    fn rank(&self, id: Id) -> (bool, Reverse<u32>, &CStr, Id) {
        if let Some(index) = relation(id) {
            return (true, Reverse(self.of_relations[index]), c"", id);
        }
        // SAFETY: the pool is live, and this one of its strings (it made the list that the id is from).
        let text = unsafe {
            let start = *self.strings.strings.add(id as usize) as usize;
            CStr::from_ptr(self.strings.stringspace.add(start))
        };
        (false, Reverse(self.of_strings[id as usize]), text, id)
    }
}

/// The index of a relation's id; `None` for a string's.
fn relation(id: Id) -> Option<usize> {
    let id = id as u32;
    (id & ffi::REL_BIT != 0).then_some((id & !ffi::REL_BIT) as usize)
}
