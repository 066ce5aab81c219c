//! Reading headers and looking keys up.

use std::ops::ControlFlow;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_pkg::header::{Header, HeaderError, HeaderKind, tag};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::index;
use crate::open::DatabaseStore;
use crate::{Db, DbError, IndexTable, schema};

/// A header that is too long reads as empty, which is no header.
const EACH: &str = "SELECT hnum, iif(length(blob) <= ?1, blob, x'') FROM Packages ORDER BY hnum";
const GET: &str = "SELECT iif(length(blob) <= ?2, blob, x'') FROM Packages WHERE hnum = ?1";

/// A place in a header that an index names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    /// The header's number.
    pub hnum: u32,
    /// The element of the table's tag: number of the file, provide, requirement.
    pub idx: u32,
}

/// A stored header that cannot be used.
#[derive(Debug)]
pub struct Damaged {
    /// Its number.
    pub hnum: u32,
    /// What is wrong with it; none when only name, version or release are missing.
    pub why: Option<HeaderError>,
}

/// Binds a key as text that need not be UTF-8, or as bytes.
pub(crate) struct IndexKey<'a>(pub(crate) IndexTable, pub(crate) &'a [u8]);

impl ToSql for IndexKey<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(if self.0.is_blob() {
            ValueRef::Blob(self.1)
        } else {
            ValueRef::Text(self.1)
        }))
    }
}

impl Db {
    /// Calls `visit` for each header in the order of their numbers, until it breaks. As with rpm, headers that
    /// cannot be used are skipped; they are what is returned.
    ///
    /// The structure of each header is checked, its digests are not (see [`Db::check`]).
    ///
    /// # Errors
    /// The database itself is damaged or busy.
    pub fn for_each(
        &self,
        visit: &mut dyn FnMut(u32, Header) -> ControlFlow<()>,
    ) -> Result<Vec<Damaged>, DbError> {
        let mut damaged = Vec::new();
        self.for_each_blob(&mut |hnum, blob| match parse(blob) {
            Ok(header) => visit(hnum, header),
            Err(why) => {
                damaged.push(Damaged { hnum, why });
                ControlFlow::Continue(())
            }
        })?;
        Ok(damaged)
    }

    pub(crate) fn for_each_blob(
        &self,
        visit: &mut dyn FnMut(u32, Vec<u8>) -> ControlFlow<()>,
    ) -> Result<(), DbError> {
        match &self.store {
            DatabaseStore::Empty => Ok(()),
            DatabaseStore::Records(file) => {
                for hnum in file.numbers() {
                    let blob = file.blob(hnum)?.unwrap_or_default();
                    if visit(hnum, blob).is_break() {
                        break;
                    }
                }
                Ok(())
            }
            DatabaseStore::Sqlite { conn, .. } => {
                each_row(conn, visit).map_err(DbError::sqlite(self.path()))
            }
        }
    }

    /// The header with this number.
    ///
    /// # Errors
    /// [`DbError::BadRecord`] or [`DbError::Nameless`] when it cannot be used, or the database is damaged or busy.
    pub fn get(&self, hnum: u32) -> Result<Option<Header>, DbError> {
        let blob = match &self.store {
            DatabaseStore::Empty => None,
            DatabaseStore::Records(file) => file.blob(hnum)?,
            DatabaseStore::Sqlite { conn, .. } => conn
                .prepare_cached(GET)
                .and_then(|mut s| {
                    let limits = [hnum, schema::MAX_HEADER];
                    s.query_row(limits, |row| bytes(row, 0)).optional()
                })
                .map_err(DbError::sqlite(self.path()))?,
        };
        let Some(blob) = blob else { return Ok(None) };
        let path = self.path().to_path_buf();
        match parse(blob) {
            Ok(header) => Ok(Some(header)),
            Err(Some(source)) => Err(DbError::BadRecord { path, hnum, source }),
            Err(None) => Err(DbError::Nameless { path, hnum }),
        }
    }

    /// All places where `key` stands in a table, sorted. Text is compared byte by byte.
    ///
    /// # Errors
    /// The database is damaged or busy.
    pub fn find(&self, table: IndexTable, key: &[u8]) -> Result<Vec<Match>, DbError> {
        let mut found = match &self.store {
            DatabaseStore::Sqlite { conn, .. } => {
                select(conn, table, key).map_err(DbError::sqlite(self.path()))?
            }
            _ => {
                let rows = self.scan(table, &|row| row == key)?;
                rows.into_iter().map(|(_, found)| found).collect()
            }
        };
        found.sort_unstable();
        Ok(found)
    }

    /// All places whose key in a table begins with `prefix`, with their keys, sorted.
    ///
    /// # Errors
    /// As [`Db::find`].
    pub fn find_prefix(
        &self,
        table: IndexTable,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, Match)>, DbError> {
        let mut found = match &self.store {
            DatabaseStore::Sqlite { conn, .. } => {
                select_prefix(conn, table, prefix).map_err(DbError::sqlite(self.path()))?
            }
            _ => self.scan(table, &|row| row.starts_with(prefix))?,
        };
        found.sort_unstable();
        Ok(found)
    }

    /// The directories of all packages with a file of this base name, each with the number of its package; no
    /// directory for a package whose header names none.
    ///
    /// # Errors
    /// As [`Db::find`].
    pub fn dirs_of_owners(
        &self,
        base: &[u8],
        visit: &mut dyn FnMut(u32, Option<&[u8]>),
    ) -> Result<(), DbError> {
        if let DatabaseStore::Sqlite { conn, .. } = &self.store {
            return each_dir(conn, base, visit).map_err(DbError::sqlite(self.path()));
        }
        let mut owners = self.find(IndexTable::Basenames, base)?;
        owners.dedup_by_key(|found| found.hnum);
        for found in owners {
            if let Some(header) = self.get(found.hnum)? {
                let dirs = header.strings(tag::DIRNAMES).map(Some);
                let none = (dirs.len() == 0).then_some(None);
                dirs.chain(none).for_each(|dir| visit(found.hnum, dir));
            }
        }
        Ok(())
    }

    /// One state of the database is read until the value is dropped; SQLite does not ask before each question whether
    /// somebody else has changed it.
    ///
    /// # Errors
    /// The database is damaged or busy.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, DbError> {
        if let DatabaseStore::Sqlite { conn, .. } = &self.store {
            let begun = conn.execute_batch("BEGIN");
            begun.map_err(DbError::sqlite(self.path()))?;
        }
        Ok(Snapshot(self))
    }

    /// Name and number of each header that the index of names has, in the order of the names.
    ///
    /// # Errors
    /// The database is damaged or busy.
    pub fn names(&self) -> Result<Vec<(Vec<u8>, u32)>, DbError> {
        let mut names = Vec::new();
        match &self.store {
            DatabaseStore::Sqlite { conn, .. } => {
                let read = each_key(conn, IndexTable::Name, &mut |name, hnum| {
                    names.push((name, hnum));
                });
                read.map_err(DbError::sqlite(self.path()))?;
            }
            _ => {
                self.for_each(&mut |hnum, header| {
                    let name = header.string(tag::NAME).unwrap_or_default();
                    names.push((name.to_vec(), hnum));
                    ControlFlow::Continue(())
                })?;
            }
        }
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(names)
    }

    /// Number and SHA-1 (in hexadecimal) of each header that the index of these has, by number; none in a database
    /// without this index.
    ///
    /// # Errors
    /// The database is damaged or busy.
    pub fn header_digests(&self) -> Result<Vec<(u32, Vec<u8>)>, DbError> {
        let mut digests = Vec::new();
        if let DatabaseStore::Sqlite { conn, .. } = &self.store {
            let table = IndexTable::Sha1header;
            let mut add = |digest, hnum| digests.push((hnum, digest));
            let has = conn.table_exists(None, table.table());
            let read = has.and_then(|has| match has {
                true => each_key(conn, table, &mut add),
                false => Ok(()),
            });
            read.map_err(DbError::sqlite(self.path()))?;
        }
        digests.sort();
        Ok(digests)
    }

    /// Databases without index tables are read from end to end.
    fn scan(
        &self,
        table: IndexTable,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Vec<(Vec<u8>, Match)>, DbError> {
        let mut found = Vec::new();
        self.for_each(&mut |hnum, header| {
            let rows = index::rows(&header, table).into_iter();
            let rows = rows.filter(|row| wanted(&row.key));
            found.extend(rows.map(|row| (row.key, Match { hnum, idx: row.idx })));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The headers of all packages with this name, by number.
    ///
    /// # Errors
    /// As [`Db::find`] and [`Db::get`].
    pub fn by_name(&self, name: &str) -> Result<Vec<(u32, Header)>, DbError> {
        let mut headers = Vec::new();
        for found in self.find(IndexTable::Name, name.as_bytes())? {
            if let Some(header) = self.get(found.hnum)? {
                headers.push((found.hnum, header));
            }
        }
        Ok(headers)
    }

    /// Provides with this name, of any version.
    ///
    /// # Errors
    /// As [`Db::find`].
    pub fn providers(&self, name: &str) -> Result<Vec<Match>, DbError> {
        self.find(IndexTable::Providename, name.as_bytes())
    }

    /// Files with exactly this absolute path, in any state; `idx` is the file's number. Symbolic links between
    /// directories are the caller's business.
    ///
    /// # Errors
    /// As [`Db::find`] and [`Db::get`].
    pub fn file_owners(&self, path: &[u8]) -> Result<Vec<Match>, DbError> {
        let cut = path.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
        let (dir, base) = path.split_at_checked(cut).unwrap_or_default();
        let mut owners = Vec::new();
        let mut last: Option<(u32, Header)> = None;
        for found in self.find(IndexTable::Basenames, base)? {
            if last.as_ref().is_none_or(|(hnum, _)| *hnum != found.hnum) {
                last = self.get(found.hnum)?.map(|header| (found.hnum, header));
            }
            let is_here = last
                .as_ref()
                .is_some_and(|(_, header)| dir_of(header, found.idx) == Some(dir));
            if is_here {
                owners.push(found);
            }
        }
        Ok(owners)
    }

    /// [`cookie`] of this database.
    ///
    /// # Errors
    /// The database is damaged or busy.
    pub fn cookie(&self) -> Result<String, DbError> {
        Ok(cookie(&self.names()?))
    }
}

/// The database cookie that tdnf's history keeps, of the records of [`Db::names`]: hex SHA-256 over each distinct
/// package name in byte order, followed by the numbers of its headers.
pub fn cookie(records: &[(Vec<u8>, u32)]) -> String {
    let mut hasher = Hasher::new(DigestAlgo::Sha256);
    for of_name in records.chunk_by(|(a, _), (b, _)| a == b) {
        of_name
            .iter()
            .take(1)
            .for_each(|(name, _)| hasher.update(name));
        for (_, hnum) in of_name {
            hasher.update(&hnum.to_ne_bytes());
        }
    }
    hasher.finish().hex()
}

/// See [`Db::snapshot`].
#[must_use = "the state is kept as long as it lives"]
#[derive(Debug)]
pub struct Snapshot<'a>(&'a Db);

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let DatabaseStore::Sqlite { conn, .. } = &self.0.store {
            // Nothing was written: it cannot fail, and the next transaction would say so.
            let _ = conn.execute_batch("COMMIT");
        }
    }
}

/// A header is a database record only with name, version and release.
pub(crate) fn parse(blob: Vec<u8>) -> Result<Header, Option<HeaderError>> {
    let header = Header::parse(blob, HeaderKind::Database).map_err(Some)?;
    let is_named = [tag::NAME, tag::VERSION, tag::RELEASE]
        .iter()
        .all(|tag| header.string(*tag).is_some());
    if is_named { Ok(header) } else { Err(None) }
}

fn dir_of(header: &Header, file: u32) -> Option<&[u8]> {
    let number = header
        .u32s(tag::DIRINDEXES)
        .nth(usize::try_from(file).ok()?)?;
    header
        .strings(tag::DIRNAMES)
        .nth(usize::try_from(number).ok()?)
}

fn each_row(
    conn: &Connection,
    visit: &mut dyn FnMut(u32, Vec<u8>) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(EACH)?;
    let mut rows = statement.query([schema::MAX_HEADER])?;
    while let Some(row) = rows.next()? {
        if visit(row.get(0)?, bytes(row, 1)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn each_key(
    conn: &Connection,
    table: IndexTable,
    add: &mut dyn FnMut(Vec<u8>, u32),
) -> rusqlite::Result<()> {
    let sql = format!("SELECT key, hnum FROM '{}' ORDER BY rowid", table.table());
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        add(bytes(row, 0)?, row.get(1)?);
    }
    Ok(())
}

fn each_dir(
    conn: &Connection,
    base: &[u8],
    visit: &mut dyn FnMut(u32, Option<&[u8]>),
) -> rusqlite::Result<()> {
    let sql = "SELECT owner.hnum, Dirnames.key \
               FROM (SELECT DISTINCT hnum FROM Basenames WHERE key = ?) AS owner \
               LEFT JOIN Dirnames ON Dirnames.hnum = owner.hnum";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([IndexKey(IndexTable::Basenames, base)])?;
    while let Some(row) = rows.next()? {
        let dir = match row.get_ref(1)? {
            ValueRef::Text(dir) | ValueRef::Blob(dir) => Some(dir),
            _ => None,
        };
        visit(row.get(0)?, dir);
    }
    Ok(())
}

/// Text or bytes of a column; nothing for other types, which no rpm writes there.
pub(crate) fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        _ => Vec::new(),
    })
}

/// Keys are compared byte by byte, so those with a prefix stand together from the prefix on.
fn select_prefix(
    conn: &Connection,
    table: IndexTable,
    prefix: &[u8],
) -> rusqlite::Result<Vec<(Vec<u8>, Match)>> {
    let table_name = table.table();
    let sql = format!("SELECT key, hnum, idx FROM '{table_name}' WHERE key >= ? ORDER BY key");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([IndexKey(table, prefix)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = bytes(row, 0)?;
        if !key.starts_with(prefix) {
            break;
        }
        let (hnum, idx) = (row.get(1)?, row.get(2)?);
        found.push((key, Match { hnum, idx }));
    }
    Ok(found)
}

fn select(conn: &Connection, table: IndexTable, key: &[u8]) -> rusqlite::Result<Vec<Match>> {
    let sql = format!("SELECT hnum, idx FROM '{}' WHERE key = ?", table.table());
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([IndexKey(table, key)], |row| {
        Ok(Match {
            hnum: row.get(0)?,
            idx: row.get(1)?,
        })
    })?;
    rows.collect()
}
