//! What the binary is made of, and how much memory it takes.

use std::fs;
use std::process::Command;

use crate::lab::{packages, parsed, text, tool};

fn dependencies(more: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            "repo-tools",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--offline",
            "--locked",
        ])
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// No network, no TLS, no libsolv; OpenPGP for signing only, sqlite for the databases of yum.
#[test]
fn the_tree_stays_small() {
    let heavy = [
        "reqwest",
        "tokio",
        "hyper",
        "rustls",
        "openssl",
        "native-tls",
        "libsolv-sys",
        "rpm-solv",
        "rpm-db",
        "repo-client",
    ];
    let whole = dependencies(&[]);
    assert!(whole.contains(&"sequoia-openpgp".to_owned()), "{whole:?}");
    for name in heavy {
        assert!(!whole.contains(&name.to_owned()), "{name} is in the tree");
    }
    let without = dependencies(&["--no-default-features"]);
    assert!(without.contains(&"rpm-repo".to_owned()));
    assert!(
        without.iter().all(|name| !name.starts_with("sequoia")),
        "{without:?}"
    );
}

/// 10,000 packages, hard links to a few, in at most 100 MB; also when all of it is taken over.
#[test]
fn memory_does_not_grow_with_the_tree() {
    const LIMIT: u64 = 100 * 1000 * 1000;
    let dir = tempfile::tempdir_in(testkit::fixtures::cache_dir()).unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let sources = packages("1");
    for number in 0..10_000 {
        let source = &sources[number % sources.len()];
        let to = tree.join(format!("p{number}.rpm"));
        if fs::hard_link(source, &to).is_err() {
            fs::copy(source, &to).unwrap();
        }
    }
    for more in [
        &[][..],
        &["--revision", "2"],
        &["--no-update", "--revision", "3"],
        &["--database"],
    ] {
        let output = Command::new("/usr/bin/time")
            .args(["-q", "-f", "%M"])
            .arg(tool().get_program())
            .args(["createrepo", "-q", text(&tree)])
            .args(more)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let kib: u64 = said.trim().lines().last().unwrap().parse().unwrap();
        println!("{more:?}: {} kB", kib * 1024 / 1000);
        assert!(kib * 1024 <= LIMIT, "{more:?}: {kib} KiB");
    }
    assert_eq!(parsed(&tree)["primary"].len(), 10_000);
}
