//! What an error says to do is what helps: the commands of hints, and the reasons that stand before them.

use std::fs;

use testkit::fixtures::unprivileged;
use testkit::program::Run;
use testkit::rpm::createrepo;
use testkit::server::{Answer, Server};

use super::{Site, plain};

/// The command of each hint, as it would be pasted.
fn commands(ran: &Run) -> Vec<String> {
    let hints = ran.err.lines().filter(|line| line.starts_with("Hint: "));
    let pieces = hints.flat_map(|line| line.split('`').skip(1).step_by(2));
    pieces.map(str::to_owned).collect()
}

/// A second repository, which is off.
fn second(site: &Site, id: &str, keys: &str) {
    let url = site.path("repo").display().to_string();
    site.write(
        &format!("repos.d/{id}.repo"),
        format!("[{id}]\nname={id}\nbaseurl=file://{url}\ngpgcheck=0\n{keys}\n"),
    );
}

#[test]
fn commands_of_hints_are_about_the_system_and_the_repositories_of_the_run() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[
        plain("curl", "1"),
        plain("clash", "1").lines("Conflicts: curl"),
        plain("foo", "1").lines("Requires: nosuch"),
    ]);
    let options = site.options();
    site.run(&["-y", "install", "curl"]).ok();
    let ran = site.run(&["--releasever=5 0", "-y", "install", "clash"]);
    let options_here = format!("{options} '--releasever=5 0'");
    assert_eq!(
        commands(&ran),
        [
            format!("tdnf {options_here} --allowerasing install clash"),
            format!("tdnf {options_here} erase curl"),
        ],
        "{ran:?}"
    );
    second(&site, "off", "enabled=0");
    let words = ["--enablerepo=off", "--setopt=off.password=geheim", "--best"];
    let ran = site.run(&[&words[..], &["install", "clash", "foo"]].concat());
    let options_here = format!("{options} --enablerepo=off '--setopt=off.password=***'");
    assert_eq!(
        commands(&ran),
        [
            format!("tdnf {options_here} erase curl"),
            format!("tdnf {options_here} --skip-broken --best install clash foo"),
        ],
        "{ran:?}"
    );
    assert!(!ran.text().contains("geheim"), "{ran:?}");
    let ran = site.run(&["--json-version=2", "--enablerepo=off", "install", "clash"]);
    let hint = format!("`tdnf {options} --enablerepo=off erase curl`");
    assert_eq!(ran.json()["Error"]["Hints"][1], hint, "{ran:?}");
    // What the first hint says works.
    let ran = site.run(&["-y", "--allowerasing", "install", "clash"]).ok();
    assert_eq!(site.rpm_names(), ["clash-1"], "{ran:?}");
    // A protected package does not go.
    site.run(&["-y", "erase", "clash"]).ok();
    site.run(&["-y", "install", "curl"]).ok();
    site.write("protected.d/curl.conf", "curl\n");
    let ran = site.run(&["-y", "install", "clash"]);
    assert!(!ran.text().contains("--allowerasing"), "{ran:?}");
    site.write(
        "repos.d/dead.repo",
        "[dead]\nname=dead\nenabled=1\nretries=0\nbaseurl=http://127.0.0.1:1/x\n",
    );
    let ran = site.run(&["--enablerepo=off", "list", "curl"]).failed();
    let wanted = format!("tdnf {options} --enablerepo=off --disablerepo=dead list curl");
    assert!(commands(&ran).contains(&wanted), "{ran:?}");
}

#[test]
fn what_needs_repositories_says_that_none_is_on() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("al", "1"), plain("al", "2")]);
    site.run(&["-y", "install", "al=1"]).ok();
    let warning = "warning: no repository is on: ";
    let check = |options: &[&str]| {
        for (words, code) in [
            (&["list", "available"][..], 244),
            (&["upgrade"], 244),
            (&["check-update"], 244),
            (&["distro-sync"], 244),
            (&["updateinfo"], 244),
            (&["install", "zsh"], 244),
            (&["makecache"], 244),
        ] {
            let ran = site.run(&[options, &["-y"], words].concat()).ends(code);
            ran.says(&["Error(1012) : There are no enabled repos."]);
        }
        for words in [
            &["list", "al"][..],
            &["search", "al"],
            &["repoquery", "zsh"],
            &["install", "al"],
            &["upgrade", "al"],
        ] {
            let ran = site.run(&[options, &["-y"], words].concat()).ok();
            assert!(ran.err.contains(warning), "{words:?}: {ran:?}");
        }
        for words in [&["list", "installed"][..], &["erase", "-y", "zsh"]] {
            let ran = site.run(&[options, words].concat());
            assert!(!ran.err.contains(warning), "{words:?}: {ran:?}");
        }
        let file = site.path("repo/al-2-1.noarch.rpm").display().to_string();
        site.run(&[options, &["-y", "--nogpgcheck", "install", &file]].concat())
            .ok();
        assert_eq!(site.rpm_names(), ["al-2"]);
        site.run(&["-y", "erase", "al"]).ok();
        let file = site.path("repo/al-1-1.noarch.rpm").display().to_string();
        site.run(&[options, &["-y", "--nogpgcheck", "install", &file]].concat())
            .ok();
    };
    check(&["--disablerepo=*"]);
    fs::remove_file(site.path("repos.d/test.repo")).unwrap();
    check(&[]);
}

#[test]
fn programs_hear_of_the_errors_that_people_see() {
    let site = Site::with(&[plain("al", "1")]);
    site.run(&["makecache"]).ok();
    for (words, code, bare) in [
        (&["--repo=foton", "list", "al"][..], 244, 244),
        (&["--repo=foton", "info", "al"], 244, 244),
        (&["list", "nosuch"], 243, 0),
        (&["info", "nosuch"], 243, 0),
        (&["search", "nosuch"], 63, 0),
    ] {
        site.run(words).ends(code);
        let first = site.run(&[&["-j"], words].concat()).ends(bare);
        let second = site
            .run(&[&["--json-version=2"], words].concat())
            .ends(code);
        let document = second.json();
        assert_eq!(document["ExitCode"], code, "{words:?}");
        let number = document["Error"]["Number"].as_i64().unwrap();
        assert_eq!(number % 256, i64::from(code), "{words:?}");
        match bare {
            // As tdnf 3.6 answers.
            0 => assert_eq!(first.out, "[]", "{words:?}"),
            _ => assert_eq!(first.json()["Error"], number, "{words:?}"),
        }
        if bare == 0 {
            assert_eq!(document["Data"], first.json(), "{words:?}");
        }
    }
}

#[test]
fn packages_that_are_known_and_of_another_kind_are_not_just_not_found() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("al", "1"), plain("nginx", "1"), plain("nginx", "2")]);
    let install = format!("tdnf {} install al", site.options());
    for words in [
        &["reinstall", "al"][..],
        &["upgrade", "al"],
        &["mark", "install", "al"],
    ] {
        let ran = site.run(&[&["-y"], words].concat()).ends(243);
        ran.says(&["al-1-1.noarch of repository test is not installed"]);
        assert_eq!(commands(&ran), [install.as_str()], "{words:?}: {ran:?}");
    }
    site.run(&["-y", "autoremove", "al"])
        .ok()
        .says(&["al is not installed"]);
    let ran = site.run(&["install", "--source", "al"]).ends(243);
    ran.says(&["there is no source package of al, only al-1-1.noarch (test)"]);
    assert!(commands(&ran).is_empty(), "{ran:?}");
    for (word, line) in [
        ("nginx.i686", "there is a package nginx for noarch only"),
        ("nginx-9", "there is nginx in version 2-1, 1-1"),
        ("nginx=9-1", "there is nginx in version 2-1, 1-1"),
        ("nginx-9-1.noarch", "there is nginx in version 2-1, 1-1"),
        ("ngnix.noarch", "Hint: did you mean 'nginx.noarch'?"),
        ("ngnix.s390", "Hint: look for it: "),
        ("ngnix-1", "Hint: did you mean 'nginx'?"),
    ] {
        site.run(&["install", word]).ends(243).says(&[line]);
    }
    let ran = site.run(&["mark", "instal", "al"]).ends(134);
    ran.says(&["unknown action 'instal'"]);
    ran.says(&["Hint: the actions are install, remove"]);
    ran.says(&["Hint: did you mean 'install'?"]);
    site.run(&["search"])
        .ends(63)
        .says(&["search: a word to look for is needed"]);
    site.run(&["--repo=", "list"])
        .says(&["warning: --repo: the list is empty and names no repository"]);
}

#[test]
fn excluded_updates_are_said_to_be_excluded() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("al", "1"), plain("cu", "1")]);
    site.run(&["-y", "install", "al", "cu"]).ok();
    site.add(&plain("al", "2").lines("Requires: be"));
    site.add(&plain("be", "1"));
    createrepo::<&str>(&site.path("repo"), &[]);
    let conf = site.path("tdnf.conf");
    let excluded = format!(
        "al-2-1.noarch is excluded (--exclude, or excludepkgs of {})\n",
        conf.display()
    );
    let err = |words: &[&str]| site.run(&[&["-y", "--refresh"], words].concat()).ok().err;
    assert_eq!(
        err(&["-x", "al", "upgrade", "al"]),
        format!("{excluded}Nothing to do.\n")
    );
    assert_eq!(
        err(&["-x", "be", "upgrade"]),
        "warning: al-2-1.noarch is held back: nothing provides be needed by al-2-1.noarch; \
         be-1-1.noarch (repository test) is excluded\nNothing to do.\n"
    );
    site.add(&plain("cu", "2").lines("Requires: nosuch"));
    createrepo::<&str>(&site.path("repo"), &[]);
    assert_eq!(
        err(&["-x", "al", "upgrade"]),
        format!(
            "warning: cu-2-1.noarch is held back: nothing provides nosuch needed by cu-2-1.noarch\n\
             {excluded}Nothing to do.\n"
        )
    );
    site.run(&["-y", "-x", "cu", "upgrade"]).ok();
    assert_eq!(
        err(&["-x", "cu-9*,nosuch,nosuch", "-x", "cu", "upgrade"])
            .lines()
            .collect::<Vec<_>>(),
        [
            "warning: --exclude: no package is called cu-9*",
            "warning: --exclude: no package is called nosuch",
            &format!(
                "nothing newer than what is installed is offered, apart from what is excluded (--exclude, or \
                 excludepkgs of {})",
                conf.display()
            ),
            "Nothing to do.",
        ]
    );
    fs::remove_file(site.path("repo/cu-2-1.noarch.rpm")).unwrap();
    createrepo::<&str>(&site.path("repo"), &[]);
    assert_eq!(
        err(&["-x", "nosuch", "upgrade"]),
        "warning: --exclude: no package is called nosuch\n\
         nothing newer than what is installed is offered\nNothing to do.\n"
    );
}

#[test]
fn advice_is_about_the_reason() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("al", "1"), plain("be", "1").lines("Requires: al")]);
    let document = "---\ndocument: modulemd\nversion: 2\ndata:\n  name: mm\n  stream: \"1\"\n  version: 1\n  \
                    context: c1\n  arch: x86_64\n  summary: s\n  description: d\n  license:\n    module: [MIT]\n  \
                    artifacts:\n    rpms:\n    - al-0:1-1.noarch\n...\n";
    site.write("modules.yaml", document);
    let mut modify = std::process::Command::new("modifyrepo_c");
    modify
        .arg("--mdtype=modules")
        .arg(site.path("modules.yaml"));
    testkit::program::ok(modify.arg(site.path("repo/repodata")));
    let ran = site.run(&["install", "be"]).ends(21);
    ran.says(&["al-1-1.noarch (repository test) belongs to stream 1 of module mm"]);
    ran.says(&["Hint: streams are not switched here"]);
    assert!(!ran.text().contains("--exclude"), "{ran:?}");
    let text = site.repo_text("gpgcheck=0\nrepo_gpgcheck=1");
    site.write("repos.d/test.repo", text);
    let ran = site.run(&["list", "be"]).ends(243);
    let place = site.path("repos.d/test.repo").display().to_string();
    ran.says(&[
        "Hint: name the publisher's key with gpgkey= beside ",
        &place,
    ]);
    ran.says(&["--setopt=test.repo_gpgcheck=0"]);
    site.run(&["--setopt=test.repo_gpgcheck=0", "list", "be"])
        .ok();
}

#[test]
fn all_repositories_that_are_away_are_named_and_hints_are_about_what_failed() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("al", "1")]);
    let away = "enabled=1\nretries=0\nbaseurl=http://127.0.0.1:1/x";
    for id in ["da", "db"] {
        site.write(
            &format!("repos.d/{id}.repo"),
            format!("[{id}]\nname={id}\n{away}\n"),
        );
    }
    let ran = site.run(&["list", "al"]).failed();
    for words in [
        "Failed to synchronize cache for repo 'da'",
        "Failed to synchronize cache for repo 'db'",
        " --disablerepo=da,db list al` goes on without them",
        " in http_proxy",
    ] {
        ran.says(&[words]);
    }
    let ran = site.run(&["-C", "list"]).failed();
    let hints = commands(&ran);
    let fill = hints.iter().find(|one| one.ends_with(" makecache"));
    assert!(
        fill.is_some_and(|one| !one.contains("cacheonly")),
        "{ran:?}"
    );
    let proxy = "--setopt=proxy=http://127.0.0.1:1";
    let ran = site.run(&["--disablerepo=test,db", proxy, "list"]).failed();
    ran.says(&["proxy http://127.0.0.1:1/: connection refused"]);
    ran.says(&["Hint: check proxy="]);

    // A server that refuses requests for a while: said at once, and once, in words.
    let server = Server::start(&site.path("repo"));
    let page = format!(
        "[test]\nname=t\nenabled=1\ngpgcheck=0\nbaseurl={}\n",
        server.url("/")
    );
    site.write("repos.d/test.repo", &page);
    server.next("/al-1-1.noarch.rpm", [Answer::status(503)]);
    let ran = site
        .run(&["-y", "--disablerepo=da,db", "install", "al"])
        .ok();
    let line = format!(
        "warning: 503 when downloading {}; trying again (1 of 10)",
        server.url("/al-1-1.noarch.rpm")
    );
    assert_eq!(ran.err.matches("trying again").count(), 1, "{ran:?}");
    ran.says(&[&line]);

    let url = server.url("/nofile.rpm");
    let ran = site.run(&["--disablerepo=da,db", "install", &url]).failed();
    ran.says(&["Hint: check the URL"]);
    assert!(!ran.text().contains("releasever"), "{ran:?}");

    // A login that is not the right one is not asked for again.
    server.always("/repodata/repomd.xml", Answer::status(401));
    site.write(
        "repos.d/test.repo",
        format!("{page}username=u\npassword=p\n"),
    );
    let ran = site
        .run(&["--disablerepo=da,db", "--refresh", "list"])
        .failed();
    ran.says(&["Hint: the server refuses username= and password= of "]);
}
