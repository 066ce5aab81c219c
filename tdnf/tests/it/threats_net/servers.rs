//! Rows 47, 54 and 74 to 76: servers that lie, break off or are not there.

use super::*;

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
    for path in [REPOMD, "/main/repodata/repomd.xml.asc"] {
        scene.server.always(path, endless());
        let run = scene.refuses(&["makecache"], &["main", "larger"]);
        assert!(run.time < Duration::from_secs(60), "{path}: {:?}", run.time);
        scene.server.behave();
    }
    // What has a size and a digest is right as far as that, and no more of it is taken.
    scene.server.always(PRIMARY, endless());
    let run = scene.tdnf(&["makecache"]);
    assert!(run.time < Duration::from_secs(60), "{:?}", run.time);
    run.ok();
    scene.server.always(APP, endless());
    let run = scene.install(&["app"]);
    assert!(run.time < Duration::from_secs(60), "{:?}", run.time);
    run.ok();
    assert!(scene.cached(".part").is_empty());
}

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
        let gone = Server::start(scene.www());
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
        // The checksum is right, so repomd.xml is wrong about the size: that is said, and nobody has the path.
        let run = scene.tdnf(&args);
        run.says(&["warning", kind, "differs from the expected 12345"]);
        run.says(&[
            "warning: repository main: repomd.xml is wrong about a size of",
            kind,
        ]);
        run.refused(&["app", "not found"]);
        assert_eq!(scene.installed(), ["first-1"]);
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
    scene.refuses_install(&["app"], &["app-1", "reset"]);
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
        let server = Server::start(scene.www());
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
