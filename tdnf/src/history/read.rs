//! What the history tells.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{ADDED, BASE, History, HistoryError, IN_SET, has_table, state};

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its number, from 1.
    pub id: i64,
    /// The words of the command line.
    pub command_line: String,
    /// Seconds since 1970.
    pub timestamp: i64,
    /// What came, in the order it was written.
    pub added: Vec<String>,
    /// What went.
    pub removed: Vec<String>,
    /// What came with a weak signature that was admitted: package, and what is weak.
    pub weak: Vec<(String, String)>,
}

/// A transaction that was begun and did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The last transaction before it; 0 if there was none.
    pub after: i64,
    /// The words of the command line.
    pub command_line: String,
    /// Seconds since 1970.
    pub timestamp: i64,
    /// Why, in a line.
    pub reason: String,
}

/// Names whose mark was set, with the value: 1 for auto-installed.
pub type Flags = BTreeMap<String, i64>;

impl History {
    /// Every transaction, oldest first.
    pub fn entries(&self) -> Result<Vec<HistoryEntry>, HistoryError> {
        self.run(|db| {
            let mut rows =
                db.prepare("SELECT Id, cmdline, timestamp FROM transactions ORDER BY Id")?;
            let found = rows.query_map([], |row| {
                Ok(HistoryEntry {
                    id: row.get(0)?,
                    command_line: row.get(1)?,
                    timestamp: row.get(2)?,
                    added: Vec::new(),
                    removed: Vec::new(),
                    weak: Vec::new(),
                })
            })?;
            let mut entries = found.collect::<rusqlite::Result<Vec<HistoryEntry>>>()?;
            fill(db, &mut entries)?;
            Ok(entries)
        })
    }

    /// Transactions that failed, oldest first. A history of C tdnf has none.
    pub fn failures(&self) -> Result<Vec<Failed>, HistoryError> {
        self.run(|db| {
            if !has_table(db, "failed_transactions")? {
                return Ok(Vec::new());
            }
            let mut rows = db.prepare(
                "SELECT after_trans, cmdline, timestamp, reason FROM failed_transactions ORDER BY Id",
            )?;
            let found = rows.query_map([], |row| {
                Ok(Failed {
                    after: row.get(0)?,
                    command_line: row.get(1)?,
                    timestamp: row.get(2)?,
                    reason: row.get(3)?,
                })
            })?;
            found.collect()
        })
    }

    /// What was installed after transaction `id`.
    pub fn state_at(&self, id: i64) -> Result<BTreeSet<String>, HistoryError> {
        self.run(|db| state::up_to(db, id))
    }

    /// The marks as they were after transaction `id`.
    pub fn flags_at(&self, id: i64) -> Result<Flags, HistoryError> {
        self.run(|db| {
            let mut rows = db.prepare(
                "SELECT names.name, flag_set.value FROM flag_set \
                 JOIN names ON names.Id = flag_set.name_id \
                 WHERE flag_set.trans_id <= ?1 ORDER BY flag_set.Id",
            )?;
            let found = rows.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            found.collect()
        })
    }
}

fn fill(db: &Connection, entries: &mut [HistoryEntry]) -> rusqlite::Result<()> {
    let mut by_id: BTreeMap<i64, &mut HistoryEntry> =
        entries.iter_mut().map(|entry| (entry.id, entry)).collect();
    let mut rows = db.prepare(super::schema::ITEMS)?;
    let mut items = rows.query([])?;
    while let Some(item) = items.next()? {
        let (kind, id, change): (i64, i64, i64) = (item.get(0)?, item.get(1)?, item.get(2)?);
        let Some(entry) = by_id.get_mut(&id) else {
            continue;
        };
        match change {
            ADDED => entry.added.push(item.get(3)?),
            IN_SET if kind == BASE => entry.added.push(item.get(3)?),
            _ => entry.removed.push(item.get(3)?),
        }
    }
    if !has_table(db, "weak_signatures")? {
        return Ok(());
    }
    let mut rows =
        db.prepare("SELECT trans_id, nevra, weakness FROM weak_signatures ORDER BY Id")?;
    let mut found = rows.query([])?;
    while let Some(row) = found.next()? {
        if let Some(entry) = by_id.get_mut(&row.get(0)?) {
            entry.weak.push((row.get(1)?, row.get(2)?));
        }
    }
    Ok(())
}
