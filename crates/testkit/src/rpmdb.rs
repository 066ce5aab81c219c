//! Two `rpmdb.sqlite` files compared row by row, read with python3's sqlite3: an SQLite that is not ours.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::Command;

/// Tags whose values differ between any two runs: INSTALLTIME and INSTALLTID.
pub const TIMES: [u32; 2] = [1008, 1128];

/// One value: its SQLite type and its bytes (integers as decimal text).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// `integer`, `text`, `blob`, `real` or `null`.
    pub kind: String,
    /// The bytes as stored; text need not be UTF-8.
    pub bytes: Vec<u8>,
}

/// All rows of all tables, each table sorted.
pub type Dump = BTreeMap<String, Vec<Vec<Cell>>>;

/// Prints one line per row: the table, then type and hex bytes of each column.
const PRINT_ROWS: &str = "
import sqlite3, sys
db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)
for (table,) in db.execute(\"SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%'\").fetchall():
    print(table)
    columns = [row[1] for row in db.execute(f'PRAGMA table_info(\\'{table}\\')')]
    cells = ', '.join(f'typeof(\"{c}\"), hex(\"{c}\")' for c in columns)
    for row in db.execute(f'SELECT {cells} FROM \\'{table}\\''):
        print(table, *row, sep='\\t')
";
const PRINT_SCHEMA: &str = "
import sqlite3, sys
db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)
for (sql,) in db.execute(\"SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_stat%'\"):
    print(sql)
";

/// Reads a database, with the 32-bit values of `masked` tags in header blobs set to zero, and the keys of the
/// `Installtid` table too when 1128 is one of them. SQLite's own statistics are left out.
pub fn dump(file: &Path, masked: &[u32]) -> Dump {
    let mut tables = Dump::new();
    for line in python(PRINT_ROWS, file).lines() {
        let mut words = line.split('\t');
        let table = words.next().unwrap_or_default().to_owned();
        let words: Vec<_> = words.collect();
        let mut row: Vec<Cell> = words.chunks_exact(2).map(|c| cell(c[0], c[1])).collect();
        mask(&table, &mut row, masked);
        let rows = tables.entry(table).or_default();
        // The line that only names a table stands for one without rows.
        if !row.is_empty() {
            rows.push(row);
        }
    }
    tables.values_mut().for_each(|rows| rows.sort());
    tables
}

/// The statements that made the tables and indexes of a database, sorted.
pub fn schema(file: &Path) -> Vec<String> {
    let mut all: Vec<_> = python(PRINT_SCHEMA, file)
        .lines()
        .map(str::to_owned)
        .collect();
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
        let a = left.get(name).unwrap_or(&none);
        let b = right.get(name).unwrap_or(&none);
        lines.extend(only(a, b).map(|row| format!("{name}: only left: {row}")));
        lines.extend(only(b, a).map(|row| format!("{name}: only right: {row}")));
        if left.contains_key(name) != right.contains_key(name) || a.len() != b.len() {
            lines.push(format!("{name}: {} rows != {} rows", a.len(), b.len()));
        }
    }
    lines.truncate(20);
    lines
}

fn only<'a>(a: &'a [Vec<Cell>], b: &'a [Vec<Cell>]) -> impl Iterator<Item = String> + 'a {
    let known: HashSet<&Vec<Cell>> = b.iter().collect();
    a.iter()
        .filter(move |row| !known.contains(*row))
        .map(|row| row.iter().map(show).collect::<Vec<_>>().join(" | "))
}

/// Text and numbers as they are, bytes as hex.
fn show(cell: &Cell) -> String {
    if cell.kind == "blob" {
        cell.bytes.iter().map(|b| format!("{b:02x}")).collect()
    } else {
        cell.bytes.escape_ascii().to_string()
    }
}

fn python(script: &str, file: &Path) -> String {
    let output = Command::new("/usr/bin/python3")
        .args(["-I", "-S", "-c", script])
        .arg(file)
        .output()
        .expect("python3 runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", file.display());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn cell(kind: &str, hex: &str) -> Cell {
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
    let bytes = hex.as_bytes().chunks_exact(2);
    Cell {
        kind: kind.to_owned(),
        bytes: bytes.map(|p| digit(p[0]) << 4 | digit(p[1])).collect(),
    }
}

fn mask(table: &str, row: &mut [Cell], masked: &[u32]) {
    let Some(cell) = row.iter_mut().find(|cell| cell.kind == "blob") else {
        return;
    };
    if table == "Packages" {
        mask_header(&mut cell.bytes, masked);
    } else if table == "Installtid" && masked.contains(&1128) {
        cell.bytes.fill(0);
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
