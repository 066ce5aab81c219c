//! Upstream lists a package as a part of its metadata: nobody would judge it. docs/threats.md, row 133.

use std::fs;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use serde_json::{Value, json};
use testkit::gpg::Gpg;

use crate::gap::Gap;
use crate::guards::rewrite_primary;
use crate::scene::{Scene, VENDOR, files_in, package};
use crate::serving::{Serving, curl};

/// Lets the index of upstream's `base` list these bytes as a part at this place; they lie at `file`.
fn list(scene: &Scene, href: &str, file: &str, bytes: &[u8]) {
    let base = scene.path("up/base");
    let file = base.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
    let index = base.join("repodata/repomd.xml");
    let record = format!(
        "<data type=\"extra\"><checksum type=\"sha256\">{}</checksum><location href=\"{href}\"/>\
         <timestamp>1700000000</timestamp><size>{}</size></data></repomd>",
        Hasher::digest(DigestAlgo::Sha256, bytes).hex(),
        bytes.len()
    );
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replace("</repomd>", &record)).unwrap();
}

/// Upstream's `base` with signed packages, mirrored in this mode by whoever demands the vendor's key.
fn strict(mode: &str) -> Scene {
    let scene = Scene::new();
    let vendor = Gpg::with_key(&scene.path("vendor"), VENDOR);
    scene.write("vendor.asc", vendor.public());
    for name in ["alpha", "beta"] {
        vendor.sign_package(VENDOR, &scene.put("base", name, "1", ""));
    }
    scene.publish("base");
    let key = scene.path("vendor.asc");
    scene.config(&format!("mode = {mode:?}\ngpgkey = {key:?}\nretries = 0"));
    scene
}

/// What is listed as a part is left out, said once, and the rest is there.
#[test]
fn row_133_a_package_that_is_listed_as_metadata_costs_that_part() {
    let evil = fs::read(package("evil", "1", "")).unwrap();
    for (href, file, bytes) in [
        (
            "Packages/evil-1-1.noarch.rpm",
            "Packages/evil-1-1.noarch.rpm",
            &evil[..],
        ),
        ("extra.xml", "extra.xml", b"<extra/>"),
        ("repodata%2fextra.xml", "repodata/extra.xml", b"<extra/>"),
        ("repodata/evil.rpm", "repodata/evil.rpm", b"no package"),
        ("repodata/evil%2eRPM", "repodata/evil.RPM", b"no package"),
        ("repodata/extra.bin", "repodata/extra.bin", &evil),
    ] {
        let scene = strict("mirror");
        list(&scene, href, file, bytes);
        let run = scene.sync();
        let told = format!("warning: extra of repomd.xml is left out: {href} is ");
        assert_eq!(run.err.matches(&told).count(), 1, "{href}: {}", run.err);
        let names = scene.published("base");
        assert!(
            !names.iter().any(|name| name == href || name == file),
            "{names:?}"
        );
        let url = format!("file://{}", scene.public("base").display());
        assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1"]);
        scene.run(&["verify"]).ends(0);
        scene.run(&["sync"]).ends(3);

        let scene = strict("proxy");
        list(&scene, href, file, bytes);
        let serving = Serving::start(&scene);
        assert_eq!(scene.dnf_list(&serving.url("/base")), ["alpha-1", "beta-1"]);
        for path in [href, file] {
            let url = serving.url(&format!("/base/{path}"));
            assert_eq!(curl(&["-f", "-o", "/dev/null", &url]).code, 22, "{path}");
        }
    }
}

/// A package whose location is a place of metadata is judged as one, however it is written, and never served there.
#[test]
fn row_133_a_package_at_a_place_of_metadata_is_not_served() {
    let evil = fs::read(package("evil", "1", "")).unwrap();
    for place in ["repodata/extra.bin", "repodata%2fextra.bin", "repodata"] {
        for mode in ["mirror", "proxy"] {
            let scene = strict(mode);
            scene.put("base", "evil", "1", "");
            scene.publish("base");
            rewrite_primary(&scene, "base", |text| {
                text.replace("Packages/evil-1-1.noarch.rpm", place)
            });
            list(&scene, "repodata/extra.bin", "repodata/extra.bin", &evil);
            if mode == "mirror" {
                let run = scene.run(&["sync"]).ends(4);
                assert!(run.err.contains("/evil-1-1.noarch.rpm: "), "{}", run.err);
                assert!(!scene.public("base").exists());
                continue;
            }
            let serving = Serving::start(&scene);
            for path in [place, "repodata/extra.bin", "repodata%2fextra.bin"] {
                let url = serving.url(&format!("/base/{path}"));
                assert_eq!(curl(&["-f", "-o", "/dev/null", &url]).code, 22, "{path}");
            }
            let url = serving.url("/base/Packages/alpha-1-1.noarch.rpm");
            curl(&["-f", "-o", "/dev/null", &url]).ends(0);
        }
    }
}

/// Without its primary there is no repository.
#[test]
fn row_133_a_primary_at_a_place_of_packages_is_none() {
    let scene = strict("mirror");
    let repodata = scene.path("up/base/repodata");
    let mut names = files_in(&repodata).into_iter();
    let primary = names.find(|name| name.ends_with("primary.xml.gz")).unwrap();
    fs::rename(
        repodata.join(&primary),
        scene.path("up/base").join(&primary),
    )
    .unwrap();
    let index = repodata.join("repomd.xml");
    let text = fs::read_to_string(&index).unwrap();
    let text = text.replace(&format!("repodata/{primary}"), &primary);
    fs::write(&index, text).unwrap();
    let run = scene.run(&["sync"]).ends(1);
    let why = format!("its primary is outside repodata/ ({primary})");
    assert!(run.err.contains(&why), "{}", run.err);
}

/// What an older version published is said, and made again.
#[test]
fn row_133_what_was_published_as_metadata_is_found_again() {
    for place in ["evil-1-1.noarch.rpm", "repodata/extra.bin"] {
        let scene = strict("mirror");
        scene.sync();
        add_to_snapshot(&scene, place);
        let run = scene.run(&["verify"]).ends(6);
        assert!(run.err.contains("has a package as metadata"), "{}", run.err);
        let words: &[&str] = match place.starts_with("repodata/") {
            true => &["sync", "--force"],
            false => &["sync"],
        };
        scene.run(words).ends(0);
        let shown = fs::canonicalize(scene.public("base")).unwrap();
        assert!(!shown.join(place).exists());
    }
}

/// Lets the newest snapshot have its first package once more, as metadata at this place.
fn add_to_snapshot(scene: &Scene, place: &str) {
    let dir = scene.path("mirror/state/base/snapshots");
    let newest = dir.join(files_in(&dir).pop().unwrap());
    let mut manifest: Value = serde_json::from_slice(&fs::read(&newest).unwrap()).unwrap();
    let files = manifest["files"].as_array_mut().unwrap();
    let of_package = files.iter().find(|file| !file["package"].is_null());
    let (size, digest) = of_package
        .map(|one| (one["size"].clone(), one["digest"].clone()))
        .unwrap();
    files.push(json!({ "path": place, "size": size, "digest": digest }));
    fs::write(newest, manifest.to_string()).unwrap();
}

/// Whoever made the bundle: a package does not come as metadata.
#[test]
fn row_113_a_package_that_is_listed_as_metadata_is_refused() {
    let gap = Gap::new();
    add_to_snapshot(&gap.outside, "repodata/delta.bin");
    let bundle = gap.make(&["--site", "ship"]);
    gap.refused(&bundle, "repodata/delta.bin is a package");
}

/// A part that the mirror refused is not in its bundles, which are whole without it.
#[test]
fn row_133_a_bundle_comes_without_the_refused_part() {
    let evil = fs::read(package("evil", "1", "")).unwrap();
    for (href, file) in [
        ("evil.rpm", "evil.rpm"),
        ("repodata/extra.bin", "repodata/extra.bin"),
    ] {
        let gap = Gap::new();
        list(&gap.outside, href, file, &evil);
        gap.outside.sync();
        let bundle = gap.make(&["--site", "ship"]);
        gap.apply(&bundle).ends(0);
        assert_eq!(gap.inside_list(), ["alpha-1", "beta-1", "gamma-1"]);
    }
}
