//! Lock files: made, installed from, checked, updated and compared, on repositories by createrepo_c whose packages are
//! signed; what was installed is asked of the real rpm.

mod forms;
mod places;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::fixtures::unprivileged;
use testkit::rpm::createrepo;

use crate::scene::{Scene, digest, new_key, package};
use crate::scene_rpm::RpmFile;

/// What app needs.
const NEEDS: &str = "Requires: lib\n";

fn scene() -> Option<(Scene, Vec<RpmFile>)> {
    if unprivileged() {
        return None;
    }
    let scene = Scene::new();
    let monday = packages(&scene, "1");
    publish(&scene, &monday);
    scene.configure("main", "");
    Some((scene, monday))
}

/// app (which needs lib), lib and other in a version, signed.
fn packages(scene: &Scene, version: &str) -> Vec<RpmFile> {
    let all = [
        package("app", version, NEEDS),
        package("lib", version, ""),
        package("other", version, ""),
    ];
    all.map(|package| package.signed(&scene.key)).into()
}

/// Makes these, and no others, the packages of the repository.
fn publish(scene: &Scene, packages: &[RpmFile]) {
    let _ = fs::remove_dir_all(scene.www().join("main"));
    scene.publish("main", &packages.iter().collect::<Vec<_>>());
}

fn lock(scene: &Scene, words: &[&str]) -> String {
    let ran = scene.tdnf(&[&["lock", "-o", "-"], words].concat()).ok();
    assert_eq!(ran.err, "", "{ran:?}");
    ran.out
}

fn at(scene: &Scene, name: &str) -> String {
    scene.path(name).display().to_string()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("a lock is JSON")
}

/// Where a package of the repository lies.
fn served(scene: &Scene, name: &str) -> PathBuf {
    scene.www().join("main/Packages").join(name)
}

#[test]
fn a_lock_says_which_files_and_who_signed_them() {
    let Some((scene, _)) = scene() else { return };
    let text = lock(&scene, &["app"]);
    let fingerprint = scene.key.fingerprint();
    let file = served(&scene, "app-1.rpm");
    let size = fs::metadata(&file).unwrap().len();
    let url = scene.server.url("/main");
    let repomd = digest(&scene.www().join("main/repodata/repomd.xml"));
    let [app, lib] = ["app", "lib"].map(|name| digest(&served(&scene, &format!("{name}-1.rpm"))));
    let lib_size = fs::metadata(served(&scene, "lib-1.rpm")).unwrap().len();
    let package = |name: &str, digest: &str, size: u64, reason: &str| {
        format!(
            r#"          {{
          "name": "{name}",
          "epoch": 0,
          "version": "1",
          "release": "1",
          "arch": "noarch",
          "repo": "main",
          "location": "Packages/{name}-1.rpm",
          "url": "{url}/Packages/{name}-1.rpm",
          "size": {size},
          "checksum": "sha256:{digest}",
          "signer": "{fingerprint}",
          "reason": "{reason}"
        }}"#
        )
        .trim_start()
        .to_owned()
    };
    let expected = format!(
        r#"{{
  "lock": 1,
  "words": [
    "app"
  ],
  "releasever": null,
  "architectures": {{
    "x86_64": {{
      "repositories": [
        {{
          "id": "main",
          "baseurl": "{url}",
          "repomd": "sha256:{repomd}",
          "keys": [
            "{fingerprint}"
          ]
        }}
      ],
      "packages": [
        {},
        {}
      ]
    }}
  }}
}}
"#,
        package("app", &app, size, "user"),
        package("lib", &lib, lib_size, "dependency"),
    );
    assert_eq!(text, expected);
    // What is installed on this machine, and what lies in its cache, does not matter.
    scene.install(&["lib"]).ok();
    scene.tdnf(&["clean", "all"]).ok();
    assert_eq!(lock(&scene, &["app"]), text);
}

#[test]
fn mondays_lock_installs_the_same_after_newer_versions_appeared() {
    let Some((scene, monday)) = scene() else {
        return;
    };
    let file = at(&scene, "monday.lock");
    let ran = scene.tdnf(&["lock", "-o", &file, "app"]).ok();
    assert!(
        ran.out.contains("monday.lock: 2 packages for x86_64\n"),
        "{ran:?}"
    );
    publish(&scene, &[monday, packages(&scene, "2")].concat());
    let ran = scene
        .tdnf(&["--refresh", "-y", "install", "--locked", &file])
        .ok();
    assert_eq!(scene.installed(), ["app-1", "first-1", "lib-1"], "{ran:?}");
    // lib came as a dependency.
    let asked = scene.tdnf(&["repoquery", "--userinstalled"]).ok();
    assert!(
        asked.out.contains("app-1-1") && !asked.out.contains("lib-1-1"),
        "{asked:?}"
    );
    // Nothing is to be done again.
    let again = scene.tdnf(&["-y", "install", "--locked", &file]).ok();
    assert!(again.err.contains("Nothing to do."), "{again:?}");
    // The lock of today takes the place of Monday's, up and down.
    let today = at(&scene, "today.lock");
    scene.tdnf(&["--refresh", "lock", "-o", &today, "app"]).ok();
    let ran = scene.tdnf(&["-y", "install", "--locked", &today]).ok();
    assert!(ran.out.contains("\nUpgrading:\n"), "{ran:?}");
    assert_eq!(scene.installed(), ["app-2", "first-1", "lib-2"]);
    let ran = scene.tdnf(&["-y", "install", "--locked", &file]).ok();
    assert!(ran.out.contains("\nDowngrading:\n"), "{ran:?}");
    assert_eq!(scene.installed(), ["app-1", "first-1", "lib-1"]);
}

/// docs/threats.md, row 141.
#[test]
fn a_lock_is_kept_to_or_nothing_is_installed() {
    let Some((scene, _)) = scene() else { return };
    let text = lock(&scene, &["app"]);
    let good = scene.write("good.lock", &text).display().to_string();
    let refuse = |file: &str, words: &[&str]| {
        scene.refuses(&["-y", "install", "--locked", file], words);
    };
    scene.tdnf(&["clean", "all"]).ok();
    scene.tdnf(&["makecache"]).ok();

    // Another file than the lock's, and one that is not there.
    let (app, lib) = (served(&scene, "app-1.rpm"), served(&scene, "lib-1.rpm"));
    let bytes = fs::read(&app).unwrap();
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&app, changed).unwrap();
    let kept = fs::read(&lib).unwrap();
    fs::remove_file(&lib).unwrap();
    refuse(&good, &["app-1-1.noarch: changed since the lock: http://"]);
    fs::write(&app, bytes).unwrap();
    refuse(
        &good,
        &["lib-1-1.noarch: no file with sha256:", "HTTP status 404"],
    );
    fs::write(&lib, kept).unwrap();

    // Another signer than the lock's.
    let other = new_key("Other <other@tests.invalid>").fingerprint();
    let foreign = text.replace(
        &format!("\"signer\": \"{}\"", scene.key.fingerprint()),
        &format!("\"signer\": \"{other}\""),
    );
    let foreign = scene.write("foreign.lock", foreign).display().to_string();
    refuse(
        &foreign,
        &[&format!(
            "app-1-1.noarch: signed by key {}, and the lock says {other}",
            scene.key.fingerprint()
        )],
    );

    // A set that is not whole.
    let mut less = json(&text);
    less["architectures"]["x86_64"]["packages"]
        .as_array_mut()
        .unwrap()
        .pop();
    let less = scene
        .write("less.lock", less.to_string())
        .display()
        .to_string();
    refuse(&less, &["nothing provides lib needed by app-1-1.noarch"]);

    // Words beside it, another architecture, a damaged file.
    scene
        .tdnf(&["-y", "install", "--locked", &good, "other"])
        .refused(&["other is more"]);
    scene
        .tdnf(&["-y", "--forcearch=aarch64", "install", "--locked", &good])
        .refused(&["it has no packages for aarch64, only for x86_64"]);
    scene
        .tdnf(&["-y", "install", "--locked", &good, "--exclude=lib"])
        .refused(&["lib-1-1.noarch: the lock names it, and the exclude 'lib' leaves it out"]);
    for (from, to, why) in [
        (
            "\"lock\": 1",
            "\"lock\": 2",
            "version 2 of the format is not known here",
        ),
        (
            "\"name\": \"lib\"",
            "\"name\": \"../lib\"",
            "architectures.x86_64.packages[1].name: ../lib: it leads to another folder",
        ),
        (
            "\"location\": \"Packages/lib-1.rpm\"",
            "\"location\": \"../lib-1.rpm\"",
            "packages[1].location",
        ),
        (
            "\"checksum\": \"sha256:",
            "\"checksum\": \"sha256:0",
            "it is no sha256 digest",
        ),
        (
            "\"checksum\": \"sha256:",
            "\"checksum\": \"md5:",
            "sha256:, sha384: or sha512: is expected",
        ),
        (
            "\"epoch\": 0,",
            "\"epoch\": 0, \"epoch\": 0,",
            "the key epoch stands twice",
        ),
        (
            "\"name\": \"lib\"",
            "\"name\": \"app\"",
            "app-1-1.noarch stands twice",
        ),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text, "{from}");
        let bad = scene.write("bad.lock", bad).display().to_string();
        scene
            .tdnf(&["-y", "install", "--locked", &bad])
            .refused(&[why]);
    }
    assert_eq!(scene.installed(), ["first-1"]);

    // Keys that are not known are said, and the good lock installs.
    let more = text.replacen("\"lock\": 1", "\"lock\": 1, \"colour\": \"red\"", 1);
    let more = scene.write("more.lock", more).display().to_string();
    let ran = scene.tdnf(&["-y", "install", "--locked", &more]).ok();
    assert!(
        ran.err
            .contains("more.lock: keys without effect here: colour"),
        "{ran:?}"
    );
    assert_eq!(scene.installed(), ["app-1", "first-1", "lib-1"]);
}

#[test]
fn a_lock_installs_from_a_folder_without_any_repository() {
    let Some((scene, _)) = scene() else { return };
    let file = at(&scene, "set.lock");
    scene.tdnf(&["lock", "-o", &file, "app"]).ok();
    let seed = at(&scene, "seed");
    let got = scene
        .tdnf(&["download", "--locked", &file, "--destdir", &seed])
        .ok();
    assert!(
        Path::new(&seed).join("app-1-1.noarch.rpm").is_file(),
        "{got:?}"
    );
    // The names do not matter, and what else lies there does not either.
    let from = Path::new(&seed).join("app-1-1.noarch.rpm");
    fs::rename(&from, Path::new(&seed).join("0a1b")).unwrap();
    fs::write(Path::new(&seed).join("notes"), "no package").unwrap();
    scene.tdnf(&["clean", "all"]).ok();
    scene.write_repo("main", "");
    let words = ["-y", "install", "--locked", &file];
    let ran = scene.tdnf(&[&words[..], &["--cacheonly"]].concat());
    ran.refused(&["app-1-1.noarch: no file with sha256:", " is found"]);
    assert!(ran.err.contains("Error(1602)"), "{ran:?}");
    let trusted = at(&scene, "keys/scene.asc");
    scene.rpm().ok(&["--import", &trusted]);
    let asked = scene.server.seen().len();
    let ran = scene
        .tdnf(&[&words[..], &["--cacheonly", "--seed", &seed]].concat())
        .ok();
    assert_eq!(scene.installed(), ["app-1", "first-1", "lib-1"], "{ran:?}");
    assert_eq!(scene.server.seen().len(), asked, "nobody was asked");
}

#[test]
fn an_update_of_one_moves_that_and_what_it_needs() {
    let Some((scene, _)) = scene() else { return };
    let sign = |package: RpmFile| package.signed(&scene.key);
    let [app, lib, tool, plain] = [
        package("app", "1", "Requires: lib >= 1\nRequires: tool\n"),
        package("lib", "1", ""),
        package("tool", "1", ""),
        package("plain", "1", ""),
    ]
    .map(sign);
    let newer = [
        package(
            "app",
            "2",
            "Requires: lib >= 2\nRequires: tool\nRequires: extra\n",
        ),
        package("lib", "2", ""),
        package("tool", "2", ""),
        package("plain", "2", ""),
        package("extra", "1", ""),
    ]
    .map(sign);
    let monday = [app.clone(), lib.clone(), tool, plain.clone()];
    publish(&scene, &monday);
    let file = at(&scene, "set.lock");
    scene
        .tdnf(&["--refresh", "lock", "-o", &file, "app", "plain"])
        .ok();
    let before = fs::read_to_string(&file).unwrap();
    scene.tdnf(&["lock", "--check", &file]).ok();
    publish(&scene, &[&monday[..], &newer[..]].concat());
    let ran = scene.tdnf(&["-q", "lock", "--check", &file]);
    let all = "app.noarch 1-1 -> 2-1\n+ extra-1-1.noarch\nlib.noarch 1-1 -> 2-1\nplain.noarch 1-1 -> 2-1\ntool.noarch 1-1 -> 2-1\n";
    assert_eq!((ran.code, ran.out.as_str()), (1, all), "{ran:?}");
    // One that nothing else hangs on.
    let one = at(&scene, "one.lock");
    let ran = scene
        .tdnf(&["-q", "lock", "--update", "-o", &one, &file, "plain"])
        .ok();
    assert!(ran.out == "plain.noarch 1-1 -> 2-1\n", "{ran:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    // A dependency that nobody named by himself.
    let ran = scene
        .tdnf(&["-q", "lock", "--update", "-o", &one, &file, "tool"])
        .ok();
    assert!(ran.out == "tool.noarch 1-1 -> 2-1\n", "{ran:?}");
    // One that takes others along.
    let ran = scene
        .tdnf(&["-q", "lock", "--update", "-o", &one, &file, "app"])
        .ok();
    let moved = "app.noarch 1-1 -> 2-1\n+ extra-1-1.noarch\nlib.noarch 1-1 -> 2-1\n";
    assert!(ran.out == moved, "{ran:?}");
    let ran = scene.tdnf(&["lock", "--diff", &file, &one]);
    assert_eq!((ran.code, ran.out.as_str()), (1, moved), "{ran:?}");
    scene.tdnf(&["lock", "--diff", &one, &one]).ok();
    let ran = scene
        .tdnf(&["-q", "lock", "--update", &file, "nosuch"])
        .failed();
    assert!(ran.err.contains("it has no package nosuch"), "{ran:?}");
    // Everything, in place.
    let ran = scene.tdnf(&["-q", "lock", "--update", &file]).ok();
    assert!(ran.out == all, "{ran:?}");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        lock(&scene, &["app", "plain"])
    );
    // A file that no repository has any more has to move.
    fs::write(&file, &before).unwrap();
    publish(&scene, &[app, lib, newer[2].clone(), plain]);
    let ran = scene.tdnf(&["-q", "lock", "--check", &file]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (
            1,
            "tool.noarch 1-1 -> 2-1\ntool-1-1.noarch: no repository offers this file any more\n"
        )
    );
}

#[test]
fn what_is_installed_can_be_locked() {
    let Some((scene, monday)) = scene() else {
        return;
    };
    let ran = scene.tdnf(&["lock", "--installed", "-o", "-"]).failed();
    assert!(
        ran.err
            .contains("first-1-1.noarch: installed, and no repository offers it"),
        "{ran:?}"
    );
    scene.tdnf(&["-y", "erase", "first"]).ok();
    scene.install(&["app"]).ok();
    let installed = lock(&scene, &["--installed"]);
    assert_eq!(installed, lock(&scene, &["app"]));
    publish(&scene, &[monday, packages(&scene, "2")].concat());
    let later = scene
        .tdnf(&["--refresh", "lock", "--installed", "-o", "-"])
        .ok()
        .out;
    assert_eq!(
        json(&later)["architectures"]["x86_64"]["packages"],
        json(&installed)["architectures"]["x86_64"]["packages"]
    );
}

/// The same version in other bytes is not what is installed; of two builds the one that is is locked. An empty root has
/// nothing to lock.
#[test]
fn what_is_installed_is_locked_to_the_build() {
    let Some((scene, _)) = scene() else { return };
    let lock = ["lock", "--installed", "-o", "-"];
    scene.tdnf(&["-y", "erase", "first"]).ok();
    let line = format!("{}: nothing is installed there", scene.root().display());
    scene.tdnf(&lock).refused(&[&line]);
    scene.install(&["lib"]).ok();
    let own = crate::scene::spec_of("lib", "1", &crate::scene::noise(20_000));
    let other = RpmFile::read(&own.build()).signed(&scene.key);
    publish(&scene, std::slice::from_ref(&other));
    let run = scene.tdnf(&[&["--refresh"], &lock[..]].concat()).failed();
    for words in [
        "lib-1-1.noarch: what repository main offers is another build than what is installed",
        "SHA-256 of the header is ",
    ] {
        assert!(run.err.contains(words), "{run:?}");
    }
    scene.publish("more", &[&package("lib", "1", "").signed(&scene.key)]);
    scene.configure("more", "");
    let text = scene.tdnf(&lock).ok().out;
    assert_eq!(
        json(&text)["architectures"]["x86_64"]["packages"][0]["repo"],
        "more"
    );
}

#[test]
fn a_package_is_downloaded_to_a_folder() {
    let Some((scene, _)) = scene() else { return };
    scene.install(&["app"]).ok();
    let to = at(&scene, "to");
    let names = |to: &str| {
        let entries = fs::read_dir(to)
            .map(|all| all.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
        let mut names: Vec<String> = entries.map(Iterator::collect).unwrap_or_default();
        names.sort();
        names
    };
    let url = scene.server.url("/main/Packages/app-1.rpm");
    for word in ["--url", "--urls"] {
        let ran = scene.tdnf(&["-q", "download", word, "app"]).ok();
        assert_eq!(ran.out, format!("{url}\n"));
    }
    // It is installed, and comes all the same.
    scene.tdnf(&["download", "--destdir", &to, "app"]).ok();
    assert_eq!(names(&to), ["app-1.rpm"]);
    fs::remove_dir_all(&to).unwrap();
    scene
        .tdnf(&["download", "--alldeps", "--destdir", &to, "app"])
        .ok();
    assert_eq!(names(&to), ["app-1.rpm", "lib-1.rpm"]);
    fs::remove_dir_all(&to).unwrap();
    scene.tdnf(&["-y", "erase", "app", "lib"]).ok();
    scene
        .tdnf(&["download", "--resolve", "--destdir", &to, "app"])
        .ok();
    assert_eq!(names(&to), ["app-1.rpm", "lib-1.rpm"]);
    assert_eq!(scene.installed(), ["first-1"]);
}

#[test]
fn a_plan_tells_all_in_json() {
    let Some((scene, _)) = scene() else { return };
    let lock = json(&lock(&scene, &["app"]));
    let packages = &lock["architectures"]["x86_64"]["packages"];
    let row = |at: usize, reason: &str, signer: Value| {
        let package = &packages[at];
        let checksum = package["checksum"]
            .as_str()
            .unwrap()
            .strip_prefix("sha256:")
            .unwrap();
        serde_json::json!({
            "Action": "Install", "Name": package["name"], "Epoch": 0, "Version": "1", "Release": "1", "Arch": "noarch",
            "Reason": reason, "Repo": "main", "Location": package["location"], "Url": package["url"],
            "Size": package["size"], "Checksum": {"Type": "sha256", "Value": checksum}, "Signer": signer,
        })
    };
    let plan = |signer: Value| {
        Value::from(vec![
            row(0, "User", signer.clone()),
            row(1, "Dependency", signer),
        ])
    };
    let before = scene
        .tdnf(&["--json-version=2", "--assumeno", "install", "app"])
        .ok();
    assert_eq!(json(&before.out)["Plan"], plan(Value::Null));
    let ran = scene
        .tdnf(&["--json-version=2", "-y", "install", "app"])
        .ok();
    assert_eq!(
        json(&ran.out)["Plan"],
        plan(Value::from(scene.key.fingerprint()))
    );
    let shown = scene
        .tdnf(&["--json-version=2", "lock", "-o", "-", "app"])
        .ok();
    assert_eq!(json(&shown.out)["Data"], lock);
}

/// Whoever has exactly a set in mind is not given another one.
#[test]
fn other_commands_refuse_a_lock() {
    let Some((scene, _)) = scene() else { return };
    let file = at(&scene, "set.lock");
    scene.tdnf(&["lock", "-o", &file, "app"]).ok();
    let ran = scene.tdnf(&["-y", "upgrade", "--locked", &file]).failed();
    ran.says(&["--locked has no effect on 'update': it is an option of"]);
}

#[test]
fn what_has_no_effect_is_said() {
    let Some((scene, _)) = scene() else { return };
    let file = at(&scene, "set.lock");
    scene.tdnf(&["lock", "-o", &file, "app"]).ok();
    for (words, warning) in [
        (
            &["--assumeno", "install", "--seed", "/nowhere", "app"][..],
            "--seed has no effect without --locked",
        ),
        (
            &["lock", "--check", "-o", "x", &file],
            "--output has no effect here",
        ),
        (
            &["lock", "--diff", "--format=konflux", &file, &file],
            "--format has no effect here",
        ),
        (
            &["lock", "--update", "--arch=aarch64", &file],
            "--arch has no effect here",
        ),
    ] {
        let ran = scene.tdnf(words);
        assert!(ran.err.contains(&format!("warning: {warning}")), "{ran:?}");
    }
    assert!(!scene.path("x").exists());
    for words in [
        &["lock"][..],
        &["lock", "--check", "--diff", &file],
        &["lock", "--diff", &file],
        &["lock", "./app-1.rpm"],
    ] {
        let ran = scene.tdnf(words);
        assert!(ran.code != 0 && ran.err.lines().count() <= 3, "{ran:?}");
    }
    scene
        .tdnf(&["--dryrun", "lock", "app"])
        .refused(&["lock has no dry run"]);
}
