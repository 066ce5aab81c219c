//! What is wrong with one repository, and stays its own affair: it is named, the others go on, and whoever looks sees it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use testkit::gpg::Gpg;
use testkit::mounts;

use crate::guards::dated;
use crate::scene::{Scene, VENDOR, package_of};

/// Two repositories, `a` and `b`, each with a package, and a configuration with more lines for `b`.
fn two(of_b: &str) -> Scene {
    let scene = Scene::new();
    scene.put("a", "app", "1", "");
    scene.put("b", "bee", "1", "");
    scene.publish("a");
    scene.publish("b");
    configure(&scene, "", of_b);
    scene
}

fn configure(scene: &Scene, of_mirror: &str, of_b: &str) {
    let baseurl = match of_b.contains("baseurl") {
        true => String::new(),
        false => format!("baseurl = {:?}", scene.server.url("/b")),
    };
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n{of_mirror}\n[repo.a]\nbaseurl = {:?}\n[repo.b]\n{baseurl}\n{of_b}\n",
        scene.path("mirror"),
        scene.server.url("/a"),
    ));
}

#[test]
fn a_key_that_cannot_sign_is_said_before_anything_is_fetched() {
    let scene = two("");
    configure(&scene, "sign_key = \"no-key\"", "");
    let run = scene.run(&["sync"]).ends(2);
    let told = "mirror.sign_key: no-key: ";
    assert!(run.err.contains(told), "{}", run.text());
    assert!(!run.out.contains("published"), "{}", run.text());
}

/// A package of 3 MB comes to `b`, a small one to `a`.
fn grow(scene: &Scene) {
    let big = package_of("big", "1", "", 3_000_000);
    fs::copy(&big, scene.path("up/b/Packages/big-1-1.noarch.rpm")).unwrap();
    scene.put("a", "app", "2", "");
    scene.publish("a");
    scene.publish("b");
}

/// `b` failed and is named, once; `a` was published; every page, and the command, tell of it.
fn b_failed(scene: &Scene, words: &[&str]) {
    let run = scene.run(&["sync"]).ends(4);
    assert!(run.out.contains("a: published"), "{}", run.text());
    for word in words {
        assert_eq!(run.err.matches(word).count(), 1, "{word}: {}", run.err);
    }
    let page = |name: &str| fs::read_to_string(scene.public(name)).unwrap();
    let json = page("status.json");
    assert!(json.contains("\"healthy\":false"), "{json}");
    assert!(json.contains("\"outcome\":\"failed\""), "{json}");
    let metrics = page("metrics");
    assert!(metrics.contains("up{repo=\"a\"} 1"), "{metrics}");
    assert!(metrics.contains("up{repo=\"b\"} 0"), "{metrics}");
    assert!(page("index.html").contains("1 needs a look"));
    let status = scene.run(&["status"]).ends(4);
    let of_b = status.out.split("\nb ").nth(1).unwrap();
    assert!(of_b.contains("  failed  "), "{}", status.out);
    assert!(of_b.contains(words[0]), "{}", status.out);
}

#[test]
fn a_repository_that_the_quota_does_not_hold_fails_alone() {
    let scene = two("");
    configure(&scene, "quota = \"400k\"", "");
    scene.sync();
    grow(&scene);
    b_failed(&scene, &["repository b: mirror.quota of 400.0 KiB"]);
    assert!(scene.published("a").iter().any(|f| f.contains("app-2")));
    // On a first run.
    fs::remove_dir_all(scene.path("mirror")).unwrap();
    b_failed(&scene, &["repository b: mirror.quota of 400.0 KiB"]);
    configure(&scene, "", "");
    assert!(scene.sync().out.contains("b: published"));
}

#[test]
fn a_repository_that_the_disk_does_not_hold_fails_alone() {
    if !mounts::own("faults::a_repository_that_the_disk_does_not_hold_fails_alone") {
        return;
    }
    let scene = two("");
    let mirror = scene.path("mirror");
    fs::create_dir(&mirror).unwrap();
    let mount = |options: &[&str]| {
        let mut command = Command::new("mount");
        command.args(options).arg(&mirror);
        assert!(command.status().unwrap().success());
    };
    mount(&["-t", "tmpfs", "-o", "size=400k,mode=755", "tmpfs"]);
    scene.sync();
    grow(&scene);
    let words = ["not enough space", "repository b: "];
    b_failed(&scene, &words);
    // Nothing can be written down: whoever asks is told.
    mount(&["-o", "remount,ro"]);
    scene.run(&["sync"]).ends(1);
    let status = scene.run(&["status", "--json"]).ends(1);
    assert!(status.out.contains("\"healthy\":false"), "{}", status.out);
    assert!(status.out.contains("mounted read-only"), "{}", status.out);
}

#[test]
fn a_bad_key_or_url_of_a_repository_stops_no_other() {
    let scene = two("");
    scene.write("junk", "no key at all");
    let junk = scene.path("junk").display().to_string();
    for (lines, words) in [
        (
            "gpgkey = \"/nope/key\"".to_owned(),
            "repo.b: gpgkey: /nope/key: cannot read",
        ),
        (format!("gpgkey = {junk:?}"), "repo.b: gpgkey: "),
        (
            "baseurl = \"htp://x\"".to_owned(),
            "cannot speak htp: only http, https, ",
        ),
        ("baseurl = \"\"".to_owned(), "b: the URL is empty"),
        (
            "baseurl = \"no/url\"".to_owned(),
            "it has to begin with http://, https:// or file://",
        ),
    ] {
        configure(&scene, "", &lines);
        b_failed(&scene, &[words]);
        let verify = scene.run(&["verify"]).ends(0);
        assert!(verify.out.contains("0 damaged"), "{}", verify.text());
        fs::remove_dir_all(scene.path("mirror")).unwrap();
    }
}

#[test]
fn a_site_of_bundles_alone_has_nothing_to_fetch() {
    let scene = Scene::new();
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n[repo.a]\nmode = \"bundle\"\n",
        scene.path("mirror")
    ));
    let run = scene.run(&["sync"]).ends(0);
    assert!(run.out.contains("nothing to fetch"), "{}", run.text());
    assert!(
        run.out.contains("`mirror-sync bundle apply`"),
        "{}",
        run.text()
    );
    let run = scene.run(&["sync", "a"]).ends(2);
    let told = "a is not filled by sync: `mirror-sync ";
    assert!(run.err.contains(told), "{}", run.err);
    assert!(run.err.contains(" bundle apply FILE` does"), "{}", run.err);
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n[repo.a]\nmode = \"proxy\"\nbaseurl = \"http://127.0.0.1:9\"\n",
        scene.path("mirror")
    ));
    let run = scene.run(&["sync", "a"]).ends(2);
    assert!(run.err.contains(told), "{}", run.err);
    assert!(run.err.contains(" serve` does that"), "{}", run.err);
}

#[test]
fn what_a_wrong_option_says_is_about_the_option() {
    let scene = two("");
    scene.sync();
    for (words, code, expected) in [
        (
            &["--set", "mirror.quota=abc", "status"][..],
            2,
            "--set mirror.quota=abc: \"abc\": expected a size",
        ),
        (
            &["--set", "mirror.pth=x", "status"],
            2,
            "--set mirror.pth=x: no key is called pth, did you mean path?",
        ),
        (
            &["--set", "mirror.deltas=x", "status"],
            2,
            "expected a number",
        ),
        (
            &["snapshot", "rollback", "a", "2030"],
            1,
            "2030 is neither a snapshot, the name of one nor a date such as 2026-01-31; there are 2",
        ),
        (
            &["snapshot", "rollback", "a", "2001-01-01"],
            1,
            "has no snapshot of 2001-01-01 or before; there are 2",
        ),
        (
            &["serve", "--listen", "nonsense"],
            2,
            "--listen nonsense: expected an address and a port such as 0.0.0.0:8080",
        ),
        (
            &["--set", "serve.listen=8080x", "serve"],
            2,
            "serve.listen = 8080x: expected an address",
        ),
    ] {
        let run = scene.run(words).ends(code);
        assert!(run.err.contains(expected), "{words:?}: {}", run.err);
        assert!(
            !run.err.contains("mirror.toml: \""),
            "{words:?}: {}",
            run.err
        );
    }
}

#[test]
fn damaged_state_of_one_repository_heals_or_is_named_and_stops_no_other() {
    let scene = two("");
    scene.sync();
    let state = scene.path("mirror/state/b");
    let list = || {
        let lists = fs::read_dir(state.join("snapshots")).unwrap().flatten();
        lists.map(|entry| entry.path()).next().unwrap()
    };
    let tree = || fs::read_link(scene.public("b")).unwrap();
    // What is remembered is made again of what is published, and is whole again at once.
    let before = tree();
    for damaged in ["", "junk", "{\"seen\": [1"] {
        fs::write(state.join("state.json"), damaged).unwrap();
        let status = scene.run(&["status"]).ends(4);
        assert!(status.out.contains("a  "), "{}", status.out);
        assert!(
            status.out.contains("state.json is damaged: it is "),
            "{}",
            status.out
        );
        assert!(!status.out.contains("line 1 column"), "{}", status.out);
        let listed = scene.run(&["snapshot", "list"]).ends(1);
        assert_eq!(listed.out.lines().count(), 2, "{}", listed.out);
        assert!(
            listed.err.contains("`mirror-sync verify b` makes it again"),
            "{}",
            listed.err
        );
        let run = scene.run(&["sync"]).ends(3);
        assert!(run.err.contains("b: warning: "), "{}", run.err);
        assert_eq!(tree(), before, "clients see what they saw");
        assert!(
            scene
                .run(&["status", "--json"])
                .ends(0)
                .out
                .contains("\"healthy\":true")
        );
    }
    fs::write(state.join("state.json"), "junk").unwrap();
    let verify = scene.run(&["verify"]).ends(5);
    assert!(
        verify.out.contains("1 damaged, 1 repaired"),
        "{}",
        verify.text()
    );
    scene.run(&["snapshot", "list"]).ends(0);
    // An upstream older than what was seen is known as that still.
    fs::write(state.join("state.json"), "junk").unwrap();
    let index = scene.path("up/b/repodata/repomd.xml");
    let text = fs::read_to_string(&index).unwrap();
    let old = regress(&text);
    fs::write(&index, old).unwrap();
    let run = scene.run(&["sync", "b"]).ends(1);
    assert!(run.err.contains("older than"), "{}", run.err);
    fs::write(&index, text).unwrap();
    scene.run(&["sync"]).ends(3);
    // The list of what is published cannot be read: upstream's set is published anew.
    let lost = list();
    fs::write(&lost, "").unwrap();
    let verify = scene.run(&["verify"]).ends(6);
    assert!(verify.err.contains("it is empty; `rm "), "{}", verify.err);
    let listed = scene.run(&["snapshot", "list"]).ends(1);
    assert!(listed.out.starts_with("a "), "{}", listed.out);
    assert!(
        listed.err.contains(&lost.display().to_string()),
        "{}",
        listed.err
    );
    assert!(
        scene
            .run(&["status", "--json"])
            .ends(4)
            .out
            .contains("\"healthy\":false")
    );
    let run = scene.run(&["sync"]).ends(0);
    assert!(
        run.err.contains("what upstream has is published anew"),
        "{}",
        run.err
    );
    assert!(!lost.exists());
    for words in [&["verify"][..], &["snapshot", "list"], &["status"]] {
        let run = scene.run(words).ends(0);
        assert_eq!(run.err, "", "{words:?}");
    }
    scene.run(&["sync"]).ends(3);
}

/// Where something is published, what is remembered of it has been lost, and is no first run.
#[test]
fn a_missing_state_is_a_damaged_one() {
    let scene = Scene::usual();
    scene.sync();
    let promote = ["snapshot", "promote", "base", "--to", "prod"];
    scene.run(&promote).ends(0);
    scene.put("base", "alpha", "2", "");
    scene.publish("base");
    scene.sync();
    scene.run(&["snapshot", "rollback", "base"]).ends(0);
    let state = scene.path("mirror/state/base/state.json");
    let trees = || ["base", "prod/base"].map(|link| fs::read_link(scene.public(link)).unwrap());
    let channels =
        || scene.run(&["snapshot", "list", "base", "--json"]).json()[0]["channels"].take();
    let (before, shown) = (trees(), channels());
    assert_eq!(shown, serde_json::json!(["current", "prod"]));
    for words in [["verify"], ["sync"]] {
        fs::remove_file(&state).unwrap();
        let status = scene.run(&["status"]).ends(1);
        for told in [
            "state.json is damaged: it is missing; `mirror-sync -c ",
            " verify base` makes it again",
        ] {
            assert!(status.out.contains(told), "{}", status.out);
        }
        scene.run(&promote).ends(1);
        match words {
            ["verify"] => scene.run(&words).ends(5).says(&["1 damaged, 1 repaired"]),
            _ => scene.run(&words).ends(3).says(&["(it is missing)"]),
        };
        assert_eq!(trees(), before, "clients see what they saw");
        assert_eq!(channels(), shown, "channels are known");
        let status = scene.run(&["status"]).out;
        assert!(status.contains("held since "), "{status}");
    }
    // All that is remembered: a tree has clients all the same, and its number is not given to another.
    fs::remove_dir_all(scene.path("mirror/state/base")).unwrap();
    scene.run(&["status"]).ends(1);
    scene.run(&["sync"]).ends(0).says(&["(it is missing)"]);
    assert!(!before.contains(&trees()[0]), "{:?}", trees());
    // Nothing yet is no damage.
    scene
        .run(&["--root", scene.path("other").to_str().unwrap(), "status"])
        .ends(1)
        .says(&["nothing yet"]);
}

/// What `verify` could not mend is a fault until it is mended, by the next `sync` or `verify`.
#[test]
fn damage_that_is_left_is_known_until_it_is_mended() {
    let scene = Scene::usual();
    scene.sync();
    let stored = || {
        let tree = fs::metadata(scene.public("base/Packages/beta-1-1.noarch.rpm"))
            .unwrap()
            .ino();
        let mut files = crate::scene::files_in(&scene.path("mirror/store")).into_iter();
        let is_it = |name: &String| {
            let file = scene.path("mirror/store").join(name);
            fs::metadata(file).is_ok_and(|about| about.ino() == tree)
        };
        scene.path("mirror/store").join(files.find(is_it).unwrap())
    };
    let upstream = scene.path("up/base/Packages/beta-1-1.noarch.rpm");
    let aside = scene.path("aside.rpm");
    let is_fault = || {
        let status = scene.run(&["status"]).ends(1);
        for word in [
            "failed since ",
            "1 file damaged: Packages/beta",
            " verify base` looks again and mends",
        ] {
            assert!(status.out.contains(word), "{}", status.out);
        }
        let metrics = fs::read_to_string(scene.public("metrics")).unwrap();
        assert!(
            metrics.contains("mirror_sync_up{repo=\"base\"} 0"),
            "{metrics}"
        );
    };
    for (look, mends, code) in [
        ("verify", "sync", 3),
        ("--no-repair", "sync", 3),
        ("verify", "verify", 5),
    ] {
        let file = stored();
        fs::remove_file(&file).unwrap();
        fs::rename(&upstream, &aside).unwrap();
        let words = ["verify", look];
        scene.run(&words[usize::from(look == "verify")..]).ends(6);
        is_fault();
        // It is no run without news while it cannot be had.
        let run = scene.run(&["sync"]).ends(1);
        assert!(
            run.err.contains("1 file damaged: Packages/beta"),
            "{}",
            run.text()
        );
        is_fault();
        fs::rename(&aside, &upstream).unwrap();
        scene.run(&[mends]).ends(code);
        assert!(file.is_file(), "{mends}");
        scene.run(&["status"]).ends(0);
        let metrics = fs::read_to_string(scene.public("metrics")).unwrap();
        assert!(
            metrics.contains("mirror_sync_up{repo=\"base\"} 1"),
            "{metrics}"
        );
    }
}

/// An index of a time before.
fn regress(index: &str) -> String {
    let mut out = String::new();
    for line in index.lines() {
        let line = line.trim();
        let is_time = line.starts_with("<timestamp>") || line.starts_with("<revision>");
        match line.split_once('>').filter(|_| is_time) {
            Some((tag, _)) => out.push_str(&format!("{tag}>1000</{}>", &tag[1..])),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// Of a signed index the servers are judged one by one: where all are refused, that is one line, with the way out.
#[test]
fn older_signed_metadata_are_refused_in_one_line() {
    let scene = Scene::usual();
    let gpg = Gpg::with_key(&scene.path("vendor"), VENDOR);
    scene.write("vendor.asc", gpg.public());
    let key = scene.path("vendor.asc");
    scene.config(&format!(
        "gpgkey = {key:?}\nrepo_gpgcheck = true\ngpgcheck = false"
    ));
    for seconds in [1_700_086_400, 1_700_000_000] {
        dated(&scene, seconds);
        let index = scene.path("up/base/repodata/repomd.xml");
        gpg.ok(&["--armor", "--detach-sign", index.to_str().unwrap()]);
        scene.run(&["sync"]);
    }
    let run = scene.run(&["sync"]).ends(1);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    assert!(run.err.contains("sync base --allow-older`"), "{}", run.err);
    scene.run(&["sync", "--allow-older"]).ends(0);
}
