//! Where a root keeps its rpm database, and in which format (docs/reference/rpmdb.md, 2.1).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::convert::is_converting;
use crate::macro_files::MacroSet;
use crate::schema::BUSY_TIMEOUT;
use crate::{Db, DbError, MacroFile, root};

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

/// Format of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `rpmdb.sqlite`: read and written.
    Sqlite,
    /// `Packages.db`: read, and written as a whole.
    Ndb,
    /// `Packages`: read only.
    Bdb,
    /// No database yet.
    None,
}

impl Backend {
    /// The format's name with its article.
    pub const fn article(self) -> &'static str {
        match self {
            Self::Sqlite => "a SQLite",
            Self::Ndb => "an ndb",
            Self::Bdb => "a Berkeley DB",
            Self::None => "no",
        }
    }
}

/// What narrows the search for the database down.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseSearch<'a> {
    /// `--rpmdefine '_dbpath X'`: an absolute path inside the root; nothing else is looked at.
    pub dbpath: Option<&'a Path>,
    /// The machine whose macro files count when the root has none; rpm with `--root` reads those of the host.
    pub host: Option<&'a Path>,
    /// Macro files that packages are about to bring: they count as if they were in the root.
    pub incoming: &'a [MacroFile],
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
    /// How long SQLite's locks of other programs are waited for; [`BUSY_TIMEOUT`] unless set.
    pub busy_timeout: Duration,
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

    /// Whether others may have made its files: they belong to an installroot.
    pub(crate) fn is_of_others(&self) -> bool {
        self.root != Path::new("/")
    }

    /// A directory where no database is yet.
    fn none(root: &Path, dir: PathBuf) -> Self {
        Self {
            dir,
            backend: Backend::None,
            root: root.to_path_buf(),
            busy_timeout: BUSY_TIMEOUT,
        }
    }

    /// Whether it holds no header for certain; one that cannot be read may hold some.
    fn is_empty(&self) -> bool {
        let without_bytes = || fs::symlink_metadata(self.file()).is_ok_and(|meta| meta.len() == 0);
        without_bytes() || Db::open_read(self).is_ok_and(|db| db.is_empty().unwrap_or(false))
    }

    /// Device and number of the main file: a directory may be mounted at two places.
    fn identity(&self) -> Option<(u64, u64)> {
        let meta = fs::symlink_metadata(self.file()).ok()?;
        Some((meta.dev(), meta.ino()))
    }

    /// The place that a database file leads to which is a link to one of the same name: the packages of rpm of Fedora and
    /// Photon make such links in the new directory until the next start moves the files.
    fn behind_link(self) -> Result<Self, DbError> {
        let file = self.file();
        let inside = file.strip_prefix(&self.root).unwrap_or(&file);
        let real = root::resolve(&self.root, inside)?;
        match real.parent() {
            Some(dir) if real.file_name() == file.file_name() && real.exists() => Ok(Self {
                dir: dir.to_path_buf(),
                ..self
            }),
            _ => Ok(self),
        }
    }

    /// A directory taken as it is, outside any root.
    ///
    /// # Errors
    /// The directory cannot be read, or [`DbError::TwoDatabases`].
    pub fn at(dir: &Path) -> Result<Self, DbError> {
        let dir = match fs::canonicalize(dir) {
            Ok(dir) => dir,
            Err(e) if e.kind() == io::ErrorKind::NotFound => dir.to_path_buf(),
            Err(e) => return Err(DbError::io(dir)(e)),
        };
        let root = Path::new("/");
        choose(databases_in(root, &dir)?, Self::none(root, dir))
    }
}

/// Finds the database of `root`.
///
/// With the caller's `dbpath` that directory alone counts. Else the `%_dbpath` of the macro files of the root and
/// [`DIRECTORIES`] are probed, and the one database with packages is it, wherever it is. Where there is none: the
/// root's `%_dbpath`, else the first empty database, else the host's `%_dbpath`, else [`DEFAULT_DIRECTORY`].
/// Symbolic links are resolved inside the root.
///
/// # Errors
/// [`DbError::TwoDatabases`], the root does not exist, a directory cannot be read, or `dbpath` is relative.
pub fn find(root: &Path, search: DatabaseSearch<'_>) -> Result<DbLocation, DbError> {
    let root = &fs::canonicalize(root).map_err(DbError::io(root))?;
    if let Some(path) = search.dbpath {
        if !path.is_absolute() {
            return Err(DbError::RelativePath {
                path: path.to_path_buf(),
            });
        }
        let dir = root::resolve(root, path)?;
        let found = databases_in(root, &dir)?.into_iter();
        let found = found
            .map(DbLocation::behind_link)
            .collect::<Result<_, _>>()?;
        return choose(found, DbLocation::none(root, dir));
    }
    let own = MacroSet::read(root, search.incoming).dbpath();
    let mut found: Vec<DbLocation> = Vec::new();
    let known = DIRECTORIES.iter().map(Path::new);
    for path in own.as_deref().into_iter().chain(known) {
        let dir = root::resolve(root, path)?;
        for database in databases_in(root, &dir)? {
            let database = database.behind_link()?;
            let id = database.identity();
            if found.iter().all(|other| other.identity() != id) {
                found.push(database);
            }
        }
    }
    let wished = match (&own, found.first()) {
        (None, Some(first)) => first.clone(),
        _ => {
            let host = || MacroSet::read(&fs::canonicalize(search.host?).ok()?, &[]).dbpath();
            let path = own.or_else(host);
            let path = path.unwrap_or_else(|| PathBuf::from(DEFAULT_DIRECTORY));
            DbLocation::none(root, root::resolve(root, &path)?)
        }
    };
    choose(found, wished)
}

/// The one database with packages; without any, the one in the directory of `wished`, or `wished`. A database is only
/// opened where there is a choice.
fn choose(found: Vec<DbLocation>, wished: DbLocation) -> Result<DbLocation, DbError> {
    if let [only] = found.as_slice()
        && only.dir == wished.dir
    {
        return Ok(only.clone());
    }
    let (empty, full): (Vec<_>, Vec<_>) = found.into_iter().partition(DbLocation::is_empty);
    match full.as_slice() {
        [] => {
            let mut here = empty.into_iter().filter(|other| other.dir == wished.dir);
            Ok(here.next().unwrap_or(wished))
        }
        [only] => Ok(only.clone()),
        // A conversion was stopped before the old file was put away.
        [new, old]
            if new.dir == old.dir && new.backend == Backend::Sqlite && is_converting(&new.dir) =>
        {
            Ok(new.clone())
        }
        [first, second, ..] => Err(DbError::TwoDatabases {
            first: first.file(),
            second: second.file(),
        }),
    }
}

/// The databases of a directory, SQLite first, as rpm prefers it.
fn databases_in(root: &Path, dir: &Path) -> Result<Vec<DbLocation>, DbError> {
    let mut found = Vec::new();
    for backend in [Backend::Sqlite, Backend::Ndb, Backend::Bdb] {
        let mut place = DbLocation::none(root, dir.to_path_buf());
        place.backend = backend;
        let path = place.file();
        match fs::symlink_metadata(&path) {
            Ok(_) => found.push(place),
            Err(e) if is_absent(&e) => {}
            Err(e) => return Err(DbError::io(&path)(e)),
        }
    }
    Ok(found)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
