//! An upload folder whose owner is hostile: what leads outside on the way to a file, what is exchanged during a run, and
//! what never ends in the place of a file of ours. docs/threats.md, rows 136 and 137.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::program::{self, Run};

use crate::lab::{must, ok, packages, run, text, tool};

/// A repository of one package below `dir`, and a folder outside with a file that nobody else may read.
fn stage(dir: &Path) -> (PathBuf, PathBuf) {
    let (up, outside) = (dir.join("up"), dir.join("outside"));
    fs::create_dir_all(&up).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "precious").unwrap();
    fs::copy(&packages("1")[0], up.join("a.rpm")).unwrap();
    ok(&["createrepo", text(&up)]);
    (up, outside)
}

/// Another package, so that there is something to do.
fn another(up: &Path) {
    fs::copy(&packages("1")[1], up.join("b.rpm")).unwrap();
}

fn is_untouched(outside: &Path) -> bool {
    let count = fs::read_dir(outside).unwrap().count();
    count == 1 && fs::read(outside.join("secret")).unwrap() == b"precious"
}

/// The files below repodata that have the secret's text.
fn leaked(up: &Path) -> String {
    let repodata = up.join("repodata");
    let found = Command::new("grep")
        .args(["-rl", "precious", text(&repodata)])
        .output();
    String::from_utf8(found.unwrap().stdout).unwrap()
}

#[test]
fn row_136_no_name_in_the_state_or_an_index_leads_outside() {
    let dir = tempfile::tempdir().unwrap();
    let (up, outside) = stage(dir.path());
    let state = up.join(".repo-tools/state");
    let forged = fs::read_to_string(&state).unwrap();
    let forged = forged.replace(
        "\ndocument ",
        "\nold L/secret L/../L/secret ../../outside/secret\ndocument ",
    );
    let none = format!("sha256:{}", "0".repeat(64));
    let index = format!(
        r#"{{"format":1,"deltas":[{{"from":"{none}","to":"{none}","location":"repodata/deltas/secret","size":6,"digest":"{none}"}}]}}"#
    );
    for words in [
        &["--retain-old-md", "3"][..],
        &["--deltas", "2"],
        &["--database"],
    ] {
        fs::write(&state, &forged).unwrap();
        for name in ["L", "deltas"] {
            let _ = fs::remove_dir_all(up.join("repodata").join(name));
            symlink(&outside, up.join("repodata").join(name)).unwrap();
        }
        fs::write(up.join("repodata/deltas.json"), &index).unwrap();
        another(&up);
        ok(&[&["createrepo", text(&up)][..], words].concat());
        assert_eq!(leaked(&up), "", "{words:?}");
        fs::remove_file(up.join("b.rpm")).unwrap();
        ok(&["createrepo", text(&up)]);
    }
    symlink(&outside, up.join("repodata/deltas")).unwrap();
    fs::write(up.join("repodata/deltas.json"), &index).unwrap();
    let product = dir.path().join("productid");
    fs::write(&product, "product").unwrap();
    ok(&["modifyrepo", text(&product), text(&up.join("repodata"))]);
    assert_eq!(leaked(&up), "");
    assert!(is_untouched(&outside));
}

#[test]
fn row_136_prune_removes_nothing_behind_a_linked_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (up, outside) = stage(dir.path());
    fs::create_dir(up.join("sub")).unwrap();
    fs::rename(up.join("a.rpm"), up.join("sub/secret.rpm")).unwrap();
    fs::copy(&packages("2")[0], up.join("c.rpm")).unwrap();
    ok(&["createrepo", text(&up)]);
    fs::rename(up.join("sub"), dir.path().join("aside")).unwrap();
    symlink(&outside, up.join("sub")).unwrap();
    fs::rename(outside.join("secret"), outside.join("secret.rpm")).unwrap();
    let Run { code, err, .. } = run(&["prune", text(&up), "--keep", "1"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("warning: sub/secret.rpm is not removed"),
        "{err}"
    );
    assert_eq!(fs::read(outside.join("secret.rpm")).unwrap(), b"precious");
}

#[test]
fn row_136_what_is_made_stays_in_the_directory_that_was_opened() {
    let won = (0..10).any(|_| {
        let dir = tempfile::tempdir().unwrap();
        let (up, outside) = stage(dir.path());
        for number in 0..2000 {
            fs::write(up.join(format!("repodata/a{number:05}")), "").unwrap();
        }
        another(&up);
        let ended = AtomicBool::new(false);
        let (swapped, Run { code, err, .. }) = std::thread::scope(|scope| {
            let swap = scope.spawn(|| {
                let new = up.join(".repodata");
                while !ended.load(Ordering::Relaxed) {
                    if new.join("a00100").exists() {
                        return fs::rename(&new, up.join("moved")).is_ok()
                            && symlink(&outside, &new).is_ok();
                    }
                }
                false
            });
            let done = run(&["createrepo", text(&up)]);
            ended.store(true, Ordering::Relaxed);
            (swap.join().unwrap(), done)
        });
        assert!(is_untouched(&outside), "{err}");
        assert!(code == 0 || err.contains("was exchanged"), "{err}");
        swapped && code == 1
    });
    assert!(won, "the exchange never came in time");
}

/// What is put in the place of a file: something that waits, never ends, or is too large.
const ODD: [&str; 4] = [
    "mkfifo $F",
    "ln -s /dev/zero $F",
    "truncate -s 4G $F",
    "mkdir $F",
];

#[test]
fn row_137_nothing_waits_for_a_pipe_or_reads_what_never_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (up, _) = stage(dir.path());
    let mut places: Vec<PathBuf> = ["lock", "making", "old", "state"]
        .map(|name| up.join(".repo-tools").join(name))
        .to_vec();
    let entries = fs::read_dir(up.join("repodata")).unwrap();
    places.extend(entries.map(|entry| entry.unwrap().path()));
    places.push(up.join("repodata/deltas.json"));
    places.push(up.join("x-modules.yaml"));
    places.push(up.join("x.rpm"));
    for (place, make) in places.iter().flat_map(|p| ODD.map(|make| (p, make))) {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("up");
        must("cp", &["-a", text(&up), text(&copy)]);
        let place = copy.join(place.strip_prefix(&up).unwrap());
        let script = format!("rm -rf $F; {make}").replace("$F", text(&place));
        must("sh", &["-c", &script]);
        another(&copy);
        for words in [&["query"][..], &["check"], &["createrepo"]] {
            // Twenty seconds, and address space for less than the large file.
            let limited = "ulimit -v 3000000; exec timeout -s KILL 20 \"$@\"";
            let mut command = Command::new("sh");
            command
                .args(["-c", limited, "sh"])
                .arg(tool().get_program());
            let Run { code, err, .. } = program::run(command.args(words).arg(&copy));
            assert!(
                (0..3).contains(&code) && !err.contains("panicked"),
                "{} {make}: {words:?}: {code}: {err}",
                place.display()
            );
            // A failure names the place, or what the file should be.
            let name = place.file_name().unwrap().to_str().unwrap();
            assert!(
                code == 0 || err.contains(name) || words == ["check"] || words == ["query"],
                "{}: {words:?}: {err}",
                place.display()
            );
        }
    }
}
