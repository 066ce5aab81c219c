//! A run that ends early leaves the old image or the new one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::fixtures::unprivileged;
use testkit::program::{self, ok};

use super::{Place, has};

const ROUNDS: u32 = 12;

/// Killed at moments spread over a whole run, which is measured first: the layout is always one of two whole images,
/// and the next run takes away what the killed ones left.
#[test]
fn a_killed_run_leaves_the_old_image_or_the_new_one() {
    if unprivileged() || !has("skopeo") {
        return;
    }
    let place = Place::new();
    let layout = place.path("layout");
    let target = format!("oci:{}", layout.display());
    let packages = ["tiny-shell", "kinds"];
    let labelled = |round: u32| {
        let label = format!("round={round}");
        place.command(&["--label", &label])
    };
    let begun = std::time::Instant::now();
    let mut known = vec![place.digest(labelled(0), &target, &packages)];
    let whole = begun.elapsed();
    for round in 1..=ROUNDS {
        let mut command = labelled(round);
        command.args(["-o", &target]).args(packages);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * round / ROUNDS + Duration::from_millis(fastrand::u64(..50)));
        let _ = child.kill();
        child.wait().unwrap();
        let seen = ok(Command::new("skopeo").args([
            "inspect",
            "--format",
            "{{.Digest}} {{.Labels}}",
            &target,
        ]));
        let (digest, labels) = seen.trim().split_once(' ').unwrap();
        match known.contains(&digest.to_owned()) {
            true => {}
            false => {
                assert!(labels.contains(&format!("round:{round}")), "{seen}");
                known.push(digest.to_owned());
            }
        }
        every_blob_is_what_it_is_called(&layout);
        let copy = format!("dir:{}", place.path("copy").display());
        ok(Command::new("skopeo").args(["copy", "-q", "--insecure-policy", &target, &copy]));
    }
    // A folder that was just made is not taken for one that was left.
    for dir in place.left() {
        ok(Command::new("touch").args(["-d", "2020-01-01"]).arg(dir));
    }
    place.digest(labelled(0), &target, &packages);
    assert!(place.left().is_empty(), "{:?}", place.left());
}

fn every_blob_is_what_it_is_called(layout: &Path) {
    for entry in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // One that has not taken its place yet.
        if name.starts_with(".new-") {
            continue;
        }
        let sum = ok(Command::new("sha256sum").arg(&path));
        assert!(sum.starts_with(&name), "{name}: {sum}");
    }
}

/// A disk without room is an error that names the file; the old image stays.
#[test]
fn a_full_disk_leaves_the_old_image() {
    if unprivileged()
        || !has("skopeo")
        || !testkit::mounts::own("image::kill::a_full_disk_leaves_the_old_image")
    {
        return;
    }
    let place = Place::new();
    let small = place.path("small");
    fs::create_dir(&small).unwrap();
    ok(Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=3m", "none"])
        .arg(&small));
    let target = format!("oci:{}", small.join("layout").display());
    let digest = place.digest(place.command(&[]), &target, &["kinds"]);
    // The shell alone has 1.9 MB.
    fs::write(small.join("rest"), vec![1; 2 << 20]).unwrap();
    let run =
        program::run(
            place
                .command(&["--compress", "none"])
                .args(["-o", &target, "tiny-shell"]),
        )
        .failed();
    run.says(&["No space left on device", "layout"]);
    let seen = ok(Command::new("skopeo").args(["inspect", "--format", "{{.Digest}}", &target]));
    assert_eq!(seen.trim(), digest);
    every_blob_is_what_it_is_called(&small.join("layout"));
    assert!(place.left().is_empty());
}
