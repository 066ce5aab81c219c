//! Words that the other tests do not use: aliases, scopes, dependency options, keys.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::fixtures::unprivileged;
use testkit::server::{Answer, Server};

use super::{Site, plain};

#[test]
fn every_kind_of_dependency_selects_and_shows() {
    let site = Site::with(&[
        plain("plain", "1.0"),
        plain("rich", "1.0")
            .lines("Conflicts: c\nEnhances: e\nObsoletes: o\nSuggests: s\nSupplements: p"),
    ]);
    let out = |words: &[&str]| {
        let all = [&["-q", "repoquery"], words].concat();
        site.run(&all).ok().out
    };
    for (option, capability) in [
        ("--whatconflicts", "c"),
        ("--whatenhances", "e"),
        ("--whatobsoletes", "o"),
        ("--whatsuggests", "s"),
        ("--whatsupplements", "p"),
    ] {
        assert_eq!(
            out(&[option, capability]),
            "rich-1.0-1.noarch\n",
            "{option}"
        );
    }
    for (option, shown) in [
        ("--conflicts", "c\n"),
        ("--enhances", "e\n"),
        ("--obsoletes", "o\n"),
        ("--suggests", "s\n"),
        ("--supplements", "p\n"),
    ] {
        assert_eq!(out(&[option, "rich"]), shown, "{option}");
    }
}

#[test]
fn scopes_as_options_and_short_words() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("alpha", "2.0")]);
    site.run(&["--assumeyes", "-b", "install", "alpha=1.0"])
        .ok();
    let lines = |words: &[&str]| site.run(words).ok().out.lines().count();
    assert_eq!(lines(&["list", "--all"]), 3);
    assert_eq!(lines(&["list", "--updates"]), 1);
    assert_eq!(site.run(&["list", "--downgrades"]).ok().out, "");
    assert_eq!(lines(&["--cacheonly", "list"]), 3);
    let summary = site.run(&["updateinfo", "--summary"]).ok();
    assert_eq!(summary.out, "\n0 updates.\n");
    let document = site.run(&["--json-version", "2", "list"]).ok().out;
    assert!(document.starts_with('{'), "{document}");
    let document = site.run(&["--json", "list"]).ok().out;
    assert!(document.starts_with('['), "{document}");
    // dnf's letters for the kind of address change nothing.
    assert_eq!(lines(&["-4", "-6", "list"]), 3);
    let found = site.run(&["whatprovides", "/opt/alpha"]).ok().out;
    assert!(found.contains("alpha-1.0-1.noarch : "), "{found}");
    site.run(&["-y", "--skipdigest", "update"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-2.0"]);
    site.run(&["-y", "downgrade", "alpha"]).ok();
    site.run(&["-y", "update-to", "alpha=2.0"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-2.0"]);
    let target = site.path("copy").display().to_string();
    site.run(&["reposync", "--download-path", &target]).ok();
    assert!(site.path("copy/test/alpha-2.0-1.noarch.rpm").is_file());
    site.run(&["-y", "autoerase", "alpha"]).ok();
    assert!(site.rpm_names().is_empty());
}

#[test]
fn keys_of_the_configuration_take_effect() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    // distroverpkg and varsdir: what stands for variables.
    let line = "[v]\nname=v $releasever $mine\nbaseurl=file:///nowhere\nenabled=0\n";
    site.write("repos.d/v.repo", line);
    site.write("vars/mine", "own\n");
    let vars = format!("--setopt=varsdir={}", site.path("vars").display());
    let shown = site
        .run(&["--setopt=distroverpkg=alpha", &vars, "repolist", "all"])
        .ok();
    assert!(shown.out.contains("v 1.0 own"), "{shown:?}");
    // persistdir: where the history is.
    site.run(&["--setopt=persistdir=/var/lib/other", "history", "init"])
        .ok();
    assert!(site.path("root/var/lib/other/history.db").is_file());
    // Directories of plugins are read for switches alone; nothing is loaded.
    for option in [
        "--setopt=pluginpath=/nowhere",
        "--setopt=pluginconfpath=/nowhere",
    ] {
        assert_eq!(site.run(&[option, "list", "installed"]).ok().err, "");
    }
}

#[test]
fn values_that_cannot_be_read_are_passed_over_unless_they_check_something() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let good = site.repo_text("gpgcheck=0");
    site.write("repos.d/test.repo", format!("{good}priority=abc\n"));
    let off = "[off]\nname=off\nbaseurl=file:///nowhere\nenabled=perhaps\n";
    site.write("repos.d/off.repo", off);
    let conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    site.write("tdnf.conf", format!("{conf}installonly_limit=many\n"));
    let warning =
        |file: &str, rest: &str| format!("warning: {}:{rest}\n", site.path(file).display());
    let (conf, off, priority) = (
        warning(
            "tdnf.conf",
            "4: installonly_limit = many: expected a whole number, zero or more; the default (2) counts",
        ),
        warning(
            "repos.d/off.repo",
            "4: enabled = perhaps: expected a boolean such as 1, 0, yes or no; the default (0) counts",
        ),
        warning(
            "repos.d/test.repo",
            "6: priority = abc: expected a whole number; the default (50) counts",
        ),
    );
    let ran = site.run(&["list"]).ok();
    assert_eq!(ran.err, format!("{conf}{off}{priority}"));
    assert!(ran.out.contains("alpha.noarch"), "{ran:?}");
    // Each once, also where the repositories are not used.
    assert_eq!(site.run(&["repolist", "all"]).ok().err, ran.err);
    assert_eq!(
        site.run(&["history", "list"])
            .err
            .matches("warning: ")
            .count(),
        1
    );
    for (key, value) in [
        ("gpgcheck", "perhaps"),
        ("repo_gpgcheck", "2x"),
        ("sslverify", ""),
    ] {
        site.write("repos.d/test.repo", format!("{good}{key}={value}\n"));
        let ran = site.run(&["list"]);
        let words = format!("test.repo:6: {key} = {value}: expected a boolean");
        assert!(ran.code == 236 && ran.err.contains(&words), "{ran:?}");
    }
    // What was typed is not passed over.
    site.write("repos.d/test.repo", &good);
    let typed = site.run(&["--setopt=test.priority=abc", "list"]);
    assert!(
        typed.code != 0 && typed.err.contains("--setopt: priority = abc: expected"),
        "{typed:?}"
    );
}

#[test]
fn distrosync_reinstall_changed_takes_what_the_repository_has_now() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    let changed = plain("alpha", "1.0").lines("Provides: changed");
    site.add(&changed);
    testkit::rpm::createrepo::<&str>(&site.path("repo"), &[]);
    let same = site.run(&["--refresh", "-y", "distro-sync"]).ok();
    assert_eq!(
        same.err, "what is installed is what the repositories offer\nNothing to do.\n",
        "{same:?}"
    );
    let option = "--setopt=distrosync_reinstall_changed=1";
    let ran = site.run(&[option, "-y", "distro-sync"]).ok();
    assert!(ran.out.contains("Reinstalling:"), "{ran:?}");
    assert!(site.rpm(&["-q", "--provides", "alpha"]).contains("changed"));
}

#[test]
fn keys_of_a_repository_take_effect() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let lines = |keys: &str| {
        site.write(
            "repos.d/test.repo",
            site.repo_text(&format!("gpgcheck=0\n{keys}")),
        )
    };
    // Parts that are not wanted are not fetched.
    lines("skip_md_filelists=1\nskip_md_other=1\nskip_md_updateinfo=1\n");
    site.run(&["makecache"]).ok();
    let ran = site.run(&["provides", "/opt/alpha"]).ok();
    assert_eq!(
        (ran.out.as_str(), ran.err.as_str()),
        ("", "nothing provides /opt/alpha\nNo data available\n")
    );
    site.run(&["repoquery", "--changelogs", "alpha"]).ok();
    // A login goes to the server that is named.
    let server = Server::start(&site.path("repo"));
    let section = format!(
        "[test]\nname=t\nbaseurl={}\nenabled=1\ngpgcheck=0\nusername=u\npassword=p\n",
        server.url("/")
    );
    site.write("repos.d/test.repo", &section);
    site.run(&["makecache"]).ok();
    let seen = server.seen();
    let first = seen.first().expect("the server was asked");
    assert_eq!(first.header("authorization"), Some("Basic dTpw"));
    // Files of TLS that are not there are named.
    for key in ["sslcacert", "sslclientcert", "sslclientkey"] {
        let other = if key == "sslclientkey" {
            "sslclientcert=/nowhere/x\n"
        } else {
            ""
        };
        let section = format!(
            "[test]\nname=t\nbaseurl=https://127.0.0.1:9/\nenabled=1\nretries=0\n{other}{key}=/nowhere/x\n"
        );
        site.write("repos.d/test.repo", &section);
        let ran = site.run(&["--refresh", "makecache"]);
        assert_ne!(ran.code, 0, "{key}");
        assert!(ran.err.contains("/nowhere/x"), "{key}: {ran:?}");
    }
}

#[test]
fn a_proxy_is_asked_with_its_own_login() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path("repo"));
    let section =
        "[test]\nname=t\nbaseurl=http://packages.invalid/\nenabled=1\ngpgcheck=0\nretries=0\n";
    site.write("repos.d/test.repo", section);
    let proxy = format!("--setopt=proxy={}", server.url(""));
    site.run(&[
        &proxy,
        "--setopt=proxy_username=u",
        "--setopt=proxy_password=p",
        "makecache",
    ]);
    let seen = server.seen();
    let first = seen.first().expect("the proxy was asked");
    assert_eq!(first.header("proxy-authorization"), Some("Basic dTpw"));
}

/// `$releasever`, from what provides the release, and variables of dnf's and yum's directories.
#[test]
fn variables_of_the_release_and_of_dnf() {
    if unprivileged() {
        return;
    }
    let release = |name, lines| plain(name, "5.0").lines(lines);
    let site = Site::with(&[
        release("versioned", "Provides: system-release(releasever) = 9.1-2"),
        release("plain", "Provides: system-release"),
        release("old", "Provides: redhat-release >= 3"),
        plain("own", "7"),
    ]);
    let line =
        "[v]\nname=v $releasever ${releasever} $mine $basearch\nbaseurl=file:///x\nenabled=0\n";
    site.write("repos.d/v.repo", line);
    let shown = |words: &[&str]| {
        let words = [&["-j"][..], words, &["repolist", "disabled"]].concat();
        let ran = site.run(&words).ok();
        let rows: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        let rows = rows.as_array().expect("a list");
        let row = rows
            .iter()
            .find(|row| row["Repo"] == "v")
            .expect("it is off");
        row["RepoName"].as_str().unwrap_or_default().to_owned()
    };
    let arch = std::env::consts::ARCH;
    for (package, version) in [("versioned", "9.1"), ("plain", "5.0"), ("old", "5.0")] {
        let words = ["-y", "--releasever=1", "install", package];
        site.run(&words).ok();
        assert_eq!(
            shown(&[]),
            format!("v {version} {version} $mine {arch}"),
            "{package}"
        );
        site.run(&["-y", "--releasever=1", "erase", package]).ok();
    }
    // Nothing provides it: no crash, and what to do, only where the repository is used.
    let ran = site.run(&["--enablerepo=v", "list"]);
    let ran = ran.fails(
        254,
        "Error(1022) : distroverpkg config entry is set to a package that is not installed. \
         Check /etc/tdnf/tdnf.conf",
    );
    assert!(
        ran.err
            .contains("Hint: give the release on the command line: --releasever")
    );
    site.run(&["list"]).ok();
    // The key of tdnf.conf names others; the command line goes before both.
    site.run(&["-y", "install", "own"]).ok();
    let conf = fs::read_to_string(site.path("tdnf.conf")).expect("written");
    site.write("tdnf.conf", format!("{conf}distroverpkg=nosuch own\n"));
    assert_eq!(shown(&[]), format!("v 7 7 $mine {arch}"));
    assert_eq!(shown(&["--releasever=8"]), format!("v 8 8 $mine {arch}"));
    // The directories of the root: the first definition counts, and a file beats what is built in.
    site.write("root/etc/yum/vars/mine", "yum\n");
    assert_eq!(shown(&[]), format!("v 7 7 yum {arch}"));
    site.write("root/etc/dnf/vars/mine", "dnf\n");
    assert_eq!(shown(&[]), format!("v 7 7 dnf {arch}"));
    site.write("root/etc/tdnf/vars/mine", " tdnf \nanother line\n");
    assert_eq!(shown(&[]), format!("v 7 7 tdnf {arch}"));
    site.write("root/etc/dnf/vars/releasever", "44\n");
    assert_eq!(shown(&[]), format!("v 44 44 tdnf {arch}"));
}

/// Bars on a terminal; colours in the first words of talk alone, and none where NO_COLOR asks for that.
#[test]
fn a_terminal_gets_bars_and_few_colours() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path("repo"));
    let slow = Answer {
        pieces: Some((1 << 10, Duration::from_millis(150))),
        ..Answer::default()
    };
    server.always("/alpha-1.0-1.noarch.rpm", slow);
    let url = server.url("/");
    let text = format!("[test]\nname=Far away\nenabled=1\ngpgcheck=0\nbaseurl={url}\n");
    site.write("repos.d/test.repo", &text);
    let line = format!(
        "stty cols 100 rows 40; exec '{}' -c '{}' --installroot '{}' -y --downloadonly install alpha",
        env!("CARGO_BIN_EXE_tdnf"),
        site.path("tdnf.conf").display(),
        site.path("root").display(),
    );
    for no_color in [None, Some("1")] {
        let _ = fs::remove_dir_all(site.path("root/var/cache"));
        let output = Command::new("script")
            .args(["-qefc", &line, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm-256color")
            .envs(no_color.map(|value| ("NO_COLOR", value)))
            .stdin(Stdio::null())
            .output()
            .expect("script runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        for drawn in ["0 of 1 file, ", "  alpha-1.0-1.noarch ", "%  ", "[="] {
            assert!(text.contains(drawn), "{drawn}: {text:?}");
        }
        assert!(text.contains("\nInstalling:\r\nalpha "), "{text:?}");
        let colours = match no_color {
            Some(_) => 0,
            None => {
                let warnings = text.matches("\u{1b}[33mwarning:\u{1b}[0m ").count();
                assert!(warnings > 0, "{text:?}");
                2 * warnings
            }
        };
        // Sequences that end with m set colours and weights.
        let ends = text.split("\u{1b}[").skip(1).map(|sequence| {
            let end = sequence.find(|c: char| c.is_ascii_alphabetic());
            end.and_then(|at| sequence[at..].chars().next())
        });
        assert_eq!(
            ends.filter(|end| *end == Some('m')).count(),
            colours,
            "{text:?}"
        );
    }
}
