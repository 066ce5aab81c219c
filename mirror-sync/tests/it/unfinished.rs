//! Files on their way: `serve` and `sync` do not meet at them, and they do not pile up.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use testkit::server::Answer;

use crate::scene::{Scene, files_in, package_of};
use crate::serving::{Serving, curl};

/// The path of a package upstream.
fn package(name: &str) -> String {
    format!("/base/Packages/{name}-1-1.noarch.rpm")
}

/// `base` in proxy mode and `same`, with the same upstream, mirrored.
fn both(scene: &Scene, lines: &str) {
    scene.config(&format!(
        "mode = \"proxy\"\nretries = 0\n[repo.same]\nbaseurl = {:?}\n{lines}",
        scene.server.url("/base")
    ));
}

pub(crate) fn wait_for(done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "it never comes to that");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn row_117_clients_get_what_sync_is_fetching() {
    let scene = Scene::usual();
    both(&scene, "");
    let serving = Serving::start(&scene);
    let slow = Answer {
        pieces: Some((2000, Duration::from_millis(200))),
        ..Answer::default()
    };
    scene.server.always(&package("gamma"), slow);
    let mut sync = scene.command(&["sync", "same"]);
    let mut sync = sync.stdout(Stdio::null()).spawn().unwrap();
    let partial = scene.path("mirror/partial");
    let begun = || {
        files_in(&partial)
            .iter()
            .any(|name| name.ends_with(".part"))
    };
    wait_for(begun);
    let url = serving.url(&package("gamma"));
    let got = scene.path("got");
    curl(&["-f", "-o", got.to_str().unwrap(), &url]).ends(0);
    let whole = fs::read(scene.path("up").join(&package("gamma")[1..])).unwrap();
    assert!(fs::read(got).unwrap() == whole);
    assert_eq!(sync.wait().unwrap().code(), Some(0));
}

#[test]
fn row_117_clients_are_told_no_path_of_the_host() {
    let scene = Scene::usual();
    both(&scene, "");
    let serving = Serving::start(&scene);
    let answer = |name: &str| curl(&["-w", "%{http_code}", &serving.url(&package(name))]).out;
    scene.server.always(&package("alpha"), Answer::status(404));
    let said = answer("alpha");
    assert!(said.ends_with("502") && said.contains("404"), "{said}");
    let partial = scene.path("mirror/partial/proxied");
    fs::remove_dir_all(&partial).unwrap();
    fs::write(&partial, "").unwrap();
    let said = answer("beta");
    assert!(said.contains("the mirror cannot give this file"), "{said}");
    assert!(said.ends_with("502") && !said.contains("/mirror"), "{said}");
}

/// An upstream that cuts each answer leaves a part of every package that is asked for.
#[test]
fn row_117_parts_count_for_the_quota_and_are_cleaned() {
    let scene = Scene::new();
    let names: Vec<String> = (0..4).map(|number| format!("big{number}")).collect();
    let to = scene.path("up/base/Packages");
    fs::create_dir_all(&to).unwrap();
    for name in &names {
        let built = package_of(name, "1", "", 400_000);
        fs::copy(&built, to.join(built.file_name().unwrap())).unwrap();
        scene.server.always(&package(name), Answer::cut_at(300_000));
    }
    scene.publish("base");
    both(&scene, "[serve]\nproxy_quota = \"700K\"\n");
    let partial = scene.path("mirror/partial");
    let parts = || -> Vec<String> {
        let mut parts = files_in(&partial);
        parts.retain(|name| name.ends_with(".part"));
        parts
    };
    let serving = Serving::start(&scene);
    for name in &names {
        let url = serving.url(&package(name));
        assert_eq!(curl(&["-f", &url]).code, 22);
    }
    assert_eq!(parts().len(), 4);
    drop(serving);
    let serving = Serving::start(&scene);
    let fits = || (1..=2).contains(&parts().len());
    wait_for(fits);
    drop(serving);
    // What an unfinished run may still want is kept for a week.
    let kept = parts();
    scene.run(&["clean"]).ends(0);
    assert_eq!(parts(), kept);
    let week = Duration::from_secs(8 * 86_400);
    for name in files_in(&partial) {
        let file = File::options()
            .write(true)
            .open(partial.join(name))
            .unwrap();
        file.set_modified(SystemTime::now() - week).unwrap();
    }
    scene.run(&["clean"]).ends(0);
    assert!(files_in(&partial).is_empty());
}

/// An upstream that drips: what the other repository has is published meanwhile, and the run goes on.
#[test]
fn row_143_a_dripping_upstream_holds_up_no_other_repository() {
    let scene = Scene::usual();
    scene.put("slow", "delta", "1", "");
    scene.publish("slow");
    scene.config(&format!(
        "[repo.slow]\nbaseurl = {:?}\n[repo.a-slow]\nbaseurl = {:?}\n",
        scene.server.url("/slow"),
        scene.server.url("/slow")
    ));
    let delta = "/slow/Packages/delta-1-1.noarch.rpm";
    let drip = Answer {
        pieces: Some((1, Duration::from_secs(1))),
        ..Answer::default()
    };
    scene.server.always(delta, drip);
    let mut sync = scene.command(&["sync"]);
    let mut sync = sync.stdout(Stdio::null()).spawn().unwrap();
    wait_for(|| scene.public("base/repodata/repomd.xml").exists());
    assert!(sync.try_wait().unwrap().is_none(), "it is still fetching");
    assert_eq!(scene.server.seen_at(delta).len(), 1);
    sync.kill().unwrap();
    sync.wait().unwrap();
    scene.server.behave();
    let packages = |repo: &str| -> Vec<String> {
        let mut files = scene.published(repo);
        files.retain(|name| name.ends_with(".rpm"));
        files
    };
    assert_eq!(packages("base").len(), 3);
    let whole = scene.published("base");
    scene.sync();
    assert_eq!(scene.published("base"), whole, "nothing new");
    for repo in ["slow", "a-slow"] {
        assert_eq!(packages(repo).len(), 1);
    }
}
