//! What has not changed is copied as it is packed, and nobody can tell from the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::lab::{bytes, dnf, must, ok, parsed, text, tool};
use testkit::program;

const COUNT: usize = 240;

/// A copy of a time that does not depend on the run: where blocks end depends on what they hold.
fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = fs::File::options().write(true).open(to).unwrap();
    file.set_modified(time).unwrap();
}

/// A tree, and the next release of its packages.
fn many(dir: &Path) -> (PathBuf, Vec<PathBuf>) {
    let tree = dir.join("many");
    fs::create_dir_all(tree.join("sub")).unwrap();
    for package in testkit::many::packages(1, COUNT) {
        copy(&package, &tree.join(package.file_name().unwrap()));
    }
    (tree, testkit::many::packages(2, COUNT))
}

/// An update; for each document the number of its blocks, and of those that were taken over: the largest
/// document first.
fn update(tree: &Path, more: &[&str]) -> Vec<(usize, usize)> {
    let mut command = tool();
    let words = [
        "--revision",
        "7",
        "--set-timestamp-to-revision",
        "--retain-old-md",
        "0",
    ];
    command
        .env("TDNF_LOG", "debug")
        .args(["createrepo", text(tree)]);
    let said = program::run(command.args(words).args(more)).ok().err;
    let number = |line: &str, key: &str| {
        let (_, rest) = line.split_once(key)?;
        rest.split(' ').next()?.trim().parse().ok()
    };
    let counts = |line| Some((number(line, " blocks=")?, number(line, " taken=")?));
    let mut all: Vec<_> = said.lines().filter_map(counts).collect();
    all.sort_unstable();
    all.reverse();
    all
}

/// The same as a run from nothing, byte for byte.
fn assert_fresh(tree: &Path, more: &[&str], what: &str) {
    let fresh = tree.with_file_name("fresh");
    update(tree, &[more, &["-o", text(&fresh), "--no-update"]].concat());
    let files = |dir: &Path| {
        let files = bytes(&dir.join("repodata")).into_iter();
        files
            .map(|(path, bytes)| (path.file_name().unwrap().to_owned(), bytes))
            .collect::<Vec<_>>()
    };
    assert!(files(tree) == files(&fresh), "{what}");
}

fn name(number: usize, release: u32) -> String {
    format!("many{number:03}-1-{release}.noarch.rpm")
}

#[test]
fn what_has_not_changed_is_copied() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, next) = many(dir.path());
    let first = update(&tree, &[]);
    assert_eq!(first.len(), 3);
    assert!(first.iter().all(|(_, taken)| *taken == 0), "{first:?}");
    assert!(
        first[..2].iter().all(|(blocks, _)| *blocks >= 2),
        "{first:?}"
    );
    let put = |number: usize| {
        let new = next.iter().find(|p| p.ends_with(name(number, 2))).unwrap();
        // Under the old name: the place stays, and so does the number of packages.
        copy(new, &tree.join(name(number, 1)));
    };
    let remove = |number: usize| fs::remove_file(tree.join(name(number, 1))).unwrap();
    put(COUNT / 2);
    let one = update(&tree, &[]);
    for (blocks, taken) in &one {
        assert!(taken + 2 >= *blocks, "{one:?}");
    }
    assert_fresh(&tree, &[], "one in the middle");
    let copied = |what: &str| {
        let counts = update(&tree, &[]);
        // The head of each document may have changed as well.
        assert!(counts[0].1 + 3 >= counts[0].0, "{what}: {counts:?}");
        assert_fresh(&tree, &[], what);
    };
    put(0);
    copied("the first");
    put(COUNT - 1);
    copied("the last");
    remove(COUNT / 3);
    copied("one removed");
    fs::rename(tree.join(name(7, 1)), tree.join("sub").join(name(7, 1))).unwrap();
    copied("one moved");
    let new = next.iter().find(|p| p.ends_with(name(9, 2))).unwrap();
    copy(new, &tree.join(name(9, 2)));
    copied("one added");
    (0..5).for_each(remove);
    put(200);
    copied("the head removed, and one changed");
    (0..COUNT).skip(10).step_by(2).for_each(put);
    update(&tree, &[]);
    assert_fresh(&tree, &[], "half of all");
}

/// Also where there are no blocks, where others wrote the old files, and where they are damaged.
#[test]
fn what_cannot_be_copied_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, next) = many(dir.path());
    let mut changes = next.iter();
    let mut change = || {
        let new = changes.next().unwrap();
        let old = new
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .replace("-1-2.", "-1-1.");
        fs::copy(new, tree.join(old)).unwrap();
    };
    for format in ["zst", "xz", "bz2", "none", "gz", "gz"] {
        let more = ["--compress", format];
        update(&tree, &more);
        change();
        update(&tree, &more);
        assert_fresh(&tree, &more, format);
    }
    must("createrepo_c", &["-q", "--update", text(&tree)]);
    change();
    update(&tree, &[]);
    assert_fresh(&tree, &[], "after createrepo_c");
    let damage: [fn(&Path); 2] = [
        |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x55;
            fs::write(path, bytes).unwrap();
        },
        |path| fs::remove_file(path).unwrap(),
    ];
    for damage in damage {
        let packed = |end: &std::ffi::OsStr| end == "gz";
        let entries = fs::read_dir(tree.join("repodata")).unwrap().flatten();
        let files = entries.map(|entry| entry.path());
        files
            .filter(|path| path.extension().is_some_and(packed))
            .for_each(|path| damage(&path));
        change();
        let run = program::run(tool().args(["createrepo", text(&tree)])).ok();
        let said = "the old metadata is not used";
        assert!(run.err.contains(said), "{}", run.err);
        update(&tree, &["--no-update"]);
        assert_fresh(&tree, &[], "after damage");
    }
}

#[test]
fn everyone_reads_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, next) = many(dir.path());
    update(&tree, &[]);
    fs::copy(&next[77], tree.join(name(77, 1))).unwrap();
    update(&tree, &[]);
    assert_eq!(dnf(&tree, &["repoquery", "-a"]).lines().count(), COUNT);
    assert_eq!(ok(&["query", text(&tree)]).lines().count(), COUNT);
    ok(&["check", text(&tree), "--no-closure"]);
    let python =
        "import gzip,sys\nfor f in sys.argv[1:]: print(gzip.open(f).read().count(b'</package>'))";
    for entry in fs::read_dir(tree.join("repodata")).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "gz") {
            must("gzip", &["-t", text(&path)]);
            let count = must("python3", &["-c", python, text(&path)]);
            assert_eq!(count.trim(), COUNT.to_string());
        }
    }
    let before = parsed(&tree);
    must(
        "createrepo_c",
        &["-q", "--update", "--no-database", text(&tree)],
    );
    assert_eq!(parsed(&tree), before);
}

/// A state whose lines changed places names one package for another: it is not used.
#[test]
fn a_state_out_of_order_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, _) = many(dir.path());
    update(&tree, &[]);
    let path = tree.join(".repo-tools/state");
    let state = fs::read_to_string(&path).unwrap();
    let (head, packages) = state.split_once("\npackages\n").unwrap();
    let mut lines: Vec<&str> = packages.lines().collect();
    lines.swap(0, 1);
    fs::write(&path, format!("{head}\npackages\n{}\n", lines.join("\n"))).unwrap();
    fs::remove_file(tree.join(name(9, 1))).unwrap();
    update(&tree, &[]);
    assert_fresh(&tree, &[], "lines changed places");
}

/// Damaged metadata is replaced, also by metadata that says the same.
#[test]
fn damaged_documents_are_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, _) = many(dir.path());
    update(&tree, &[]);
    let documents = || fs::read_dir(tree.join("repodata")).unwrap().flatten();
    for kind in ["primary", "filelists", "other"] {
        let ending = format!("{kind}.xml.gz");
        let paths = documents().map(|entry| entry.path());
        let path = paths
            .into_iter()
            .find(|path| text(path).ends_with(&ending))
            .unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        fs::remove_dir_all(tree.join(".repo-tools")).unwrap();
        update(&tree, &[]);
        assert_fresh(&tree, &[], kind);
    }
}
