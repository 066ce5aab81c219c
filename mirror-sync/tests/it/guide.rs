//! What users read: the guide, the shipped configuration and units.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::words::{check_help, completed_by_bash, write_manual};

use crate::scene::{Scene, VENDOR};
use crate::serving::Serving;
use testkit::gpg::Gpg;
use testkit::program::Run;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The chapter of the guide before which all examples are of one mirror.
const DOORS: &str = "Locking the doors";

/// The lines of the guide's blocks of one language in one chapter.
pub(crate) fn blocks(chapter: &str, language: &str) -> Vec<String> {
    let guide = fs::read_to_string(shipped("docs/mirror-sync.md")).unwrap();
    let start = guide
        .find(&format!("\n## {chapter}\n"))
        .expect("the chapter is there");
    let text = &guide[start + 4..];
    fenced(text.split("\n## ").next().unwrap(), language)
}

fn fenced(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or("").to_owned())
        .collect()
}

#[test]
fn every_command_has_its_own_help_with_an_example() {
    let commands = check_help(mirror_sync::parser());
    assert!(commands >= 17, "{commands} commands");
    let help = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_mirror-sync"))
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = help(&["help", "snapshot", "promote"]);
    assert!(
        text.contains("Usage: mirror-sync snapshot promote [OPTIONS]"),
        "{text}"
    );
    assert!(
        text.contains("--to <CHANNEL>") && text.contains("\nExample: "),
        "{text}"
    );
    assert_eq!(text, help(&["snapshot", "promote", "--help"]));
}

#[test]
fn completion_in_a_real_bash() {
    let dir = tempfile::tempdir().unwrap();
    write_manual(&mirror_sync::parser(), dir.path()).unwrap();
    let offered = |line: &str| completed_by_bash(dir.path(), line);
    assert_eq!(offered("mirror-sync snap"), ["snapshot"]);
    assert_eq!(offered("mirror-sync bundle re"), ["receipt", "request"]);
    assert_eq!(
        offered("mirror-sync sync --allow"),
        ["--allow-delete", "--allow-older"]
    );
    assert_eq!(offered("mirror-sync snapshot promote --sn"), ["--snapshot"]);
    assert_eq!(offered("mirror-sync --config /et"), ["/etc"]);
}

#[test]
fn a_mirror_in_five_minutes() {
    let scene = Scene::usual();
    let home = scene.path("gnupg");
    let gpg = Gpg::with_key(&home, VENDOR);
    fs::write(scene.path("key.asc"), gpg.public()).unwrap();
    for name in ["alpha", "beta", "gamma"] {
        let package = scene.path(&format!("up/base/Packages/{name}-1-1.noarch.rpm"));
        gpg.sign_package(VENDOR, &package);
    }
    scene.publish("base");
    let guide = fs::read_to_string(shipped("docs/mirror-sync.md")).unwrap();
    let before = guide.split(&format!("\n## {DOORS}\n")).next().unwrap();
    let config = fenced(before, "toml").concat();
    scene.config_text(&config.replace("UPSTREAM", &scene.server.url("/base")));
    let bin = scene.path("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mirror-sync"), bin.join("mirror-sync")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut count = 0;
    for line in fenced(before, "sh").concat().lines() {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(scene.path(""))
            .env("PATH", &path)
            .output();
        let run = Run::of(output.unwrap());
        assert!(run.code == 0, "{line}: {}{}", run.out, run.err);
        count += 1;
    }
    assert!(count >= 18, "{count}");
    for code in 0..=6 {
        assert!(guide.contains(&format!("| {code} |")), "exit code {code}");
    }
}

/// Each line of the chapter, one after the other; the server among them on a port of its own.
#[test]
fn the_doors_are_locked_in_ten_lines() {
    let scene = Scene::usual();
    let config = fs::read_to_string(scene.path("mirror.toml")).unwrap();
    scene.sync();
    scene.config_text(&format!("{config}{}", blocks(DOORS, "toml").concat()));
    let text = blocks(DOORS, "sh").concat();
    assert_eq!(text.lines().count(), 10);
    let program = env!("CARGO_BIN_EXE_mirror-sync");
    let (mut serving, mut port) = (None, String::from("8443"));
    for line in text.lines() {
        let line = line.replace("8443", &port);
        let mut command = Command::new("sh");
        command.current_dir(scene.path(""));
        match line.strip_suffix(" &") {
            Some(server) => {
                let server = server
                    .replace(&port, "0")
                    .replacen("mirror-sync", program, 1);
                let started = Serving::of(command.args(["-c", &format!("exec {server}")]));
                port = started.address.rsplit(':').next().unwrap().to_owned();
                serving = Some(started);
            }
            None => {
                let run = Run::of(command.args(["-c", &line]).output().unwrap());
                assert!(run.code == 0, "{line}: {}{}", run.out, run.err);
            }
        }
    }
    assert!(serving.is_some());
    let token = fs::read_to_string(scene.path("tokens")).unwrap();
    let token = token.lines().next().unwrap();
    let file = fs::read_to_string(scene.path("mirror.repo")).unwrap();
    assert!(
        file.contains(&format!("username=office\npassword={token}\n")),
        "{file}"
    );
}

#[test]
fn the_shipped_configuration_is_read_with_all_its_comments_taken_away() {
    let text = fs::read_to_string(shipped("conf/mirror-sync.toml")).unwrap();
    let scene = Scene::usual();
    let root = scene.path("mirror");
    for all in [false, true] {
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("# "))
            .map(|line| line.strip_prefix('#').filter(|_| all).unwrap_or(line))
            .collect();
        scene.config_text(
            &lines
                .join("\n")
                .replace("/srv/mirror", root.to_str().unwrap()),
        );
        let status = scene
            .run(&["status", "--json"])
            .ends(if all { 0 } else { 4 })
            .json();
        assert_eq!(status["repos"].as_array().unwrap().len(), 2, "{status}");
    }
}

#[test]
fn systemd_takes_the_units() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        return testkit::fixtures::skipped("no systemd-analyze");
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no"]);
    for name in [
        "mirror-sync.service",
        "mirror-sync.timer",
        "mirror-sync-serve.service",
    ] {
        let text = fs::read_to_string(shipped("conf/systemd").join(name)).unwrap();
        let text = text.replace("/usr/bin/mirror-sync", env!("CARGO_BIN_EXE_mirror-sync"));
        fs::write(dir.path().join(name), text).unwrap();
        command.arg(dir.path().join(name));
    }
    let run = Run::of(command.output().unwrap());
    assert!(
        run.code == 0 && run.err.is_empty(),
        "{}{}",
        run.out,
        run.err
    );
}

/// docs/threats.md, row 116: who serves strangers runs unprivileged, with a root that he can only read.
#[test]
fn the_shipped_unit_of_serve_has_no_rights() {
    let unit = |name: &str| fs::read_to_string(shipped("conf/systemd").join(name)).unwrap();
    let values = |text: &str, key: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let found = lines.filter(|(name, _)| *name == key);
        found.map(|(_, value)| value.to_owned()).collect()
    };
    let (serve, sync) = (
        unit("mirror-sync-serve.service"),
        unit("mirror-sync.service"),
    );
    for text in [&serve, &sync] {
        for (key, value) in [
            ("User", "mirror-sync"),
            ("ProtectSystem", "strict"),
            ("ProtectHome", "yes"),
            ("PrivateTmp", "yes"),
            ("NoNewPrivileges", "yes"),
            ("ReadWritePaths", "/srv/mirror"),
        ] {
            assert_eq!(values(text, key), [value], "{key}");
        }
        for line in [
            "ExecStart=+",
            "ExecStart=!",
            "PermissionsStartOnly",
            "BindPaths",
            "User=root",
        ] {
            assert!(!text.contains(line), "{line}");
        }
    }
    for (key, value) in [
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("PrivateDevices", "yes"),
        ("RestrictNamespaces", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("SystemCallFilter", "@system-service"),
    ] {
        assert_eq!(values(&serve, key), [value], "{key}");
    }
    let made = fs::read_to_string(shipped("conf/sysusers.d/mirror-sync.conf")).unwrap();
    assert!(made.contains("\nu mirror-sync "), "{made}");
    let place = fs::read_to_string(shipped("conf/tmpfiles.d/mirror-sync.conf")).unwrap();
    assert!(place.starts_with("d /srv/mirror "), "{place}");
}
