//! Rows 1, 2, 28 and 80: metadata that go back in time, metadata that stand still, packages that are older than what is
//! there, a clock that is wrong.

use super::*;
use crate::scene_repo::Published;

/// The index of a repository as if all of it had been made at `time`.
fn made_at(published: &Published, time: u64) -> String {
    let text = published.repomd();
    let mut parts = text.split("<timestamp>");
    let mut made = parts.next().unwrap().to_owned();
    for part in parts {
        let (_, rest) = part.split_once("</timestamp>").unwrap();
        made += &format!("<timestamp>{time}</timestamp>{rest}");
    }
    assert!(made.contains(&format!("<timestamp>{time}<")), "{made}");
    made
}

#[test]
fn row_01_older_metadata_waits_for_the_word() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    let (now, key) = (testkit::now(), Some(&scene.key));
    published.write_index(&made_at(&published, now - DAY), key);
    scene.tdnf(&["makecache"]).ok();
    published.write_index(&made_at(&published, now - 2 * DAY), key);
    let words = ["main", "older", "--allow-older"];
    scene
        .refuses(&["--refresh", "makecache"], &words[..2])
        .says(&words[2..]);
    // Nothing is forgotten by clearing the cache.
    scene.tdnf(&["clean", "all"]).ok();
    scene.refuses(&["makecache"], &words[..2]);
    scene.tdnf(&["--allow-older", "makecache"]).ok();
    // From then on that is the newest that was seen.
    scene.tdnf(&["--refresh", "makecache"]).ok();
    published.write_index(&made_at(&published, now - 3 * DAY), key);
    scene.refuses(&["--refresh", "makecache"], &words[..2]);
    // Without a signature anybody could have said anything: it is told, and taken.
    scene.configure("main", "repo_gpgcheck=0");
    let run = scene.tdnf(&["--refresh", "makecache"]).ok();
    run.says(&["main", "older metadata than before"]);
}

#[test]
fn row_02_metadata_that_nobody_renews() {
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    let (now, key) = (testkit::now(), Some(&scene.key));
    let warning = "warning: repository main: its metadata is 31 days old";
    published.write_index(&made_at(&published, now - 31 * DAY), key);
    let warns = |words: &[&str]| {
        let run = scene.tdnf(words).ok();
        let said = run.err.lines().filter(|line| line.starts_with(warning));
        said.count()
    };
    assert_eq!(warns(&["makecache"]), 1);
    assert_eq!(warns(&["-C", "list", "available"]), 1);
    assert_eq!(
        warns(&["--setopt=main.metadata_max_age=never", "list", "available"]),
        0
    );
    assert_eq!(
        warns(&["--setopt=main.metadata_max_age=32d", "list", "available"]),
        0
    );
    // Repositories without signed metadata are not asked how old they are, unless they are to be.
    scene.configure("main", "repo_gpgcheck=0");
    assert_eq!(warns(&["list", "available"]), 0);
    scene.configure("main", "repo_gpgcheck=0\nmetadata_max_age=30d");
    assert_eq!(warns(&["list", "available"]), 1);
    scene.configure("main", "");
    published.write_index(&made_at(&published, now - 29 * DAY), key);
    assert_eq!(warns(&["--refresh", "list", "available"]), 0);
}

#[test]
fn row_28_an_update_never_goes_down() {
    let (scene, _) = Scene::with(&[&package("app", "2", "")]);
    scene.install(&["app"]).ok();
    let older = package("app", "1", "").signed(&scene.key);
    scene.publish("main", &[&older]);
    scene.tdnf(&["--refresh", "makecache"]).ok();
    let installed = ["app-2", "first-1"];
    for words in [
        &["update"][..],
        &["upgrade", "app"],
        &["update-to", "app-1"],
        &["install", "app"],
        &["update", "--security"],
    ] {
        let words = [&["-y"], words].concat();
        let run = scene.tdnf(&words);
        assert!(!run.text().contains("panicked"), "{run:?}");
        assert_eq!(scene.installed(), installed, "{words:?}: {}", run.text());
        let plan = scene.tdnf(&[&["-j", "--assumeno"], &words[1..]].concat());
        assert!(
            !plan.text().contains("Downgrade"),
            "{words:?}: {}",
            plan.text()
        );
    }
    // What goes down is asked for in so many words, and called what it is.
    let asked = scene.tdnf(&["--assumeno", "downgrade", "app"]);
    assert!(asked.text().contains("Downgrading:"), "{}", asked.text());
    assert_eq!(scene.installed(), installed);
}

/// With `SOURCE_DATE_EPOCH` in the place of the clock, as whatever a run decides by time goes by it.
#[test]
fn row_80_a_clock_that_is_wrong() {
    let (now, clock_of) = (testkit::now(), |time: u64| {
        format!("SOURCE_DATE_EPOCH={time}")
    });
    let scene = Scene::new();
    let key = key_of("Year <year@tests.invalid>", now - DAY, Some(365 * DAY));
    let packages = ["app", "other"].map(|name| package(name, "1", "").signed(&key));
    let published = scene.publish("main", &packages.iter().collect::<Vec<_>>());
    published.write(Some(&key));
    let url = scene.write_key("year", &key);
    let signed = format!("gpgkey={url}\nmetadata_expire=3600");
    let bare = format!("{signed}\nrepo_gpgcheck=0\nmetadata_max_age=30d");
    scene.configure("main", &signed);
    scene.install(&["app"]).ok();
    let (keys, installed) = (scene.trusted_keys(), scene.installed());
    assert_eq!(keys.len(), 1);
    let at = |time: u64, words: &[&str]| scene.tdnf_under(&["env", &clock_of(time)], words);
    let refused = |time: u64, words: &[&str], said: &[&str]| {
        let good = scene.state();
        let run = at(time, words);
        run.refused(&[said, &["the clock here"]].concat());
        scene.unchanged(&good, &run);
    };
    let install = ["-y", "install", "other"];
    let ahead = now + 3653 * DAY;
    // What is cached was fetched in the future: the server is asked, and what it has is from the future, too.
    scene.server.forget();
    refused(0, &["list", "available"], &["main", "future"]);
    assert!(!scene.server.seen_at("/main/repodata/repomd.xml").is_empty());
    refused(ahead, &["list", "available"], &["main", "key expired on"]);
    // Without signed metadata it is the packages that are from the future, or the metadata that are old.
    scene.configure("main", &bare);
    refused(0, &install, &["other", "future"]);
    let run = at(ahead, &["list", "available"]).ok();
    run.says(&["warning", "main", "365", "days old", "the clock here"]);
    assert_eq!(scene.trusted_keys(), keys);
    assert_eq!(scene.installed(), installed);
    // The right clock is enough afterwards: nothing was lost, and nothing of the wrong time is remembered.
    scene.configure("main", &signed);
    scene.tdnf(&["--refresh", "makecache"]).ok();
    let run = scene.tdnf(&install).ok();
    assert!(!run.text().contains("importing key"), "{}", run.text());
    assert_eq!(scene.trusted_keys(), keys);
}
