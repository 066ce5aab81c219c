//! What a package looks like when it is put into a pool.

use crate::facts::PackageFacts;
use rpm_pkg::dep::{Dep, DepFlags};

/// A version as metadata writes it; empty parts are absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct EvrInput<'a> {
    /// Epoch; none and 0 are the same.
    pub epoch: u32,
    /// Version; may also hold the whole `epoch:version-release`.
    pub version: &'a str,
    /// Release.
    pub release: &'a str,
}

impl<'a> EvrInput<'a> {
    /// From the three parts of a metadata record.
    #[must_use]
    pub fn new(epoch: Option<u32>, version: &'a str, release: &'a str) -> Self {
        Self {
            epoch: epoch.unwrap_or(0),
            version,
            release,
        }
    }
}

/// One dependency.
#[derive(Debug, Clone, Copy, Default)]
pub struct DepInput<'a> {
    /// Capability, path, or a boolean dependency in parentheses.
    pub name: &'a str,
    /// How the version is compared: the relation bits, others are not looked at.
    pub flags: DepFlags,
    /// The version, looked at only if there is a relation.
    pub evr: EvrInput<'a>,
    /// Needed before the package's scripts run.
    pub pre: bool,
}

impl<'a> From<&'a Dep> for DepInput<'a> {
    fn from(dep: &'a Dep) -> Self {
        Self {
            name: &dep.name,
            flags: dep.flags,
            evr: EvrInput::new(None, &dep.evr, ""),
            pre: false,
        }
    }
}

/// A package to be added. Everything is borrowed; nothing is kept but what the pool interns.
#[derive(Debug, Clone, Copy, Default)]
pub struct PackageInput<'a> {
    /// Name.
    pub name: &'a str,
    /// Architecture (`src` and `nosrc` for source packages).
    pub arch: &'a str,
    /// Version.
    pub evr: EvrInput<'a>,
    /// Vendor.
    pub vendor: &'a str,
    /// `Provides`; the package's own `name = evr` is added if it is missing.
    pub provides: &'a [DepInput<'a>],
    /// `Requires`, pre-requires marked.
    pub requires: &'a [DepInput<'a>],
    /// `Conflicts`
    pub conflicts: &'a [DepInput<'a>],
    /// `Obsoletes`
    pub obsoletes: &'a [DepInput<'a>],
    /// `Recommends`
    pub recommends: &'a [DepInput<'a>],
    /// `Suggests`
    pub suggests: &'a [DepInput<'a>],
    /// `Supplements`
    pub supplements: &'a [DepInput<'a>],
    /// `Enhances`
    pub enhances: &'a [DepInput<'a>],
    /// Absolute paths that may satisfy file dependencies.
    pub files: &'a [&'a [u8]],
    /// The rest.
    pub facts: PackageFacts<&'a str>,
}
