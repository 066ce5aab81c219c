//! What is installed, asked during planning and while scriptlets and triggers are looked up.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use rpm_db::{Db, IndexTable, Match};
use rpm_pkg::header::{Header, tag};

use super::element::PackageFacts;
use super::error::TransactionError;

/// So many packages are kept in memory at a time; the one that was not asked for longest goes first.
const MAX_KEPT: usize = 64;
/// Of so many packages the places of files are kept: 4 bytes a file, and the names of directories.
const MAX_PLACES: usize = 1 << 10;

/// The last values that were asked for.
pub(crate) struct Kept<K, T> {
    max: usize,
    /// How often anything was asked for.
    asked: u64,
    /// How often something was read.
    #[cfg(test)]
    read: usize,
    /// Each with the number of the question that asked for it last.
    values: HashMap<K, (u64, Rc<T>)>,
}

impl<K: Clone + Eq + Hash, T> Kept<K, T> {
    pub(crate) fn new(max: usize) -> Kept<K, T> {
        Kept {
            max,
            asked: 0,
            #[cfg(test)]
            read: 0,
            values: HashMap::new(),
        }
    }

    /// The value, if it is kept.
    pub(crate) fn find<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<Rc<T>>
    where
        K: Borrow<Q>,
    {
        self.asked += 1;
        let (last, value) = self.values.get_mut(key)?;
        *last = self.asked;
        Some(Rc::clone(value))
    }

    /// Keeps a value that was read.
    pub(crate) fn add(&mut self, key: K, value: T) -> Rc<T> {
        if self.values.len() >= self.max {
            let oldest = self.values.iter().min_by_key(|(_, (last, _))| *last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.values.remove(&oldest);
            }
        }
        let value = Rc::new(value);
        self.values.insert(key, (self.asked, Rc::clone(&value)));
        value
    }

    fn get(
        &mut self,
        key: &K,
        read: impl FnOnce() -> Result<T, TransactionError>,
    ) -> Result<Rc<T>, TransactionError> {
        if let Some(value) = self.find(key) {
            return Ok(value);
        }
        #[cfg(test)]
        {
            self.read += 1;
        }
        Ok(self.add(key.clone(), read()?))
    }
}

/// Where the files of a package lie, without anything else of it.
pub(crate) struct FilePlaces {
    /// The names of its directories.
    dirs: Vec<Vec<u8>>,
    /// The number of the directory of each file.
    files: Vec<u32>,
}

impl FilePlaces {
    fn of(header: &Header) -> FilePlaces {
        FilePlaces {
            dirs: header.strings(tag::DIRNAMES).map(<[u8]>::to_vec).collect(),
            files: header.u32s(tag::DIRINDEXES).collect(),
        }
    }

    /// The directory of a file. `None` where the header does not say: a very old package has whole paths.
    pub(crate) fn dir(&self, file: usize) -> Option<&[u8]> {
        let dir = *self.files.get(file)?;
        self.dirs.get(dir as usize).map(Vec::as_slice)
    }
}

/// A base name as the index has it: the root directory's is empty.
pub(crate) fn stored(base: &[u8]) -> &[u8] {
    if base.is_empty() { b"\0" } else { base }
}

/// The installed packages, read when needed.
pub(crate) struct Installed<'d> {
    pub db: &'d Db,
    packages: RefCell<Kept<u32, PackageFacts>>,
    places: RefCell<Kept<u32, FilePlaces>>,
    empty: bool,
}

impl<'d> Installed<'d> {
    pub(crate) fn new(db: &'d Db) -> Result<Installed<'d>, TransactionError> {
        Ok(Installed {
            db,
            packages: RefCell::new(Kept::new(MAX_KEPT)),
            places: RefCell::new(Kept::new(MAX_PLACES)),
            empty: db.is_empty()?,
        })
    }

    /// The database was changed.
    pub(crate) fn changed(&mut self) {
        self.packages.get_mut().values.clear();
        self.places.get_mut().values.clear();
        self.empty = false;
    }

    /// The package with this number.
    pub(crate) fn package(&self, hnum: u32) -> Result<Rc<PackageFacts>, TransactionError> {
        let read = || PackageFacts::installed(self.db, hnum);
        self.packages.borrow_mut().get(&hnum, read)
    }

    /// Where the files of the package with this number lie: far less than the package.
    pub(crate) fn places(&self, hnum: u32) -> Result<Rc<FilePlaces>, TransactionError> {
        let read = || match self.db.get(hnum)? {
            Some(header) => Ok(FilePlaces::of(&header)),
            None => Err(PackageFacts::missing(hnum)),
        };
        self.places.borrow_mut().get(&hnum, read)
    }

    /// How many records were read.
    #[cfg(test)]
    pub(crate) fn reads(&self) -> usize {
        self.packages.borrow().read + self.places.borrow().read
    }

    /// Files of installed packages with this base name.
    pub(crate) fn with_base(&self, base: &[u8]) -> Result<Vec<Match>, TransactionError> {
        self.find(IndexTable::Basenames, stored(base))
    }

    /// How many packages of this name the database holds.
    pub(crate) fn count(&self, name: &str) -> Result<i64, TransactionError> {
        Ok(self.find(IndexTable::Name, name.as_bytes())?.len() as i64)
    }

    /// Numbers of the packages of this name.
    pub(crate) fn named(&self, name: &str) -> Result<Vec<u32>, TransactionError> {
        Ok(self
            .find(IndexTable::Name, name.as_bytes())?
            .into_iter()
            .map(|m| m.hnum)
            .collect())
    }

    /// All places of keys with a prefix in an index, with the keys.
    pub(crate) fn find_prefix(
        &self,
        index: IndexTable,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, Match)>, TransactionError> {
        if self.empty {
            return Ok(Vec::new());
        }
        Ok(self.db.find_prefix(index, prefix)?)
    }

    /// All places where `key` stands in an index.
    pub(crate) fn find(
        &self,
        index: IndexTable,
        key: &[u8],
    ) -> Result<Vec<Match>, TransactionError> {
        if self.empty {
            return Ok(Vec::new());
        }
        Ok(self.db.find(index, key)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Kept, TransactionError};

    #[test]
    fn what_was_not_asked_for_longest_goes_first() -> Result<(), TransactionError> {
        let mut kept = Kept::new(2);
        let mut read = Vec::new();
        for hnum in [1, 2, 1, 3, 1, 2, 3, 3] {
            let value = kept.get(&hnum, || {
                read.push(hnum);
                Ok(hnum * 10)
            })?;
            assert_eq!(*value, hnum * 10);
        }
        assert_eq!(read, [1, 2, 3, 2, 3]);
        assert_eq!(kept.read, 5);
        assert_eq!(kept.values.len(), 2);
        Ok(())
    }
}
