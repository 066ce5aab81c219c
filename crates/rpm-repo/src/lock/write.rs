//! Writing our own format: JSON with two spaces, one key a line, always in this order.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    LOCK_VERSION, Lock, LockFormat, LockedArch, LockedPackage, LockedRepo, Signer, konflux,
    manifest,
};

impl Lock {
    /// The text of the file. The same lock has the same text.
    pub fn write(&self, format: LockFormat) -> String {
        match format {
            LockFormat::Tdnf => self.to_json(),
            LockFormat::Konflux => konflux::write(self),
            LockFormat::Manifest => manifest::write(self),
        }
    }

    fn to_json(&self) -> String {
        let sections = self.architectures.iter();
        let shape = LockShape {
            lock: LOCK_VERSION,
            words: &self.words,
            releasever: self.releasever.as_deref(),
            architectures: sections
                .map(|(arch, section)| (arch.as_str(), ArchShape::of(section)))
                .collect(),
        };
        // Texts and numbers alone: it cannot fail.
        let mut text = serde_json::to_string_pretty(&shape).unwrap_or_default();
        text.push('\n');
        text
    }
}

#[derive(Serialize)]
struct LockShape<'a> {
    lock: u64,
    words: &'a [String],
    releasever: Option<&'a str>,
    architectures: BTreeMap<&'a str, ArchShape<'a>>,
}

#[derive(Serialize)]
struct ArchShape<'a> {
    repositories: Vec<RepoShape<'a>>,
    packages: Vec<PackageShape<'a>>,
}

impl<'a> ArchShape<'a> {
    fn of(section: &'a LockedArch) -> Self {
        Self {
            repositories: section.repositories.iter().map(RepoShape::of).collect(),
            packages: section.packages.iter().map(PackageShape::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct RepoShape<'a> {
    id: &'a str,
    baseurl: &'a str,
    repomd: Option<String>,
    keys: &'a [String],
}

impl<'a> RepoShape<'a> {
    fn of(repo: &'a LockedRepo) -> Self {
        Self {
            id: &repo.id,
            baseurl: &repo.baseurl,
            repomd: repo.repomd.map(|digest| digest.to_string()),
            keys: &repo.keys,
        }
    }
}

#[derive(Serialize)]
struct PackageShape<'a> {
    name: &'a str,
    epoch: u32,
    version: &'a str,
    release: &'a str,
    arch: &'a str,
    repo: &'a str,
    location: &'a str,
    url: &'a str,
    size: u64,
    checksum: String,
    signer: Option<&'a str>,
    reason: &'static str,
}

impl<'a> PackageShape<'a> {
    fn of(package: &'a LockedPackage) -> Self {
        Self {
            name: &package.name,
            epoch: package.epoch,
            version: &package.version,
            release: &package.release,
            arch: &package.arch,
            repo: &package.repo,
            location: &package.location,
            url: &package.url,
            size: package.size,
            checksum: package.checksum.to_string(),
            signer: match &package.signer {
                Signer::Key(fingerprint) => Some(fingerprint),
                Signer::Nobody | Signer::Untold => None,
            },
            reason: package.reason.word(),
        }
    }
}
