//! Row 115: killed at any moment, a repository is the one before or the one after.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::lab::{ok, packages, parsed, run, text, tool, tree};

const MOMENTS: u32 = 200;

fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn at_two_hundred_moments() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    for release in ["4", "5", "6"] {
        for package in packages(release) {
            fs::copy(
                &package,
                tree.join("one").join(package.file_name().unwrap()),
            )
            .unwrap();
        }
    }
    ok(&["createrepo", text(&tree)]);
    let before = parsed(&tree);
    for package in packages("3") {
        fs::copy(
            &package,
            tree.join("two").join(package.file_name().unwrap()),
        )
        .unwrap();
    }
    let kept = dir.path().join("kept");
    copy(&tree, &kept);
    let started = Instant::now();
    ok(&["createrepo", text(&tree), "--no-update"]);
    let whole = started.elapsed();
    let after = parsed(&tree);
    assert_ne!(before, after);
    let (mut old, mut new) = (0, 0);
    for moment in 0..MOMENTS {
        fs::remove_dir_all(&tree).unwrap();
        copy(&kept, &tree);
        let mut child = tool()
            .args(["createrepo", text(&tree), "--no-update"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(1.3) * moment / MOMENTS);
        child.kill().unwrap();
        child.wait().unwrap();
        match parsed(&tree) {
            now if now == before => old += 1,
            now if now == after => new += 1,
            _ => panic!("moment {moment}: neither old nor new"),
        }
        assert_eq!(
            run(&["check", text(&tree), "--no-packages", "--no-closure"]).0,
            0
        );
        if moment % 10 == 0 {
            ok(&["createrepo", text(&tree)]);
            assert_eq!(parsed(&tree), after);
            let mut left: Vec<_> = fs::read_dir(tree.join(".repo-tools"))
                .unwrap()
                .flatten()
                .map(|e| e.file_name())
                .collect();
            left.sort();
            assert_eq!(left, ["lock", "state"], "moment {moment}");
        }
    }
    println!("{old} times the old one, {new} times the new one; a run takes {whole:?}");
    assert!(
        old > 0 && new > 0,
        "{old} {new}: the moments do not cover the run"
    );
}

/// The one moment that a file system without exchange has: between two renames.
#[test]
fn between_two_renames() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let before = parsed(&tree);
    fs::rename(tree.join("repodata"), tree.join(".repo-tools/old")).unwrap();
    fs::create_dir(tree.join(".repo-tools/new")).unwrap();
    std::thread::sleep(Duration::from_millis(10));
    let out = ok(&["createrepo", text(&tree)]);
    assert!(out.contains("nothing changed"), "{out}");
    assert_eq!(parsed(&tree), before);
    assert!(!tree.join(".repo-tools/old").exists() && !tree.join(".repo-tools/new").exists());
}
