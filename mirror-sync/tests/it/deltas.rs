//! Deltas of metadata: taken where they are good, thrown away where they are not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rpm_repo::delta;
use serde_json::Value;
use testkit::server::{Answer, Server};

use crate::scene::Scene;
use testkit::program::Run;

/// Packages of the repositories here.
const COUNT: usize = 60;

/// Our createrepo.
fn repo_tools() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_mirror-sync")).with_file_name("repo-tools");
    assert!(
        beside.is_file(),
        "repo-tools was not built: cargo build -p repo-tools"
    );
    beside
}

/// Puts the packages of a day into a folder: a few of a new release, the others as they were.
pub(crate) fn put_day(to: &Path, day: u32, count: usize, every: usize) {
    fs::create_dir_all(to).unwrap();
    for (at, package) in testkit::many::packages(day, count).iter().enumerate() {
        if day > 1 && at % every != day as usize % every {
            continue;
        }
        let name = package.file_name().unwrap().to_str().unwrap();
        if let Some((stem, _)) = name.rsplit_once("-1-").filter(|_| day > 1) {
            for entry in fs::read_dir(to).unwrap().flatten() {
                if entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with(&format!("{stem}-1-"))
                {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
        fs::copy(package, to.join(name)).unwrap();
    }
}

/// Makes the metadata with deltas.
pub(crate) fn create(dir: &Path, more: &[&str]) {
    let mut command = Command::new(repo_tools());
    command
        .arg("createrepo")
        .arg(dir)
        .args(["--deltas", "3"])
        .args(more);
    Run::of(command.output().unwrap()).ends(0);
}

fn day(scene: &Scene, day: u32) {
    put_day(&scene.path("up/base"), day, COUNT, 20);
    create(&scene.path("up/base"), &[]);
}

/// A mirror that holds the first day; upstream is at the second.
fn second_day() -> Scene {
    let scene = Scene::new();
    scene.config("");
    day(&scene, 1);
    scene.sync();
    day(&scene, 2);
    scene.server.forget();
    scene
}

fn asked(scene: &Scene) -> Vec<String> {
    let seen = scene.server.seen();
    let mut paths: Vec<String> = seen.into_iter().map(|one| one.path).collect();
    paths.retain(|path| path.contains("repodata"));
    paths
}

/// What is published is upstream's, byte for byte.
fn is_upstreams(scene: &Scene) {
    let up = scene.path("up/base/repodata");
    let index = fs::read(up.join("repomd.xml")).unwrap();
    assert!(fs::read(scene.public("base/repodata/repomd.xml")).unwrap() == index);
    let index = rpm_repo::repomd::parse("repomd.xml", &index).unwrap();
    assert_eq!(index.records.len(), 3);
    for record in &index.records {
        let name = record.href.file_name();
        let ours = fs::read(scene.public("base/repodata").join(name)).unwrap();
        assert!(ours == fs::read(up.join(name)).unwrap(), "{name}");
    }
}

fn sync(scene: &Scene) -> Value {
    let run = scene.run(&["--json", "sync"]).ends(0);
    run.json()["repos"][0].clone()
}

#[test]
fn only_what_has_changed_is_fetched() {
    let scene = second_day();
    let report = sync(&scene);
    is_upstreams(&scene);
    let paths = asked(&scene);
    let whole: Vec<&String> = paths
        .iter()
        .filter(|path| path.contains(".xml.gz"))
        .collect();
    assert!(whole.is_empty(), "{paths:?}");
    assert_eq!(
        paths.iter().filter(|path| path.ends_with(".delta")).count(),
        3
    );
    assert_eq!(
        paths
            .iter()
            .filter(|path| path.ends_with("deltas.json"))
            .count(),
        1
    );
    let (bytes, saved) = (
        report["delta_bytes"].as_u64(),
        report["saved_bytes"].as_u64(),
    );
    assert!(saved > bytes && bytes > Some(500), "{report}");
    // Several days at once, and what the mirror keeps works without the server.
    for number in 3..=4 {
        day(&scene, number);
    }
    scene.server.forget();
    sync(&scene);
    is_upstreams(&scene);
    assert!(!asked(&scene).iter().any(|path| path.contains(".xml.gz")));
    scene.run(&["verify"]).ends(0);
}

/// Nothing new is still one request; a day on which nothing but the time changed costs no delta.
#[test]
fn an_unchanged_repository_costs_one_request() {
    let scene = second_day();
    scene.sync();
    scene.server.forget();
    scene.run(&["sync"]).ends(3);
    assert_eq!(scene.server.seen().len(), 1);
}

/// An upstream without deltas is asked for them once in a week.
#[test]
fn an_upstream_without_deltas_is_asked_once() {
    let scene = Scene::new();
    scene.config("");
    let base = scene.path("up/base");
    let mut asked_for = Vec::new();
    for number in 1..=4 {
        put_day(&base, number, COUNT, 20);
        testkit::rpm::createrepo(&base, &["--general-compress-type=gz", "--no-database"]);
        scene.server.forget();
        scene.sync();
        is_upstreams(&scene);
        let paths = asked(&scene);
        asked_for.push(
            paths
                .iter()
                .filter(|path| path.ends_with("deltas.json"))
                .count(),
        );
    }
    assert_eq!(asked_for, [0, 1, 0, 0]);
}

/// Damaged, for another file, a bomb, cut short, gone: the whole files are fetched.
#[test]
fn bad_deltas_cost_time_and_nothing_else() {
    for how in [
        "tampered", "other", "bomb", "short", "gone", "index", "lies", "html",
    ] {
        let scene = second_day();
        let repodata = scene.path("up/base/repodata");
        let index = repodata.join("deltas.json");
        let offers = delta::parse(&fs::read(&index).unwrap()).unwrap();
        let path = |offer: &delta::Offer| scene.path("up/base").join(offer.href.as_str());
        // What an attacker or a broken disk made of it, with an index that fits.
        let mut new = Vec::new();
        for (at, offer) in offers.iter().enumerate() {
            let mut bytes = fs::read(path(offer)).unwrap();
            let head = bytes.windows(2).position(|two| two == b"\n\n").unwrap() + 2;
            match how {
                "tampered" => {
                    let last = bytes.len() - 9;
                    bytes[last] ^= 0x40;
                }
                "other" => bytes = fs::read(path(&offers[(at + 1) % 3])).unwrap(),
                "bomb" => {
                    bytes.truncate(head);
                    let mut body = vec![3, 0xff, 0xff, 0xff, 0xff, 0x7f];
                    body.extend(vec![b' '; 64 << 20]);
                    let mut packed = spawn(Command::new("zstd").args(["-q", "-c"]));
                    bytes.extend(pipe(&mut packed, &body));
                }
                "short" => bytes.truncate(bytes.len() - 20),
                _ => {}
            }
            let digest = rpm_pkg::digest::Hasher::digest(offer.digest.algo(), &bytes);
            let size = bytes.len() as u64;
            fs::write(path(offer), bytes).unwrap();
            if how == "gone" {
                fs::remove_file(path(offer)).unwrap();
            }
            new.push(delta::Offer {
                size,
                digest: if how == "lies" { offer.to } else { digest },
                ..offer.clone()
            });
        }
        fs::write(&index, delta::to_bytes(&new).unwrap()).unwrap();
        match how {
            "index" => fs::write(&index, "[".repeat(500_000)).unwrap(),
            "html" => scene
                .server
                .always("/base/repodata/deltas.json", Answer::login_page()),
            _ => {}
        }
        let report = sync(&scene);
        is_upstreams(&scene);
        assert_eq!(report["saved_bytes"], 0, "{how}");
        let whole = asked(&scene)
            .iter()
            .filter(|path| path.contains(".xml.gz"))
            .count();
        assert_eq!(whole, 3, "{how}");
    }
}

fn spawn(command: &mut Command) -> std::process::Child {
    use std::process::Stdio;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn pipe(child: &mut std::process::Child, input: &[u8]) -> Vec<u8> {
    use std::io::{Read, Write};
    let mut stdin = child.stdin.take().unwrap();
    let mut out = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    });
    child.wait().unwrap();
    out
}

/// A damaged old file in the store: the result does not fit, the whole file is fetched.
#[test]
fn a_damaged_old_file_is_no_harm() {
    let scene = second_day();
    let store = scene.path("mirror/store/sha256");
    let old = fs::read(scene.public("base/repodata/repomd.xml")).unwrap();
    let old = rpm_repo::repomd::parse("repomd.xml", &old).unwrap();
    let hex = old.record("primary").unwrap().checksum.unwrap().hex();
    let path = store.join(&hex[..2]).join(&hex);
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    sync(&scene);
    is_upstreams(&scene);
    let primary = |path: &&String| path.ends_with("primary.xml.gz");
    assert_eq!(asked(&scene).iter().filter(primary).count(), 1);
}

/// What a mirror publishes has deltas of its own making, and the next mirror takes them.
#[test]
fn a_mirror_of_a_mirror() {
    let scene = second_day();
    scene.sync();
    day(&scene, 3);
    // The first mirror is served; the second one follows it.
    let server = Server::start(&scene.path("mirror/public"));
    let text = format!(
        "[mirror]\npath = {:?}\n[repo.base]\nbaseurl = {:?}\n",
        scene.path("second"),
        server.url("/base")
    );
    let config = scene.path("second.toml");
    fs::write(&config, text).unwrap();
    let second = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-sync"));
        command
            .arg("--config")
            .arg(&config)
            .args(["--json", "sync"]);
        Run::of(command.output().unwrap()).ends(0).json()["repos"][0].clone()
    };
    second();
    scene.sync();
    server.forget();
    let report = second();
    assert!(report["saved_bytes"].as_u64() > Some(0), "{report}");
    let paths: Vec<String> = server.seen().into_iter().map(|one| one.path).collect();
    assert!(
        !paths.iter().any(|path| path.contains(".xml.gz")),
        "{paths:?}"
    );
    let same = |name: &str| {
        let of = |mirror: &str| {
            let path = scene.path(mirror).join("public/base/repodata").join(name);
            fs::read(path).unwrap()
        };
        of("mirror") == of("second")
    };
    assert!(same("repomd.xml"));
    let names = scene.dnf_list(&server.url("/base"));
    assert_eq!(names.len(), COUNT);
    // A former delta stays as long as the metadata that it leads to; without the key there are none.
    scene
        .run(&["--set", "mirror.deltas=0", "sync", "--force"])
        .ends(0);
    assert!(!scene.public("base/repodata/deltas.json").exists());
}
