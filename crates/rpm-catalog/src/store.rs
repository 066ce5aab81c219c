//! Where cache files stand: in the cache, where they appear whole, or, where nothing can be written,
//! in memory for this run.

use super::error::CatalogError;
use rpm_solv::{CacheFile, CacheWriter, SolvError};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use whole_file::{Access, Durability, WholeFile, open_own};

/// Fills a new cache; what stood in its place, made for another key, may help.
pub(crate) type Fill<'a> =
    dyn FnMut(&mut CacheWriter, Option<CacheFile>) -> Result<(), CatalogError> + 'a;

/// Where a cache file may be kept. What is in it is believed, so it is used only where nobody else can have written it
/// ([`whole_file::open_own`]): its key and its checksums are no secrets.
pub(crate) struct Place {
    /// The topmost folder that is ours.
    top: PathBuf,
    /// The file below it.
    name: PathBuf,
}

impl Place {
    pub(crate) fn new(top: &Path, name: impl Into<PathBuf>) -> Self {
        Self {
            top: top.to_owned(),
            name: name.into(),
        }
    }

    pub(crate) fn open(&self) -> io::Result<File> {
        open_own(&self.top, &self.name)
    }

    fn path(&self) -> PathBuf {
        self.top.join(&self.name)
    }

    /// A new file; none where nothing can be written (an unprivileged user), or others could exchange it.
    pub(crate) fn create(&self) -> Option<WholeFile<'static>> {
        let path = self.path();
        // The folder, and that of the repository, may be links in an image: what is written would lead out of it.
        let dir = path.parent()?;
        whole_file::make_folders(dir.parent()?.parent()?, dir).ok()?;
        whole_file::own_folder(&self.top, self.name.parent()?).ok()?;
        whole_file::remove_odd(&path).ok()?;
        WholeFile::new(&path, Access::Umask).ok()
    }
}

/// Opens the cache at `place` if it was made for `key`, and makes it with `fill` otherwise.
///
/// Any damage counts as "not there". Without a place, or where it cannot be written (an unprivileged
/// user) or others may write it, the cache lives in memory.
pub(crate) fn open_or_make(
    place: Option<&Place>,
    what: &str,
    key: &[u8],
    fill: &mut Fill<'_>,
) -> Result<CacheFile, CatalogError> {
    if let Some(place) = place {
        let open = |file| CacheFile::with_file(file, &place.path()).ok();
        let earlier = match place.open().ok().and_then(open) {
            Some(cache) if cache.is_of(key) => return Ok(cache),
            earlier => earlier,
        };
        let made = place.create();
        match made.map(|new| fill_new(new, place, key, earlier, fill)) {
            // A full disk, a directory in its place: a cache stops nothing.
            None | Some(Err(CatalogError::Solv(SolvError::Io { .. }))) => {}
            Some(made) => return made,
        }
    }
    in_memory(what, key, fill)
}

fn fill_new(
    new: WholeFile<'_>,
    place: &Place,
    key: &[u8],
    earlier: Option<CacheFile>,
    fill: &mut Fill<'_>,
) -> Result<CacheFile, CatalogError> {
    let path = place.path();
    let io = |source| {
        let path = path.clone();
        CatalogError::Solv(SolvError::Io { path, source })
    };
    let file = new.file().try_clone().map_err(io)?;
    fill_file(file, &path, key, earlier, fill)?;
    new.place(Durability::Cache).map_err(io)?;
    let file = place.open().map_err(io)?;
    Ok(CacheFile::with_file(file, &path)?)
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
