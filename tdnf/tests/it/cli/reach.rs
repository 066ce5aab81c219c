//! A question that names its packages reads these alone, and its answer is that of all packages.

use std::fs;
use std::process::Command;

use testkit::fixtures::unprivileged;
use testkit::rpm::createrepo;

use super::{Site, plain};

const WORDS: &[&str] = &[
    "app",
    "APP",
    "app.noarch",
    "app-1",
    "app-2-1",
    "app-7:3-1.noarch",
    "app-9",
    "lib",
    "virtual",
    "virtual >= 2",
    "ap*",
    "foo(bar)",
    "tool",
    "tool.src",
    "/opt/app",
    "nothing",
    "old",
];
const COMMANDS: &[&[&str]] = &[
    &["list"],
    &["-j", "info"],
    &["list", "available"],
    &["list", "updates"],
    &["provides"],
    &["repoquery", "--provides"],
];
/// Further keys of the first section, of the second one, and further words.
const VARIANTS: &[(&str, &str, &[&str])] = &[
    ("", "enabled=1", &[]),
    (
        "priority=10",
        "enabled=1\nexcludepkgs=tool app-7:3",
        &["--exclude=lib"],
    ),
    (
        "includepkgs=app old",
        "enabled=0",
        &["--setopt=minversions=app=2"],
    ),
];

/// What all questions are answered with.
fn answers(site: &Site) -> Vec<String> {
    let mut told = Vec::new();
    for (first, second, words) in VARIANTS {
        let folder = site.path("other").display().to_string();
        site.write(
            "repos.d/test.repo",
            site.repo_text(&format!("gpgcheck=0\n{first}\n[other]\nname=More\nbaseurl=file://{folder}\ngpgcheck=0\n{second}")),
        );
        site.run(&["makecache"]).ok();
        let mut ask = |command: &[&str], word: &[&str]| {
            let ran = site.run(&[words, command, word].concat());
            let said = (ran.code, ran.out, ran.err);
            told.push(format!("{words:?} {command:?} {word:?}: {said:?}"));
        };
        for command in COMMANDS {
            for word in WORDS {
                ask(command, &[*word]);
            }
        }
        ask(&["info"], &["app", "virtual", "lib-2"]);
        ask(&["list"], &["app", "nothing"]);
        for command in [
            &["check-update"][..],
            &["list", "updates"],
            &["check-update", "app", "lib"],
        ] {
            ask(command, &[]);
        }
    }
    told
}

#[test]
fn what_is_read_of_some_packages_is_said_of_all() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[
        plain("app", "1"),
        plain("app", "2").lines("Provides: foo(bar)"),
        plain("lib", "1"),
        plain("lib", "2").lines("Provides: virtual = 2"),
        plain("old", "1"),
    ]);
    site.run(&["-y", "install", "app-1", "lib-1", "old"]).ok();
    let other = site.path("other");
    fs::create_dir(&other).unwrap();
    let more = [
        plain("app", "3").lines("Epoch: 7"),
        plain("tool", "1").lines("Provides: virtual = 1\nObsoletes: old < 2"),
        plain("lib", "2"),
    ];
    let built = more.iter().map(|spec| spec.build());
    for file in built.chain([plain("tool", "1").build_source()]) {
        fs::copy(&file, other.join(file.file_name().unwrap())).unwrap();
    }
    createrepo::<&str>(&other, &[]);
    let few = answers(&site);
    // With modules, of whichever packages, every question goes through all of them.
    let module = "---\ndocument: modulemd\nversion: 2\ndata:\n  name: away\n  stream: \"1\"\n  version: 1\n  context: c\n  \
                  arch: noarch\n  artifacts:\n    rpms:\n    - away-0:1-1.noarch\n...\n";
    site.write("modules.yaml", module);
    for folder in ["repo", "other"] {
        let mut modifyrepo = Command::new("modifyrepo_c");
        modifyrepo
            .arg("--mdtype=modules")
            .arg(site.path("modules.yaml"));
        let status = modifyrepo.arg(site.path(folder).join("repodata")).status();
        assert!(status.expect("modifyrepo_c runs").success());
    }
    site.run(&["--refresh", "makecache"]).ok();
    let all = answers(&site);
    for (few, all) in few.iter().zip(&all) {
        assert_eq!(few, all);
    }
    assert!(
        few.iter()
            .any(|told| told.contains("\"app\"") && told.contains("7:3-1"))
    );
}
