//! Repositories in proxy mode whose upstream goes back, or shares its packages with another one.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use testkit::gpg::Gpg;
use testkit::server::Answer;

use crate::guards::dated;
use crate::scene::{Scene, VENDOR};
use crate::serving::{Serving, curl};
use crate::unfinished::wait_for;

/// It keeps the newer set and says that upstream went back, after a restart, too.
#[test]
fn row_117_a_proxied_upstream_that_goes_back_is_not_followed() {
    let scene = Scene::usual();
    scene.config("mode = \"proxy\"\n[serve]\nproxy_expire = 0\n");
    scene.put("base", "delta", "1", "");
    dated(&scene, 1_700_086_400);
    let newer = ["alpha-1", "beta-1", "delta-1", "gamma-1"];
    let serving = Serving::start(&scene);
    assert_eq!(scene.dnf_list(&serving.url("/base")), newer);
    scene.take("base", "delta");
    dated(&scene, 1_700_000_000);
    assert_eq!(scene.dnf_list(&serving.url("/base")), newer);
    let told = scene.run(&["status"]).ends(0).out;
    assert!(told.contains("older than seen"), "{told}");
    drop(serving);
    let serving = Serving::start(&scene);
    assert_eq!(scene.dnf_list(&serving.url("/base")), newer);
    dated(&scene, 1_700_090_000);
    let url = serving.url("/base");
    assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1", "gamma-1"]);
}

/// What one repository may give, or lists as metadata, another one with a key does not give unjudged.
#[test]
fn row_117_a_package_is_judged_for_each_repository() {
    let scene = Scene::usual();
    let vendor = Gpg::with_key(&scene.path("vendor"), VENDOR);
    scene.write("vendor.asc", vendor.public());
    vendor.sign_package(VENDOR, &scene.put("base", "delta", "1", ""));
    scene.publish("base");
    let repo = |id: &str, key: &str| {
        let url = scene.server.url("/base");
        format!("[repo.{id}]\nmode = \"proxy\"\nbaseurl = {url:?}\n{key}\n")
    };
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n{}{}",
        scene.path("mirror"),
        repo("open", "gpgcheck = false"),
        repo(
            "strict",
            &format!("gpgkey = {:?}", scene.path("vendor.asc"))
        )
    ));
    let get = |serving: &Serving, repo: &str, name: &str| {
        let url = serving.url(&format!("/{repo}/Packages/{name}-1-1.noarch.rpm"));
        curl(&["-f", "-o", "/dev/null", &url]).code
    };
    for _ in 0..2 {
        let serving = Serving::start(&scene);
        for name in ["alpha", "delta"] {
            assert_eq!(get(&serving, "open", name), 0, "{name}");
        }
        assert_eq!(get(&serving, "strict", "alpha"), 22, "it is not signed");
        assert_eq!(get(&serving, "strict", "delta"), 0);
    }
}

/// A repository whose upstream drips lists the package of another one, whose clients get it all the same.
#[test]
fn row_143_a_dripping_upstream_keeps_no_client_of_another_repository_waiting() {
    let scene = Scene::usual();
    let mut text = format!("[mirror]\npath = {:?}\n", scene.path("mirror"));
    for id in ["bad", "good"] {
        let dir = scene.path("up").join(id);
        std::os::unix::fs::symlink(scene.path("up/base"), &dir).unwrap();
        let url = scene.server.url(&format!("/{id}"));
        text.push_str(&format!(
            "[repo.{id}]\nmode = \"proxy\"\nbaseurl = {url:?}\ngpgcheck = false\n"
        ));
    }
    scene.config_text(&text);
    let serving = Serving::start(&scene);
    for id in ["bad", "good"] {
        let index = format!("/{id}/repodata/repomd.xml");
        curl(&["-f", "-o", "/dev/null", &serving.url(&index)]).ends(0);
    }
    let [bad, good] = ["bad", "good"].map(|id| format!("/{id}/Packages/alpha-1-1.noarch.rpm"));
    let drip = Answer {
        pieces: Some((1, Duration::from_secs(1))),
        ..Answer::default()
    };
    scene.server.always(&bad, drip);
    let mut waiting = TcpStream::connect(serving.url("").replace("http://", "")).unwrap();
    write!(waiting, "GET {bad} HTTP/1.1\r\nHost: m\r\n\r\n").unwrap();
    wait_for(|| !scene.server.seen_at(&bad).is_empty());
    let got = scene.path("got");
    let to = got.to_str().unwrap();
    curl(&["-f", "-m", "30", "-o", to, &serving.url(&good)]).ends(0);
    assert_eq!(scene.server.seen_at(&good).len(), 1);
    let whole = scene.path("up/base/Packages/alpha-1-1.noarch.rpm");
    assert!(std::fs::read(got).unwrap() == std::fs::read(whole).unwrap());
    drop(waiting);
}
