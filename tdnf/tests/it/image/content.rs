//! What goes into an image beside its packages, and what stays out.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use testkit::fixtures::unprivileged;
use testkit::program::{self, ok};
use testkit::rpm::Rpm;

use super::{PACKAGES, Place};

/// Instead of a database there are the lists of the scanners, with what rpm itself prints in that form.
#[test]
fn lists_for_scanners_take_the_place_of_the_database() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let packages = [&PACKAGES[..], &["epoch", "tilde"]].concat();
    let tree = place.path("with");
    place.digest(
        place.command(&[]),
        &format!("dir:{}", tree.display()),
        &packages,
    );
    let rpm = Rpm::on_root(&tree);
    let sorted = |format: &str| {
        let out = rpm.ok(&["-qa", "--qf", format]);
        let lines = out.lines().filter(|line| !line.starts_with("gpg-pubkey"));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let expected = [
        sorted("%{NVRA}\\n"),
        sorted(
            "%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{INSTALLTIME}\\t%{BUILDTIME}\\t%{VENDOR}\\t(none)\\t%{SIZE}\\t%{ARCH}\\t%{EPOCHNUM}\\t%{SOURCERPM}\\n",
        ),
    ];
    // Epochs that there are, are 0, and are not.
    assert!(
        expected[1]
            .iter()
            .any(|line| line.starts_with("epoch\t") && !line.contains("\t0\t"))
    );
    let tree = place.path("without");
    place.digest(
        place.command(&["--no-rpmdb"]),
        &format!("dir:{}", tree.display()),
        &packages,
    );
    for (number, expected) in (1..).zip(expected) {
        let text = fs::read_to_string(
            tree.join(format!("var/lib/rpmmanifest/container-manifest-{number}")),
        )
        .unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, expected);
    }
    let left = fs::read_dir(tree.join("var/lib/rpm")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "the database is gone");
}

/// Files of the user come over those of the packages, as root's, with their modes and no times; for any user the same.
#[test]
fn a_folder_is_laid_over_the_root() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let overlay = place.path("overlay");
    fs::create_dir_all(overlay.join("etc/own")).unwrap();
    fs::create_dir_all(overlay.join("var/log/own")).unwrap();
    fs::write(overlay.join("etc/small.conf"), "mine\n").unwrap();
    fs::write(overlay.join("etc/own/run"), "#!/bin/sh\n").unwrap();
    fs::write(overlay.join("var/log/own/kept"), "").unwrap();
    symlink("/etc/own/run", overlay.join("etc/link")).unwrap();
    let mode = |name: &str, mode| {
        fs::set_permissions(overlay.join(name), fs::Permissions::from_mode(mode)).unwrap()
    };
    mode("etc/own", 0o750);
    mode("etc/own/run", 0o4755);
    mode("etc/small.conf", 0o600);
    std::os::unix::fs::chown(overlay.join("etc/small.conf"), Some(65534), Some(65534)).unwrap();
    mode("", 0o755);
    let words = overlay.display().to_string();
    let options = ["--overlay", &words];
    let file = place.path("root.tar").display().to_string();
    let digest = place.digest(place.command(&options), &format!("tar:{file}"), &PACKAGES);
    let list =
        ok(Command::new("tar").args(["--utc", "--full-time", "--numeric-owner", "-tvf", &file]));
    let line = |name: &str| {
        let found = list.lines().find(|line| {
            line.ends_with(&format!(" {name}")) || line.contains(&format!(" {name} ->"))
        });
        let words: Vec<&str> = found
            .unwrap_or_else(|| panic!("{name}: {list}"))
            .split_whitespace()
            .collect();
        (
            words[0].to_owned(),
            words[1].to_owned(),
            words[2].to_owned(),
        )
    };
    let of = |mode: &str, size: &str| (mode.to_owned(), "0/0".to_owned(), size.to_owned());
    assert_eq!(line("etc/small.conf"), of("-rw-------", "5"));
    assert_eq!(line("etc/own/"), of("drwxr-x---", "0"));
    assert_eq!(line("etc/own/run"), of("-rwsr-xr-x", "10"));
    assert_eq!(line("etc/link"), of("lrwxrwxrwx", "0"));
    assert_eq!(line("var/log/own/kept"), of("-rw-r--r--", "0"));
    // Later, and by somebody else who reads it.
    mode("etc/small.conf", 0o644);
    mode("etc/own", 0o755);
    let bare = ["--setopt=tsflags=noscripts", "--overlay", &words];
    let first = place.digest(place.command(&bare), &format!("tar:{file}"), &PACKAGES);
    let theirs = format!("tar:{}", place.path("own/root.tar").display());
    assert_eq!(
        place.digest(place.by_nobody(&bare), &theirs, &PACKAGES),
        first
    );
    assert_ne!(first, digest);
    // A description names a folder beside it.
    fs::write(place.path("image.toml"), "overlay = \"overlay\"\n").unwrap();
    let description = place.path("image.toml").display().to_string();
    let same = ["--setopt=tsflags=noscripts", "--image-config", &description];
    assert_eq!(
        place.digest(place.command(&same), &format!("tar:{file}"), &PACKAGES),
        first
    );
    let pipe = overlay.join("etc/pipe");
    ok(Command::new("mkfifo").arg(&pipe));
    let run = program::run(
        place
            .command(&options)
            .args(["-o", "tar:/nowhere/x", "config"]),
    )
    .failed();
    run.says(&["neither a file nor a folder nor a link"]);
    assert!(place.left().is_empty());
}

/// What a lock names, and nothing else, also where there is no repository any more.
#[test]
fn an_image_of_a_lock_needs_no_repository() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let lock = place.path("tdnf.lock").display().to_string();
    let target = format!("tar:{}", place.path("root.tar").display());
    let digest = place.digest(place.command(&[]), &target, &PACKAGES);
    place
        .site
        .ok(&[&["lock", "-y", "-o", &lock][..], &PACKAGES].concat());
    let from_lock = |options: &[&str]| {
        let command = place.command(options);
        place.digest(command, &target, &[])
    };
    assert_eq!(from_lock(&["--locked", &lock]), digest);
    let seed = crate::interop_lab::small()
        .join("repo")
        .display()
        .to_string();
    let offline = ["--disablerepo=*", "--locked", &lock, "--seed", &seed];
    let by_word = program::run(place.command(&offline).args(["-o", &target, "turns"])).failed();
    by_word.says(&["turns is more"]);
    // The section of the same id says which key is the right one, on or off.
    assert_eq!(from_lock(&offline), digest);
}

/// Images of two architectures are one index; what does not run here is refused before anything is fetched.
#[test]
fn two_architectures_are_one_index() {
    if unprivileged() || !super::has("skopeo") {
        return;
    }
    let place = Place::new();
    let target = format!("oci:{}", place.path("layout").display());
    let both = ["--arch", "x86_64", "--arch", "aarch64"];
    let bare = [&["--setopt=tsflags=noscripts"][..], &both].concat();
    let digest = place.digest(place.command(&bare), &target, &["config"]);
    let text = ok(Command::new("skopeo").args(["inspect", "--raw", &target]));
    let index: serde_json::Value = serde_json::from_str(&text).unwrap();
    let archs: Vec<&str> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["platform"]["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(archs, ["amd64", "arm64"]);
    assert_eq!(
        index["mediaType"],
        "application/vnd.oci.image.index.v1+json"
    );
    for arch in archs {
        let text = ok(Command::new("skopeo").args(["--override-arch", arch, "inspect", &target]));
        let seen: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(seen["Architecture"], arch);
    }
    let archive = format!("oci-archive:{}", place.path("both.tar").display());
    assert_eq!(
        place.digest(place.command(&bare), &archive, &["config"]),
        digest
    );
    let copy = format!("dir:{}", place.path("copy").display());
    ok(Command::new("skopeo").args([
        "copy",
        "--all",
        "-q",
        "--preserve-digests",
        "--insecure-policy",
        &archive,
        &copy,
    ]));
    if !fs::exists("/proc/sys/fs/binfmt_misc/qemu-s390x").unwrap_or(false) {
        let run = place.refused(&["--arch", "s390x", "-o", &target, "nosuch"]);
        run.says(&["scriptlets of s390x do not run on this machine"]);
    }
}
