//! Who owns a path: directories with their links followed, and the owners among installed packages.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use rpm_db::Match;

use super::super::element::PackageFacts;
use super::super::error::TransactionError;
use super::super::files::state;
use super::super::installed::{Installed, Kept, stored};
use super::super::root::{Canonical, RootDir, split};

/// An installed package that owns a path.
pub(super) struct Owner {
    pub hnum: u32,
    /// The number of the file.
    pub file: usize,
    pub package: Rc<PackageFacts>,
}

/// Of a name with so many files each package is read.
const FEW: usize = 8;

/// Of so many common names the owners are remembered: about 60 bytes for each file.
const MAX_COMMON: usize = 64;

/// A base name that many files have.
struct CommonName {
    /// Numbers of packages by a hash of each of their directories.
    packages: HashMap<u64, Vec<u32>>,
    /// The files, sorted.
    files: Vec<Match>,
}

/// The paths of the root.
pub(super) struct Paths<'a> {
    root: &'a RootDir,
    installed: &'a Installed<'a>,
    canonical: Canonical,
    common: Kept<Vec<u8>, CommonName>,
}

impl<'a> Paths<'a> {
    /// `canonical` knows the links that the transaction brings.
    pub(super) fn new(
        root: &'a RootDir,
        installed: &'a Installed<'a>,
        canonical: Canonical,
    ) -> Paths<'a> {
        Paths {
            root,
            installed,
            canonical,
            common: Kept::new(MAX_COMMON),
        }
    }

    /// The path of a package's file with links in its directory resolved.
    pub(super) fn target(
        &mut self,
        package: &PackageFacts,
        number: usize,
    ) -> Result<Vec<u8>, TransactionError> {
        let (dir, base) = package.name_of(number);
        self.resolved(dir, base)
    }

    fn resolved(&mut self, dir: &[u8], base: &[u8]) -> Result<Vec<u8>, TransactionError> {
        self.canonical
            .path(self.root, dir, base)
            .map_err(|e| TransactionError::file("cannot follow", dir, e))
    }

    /// Installed packages that own `target` with the file in place.
    pub(super) fn owners(&mut self, target: &[u8]) -> Result<Vec<Owner>, TransactionError> {
        let (dir, base) = split(target);
        let mut owners = Vec::new();
        for found in self.candidates(dir, base)? {
            let file = found.idx as usize;
            let places = self.installed.places(found.hnum)?;
            if let Some(dir) = places.dir(file)
                && self.resolved(dir, base).is_ok_and(|other| other != target)
            {
                continue;
            }
            let package = self.installed.package(found.hnum)?;
            let there = package
                .states
                .get(file)
                .is_some_and(|&s| s == state::NORMAL || s == state::NET_SHARED);
            let (dir, name) = package.name_of(file);
            if there && name == base && self.resolved(dir, name)? == target {
                owners.push(Owner {
                    hnum: found.hnum,
                    file,
                    package: Rc::clone(&package),
                });
            }
        }
        Ok(owners)
    }

    /// Files of this base name. Of a name that many packages have (README) only those of packages that have the
    /// directory, too: the index tells, and no package is read.
    fn candidates(&mut self, dir: &[u8], base: &[u8]) -> Result<Vec<Match>, TransactionError> {
        let known = match self.common.find(base) {
            Some(known) => known,
            None => {
                let found = self.installed.with_base(base)?;
                // A manual page in twenty languages is of one package, which is read at once.
                let packages = found.chunk_by(|a, b| a.hnum == b.hnum).count();
                if found.len() <= FEW || packages == 1 {
                    return Ok(found);
                }
                let common = self.common_name(base, found)?;
                self.common.add(base.to_vec(), common)
            }
        };
        let packages = [Some(dir), None].into_iter();
        let packages = packages.filter_map(|dir| known.packages.get(&hash(dir)));
        let of = |hnum: u32| {
            let from = known.files.partition_point(|found| found.hnum < hnum);
            let rest = known.files.get(from..).unwrap_or_default().iter();
            rest.take_while(move |found| found.hnum == hnum).copied()
        };
        let mut found: Vec<Match> = packages.flatten().flat_map(|&hnum| of(hnum)).collect();
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn common_name(
        &mut self,
        base: &[u8],
        files: Vec<Match>,
    ) -> Result<CommonName, TransactionError> {
        let mut packages: HashMap<u64, Vec<u32>> = HashMap::new();
        let (canonical, root) = (&mut self.canonical, self.root);
        let mut add = |hnum: u32, dir: Option<&[u8]>| {
            // What cannot be resolved is found out by who loads the package.
            let dir = dir.map_or(Ok(None), |dir| canonical.dir(root, dir).map(Some));
            let dir = dir.unwrap_or_default();
            packages.entry(hash(dir.as_deref())).or_default().push(hnum);
        };
        let db = self.installed.db;
        db.dirs_of_owners(stored(base), &mut add)?;
        Ok(CommonName { packages, files })
    }
}

/// A hash of a resolved directory; where two have the same, a package is read for nothing.
fn hash(dir: Option<&[u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    hasher.finish()
}
