//! What a bundle says of itself: `bundle.json`, which is signed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{DigestAlgo, Hasher};
use serde::{Deserialize, Serialize};

use crate::config;
use crate::manifest::{self, Manifest};
use crate::store::parse_digest;

/// The form of [`Contents`]; raised when readers of the old form would misunderstand.
pub(crate) const FORMAT: u32 = 1;
/// Most parts of a bundle.
pub(crate) const MAX_PARTS: u32 = 10_000;

/// One bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// [`FORMAT`].
    pub(crate) format: u32,
    pub(crate) site: String,
    /// Its number: each bundle for a site has a higher one than all before.
    pub(crate) number: u64,
    /// The bundle that must have been applied last; none: a full one, which needs nothing.
    pub(crate) previous: Option<BundleReference>,
    /// Seconds since 1970.
    pub(crate) made: u64,
    /// It is refused from then on, seconds since 1970.
    pub(crate) expires: Option<u64>,
    pub(crate) tool: String,
    /// How many files it is split into.
    pub(crate) parts: u32,
    /// What the site has after it.
    pub(crate) repos: Vec<RepoGoal>,
    pub(crate) files: Vec<Packed>,
}

/// Names one bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BundleReference {
    pub(crate) number: u64,
    /// SHA-256 of its `bundle.json` in hexadecimal.
    pub(crate) id: String,
}

/// One repository as it is afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RepoGoal {
    /// The whole set, packages that the site has already included.
    pub(crate) whole: Manifest,
    /// The site asked for packages of it; otherwise it has all of them.
    #[serde(default)]
    pub(crate) part: bool,
    /// Full names of packages that come.
    pub(crate) added: Vec<String>,
    /// Full names of packages that go.
    pub(crate) removed: Vec<String>,
}

/// One file in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packed {
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
    /// SHA-256 in hexadecimal.
    pub(crate) sha256: String,
    /// Its name in the store (`sha512:hex`), where that is another digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stored: Option<String>,
    /// The part that holds it, from 1.
    pub(crate) part: u32,
}

impl Packed {
    /// Its name in the store.
    pub(crate) fn digest(&self) -> String {
        let plain = || format!("sha256:{}", self.sha256);
        self.stored.clone().unwrap_or_else(plain)
    }
}

pub(crate) fn id_of(json: &[u8]) -> String {
    Hasher::digest(DigestAlgo::Sha256, json).hex()
}

impl Contents {
    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    pub(crate) fn part_name(&self, part: u32) -> String {
        let Contents { site, number, .. } = self;
        match self.parts {
            1 => format!("{site}-{number:04}.tbundle"),
            parts => format!("{site}-{number:04}.{part}of{parts}.tbundle"),
        }
    }

    /// Looks for what is impossible, even in a signed bundle.
    ///
    /// # Errors
    /// One line that says what.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("format {} is not known", self.format));
        }
        if let Some(why) = config::unfit(&self.site) {
            return Err(format!("site {:?}: {why}", self.site));
        }
        if self.number == 0 || !(1..=MAX_PARTS).contains(&self.parts) {
            return Err("its number or its part number is invalid".into());
        }
        let mut ids = BTreeSet::new();
        for RepoGoal { whole, .. } in &self.repos {
            check_goal(whole)?;
            if !ids.insert(&whole.repo) {
                return Err(format!("repository {} is in it twice", whole.repo));
            }
        }
        let mut paths = BTreeSet::new();
        for file in &self.files {
            check_path(&file.path)?;
            let digests = parse_digest(&format!("sha256:{}", file.sha256)).is_some()
                && parse_digest(&file.digest()).is_some();
            if !digests || !(1..=self.parts).contains(&file.part) {
                return Err(format!("{}: no digest or no such part", file.path));
            }
            if !paths.insert(file.path.as_str()) {
                return Err(format!("{} is in it twice", file.path));
            }
        }
        Ok(())
    }
}

fn check_goal(whole: &Manifest) -> std::result::Result<(), String> {
    let id = &whole.repo;
    if let Some(why) = config::unfit(id) {
        return Err(format!("repository {id:?}: {why}"));
    }
    if whole.format != manifest::FORMAT {
        return Err(format!("repository {id}: its format is not known"));
    }
    if manifest::date_end(&whole.stamp).as_ref() != Some(&whole.stamp) {
        return Err(format!(
            "repository {id}: {:?} is not a snapshot",
            whole.stamp
        ));
    }
    let mut paths = BTreeSet::new();
    for entry in &whole.files {
        check_path(&entry.path)?;
        if parse_digest(&entry.digest).is_none() {
            return Err(format!("{}: no digest", entry.path));
        }
        if !paths.insert(entry.path.as_str()) {
            return Err(format!("repository {id}: {} is in it twice", entry.path));
        }
        // What is called neither would be taken over without a vendor's signature.
        if !entry.is_in_place() {
            return Err(format!(
                "repository {id}: {} is not what it is called: packages stand beside repodata, metadata in it",
                entry.path
            ));
        }
    }
    if !paths.contains(crate::layout::INDEX) {
        return Err(format!("repository {id} has no repodata/repomd.xml"));
    }
    Ok(())
}

/// Nothing in a bundle may lead anywhere but below the directory it is taken to.
fn check_path(path: &str) -> std::result::Result<(), String> {
    if let Some(why) = rpm_repo::layout::fault(path) {
        return Err(format!("path {path:?}: {why}"));
    }
    let below = repo_client::join_below(Path::new("/x"), path);
    below.map_or_else(|error| Err(error.to_string()), |_: PathBuf| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::SnapshotFile;

    fn entry(path: &str) -> SnapshotFile {
        SnapshotFile {
            path: path.to_owned(),
            size: 1,
            digest: format!("sha256:{}", "a".repeat(64)),
            package: None,
        }
    }

    fn contents() -> Contents {
        let whole = Manifest {
            format: manifest::FORMAT,
            repo: "base".into(),
            stamp: "20261121T120000Z".into(),
            made: 1,
            upstream: String::new(),
            revision: None,
            timestamp: 0,
            selection: String::new(),
            rules: String::new(),
            made_here: true,
            first_part: false,
            packages: 0,
            bytes: 1,
            files: vec![entry("repodata/repomd.xml")],
            sources: Vec::new(),
            deltas: Vec::new(),
        };
        Contents {
            format: FORMAT,
            site: "ship".into(),
            number: 1,
            previous: None,
            made: 1,
            expires: None,
            tool: String::new(),
            parts: 1,
            repos: vec![RepoGoal {
                whole,
                part: false,
                added: Vec::new(),
                removed: Vec::new(),
            }],
            files: vec![Packed {
                path: "base/repodata/repomd.xml".into(),
                size: 1,
                sha256: "a".repeat(64),
                stored: None,
                part: 1,
            }],
        }
    }

    #[test]
    fn names_are_those_of_parts() {
        let mut one = contents();
        assert_eq!(one.check(), Ok(()));
        assert_eq!(one.part_name(1), "ship-0001.tbundle");
        one.parts = 3;
        assert_eq!(one.part_name(2), "ship-0001.2of3.tbundle");
    }

    /// Whoever signed it: no path leads out, nothing is there twice, no name is a trap.
    #[test]
    fn row_113_hostile_descriptions_are_refused() {
        type SetChange = fn(&mut Contents);
        let changes: [SetChange; 18] = [
            |c| c.format = 2,
            |c| c.number = 0,
            |c| c.parts = 0,
            |c| c.parts = u32::MAX,
            |c| c.site = "../ship".into(),
            |c| c.files[0].path = "../../etc/passwd".into(),
            |c| c.files[0].path = "/etc/passwd".into(),
            |c| c.files[0].path = "base/a\0b".into(),
            |c| c.files[0].sha256 = "short".into(),
            |c| c.files[0].stored = Some("crc32:00".into()),
            |c| c.files[0].part = 2,
            |c| c.files.push(c.files[0].clone()),
            |c| c.repos[0].whole.repo = ".live".into(),
            |c| c.repos[0].whole.stamp = "../x".into(),
            |c| c.repos[0].whole.files.push(entry("a/../../b")),
            |c| c.repos[0].whole.files.clear(),
            |c| {
                c.repos[0]
                    .whole
                    .files
                    .push(entry("Packages/a-1-1.noarch.rpm"))
            },
            |c| c.repos[0].whole.files[0].package = Some("a-1-1.noarch".into()),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut one = contents();
            change(&mut one);
            assert!(one.check().is_err(), "change {number} passed");
        }
    }
}
