//! The rows that one header has in each index table (docs/reference/rpmdb.md, 2.3). The same function writes them and checks them.

use std::collections::HashSet;

use rpm_pkg::dep::{DepFlags, rich};
use rpm_pkg::header::{Header, tag};

use crate::schema::IndexTable;

/// One row of an index table, without the header number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexRow {
    /// The key: text without NUL (not always UTF-8), or bytes for [`Index::is_blob`] tables.
    pub key: Vec<u8>,
    /// Which element of the tag, or which script in the two file trigger tables.
    pub idx: u32,
}

/// All rows of `header` in the table `index`.
pub fn rows(header: &Header, index: IndexTable) -> Vec<IndexRow> {
    match index {
        IndexTable::Name | IndexTable::Sha1header => single(header.string(index.tag())),
        IndexTable::Group => single(Some(header.string(tag::GROUP).unwrap_or(b"Unknown"))),
        // The key is in the byte order of the machine, unlike the value in the header.
        IndexTable::Installtid => {
            let tid = header.u32(tag::INSTALLTID).map(u32::to_ne_bytes);
            single(tid.as_ref().map(<[u8; 4]>::as_slice))
        }
        IndexTable::Sigmd5 => single(header.bin(tag::SIGMD5)),
        IndexTable::Filetriggername => by_script(header, index, tag::FILETRIGGERINDEX),
        IndexTable::Transfiletriggername => by_script(header, index, tag::TRANSFILETRIGGERINDEX),
        IndexTable::Triggername => distinct(header, index),
        IndexTable::Requirename => requirements(header),
        _ => elements(header, index),
    }
}

fn single(key: Option<&[u8]>) -> Vec<IndexRow> {
    let row = |key: &[u8]| IndexRow {
        key: key.to_vec(),
        idx: 0,
    };
    key.map(row).into_iter().collect()
}

/// The strings of a table's tag with their numbers.
fn numbered(header: &Header, index: IndexTable) -> impl Iterator<Item = (u32, &[u8])> {
    (0u32..).zip(header.strings(index.tag()))
}

fn elements(header: &Header, index: IndexTable) -> Vec<IndexRow> {
    let mut rows = Vec::with_capacity(header.count(index.tag()));
    for (idx, key) in numbered(header, index) {
        push(&mut rows, index, key, idx);
    }
    rows
}

fn requirements(header: &Header) -> Vec<IndexRow> {
    let mut flags = header.u32s(tag::REQUIREFLAGS);
    let mut rows = Vec::new();
    for (idx, key) in numbered(header, IndexTable::Requirename) {
        if !flags
            .next()
            .is_some_and(|flags| DepFlags(flags).is_transient())
        {
            push(&mut rows, IndexTable::Requirename, key, idx);
        }
    }
    rows
}

fn by_script(header: &Header, index: IndexTable, script_tag: u32) -> Vec<IndexRow> {
    let mut scripts = header.u32s(script_tag);
    numbered(header, index)
        .map(|(idx, key)| IndexRow {
            key: key.to_vec(),
            idx: scripts.next().unwrap_or(idx),
        })
        .collect()
}

fn distinct(header: &Header, index: IndexTable) -> Vec<IndexRow> {
    let mut seen = HashSet::new();
    numbered(header, index)
        .filter(|(_, key)| seen.insert(*key))
        .map(|(idx, key)| IndexRow {
            key: key.to_vec(),
            idx,
        })
        .collect()
}

fn push(rows: &mut Vec<IndexRow>, index: IndexTable, key: &[u8], idx: u32) {
    rows.push(IndexRow {
        key: key.to_vec(),
        idx,
    });
    if index.may_be_rich() && key.starts_with(b"(") {
        let names = std::str::from_utf8(key).map(rich::index_names);
        // Text that is no rich dependency has the one row only.
        let names = names.unwrap_or(Ok(Vec::new())).unwrap_or_default();
        rows.extend(names.into_iter().map(|name| IndexRow {
            key: name.into_bytes(),
            idx,
        }));
    }
}
