//! A transaction that was begun: written down before the rpm database is committed, so that a run
//! that is killed after its commit point leaves nothing out of the history.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::{ADDED, Flags, History, HistoryError, InstalledSet, REMOVED};
use super::{add_delta, has_table, last_cookie, schema, set_flags, state};

/// One of the tables that are there once a transaction was begun.
const TABLE: &str = "begun_transaction";

/// A transaction as it will be recorded once it has succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Begun {
    /// The words of the command line.
    pub command_line: String,
    /// Seconds since 1970.
    pub now: u64,
    /// The marks that it sets.
    pub flags: Flags,
    /// `name-[epoch:]version-release.arch` of what comes.
    pub added: Vec<String>,
    /// The same of what goes and is not replaced by another version.
    pub removed: Vec<String>,
    /// Packages that come with a weak signature, and what is weak.
    pub weak: Vec<(String, String)>,
}

/// What became of a transaction that was begun and not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// There is none.
    Nothing,
    /// It happened, and is recorded now.
    Recorded,
    /// It did not happen.
    Dropped,
}

impl History {
    /// Writes down what is about to happen. What is installed must be in the history already.
    pub fn begin(&self, begun: &Begun) -> Result<(), HistoryError> {
        self.change(|db| {
            db.execute_batch(schema::CREATE_BEGUN)?;
            clear(db)?;
            let cookie = last_cookie(db)?.unwrap_or_default();
            let now = i64::try_from(begun.now).unwrap_or(i64::MAX);
            db.execute(
                "INSERT INTO begun_transaction(cookie, cmdline, timestamp) VALUES (?1, ?2, ?3)",
                params![cookie, begun.command_line, now],
            )?;
            for (kind, nevras) in [(ADDED, &begun.added), (REMOVED, &begun.removed)] {
                for nevra in nevras {
                    db.prepare_cached("INSERT INTO begun_items(type, nevra) VALUES (?1, ?2)")?
                        .execute(params![kind, nevra])?;
                }
            }
            for (nevra, weakness) in &begun.weak {
                db.prepare_cached("INSERT INTO begun_weak(nevra, weakness) VALUES (?1, ?2)")?
                    .execute(params![nevra, weakness])?;
            }
            for (name, value) in &begun.flags {
                db.prepare_cached("INSERT INTO begun_flags(name, value) VALUES (?1, ?2)")?
                    .execute(params![name, value])?;
            }
            Ok(())
        })
    }

    /// Records the transaction that was begun; `installed` is what is installed after it, of all names that changed.
    pub fn record(&self, begun: &Begun, installed: &InstalledSet) -> Result<(), HistoryError> {
        self.change(|db| {
            write(db, begun, installed)?;
            forget(db)
        })
    }

    /// The transaction that was begun did not happen.
    pub fn drop_begun(&self) -> Result<(), HistoryError> {
        self.change(forget)
    }

    /// Was a transaction begun and neither recorded nor dropped?
    pub fn has_begun(&self) -> Result<bool, HistoryError> {
        self.run(|db| Ok(read(db)?.is_some()))
    }

    /// Records the transaction that a killed run left behind, if it happened. The caller has seen
    /// to its journal: the rpm database has all its changes or none.
    pub fn settle_begun(&self, installed: &InstalledSet) -> Result<Settled, HistoryError> {
        self.change(|db| {
            let Some((cookie, begun)) = read(db)? else {
                return Ok(Settled::Nothing);
            };
            let happened = installed.cookie != cookie && is_seen(db, &begun, installed)?;
            if happened {
                write(db, &begun, installed)?;
            }
            clear(db)?;
            Ok(match happened {
                true => Settled::Recorded,
                false => Settled::Dropped,
            })
        })
    }
}

fn write(db: &Connection, begun: &Begun, installed: &InstalledSet) -> rusqlite::Result<()> {
    let transaction = add_delta(db, installed, &begun.command_line, begun.now)?;
    set_flags(db, transaction, &begun.flags)?;
    if begun.weak.is_empty() {
        return Ok(());
    }
    db.execute_batch(schema::CREATE_WEAK)?;
    for (nevra, weakness) in &begun.weak {
        let row = "INSERT INTO weak_signatures(trans_id, nevra, weakness) VALUES (?1, ?2, ?3)";
        db.prepare_cached(row)?
            .execute(params![transaction, nevra, weakness])?;
    }
    Ok(())
}

/// Is any change of it there? Its changes come all at once, so one tells; where all it did was to
/// install what had been there, nothing but the cookie of the database does.
fn is_seen(db: &Connection, begun: &Begun, installed: &InstalledSet) -> rusqlite::Result<bool> {
    let before = plain(&state::current(db)?);
    let after = plain(&installed.nevras);
    let mut comes = begun.added.iter().map(|nevra| plain_name(nevra));
    let mut goes = begun.removed.iter().map(|nevra| plain_name(nevra));
    let changes = |nevra: &String| !before.contains(nevra);
    if begun.removed.is_empty() && !comes.clone().any(|nevra| changes(&nevra)) {
        return Ok(true);
    }
    Ok(comes.any(|nevra| changes(&nevra) && after.contains(&nevra))
        || goes.any(|nevra| !after.contains(&nevra)))
}

fn plain(nevras: &BTreeSet<String>) -> BTreeSet<String> {
    nevras.iter().map(|nevra| plain_name(nevra)).collect()
}

/// The database names an epoch of 0 where a package has one; a plan does not.
fn plain_name(nevra: &str) -> String {
    nevra.replace("-0:", "-")
}

pub(super) fn forget(db: &Connection) -> rusqlite::Result<()> {
    match has_table(db, TABLE)? {
        true => clear(db),
        false => Ok(()),
    }
}

fn clear(db: &Connection) -> rusqlite::Result<()> {
    // An earlier version made fewer of them.
    db.execute_batch(schema::CREATE_BEGUN)?;
    db.execute_batch(
        "DELETE FROM begun_transaction; DELETE FROM begun_items; DELETE FROM begun_flags; \
         DELETE FROM begun_weak",
    )
}

/// The transaction that was begun, with the cookie of the rpm database before it.
fn read(db: &Connection) -> rusqlite::Result<Option<(String, Begun)>> {
    if !has_table(db, TABLE)? {
        return Ok(None);
    }
    let row = "SELECT cookie, cmdline, timestamp FROM begun_transaction ORDER BY Id DESC LIMIT 1";
    let found = db.query_row(row, [], |row| {
        let now: i64 = row.get(2)?;
        let begun = Begun {
            command_line: row.get(1)?,
            now: u64::try_from(now).unwrap_or_default(),
            ..Begun::default()
        };
        Ok((row.get(0)?, begun))
    });
    let Some((cookie, mut begun)) = found.optional()? else {
        return Ok(None);
    };
    let items = |kind: i64| -> rusqlite::Result<Vec<String>> {
        let mut rows = db.prepare("SELECT nevra FROM begun_items WHERE type = ?1")?;
        let found = rows.query_map([kind], |row| row.get(0))?;
        found.collect()
    };
    (begun.added, begun.removed) = (items(ADDED)?, items(REMOVED)?);
    let mut rows = db.prepare("SELECT name, value FROM begun_flags")?;
    let flags = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    begun.flags = flags.collect::<rusqlite::Result<_>>()?;
    if has_table(db, "begun_weak")? {
        let mut rows = db.prepare("SELECT nevra, weakness FROM begun_weak ORDER BY Id")?;
        let weak = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        begun.weak = weak.collect::<rusqlite::Result<_>>()?;
    }
    Ok(Some((cookie, begun)))
}
