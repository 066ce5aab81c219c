//! Buckets and registries that show what the mirror shows, on real servers behind an nginx that counts what they are asked.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testkit::gpg::Gpg;
use testkit::program::Run;
use testkit::relay::{Line, Relay};

use crate::scene::{Scene, VENDOR, tdnf};

mod bucket;
mod registry;

/// nginx before a server: it writes down each request, and may refuse some.
pub(crate) struct Front {
    child: Child,
    dir: PathBuf,
    pub(crate) port: u16,
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Front {
    /// In `dir`, before the server at `to` (`127.0.0.1:PORT`); it answers 503 to what is more than `most` requests a second.
    pub(crate) fn start(dir: &Path, to: &str, most: Option<u32>) -> Self {
        let port = free_port();
        fs::create_dir_all(dir).unwrap();
        let front = dir.display();
        let limit = most.map_or(String::new(), |most| {
            format!("limit_req_zone $server_port zone=all:1m rate={most}r/s; limit_req zone=all;")
        });
        let text = format!(
            "daemon off; master_process off; user root; pid {front}/pid; error_log {front}/error.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n\
             log_format one '$request_method $status $bytes_sent $request_uri';\n\
             access_log {front}/access.log one;\n\
             {limit}\n\
             client_body_temp_path {front}/body; proxy_temp_path {front}/proxy; fastcgi_temp_path {front}/f;\n\
             uwsgi_temp_path {front}/u; scgi_temp_path {front}/s; client_max_body_size 0;\n\
             server {{ listen 127.0.0.1:{port};\n\
             location / {{ proxy_pass http://{to}; proxy_http_version 1.1; proxy_set_header Host $http_host;\n\
             proxy_request_buffering off; proxy_buffering off; }} }} }}\n"
        );
        let file = dir.join("nginx.conf");
        fs::write(&file, text).unwrap();
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(dir)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is there");
        let front = Self {
            child,
            dir: dir.to_owned(),
            port,
        };
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return front;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!(
            "nginx does not answer: {}",
            fs::read_to_string(front.dir.join("error.log")).unwrap_or_default()
        );
    }

    /// How many requests were answered with 503.
    pub(crate) fn refused(&self) -> usize {
        let text = fs::read_to_string(self.dir.join("access.log")).unwrap_or_default();
        let refused = |line: &&str| line.split(' ').nth(1) == Some("503");
        text.lines().filter(refused).count()
    }

    /// The requests since the last call: method and path, of those that were answered with a success.
    pub(crate) fn seen(&self) -> Vec<(String, String)> {
        // nginx writes a line when an answer has gone, and answers one after the other: this one's is the last.
        let mut mark = std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        mark.write_all(b"GET /mark HTTP/1.0\r\n\r\n").unwrap();
        let _ = mark.read_to_end(&mut Vec::new());
        let log = self.dir.join("access.log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        fs::File::options()
            .write(true)
            .truncate(true)
            .open(&log)
            .unwrap();
        let one = |line: &str| {
            let mut words = line.splitn(4, ' ');
            let (method, status) = (words.next()?, words.next()?);
            let path = words.nth(1)?;
            status
                .starts_with('2')
                .then(|| (method.to_owned(), path.to_owned()))
        };
        text.lines().filter_map(one).collect()
    }
}

/// The writes among requests.
pub(crate) fn writes(seen: &[(String, String)]) -> Vec<String> {
    let writes = seen
        .iter()
        .filter(|(method, _)| method != "GET" && method != "HEAD");
    writes
        .map(|(method, path)| format!("{method} {path}"))
        .collect()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    listener.local_addr().expect("its address").port()
}

/// Our tdnf in a root of its own with one repository, `lines` of its section; the packages must be signed.
fn tdnf_with(scene: &Scene, name: &str, lines: &str, words: &[&str]) -> Option<Run> {
    let Some(program) = tdnf() else {
        testkit::fixtures::skipped("tdnf was not built");
        return None;
    };
    let root = scene.path("roots").join(name);
    for dir in ["etc/yum.repos.d", "etc/tdnf", "var/lib/rpm"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let conf = "[main]\nrepodir=/etc/yum.repos.d\n";
    fs::write(root.join("etc/tdnf/tdnf.conf"), conf).unwrap();
    let text = format!("[m]\nname=m\nenabled=1\n{lines}\n");
    fs::write(root.join("etc/yum.repos.d/m.repo"), text).unwrap();
    let mut command = Command::new(program);
    command
        .arg(format!("--installroot={}", root.display()))
        .args(["--releasever=1", "-y"])
        .args(words);
    Some(Run::of(command.output().unwrap()))
}

/// A mirror of signed packages: alpha, which needs beta of its version, beta and gamma.
pub(crate) struct Shop {
    pub(crate) scene: Scene,
    vendor: Gpg,
    pub(crate) front: Front,
}

impl Shop {
    /// With an nginx before the server at `to`.
    pub(crate) fn before(to: &str) -> Self {
        Self::behind(to, None)
    }

    /// With one that answers 503 to what is more than `most` requests a second.
    pub(crate) fn behind(to: &str, most: Option<u32>) -> Self {
        let scene = Scene::new();
        let vendor = Gpg::with_key(&scene.path("vendor"), VENDOR);
        scene.write("key.asc", vendor.public());
        let front = Front::start(&scene.path("front"), to, most);
        let shop = Self {
            scene,
            vendor,
            front,
        };
        shop.put("gamma", "1", "");
        shop.renew("1");
        shop
    }

    fn put(&self, name: &str, version: &str, lines: &str) {
        let path = self.scene.put("base", name, version, lines);
        self.vendor.sign_package(VENDOR, &path);
    }

    /// Upstream has this version.
    pub(crate) fn renew(&self, version: &str) {
        for name in ["alpha", "beta"] {
            self.scene.take("base", name);
        }
        self.put("alpha", version, &format!("Requires: beta = {version}"));
        self.put("beta", version, "");
        self.scene.publish("base");
    }

    /// The configuration, with the lines of a `[target.store]`.
    pub(crate) fn config(&self, target: &str) {
        let (path, base) = (self.scene.path("mirror"), self.scene.server.url("/base"));
        let key = self.scene.path("key.asc");
        self.scene.config_text(&format!(
            "[mirror]\npath = {path:?}\n[repo.base]\nbaseurl = {base:?}\ngpgkey = {key:?}\n\
             [target.store]\nretries = 1\n{target}\n"
        ));
    }

    /// The configuration with what is to be replaced in it.
    pub(crate) fn reconfigure(&self, replace: &[(&str, &str)]) {
        let mut text = fs::read_to_string(self.scene.path("mirror.toml")).unwrap();
        for (old, new) in replace {
            text = text.replace(old, new);
        }
        self.scene.config_text(&text);
    }

    /// Puts a relay before the nginx, for this mirror.
    pub(crate) fn through_a_relay(&self) -> Relay {
        let port = self.front.port;
        let relay = Relay::start(port, Line::default());
        self.reconfigure(&[(&format!(":{port}"), &format!(":{}", relay.port()))]);
        relay
    }

    /// The write that shows a new set has come, its answer has not; the operator goes back to the set before. `lines` read
    /// the place.
    pub(crate) fn goes_back_after_a_lost_answer(&self, relay: &Relay, write: &str, lines: &str) {
        let scene = &self.scene;
        scene.sync();
        self.renew("2");
        relay.lose_answers(write);
        let run = scene.run(&["sync"]).ends(4);
        assert!(run.err.contains("target store: "), "{}", run.err);
        relay.lose_answers("");
        scene.run(&["snapshot", "rollback", "base"]).ends(0);
        if let Some(run) = self.tdnf("back", lines, &["install", "alpha"]) {
            run.ends(0);
            assert_eq!(self.versions("back"), ("1".to_owned(), "1".to_owned()));
        }
        scene.run(&["status"]).ends(0);
    }

    /// Another mirror writes to the same place; `lines` read it.
    pub(crate) fn tells_of_another_mirror(&self) {
        let scene = &self.scene;
        scene.sync();
        let (one, two) = (scene.path("mirror"), scene.path("second"));
        let (one, two) = (format!("{one:?}"), format!("{two:?}"));
        self.renew("2");
        self.reconfigure(&[(&one, &two)]);
        scene.run(&["sync"]).ends(0);
        self.renew("3");
        self.reconfigure(&[(&two, &one)]);
        let run = scene.run(&["sync"]).ends(0);
        let told = "does another mirror publish to this place?";
        assert_eq!(run.err.matches(told).count(), 1, "{}", run.err);
        self.renew("4");
        let run = scene.run(&["sync"]).ends(0);
        assert!(!run.err.contains(told), "{}", run.err);
    }

    /// Our tdnf in a root of its own that knows the repository by these lines, and takes packages of the vendor alone.
    pub(crate) fn tdnf(&self, root: &str, lines: &str, words: &[&str]) -> Option<Run> {
        let key = self.scene.path("key.asc");
        let lines = format!("{lines}\ngpgcheck=1\ngpgkey=file://{}", key.display());
        tdnf_with(&self.scene, root, &lines, words)
    }

    /// Which version of alpha and beta a root has.
    pub(crate) fn versions(&self, root: &str) -> (String, String) {
        let read = |name: &str| {
            let below = self.scene.path("roots").join(root);
            let path = below.join("usr/share/stage").join(name);
            let bytes =
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let text = String::from_utf8_lossy(&bytes[20_000..]).into_owned();
            text.trim()
                .rsplit(' ')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        (read("alpha"), read("beta"))
    }

    /// Clients that read by these lines, again and again, while the mirror publishes one set after the other and is killed
    /// at some moment of each; what they install is of one set. `MIRROR_TARGET_KILLS` sets how often.
    pub(crate) fn kill_while_clients_read(&self, lines: &str) -> u64 {
        let kills: u64 = std::env::var("MIRROR_TARGET_KILLS").map_or(6, |n| n.parse().unwrap());
        let stop = AtomicBool::new(false);
        let (mut installs, mut killed) = (0, 0);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    let root = format!("loop{count}");
                    for words in [["makecache"].as_slice(), &["install", "alpha"]] {
                        let Some(run) = self.tdnf(&root, lines, words) else {
                            return 0;
                        };
                        run.ends(0);
                    }
                    let (alpha, beta) = self.versions(&root);
                    assert_eq!(alpha, beta, "a mixed set");
                    fs::remove_dir_all(self.scene.path("roots").join(&root)).unwrap();
                    count += 1;
                }
                count
            });
            let mut random = fastrand::Rng::with_seed(7);
            for number in 0..kills {
                if reader.is_finished() {
                    break;
                }
                self.renew(&format!("{}", number + 2));
                let mut child = self.scene.command(&["sync", "-q"]).spawn().unwrap();
                std::thread::sleep(Duration::from_millis(random.u64(50..900)));
                killed += u64::from(child.try_wait().unwrap().is_none());
                child.kill().unwrap();
                child.wait().unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            installs = reader.join().unwrap();
        });
        println!("{killed} killed, {installs} installs");
        let code = self.scene.run(&["sync"]).code;
        assert!(code == 0 || code == 3, "{code}");
        kills + 1
    }
}
