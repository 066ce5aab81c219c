//! Which package files a tree holds.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use whole_file::Stamp;

use crate::error::{Error, PackageFault, Result};
use crate::modules;
use crate::stage::{NEW_DIR, WORK_DIR};

/// Deepest nesting of directories.
const MAX_DEPTH: usize = 64;

/// A package file of the tree.
#[derive(Debug, Clone)]
pub struct PackageFile {
    /// Path below the scanned directory.
    pub location: String,
    /// When it was seen.
    pub stamp: Stamp,
}

impl PackageFile {
    /// The last component.
    pub fn file_name(&self) -> &str {
        self.location.rsplit('/').next().unwrap_or(&self.location)
    }
}

/// Which files count.
#[derive(Debug, Clone, Default)]
pub struct FileChoice {
    /// Patterns on the path below the directory, of a tree also on the file name alone; `*` and `?` match slashes too.
    pub excludes: Vec<String>,
    /// Exactly these paths instead of all `*.rpm`.
    pub list: Option<Vec<String>>,
    /// Whether symbolic links are skipped.
    pub skip_symlinks: bool,
}

/// What a scan gives.
#[derive(Debug, Default)]
pub struct Scan {
    /// Usable files, by file name, then by path.
    pub found: Vec<PackageFile>,
    /// Files of module metadata, by path.
    pub modules: Vec<PathBuf>,
    /// Files that are such by their names but for a suffix that says nothing, by path.
    pub unknown: Vec<PathBuf>,
    /// Files that cannot be indexed whatever they hold.
    pub bad: Vec<(PathBuf, PackageFault)>,
}

/// Looks for package files below `dir`.
///
/// # Errors
/// A directory cannot be read; directories are nested deeper than 64 levels.
pub fn scan(dir: &Path, choice: &FileChoice) -> Result<Scan> {
    let mut scan = Scan::default();
    match &choice.list {
        Some(list) => {
            let mut seen = HashSet::new();
            for name in list {
                let name = rpm_repo::layout::tidied(name);
                if choice.is_excluded(&name) || !seen.insert(name.clone()) {
                    continue;
                }
                match modules::is_named_so(&name) {
                    true => scan.modules.push(dir.join(&*name)),
                    false => scan.add(dir, &name),
                }
            }
        }
        None => scan.walk(dir, "", choice, &mut Vec::new())?,
    }
    scan.modules.sort_unstable();
    scan.unknown.sort_unstable();
    scan.found.sort_unstable_by(|a, b| {
        (a.file_name(), a.location.as_str()).cmp(&(b.file_name(), b.location.as_str()))
    });
    Ok(scan)
}

impl FileChoice {
    fn is_excluded(&self, location: &str) -> bool {
        let mut patterns = self.excludes.iter();
        patterns.any(|pattern| matches(pattern.as_bytes(), location.as_bytes()))
    }

    /// Of a file that was found: its name counts alone, too. Of a list only the paths count, as with createrepo_c.
    fn is_excluded_here(&self, location: &str, name: &str) -> bool {
        self.is_excluded(location) || self.is_excluded(name)
    }
}

impl Scan {
    fn add(&mut self, dir: &Path, location: &str) {
        let path = dir.join(location);
        if let Some(why) = rpm_repo::layout::fault(location) {
            return self.bad.push((path, PackageFault::Location(why)));
        }
        match fs::metadata(&path) {
            Ok(meta) if meta.is_file() => self.found.push(PackageFile {
                location: location.to_owned(),
                stamp: Stamp::of(&meta),
            }),
            Ok(_) => {}
            Err(error) => self.bad.push((path, error.into())),
        }
    }

    /// `above` holds the directories on the way here, against circles of links.
    fn walk(
        &mut self,
        dir: &Path,
        below: &str,
        choice: &FileChoice,
        above: &mut Vec<(u64, u64)>,
    ) -> Result<()> {
        let here = dir.join(below);
        let meta = fs::metadata(&here).map_err(Error::file(&here, "read"))?;
        let id = (meta.dev(), meta.ino());
        if above.contains(&id) {
            return Ok(());
        }
        if above.len() >= MAX_DEPTH {
            return Err(Error::Usage(format!(
                "{}: directories are nested deeper than {MAX_DEPTH} levels",
                here.display()
            )));
        }
        above.push(id);
        for entry in fs::read_dir(&here).map_err(Error::file(&here, "read"))? {
            let entry = entry.map_err(Error::file(&here, "read"))?;
            let kind = entry.file_type().map_err(Error::file(&here, "read"))?;
            let name = entry.file_name();
            let is_package = name.as_encoded_bytes().ends_with(b".rpm");
            let Some(name) = name.to_str() else {
                if is_package {
                    let fault = PackageFault::Location("it is not UTF-8");
                    self.bad.push((entry.path(), fault));
                }
                continue;
            };
            let location = if below.is_empty() {
                name.to_owned()
            } else {
                format!("{below}/{name}")
            };
            if kind.is_symlink() && choice.skip_symlinks {
                continue;
            }
            let is_dir = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
            if is_dir && name != WORK_DIR && name != NEW_DIR {
                self.walk(dir, &location, choice, above)?;
            } else if !is_dir && is_package && !choice.is_excluded_here(&location, name) {
                self.add(dir, &location);
            } else if !is_dir
                && modules::is_named_so(name)
                && !choice.is_excluded_here(&location, name)
            {
                self.modules.push(entry.path());
            } else if !is_dir
                && modules::is_packed_otherwise(name)
                && !choice.is_excluded_here(&location, name)
            {
                self.unknown.push(entry.path());
            }
        }
        above.pop();
        Ok(())
    }
}

/// Whether `text` is what `pattern` describes: `*` any bytes, `?` any one character.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                t += 1;
                // The rest of a UTF-8 character.
                while text.get(t).is_some_and(|b| b & 0xc0 == 0x80) {
                    t += 1;
                }
            }
            Some(c) if text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|c| *c == b'*')
}
