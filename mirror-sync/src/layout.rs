//! Where everything lies below the mirror's directory.
//!
//! ```text
//! ROOT/
//!   public/                    document root of any web server
//!     ID -> .live/current/ID/N         what clients use: one symbolic link, switched as one
//!     CHANNEL/ID -> ...                the same for promoted snapshots
//!     snapshots/ID/STAMP/              every snapshot, as it was
//!     keys/  mirror.repo  index.html  status.json  metrics
//!   store/ALGO/xx/HEX          every file once, by its digest; read-only, never rewritten
//!   proxied/ALGO/xx/HEX        what clients of repositories in proxy mode asked for
//!   partial/                   files on their way
//!   state/ID/                  upstream's metadata, manifests of snapshots, what was seen
//!   lock
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use whole_file::{Access, Durability};

use crate::error::{Error, Result};

/// The channel that `public/ID` stands for.
pub(crate) const CURRENT: &str = "current";
/// Largest state or manifest file (a manifest of 400,000 packages has 100 MB).
const MAX_STATE: u64 = 512 << 20;

/// The directories of a mirror.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// The right to change a mirror; ends with the value, or with the process.
#[derive(Debug)]
#[must_use]
pub(crate) struct MirrorLock {
    _file: File,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What the world sees.
    pub(crate) fn public(&self) -> PathBuf {
        self.root.join("public")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// What clients of repositories in proxy mode asked for: apart from the store, because no
    /// snapshot holds it.
    pub(crate) fn proxied(&self) -> PathBuf {
        self.root.join("proxied")
    }

    /// Files on their way.
    pub(crate) fn partial(&self) -> PathBuf {
        self.root.join("partial")
    }

    pub(crate) fn state(&self, id: &str) -> PathBuf {
        self.root.join("state").join(id)
    }

    /// Upstream's metadata of one repository, as the client keeps it.
    pub(crate) fn metadata(&self, id: &str) -> PathBuf {
        self.state(id).join("metadata")
    }

    pub(crate) fn manifests(&self, id: &str) -> PathBuf {
        self.state(id).join("snapshots")
    }

    pub(crate) fn manifest(&self, id: &str, stamp: &str) -> PathBuf {
        self.manifests(id).join(format!("{stamp}.json"))
    }

    /// Makes a folder of the mirror.
    pub(crate) fn make(&self, dir: &Path) -> Result<()> {
        make_below(&self.root, dir)
    }

    /// Writes a value into a file of the mirror.
    pub(crate) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        self.make(path.parent().unwrap_or(&self.root))?;
        write_json(path, value)
    }

    /// Takes the lock, waiting up to `wait`.
    pub(crate) fn lock(&self, wait: Duration) -> Result<MirrorLock> {
        self.make(&self.root)?;
        let path = self.root.join("lock");
        let mut file = whole_file::open_plain(&path, OFlags::RDWR | OFlags::CREATE)
            .map_err(Error::file(&path, "open"))?;
        let mut left = wait;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if !left.is_zero() => {
                    if left == wait {
                        tracing::info!(path = %path.display(), "waiting for the lock");
                    }
                    let pause = left.min(Duration::from_millis(200));
                    std::thread::sleep(pause);
                    left -= pause;
                }
                Err(TryLockError::WouldBlock) => {
                    let holder = fs::read_to_string(&path).unwrap_or_default();
                    return Err(Error::Busy {
                        path: self.root.clone(),
                        holder: holder.trim().to_owned(),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(Error::file(path, "lock")(error)),
            }
        }
        // Only for the message of a process that waits: the lock itself is the kernel's.
        let _ = file.set_len(0);
        let _ = writeln!(file, "process {}", std::process::id());
        Ok(MirrorLock { _file: file })
    }
}

/// Makes a folder below `base`. Where somebody put a link in the place of one of ours, it is not followed: what is
/// written, and removed, stays below.
pub(crate) fn make_below(base: &Path, dir: &Path) -> Result<()> {
    whole_file::make_folders(base, dir)
        .map_err(|(place, error)| Error::file(place, "create")(error))
}

/// A new file in the place of what a run that was killed may have left.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

/// Copies a file's content into a [`new_file`].
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut new_file(to)?).map(drop)
}

/// Writes a file as one: a reader sees the old text or the new one.
pub(crate) fn write_whole(path: &Path, data: &[u8]) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(Error::file(parent, "create"))?;
    whole_file::replace(path, data, Access::Umask, Durability::Synced)
        .map_err(Error::file(path, "write"))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(value).map_err(|error| Error::unfit(path, "write", error))?;
    write_whole(path, &text)
}

/// Reads a value; none if there is no such file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let data = match read_limited(path, MAX_STATE) {
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        other => other?,
    };
    let value = serde_json::from_slice(&data);
    value
        .map_err(|error| Error::Damaged {
            path: path.to_owned(),
            why: not_json(&data, &error),
            way: String::new(),
        })
        .map(Some)
}

/// Why a text is not the JSON that it should be, in plain words.
pub(crate) fn not_json(data: &[u8], error: &serde_json::Error) -> String {
    match error.classify() {
        _ if data.is_empty() => "it is empty".to_owned(),
        Category::Eof => "it is cut short".to_owned(),
        Category::Data => {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or_default();
            format!("it holds something else ({what})")
        }
        _ => format!("it is not JSON (line {})", error.line()),
    }
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let about = fs::metadata(path).map_err(Error::file(path, "read"))?;
    if about.len() > limit {
        return Err(Error::unfit(path, "read", "too large"));
    }
    fs::read(path).map_err(Error::file(path, "read"))
}

/// Removes a directory tree, if it is there.
pub(crate) fn remove_tree(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file(dir, "remove")(error))
        }
        _ => Ok(()),
    }
}

/// Names in a directory, sorted; none if it does not exist.
pub(crate) fn names_in(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::file(dir, "read"))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::file(dir, "read"))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
