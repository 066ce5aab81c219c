//! A repository in a directory.

use std::ffi::OsString;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
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
    /// `repodata` itself, by whatever name: `.` or a link).
    ///
    /// # Errors
    /// No repomd.xml, or one that cannot be read; a URL of a server.
    pub fn open(dir: &Path) -> Result<Repository> {
        let dir = &root(&local(dir)?);
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

/// The path that a user's word means: a path, or a `file://` URL, encoded or not.
fn local(word: &Path) -> Result<PathBuf> {
    let Some((scheme, rest)) = word.to_str().and_then(|word| word.split_once("://")) else {
        return Ok(word.to_owned());
    };
    if !scheme.eq_ignore_ascii_case("file") {
        let word = word.display();
        let what = "repo-tools reads directories only: fetch the repository first (tdnf reposync, mirror-sync)";
        return Err(Error::Usage(format!("{word}: {what}")));
    }
    let rest = rest
        .strip_prefix("localhost")
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(rest);
    let decoded = PathBuf::from(decoded(rest));
    let is_plain = !decoded.exists() && Path::new(rest).exists();
    Ok(if is_plain { rest.into() } else { decoded })
}

/// A part of a URL without its percent-encoding.
pub(crate) fn decoded(text: &str) -> OsString {
    OsString::from_vec(percent_decode_str(text).collect())
}

/// The directory that holds `repodata`, if `dir` is that or `repodata` itself.
fn root(dir: &Path) -> PathBuf {
    let is_inside = !dir.join(REPODATA).exists() && dir.join("repomd.xml").is_file();
    let real = is_inside.then(|| fs::canonicalize(dir).ok()).flatten();
    let is_repodata = |dir: &Path| dir.file_name().is_some_and(|name| name == REPODATA);
    let inside = [Some(dir), real.as_deref()];
    let inside = inside.into_iter().flatten().find(|dir| is_repodata(dir));
    match inside.map_or(Some(dir), Path::parent) {
        // Of a name without a directory.
        Some(here) if here.as_os_str().is_empty() => PathBuf::from("."),
        above => above.unwrap_or(dir).to_owned(),
    }
}
