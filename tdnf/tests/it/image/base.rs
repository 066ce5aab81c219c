//! Images upon images.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use serde_json::{Value, json};
use testkit::fixtures::unprivileged;
use testkit::program::{self, ok};
use testkit::rpm::Rpm;
use testkit::tree::{self, Entry};

use super::{Place, has};

fn unpacked(place: &Place, image: &str, name: &str) -> PathBuf {
    let bundle = place.path(name);
    ok(Command::new("umoci")
        .args(["unpack", "--image", image])
        .arg(&bundle));
    bundle.join("rootfs")
}

/// Times of what the layers bring are those of their packages; what a change rewrites has the time of its image.
fn shown(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut tree = tree::read(root, &|path| path == Path::new("var/lib/rpm"));
    tree.values_mut().for_each(|entry| entry.mtime = 0);
    tree
}

/// A package comes, one becomes newer, one goes: both layers unpacked are what the same changes make of one root. The
/// layer has what changed and nothing else, and is the same for a user without rights.
#[test]
fn a_layer_upon_an_image_has_what_changed() {
    if unprivileged() || !has("umoci") || !has("skopeo") {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    let layout = path("layout");
    let base = format!("oci:{layout}:base");
    let below = ["tiny-shell", "tiny-users", "config=1", "left", "kinds"];
    let mut command = place.command(&["--entrypoint", "/bin/sh", "--cmd", "-c", "--label", "a=b"]);
    command.args(["--env", "A=1"]);
    let first = place.digest(command, &base, &below);
    let upon = |options: &[&str]| {
        let mut command = place.command(options);
        command.args(["--base", &base, "--erase", "left", "--label", "c=d"]);
        command
    };
    let words = ["config=2", "turns"];
    let digest = place.digest(upon(&[]), &format!("oci:{layout}:upon"), &words);
    let layers = |tag: &str| {
        let text = ok(Command::new("skopeo").args(["inspect", &format!("oci:{layout}:{tag}")]));
        let seen: Value = serde_json::from_str(&text).unwrap();
        (
            seen["Layers"].as_array().unwrap().clone(),
            seen["Labels"].clone(),
            seen["Env"].clone(),
            seen["Digest"].clone(),
        )
    };
    for option in ["--dryrun", "--testonly"] {
        let mut command = place.command(&[option]);
        command.args(["--base", &base, "--erase", "left"]);
        let target = format!("oci:{}", path("never"));
        let run = program::run(command.args(["-o", &target])).ok();
        assert_eq!(run.out, "", "{option}");
        assert!(!place.path("never").exists(), "{option}");
    }
    let (lower, ..) = layers("base");
    let (both, labels, env, seen) = layers("upon");
    assert_eq!(seen, digest);
    assert_eq!(layers("base").3, first, "it is not changed");
    assert_eq!((both.len(), &both[..1]), (2, &lower[..]));
    assert_eq!(labels, json!({"a": "b", "c": "d"}));
    assert!(env.as_array().unwrap().contains(&json!("A=1")));
    let blob = Path::new(&layout)
        .join("blobs")
        .join(both[1].as_str().unwrap().replace(':', "/"));
    let list = ok(Command::new("tar").arg("-tzf").arg(blob));
    assert!(
        list.contains("etc/small.conf") && list.contains(".wh."),
        "{list}"
    );
    assert!(
        !list.contains("busybox") && !list.contains("kinds/"),
        "{list}"
    );
    // In one root.
    let root = place.path("one");
    let site = place.site.root.path();
    for dir in ["etc/tdnf", "etc/yum.repos.d"] {
        tree::copy(&site.join(dir), &root.join("conf").join(dir));
    }
    let root = place.path("one-root");
    let conf = place.path("one/conf");
    for words in [
        &["install"][..],
        &["erase", "left"],
        &["install", "config=2", "turns"],
    ] {
        let mut command = testkit::stage::program(&crate::interop_lab::program());
        command.arg("-c").arg(conf.join("etc/tdnf/tdnf.conf"));
        command.arg(format!(
            "--setopt=reposdir={}",
            conf.join("etc/yum.repos.d").display()
        ));
        command.arg(format!("--setopt=cachedir={}", path("cache")));
        command
            .arg("-y")
            .arg("--installroot")
            .arg(&root)
            .args(words);
        if words == ["install"] {
            command.args(below);
        }
        program::run(&mut command).ok();
    }
    for dir in ["var/lib/tdnf", "var/cache", "var/log"] {
        let _ = fs::remove_dir_all(root.join(dir));
    }
    let both = unpacked(&place, &format!("{layout}:upon"), "bundle");
    let mut theirs = shown(&root);
    theirs.retain(|path, _| !path.starts_with("var") || both.join(path).symlink_metadata().is_ok());
    let mut ours = shown(&both);
    ours.retain(|path, _| path != Path::new("var/log"));
    assert_eq!(tree::differences(&ours, &theirs), Vec::<String>::new());
    let rpm = Rpm::on_root(&both);
    let names = rpm.ok(&["-qa", "--qf", "%{NAME}-%{VERSION}\\n"]);
    assert!(
        names.contains("config-2") && names.contains("turns-") && !names.contains("left"),
        "{names}"
    );
    rpm.verify();
    // By another user, elsewhere.
    let mut command = place.by_nobody(&[]);
    command.args(["--base", &base, "--erase", "left", "--label", "c=d"]);
    let run = program::run(
        command
            .args(["-o", &format!("oci:{}:upon", path("own/upon"))])
            .args(words),
    );
    if run.err.contains("user namespace, and there is none") {
        testkit::fixtures::skipped("no user namespaces");
    } else {
        assert_eq!(run.ok().out.trim(), digest);
    }
    assert!(place.left().is_empty());
}

/// A layout with one image whose layer is this tar file.
fn layout_of(dir: &Path, tar: &[u8]) {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let hex = |data: &[u8]| Hasher::digest(DigestAlgo::Sha256, data).hex();
    let put = |data: &[u8], kind: &str| {
        fs::write(blobs.join(hex(data)), data).unwrap();
        json!({"mediaType": kind, "digest": format!("sha256:{}", hex(data)), "size": data.len()})
    };
    let layer = put(tar, "application/vnd.oci.image.layer.v1.tar");
    let config = json!({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}});
    let config = put(
        config.to_string().as_bytes(),
        "application/vnd.oci.image.config.v1+json",
    );
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    let manifest = put(
        manifest.to_string().as_bytes(),
        "application/vnd.oci.image.manifest.v1+json",
    );
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(
        dir.join("index.json"),
        json!({"schemaVersion": 2, "manifests": [manifest]}).to_string(),
    )
    .unwrap();
}

/// Entries of a tar file as somebody wrote them: name, type, target, content.
fn tar_of(entries: &[(&str, u8, &str, &str)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, kind, target, content) in entries {
        let mut header = [0_u8; 512];
        let mut put =
            |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, "0000755");
        put(108, "0000000");
        put(116, "0000000");
        put(124, &format!("{:011o}", content.len()));
        put(136, "00000000000");
        put(148, "        ");
        put(157, target);
        put(257, "ustar\x0000");
        header[156] = *kind;
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.write_all(&header).unwrap();
        tar.write_all(content.as_bytes()).unwrap();
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// Row 140: names and links of a base image that lead out of it, blobs that are not what they are called, records without
/// end: refused, or inside the image; nothing of this machine is read, written or removed.
#[test]
fn row_140_a_hostile_base_image() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "mine").unwrap();
    let out = outside.display().to_string();
    let kept = |text: &str| {
        assert_eq!(
            fs::read_to_string(outside.join("kept")).unwrap(),
            "mine",
            "{text}"
        );
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "{text}");
    };
    let climbing = format!("../../../../../../../..{out}/new");
    let link = format!("{out}/kept");
    let whiteout = "to/.wh.kept".to_owned();
    let deep = "d/".repeat(250) + "f";
    let file = |name: &'static str| (name, b'0', "", "theirs");
    let make = |entries: &[(&str, u8, &str, &str)]| {
        let dir = place.path("hostile");
        let _ = fs::remove_dir_all(&dir);
        layout_of(&dir, &tar_of(entries));
        dir
    };
    let run = |dir: &Path| {
        let mut command = place.command(&[]);
        command.arg("--base").arg(format!("oci:{}", dir.display()));
        let target = format!("tar:{}", place.path("out.tar").display());
        program::run(command.args(["-o", &target, "config"]))
    };
    for (entries, line) in [
        (
            vec![(&climbing[..], b'0', "", "theirs")],
            "a name that leads elsewhere",
        ),
        (
            vec![("a/../../x", b'0', "", "theirs")],
            "a name that leads elsewhere",
        ),
        (
            vec![(".wh...", b'0', "", "")],
            "a name that leads elsewhere",
        ),
        (
            vec![("usr/.wh..", b'0', "", "")],
            "a name that leads elsewhere",
        ),
        (
            vec![("hard", b'1', &link[..], "")],
            "a hard link that leads nowhere",
        ),
        (vec![("odd", b'z', "", "")], "an entry of an unknown kind"),
        (
            vec![("long", b'L', "", &deep[..]), file("f")],
            "folders are nested too deep",
        ),
        (vec![("big", b'x', "", "7 path=\n")], "base image"),
    ] {
        run(&make(&entries)).failed().says(&[line]);
        kept(line);
    }
    // A link to a folder of this machine leads to the same path in the image, if there is one.
    let link = ("to", b'2', &out[..], "");
    let through = [
        link,
        ("to/kept", b'0', "", "theirs"),
        ("to/new", b'0', "", "theirs"),
    ];
    run(&make(&through)).failed();
    kept("through a link to nothing");
    let there = (&out[1..], b'5', "", "");
    run(&make(&[&[there][..], &through].concat())).ok();
    kept("through a link");
    let list = ok(Command::new("tar").arg("-tf").arg(place.path("out.tar")));
    assert!(list.contains(&format!("{}/new", &out[1..])), "{list}");
    let whiteouts = [
        there,
        link,
        (&whiteout[..], b'0', "", ""),
        ("to/.wh..wh..opq", b'0', "", ""),
    ];
    run(&make(&whiteouts)).ok();
    kept("whiteouts through a link");
    run(&make(&[("etc", b'2', &out[..], ""), file("x")])).ok();
    kept("the folder of a package is a link");
    let dir = make(&[file("x")]);
    for entry in fs::read_dir(dir.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        let mut other = data.clone();
        let at = other.len() / 3;
        other[at] ^= 1;
        fs::write(&path, other).unwrap();
        run(&dir).failed();
        fs::write(&path, data).unwrap();
    }
    run(&dir).ok();
    // A pipe in the target's place stays one.
    let pipe = place.path("out.tar");
    fs::remove_file(&pipe).unwrap();
    ok(Command::new("mkfifo").arg(&pipe));
    run(&dir).failed().says(&["no regular file"]);
    assert!(!pipe.metadata().unwrap().is_file());
    assert!(place.left().is_empty());
}

/// Words whose packages the base has are no end, and none are needed: the image has what else was asked for. A base
/// without a database is said.
#[test]
fn an_image_upon_another_needs_no_packages() {
    if unprivileged() || !has("skopeo") {
        return;
    }
    let place = Place::new();
    let layout = place.path("layout").display().to_string();
    let base = format!("oci:{layout}:base");
    place.digest(place.command(&[]), &base, &["tiny-shell", "left", "config"]);
    let layers = |tag: &str| {
        let text = ok(Command::new("skopeo").args(["inspect", &format!("oci:{layout}:{tag}")]));
        let seen: Value = serde_json::from_str(&text).unwrap();
        (
            seen["Layers"].as_array().unwrap().len(),
            seen["Labels"]["a"].clone(),
        )
    };
    let names = |tag: &str| {
        let root = unpacked(&place, &format!("{layout}:{tag}"), &format!("bundle-{tag}"));
        Rpm::on_root(&root).ok(&["-qa", "--qf", "%{NAME} "])
    };
    for (tag, words) in [("there", &["config"][..]), ("none", &[])] {
        let mut command = place.command(&["--label", "a=b"]);
        command.args(["--base", &base, "--erase", "left"]);
        place.digest(command, &format!("oci:{layout}:{tag}"), words);
        assert_eq!(layers(tag), (2, json!("b")));
        if has("umoci") {
            let names = names(tag);
            assert!(
                names.contains("config ") && !names.contains("left "),
                "{names}"
            );
        }
    }
    let overlay = place.path("overlay");
    fs::create_dir(&overlay).unwrap();
    fs::write(overlay.join("own"), "x").unwrap();
    let dir = place.path("bare");
    layout_of(&dir, &tar_of(&[("there", b'0', "", "theirs")]));
    let mut command = place.command(&["--overlay", &overlay.display().to_string()]);
    command.arg("--base").arg(format!("oci:{}", dir.display()));
    let file = place.path("bare.tar");
    let run = program::run(command.arg("-o").arg(format!("tar:{}", file.display()))).ok();
    let line = "it has no rpm database: none of its packages is known";
    assert_eq!(run.err.matches(line).count(), 1, "{run:?}");
    let list = ok(Command::new("tar").arg("-tf").arg(&file));
    assert_eq!(list, "own\nthere\n");
}

/// A tag that is not there is an error, though there is one image only; without a tag it is that one.
#[test]
fn a_base_is_the_one_that_was_named() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let layout = format!("oci:{}", place.path("layout").display());
    let out = format!("oci:{}", place.path("out").display());
    place.digest(place.command(&[]), &format!("{layout}:one"), &["kinds"]);
    let other = format!("{layout}:two");
    let words = ["--base", &other, "-o", &out, "config"];
    place.refused(&words).says(&["no image has the tag 'two'"]);
    assert!(!place.path("out").exists());
    let mut command = place.command(&[]);
    command.args(["--base", &layout]);
    place.digest(command, &out, &["config"]);
}
