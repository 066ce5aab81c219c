//! A mirror's folder in which somebody has put links: docs/threats.md, rows 121 and 126.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::links::planted;
use testkit::opens::{through_links, through_links_while};
use testkit::program::{self, Run};

use crate::gap::Gap;
use crate::scene::Scene;
use crate::serving::curl;

/// An upstream in two states, and what is done to its mirror.
struct Day {
    scene: Scene,
}

impl Day {
    fn new() -> Self {
        let scene = Scene::new();
        scene.put("base", "alpha", "1", "");
        scene.publish("base");
        testkit::tree::copy(&scene.path("up/base"), &scene.path("up/old"));
        scene.put("base", "beta", "1", "");
        scene.publish("base");
        for (config, state) in [("old.toml", "old"), ("new.toml", "base")] {
            let url = format!("file://{}", scene.path("up").join(state).display());
            scene.write(
                config,
                format!("[mirror]\npath = \"mirror\"\n[repo.base]\nbaseurl = {url:?}\n"),
            );
        }
        Self { scene }
    }

    fn commands(&self, root: &Path) -> Vec<Command> {
        let mirror = root.join("mirror");
        let steps: [(&str, &[&str]); 7] = [
            ("old", &["sync"]),
            ("old", &["snapshot", "promote", "base", "--to", "prod"]),
            ("new", &["sync"]),
            (
                "new",
                &[
                    "--set",
                    "repo.base.select.packages=[\"beta\"]",
                    "sync",
                    "--force",
                    "--allow-delete",
                ],
            ),
            ("new", &["verify"]),
            ("new", &["clean"]),
            ("new", &["status"]),
        ];
        let command = |(config, words): (&str, &[&str])| {
            let config = self.scene.path(&format!("{config}.toml"));
            on(&config, &mirror, words)
        };
        steps.into_iter().map(command).collect()
    }
}

/// Our program on this mirror.
fn on(config: &Path, mirror: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-sync"));
    command.arg("--config").arg(config);
    command
        .arg("--set")
        .arg(format!("mirror.path={mirror:?}"))
        .args(words)
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8");
    command
}

fn fresh(root: &Path) {
    fs::create_dir_all(root.join("mirror")).unwrap();
}

fn done(commands: Vec<Command>) -> Vec<Run> {
    let mut commands = commands;
    commands.iter_mut().map(program::run).collect()
}

#[test]
fn row_126_links_in_the_place_of_what_sync_makes() {
    let day = Day::new();
    let between = [
        "mirror/partial/primary-base",
        "mirror/partial/metadata-base",
        "mirror/partial/deltas-base",
        "mirror/partial/base-deltas.xml",
        "mirror/store/.unsynced",
        "mirror/public/snapshots/base/.making",
    ];
    let tried = planted(&fresh, &|root| done(day.commands(root)), &between);
    println!("{tried} links");
    assert!(tried >= 60, "{tried}");
}

#[test]
fn row_126_links_in_the_place_of_what_bundle_apply_makes() {
    let gap = Gap::new();
    let parts: Vec<PathBuf> = gap
        .make(&["--site", "ship"])
        .iter()
        .map(PathBuf::from)
        .collect();
    let work = |root: &Path| {
        let mut apply = on(
            &gap.path("inside.toml"),
            &root.join("mirror"),
            &["bundle", "apply"],
        );
        vec![program::run(apply.args(&parts))]
    };
    let between = [
        "mirror/partial",
        "mirror/partial/bundle-ship-0001",
        "mirror/partial/bundle-ship-0001/0",
    ];
    let tried = planted(&fresh, &work, &between);
    println!("{tried} links");
    assert!(tried >= 40, "{tried}");
}

#[test]
fn row_121_a_mirror_is_written_through_no_link() {
    let day = Day::new();
    let root = day.scene.path("root");
    fresh(&root);
    for command in day.commands(&root).iter().take(5) {
        let bad = through_links(command);
        assert!(bad.is_empty(), "{command:?}: {bad:#?}");
    }
    let gap = Gap::new();
    let mut apply = on(
        &gap.path("inside.toml"),
        &gap.path("inside"),
        &["bundle", "apply"],
    );
    let bad = through_links(apply.args(gap.make(&["--site", "ship"])));
    assert!(bad.is_empty(), "{bad:#?}");
}

/// An upstream that changes, before a server of a proxied repository `far` and of one that was synced.
struct Served {
    scene: Scene,
}

impl Served {
    fn new() -> Self {
        let scene = Scene::usual();
        testkit::tree::copy(&scene.path("up/base"), &scene.path("up/next"));
        scene.put("next", "delta", "1", "");
        scene.publish("next");
        let url = scene.server.url("/link");
        scene.config_text(&format!(
            "[mirror]\npath = \"mirror\"\n[repo.base]\nbaseurl = {:?}\n\
             [repo.far]\nmode = \"proxy\"\nbaseurl = {url:?}\n\
             [serve]\nproxy_expire = 0\nlisten = \"127.0.0.1:0\"\n",
            scene.server.url("/base")
        ));
        Self { scene }
    }

    fn command(&self, root: &Path, words: &[&str]) -> Command {
        on(&self.scene.path("mirror.toml"), &root.join("mirror"), words)
    }

    fn upstream_is(&self, name: &str) {
        let link = self.scene.path("up/link");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(name, link).unwrap();
    }

    /// Starts the server, asks for files of `far` while upstream changes, and for `more`, and ends it; `traced`: the
    /// server is the child of what was started.
    fn ask(&self, serve: &mut Command, more: &[&str], traced: bool) -> Vec<Run> {
        self.upstream_is("base");
        let piped = serve.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let mut runs = Vec::new();
        if let Some(url) = line.split("http://").nth(1) {
            let url = format!("http://{}", url.trim().trim_end_matches('/'));
            let mut get = |path: &str| {
                let url = format!("{url}{path}");
                runs.push(curl(&["-f", "-m", "20", "-o", "/dev/null", &url]));
            };
            for (state, package) in [("base", "alpha"), ("next", "delta")] {
                self.upstream_is(state);
                get("/far/repodata/repomd.xml");
                get(&format!("/far/Packages/{package}-1-1.noarch.rpm"));
            }
            more.iter().copied().for_each(get);
        }
        let mut pid = child.id();
        if traced {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
            pid = children.trim().parse().unwrap();
        }
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::TERM);
        runs.push(Run::of(child.wait_with_output().unwrap()));
        runs
    }
}

#[test]
fn row_126_links_in_the_place_of_what_serve_makes() {
    let served = Served::new();
    let work = |root: &Path| {
        served.ask(
            &mut served.command(root, &["serve"]),
            &["/status.json"],
            false,
        )
    };
    let between = ["mirror/partial", "mirror/proxied/.unsynced"];
    let tried = planted(&fresh, &work, &between);
    println!("{tried} links");
    assert!(tried >= 30, "{tried}");
}

#[test]
fn row_121_serve_writes_nothing_through_a_link() {
    let served = Served::new();
    let root = served.scene.path("root");
    fresh(&root);
    program::run(&mut served.command(&root, &["sync", "base"])).ok();
    let bad = through_links_while(&served.command(&root, &["serve"]), |traced| {
        let more = ["/status.json", "/base/repodata/repomd.xml"];
        for run in served.ask(traced, &more, true) {
            run.ok();
        }
    });
    assert!(bad.is_empty(), "{bad:#?}");
}

/// Root's `sync` would follow whatever the owner of a folder puts in the place of one that was just made.
#[test]
fn row_126_root_works_in_no_mirror_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can give folders away");
        return;
    }
    let scene = Scene::usual();
    scene.sync();
    scene.put("base", "delta", "1", "");
    scene.publish("base");
    let give = |name: &str, user: u32| {
        std::os::unix::fs::chown(scene.path(name), Some(user), None).unwrap();
    };
    let path = scene.path("mirror");
    let path = path.display();
    let owned = format!("give the mirror to root (`chown -R root: {path}; chmod -R go-w {path}`)");
    let refused = |words: &[&str], way: &str| {
        let run = scene.run(words).ends(2);
        assert!(run.err.contains(way), "{way}: {}", run.err);
        assert_eq!(run.err.contains("runuser"), way.contains("runuser"));
    };
    for name in ["mirror", "mirror/public", "mirror/public/snapshots"] {
        give(name, 65534);
        for words in [
            &["sync"][..],
            &["clean"],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            let (config, typed) = (scene.path("mirror.toml"), words.join(" "));
            let user = format!(
                "(`runuser -u nobody -- mirror-sync --config {} {typed}`), or {owned}",
                config.display()
            );
            refused(words, if name == "mirror" { &user } else { &owned });
        }
        scene.run(&["status"]).ends(0);
        give(name, 0);
    }
    let mode = |bits| fs::set_permissions(scene.path("mirror"), PermissionsExt::from_mode(bits));
    mode(0o777).unwrap();
    let taken = format!("elsewhere; take their right away: `chmod -R go-w {path}`");
    refused(&["sync"], &taken);
    mode(0o755).unwrap();
    scene.sync();
    // Commands lead to what a link means, and a blank stands in one word.
    fs::rename(scene.path("mirror"), scene.path("big disk")).unwrap();
    std::os::unix::fs::symlink("big disk", scene.path("mirror")).unwrap();
    give("big disk", 65534);
    let real = scene.path("big disk");
    let way = format!(
        "`chown -R root: '{0}'; chmod -R go-w '{0}'`",
        real.display()
    );
    let run = scene.run(&["sync"]).ends(2);
    assert!(run.err.contains(&way), "{}", run.err);
}
