//! Row 89: the disk is full from some call on, and stays full; there is no room for files, or no inode.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use testkit::step::{self, Order};

use super::disk::Bench;
use super::site::{Found, Scene, copy, own_mounts, scene, upgrade};
use super::tally::{Tally, points};
use crate::interop_lab::ok;

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
    ok(Command::new("cp")
        .arg("-a")
        .arg(scene.base.path())
        .arg(&root));
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
    // A directory that was removed needs room to come back: then it says so, and the next start does it.
    if while_full.is_err() && run.output.contains("the next start will try again") {
        return scene.judge(&root).map_err(told);
    }
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
    if !own_mounts(test) {
        return;
    }
    let scene = scene();
    let bench = Bench::new();
    bench.disk("ext4", options, scene.base.path());
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
