//! Packages that need not be fetched because a directory has them: an ISO, a cache, another mirror
//! (`mirror.seed`).
//!
//! A file of the right name and size is copied and hashed; only if it is what the metadata name
//! does it go into the store. There it is judged like everything that was fetched.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::fetch::FetchJob;
use crate::layout::{self, Layout};
use crate::store::{HashedFile, Store};

/// Most files looked at.
const MAX_FILES: usize = 2_000_000;

/// Packages by file name and size.
#[derive(Debug, Default)]
pub(crate) struct Seeds {
    files: HashMap<(String, u64), Vec<PathBuf>>,
}

impl Seeds {
    /// Looks through directories; links are not followed.
    ///
    /// # Errors
    /// A directory cannot be read: a medium that was forgotten should be noticed.
    pub(crate) fn scan(dirs: &[PathBuf]) -> Result<Seeds> {
        let mut seeds = Seeds::default();
        let mut open: Vec<PathBuf> = dirs.to_vec();
        let mut count = 0;
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).map_err(Error::file(&dir, "read"))? {
                let entry = entry.map_err(Error::file(&dir, "read"))?;
                let about = entry
                    .metadata()
                    .map_err(Error::file(entry.path(), "look at"))?;
                count += 1;
                if count > MAX_FILES {
                    return Err(Error::unfit(dir, "read", "too many files"));
                }
                if about.is_dir() {
                    open.push(entry.path());
                } else if let Ok(name) = entry.file_name().into_string()
                    && name.ends_with(".rpm")
                    && about.is_file()
                {
                    let key = (name, about.len());
                    seeds.files.entry(key).or_default().push(entry.path());
                }
            }
        }
        Ok(seeds)
    }

    /// Copies what these jobs want and the store lacks into the store; how many files.
    pub(crate) fn fill(&self, jobs: &[FetchJob], store: &Store, layout: &Layout) -> Result<usize> {
        let mut count = 0;
        if self.files.is_empty() {
            return Ok(count);
        }
        let partial = layout.partial();
        layout.make(&partial)?;
        store.mark()?;
        for job in jobs {
            let name = job.path.rsplit('/').next().unwrap_or_default().to_owned();
            let Some(size) = job.size.filter(|_| !store.has(&job.digest, job.size)) else {
                continue;
            };
            for path in self.files.get(&(name, size)).into_iter().flatten() {
                let copy = partial.join("seed");
                let read = || HashedFile::read(&copy, job.digest.algo());
                let file = layout::copy(path, &copy).ok().and_then(|_| read().ok());
                if let Some(file) = file.filter(|file| *file.digest() == job.digest) {
                    store.adopt(&file)?;
                    count += 1;
                    break;
                }
                // Damaged, or another package of that name: upstream has the right one.
                let _ = fs::remove_file(&copy);
            }
        }
        Ok(count)
    }
}
