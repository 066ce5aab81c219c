//! A database that becomes another: SQLite in place of a format that is only read, or the same in another directory
//! (docs/differences.md).

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::location::{BDB_FILE, NDB_FILE, SQLITE_FILE};
use crate::macro_files::MacroSet;
use crate::open::has_pending_log;
use crate::{Backend, Db, DbError, DbLocation, IndexTable, create_directory, root};

/// The directory, inside that of the database, that gets the old files.
const KEPT: &str = "before-sqlite";
/// The directory, inside that of the database, where the new file is written.
const STAGE: &str = ".sqlite-conversion";
/// SQLite's files: unprivileged queries of rpm need the last two, so the main one comes last.
const NEW_FILES: [&str; 3] = ["-wal", "-shm", ""];
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
    let dir = &location.dir;
    if !matches!(location.backend, Backend::Bdb | Backend::Ndb) {
        return Err(DbError::Missing { path: dir.clone() });
    }
    let stage = dir.join(STAGE);
    remove_all(&stage)?;
    let kept = kept_directory(location);
    match fs::create_dir(&kept) {
        // Left by a run that was stopped.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && fs::remove_dir(&kept).is_ok() => {
            fs::create_dir(&kept)
        }
        made => made,
    }
    .map_err(DbError::io(&kept))?;
    let made = fs::create_dir(&stage).map_err(DbError::io(&stage));
    let copied = made.and_then(|()| copy(location, &stage));
    if copied.is_err() {
        // The first failure is the one to tell.
        let _ = remove_all(&stage);
        let _ = fs::remove_dir(&kept);
    }
    copied?;
    // A SQLite database that stands there has no header, or this would not be the database.
    replace(&stage, dir)?;
    put_away(dir)
}

/// Puts away the old files of a conversion that was stopped when the new database was in its place; says whether there
/// was one. The caller holds the [`crate::TransactionLock`].
///
/// # Errors
/// A file cannot be moved.
pub fn finish_conversion(location: &DbLocation) -> Result<bool, DbError> {
    let stopped = location.backend == Backend::Sqlite && is_converting(&location.dir);
    if stopped {
        put_away(&location.dir)?;
    }
    Ok(stopped)
}

/// Whether a conversion is under way in this directory, or was stopped there.
pub(crate) fn is_converting(dir: &Path) -> bool {
    fs::symlink_metadata(dir.join(STAGE)).is_ok_and(|meta| meta.is_dir())
}

/// The old files go, the stage last: as long as it is there the new database is preferred.
fn put_away(dir: &Path) -> Result<(), DbError> {
    let kept = dir.join(KEPT);
    // A power loss must not undo the step before the next one.
    sync(&[dir])?;
    for name in old_files(dir)? {
        rename(&dir.join(&name), &kept.join(&name))?;
    }
    sync(&[&kept, dir])?;
    remove_all(&dir.join(STAGE))
}

/// Moves a database to where the rpm of its root looks, and says where that is; none where it finds it already (there, or
/// by links that the scriptlets of its package made), where nobody can say, or while changes wait in the log. The caller holds the [`crate::TransactionLock`], and nobody in this
/// process has the database open.
///
/// # Errors
/// A file cannot be moved: the directory is on another file system.
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
    replace(old, &dir)?;
    sync(&[old, &dir])?;
    Ok(Some(dir))
}

/// Moves the files of a SQLite database, for which an empty one makes room.
fn replace(from: &Path, to: &Path) -> Result<(), DbError> {
    for suffix in NEW_FILES.iter().rev() {
        remove_file(&beside(to, suffix))?;
    }
    for suffix in NEW_FILES {
        rename(&beside(from, suffix), &beside(to, suffix))?;
    }
    Ok(())
}

fn sync(dirs: &[&Path]) -> Result<(), DbError> {
    for dir in dirs {
        let handle = fs::File::open(dir).map_err(DbError::io(dir))?;
        handle.sync_all().map_err(DbError::io(dir))?;
    }
    Ok(())
}

/// Writes the new database to `stage` and reads it back.
fn copy(location: &DbLocation, stage: &Path) -> Result<(), DbError> {
    let old = Db::open_read(location)?;
    let new = DbLocation {
        dir: stage.to_path_buf(),
        backend: Backend::None,
        root: location.root.clone(),
    };
    let db = Db::open_write(&new)?;
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
    tx.commit()?;
    let mut same = db.count()? == old.count()?;
    old.for_each_blob(&mut |hnum, blob| {
        let copy = db.get(hnum);
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
    let main = [BDB_FILE, NDB_FILE, "Index.db", ".dbenv.lock"];
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
