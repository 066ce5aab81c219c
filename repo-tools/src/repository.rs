//! A repository in a directory.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::compress::Ahead;
use rpm_repo::primary::{self, ParseSummary, PrimaryPackage};
use rpm_repo::repomd::{self, Repomd, RepomdRecord};
use rpm_repo::xml::XmlLimits;
use rustix::fs::{FileType, OFlags};
use whole_file::Folder;

use crate::document::{open_file, whole};
use crate::error::{Error, Result};
use crate::stage::{INDEX, REPODATA};

/// Largest repomd.xml that is read, in bytes; those of distributions have some 10 KB.
pub(crate) const MAX_INDEX: u64 = 16 << 20;

/// An opened repository: its repomd.xml was read, nothing else.
#[derive(Debug)]
pub struct Repository {
    /// The directory that holds `repodata`.
    pub dir: PathBuf,
    /// What repomd.xml says.
    pub repomd: Repomd,
    /// SHA-256 of repomd.xml in hexadecimal.
    pub digest: String,
    folder: Folder,
    repodata: Folder,
}

impl Repository {
    /// Opens the repository in `dir` (a path or a `file://` URL; the directory above `repodata` or
    /// `repodata` itself, by whatever name: `.` or a link).
    ///
    /// # Errors
    /// No repomd.xml, or one that cannot be read; a URL of a server.
    pub fn open(dir: &Path) -> Result<Repository> {
        let dir = &root(&local(dir)?);
        let open = |path: &Path| match Folder::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::NoRepository(dir.to_owned()))
            }
            opened => opened.map_err(Error::file(path, "read")),
        };
        Repository::read(open(dir)?, open(&dir.join(REPODATA))?)
    }

    /// Opens the repository in an open directory. A `repodata` that is a link is none: this is for changing it.
    ///
    /// # Errors
    /// As [`Repository::open`].
    pub fn of(folder: &Folder) -> Result<Repository> {
        match folder.folder(Path::new(REPODATA)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::NoRepository(folder.path().to_owned()))
            }
            opened => {
                let path = folder.path().join(REPODATA);
                let repodata = opened.map_err(Error::file(path, "read"))?;
                Repository::read(folder.clone(), repodata)
            }
        }
    }

    fn read(folder: Folder, repodata: Folder) -> Result<Repository> {
        let path = repodata.path().join(INDEX);
        let bytes = match repodata.read(Path::new(INDEX), MAX_INDEX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NoRepository(folder.path().to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let what = format!("{error} (createrepo replaces it)");
                return Err(Error::Damaged { path, what });
            }
            Err(error) => return Err(Error::file(path, "read")(error)),
        };
        let repomd = repomd::parse(&path.display().to_string(), &bytes)?;
        Ok(Repository {
            dir: folder.path().to_owned(),
            repomd,
            digest: Hasher::digest(DigestAlgo::Sha256, &bytes).hex(),
            folder,
            repodata,
        })
    }

    /// The directory that holds `repodata`.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// `repodata`.
    pub fn repodata(&self) -> &Folder {
        &self.repodata
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

    /// The file of a record, for messages.
    pub fn file(&self, record: &RepomdRecord) -> PathBuf {
        self.dir.join(record.href.path())
    }

    /// Where the file of a record lies: a folder, and its path there.
    fn place<'r>(&self, record: &'r RepomdRecord) -> (&Folder, &'r Path) {
        let path = Path::new(record.href.path());
        match path.strip_prefix(REPODATA) {
            Ok(below) => (&self.repodata, below),
            Err(_) => (&self.folder, path),
        }
    }

    /// Opens the file of a record.
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub fn open_packed(&self, record: &RepomdRecord) -> io::Result<File> {
        let (folder, below) = self.place(record);
        folder.file(below, OFlags::RDONLY)
    }

    /// The size of the file of a record; none if it is not there, or no regular file.
    pub fn size(&self, record: &RepomdRecord) -> Option<u64> {
        let (folder, below) = self.place(record);
        let about = folder.stat(below).ok()?;
        let is_file = FileType::from_raw_mode(about.st_mode) == FileType::RegularFile;
        is_file.then(|| u64::try_from(about.st_size).ok()).flatten()
    }

    /// The name for errors and the decompressed, verifying stream of a record.
    pub fn open_record(&self, record: &RepomdRecord) -> Result<(String, Ahead)> {
        let (folder, below) = self.place(record);
        let stream = open_file(folder, below, record)?;
        Ok((self.file(record).display().to_string(), stream))
    }

    /// [`Repository::open_record`] of a kind.
    pub fn open_kind(&self, kind: &str) -> Result<(String, Ahead)> {
        self.open_record(self.record(kind)?)
    }

    /// Calls `each` with every package of primary and its place, from 0.
    ///
    /// # Errors
    /// Primary cannot be read, or not all of its packages can be used.
    pub fn packages(&self, each: &mut dyn FnMut(u64, &PrimaryPackage)) -> Result<()> {
        let summary = self.usable_packages(each)?;
        let primary = self.file(self.record("primary")?);
        whole(&primary.display().to_string(), summary).map(drop)
    }

    /// [`Repository::packages`] that can be used; what is left out stands in the summary.
    ///
    /// # Errors
    /// Primary cannot be read.
    pub fn usable_packages(
        &self,
        each: &mut dyn FnMut(u64, &PrimaryPackage),
    ) -> Result<ParseSummary> {
        let (name, stream) = self.open_kind("primary")?;
        let limits = XmlLimits::default();
        let mut place = 0;
        let summary = primary::read(&name, stream, &limits, &mut |package| {
            each(place, package);
            place += 1;
            ControlFlow::Continue(())
        })?;
        Ok(summary)
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
