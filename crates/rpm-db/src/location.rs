//! Where a root keeps its rpm database, and in which format (docs/reference/rpmdb.md, 2.1).

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::{DbError, root};

/// Directories that distributions use, in the order in which they are probed.
pub const DIRECTORIES: [&str; 3] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm"];
/// Where a database is created when nothing says otherwise: upstream's `%_dbpath`.
pub const DEFAULT_DIRECTORY: &str = "/var/lib/rpm";
/// The SQLite database in the database directory.
pub const SQLITE_FILE: &str = "rpmdb.sqlite";
/// The ndb database (SUSE).
pub const NDB_FILE: &str = "Packages.db";
/// The Berkeley DB database (rpm up to 4.15).
pub const BDB_FILE: &str = "Packages";

/// Bytes read of one macro file; rpm's own main file has 40 KiB.
const MAX_MACRO_FILE: u64 = 1 << 20;
/// Macro files whose `%_dbpath` is looked at; a later file wins.
const MACRO_FILES: [&str; 3] = [
    "/usr/lib/rpm/macros",
    "/etc/rpm/macros.*",
    "/etc/rpm/macros",
];
/// Macro folders between the first and the second of [`MACRO_FILES`].
const MACRO_FOLDER: &str = "/usr/lib/rpm/macros.d";

/// Format of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `rpmdb.sqlite`: read and written.
    Sqlite,
    /// `Packages.db`: read only.
    Ndb,
    /// `Packages`: refused.
    Bdb,
    /// No database yet.
    None,
}

/// What narrows the search for the database down.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseSearch<'a> {
    /// `--rpmdefine '_dbpath X'`: an absolute path inside the root; nothing else is looked at.
    pub dbpath: Option<&'a Path>,
    /// The machine whose macro files count when the root has none; rpm with `--root` reads those of the host.
    pub host: Option<&'a Path>,
}

/// A database directory and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbLocation {
    /// The directory, free of symbolic links; it may not exist yet.
    pub dir: PathBuf,
    /// The format found there.
    pub backend: Backend,
    /// The root that the directory belongs to, canonical.
    pub root: PathBuf,
}

impl DbLocation {
    /// The main file of the database: the one that exists, or the one that would be created.
    pub fn file(&self) -> PathBuf {
        self.dir.join(match self.backend {
            Backend::Sqlite | Backend::None => SQLITE_FILE,
            Backend::Ndb => NDB_FILE,
            Backend::Bdb => BDB_FILE,
        })
    }

    /// A directory taken as it is, outside any root.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn at(dir: &Path) -> Result<Self, DbError> {
        let dir = match fs::canonicalize(dir) {
            Ok(dir) => dir,
            Err(e) if e.kind() == io::ErrorKind::NotFound => dir.to_path_buf(),
            Err(e) => return Err(DbError::io(dir)(e)),
        };
        Ok(Self {
            backend: backend_in(&dir)?,
            root: PathBuf::from("/"),
            dir,
        })
    }
}

/// Finds the database of `root`.
///
/// Order: the caller's `dbpath`; the literal `%_dbpath` of the root's macro files if a database is there; the first
/// of [`DIRECTORIES`] that holds one. When there is none: the root's `%_dbpath`, else the host's, else
/// [`DEFAULT_DIRECTORY`]. Symbolic links are resolved inside the root.
///
/// # Errors
/// The root does not exist, a directory cannot be read, or `dbpath` is relative.
pub fn find(root: &Path, search: DatabaseSearch<'_>) -> Result<DbLocation, DbError> {
    let root = fs::canonicalize(root).map_err(DbError::io(root))?;
    if let Some(path) = search.dbpath {
        if !path.is_absolute() {
            return Err(DbError::RelativePath {
                path: path.to_path_buf(),
            });
        }
        return look(&root, path);
    }
    let own = macro_dbpath(&root);
    let probed = own
        .iter()
        .map(PathBuf::as_path)
        .chain(DIRECTORIES.iter().map(Path::new));
    for path in probed {
        let found = look(&root, path)?;
        if found.backend != Backend::None {
            return Ok(found);
        }
    }
    let wished = own
        .or_else(|| search.host.and_then(macro_dbpath))
        .unwrap_or_else(|| PathBuf::from(DEFAULT_DIRECTORY));
    look(&root, &wished)
}

fn look(root: &Path, path: &Path) -> Result<DbLocation, DbError> {
    let dir = root::resolve(root, path)?;
    Ok(DbLocation {
        backend: backend_in(&dir)?,
        root: root.to_path_buf(),
        dir,
    })
}

/// SQLite goes first: rpm ignores an older database beside it.
fn backend_in(dir: &Path) -> Result<Backend, DbError> {
    for (file, backend) in [
        (SQLITE_FILE, Backend::Sqlite),
        (NDB_FILE, Backend::Ndb),
        (BDB_FILE, Backend::Bdb),
    ] {
        let path = dir.join(file);
        match fs::symlink_metadata(&path) {
            Ok(_) => return Ok(backend),
            Err(e) if is_absent(&e) => {}
            Err(e) => return Err(DbError::io(&path)(e)),
        }
    }
    Ok(Backend::None)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// `%_dbpath` as the macro files of a root set it; none when it is computed in a way that only rpm can follow.
fn macro_dbpath(root: &Path) -> Option<PathBuf> {
    literal(&configured_macro(root, "_dbpath")?)
}

/// The text of a macro as the macro files of a root set it, the last one that does; not expanded.
pub fn configured_macro(root: &Path, name: &str) -> Option<String> {
    let root = fs::canonicalize(root).ok()?;
    let files = macro_files(&root);
    files.iter().rev().find_map(|path| macro_of(path, name))
}

fn macro_files(root: &Path) -> Vec<PathBuf> {
    let [main, vendor, local] = MACRO_FILES.map(|f| root::resolve(root, Path::new(f)).ok());
    let mut files: Vec<PathBuf> = main.into_iter().collect();
    let mut folder = |path: Option<PathBuf>| {
        let Some(path) = path else { return };
        let mut names: Vec<PathBuf> = fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|e| e.file_name().as_encoded_bytes().starts_with(b"macros."))
            .map(|e| e.path())
            .collect();
        names.sort();
        files.extend(names);
    };
    folder(root::resolve(root, Path::new(MACRO_FOLDER)).ok());
    folder(vendor.and_then(|v| v.parent().map(Path::to_path_buf)));
    files.extend(local);
    files
}

/// The last `%NAME VALUE` of a macro file, not expanded. Symbolic links and special files are not read: they may
/// point anywhere.
pub fn macro_of(path: &Path, name: &str) -> Option<String> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(MAX_MACRO_FILE).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix('%')?.strip_prefix(name))
        .filter(|rest| rest.starts_with([' ', '\t']))
        .map(|rest| rest.trim().to_owned())
        .next_back()
}

/// The value with the two directories that every distribution leaves alone put in; none if more than these is needed.
fn literal(value: &str) -> Option<PathBuf> {
    let mut text = value.to_owned();
    for (name, place) in [
        ("_var", "/var"),
        ("_localstatedir", "/var"),
        ("_usr", "/usr"),
        ("_prefix", "/usr"),
    ] {
        text = text.replace(&format!("%{{{name}}}"), place);
    }
    (text.starts_with('/') && !text.contains('%')).then(|| PathBuf::from(text))
}
