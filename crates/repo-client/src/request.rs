//! What is asked for, what comes back, and files that need no transfer.

use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Url;
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use whole_file::Stamp;

use crate::client::parse_url;
use crate::error::{Cause, Error, Failure, Result};
use crate::options::Access;
use crate::redact::redact_url;
use crate::transport::file;

/// Size limit (64 GiB) for a file of unknown size when the caller sets none.
pub(crate) const MAX_UNKNOWN: u64 = 64 << 30;

/// Buffer for hashing what is on disk.
const BUFFER: usize = 256 * 1024;

/// A file to be fetched.
#[derive(Clone)]
pub struct FileRequest {
    /// What it is, in words for the user ("tar-1.34-1.x86_64", "base: primary").
    pub label: String,
    /// Full URLs (http, https, file), best first; each must give the same bytes.
    pub urls: Vec<String>,
    /// How the servers are spoken to.
    pub access: Arc<Access>,
    /// Where the file goes. Its folder is created. `DEST.part` and `DEST.journal` are used until it
    /// is whole.
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
    /// 0 is asked for first; what is alike goes in the order of the requests.
    pub priority: u32,
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
            priority: 0,
        }
    }

    /// Whether nothing is to be moved: all its URLs are local.
    pub(crate) fn is_used_in_place(&self) -> bool {
        self.in_place && self.urls.iter().all(|url| url.starts_with("file:"))
    }

    /// The first of the local files that is what is asked for.
    pub(crate) fn use_in_place(&self) -> Result<FetchedFile> {
        let mut failures = Vec::new();
        for url in self.urls.iter().map(|url| parse_url(url)) {
            let url = url?;
            match self.check_in_place(&url) {
                Ok(done) => return Ok(done),
                Err(cause) => failures.push(Failure {
                    url: redact_url(&url),
                    cause,
                }),
            }
        }
        let label = self.label.clone();
        Err(Error::Transfer { label, failures })
    }

    /// Checks the file that a `file:` URL names, where it is.
    fn check_in_place(&self, url: &Url) -> std::result::Result<FetchedFile, Cause> {
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
            let got = hash_file(open, expected.algo()).map_err(|e| Cause::Read(e.to_string()))?;
            if got != expected {
                let (got, expected) = (got.to_string(), expected.to_string());
                return Err(Cause::Digest { got, expected });
            }
        }
        let digest = self.digest;
        Ok(FetchedFile {
            label: self.label.clone(),
            path,
            size,
            digest,
            stamp: None,
            url: None,
            transferred: 0,
        })
    }
}

/// A file that is there, whole, and has the size and digest asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchedFile {
    /// [`FileRequest::label`].
    pub label: String,
    /// Where it is: `dest`, or the local file of an in-place `file:` URL.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// The digest that was checked; none if the request named none.
    pub digest: Option<Digest>,
    /// What the file was when its digest had been checked; none if none was, or the file is used in place.
    pub stamp: Option<Stamp>,
    /// Redacted URL that gave the last byte; none if the file was there already.
    pub url: Option<String>,
    /// Bytes moved in this run.
    pub transferred: u64,
}

/// Digest of a whole open file, from where it stands.
pub(crate) fn hash_file(file: impl Read, algo: DigestAlgo) -> std::io::Result<Digest> {
    Hasher::digest_reader(algo, BufReader::with_capacity(BUFFER, file))
}
