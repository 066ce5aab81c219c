//! Row 115: killed at any moment, a repository is the one before or the one after.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{ok, packages, parsed, run, text, tool, tree};
use testkit::program::Run;

const MOMENTS: u32 = 200;

/// A repository with new packages in its tree, and what it says before and after a run.
struct Scene {
    tree: PathBuf,
    kept: PathBuf,
    before: BTreeMap<String, Vec<String>>,
    after: BTreeMap<String, Vec<String>>,
    whole: Duration,
}

/// What a killed run left.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Old,
    New,
}

impl Scene {
    fn new(dir: &Path, releases: &[&str]) -> Scene {
        let tree = tree(dir);
        let add = |folder: &str, release: &str| {
            for package in packages(release) {
                let name = package.file_name().unwrap();
                fs::copy(&package, tree.join(folder).join(name)).unwrap();
            }
        };
        releases.iter().for_each(|release| add("one", release));
        ok(&["createrepo", text(&tree)]);
        let before = parsed(&tree);
        add("two", "3");
        let kept = dir.join("kept");
        testkit::tree::copy(&tree, &kept);
        let started = Instant::now();
        ok(&["createrepo", text(&tree), "--no-update"]);
        let whole = started.elapsed();
        let after = parsed(&tree);
        assert_ne!(before, after);
        Scene {
            tree,
            kept,
            before,
            after,
            whole,
        }
    }

    fn restore(&self) {
        fs::remove_dir_all(&self.tree).unwrap();
        testkit::tree::copy(&self.kept, &self.tree);
    }

    /// The repository of before or that of after, whole, and nothing else.
    fn judge(&self, moment: &str) -> Left {
        let left = match parsed(&self.tree) {
            now if now == self.before => Left::Old,
            now if now == self.after => Left::New,
            _ => panic!("{moment}: neither old nor new"),
        };
        let Run { code, out, err, .. } =
            run(&["check", text(&self.tree), "--no-packages", "--no-closure"]);
        assert_eq!(code, 0, "{moment}: {out}{err}");
        left
    }

    /// The next run finishes the work and leaves nothing of the killed one.
    fn next_run_clears(&self, moment: &str) {
        ok(&["createrepo", text(&self.tree)]);
        assert_eq!(parsed(&self.tree), self.after, "{moment}");
        let names = |dir: &Path| {
            let entries = fs::read_dir(dir).unwrap().flatten();
            let mut names: Vec<_> = entries.map(|e| e.file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(
            names(&self.tree.join(".repo-tools")),
            ["lock", "state"],
            "{moment}"
        );
        assert_eq!(
            names(&self.tree),
            [".repo-tools", "one", "repodata", "two"],
            "{moment}"
        );
        // The new generation, the one before it, and repomd.xml.
        assert_eq!(
            names(&self.tree.join("repodata")).len(),
            3 + 3 + 1,
            "{moment}"
        );
    }
}

/// Two hundred points in time, spread over a third more than a whole run takes.
#[test]
fn row_115_killed_at_two_hundred_moments() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path(), &["4", "5", "6"]);
    let (mut old, mut new) = (0, 0);
    for moment in 0..MOMENTS {
        scene.restore();
        let mut child = tool()
            .args(["createrepo", text(&scene.tree), "--no-update"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(scene.whole.mul_f64(1.3) * moment / MOMENTS);
        child.kill().unwrap();
        child.wait().unwrap();
        let name = format!("moment {moment}");
        match scene.judge(&name) {
            Left::Old => old += 1,
            Left::New => new += 1,
        }
        if moment % 10 == 0 {
            scene.next_run_clears(&name);
        }
    }
    let whole = scene.whole;
    println!("{old} times the old one, {new} times the new one; a run takes {whole:?}");
    assert!(
        old > 0 && new > 0,
        "{old} {new}: the moments do not cover the run"
    );
}

/// The calls that change what is on disk; `?` for those that an architecture may lack.
const CALLS: [&str; 11] = [
    "?mkdir,?mkdirat",
    "openat",
    "write",
    "?rename,?renameat",
    // Of the thread that writes the state; the calls of each thread are counted by themselves.
    "?renameat",
    "renameat2",
    "?link,?linkat",
    "?unlink",
    "?unlinkat",
    "?rmdir",
    "fsync",
];

/// Not by time but by step: before the first, second, third ... of each call that changes
/// something, up to the last, so that no moment of the publishing is left out.
#[test]
fn row_115_killed_before_every_call_that_changes_something() {
    if !Path::new("/usr/bin/strace").exists() {
        return testkit::fixtures::skipped("no strace");
    }
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path(), &[]);
    let log = dir.path().join("log");
    let (mut old, mut new) = (0, 0);
    for calls in CALLS {
        for count in 1.. {
            scene.restore();
            let inject = format!("inject={calls}:signal=KILL:when={count}");
            let output = Command::new("strace")
                .args([
                    "-f",
                    "-qq",
                    "-o",
                    text(&log),
                    "-e",
                    &format!("trace={calls}"),
                ])
                .args(["-e", &inject])
                .arg(tool().get_program())
                .args([
                    "createrepo",
                    text(&scene.tree),
                    "--no-update",
                    "--workers",
                    "1",
                ])
                .output()
                .unwrap();
            let name = format!("{calls} {count}");
            let left = scene.judge(&name);
            if output.status.success() {
                assert_eq!(left, Left::New, "{name}");
                assert!(count > 1 || calls.starts_with('?'), "no {calls} was seen");
                break;
            }
            let traced = fs::read_to_string(&log).unwrap();
            assert!(traced.contains("killed by SIGKILL"), "{name}: {output:?}");
            match left {
                Left::Old => old += 1,
                Left::New => new += 1,
            }
            scene.next_run_clears(&name);
        }
    }
    println!("{old} times the old one, {new} times the new one");
    // mkdir to rename; from the exchange on.
    assert!(old > 20 && new > 5, "{old} {new}");
}

/// The one moment that a file system without exchange has: between two renames.
#[test]
fn row_115_killed_between_two_renames() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let before = parsed(&tree);
    fs::rename(tree.join("repodata"), tree.join(".repo-tools/old")).unwrap();
    fs::create_dir(tree.join(".repodata")).unwrap();
    fs::write(tree.join(".repo-tools/making"), "").unwrap();
    std::thread::sleep(Duration::from_millis(10));
    let out = ok(&["createrepo", text(&tree)]);
    assert!(out.contains("nothing changed"), "{out}");
    assert_eq!(parsed(&tree), before);
    assert!(!tree.join(".repo-tools/old").exists() && !tree.join(".repodata").exists());
    assert!(!tree.join(".repo-tools/making").exists());
}
