//! Berkeley DB databases: made by Berkeley DB's own tools and by rpm, read here record for record; and hostile ones.
//! What is converted, in either direction.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use rpm_db::{Backend, Db, DbError, DbLocation, IndexTable};
use testkit::program;
use testkit::rpm::Rpm;
use testkit::spec::Spec;

use crate::common::{INSTALL, folder, installed, recipes, write_ours};

type Records = BTreeMap<u32, Vec<u8>>;

/// The records that Berkeley DB's own tool reads, but the one that holds the last number.
fn dumped(file: &Path, big_endian: bool) -> Records {
    let text = program::ok(Command::new("db5.3_dump").arg(file));
    let hex = |line: &str| -> Vec<u8> {
        let digits = line.trim().as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    };
    let lines = text
        .lines()
        .skip_while(|line| *line != "HEADER=END")
        .skip(1);
    let lines: Vec<&str> = lines.take_while(|line| *line != "DATA=END").collect();
    let pairs = lines.chunks(2).map(|pair| {
        let key = hex(pair[0]).try_into().unwrap();
        let number = if big_endian {
            u32::from_be_bytes(key)
        } else {
            u32::from_le_bytes(key)
        };
        (number, hex(pair[1]))
    });
    pairs.filter(|(number, _)| *number != 0).collect()
}

fn read(dir: &Path) -> Records {
    let db = Db::open_read(&DbLocation::at(dir).unwrap()).unwrap();
    let mut records = Records::new();
    let damaged = db
        .for_each(&mut |hnum, header| {
            records.insert(hnum, header.bytes().to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    records
}

/// A database by Berkeley DB's own tool: `count` times the packages of the recipes.
fn made(dir: &Path, page_size: u32, big_endian: bool, count: u32) -> Records {
    let blobs: Vec<Vec<u8>> = recipes().iter().map(|file| installed(file)).collect();
    let order = if big_endian { 4321 } else { 1234 };
    let mut text = format!(
        "VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize={page_size}\ndb_lorder={order}\nHEADER=END\n"
    );
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let key = |number: u32| {
        hex(&if big_endian {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        })
    };
    let last = count * u32::try_from(blobs.len()).unwrap();
    text += &format!(" {}\n {}\n", key(0), key(last));
    let mut records = Records::new();
    for (number, blob) in (1..=last).zip(blobs.iter().cycle()) {
        text += &format!(" {}\n {}\n", key(number), hex(blob));
        records.insert(number, blob.clone());
    }
    text += "DATA=END\n";
    let mut load = Command::new("db5.3_load");
    load.arg(dir.join("Packages"));
    program::run_with(&mut load, text.as_bytes()).ok();
    records
}

#[test]
fn every_page_size_and_byte_order() {
    for (page_size, big_endian, count) in [
        (512, false, 3),
        (512, true, 40),
        // 2,000 packages.
        (4096, false, 500),
        (4096, true, 500),
        (65_536, false, 10),
        (65_536, true, 10),
    ] {
        let dir = folder();
        let records = made(dir.path(), page_size, big_endian, count);
        assert_eq!(read(dir.path()), records, "{page_size} {big_endian}");
        assert_eq!(dumped(&dir.path().join("Packages"), big_endian), records);
    }
}

#[test]
fn a_real_one_of_a_container() {
    let Some(real) = testkit::fixtures::real() else {
        return;
    };
    let from = real.join("knqyf263+go-rpmdb/pkg/testdata/libuuid/Packages");
    let dir = folder();
    let file = dir.path().join("Packages");
    fs::copy(from, &file).unwrap();
    let records = read(dir.path());
    assert_eq!(records.len(), 1);
    assert_eq!(records, dumped(&file, false));
    let location = DbLocation::at(dir.path()).unwrap();
    assert_eq!(location.backend, Backend::Bdb);
    let db = Db::open_read(&location).unwrap();
    assert_eq!(db.check().unwrap(), []);
    assert_eq!(db.by_name("libuuid").unwrap().len(), 1);
    assert!(
        !db.find(IndexTable::Providename, b"libuuid")
            .unwrap()
            .is_empty()
    );
    let error = Db::open_write(&location).unwrap_err();
    assert!(matches!(error, DbError::ReadOnlyFormat { .. }), "{error}");
    assert!(!dir.path().join("rpmdb.sqlite").exists());
}

const ERASE: [&str; 5] = ["-e", "--justdb", "--nodeps", "--noscripts", "--notriggers"];

/// What rpm 4.16 wrote is read as Berkeley DB's own tool reads it, after packages came and went.
#[test]
fn one_that_rpm_of_that_generation_wrote() {
    let Some(oracle) = testkit::fixtures::oracle("bullseye") else {
        return;
    };
    let place = folder();
    let dir = place.path().join("db");
    fs::create_dir(&dir).unwrap();
    let rpm = Rpm::oracle(&oracle, &dir);
    let with = |words: &[&str]| {
        let backend = ["--define", "_db_backend bdb"];
        rpm.ok(&[&backend, words].concat())
    };
    for file in recipes() {
        let name = file.file_name().unwrap().to_str().unwrap();
        fs::copy(&file, place.path().join(name)).unwrap();
        with(&[&INSTALL[..], &[format!("/mnt/{name}").as_str()]].concat());
    }
    let of_tool = || dumped(&dir.join("Packages"), false);
    assert_eq!(read(&dir).len(), 4);
    assert_eq!(read(&dir), of_tool());
    // Many come and most of them go: pages of buckets and of chains are freed, and taken again.
    let names: Vec<String> = (0..40).map(|n| format!("p{n}")).collect();
    for (part, names) in names.chunks(20).enumerate() {
        let mut words = INSTALL.map(str::to_owned).to_vec();
        for (n, name) in names.iter().enumerate() {
            let provides = format!("Provides: {}", "x".repeat(200 + 90 * n * (part + 1)));
            let spec = Spec::new(name, "1").license("none").about("Many.");
            let built = spec
                .lines(&provides)
                .file(&format!("/opt/{name}"), name)
                .build();
            let file = format!("{name}.rpm");
            fs::copy(built, place.path().join(&file)).unwrap();
            words.push(format!("/mnt/{file}"));
        }
        with(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(read(&dir), of_tool());
        let gone = names.iter().skip(7).map(String::as_str);
        with(&ERASE.into_iter().chain(gone).collect::<Vec<_>>());
        assert_eq!(read(&dir), of_tool());
    }
    assert_eq!(read(&dir).len(), 18);
    with(&[&ERASE[..], &["plain"]].concat());
    assert_eq!(with(&["-qa"]).lines().count(), 17);
    assert_eq!(read(&dir).len(), 17);
    assert_eq!(read(&dir), of_tool());
}

/// Numbers and headers stay; the old files are kept.
#[test]
fn conversion_keeps_numbers_and_headers() {
    let berkeley = folder();
    made(berkeley.path(), 4096, false, 3);
    let mut dirs = vec![berkeley];
    if let Some(real) = testkit::fixtures::real() {
        let suse = folder();
        let from = real.join("knqyf263+go-rpmdb/pkg/testdata/sle15-bci/Packages.db");
        fs::copy(from, suse.path().join("Packages.db")).unwrap();
        dirs.push(suse);
    }
    for dir in dirs {
        let dir = dir.path();
        let before = read(dir);
        let old = DbLocation::at(dir).unwrap();
        let bytes = fs::read(old.file()).unwrap();
        // What an earlier attempt left is no hindrance, nor is an empty database.
        fs::create_dir(dir.join(".sqlite-conversion")).unwrap();
        write_ours(&dir.join(".sqlite-conversion"), &[]);
        fs::write(dir.join("rpmdb.sqlite"), "").unwrap();
        rpm_db::convert(&old).unwrap();
        let new = DbLocation::at(dir).unwrap();
        assert_eq!(new.backend, Backend::Sqlite);
        assert_eq!(read(dir), before);
        assert_eq!(Db::open_read(&new).unwrap().check().unwrap(), []);
        assert_eq!(Rpm::on_db(dir).ok(&["-qa"]).lines().count(), before.len());
        let kept = rpm_db::kept_directory(&old).join(old.file().file_name().unwrap());
        assert_eq!(fs::read(kept).unwrap(), bytes);
        assert!(!dir.join(".sqlite-conversion").exists());
        assert!(rpm_db::convert(&new).is_err());
    }
}

/// ndb written here is what rpm reads, with one page of slots and with more; it comes back as it was.
#[test]
fn ndb_is_written_as_rpm_reads_it() {
    for count in [1, 63, 64, 500] {
        let dir = folder();
        let dir = dir.path();
        let records = made(dir, 4096, false, count);
        rpm_db::convert_for_change(&DbLocation::at(dir).unwrap()).unwrap();
        let sqlite = DbLocation::at(dir).unwrap();
        // An empty one of the same name, as a query of rpm leaves it, and what a stopped run left.
        fs::write(dir.join("Packages.db"), "").unwrap();
        fs::write(dir.join("Index.db"), "of other packages").unwrap();
        fs::create_dir(dir.join(".sqlite-conversion")).unwrap();
        rpm_db::back_to_ndb(&sqlite).unwrap();
        let names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["Packages.db"]);
        let ndb = DbLocation::at(dir).unwrap();
        assert_eq!(ndb.backend, Backend::Ndb);
        assert_eq!(read(dir), records);
        for suite in ["trixie", "sid"] {
            let Some(oracle) = testkit::fixtures::oracle(suite) else {
                continue;
            };
            let copy = folder();
            let copy = copy.path().join("db");
            fs::create_dir(&copy).unwrap();
            fs::copy(dir.join("Packages.db"), copy.join("Packages.db")).unwrap();
            let rpm = Rpm::oracle(&oracle, &copy);
            let backend = ["--define", "_db_backend ndb"];
            let all = rpm.ok(&[&backend[..], &["-qa", "--qf", "%{DBINSTANCE}\n"]].concat());
            assert_eq!(all.lines().count(), records.len(), "{suite}");
            let named = rpm.ok(&[&backend[..], &["-q", "plain"]].concat());
            assert_eq!(
                named.lines().count(),
                usize::try_from(count).unwrap(),
                "{suite}"
            );
            rpm.program_ok("rpmdb", &[&backend[..], &["--verifydb"]].concat());
            assert_eq!(read(&copy), records, "{suite}");
        }
        // Both are there when a run is stopped late: that of SQLite is it until the other is put away.
        rpm_db::convert(&ndb).unwrap();
        fs::copy(
            dir.join("before-sqlite/Packages.db"),
            dir.join("Packages.db"),
        )
        .unwrap();
        assert!(matches!(
            DbLocation::at(dir),
            Err(DbError::TwoDatabases { .. })
        ));
        fs::create_dir(dir.join(".sqlite-conversion")).unwrap();
        let sqlite = DbLocation::at(dir).unwrap();
        assert_eq!(sqlite.backend, Backend::Sqlite);
        assert!(rpm_db::finish_conversion(&sqlite).unwrap());
        assert!(!dir.join("Packages.db").exists());
        assert!(!rpm_db::finish_conversion(&sqlite).unwrap());
        assert_eq!(read(dir), records);
    }
}

/// docs/threats.md, row 62: whoever planted a link sends no file of the root elsewhere; with a directory there, it goes on.
#[test]
fn a_stopped_conversion_follows_no_link() {
    let (dir, outside) = (folder(), folder());
    let location = DbLocation::at(dir.path()).unwrap();
    drop(Db::open_write(&location).unwrap());
    let location = DbLocation::at(dir.path()).unwrap();
    let old = dir.path().join("Index.db");
    let kept = rpm_db::kept_directory(&location);
    fs::create_dir(dir.path().join(".sqlite-conversion")).unwrap();
    fs::write(&old, "of the root").unwrap();
    fs::write(outside.path().join("Index.db"), "of the host").unwrap();
    for target in [outside.path().to_path_buf(), outside.path().join("free")] {
        std::os::unix::fs::symlink(&target, &kept).unwrap();
        for refused in [
            rpm_db::finish_conversion(&location).unwrap_err(),
            Db::open_write(&location).unwrap_err(),
        ] {
            let is_named = matches!(&refused, DbError::NotADirectory { path } if *path == kept);
            assert!(is_named, "{refused}");
        }
        assert_eq!(fs::read(&old).unwrap(), b"of the root");
        let host = fs::read(outside.path().join("Index.db")).unwrap();
        assert_eq!(host, b"of the host");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
        fs::remove_file(&kept).unwrap();
    }
    assert!(rpm_db::finish_conversion(&location).unwrap());
    assert_eq!(fs::read(kept.join("Index.db")).unwrap(), b"of the root");
}

/// A header that cannot be used is named, and nothing has changed.
#[test]
fn a_damaged_header_is_not_converted() {
    let dir = folder();
    let file = dir.path().join("Packages");
    let text =
        "VERSION=3\nformat=bytevalue\ntype=hash\nHEADER=END\n 07000000\n 00112233\nDATA=END\n";
    let mut load = Command::new("db5.3_load");
    program::run_with(load.arg(&file), text.as_bytes()).ok();
    let bytes = fs::read(&file).unwrap();
    let old = DbLocation::at(dir.path()).unwrap();
    let error = rpm_db::convert(&old).unwrap_err().to_string();
    assert!(error.contains("header 7 is damaged"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

fn opened(dir: &Path) -> Result<usize, DbError> {
    let db = Db::open_read(&DbLocation::at(dir)?)?;
    let mut count = 0;
    db.for_each(&mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    Ok(count)
}

/// Any byte of heads and items may be anything: an error or fewer headers, no panic, no end without.
/// docs/threats.md, row 70.
#[test]
fn damaged_pages_of_berkeley_db() {
    let dir = folder();
    made(dir.path(), 512, false, 1);
    let file = dir.path().join("Packages");
    let good = fs::read(&file).unwrap();
    let all = opened(dir.path()).unwrap();
    for page in 0..good.len() / 512 {
        for at in (8..34).step_by(2).chain(21..28).chain(507..512) {
            for byte in [0x00, 0xff] {
                let mut bad = good.clone();
                bad[page * 512 + at] = byte;
                fs::write(&file, bad).unwrap();
                assert!(opened(dir.path()).map_or(true, |read| read <= all));
            }
        }
    }
    for length in [0, 71, 72, 511, 512, 1024, good.len() - 1] {
        fs::write(&file, &good[..length]).unwrap();
        assert!(opened(dir.path()).is_err(), "{length}");
    }
}

/// Chains that never end, that lead out of the file, or that share pages.
/// docs/threats.md, row 70.
#[test]
fn chains_end() {
    let dir = folder();
    made(dir.path(), 512, false, 2);
    let file = dir.path().join("Packages");
    let good = fs::read(&file).unwrap();
    let chained = |page: &[u8]| page[25] == 7 && page[16..20] != [0; 4];
    let at = good.chunks(512).position(chained).unwrap();
    let itself = u32::try_from(at).unwrap();
    for (next, why) in [
        (itself, "chain"),
        (u32::MAX, "leads nowhere"),
        (0, "leads nowhere"),
        (1, "not its own"),
    ] {
        let mut bad = good.clone();
        bad[at * 512 + 16..at * 512 + 20].copy_from_slice(&next.to_le_bytes());
        fs::write(&file, bad).unwrap();
        let error = opened(dir.path()).unwrap_err().to_string();
        assert!(error.contains(why), "{next}: {error}");
    }
    // A length of 1 GiB that no file of this size can hold.
    for (page, text) in good.chunks(512).enumerate() {
        let count = usize::from(text[20]);
        for item in (0..count).filter(|_| text[25] == 13 || text[25] == 2) {
            let start = usize::from(u16::from_le_bytes([
                text[26 + 2 * item],
                text[27 + 2 * item],
            ]));
            if text[start] == 3 {
                let mut bad = good.clone();
                bad[page * 512 + start + 8..page * 512 + start + 12]
                    .copy_from_slice(&(200_u32 << 20).to_le_bytes());
                fs::write(&file, bad).unwrap();
                let error = opened(dir.path()).unwrap_err().to_string();
                assert!(error.contains("larger than the file"), "{error}");
            }
        }
    }
}

/// What rpm never asks Berkeley DB for is refused by name: other kinds of files, checksums, duplicates.
#[test]
fn foreign_kinds_are_named() {
    let dir = folder();
    made(dir.path(), 4096, false, 1);
    let file = dir.path().join("Packages");
    let good = fs::read(&file).unwrap();
    for (at, byte, why) in [
        (24, 1, "encrypted"),
        (26, 1, "checksums"),
        (48, 1, "duplicates"),
        (16, 7, "version"),
        (25, 9, "does not describe a hash"),
        (20, 1, "size of pages"),
        (12, 0x62, "not a Berkeley DB file"),
    ] {
        let mut bad = good.clone();
        bad[at] = byte;
        fs::write(&file, bad).unwrap();
        let error = opened(dir.path()).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("Packages"), "{error}");
    }
    fs::remove_file(&file).unwrap();
    let text = "VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n 01000000\n 00\nDATA=END\n";
    let mut load = Command::new("db5.3_load");
    program::run_with(load.arg(&file), text.as_bytes()).ok();
    let error = opened(dir.path()).unwrap_err().to_string();
    assert!(error.contains("B-tree"), "{error}");
}
