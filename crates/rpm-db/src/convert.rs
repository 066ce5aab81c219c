//! A database that becomes another: SQLite in place of a format that is not changed in place, ndb again where the rpm of
//! the root wants that, or the same in another directory (docs/differences.md).

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::location::{BDB_FILE, NDB_FILE, SQLITE_FILE};
use crate::macro_files::MacroSet;
use crate::open::has_pending_log;
use crate::{Backend, Db, DbError, DbLocation, IndexTable, create_directory, ndb, root};

/// The directory, inside that of the database, that gets the old files.
const KEPT: &str = "before-sqlite";
/// The directory, inside that of the database, where the new file is written.
const STAGE: &str = ".sqlite-conversion";
/// SQLite's files: unprivileged queries of rpm need the last two, so the main one comes last.
const NEW_FILES: [&str; 3] = ["-wal", "-shm", ""];
/// The index beside [`NDB_FILE`].
const NDB_INDEX: &str = "Index.db";
/// Index files of rpm's past beside those that have the name of a table of today.
const OLD_TABLES: [&str; 7] = [
    "Depends",
    "Filedigests",
    "Filemd5s",
    "Packages.lock",
    "Provideversion",
    "Pubkeys",
    "Requireversion",
];

/// Whether the macro files of the root say that its rpm keeps ndb databases.
pub fn wants_ndb(location: &DbLocation) -> bool {
    MacroSet::read(&location.root, &[]).raw("_db_backend") == Some("ndb")
}

/// Where [`convert`] puts the old files.
pub fn kept_directory(location: &DbLocation) -> PathBuf {
    location.dir.join(KEPT)
}

/// Writes the headers of a Berkeley DB or ndb database to SQLite, each under its number, and moves the old files to
/// [`kept_directory`]. The caller holds the [`crate::TransactionLock`]. Before the new file takes its place it was read
/// back. A run that is stopped leaves the old database, or the new one: where both are there still, it is the new one
/// for [`crate::location::find`], and [`finish_conversion`] puts the old files away.
///
/// # Errors
/// [`DbError::Missing`] where there is no such database; a header that cannot be used ([`DbError::BadRecord`],
/// [`DbError::Nameless`]); old files kept by an earlier run; the disk is full.
pub fn convert(location: &DbLocation) -> Result<(), DbError> {
    let kept = kept_directory(location);
    match fs::create_dir(&kept) {
        // Left by a run that was stopped.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && fs::remove_dir(&kept).is_ok() => {
            fs::create_dir(&kept)
        }
        made => made,
    }
    .map_err(DbError::io(&kept))?;
    let converted = to_sqlite(location).and_then(|()| put_away(&location.dir, &kept));
    if converted.is_err() {
        // With old files in it, it stays.
        let _ = fs::remove_dir(&kept);
    }
    converted
}

/// As [`convert`], and keeps no old files: for the time of a change, before [`back_to_ndb`].
///
/// # Errors
/// As [`convert`].
pub fn convert_for_change(location: &DbLocation) -> Result<(), DbError> {
    to_sqlite(location)?;
    put_away(&location.dir, &location.dir.join(STAGE))
}

/// Puts a SQLite database in the place of one that can be read.
fn to_sqlite(location: &DbLocation) -> Result<(), DbError> {
    let dir = &location.dir;
    if !matches!(location.backend, Backend::Bdb | Backend::Ndb) {
        return Err(DbError::Missing { path: dir.clone() });
    }
    let stage = staged(dir, |stage| {
        copy(location, stage)?;
        is_the_same(location, stage, Backend::Sqlite)
    })?;
    // A SQLite database that stands there has no header, or this would not be the database.
    replace(&stage, dir)
}

/// Writes the headers of a SQLite database to ndb, each under its number, and removes the SQLite files. The caller holds
/// the [`crate::TransactionLock`]. Before the new file takes its place it was read back. A run that is stopped leaves
/// the old database or the new one, as [`convert`] does.
///
/// # Errors
/// [`DbError::Missing`] where there is no SQLite database, [`DbError::PendingLog`]; the database is damaged, or too large
/// for ndb; the disk is full.
pub fn back_to_ndb(location: &DbLocation) -> Result<(), DbError> {
    let dir = &location.dir;
    let path = location.file();
    match location.backend {
        Backend::Sqlite if !has_pending_log(&path) => {}
        Backend::Sqlite => return Err(DbError::PendingLog { path }),
        _ => return Err(DbError::Missing { path: dir.clone() }),
    }
    let stage = staged(dir, |stage| {
        ndb::write(&stage.join(NDB_FILE), &Db::open_read(location)?)?;
        is_the_same(location, stage, Backend::Ndb)
    })?;
    // rpm makes it anew; that of an earlier database names other packages.
    remove_file(&dir.join(NDB_INDEX))?;
    rename(&stage.join(NDB_FILE), &dir.join(NDB_FILE))?;
    sync(&[dir])?;
    remove_sqlite(dir)?;
    sync(&[dir])?;
    remove_all(&stage)
}

/// The stage, with what `make` made in it; where that fails, nothing is left of it.
fn staged(dir: &Path, make: impl FnOnce(&Path) -> Result<(), DbError>) -> Result<PathBuf, DbError> {
    let stage = dir.join(STAGE);
    remove_all(&stage)?;
    let made = fs::create_dir(&stage).map_err(DbError::io(&stage));
    let made = made.and_then(|()| make(&stage));
    if made.is_err() {
        // The first failure is the one to tell.
        let _ = remove_all(&stage);
    }
    made.map(|()| stage)
}

/// Puts away the old files of a conversion that was stopped when the new database was in its place; says whether there
/// was one. The caller holds the [`crate::TransactionLock`].
///
/// # Errors
/// [`DbError::NotADirectory`] where something else stands in the place of [`kept_directory`]; a file cannot be moved.
pub fn finish_conversion(location: &DbLocation) -> Result<bool, DbError> {
    let stopped = location.backend == Backend::Sqlite && is_converting(&location.dir);
    if stopped {
        let kept = kept_directory(location);
        match fs::create_dir(&kept) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(DbError::io(&kept)(e));
            }
            _ => put_away(&location.dir, &kept)?,
        }
    }
    Ok(stopped)
}

/// Whether a conversion is under way in this directory, or was stopped there.
pub(crate) fn is_converting(dir: &Path) -> bool {
    fs::symlink_metadata(dir.join(STAGE)).is_ok_and(|meta| meta.is_dir())
}

/// The old files go, the stage last: as long as it is there SQLite is preferred.
fn put_away(dir: &Path, kept: &Path) -> Result<(), DbError> {
    // A link must not send the files of a root elsewhere.
    let (from, to) = (open_directory(dir)?, open_directory(kept)?);
    // A power loss must not undo the step before the next one.
    sync(&[dir])?;
    for name in old_files(dir)? {
        match rustix::fs::renameat(&from, &name, &to, &name) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(DbError::io(&dir.join(&name))(e.into())),
        }
    }
    sync(&[kept, dir])?;
    remove_all(&dir.join(STAGE))
}

/// Moves a database to where the rpm of its root looks, and says where that is; none where it finds it already (there, or
/// by links that the scriptlets of its package made), where nobody can say, or while changes wait in the log. The caller holds the [`crate::TransactionLock`], and nobody in this
/// process has the database open.
///
/// # Errors
/// A file cannot be moved, or not be copied to another file system.
pub fn follow_rpm(location: &DbLocation) -> Result<Option<PathBuf>, DbError> {
    let old = &location.dir;
    let Some(path) = MacroSet::read(&location.root, &[]).dbpath() else {
        return Ok(None);
    };
    let dir = root::resolve(&location.root, &path)?;
    if location.backend != Backend::Sqlite || has_pending_log(&location.file()) {
        return Ok(None);
    }
    let place = DbLocation {
        dir: dir.clone(),
        ..location.clone()
    };
    create_directory(&place)?;
    let identity = |dir: &Path| {
        let meta = fs::metadata(dir).map_err(DbError::io(dir))?;
        Ok((meta.dev(), meta.ino()))
    };
    // The same directory may be mounted twice.
    if identity(old)? == identity(&dir)?
        || root::resolve(&location.root, &path.join(SQLITE_FILE))? == location.file()
    {
        return Ok(None);
    }
    match replace(old, &dir) {
        // /var and /usr are often two file systems.
        Err(DbError::Io { source, .. }) if source.kind() == io::ErrorKind::CrossesDevices => {
            move_over(location, &dir)?;
        }
        moved => moved?,
    }
    sync(&[old, &dir])?;
    Ok(Some(dir))
}

/// Writes a database anew on another file system, and removes it here. A run that is stopped between the two leaves both,
/// which [`crate::location::find`] names.
fn move_over(location: &DbLocation, dir: &Path) -> Result<(), DbError> {
    let stage = staged(dir, |stage| {
        copy(location, stage)?;
        is_the_same(location, stage, Backend::Sqlite)
    })?;
    replace(&stage, dir)?;
    remove_all(&stage)?;
    sync(&[dir])?;
    remove_sqlite(&location.dir)
}

/// Removes the files of a SQLite database, the main one first.
fn remove_sqlite(dir: &Path) -> Result<(), DbError> {
    let mut suffixes = NEW_FILES.iter().rev();
    suffixes.try_for_each(|suffix| remove_file(&beside(dir, suffix)))
}

/// Moves the files of a SQLite database, for which an empty one makes room.
fn replace(from: &Path, to: &Path) -> Result<(), DbError> {
    remove_sqlite(to)?;
    for suffix in NEW_FILES {
        rename(&beside(from, suffix), &beside(to, suffix))?;
    }
    Ok(())
}

/// Opens a directory that is no link.
fn open_directory(path: &Path) -> Result<OwnedFd, DbError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|e| match e {
        Errno::NOTDIR | Errno::LOOP => DbError::NotADirectory {
            path: path.to_path_buf(),
        },
        e => DbError::io(path)(e.into()),
    })
}

fn sync(dirs: &[&Path]) -> Result<(), DbError> {
    for dir in dirs {
        let handle = fs::File::open(dir).map_err(DbError::io(dir))?;
        handle.sync_all().map_err(DbError::io(dir))?;
    }
    Ok(())
}

/// Writes a SQLite database to `stage`.
fn copy(location: &DbLocation, stage: &Path) -> Result<(), DbError> {
    let old = Db::open_read(location)?;
    let db = Db::open_write(&in_stage(location, stage, Backend::None))?;
    let mut tx = db.begin()?;
    let mut added = Ok(());
    old.for_each_blob(&mut |hnum, blob| {
        added = tx.add_as(hnum, &blob);
        match added {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    added?;
    tx.commit()
}

/// Reads the new database in `stage` back.
fn is_the_same(location: &DbLocation, stage: &Path, backend: Backend) -> Result<(), DbError> {
    let old = Db::open_read(location)?;
    let new = Db::open_read(&in_stage(location, stage, backend))?;
    let mut same = new.count()? == old.count()?;
    old.for_each_blob(&mut |hnum, blob| {
        let copy = new.get(hnum);
        same &= copy.is_ok_and(|copy| copy.is_some_and(|copy| copy.bytes() == blob));
        ControlFlow::Continue(())
    })?;
    match same {
        true => Ok(()),
        false => Err(DbError::NotTheSame {
            path: location.file(),
        }),
    }
}

fn in_stage(location: &DbLocation, stage: &Path, backend: Backend) -> DbLocation {
    DbLocation {
        dir: stage.to_path_buf(),
        backend,
        ..location.clone()
    }
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    dir.join(format!("{SQLITE_FILE}{suffix}"))
}

/// The files of the old database, the main one first: what names both is over with it.
fn old_files(dir: &Path) -> Result<Vec<String>, DbError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(DbError::io(dir))? {
        let name = entry.map_err(DbError::io(dir))?.file_name();
        names.extend(name.into_string().ok().filter(|name| is_old(name)));
    }
    names.sort_by_key(|name| (name != BDB_FILE && name != NDB_FILE, name.clone()));
    Ok(names)
}

fn is_old(name: &str) -> bool {
    let main = [BDB_FILE, NDB_FILE, NDB_INDEX, ".dbenv.lock"];
    main.contains(&name)
        || OLD_TABLES.contains(&name)
        || name.starts_with("__db.")
        || IndexTable::ALL.iter().any(|table| table.table() == name)
}

fn rename(from: &Path, to: &Path) -> Result<(), DbError> {
    match fs::rename(from, to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(DbError::io(from)(e)),
        _ => Ok(()),
    }
}

fn remove_file(path: &Path) -> Result<(), DbError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(DbError::io(path)(e)),
        _ => Ok(()),
    }
}

fn remove_all(path: &Path) -> Result<(), DbError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(DbError::io(path)(e)),
        _ => Ok(()),
    }
}
