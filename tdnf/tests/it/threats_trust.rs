//! Rows 4-8, 11-19 and 21-26 of the threat list, and their neighbours, each through the program:
//! what must not be trusted is refused, and nothing has changed then.

use std::fs;
use std::path::Path;
use std::process::Command;

use rpm_trust::sign::SignatureHash;
use testkit::server::Answer;

use crate::scene::{Random, Scene, digest, key_of, new_key, noise, now, package};
use crate::scene_rpm::{Item, RpmFile, items, kind, replace, sha256, tag, word, write};

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
    assert!(verified.status.success(), "{verified:?}");
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
    let home = scene.path("gpg");
    fs::create_dir(&home).unwrap();
    let home_text = home.to_string_lossy().into_owned();
    let run = |program: &str, args: &[&str]| {
        let done = Command::new(program)
            .args(args)
            .env("GNUPGHOME", &home)
            .env("HOME", &home)
            .output()
            .unwrap();
        assert!(done.status.success(), "{program} {args:?}: {done:?}");
        done.stdout
    };
    let user = "Real <real@tests.invalid>";
    let protection = ["--batch", "--pinentry-mode", "loopback", "--passphrase", ""];
    let with = |more: &[&'static str]| [&protection[..], more].concat();
    run(
        "gpg",
        &[
            &with(&["--quick-gen-key"])[..],
            &[user, "rsa2048", "sign", "never"],
        ]
        .concat(),
    );
    let key = run("gpg", &["--armor", "--export", user]);
    scene.write("keys/real.asc", key);
    let published = scene.publish("main", &[&package("app", "1", "")]);
    let file = published.dir.join("Packages/app-1.rpm");
    let name = format!("_gpg_name {user}");
    let path = format!("_gpg_path {home_text}");
    run(
        "rpmsign",
        &[
            "--define",
            "__gpg /usr/bin/gpg",
            "--define",
            &name,
            "--define",
            &path,
            "--addsign",
            &file.to_string_lossy(),
        ],
    );
    let signed = RpmFile::read(&file);
    fs::remove_dir_all(&published.dir).unwrap();
    let published = scene.publish("main", &[&signed]);
    let index = published.dir.join("repodata/repomd.xml");
    fs::remove_file(published.dir.join("repodata/repomd.xml.asc")).unwrap();
    let sign = with(&["--armor", "--detach-sign"]);
    run("gpg", &[&sign[..], &[&*index.to_string_lossy()]].concat());
    scene.configure("main", &format!("gpgkey={}", scene.key_url("real")));
    scene.install(&["app"]).ok();
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
    let _ = Command::new("gpgconf")
        .args(["--homedir", &home_text, "--kill", "all"])
        .status();
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
    let copied = Command::new("cp")
        .arg("-a")
        .args([&next.dir, &scene.www().join("good")])
        .status();
    assert!(copied.unwrap().success());
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
        .sign_detached(&b"another text"[..], now())
        .unwrap();
    let stranger = new_key("Stranger <s@tests.invalid>");
    let lies = stranger.sign_detached(&b"another text"[..], now()).unwrap();
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
        assert_ne!(run.code, Some(0), "{what} was accepted");
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
    let expired = key_of("Expired <e@tests.invalid>", now() - 10 * DAY, Some(DAY));
    let revoked = new_key("Revoked <r@tests.invalid>")
        .revoke(now() - 1800)
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

#[test]
fn row_11_unsigned_rpm_gpgcheck1() {
    let scene = Scene::new();
    scene.publish("main", &[&package("app", "1", "")]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app-1", "not signed"]);
    let run = scene.refuses_install(&["app"], &["Error(1510)"]);
    assert!(!run.text().contains("importing key"), "{}", run.text());
}

#[test]
fn row_12_signed_dep_unsigned() {
    let scene = Scene::new();
    let app = package("app", "1", "Requires: lib").signed(&scene.key);
    scene.publish("main", &[&app, &package("lib", "1", "")]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["lib-1", "not signed"]);
    assert_eq!(scene.installed(), ["first-1"]);
    assert!(scene.trusted_keys().is_empty());
}

#[test]
fn row_13_wrong_repo_key() {
    let scene = Scene::new();
    let key_a = new_key("A <a@tests.invalid>");
    let key_b = new_key("B <b@tests.invalid>");
    let good = package("good", "1", "").signed(&key_a);
    let evil = package("evil", "1", "").signed(&key_a);
    let own = package("own", "1", "").signed(&key_b);
    for (name, key, packages) in [("a", &key_a, vec![&good]), ("b", &key_b, vec![&evil, &own])] {
        scene.publish(name, &packages).write(Some(key));
        let url = scene.write_key(name, key);
        scene.configure(name, &format!("gpgkey={url}"));
    }
    // Only the keys of the package's own repository are offered.
    scene.refuses_install(&["evil"], &["evil-1", &key_a.key_id()]);
    scene.install(&["good", "own"]).ok();
    assert_eq!(scene.installed(), ["first-1", "good-1", "own-1"]);
}

/// A package whose payload no digest of the signed header covers.
fn loose(key: &rpm_trust::sign::SigningKey, file_algorithm: Option<u32>) -> RpmFile {
    let file = package("app", "1", "").edit(|items| {
        let digests = [
            tag::PAYLOAD_DIGEST,
            tag::PAYLOAD_DIGEST_ALGO,
            tag::PAYLOAD_DIGEST_ALT,
        ];
        items.retain(|item| !digests.contains(&item.tag));
        if let Some(algorithm) = file_algorithm {
            replace(items, Item::number(tag::FILE_DIGEST_ALGO, algorithm));
            let md5 = "0".repeat(32);
            replace(items, Item::texts(tag::FILE_DIGESTS, &[&md5]));
        }
    });
    file.signed(key)
}

/// The same package with other content in its payload and digests outside the header renewed.
fn with_other_content(file: &RpmFile) -> RpmFile {
    let built = testkit::rpm::build_spec(
        "Name: app\nVersion: 1\nRelease: 1\nSummary: Scene package app\nLicense: Apache-2.0\n\
         BuildArch: noarch\n%description\nA package for tests.\n\
         %install\nmkdir -p %{buildroot}/usr/share/scene\n\
         cp %{_sourcedir}/noise %{buildroot}/usr/share/scene/app\n\
         echo app 1 >> %{buildroot}/usr/share/scene/app\n\
         %files\n/usr/share/scene/app\n",
        &[("noise", &noise(30_001)[1..])],
    );
    let other = RpmFile::read(built.first().unwrap());
    let mut changed = file.clone();
    changed.payload = other.payload;
    assert_ne!(changed.payload, file.payload);
    changed.sealed()
}

#[test]
fn row_14_header_sig_only() {
    let scene = Scene::new();
    // Neither payload digest nor usable file digests: nothing ties the payload to the signature.
    let loose_md5 = loose(&scene.key, Some(1));
    scene.publish("main", &[&with_other_content(&loose_md5)]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app-1", "payload"]);
    // The package is refused even if nobody has changed it: it cannot be told.
    scene.publish("main", &[&loose_md5]);
    scene.refuses_install(&["--refresh", "app"], &["app-1", "payload"]);
    // Strong file digests in the signed header: the unpacker compares each file.
    let scene = Scene::new();
    let loose_sha = loose(&scene.key, None);
    scene.publish("main", &[&with_other_content(&loose_sha)]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app", "digest"]);
    let before = scene.publish("main", &[&loose_sha]);
    assert_eq!(before.parts.len(), 3);
    scene.install(&["--refresh", "app"]).ok();
    assert!(scene.rpm().run(&["-V", "app"]).status.success());
}

/// Every way that a package can come in refuses the same bad package.
fn refused_by_every_way(bad: impl Fn(&Scene) -> RpmFile, words: &[&str]) {
    let scene = Scene::new();
    let file = bad(&scene);
    scene.publish("main", &[&file]);
    scene.configure("main", "");
    scene.write("app.rpm", file.bytes());
    let key = scene.path("keys/scene.asc").to_string_lossy().into_owned();
    scene.rpm().program_ok("rpmkeys", &["--import", &key]);
    let url = scene.server.url("/main/Packages/app-1.rpm");
    let target = scene.path("target").to_string_lossy().into_owned();
    let absolute = scene.path("app.rpm").to_string_lossy().into_owned();
    let ways: [&[&str]; 6] = [
        &["app"],
        &["./app.rpm"],
        &[&absolute],
        &[&url],
        &["--downloadonly", "app"],
        &["--downloadonly", "--downloaddir", &target, "app"],
    ];
    for way in ways {
        scene.refuses_install(way, words);
        assert_eq!(scene.installed(), ["first-1"], "{way:?}");
    }
}

#[test]
fn row_15_every_way_refuses_an_unsigned_package() {
    refused_by_every_way(|_| package("app", "1", ""), &["not signed"]);
}

#[test]
fn row_15_every_way_refuses_an_unknown_key() {
    let other = new_key("Other <other@tests.invalid>");
    let id = other.key_id();
    refused_by_every_way(|_| package("app", "1", "").signed(&other), &[&id]);
}

#[test]
fn row_15_every_way_refuses_a_changed_payload() {
    let flip = |scene: &Scene| {
        let mut file = package("app", "1", "").signed(&scene.key);
        let middle = file.payload.len() / 2;
        file.payload[middle] ^= 1;
        file
    };
    refused_by_every_way(flip, &["digest"]);
    refused_by_every_way(|scene| flip(scene).sealed(), &["payload", "digest"]);
}

#[test]
fn row_15_every_way_refuses_a_changed_header() {
    let flip = |scene: &Scene| {
        let mut file = package("app", "1", "").signed(&scene.key);
        let summary = b"Scene package";
        let at = file
            .header
            .windows(summary.len())
            .position(|w| w == summary)
            .unwrap();
        file.header[at] = b'Z';
        file
    };
    refused_by_every_way(flip, &["bad signature"]);
    // With the digests renewed it is the signature alone that tells.
    refused_by_every_way(|scene| flip(scene).sealed(), &["bad signature"]);
}

#[test]
fn row_16_sig_header_injection() {
    let injected = [
        Item::text(tag::NAME, "evil"),
        Item::texts(tag::FILE_DIGESTS, &["0"]),
        Item::bytes(1029, b"\x02"),            // FILESTATES
        Item::number(1128, 4_000_000),         // INSTALLTID
        Item::text(1118, "/etc/"),             // DIRNAMES
        Item::text(1023, "echo injected"),     // PREIN
        Item::text(1000 + 47, "evil-provide"), // PROVIDENAME
        Item::number(5_000_000, 1),
    ];
    let plain = rows_of_install(None).expect("the plain package is installed");
    for item in injected {
        let shown = format!("{item:?}");
        if let Some(rows) = rows_of_install(Some(item)) {
            assert_eq!(rows, plain, "{shown} reached the database");
        }
    }
}

/// What the real rpm says of `app` after its installation with one more entry in the signature
/// header; none if it is refused (and nothing has changed).
fn rows_of_install(item: Option<Item>) -> Option<String> {
    let scene = Scene::new();
    let mut app = package("app", "1", "").signed(&scene.key);
    if let Some(item) = item {
        app.signature.push(item);
        app.signature.sort_by_key(|item| item.tag);
    }
    scene.publish("main", &[&app]);
    scene.configure("main", "");
    scene.tdnf(&["makecache"]).ok();
    let before = scene.state();
    let run = scene.install(&["app"]);
    if run.code != Some(0) {
        run.refused(&["app-1"]);
        scene.unchanged(&before, &run);
        return None;
    }
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
    assert!(scene.rpm().run(&["-V", "app"]).status.success());
    let format =
        "%{nevra} [%{provides} ][%{filenames} %{filestates} %{filedigests} ]%{prein} %{5000000}";
    Some(
        scene
            .rpm()
            .ok(&["-q", "--qf", &format.replace(" %{5000000}", ""), "app"]),
    )
}

// ---- 17-18: headers that are no headers ----

/// A main header with one number changed, and everything that covers it renewed and signed, so
/// that only the reading of the header itself can refuse.
fn with_header(scene: &Scene, change: impl FnOnce(&mut Vec<u8>)) -> RpmFile {
    let mut file = package("app", "1", "");
    change(&mut file.header);
    file.unsigned().sealed().signed(&scene.key)
}

fn put(header: &mut [u8], at: usize, value: u32) {
    header[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

#[test]
fn row_17_header_bad_regions() {
    type Change = Box<dyn Fn(&mut Vec<u8>)>;
    // The region is entry 0 at byte 16: tag, type, offset, count.
    let field = |index: usize, value: u32| -> Change {
        Box::new(move |header: &mut Vec<u8>| put(header, 16 + 4 * index, value))
    };
    let entry = |entry: usize, index: usize, value: u32| -> Change {
        Box::new(move |header: &mut Vec<u8>| put(header, 16 + 16 * entry + 4 * index, value))
    };
    let trailer = |index: usize, value: u32| -> Change {
        Box::new(move |header: &mut Vec<u8>| {
            let at = header.len() - 16 + 4 * index;
            put(header, at, value);
        })
    };
    let cases: Vec<(&str, Change)> = vec![
        ("region tag", field(0, 61)),
        ("region tag of the signature", field(0, 62)),
        ("region type", field(1, 4)),
        ("region offset 0", field(2, 0)),
        ("region offset beyond", field(2, 0x7fff_ffff)),
        ("region offset negative", field(2, 0xffff_fff0)),
        ("region count", field(3, 15)),
        ("region count huge", field(3, 0x0fff_ffff)),
        ("trailer tag", trailer(0, 61)),
        ("trailer type", trailer(1, 4)),
        ("trailer offset positive", trailer(2, 16)),
        ("trailer offset short", trailer(2, 32_u32.wrapping_neg())),
        ("trailer offset long", trailer(2, 0x8000_0000)),
        ("trailer offset odd", trailer(2, 17_u32.wrapping_neg())),
        ("trailer count", trailer(3, 0)),
        ("entry type 0", entry(1, 1, 0)),
        ("entry type 10", entry(1, 1, 10)),
        ("entry offset beyond", entry(1, 2, 0x7fff_ffff)),
        ("entry offset negative", entry(1, 2, 0xffff_ffff)),
        ("entry count 0", entry(1, 3, 0)),
        ("entry count huge", entry(1, 3, 0xffff_ffff)),
        ("entry tag of a region", entry(2, 0, 63)),
        (
            "entries overlap",
            Box::new(|header| {
                let second = word(header, 16 + 16 * 2 + 8) as u32;
                put(header, 16 + 16 * 3 + 8, second.wrapping_sub(1));
            }),
        ),
        (
            "entry offset not aligned",
            Box::new(|header| {
                let count = word(header, 8);
                let numbers = (1..count)
                    .find(|i| word(header, 16 + 16 * i + 4) == 4)
                    .unwrap();
                let at = 16 + 16 * numbers + 8;
                let offset = word(header, at) as u32;
                put(header, at, offset + 1);
            }),
        ),
        ("no entries", Box::new(|header| put(header, 8, 0))),
        (
            "entry count of the header",
            Box::new(|header| {
                let count = word(header, 8) as u32;
                put(header, 8, count + 1);
            }),
        ),
        (
            "2^31 entries",
            Box::new(|header| put(header, 8, 0x8000_0000)),
        ),
        (
            "2^31 bytes",
            Box::new(|header| put(header, 12, 0x8000_0000)),
        ),
        (
            "data cut by one",
            Box::new(|header| {
                let size = word(header, 12) as u32;
                put(header, 12, size - 1);
            }),
        ),
        ("magic", Box::new(|header| header[3] = 2)),
        (
            "a string without end",
            Box::new(|header| {
                let data = 16 + 16 * word(header, 8);
                let end = header.len() - 16;
                header[data..end]
                    .iter_mut()
                    .filter(|b| **b == 0)
                    .for_each(|b| *b = b'x');
            }),
        ),
        (
            "a dribble",
            Box::new(|header| {
                // One more entry behind the region, as only a database may have.
                let (count, size) = (word(header, 8), word(header, 12));
                let index_end = 16 + 16 * count;
                let entry: Vec<u8> = [9999_u32, 4, size as u32, 1]
                    .iter()
                    .flat_map(|n| n.to_be_bytes())
                    .collect();
                header.splice(index_end..index_end, entry);
                header.extend(7_u32.to_be_bytes());
                put(header, 8, count as u32 + 1);
                put(header, 12, size as u32 + 4);
            }),
        ),
    ];
    let scene = Scene::new();
    for (what, change) in cases {
        let file = with_header(&scene, change);
        scene.write("app.rpm", file.bytes());
        for check in [&["./app.rpm"][..], &["--nogpgcheck", "./app.rpm"]] {
            let before = scene.state();
            let run = scene.install(check);
            assert_ne!(run.code, Some(0), "{what} was accepted: {}", run.text());
            run.refused(&["app.rpm"]);
            scene.unchanged(&before, &run);
        }
    }
}

#[test]
fn row_18_sig_tag_type_confusion() {
    let scene = Scene::new();
    scene.write_repo("none", "");
    let good = package("app", "1", "").signed(&scene.key);
    let packet = good
        .signature
        .iter()
        .find(|item| item.tag == tag::DSA_HEADER)
        .unwrap();
    let as_kind = |tag: u32, kind: u32, count: u32, data: &[u8]| Item {
        tag,
        kind,
        count,
        data: data.to_vec(),
    };
    let sha = sha256(&good.header);
    let cases = [
        (
            "a signature as a string",
            Item::text(tag::DSA_HEADER, "signature"),
        ),
        (
            "a signature as strings",
            Item::texts(tag::DSA_HEADER, &["a", "b"]),
        ),
        ("a signature as a number", Item::number(tag::DSA_HEADER, 1)),
        (
            "a signature as 8-bit numbers",
            as_kind(tag::DSA_HEADER, 2, packet.count, &packet.data),
        ),
        (
            "an RSA signature as a string",
            Item::text(tag::RSA_HEADER, "signature"),
        ),
        (
            "an empty signature",
            as_kind(tag::RSA_HEADER, kind::BIN, 1, b"\0"),
        ),
        (
            "a digest as bytes",
            Item::bytes(tag::SHA256_HEADER, sha.as_bytes()),
        ),
        (
            "a digest as strings",
            Item::texts(tag::SHA256_HEADER, &[&sha]),
        ),
        (
            "a digest that is not hex",
            Item::text(tag::SHA256_HEADER, &"z".repeat(64)),
        ),
        (
            "a digest too short",
            Item::text(tag::SHA256_HEADER, &sha[..40]),
        ),
        ("a SHA1 as a number", Item::number(tag::SHA1_HEADER, 1)),
        (
            "MD5 as a string",
            Item::text(tag::SIG_MD5, "0123456789abcdef"),
        ),
        ("MD5 too short", Item::bytes(tag::SIG_MD5, b"0123")),
        ("size as a string", Item::text(tag::SIG_SIZE, "123")),
        (
            "size as two numbers",
            as_kind(tag::SIG_SIZE, kind::INT32, 2, &[0; 8]),
        ),
        ("OPENPGP as bytes", Item::bytes(278, &packet.data)),
        ("OPENPGP that is not base64", Item::texts(278, &["%%%"])),
    ];
    for (what, item) in cases {
        let mut file = good.clone();
        replace(&mut file.signature, item);
        scene.write("app.rpm", file.bytes());
        let before = scene.state();
        for check in [&["./app.rpm"][..], &["--nogpgcheck", "./app.rpm"]] {
            let run = scene.install(check);
            assert_ne!(run.code, Some(0), "{what} was accepted: {}", run.text());
            run.refused(&["app.rpm"]);
            scene.unchanged(&before, &run);
        }
    }
}

// ---- 19, 23: what counts as signed ----

#[test]
fn row_19_sha1_or_md5_only() {
    let scene = Scene::new();
    let weak = package("app", "1", "").signed_at(&scene.key, now() - 60, SignatureHash::Sha1);
    scene.publish("main", &[&weak]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app-1", "SHA1"]);
    // The user's waiver is for missing signatures and unknown keys, not for forgeable ones.
    let key = scene.path("keys/scene.asc").to_string_lossy().into_owned();
    scene.rpm().program_ok("rpmkeys", &["--import", &key]);
    scene.refuses_install(&["--nogpgcheck", "app"], &["app-1", "SHA1"]);
    let digests = [
        tag::PAYLOAD_DIGEST,
        tag::PAYLOAD_DIGEST_ALGO,
        tag::PAYLOAD_DIGEST_ALT,
    ];
    let mut old = package("app", "1", "").edit(|items| {
        items.retain(|item| !digests.contains(&item.tag));
    });
    old.signature
        .retain(|item| ![tag::SHA1_HEADER, tag::SHA256_HEADER].contains(&item.tag));
    scene.publish("main", &[&old]);
    scene.refuses_install(&["--refresh", "app"], &["app-1", "not signed", "MD5"]);
}

#[test]
fn row_23_key_expired_revoked_future() {
    let life = Some(2 * DAY);
    let old = || key_of("Old <old@tests.invalid>", now() - 10 * DAY, life);
    let revoked = || {
        new_key("Revoked <r@tests.invalid>")
            .revoke(now() - 1800)
            .unwrap()
    };
    let future = || key_of("Future <f@tests.invalid>", now() + DAY, None);
    // Key, when it signed, and the word of the refusal; none: accepted.
    let table = [
        // Documented rule: a package outlives its key; what counts is the moment it was signed.
        ("signed in the key's life", old(), now() - 9 * DAY, None),
        (
            "signed after the key's end",
            old(),
            now() - DAY,
            Some("expired"),
        ),
        (
            "signed before the key's birth",
            old(),
            now() - 11 * DAY,
            Some(""),
        ),
        ("revoked", revoked(), now() - 60, Some("revoked")),
        (
            "revoked later as compromised",
            revoked(),
            now() - 3000,
            Some("revoked"),
        ),
        ("key of tomorrow", future(), now() + DAY + 60, Some("")),
        (
            "signature of tomorrow",
            new_key("Tomorrow <t@tests.invalid>"),
            now() + DAY,
            Some(""),
        ),
    ];
    for (what, key, made, refusal) in table {
        let scene = Scene::new();
        let app = package("app", "1", "").signed_at(&key, made, SignatureHash::Sha256);
        scene.publish("main", &[&app]);
        let url = scene.write_key("other", &key);
        scene.configure("main", &format!("gpgkey={url} {}", scene.key_url("scene")));
        scene.tdnf(&["makecache"]).ok();
        let before = scene.state();
        let run = scene.install(&["app"]);
        match refusal {
            None => assert_eq!(run.code, Some(0), "{what}: {}", run.text()),
            Some(word) => {
                assert_ne!(run.code, Some(0), "{what} was accepted");
                run.refused(&["app", word]);
                scene.unchanged(&before, &run);
            }
        }
    }
}

#[test]
fn a_missing_gpgkey_is_error_1523() {
    let scene = Scene::new();
    scene.publish("main", &[&package("app", "1", "").signed(&scene.key)]);
    scene.configure("main", "gpgkey=\nrepo_gpgcheck=0");
    scene.refuses_install(&["app"], &["app-1", &scene.key.key_id()]);
    scene.refuses_install(&["app"], &["Error(1523)", "gpgkey"]);
    // For signed metadata, too.
    scene.configure("main", "gpgkey=");
    scene.refuses(&["makecache"], &["main", "gpgkey"]);
}

#[test]
fn a_wrong_gpgkey_is_error_1514() {
    let scene = Scene::new();
    let other = new_key("Other <other@tests.invalid>");
    scene.publish("main", &[&package("app", "1", "").signed(&other)]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app-1", &other.key_id()]);
    let run = scene.refuses_install(&["app"], &["Error(1514)"]);
    assert!(!run.text().contains("importing key"), "{}", run.text());
}

#[test]
fn a_gpgkey_that_cannot_be_read_is_named() {
    let scene = Scene::new();
    scene.publish("main", &[&package("app", "1", "").signed(&scene.key)]);
    let junk = scene.write("keys/junk.asc", "no key\n");
    for (url, word) in [
        (
            "file:///nonexistent/key.asc".to_owned(),
            "/nonexistent/key.asc",
        ),
        (format!("file://{}", junk.display()), "junk.asc"),
        (scene.server.url("/key.asc"), "key.asc"),
    ] {
        scene.configure("main", &format!("gpgkey={url}\nrepo_gpgcheck=0"));
        scene.refuses_install(&["app"], &[word]);
    }
}

#[test]
fn a_refused_key_is_not_stored() {
    let (scene, _) = Scene::with(&[&package("app", "1", "")]);
    scene.tdnf(&["makecache"]).ok();
    // Without -y nobody answers.
    scene.refuses(&["install", "app"], &["Error(1033)"]);
    scene.refuses(&["--assumeno", "install", "app"], &["Operation aborted"]);
    assert!(scene.trusted_keys().is_empty());
}

// ---- 22: reading fails ----

#[test]
fn row_22_verify_io_error() {
    let scene = Scene::new();
    let app = package("app", "1", "").signed(&scene.key);
    let bytes = app.bytes();
    let (header, payload) = app.offsets();
    // Short reads: the file ends inside every part.
    let ends = [
        0,
        4,
        95,
        96,
        100,
        header - 1,
        header + 8,
        header + 100,
        payload - 1,
        payload,
        payload + 1,
        bytes.len() - 1,
    ];
    for end in ends {
        scene.write("app.rpm", &bytes[..end]);
        for check in [&["./app.rpm"][..], &["--nogpgcheck", "./app.rpm"]] {
            let before = scene.state();
            let run = scene.install(check);
            assert_ne!(run.code, Some(0), "cut at {end}: {}", run.text());
            run.refused(&["app.rpm"]);
            scene.unchanged(&before, &run);
        }
    }
    // Reading a folder is EISDIR, reading a process's memory at 0 is EIO.
    fs::create_dir(scene.path("folder.rpm")).unwrap();
    scene.refuses_install(&["./folder.rpm"], &["folder.rpm"]);
    std::os::unix::fs::symlink("/proc/self/mem", scene.path("memory.rpm")).unwrap();
    scene.refuses_install(&["./memory.rpm"], &["memory.rpm"]);
}

/// The nth read of the package file fails with EIO, for every n until none is left: strace puts
/// the error in, so no kernel module is needed.
#[test]
fn row_22_every_read_of_a_package_may_fail() {
    if !Path::new("/usr/bin/strace").exists() {
        testkit::fixtures::skipped("no strace");
        return;
    }
    let (scene, _) = Scene::with(&[&package("app", "1", "")]);
    let rpm = scene.www().join("main/Packages/app-1.rpm");
    let local = scene.write("app.rpm", fs::read(&rpm).unwrap());
    scene.rpm().program_ok(
        "rpmkeys",
        &["--import", &scene.path("keys/scene.asc").to_string_lossy()],
    );
    scene.tdnf(&["makecache"]).ok();
    let path = local.to_string_lossy().into_owned();
    let log = scene.path("trace").to_string_lossy().into_owned();
    let mut failed = 0;
    for count in 1..200 {
        let inject = format!("inject=read,pread64,lseek:error=EIO:when={count}");
        let trace = [
            "strace", "-f", "-qq", "-o", &log, "-P", &path, "-e", &inject,
        ];
        let before = scene.state();
        let run = scene.tdnf_under(&trace, &["-y", "--testonly", "install", &path]);
        let text = fs::read_to_string(&log).unwrap();
        if !text.contains("INJECTED") {
            assert_eq!(run.code, Some(0), "{}", run.text());
            break;
        }
        failed += 1;
        assert_ne!(
            run.code,
            Some(0),
            "read {count} failed unseen: {}",
            run.text()
        );
        run.refused(&["app"]);
        scene.unchanged(&before, &run);
    }
    assert!(
        (3..199).contains(&failed),
        "{failed} reads were made to fail"
    );
}

// ---- 24-26 ----

/// Changes anywhere in a package: whatever is installed is what was signed.
#[test]
fn row_24_mutated_packages() {
    const ROUNDS: u64 = 150;
    let scene = Scene::new();
    scene.rpm().program_ok(
        "rpmkeys",
        &["--import", &scene.path("keys/scene.asc").to_string_lossy()],
    );
    let good = package("app", "1", "").signed(&scene.key);
    let bytes = good.bytes();
    let (header, payload) = good.offsets();
    scene.write("app.rpm", &bytes);
    scene
        .tdnf(&["-y", "--testonly", "install", "./app.rpm"])
        .ok();
    let before = scene.state();
    let mut random = Random(0x5eed_2400);
    let mut accepted = 0;
    for round in 0..ROUNDS {
        let mut changed = bytes.clone();
        // Signature header, main header and payload get their share whatever their size.
        let (from, to) = [(0, header), (header, payload), (payload, bytes.len())][random.below(3)];
        for _ in 0..=random.below(3) {
            let at = from + random.below(to - from);
            match random.below(4) {
                0 => changed[at] ^= 1 << random.below(8),
                1 => changed[at] = random.next() as u8,
                2 => changed[at..(at + 4).min(bytes.len())].fill([0, 0xff, 0x7f][random.below(3)]),
                _ => changed[at] = changed[at].wrapping_add(1),
            }
        }
        scene.write("app.rpm", &changed);
        let run = scene.tdnf(&["-y", "--testonly", "install", "./app.rpm"]);
        if run.code == Some(0) {
            // Lead and padding are covered by nothing: what counts is unchanged.
            accepted += 1;
            assert_eq!(
                changed[header..],
                bytes[header..],
                "round {round} was accepted"
            );
            assert!(!run.text().contains("panicked"), "{}", run.text());
        } else {
            run.refused(&[""]);
        }
    }
    let run = scene.tdnf(&["--version"]);
    scene.unchanged(&before, &run);
    assert!(accepted < ROUNDS / 2, "{accepted} of {ROUNDS} accepted");
}

#[test]
fn row_25_cache_poison_rpm() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    scene.install(&["--downloadonly", "app"]).ok();
    let cached = scene.cached(".rpm");
    let [cached] = cached.as_slice() else {
        panic!("{cached:?}");
    };
    let good = fs::read(cached).unwrap();
    let evil = with_other_content(&RpmFile::of(&good)).signed(&new_key("Evil <e@tests.invalid>"));
    let mut same_size = good.clone();
    *same_size.last_mut().unwrap() ^= 1;
    for poison in [evil.bytes(), same_size, b"short".to_vec(), Vec::new()] {
        // Nobody to fetch it from: refused, nothing of the poison is used.
        fs::write(cached, &poison).unwrap();
        let path = "/main/Packages/app-1.rpm";
        scene.server.always(path, Answer::status(404));
        scene.refuses_install(&["app"], &["app-1"]);
        // Else it is fetched again.
        scene.server.behave();
        fs::write(cached, &poison).unwrap();
        scene.install(&["--downloadonly", "app"]).ok();
        assert_eq!(fs::read(cached).unwrap(), good);
    }
    scene.install(&["app"]).ok();
    assert!(scene.rpm().run(&["-V", "app"]).status.success());
    drop(published);
}

#[test]
fn row_26_bad_rpm_removed() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    let path = "/main/Packages/app-1.rpm";
    let mut bad = fs::read(published.dir.join("Packages/app-1.rpm")).unwrap();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    scene.server.always(path, Answer::body(bad));
    scene.refuses_install(&["app"], &["app-1", "checksum"]);
    assert!(scene.cached(".rpm").is_empty(), "the bad file is gone");
    scene.server.behave();
    scene.install(&["app"]).ok();
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
}

/// A file whose digest fits the metadata and whose inside is damaged is not kept either.
#[test]
fn row_26_a_package_that_is_damaged_inside_is_removed() {
    let scene = Scene::new();
    let mut app = package("app", "1", "").signed(&scene.key);
    let middle = app.payload.len() / 2;
    app.payload[middle] ^= 1;
    scene.publish("main", &[&app]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app-1", "digest"]);
    assert!(scene.cached(".rpm").is_empty(), "the bad file is gone");
    let good = package("app", "1", "").signed(&scene.key);
    scene.publish("main", &[&good]);
    scene.install(&["--refresh", "app"]).ok();
}

/// The metadata names another package than the file holds, with the right checksum (row 30).
#[test]
fn a_package_of_another_name_is_refused() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    let lying = published.replace("primary", "<name>app</name>", "<name>other</name>");
    let lying = lying.replace(
        "primary",
        "rpm:entry name=\"app\"",
        "rpm:entry name=\"other\"",
    );
    lying.write(Some(&scene.key));
    scene.refuses_install(&["other"], &["app-1", "other"]);
}

/// The tools of this file make what they say.
#[test]
fn a_package_taken_apart_and_put_together_is_the_same() {
    let file = package("app", "1", "");
    assert_eq!(write(tag::REGION_MAIN, &items(&file.header)), file.header);
    let again = RpmFile::of(&file.bytes());
    assert_eq!(again.bytes(), file.bytes());
    let sealed = file.clone().sealed();
    assert_eq!(
        sealed.signature, again.signature,
        "digests and size are rpmbuild's own"
    );
}
