//! Damaged databases: an error or a finding, never a panic, and nothing hangs (docs/threats.md, row 70).

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use rpm_db::check::DatabaseFault;
use rpm_db::{Db, DbError, DbLocation, IndexTable};

use testkit::{mounts, program};

use crate::common::{folder, installed, recipes, write_ours};

/// Uses every way of reading; answers whether anything was noticed.
fn read_all(dir: &Path) -> Result<bool, DbError> {
    let db = Db::open_read(&DbLocation::at(dir)?)?;
    let damaged = db.for_each(&mut |_, _| ControlFlow::Continue(()))?;
    db.count()?;
    db.cookie()?;
    for table in IndexTable::ALL {
        db.find(table, b"alpha")?;
    }
    db.file_owners(b"/usr/bin/alpha")?;
    Ok(!damaged.is_empty() || !db.check()?.is_empty())
}

/// docs/threats.md, row 70.
#[test]
fn damaged_pages() {
    let dir = folder();
    write_ours(dir.path(), &recipes());
    let file = dir.path().join("rpmdb.sqlite");
    let good = fs::read(&file).unwrap();
    assert!(!read_all(dir.path()).unwrap());
    let mut noticed = 0;
    let pages = good.len() / 4096;
    for page in 0..pages {
        for byte in [0x00, 0xff, 0x5a] {
            let mut bad = good.clone();
            bad[page * 4096..(page + 1) * 4096].fill(byte);
            fs::write(&file, bad).unwrap();
            noticed += usize::from(read_all(dir.path()).unwrap_or(true));
        }
    }
    assert!(noticed >= pages * 3 * 9 / 10, "{noticed} of {}", pages * 3);
    fs::write(&file, &good).unwrap();
    assert!(!read_all(dir.path()).unwrap());
}

#[test]
fn cut_and_foreign_files() {
    let dir = folder();
    write_ours(dir.path(), &recipes());
    let file = dir.path().join("rpmdb.sqlite");
    let good = fs::read(&file).unwrap();
    for length in [1, 99, 100, 4095, 4096, 20_000, good.len() - 4096] {
        fs::write(&file, &good[..length]).unwrap();
        assert!(read_all(dir.path()).unwrap_or(true), "{length}");
    }
    fs::write(
        &file,
        "this is not a database, but it is long enough to look like one".repeat(99),
    )
    .unwrap();
    let error = read_all(dir.path()).unwrap_err();
    assert!(matches!(error, DbError::Corrupt { .. }), "{error}");
    let error = Db::open_write(&DbLocation::at(dir.path()).unwrap()).unwrap_err();
    assert!(matches!(error, DbError::Corrupt { .. }), "{error}");
}

#[test]
fn wrong_rows_and_headers_are_found() {
    let dir = folder();
    write_ours(dir.path(), &recipes());
    let conn = rusqlite::Connection::open(dir.path().join("rpmdb.sqlite")).unwrap();
    conn.execute_batch(
        "DELETE FROM Name WHERE key = 'plain'; UPDATE Providename SET key = 'other' WHERE key = 'virt-a';
         UPDATE Packages SET blob = x'00000001' WHERE hnum = (SELECT hnum FROM Name WHERE key = 'empty');",
    )
    .unwrap();
    drop(conn);
    let db = Db::open_read(&DbLocation::at(dir.path()).unwrap()).unwrap();
    let damaged = db.for_each(&mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(damaged.len(), 1);
    let error = db.get(damaged[0].hnum).unwrap_err();
    assert!(matches!(error, DbError::BadRecord { .. }), "{error}");
    let findings = db.check().unwrap();
    let has = |wanted: &dyn Fn(&DatabaseFault) -> bool| findings.iter().any(wanted);
    assert!(has(&|f| matches!(f, DatabaseFault::Damaged { .. })));
    assert!(has(
        &|f| matches!(f, DatabaseFault::Missing { table: IndexTable::Name, row, .. } if row.key == b"plain")
    ));
    assert!(has(
        &|f| matches!(f, DatabaseFault::Missing { table: IndexTable::Providename, row, .. } if row.key == b"virt-a")
    ));
    assert!(has(
        &|f| matches!(f, DatabaseFault::Extra { table: IndexTable::Providename, row, .. } if row.key == b"other")
    ));
}

#[test]
fn what_is_no_header_is_not_stored() {
    let dir = folder();
    let db = Db::open_write(&DbLocation::at(dir.path()).unwrap()).unwrap();
    let mut tx = db.begin().unwrap();
    assert!(matches!(tx.add(b""), Err(DbError::BadHeader { .. })));
    assert!(matches!(
        tx.add(&[0xff; 64]),
        Err(DbError::BadHeader { .. })
    ));
    assert!(matches!(
        tx.remove(7),
        Err(DbError::NoRecord { hnum: 7, .. })
    ));
}

/// A stranger's database may hold views and triggers; they do not run.
#[test]
fn foreign_schema_does_not_run() {
    let dir = folder();
    write_ours(dir.path(), &recipes());
    let conn = rusqlite::Connection::open(dir.path().join("rpmdb.sqlite")).unwrap();
    conn.execute_batch(
        "CREATE TRIGGER evil AFTER INSERT ON Name BEGIN DELETE FROM Packages; END;
         ALTER TABLE Providename RENAME TO hidden; CREATE VIEW Providename AS SELECT * FROM hidden;",
    )
    .unwrap();
    drop(conn);
    let db = Db::open_read(&DbLocation::at(dir.path()).unwrap()).unwrap();
    assert!(db.providers("virt-a").is_err());
    assert_eq!(db.count().unwrap(), 4);
}

#[test]
fn damaged_ndb() {
    let Some(real) = testkit::fixtures::real() else {
        return;
    };
    let good = fs::read(real.join("knqyf263+go-rpmdb/pkg/testdata/sle15-bci/Packages.db")).unwrap();
    let dir = folder();
    let file = dir.path().join("Packages.db");
    let mut refused = 0;
    for at in (0..8192).step_by(97) {
        let mut bad = good.clone();
        bad[at..at + 4].fill(0xff);
        fs::write(&file, bad).unwrap();
        refused += usize::from(read_all(dir.path()).unwrap_or(true));
    }
    assert!(refused > 0);
    for length in [0, 31, 32, 4095, 4096, good.len() / 2] {
        fs::write(&file, &good[..length]).unwrap();
        assert!(read_all(dir.path()).is_err(), "{length}");
    }
    // Slots that share a header: a small file must not become any amount of work.
    let used: Vec<usize> = (32..4096)
        .step_by(16)
        .filter(|at| good[at + 4..at + 8] != [0; 4] && good[at + 8..at + 12] != [0; 4])
        .collect();
    let [first, second, ..] = used[..] else {
        panic!("two headers at least")
    };
    let mut twice = good.clone();
    twice.copy_within(first..first + 16, second);
    fs::write(&file, twice).unwrap();
    let error = read_all(dir.path()).unwrap_err();
    assert!(
        error.to_string().contains("two headers with one number"),
        "{error}"
    );
    let mut wide = good.clone();
    wide[second + 12..second + 16].copy_from_slice(&u32::MAX.to_le_bytes());
    fs::write(&file, wide).unwrap();
    let error = read_all(dir.path()).unwrap_err();
    assert!(
        error.to_string().contains("headers larger than the file"),
        "{error}"
    );
}

/// What [`a_full_disk_changes_nothing`] runs on a small file system.
#[test]
fn child_fills_the_disk() {
    let Some(dir) = std::env::var_os("RPM_DB_TEST_SMALL") else {
        return;
    };
    let location = DbLocation::at(Path::new(&dir)).unwrap();
    let files = recipes();
    write_ours(Path::new(&dir), &files);
    {
        let db = Db::open_write(&location).unwrap();
        let blob = installed(&files[0]);
        let mut tx = db.begin().unwrap();
        let mut result = Ok(0);
        for _ in 0..2000 {
            result = tx.add(&blob);
            if result.is_err() {
                break;
            }
        }
        let error = result.map(|_| tx.commit()).unwrap_err();
        assert!(matches!(error, DbError::Full { .. }), "{error}");
    }
    let db = Db::open_read(&DbLocation::at(Path::new(&dir)).unwrap()).unwrap();
    assert_eq!(db.count().unwrap(), files.len());
    assert_eq!(db.check().unwrap(), []);
    println!("nothing changed");
}

#[test]
fn a_full_disk_changes_nothing() {
    recipes();
    let dir = folder();
    let fill = "mount -t tmpfs -o size=1m tmpfs \"$1\"; \
                exec \"$2\" --exact damage::child_fills_the_disk --nocapture";
    let mut command = mounts::shell(fill);
    command
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env("RPM_DB_TEST_SMALL", dir.path());
    let run = program::run(&mut command);
    assert!(run.out.contains("nothing changed"), "{}", run.text());
}

/// What [`a_killed_writer_leaves_the_old_state`] runs.
#[test]
fn child_dies_while_writing() {
    let Some(dir) = std::env::var_os("RPM_DB_TEST_KILL") else {
        return;
    };
    let db = Db::open_write(&DbLocation::at(Path::new(&dir)).unwrap()).unwrap();
    let mut tx = db.begin().unwrap();
    for file in recipes() {
        tx.add(&installed(&file)).unwrap();
    }
    tx.remove(1).unwrap();
    std::process::abort();
}

#[test]
fn a_killed_writer_leaves_the_old_state() {
    let dir = folder();
    let files = recipes();
    write_ours(dir.path(), &files);
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "damage::child_dies_while_writing"])
        .env("RPM_DB_TEST_KILL", dir.path())
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    let rpm = testkit::rpm::Rpm::on_db(dir.path());
    assert_eq!(
        rpm.clone().unprivileged().ok(&["-qa"]).lines().count(),
        files.len()
    );
    let db = Db::open_read(&DbLocation::at(dir.path()).unwrap()).unwrap();
    assert_eq!(db.count().unwrap(), files.len());
    assert_eq!(db.check().unwrap(), []);
    rpm.program_ok("rpmdb", &["--verifydb"]);
}
