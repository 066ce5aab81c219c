//! Clients while the mirror switches under them, and the mirror killed at any step.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use testkit::relay::{Line, Relay};

use crate::scene::{Scene, package_of, tdnf};
use crate::serving::Serving;
use testkit::program::Run;

/// Two snapshots: alpha 1 needs beta 1 exactly, alpha 2 needs beta 2.
fn two() -> (Scene, Vec<String>) {
    let scene = Scene::new();
    scene.put("base", "alpha", "1", "Requires: beta = 1");
    scene.put("base", "beta", "1", "");
    scene.publish("base");
    scene.config("");
    scene.sync();
    scene.take("base", "");
    scene.put("base", "alpha", "2", "Requires: beta = 2");
    scene.put("base", "beta", "2", "");
    scene.publish("base");
    scene.sync();
    let list = scene.run(&["snapshot", "list", "--json"]).ends(0).json();
    let list = list.as_array().unwrap().iter();
    let stamps = list.map(|line| line["stamp"].as_str().unwrap().to_owned());
    let stamps: Vec<String> = stamps.collect();
    assert_eq!(stamps.len(), 2);
    (scene, stamps)
}

/// What a root holds after an install: both packages of one and the same set.
fn check_root(root: &Path) {
    let read = |name: &str| {
        let path = root.join("usr/share/stage").join(name);
        let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let text = String::from_utf8_lossy(&bytes[20_000..]).into_owned();
        text.trim().rsplit(' ').next().unwrap_or("").to_owned()
    };
    assert_eq!(read("alpha"), read("beta"), "a mixed state");
}

fn dnf(root: &Path, url: &str) -> Run {
    let mut command = Command::new("dnf");
    command
        .arg(format!("--installroot={}", root.display()))
        .arg(format!(
            "--setopt=cachedir={}",
            root.join("cache").display()
        ))
        .args([
            "-q",
            "-y",
            "--disableplugin=local",
            "--refresh",
            "--setopt=reposdir=/nonexistent",
            "--nogpgcheck",
        ])
        .args(["--releasever=1", "--setopt=metadata_expire=0"])
        .arg(format!("--repofrompath=m,{url}"));
    let mut first = Command::new(command.get_program());
    first.args(command.get_args()).arg("makecache");
    Run::of(first.output().unwrap()).ends(0);
    command.args(["install", "alpha"]);
    Run::of(command.output().unwrap())
}

fn tdnf_install(program: &Path, root: &Path, url: &str) -> Run {
    for dir in ["etc/yum.repos.d", "etc/tdnf", "var/lib/rpm"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::write(
        root.join("etc/tdnf/tdnf.conf"),
        "[main]\nrepodir=/etc/yum.repos.d\n",
    )
    .unwrap();
    let text = format!("[m]\nname=m\nbaseurl={url}\nenabled=1\ngpgcheck=0\n");
    fs::write(root.join("etc/yum.repos.d/m.repo"), text).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new(program);
        command
            .arg(format!("--installroot={}", root.display()))
            .args(["--releasever=1", "-y"])
            .args(words);
        Run::of(command.output().unwrap())
    };
    run(&["makecache"]).ends(0);
    run(&["install", "alpha"])
}

/// Switches to and fro until told to stop; how often.
fn switcher(scene: &Scene, stamps: &[String], stop: &AtomicBool, pause: Duration) -> usize {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let stamp = &stamps[count % 2];
        scene
            .run(&["snapshot", "rollback", "base", stamp, "--wait", "60s"])
            .ends(0);
        count += 1;
        std::thread::sleep(pause);
    }
    count
}

/// Client loops against a mirror that switches all the time: every makecache and install ends well,
/// with one set's packages. `MIRROR_CLIENT_LOOPS` sets how many (each of dnf and tdnf).
#[test]
fn row_108_clients_never_see_a_mixed_state_while_the_mirror_switches() {
    let (scene, stamps) = two();
    let serving = Serving::start(&scene);
    let url = serving.url("/base");
    let loops: usize = std::env::var("MIRROR_CLIENT_LOOPS").map_or(6, |n| n.parse().unwrap());
    let stop = AtomicBool::new(false);
    let (mut switches, done) = (0, AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let switching =
            scope.spawn(|| switcher(&scene, &stamps, &stop, Duration::from_millis(700)));
        let clients = scope.spawn(|| {
            for number in 0..loops {
                let root: PathBuf = scene.path(&format!("roots/d{number}"));
                fs::create_dir_all(&root).unwrap();
                dnf(&root, &url).ends(0);
                check_root(&root);
                fs::remove_dir_all(&root).unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        if let Some(program) = tdnf() {
            for number in 0..loops {
                let root = scene.path(&format!("roots/t{number}"));
                tdnf_install(&program, &root, &url).ends(0);
                check_root(&root);
                fs::remove_dir_all(&root).unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            testkit::fixtures::skipped("tdnf was not built: dnf alone");
        }
        let ended = clients.join();
        stop.store(true, Ordering::Relaxed);
        switches = switching.join().unwrap();
        ended.unwrap();
    });
    println!("{} installs, {switches} switches", done.into_inner());
    assert!(switches > 2);
}

/// The link and its tree: whole at any moment.
fn check_published(scene: &Scene) {
    let link = scene.public("base");
    if fs::symlink_metadata(&link).is_err() {
        return;
    }
    let names = scene.published("base");
    assert!(
        names.iter().any(|n| n == "repodata/repomd.xml"),
        "{names:?}"
    );
    let list = scene.dnf_list(&format!("file://{}", link.display()));
    assert!(
        list == ["alpha-1", "beta-1"] || list == ["alpha-2", "beta-2"],
        "{list:?}"
    );
}

/// Killed before the n-th call that changes a name, for every n: what is published is the old set
/// or the new one, and the next run ends well.
#[test]
fn row_108_killed_at_every_step_of_publishing() {
    if Command::new("strace").arg("-V").output().is_err() {
        return testkit::fixtures::skipped("no strace");
    }
    let (scene, _) = two();
    scene.take("base", "");
    scene.put("base", "alpha", "1", "Requires: beta = 1");
    scene.put("base", "beta", "1", "");
    scene.publish("base");
    let trace = "rename,renameat,renameat2,link,linkat,symlink,symlinkat,syncfs";
    let mut killed = 0;
    for step in (1..200).step_by(3) {
        let mut command = Command::new("strace");
        command
            .args(["-f", "-qq", "-o", "/dev/null", "-e"])
            .arg(format!("trace={trace}"))
            .arg("-e")
            .arg(format!("inject={trace}:signal=KILL:when={step}"))
            .arg(env!("CARGO_BIN_EXE_mirror-sync"))
            .arg("--config")
            .arg(scene.path("mirror.toml"))
            .args(["sync", "--force", "--allow-older"]);
        let run = Run::of(command.output().unwrap());
        check_published(&scene);
        if run.code == 0 {
            break;
        }
        killed += 1;
    }
    assert!(killed >= 5, "{killed}");
    scene.run(&["sync", "--force"]).ends(0);
    check_published(&scene);
    scene.run(&["verify", "--no-repair"]).ends(0);
}

/// Killed every second while it fetches: of all that the line carried, indexes, headers and every
/// restart included, at most 2 % came twice.
#[test]
fn row_109_sync_kill_resume() {
    let scene = Scene::usual();
    for number in 0..4 {
        let built = package_of(&format!("large{number}"), "1", "", 900_000);
        let to = scene.path("up/base/Packages");
        fs::copy(&built, to.join(built.file_name().unwrap())).unwrap();
    }
    scene.publish("base");
    let base = scene.server.url("");
    let port = base.trim_end_matches('/').rsplit(':').next().unwrap();
    // One connection: what each has on the wire at a kill is lost, and the line counts it.
    let line = Line {
        total: Some(500_000),
        each: None,
    };
    let relay = Relay::start(port.parse().unwrap(), line);
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n[limits]\nconnections_per_host = 1\n\
         [repo.base]\nbaseurl = {:?}\n",
        scene.path("mirror"),
        relay.url("/base")
    ));
    let mut kills = 0;
    loop {
        let mut child = scene.command(&["sync", "-q"]).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!scene.public("base").exists(), "half a set was published");
        kills += 1;
        assert!(kills < 60, "it never ends");
    }
    assert!(kills >= 4, "{kills}");
    let size = |name: &String| fs::metadata(scene.public("base").join(name)).unwrap().len();
    let needed: u64 = scene.published("base").iter().map(size).sum();
    let twice = relay.bytes().saturating_sub(needed);
    println!("{kills} kills, {needed} bytes needed, {twice} more came");
    assert!(twice * 50 <= needed, "{twice} of {needed} came twice");
    let list = scene.dnf_list(&format!("file://{}", scene.public("base").display()));
    assert_eq!(list.len(), 7, "{list:?}");
}
