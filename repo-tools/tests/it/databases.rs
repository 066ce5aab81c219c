//! Databases for yum, against those that createrepo_c and sqliterepo_c write.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use repo_tools::repository::Repository;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use testkit::program::{self, Run};
use testkit::spec::Spec;

use crate::lab::{dnf, must, ok, run, text, tool, tree};

const KINDS: [&str; 3] = ["primary_db", "filelists_db", "other_db"];

/// Every row of every table, with the package's checksum for its number, and the shape of the tables.
type Content = BTreeMap<String, BTreeSet<Vec<String>>>;

/// The database of a record.
fn open(dir: &Path, kind: &str, scratch: &Path) -> (Connection, String) {
    let repository = Repository::open(dir).unwrap();
    let record = repository.record(kind).unwrap();
    assert_eq!(record.database_version, Some(10), "{kind}");
    let (_, mut stream) = repository.open_record(record).unwrap();
    let path = scratch.join(kind);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    fs::write(&path, bytes).unwrap();
    let document = kind.strip_suffix("_db").unwrap();
    let checksum = repository.record(document).unwrap().checksum.unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = Connection::open_with_flags(&path, flags).unwrap();
    (db, checksum.hex())
}

fn shown(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        // createrepo_c 0.17 escapes the authors of changelogs.
        Value::Text(text) => text.replace("&#38;", "&"),
        other => panic!("{other:?}"),
    }
}

fn rows(db: &Connection, sql: &str) -> BTreeSet<Vec<String>> {
    let mut query = db.prepare(sql).unwrap();
    let count = query.column_count();
    let rows = query.query_map([], |row| {
        let columns = (0..count).map(|at| row.get::<_, Value>(at).map(shown));
        columns.collect::<rusqlite::Result<Vec<_>>>()
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn content(dir: &Path, scratch: &Path) -> Content {
    let mut all = Content::new();
    for kind in KINDS {
        let (db, checksum) = open(dir, kind, scratch);
        assert_eq!(
            rows(&db, "SELECT * FROM db_info"),
            BTreeSet::from([vec!["10".to_owned(), checksum]]),
            "{kind}"
        );
        let check = rows(&db, "PRAGMA integrity_check");
        assert_eq!(check, BTreeSet::from([vec!["ok".to_owned()]]));
        let ids: BTreeMap<String, String> = rows(&db, "SELECT pkgKey, pkgId FROM packages")
            .into_iter()
            .map(|row| (row[0].clone(), row[1].clone()))
            .collect();
        for table in rows(&db, "SELECT name FROM sqlite_master WHERE type = 'table'") {
            let table = &table[0];
            let columns =
                format!("SELECT name, type, dflt_value, pk FROM pragma_table_info('{table}')");
            all.insert(format!("{kind} {table} columns"), rows(&db, &columns));
            if table == "db_info" {
                continue;
            }
            let names = "SELECT group_concat(name) FROM pragma_table_info";
            let names = rows(&db, &format!("{names}('{table}')"));
            let names = names.first().unwrap()[0].clone();
            let at = names.split(',').position(|name| name == "pkgKey").unwrap();
            let rows = rows(&db, &format!("SELECT * FROM {table}"));
            let named = rows.into_iter().map(|mut row| {
                row[at] = ids[&row[at]].clone();
                if names.starts_with("pkgKey,dirname") {
                    row = sorted_files(row);
                }
                row
            });
            all.insert(format!("{kind} {table}"), named.collect());
        }
        let others = "SELECT type, name, tbl_name FROM sqlite_master WHERE type != 'table'";
        all.insert(format!("{kind} indexes"), rows(&db, others));
    }
    all
}

fn assert_same(ours: &Content, theirs: &Content) {
    assert!(ours.keys().eq(theirs.keys()), "{:?}", ours.keys());
    for (key, rows) in theirs {
        assert_eq!(ours.get(key), Some(rows), "{key}");
    }
}

/// The files of a directory have no order.
fn sorted_files(row: Vec<String>) -> Vec<String> {
    let names = match row[2].as_str() {
        "/" => vec!["/"],
        names => names.split('/').collect(),
    };
    let mut files: Vec<_> = names.into_iter().zip(row[3].chars()).collect();
    files.sort_unstable();
    let (names, kinds): (Vec<_>, String) = files.into_iter().unzip();
    vec![row[0].clone(), row[1].clone(), names.join("/"), kinds]
}

#[test]
fn databases_hold_what_those_of_createrepo_c_hold() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let files = "%dir /top\n%dir /top/below\n/top/below/a\n/top/b\n%ghost /top/gone";
    let install = "mkdir -p %{buildroot}/top/below; echo > %{buildroot}/top/below/a; echo > %{buildroot}/top/b";
    let package = Spec::new("deep", "1").install(install).files(files).build();
    fs::copy(&package, tree.join(package.file_name().unwrap())).unwrap();
    let [ours, theirs, merged] = ["ours", "theirs", "merged"].map(|name| dir.path().join(name));
    fs::create_dir(&theirs).unwrap();
    let base = format!("file://{}", tree.display());
    let words = [text(&tree), "--baseurl", &base, "--database", "-o"];
    let listing = ok(&[
        &["createrepo", "--local-sqlite"],
        &words[..],
        &[text(&ours)],
    ]
    .concat());
    assert!(listing.contains("7 packages"), "{listing}");
    must(
        "createrepo_c",
        &[&["-q"], &words[..], &[text(&theirs)]].concat(),
    );
    let expected = content(&theirs, dir.path());
    assert!(
        expected["primary_db requires"].len() > 5 && expected["filelists_db filelist"].len() > 5
    );
    assert_same(&content(&ours, dir.path()), &expected);
    ok(&["check", text(&ours), "--no-closure"]);
    dnf(&ours, &["repoquery"]);
    // The same again is the same to the byte.
    let again = ok(&[
        "createrepo",
        text(&tree),
        "-o",
        text(&ours),
        "-u",
        &base,
        "-d",
    ]);
    assert!(again.contains("nothing changed"), "{again}");
    let again = ok(&[
        "createrepo",
        text(&tree),
        "-o",
        text(&ours),
        "-u",
        &base,
        "-d",
        "--no-update",
    ]);
    assert!(again.contains("nothing changed"), "{again}");
    // Databases of packages that are no more never stay.
    fs::remove_file(tree.join(package.file_name().unwrap())).unwrap();
    ok(&["createrepo", text(&tree), "-o", text(&ours)]);
    assert!(
        Repository::open(&ours)
            .unwrap()
            .record("primary_db")
            .is_err()
    );
    for word in ["--database", "-d"] {
        ok(&[
            "mergerepo",
            "-r",
            text(&ours),
            "-o",
            text(&merged),
            "--all",
            "--omit-baseurl",
            word,
        ]);
        must("sqliterepo_c", &["-q", "--force", text(&merged)]);
        let theirs = content(&merged, dir.path());
        ok(&["sqliterepo", "--force", text(&merged)]);
        assert_same(&content(&merged, dir.path()), &theirs);
    }
}

#[test]
fn databases_of_a_repository_that_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let names = || -> Vec<String> {
        let records = Repository::open(&tree).unwrap().repomd.records;
        let records = records.iter().filter(|record| record.kind.ends_with("_db"));
        records
            .map(|record| record.href.file_name().to_owned())
            .collect()
    };
    let files = || fs::read_dir(tree.join("repodata")).unwrap().count();
    for simple in [&[][..], &["--simple-md-filenames"]] {
        must(
            "createrepo_c",
            &[&["-q", "--no-database", text(&tree)], simple].concat(),
        );
        let sqliterepo = |words: &[&str]| run(&[&["sqliterepo", text(&tree)], words].concat());
        assert_eq!(sqliterepo(&[]).code, 0);
        let first = names();
        assert!(
            first.iter().all(|name| name.ends_with(".sqlite.bz2")),
            "{first:?}"
        );
        assert_eq!((first.len(), files()), (3, 7));
        let Run { code, err, .. } = sqliterepo(&[]);
        assert!(
            code == 2 && err.contains("has databases: --force replaces them"),
            "{err}"
        );
        assert_eq!(sqliterepo(&["--keep-old"]).code, 2);
        assert_eq!(sqliterepo(&["--force", "--xz", "--keep-old"]).code, 0);
        assert_eq!(files(), 10);
        for (words, end) in [
            (&["-f", "--compress-type", "gz", "--local-sqlite"][..], "gz"),
            (&["--force", "--xz"], "xz"),
            (
                &["--force", "--compress-type=zstd", "--checksum", "sha512"],
                "zst",
            ),
        ] {
            assert_eq!(sqliterepo(words).code, 0, "{words:?}");
            assert!(
                names().iter().all(|name| name.ends_with(end)),
                "{:?}",
                names()
            );
            ok(&["check", text(&tree), "--no-closure"]);
            content(&tree, dir.path());
        }
        let algo = Repository::open(&tree)
            .unwrap()
            .record("primary_db")
            .unwrap()
            .checksum;
        assert_eq!(algo.unwrap().algo().name(), "sha512");
        fs::remove_dir_all(tree.join("repodata")).unwrap();
    }
    let Run { code, err, .. } = run(&["sqliterepo", text(&tree)]);
    assert!(
        code == 1 && err.contains("holds no repodata/repomd.xml"),
        "{err}"
    );
}

/// What the yum of CentOS 5 to 7 needs: gz, databases in bz2, comps as they are.
#[test]
fn compatibility_is_that_with_old_yum() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let comps = dir.path().join("comps.xml");
    fs::write(
        &comps,
        "<comps><group><id>g</id><name>G</name></group></comps>\n",
    )
    .unwrap();
    let kinds = |more: &[&str]| -> Vec<(String, String)> {
        let words = [
            "createrepo",
            text(&tree),
            "-g",
            text(&comps),
            "--compatibility",
        ];
        ok(&[&words, more].concat());
        let end = |name: &str| name.rsplit('.').next().unwrap().to_owned();
        let records = Repository::open(&tree).unwrap().repomd.records.into_iter();
        records
            .map(|record| (end(record.href.file_name()), record.kind))
            .collect()
    };
    let all = kinds(&[]);
    let all: Vec<String> = all
        .iter()
        .map(|(end, kind)| format!("{kind}.{end}"))
        .collect();
    assert_eq!(
        all.join(" "),
        "primary.gz filelists.gz other.gz primary_db.bz2 filelists_db.bz2 other_db.bz2 group.xml"
    );
    assert_eq!(kinds(&["--no-database"]).len(), 4);
    assert_eq!(kinds(&["--xz"])[3].0, "xz");
}

/// A database that cannot be written is named, and the repository stays as it was.
#[test]
fn a_document_that_is_not_what_it_should_be_gives_no_databases() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree), "--simple-md-filenames"]);
    let before = fs::read(tree.join("repodata/repomd.xml")).unwrap();
    let other = tree.join("repodata/other.xml.gz");
    File::options()
        .append(true)
        .open(other)
        .unwrap()
        .set_len(100)
        .unwrap();
    let Run { code, err, .. } = program::run(tool().args(["sqliterepo", text(&tree)]));
    assert!(code == 1 && err.contains("other.xml.gz"), "{err}");
    assert_eq!(fs::read(tree.join("repodata/repomd.xml")).unwrap(), before);
    assert!(!tree.join(".repodata").exists());
}
