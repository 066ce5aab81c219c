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

/// How a disk is mounted, and what lies over it.
struct System {
    name: &'static str,
    /// The file system on the disk.
    disk: &'static str,
    options: &'static str,
    /// The root is an overlay whose layers are on the disk: the old root is the lower one.
    overlay: bool,
}

impl System {
    fn cover(&self, place: &Path) {
        if !self.overlay {
            return;
        }
        let [lower, upper, work] = ["root", "upper", "work"].map(|name| place.join(name));
        for layer in [&upper, &work] {
            std::fs::create_dir_all(layer).unwrap();
        }
        // Without an index, names of one file part when the first is changed: that is overlayfs, and no accident.
        let mut options = std::ffi::OsString::from("index=on,lowerdir=");
        options.push(&lower);
        options.push(",upperdir=");
        options.push(&upper);
        options.push(",workdir=");
        options.push(&work);
        let mut mount = Command::new("mount");
        mount.args(["-t", "overlay", "overlay", "-o"]);
        ok(mount.arg(options).arg(&lower));
        ok(Command::new("sync").arg("-f").arg(place));
    }

    fn unmount(&self, bench: &Bench, at: &str) {
        if self.overlay {
            bench.unmount(&format!("{at}/root"));
        }
        bench.unmount(at);
        // It remembers the newest state of a file system that it has seen, and takes no older copy of it.
        if self.disk == "btrfs" {
            ok(Command::new("btrfs").args(["-q", "device", "scan", "--forget"]));
        }
    }
}

fn power_fails(system: &System, test: &str) {
    if !possible() || !mounts::own(&format!("crash::{test}")) {
        return;
    }
    let scene = scene();
    let bench = Bench::new();
    let tally = Tally::default();
    for seed in 1..=RUNS[usize::from(everything())] {
        let root = bench.disk(system.disk, &[], scene.base());
        system.cover(&bench.path("disk"));
        let clones = upgrade_with_clones(&bench, scene, &root, seed);
        system.unmount(&bench, "disk");
        for (at, image) in clones {
            bench.mount(&image, "copy", system.options);
            system.cover(&bench.path("copy"));
            let found: Result<Found, String> = scene.judge(&bench.path("copy/root"));
            system.unmount(&bench, "copy");
            tally.note(
                &format!("{}, seed {seed}, power lost {at}", system.name),
                found,
            );
            std::fs::remove_file(bench.path(&image)).unwrap();
        }
    }
    tally.tell(&format!("power lost on {}", system.name));
}

#[test]
fn row_88_power_loss_on_ext4() {
    let system = System {
        name: "ext4",
        disk: "ext4",
        options: "loop",
        overlay: false,
    };
    power_fails(&system, "power::row_88_power_loss_on_ext4");
}

#[test]
fn row_88_power_loss_on_xfs() {
    // Two file systems with the same UUID: the original is unmounted, but its log may be remembered.
    let system = System {
        name: "xfs",
        disk: "xfs",
        options: "loop,nouuid",
        overlay: false,
    };
    power_fails(&system, "power::row_88_power_loss_on_xfs");
}

#[test]
fn row_88_power_loss_on_btrfs() {
    let system = System {
        name: "btrfs",
        disk: "btrfs",
        options: "loop",
        overlay: false,
    };
    power_fails(&system, "power::row_88_power_loss_on_btrfs");
}

#[test]
fn row_88_power_loss_on_overlayfs() {
    let system = System {
        name: "overlayfs on ext4",
        disk: "ext4",
        options: "loop",
        overlay: true,
    };
    power_fails(&system, "power::row_88_power_loss_on_overlayfs");
}
