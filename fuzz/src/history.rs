//! `history.db`, as an image or a broken disk may bring it.
//!
//! Input: a first byte of 0: the file; of anything else: edits of a good one.

use std::path::Path;
use std::sync::OnceLock;

// Taken in by path: the whole program would bring its network into this build.
#[allow(dead_code, unused_imports)]
#[path = "../../tdnf/src/history/mod.rs"]
mod history;

use history::{Begun, FILE, History, InstalledSet};

/// One input.
pub fn run(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    let file = match form {
        0 => rest.to_vec(),
        _ => super::edited(good().clone(), rest),
    };
    let dir = tempfile::tempdir().expect("there is room");
    std::fs::write(dir.path().join(FILE), file).expect("there is room");
    let _ = read(dir.path());
    let _ = change(dir.path());
    let _ = read(dir.path());
}

fn installed(cookie: &str, nevras: &[&str]) -> InstalledSet {
    InstalledSet {
        nevras: nevras.iter().map(|one| (*one).to_owned()).collect(),
        cookie: cookie.to_owned(),
        only: None,
    }
}

fn begun() -> Begun {
    Begun {
        command_line: "install b".into(),
        now: 1_700_000_000,
        flags: [("b".to_owned(), 1)].into(),
        added: vec!["b-2-1.noarch".into()],
        removed: vec!["a-1-1.noarch".into()],
        weak: vec![("b-2-1.noarch".into(), "sha1".into())],
    }
}

/// Three transactions, a failure, and one that was begun.
fn good() -> &'static Vec<u8> {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| {
        let dir = tempfile::tempdir().expect("there is room");
        change(dir.path()).expect("a history");
        let db = History::open(dir.path()).expect("a history");
        db.begin(&begun()).expect("a history");
        drop(db);
        std::fs::read(dir.path().join(FILE)).expect("a history")
    })
}

fn read(dir: &Path) -> Result<(), history::HistoryError> {
    let Some(db) = History::open_read(dir)? else {
        return Ok(());
    };
    let entries = db.entries();
    let _ = (db.failures(), db.has_begun());
    for entry in entries?.iter().take(8) {
        let _ = (db.state_at(entry.id), db.flags_at(entry.id));
    }
    Ok(())
}

fn change(dir: &Path) -> Result<(), history::HistoryError> {
    History::settle(dir)?;
    let db = History::open(dir)?;
    db.settle_begun(&installed("c1", &["a-1-1.noarch"]))?;
    db.sync(&installed("c1", &["a-1-1.noarch"]), 1)?;
    db.begin(&begun())?;
    db.record(&begun(), &installed("c2", &["b-2-1.noarch"]))?;
    db.record_failure("erase b", 3, "no")
}
