//! The server: what is shown and what is not, ranges and conditions as curl and dnf use them, slow
//! clients, proxy mode.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use testkit::server::Answer;

use crate::scene::{Scene, files_in};
use testkit::program::Run;

/// A running `mirror-sync serve`; ends with the value.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    pub(crate) fn start(scene: &Scene) -> Self {
        Self::of(&mut scene.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    /// As this command starts it.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let out = child.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it tells its address");
        let url = line.split("http://").nth(1).expect("a URL in its line");
        let address = url.trim().trim_end_matches('/').to_owned();
        Self { child, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(status).unwrap();
        let mut lines = status.lines();
        let peak = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends bytes as they are; everything that comes back.
    fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Status line and headers of a request without a body in the answer.
    fn status(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let answer = self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n{headers}\r\n"
        ));
        let code = answer.split(' ').nth(1).and_then(|c| c.parse().ok());
        (code.unwrap_or(0), answer)
    }
}

pub(crate) fn curl(words: &[&str]) -> Run {
    Run::of(
        Command::new("curl")
            .args(["-sS"])
            .args(words)
            .output()
            .unwrap(),
    )
}

#[test]
fn row_116_only_public_files_and_only_reading() {
    let scene = Scene::usual();
    scene.sync();
    fs::write(scene.path("mirror/secret"), "secret").unwrap();
    std::os::unix::fs::symlink("/etc", scene.public("escape")).unwrap();
    let serving = Serving::start(&scene);
    for path in [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/base/../../secret",
        "/base/..%2f..%2fsecret",
        "//etc/passwd",
        "/.live/current/base/1/repodata/repomd.xml",
        "/escape/passwd",
        "/base",
        "/base/Packages",
        "/state/base/state.json",
        "/nosuch",
        "/@2026-99-99/base/repodata/repomd.xml",
        "/@2000-01-01/base/repodata/repomd.xml",
    ] {
        let (code, answer) = serving.status("GET", path, "");
        assert_eq!(code, 404, "{path}: {answer}");
        assert!(
            !answer.contains("root:") && !answer.contains("secret"),
            "{path}"
        );
    }
    for method in ["PUT", "POST", "DELETE", "OPTIONS", "TRACE"] {
        assert_eq!(
            serving.status(method, "/base/repodata/repomd.xml", "").0,
            405,
            "{method}"
        );
    }
    assert_eq!(
        serving
            .status("GET", &format!("/{}", "a".repeat(60_000)), "")
            .0
            / 100,
        4
    );
    let (code, answer) = serving.status("HEAD", "/base/repodata/repomd.xml", "");
    assert_eq!(code, 200);
    assert!(answer.ends_with("\r\n\r\n"), "HEAD has no body: {answer}");
    let size = fs::metadata(scene.public("base/repodata/repomd.xml"))
        .unwrap()
        .len();
    assert!(
        answer
            .to_lowercase()
            .contains(&format!("content-length: {size}")),
        "{answer}"
    );
}

#[test]
fn row_116_ranges_and_conditions_as_curl_uses_them() {
    let scene = Scene::usual();
    scene.sync();
    let serving = Serving::start(&scene);
    let package = "base/Packages/alpha-1-1.noarch.rpm";
    let whole = fs::read(scene.public(package)).unwrap();
    let (url, got) = (serving.url(&format!("/{package}")), scene.path("got"));
    let got_text = got.to_str().unwrap();
    // Cut off and gone on with, as wget -c and curl -C do.
    fs::write(&got, &whole[..5000]).unwrap();
    curl(&["-C", "-", "-o", got_text, &url]).ends(0);
    assert_eq!(fs::read(&got).unwrap(), whole);
    for (range, expected) in [
        ("0-0", &whole[..1]),
        ("100-199", &whole[100..200]),
        ("-7", &whole[whole.len() - 7..]),
        ("19000-", &whole[19_000..]),
    ] {
        curl(&["-r", range, "-o", got_text, &url]).ends(0);
        assert_eq!(fs::read(&got).unwrap(), expected, "{range}");
    }
    let (code, _) = serving.status("GET", &format!("/{package}"), "Range: bytes=99999999-\r\n");
    assert_eq!(code, 416);
    let (code, answer) = serving.status("GET", "/base/repodata/repomd.xml", "");
    assert_eq!(code, 200);
    let header = |name: &str| {
        let line = answer
            .lines()
            .find(|line| line.to_lowercase().starts_with(name));
        line.unwrap().split_once(": ").unwrap().1.trim().to_owned()
    };
    let tag = header("etag");
    let ask = |headers: &str| {
        serving
            .status("GET", "/base/repodata/repomd.xml", headers)
            .0
    };
    assert_eq!(ask(&format!("If-None-Match: {tag}\r\n")), 304);
    assert_eq!(ask("If-None-Match: \"other\"\r\n"), 200);
    let modified = header("last-modified");
    assert_eq!(ask(&format!("If-Modified-Since: {modified}\r\n")), 304);
    assert_eq!(
        ask("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n"),
        200
    );
    assert_eq!(ask("If-Range: \"other\"\r\nRange: bytes=0-1\r\n"), 200);
    assert_eq!(
        ask(&format!("If-Range: {tag}\r\nRange: bytes=0-1\r\n")),
        206
    );
}

#[test]
fn pages_say_what_is_and_dnf_uses_the_ready_repo_file() {
    let scene = Scene::usual();
    scene.config("name = \"Base & <Updates>\"\n");
    scene.sync();
    scene.put("base", "delta", "1", "");
    scene.publish("base");
    scene
        .server
        .always("/base/Packages/delta-1-1.noarch.rpm", Answer::status(404));
    scene.run(&["sync"]).ends(4);
    let serving = Serving::start(&scene);
    let page = curl(&[&serving.url("/")]).ends(0).out;
    assert!(page.contains("Base &amp; &lt;Updates&gt;"), "{page}");
    assert!(page.contains("last good set is served"), "{page}");
    assert!(
        !page.contains("src=") && !page.contains("@import"),
        "nothing is fetched"
    );
    let status: serde_json::Value =
        serde_json::from_str(&curl(&[&serving.url("/status.json")]).ends(0).out).unwrap();
    assert_eq!(status["repos"][0]["outcome"], "partial");
    assert_eq!(status["repos"][0]["packages"], 3);
    let metrics = curl(&[&serving.url("/metrics")]).ends(0).out;
    assert!(
        metrics.contains("mirror_sync_up{repo=\"base\"} 0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("mirror_sync_packages{repo=\"base\"} 3"),
        "{metrics}"
    );
    let text = curl(&[&serving.url("/mirror.repo")]).ends(0).out;
    assert!(
        text.contains(&format!("baseurl={}", serving.url("/base"))),
        "{text}"
    );
    let repos = scene.path("repos.d");
    fs::create_dir_all(&repos).unwrap();
    fs::write(repos.join("mirror.repo"), text).unwrap();
    let root = scene.path("dnf-root");
    let mut command = Command::new("dnf");
    command
        .arg(format!("--installroot={}", root.display()))
        .arg(format!("--setopt=reposdir={}", repos.display()))
        .arg(format!(
            "--setopt=cachedir={}",
            root.join("cache").display()
        ))
        .args(["-q", "-y", "--disableplugin=local", "--releasever=1"])
        .args(["install", "alpha"]);
    Run::of(command.output().unwrap()).ends(0);
    assert!(root.join("usr/share/stage/beta").is_file());
}

#[test]
fn a_day_in_the_path_is_the_repository_of_that_day() {
    let scene = Scene::usual();
    scene.sync();
    let serving = Serving::start(&scene);
    let stamp = scene.run(&["snapshot", "list", "--json"]).ends(0).json()[0]["stamp"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.put("base", "delta", "1", "");
    scene.publish("base");
    scene.sync();
    assert_eq!(scene.dnf_list(&serving.url("/base")).len(), 4);
    assert_eq!(
        scene
            .dnf_list(&serving.url(&format!("/@{stamp}/base")))
            .len(),
        3
    );
    let day = format!("{}-{}-{}", &stamp[..4], &stamp[4..6], &stamp[6..8]);
    assert_eq!(
        scene.dnf_list(&serving.url(&format!("/@{day}/base"))).len(),
        4
    );
}

/// Proxy mode: fetched once however many ask, checked, kept, served when upstream is away.
#[test]
fn row_117_proxy_cache() {
    let scene = Scene::usual();
    scene.put("base", "delta", "1", "");
    scene.put("base", "epsilon", "1", "");
    scene.publish("base");
    let names = ["alpha-1", "beta-1", "delta-1", "epsilon-1", "gamma-1"];
    scene.config("mode = \"proxy\"\n[serve]\nproxy_expire = 0\n");
    let serving = Serving::start(&scene);
    let url = serving.url("/base");
    let stored = || {
        let mut files = files_in(&scene.path("mirror/proxied"));
        files.retain(|name| !name.starts_with('.'));
        files
    };
    let index = "/base/repodata/repomd.xml";
    assert_eq!(serving.status("GET", index, "").0, 200);
    let metadata = stored();
    // An error, a web page, a poisoned and a half object are not stored and not shown.
    for (name, bad) in [
        ("alpha", Answer::status(404)),
        ("beta", Answer::login_page()),
        ("gamma", Answer::body(vec![7_u8; 30_000])),
        (
            "delta",
            Answer {
                ignore_range: true,
                ..Answer::cut_at(10_000)
            },
        ),
        (
            "epsilon",
            Answer {
                ignore_range: true,
                reset: true,
                ..Answer::cut_at(15_000)
            },
        ),
    ] {
        let package = format!("/base/Packages/{name}-1-1.noarch.rpm");
        scene.server.always(&package, bad);
        let (code, answer) = serving.status("GET", &package, "");
        assert_eq!(code, 502, "{answer}");
        assert!(answer.len() < 2000, "{name}: some of it was served");
        assert_eq!(stored(), metadata, "{name}");
    }
    // A failure is remembered for two seconds.
    std::thread::sleep(Duration::from_millis(2_100));
    scene.server.behave();
    assert_eq!(scene.dnf_list(&url), names);
    // Twenty ask at once: upstream is asked once.
    scene.server.forget();
    let package = "/base/Packages/alpha-1-1.noarch.rpm";
    scene.server.always(
        package,
        Answer {
            delay: Some(Duration::from_millis(400)),
            ..Answer::default()
        },
    );
    let whole = fs::read(scene.path("up").join(&package[1..])).unwrap();
    std::thread::scope(|scope| {
        for number in 0..20 {
            let (serving, scene, whole) = (&serving, &scene, &whole);
            scope.spawn(move || {
                let to = scene.path(&format!("got{number}"));
                curl(&["-f", "-o", to.to_str().unwrap(), &serving.url(package)]).ends(0);
                assert_eq!(&fs::read(&to).unwrap(), whole);
            });
        }
    });
    assert_eq!(scene.server.seen_at(package).len(), 1);
    scene.server.behave();
    scene.dnf(&url, &["install", "alpha"]).ends(0);
    // Upstream does not answer: clients wait a little and get the last whole set.
    scene.server.always(
        index,
        Answer {
            delay: Some(Duration::from_secs(20)),
            ..Answer::default()
        },
    );
    assert_eq!(serving.status("GET", index, "").0, 200);
    scene.server.behave();
    // Upstream is gone: the last whole set, and what is there.
    fs::rename(scene.path("up"), scene.path("away")).unwrap();
    assert_eq!(scene.dnf_list(&url), names);
    assert_eq!(serving.status("GET", package, "").0, 200);
    drop(serving);
    let serving = Serving::start(&scene);
    assert_eq!(scene.dnf_list(&serving.url("/base")), names);
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
        told.contains("proxy") && told.contains("just now"),
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

/// What was asked for longest ago leaves the proxy's store; what is shown of the metadata does not.
#[test]
fn a_server_with_a_proxy_stops_without_a_word() {
    let scene = Scene::usual();
    scene.config("mode = \"proxy\"\n");
    let mut child = scene
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").arg(pid).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
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
