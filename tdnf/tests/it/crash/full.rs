//! Row 89: the disk is full from some call on, and stays full; there is no room for files, or no inode, or none for the
//! journal.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::program::ok;

use testkit::spec::Spec;
use testkit::step::{self, Order};
use testkit::{mounts, tree};

use super::disk::Bench;
use super::site::{Found, Scene, copy, possible, scene, stage_with, tdnf, upgrade};
use super::specs::shell;
use super::tally::{Tally, points};

/// Points of a sample.
const SAMPLE: usize = 40;

/// Takes what is left of a disk.
type Fill = fn(&Path);

fn take_all_room(dir: &Path) {
    let mut file = File::create(dir.join("filling")).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        let piece = vec![0_u8; size];
        while file
            .write_all(&piece)
            .and_then(|()| file.sync_data())
            .is_ok()
        {}
    }
}

fn take_all_inodes(dir: &Path) {
    let dir = dir.join("filling");
    fs::create_dir(&dir).unwrap();
    let full = |n: &usize| File::create(dir.join(n.to_string())).is_err();
    assert!((0..1 << 20).any(|n| full(&n)));
}

/// Undone while the disk is still full, or at its end; all is well when there is room again.
fn filled(scene: &Scene, bench: &Bench, fill: Fill, point: usize) -> Result<Found, String> {
    let root = bench.path("disk/root");
    ok(Command::new("rm")
        .arg("-rf")
        .arg(&root)
        .arg(bench.path("disk/filling")));
    tree::copy(scene.base(), &root);
    ok(Command::new("sync").arg("-f").arg(&root));
    let run = step::run(&upgrade(&root), &root, &mut |call| {
        if call.number == point {
            fill(&bench.path("disk"));
        }
        Order::Go
    });
    // Not even the real rpm can open the database on a full disk.
    let seen = copy(&root);
    let while_full = scene.judge_without_start(seen.path());
    ok(Command::new("rm")
        .arg("-rf")
        .arg(bench.path("disk/filling")));
    let told = |why: String| format!("{why}\nit said: {}", run.output);
    let found = while_full.map_err(told)?;
    let errors = run
        .output
        .lines()
        .filter(|line| line.starts_with("Error("))
        .count();
    match (found, run.code) {
        (Found::Old, Some(code)) if code != 0 && errors == 1 => {}
        (Found::New, Some(0)) => {}
        // The record of it had no room.
        (Found::New, Some(_)) if run.output.contains("everything was installed") => {}
        (_, code) => return Err(told(format!("{found:?} is there, code {code:?}"))),
    }
    if found == Found::Old {
        scene.goes_on(&root)?;
    }
    scene.judge(&root).map(|_| found)
}

fn disk_fills(test: &str, options: &[&str], fill: Fill) {
    if !possible() || !mounts::own(&format!("crash::{test}")) {
        return;
    }
    let scene = scene();
    let bench = Bench::new();
    bench.disk("ext4", options, scene.base());
    let tally = Tally::default();
    for point in points(scene.calls.len(), SAMPLE) {
        let call = scene.calls[point - 1].0;
        tally.note(
            &format!("full at call {point}, {call}"),
            filled(scene, &bench, fill, point),
        );
    }
    bench.unmount("disk");
    tally.tell(test);
}

#[test]
fn row_89_the_disk_fills_at_any_call() {
    disk_fills(
        "full::row_89_the_disk_fills_at_any_call",
        &["-m", "0"],
        take_all_room,
    );
}

#[test]
fn row_89_the_inodes_run_out_at_any_call() {
    disk_fills(
        "full::row_89_the_inodes_run_out_at_any_call",
        &["-N", "800"],
        take_all_inodes,
    );
}

/// Two versions of files in a directory that takes nothing by rename.
fn project_packages() -> Vec<PathBuf> {
    let mut all = vec![shell()];
    for version in ["1", "2"] {
        let install = format!(
            "mkdir -p %{{buildroot}}/opt/p\ncd %{{buildroot}}/opt/p\nfor f in a b c; do echo {version} > $f; done"
        );
        let proj = Spec::new("proj", version).install(&install);
        all.push(proj.files("/opt/p/a\n/opt/p/b\n/opt/p/c").build());
    }
    all
}

/// The journal has no room from the moment on at which a directory got a staging directory of its own; the program is
/// killed while it takes the staging directories away. The next start knows of all of them.
#[test]
fn row_89_no_room_to_roll_back_an_own_staging_directory() {
    let test = "crash::full::row_89_no_room_to_roll_back_an_own_staging_directory";
    if !possible() || !mounts::own(test) {
        return;
    }
    let stage = stage_with(&project_packages());
    let base = &stage.root;
    fs::create_dir_all(base.join("opt/p")).unwrap();
    let bench = Bench::new();
    let root = bench.disk("xfs", &[], base.path());
    let dir = root.join("opt/p");
    ok(Command::new("chattr").args(["-p", "7"]).arg(&dir));
    ok(Command::new("chattr").arg("+P").arg(&dir));
    ok(&mut tdnf(&root, &["-y", "install", "proj-1"]));
    let stages = || {
        let all = tree::read(&root, &|_| false).into_keys();
        all.filter(|path| path.to_string_lossy().contains(".tdnf-stage"))
            .count()
    };
    let old = tree::read(&dir, &|_| false);
    for kill_after in 1..=6 {
        let (mut made, mut replaced, mut left) = (0, false, kill_after);
        let run = step::run(
            &tdnf(&root, &["-y", "update", "proj"]),
            &root,
            &mut |call| {
                let journal = call.file.ends_with("transaction/journal");
                made += usize::from(call.name == "mkdirat" && call.file.contains(".tdnf-stage"));
                if made > 1 && journal && call.name == "write" {
                    return Order::Fail(28);
                }
                replaced |= journal && call.name == "pwrite64";
                if replaced {
                    left -= 1;
                }
                if left == 0 { Order::KillAll } else { Order::Go }
            },
        );
        assert!(replaced, "{}", run.output);
        assert_eq!(run.code, None, "killed: {}", run.output);
        assert!(
            kill_after > 3 || stages() > 1,
            "both staging directories are there"
        );
        ok(&mut tdnf(&root, &["-y", "install", "shell"]));
        assert_eq!(stages(), 0, "killed {kill_after} calls behind");
        let differences = tree::differences(&tree::read(&dir, &|_| false), &old);
        assert!(differences.is_empty(), "{differences:#?}");
    }
    ok(&mut tdnf(&root, &["-y", "update", "proj"]));
    assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "2\n");
    bench.unmount("disk");
}
