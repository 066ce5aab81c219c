//! What a transaction will change: pure data, by name.
//!
//! View, JSON, history and executor read the same [`Plan`]; nothing is decided after it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::note::Note;

/// What happens to one package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum PlannedAction {
    /// A new package.
    Install,
    /// A newer version takes the place of an installed one.
    Upgrade,
    /// An older version takes the place of an installed one.
    Downgrade,
    /// The same version again.
    Reinstall,
    /// An installed package goes.
    Remove,
    /// An installed package goes because a new one obsoletes it.
    Obsolete,
}

/// Why a change is part of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ChangeReason {
    /// It was asked for.
    User,
    /// Something that was asked for needs it.
    Dependency,
    /// Something that was asked for recommends it, or it supplements that.
    WeakDependency,
    /// Nothing needs it any more.
    Unneeded,
    /// What it replaces, obsoletes or needs changes.
    Consequence,
}

/// A package whose signature is weak and was admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WeakSignature {
    /// `name-[epoch:]version-release.arch`.
    pub package: String,
    /// What is weak, words of `weak_signatures`: `sha1,rsa1024`.
    pub weaknesses: String,
    /// Who admits that: the setting and its place, or the root's old rpm.
    pub admitted_by: String,
}

/// Name, version and architecture of a package, in parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PackageId {
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
}

impl PackageId {
    /// `[epoch:]version-release`, the epoch only if it is not 0.
    pub fn evr(&self) -> String {
        match self.epoch {
            0 => self.version_release(),
            epoch => format!("{epoch}:{}", self.version_release()),
        }
    }

    /// `version-release`.
    pub fn version_release(&self) -> String {
        format!("{}-{}", self.version, self.release)
    }

    /// `name-[epoch:]version-release.arch`.
    pub fn nevra(&self) -> String {
        format!("{}-{}.{}", self.name, self.evr(), self.arch)
    }

    /// `name-version-release.arch`, as transactions are reported.
    pub fn nvra(&self) -> String {
        format!("{}-{}.{}", self.name, self.version_release(), self.arch)
    }
}

/// Where a package file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageOrigin {
    /// Repository id; `@cmdline` for a file of the command line.
    pub repo: String,
    /// Path below the repository's base URLs, or of the file of the command line.
    pub location: String,
    /// `xml:base` of the metadata, if it names another base URL.
    pub base: Option<String>,
    /// (algorithm, hex digest) of the file as the metadata has it.
    pub checksum: Option<(String, String)>,
    /// Size of the file in bytes; 0 if unknown.
    pub size: u64,
    /// The first URL that it is fetched from, without a login; empty where there is none.
    pub url: String,
    /// What the solver was told about its dependencies; none where nobody told it.
    #[serde(skip)]
    pub promised: Option<Promised>,
}

/// Dependencies of a package as the metadata has them, each as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promised {
    /// Provides, without files.
    pub provides: Vec<String>,
    /// Requires, those of scriptlets among them.
    pub requires: Vec<String>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedChange {
    /// What happens.
    pub action: PlannedAction,
    /// To which package.
    pub package: PackageId,
    /// Why.
    pub reason: ChangeReason,
    /// Bytes on disk when installed.
    pub install_size: u64,
    /// Where its file comes from; `None` for packages that go.
    pub origin: Option<PackageOrigin>,
    /// Its number in the rpm database; `None` for packages that come.
    pub installed_number: Option<u32>,
    /// Numbers in the rpm database of what it takes the place of (upgrade, downgrade, reinstall)
    /// or obsoletes.
    pub replaces: Vec<u32>,
    /// Those packages by name and version.
    #[serde(skip)]
    pub replaced: Vec<PackageId>,
    /// Why it goes where nobody named it: `needs lib`.
    #[serde(skip)]
    pub because: Option<String>,
}

impl PlannedChange {
    /// An install of a package of which nothing but the name is known.
    pub fn bare(package: PackageId) -> Self {
        Self {
            action: PlannedAction::Install,
            package,
            reason: ChangeReason::User,
            install_size: 0,
            origin: None,
            installed_number: None,
            replaces: Vec::new(),
            replaced: Vec::new(),
            because: None,
        }
    }

    /// The repository as tables show it.
    pub fn repo(&self) -> &str {
        self.origin
            .as_ref()
            .map_or("@System", |origin| &origin.repo)
    }

    /// Bytes to fetch; 0 for packages that go.
    pub fn download_size(&self) -> u64 {
        self.origin.as_ref().map_or(0, |origin| origin.size)
    }

    /// Whether an installed package goes and no other version of it comes.
    pub fn is_removal(&self) -> bool {
        matches!(self.action, PlannedAction::Remove | PlannedAction::Obsolete)
    }
}

/// A whole transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Plan {
    /// Changes by name.
    pub changes: Vec<PlannedChange>,
    /// Words that matched nothing and were left out (`--skip-broken`).
    pub unavailable: Vec<String>,
    /// What was passed over or left out on the way, and why.
    #[serde(skip)]
    pub notes: Vec<Note>,
    /// Names that come and of which another version or architecture is installed: whether they were
    /// asked for has been said.
    #[serde(skip)]
    pub known: BTreeSet<String>,
    /// Installed dependencies that take the place of something that was asked for.
    #[serde(skip)]
    pub promoted: BTreeSet<String>,
}

impl Plan {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Forgets what packages promised, once they have been compared with it.
    pub fn forget_promises(&mut self) {
        let origins = self
            .changes
            .iter_mut()
            .flat_map(|change| &mut change.origin);
        origins.for_each(|origin| origin.promised = None);
    }

    /// The changes of one kind, in order. A package that goes because it is obsoleted counts
    /// under [`PlannedAction::Obsolete`] alone (C tdnf lists it twice).
    pub fn of(&self, action: PlannedAction) -> impl Iterator<Item = &PlannedChange> {
        self.changes
            .iter()
            .filter(move |change| change.action == action)
    }

    /// Changes that need a package file.
    pub fn incoming(&self) -> impl Iterator<Item = &PlannedChange> {
        self.changes.iter().filter(|change| change.origin.is_some())
    }
}
