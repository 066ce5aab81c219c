//! What is read of installed packages to find the owners of a path.

use rpm_db::{Db, location::DbLocation};
use rpm_pkg::header::{HeaderBuilder, HeaderKind, TagValue, tag};

use super::super::installed::Installed;
use super::super::root::{Canonical, RootDir};
use super::paths::Paths;

/// A package with one file, `README`, in a directory.
fn package(name: &str, dir: &str) -> Vec<u8> {
    let mut header = HeaderBuilder::new();
    for (tag, value) in [
        (tag::NAME, name),
        (tag::VERSION, "1"),
        (tag::RELEASE, "1"),
        (tag::ARCH, "noarch"),
        (tag::OS, "linux"),
    ] {
        header.add(tag, TagValue::string(value));
    }
    header.add(tag::BASENAMES, TagValue::strings(["README"]));
    header.add(tag::DIRNAMES, TagValue::strings([dir]));
    header.add(tag::DIRINDEXES, TagValue::int32(0));
    header.add(tag::FILEMODES, TagValue::Int16(vec![0o100_644]));
    header.add(tag::FILESIZES, TagValue::int32(0));
    header.build(HeaderKind::Main).unwrap().bytes().to_vec()
}

#[test]
fn only_packages_with_the_path_are_read() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("usr/doc/p7")).unwrap();
    std::os::unix::fs::symlink("usr/doc", root.path().join("doc")).unwrap();
    let db = Db::open_write(&DbLocation::at(&root.path().join("db")).unwrap()).unwrap();
    let mut tx = db.begin().unwrap();
    for number in 0..300 {
        let dir = match number {
            // Another name of a directory that two packages share.
            8 => "/doc/p7/".to_owned(),
            _ => format!("/usr/doc/p{number}/"),
        };
        tx.add(&package(&format!("p{number}"), &dir)).unwrap();
    }
    tx.commit().unwrap();
    let (dir, installed) = (
        RootDir::open(root.path()).unwrap(),
        Installed::new(&db).unwrap(),
    );
    let mut paths = Paths::new(&dir, &installed, Canonical::default());
    for _ in 0..3 {
        let owners = paths.owners(b"/usr/doc/p7/README").unwrap();
        let names: Vec<&str> = owners.iter().map(|owner| &owner.package.name[..]).collect();
        assert_eq!(names, ["p7", "p8"]);
    }
    // The two packages, once, and where their files lie.
    assert_eq!(installed.reads(), 2 + 2);
}
