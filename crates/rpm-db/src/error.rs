//! What can go wrong with an rpm database.

use std::io;
use std::path::{Path, PathBuf};

use rpm_pkg::header::{HeaderError, WriteError};
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_NOMEM, SQLITE_IOERR_SHMMAP};

use crate::Backend;

/// Every failure of this crate. Each names the file or directory that it is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// A directory or file could not be looked at, made or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A path below the root has more symbolic links than a sane system.
    #[error("{}: too many symbolic links", path.display())]
    Links {
        /// The path as asked for.
        path: PathBuf,
    },
    /// A link or a file stands where the files of an old database are to go.
    #[error(
        "{}: not a directory of its own; move it away, the files of the old rpm database go there",
        path.display()
    )]
    NotADirectory {
        /// What stands there.
        path: PathBuf,
    },
    /// The database path is not absolute or holds a NUL byte.
    #[error("rpm database path '{}' is not an absolute path", path.display())]
    RelativePath {
        /// The path as given.
        path: PathBuf,
    },
    /// The database is of a format that is only read.
    #[error("{} is {} rpm database, which can be read but not changed", path.display(), backend.article())]
    ReadOnlyFormat {
        /// The main file.
        path: PathBuf,
        /// Its format.
        backend: Backend,
    },
    /// The file of a format that is only read breaks that format.
    #[error("{}: not {} rpm database that can be read: {why}", path.display(), backend.article())]
    BadFile {
        /// The main file.
        path: PathBuf,
        /// Its format.
        backend: Backend,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// Two databases hold packages, and nothing says which of them is the root's.
    #[error(
        "two rpm databases with packages: {} and {}; move the one away that the rpm of this root does not use",
        first.display(), second.display()
    )]
    TwoDatabases {
        /// Main file of the one.
        first: PathBuf,
        /// Main file of the other.
        second: PathBuf,
    },
    /// What was written to a new database is not what the old one has.
    #[error("{}: the copy of the rpm database is not the same; nothing was changed", path.display())]
    NotTheSame {
        /// The main file of the old database.
        path: PathBuf,
    },
    /// There is no database.
    #[error("{}: no rpm database here", path.display())]
    Missing {
        /// The database directory.
        path: PathBuf,
    },
    /// The file is no SQLite database or its pages are damaged.
    #[error("{}: the rpm database is damaged ({source})", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Others kept the database busy for longer than [`crate::DbLocation::busy_timeout`].
    #[error("{}: the rpm database is in use by another program", path.display())]
    Busy {
        /// The database file.
        path: PathBuf,
    },
    /// No more room for the database.
    #[error("{}: no space left for the rpm database", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
    },
    /// The database was opened for reading, or its files may not be written.
    #[error("{}: the rpm database is read-only", path.display())]
    ReadOnly {
        /// The database file.
        path: PathBuf,
    },
    /// Recent changes stand in the write-ahead log, and this user may not read them.
    #[error(
        "{}: changes are pending in the write-ahead log; run a query once as the owner",
        path.display()
    )]
    PendingLog {
        /// The database file.
        path: PathBuf,
    },
    /// SQLite could not get memory.
    #[error("{}: no memory for the rpm database", path.display())]
    Memory {
        /// The database file.
        path: PathBuf,
    },
    /// Any other failure of SQLite.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A stored header breaks rpm's rules.
    #[error("{}: header {hnum} is damaged: {source}", path.display())]
    BadRecord {
        /// The database file.
        path: PathBuf,
        /// The header's number.
        hnum: u32,
        /// Which rule it breaks.
        source: HeaderError,
    },
    /// A header to be stored breaks rpm's rules.
    #[error("{what} is not a valid header: {source}")]
    BadHeader {
        /// Package or thing.
        what: String,
        /// Which rule it breaks.
        source: HeaderError,
    },
    /// A header to be stored, or a stored one, lacks name, version or release.
    #[error("{}: header {hnum} has no name, version or release", path.display())]
    Nameless {
        /// The database file.
        path: PathBuf,
        /// The header's number, 0 for one that is not stored yet.
        hnum: u32,
    },
    /// The package's headers contradict each other or the facts of its installation.
    #[error("{package}: tag {tag} {why}")]
    BadPackage {
        /// Name of the package.
        package: String,
        /// The tag.
        tag: u32,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A key's ids are not hex digits of the right length.
    #[error("key '{key}' has an id that is not hex of its length")]
    BadKey {
        /// The fingerprint as given.
        key: String,
    },
    /// A header cannot be put together.
    #[error("{what}: {source}")]
    Unwritable {
        /// Package or key.
        what: String,
        /// Why not.
        source: WriteError,
    },
    /// No header has this number.
    #[error("{}: no header has the number {hnum}", path.display())]
    NoRecord {
        /// The database file.
        path: PathBuf,
        /// The number asked for.
        hnum: u32,
    },
    /// A change is under way already.
    #[error("{}: a transaction of this program is open already", path.display())]
    Nested {
        /// The database file.
        path: PathBuf,
    },
    /// Another process holds the transaction lock.
    #[error("{} is locked by {}", path.display(), holder(*pid))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Its holder; none when the holder lives in another pid namespace or on another host.
        pid: Option<u32>,
    },
}

impl DbError {
    /// For `map_err` on calls of the file system.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }

    /// For `map_err` on calls of SQLite: sorts the failure by what the user can do about it.
    pub(crate) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self + '_ {
        move |source| {
            let path = path.to_path_buf();
            if is_out_of_memory(&source) {
                return Self::Memory { path };
            }
            match source.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                    Self::Corrupt { path, source }
                }
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
                Some(ErrorCode::DiskFull) => Self::Full { path },
                Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
                _ => Self::Sqlite { path, source },
            }
        }
    }
}

/// Whether SQLite could not get memory: for its work, or to map the index of the write-ahead log.
#[must_use]
pub fn is_out_of_memory(error: &rusqlite::Error) -> bool {
    let known = error.sqlite_error();
    known.is_some_and(|known| {
        known.code == ErrorCode::OutOfMemory
            || [SQLITE_IOERR_NOMEM, SQLITE_IOERR_SHMMAP].contains(&known.extended_code)
    })
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}
