//! What is asked for, what comes back, and files that need no transfer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;
use rpm_pkg::digest::Digest;
use rustix::fs::OFlags;

use crate::error::{Cause, Error, Result};
use crate::options::Access;
use crate::part::hash_file;
use crate::path::open_plain;
use crate::transport::file;

/// Size limit for a file whose size nobody knows (64 GiB), when the caller names none.
pub const MAX_UNKNOWN: u64 = 64 << 30;
/// A file to be fetched.
#[derive(Clone)]
pub struct FileRequest {
    /// What it is, in words for the user ("tar-1.34-1.x86_64", "base: primary").
    pub label: String,
    /// Full URLs (http, https, file), best first; each must give the same bytes.
    pub urls: Vec<String>,
    /// How the servers are spoken to.
    pub access: Arc<Access>,
    /// Where the file goes. Its folder is created. `DEST.part` and `DEST.part.info` are used
    /// until it is whole.
    pub dest: PathBuf,
    /// Exact size in bytes, if known.
    pub size: Option<u64>,
    /// Digest, if known.
    pub digest: Option<Digest>,
    /// Most bytes accepted when `size` is not known.
    pub max_size: u64,
    /// A `file:` URL is checked and used where it is; nothing is copied to `dest`.
    pub in_place: bool,
    /// Sync the data to disk before the file gets its name.
    pub sync: bool,
}

impl FileRequest {
    /// A request with no size, digest or special wishes.
    pub fn new(label: impl Into<String>, urls: Vec<String>, dest: impl Into<PathBuf>) -> Self {
        Self {
            label: label.into(),
            urls,
            access: Arc::default(),
            dest: dest.into(),
            size: None,
            digest: None,
            max_size: MAX_UNKNOWN,
            in_place: false,
            sync: false,
        }
    }

    /// Most bytes accepted.
    pub(crate) fn limit(&self) -> u64 {
        self.size.unwrap_or(self.max_size)
    }

    /// Checks the file that a `file:` URL names, where it is.
    pub(crate) fn check_in_place(&self, url: &Url) -> std::result::Result<Fetched, Cause> {
        let path = file::path_of(url)?;
        let open = file::open(url)?;
        let size = open
            .metadata()
            .map_err(|e| Cause::Read(e.to_string()))?
            .len();
        if let Some(expected) = self.size.filter(|expected| *expected != size) {
            return Err(Cause::Size {
                got: size,
                expected,
            });
        }
        if let Some(expected) = self.digest {
            let (got, _) =
                hash_file(open, expected.algo()).map_err(|e| Cause::Read(e.to_string()))?;
            if got != expected {
                let (got, expected) = (got.to_string(), expected.to_string());
                return Err(Cause::Digest { got, expected });
            }
        }
        let digest = self.digest;
        Ok(Fetched {
            path,
            size,
            digest,
            url: None,
            transferred: 0,
            validators: (None, None),
        })
    }
}

/// A file that is there, whole, and has the size and digest asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is: `dest`, or the local file of an in-place `file:` URL.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// The digest that was checked; none if the request named none.
    pub digest: Option<Digest>,
    /// Redacted URL that gave the last byte; none if the file was there already.
    pub url: Option<String>,
    /// Bytes moved in this run.
    pub transferred: u64,
    /// `ETag` and `Last-Modified` of the answer, for conditional requests later.
    pub(crate) validators: (Option<String>, Option<String>),
}

/// The file at `dest`, if it is there already and is what is asked for; a wrong one is removed.
pub(crate) fn reuse(dest: &Path, request: &FileRequest) -> Result<Option<Fetched>> {
    let Some(wanted) = request.digest else {
        return Ok(None);
    };
    let Ok(file) = open_plain(dest, OFlags::RDONLY) else {
        return Ok(None);
    };
    let size = file
        .metadata()
        .map_err(|e| Error::io(dest, "look at", e))?
        .len();
    let right_size = request.size.is_none_or(|expected| expected == size);
    let found = if right_size {
        let hashed = hash_file(file, wanted.algo()).map_err(|e| Error::io(dest, "read", e))?;
        Some(hashed.0)
    } else {
        None
    };
    if found != Some(wanted) {
        std::fs::remove_file(dest).map_err(|e| Error::io(dest, "remove", e))?;
        return Ok(None);
    }
    let (path, digest) = (dest.to_owned(), Some(wanted));
    Ok(Some(Fetched {
        path,
        size,
        digest,
        url: None,
        transferred: 0,
        validators: (None, None),
    }))
}
