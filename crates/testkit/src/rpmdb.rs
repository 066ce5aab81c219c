//! Two `rpmdb.sqlite` files compared row by row.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags};

/// Tags whose values differ between any two runs: INSTALLTIME and INSTALLTID.
pub const TIMES: [u32; 2] = [1008, 1128];

/// All rows of all tables, each table sorted.
pub type Dump = BTreeMap<String, Vec<Vec<Value>>>;

/// Reads a database, with the 32-bit values of `masked` tags in header blobs set to zero, and the keys of the
/// `Installtid` table too when 1128 is one of them. SQLite's own statistics are left out.
pub fn dump(file: &Path, masked: &[u32]) -> Dump {
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let names = strings(
        &conn,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'sqlite_stat1'",
    );
    let mut tables = Dump::new();
    for name in names {
        let mut rows = rows(&conn, &name);
        for row in &mut rows {
            mask(&name, row, masked);
        }
        rows.sort_by_cached_key(|row| format!("{row:?}"));
        tables.insert(name, rows);
    }
    tables
}

/// The statements that made the tables and indexes of a database, sorted.
pub fn schema(file: &Path) -> Vec<String> {
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut all = strings(
        &conn,
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_stat%'",
    );
    all.sort();
    all
}

/// Lines that say where two dumps differ, at most twenty; empty when they are the same.
pub fn differences(left: &Dump, right: &Dump) -> Vec<String> {
    let mut lines = Vec::new();
    let mut names: Vec<_> = left.keys().chain(right.keys()).collect();
    names.sort();
    names.dedup();
    let none = Vec::new();
    for name in names {
        let (a, b) = (
            left.get(name).unwrap_or(&none),
            right.get(name).unwrap_or(&none),
        );
        lines.extend(only(a, b).map(|row| format!("{name}: only left: {row}")));
        lines.extend(only(b, a).map(|row| format!("{name}: only right: {row}")));
        if a.len() != b.len() {
            lines.push(format!("{name}: {} rows != {} rows", a.len(), b.len()));
        }
    }
    lines.truncate(20);
    lines
}

fn only<'a>(a: &'a [Vec<Value>], b: &'a [Vec<Value>]) -> impl Iterator<Item = String> + 'a {
    let known: std::collections::HashSet<String> = b.iter().map(|row| format!("{row:?}")).collect();
    a.iter()
        .map(|row| format!("{row:?}"))
        .filter(move |row| !known.contains(row))
        .map(|row| row.chars().take(6000).collect())
}

fn strings(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(sql).expect("the database is sound");
    let rows = statement.query_map([], |row| row.get(0));
    rows.and_then(Iterator::collect)
        .expect("the database is sound")
}

fn rows(conn: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut statement = conn
        .prepare(&format!("SELECT * FROM '{table}'"))
        .expect("the database is sound");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..columns)
            .map(|i| row.get_ref(i).map(keep_bytes))
            .collect()
    });
    rows.and_then(Iterator::collect)
        .expect("the database is sound")
}

/// Keys need not be UTF-8: such text is kept as bytes.
fn keep_bytes(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::Integer(i),
        ValueRef::Real(r) => Value::Real(r),
        ValueRef::Blob(b) => Value::Blob(b.to_vec()),
        ValueRef::Text(t) => match std::str::from_utf8(t) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Text(format!("{t:?}")),
        },
    }
}

fn mask(table: &str, row: &mut [Value], masked: &[u32]) {
    let blob = row.iter_mut().find_map(|value| match value {
        Value::Blob(bytes) => Some(bytes),
        _ => None,
    });
    let Some(bytes) = blob else { return };
    if table == "Packages" {
        mask_header(bytes, masked);
    } else if table == "Installtid" && masked.contains(&1128) {
        bytes.fill(0);
    }
}

fn mask_header(blob: &mut [u8], masked: &[u32]) {
    let word = |at: usize, blob: &[u8]| {
        let bytes: [u8; 4] = blob[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes)
    };
    let entries = word(0, blob) as usize;
    let data = 8 + 16 * entries;
    for entry in (0..entries).map(|i| 8 + 16 * i) {
        if masked.contains(&word(entry, blob)) {
            let at = data + word(entry + 8, blob) as usize;
            blob[at..at + 4].fill(0);
        }
    }
}
