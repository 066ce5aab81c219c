//! Is the database sound? More than `rpmdb --verifydb`, which does not compare index rows with headers.

use std::collections::HashMap;
use std::ops::ControlFlow;

use rpm_pkg::digest::DigestAlgo;
use rpm_pkg::header::{Header, tag};
use rusqlite::Connection;

use crate::index::{self, IndexRow};
use crate::open::DatabaseStore;
use crate::read;
use crate::{Db, DbError, IndexTable};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatabaseFault {
    /// SQLite's own check found damage; its words.
    Integrity(String),
    /// A header that cannot be used; why.
    Damaged {
        /// Its number.
        hnum: u32,
        /// Which rule it breaks.
        why: String,
    },
    /// The signed part of a header does not have the digest stored with it.
    Digest {
        /// The header's number.
        hnum: u32,
        /// The digest's tag.
        tag: u32,
    },
    /// A row that the header calls for is not there.
    Missing {
        /// The table.
        table: IndexTable,
        /// The header's number.
        hnum: u32,
        /// The row.
        row: IndexRow,
    },
    /// A row that no header calls for.
    Extra {
        /// The table.
        table: IndexTable,
        /// The header number it names.
        hnum: u32,
        /// The row.
        row: IndexRow,
    },
}

/// How often each row of a table should stand there, less how often it does.
type Balance = HashMap<(u32, IndexRow), i64>;

impl Db {
    /// Checks SQLite's pages, every header with its digests, and every index row. Reads everything.
    ///
    /// # Errors
    /// The database cannot even be searched for damage.
    pub fn check(&self) -> Result<Vec<DatabaseFault>, DbError> {
        let mut findings = Vec::new();
        let mut balances: Vec<(IndexTable, Balance)> =
            IndexTable::ALL.map(|t| (t, Balance::new())).into();
        self.for_each_blob(&mut |hnum, blob| {
            match read::parse(blob) {
                Err(why) => findings.push(DatabaseFault::Damaged {
                    hnum,
                    why: why.map_or_else(
                        || "no name, version or release".to_owned(),
                        |e| e.to_string(),
                    ),
                }),
                Ok(header) => {
                    findings.extend(
                        wrong_digests(&header).map(|tag| DatabaseFault::Digest { hnum, tag }),
                    );
                    for (table, balance) in &mut balances {
                        for row in index::rows(&header, *table) {
                            *balance.entry((hnum, row)).or_default() += 1;
                        }
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        if let DatabaseStore::Sqlite { conn, .. } = &self.store {
            let sqlite = DbError::sqlite(self.path());
            findings.extend(integrity(conn).map_err(&sqlite)?);
            for (table, mut balance) in balances {
                subtract_stored(conn, table, &mut balance).map_err(&sqlite)?;
                findings.extend(unbalanced(table, balance));
            }
        }
        findings.sort();
        Ok(findings)
    }
}

fn wrong_digests(header: &Header) -> impl Iterator<Item = u32> {
    let algos = [
        (tag::SHA1HEADER, DigestAlgo::Sha1),
        (tag::SHA256HEADER, DigestAlgo::Sha256),
    ];
    algos.into_iter().filter_map(|(tag, algo)| {
        let stored = header.string(tag)?;
        let computed = header.immutable_region().digest(algo).hex();
        (!stored.eq_ignore_ascii_case(computed.as_bytes())).then_some(tag)
    })
}

fn integrity(conn: &Connection) -> rusqlite::Result<Vec<DatabaseFault>> {
    let mut findings = Vec::new();
    let mut statement = conn.prepare("PRAGMA integrity_check")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines {
        let line = line?;
        if line != "ok" {
            findings.push(DatabaseFault::Integrity(line));
        }
    }
    let mut statement = conn.prepare("PRAGMA foreign_key_check")?;
    let tables = statement.query_map([], |row| row.get::<_, String>(0))?;
    for table in tables {
        findings.push(DatabaseFault::Integrity(format!(
            "a row of {} names no header",
            table?
        )));
    }
    Ok(findings)
}

fn subtract_stored(
    conn: &Connection,
    table: IndexTable,
    balance: &mut Balance,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT hnum, key, idx FROM '{}'", table.table());
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = read::bytes(row, 1)?;
        let stored = IndexRow {
            key,
            idx: row.get(2)?,
        };
        *balance.entry((row.get(0)?, stored)).or_default() -= 1;
    }
    Ok(())
}

fn unbalanced(table: IndexTable, balance: Balance) -> impl Iterator<Item = DatabaseFault> {
    balance
        .into_iter()
        .filter_map(move |((hnum, row), count)| match count {
            0 => None,
            1.. => Some(DatabaseFault::Missing { table, hnum, row }),
            _ => Some(DatabaseFault::Extra { table, hnum, row }),
        })
}
