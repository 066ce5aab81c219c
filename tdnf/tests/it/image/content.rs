//! What goes into an image beside its packages, and what stays out.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use testkit::fixtures::unprivileged;
use testkit::program::{self, ok};
use testkit::rpm::Rpm;

use super::{PACKAGES, Place};
use crate::scene::{Scene, package};

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

/// What the overlay says is what is in the image, a mode without any right, too; what stands in its way is named as it was
/// typed. A folder as target has nothing that the run itself left, and is what the tar file has.
#[test]
fn an_overlay_keeps_its_modes_and_a_folder_has_no_traces() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    let overlay = place.path("overlay");
    fs::create_dir_all(overlay.join("etc")).unwrap();
    fs::write(overlay.join("etc/closed"), "x").unwrap();
    fs::set_permissions(
        overlay.join("etc/closed"),
        fs::Permissions::from_mode(0o000),
    )
    .unwrap();
    let with = || place.command(&["--overlay", &path("overlay")]);
    let digest = place.digest(with(), &format!("tar:{}", path("root.tar")), &PACKAGES);
    let list = ok(Command::new("tar").arg("-tvf").arg(place.path("root.tar")));
    let line = list.lines().find(|line| line.ends_with(" etc/closed"));
    assert!(line.unwrap().starts_with("----------"), "{list}");
    assert_eq!(
        place.digest(with(), &format!("dir:{}", path("tree")), &PACKAGES),
        digest
    );
    let tree = place.path("tree");
    let mode = tree.join("etc/closed").metadata().unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0);
    let mut beside = with();
    beside.current_dir(place.path(""));
    assert_eq!(place.digest(beside, "dir:beside", &PACKAGES), digest);
    let left = ok(Command::new("find")
        .arg(place.path("beside"))
        .arg(&tree)
        .args(["-name", ".*"]));
    assert_eq!(left, "", "nothing that no package brought");
    fs::create_dir_all(overlay.join("etc/small.conf/below")).unwrap();
    let target = format!("tar:{}", path("never.tar"));
    let run = program::run(with().args(["-o", &target]).args(PACKAGES)).failed();
    run.says(&[&path("overlay/etc/small.conf")]);
    assert!(!place.path("never.tar").exists());
}

/// Users of the description are in the files of the root, with their homes; the same for a user without rights. What is
/// another's is refused.
#[test]
fn an_image_has_users_of_its_own() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    let overlay = place.path("overlay");
    fs::create_dir_all(overlay.join("etc")).unwrap();
    fs::create_dir_all(overlay.join("srv/own")).unwrap();
    fs::write(
        overlay.join("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\ntaken:x:1001:1001::/:/x\n",
    )
    .unwrap();
    fs::write(
        overlay.join("etc/group"),
        "root:x:0:\ntaken:x:1001:\nstaff:x:1002:\n",
    )
    .unwrap();
    fs::write(overlay.join("etc/shadow"), "root:*:1::::::\n").unwrap();
    let users = "{name = \"app\", uid = 1000, home = \"/home/app\", shell = \"/bin/sh\"}, \
                 {name = \"taken\", uid = 1001}, {name = \"own\", uid = 1003, home = \"/srv/own\"}";
    let describe = |users: &str| {
        let text = format!("overlay = \"overlay\"\nusers = [{users}]\n");
        fs::write(place.path("image.toml"), text).unwrap();
    };
    describe(users);
    let file = path("image.toml");
    let options = [
        "--setopt=tsflags=noscripts",
        "--image-config",
        &file,
        "--add-user",
        "late:1004",
    ];
    let digest = place.digest(
        place.command(&options),
        &format!("tar:{}", path("a.tar")),
        &["kinds"],
    );
    let read = |name: &str| ok(Command::new("tar").args(["-xOf", &path("a.tar"), name]));
    let passwd = read("etc/passwd");
    assert!(
        passwd.contains("\napp:x:1000:1000::/home/app:/bin/sh\n"),
        "{passwd}"
    );
    assert!(passwd.contains("\nlate:x:1004:1004::/:/"), "{passwd}");
    assert_eq!(passwd.matches("taken:").count(), 1, "{passwd}");
    assert!(read("etc/group").contains("\napp:x:1000:\n"));
    assert!(read("etc/shadow").contains("\napp:!*:"));
    let list = ok(Command::new("tar").args(["--numeric-owner", "-tvf", &path("a.tar")]));
    for (mode, owner, name) in [
        ("drwx------", "1000/1000", "home/app/"),
        ("drwxr-xr-x", "1003/1003", "srv/own/"),
        ("drwxr-xr-x", "0/0", "home/"),
    ] {
        let line = list
            .lines()
            .find(|line| line.ends_with(&format!(" {name}")));
        let line = line.unwrap_or_else(|| panic!("{name}: {list}"));
        assert!(line.starts_with(mode) && line.contains(owner), "{line}");
    }
    assert!(!list.contains(".pwd.lock"), "{list}");
    let theirs = format!("tar:{}", path("own/a.tar"));
    assert_eq!(
        place.digest(place.by_nobody(&options), &theirs, &["kinds"]),
        digest
    );
    for (users, line) in [
        (
            "{name = \"app\", uid = 1001}",
            "1001 is the number of another user",
        ),
        (
            "{name = \"app\", uid = 1002}",
            "1002 is not the number of its group",
        ),
        (
            "{name = \"taken\", uid = 1000}",
            "it is there already, with the number 1001",
        ),
        ("{name = \"a:b\"}", "no user can have this name or number"),
        ("{name = \"app\", home = \"/a:b\"}", "an absolute path"),
        ("{name = \"app\", id = 1}", "unknown field"),
    ] {
        describe(users);
        place
            .refused(&["--image-config", &file, "-o", "tar:x", "kinds"])
            .says(&[line]);
    }
}

/// A tree to standard output is the same bytes as the file; its digest is told beside it.
#[test]
fn a_tree_goes_to_standard_output() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let file = place.path("root.tar");
    let digest = place.image(&format!("tar:{}", file.display()));
    let mut command = place.command(&[]);
    let out = command.args(["-o", "tar:-"]).args(PACKAGES).output();
    let out = out.unwrap();
    assert!(out.status.success(), "{out:?}");
    assert_eq!(out.stdout, fs::read(&file).unwrap());
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(said.lines().last(), Some(&*digest), "{said}");
    place
        .refused(&["-j", "-o", "tar:-", "config"])
        .says(&["no place for a tar file"]);
    place
        .refused(&["-o", "oci:-", "config"])
        .says(&["tar: alone goes to standard output"]);
}

/// While another run uses the cache package files stay in it; alone, a run removes its own. Runs at the same time do not
/// take files away from each other.
#[test]
fn runs_share_a_cache() {
    if unprivileged() {
        return;
    }
    let names = ["one", "two", "three"];
    let packages = names.map(|name| package(name, "1", ""));
    let (scene, _) = Scene::with(&packages.iter().collect::<Vec<_>>());
    let image = |name: &str| {
        let target = format!("tar:{}", scene.path(name).display());
        let folder = format!("TMPDIR={}", scene.path("").display());
        let words = [&["-y", "-q", "image", "-o", &target], &names[..]].concat();
        scene.tdnf_under(&["env", &folder], &words).ok().out
    };
    let cache = scene.root().join("var/cache/tdnf");
    let files = || {
        let found = ok(Command::new("find").arg(&cache).args(["-name", "*.rpm"]));
        found.lines().count()
    };
    let digest = image("alone.tar");
    assert_eq!(files(), 0);
    let other = fs::File::open(cache.join(".in-use")).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockShared).unwrap();
    assert_eq!(image("beside.tar"), digest);
    assert_eq!(files(), names.len());
    drop(other);
    image("alone.tar");
    assert_eq!(files(), 0);
    for _ in 0..5 {
        std::thread::scope(|scope| {
            let image = &image;
            let runs = ["a.tar", "b.tar", "c.tar"].map(|name| scope.spawn(move || image(name)));
            for run in runs {
                assert_eq!(run.join().unwrap(), digest);
            }
        });
    }
}

/// What a run writes has places of its own, and is no part of what it reads; a link in a layout leads nothing elsewhere.
#[test]
fn what_is_written_has_places_of_its_own() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    let tar = format!("tar:{}", path("a.tar"));
    let oci = format!("oci:{}", path("layout"));
    let (same, inside) = (path("a.tar"), path("layout/index.json"));
    let (bill, bill_file) = (format!("spdx:{}", path("bill")), path("bill"));
    let goes = "something else of this run goes there";
    for (words, line) in [
        (vec!["-o", &tar, "--provenance", &same], goes),
        (vec!["-o", &oci, "--provenance", &inside], goes),
        (
            vec!["-o", &tar, "--sbom", &bill, "--provenance", &bill_file],
            goes,
        ),
        (
            vec!["-o", &tar, "--provenance", "-"],
            "standard output is no place for it",
        ),
    ] {
        place
            .refused(&[&words[..], &["config"]].concat())
            .says(&[line]);
    }
    fs::create_dir(place.path("over")).unwrap();
    let over = path("over");
    for target in [
        format!("dir:{over}/in"),
        format!("oci:{over}"),
        format!("oci:{}", path("")),
    ] {
        let words = ["-o", &target, "--overlay", &over, "config"];
        place
            .refused(&words)
            .says(&["it lies in the overlay, or the overlay in it"]);
    }
    let elsewhere = place.path("elsewhere");
    for link in ["blobs", "blobs/sha256"] {
        let layout = place.path("linked");
        let _ = fs::remove_dir_all(&layout);
        fs::create_dir_all(layout.join(link).parent().unwrap()).unwrap();
        fs::create_dir_all(elsewhere.join("sha256")).unwrap();
        fs::write(
            layout.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .unwrap();
        std::os::unix::fs::symlink(&elsewhere, layout.join(link)).unwrap();
        let words = ["-o", &format!("oci:{}", layout.display()), "config"];
        place.refused(&words).says(&["linked/blobs/sha256"]);
        assert_eq!(fs::read_dir(elsewhere.join("sha256")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
    }
    assert!(place.left().is_empty(), "{:?}", place.left());
}

/// A second root, and a time that is none.
#[test]
fn odd_values_are_said() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let target = format!("oci:{}", place.path("layout").display());
    let words = ["--add-user", "a:0", "-o", &target, "config"];
    place.refused(&words).says(&["0 is root's number"]);
    let mut command = place.command(&[]);
    command.env("SOURCE_DATE_EPOCH", "today");
    let run = testkit::program::run(command.args(["-o", &target, "config"])).ok();
    run.says(&["warning: SOURCE_DATE_EPOCH: a number of seconds is expected"]);
}
