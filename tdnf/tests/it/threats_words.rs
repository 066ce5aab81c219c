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

/// Row 55. However a secret is given, it is shown nowhere: not by `-v`, not in errors, JSON, hints and the history.
#[test]
fn row_55_secrets_of_the_command_line_are_shown_nowhere() {
    if unprivileged() {
        return;
    }
    let secret = "S3KRIT";
    let app = Spec::new("app", "1").file("/opt/app", "1").build();
    let site = shell_site(&[app]);
    let url = "http://u:S3KRIT@127.0.0.1:1";
    let pairs = [
        "password=S3KRIT",
        "test.password=S3KRIT",
        "test. password = S3KRIT",
        "TEST.PASSWORD=S3KRIT",
        "proxy_password=S3KRIT",
        "test.username=S3KRIT",
        "proxy=u:S3KRIT@127.0.0.1:1",
        "test.proxy=S3KRIT@127.0.0.1:1",
        "test.baseurl=http://127.0.0.1:1/?token=S3KRIT",
        "test.baseurl=u:S3KRIT@127.0.0.1:1/",
        "test.mirrorlist=http://u:S3KRIT@127.0.0.1:1/",
        "test.gpgkey=http://u:S3KRIT@127.0.0.1:1/ http://127.0.0.1:1/?auth=S3KRIT",
    ];
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut add = |words: &[&str]| lines.push(words.iter().map(|&word| word.into()).collect());
    for pair in pairs {
        add(&["--setopt", pair, "--refresh", "makecache"]);
        add(&[&format!("--setopt={pair}"), "-y", "install", "app"]);
        add(&["-j", &format!("--setopt={pair}"), "--refresh", "makecache"]);
        add(&[
            "--json-version=2",
            &format!("--setopt={pair}"),
            "install",
            "none",
        ]);
        add(&["-y", &format!("--setopt={pair}"), "remove", "app"]);
    }
    for given in [
        format!("x,{url}/"),
        format!("{url}/"),
        "x,u:S3KRIT@127.0.0.1:1/".to_owned(),
        "x,http://127.0.0.1:1/?key=S3KRIT".to_owned(),
    ] {
        add(&[&format!("--repofrompath={given}"), "--refresh", "list"]);
        add(&["--json-version=2", "--repofrompath", &given, "repolist"]);
    }
    for word in [
        format!("{url}/a.rpm"),
        "http://127.0.0.1:1/a.rpm?token=S3KRIT".to_owned(),
        "127.0.0.1:1/a.rpm?token=S3KRIT".to_owned(),
        "u:S3KRIT@127.0.0.1:1/a.rpm".to_owned(),
    ] {
        for command in [
            "install",
            "remove",
            "list",
            "repoquery",
            "update",
            "provides",
        ] {
            add(&["-y", command, &word]);
            add(&["-y", "--json-version=2", command, &word]);
        }
    }
    add(&["history", "list"]);
    add(&["-j", "history", "list"]);
    add(&["repolist", "-v"]);
    let variables = ["http_proxy", "https_proxy", "all_proxy"];
    let proxies = ["u:S3KRIT@127.0.0.1:1", "S3KRIT@127.0.0.1:1", url];
    for words in lines {
        for verbose in [None, Some("-v")] {
            let words: Vec<&str> = verbose
                .into_iter()
                .chain(words.iter().map(|w| &**w))
                .collect();
            let run = site.run(&words);
            assert!(!run.text().contains(secret), "{words:?}: {}", run.text());
            assert!(!run.text().contains("panicked"), "{words:?}");
        }
    }
    for (variable, proxy) in variables
        .iter()
        .flat_map(|name| proxies.map(|url| (name, url)))
    {
        for scheme in ["http", "https"] {
            let base = format!("--setopt=test.baseurl={scheme}://127.0.0.1:2/");
            let mut tdnf =
                site.command(&[&base, "--setopt=test.retries=0", "--refresh", "makecache"]);
            let run = program::run(tdnf.env(variable, proxy)).failed();
            assert!(
                !run.text().contains(secret),
                "{variable}={proxy}: {}",
                run.text()
            );
        }
    }
}
