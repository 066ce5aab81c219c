//! Roots whose rpm database is of Berkeley DB or ndb: read, refused, converted.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::fixtures::unprivileged;
use testkit::program;
use testkit::rpmdb;
use testkit::step::{self, Order};

use super::{Site, plain};

/// The SQLite database of a site becomes one of Berkeley DB, by its own tool.
fn to_berkeley(site: &Site) {
    let dir = site.root.join("var/lib/rpm");
    let file = dir.join("rpmdb.sqlite");
    let mut text = String::from("VERSION=3\nformat=bytevalue\ntype=hash\nHEADER=END\n");
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let _ = write!(text, " 00000000\n {}\n", hex(&99_u32.to_le_bytes()));
    for row in &rpmdb::dump(&file, &[])["Packages"] {
        let number: u32 = String::from_utf8_lossy(&row[0].bytes).parse().unwrap();
        let (key, blob) = (hex(&number.to_le_bytes()), hex(&row[1].bytes));
        let _ = write!(text, " {key}\n {blob}\n");
    }
    text += "DATA=END\n";
    for side in ["", "-wal", "-shm"] {
        fs::remove_file(dir.join(format!("rpmdb.sqlite{side}"))).unwrap();
    }
    let mut load = Command::new("db5.3_load");
    program::run_with(load.arg(dir.join("Packages")), text.as_bytes()).ok();
    fs::write(dir.join("Name"), "an index of old").unwrap();
}

fn berkeley(rpm: Option<&str>) -> Option<Site> {
    if unprivileged() {
        return None;
    }
    let mut specs = vec![
        plain("alpha", "1.0"),
        plain("alpha", "2.0"),
        plain("beta", "1.0"),
    ];
    specs.extend(rpm.map(|version| plain("rpm", version)));
    let site = Site::with(&specs);
    let mut words = vec!["-y", "install", "alpha=1.0", "beta"];
    words.extend(rpm.map(|_| "rpm"));
    site.run(&words).ok();
    to_berkeley(&site);
    Some(site)
}

fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".rpm.lock")
        .collect();
    names.sort();
    names
}

#[test]
fn a_berkeley_db_root_is_read_then_converted_then_changed() {
    let Some(site) = berkeley(Some("4.16.1")) else {
        return;
    };
    let dir = site.root.join("var/lib/rpm");
    let before = fs::read(dir.join("Packages")).unwrap();
    let listed = site.run(&["list", "installed"]).ok().out;
    assert!(
        listed.contains("alpha.noarch") && listed.contains("beta.noarch"),
        "{listed}"
    );
    site.run(&["check-installed"]).ok();
    let planned = site.run(&["--assumeno", "update"]);
    assert!(
        planned.out.contains("alpha") && planned.out.contains("2.0"),
        "{planned:?}"
    );
    let refused = site.run(&["-y", "update"]).failed();
    refused.says(&["var/lib/rpm/Packages is a Berkeley DB rpm database"]);
    refused.says(&["`tdnf --config=", " convert-db` makes"]);
    site.run(&["--assumeno", "convert-db"]).failed();
    assert_eq!(files(&dir), ["Name", "Packages"]);
    assert_eq!(fs::read(dir.join("Packages")).unwrap(), before);

    let names = site.rpm_names();
    let said = site.run(&["-y", "convert-db"]).ok();
    said.says(&["3 headers", "rpmdb.sqlite"]);
    said.says(&["before-sqlite", "The way back"]);
    assert_eq!(
        files(&dir),
        [
            "before-sqlite",
            "rpmdb.sqlite",
            "rpmdb.sqlite-shm",
            "rpmdb.sqlite-wal"
        ]
    );
    assert_eq!(files(&dir.join("before-sqlite")), ["Name", "Packages"]);
    assert_eq!(
        fs::read(dir.join("before-sqlite/Packages")).unwrap(),
        before
    );
    assert_eq!(site.rpm_names(), names);
    site.run(&["-y", "convert-db"])
        .ok()
        .says(&["SQLite database already"]);

    // The way back, as it was told.
    let way = said.out.lines().find(|line| line.contains("rm ")).unwrap();
    program::ok(Command::new("sh").args(["-ec", way]));
    assert_eq!(files(&dir), ["Name", "Packages"]);
    assert_eq!(site.rpm_names(), names);
    site.run(&["-y", "convert-db"]).ok();
    site.run(&["-y", "update"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-2.0", "beta-1.0", "rpm-4.16.1"]);
    assert_eq!(site.rpm(&["-Va"]), "");
}

/// The way back as it was told, where paths are not one word of a shell.
#[test]
fn the_way_back_can_be_pasted_whatever_the_path() {
    let Some(site) = berkeley(None) else { return };
    let dir = site.root.join("var/lib/it's \"rpm\" $HOME");
    fs::rename(site.root.join("var/lib/rpm"), &dir).unwrap();
    let define = "_dbpath /var/lib/it's \"rpm\" $HOME";
    let said = site.run(&["-y", "--rpmdefine", define, "convert-db"]).ok();
    assert!(dir.join("before-sqlite/Packages").exists(), "{said:?}");
    let way = said.out.lines().find(|line| line.contains("rm ")).unwrap();
    program::ok(Command::new("sh").args(["-ec", way]));
    assert_eq!(files(&dir), ["Name", "Packages"]);
}

/// Killed at its calls: the old database or the new one, whole, and the next start goes on.
#[test]
fn a_conversion_that_is_killed_leaves_the_old_database_or_the_new_one() {
    if !step::available() {
        return;
    }
    let Some(site) = berkeley(None) else { return };
    let dir = site.root.join("var/lib/rpm");
    let whole = site.path("whole");
    let copy = |from: &Path, to: &Path| {
        let _ = fs::remove_dir_all(to);
        program::ok(Command::new("cp").arg("-a").args([from, to]));
    };
    copy(&dir, &whole);
    let convert = site.command(&["-y", "convert-db"]);
    let calls = step::run(&convert, &dir, &mut |_| Order::Go).calls;
    assert!(calls > 10, "{calls}");
    let (mut old, mut new) = (0, 0);
    // Before the last of them the new database only grows aside.
    for point in (1..=calls).filter(|point| point % 17 == 0 || calls - point < 40) {
        copy(&whole, &dir);
        let mut at = String::new();
        step::run(&convert, &dir, &mut |call| {
            if call.number < point {
                return Order::Go;
            }
            at = format!("call {point}, {call}");
            Order::KillAll
        });
        // As the next command finds it, and as rpm does where it can read it.
        let listed = site.run(&["list", "installed"]).ok().out;
        let count = listed.lines().filter(|line| line.contains("@System"));
        assert_eq!(count.count(), 2, "{at}: {listed}");
        match dir.join("rpmdb.sqlite").exists() {
            true => new += 1,
            false => old += 1,
        }
        let said = site.run(&["-y", "convert-db"]).ok();
        assert_eq!(
            site.rpm_names(),
            ["alpha-1.0", "beta-1.0"],
            "{at}: {said:?}"
        );
        let kept = dir.join("before-sqlite/Packages");
        assert_eq!(
            fs::read(kept).unwrap(),
            fs::read(whole.join("Packages")).unwrap(),
            "{at}"
        );
        assert!(!dir.join("Packages").exists() && !dir.join(".sqlite-conversion").exists());
    }
    println!("killed at {calls} calls: {old} times the old database, {new} times the new one");
    assert!(old > 0 && new > 0);
}

/// What was left of a conversion is put away by the next change, too.
#[test]
fn a_change_finishes_a_conversion_that_was_killed() {
    let Some(site) = berkeley(None) else { return };
    let dir = site.root.join("var/lib/rpm");
    fs::copy(dir.join("Packages"), site.path("Packages")).unwrap();
    site.run(&["-y", "convert-db"]).ok();
    fs::rename(dir.join("before-sqlite/Packages"), dir.join("Packages")).unwrap();
    let ran = site.run(&["list", "installed"]);
    ran.failed().says(&["rpmdb.sqlite", "rpm/Packages"]);
    fs::create_dir(dir.join(".sqlite-conversion")).unwrap();
    site.run(&["-y", "erase", "beta"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
    assert!(dir.join("before-sqlite/Packages").exists() && !dir.join("Packages").exists());
}

/// rpm before 4.16 reads no SQLite: neither a change nor a conversion, and both say so.
#[test]
fn a_root_whose_rpm_is_too_old_is_not_converted() {
    let Some(site) = berkeley(Some("4.14.3")) else {
        return;
    };
    let dir = site.root.join("var/lib/rpm");
    for words in [
        &["-y", "convert-db"][..],
        &["-y", "update"],
        &["-y", "erase", "beta"],
    ] {
        let refused = site.run(words).failed();
        refused.says(&["Packages is a Berkeley DB rpm database"]);
        refused.says(&["rpm 4.14.3 of this root cannot read SQLite", "4.16"]);
        assert_eq!(files(&dir), ["Name", "Packages"]);
    }
    assert_eq!(site.rpm_names(), ["alpha-1.0", "beta-1.0", "rpm-4.14.3"]);
}

#[test]
fn a_root_without_rpm_is_converted() {
    let Some(site) = berkeley(None) else { return };
    site.run(&["-y", "convert-db"]).ok();
    site.run(&["-y", "erase", "beta"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
}

/// A real one of SUSE, whose rpm is in the package rpm-ndb.
#[test]
fn an_ndb_root_of_an_old_rpm_is_read_and_not_converted() {
    if unprivileged() {
        return;
    }
    let Some(real) = testkit::fixtures::real() else {
        return;
    };
    let site = Site::with(&[plain("alpha", "1.0")]);
    let dir = site.root.join("usr/lib/sysimage/rpm");
    fs::create_dir_all(&dir).unwrap();
    let from = real.join("knqyf263+go-rpmdb/pkg/testdata/sle15-bci/Packages.db");
    fs::copy(from, dir.join("Packages.db")).unwrap();
    let listed = site.run(&["list", "installed"]).ok().out;
    let rows = listed
        .lines()
        .filter(|line| line.contains("@System"))
        .count();
    assert_eq!(rows, 35, "{listed}");
    let refused = site.run(&["-y", "convert-db"]).failed();
    refused.says(&["Packages.db is an ndb rpm database"]);
    refused.says(&["rpm 4.14.3 of this root"]);
    assert_eq!(files(&dir), ["Packages.db"]);
}
