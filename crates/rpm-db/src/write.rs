//! Changing the database: headers with all their index rows, all or nothing.

use rpm_pkg::header::Header;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::index::{self, IndexRow};
use crate::read::{self, IndexKey};
use crate::{Db, DbError, IndexTable};

impl Db {
    /// Begins a transaction. Reads through the same [`Db`] see its changes; other processes see none before the
    /// commit. Dropping it undoes everything.
    ///
    /// # Errors
    /// [`DbError::ReadOnly`], [`DbError::Nested`], or another writer kept the database busy for too long.
    pub fn begin(&self) -> Result<WriteTransaction<'_>, DbError> {
        let conn = self.writable()?;
        if !conn.is_autocommit() {
            return Err(DbError::Nested {
                path: self.path().to_path_buf(),
            });
        }
        let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)
            .map_err(DbError::sqlite(self.path()))?;
        Ok(WriteTransaction { db: self, tx })
    }
}

/// An open change of the database.
#[derive(Debug)]
#[must_use = "changes are undone unless committed"]
pub struct WriteTransaction<'a> {
    db: &'a Db,
    tx: Transaction<'a>,
}

impl WriteTransaction<'_> {
    /// Adds a header and answers its number, which was never used before.
    ///
    /// # Errors
    /// [`DbError::BadHeader`] or [`DbError::Nameless`] for bytes that rpm would not read back; otherwise the disk is
    /// full or the database damaged.
    pub fn add(&mut self, blob: &[u8]) -> Result<u32, DbError> {
        let header = self.parse(blob)?;
        self.insert(None, blob, &header)
    }

    /// Adds a header of another database under its number.
    pub(crate) fn add_as(&mut self, hnum: u32, blob: &[u8]) -> Result<(), DbError> {
        let path = || self.db.path().to_path_buf();
        let header = read::parse(blob.to_vec()).map_err(|why| match why {
            Some(source) => DbError::BadRecord {
                path: path(),
                hnum,
                source,
            },
            None => DbError::Nameless { path: path(), hnum },
        })?;
        self.insert(Some(hnum), blob, &header).map(drop)
    }

    fn insert(&mut self, hnum: Option<u32>, blob: &[u8], header: &Header) -> Result<u32, DbError> {
        let hnum = self
            .tx
            .prepare_cached("INSERT INTO Packages (hnum, blob) VALUES (?, ?)")
            .and_then(|mut s| s.insert((hnum, blob)))
            .map_err(DbError::sqlite(self.db.path()))?;
        let hnum = u32::try_from(hnum).map_err(|_| DbError::NoRecord {
            path: self.db.path().to_path_buf(),
            hnum: u32::MAX,
        })?;
        for table in IndexTable::ALL {
            let rows = index::rows(header, table);
            insert(&self.tx, table, hnum, &rows).map_err(DbError::sqlite(self.db.path()))?;
        }
        Ok(hnum)
    }

    /// Removes a header with all its rows.
    ///
    /// # Errors
    /// [`DbError::NoRecord`], or the database is damaged.
    pub fn remove(&mut self, hnum: u32) -> Result<(), DbError> {
        let sqlite = DbError::sqlite(self.db.path());
        let removed = self
            .tx
            .prepare_cached("DELETE FROM Packages WHERE hnum = ?")
            .and_then(|mut s| s.execute([hnum]))
            .map_err(&sqlite)?;
        if removed == 0 {
            return Err(self.absent(hnum));
        }
        for table in IndexTable::ALL {
            delete(&self.tx, table, hnum).map_err(&sqlite)?;
        }
        Ok(())
    }

    /// Puts other bytes under the number of a header, for instance with new file states
    /// ([`crate::installed::InstalledHeader::with_states`]). Index rows follow where they differ.
    ///
    /// # Errors
    /// [`DbError::NoRecord`], and those of [`Self::add`].
    pub fn rewrite(&mut self, hnum: u32, blob: &[u8]) -> Result<(), DbError> {
        let new = self.parse(blob)?;
        let old = self.db.get(hnum)?.ok_or_else(|| self.absent(hnum))?;
        let sqlite = DbError::sqlite(self.db.path());
        self.tx
            .prepare_cached("UPDATE Packages SET blob = ? WHERE hnum = ?")
            .and_then(|mut s| s.execute((blob, hnum)))
            .map_err(&sqlite)?;
        for table in IndexTable::ALL {
            let rows = index::rows(&new, table);
            if rows != index::rows(&old, table) {
                delete(&self.tx, table, hnum).map_err(&sqlite)?;
                insert(&self.tx, table, hnum, &rows).map_err(&sqlite)?;
            }
        }
        Ok(())
    }

    /// Makes all changes last: they are on disk when this returns.
    ///
    /// # Errors
    /// The disk is full or failed; then nothing has changed.
    pub fn commit(self) -> Result<(), DbError> {
        self.tx.commit().map_err(DbError::sqlite(self.db.path()))
    }

    /// Undoes all changes.
    ///
    /// # Errors
    /// The database is damaged; the changes do not last in that case either.
    pub fn rollback(self) -> Result<(), DbError> {
        self.tx.rollback().map_err(DbError::sqlite(self.db.path()))
    }

    fn parse(&self, blob: &[u8]) -> Result<Header, DbError> {
        read::parse(blob.to_vec()).map_err(|why| match why {
            Some(source) => DbError::BadHeader {
                what: "the header to be stored".to_owned(),
                source,
            },
            None => DbError::Nameless {
                path: self.db.path().to_path_buf(),
                hnum: 0,
            },
        })
    }

    fn absent(&self, hnum: u32) -> DbError {
        DbError::NoRecord {
            path: self.db.path().to_path_buf(),
            hnum,
        }
    }
}

fn insert(
    conn: &Connection,
    table: IndexTable,
    hnum: u32,
    rows: &[IndexRow],
) -> rusqlite::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = format!("INSERT INTO '{}' VALUES (?, ?, ?)", table.table());
    let mut statement = conn.prepare_cached(&sql)?;
    for row in rows {
        statement.execute((IndexKey(table, &row.key), hnum, row.idx))?;
    }
    Ok(())
}

fn delete(conn: &Connection, table: IndexTable, hnum: u32) -> rusqlite::Result<()> {
    let sql = format!("DELETE FROM '{}' WHERE hnum = ?", table.table());
    conn.prepare_cached(&sql)?.execute([hnum])?;
    Ok(())
}
