//! An upload folder in which somebody has put links: docs/threats.md, rows 121 and 126.

use std::fs;
use std::path::Path;

use testkit::links::planted;
use testkit::opens::{through_folders, through_links};
use testkit::program::Run;

use crate::lab::{run, text, tool, tree};

/// What is done to the repository in a folder, and the words of each command.
fn commands(root: &Path) -> Vec<Vec<String>> {
    let (at, out) = (root.join("tree"), root.join("out"));
    let (notes, key) = (root.join("notes"), root.join("key"));
    let repodata = at.join("repodata");
    let (at, repodata) = (text(&at), text(&repodata));
    let mut all = vec![
        vec!["createrepo", at, "--deltas", "2"],
        vec!["createrepo", at, "--database", "--no-update"],
        vec!["modifyrepo", text(&notes), repodata],
        vec!["mergerepo", "--repo", at, "--repo", at, "-o", text(&out)],
        vec!["sqliterepo", "--force", at],
    ];
    if cfg!(feature = "sign") {
        all.push(vec!["sign", at, "--key", text(&key), "--with-key"]);
    }
    let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    all.into_iter().map(owned).collect()
}

fn fresh(root: &Path) {
    tree(root);
    fs::create_dir(root.join("out")).unwrap();
    fs::write(root.join("notes"), "noted").unwrap();
    fs::write(root.join("key"), secret()).unwrap();
}

/// A private key.
fn secret() -> String {
    static SECRET: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let make = || {
        let dir = tempfile::tempdir().unwrap();
        let gpg = testkit::gpg::Gpg::with_key(dir.path(), "links@example.com");
        gpg.ok(&["--armor", "--export-secret-keys"]).out
    };
    SECRET.get_or_init(make).clone()
}

#[test]
fn row_126_links_in_the_place_of_what_repo_tools_make() {
    let work = |root: &Path| -> Vec<Run> {
        let all = commands(root).into_iter();
        all.map(|words| run(&words.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect()
    };
    let between = [
        "tree/.repodata",
        "tree/.repo-tools/old",
        "tree/.repo-tools/making",
        "tree/.repodata/primary.xml.gz",
        "out/.repodata",
        "out/.repo-tools/old",
        "out/.repo-tools/making",
    ];
    let tried = planted(&fresh, &work, &between);
    println!("{tried} links");
    assert!(tried >= 60, "{tried}");
}

#[test]
fn row_121_repo_tools_write_nothing_through_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fresh(&root);
    for words in commands(&root) {
        let bad = through_links(tool().args(&words));
        assert!(bad.is_empty(), "{words:?}: {bad:#?}");
    }
    let root = dir.path().join("other");
    fresh(&root);
    for words in commands(&root) {
        let bad = through_folders(tool().args(&words), &root.join("tree"));
        assert!(bad.is_empty(), "{words:?}: {bad:#?}");
    }
}
