//! Rows 31-36, 41-47, 54 and 74-76 of docs/threats.md, and their neighbours, each through the
//! program: names that want out, metadata that wants more memory than there is, servers that lie.

use std::fs;
use std::time::Duration;

use testkit::server::{Answer, Server};

use crate::scene::{CACHE, Scene, digest, new_key, package};
use crate::scene_repo::{Packer, Part, Published};
use crate::scene_rpm::sha256;

mod documents;
mod servers;
mod surroundings;

const PRIMARY: &str = "/main/repodata/primary.xml.gz";
const REPOMD: &str = "/main/repodata/repomd.xml";
const APP: &str = "/main/Packages/app-1.rpm";

/// A scene with the package `app`, its metadata cached.
fn cached_scene() -> (Scene, Published) {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    scene.tdnf(&["makecache"]).ok();
    (scene, published)
}

/// The next metadata of a repository.
fn next(published: &Published) -> Published {
    let mut next = published.clone();
    next.revision += 1;
    next
}

// ---- 31-36: names ----

/// Locations that must never be followed.
fn bad_locations() -> Vec<String> {
    let mut all: Vec<String> = [
        "../../etc/cron.d/x",
        "a/../../b.rpm",
        "a/../b.rpm",
        "Packages/../../../../../../../../tmp/x.rpm",
        "/etc/cron.d/x.rpm",
        "//etc/cron.d/x.rpm",
        "..",
        "Packages/..",
        "",
        "../main-evil/app-1.rpm",
        // Encoded once.
        "%2e%2e/app-1.rpm",
        "..%2fapp-1.rpm",
        "%2e%2e%2fapp-1.rpm",
        "Packages/%2E%2E/%2E%2E/x.rpm",
        "%2fetc%2fpasswd",
        "a%00.rpm",
        "a%0a.rpm",
        "%5c..%5cx.rpm",
        // Other separators.
        "\\..\\x.rpm",
        "Packages\\..\\..\\x.rpm",
        // URLs.
        "file:///etc/shadow",
        "http://10.0.0.1/x.rpm",
        "https://example.invalid/x.rpm",
        "ftp://example.invalid/x.rpm",
    ]
    .map(str::to_owned)
    .into();
    all.push("a&#10;b.rpm".to_owned());
    all.push("a&#9;b.rpm".to_owned());
    all.push(format!("{}.rpm", "a".repeat(5000)));
    all.push(format!("{}x.rpm", "a/".repeat(3000)));
    all
}

/// Each location in primary, and what must be said; the good one is the package's own.
fn refused_in_primary(locations: &[String], args: &[&str]) {
    let (scene, published) = cached_scene();
    fs::create_dir_all(scene.path("target")).unwrap();
    for href in locations {
        let lying = next(&published).replace("primary", "Packages/app-1.rpm", href);
        lying.write(Some(&scene.key));
        // One bad record takes no others away: the repository is read.
        scene.tdnf(&["--refresh", "list", "app"]).ok();
        scene.server.forget();
        let before = scene.state();
        let run = scene.tdnf(args);
        let shown: String = href.chars().take(80).collect();
        assert_ne!(run.code, 0, "{shown} was followed: {}", run.text());
        run.refused(&["main"]);
        scene.unchanged(&before, &run);
        let asked = scene.server.seen();
        assert!(
            asked
                .iter()
                .all(|seen| seen.path.starts_with("/main/repodata/")),
            "{shown}: {asked:?}"
        );
        assert_eq!(
            fs::read_dir(scene.path("target")).unwrap().count(),
            0,
            "{shown}"
        );
        assert!(scene.cached(".rpm").is_empty(), "{shown}");
    }
}

#[test]
fn row_31_href_dotdot_in_primary() {
    let all = bad_locations();
    let plain: Vec<String> = all.into_iter().filter(|href| !href.contains('%')).collect();
    refused_in_primary(&plain, &["-y", "--refresh", "install", "app"]);
}

#[test]
fn row_32_href_encoded_in_primary() {
    let all = bad_locations();
    let encoded: Vec<String> = all.into_iter().filter(|href| href.contains('%')).collect();
    refused_in_primary(&encoded, &["-y", "--refresh", "install", "app"]);
    // A character that XML does not have at all.
    let (scene, published) = cached_scene();
    for odd in ["a&#0;b.rpm", "a\u{1}b.rpm"] {
        let lying = next(&published).replace("primary", "Packages/app-1.rpm", odd);
        lying.write(Some(&scene.key));
        scene.tdnf(&["--refresh", "list"]);
        scene.refuses(&["-y", "--refresh", "install", "app"], &["main"]);
    }
}

#[test]
fn row_31_32_href_in_repomd() {
    let (scene, published) = cached_scene();
    for href in bad_locations() {
        let mut lying = next(&published);
        lying.primary().href = Some(href.clone());
        lying.write(Some(&scene.key));
        scene.server.forget();
        let before = scene.state();
        let run = scene.tdnf(&["makecache"]);
        let shown: String = href.chars().take(80).collect();
        assert_ne!(run.code, 0, "{shown} was followed: {}", run.text());
        run.refused(&["main"]);
        scene.unchanged(&before, &run);
        let asked = scene.server.seen();
        assert!(
            asked
                .iter()
                .all(|seen| seen.path.starts_with("/main/repodata/repomd.xml")),
            "{shown}: {asked:?}"
        );
    }
}

#[test]
fn row_33_downloaddir_href() {
    // The flat folder takes the last part of a location only; none of these may get there.
    let locations = bad_locations();
    let (scene, published) = cached_scene();
    let target = scene.path("target").to_string_lossy().into_owned();
    fs::create_dir_all(&target).unwrap();
    let args = [
        "-y",
        "--refresh",
        "install",
        "--downloadonly",
        "--downloaddir",
        &target,
        "app",
    ];
    for href in locations.iter().step_by(3) {
        let lying = next(&published).replace("primary", "Packages/app-1.rpm", href);
        lying.write(Some(&scene.key));
        scene.tdnf(&["--refresh", "list", "app"]).ok();
        scene.refuses(&args, &["main"]);
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0, "{href}");
    }
    // A link planted in the folder is not followed.
    next(&published).write(Some(&scene.key));
    let victim = scene.write("victim", "mine");
    std::os::unix::fs::symlink(&victim, scene.path("target/app-1.rpm")).unwrap();
    let run = scene.tdnf(&args);
    assert!(!run.text().contains("panicked"), "{}", run.text());
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    fs::remove_file(scene.path("target/app-1.rpm")).unwrap();
    scene.tdnf(&args).ok();
    let names: Vec<_> = fs::read_dir(&target)
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(names, ["app-1.rpm"]);
}

#[test]
fn row_34_href_absolute_url() {
    let bases = [
        "file:///etc/",
        "file:///",
        "FILE:///etc/",
        "ftp://10.0.0.1/",
        "gopher://10.0.0.1/",
        "/etc/",
        "../",
        "javascript:x",
    ];
    let (scene, published) = cached_scene();
    for base in bases {
        let location = "<location href=\"Packages/app-1.rpm\"";
        let with_base = format!("<location xml:base=\"{base}\" href=\"Packages/app-1.rpm\"");
        let lying = next(&published).replace("primary", location, &with_base);
        lying.write(Some(&scene.key));
        // Whether a base may be used depends on the repository, so it is judged at its use.
        scene.refuses_install(&["app"], &[base]);
        // In repomd.xml, too.
        let mut lying = next(&published);
        lying.primary().base = Some(base.to_owned());
        lying.write(Some(&scene.key));
        scene.refuses(&["makecache"], &["refused location", base]);
    }
    // The documented use: another place of the same scheme.
    let other = scene.publish("other", &[]);
    fs::rename(published.dir.join("Packages"), other.dir.join("pool")).unwrap();
    fs::create_dir(published.dir.join("Packages")).unwrap();
    let location = "<location href=\"Packages/app-1.rpm\"";
    let base = scene.server.url("/other");
    let with_base = format!("<location xml:base=\"{base}\" href=\"pool/app-1.rpm\"");
    next(&published)
        .replace("primary", location, &with_base)
        .write(Some(&scene.key));
    scene.install(&["--refresh", "app"]).ok();
}

#[test]
fn row_35_sibling_prefix() {
    // `main-evil` begins like `main`: a check by text would let it pass.
    let (scene, published) = cached_scene();
    scene.publish("main-evil", &[&package("app", "1", "")]);
    for href in [
        "../main-evil/Packages/app-1.rpm",
        "Packages/../../main-evil/Packages/app-1.rpm",
    ] {
        next(&published)
            .replace("primary", "Packages/app-1.rpm", href)
            .write(Some(&scene.key));
        scene.tdnf(&["--refresh", "list", "app"]).ok();
        scene.server.forget();
        scene.refuses(&["-y", "--refresh", "install", "app"], &["main"]);
        assert!(
            scene
                .server
                .seen()
                .iter()
                .all(|seen| !seen.path.contains("evil"))
        );
    }
    // Nor is a folder of the cache another repository's because its name begins alike.
    scene.configure("main-evil", "");
    scene.tdnf(&["makecache"]).ok();
    let cache = scene.root().join(CACHE);
    let names: Vec<_> = fs::read_dir(cache)
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    let of_evil = |name: &&std::ffi::OsString| name.to_string_lossy().starts_with("main-evil-");
    assert_eq!(names.iter().filter(of_evil).count(), 1, "{names:?}");
}

#[test]
fn row_35_content_disposition() {
    let (scene, _) = cached_scene();
    for name in ["../../../../etc/cron.d/x", "/etc/cron.d/x", "other.rpm"] {
        let value = format!("attachment; filename=\"{name}\"");
        let header = ("Content-Disposition".to_owned(), value);
        let answer = Answer {
            headers: vec![header],
            ..Answer::default()
        };
        for path in [APP, PRIMARY, REPOMD] {
            scene.server.always(path, answer.clone());
        }
        let target = scene.path("target").to_string_lossy().into_owned();
        let _ = fs::remove_dir_all(&target);
        fs::create_dir(&target).unwrap();
        let download = [
            "--refresh",
            "--downloadonly",
            "--downloaddir",
            &target,
            "app",
        ];
        scene.install(&download).ok();
        let names: Vec<_> = fs::read_dir(&target)
            .unwrap()
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert_eq!(names, ["app-1.rpm"]);
    }
    scene.install(&["app"]).ok();
    let cron = scene.root().join("etc/cron.d");
    assert!(!cron.exists() && scene.cached("other.rpm").is_empty());
}

#[test]
fn row_36_repo_path_escape() {
    let (scene, _) = cached_scene();
    let url = scene.server.url("/main");
    for path in ["../other", "/etc", "sub/dir"] {
        scene.write_repo(
            "bad",
            &format!("[bad]\nname=bad\nbaseurl={url}\nenabled=1\npath={path}\n"),
        );
        // Nothing of it is used, and the others go on; alone it is the error.
        let run = scene.tdnf(&["makecache"]).ok();
        run.says(&["bad.repo", "path", ":5", "the repository is not used"]);
        scene.refuses(&["--repo=bad", "makecache"], &["bad.repo", "path", ":5"]);
        assert!(!scene.root().join("var/cache/other").exists());
    }
    for (id, word) in [
        ("..", "directory above"),
        ("a/b", "slash"),
        (".", "directory above"),
    ] {
        scene.write_repo(
            "bad",
            &format!("[{id}]\nname=bad\nbaseurl={url}\nenabled=1\n"),
        );
        let run = scene.tdnf(&["makecache"]).ok();
        run.says(&["bad.repo", word, "the repository is not used"]);
        assert!(!run.text().contains("metadata for: 'bad'"), "{run:?}");
    }
}

// ---- 41-45: what the metadata says of itself ----

#[test]
fn row_41_compressed_vs_open_hash() {
    let (scene, published) = cached_scene();
    // The file is what the signed index says; only what it unpacks to is told wrong. It is read, and that is said.
    let mut lying = next(&published);
    lying.primary().open_checksum = Some(sha256(b"something else"));
    lying.write(Some(&scene.key));
    let run = scene.tdnf(&["--refresh", "list", "app"]).ok();
    let told = "warning: repository main: repomd.xml is wrong about a size of primary, or about the checksum of what it unpacks to";
    assert!(run.err.contains(told), "{}", run.text());
    let mut lying = next(&published);
    lying.primary().open_size = Some("17".into());
    lying.write(Some(&scene.key));
    let run = scene.tdnf(&["--refresh", "list", "app"]).ok();
    assert!(run.err.contains(told), "{}", run.text());
    // The size of the file itself, too: its checksum is right.
    for wrong in ["17", "99999999"] {
        let mut lying = next(&published);
        lying.primary().size = Some(wrong.into());
        lying.write(Some(&scene.key));
        let run = scene.tdnf(&["--refresh", "list", "app"]).ok();
        assert!(run.err.contains(told), "{wrong}: {}", run.text());
        let cached = scene.tdnf(&["-C", "list", "app"]).ok();
        assert!(!cached.err.contains("Error"), "{wrong}: {}", cached.text());
    }
    // The file itself is another one.
    let mut lying = next(&published);
    lying.primary().checksum = Some(sha256(b"something else"));
    lying.write(Some(&scene.key));
    let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
    run.refused(&["main", "primary", "checksum"]);
    assert_eq!(scene.installed(), ["first-1"]);
    assert!(scene.trusted_keys().is_empty());
    // As soon as the repository is right again, all goes on.
    let mut right = next(&published);
    right.revision += 1;
    right.write(Some(&scene.key));
    scene.install(&["--refresh", "app"]).ok();
}

/// The last good set stays until the new one was read to its end.
#[test]
fn row_41_the_last_good_set_survives_an_unreadable_one() {
    let (scene, published) = cached_scene();
    scene.tdnf(&["list", "available"]).ok().says(&["app"]);
    for damage in ["checksum", "no XML", "cut XML"] {
        let mut lying = next(&published);
        let part = lying.primary();
        match damage {
            "checksum" => part.checksum = Some(sha256(b"something else")),
            "no XML" => part.text = b"no XML at all".to_vec(),
            _ => part.text.truncate(part.text.len() - 20),
        }
        lying.write(Some(&scene.key));
        scene.refuses(&["-y", "--refresh", "install", "app"], &["main", "primary"]);
        scene.tdnf(&["-C", "list", "available"]).ok().says(&["app"]);
    }
}

/// What the metadata name is gone or another: they are asked for again, and the run goes on with what is there now.
#[test]
fn a_repository_published_anew_heals_in_the_same_run() {
    let old = package("app", "1", "");
    let (scene, _) = Scene::with(&[&old]);
    scene.tdnf(&["makecache"]).ok();
    fs::remove_file(scene.path("www/main/Packages/app-1.rpm")).unwrap();
    let newer = package("app", "2", "").signed(&scene.key);
    next(&scene.publish("main", &[&newer])).write(Some(&scene.key));
    let run = scene.tdnf(&["-y", "install", "app"]).ok();
    assert!(
        run.err.contains("repository main has been published anew"),
        "{}",
        run.text()
    );
    assert_eq!(scene.installed(), ["app-2", "first-1"]);
    // The file is missing, and the repository is as it was: asked once, then an error.
    fs::remove_file(scene.path("www/main/Packages/app-2.rpm")).unwrap();
    scene.server.forget();
    let run = scene.tdnf(&["-y", "reinstall", "app"]);
    run.refused(&["app-2"]);
    assert!(scene.server.seen_at("/main/repodata/repomd.xml").len() <= 1);
}

#[test]
fn row_42_solv_cache_corrupt() {
    let packages = [
        package("app", "1", ""),
        package("lib", "2", "Provides: thing = 4"),
    ];
    let (scene, _) = Scene::with(&[&packages[0], &packages[1]]);
    // All packages, and one that is read alone.
    let questions = [["list", "all"], ["info", "app"]];
    let ask = |question: [&str; 2]| scene.tdnf(&[&["-C"][..], &question].concat());
    scene.tdnf(&["makecache"]).ok();
    let good = questions.map(|question| ask(question).ok().out);
    assert!(good[0].contains("app") && good[0].contains("lib") && good[1].contains("app"));
    let caches: Vec<_> = ["installed.catalog", "catalog/primary"]
        .iter()
        .flat_map(|end| scene.cached(end))
        .collect();
    assert_eq!(caches.len(), 2, "{:?}", scene.cached(""));
    let mut random = fastrand::Rng::with_seed(0x5eed_4200);
    for file in &caches {
        let bytes = fs::read(file).unwrap();
        let mut damaged: Vec<Vec<u8>> = vec![
            Vec::new(),
            b"SOLV".to_vec(),
            vec![0; bytes.len()],
            vec![0xff; bytes.len()],
            [bytes.as_slice(), b"more"].concat(),
        ];
        damaged.extend((0..6).map(|n| bytes[..bytes.len() * n / 6].to_vec()));
        // The beginning, where versions, sizes and byte order stand, byte by byte; then anywhere.
        let places = (0..bytes.len().min(24)).chain((0..24).map(|_| random.usize(..bytes.len())));
        for at in places.collect::<Vec<_>>() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << random.usize(..8);
            damaged.push(flipped);
        }
        // Another byte order.
        damaged.push(
            bytes
                .chunks(4)
                .flat_map(|word| word.iter().rev().copied())
                .collect(),
        );
        for (index, bad) in damaged.iter().enumerate() {
            for (question, good) in questions.into_iter().zip(&good) {
                fs::write(file, bad).unwrap();
                let run = ask(question);
                let what = format!("{} {index} {question:?}", file.display());
                assert_eq!(run.code, 0, "{what}: {}", run.text());
                assert_eq!(run.out, *good, "{what}");
            }
        }
        assert_eq!(fs::read(file).unwrap(), bytes, "made anew, the same");
    }
}
