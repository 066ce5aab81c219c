//! Repositories in proxy mode what they count and keep, an upstream that goes back, several that share their packages.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use testkit::gpg::Gpg;
use testkit::server::Answer;

use crate::guards::dated;
use crate::scene::{Scene, VENDOR, files_in};
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
    let told = scene.run(&["status"]).ends(1).out;
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

/// The status counts what clients of a proxied repository had, and says whether upstream answers.
#[test]
fn a_proxied_repository_is_counted_and_a_dead_upstream_is_told() {
    let scene = Scene::usual();
    scene.config("mode = \"proxy\"\n[serve]\nproxy_expire = 0\n");
    let serving = Serving::start(&scene);
    let page = |path: &str| curl(&["-f", &serving.url(path)]).ends(0).out;
    let alpha = "/base/Packages/alpha-1-1.noarch.rpm";
    assert!(page("/metrics").contains("mirror_sync_packages{repo=\"base\"} 0"));
    for _ in 0..2 {
        assert_eq!(serving.status("GET", alpha, "").0, 200);
    }
    let size = fs::metadata(scene.path("up").join(&alpha[1..]))
        .unwrap()
        .len();
    let metrics = page("/metrics");
    for line in ["packages{repo=\"base\"} 1", "up{repo=\"base\"} 1"] {
        assert!(
            metrics.contains(&format!("mirror_sync_{line}\n")),
            "{metrics}"
        );
    }
    assert!(metrics.contains(&format!("published_bytes{{repo=\"base\"}} {size}\n")));
    let told = scene.run(&["status"]).ends(0).out;
    assert!(
        told.contains("proxy, on demand") && told.contains("just now"),
        "{told}"
    );
    let index = "/base/repodata/repomd.xml";
    scene.server.always(index, Answer::status(500));
    assert_eq!(serving.status("GET", index, "").0, 200);
    assert!(page("/metrics").contains("mirror_sync_up{repo=\"base\"} 0"));
    let json: serde_json::Value = serde_json::from_str(&page("/status.json")).unwrap();
    assert_eq!(json["repos"][0]["outcome"], "failed");
    assert!(json["repos"][0]["error"].as_str().unwrap().contains("500"));
    assert_eq!(json["repos"][0]["packages"], 1);
    assert!(page("/").contains("upstream cannot be asked"));
}

#[test]
fn the_proxys_store_is_kept_within_its_limits() {
    let scene = Scene::usual();
    scene.config("mode = \"proxy\"\n[serve]\nproxy_quota = \"30k\"\n");
    let serving = Serving::start(&scene);
    let package = |name: &str| format!("/base/Packages/{name}-1-1.noarch.rpm");
    for name in ["alpha", "beta", "gamma"] {
        assert_eq!(serving.status("GET", &package(name), "").0, 200);
    }
    drop(serving);
    let store = scene.path("mirror/proxied");
    let large = || {
        let files = crate::scene::files_in(&store).into_iter();
        let files = files.map(|name| store.join(name));
        let mut large: Vec<_> = files
            .filter(|path| fs::metadata(path).unwrap().len() > 20_000)
            .collect();
        large.sort();
        large
    };
    let stored = large();
    assert_eq!(stored.len(), 3);
    // Used one, two and three hours ago.
    for (hours, path) in stored.iter().enumerate() {
        let ago = Duration::from_secs(3600 * (hours as u64 + 1));
        let then = std::time::SystemTime::now() - ago;
        fs::File::open(path).unwrap().set_modified(then).unwrap();
    }
    fs::rename(scene.path("up"), scene.path("away")).unwrap();
    let serving = Serving::start(&scene);
    for _ in 0..100 {
        if large().len() == 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(large(), stored[..1]);
    let url = serving.url("/base");
    assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1", "gamma-1"]);
}

/// The configuration of repositories in proxy mode with these names.
fn proxied(scene: &Scene, names: &[String]) {
    let mut text = format!("[mirror]\npath = {:?}\n", scene.path("mirror"));
    for name in names {
        let url = scene.server.url(&format!("/{name}"));
        text.push_str(&format!(
            "[repo.{name}]\nmode = \"proxy\"\nbaseurl = {url:?}\n"
        ));
    }
    scene.config_text(&text);
}

/// What is answered to requests that are sent at the same moment.
fn at_once(scene: &Scene, serving: &Serving, paths: &[String]) -> Vec<Vec<u8>> {
    let gate = std::sync::Barrier::new(paths.len());
    std::thread::scope(|scope| {
        let ask = |(number, path): (usize, &String)| {
            let (gate, url) = (&gate, serving.url(path));
            let to = scene.path(&format!("answer{number}"));
            scope.spawn(move || {
                gate.wait();
                curl(&["-f", "-o", to.to_str().unwrap(), &url]).ends(0);
                fs::read(to).unwrap()
            })
        };
        let asked: Vec<_> = paths.iter().enumerate().map(ask).collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn proxied_repositories_with_the_same_file_share_its_transfer() {
    let scene = Scene::new();
    let names = ["one", "two"].map(str::to_owned);
    for name in &names {
        scene.put(name, "alpha", "1", "");
        scene.publish(name);
    }
    proxied(&scene, &names);
    let serving = Serving::start(&scene);
    for name in &names {
        let index = format!("/{name}/repodata/repomd.xml");
        assert_eq!(serving.status("GET", &index, "").0, 200);
    }
    let paths = names.map(|name| format!("/{name}/Packages/alpha-1-1.noarch.rpm"));
    for path in &paths {
        let slow = Answer {
            delay: Some(Duration::from_millis(600)),
            ..Answer::default()
        };
        scene.server.always(path, slow);
    }
    scene.server.forget();
    let whole = fs::read(scene.path("up").join(&paths[0][1..])).unwrap();
    for answer in at_once(&scene, &serving, &paths) {
        assert_eq!(answer, whole);
    }
    let asked = paths.iter().map(|path| scene.server.seen_at(path).len());
    assert_eq!(asked.sum::<usize>(), 1);
}

/// A failure is the repository's own: another one that has the same file from elsewhere gets it.
#[test]
fn a_proxied_repository_does_not_fail_because_another_one_did() {
    let scene = Scene::new();
    let names = ["one", "two"].map(str::to_owned);
    for name in &names {
        scene.put(name, "alpha", "1", "");
        scene.publish(name);
    }
    proxied(&scene, &names);
    let serving = Serving::start(&scene);
    let [one, two] = names.map(|name| format!("/{name}/Packages/alpha-1-1.noarch.rpm"));
    scene.server.always(&one, Answer::status(404));
    assert_eq!(serving.status("GET", &one, "").0, 502);
    assert_eq!(serving.status("GET", &two, "").0, 200);
    assert_eq!(serving.status("GET", &one, "").0, 200);
}

#[test]
fn proxied_indexes_that_are_asked_for_at_once_do_not_mix() {
    let scene = Scene::new();
    let names: Vec<String> = (0..12).map(|number| format!("r{number}")).collect();
    scene.put("r0", "alpha", "1", "");
    for (number, name) in names.iter().enumerate() {
        let dir = scene.path("up").join(name);
        if number > 0 {
            fs::create_dir(&dir).unwrap();
            fs::copy(
                scene.path("up/r0/Packages/alpha-1-1.noarch.rpm"),
                dir.join("alpha.rpm"),
            )
            .unwrap();
        }
        // Indexes of different lengths: a mixture would show.
        let revision = "1".repeat(number + 1);
        let words = ["--no-database", "--revision", &revision];
        testkit::rpm::createrepo(&dir, &words);
    }
    proxied(&scene, &names);
    let paths: Vec<String> = names
        .iter()
        .map(|name| format!("/{name}/repodata/repomd.xml"))
        .collect();
    for _ in 0..4 {
        let serving = Serving::start(&scene);
        let answers = at_once(&scene, &serving, &paths);
        for (path, answer) in paths.iter().zip(answers) {
            let own = fs::read(scene.path("up").join(&path[1..])).unwrap();
            assert_eq!(answer, own, "{path}");
        }
        drop(serving);
        let store = scene.path("mirror/proxied/sha256");
        let stored = files_in(&store);
        assert!(!stored.is_empty());
        for name in stored {
            let found = Hasher::digest(DigestAlgo::Sha256, &fs::read(store.join(&name)).unwrap());
            assert_eq!(name.rsplit('/').next(), Some(found.hex().as_str()));
        }
        fs::remove_dir_all(scene.path("mirror")).unwrap();
    }
}
