//! Rows 4-8, 11-19 and 21-26 of docs/threats.md, and their neighbours, each through the program:
//! what must not be trusted is refused, and nothing has changed then.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rpm_trust::sign::SignatureHash;
use testkit::gpg::Gpg;
use testkit::program::ok;
use testkit::server::Answer;
use testkit::tree;

use crate::scene::{Scene, digest, key_of, new_key, noise, package, spec_of};
use crate::scene_rpm::{Item, RpmFile, items, kind, replace, sha256, tag, word, write};

mod exchanged;
mod keys_and_damage;
mod older;
mod packages;
mod shared;

const DAY: u64 = 24 * 3600;

// ---- the good way, so that a refusal means something ----

#[test]
fn a_signed_package_of_a_signed_repository_is_installed() {
    let (scene, _) = Scene::with(&[&package("app", "1", "")]);
    let run = scene.install(&["app"]).ok();
    run.says(&["Fingerprint"]);
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
    assert_eq!(scene.trusted_keys().len(), 1, "the key is stored");
    let verified = scene.rpm().run(&["-V", "app"]);
    assert!(verified.success(), "{verified:?}");
}

#[test]
fn signatures_made_here_are_good_for_the_real_rpm() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    let key = scene.path("keys/scene.asc");
    let db = scene.path("other-db");
    fs::create_dir(&db).unwrap();
    let rpm = testkit::rpm::Rpm::on_db(&db);
    rpm.program_ok("rpmkeys", &["--import", &key.to_string_lossy()]);
    let file = published.dir.join("Packages/app-1.rpm");
    let told = rpm.program_ok("rpmkeys", &["--checksig", "-v", &file.to_string_lossy()]);
    assert!(told.contains("Signature, key ID"), "{told}");
    assert!(!told.contains("NOKEY") && !told.contains("BAD"), "{told}");
}

#[test]
fn a_package_signed_by_rpmsign_and_metadata_signed_by_gpg_are_good() {
    let scene = Scene::new();
    let user = "Real <real@tests.invalid>";
    let gpg = Gpg::with_key(&scene.path("gpg"), user);
    scene.write("keys/real.asc", gpg.public());
    let published = scene.publish("main", &[&package("app", "1", "")]);
    let file = published.dir.join("Packages/app-1.rpm");
    gpg.sign_package(user, &file);
    let signed = RpmFile::read(&file);
    fs::remove_dir_all(&published.dir).unwrap();
    let published = scene.publish("main", &[&signed]);
    let index = published.dir.join("repodata/repomd.xml");
    fs::remove_file(published.dir.join("repodata/repomd.xml.asc")).unwrap();
    gpg.ok(&["--armor", "--detach-sign", &index.to_string_lossy()]);
    scene.configure("main", &format!("gpgkey={}", scene.key_url("real")));
    scene.install(&["app"]).ok();
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
}

// ---- 4-8: metadata ----

#[test]
fn row_04_metadata_swap_after_check() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    scene.tdnf(&["makecache"]).ok();
    let mut next = published.clone();
    next.revision += 1;
    next = next.replace("primary", "Scene package app", "Stage package app");
    next.write(Some(&scene.key));
    let path = "/main/repodata/primary.xml.gz";
    let mut swapped = fs::read(next.dir.join("repodata/primary.xml.gz")).unwrap();
    let middle = swapped.len() / 2;
    swapped[middle] ^= 0x20;
    scene.server.always(path, Answer::body(swapped));
    scene.refuses(&["makecache"], &["main", "primary", "checksum"]);
    // The old cache still serves.
    scene
        .tdnf(&["-C", "list", "available", "app"])
        .ok()
        .says(&["app"]);
    // The next mirror is asked, and found good.
    tree::copy(&next.dir, &scene.www().join("good"));
    let both = format!(
        "baseurl={} {}",
        scene.server.url("/main"),
        scene.server.url("/good")
    );
    scene.configure("main", &both);
    scene.tdnf(&["makecache"]).ok();
    scene
        .tdnf(&["-C", "info", "app"])
        .ok()
        .says(&["Stage package app"]);
}

#[test]
fn row_05_mix_and_match() {
    let (scene, first) = Scene::with(&[&package("app", "1", "")]);
    scene.tdnf(&["makecache"]).ok();
    let old: Vec<(String, Vec<u8>)> = ["primary", "filelists"]
        .map(|kind| {
            let name = format!("{kind}.xml.gz");
            let bytes = fs::read(first.dir.join("repodata").join(&name)).unwrap();
            (name, bytes)
        })
        .into();
    let app = package("app", "2", "").signed(&scene.key);
    let mut second = scene.publish("main", &[&app]);
    second.revision = first.revision + 1;
    second.write(Some(&scene.key));
    for (name, bytes) in old {
        let path = format!("/main/repodata/{name}");
        scene.server.always(&path, Answer::body(bytes));
        let kind = name.trim_end_matches(".xml.gz");
        // A path that only filelists can answer asks for them.
        let args = ["-y", "--refresh", "install", "/usr/share/nothing/app"];
        if kind == "primary" {
            scene.refuses(&args, &["main", kind, "differs"]);
        } else {
            // The new index with its primary is whole and may stay; the old file lists may not.
            scene.tdnf(&args).refused(&["main", kind, "differs"]);
            let mixed: Vec<_> = scene.cached("filelists.xml.gz");
            assert!(mixed.is_empty(), "{mixed:?}");
        }
        scene.server.behave();
    }
    scene.install(&["--refresh", "app"]).ok();
    assert_eq!(scene.installed(), ["app-2", "first-1"]);
}

#[test]
fn row_06_304_lie() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    scene.tdnf(&["makecache"]).ok();
    let good = digest(&published.dir.join("repodata/primary.xml.gz"));
    let cached = scene.cached("primary.xml.gz");
    let [cached] = cached.as_slice() else {
        panic!("{cached:?}");
    };
    assert_eq!(digest(cached), good);
    let mut bytes = fs::read(cached).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(cached, &bytes).unwrap();
    scene.server.always(
        "/main/repodata/repomd.xml",
        Answer {
            not_modified: true,
            ..Answer::default()
        },
    );
    scene.tdnf(&["makecache"]).ok();
    assert_eq!(digest(cached), good, "the altered part is fetched again");
    // An altered index is no base for "not modified": here the server never says anything else.
    let index = cached.with_file_name("repomd.xml");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replace("primary.xml", "other.xml")).unwrap();
    let run = scene.tdnf(&["makecache"]);
    run.refused(&["main", "repomd.xml"]);
    scene.server.behave();
    scene.install(&["app"]).ok();
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
}

#[test]
fn row_07_repomd_asc_missing() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    let signature = published.dir.join("repodata/repomd.xml.asc");
    let kept = fs::read(&signature).unwrap();
    fs::remove_file(&signature).unwrap();
    for args in [&["makecache"][..], &["-y", "install", "app"]] {
        scene.refuses(args, &["main", "repomd.xml.asc"]);
        let run = scene.tdnf(args).failed();
        run.says(&["Hint: the publisher has to sign it", "repo_gpgcheck=0"]);
        assert!(!run.err.contains("compare gpgkey="), "{}", run.err);
    }
    // Nor after the repository was seen signed.
    fs::write(&signature, kept).unwrap();
    scene.tdnf(&["makecache"]).ok();
    let mut unsigned = published.clone();
    unsigned.revision += 1;
    unsigned.write(None);
    scene.refuses(&["makecache"], &["main", "repomd.xml.asc"]);
    scene
        .server
        .always("/main/repodata/repomd.xml.asc", Answer::status(500));
    scene.refuses(&["makecache"], &["main", "repomd.xml.asc"]);
}

#[test]
fn row_08_repomd_asc_other_key() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    scene.tdnf(&["makecache"]).ok();
    let other = new_key("Other <other@tests.invalid>");
    let mut next = published;
    next.revision += 1;
    next.write(Some(&other));
    let (theirs, ours) = (other.key_id(), scene.key.key_id());
    scene.refuses(&["makecache"], &["main", &theirs, &ours]);
}

#[test]
fn row_21_clearsign_prefix_suffix() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    scene.tdnf(&["makecache"]).ok();
    let mut next = published;
    next.revision += 1;
    next.write(Some(&scene.key));
    let index = next.repomd();
    let file = next.dir.join("repodata/repomd.xml.asc");
    let good = fs::read_to_string(&file).unwrap();
    let armor = good
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect::<Vec<_>>();
    let clear = format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{index}\n{good}");
    let message = good.replace("SIGNATURE", "MESSAGE");
    let other = scene
        .key
        .sign_detached(&b"another text"[..], testkit::now())
        .unwrap();
    let stranger = new_key("Stranger <s@tests.invalid>");
    let lies = stranger
        .sign_detached(&b"another text"[..], testkit::now())
        .unwrap();
    let cases = [
        ("text before", format!("Origin: trusted\n{good}")),
        ("text after", format!("{good}Origin: trusted\n")),
        ("clear-signed", clear),
        ("a message", message),
        ("a second, bad signature", format!("{good}{other}")),
        ("a bad signature first", format!("{other}{good}")),
        ("of another text", other.clone()),
        ("of another text by a stranger", lies),
        ("no armor", armor.join("\n")),
        ("a key", scene.key.public_armored().unwrap()),
        ("empty", String::new()),
    ];
    for (what, text) in cases {
        fs::write(&file, text).unwrap();
        let before = scene.state();
        let run = scene.tdnf(&["makecache"]);
        assert_ne!(run.code, 0, "{what} was accepted");
        run.refused(&["main"]);
        scene.unchanged(&before, &run);
    }
    // Text before, after and around the index itself is not what was signed.
    fs::write(&file, &good).unwrap();
    for text in [
        format!("\n{index}"),
        format!("{index}\n"),
        format!("{index}{index}"),
    ] {
        fs::write(next.dir.join("repodata/repomd.xml"), text).unwrap();
        scene.refuses(&["makecache"], &["main", "signature"]);
    }
    fs::write(next.dir.join("repodata/repomd.xml"), &index).unwrap();
    scene.tdnf(&["makecache"]).ok();
}

#[test]
fn a_metadata_key_that_has_expired_or_was_revoked_is_refused() {
    let scene = Scene::new();
    let published = scene.publish("main", &[&package("app", "1", "")]);
    let expired = key_of(
        "Expired <e@tests.invalid>",
        testkit::now() - 10 * DAY,
        Some(DAY),
    );
    let revoked = new_key("Revoked <r@tests.invalid>")
        .revoke(testkit::now() - 1800)
        .unwrap();
    for (name, key, word) in [
        ("expired", &expired, "expired"),
        ("revoked", &revoked, "revoked"),
    ] {
        let url = scene.write_key(name, key);
        scene.configure("main", &format!("gpgkey={url}"));
        published.write(Some(key));
        scene.refuses(&["makecache"], &["main", word]);
    }
}

// ---- 11-16: packages ----
