//! What is published needs nothing from elsewhere, whatever upstream's metadata name.

use std::fs;

use testkit::fixtures::skipped;

use crate::guards::rewrite_primary;
use crate::made::with_tdnf;
use crate::scene::{Scene, tdnf};

/// Changes upstream's repomd.xml.
fn rewrite_index(scene: &Scene, change: impl Fn(&str) -> String) {
    let path = scene.path("up/base/repodata/repomd.xml");
    let text = change(&fs::read_to_string(&path).unwrap());
    fs::write(&path, text).unwrap();
}

/// Without upstream, real dnf and our own tdnf install all three from the mirror.
fn stands_alone(scene: &Scene, what: &str) {
    fs::rename(scene.path("up"), scene.path("gone")).unwrap();
    let url = format!("file://{}", scene.public("base").display());
    let index = fs::read_to_string(scene.public("base/repodata/repomd.xml")).unwrap();
    assert!(!index.contains("xml:base"), "{what}: {index}");
    let words = ["alpha", "gamma"];
    let dnf = scene.dnf(&url, &[&["install"], &words[..]].concat());
    let mut roots = vec![("dnf-root", dnf)];
    scene.run(&["verify"]).ends(0);
    if tdnf().is_some() {
        let run = with_tdnf(&scene.path("tdnf-root"), &url, &words);
        roots.push(("tdnf-root", run));
    } else {
        skipped("tdnf was not built");
    }
    for (root, run) in roots {
        for name in ["alpha", "beta", "gamma"] {
            let file = scene.path(root).join("usr/share/stage").join(name);
            assert!(file.is_file(), "{what}: {root}: {}", run.text());
        }
    }
}

/// Locations above the repository, absolute ones, whole URLs, and bases of these kinds.
#[test]
fn packages_come_from_wherever_upstream_names_them() {
    let old = "<location href=\"Packages/gamma-1-1.noarch.rpm\"";
    for new in [
        "<location href=\"../pool/gamma-1-1.noarch.rpm\"",
        "<location href=\"Packages/../../pool/gamma-1-1.noarch.rpm\"",
        "<location href=\"/pool/gamma-1-1.noarch.rpm\"",
        "<location href=\"URL/pool/gamma-1-1.noarch.rpm\"",
        "<location href=\"URL/pool/gamma%2D1-1.noarch.rpm\"",
        "<location xml:base=\"../pool\" href=\"gamma-1-1.noarch.rpm\"",
        "<location xml:base=\"URL/base/../pool/\" href=\"gamma-1-1.noarch.rpm\"",
        "<location xml:base=\"URL/x/\" href=\"../pool/gamma-1-1.noarch.rpm\"",
    ] {
        let scene = Scene::usual();
        let pool = scene.path("up/pool");
        fs::create_dir(&pool).unwrap();
        let name = "gamma-1-1.noarch.rpm";
        fs::rename(scene.path("up/base/Packages").join(name), pool.join(name)).unwrap();
        let url = scene.server.url("");
        let new = new.replace("URL", url.trim_end_matches('/'));
        rewrite_primary(&scene, "base", |text| text.replace(old, &new));
        let run = scene.sync();
        let told = "base: upstream's packages lie elsewhere: the metadata are made here";
        assert!(run.err.contains(told), "{new}: {}", run.err);
        scene.run(&["sync"]).ends(3);
        // What is damaged is fetched from there again.
        let mut stored = testkit::tree::files(&scene.path("mirror/store"));
        let want = fs::read(pool.join(name)).unwrap();
        stored.retain(|path| fs::read(path).unwrap() == want);
        fs::remove_file(&stored[0]).unwrap();
        let run = scene.run(&["verify"]);
        assert!(stored[0].is_file(), "{new}: {}", run.text());
        stands_alone(&scene, &new);
    }
}

/// Parts of the metadata that repomd.xml has elsewhere lie beside it in the mirror.
#[test]
fn metadata_come_from_wherever_upstream_names_them() {
    for kind in ["primary", "filelists", "other"] {
        for (base, keeps_folder) in [
            ("URL/md/", true),
            ("URL/md/repodata/", false),
            ("md/", true),
        ] {
            let scene = Scene::usual();
            let folder = match base {
                "md/" => scene.path("up/base/md/repodata"),
                _ => scene.path("up/md/repodata"),
            };
            fs::create_dir_all(&folder).unwrap();
            let home = scene.path("up/base/repodata");
            for entry in fs::read_dir(&home).unwrap().flatten() {
                if entry.file_name().to_string_lossy().contains(kind) {
                    fs::rename(entry.path(), folder.join(entry.file_name())).unwrap();
                }
            }
            let url = scene.server.url("");
            let base = base.replace("URL", url.trim_end_matches('/'));
            rewrite_index(&scene, |text| {
                let (before, after) =
                    text.split_at(text.find(&format!("<data type=\"{kind}\"")).unwrap());
                let old = "<location href=\"repodata/";
                let new = match keeps_folder {
                    true => format!("<location xml:base=\"{base}\" href=\"repodata/"),
                    false => format!("<location xml:base=\"{base}\" href=\""),
                };
                format!("{before}{}", after.replacen(old, &new, 1))
            });
            let run = scene.sync();
            let told = "base: upstream's metadata lie elsewhere: the metadata are made here";
            assert!(run.err.contains(told), "{kind} {base}: {}", run.err);
            let index = fs::read_to_string(scene.public("base/repodata/repomd.xml")).unwrap();
            assert!(index.contains(&format!("type=\"{kind}\"")), "{index}");
            scene.run(&["sync"]).ends(3);
            stands_alone(&scene, &format!("{kind} {base}"));
        }
    }
}

/// What a client of a tree would miss is found, whatever the lists of the mirror say, and mended.
#[test]
fn verify_asks_what_a_client_of_the_tree_would_ask() {
    let scene = Scene::usual();
    scene.sync();
    scene
        .run(&["snapshot", "promote", "base", "--to", "prod"])
        .ends(0);
    scene.run(&["verify", "--no-repair"]).ends(0);
    let stamp = scene.run(&["snapshot", "list", "--json"]).ends(0).json()[0]["stamp"]
        .as_str()
        .unwrap()
        .to_owned();
    let old = format!("snapshots/base/{stamp}");
    let gamma = "Packages/gamma-1-1.noarch.rpm";
    let replace = |path: &std::path::Path| {
        fs::remove_file(path).unwrap();
        fs::write(path, "something else").unwrap();
    };
    type Harm<'a> = (&'a str, String, &'a dyn Fn(&std::path::Path));
    let gone = |path: &std::path::Path| fs::remove_file(path).unwrap();
    let tree_gone = |path: &std::path::Path| fs::remove_dir_all(path).unwrap();
    let harms: [Harm<'_>; 8] = [
        ("base", gamma.to_owned(), &gone),
        ("prod/base", gamma.to_owned(), &replace),
        (&old, gamma.to_owned(), &gone),
        ("base", "repodata/repomd.xml".to_owned(), &gone),
        ("prod/base", "repodata/repomd.xml".to_owned(), &replace),
        ("base", String::new(), &gone),
        (&old, String::new(), &tree_gone),
        (".live/current/base/1", String::new(), &tree_gone),
    ];
    for (tree, path, harm) in harms {
        let at = scene.public(tree).join(&path);
        harm(std::path::Path::new(
            at.to_str().unwrap().trim_end_matches('/'),
        ));
        let run = scene.run(&["verify", "--no-repair"]).ends(6);
        assert!(run.err.contains(&path), "{tree}/{path}: {}", run.text());
        scene.server.forget();
        let run = scene.run(&["verify", "--json"]);
        assert!(
            run.code != 1 && run.code != 4,
            "{tree}/{path}: {}",
            run.text()
        );
        assert_ne!(run.json()["repaired"], 0, "{tree}/{path}: {}", run.text());
        assert_eq!(scene.server.seen().len(), 0, "nothing need be fetched");
        scene.run(&["verify", "--no-repair"]).ends(0);
    }
    for tree in ["base", "prod/base", &old] {
        let url = format!("file://{}", scene.public(tree).display());
        assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1", "gamma-1"]);
    }
}
