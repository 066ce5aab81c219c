//! Values from files that are replaced while the server runs: certificates are renewed, tokens come and go.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use whole_file::Stamp;

use crate::error::Result;

/// How the files were: none that are not there.
type Stamps = Vec<Option<Stamp>>;

/// A value, and the files that it was read from.
pub(super) struct Watched<T> {
    files: Vec<PathBuf>,
    read: Box<dyn Fn() -> Result<T> + Send + Sync>,
    value: RwLock<Arc<T>>,
    seen: Mutex<Seen>,
}

struct Seen {
    /// When the value was read, or was found to be bad.
    read: Stamps,
    /// At the last look.
    last: Stamps,
}

impl<T> Watched<T> {
    /// Reads it for the first time.
    pub(super) fn new(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        let stamps = stamps(&files);
        Ok(Self {
            value: RwLock::new(Arc::new(read()?)),
            files,
            read: Box::new(read),
            seen: Mutex::new(Seen {
                read: stamps.clone(),
                last: stamps,
            }),
        })
    }

    /// Its first file, for people.
    pub(super) fn name(&self) -> String {
        let first = self.files.first();
        first.map_or_else(String::new, |path| path.display().to_string())
    }

    pub(super) fn get(&self) -> Arc<T> {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&value)
    }

    /// Reads it again if its files have changed and are as they were at the last look (a certificate comes before its
    /// key), or if somebody `asked`. None: nothing was read. A value that cannot be read leaves the old one.
    pub(super) fn look(&self, asked: bool) -> Option<Result<()>> {
        let now = stamps(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let rests = seen.last == now;
        seen.last.clone_from(&now);
        if !asked && (seen.read == now || !rests) {
            return None;
        }
        seen.read = now;
        Some((self.read)().map(|value| {
            *self.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
        }))
    }
}

fn stamps(files: &[PathBuf]) -> Stamps {
    let stamp = |path: &PathBuf| path.metadata().ok().as_ref().map(Stamp::of);
    files.iter().map(stamp).collect()
}
