//! Rows 22 to 26: keys, damaged and changed packages.

use super::*;

#[test]
fn row_23_key_expired_revoked_future() {
    let life = Some(2 * DAY);
    let old = || key_of("Old <old@tests.invalid>", testkit::now() - 10 * DAY, life);
    let revoked = || {
        new_key("Revoked <r@tests.invalid>")
            .revoke(testkit::now() - 1800)
            .unwrap()
    };
    let future = || key_of("Future <f@tests.invalid>", testkit::now() + DAY, None);
    // Key, when it signed, and the word of the refusal; none: accepted.
    let table = [
        // Documented rule: a package outlives its key; what counts is the moment it was signed.
        (
            "signed in the key's life",
            old(),
            testkit::now() - 9 * DAY,
            None,
        ),
        (
            "signed after the key's end",
            old(),
            testkit::now() - DAY,
            Some("expired"),
        ),
        (
            "signed before the key's birth",
            old(),
            testkit::now() - 11 * DAY,
            Some(""),
        ),
        ("revoked", revoked(), testkit::now() - 60, Some("revoked")),
        (
            "revoked later as compromised",
            revoked(),
            testkit::now() - 3000,
            Some("revoked"),
        ),
        (
            "key of tomorrow",
            future(),
            testkit::now() + DAY + 60,
            Some(""),
        ),
        (
            "signature of tomorrow",
            new_key("Tomorrow <t@tests.invalid>"),
            testkit::now() + DAY,
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
            None => assert_eq!(run.code, 0, "{what}: {}", run.text()),
            Some(word) => {
                assert_ne!(run.code, 0, "{what} was accepted");
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
            assert_ne!(run.code, 0, "cut at {end}: {}", run.text());
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
    // More than one read takes at a time.
    let large = RpmFile::read(&spec_of("app", "1", &noise(400_000)).build());
    let (scene, _) = Scene::with(&[&large]);
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
            assert_eq!(run.code, 0, "{}", run.text());
            break;
        }
        failed += 1;
        assert_ne!(run.code, 0, "read {count} failed unseen: {}", run.text());
        run.refused(&["app"]);
        scene.unchanged(&before, &run);
    }
    assert!(
        (3..199).contains(&failed),
        "{failed} reads were made to fail"
    );
}

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
    let mut random = fastrand::Rng::with_seed(0x5eed_2400);
    let (mut accepted, mut last) = (0, None);
    for round in 0..ROUNDS {
        let mut changed = bytes.clone();
        // Signature header, main header and payload get their share whatever their size.
        let (from, to) =
            [(0, header), (header, payload), (payload, bytes.len())][random.usize(..3)];
        for _ in 0..=random.usize(..3) {
            let at = from + random.usize(..to - from);
            match random.usize(..4) {
                0 => changed[at] ^= 1 << random.usize(..8),
                1 => changed[at] = random.u8(..),
                2 => {
                    changed[at..(at + 4).min(bytes.len())].fill([0, 0xff, 0x7f][random.usize(..3)])
                }
                _ => changed[at] = changed[at].wrapping_add(1),
            }
        }
        scene.write("app.rpm", &changed);
        let run = scene.tdnf(&["-y", "--testonly", "install", "./app.rpm"]);
        assert!(
            run.time < Duration::from_secs(20),
            "round {round}: {:?}",
            run.time
        );
        assert!(!run.text().contains("panicked"), "{}", run.text());
        if run.code == 0 {
            // Lead and padding are covered by nothing: what counts is unchanged.
            accepted += 1;
            assert_eq!(
                changed[header..],
                bytes[header..],
                "round {round} was accepted"
            );
            last = Some(changed);
        } else {
            run.refused(&[""]);
        }
    }
    let run = scene.tdnf(&["--version"]);
    scene.unchanged(&before, &run);
    assert!(accepted < ROUNDS / 2, "{accepted} of {ROUNDS} accepted");
    // What is installed of one that was accepted is what was signed, by rpm's word.
    scene.write("app.rpm", last.expect("some were accepted"));
    scene.install(&["./app.rpm"]).ok();
    let installed = scene.rpm().ok(&["-q", "--qf", "%{SHA256HEADER}", "app"]);
    scene.tdnf(&["-y", "erase", "app"]).ok();
    scene.write("app.rpm", &bytes);
    scene.install(&["./app.rpm"]).ok();
    assert_eq!(
        installed,
        scene.rpm().ok(&["-q", "--qf", "%{SHA256HEADER}", "app"])
    );
    assert!(scene.rpm().run(&["-V", "app"]).success());
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
    let evil = packages::with_other_content(&RpmFile::of(&good))
        .signed(&new_key("Evil <e@tests.invalid>"));
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
    assert!(scene.rpm().run(&["-V", "app"]).success());
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
