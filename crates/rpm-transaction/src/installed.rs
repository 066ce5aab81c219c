//! What is installed, asked during planning and while scriptlets and triggers are looked up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rpm_db::{Db, Index, Match};

use super::element::PackageFacts;
use super::error::TransactionError;

/// So many packages are kept in memory at a time; common base names lead to the same few.
const MAX_KEPT: usize = 64;

/// The installed packages, read when needed.
pub(crate) struct Installed<'d> {
    pub db: &'d Db,
    kept: RefCell<HashMap<u32, Rc<PackageFacts>>>,
    empty: bool,
}

impl<'d> Installed<'d> {
    pub(crate) fn new(db: &'d Db) -> Result<Installed<'d>, TransactionError> {
        Ok(Installed {
            db,
            kept: RefCell::default(),
            empty: db.count()? == 0,
        })
    }

    /// The database was changed.
    pub(crate) fn changed(&mut self) {
        self.kept.get_mut().clear();
        self.empty = false;
    }

    /// The package with this number.
    pub(crate) fn package(&self, hnum: u32) -> Result<Rc<PackageFacts>, TransactionError> {
        let mut kept = self.kept.borrow_mut();
        if let Some(package) = kept.get(&hnum) {
            return Ok(Rc::clone(package));
        }
        let package = Rc::new(PackageFacts::installed(self.db, hnum)?);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(hnum, Rc::clone(&package));
        Ok(package)
    }

    /// Files of installed packages with this base name.
    pub(crate) fn with_base(&self, base: &[u8]) -> Result<Vec<Match>, TransactionError> {
        self.find(Index::Basenames, if base.is_empty() { b"\0" } else { base })
    }

    /// How many packages of this name the database holds.
    pub(crate) fn count(&self, name: &str) -> Result<i64, TransactionError> {
        Ok(self.find(Index::Name, name.as_bytes())?.len() as i64)
    }

    /// Numbers of the packages of this name.
    pub(crate) fn named(&self, name: &str) -> Result<Vec<u32>, TransactionError> {
        Ok(self
            .find(Index::Name, name.as_bytes())?
            .into_iter()
            .map(|m| m.hnum)
            .collect())
    }

    /// All places of keys with a prefix in an index, with the keys.
    pub(crate) fn find_prefix(
        &self,
        index: Index,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, Match)>, TransactionError> {
        if self.empty {
            return Ok(Vec::new());
        }
        Ok(self.db.find_prefix(index, prefix)?)
    }

    /// All places where `key` stands in an index.
    pub(crate) fn find(&self, index: Index, key: &[u8]) -> Result<Vec<Match>, TransactionError> {
        if self.empty {
            return Ok(Vec::new());
        }
        Ok(self.db.find(index, key)?)
    }
}
