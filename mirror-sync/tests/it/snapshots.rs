//! Snapshots: listed, compared, promoted, rolled back to, kept and forgotten.

use std::fs;

use testkit::gpg::Gpg;

use crate::scene::{Scene, VENDOR};

/// Three versions of the repository, each published.
fn three() -> (Scene, Vec<String>) {
    let scene = Scene::usual();
    scene.sync();
    for version in ["2", "3"] {
        scene.take("base", "gamma");
        scene.put("base", "gamma", version, "");
        scene.publish("base");
        scene.sync();
    }
    let list = scene
        .run(&["snapshot", "list", "base", "--json"])
        .ends(0)
        .json();
    let stamps: Vec<String> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["stamp"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(stamps.len(), 3, "{list}");
    (scene, stamps)
}

/// What `status` says of the repository.
fn status(scene: &Scene) -> serde_json::Value {
    let mut all = scene.run(&["status", "--json"]).ends(0).json();
    all["repos"][0].take()
}

#[test]
fn diff_promote_and_rollback() {
    let (scene, stamps) = three();
    let diff = scene
        .run(&["snapshot", "diff", "base", &stamps[0], &stamps[2]])
        .ends(0);
    assert_eq!(
        diff.out,
        "+ Packages/gamma-3-1.noarch.rpm\n- Packages/gamma-1-1.noarch.rpm\n"
    );
    scene
        .run(&[
            "snapshot",
            "promote",
            "base",
            "--to",
            "prod",
            "--snapshot",
            &stamps[1],
        ])
        .ends(0);
    let prod = format!("file://{}", scene.public("prod/base").display());
    assert_eq!(scene.dnf_list(&prod), ["alpha-1", "beta-1", "gamma-2"]);
    scene.run(&["snapshot", "rollback", "base"]).ends(0);
    let current = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&current), ["alpha-1", "beta-1", "gamma-2"]);
    // It stays so until upstream has something newer than what was rolled back from, and is told.
    let before = status(&scene);
    scene.run(&["sync"]).ends(3);
    assert_eq!(scene.dnf_list(&current), ["alpha-1", "beta-1", "gamma-2"]);
    let now = status(&scene);
    for held in [&before, &now] {
        assert_eq!(held["rolled_back_from"], stamps[2].as_str());
        assert_eq!(held["last_success"], before["last_success"]);
    }
    let told = scene.run(&["status"]).ends(0).out;
    assert!(told.contains("  held since 20"), "{told}");
    assert!(!told.contains("same as upstream"), "{told}");
    let page = |name: &str| fs::read_to_string(scene.public(name)).unwrap();
    assert!(page("status.json").contains("rolled_back_from"));
    assert!(page("metrics").contains("mirror_sync_rolled_back{repo=\"base\"} 1"));
    assert!(page("index.html").contains("held since "));
    scene.put("base", "delta", "1", "");
    scene.publish("base");
    scene.sync();
    assert_eq!(
        scene.dnf_list(&current),
        ["alpha-1", "beta-1", "delta-1", "gamma-3"]
    );
    assert!(status(&scene)["rolled_back_from"].is_null());
    assert!(page("metrics").contains("mirror_sync_rolled_back{repo=\"base\"} 0"));
    scene
        .run(&["snapshot", "promote", "base", "--to", "base"])
        .ends(2);
    scene
        .run(&["snapshot", "promote", "base", "--to", "../x"])
        .ends(2);
}

#[test]
fn by_date_is_the_newest_at_or_before() {
    let (scene, stamps) = three();
    let day = format!(
        "{}-{}-{}",
        &stamps[2][..4],
        &stamps[2][4..6],
        &stamps[2][6..8]
    );
    scene
        .run(&[
            "snapshot",
            "promote",
            "base",
            "--to",
            "dated",
            "--snapshot",
            &day,
        ])
        .ends(0);
    let dated = format!("file://{}", scene.public("dated/base").display());
    assert_eq!(scene.dnf_list(&dated), ["alpha-1", "beta-1", "gamma-3"]);
    let run = scene
        .run(&["snapshot", "rollback", "base", "1999-01-01"])
        .ends(1);
    assert!(
        run.err.contains("no snapshot of 1999-01-01 or before"),
        "{}",
        run.err
    );
}

/// Clients that read the old index a moment ago still find what it names; after the grace time it goes.
#[test]
fn old_metadata_and_packages_stay_for_the_grace_time() {
    let (scene, _) = three();
    let names = scene.published("base");
    for version in 1..=3 {
        let name = format!("Packages/gamma-{version}-1.noarch.rpm");
        assert!(names.contains(&name), "{names:?}");
    }
    let primaries = names
        .iter()
        .filter(|n| n.ends_with("primary.xml.gz"))
        .count();
    assert_eq!(primaries, 3, "{names:?}");
    scene.config("[mirror.x]\n");
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\ngrace = 0\nkeep_snapshots = 1\nkeep_for = 0\n[repo.base]\nbaseurl = {:?}\n",
        scene.path("mirror"),
        scene.server.url("/base")
    ));
    scene.take("base", "gamma");
    scene.put("base", "gamma", "4", "");
    scene.publish("base");
    scene.sync();
    let names = scene.published("base");
    assert!(!names.iter().any(|n| n.contains("gamma-1")), "{names:?}");
    let left = scene.run(&["snapshot", "list", "base"]).ends(0).out;
    assert!(left.lines().count() <= 2, "{left}");
    // What no snapshot uses any more can be taken out of the store.
    scene.run(&["clean", "--all"]).ends(0);
    let stored = crate::scene::files_in(&scene.path("mirror/store"));
    let gone = fs::read(crate::scene::package("gamma", "1", "")).unwrap();
    let held = stored
        .iter()
        .any(|name| fs::read(scene.path("mirror/store").join(name)).unwrap() == gone);
    assert!(!held);
    scene.run(&["verify", "--no-repair"]).ends(0);
}

/// Row 130: an older snapshot is shown again only if its packages are what the rules of today admit.
#[test]
fn row_130_a_snapshot_of_other_rules_is_judged_before_it_is_shown() {
    let scene = Scene::new();
    let vendor = Gpg::with_key(&scene.path("vendor"), VENDOR);
    scene.write("vendor.asc", vendor.public());
    vendor.sign_package(VENDOR, &scene.put("base", "alpha", "1", ""));
    scene.put("base", "unsigned", "1", "");
    scene.publish("base");
    scene.config("gpgcheck = false");
    scene.sync();
    scene.take("base", "unsigned");
    vendor.sign_package(VENDOR, &scene.put("base", "beta", "1", ""));
    scene.publish("base");
    scene.config(&format!("gpgkey = {:?}", scene.path("vendor.asc")));
    scene.run(&["sync", "--allow-delete"]).ends(0);
    let current = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&current), ["alpha-1", "beta-1"]);

    let list = scene.run(&["snapshot", "list", "base", "--json"]).ends(0);
    let old = list.json()[0]["stamp"].as_str().unwrap().to_owned();
    let rollback = ["snapshot", "rollback", "base"];
    let promote = [
        "snapshot",
        "promote",
        "base",
        "--to",
        "prod",
        "--snapshot",
        &old,
    ];
    let (key, medium) = (scene.path("maker.key"), scene.path("medium"));
    let [key, medium] = [&key, &medium].map(|path| path.to_str().unwrap());
    fs::create_dir(medium).unwrap();
    scene.run(&["key", "generate", key]).ends(0);
    let signed = format!("mirror.sign_key={key}");
    let make = [
        "--set",
        &signed,
        "bundle",
        "make",
        "--site",
        "ship",
        "--output",
        medium,
        "--snapshot",
        &old,
    ];
    for words in [&rollback[..], &promote, &make] {
        let run = scene.run(words).ends(1);
        assert!(
            run.err.contains("unsigned-1-1.noarch: not signed"),
            "{}",
            run.err
        );
        assert!(
            run.err.contains("`--set repo.base.gpgcheck=false`"),
            "{}",
            run.err
        );
    }
    assert_eq!(scene.dnf_list(&current), ["alpha-1", "beta-1"]);
    assert!(!scene.public("prod").exists());
    assert_eq!(fs::read_dir(medium).unwrap().count(), 0);

    // A snapshot of which nobody knows the rules is judged, too; once it was, it is known.
    let file = scene
        .path("mirror/state/base/snapshots")
        .join(format!("{old}.json"));
    let read = || serde_json::from_slice::<serde_json::Value>(&fs::read(&file).unwrap()).unwrap();
    let mut unknown = read();
    unknown.as_object_mut().unwrap().remove("rules").unwrap();
    fs::write(&file, unknown.to_string()).unwrap();
    scene.run(&rollback).ends(1);
    let mut allowed = vec!["--set", "repo.base.gpgcheck=false"];
    allowed.extend(rollback);
    scene.run(&allowed).ends(0);
    assert_eq!(scene.dnf_list(&current), ["alpha-1", "unsigned-1"]);
    assert!(read()["rules"].is_string());

    // What every rule admits is judged and shown.
    scene
        .run(&[
            "snapshot",
            "rollback",
            "base",
            list.json()[1]["stamp"].as_str().unwrap(),
        ])
        .ends(0);
    assert_eq!(scene.dnf_list(&current), ["alpha-1", "beta-1"]);
}

/// Row 130: what a rollback holds stays whatever changes in the configuration, and is judged by the rules of today.
#[test]
fn row_130_a_rollback_outlives_a_change_of_the_configuration() {
    let scene = Scene::new();
    let stranger = "stranger@example.com";
    for (name, who) in [("vendor", VENDOR), ("stranger", stranger)] {
        let gpg = Gpg::with_key(&scene.path(name), who);
        scene.write(&format!("{name}.asc"), gpg.public());
    }
    let vendor = Gpg::at(&scene.path("vendor"));
    let (one, two) = (scene.path("vendor.asc"), scene.path("stranger.asc"));
    let of = |keys: &[&std::path::Path], more: &str| {
        scene.config(&format!("gpgkey = {keys:?}\n{more}"));
    };
    of(&[&one], "");
    for version in ["1", "2"] {
        vendor.sign_package(VENDOR, &scene.put("base", "alpha", version, ""));
        let former = format!("alpha-{}", if version == "1" { "none" } else { "1" });
        scene.take("base", &former);
        scene.publish("base");
        scene.run(&["sync", "--allow-delete"]).ends(0);
    }
    scene.run(&["snapshot", "rollback", "base"]).ends(0);
    let current = format!("file://{}", scene.public("base").display());
    scene.run(&["sync"]).ends(3);
    let told = "is held until upstream has something newer";
    for (keys, more) in [
        (&[&*one, &*two][..], ""),
        (&[&*one], "select.packages = ['alpha']"),
        (&[&*one], "select.exclude = ['beta']"),
    ] {
        of(keys, more);
        let run = scene.run(&["sync"]).ends(3);
        assert_eq!(run.err.matches(told).count(), 1, "{more}: {}", run.err);
        assert_eq!(scene.dnf_list(&current), ["alpha-1"], "{more}");
        assert!(!status(&scene)["rolled_back_from"].is_null(), "{more}");
    }
    of(&[&two], "");
    let run = scene.run(&["sync"]).ends(1);
    assert!(
        run.err.contains("alpha-1-1.noarch: signed by unknown key"),
        "{}",
        run.err
    );
    assert_eq!(scene.dnf_list(&current), ["alpha-1"]);
    of(&[&one, &two], "");
    scene.run(&["sync", "--force", "--allow-delete"]).ends(0);
    assert_eq!(scene.dnf_list(&current), ["alpha-2"]);
}

#[test]
fn where_no_mirror_is_nothing_is_made() {
    let scene = Scene::usual();
    let root = scene.path("mirror");
    let none = format!("there is no mirror at {}", root.display());
    for is_mounted_on in [false, true] {
        for words in [["verify"].as_slice(), &["clean"], &["snapshot", "list"]] {
            let run = scene.run(words).ends(1);
            assert!(run.err.contains(&none), "{words:?}: {}", run.err);
            assert_eq!(root.exists(), is_mounted_on, "{words:?}");
        }
        if is_mounted_on {
            assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
        } else {
            std::fs::create_dir(&root).unwrap();
        }
    }
    scene.sync();
    scene.run(&["verify"]).ends(0);
}
