//! Databases that others made.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use rpm_db::{Backend, Db, DbError, DbLocation, IndexTable};
use rpm_pkg::header::tag;
use testkit::rpm::Rpm;

use crate::common::folder;

fn copy(name: &str, file: &str) -> Option<tempfile::TempDir> {
    let real = testkit::fixtures::real()?;
    let from = real
        .join("knqyf263+go-rpmdb/pkg/testdata")
        .join(name)
        .join(file);
    let dir = folder();
    fs::copy(from, dir.path().join(file)).unwrap();
    Some(dir)
}

fn names(db: &Db) -> Vec<String> {
    let mut names = Vec::new();
    let damaged = db
        .for_each(&mut |_, header| {
            let cell = |tag| header.text(tag).unwrap().to_owned();
            names.push(format!(
                "{}-{}-{}",
                cell(tag::NAME),
                cell(tag::VERSION),
                cell(tag::RELEASE)
            ));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    names.sort();
    names
}

fn rpm_names(dir: &Path) -> Vec<String> {
    let format = "%{NAME}-%{VERSION}-%{RELEASE}\n";
    let text = Rpm::on_db(dir).ok(&["-qa", "--qf", format]);
    let mut names: Vec<_> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn mariner() {
    let Some(dir) = copy("cbl-mariner-2.0", "rpmdb.sqlite") else {
        return;
    };
    let location = DbLocation::at(dir.path()).unwrap();
    assert_eq!(location.backend, Backend::Sqlite);
    let db = Db::open_read(&location).unwrap();
    assert_eq!(db.count().unwrap(), 129);
    assert_eq!(names(&db), rpm_names(dir.path()));
    assert_eq!(db.check().unwrap(), []);
    let tdnf = db.by_name("tdnf").unwrap();
    assert_eq!(tdnf.len(), 1);
    let owners = db.file_owners(b"/etc/tdnf/tdnf.conf").unwrap();
    assert_eq!(
        owners.iter().map(|m| m.hnum).collect::<Vec<_>>(),
        [tdnf[0].0]
    );
    assert!(db.file_owners(b"/etc/tdnf.conf").unwrap().is_empty());
    assert!(!db.providers("tdnf").unwrap().is_empty());
    assert!(
        !db.find(IndexTable::Requirename, b"rpm-libs")
            .unwrap()
            .is_empty()
    );
    assert!(matches!(db.begin(), Err(DbError::ReadOnly { .. })));
}

#[test]
fn suse() {
    let Some(dir) = copy("sle15-bci", "Packages.db") else {
        return;
    };
    let location = DbLocation::at(dir.path()).unwrap();
    assert_eq!(location.backend, Backend::Ndb);
    let db = Db::open_read(&location).unwrap();
    // Debian's rpm is built without ndb: the digests of all headers are the proof that they were read right.
    let names = names(&db);
    assert_eq!(names.len(), 35);
    assert_eq!(db.count().unwrap(), 35);
    assert!(names.contains(&"rpm-ndb-4.14.3-40.1".to_owned()));
    assert_eq!(db.check().unwrap(), []);
    assert_eq!(db.by_name("rpm-ndb").unwrap().len(), 1);
    assert_eq!(db.file_owners(b"/usr/bin/rpm").unwrap().len(), 1);
    assert!(matches!(
        Db::open_write(&location),
        Err(DbError::ReadOnlyFormat { .. })
    ));
    assert!(!dir.path().join("rpmdb.sqlite").exists());
}
