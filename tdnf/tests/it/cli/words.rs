//! Words that the other tests do not use: aliases, scopes, dependency options, keys.

use testkit::server::Server;

use super::{Site, Spec, plain};

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        testkit::fixtures::skipped("not root");
    }
    root
}

#[test]
fn every_kind_of_dependency_selects_and_shows() {
    let site = Site::with(&[
        plain("plain", "1.0"),
        Spec {
            name: "rich",
            version: "1.0",
            lines: "Conflicts: c\nEnhances: e\nObsoletes: o\nSuggests: s\nSupplements: p",
        },
    ]);
    let out = |words: &[&str]| {
        let all = [&["-q", "repoquery"], words].concat();
        site.run(&all).well().out
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
    if !is_root() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("alpha", "2.0")]);
    site.run(&["--assumeyes", "-b", "install", "alpha=1.0"])
        .well();
    let lines = |words: &[&str]| site.run(words).well().out.lines().count();
    assert_eq!(lines(&["list", "--all"]), 3);
    assert_eq!(lines(&["list", "--updates"]), 1);
    assert_eq!(site.run(&["list", "--downgrades"]).well().out, "");
    assert_eq!(lines(&["--cacheonly", "list"]), 3);
    let summary = site.run(&["updateinfo", "--summary"]).well();
    assert_eq!(summary.out, "\n0 updates.\n");
    let document = site.run(&["--json-version", "2", "list"]).well().out;
    assert!(document.starts_with('{'), "{document}");
    let found = site.run(&["whatprovides", "/opt/alpha"]).well().out;
    assert!(found.contains("alpha-1.0-1.noarch : "), "{found}");
    site.run(&["-y", "--skipdigest", "update"]).well();
    assert_eq!(site.rpm_names(), ["alpha-2.0"]);
    let target = site.path("copy").display().to_string();
    site.run(&["reposync", "--download-path", &target]).well();
    assert!(site.path("copy/test/alpha-2.0-1.noarch.rpm").is_file());
    site.run(&["-y", "autoerase", "alpha"]).well();
    assert!(site.rpm_names().is_empty());
}

#[test]
fn keys_of_the_configuration_take_effect() {
    if !is_root() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).well();
    // distroverpkg and varsdir: what stands for variables.
    let line = "[v]\nname=v $releasever $mine\nbaseurl=file:///nowhere\nenabled=0\n";
    site.write("repos.d/v.repo", line);
    site.write("vars/mine", "own\n");
    let vars = format!("--setopt=varsdir={}", site.path("vars").display());
    let shown = site
        .run(&["--setopt=distroverpkg=alpha", &vars, "repolist", "all"])
        .well();
    assert!(shown.out.contains("v 1.0 own"), "{shown:?}");
    // persistdir: where the history is.
    site.run(&["--setopt=persistdir=/var/lib/other", "history", "init"])
        .well();
    assert!(site.path("root/var/lib/other/history.db").is_file());
    // Directories of plugins are read for switches alone; nothing is loaded.
    for option in [
        "--setopt=pluginpath=/nowhere",
        "--setopt=pluginconfpath=/nowhere",
    ] {
        assert_eq!(site.run(&[option, "list", "installed"]).well().err, "");
    }
}

#[test]
fn distrosync_reinstall_changed_takes_what_the_repository_has_now() {
    if !is_root() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).well();
    let changed = Spec {
        name: "alpha",
        version: "1.0",
        lines: "Provides: changed",
    };
    site.add(&changed);
    testkit::rpm::createrepo::<&str>(&site.path("repo"), &[]);
    let same = site.run(&["--refresh", "-y", "distro-sync"]).well();
    assert_eq!(same.err, "Nothing to do.\n", "{same:?}");
    let option = "--setopt=distrosync_reinstall_changed=1";
    let ran = site.run(&[option, "-y", "distro-sync"]).well();
    assert!(ran.out.contains("Reinstalling:"), "{ran:?}");
    assert!(site.rpm(&["-q", "--provides", "alpha"]).contains("changed"));
}

#[test]
fn keys_of_a_repository_take_effect() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let lines = |keys: &str| {
        site.write(
            "repos.d/test.repo",
            &site.repo_text(&format!("gpgcheck=0\n{keys}")),
        )
    };
    // Parts that are not wanted are not fetched.
    lines("skip_md_filelists=1\nskip_md_other=1\nskip_md_updateinfo=1\n");
    site.run(&["makecache"]).well();
    let ran = site.run(&["provides", "/opt/alpha"]).well();
    assert_eq!(
        (ran.out.as_str(), ran.err.as_str()),
        ("", "No data available\n")
    );
    site.run(&["repoquery", "--changelogs", "alpha"]).well();
    // A login goes to the server that is named.
    let server = Server::start(&site.path("repo"));
    let section = format!(
        "[test]\nname=t\nbaseurl={}\nenabled=1\ngpgcheck=0\nusername=u\npassword=p\n",
        server.url("/")
    );
    site.write("repos.d/test.repo", &section);
    site.run(&["makecache"]).well();
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
