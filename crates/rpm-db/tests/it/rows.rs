//! Row for row the same as real rpm 4.18.

use std::fs;
use std::path::Path;

use rpm_db::{Db, DbLocation};
use rpm_pkg::header::{HeaderError, tag};
use testkit::rpm::Rpm;
use testkit::rpmdb;

use crate::common::{self, folder, recipes, write_ours, write_theirs};

fn compare(ours: &Path, theirs: &Path) -> Vec<String> {
    let dump = |dir: &Path| rpmdb::dump(&dir.join("rpmdb.sqlite"), &rpmdb::TIMES);
    rpmdb::differences(&dump(ours), &dump(theirs))
}

#[test]
fn recipes_have_the_same_rows() {
    let (ours, theirs) = (folder(), folder());
    let files = recipes();
    write_ours(ours.path(), &files);
    write_theirs(theirs.path(), &files);
    assert_eq!(compare(ours.path(), theirs.path()), [""; 0]);
    let schema = |dir: &Path| rpmdb::schema(&dir.join("rpmdb.sqlite"));
    assert_eq!(schema(ours.path()), schema(theirs.path()));
}

#[test]
fn removal_leaves_the_same_rows() {
    let (ours, theirs) = (folder(), folder());
    let files = recipes();
    write_ours(ours.path(), &files);
    write_theirs(theirs.path(), &files);
    Rpm::on_db(theirs.path()).ok(&[
        "-e",
        "--justdb",
        "--nodeps",
        "--noscripts",
        "--notriggers",
        "alpha",
    ]);
    {
        let db = Db::open_write(&DbLocation::at(ours.path()).unwrap()).unwrap();
        let hnum = db.by_name("alpha").unwrap()[0].0;
        let mut tx = db.begin().unwrap();
        tx.remove(hnum).unwrap();
        tx.commit().unwrap();
        assert!(db.by_name("alpha").unwrap().is_empty());
    }
    assert_eq!(compare(ours.path(), theirs.path()), [""; 0]);
}

/// Every good binary package among the real ones, each in a fresh database.
#[test]
fn real_packages_have_the_same_rows() {
    let Some(rpms) = testkit::fixtures::real_rpms() else {
        return;
    };
    let (ours, theirs) = (folder(), folder());
    let (empty_ours, empty_theirs) = (folder(), folder());
    write_ours(empty_ours.path(), &[]);
    Rpm::on_db(empty_theirs.path()).program_ok("rpmdb", &["--initdb"]);
    let mut compared = 0;
    let mut wrong = Vec::new();
    for rpm in rpms
        .iter()
        .filter(|r| r.error.is_empty() && !r.nevra.ends_with(".src"))
    {
        fs::copy(
            empty_ours.path().join("rpmdb.sqlite"),
            ours.path().join("rpmdb.sqlite"),
        )
        .unwrap();
        fs::copy(
            empty_theirs.path().join("rpmdb.sqlite"),
            theirs.path().join("rpmdb.sqlite"),
        )
        .unwrap();
        for dir in [&ours, &theirs] {
            for side in ["rpmdb.sqlite-wal", "rpmdb.sqlite-shm"] {
                let _ = fs::remove_file(dir.path().join(side));
            }
        }
        let headers = common::headers(&rpm.path);
        if headers
            .as_ref()
            .is_ok_and(|(_, main)| main.has(tag::SOURCEPACKAGE))
        {
            continue;
        }
        let mut args = common::INSTALL.to_vec();
        let path = rpm.path.display().to_string();
        args.push(&path);
        let accepted = Rpm::on_db(theirs.path()).run(&args).success();
        match headers {
            Ok(_) => assert!(accepted, "rpm refuses {}", rpm.name),
            // Version 3 packages, which rpm 6 refuses too (docs/reference/packages.md, 1.5).
            Err(HeaderError::NoRegion { .. }) => continue,
            Err(e) => {
                assert!(!accepted, "rpm accepts {}: {e}", rpm.name);
                continue;
            }
        }
        write_ours(ours.path(), std::slice::from_ref(&rpm.path));
        let lines = compare(ours.path(), theirs.path());
        compared += 1;
        if !lines.is_empty() {
            wrong.push(format!("{}:\n{:.2000}", rpm.name, lines.join("\n")));
        }
    }
    println!("{compared} packages compared");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared > 250, "{compared}");
}

/// Keys with a prefix, in a table of text and byte by byte.
#[test]
fn keys_are_found_by_their_prefix() {
    let ours = folder();
    write_ours(ours.path(), &recipes());
    let db = Db::open_read(&DbLocation::at(ours.path()).unwrap()).unwrap();
    let keys = |prefix: &[u8]| {
        let found = db
            .find_prefix(rpm_db::IndexTable::Dirnames, prefix)
            .unwrap();
        found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    let all = keys(b"");
    assert!(!all.is_empty());
    for cut in [1, 2, 5, 9] {
        for key in all.iter().filter(|key| key.len() >= cut) {
            let prefix = &key[..cut];
            let expected: Vec<_> = all.iter().filter(|k| k.starts_with(prefix)).collect();
            assert_eq!(keys(prefix).iter().collect::<Vec<_>>(), expected);
        }
    }
    assert!(keys(b"/no/such/").is_empty());
}
