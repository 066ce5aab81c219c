//! Row 57 of docs/threats.md: words of the caller that would steer his terminal.

use testkit::program;
use testkit::spec::Spec;

use crate::interop_lab::{shell_site, unprivileged};

/// Whatever stands in arguments and locale: it is shown, and steers nothing.
#[test]
fn row_57_arguments_and_locale_steer_no_terminal() {
    if unprivileged() {
        return;
    }
    let app = Spec::new("app", "1").file("/opt/app", "1").build();
    let site = shell_site(&[app]);
    site.ok(&["install", "-y", "app"]);
    let word = program::STEERING;
    let setopts = [
        "--setopt=X",
        "--setopt=cachedir=X",
        "--setopt=test.baseurl=X",
        "--setopt=test.priority=X",
    ];
    let options = [
        "--repoid=X",
        "--enablerepo=X",
        "--exclude=X",
        "--releasever=X",
        "--rpmverbosity=X",
        "--forcearch=X",
    ];
    let flags = [
        "-cX",
        "--X",
        "--sec-severity=X",
        "--reponame=X",
        "--tsflags=X",
        "--downloaddir=X",
    ];
    let mut lines: Vec<Vec<String>> = Vec::new();
    for option in setopts.iter().chain(&options).chain(&flags) {
        lines.push(vec![option.replace('X', word), "list".to_owned()]);
    }
    for command in [
        "X",
        "install -y X",
        "install -y ./X",
        "install -y http://127.0.0.1:9/X.rpm",
        "erase -y X",
        "update -y X",
        "list X",
        "info X",
        "search X",
        "provides X",
        "repoquery X",
        "repoquery --whatrequires X",
        "repoquery --qf %{name}X app",
        "history info X",
        "history undo -y X",
        "mark install X",
        "help X",
        "updateinfo X",
        "repolist X",
        "clean X",
        "check-update X",
    ] {
        lines.push(
            command
                .split(' ')
                .map(|one| one.replace('X', word))
                .collect(),
        );
    }
    for line in &lines {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        let mut command = site.command(&words);
        // What is named may be made.
        command.current_dir(site.root.path());
        for name in program::STEERING_VARIABLES {
            command.env(name, word);
        }
        let run = program::run(&mut command).steers_nothing();
        assert!(run.code >= 0 && !run.err.contains("panicked"), "{run:?}");
        let mut command = site.command(&[&["-j"], words.as_slice()].concat());
        command.current_dir(site.root.path());
        let run = program::run(command.env("LC_ALL", word)).steers_nothing();
        // What a format asks for is text; everything else is one document.
        if !run.out.is_empty() && !words.contains(&"--qf") && words[0] != "help" {
            run.json();
        }
    }
    // It was said, and not left out.
    let run = site.run(&["install", "-y", word]);
    assert!(
        run.text().contains("evil\\u{1b}]0;x\\u{7}") && run.code != 0,
        "{run:?}"
    );
}
