//! Opening a database for reading or writing.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, DEFAULT_NAME, FileControl, OpenFlags};
use rustix::fs::OFlags;
use whole_file::open_plain;

use crate::bdb::BdbFile;
use crate::convert::finish_conversion;
use crate::ndb::NdbFile;
use crate::record_file::RecordFile;
use crate::{Backend, DbError, DbLocation, schema};

/// An open rpm database.
///
/// While it is open nobody in this process may open and close `rpmdb.sqlite` by other means: closing any descriptor
/// of that file drops SQLite's locks.
#[derive(Debug)]
pub struct Db {
    pub(crate) store: DatabaseStore,
    path: PathBuf,
}

#[derive(Debug)]
pub(crate) enum DatabaseStore {
    Sqlite { conn: Connection, writable: bool },
    Records(Box<dyn RecordFile>),
    Empty,
}

impl Db {
    /// Opens for reading, as any user; makes no database. A place without one reads as an empty database, and so
    /// does one whose making was stopped: it has no tables, which the next change makes.
    ///
    /// On a read-only file system, or where this user may not make SQLite's side files, the database is read as
    /// a file that nobody changes, provided no changes wait in its log.
    ///
    /// # Errors
    /// [`DbError::Corrupt`], [`DbError::PendingLog`], [`DbError::BadFile`], or the file cannot be read.
    pub fn open_read(location: &DbLocation) -> Result<Self, DbError> {
        let path = location.file();
        let store = match location.backend {
            Backend::None => DatabaseStore::Empty,
            Backend::Bdb => DatabaseStore::Records(Box::new(BdbFile::open(&path)?)),
            Backend::Ndb => DatabaseStore::Records(Box::new(NdbFile::open(&path)?)),
            Backend::Sqlite => {
                let conn = open_for_reading(&path, location)?;
                let writable = false;
                match is_half_made(&conn, &path).map_err(DbError::sqlite(&path))? {
                    true => DatabaseStore::Empty,
                    false => DatabaseStore::Sqlite { conn, writable },
                }
            }
        };
        Ok(Self { store, path })
    }

    /// Opens for writing; makes the directory (0755) and the database (0644) when there is none, and finishes a
    /// conversion that was stopped.
    ///
    /// The caller holds the [`crate::TransactionLock`] (take it after [`create_directory`]).
    ///
    /// # Errors
    /// [`DbError::ReadOnlyFormat`] for the formats that are not written; otherwise as SQLite and the file system say.
    pub fn open_write(location: &DbLocation) -> Result<Self, DbError> {
        let path = location.file();
        if let backend @ (Backend::Bdb | Backend::Ndb) = location.backend {
            return Err(DbError::ReadOnlyFormat { path, backend });
        }
        create_directory(location)?;
        finish_conversion(location)?;
        whole_file::check_database(&path, location.is_of_others()).map_err(in_the_way)?;
        let fresh = fs::metadata(&path).map_or(true, |meta| meta.len() == 0);
        let conn = open_for_writing(&path, fresh, location.busy_timeout)?;
        let writable = true;
        Ok(Self {
            store: DatabaseStore::Sqlite { conn, writable },
            path,
        })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of headers, `gpg-pubkey` entries included.
    ///
    /// # Errors
    /// The database is damaged or busy.
    pub fn count(&self) -> Result<usize, DbError> {
        match &self.store {
            DatabaseStore::Empty => Ok(0),
            DatabaseStore::Records(file) => Ok(file.numbers().len()),
            DatabaseStore::Sqlite { conn, .. } => conn
                .query_row("SELECT count(*) FROM Packages", [], |row| {
                    row.get::<_, i64>(0)
                })
                .map(|n| usize::try_from(n).unwrap_or(0))
                .map_err(DbError::sqlite(&self.path)),
        }
    }

    /// Whether it has no header; [`Db::count`] looks at each.
    ///
    /// # Errors
    /// As [`Db::count`].
    pub fn is_empty(&self) -> Result<bool, DbError> {
        let DatabaseStore::Sqlite { conn, .. } = &self.store else {
            return Ok(self.count()? == 0);
        };
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM Packages)";
        conn.query_row(sql, [], |row| row.get(0))
            .map_err(DbError::sqlite(&self.path))
    }

    pub(crate) fn writable(&self) -> Result<&Connection, DbError> {
        match &self.store {
            DatabaseStore::Sqlite {
                conn,
                writable: true,
            } => Ok(conn),
            _ => Err(DbError::ReadOnly {
                path: self.path.clone(),
            }),
        }
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if let DatabaseStore::Sqlite {
            conn,
            writable: true,
        } = &self.store
        {
            // As rpm does at close, but without waiting for readers. What fails here is done by the next writer;
            // nothing is lost.
            let _ = conn.busy_timeout(schema::CLOSE_TIMEOUT);
            let _ = conn.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint = TRUNCATE;");
        }
    }
}

/// Bytes of SQLite's shared memory file as it is made.
const SHARED_MEMORY: usize = 32 * 1024;

/// Takes what is random out of the side files of a database that no process has open: the shared memory file keeps its
/// place, which unprivileged readers need, and becomes zeros; SQLite rebuilds its content. Does nothing while
/// changes wait in the log.
///
/// # Errors
/// The file cannot be written.
pub fn make_reproducible(location: &DbLocation) -> Result<(), DbError> {
    let path = location.file();
    let shared = beside(&path, "-shm");
    if has_pending_log(&path) || !shared.is_file() {
        return Ok(());
    }
    empty_out(&shared).map_err(DbError::io(&shared))
}

fn empty_out(shared: &Path) -> io::Result<()> {
    let mut file = open_plain(shared, OFlags::RDWR)?;
    let (zeros, mut bytes) = (vec![0; SHARED_MEMORY], Vec::new());
    let most = SHARED_MEMORY as u64 + 1;
    (&file).take(most).read_to_end(&mut bytes)?;
    if bytes == zeros {
        return Ok(());
    }
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&zeros)
}

/// Makes the database directory and all that lead to it, 0755 whatever the umask is.
///
/// # Errors
/// No permission, no space, read-only file system.
pub fn create_directory(location: &DbLocation) -> Result<(), DbError> {
    let missing: Vec<&Path> = location
        .dir
        .ancestors()
        .take_while(|dir| fs::symlink_metadata(dir).is_err())
        .collect();
    for dir in missing.into_iter().rev() {
        match fs::create_dir(dir) {
            Ok(()) => fs::set_permissions(dir, fs::Permissions::from_mode(0o755))
                .map_err(DbError::io(dir))?,
            // Another process was faster.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(DbError::io(dir)(e)),
        }
    }
    Ok(())
}

/// SQLite refuses every symbolic link in the path, so that a link put there after the search leads nowhere.
const COMMON: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX
    .union(OpenFlags::SQLITE_OPEN_NOFOLLOW)
    .union(OpenFlags::SQLITE_OPEN_URI);

fn in_the_way((path, source): (PathBuf, io::Error)) -> DbError {
    DbError::Io { path, source }
}

fn open_for_reading(path: &Path, location: &DbLocation) -> Result<Connection, DbError> {
    whole_file::check_database(path, false).map_err(in_the_way)?;
    let prepare_reading = |conn| prepare_reading(conn, location.busy_timeout);
    let flags = COMMON | OpenFlags::SQLITE_OPEN_READ_ONLY;
    let sqlite = DbError::sqlite(path);
    // Readers write as well, into the side files.
    let writes = whole_file::check_database(path, location.is_of_others()).is_ok();
    if writes {
        let error =
            match Connection::open_with_flags(uri(path, ""), flags).and_then(prepare_reading) {
                Ok(conn) => return Ok(conn),
                Err(error) => error,
            };
        use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
        if !matches!(
            error.sqlite_error_code(),
            Some(CannotOpen | ReadOnly | PermissionDenied)
        ) {
            return Err(sqlite(error));
        }
    }
    // The side files could not be made or opened. If the file itself cannot be read this fails as well.
    open_plain(path, OFlags::RDONLY).map_err(DbError::io(path))?;
    if has_pending_log(path) {
        return Err(DbError::PendingLog {
            path: path.to_path_buf(),
        });
    }
    Connection::open_with_flags(uri(path, "?immutable=1"), flags)
        .and_then(prepare_reading)
        .map_err(sqlite)
}

/// The least size of a page of SQLite, in bytes.
const LEAST_PAGE: u64 = 512;

/// Whether there is nothing in it yet. What is left of a file that was cut to less than a page was more once.
fn is_half_made(conn: &Connection, path: &Path) -> rusqlite::Result<bool> {
    let cut = fs::metadata(path).is_ok_and(|meta| (1..LEAST_PAGE).contains(&meta.len()));
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)";
    Ok(!cut && conn.query_row(sql, [], |row| row.get(0))?)
}

/// The first read finds out whether the side files can be used.
fn prepare_reading(conn: Connection, busy: Duration) -> rusqlite::Result<Connection> {
    settle(&conn, busy)?;
    conn.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    Ok(conn)
}

fn open_for_writing(path: &Path, fresh: bool, busy: Duration) -> Result<Connection, DbError> {
    let sqlite = DbError::sqlite(path);
    let flags = COMMON | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let open = || -> rusqlite::Result<Connection> {
        let conn = Connection::open_with_flags(uri(path, ""), flags)?;
        // Before anything else: without it the last writer's close removes the side files, and after that
        // unprivileged queries of real rpm fail (docs/reference/rpmdb.md, 2.2).
        conn.file_control(DEFAULT_NAME, FileControl::PersistWal(&mut 1))?;
        settle(&conn, busy)?;
        conn.execute_batch("PRAGMA secure_delete = OFF")?;
        conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        let pages = schema::CHECKPOINT_PAGES;
        conn.query_row(&format!("PRAGMA wal_autocheckpoint = {pages}"), [], |_| {
            Ok(())
        })?;
        // rpm switches this off while it creates a database. A power loss could then leave an empty main file beside
        // a log with a committed installation, which SQLite would throw away.
        conn.execute_batch("PRAGMA synchronous = FULL")?;
        let sql = schema::create_statements();
        conn.execute_batch(&format!("BEGIN IMMEDIATE;\n{sql}COMMIT;"))?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(conn)
    };
    match open().map_err(&sqlite) {
        Ok(conn) => {
            set_mode(path, fresh)?;
            Ok(conn)
        }
        Err(error) => {
            // A disk without room: rpm cannot read what is left of a database that could not be made.
            let left = fresh.then_some(["-shm", "-wal", ""]).into_iter().flatten();
            left.for_each(|suffix| drop(fs::remove_file(beside(path, suffix))));
            Err(error)
        }
    }
}

/// rpm's files are 0644 whatever the umask was when they were made.
fn set_mode(path: &Path, fresh: bool) -> Result<(), DbError> {
    if !fresh {
        return Ok(());
    }
    for suffix in ["", "-wal", "-shm"] {
        let file = beside(path, suffix);
        match fs::symlink_metadata(&file) {
            Ok(meta) if meta.mode() & 0o777 != 0o644 && meta.is_file() => {
                fs::set_permissions(&file, fs::Permissions::from_mode(0o644))
                    .map_err(DbError::io(&file))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// For readers and writers alike: wait for locks, and do not trust the schema of a foreign database.
fn settle(conn: &Connection, busy: Duration) -> rusqlite::Result<()> {
    conn.busy_timeout(busy)?;
    // As in rpm; the bundled SQLite has it on.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    Ok(())
}

pub(crate) fn has_pending_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|meta| meta.len() > 0)
}

/// A side file of SQLite's.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A path as SQLite's URI form wants it: bytes with a meaning in URIs are escaped.
fn uri(path: &Path, query: &str) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut text = b"file://".to_vec();
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'%' | b'?' | b'#') {
            text.extend(format!("%{byte:02X}").bytes());
        } else {
            text.push(byte);
        }
    }
    text.extend(query.bytes());
    PathBuf::from(std::ffi::OsString::from_vec(text))
}
