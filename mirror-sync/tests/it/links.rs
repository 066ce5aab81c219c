//! A mirror's folder in which somebody has put links: docs/threats.md, rows 121 and 126.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::links::planted;
use testkit::opens::through_links;
use testkit::program::{self, Run};

use crate::gap::Gap;
use crate::scene::Scene;

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
