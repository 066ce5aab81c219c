//! Snapshots with names, notes and pins, and several that become one repository.

use std::fs;

use crate::made::with_tdnf;
use crate::scene::{Scene, VENDOR, tdnf};
use testkit::fixtures::skipped;
use testkit::gpg::Gpg;

fn sees(scene: &Scene, path: &str) -> Vec<String> {
    scene.dnf_list(&format!("file://{}", scene.public(path).display()))
}

/// `base` and `updates`, each with its own advisories and groups, and `all`, which is merged.
fn two() -> Scene {
    let scene = Scene::usual();
    let comps = |group: &str, package: &str| {
        format!(
            "<comps><group><id>{group}</id><name>G</name><packagelist><packagereq type=\"mandatory\">{package}</packagereq>\
             </packagelist></group></comps>"
        )
    };
    scene.put("updates", "alpha", "2", "Requires: beta");
    scene.put("updates", "delta", "1", "");
    for (repo, group, package) in [("base", "core", "gamma"), ("updates", "core", "delta")] {
        fs::write(scene.path("comps.xml"), comps(group, package)).unwrap();
        testkit::rpm::createrepo(
            &scene.path("up").join(repo),
            &[
                "--general-compress-type=gz",
                "--no-database",
                "-g",
                scene.path("comps.xml").to_str().unwrap(),
            ],
        );
    }
    let key = scene.path("mirror.key");
    scene
        .run(&["key", "generate", key.to_str().unwrap()])
        .ends(0);
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\nsign_key = {key:?}\n[repo.base]\nbaseurl = {:?}\n[repo.updates]\nbaseurl = {:?}\n\
         [repo.all]\nmode = \"merge\"\n",
        scene.path("mirror"),
        scene.server.url("/base"),
        scene.server.url("/updates"),
    ));
    scene.sync();
    scene
}

/// What asks for a token is shown without one only where that was meant.
#[test]
fn a_merged_repository_opens_no_door_of_its_sources() {
    let scene = two();
    let text = fs::read_to_string(scene.path("mirror.toml")).unwrap();
    let locked = text.replacen("[repo.base]\n", "[repo.base]\ntokens_file = \"t\"\n", 1);
    let merge = || scene.run(&["snapshot", "merge", "--into", "all", "base", "updates"]);
    scene.config_text(&locked);
    let why = merge().ends(2).err;
    assert!(why.contains("clients of base need a token"), "{why}");
    assert!(!scene.public("all").exists());
    for own in ["\"t\"", "\"\""] {
        let meant = format!("mode = \"merge\"\ntokens_file = {own}");
        scene.config_text(&locked.replacen("mode = \"merge\"", &meant, 1));
        let code = if scene.public("all").exists() { 3 } else { 0 };
        merge().ends(code);
    }
}

#[test]
fn several_snapshots_become_one_repository() {
    let scene = two();
    let merge = ["snapshot", "merge", "--into", "all", "base", "updates"];
    scene.run(&merge).ends(0);
    let all = ["alpha-1", "alpha-2", "beta-1", "delta-1", "gamma-1"];
    assert_eq!(sees(&scene, "all"), all);
    scene.run(&["verify"]).ends(0);
    scene.run(&merge).ends(3);
    // The metadata are signed here, and comps of both are one.
    let gpg = Gpg::at(&scene.path("gnupg"));
    gpg.ok(&["--import", scene.path("mirror.key.pub").to_str().unwrap()]);
    let repodata = scene.public("all/repodata");
    let path = |name: &str| repodata.join(name).to_str().unwrap().to_owned();
    gpg.ok(&["--verify", &path("repomd.xml.asc"), &path("repomd.xml")]);
    let url = format!("file://{}", scene.public("all").display());
    let run = scene.dnf(&url, &["group", "info", "core"]).ends(0);
    assert!(
        run.out.contains("gamma") && run.out.contains("delta"),
        "{}",
        run.out
    );
    if tdnf().is_some() {
        let run = with_tdnf(&scene.path("tdnf-root"), &url, &["alpha", "delta"]);
        for name in ["alpha", "beta", "delta"] {
            let file = scene.path("tdnf-root/usr/share/stage").join(name);
            assert!(file.is_file(), "{}", run.text());
        }
    } else {
        skipped("tdnf was not built");
    }
    // The same name with other bytes is said, and the first source has the word.
    let other = crate::scene::package_of("beta", "1", "", 30_000);
    let wanted = fs::read(scene.public("base/Packages/beta-1-1.noarch.rpm")).unwrap();
    fs::copy(other, scene.path("up/updates/Packages/beta-1-1.noarch.rpm")).unwrap();
    scene.publish("updates");
    scene.sync();
    let run = scene.run(&merge).ends(0);
    let told =
        "all: warning: beta-0:1-1.noarch of base and of updates differ: that of base is taken\n";
    let told_plain = told.replace("0:", "");
    assert!(
        run.err.contains(told) || run.err.contains(&told_plain),
        "{}",
        run.err
    );
    assert_eq!(
        fs::read(scene.public("all/Packages/beta-1-1.noarch.rpm")).unwrap(),
        wanted
    );
    assert_eq!(sees(&scene, "all"), all);
    // A former state of one of them; the guard counts here, too.
    let stamp = scene.run(&["snapshot", "list", "updates", "--json"]).json()[0]["stamp"]
        .as_str()
        .unwrap()
        .to_owned();
    let old = format!("updates@{stamp}");
    let run = scene
        .run(&["snapshot", "merge", "--into", "all", &old])
        .ends(1);
    assert!(run.err.contains("max_delete_percent"), "{}", run.err);
    scene
        .run(&["snapshot", "merge", "--into", "all", "--allow-delete", &old])
        .ends(0);
    assert_eq!(sees(&scene, "all"), ["alpha-2", "delta-1"]);
    for (words, told) in [
        (
            ["--into", "base", "updates"],
            "base is no repository that is merged",
        ),
        (["--into", "all", "all"], "all cannot be merged into itself"),
        (["--into", "all", "nowhere"], "no repository nowhere"),
    ] {
        let words = [&["snapshot", "merge"], &words[..]].concat();
        let run = scene.run(&words).ends(2);
        assert!(run.err.contains(told), "{}", run.err);
    }
    // `sync` leaves it alone, and it is rolled back as any.
    scene.run(&["sync"]).ends(3);
    scene.run(&["snapshot", "rollback", "all"]).ends(0);
    assert_eq!(sees(&scene, "all"), all);
}

#[test]
fn what_a_merged_repository_shares_is_mended_by_the_one_that_has_an_upstream() {
    let scene = two();
    scene
        .run(&["snapshot", "merge", "--into", "all", "base", "updates"])
        .ends(0);
    // `all` comes before `base`.
    let file = "Packages/beta-1-1.noarch.rpm";
    let package = scene.public("base").join(file);
    for words in [&["verify"][..], &["verify", "all"]] {
        let good = fs::read(&package).unwrap();
        let mut bytes = good.clone();
        bytes[200] ^= 1;
        fs::write(&package, bytes).unwrap();
        let run = scene.run(words).ends(5);
        assert!(run.out.contains("1 repaired"), "{}", run.text());
        let shown = fs::read(scene.public("all").join(file)).unwrap();
        assert!(shown == good, "{}", run.text());
        // Those that share it are linked again, each when it is looked at.
        scene.run(&["verify"]);
        assert!(fs::read(&package).unwrap() == good);
        scene.run(&["verify"]).ends(0);
    }
    // What nobody has is said.
    let primary = fs::read_dir(scene.public("all/repodata")).unwrap();
    let mut primary = primary.map(|entry| entry.unwrap().path());
    let primary = primary.find(|path| path.to_string_lossy().contains("primary.xml"));
    let primary = primary.unwrap();
    let mut bytes = fs::read(&primary).unwrap();
    bytes[20] ^= 1;
    fs::write(&primary, bytes).unwrap();
    let run = scene.run(&["verify"]).ends(6);
    let told = "no repository that is configured with an upstream has it";
    assert!(run.err.contains(told), "{}", run.err);
}

/// `base` and `updates` with signed packages; their lines, and those of `all`, which is merged.
fn signed(scene: &Scene, base: &str, updates: &str, all: &str) {
    let section = |id: &str| {
        format!(
            "[repo.{id}]\nbaseurl = {:?}\n",
            scene.server.url(&format!("/{id}"))
        )
    };
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\nurl = \"https://mirror\"\n{}{base}\n{}{updates}\n[repo.all]\nmode = \"merge\"\n{all}\n",
        scene.path("mirror"),
        section("base"),
        section("updates"),
    ));
}

#[test]
fn clients_check_a_merged_repository_with_the_keys_of_its_sources() {
    let scene = Scene::usual();
    let mut lines = Vec::new();
    scene.put("updates", "delta", "1", "");
    for repo in ["base", "updates"] {
        let gpg = Gpg::with_key(&scene.path(&format!("gnupg-{repo}")), VENDOR);
        let key = scene.path(&format!("{repo}.asc"));
        fs::write(&key, gpg.public()).unwrap();
        for entry in fs::read_dir(scene.path("up").join(repo).join("Packages")).unwrap() {
            gpg.sign_package(VENDOR, &entry.unwrap().path());
        }
        scene.publish(repo);
        lines.push(format!("gpgkey = {key:?}"));
    }
    let merge = ["snapshot", "merge", "--into", "all", "base", "updates"];
    let of_all = || {
        let text = fs::read_to_string(scene.public("mirror.repo")).unwrap();
        let all = text.split("\n[").find(|part| part.starts_with("all]"));
        (all.unwrap().to_owned(), text)
    };
    signed(&scene, &lines[0], &lines[1], "");
    scene.sync();
    let run = scene.run(&merge).ends(0);
    assert!(!run.err.contains("warning"), "{}", run.err);
    let (all, text) = of_all();
    assert!(all.contains("\ngpgcheck=1\n"), "{all}");
    let keys = "gpgkey=https://mirror/keys/all-0.asc https://mirror/keys/all-1.asc\n";
    assert!(all.contains(keys) && !text.contains("WARNING"), "{text}");
    for (number, repo) in ["base", "updates"].iter().enumerate() {
        assert_eq!(
            fs::read(scene.public(&format!("keys/all-{number}.asc"))).unwrap(),
            fs::read(scene.path(&format!("{repo}.asc"))).unwrap()
        );
    }
    // One of them is not checked any more: nothing can be promised, and that is said.
    signed(&scene, &lines[0], "", "");
    let run = scene.run(&merge).ends(0);
    assert!(run.err.contains("gpgcheck=0 in mirror.repo"), "{}", run.err);
    assert!(run.err.contains("those of updates are not"), "{}", run.err);
    let (all, text) = of_all();
    assert!(all.contains("\ngpgcheck=0\n"), "{all}");
    assert!(text.contains("# WARNING: no signature"), "{text}");
    // What is said of it by itself counts.
    signed(&scene, &lines[0], "", "gpgcheck = false");
    let run = scene.run(&merge);
    assert!(!run.err.contains("warning"), "{}", run.err);
    scene.run(&["sync"]);
    let (_, text) = of_all();
    assert!(!text.contains("WARNING"), "{text}");
}

#[test]
fn a_merged_repository_is_behind_when_its_sources_are_newer() {
    let scene = two();
    let merge = ["snapshot", "merge", "--into", "all", "base", "updates"];
    scene.run(&merge).ends(0);
    let row = || {
        let out = scene.run(&["status"]).out;
        out.lines()
            .find(|line| line.starts_with("all "))
            .unwrap()
            .to_owned()
    };
    assert!(
        row().contains("up to date") && row().contains("merged: just now"),
        "{}",
        row()
    );
    scene.put("updates", "omega", "1", "");
    scene.publish("updates");
    scene.sync();
    assert!(row().contains("behind since 20"), "{}", row());
    let run = scene.run(&["status"]);
    let told = "updates shows something else since: `mirror-sync";
    assert!(run.text().contains(told), "{}", run.text());
    scene.run(&merge).ends(0);
    assert!(row().contains("up to date"), "{}", row());
    fs::remove_dir_all(scene.path("up/updates/repodata")).unwrap();
    scene.run(&["sync"]);
    let run = scene.run(&["status"]);
    assert!(
        run.text().contains("its source updates has failed: "),
        "{}",
        run.text()
    );
    // A snapshot that was asked for is not behind.
    let stamp = scene.run(&["snapshot", "list", "base", "--json"]).json()[0]["stamp"].clone();
    let fixed = format!("base@{}", stamp.as_str().unwrap());
    scene.put("base", "omega", "2", "");
    scene.publish("base");
    scene.run(&["sync", "base"]).ends(0);
    let words = [
        "snapshot",
        "merge",
        "--into",
        "all",
        "--allow-delete",
        &fixed,
    ];
    scene.run(&words).ends(0);
    assert!(row().contains("up to date"), "{}", row());
}

#[test]
fn what_fills_a_merged_repository_is_said() {
    let scene = two();
    let told = "all is not filled by sync: `mirror-sync ";
    let run = scene.run(&["sync", "all"]).ends(2);
    assert!(run.err.contains(told), "{}", run.err);
    let run = scene.run(&["sync"]).ends(3);
    assert!(!run.err.contains(told), "{}", run.err);
    let alone = format!(
        "[mirror]\npath = {:?}\n[repo.all]\nmode = \"merge\"\n",
        scene.path("mirror")
    );
    scene.config_text(&alone);
    let run = scene.run(&["sync"]).ends(0);
    assert!(run.err.contains(told), "{}", run.err);
    scene.config_text(&format!("{alone}baseurl = \"http://h\"\n"));
    let run = scene.run(&["sync"]).ends(2);
    assert!(
        run.err.contains("mode = \"merge\" takes no URL"),
        "{}",
        run.err
    );
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    scene.config_text(&format!(
        "{alone}[repo.updates-5.0-aarch64]\nbaseurl = \"http://h\"\n"
    ));
    let run = scene.run(&["sync"]).ends(2);
    let told = "no key is called 0-aarch64: a name with dots is quoted, [repo.\"NAME.0-aarch64\"]";
    assert!(run.err.contains(told), "{}", run.err);
}

#[test]
fn a_snapshot_has_a_name_and_a_note_and_stays_if_pinned() {
    let scene = Scene::usual();
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\ngrace = 0\nkeep_snapshots = 1\nkeep_for = 0\n[repo.base]\nbaseurl = {:?}\n",
        scene.path("mirror"),
        scene.server.url("/base")
    ));
    scene.sync();
    let list = || {
        scene
            .run(&["snapshot", "list", "base", "--json"])
            .ends(0)
            .json()
    };
    let first = list()[0]["stamp"].as_str().unwrap().to_owned();
    scene
        .run(&["snapshot", "rename", "base", &first, "golden"])
        .ends(0);
    scene
        .run(&["snapshot", "note", "base", "golden", "tested on the ship"])
        .ends(0);
    scene.run(&["snapshot", "pin", "base"]).ends(0);
    for version in ["2", "3"] {
        scene.take("base", "gamma");
        scene.put("base", "gamma", version, "");
        scene.publish("base");
        scene.run(&["sync", "--allow-delete"]).ends(0);
    }
    let told = list();
    assert_eq!(told.as_array().unwrap().len(), 2, "{told}");
    let of = |key: &str| told[0][key].clone();
    assert_eq!(of("stamp"), first);
    assert_eq!(
        (of("name"), of("note"), of("pinned")),
        ("golden".into(), "tested on the ship".into(), true.into())
    );
    let row = scene.run(&["snapshot", "list", "base"]).ends(0).out;
    let words = "name=golden pinned \"tested on the ship\"";
    assert!(row.lines().next().unwrap().ends_with(words), "{row}");
    // Its name means it wherever a date does.
    let diff = scene
        .run(&["snapshot", "diff", "base", "golden"])
        .ends(0)
        .out;
    assert!(diff.contains("- Packages/gamma-1-1.noarch.rpm"), "{diff}");
    scene
        .run(&[
            "snapshot",
            "promote",
            "base",
            "--to",
            "prod",
            "--snapshot",
            "golden",
        ])
        .ends(0);
    assert_eq!(sees(&scene, "prod/base"), ["alpha-1", "beta-1", "gamma-1"]);
    let serving = crate::serving::Serving::start(&scene);
    let dated = serving.url("/@golden/base");
    assert_eq!(scene.dnf_list(&dated), ["alpha-1", "beta-1", "gamma-1"]);
    drop(serving);
    let newest = list()[1]["stamp"].as_str().unwrap().to_owned();
    for (name, why) in [
        ("golden", "has it"),
        ("2026-01-31", "this is a date"),
        ("../x", "a name consists of"),
        (".x", "a name consists of"),
    ] {
        let run = scene
            .run(&["snapshot", "rename", "base", &newest, name])
            .ends(2);
        assert!(run.err.contains(why), "{name}: {}", run.err);
    }
    scene
        .run(&["snapshot", "note", "base", "golden", "two\nlines"])
        .ends(2);
    scene.run(&["snapshot", "pin", "base", "nobody"]).ends(1);
    // What is not pinned any more and not shown goes with the next publication, and its name with it.
    scene
        .run(&["snapshot", "rollback", "base", "--channel", "prod", &newest])
        .ends(0);
    scene.run(&["snapshot", "unpin", "base", "golden"]).ends(0);
    scene.put("base", "omega", "1", "");
    scene.publish("base");
    scene.sync();
    assert!(!list().to_string().contains(&first), "{}", list());
    scene.run(&["snapshot", "diff", "base", "golden"]).ends(1);
    assert!(
        !fs::read_to_string(scene.path("mirror/state/base/labels.json"))
            .unwrap()
            .contains("golden")
    );
}
