//! A repository in a directory.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::compress::Ahead;
use rpm_repo::primary::{self, PrimaryPackage};
use rpm_repo::repomd::{self, Repomd, RepomdRecord};
use rpm_repo::xml::XmlLimits;

use crate::document::open_file;
use crate::error::{Error, Result};
use crate::stage::REPODATA;

/// An opened repository: its repomd.xml was read, nothing else.
#[derive(Debug)]
pub struct Repository {
    /// The directory that holds `repodata`.
    pub dir: PathBuf,
    /// What repomd.xml says.
    pub repomd: Repomd,
    /// SHA-256 of repomd.xml in hexadecimal.
    pub digest: String,
}

impl Repository {
    /// Opens the repository in `dir` (a path or a `file://` URL; the directory above `repodata` or
    /// `repodata` itself).
    ///
    /// # Errors
    /// No repomd.xml, or one that cannot be read.
    pub fn open(dir: &Path) -> Result<Repository> {
        let text = dir.to_string_lossy();
        let dir = text.strip_prefix("file://").map_or(dir, Path::new);
        let dir = if dir.file_name().is_some_and(|name| name == REPODATA) {
            dir.parent().unwrap_or(dir)
        } else {
            dir
        };
        let path = dir.join(REPODATA).join("repomd.xml");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoRepository(dir.to_owned()));
            }
            Err(error) => return Err(Error::file(path, "read")(error)),
        };
        let repomd = repomd::parse(&path.display().to_string(), &bytes)?;
        Ok(Repository {
            dir: dir.to_owned(),
            repomd,
            digest: Hasher::digest(DigestAlgo::Sha256, &bytes).hex(),
        })
    }

    /// The record of a kind.
    ///
    /// # Errors
    /// There is none.
    pub fn record(&self, kind: &str) -> Result<&RepomdRecord> {
        self.repomd.record(kind).ok_or_else(|| Error::NoRecord {
            path: self.dir.clone(),
            kind: kind.to_owned(),
        })
    }

    /// The file of a record.
    pub fn file(&self, record: &RepomdRecord) -> PathBuf {
        self.dir.join(record.href.path())
    }

    /// The name for errors and the decompressed, verifying stream of a record.
    pub fn open_record(&self, record: &RepomdRecord) -> Result<(String, Ahead)> {
        let path = self.file(record);
        let stream = open_file(&path, record.href.file_name(), record)?;
        Ok((path.display().to_string(), stream))
    }

    /// [`Repository::open_record`] of a kind.
    pub fn open_kind(&self, kind: &str) -> Result<(String, Ahead)> {
        self.open_record(self.record(kind)?)
    }

    /// Calls `each` with every package of primary and its place, from 0.
    pub fn packages(&self, each: &mut dyn FnMut(u64, &PrimaryPackage)) -> Result<()> {
        let (name, stream) = self.open_kind("primary")?;
        let limits = XmlLimits::default();
        let mut place = 0;
        primary::read(&name, stream, &limits, &mut |package| {
            each(place, package);
            place += 1;
            ControlFlow::Continue(())
        })?;
        Ok(())
    }
}
