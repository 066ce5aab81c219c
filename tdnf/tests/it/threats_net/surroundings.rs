//! Rows 78 and 84: names and addresses that lead nowhere, a cache that cannot be written.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use testkit::mounts;
use testkit::program::ok;

use super::*;

/// Where names are looked up in the namespace of the test.
const HOSTS: &str = "::1 both.tests.invalid\n127.0.0.1 both.tests.invalid\n";

/// Swallows whatever comes to this port by IPv6: nobody takes connections, and the two that may wait are there.
const SWALLOWS: &str = "
import socket, sys, time
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind(('::1', int(sys.argv[1])))
s.listen(0)
waiting = []
for n in range(3):
    c = socket.socket(socket.AF_INET6)
    c.settimeout(1)
    try:
        c.connect(('::1', int(sys.argv[1])))
    except TimeoutError:
        print('full', flush=True)
        break
    waiting.append(c)
time.sleep(100)
";

fn swallow(port: u16) -> Child {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", SWALLOWS, &port.to_string()]);
    let mut child = python.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let out = child.stdout.as_mut().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert_eq!(line, "full\n");
    child
}

fn bind(from: &Path, to: &Path) {
    ok(Command::new("mount").arg("--bind").arg(from).arg(to));
}

#[test]
fn row_78_names_and_addresses_that_lead_nowhere() {
    let name = "threats_net::surroundings::row_78_names_and_addresses_that_lead_nowhere";
    if !mounts::own(name) {
        return;
    }
    let (scene, _) = cached_scene();
    bind(&scene.write("hosts", HOSTS), Path::new("/etc/hosts"));
    let resolver = scene.write(
        "resolv.conf",
        "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n",
    );
    bind(&resolver, Path::new("/etc/resolv.conf"));
    let mut swallows = swallow(scene.server.port());
    let url = format!("http://both.tests.invalid:{}/main", scene.server.port());
    scene.configure("main", &format!("baseurl={url}"));
    let began = Instant::now();
    let run = scene.tdnf(&["--refresh", "makecache"]);
    let took = began.elapsed();
    swallows.kill().unwrap();
    swallows.wait().unwrap();
    run.ok();
    assert!(!scene.server.seen_at("/main/repodata/repomd.xml").is_empty());
    // A second for the other family, and what the run takes besides.
    assert!(took < Duration::from_secs(3), "{took:?}");
    // A name that nobody knows is said.
    scene.configure("main", "baseurl=http://nowhere.tests.invalid/main");
    scene.refuses(
        &["--refresh", "makecache"],
        &["main", "nowhere.tests.invalid"],
    );
}

#[test]
fn row_84_a_cache_that_cannot_be_written() {
    let name = "threats_net::surroundings::row_84_a_cache_that_cannot_be_written";
    if !mounts::own(name) {
        return;
    }
    let (scene, _) = cached_scene();
    let readers: [&[&str]; 8] = [
        &["list", "available"],
        &["info", "app"],
        &["repoquery", "app"],
        &["search", "app"],
        &["provides", "app"],
        &["check-update"],
        &["repolist"],
        &["updateinfo"],
    ];
    let answers = || readers.map(|words| (scene.tdnf(words).ok().out, words));
    let before = answers();
    assert!(before[0].0.contains("app"));
    let cache = scene.root().join(CACHE);
    // Nothing of the solver's cache is there: it is made in memory.
    for file in scene.cached("") {
        if file.to_string_lossy().contains("catalog") {
            fs::remove_file(file).unwrap();
        }
    }
    bind(&cache, &cache);
    ok(Command::new("mount")
        .args(["-o", "remount,ro,bind"])
        .arg(&cache));
    assert!(fs::write(cache.join("x"), "").is_err());
    assert_eq!(answers(), before);
    let installs = scene.install(&["app"]);
    ok(Command::new("umount").arg(&cache));
    // Whoever changes the system needs room for packages: it is said where.
    if installs.code != 0 {
        installs.refused(&["app", "ead-only"]);
    }
    // It cannot be made: a file stands where its folder would be.
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "").unwrap();
    for words in readers {
        let run = scene.tdnf(words);
        assert!(!run.text().contains("panicked"));
        if run.code != 0 {
            run.refused(&[""]);
        }
    }
    assert_eq!(fs::read(&cache).unwrap(), b"");
}
