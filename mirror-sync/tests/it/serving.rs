//! The server: what is shown and what is not, ranges and conditions as curl and dnf use them, slow
//! clients, proxy mode.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::server::Answer;

use crate::scene::{Scene, files_in};
use testkit::program::Run;

/// A running `mirror-sync serve`; ends with the value.
pub(crate) struct Serving {
    child: Child,
    scheme: String,
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
        let (before, url) = line.split_once("://").expect("a URL in its line");
        let scheme = before.rsplit(' ').next().expect("a word").to_owned();
        let address = url.trim().trim_end_matches('/').to_owned();
        Self {
            child,
            scheme,
            address,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        self.about("VmHWM:")
    }

    /// The threads that it has now.
    pub(crate) fn threads(&self) -> u64 {
        self.about("Threads:")
    }

    /// A number that the kernel tells of it.
    fn about(&self, name: &str) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(status).unwrap();
        let mut lines = status.lines();
        let number = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        number.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends bytes as they are; everything that comes back.
    pub(crate) fn raw(&self, request: &str) -> String {
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
    pub(crate) fn status(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
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
        "/escape/",
        "/escape",
        "/.live/",
        "/base/Packages/../../.live/",
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
