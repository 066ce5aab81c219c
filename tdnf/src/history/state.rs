//! What the history says is installed.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{BASE, IN_SET, REMOVED, schema};

/// What the rpm database holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstalledSet {
    /// `name-[epoch:]version-release.arch` of every package, the epoch only if it is set.
    pub nevras: BTreeSet<String>,
    /// rpm's cookie of the database.
    pub cookie: String,
    /// The names of packages that the set tells of; `None` for all.
    pub only: Option<BTreeSet<String>>,
}

impl InstalledSet {
    /// What came and what went since `before`, a set that tells of every package.
    pub(super) fn since<'a>(
        &'a self,
        before: &'a BTreeSet<String>,
    ) -> (Vec<&'a String>, Vec<&'a String>) {
        let told = |nevra: &&String| {
            let name = nevra.rsplitn(3, '-').last();
            let only = self.only.as_ref();
            only.is_none_or(|only| name.is_some_and(|name| only.contains(name)))
        };
        let added = self.nevras.difference(before);
        let removed = before.difference(&self.nevras);
        (added.collect(), removed.filter(told).collect())
    }
}

/// Replays all transactions: a base set starts over, deltas add and remove.
pub(super) fn current(db: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    up_to(db, i64::MAX)
}

/// As [`current`], as it was after transaction `last`.
pub(super) fn up_to(db: &Connection, last: i64) -> rusqlite::Result<BTreeSet<String>> {
    let mut rows = db.prepare(schema::ITEMS)?;
    let mut items = rows.query([])?;
    let mut set = BTreeSet::new();
    let mut base = None;
    while let Some(item) = items.next()? {
        let (kind, id): (i64, i64) = (item.get(0)?, item.get(1)?);
        if id > last {
            break;
        }
        if kind == BASE && base != Some(id) {
            base = Some(id);
            set.clear();
        }
        let (change, nevra): (i64, String) = (item.get(2)?, item.get(3)?);
        match change {
            REMOVED => {
                set.remove(&nevra);
            }
            _ if kind == BASE && change != IN_SET => {}
            _ => {
                set.insert(nevra);
            }
        }
    }
    Ok(set)
}
