//! Lock files: exactly which package files make a set, for each architecture.
//!
//! Ours is JSON (docs/lock.md, docs/lock.schema.json). Read and written, too, are `rpms.lock.yaml` of Konflux's
//! rpm-lockfile-prototype and `packages.manifest.yaml` of libpkgmanifest (`dnf manifest`); what these cannot say is
//! lost on the way (docs/lock.md lists it).

mod compare;
mod konflux;
mod manifest;
mod read;
#[cfg(test)]
mod tests;
mod tree;
mod write;
mod yaml;

use std::collections::BTreeMap;

use rpm_pkg::digest::Digest;
use rpm_pkg::evr::Evr;

pub use compare::{Difference, differences};

/// Longest lock file that is read, in bytes.
pub const MAX_LOCK: u64 = 64 << 20;
/// Most packages of one lock file, all architectures together.
pub const MAX_PACKAGES: usize = 100_000;
/// The version of our format.
pub const LOCK_VERSION: u64 = 1;

/// A form in which a lock is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LockFormat {
    /// Our own.
    #[default]
    Tdnf,
    /// `rpms.lock.yaml`.
    Konflux,
    /// `packages.manifest.yaml`.
    Manifest,
}

impl LockFormat {
    /// The names of the formats, as options and messages have them.
    pub const NAMES: [&'static str; 3] = ["tdnf", "konflux", "manifest"];

    /// The format of a name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "tdnf" => Some(Self::Tdnf),
            "konflux" => Some(Self::Konflux),
            "manifest" => Some(Self::Manifest),
            _ => None,
        }
    }
}

/// A lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// The words that were asked for; none where the file does not say.
    pub words: Vec<String>,
    /// What `$releasever` was, where a repository used it.
    pub releasever: Option<String>,
    /// The set of each architecture, by the name of the machine's architecture.
    pub architectures: BTreeMap<String, LockedArch>,
}

/// The set of one architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockedArch {
    /// The repositories that packages come from, by id.
    pub repositories: Vec<LockedRepo>,
    /// The packages, in the order of [`LockedArch::sort`].
    pub packages: Vec<LockedPackage>,
}

/// A repository as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockedRepo {
    /// Its id.
    pub id: String,
    /// Its base URL, without a login; empty where the file does not say.
    pub baseurl: String,
    /// The digest of its repomd.xml.
    pub repomd: Option<Digest>,
    /// Fingerprints of the keys that its `gpgkey` offered, lower case hex.
    pub keys: Vec<String>,
}

/// One package file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// Name.
    pub name: String,
    /// Epoch; 0 where there is none.
    pub epoch: u32,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture.
    pub arch: String,
    /// Repository id; empty where the file does not say.
    pub repo: String,
    /// Path below the repository's base URL; empty where the file does not say.
    pub location: String,
    /// Full URL without a login; empty where the file does not say.
    pub url: String,
    /// Bytes of the file; 0 where the file does not say.
    pub size: u64,
    /// Digest of the file, SHA-256 or stronger.
    pub checksum: Digest,
    /// Who signed it.
    pub signer: Signer,
    /// Why it is part of the set.
    pub reason: LockReason,
    /// File name of the source package; not part of our own format.
    pub sourcerpm: Option<String>,
}

/// Who signed a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Signer {
    /// The key of this fingerprint, lower case hex.
    Key(String),
    /// Nobody whose signature was checked: signatures are off for its repository.
    Nobody,
    /// The file does not say.
    #[default]
    Untold,
}

/// Why a package is part of a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LockReason {
    /// It was asked for.
    #[default]
    User,
    /// Another one needs it.
    Dependency,
    /// Another one recommends it, or it supplements that.
    Weak,
}

impl LockReason {
    /// The word of the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Dependency => "dependency",
            Self::Weak => "weak",
        }
    }
}

impl LockedPackage {
    /// `[epoch:]version-release`, the epoch only if it is not 0.
    pub fn evr(&self) -> String {
        match self.epoch {
            0 => format!("{}-{}", self.version, self.release),
            epoch => format!("{epoch}:{}-{}", self.version, self.release),
        }
    }

    /// `name-[epoch:]version-release.arch`.
    pub fn nevra(&self) -> String {
        format!("{}-{}.{}", self.name, self.evr(), self.arch)
    }

    /// `name-version-release.arch.rpm`.
    pub fn file_name(&self) -> String {
        let Self {
            name,
            version,
            release,
            arch,
            ..
        } = self;
        format!("{name}-{version}-{release}.{arch}.rpm")
    }

    /// Whether both are the same name, version and architecture.
    pub fn is_same(&self, other: &Self) -> bool {
        fn key(one: &LockedPackage) -> (u32, [&str; 4]) {
            (
                one.epoch,
                [&one.name, &one.version, &one.release, &one.arch],
            )
        }
        key(self) == key(other)
    }
}

impl LockedArch {
    /// Brings the packages into the one order that a lock has: by name, version and architecture; and the repositories
    /// into that of their ids.
    pub fn sort(&mut self) {
        self.repositories.sort_by(|a, b| a.id.cmp(&b.id));
        self.packages.sort_by(|a, b| {
            let evr = |one: &LockedPackage| Evr::parse(&one.evr());
            let by_name = a.name.cmp(&b.name);
            let by_evr = by_name.then_with(|| evr(a).cmp(&evr(b)));
            by_evr.then_with(|| {
                (&a.version, &a.release, &a.arch).cmp(&(&b.version, &b.release, &b.arch))
            })
        });
    }
}
