//! A file on its way: `NAME.part` and, beside it, `NAME.part.info` with what is needed to go on in
//! a later run.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rustix::fs::{FlockOperation, OFlags};

use crate::error::{Error, Result};
use crate::path::{open_plain, with_suffix};

/// Bytes of the sidecar read at most.
const MAX_INFO: u64 = 8192;
/// Buffer for hashing what is already on disk.
const BUFFER: usize = 256 * 1024;
/// First bytes kept for the HTML check.
const HEAD: usize = 1024;

/// Where the bytes of a part came from: enough to ask the same server for the rest.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// SHA-256 of the URL: the URL itself may hold a password.
    pub(crate) url: String,
    /// Strong `ETag`, if one was sent.
    pub(crate) etag: Option<String>,
    /// `Last-Modified`, if sent.
    pub(crate) modified: Option<String>,
}

/// The open part. Dropping it keeps the files for the next run.
pub(crate) struct Part {
    dest: PathBuf,
    path: PathBuf,
    file: File,
    len: u64,
    wanted: Option<Digest>,
    size: Option<u64>,
    hasher: Option<Hasher>,
    head: Vec<u8>,
    origin: Origin,
}

/// Outcome of [`Part::open`].
pub(crate) enum Opened {
    /// Ours to fill.
    Ready(Box<Part>),
    /// Another process fills it now.
    Busy,
}

impl Part {
    /// Opens or creates the part of `dest`. Bytes of an earlier run are kept (and hashed) if the
    /// sidecar says that they belong to the same content.
    pub(crate) fn open(dest: &Path, wanted: Option<Digest>, size: Option<u64>) -> Result<Opened> {
        let path = with_suffix(dest, ".part");
        let file = match lock(&path)? {
            Some(file) => file,
            None => return Ok(Opened::Busy),
        };
        let mut part = Self {
            dest: dest.to_owned(),
            path,
            file,
            len: 0,
            wanted,
            size,
            hasher: None,
            head: Vec::new(),
            origin: Origin::default(),
        };
        part.adopt()?;
        Ok(Opened::Ready(Box::new(part)))
    }

    fn adopt(&mut self) -> Result<()> {
        let there = self
            .file
            .metadata()
            .map_err(|e| Error::io(&self.path, "look at", e))?
            .len();
        let origin = self.read_info();
        let fits = self.size.is_none_or(|size| there <= size);
        let Some(origin) = origin.filter(|_| there > 0 && fits) else {
            return self.restart();
        };
        self.reset_state();
        self.origin = origin;
        self.file
            .rewind()
            .map_err(|e| Error::io(&self.path, "read", e))?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let got = self
                .file
                .read(&mut buffer)
                .map_err(|e| Error::io(&self.path, "read", e))?;
            let Some(data) = buffer.get(..got).filter(|data| !data.is_empty()) else {
                break;
            };
            self.account(data);
        }
        Ok(())
    }

    fn reset_state(&mut self) {
        self.len = 0;
        self.head.clear();
        self.hasher = self
            .wanted
            .as_ref()
            .map(|digest| Hasher::new(digest.algo()));
        self.origin = Origin::default();
    }

    fn account(&mut self, data: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(data);
        }
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend(data.iter().take(room));
        self.len = self.len.saturating_add(data.len() as u64);
    }

    /// Bytes on disk.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The first bytes, up to 1 KB.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Throws away what is there.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.reset_state();
        let emptied = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied
            .map(|_| ())
            .map_err(|e| Error::io(&self.path, "empty", e))?;
        match fs::remove_file(self.info_path()) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(self.info_path(), "remove", e))
            }
            _ => Ok(()),
        }
    }

    /// What to send as `If-Range` to `url` so that the rest fits: the validator of the same URL.
    /// `Err(())` if bytes from there could not be told to fit: neither digest nor validator.
    pub(crate) fn validator(&self, url: &Url) -> std::result::Result<Option<String>, ()> {
        let same = self.origin.url == url_key(url);
        let known = self
            .origin
            .etag
            .clone()
            .or_else(|| self.origin.modified.clone());
        match known.filter(|_| same) {
            Some(value) => Ok(Some(value)),
            None if self.wanted.is_some() => Ok(None),
            None => Err(()),
        }
    }

    /// Notes where the coming bytes are from; written down at once, so that a kill loses nothing.
    pub(crate) fn note_origin(
        &mut self,
        url: &Url,
        etag: Option<String>,
        modified: Option<String>,
    ) {
        // A weak ETag may not be used for ranges (RFC 9110 13.1.5).
        let etag = etag.filter(|value| !value.starts_with("W/"));
        self.origin = Origin {
            url: url_key(url),
            etag,
            modified,
        };
        self.write_info();
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<()> {
        self.file
            .write_all(data)
            .map_err(|e| Error::io(&self.path, "write", e))?;
        self.account(data);
        Ok(())
    }

    /// The digest of what is there: none if no digest is wanted, `Err(found)` if it differs.
    pub(crate) fn check(&mut self) -> std::result::Result<Option<Digest>, Digest> {
        let (Some(wanted), Some(hasher)) = (self.wanted, self.hasher.take()) else {
            return Ok(None);
        };
        let found = hasher.finish();
        if found == wanted {
            Ok(Some(found))
        } else {
            Err(found)
        }
    }

    /// Gives the file its name.
    pub(crate) fn publish(self, sync: bool) -> Result<()> {
        if sync {
            self.file
                .sync_data()
                .map_err(|e| Error::io(&self.path, "sync", e))?;
        }
        fs::rename(&self.path, &self.dest).map_err(|e| Error::io(&self.dest, "put in place", e))?;
        let _ = fs::remove_file(self.info_path());
        Ok(())
    }

    /// Removes the part and its sidecar.
    pub(crate) fn discard(self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.info_path());
    }

    fn info_path(&self) -> PathBuf {
        with_suffix(&self.path, ".info")
    }

    fn expectation(&self) -> String {
        let digest = self
            .wanted
            .map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        let size = self
            .size
            .map_or_else(|| "-".to_owned(), |size| size.to_string());
        format!("{digest} {size}")
    }

    fn write_info(&self) {
        let Origin {
            url,
            etag,
            modified,
        } = &self.origin;
        let text = format!(
            "want {}\nurl {url}\netag {}\nmodified {}\n",
            self.expectation(),
            etag.as_deref().unwrap_or(""),
            modified.as_deref().unwrap_or("")
        );
        // Without a sidecar the next run starts from zero: no reason to fail this one.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        if let Ok(mut file) = open_plain(&self.info_path(), flags) {
            let _ = file.write_all(text.as_bytes());
        }
    }

    fn read_info(&self) -> Option<Origin> {
        let file = open_plain(&self.info_path(), OFlags::RDONLY).ok()?;
        let mut text = String::new();
        file.take(MAX_INFO).read_to_string(&mut text).ok()?;
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
        };
        if value("want")? != self.expectation() {
            return None;
        }
        let filled = |key| {
            value(key)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Some(Origin {
            url: value("url")?.to_owned(),
            etag: filled("etag"),
            modified: filled("modified"),
        })
    }
}

/// Opens and locks `path`; none if another process holds it.
fn lock(path: &Path) -> Result<Option<File>> {
    for _ in 0..100 {
        let file = open_plain(path, OFlags::RDWR | OFlags::CREATE)
            .map_err(|e| Error::io(path, "open", e))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(Error::io(path, "lock", e.into())),
        }
        // The holder before us may have renamed the file away between our open and our lock.
        let held = file.metadata().map_err(|e| Error::io(path, "look at", e))?;
        let named = fs::symlink_metadata(path);
        if named.is_ok_and(|named| named.ino() == held.ino() && named.dev() == held.dev()) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// A name for a URL that gives nothing away.
pub(crate) fn url_key(url: &Url) -> String {
    let mut hasher = Hasher::new(DigestAlgo::Sha256);
    hasher.update(url.as_str().as_bytes());
    hasher.finish().hex()
}

/// Digest of a whole open file, from where it stands.
pub(crate) fn hash_file(mut file: impl Read, algo: DigestAlgo) -> std::io::Result<(Digest, u64)> {
    let mut hasher = Hasher::new(algo);
    let mut buffer = vec![0; BUFFER];
    let mut size = 0_u64;
    loop {
        let got = file.read(&mut buffer)?;
        let Some(data) = buffer.get(..got).filter(|data| !data.is_empty()) else {
            break;
        };
        hasher.update(data);
        size = size.saturating_add(got as u64);
    }
    Ok((hasher.finish(), size))
}

/// Whether the first bytes of something are those of a web page.
pub(crate) fn looks_like_html(head: &[u8]) -> bool {
    let text = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start();
    if text.first() != Some(&b'<') {
        return false;
    }
    let lower = String::from_utf8_lossy(text).to_ascii_lowercase();
    lower.contains("<!doctype html") || lower.contains("<html")
}
