//! The packages that a lock of tdnf names (docs/lock.md), found by their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rpm_repo::lock::{Lock, LockedPackage, MAX_LOCK};

use crate::error::{Error, Result};
use crate::layout;
use crate::upstream::{Listed, Refused};

/// What a lock names, all its architectures together.
#[derive(Debug, Default)]
pub(crate) struct LockedSet {
    /// By digest, `sha256:HEX`.
    packages: BTreeMap<String, LockedPackage>,
    /// Keys of the file without effect.
    pub(crate) unknown: Vec<String>,
}

impl LockedSet {
    /// Reads a lock of any of its formats.
    ///
    /// # Errors
    /// It cannot be read, or is no lock.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = layout::read_named(path, MAX_LOCK)?;
        let (lock, unknown) = Lock::read(&path.display().to_string(), &bytes)
            .map_err(|error| Error::Usage(error.to_string()))?;
        let sections = lock.architectures.into_values();
        let packages = sections.flat_map(|section| section.packages);
        let packages = packages.map(|package| (package.checksum.to_string(), package));
        Ok(Self {
            packages: packages.collect(),
            unknown,
        })
    }

    /// The digests, for telling one lock from another.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &str> {
        self.packages.keys().map(String::as_str)
    }

    /// Whether it names a package of this full name.
    pub(crate) fn has_name(&self, nevra: &str) -> bool {
        self.packages
            .values()
            .any(|package| package.nevra() == nevra)
    }

    /// Which of these packages it names.
    pub(crate) fn named(&self, packages: &[Listed]) -> Vec<bool> {
        let named = |package: &Listed| self.packages.contains_key(&package.digest.to_string());
        packages.iter().map(named).collect()
    }

    /// The packages that `wanted` is true of and that none of these are, each with a line that says so.
    pub(crate) fn missing<'p>(
        &self,
        packages: impl Iterator<Item = &'p Listed>,
        wanted: impl Fn(&LockedPackage) -> bool,
    ) -> Refused {
        let there: BTreeSet<String> = packages.map(|package| package.digest.to_string()).collect();
        let missing = self
            .packages
            .iter()
            .filter(|(digest, package)| !there.contains(*digest) && wanted(package));
        let told = missing.map(|(digest, package)| {
            (
                package.nevra(),
                format!("the lock names it, and there is no file with {digest}"),
            )
        });
        told.collect()
    }
}
