//! The same packages are the same bytes.

use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::fixtures::{skipped, unprivileged};
use testkit::program::{self, ok};

use super::{PACKAGES, Place};
use crate::threats_rootless::in_namespace;

fn can_make_namespaces() -> bool {
    let run = program::run(in_namespace().arg("true"));
    if !run.success() {
        skipped(&format!("no user namespaces: {}", run.text()));
    }
    run.success()
}

/// Time, umask, time zone, file system, variables and the order of the words change nothing, and neither does who makes the image: root, a
/// user in a namespace of his own, or one without it where no scriptlet runs.
#[test]
fn an_image_is_the_same_wherever_it_is_made() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let target = |name: &str| format!("oci:{}", place.path(name).display());
    let first = place.image(&target("first"));
    let mut other = Command::new("sh");
    let made = place.command(&[]);
    other.args(["-c", "umask 077; exec \"$@\"", "sh"]);
    other.arg(made.get_program()).args(made.get_args());
    other
        .env("TZ", "Asia/Tokyo")
        .env("TMPDIR", "/dev/shm")
        .env("LC_ALL", "de_DE.UTF-8")
        .env("HOME", "/nowhere");
    let packages: Vec<&str> = PACKAGES.into_iter().rev().collect();
    assert_eq!(place.digest(other, &target("second"), &packages), first);
    if can_make_namespaces() {
        assert_eq!(
            place.digest(place.by_nobody(&[]), &target("own/third"), &PACKAGES),
            first
        );
    }
    let bare = ["--setopt=tsflags=noscripts"];
    let without = place.digest(place.command(&bare), &target("fourth"), &PACKAGES);
    assert_eq!(
        place.digest(place.by_nobody(&bare), &target("own/fifth"), &PACKAGES),
        without
    );
    assert_eq!(place.left(), Vec::<std::path::PathBuf>::new());
    let blobs = |name: &str| {
        let dir = place.path(name).join("blobs/sha256");
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    // A layer, its description and the manifest, and nothing beside them.
    assert_eq!(blobs("first").len(), 3);
    assert_eq!(blobs("first"), blobs("second"));
}

/// Roots on ext4, xfs, btrfs and tmpfs hold the same: what a file system makes of sizes, orders and attributes stays out.
#[test]
fn an_image_is_the_same_on_every_file_system() {
    if unprivileged()
        || !testkit::mounts::own("image::bytes::an_image_is_the_same_on_every_file_system")
    {
        return;
    }
    let place = Place::new();
    let mut digests = Vec::new();
    for kind in ["ext4", "xfs", "btrfs", "tmpfs"] {
        let disk = place.path(kind);
        fs::create_dir(&disk).unwrap();
        let mut mount = Command::new("mount");
        if kind == "tmpfs" {
            mount.args(["-t", kind, "none"]);
        } else {
            let image = place.path(&format!("{kind}.img"));
            ok(Command::new("truncate").args(["-s", "400M"]).arg(&image));
            ok(Command::new(format!("mkfs.{kind}")).arg("-q").arg(&image));
            mount.args(["-o", "loop"]).arg(image);
        }
        ok(mount.arg(&disk));
        let mut command = place.command(&[]);
        command.env("TMPDIR", &disk);
        let target = format!("oci:{}", disk.join("layout").display());
        digests.push(place.digest(command, &target, &PACKAGES));
        ok(Command::new("umount").arg(&disk));
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
}

/// The time that a user gives counts instead of that of the newest package, and nothing is later.
#[test]
fn no_time_is_later_than_source_date_epoch() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let file = place.path("early.tar");
    let mut command = place.command(&[]);
    command.env("SOURCE_DATE_EPOCH", "1000000000");
    place.digest(command, &format!("tar:{}", file.display()), &PACKAGES);
    let list = ok(Command::new("tar")
        .args(["--full-time", "--utc", "-tvf"])
        .arg(&file));
    assert!(list.contains("usr/bin/busybox"), "{list}");
    for line in list.lines() {
        assert!(line.contains(" 2001-09-09 01:46:40 "), "{line}");
    }
}

/// Nothing is left of the run, and nothing that changes from one machine to the next.
#[test]
fn what_no_package_brought_stays_out() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let file = place.path("root.tar");
    place.image(&format!("tar:{}", file.display()));
    let list = ok(Command::new("tar").arg("-tf").arg(&file));
    for word in ["tdnf", ".rpm.lock", "var/cache", "history", "aux-cache"] {
        assert!(!list.contains(word), "{word}: {list}");
    }
    let has = |name: &str| list.lines().any(|line| line == name);
    assert!(has("var/lib/rpm/rpmdb.sqlite"), "{list}");
    // Names in order, each once.
    let folders: Vec<&str> = list.lines().collect();
    let mut sorted = folders.clone();
    sorted.sort_by_key(|name| {
        Path::new(name)
            .components()
            .map(|part| part.as_os_str().to_owned())
            .collect::<Vec<_>>()
    });
    sorted.dedup();
    assert_eq!(folders, sorted);
}
