//! Databases that are only read: pages of Berkeley DB, slots and blobs of ndb.
//!
//! Input: a file; the first byte chooses which of the two it is.

use std::ops::ControlFlow;

use rpm_db::{Db, DbLocation};

/// One input.
pub fn run(data: &[u8]) {
    let Some((form, file)) = data.split_first() else {
        return;
    };
    let dir = tempfile::tempdir().expect("there is room");
    let name = ["Packages", "Packages.db"][usize::from(form % 2)];
    std::fs::write(dir.path().join(name), file).expect("there is room");
    let place = DbLocation::at(dir.path()).expect("one database is there");
    let Ok(db) = Db::open_read(&place) else {
        return;
    };
    let mut read = 0;
    let seen = db.for_each(&mut |_, _| {
        read += 1;
        ControlFlow::Continue(())
    });
    // What was found is counted: no header is lost in silence.
    if let Ok(damaged) = seen {
        assert_eq!(read + damaged.len(), db.count().expect("it was read"));
    }
}
