//! docs/threats.md, rows 70 and 102: rpm databases that are damaged, or that claim impossible sizes, and packages with a
//! million files. Nothing crashes, nothing is written over the damage, what can be read is still shown.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::program::{Run, ok};
use testkit::spec::Spec;

use testkit::tree;

use crate::interop_lab::{Site, database, shell_site, unprivileged};
use crate::scene_rpm::{Item, RpmFile, kind};

/// Damaged places that are tried in each kind of database.
const PLACES: usize = 40;
/// Nothing may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

fn package(name: &str) -> PathBuf {
    let dir = format!("/opt/{name}");
    Spec::new(name, "1")
        .install(&format!(
            "mkdir -p %{{buildroot}}{dir}\nfor n in $(seq 40); do echo $n > %{{buildroot}}{dir}/file-$n; done"
        ))
        .files(&dir)
        .build()
}

/// Runs it; whatever comes of it, it ends by itself, soon, and says what is wrong in a few lines.
#[track_caller]
fn tried(site: &Site, words: &[&str], what: &str) -> Run {
    let began = Instant::now();
    let output = site.run(words);
    let said = output.text();
    assert!(output.code >= 0, "{what}: {words:?} crashed: {said}");
    assert!(!said.contains("panicked"), "{what}: {words:?}: {said}");
    assert!(
        began.elapsed() < PATIENCE,
        "{what}: {words:?} takes too long"
    );
    let err = &output.err;
    if !output.success() {
        assert!(
            err.contains("Error(") && err.lines().count() <= 6,
            "{what}: {words:?}: {err}"
        );
    }
    output
}

fn installed_site() -> Site {
    let names = ["one", "two", "three", "four", "five", "six"];
    let mut packages: Vec<PathBuf> = names.iter().map(|name| package(name)).collect();
    packages.push(package("fresh"));
    let site = shell_site(&packages);
    site.ok(&[&["install", "-y"], &names[..]].concat());
    site
}

/// The files of the packages.
fn files(site: &Site) -> usize {
    tree::read(&site.root.join("opt"), &|_| false).len()
}

#[test]
fn row_70_damaged_pages_of_sqlite() {
    if unprivileged() {
        return;
    }
    let site = installed_site();
    let file = database(site.root.path());
    // All of it into the one file.
    let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)')";
    ok(Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(&file));
    let good = fs::read(&file).unwrap();
    let before = files(&site);
    let mut random = fastrand::Rng::with_seed(1);
    let (mut refused, mut listed) = (0, 0);
    for number in 0..PLACES {
        let mut bad = good.clone();
        // Heads of pages, anywhere, and a file cut short.
        let at = match number % 3 {
            0 => random.usize(..good.len() / 4096) * 4096,
            _ => random.usize(..good.len() - 512),
        };
        match number % 8 {
            7 => bad.truncate(at),
            n if n % 2 == 0 => bad[at..at + 128].fill(0xff),
            _ => (at..at + 128).for_each(|at| bad[at] = random.u8(..)),
        }
        for side in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{side}", file.display()));
        }
        fs::write(&file, &bad).unwrap();
        let what = format!("place {number}, byte {at}");
        let list = tried(&site, &["list", "installed"], &what);
        listed += usize::from(list.success());
        let output = tried(&site, &["install", "-y", "fresh"], &what);
        if output.success() {
            // Nothing that was asked for was hurt.
            assert!(site.root.join("opt/fresh/file-40").exists(), "{what}");
            fs::remove_dir_all(site.root.join("opt/fresh")).unwrap();
        } else {
            refused += 1;
            assert_eq!(files(&site), before, "{what}: {}", output.text());
        }
    }
    println!("{PLACES} places: {listed} lists, {refused} installs refused");
    assert!(refused > 0 && listed > 0);
    fs::write(&file, &good).unwrap();
    for side in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{side}", file.display()));
    }
    site.ok(&["install", "-y", "fresh"]);
    site.rpm().verify();
}

/// Records whose headers claim more than there is, up to the ends of the numbers.
#[test]
fn row_70_headers_of_impossible_sizes() {
    if unprivileged() {
        return;
    }
    let site = installed_site();
    let file = database(site.root.path());
    let script = "
import sqlite3, struct, sys
db = sqlite3.connect(sys.argv[1])
entries, data = int(sys.argv[2]), int(sys.argv[3])
blob = struct.pack('>II', entries, data) + bytes(int(sys.argv[4]))
db.execute('DELETE FROM Packages WHERE hnum = 99')
db.execute('INSERT INTO Packages VALUES (99, ?)', (blob,))
db.commit()
";
    let before = files(&site);
    for (entries, data, rest) in [
        (0x7fff_ffff_u32, 0x7fff_ffff_u32, 64),
        (0xffff_ffff, 0xffff_ffff, 64),
        (0x7fff_ffff, 16, 64),
        (1, 0x7fff_ffff, 64),
        (0x1000_0000, 0, 64),
        (0, 0, 0),
        (4, 4, 0),
        (2, 64, 96),
    ] {
        let words = [entries, data, rest].map(|number| number.to_string());
        ok(Command::new("/usr/bin/python3")
            .args(["-c", script])
            .arg(&file)
            .args(words));
        let what = format!("{entries} entries, {data} bytes");
        let list = tried(&site, &["list", "installed"], &what);
        let said = list.text();
        // What can be read is shown, or the record is named.
        assert!(
            said.contains("three") || said.contains("99"),
            "{what}: {said}"
        );
        let output = tried(&site, &["install", "-y", "fresh"], &what);
        if !output.success() {
            assert_eq!(files(&site), before, "{what}");
        } else {
            site.ok(&["erase", "-y", "fresh"]);
        }
    }
}

/// A record that cannot be used is said once by each run, whether or not a cache is there, and hides no other package.
#[test]
fn row_70_a_damaged_record_is_said() {
    if unprivileged() {
        return;
    }
    let site = installed_site();
    let file = database(site.root.path());
    let location = rpm_db::DbLocation::at(file.parent().unwrap()).unwrap();
    let db = rpm_db::Db::open_read(&location).unwrap();
    let (one, _) = db.by_name("one").unwrap().remove(0);
    drop(db);
    let warning = format!("record {one} is damaged and counts as not installed");
    let said_by = |words: &[&str], kind: &str| {
        let run = tried(&site, words, kind);
        let warnings = run.err.matches(&warning).count();
        assert_eq!(warnings, 1, "{kind}: {words:?}: {}", run.text());
        run.text()
    };
    let questions = |kind: &str| {
        for words in [&["list", "installed"][..], &["repoquery", "--installed"]] {
            // The second time there is a cache.
            for _ in 0..2 {
                let said = said_by(words, kind);
                let has = |name: &str| said.lines().any(|line| line.starts_with(name));
                assert!(!has("one") && has("two") && has("six"), "{kind}: {said}");
            }
        }
        said_by(&["check"], kind);
    };
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('UPDATE Packages SET blob = ? WHERE hnum = ?', (b'\\xff' * 99, int(sys.argv[2])))
db.commit()
";
    let good = tempfile::tempdir().unwrap();
    for name in ["rpmdb.sqlite", "rpmdb.sqlite-wal", "rpmdb.sqlite-shm"] {
        let from = location.dir.join(name);
        if from.exists() {
            fs::copy(from, good.path().join(name)).unwrap();
        }
    }
    ok(Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(&file)
        .arg(one.to_string()));
    questions("SQLite");
    said_by(&["install", "-y", "fresh"], "SQLite");
    said_by(&["erase", "-y", "two"], "SQLite");

    fs::remove_dir_all(&location.dir).unwrap();
    ok(Command::new("cp")
        .arg("-r")
        .arg(good.path())
        .arg(&location.dir));
    rpm_db::back_to_ndb(&location).unwrap();
    let file = location.dir.join("Packages.db");
    let mut bytes = fs::read(&file).unwrap();
    let first = [&b"BlbS"[..], &one.to_le_bytes()].concat();
    let at = bytes.windows(8).position(|at| at == first).unwrap();
    bytes[at + 16..at + 24].fill(0xff);
    fs::write(&file, bytes).unwrap();
    questions("ndb");
}

/// A package that says it has a million files, and has them.
#[test]
fn row_70_a_million_files() {
    if unprivileged() {
        return;
    }
    const FILES: u32 = 1_000_000;
    let plain = RpmFile::read(&package("million"));
    let numbers = |tag: u32, of: &dyn Fn(u32) -> u32| Item {
        tag,
        kind: kind::INT32,
        count: FILES,
        data: (0..FILES).flat_map(|n| of(n).to_be_bytes()).collect(),
    };
    let shorts = |tag: u32, value: u16| Item {
        tag,
        kind: 3,
        count: FILES,
        data: (0..FILES).flat_map(|_| value.to_be_bytes()).collect(),
    };
    let texts = |tag: u32, of: &dyn Fn(u32) -> String| Item {
        tag,
        kind: kind::STRINGS,
        count: FILES,
        data: (0..FILES)
            .flat_map(|n| [of(n).as_bytes(), b"\0"].concat())
            .collect(),
    };
    let dirs: Vec<String> = (0..1000).map(|n| format!("/opt/dir-{n}/")).collect();
    let dirs: Vec<&str> = dirs.iter().map(String::as_str).collect();
    // All of them ghosts: nothing is unpacked, everything is judged.
    let million = plain.edit(|items| {
        // What else there is for each of its own files: colours, classes, what they need.
        items.retain(|item| !(1140..=1145).contains(&item.tag));
        for item in [
            numbers(1028, &|_| 0),
            shorts(1030, 0o100_644),
            shorts(1033, 0),
            numbers(1034, &|_| 1_600_000_000),
            texts(1035, &|_| String::new()),
            texts(1036, &|_| String::new()),
            numbers(1037, &|_| 64),
            texts(1039, &|_| "root".to_owned()),
            texts(1040, &|_| "root".to_owned()),
            numbers(1045, &|_| u32::MAX),
            numbers(1095, &|_| 1),
            numbers(1096, &|n| n + 1),
            texts(1097, &|_| String::new()),
            numbers(1116, &|n| n % 1000),
            texts(1117, &|n| format!("file-{n}")),
            Item::texts(1118, &dirs),
        ] {
            crate::scene_rpm::replace(items, item);
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("million-1-1.noarch.rpm");
    fs::write(&path, million.bytes()).unwrap();
    let site = shell_site(&[package("plain")]);
    let words = [
        "-y",
        "--nogpgcheck",
        "--setopt=tsflags=test",
        "install",
        path.to_str().unwrap(),
    ];
    let output = tried(&site, &words, "a million files");
    // No limit is met: the million is judged file by file, and nothing is made.
    let said = output.text();
    assert!(
        output.success() && said.contains("Testing transaction"),
        "{said}"
    );
    assert!(!site.root.join("opt").exists());
    site.ok(&["install", "-y", "plain"]);
    site.rpm().verify();
}

/// Row 102: reading works or says what is wrong, nothing is written over it, and the way out that is named is one.
#[test]
fn row_102_a_history_that_cannot_be_used() {
    if unprivileged() {
        return;
    }
    let site = shell_site(&[package("one"), package("two")]);
    site.ok(&["install", "-y", "one"]);
    let file = site.root.join("var/lib/tdnf/history.db");
    let good = fs::read(&file).unwrap();
    let mut damaged = good.clone();
    damaged[..100].fill(0x55);
    let mut pages = good.clone();
    pages[4096..].fill(0xaa);
    for (what, bad) in [
        ("its head", damaged),
        ("its pages", pages),
        ("another file", b"no database".repeat(50)),
    ] {
        fs::write(&file, &bad).unwrap();
        for words in [&["history", "list"][..], &["history", "info", "1"]] {
            let run = tried(&site, words, what);
            assert!(
                run.code != 0 && run.err.contains("history.db: the history is damaged"),
                "{what}: {run:?}"
            );
            assert!(run.err.contains("Hint: move "), "{what}: {run:?}");
        }
        // What asks something else goes on.
        tried(&site, &["list", "installed"], what).ok();
        assert_eq!(fs::read(&file).unwrap(), bad, "{what}");
        tried(&site, &["install", "-y", "two"], what);
        assert_eq!(fs::read(&file).unwrap(), bad, "{what}");
    }
    // A later program with more tables and columns: what we know is still there.
    fs::write(&file, &good).unwrap();
    let newer = "ALTER TABLE transactions ADD COLUMN later TEXT; CREATE TABLE later(Id INTEGER); PRAGMA user_version = 99;";
    ok(Command::new("sqlite3").arg(&file).arg(newer));
    let listed = site.ok(&["history", "list"]);
    assert!(listed.contains("-y install one"), "{listed}");
    // The way out that the hint names.
    fs::rename(&file, file.with_extension("away")).unwrap();
    site.run(&["erase", "-y", "two"]);
    site.ok(&["install", "-y", "two"]);
    let listed = site.ok(&["history", "list"]);
    assert!(listed.contains("-y install two"), "{listed}");
}
