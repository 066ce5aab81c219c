//! Other rpm versions, and other users, work with what we wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rpm_db::check::DatabaseFault;
use rpm_db::{Db, DbLocation, FileState, InstalledHeader};
use rpm_pkg::header::tag;
use testkit::rpm::Rpm;
use testkit::rpmdb;

use crate::common::{folder, headers, recipes, write_ours};

const ERASE: [&str; 6] = [
    "-e",
    "--justdb",
    "--nodeps",
    "--noscripts",
    "--notriggers",
    "--noplugins",
];

/// A database of ours in a folder of its own below `top`, so that `--rebuilddb` finds a place beside it.
fn ours(top: &Path) -> PathBuf {
    let dir = top.join("db");
    fs::create_dir(&dir).unwrap();
    write_ours(&dir, &recipes());
    dir
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Every kind of query and change that rpm makes.
fn use_it(rpm: &Rpm, dir: &Path) {
    let all = rpm.ok(&["-qa"]);
    assert_eq!(
        sorted(&all),
        [
            "alpha-1.0-1.x86_64",
            "empty-1~rc1-1.noarch",
            "plain-1~rc1-1.noarch",
            "rootdir-1~rc1-1.noarch"
        ]
    );
    let one = |args: &[&str], expected: &str| {
        assert_eq!(rpm.ok(args).trim(), expected, "{args:?}");
    };
    one(&["-q", "--whatprovides", "virt-a"], "alpha-1.0-1.x86_64");
    one(&["-q", "--whatrequires", "bar"], "alpha-1.0-1.x86_64");
    one(
        &["-q", "--whatrequires", "alpha-both"],
        "alpha-1.0-1.x86_64",
    );
    one(&["-q", "--whatconflicts", "oldthing"], "alpha-1.0-1.x86_64");
    one(&["-qf", "/usr/share/alpha/data2"], "alpha-1.0-1.x86_64");
    one(&["-q", "--qf", "%{FILESTATES}", "plain"], "0");
    one(&["-q", "--qf", "%{INSTALLCOLOR} %{EPOCH}", "alpha"], "3 2");
    one(&["-V", "--nofiles", "--nodeps", "--noscripts", "alpha"], "");
    rpm.program_ok("rpmdb", &["--verifydb"]);
    let mut args = ERASE.to_vec();
    args.push("alpha");
    rpm.ok(&args);
    assert_eq!(rpm.ok(&["-qa"]).lines().count(), 3);
    rpm.program_ok("rpmdb", &["--verifydb"]);
    {
        let db = Db::open_read(&DbLocation::at(dir).unwrap()).unwrap();
        assert_eq!(db.count().unwrap(), 3);
        assert!(db.by_name("alpha").unwrap().is_empty());
        assert_eq!(db.check().unwrap(), []);
    }
    rpm.program_ok("rpmdb", &["--rebuilddb"]);
    let db = Db::open_write(&DbLocation::at(dir).unwrap()).unwrap();
    assert_eq!(db.check().unwrap(), []);
    assert_eq!(db.count().unwrap(), 3);
}

#[test]
fn rpm_4_18() {
    let top = folder();
    let dir = ours(top.path());
    use_it(&Rpm::on_db(&dir), &dir);
}

fn oracle(name: &str) {
    let Some(root) = testkit::fixtures::oracle(name) else {
        return;
    };
    let top = folder();
    let dir = ours(top.path());
    use_it(&Rpm::oracle(&root, &dir), &dir);
}

fn wrong_digests(dir: &Path) -> BTreeSet<u32> {
    let db = Db::open_read(&DbLocation::at(dir).unwrap()).unwrap();
    let numbers = db
        .check()
        .unwrap()
        .into_iter()
        .map(|finding| match finding {
            DatabaseFault::Digest { hnum, .. } => hnum,
            other => panic!("{other:?}"),
        });
    numbers.collect()
}

/// Numbers in lines `error: rpmdbNextIterator: skipping h#     109`.
fn hidden_by_rpm(dir: &Path) -> BTreeSet<u32> {
    let said = Rpm::on_db(dir).run(&["-qa"]).err;
    said.lines()
        .filter_map(|line| line.split_once("skipping h#"))
        .map(|(_, number)| number.trim().parse().unwrap())
        .collect()
}

/// All good real packages in one database: every rpm lists them, finds no fault, and rebuilds the same rows.
fn real_packages(rpm: &dyn Fn(&Path) -> Rpm) {
    let Some(rpms) = testkit::fixtures::real_rpms() else {
        return;
    };
    let mut files: Vec<_> = rpms
        .into_iter()
        .filter(|r| r.error.is_empty())
        .map(|r| r.path)
        .filter(|path| headers(path).is_ok_and(|(_, main)| !main.has(tag::SOURCEPACKAGE)))
        .collect();
    // rpm hides headers with a wrong digest, which our check finds, and one with a malformed signature packet, which
    // is for the trust policy to refuse before it is ever stored.
    let scratch = folder();
    write_ours(scratch.path(), &files);
    let wrong = wrong_digests(scratch.path());
    let hidden = hidden_by_rpm(scratch.path());
    assert!(wrong.is_subset(&hidden), "{wrong:?} {hidden:?}");
    assert!(hidden.len() <= wrong.len() + 1, "{wrong:?} {hidden:?}");
    let mut number = 0;
    files.retain(|_| {
        number += 1;
        !hidden.contains(&number)
    });
    let top = folder();
    let dir = top.path().join("db");
    fs::create_dir(&dir).unwrap();
    write_ours(&dir, &files);
    let rpm = rpm(&dir);
    assert_eq!(rpm.ok(&["-qa"]).lines().count(), files.len());
    rpm.program_ok("rpmdb", &["--verifydb"]);
    let rows = || {
        let mut dump = rpmdb::dump(&dir.join("rpmdb.sqlite"), &[]);
        dump.remove("sqlite_sequence");
        dump
    };
    let before = rows();
    rpm.program_ok("rpmdb", &["--rebuilddb"]);
    assert_eq!(rpmdb::differences(&before, &rows()), [""; 0]);
}

#[test]
fn real_packages_under_4_18() {
    real_packages(&|dir| Rpm::on_db(dir));
}

#[test]
fn real_packages_under_other_versions() {
    for name in ["bullseye", "trixie", "sid"] {
        if let Some(root) = testkit::fixtures::oracle(name) {
            real_packages(&|dir| Rpm::oracle(&root, dir));
        }
    }
}

#[test]
fn rpm_4_16() {
    oracle("bullseye");
}

#[test]
fn rpm_4_20() {
    oracle("trixie");
}

#[test]
fn rpm_6_1() {
    oracle("sid");
}

#[test]
fn anybody_may_query_after_our_write() {
    let top = folder();
    let dir = ours(top.path());
    assert_eq!(fs::metadata(dir.join("rpmdb.sqlite-wal")).unwrap().len(), 0);
    assert_eq!(
        fs::metadata(dir.join("rpmdb.sqlite-shm")).unwrap().len(),
        32768
    );
    let nobody = Rpm::on_db(&dir).unprivileged();
    assert_eq!(nobody.ok(&["-qa"]).lines().count(), 4);
}

/// States are what `rpm -V` and `rpm -e` go by (docs/reference/transactions.md, 4.4 and 4.11).
#[test]
fn states_can_be_rewritten() {
    let top = folder();
    let dir = ours(top.path());
    {
        let db = Db::open_write(&DbLocation::at(&dir).unwrap()).unwrap();
        let (hnum, header) = db.by_name("plain").unwrap().remove(0);
        let states = [FileState::NotInstalled];
        let changed = InstalledHeader::with_states(&header, &states).unwrap();
        let mut tx = db.begin().unwrap();
        tx.rewrite(hnum, changed.blob()).unwrap();
        tx.commit().unwrap();
        assert_eq!(db.check().unwrap(), []);
        let header = db.get(hnum).unwrap().unwrap();
        assert_eq!(FileState::of(&header).collect::<Vec<_>>(), states);
    }
    let rpm = Rpm::on_db(&dir);
    assert_eq!(rpm.ok(&["-q", "--qf", "%{FILESTATES}", "plain"]), "2");
    rpm.program_ok("rpmdb", &["--verifydb"]);
}

#[test]
fn an_undone_transaction_leaves_nothing() {
    let top = folder();
    let dir = ours(top.path());
    let before = Rpm::on_db(&dir).ok(&["-qa"]);
    let db = Db::open_write(&DbLocation::at(&dir).unwrap()).unwrap();
    let hnum = db.by_name("alpha").unwrap()[0].0;
    let mut tx = db.begin().unwrap();
    tx.remove(hnum).unwrap();
    assert!(db.begin().is_err());
    assert_eq!(db.count().unwrap(), 3);
    // Others see the old state meanwhile.
    assert_eq!(Rpm::on_db(&dir).ok(&["-qa"]), before);
    drop(tx);
    assert_eq!(db.count().unwrap(), 4);
    assert_eq!(db.check().unwrap(), []);
    assert_eq!(Rpm::on_db(&dir).ok(&["-qa"]), before);
}
