//! Rows 31-36, 41-47, 54 and 74-76 of the threat list, and their neighbours, each through the
//! program: names that want out, metadata that wants more memory than there is, servers that lie.

use std::fs;
use std::time::Duration;

use testkit::server::{Answer, Server};

use crate::scene::{CACHE, Random, Scene, digest, new_key, package};
use crate::scene_repo::{Packer, Part, Published};
use crate::scene_rpm::sha256;

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
        "./app-1.rpm",
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
        scene.server.forget();
        let before = scene.state();
        let run = scene.tdnf(args);
        let shown: String = href.chars().take(80).collect();
        assert_ne!(run.code, Some(0), "{shown} was followed: {}", run.text());
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
        assert_ne!(run.code, Some(0), "{shown} was followed: {}", run.text());
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
    scene.tdnf(&["makecache"]).refused(&["main"]);
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
        scene.refuses(&["makecache"], &["bad.repo", "path", ":5"]);
        scene.refuses_install(&["app"], &["bad.repo", "path"]);
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
        scene.refuses(&["makecache"], &["bad.repo", word]);
    }
}

// ---- 41-45: what the metadata says of itself ----

#[test]
fn row_41_compressed_vs_open_hash() {
    let (scene, published) = cached_scene();
    let mut lying = next(&published);
    lying.primary().open_checksum = Some(sha256(b"something else"));
    lying.write(Some(&scene.key));
    let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
    run.refused(&["main", "primary", "checksum"]);
    let mut lying = next(&published);
    lying.primary().open_size = Some("17".into());
    lying.write(Some(&scene.key));
    let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
    run.refused(&["main", "primary"]);
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
    for damage in ["open checksum", "open size", "no XML", "cut XML"] {
        let mut lying = next(&published);
        let part = lying.primary();
        match damage {
            "open checksum" => part.open_checksum = Some(sha256(b"something else")),
            "open size" => part.open_size = Some("17".into()),
            "no XML" => part.text = b"no XML at all".to_vec(),
            _ => part.text.truncate(part.text.len() - 20),
        }
        lying.write(Some(&scene.key));
        scene.refuses(&["-y", "--refresh", "install", "app"], &["main", "primary"]);
        scene.tdnf(&["-C", "list", "available"]).ok().says(&["app"]);
    }
}

#[test]
fn row_42_solv_cache_corrupt() {
    let packages = [
        package("app", "1", ""),
        package("lib", "2", "Provides: thing = 4"),
    ];
    let (scene, _) = Scene::with(&[&packages[0], &packages[1]]);
    let ask = |scene: &Scene| scene.tdnf(&["-C", "list", "all"]);
    scene.tdnf(&["makecache"]).ok();
    let good = ask(&scene).ok().out;
    assert!(good.contains("app") && good.contains("lib"), "{good}");
    let caches: Vec<_> = ["installed.catalog", "catalog/primary"]
        .iter()
        .flat_map(|end| scene.cached(end))
        .collect();
    assert_eq!(caches.len(), 2, "{:?}", scene.cached(""));
    let mut random = Random(0x5eed_4200);
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
        let places = (0..bytes.len().min(24)).chain((0..24).map(|_| random.below(bytes.len())));
        for at in places.collect::<Vec<_>>() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << random.below(8);
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
            fs::write(file, bad).unwrap();
            let run = ask(&scene);
            assert_eq!(
                run.code,
                Some(0),
                "{} {index}: {}",
                file.display(),
                run.text()
            );
            assert_eq!(run.out, good, "{} {index}", file.display());
        }
        assert_eq!(fs::read(file).unwrap(), bytes, "made anew, the same");
    }
}

const LAUGHS: &str = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">\
    <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">\
    <!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;\">\
    <!ENTITY g \"&f;&f;&f;&f;&f;&f;&f;&f;\"><!ENTITY h \"&g;&g;&g;&g;&g;&g;&g;&g;\">]>";

#[test]
fn row_43_billion_laughs_xxe_dtd() {
    let (scene, published) = cached_scene();
    let stolen = scene.write("secret", "the secret text");
    let external = format!(
        "<!DOCTYPE x [<!ENTITY h SYSTEM \"file://{}\">]>",
        stolen.display()
    );
    let remote = format!("<!DOCTYPE x SYSTEM \"{}\">", scene.server.url("/evil.dtd"));
    let parameter = format!(
        "<!DOCTYPE x [<!ENTITY % p SYSTEM \"{}\"> %p;]>",
        scene.server.url("/evil.dtd")
    );
    scene.write("www/evil.dtd", "<!ENTITY h \"fetched\">");
    for prolog in [LAUGHS, &external, &remote, &parameter] {
        let mut lying = next(&published);
        let text = String::from_utf8(lying.primary().text.clone()).unwrap();
        let (head, body) = text.split_once("?>").unwrap();
        let body = body.replace("Scene package app", "Scene &h; package");
        lying.primary().text = format!("{head}?>{prolog}{body}").into_bytes();
        lying.write(Some(&scene.key));
        let run = scene.tdnf(&["--refresh", "info", "app"]);
        run.refused(&["main"]);
        assert!(!run.text().contains("the secret text"), "{}", run.text());
        let mut lying = next(&published);
        lying.prolog = prolog.to_owned();
        lying.write(Some(&scene.key));
        let text = lying.repomd().replace("<revision>", "<revision>&h;");
        lying.write_index(&text, Some(&scene.key));
        let run = scene.tdnf(&["makecache"]);
        run.refused(&["main", "repomd.xml"]);
        assert!(!run.text().contains("the secret text"), "{}", run.text());
        assert!(run.time < Duration::from_secs(60));
    }
    assert!(
        scene.server.seen_at("/evil.dtd").is_empty(),
        "the DTD was fetched"
    );
}

#[test]
fn row_44_number_overflow() {
    let (scene, published) = cached_scene();
    let numbers = [
        "-1",
        "9223372036854775808",
        "18446744073709551616",
        "1e99",
        "0x10",
        "1.5",
        "٣",
    ];
    let text = String::from_utf8(published.parts[0].text.clone()).unwrap();
    let size = between(&text, "<size package=\"", "\"");
    let start = between(&text, "<rpm:header-range start=\"", "\"");
    for number in numbers {
        for (from, to) in [
            (
                format!("package=\"{size}\""),
                format!("package=\"{number}\""),
            ),
            (
                format!("range start=\"{start}\""),
                format!("range start=\"{number}\""),
            ),
            ("epoch=\"0\"".to_owned(), format!("epoch=\"{number}\"")),
        ] {
            let lying = next(&published).replace("primary", &from, &to);
            lying.write(Some(&scene.key));
            let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
            assert_ne!(run.code, Some(0), "{to}: {}", run.text());
            run.refused(&["main"]);
        }
        for field in ["size", "open_size"] {
            let mut lying = next(&published);
            let part = lying.primary();
            *(if field == "size" {
                &mut part.size
            } else {
                &mut part.open_size
            }) = Some(number.to_owned());
            lying.write(Some(&scene.key));
            let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
            assert_ne!(run.code, Some(0), "{field} {number}: {}", run.text());
            run.refused(&["main"]);
        }
    }
    assert_eq!(scene.installed(), ["first-1"]);
    // Sizes that fit a number and no disk.
    let from = format!("package=\"{size}\"");
    for number in ["9223372036854775807", "18446744073709551615"] {
        let to = format!("package=\"{number}\"");
        next(&published)
            .replace("primary", &from, &to)
            .write(Some(&scene.key));
        let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
        run.refused(&[""]);
    }
    // In HTTP.
    next(&published).write(Some(&scene.key));
    for length in ["-1", "18446744073709551616", "1e3", "0x20", "12, 13"] {
        let raw = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nbody");
        scene.server.always(REPOMD, Answer::raw(raw.clone()));
        scene.refuses(&["makecache"], &["main", "repomd.xml"]);
        scene.server.behave();
        scene.tdnf(&["makecache"]).ok();
        scene.server.always(APP, Answer::raw(raw));
        scene.refuses_install(&["app"], &["app-1"]);
        scene.server.behave();
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to}")).0
}

#[test]
fn row_45_deep_xml_huge_attr() {
    let (scene, published) = cached_scene();
    let text = String::from_utf8(published.parts[0].text.clone()).unwrap();
    let (head, tail) = text.split_once("<description>").unwrap();
    let tail = format!("<description>{tail}");
    let deep = format!(
        "{head}{}{}{tail}",
        "<a>".repeat(1_000_000),
        "</a>".repeat(1_000_000)
    );
    let unclosed = format!("{head}{}", "<a>".repeat(1_000_000));
    let attribute = format!("{head}<a b=\"{}\"/>{tail}", "x".repeat(64 << 20));
    let long_text = text.replace("Scene package app", &"x".repeat(80 << 20));
    let long_name = text.replace("<name>app<", &format!("<name>{}<", "x".repeat(32 << 20)));
    let entry = "<rpm:entry name=\"a\"/>";
    let end = "</rpm:provides>";
    let provides = text.replace(end, &format!("{}{end}", entry.repeat(3_000_000)));
    for (what, text) in [
        ("nesting", deep),
        ("nesting without end", unclosed),
        ("attribute", attribute),
        ("text", long_text),
        ("name", long_name),
        ("provides", provides),
    ] {
        let mut lying = next(&published);
        lying.primary().text = text.into_bytes();
        lying.write(Some(&scene.key));
        let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
        assert_ne!(run.code, Some(0), "{what}: {}", run.text());
        run.refused(&["main", "primary"]);
    }
    assert_eq!(scene.installed(), ["first-1"]);
}

// ---- 46-47: more than was said ----

/// A compressed part that becomes 300 MB, whatever repomd.xml says of it.
fn bomb(packer: Packer, text: &[u8]) -> Part {
    const OPEN: usize = 300 << 20;
    let mut open = text.to_vec();
    open.resize(OPEN, b' ');
    Part {
        kind: "primary".into(),
        packed: Some(packer.pack(&open)),
        packer,
        text: text.to_vec(),
        ..Part::default()
    }
}

#[test]
fn row_46_bombs() {
    for packer in [Packer::Gzip, Packer::Xz, Packer::Zstd, Packer::Bzip2] {
        let (scene, published) = cached_scene();
        let mut lying = next(&published);
        // The text is the good one with endless white space behind it: only sizes can tell.
        lying.parts[0] = bomb(packer, &published.parts[0].text);
        lying.write(Some(&scene.key));
        let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
        run.refused(&["main", "primary"]);
        assert!(
            run.time < Duration::from_secs(60),
            "{packer:?}: {:?}",
            run.time
        );
        // Where nothing is said of the open size, memory stays bounded all the same.
        lying.parts[0].open_untold = true;
        lying.revision += 1;
        lying.write(Some(&scene.key));
        let run = scene.tdnf(&["--refresh", "info", "app"]);
        assert!(
            run.peak <= crate::scene::MAX_PEAK_KIB,
            "{packer:?}: {} KiB",
            run.peak
        );
        assert!(run.code.is_some(), "{packer:?}: {}", run.text());
    }
}

#[test]
fn row_46_zstd_window_of_two_gigabytes() {
    let (scene, published) = cached_scene();
    // Frame header (RFC 8878, 3.1.1): no content size, window descriptor for 2 GiB; then one RLE
    // block that says it is 128 KiB of one byte, without end.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3];
    for _ in 0..1000 {
        let block: u32 = (128 << 10) << 3 | 1 << 1;
        frame.extend(&block.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    let mut lying = next(&published);
    lying.parts[0].packer = Packer::Zstd;
    lying.parts[0].packed = Some(frame);
    lying.write(Some(&scene.key));
    let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
    run.refused(&["main", "primary"]);
}

#[test]
fn row_46_a_part_is_not_what_its_name_says() {
    let (scene, published) = cached_scene();
    for (name, bytes) in [
        ("noise", crate::scene::noise(5000)),
        ("a cut stream", {
            let packed = Packer::Gzip.pack(&published.parts[0].text);
            packed[..packed.len() / 2].to_vec()
        }),
        ("plain text", Packer::None.pack(&published.parts[0].text)),
        ("nothing", Vec::new()),
    ] {
        let mut lying = next(&published);
        lying.parts[0].packed = Some(bytes);
        lying.write(Some(&scene.key));
        let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
        assert_ne!(run.code, Some(0), "{name}: {}", run.text());
        run.refused(&["main", "primary"]);
    }
}

#[test]
fn row_47_endless_body() {
    let (scene, published) = cached_scene();
    // Another primary, so that it must be fetched.
    next(&published)
        .replace("primary", "Scene package", "Stage package")
        .write(Some(&scene.key));
    let endless = || Answer {
        endless: true,
        ..Answer::default()
    };
    for path in [REPOMD, "/main/repodata/repomd.xml.asc", PRIMARY] {
        scene.server.always(path, endless());
        let run = scene.refuses(&["makecache"], &["main", "larger"]);
        assert!(run.time < Duration::from_secs(60), "{path}: {:?}", run.time);
        scene.server.behave();
    }
    scene.tdnf(&["makecache"]).ok();
    scene.server.always(APP, endless());
    scene.refuses_install(&["app"], &["app-1", "larger"]);
    let parts = scene.cached(".part");
    for part in parts {
        assert!(
            fs::metadata(&part).unwrap().len() <= 100_000,
            "{}",
            part.display()
        );
    }
}

// ---- 54 and other servers ----

#[test]
fn row_54_captive_portal() {
    const WORDS: &str = "got HTML, not a repository: login page?";
    let (scene, published) = cached_scene();
    next(&published)
        .replace("primary", "Scene package", "Stage package")
        .write(Some(&scene.key));
    for path in [REPOMD, PRIMARY] {
        scene.server.always(path, Answer::login_page());
        scene.refuses(&["makecache"], &["main", WORDS]);
        scene.server.behave();
    }
    scene.server.always(REPOMD, Answer::redirect(302, "/login"));
    scene.server.always("/login", Answer::login_page());
    scene.refuses(&["makecache"], &["main", WORDS]);
    scene.server.behave();
    scene.tdnf(&["makecache"]).ok();
    scene.server.always(APP, Answer::login_page());
    scene.refuses_install(&["app"], &["app-1", WORDS]);
    scene.server.behave();
    scene.install(&["app"]).ok();
}

#[test]
fn an_unreachable_mirror_is_named() {
    let (scene, _) = cached_scene();
    let nobody = {
        let gone = Server::start(&scene.www());
        gone.url("/main")
    };
    scene.configure("main", &format!("baseurl={nobody}"));
    scene.refuses(&["makecache"], &["main", &nobody, "connect"]);
    scene.configure("main", "baseurl=http://nobody.invalid/main");
    scene.refuses(&["makecache"], &["main", "nobody.invalid"]);
    // It does not stop a repository that may be left out.
    scene.configure("main", &format!("baseurl={nobody}\nskip_if_unavailable=1"));
    let good = package("good", "1", "").signed(&scene.key);
    scene.publish("second", &[&good]);
    scene.configure("second", "");
    scene.install(&["--refresh", "good"]).ok();
}

#[test]
fn checksum_mismatch_of_every_part() {
    let (scene, published) = cached_scene();
    // A new index whose primary is whole may stay; a bad part of it may not.
    let args = ["-y", "--refresh", "install", "/usr/share/nothing/app"];
    let refuse = |scene: &Scene, kind: &str, words: &[&str]| {
        if kind == "primary" {
            scene.refuses(&args, words);
        } else {
            scene.tdnf(&args).refused(words);
            assert!(scene.cached("filelists.xml.gz").is_empty());
        }
    };
    for kind in ["primary", "filelists"] {
        let mut lying = next(&published);
        lying.part(kind).checksum = Some(sha256(b"something else"));
        lying.write(Some(&scene.key));
        refuse(&scene, kind, &["main", kind, "checksum"]);
        let mut lying = next(&published);
        lying.part(kind).size = Some("12345".into());
        lying.write(Some(&scene.key));
        refuse(&scene, kind, &["main", kind, "12345"]);
    }
}

#[test]
fn a_server_that_breaks_off_is_refused_and_resumed() {
    let (scene, _) = cached_scene();
    scene.server.always(
        APP,
        Answer {
            reset: true,
            ..Answer::cut_at(0)
        },
    );
    scene.refuses_install(&["app"], &["app-1", "broken off"]);
    // What comes in pieces is put together, as long as each brings something.
    scene.server.always(
        APP,
        Answer {
            reset: true,
            ..Answer::cut_at(9000)
        },
    );
    scene.install(&["app"]).ok();
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
}

// ---- 74-76 ----

#[test]
fn row_74_truncated_rpm_at_every_4_kib() {
    let (scene, published) = cached_scene();
    let file = published.dir.join("Packages/app-1.rpm");
    let good = digest(&file);
    let size = fs::metadata(&file).unwrap().len();
    assert!(size > 24 << 10, "{size}");
    for cut in (0..size).step_by(4096) {
        for answer in [
            Answer::cut_at(cut),
            Answer {
                reset: true,
                ..Answer::cut_at(cut)
            },
        ] {
            scene.server.next(APP, [answer]);
            scene.server.forget();
            scene.install(&["--downloadonly", "app"]).ok();
            let cached = scene.cached("app-1.rpm");
            assert_eq!(cached.len(), 1, "cut at {cut}");
            assert_eq!(digest(&cached[0]), good, "cut at {cut}");
            let asked = scene.server.seen_at(APP);
            assert!(asked.len() >= 2, "cut at {cut}: {asked:?}");
            assert!(scene.cached(".part").is_empty(), "cut at {cut}");
            fs::remove_file(&cached[0]).unwrap();
        }
    }
    // Cut in one run, gone on in the next: what is there is not fetched again.
    scene.configure("main", "retries=0");
    scene.server.next(APP, [Answer::cut_at(20_480)]);
    scene.refuses_install(&["--downloadonly", "app"], &["app-1"]);
    scene.server.forget();
    scene.install(&["app"]).ok();
    let asked = scene.server.seen_at(APP);
    let range = asked
        .last()
        .and_then(|seen| seen.header("range"))
        .unwrap_or_default()
        .to_owned();
    assert_eq!(range, "bytes=20480-", "{asked:?}");
}

/// Three mirrors: an old state, a corrupt one, a good one.
fn mirrors(scene: &Scene) -> (Server, Server, Server, String) {
    let old = package("app", "1", "").signed(&scene.key);
    let new = package("app", "2", "").signed(&scene.key);
    let stale_dir = scene.path("stale");
    Published::create(&stale_dir.join("main"), &[&old]).write(Some(&scene.key));
    let corrupt_dir = scene.path("corrupt");
    let mut corrupt = Published::create(&corrupt_dir.join("main"), &[&new]);
    corrupt.revision += 1;
    corrupt.write(Some(&scene.key));
    let good_dir = scene.path("good");
    let mut good = Published::create(&good_dir.join("main"), &[&new]);
    good.revision += 1;
    good.write(Some(&scene.key));
    for name in ["repodata/primary.xml.gz", "Packages/app-2.rpm"] {
        let path = corrupt_dir.join("main").join(name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(&path, bytes).unwrap();
    }
    let servers = [&stale_dir, &corrupt_dir, &good_dir].map(|dir| Server::start(dir));
    let urls = servers
        .each_ref()
        .map(|server| server.url("/main"))
        .join(" ");
    let [stale, corrupt, good] = servers;
    (stale, corrupt, good, urls)
}

#[test]
fn row_75_mirror_half_bad() {
    let scene = Scene::new();
    let (stale, corrupt, good, _) = mirrors(&scene);
    // The client has seen the new state, so the stale mirror is known to be stale.
    scene.write("www/list", format!("{}\n", good.url("/main")));
    let url = scene.server.url("/list");
    scene.configure("main", &format!("baseurl=\nmirrorlist={url}"));
    scene.tdnf(&["makecache"]).ok();
    let list = [&stale, &corrupt, &good]
        .map(|server| server.url("/main"))
        .join("\n");
    scene.write("www/list", format!("{list}\n"));
    let run = scene.install(&["--refresh", "app"]).ok();
    assert_eq!(scene.installed(), ["app-2", "first-1"]);
    assert!(
        !good.seen_at("/main/Packages/app-2.rpm").is_empty(),
        "{}",
        run.text()
    );
    for (server, word) in [(&stale, "older"), (&corrupt, "checksum")] {
        let port = format!(":{}", server.port());
        run.says(&[&port, word]);
    }
}

#[test]
fn row_76_all_mirrors_bad() {
    let (scene, published) = cached_scene();
    let gone = {
        let server = Server::start(&scene.www());
        server.url("/main")
    };
    let dirs = ["html", "missing"].map(|name| scene.path(name));
    dirs.iter().for_each(|dir| fs::create_dir_all(dir).unwrap());
    let [html, missing] = dirs.each_ref().map(|dir| Server::start(dir));
    html.always(REPOMD, Answer::login_page());
    let mut lying = next(&published);
    lying.write(Some(&new_key("Other <o@tests.invalid>")));
    lying.revision += 1;
    let urls = [
        gone.clone(),
        html.url("/main"),
        missing.url("/main"),
        scene.server.url("/main"),
    ];
    scene.configure("main", &format!("baseurl={}", urls.join(" ")));
    let run = scene.refuses(&["makecache"], &["main"]);
    let causes = ["connect", "HTML", "404", "signed by key"];
    for (url, cause) in urls.iter().zip(causes) {
        run.says(&[url, cause]);
    }
    // The same for a package.
    scene.configure("main", "");
    next(&published).write(Some(&scene.key));
    scene.tdnf(&["makecache"]).ok();
    let good = scene.server.url("/main");
    let urls = [html.url("/main"), missing.url("/main"), good];
    scene.configure("main", &format!("baseurl={}", urls.join(" ")));
    html.always(APP, Answer::login_page());
    scene.server.always(APP, Answer::body(vec![b'x'; 33_000]));
    let run = scene.install(&["app"]);
    run.refused(&["app-1"]);
    for (server, cause) in [
        (&html, "HTML"),
        (&missing, "404"),
        (&scene.server, "differs"),
    ] {
        let port = format!(":{}", server.port());
        run.says(&[&port, cause]);
    }
}
