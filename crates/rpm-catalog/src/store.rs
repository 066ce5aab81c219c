//! Where cache files stand: in the cache, where they appear whole, or, where nothing can be written,
//! in memory for this run.

use super::error::CatalogError;
use rpm_solv::{CacheFile, CacheWriter, SolvError};
use rustix::fs::OFlags;
use std::fs::File;
use std::path::{Path, PathBuf};
use whole_file::{Access, Durability, WholeFile, open_plain};

/// Fills a new cache; what stood in its place, made for another key, may help.
pub(crate) type Fill<'a> =
    dyn FnMut(&mut CacheWriter, Option<CacheFile>) -> Result<(), CatalogError> + 'a;

/// Opens the cache at `path` if it was made for `key`, and makes it with `fill` otherwise.
///
/// Any damage counts as "not there". Without `path`, or where it cannot be written (an unprivileged
/// user), the cache lives in memory.
pub(crate) fn open_or_make(
    path: Option<&Path>,
    what: &str,
    key: &[u8],
    fill: &mut Fill<'_>,
) -> Result<CacheFile, CatalogError> {
    if let Some(path) = path {
        let open = |file| CacheFile::with_file(file, path).ok();
        let file = open_plain(path, OFlags::RDONLY).ok();
        let earlier = match file.and_then(open) {
            Some(cache) if cache.is_of(key) => return Ok(cache),
            earlier => earlier,
        };
        match create(path).map(|new| fill_new(new, path, key, earlier, fill)) {
            // A full disk, a directory in its place: a cache stops nothing.
            None | Some(Err(CatalogError::Solv(SolvError::Io { .. }))) => {}
            Some(made) => return made,
        }
    }
    in_memory(what, key, fill)
}

/// A new file for `path`; none where nothing can be written (an unprivileged user).
pub(crate) fn create(path: &Path) -> Option<WholeFile<'static>> {
    // The folder, and that of the repository, may be links in an image: what is written would lead out of it.
    let dir = path.parent()?;
    let of_repo = dir.parent()?;
    whole_file::make_folders(of_repo.parent()?, dir).ok()?;
    whole_file::remove_odd(path).ok()?;
    WholeFile::new(path, Access::Umask).ok()
}

fn fill_new(
    new: WholeFile<'_>,
    path: &Path,
    key: &[u8],
    earlier: Option<CacheFile>,
    fill: &mut Fill<'_>,
) -> Result<CacheFile, CatalogError> {
    let io = |source| {
        let path = path.to_owned();
        CatalogError::Solv(SolvError::Io { path, source })
    };
    let file = new.file().try_clone().map_err(io)?;
    fill_file(file, path, key, earlier, fill)?;
    new.place(Durability::Cache).map_err(io)?;
    Ok(CacheFile::open(path, key)?)
}

fn fill_file(
    file: File,
    name: &Path,
    key: &[u8],
    earlier: Option<CacheFile>,
    fill: &mut Fill<'_>,
) -> Result<(), CatalogError> {
    let mut writer = CacheWriter::with_file(file, name, key)?;
    fill(&mut writer, earlier)?;
    Ok(writer.finish()?)
}

fn in_memory(what: &str, key: &[u8], fill: &mut Fill<'_>) -> Result<CacheFile, CatalogError> {
    let failed = |source| CatalogError::NoCache {
        what: what.to_owned(),
        source,
    };
    let made = rustix::fs::memfd_create("tdnf-catalog", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|errno| failed(errno.into()))?;
    let file = File::from(made);
    let again = file.try_clone().map_err(failed)?;
    let name = PathBuf::from(format!("cache of {what} in memory"));
    fill_file(file, &name, key, None, fill)?;
    Ok(CacheFile::with_file(again, &name)?)
}
