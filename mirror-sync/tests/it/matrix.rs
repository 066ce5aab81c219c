//! One section that stands for a repository of each architecture and release.

use std::fs;
use std::process::Command;

use testkit::fixtures::skipped;
use testkit::program;

use crate::scene::{Scene, tdnf};

/// Upstream has `5.0/x86_64` and the like; each has a package of its own, and `all`.
fn scene() -> Scene {
    let scene = Scene::new();
    for release in ["5.0", "5.1"] {
        for arch in ["x86_64", "aarch64"] {
            let repo = format!("{release}/{arch}");
            scene.put(&repo, &format!("of-{arch}"), release, "");
            scene.put(&repo, "all", "1", "");
            scene.publish(&repo);
        }
    }
    scene
}

fn configure(scene: &Scene, lines: &str) {
    let public = scene.public("");
    let url = format!("file://{}", public.to_str().unwrap().trim_end_matches('/'));
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\nurl = {url:?}\n[repo.updates]\nname = \"Updates\"\n{lines}\n",
        scene.path("mirror"),
    ));
}

#[test]
fn one_section_is_a_repository_of_each_architecture_and_release() {
    let scene = scene();
    let url = scene.server.url("/$releasever/${basearch}");
    let lists = "arches = [\"x86_64\", \"aarch64\"]\nreleases = [\"5.0\", \"5.1\"]";
    configure(&scene, &format!("baseurl = {url:?}\n{lists}"));
    scene.run(&["sync"]).ends(0);
    let url = |id: &str| format!("file://{}", scene.public(id).display());
    for (id, packages) in [
        ("updates-5.0-x86_64", ["all-1", "of-x86_64-5.0"]),
        ("updates-5.1-aarch64", ["all-1", "of-aarch64-5.1"]),
    ] {
        assert_eq!(scene.dnf_list(&url(id)), packages, "{id}");
    }
    // The section may be named, or one of its repositories.
    scene
        .run(&["sync", "--force", "updates-5.0-aarch64"])
        .ends(0);
    let list = |word: &str| {
        scene
            .run(&["snapshot", "list", word, "--json"])
            .ends(0)
            .json()
    };
    assert_eq!(list("updates").as_array().unwrap().len(), 5);
    assert_eq!(list("updates-5.0-aarch64").as_array().unwrap().len(), 2);
    scene.run(&["sync", "updates"]).ends(3);
    scene
        .run(&["sync", "--set", "repo.updates.select.newest=1", "updates"])
        .ends(0);
    scene.run(&["sync", "updates-6.0-x86_64"]).ends(2);
    // Clients have one section with the variables.
    let file = fs::read_to_string(scene.public("mirror.repo")).unwrap();
    assert_eq!(file.matches("\n[").count(), 1, "{file}");
    let line = format!("baseurl={}", url("updates-$releasever-$basearch"));
    assert!(
        file.contains("[updates]\nname=Updates\n") && file.contains(&line),
        "{file}"
    );
    let Some(tdnf) = tdnf() else {
        return skipped("tdnf was not built");
    };
    let root = scene.path("root");
    for dir in ["etc/yum.repos.d", "etc/tdnf", "var/lib/rpm"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::write(
        root.join("etc/tdnf/tdnf.conf"),
        "[main]\nrepodir=/etc/yum.repos.d\n",
    )
    .unwrap();
    fs::write(root.join("etc/yum.repos.d/m.repo"), file).unwrap();
    let mut command = Command::new(tdnf);
    command.arg(format!("--installroot={}", root.display()));
    let own = format!("of-{}", std::env::consts::ARCH);
    let run = program::run(command.args(["--releasever=5.1", "-y", "install", "all", &own]));
    assert!(run.code == 0, "{}", run.text());
    assert!(root.join("usr/share/stage").join(&own).is_file());
}

/// A section is promoted as far as it is filled, and what is not is named.
#[test]
fn those_of_a_section_that_have_nothing_are_left_out() {
    let scene = scene();
    let url = scene.server.url("/$releasever/${basearch}");
    let lists = "arches = [\"x86_64\", \"aarch64\"]\nreleases = [\"5.0\"]";
    let off = "[repo.\"updates-5.0-aarch64\"]\ndisabled = true";
    configure(&scene, &format!("baseurl = {url:?}\n{lists}\n{off}"));
    scene.run(&["sync"]).ends(0);
    let promote = ["snapshot", "promote", "updates", "--to", "prod"];
    let run = scene.run(&promote).ends(4);
    assert!(run.err.contains("updates-5.0-aarch64"), "{}", run.err);
    assert!(scene.public("prod/updates-5.0-x86_64/repodata").is_dir());
    assert!(!scene.public("prod/updates-5.0-aarch64").exists());
    // So are those that have no snapshot to be pinned or named; a comparison is of one.
    for words in [
        &["pin", "updates"][..],
        &["note", "updates", "2099-12-31", "good"],
        &["rename", "updates", "2099-12-31", "gold"],
    ] {
        let run = scene.run(&[&["snapshot"][..], words].concat()).ends(4);
        assert!(run.err.contains("updates-5.0-aarch64"), "{}", run.err);
        assert!(run.out.contains("updates-5.0-x86_64"), "{}", run.text());
    }
    let run = scene.run(&["snapshot", "diff", "updates", "gold"]).ends(2);
    let members =
        "updates is several repositories: name one of updates-5.0-aarch64, updates-5.0-x86_64";
    assert!(run.err.contains(members), "{}", run.err);
    // None of them has a snapshot before.
    let rollback = ["snapshot", "rollback", "updates"];
    scene.run(&rollback).ends(1);
    scene
        .run(&["sync", "--force", "updates-5.0-x86_64"])
        .ends(0);
    scene.run(&rollback).ends(4);
    let run = scene.run(&["sync", "updates-5.0-aarch64"]);
    assert!(run.code == 0, "{}", run.text());
    scene.run(&promote).ends(0);
}

/// What one architecture needs is not taken from another, and one repository of a section may have words of its own.
#[test]
fn architectures_of_a_section_stand_by_themselves() {
    let scene = scene();
    for arch in ["x86_64", "aarch64"] {
        scene.put(&format!("5.0/{arch}"), "alpha", "1", "Requires: beta");
    }
    scene.put("5.0/aarch64", "beta", "1", "");
    scene.publish("5.0/x86_64");
    scene.publish("5.0/aarch64");
    let url = scene.server.url("/5.0/$basearch");
    let lines = format!(
        "baseurl = {url:?}\narches = [\"x86_64\", \"aarch64\"]\n[repo.updates.select]\npackages = [\"alpha\"]"
    );
    configure(&scene, &lines);
    let run = scene.run(&["sync"]).ends(4);
    assert!(
        run.err.contains("updates-x86_64: ") && run.err.contains("beta"),
        "{}",
        run.err
    );
    assert!(!scene.public("updates-x86_64").exists());
    let there = format!("file://{}", scene.public("updates-aarch64").display());
    assert_eq!(scene.dnf_list(&there), ["alpha-1", "beta-1"]);
    configure(
        &scene,
        &format!("{lines}\n[repo.updates-x86_64.select]\npackages = [\"all\"]"),
    );
    scene.run(&["sync"]).ends(0);
    let here = format!("file://{}", scene.public("updates-x86_64").display());
    assert_eq!(scene.dnf_list(&here), ["all-1"]);
}

#[test]
fn variables_and_lists_belong_together() {
    let scene = scene();
    let (plain, with) = (
        scene.server.url("/5.0/x86_64"),
        scene.server.url("/5.0/$basearch"),
    );
    for (lines, told) in [
        (
            format!("baseurl = {with:?}"),
            "has $basearch, which has no value: list its values, arches = [",
        ),
        (
            format!("baseurl = \"{with}/$releasever\"\narches = [\"x86_64\"]"),
            "has $releasever, which has no value: list its values, releases = [",
        ),
        (
            format!("baseurl = {plain:?}\narches = [\"x86_64\", \"aarch64\"]"),
            "arches lists values of $basearch, which no URL has",
        ),
        (
            format!("baseurl = {plain:?}\nvars = {{ stage = [\"a\", \"b\"] }}"),
            "vars.stage lists values of $stage, which no URL has",
        ),
        (
            format!("baseurl = {with:?}\narches = []"),
            "arches is a list of texts, and not empty",
        ),
        (
            format!("baseurl = {with:?}\narches = [\"a/b\"]"),
            "\"a/b\" cannot be part of an id",
        ),
    ] {
        configure(&scene, &lines);
        let run = scene.run(&["sync"]).ends(2);
        assert!(run.err.contains(told), "{lines}: {}", run.err);
    }
}
