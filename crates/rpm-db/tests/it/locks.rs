//! `.rpm.lock` between us and real rpm.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rpm_db::{Db, DbError, DbLocation, TransactionLock, Wait, lock};
use testkit::rpm::Rpm;
use testkit::spec::Spec;

use crate::common::{folder, installed, recipes, write_ours};

/// Sleeps while it is installed.
fn sleeper() -> PathBuf {
    let spec = Spec::new("sleeper", "1").script("pre -p <lua>", "posix.sleep(2)");
    spec.files("").build()
}

fn take(dir: &std::path::Path, wait: Wait) -> Result<TransactionLock, DbError> {
    TransactionLock::acquire(dir, wait, &mut |_| true)
}

#[test]
fn rpm_waits_for_us() {
    let dir = folder();
    write_ours(dir.path(), &recipes());
    let rpm = Rpm::on_db(dir.path());
    let erase = [
        "-e",
        "--justdb",
        "--nodeps",
        "--noscripts",
        "--notriggers",
        "alpha",
    ];
    let held = take(dir.path(), Wait::Never).unwrap();
    assert!(held.is_held());
    assert_eq!(
        lock::current_holder(dir.path()).unwrap(),
        Some(std::process::id())
    );
    let output = rpm.run(&erase);
    assert!(!output.success());
    let said = output.err;
    assert!(said.contains("lock"), "{said}");
    // Queries go on, and a second try of our own neither succeeds nor frees the first.
    assert_eq!(rpm.ok(&["-qa"]).lines().count(), 4);
    assert!(matches!(
        take(dir.path(), Wait::Never),
        Err(DbError::Locked { .. })
    ));
    assert!(!rpm.run(&erase).success());
    drop(held);
    rpm.ok(&erase);
    assert!(dir.path().join(".rpm.lock").exists());
}

#[test]
fn we_wait_for_rpm() {
    let root = folder();
    let dbpath = root.path().join("var/lib/rpm");
    fs::create_dir_all(&dbpath).unwrap();
    let package = sleeper();
    let mut rpm = Rpm::on_root(root.path())
        .command("rpm")
        .args(["-i", "--nodeps", "--noplugins"])
        .arg(&package)
        .spawn()
        .unwrap();
    let start = Instant::now();
    let error = loop {
        match take(&dbpath, Wait::Never) {
            Err(error) => break error,
            Ok(lock) => drop(lock),
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "rpm never took its lock"
        );
        std::thread::sleep(Duration::from_millis(10));
    };
    let DbError::Locked { pid, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(pid, Some(rpm.id()));
    let mut asked = Vec::new();
    let refused = TransactionLock::acquire(&dbpath, Wait::Forever, &mut |pid| {
        asked.push(pid);
        false
    });
    assert!(matches!(refused, Err(DbError::Locked { .. })));
    assert_eq!(asked, [Some(rpm.id())]);
    let held = take(&dbpath, Wait::AtMost(Duration::from_secs(20))).unwrap();
    assert!(rpm.wait().unwrap().success());
    drop(held);
    assert_eq!(lock::current_holder(&dbpath).unwrap(), None);
}

/// docs/threats.md, row 98: the kernel frees the lock of a holder that is killed; the file stays.
#[test]
fn a_killed_holder_leaves_no_lock() {
    let root = folder();
    let dbpath = root.path().join("var/lib/rpm");
    fs::create_dir_all(&dbpath).unwrap();
    let package = sleeper();
    let mut rpm = Rpm::on_root(root.path())
        .command("rpm")
        .args(["-i", "--nodeps", "--noplugins"])
        .arg(&package)
        .spawn()
        .unwrap();
    let start = Instant::now();
    while lock::current_holder(&dbpath).unwrap().is_none() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "rpm never took its lock"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    rpm.kill().unwrap();
    rpm.wait().unwrap();
    assert!(take(&dbpath, Wait::Never).unwrap().is_held());
    assert!(dbpath.join(".rpm.lock").exists());
}

/// docs/threats.md, row 97: writers one after the other, readers in between, nothing lost.
#[test]
fn many_at_once() {
    let dir = folder();
    write_ours(dir.path(), &[]);
    let blobs: Vec<Vec<u8>> = recipes().iter().map(|f| installed(f)).collect();
    std::thread::scope(|scope| {
        for number in 0..20 {
            let (dir, blobs) = (dir.path(), &blobs);
            scope.spawn(move || {
                let held = take(dir, Wait::Forever).unwrap();
                let location = DbLocation::at(dir).unwrap();
                let db = Db::open_write(&location).unwrap();
                let mut tx = db.begin().unwrap();
                tx.add(&blobs[number % blobs.len()]).unwrap();
                tx.commit().unwrap();
                drop(db);
                drop(held);
            });
        }
        for _ in 0..5 {
            let dir = dir.path();
            scope.spawn(move || Rpm::on_db(dir).ok(&["-qa"]));
            scope.spawn(move || {
                let db = Db::open_read(&DbLocation::at(dir).unwrap()).unwrap();
                assert!(db.count().unwrap() <= 20);
            });
        }
    });
    let db = Db::open_read(&DbLocation::at(dir.path()).unwrap()).unwrap();
    assert_eq!(db.count().unwrap(), 20);
    assert_eq!(db.check().unwrap(), []);
    assert_eq!(Rpm::on_db(dir.path()).ok(&["-qa"]).lines().count(), 20);
}

#[test]
fn a_link_in_place_of_the_lock_is_refused() {
    let dir = folder();
    let outside = folder();
    let target = outside.path().join("file");
    std::os::unix::fs::symlink(&target, dir.path().join(".rpm.lock")).unwrap();
    assert!(matches!(
        take(dir.path(), Wait::Never),
        Err(DbError::Io { .. })
    ));
    assert!(!target.exists());
}
