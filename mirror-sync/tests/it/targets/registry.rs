//! A registry: Debian's docker-registry.

use std::fs;
use std::process::Command;

use repo_client::{Access, Client, ClientOptions, Registry as Server};
use testkit::program::ok;
use testkit::registry::Registry;

use super::{Shop, writes};

/// A registry with a mirror that publishes there, `oci://` as clients name it.
fn shop() -> Option<(Registry, Shop, String)> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let engine = Registry::start(&dir.keep())?;
    let shop = Shop::before(&format!("127.0.0.1:{}", engine.port()));
    let place = format!("oci://127.0.0.1:{}/photon", shop.front.port);
    shop.config(&format!("url = {place:?}"));
    Some((engine, shop, place))
}

#[test]
fn a_registry_shows_what_the_mirror_shows_and_nothing_is_sent_twice() {
    let Some((_engine, shop, place)) = shop() else {
        return;
    };
    let scene = &shop.scene;
    scene.sync();
    let first = writes(&shop.front.seen());
    let manifests = |writes: &[String]| {
        let manifests = writes.iter().filter(|line| line.contains("/manifests/"));
        let tags = manifests.map(|line| line.rsplit('/').next().unwrap_or_default().to_owned());
        tags.collect::<Vec<_>>()
    };
    let tags = manifests(&first);
    assert!(tags.len() == 2 && tags[1] == "current", "{first:#?}");

    // Nothing is new: nobody is asked.
    scene.run(&["sync"]).ends(3);
    assert_eq!(shop.front.seen(), []);
    let current = format!("baseurl={place}/base:current");
    if let Some(run) = shop.tdnf("one", &current, &["install", "alpha"]) {
        run.ends(0);
        assert_eq!(shop.versions("one"), ("1".to_owned(), "1".to_owned()));
    }

    // A promotion is one write.
    shop.front.seen();
    scene
        .run(&["snapshot", "promote", "base", "--to", "prod"])
        .ends(0);
    let promoted = writes(&shop.front.seen());
    assert_eq!(promoted, ["PUT /v2/photon/base/manifests/prod"]);

    // Two new packages, three parts of the metadata and the index are sent, no other blob.
    shop.renew("2");
    let run = scene.run(&["sync", "--json"]).ends(0);
    let target = &run.json()["repos"][0]["targets"][0];
    assert_eq!(target["objects"], 2 + 3 + 1 + 2, "{target}");
    let second = shop.front.seen();
    let begun = second.iter().filter(|(method, _)| method == "POST");
    assert_eq!(begun.count(), 6, "{second:#?}");
    let prod = format!("baseurl={place}/base:prod");
    if let Some(run) = shop.tdnf("prod", &prod, &["install", "alpha"]) {
        run.ends(0);
        assert_eq!(shop.versions("prod").0, "1");
    }
    if let Some(run) = shop.tdnf("two", &current, &["install", "alpha"]) {
        run.ends(0);
        assert_eq!(shop.versions("two").0, "2");
    }

    // Back is one write, too.
    shop.front.seen();
    scene.run(&["snapshot", "rollback", "base"]).ends(0);
    let back = writes(&shop.front.seen());
    assert_eq!(back, ["PUT /v2/photon/base/manifests/current"]);
}

/// Others write to the registry, too: what they put under the name of a snapshot, packages or none, is not shown.
#[test]
fn row_148_a_foreign_set_under_the_name_of_a_snapshot_is_replaced() {
    let Some((engine, shop, place)) = shop() else {
        return;
    };
    let scene = &shop.scene;
    scene.sync();
    let (client, access) = (Client::new(ClientOptions::default()), Access::default());
    let server = Server::open(&client, &access, &format!("{place}/base")).unwrap();
    let files = |tag: &str| server.resolve(tag).unwrap().unwrap().files;
    let ours = files("current");
    let tags = server.tags().unwrap();
    let stamp = tags.iter().find(|tag| *tag != "current").unwrap();
    let to = |channel: &str| {
        let words = ["snapshot", "promote", "base", "--to", channel];
        scene.run(&words).ends(0);
        assert_eq!(files(channel), ours);
        assert_eq!(files(stamp), ours);
    };

    let tree = scene.path("foreign");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("evil.rpm"), "x").unwrap();
    engine.put_tree(&tree, "photon/base", stamp);
    assert_ne!(files(stamp), ours);
    to("prod");

    // That of `{}`.
    let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let image = format!(
        "{{\"schemaVersion\":2,\"mediaType\":{kind:?},\"config\":{{\"mediaType\":\
         \"application/vnd.oci.image.config.v1+json\",\"digest\":{digest:?},\"size\":2}},\"layers\":[]}}"
    );
    let head = format!("Content-Type: {kind}");
    let put_under = |tag: &str| {
        let url = format!(
            "http://127.0.0.1:{}/v2/photon/base/manifests/{tag}",
            engine.port()
        );
        let words = ["-sSf", "-X", "PUT", "-H", &head, "-d", &image, &url];
        ok(Command::new("curl").args(words));
    };
    put_under(stamp);
    server.resolve(stamp).unwrap_err();
    to("next");

    // An image under any tag keeps nothing from being cleared away.
    put_under("latest");
    let short = "grace = 0\nkeep_snapshots = 1\nkeep_for = 0\n[repo.base]";
    shop.reconfigure(&[("[repo.base]", short)]);
    let before = server.tags().unwrap();
    let renew = |version: &str| {
        shop.renew(version);
        let run = scene.run(&["sync"]).ends(0);
        assert!(!run.err.contains("warning"), "{}", run.err);
        server.tags().unwrap()
    };
    let with_second = renew("2");
    let second = with_second.iter().find(|tag| !before.contains(tag));
    renew("3");
    let tags = renew("4");
    assert!(!tags.contains(second.unwrap()), "{second:?} of {tags:?}");
    server.resolve("latest").unwrap_err();
}

#[test]
fn a_kill_at_any_moment_shows_the_old_set_or_the_new_one_in_a_registry() {
    let Some((_engine, shop, place)) = shop() else {
        return;
    };
    shop.scene.sync();
    let current = format!("baseurl={place}/base:current");
    let last = shop.kill_while_clients_read(&current);
    if let Some(run) = shop.tdnf("last", &current, &["install", "alpha"]) {
        run.ends(0);
        assert_eq!(shop.versions("last").0, last.to_string());
    }
}

#[test]
fn a_registry_that_is_away_is_one_line_and_is_made_up_for() {
    let Some((_engine, shop, place)) = shop() else {
        return;
    };
    let scene = &shop.scene;
    shop.config("url = \"oci://127.0.0.1:1/photon\"");
    let tries = ["--set", "target.store.retries=10"];
    // It is not waited for as one that answers: the first try and two more, and a promotion the same.
    let run = scene
        .run(&[&tries[..], &["sync", "--json"]].concat())
        .ends(4);
    let target = &run.json()["repos"][0]["targets"][0];
    assert_eq!(target["requests"], 3, "{target}");
    let waiting = "base: target store: waiting for 127.0.0.1:1 (connection refused), trying again";
    assert_eq!(run.err.matches(waiting).count(), 1, "{}", run.err);
    let run = scene.run(&["sync"]).ends(4);
    let errors = run.err.lines().filter(|line| line.starts_with("Error"));
    let errors: Vec<&str> = errors.collect();
    assert_eq!(errors.len(), 1, "{}", run.err);
    assert!(errors[0].contains("target store: "), "{}", run.err);
    // Here it is published all the same.
    assert!(scene.public("base/repodata/repomd.xml").is_file());
    shop.config(&format!("url = {place:?}"));
    scene.run(&["sync"]).ends(0);
    let current = format!("baseurl={place}/base:current");
    if let Some(run) = shop.tdnf("late", &current, &["install", "alpha"]) {
        run.ends(0);
    }
}

/// What expires goes; what somebody else has put there, or has given a name, stays.
#[test]
fn what_no_snapshot_names_leaves_the_registry_and_nothing_else() {
    let Some((engine, shop, place)) = shop() else {
        return;
    };
    let scene = &shop.scene;
    scene.sync();
    let url = format!("http://127.0.0.1:{}/v2/photon/base", engine.port());
    let curl = |words: &[&str]| {
        let mut curl = std::process::Command::new("curl");
        let out = curl.args(["-sS", "-f"]).args(words).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = curl(&[
        "-H",
        &format!("Accept: {kind}"),
        &format!("{url}/manifests/current"),
    ]);
    let file = scene.write("manifest.json", &manifest);
    let hand = |tag: &str| {
        let (kind, file) = (
            format!("Content-Type: {kind}"),
            format!("@{}", file.display()),
        );
        curl(&[
            "-X",
            "PUT",
            "-H",
            &kind,
            "--data-binary",
            &file,
            &format!("{url}/manifests/{tag}"),
        ]);
    };
    hand("golden");
    hand("20200101T000000Z");
    let few = [
        "--set",
        "mirror.keep_snapshots=1",
        "--set",
        "mirror.keep_for=0s",
        "--set",
        "mirror.grace=0s",
        "sync",
    ];
    shop.renew("2");
    scene.run(&few).ends(0);
    let tags = curl(&[&format!("{url}/tags/list")]);
    assert!(
        tags.contains("golden") && tags.contains("20200101T000000Z"),
        "{tags}"
    );
    let prod = format!("baseurl={place}/base:golden");
    if let Some(run) = shop.tdnf("golden", &prod, &["install", "alpha"]) {
        run.ends(0);
        assert_eq!(shop.versions("golden").0, "1");
    }
    // The second set has no other name than those of the mirror.
    let second = scene.run(&["snapshot", "list", "--json"]).ends(0).json();
    let second = second.as_array().unwrap().last().unwrap()["stamp"]
        .as_str()
        .unwrap()
        .to_owned();
    shop.renew("3");
    scene.run(&few).ends(0);
    let tags = curl(&[&format!("{url}/tags/list")]);
    assert!(!tags.contains(&second), "{tags}");
}

#[test]
fn a_login_is_no_part_of_an_address_that_clients_see() {
    let scene = crate::scene::Scene::new();
    scene.config_text(
        "[mirror]\npath = \"m\"\n[target.store]\nurl = \"s3://KEY:SECRET@bucket/photon\"\n",
    );
    let run = scene.run(&["status"]).ends(2);
    assert!(
        run.err.contains("target.store.url: a login in the URL"),
        "{}",
        run.err
    );
    assert!(!run.err.contains("SECRET"), "{}", run.err);
}

#[test]
fn a_write_whose_answer_was_lost_is_no_reason_to_stay_with_it_in_a_registry() {
    let Some((_engine, shop, place)) = shop() else {
        return;
    };
    let relay = shop.through_a_relay();
    let lines = format!("baseurl={place}/base:current");
    shop.goes_back_after_a_lost_answer(&relay, "PUT /v2/photon/base/manifests/current ", &lines);
}

#[test]
fn another_mirror_at_the_same_registry_is_told_of() {
    if let Some((_engine, shop, _)) = shop() {
        shop.tells_of_another_mirror();
    }
}
