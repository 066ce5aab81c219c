//! `history.db`: every transaction, and which packages were installed by themselves.
//!
//! The schema is that of C tdnf (reference 17), so that either program continues what the other
//! began. A package without a flag counts as asked for.

mod read;
mod schema;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

pub use read::{Entry, Failed, Flags};
pub use state::Installed;

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
    /// The directory cannot be made.
    #[error("{path}: {source}")]
    Io {
        /// The directory.
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

    /// Opens the history for reading; `None` if there is none.
    pub fn open_read(persist_dir: &Path) -> Result<Option<Self>, HistoryError> {
        let path = persist_dir.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::with(&path, flags).map(Some)
    }

    fn with(path: &Path, flags: OpenFlags) -> Result<Self, HistoryError> {
        let name = path.display().to_string();
        match Connection::open_with_flags(path, flags) {
            Ok(connection) => Ok(Self {
                connection,
                path: name,
            }),
            Err(source) => Err(HistoryError::Sqlite { path: name, source }),
        }
    }

    fn run<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        work(&self.connection).map_err(|source| HistoryError::Sqlite {
            path: self.path.clone(),
            source,
        })
    }

    /// As [`Self::run`], all or nothing: one commit is also much cheaper than one per row.
    fn change<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        self.run(|db| in_one(db, work))
    }

    /// Brings the history up to what is installed: a base set if it is empty, else a delta named
    /// `(unknown)` if others changed the database since.
    pub fn sync(&self, installed: &Installed, now: u64) -> Result<(), HistoryError> {
        self.change(|db| match last_cookie(db)? {
            None => add_base(db, installed, now),
            Some(cookie) if cookie == installed.cookie => Ok(()),
            Some(_) => add_delta(db, installed, "(unknown)", now).map(|_| ()),
        })
    }

    /// Records a transaction that has succeeded; `installed` is what is installed after it.
    /// Packages of `auto` become auto-installed, those of `user` asked for.
    pub fn record(
        &self,
        installed: &Installed,
        command_line: &str,
        now: u64,
        auto: &[String],
        user: &[String],
    ) -> Result<(), HistoryError> {
        self.change(|db| {
            let transaction = add_delta(db, installed, command_line, now)?;
            for (names, value) in [(auto, 1), (user, 0)] {
                for name in names {
                    set_flag(db, transaction, name, value)?;
                }
            }
            Ok(())
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
        self.change(|db| {
            let cookie = last_cookie(db)?.unwrap_or_default();
            let transaction = add_transaction(db, &cookie, command_line, now, DELTA)?;
            for name in names {
                set_flag(db, transaction, name, i64::from(auto))?;
            }
            Ok(())
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

fn last_cookie(db: &Connection) -> rusqlite::Result<Option<String>> {
    let mut rows = db.prepare("SELECT cookie FROM transactions ORDER BY Id DESC LIMIT 1")?;
    let mut found = rows.query_map([], |row| row.get(0))?;
    found.next().transpose()
}

fn add_base(db: &Connection, installed: &Installed, now: u64) -> rusqlite::Result<()> {
    let transaction = add_transaction(db, &installed.cookie, "(set)", now, BASE)?;
    for nevra in &installed.nevras {
        add_item(db, transaction, IN_SET, nevra)?;
    }
    Ok(())
}

fn add_delta(
    db: &Connection,
    installed: &Installed,
    command_line: &str,
    now: u64,
) -> rusqlite::Result<i64> {
    let before = state::current(db)?;
    let transaction = add_transaction(db, &installed.cookie, command_line, now, DELTA)?;
    for nevra in installed.nevras.difference(&before) {
        add_item(db, transaction, ADDED, nevra)?;
    }
    for nevra in before.difference(&installed.nevras) {
        add_item(db, transaction, REMOVED, nevra)?;
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

fn add_item(db: &Connection, transaction: i64, kind: i64, nevra: &str) -> rusqlite::Result<()> {
    let rpm = id_of(db, "rpms", "nevra", nevra)?;
    db.execute(
        "INSERT INTO trans_items(trans_id, type, rpm_id) VALUES (?1, ?2, ?3)",
        params![transaction, kind, rpm],
    )?;
    Ok(())
}

fn set_flag(db: &Connection, transaction: i64, name: &str, value: i64) -> rusqlite::Result<()> {
    let name = id_of(db, "names", "name", name)?;
    db.execute(
        "INSERT INTO flag_set(trans_id, name_id, value) VALUES (?1, ?2, ?3)",
        params![transaction, name, value],
    )?;
    Ok(())
}

/// The id of `text` in one of the two tables of texts; it is added if it is new.
fn id_of(db: &Connection, table: &str, column: &str, text: &str) -> rusqlite::Result<i64> {
    let select = format!("SELECT Id FROM {table} WHERE {column} = ?1 LIMIT 1");
    let mut rows = db.prepare_cached(&select)?;
    let mut found = rows.query_map([text], |row| row.get(0))?;
    if let Some(id) = found.next() {
        return id;
    }
    db.execute(
        &format!("INSERT INTO {table}({column}) VALUES (?1)"),
        [text],
    )?;
    Ok(db.last_insert_rowid())
}
