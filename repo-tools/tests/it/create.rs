//! createrepo by itself: what is read, what is written, what stays.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::lab::{bytes, ok, packages, parsed, run, text, tool, tree};
use testkit::program::Run;

fn read_list(dir: &Path, tree: &Path, more: &[&str]) -> Vec<String> {
    let list = dir.join("read");
    let mut args = vec!["createrepo", text(tree), "--read-pkgs-list", text(&list)];
    args.extend(more);
    let _ = fs::remove_file(&list);
    ok(&args);
    let read = fs::read_to_string(&list).unwrap_or_default();
    read.lines().map(str::to_owned).collect()
}

#[test]
fn an_unchanged_tree_leaves_every_byte_and_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    assert_eq!(read_list(dir.path(), &tree, &[]).len(), 6);
    let before = bytes(&tree);
    let inode = fs::metadata(tree.join("repodata")).unwrap().ino();
    // Not even readable packages are needed.
    let out = tool().args(["createrepo", text(&tree)]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("nothing changed"));
    assert_eq!(bytes(&tree), before);
    assert_eq!(fs::metadata(tree.join("repodata")).unwrap().ino(), inode);
}

#[test]
fn one_changed_package_costs_one_package() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let new = packages("3").remove(1);
    fs::copy(&new, tree.join("two").join(new.file_name().unwrap())).unwrap();
    fs::remove_file(tree.join("one/bare-1.0~rc1-1.noarch.rpm")).unwrap();
    let read = read_list(dir.path(), &tree, &[]);
    assert_eq!(
        read,
        [format!(
            "two/{}",
            new.file_name().unwrap().to_str().unwrap()
        )]
    );
    // The same as a run from nothing.
    let fresh = dir.path().join("fresh");
    ok(&["createrepo", text(&tree), "-o", text(&fresh)]);
    assert_eq!(parsed(&tree), parsed(&fresh));
}

/// Whether records were taken over or read does not show in the files.
#[test]
fn an_update_gives_the_bytes_of_a_run_from_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for compression in ["gz", "xz", "zst"] {
        let tree = tree(&dir.path().join(compression));
        ok(&["createrepo", text(&tree), "--compress", compression]);
        for package in packages("3") {
            let to = tree.join("two").join(package.file_name().unwrap());
            fs::copy(&package, to).unwrap();
        }
        let time = ["--revision", "7", "--set-timestamp-to-revision"];
        let make = |more: &[&str]| {
            let mut args = vec!["createrepo", text(&tree), "--compress", compression];
            args.extend(time);
            args.extend(["--retain-old-md", "0"]);
            args.extend(more);
            ok(&args);
        };
        assert_eq!(
            read_list(dir.path(), &tree, &["--compress", compression]).len(),
            3
        );
        make(&[]);
        let fresh = dir.path().join(format!("{compression}-fresh"));
        make(&["-o", text(&fresh), "--no-update"]);
        let relative = |dir: &Path| {
            let files = bytes(&dir.join("repodata")).into_iter();
            files
                .map(|(path, bytes)| (path.file_name().unwrap().to_owned(), bytes))
                .collect::<Vec<_>>()
        };
        assert!(relative(&tree) == relative(&fresh), "{compression}");
    }
}

#[test]
fn equal_trees_give_equal_bytes_with_any_number_of_workers() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let mut all = Vec::new();
    for (name, workers) in [("a", "1"), ("b", "5")] {
        let out = dir.path().join(name);
        let made = tool()
            .args([
                "createrepo",
                text(&tree),
                "-o",
                text(&out),
                "--workers",
                workers,
            ])
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .output()
            .unwrap();
        assert!(made.status.success());
        let files = bytes(&out.join("repodata"));
        let named = files
            .into_iter()
            .map(|(p, b)| (p.file_name().unwrap().to_owned(), b));
        all.push(named.collect::<Vec<_>>());
    }
    assert_eq!(all[0], all[1]);
    let repomd = fs::read_to_string(dir.path().join("a/repodata/repomd.xml")).unwrap();
    assert!(
        repomd.contains("<revision>1700000000</revision>"),
        "{repomd}"
    );
    assert_eq!(
        repomd.matches("<timestamp>1700000000</timestamp>").count(),
        3
    );
}

/// Size and time as before, other content.
#[test]
fn row_114_a_change_that_keeps_size_and_time_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let package = tree.join("one/odd-1.0~rc1-1.noarch.rpm");
    let time = fs::metadata(&package).unwrap().modified().unwrap();
    let mut data = fs::read(&package).unwrap();
    let last = data.len() - 1;
    data[last] ^= 1;
    fs::write(&package, &data).unwrap();
    fs::File::options()
        .write(true)
        .open(&package)
        .unwrap()
        .set_modified(time)
        .unwrap();
    assert_eq!(
        read_list(dir.path(), &tree, &[]),
        ["one/odd-1.0~rc1-1.noarch.rpm"]
    );
    assert_eq!(run(&["check", text(&tree), "--no-closure"]).code, 0);
}

#[test]
fn a_new_time_alone_rewrites_one_record() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let before = parsed(&tree);
    let package = tree.join("one/odd-1.0~rc1-1.noarch.rpm");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    fs::File::options()
        .write(true)
        .open(package)
        .unwrap()
        .set_modified(time)
        .unwrap();
    assert_eq!(read_list(dir.path(), &tree, &[]).len(), 1);
    let after = parsed(&tree);
    assert_ne!(before["primary"], after["primary"]);
    assert_eq!(before["filelists"], after["filelists"]);
}

/// A bad package is named, the exit code shows it, the old metadata stay.
#[test]
fn row_114_bad_packages() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let before = bytes(&tree.join("repodata"));
    let good = fs::read(tree.join("one/odd-1.0~rc1-1.noarch.rpm")).unwrap();
    fs::write(tree.join("one/short.rpm"), &good[..good.len() - 10]).unwrap();
    fs::write(tree.join("one/cut.rpm"), &good[..2000]).unwrap();
    fs::write(tree.join("one/empty.rpm"), b"").unwrap();
    let mut broken = good.clone();
    let at = broken
        .windows(7)
        .rposition(|w| w == b"Nothing" || w == b"strange")
        .unwrap();
    broken[at] ^= 1;
    fs::write(tree.join("one/header.rpm"), &broken).unwrap();
    std::os::unix::fs::symlink("nowhere", tree.join("one/dangling.rpm")).unwrap();
    let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
    assert_eq!(code, 1, "{err}");
    for (name, why) in [
        ("short", "cut short"),
        ("cut", "cut short"),
        ("empty", "not an RPM package"),
        ("header", "does not match"),
        ("dangling", "No such file"),
    ] {
        let named = err
            .lines()
            .any(|line| line.contains(&format!("{name}.rpm")) && line.contains(why));
        assert!(named, "{name}: {err}");
    }
    assert!(err.contains("5 of 11 packages"), "{err}");
    assert_eq!(bytes(&tree.join("repodata")), before);
    let Run { code, err, .. } = run(&["createrepo", text(&tree), "--skip-broken"]);
    assert_eq!((code, err.matches("warning: ").count()), (0, 5), "{err}");
    assert_eq!(parsed(&tree)["primary"].len(), 6);
    // And again: what is bad is still said.
    let Run { code, err, .. } = run(&["createrepo", text(&tree), "--skip-broken"]);
    assert_eq!((code, err.matches("warning: ").count()), (0, 5), "{err}");
    // Where there was nothing, the good ones are indexed all the same.
    let fresh = dir.path().join("fresh");
    assert_eq!(
        run(&["createrepo", text(&tree), "-o", text(&fresh)]).code,
        1
    );
    assert_eq!(parsed(&fresh), parsed(&tree));
}

#[test]
fn row_114_two_packages_of_one_name_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let package = tree.join("one/odd-1.0~rc1-1.noarch.rpm");
    fs::copy(&package, tree.join("one/copy.rpm")).unwrap();
    let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
    assert_eq!((code, err.as_str()), (0, ""));
    let mut data = fs::read(&package).unwrap();
    *data.last_mut().unwrap() ^= 1;
    fs::write(tree.join("two/other.rpm"), data).unwrap();
    for _ in 0..2 {
        let Run { code, err, .. } = run(&["createrepo", text(&tree), "--revision", "x"]);
        assert_eq!(code, 0);
        assert!(
            err.contains("two/other.rpm") && err.contains("same name"),
            "{err}"
        );
        fs::write(
            tree.join("two/touched.rpm"),
            fs::read(tree.join("two/bare-1.0~rc1-2.noarch.rpm")).unwrap(),
        )
        .unwrap();
    }
}

/// A package that somebody writes to while it is read is named, and the old metadata stay.
#[test]
fn row_114_a_package_that_changes_while_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let before = bytes(&tree.join("repodata"));
    // What stands behind the payload is read, too: that takes its time.
    let package = tree.join("one/odd-1.0~rc1-1.noarch.rpm");
    let file = fs::File::options().write(true).open(&package).unwrap();
    file.set_len(256 << 20).unwrap();
    ok(&["createrepo", text(&tree)]);
    let quiet = bytes(&tree.join("repodata"));
    assert_ne!(quiet, before, "nobody wrote to it");
    let mut child = tool()
        .args(["createrepo", text(&tree), "--no-update"])
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while child.try_wait().unwrap().is_none() {
        file.set_modified(SystemTime::now()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    let Run { code, err, .. } = Run::of(child.wait_with_output().unwrap());
    let named = "odd-1.0~rc1-1.noarch.rpm: package changed while it was read";
    assert_eq!((code, err.contains(named)), (1, true), "{err}");
    assert_eq!(bytes(&tree.join("repodata")), quiet);
}

#[test]
fn old_metadata_stay_for_readers_for_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let repodata = tree.join("repodata");
    let names = || {
        let entries = fs::read_dir(&repodata).unwrap().flatten();
        entries
            .map(|e| e.file_name().into_string().unwrap())
            .collect::<Vec<_>>()
    };
    ok(&["createrepo", text(&tree)]);
    let first = names();
    fs::write(repodata.join("repomd.xml.asc"), "stale").unwrap();
    fs::write(repodata.join("note.txt"), "mine").unwrap();
    fs::remove_file(tree.join("one/bare-1.0~rc1-1.noarch.rpm")).unwrap();
    ok(&["createrepo", text(&tree)]);
    let second = names();
    assert!(first.iter().all(|name| second.contains(name)), "{second:?}");
    assert!(!second.contains(&"repomd.xml.asc".to_owned()), "{second:?}");
    fs::remove_file(tree.join("one/odd-1.0~rc1-1.noarch.rpm")).unwrap();
    ok(&["createrepo", text(&tree)]);
    let third = names();
    let left: Vec<_> = first.iter().filter(|n| third.contains(n)).collect();
    assert_eq!(left, ["repomd.xml"], "{third:?}");
    assert!(third.contains(&"note.txt".to_owned()));
    assert_eq!(third.len(), 3 + 3 + 2);
    ok(&[
        "createrepo",
        text(&tree),
        "--retain-old-md",
        "0",
        "--no-update",
        "--revision",
        "7",
    ]);
    assert_eq!(names().len(), 3 + 2, "{:?}", names());
}

#[test]
fn records_of_others_are_taken_in_and_stay() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let comps = dir.path().join("comps.xml");
    fs::write(&comps, "<?xml version=\"1.0\"?>\n<comps><group><id>g</id><name>G</name><packagelist><packagereq type=\"mandatory\">odd</packagereq></packagelist></group></comps>\n").unwrap();
    let extra = dir.path().join("productid");
    fs::write(&extra, "anything").unwrap();
    let record = format!("productid={}", extra.display());
    ok(&[
        "createrepo",
        text(&tree),
        "-g",
        text(&comps),
        "--record",
        &record,
    ]);
    let kinds = || {
        let repository = repo_tools::repository::Repository::open(&tree).unwrap();
        repository
            .repomd
            .records
            .iter()
            .map(|r| r.kind.clone())
            .collect::<Vec<_>>()
    };
    let all = [
        "primary",
        "filelists",
        "other",
        "group",
        "group_gz",
        "productid",
    ];
    assert_eq!(kinds(), all);
    fs::remove_file(tree.join("one/bare-1.0~rc1-1.noarch.rpm")).unwrap();
    ok(&["createrepo", text(&tree)]);
    assert_eq!(kinds(), all);
    assert_eq!(run(&["check", text(&tree), "--no-closure"]).code, 0);
    assert!(crate::lab::dnf(&tree, &["group", "list", "--hidden"]).contains('G'));
    let repository = repo_tools::repository::Repository::open(&tree).unwrap();
    fs::remove_file(repository.file(repository.record("productid").unwrap())).unwrap();
    let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
    assert_eq!(code, 0);
    assert!(err.contains("record productid is dropped"), "{err}");
    let all = &all[..5];
    assert_eq!(kinds(), all);
    fs::write(&comps, "<comps><group>").unwrap();
    let Run { code, err, .. } = run(&["createrepo", text(&tree), "-g", text(&comps)]);
    assert_eq!(code, 1);
    assert!(err.contains("comps.xml"), "{err}");
    assert_eq!(kinds(), all);
    ok(&["createrepo", text(&tree), "--discard-additional-metadata"]);
    assert_eq!(kinds(), &all[..3]);
}

#[test]
fn choices_of_files_and_locations() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let out = dir.path().join("out");
    let locations = |args: &[&str]| {
        let mut all = vec!["createrepo", text(&tree), "-o", text(&out)];
        all.extend(args);
        ok(&all);
        let listed = ok(&["query", text(&out), "--location"]);
        let mut listed: Vec<_> = listed.lines().map(str::to_owned).collect();
        listed.sort();
        listed
    };
    assert_eq!(
        locations(&["-x", "*odd*", "-x", "two/*"]),
        [
            "one/bare-1.0~rc1-1.noarch.rpm",
            "one/plain-1.0~rc1-1.noarch.rpm"
        ]
    );
    let list = dir.path().join("list");
    fs::write(&list, "./two/odd-1.0~rc1-2.noarch.rpm\n\n").unwrap();
    assert_eq!(
        locations(&["-i", text(&list)]),
        ["two/odd-1.0~rc1-2.noarch.rpm"]
    );
    let moved = locations(&[
        "-i",
        text(&list),
        "--cut-dirs",
        "1",
        "--location-prefix",
        "Packages/o",
    ]);
    assert_eq!(moved, ["Packages/o/odd-1.0~rc1-2.noarch.rpm"]);
    locations(&["-i", text(&list), "-u", "https://example.com/x/"]);
    assert!(parsed(&out)["primary"][0].contains("xml:base=\"https://example.com/x/\""));
    let again = ok(&[
        "createrepo",
        text(&tree),
        "-o",
        text(&out),
        "-i",
        text(&list),
        "-u",
        "https://example.com/x/",
    ]);
    assert!(again.contains("nothing changed"), "{again}");
}

#[test]
fn damaged_old_metadata_are_said_and_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let good = parsed(&tree);
    for kind in ["primary", "filelists", "other"] {
        let repository = repo_tools::repository::Repository::open(&tree).unwrap();
        let file = repository.file(repository.record(kind).unwrap());
        let mut data = fs::read(&file).unwrap();
        let middle = data.len() / 2;
        data[middle] ^= 0x10;
        fs::write(&file, data).unwrap();
        let Run { code, err, .. } = run(&["createrepo", text(&tree), "--revision", kind]);
        assert_eq!(code, 0, "{err}");
        assert!(
            err.contains("the old metadata is not used") && err.contains(kind),
            "{kind}: {err}"
        );
        assert_eq!(parsed(&tree), good);
    }
    fs::write(tree.join("repodata/repomd.xml"), "<repomd").unwrap();
    let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
    assert_eq!(code, 0);
    assert!(err.contains("not used"), "{err}");
    assert_eq!(parsed(&tree), good);
}

#[test]
fn one_run_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let lock = fs::File::open(tree.join(".repo-tools/lock")).unwrap();
    lock.lock().unwrap();
    let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
    assert_eq!(code, 1);
    assert!(err.contains("another repo-tools is working"), "{err}");
}

/// Others may write into the folder: links that they made send nothing elsewhere.
#[test]
fn a_link_in_the_place_of_the_working_folder_is_not_followed() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let (precious, elsewhere) = (dir.path().join("precious"), dir.path().join("elsewhere"));
    fs::write(&precious, "precious").unwrap();
    fs::create_dir(&elsewhere).unwrap();
    let work = tree.join(".repo-tools");
    fs::create_dir(&work).unwrap();
    symlink(&precious, work.join("lock")).unwrap();
    let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
    assert!(code == 1 && err.contains(".repo-tools/lock"), "{err}");
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    fs::remove_dir_all(&work).unwrap();
    symlink(&elsewhere, &work).unwrap();
    let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
    assert!(code == 1 && err.contains(".repo-tools"), "{err}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

/// Build scripts ask for the version first; what the usage says can be typed.
#[test]
fn a_link_of_createrepo_knows_its_version_and_its_usage() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["createrepo", "createrepo_c", "mergerepo_c", "modifyrepo"] {
        let link = dir.path().join(name);
        std::os::unix::fs::symlink(tool().get_program(), &link).unwrap();
        let said = |word: &str| {
            let out = std::process::Command::new(&link).arg(word).output();
            let out = out.unwrap();
            assert!(out.status.success(), "{name} {word}: {out:?}");
            String::from_utf8(out.stdout).unwrap()
        };
        for word in ["--version", "-V"] {
            assert_eq!(
                said(word),
                format!(
                    "Version: 0.17.3 (repo-tools {})\n",
                    env!("CARGO_PKG_VERSION")
                )
            );
        }
        let usage = format!("Usage: {name} ");
        assert!(said("--help").contains(&usage), "{name}");
    }
}
