//! Who owns a path: directories with their links followed, and the owners among installed packages.

use std::rc::Rc;

use super::super::element::PackageFacts;
use super::super::error::TransactionError;
use super::super::files::state;
use super::super::installed::Installed;
use super::super::root::{Canonical, RootDir, split};

/// An installed package that owns a path.
pub(super) struct Owner {
    pub hnum: u32,
    /// The number of the file.
    pub file: usize,
    pub package: Rc<PackageFacts>,
}

/// The paths of the root.
pub(super) struct Paths<'a> {
    root: &'a RootDir,
    installed: &'a Installed<'a>,
    canonical: Canonical,
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
        let base = split(target).1;
        let mut owners = Vec::new();
        for found in self.installed.with_base(base)? {
            let file = found.idx as usize;
            // Many packages have a file of this name (README), few in this directory.
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
}
