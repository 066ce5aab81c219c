//! Row 88: the power fails. The root stands in a file system image on a loop device; at random moments of the upgrade
//! the image is cloned as it is, without any sync, and the clone is mounted: what had not reached the device is lost.
//!
//! The image lies on an xfs with reflinks, where a clone is one moment of the file: a plain copy would mix early and
//! late blocks, which no disk does.

use std::path::Path;
use std::process::Command;
use testkit::mounts;
use testkit::program::ok;

use testkit::step::{self, Order};

use super::disk::Bench;
use super::site::{Found, Scene, possible, scene, upgrade};
use super::tally::{Tally, everything};

/// Moments per run of the upgrade.
const MOMENTS: usize = 23;
/// Runs per file system, in a sample and in full.
const RUNS: [u64; 2] = [1, 5];

/// So many different calls, in order.
fn some_calls(random: &mut fastrand::Rng, count: usize, calls: usize) -> Vec<usize> {
    let mut chosen = std::collections::BTreeSet::new();
    while chosen.len() < count.min(calls) {
        chosen.insert(random.usize(1..=calls));
    }
    chosen.into_iter().collect()
}

/// One upgrade with its clones. The kernel writes out what it has at moments of its own: some of those are made here.
fn upgrade_with_clones(
    bench: &Bench,
    scene: &Scene,
    root: &Path,
    seed: u64,
) -> Vec<(String, String)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let moments = some_calls(&mut random, MOMENTS, scene.calls.len());
    let written = some_calls(&mut random, MOMENTS / 2, scene.calls.len());
    let mut clones = Vec::new();
    let run = step::run(&upgrade(root), root, &mut |call| {
        if seed % 2 == 1 && written.contains(&call.number) {
            ok(Command::new("sync").arg("-f").arg(root));
        }
        if moments.contains(&call.number) {
            let name = format!("outer/{}.img", call.number);
            let mut clone = Command::new("cp");
            clone.arg("--reflink=always");
            ok(clone
                .arg(bench.path("outer/disk.img"))
                .arg(bench.path(&name)));
            clones.push((format!("at call {}, {call}", call.number), name));
        }
        Order::Go
    });
    assert_eq!(run.code, Some(0), "{}", run.output);
    clones
}

fn power_fails(kind: &str, test: &str) {
    if !possible() || !mounts::own(&format!("crash::{test}")) {
        return;
    }
    let scene = scene();
    let bench = Bench::new();
    let tally = Tally::default();
    for seed in 1..=RUNS[usize::from(everything())] {
        let root = bench.disk(kind, &[], scene.base());
        let clones = upgrade_with_clones(&bench, scene, &root, seed);
        bench.unmount("disk");
        for (at, image) in clones {
            // Two file systems with the same UUID: the original is unmounted, but its log may be remembered.
            let options = if kind == "xfs" { "loop,nouuid" } else { "loop" };
            bench.mount(&image, "copy", options);
            let found: Result<Found, String> = scene.judge(&bench.path("copy/root"));
            bench.unmount("copy");
            tally.note(&format!("{kind}, seed {seed}, power lost {at}"), found);
            std::fs::remove_file(bench.path(&image)).unwrap();
        }
    }
    tally.tell(&format!("power lost on {kind}"));
}

#[test]
fn row_88_power_loss_on_ext4() {
    power_fails("ext4", "power::row_88_power_loss_on_ext4");
}

#[test]
fn row_88_power_loss_on_xfs() {
    power_fails("xfs", "power::row_88_power_loss_on_xfs");
}
