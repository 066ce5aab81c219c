//! Rows 78, 83 and 84: names and addresses that lead nowhere, a cache that others had, or that cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use testkit::mounts;
use testkit::program::{self, ok};
use testkit::stage;

use super::*;
use crate::interop_lab::program as tdnf;
use crate::scene::noise;

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

/// Whose files the cache does not have.
const FOREIGN: u32 = 12345;

/// What stands in the place of a file of the cache; the second path is that of a file outside.
type Planted = (&'static str, fn(&Path, &Path));

const PLANTED: [Planted; 9] = [
    ("no bytes", |file, _| fs::write(file, "").unwrap()),
    ("garbage", |file, _| fs::write(file, noise(300)).unwrap()),
    ("foreign 0600", |file, _| foreign(file, 0o600)),
    ("foreign garbage", |file, _| {
        fs::write(file, noise(300)).unwrap();
        foreign(file, 0o666);
    }),
    ("empty folder", |file, _| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
    ("folder", |file, _| {
        fs::remove_file(file).unwrap();
        fs::create_dir_all(file.join("x/y")).unwrap();
        fs::write(file.join("x/z"), "z").unwrap();
    }),
    ("pipe", |file, _| {
        fs::remove_file(file).unwrap();
        ok(Command::new("mkfifo").arg(file));
    }),
    ("link", |file, precious| {
        fs::remove_file(file).unwrap();
        symlink(precious, file).unwrap();
    }),
    ("loose link", |file, precious| {
        fs::remove_file(file).unwrap();
        symlink(precious.with_extension("absent"), file).unwrap();
    }),
];

/// Files of the cache, and what in their place has to be removed by hand: a link leads to what is not ours, a folder at
/// the name of a package may be somebody's, and removing what stands in the place of a lock may take that of another run.
const BY_HAND: [(&str, &[&str]); 5] = [
    (
        ".lock",
        &["empty folder", "folder", "link", "loose link", "pipe"],
    ),
    ("app-1.rpm", &["empty folder", "folder"]),
    ("lastrefresh", &["link", "loose link"]),
    ("mirrorlist", &["link", "loose link"]),
    ("seen", &["link", "loose link"]),
];

fn foreign(file: &Path, mode: u32) {
    chown(file, Some(FOREIGN), Some(FOREIGN)).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn row_83_whatever_stands_in_the_cache() {
    if testkit::fixtures::unprivileged() {
        return;
    }
    const WORK: [&[&str]; 2] = [
        &["list", "available"],
        &["-y", "--refresh", "install", "--downloadonly", "app"],
    ];
    let (scene, _) = cached_scene();
    let cache = scene.root().join(CACHE);
    fs::remove_dir_all(&cache).unwrap();
    fs::write(scene.www().join("mirrors"), scene.server.url("/main\n")).unwrap();
    scene.configure(
        "main",
        &format!("mirrorlist={}", scene.server.url("/mirrors")),
    );
    let work =
        || WORK.map(|words| program::run(&mut stage::tdnf(&tdnf(), scene.root.path(), words)));
    for run in work() {
        run.ok();
    }
    let kept = scene.path("kept");
    testkit::tree::copy(&cache, &kept);
    let files = scene.cached("");
    let precious = scene.write("precious", "precious");
    let mut by_hand: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for (what, plant) in PLANTED {
            fs::remove_dir_all(&cache).unwrap();
            testkit::tree::copy(&kept, &cache);
            plant(file, &precious);
            let mut runs = work();
            if runs.iter().any(|run| run.code != 0) {
                for run in runs.into_iter().filter(|run| run.code != 0) {
                    run.failed().says(&[&file.to_string_lossy(), "remove it"]);
                }
                by_hand.entry(name.clone()).or_default().insert(what);
                fs::remove_file(file)
                    .or_else(|_| fs::remove_dir_all(file))
                    .unwrap();
                runs = work();
            }
            for run in runs {
                run.ok();
            }
            let what = format!("{what} in the place of {}", file.display());
            assert_eq!(scene.cached(""), files, "{what}");
            assert_eq!(fs::read_to_string(&precious).unwrap(), "precious", "{what}");
            assert!(!precious.with_extension("absent").exists(), "{what}");
        }
    }
    let told = BY_HAND.map(|(name, all)| (name.to_owned(), all.iter().copied().collect()));
    assert_eq!(by_hand, BTreeMap::from(told));
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
