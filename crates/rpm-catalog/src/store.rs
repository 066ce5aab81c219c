//! Where cache files stand: made under a temporary name and moved into place, or, where nothing can
//! be written, in memory for this run.

use super::error::CatalogError;
use rpm_solv::{CacheFile, CacheWriter, SolvError};
use rustix::fs::FlockOperation;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Opens the cache at `path` if it was made for `key`, and makes it with `fill` otherwise.
///
/// Any damage counts as "not there". Without `path`, or where it cannot be written (an unprivileged
/// user), the cache lives in memory.
pub(crate) fn open_or_make(
    path: Option<&Path>,
    what: &str,
    key: &[u8],
    fill: &mut dyn FnMut(&mut CacheWriter) -> Result<(), CatalogError>,
) -> Result<CacheFile, CatalogError> {
    if let Some(path) = path {
        if let Ok(cache) = CacheFile::open(path, key) {
            return Ok(cache);
        }
        if let Some((temporary, file)) = create_beside(path) {
            let made = fill_file(file, &temporary, key, fill);
            let moved = made.and_then(|()| {
                std::fs::rename(&temporary, path).map_err(|source| {
                    CatalogError::Solv(SolvError::Io {
                        path: path.to_owned(),
                        source,
                    })
                })
            });
            if let Err(error) = moved {
                let _ = std::fs::remove_file(&temporary);
                return Err(error);
            }
            return Ok(CacheFile::open(path, key)?);
        }
    }
    in_memory(what, key, fill)
}

/// The temporary file beside `path`, empty. It has one name, so that what a killed run left of it is used again; while
/// another run writes it there is none for us.
pub(crate) fn create_beside(path: &Path) -> Option<(PathBuf, File)> {
    let dir = path.parent()?;
    std::fs::create_dir_all(dir).ok()?;
    let mut name = path.file_name()?.to_owned();
    name.push(".tmp");
    let temporary = dir.join(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = options.open(&temporary).ok()?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    // Whoever held the lock may have moved it to its place meanwhile.
    let (ours, named) = (file.metadata().ok()?, std::fs::metadata(&temporary).ok()?);
    ((ours.dev(), ours.ino()) == (named.dev(), named.ino())).then_some(())?;
    file.set_len(0).ok()?;
    Some((temporary, file))
}

fn fill_file(
    file: File,
    name: &Path,
    key: &[u8],
    fill: &mut dyn FnMut(&mut CacheWriter) -> Result<(), CatalogError>,
) -> Result<(), CatalogError> {
    let mut writer = CacheWriter::with_file(file, name, key)?;
    fill(&mut writer)?;
    Ok(writer.finish()?)
}

fn in_memory(
    what: &str,
    key: &[u8],
    fill: &mut dyn FnMut(&mut CacheWriter) -> Result<(), CatalogError>,
) -> Result<CacheFile, CatalogError> {
    let failed = |source| CatalogError::NoCache {
        what: what.to_owned(),
        source,
    };
    let made = rustix::fs::memfd_create("tdnf-catalog", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|errno| failed(errno.into()))?;
    let file = File::from(made);
    let again = file.try_clone().map_err(failed)?;
    let name = PathBuf::from(format!("cache of {what} in memory"));
    fill_file(file, &name, key, fill)?;
    Ok(CacheFile::with_file(again, &name, key)?)
}
