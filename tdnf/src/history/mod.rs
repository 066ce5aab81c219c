//! `history.db`: every transaction, and which packages were installed by themselves.
//!
//! The schema is that of C tdnf (docs/reference/tdnf.md, 17), so that either program continues what the other
//! began. A package without a flag counts as asked for.

mod begun;
mod read;
mod schema;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use rustix::fs::{Access, access};
use rustix::io::Errno;

pub use begun::{Begun, Settled};
pub use read::{Failed, Flags, HistoryEntry};
pub use state::InstalledSet;

/// File name below the persist directory.
pub const FILE: &str = "history.db";

/// What can go wrong with the history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// SQLite refused.
    #[error("{path}: {source}")]
    Sqlite {
        /// The database file.
        path: String,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The file is no database, or its pages are damaged.
    #[error("{path}: the history is damaged ({source}); the installed packages are not")]
    Damaged {
        /// The database file.
        path: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The directory cannot be made; the file is a symbolic link (`ELOOP`).
    #[error("{path}: {source}")]
    Io {
        /// The directory or file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The open history of one root.
pub struct History {
    connection: Connection,
    path: String,
}

/// The kinds of a transaction row.
const BASE: i64 = 0;
const DELTA: i64 = 1;
/// The kinds of an item row.
const IN_SET: i64 = 0;
const ADDED: i64 = 1;
const REMOVED: i64 = 2;

impl History {
    /// Opens the history for writing and makes what is missing of it.
    pub fn open(persist_dir: &Path) -> Result<Self, HistoryError> {
        Self::open_file(&persist_dir.join(FILE))
    }

    /// As [`History::open`], with the path of the file itself.
    pub fn open_file(path: &Path) -> Result<Self, HistoryError> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|source| HistoryError::Io {
                path: dir.display().to_string(),
                source,
            })?;
        }
        let history = Self::with(path, OpenFlags::default())?;
        history.run(|db| in_one(db, |db| db.execute_batch(schema::CREATE)))?;
        Ok(history)
    }

    /// Opens the history for reading; `None` if there is none, or nothing in it: a full disk or a power loss leaves an
    /// empty file.
    pub fn open_read(persist_dir: &Path) -> Result<Option<Self>, HistoryError> {
        let path = persist_dir.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        // What a killed run left half written can be undone only by who may write.
        let undoes = log_of(persist_dir).exists() && access(&path, Access::WRITE_OK).is_ok();
        let flags = if undoes {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        let history = Self::with(&path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        let made = history.run(has_tables)?;
        Ok(made.then_some(history))
    }

    /// Undoes what a killed run left half written; nothing happens where nothing was. The caller holds the lock of
    /// commands that change things: no process is writing.
    pub fn settle(persist_dir: &Path) -> Result<(), HistoryError> {
        let path = persist_dir.join(FILE);
        if !path.is_file() || !log_of(persist_dir).exists() {
            return Ok(());
        }
        let history = Self::with(&path, OpenFlags::default())?;
        // Reading undoes; a log that had not come so far is only taken away by the next change.
        history.run(|db| {
            in_one(db, |db| {
                let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
                db.pragma_update(None, "user_version", version)
            })
        })
    }

    /// SQLite refuses every symbolic link in the path: one in the folders is the caller's, one in the place of the
    /// file may be anybody's.
    fn with(path: &Path, flags: OpenFlags) -> Result<Self, HistoryError> {
        let name = path.display().to_string();
        let io = |source| HistoryError::Io {
            path: name.clone(),
            source,
        };
        if path.is_symlink() {
            return Err(io(Errno::LOOP.into()));
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = fs::canonicalize(dir.unwrap_or(Path::new("."))).map_err(io)?;
        let file = dir.join(path.file_name().unwrap_or_default());
        let writes = flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE);
        whole_file::check_database(&file, writes).map_err(|(place, source)| HistoryError::Io {
            path: place.display().to_string(),
            source,
        })?;
        match Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NOFOLLOW) {
            Ok(connection) => Ok(Self {
                connection,
                path: name,
            }),
            Err(source) => Err(failed(&name, source)),
        }
    }

    fn run<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        work(&self.connection).map_err(|source| failed(&self.path, source))
    }

    /// As [`Self::run`], all or nothing: one commit is also much cheaper than one per row.
    fn change<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        self.run(|db| in_one(db, work))
    }

    /// Whether the newest transaction left the rpm database as this cookie says.
    pub fn is_up_to(&self, cookie: &str) -> Result<bool, HistoryError> {
        self.run(|db| Ok(last_cookie(db)?.as_deref() == Some(cookie)))
    }

    /// Brings the history up to what is installed: a base set if it is empty, else a delta named
    /// `(unknown)` if others changed the database since.
    pub fn sync(&self, installed: &InstalledSet, now: u64) -> Result<(), HistoryError> {
        self.change(|db| match last_cookie(db)? {
            None => add_base(db, installed, now),
            Some(cookie) if cookie == installed.cookie => Ok(()),
            Some(_) => add_delta(db, installed, "(unknown)", now).map(|_| ()),
        })
    }

    /// Records a transaction that was begun and did not happen.
    pub fn record_failure(
        &self,
        command_line: &str,
        now: u64,
        reason: &str,
    ) -> Result<(), HistoryError> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        self.change(|db| {
            begun::forget(db)?;
            db.execute(schema::CREATE_FAILURES, [])?;
            db.execute(
                "INSERT INTO failed_transactions(after_trans, cmdline, timestamp, reason) \
                 SELECT COALESCE(MAX(Id), 0), ?1, ?2, ?3 FROM transactions",
                params![command_line, now, reason],
            )?;
            Ok(())
        })
    }

    /// Marks packages as asked for or auto-installed by a transaction that changes nothing else.
    pub fn mark(
        &self,
        names: &[String],
        auto: bool,
        command_line: &str,
        now: u64,
    ) -> Result<(), HistoryError> {
        let flag = |name: &String| (name.clone(), i64::from(auto));
        self.set_flags(&names.iter().map(flag).collect(), command_line, now)
    }

    /// Sets marks by a transaction that changes nothing else.
    pub fn set_flags(
        &self,
        flags: &Flags,
        command_line: &str,
        now: u64,
    ) -> Result<(), HistoryError> {
        self.change(|db| {
            let cookie = last_cookie(db)?.unwrap_or_default();
            let transaction = add_transaction(db, &cookie, command_line, now, DELTA)?;
            set_flags(db, transaction, flags)
        })
    }

    /// Names of packages that came as dependencies.
    pub fn auto_installed(&self) -> Result<BTreeSet<String>, HistoryError> {
        self.run(|db| {
            let mut rows = db.prepare(schema::AUTO_NAMES)?;
            let names = rows.query_map([], |row| row.get::<_, String>(0))?;
            names.collect()
        })
    }
}

/// SQLite's rollback journal of the history: there only while something is written, or after a crash.
fn log_of(persist_dir: &Path) -> PathBuf {
    persist_dir.join(format!("{FILE}-journal"))
}

fn failed(path: &str, source: rusqlite::Error) -> HistoryError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            HistoryError::Damaged { path, source }
        }
        _ => HistoryError::Sqlite { path, source },
    }
}

fn has_tables(db: &Connection) -> rusqlite::Result<bool> {
    let known = "SELECT EXISTS(SELECT 1 FROM sqlite_master)";
    db.query_row(known, [], |row| row.get(0))
}

fn last_cookie(db: &Connection) -> rusqlite::Result<Option<String>> {
    let mut rows = db.prepare("SELECT cookie FROM transactions ORDER BY Id DESC LIMIT 1")?;
    let mut found = rows.query_map([], |row| row.get(0))?;
    found.next().transpose()
}

fn add_base(db: &Connection, installed: &InstalledSet, now: u64) -> rusqlite::Result<()> {
    let transaction = add_transaction(db, &installed.cookie, "(set)", now, BASE)?;
    let mut items = Items::of(db, transaction)?;
    for nevra in &installed.nevras {
        items.add(IN_SET, nevra)?;
    }
    Ok(())
}

fn add_delta(
    db: &Connection,
    installed: &InstalledSet,
    command_line: &str,
    now: u64,
) -> rusqlite::Result<i64> {
    let before = state::current(db)?;
    let transaction = add_transaction(db, &installed.cookie, command_line, now, DELTA)?;
    let mut items = Items::of(db, transaction)?;
    let (added, removed) = installed.since(&before);
    for (kind, nevras) in [(ADDED, added), (REMOVED, removed)] {
        nevras
            .into_iter()
            .try_for_each(|nevra| items.add(kind, nevra))?;
    }
    Ok(transaction)
}

fn in_one<T>(
    db: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = db.unchecked_transaction()?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn add_transaction(
    db: &Connection,
    cookie: &str,
    command_line: &str,
    now: u64,
    kind: i64,
) -> rusqlite::Result<i64> {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    db.execute(
        "INSERT INTO transactions(cookie, cmdline, timestamp, type) VALUES (?1, ?2, ?3, ?4)",
        params![cookie, command_line, now, kind],
    )?;
    Ok(db.last_insert_rowid())
}

/// Writes the items of a transaction. The names that the table has are read once: it has no index
/// (that of C tdnf has none), so that a look-up for each item would read it as often.
struct Items<'a> {
    db: &'a Connection,
    transaction: i64,
    known: HashMap<String, i64>,
}

impl<'a> Items<'a> {
    fn of(db: &'a Connection, transaction: i64) -> rusqlite::Result<Self> {
        // Of two rows of one name the first counts, as in C tdnf.
        let mut rows = db.prepare("SELECT nevra, Id FROM rpms ORDER BY Id DESC")?;
        let known = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            db,
            transaction,
            known: known.collect::<rusqlite::Result<_>>()?,
        })
    }

    fn add(&mut self, kind: i64, nevra: &str) -> rusqlite::Result<()> {
        let rpm = match self.known.get(nevra) {
            Some(id) => *id,
            None => {
                self.db
                    .prepare_cached("INSERT INTO rpms(nevra) VALUES (?1)")?
                    .execute([nevra])?;
                let id = self.db.last_insert_rowid();
                self.known.insert(nevra.to_owned(), id);
                id
            }
        };
        self.db
            .prepare_cached("INSERT INTO trans_items(trans_id, type, rpm_id) VALUES (?1, ?2, ?3)")?
            .execute(params![self.transaction, kind, rpm])?;
        Ok(())
    }
}

fn set_flags(db: &Connection, transaction: i64, flags: &Flags) -> rusqlite::Result<()> {
    for (name, value) in flags {
        let name = name_id(db, name)?;
        db.execute(
            "INSERT INTO flag_set(trans_id, name_id, value) VALUES (?1, ?2, ?3)",
            params![transaction, name, value],
        )?;
    }
    Ok(())
}

/// Whether a table is there that C tdnf does not make.
fn has_table(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    let known = "SELECT COUNT(*) FROM sqlite_master WHERE name = ?1";
    db.query_row(known, [name], |row| Ok(row.get::<_, i64>(0)? > 0))
}

/// The id of a package name; it is added if it is new.
fn name_id(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    let mut rows = db.prepare_cached("SELECT Id FROM names WHERE name = ?1 LIMIT 1")?;
    let mut found = rows.query_map([name], |row| row.get(0))?;
    if let Some(id) = found.next() {
        return id;
    }
    db.execute("INSERT INTO names(name) VALUES (?1)", [name])?;
    Ok(db.last_insert_rowid())
}
