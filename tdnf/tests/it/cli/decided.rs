//! What the administrator decides in configuration files: snapshots, keys of `[main]`, variables.

use std::fs;
use std::path::Path;

use super::{Site, Spec, answer, plain};

fn installed_after(site: &Site, words: &[&str]) -> Vec<String> {
    let _ = fs::remove_dir_all(site.path("root"));
    fs::create_dir_all(site.path("root")).unwrap();
    site.run(words).ok();
    site.rpm_names()
}

fn two_versions() -> Site {
    let newer = plain("alpha", "3").lines("Obsoletes: beta");
    Site::with(&[
        plain("alpha", "1"),
        newer,
        plain("beta", "1"),
        plain("gamma", "1"),
    ])
}

fn with_snapshot(site: &Site, address: &str) {
    let text = site.repo_text(&format!("gpgcheck=0\nsnapshot={address}"));
    site.write("repos.d/test.repo", text);
}

#[test]
fn a_snapshot_says_what_exists_in_a_repository() {
    let site = two_versions();
    site.write("repos.d/today.list", "# of today\nalpha=1-1\nbeta=0:1-1\n");
    // From the .repo file's folder on, as a path, as a URL; with a variable.
    let path = site.path("repos.d/today.list").display().to_string();
    site.write("vars/day", "today\n");
    let vars = format!("--setopt=varsdir={}", site.path("vars").display());
    for address in ["today.list", &path, &format!("file://{path}"), "$day.list"] {
        with_snapshot(&site, address);
        let words = ["-y", &vars, "install", "alpha", "beta"];
        assert_eq!(
            installed_after(&site, &words),
            ["alpha-1", "beta-1"],
            "{address}"
        );
        // What obsoletes beta is not listed; so nothing replaces it.
        site.run(&[&vars, "check-update"]).ok();
        site.run(&["-y", &vars, "upgrade"]).ok();
        assert_eq!(site.rpm_names(), ["alpha-1", "beta-1"], "{address}");
        let listed = site.run(&[&vars, "repoquery", "--available"]).ok().out;
        assert!(
            !listed.contains("gamma") && !listed.contains("alpha-3"),
            "{listed}"
        );
    }
    site.run(&["-y", &vars, "install", "gamma"])
        .failed()
        .says(&["gamma"]);
    let off = ["-y", "--setopt=test.snapshot=", "install", "alpha", "gamma"];
    assert_eq!(installed_after(&site, &off), ["alpha-3", "gamma-1"]);
}

#[test]
fn a_snapshot_of_a_server_is_kept_with_the_metadata() {
    let site = two_versions();
    fs::create_dir_all(site.www().join("lists")).unwrap();
    fs::write(site.www().join("lists/1.list"), "alpha=1-1\n").unwrap();
    with_snapshot(&site, &site.server.url("/lists/1.list"));
    assert_eq!(
        installed_after(&site, &["-y", "install", "alpha"]),
        ["alpha-1"]
    );
    site.server.forget();
    site.run(&["-C", "list", "available"]).ok();
    site.run(&["list", "available"]).ok();
    assert_eq!(site.server.seen_at("/lists/1.list").len(), 0);
    fs::write(site.www().join("lists/1.list"), "alpha=1-1\ngamma=1-1\n").unwrap();
    site.run(&["-y", "--refresh", "install", "gamma"]).ok();
}

#[test]
fn a_snapshot_that_cannot_be_read_hides_the_repository() {
    let site = two_versions();
    with_snapshot(&site, "absent.list");
    let said = site.run(&["-y", "install", "alpha"]).failed();
    said.says(&["repository test: snapshot=absent.list"]);
    let text = site.repo_text("gpgcheck=0\nsnapshot=absent.list\nskip_if_unavailable=1");
    site.write("repos.d/test.repo", text);
    let said = site.run(&["-y", "install", "alpha"]).failed();
    said.says(&["absent.list", "No such file"]);
    said.says(&["Disabling Repo: 'Test packages'"]);
    site.write("repos.d/bad.list", "alpha=1-1\nalpha 3-1\n");
    with_snapshot(&site, "bad.list");
    let said = site.run(&["-y", "install", "alpha"]).failed();
    said.says(&["bad.list:2", "NAME=VERSION-RELEASE expected"]);
    assert!(site.rpm_names().is_empty());
}

#[test]
fn keys_that_dnf_has_in_main_count() {
    let alpha = plain("alpha", "1").lines("Recommends: weak");
    let site = Site::with(&[alpha, plain("weak", "1"), plain("kept", "1")]);
    let conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    assert_eq!(
        installed_after(&site, &["-y", "install", "alpha"]),
        ["alpha-1", "weak-1"]
    );
    let none = ["-y", "--setopt=install_weak_deps=0", "install", "alpha"];
    assert_eq!(installed_after(&site, &none), ["alpha-1"]);
    let more = "install_weak_deps=False\nprotected_packages=kept glob:/etc/some.d/*.conf\ntsflags=nodocs noscripts\n";
    site.write("tdnf.conf", conf + more);
    let words = ["-y", "install", "alpha", "kept"];
    assert_eq!(installed_after(&site, &words), ["alpha-1", "kept-1"]);
    site.write("root/etc/some.d/own.conf", "alpha\n");
    for name in ["kept", "alpha"] {
        let said = site.run(&["-y", "remove", name]).failed();
        said.says(&["Error(1030)"]);
        said.says(&[&format!("package {name} is protected")]);
    }
    let said = site.run(&["-y", "--setopt=tsflags=strange", "remove", "alpha"]);
    said.says(&["tsflags: unknown flag 'strange'"]);
}

#[test]
fn tsflags_of_the_file_and_of_the_command_line_add_up() {
    let documented = Spec::new("documented", "1")
        .install(
            "mkdir -p %{buildroot}/usr/share/doc/s; echo > %{buildroot}/usr/share/doc/s/README",
        )
        .files("%doc /usr/share/doc/s/README");
    let site = Site::with(&[documented]);
    let conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    site.write("tdnf.conf", conf + "tsflags=nodocs\n");
    assert_eq!(
        installed_after(&site, &["-y", "install", "documented"]),
        ["documented-1"]
    );
    assert!(!site.path("root/usr/share/doc/s/README").exists());
    let words = ["-y", "--setopt=tsflags=", "reinstall", "documented"];
    site.run(&words).ok();
    assert!(site.path("root/usr/share/doc/s/README").exists());
    let words = ["-y", "--setopt=tsflags=test", "install", "documented"];
    assert!(installed_after(&site, &words).is_empty());
}

#[test]
fn files_come_without_records_and_flags_are_known() {
    let scripted = plain("alpha", "1").rest(
        "%pre -p <lua>\nprint('before')\n%post -p <lua>\nprint('after')\n%files\n/opt/alpha\n",
    );
    let site = Site::with(&[scripted]);
    let conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    for flags in ["nodb nodocs", "nodb,nodocs", "nodocs\tnodb,"] {
        let option = format!("--setopt=tsflags={flags}");
        let words = ["-y", &option, "install", "alpha"];
        assert!(installed_after(&site, &words).is_empty(), "{flags}");
        assert!(site.path("root/opt/alpha").exists(), "{flags}");
    }
    site.write("tdnf.conf", conf + "tsflags=nodb\n");
    site.run(&["-y", "reinstall", "alpha"]).failed();
    let words = ["-y", "--setopt=tsflags=", "install", "alpha"];
    let said = site.run(&words).ok();
    said.says(&["before"]);
    said.says(&["after"]);
    assert_eq!(site.rpm_names(), ["alpha-1"]);
    let words = [
        "-y",
        "--setopt=tsflags=nopre",
        "--setopt=tsflags=nofiledigest",
        "reinstall",
        "alpha",
    ];
    let said = site.run(&words).ok();
    said.says(&["tsflags: nofiledigest has no effect"]);
    assert!(
        said.out.contains("after") && !said.out.contains("before"),
        "{said:?}"
    );
    site.run(&["-y", "remove", "alpha"]).ok();
    assert!(!site.path("root/opt/alpha").exists());
    assert_eq!(site.rpm_names(), ["alpha-1"], "tsflags=nodb of the file");
    let twice = "--setopt=tsflags=notriggerin notriggerin nopre nopre";
    site.run(&[twice, "list", "installed"]).ok();
    for bad in ["tset", "nodocs;noscripts", "NODOCS", "nodocs strange"] {
        let said = site.run(&[&format!("--setopt=tsflags={bad}"), "list"]);
        said.fails(86, "Error(1622) : Invalid argument")
            .says(&["tsflags: unknown flag"]);
    }
}

#[test]
fn variables_that_nobody_defines_are_named() {
    let site = Site::with(&[plain("alpha", "1")]);
    let folder = site.path("repo").display().to_string();
    let text =
        |url: &str| format!("[test]\nname=Test\nbaseurl={url}\nenabled=1\ngpgcheck=0\nretries=1\n");
    site.write(
        "repos.d/test.repo",
        text(&format!("file://{folder}/$wrong")),
    );
    let said = site.run(&["-y", "install", "alpha"]).failed();
    said.says(&["test.repo:3: baseurl: the variable 'wrong' is not defined"]);
    assert!(site.rpm_names().is_empty());
    let other = format!("file://{folder}${{wrong:+/x}}${{wrong:-}}");
    site.write("repos.d/test.repo", text(&other));
    let said = site.run(&["-y", "install", "alpha"]).ok();
    assert!(!said.text().contains("variable"), "{said:?}");
}

#[test]
fn a_section_leaves_packages_of_its_repository_out() {
    let site = Site::with(&[
        plain("salt", "1"),
        plain("salt-doc", "1"),
        plain("other", "1"),
    ]);
    for keys in [
        "excludepkgs=x,salt*",
        "exclude=salt-1* salt-doc.noarch",
        "includepkgs=other,x*",
    ] {
        site.write(
            "repos.d/test.repo",
            site.repo_text(&format!("gpgcheck=0\n{keys}")),
        );
        assert_eq!(
            installed_after(&site, &["-y", "install", "other"]),
            ["other-1"],
            "{keys}"
        );
        let said = site.run(&["-y", "install", "salt"]).failed();
        said.says(&[
            "salt-1-1.noarch is left out of repository test by",
            "test.repo:",
        ]);
        for words in [&["list", "available"][..], &["repoquery"]] {
            let shown = site.run(words).ok();
            assert!(!shown.out.contains("salt"), "{keys}: {shown:?}");
            let all = site.run(&[&["--disableexcludes"], words].concat()).ok();
            assert!(all.out.contains("salt"), "{keys}: {all:?}");
        }
        let copied = site.path("copied").display().to_string();
        let copy = ["reposync", "--repo=test", "--download-path", &copied];
        for (words, code) in [(&["search", "salt"][..], 63), (&["provides", "salt"], 0)] {
            let shown = site.run(words).ends(code);
            assert!(!shown.out.contains("salt"), "{keys}: {shown:?}");
            shown.says(&["salt-1-1.noarch is left out of repository test by"]);
            let all = site.run(&[&["--disableexcludes"], words].concat()).ok();
            assert!(
                all.out.contains("salt-doc") || all.out.contains("salt-1"),
                "{keys}: {all:?}"
            );
        }
        site.run(&copy)
            .ok()
            .says(&["repository test: its section leaves 2 packages out"]);
        let files = testkit::tree::files(Path::new(&copied));
        assert_eq!(files.len(), 1, "{keys}: {files:?}");
        fs::remove_dir_all(&copied).unwrap();
        let hidden = site.run(&["list", "salt"]).failed();
        hidden.says(&["salt-1-1.noarch is left out of repository test by"]);
        let words = ["-y", "--disableexcludes", "install", "salt"];
        assert_eq!(installed_after(&site, &words), ["salt-1"], "{keys}");
    }
}

#[test]
fn a_section_has_its_own_way_to_the_servers() {
    let site = Site::with(&[plain("alpha", "1")]);
    let text = |url: &str, key: &str| {
        format!("[test]\nname=Test\nbaseurl={url}\nenabled=1\ngpgcheck=0\nretries=1\n{key}\n")
    };
    let proxy = site.server.url("");
    let absent = "http://repo.invalid/";
    site.write("repos.d/test.repo", text(absent, &format!("proxy={proxy}")));
    assert_eq!(
        installed_after(&site, &["-y", "install", "alpha"]),
        ["alpha-1"]
    );
    site.write(
        "repos.d/test.repo",
        text(&site.server.url("/"), "proxy=_none_"),
    );
    let words = [
        "-y",
        "--setopt=proxy=http://127.0.0.1:9",
        "install",
        "alpha",
    ];
    assert_eq!(installed_after(&site, &words), ["alpha-1"]);
    site.write("repos.d/test.repo", text(&site.server.url("/"), ""));
    site.run(&[&["--refresh"], &words[..]].concat()).failed();
}

#[test]
fn a_proxy_of_a_section_gets_its_own_login() {
    let site = Site::with(&[plain("alpha", "1")]);
    let keys = format!(
        "proxy={}\nproxy_username=ann\nproxy_password=s3cret",
        site.server.url("")
    );
    site.write(
        "repos.d/test.repo",
        format!("[test]\nname=Test\nbaseurl=http://repo.invalid/\nenabled=1\ngpgcheck=0\n{keys}\n"),
    );
    let conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    site.write(
        "tdnf.conf",
        conf + "proxy_username=other\nproxy_password=other\n",
    );
    site.run(&["makecache"]).ok();
    let seen = site.server.seen();
    let login = |seen: &testkit::server::Seen| {
        seen.header("proxy-authorization") == Some("Basic YW5uOnMzY3JldA==")
    };
    assert!(!seen.is_empty() && seen.iter().all(login), "{seen:?}");
}

#[test]
fn certificates_and_the_time_to_connect_are_those_of_main() {
    let site = Site::with(&[plain("alpha", "1")]);
    let text =
        "[test]\nname=Test\nbaseurl=https://127.0.0.1:9/\nenabled=1\ngpgcheck=0\nretries=1\n";
    site.write("repos.d/test.repo", text);
    let plain_conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    site.write(
        "tdnf.conf",
        plain_conf.clone() + "sslcacert=/absent/ca.pem\nconnect_timeout=soon\n",
    );
    let said = site.run(&["makecache"]).failed();
    said.says(&["/absent/ca.pem"]);
    said.says(&["tdnf.conf:5: connect_timeout = soon: expected a whole number"]);
    site.write(
        "repos.d/test.repo",
        format!("{text}sslcacert=/absent/own.pem\n"),
    );
    let said = site.run(&["makecache"]).failed();
    said.says(&["/absent/own.pem"]);
    site.run(&["--setopt=sslcacert=/absent/set.pem", "makecache"])
        .failed()
        .says(&["/absent/own.pem"]);
    let with_variable = |words: &[&str]| {
        let mut command = site.command(words);
        answer(command.env("SSL_CERT_FILE", "/absent/variable.pem")).failed()
    };
    with_variable(&["makecache"]).says(&["/absent/own.pem"]);
    site.write("repos.d/test.repo", text);
    with_variable(&["makecache"]).says(&["/absent/ca.pem"]);
    site.write("tdnf.conf", plain_conf);
    with_variable(&["makecache"]).says(&["SSL_CERT_FILE: /absent/variable.pem"]);
    let set = "--setopt=sslcacert=/absent/set.pem";
    with_variable(&[set, "makecache"]).says(&["/absent/set.pem"]);
    let of_one = "--setopt=test.sslcacert=/absent/one.pem";
    with_variable(&[of_one, set, "makecache"]).says(&["/absent/one.pem"]);
    assert!(!said.text().contains("/absent/ca.pem"), "{said:?}");
}

#[test]
fn keys_of_other_programs_are_named_where_they_would_decide() {
    let site = Site::with(&[plain("alpha", "1")]);
    let keys = "gpgcheck=0\ncost=5\nautorefresh=1\ntype=rpm-md\ncountme=1\nenabledd=1";
    site.write("repos.d/test.repo", site.repo_text(keys));
    let said = site.run(&["list", "available"]).ok();
    said.says(&["test.repo:6: the key 'cost' has no effect here"]);
    said.says(&["test.repo:10: unknown key 'enabledd': did you mean 'enabled'?"]);
    assert_eq!(said.err.matches("warning:").count(), 2, "{said:?}");
}

/// `--setopt` takes keys and names of options; only what is neither is named, once.
#[test]
fn keys_of_setopt_are_known() {
    let site = Site::with(&[plain("alpha", "1")]);
    for known in ["assumeyes=1", "nogpgcheck=1", "exclude=x", "keepcache=1"] {
        let said = site.run(&[&format!("--setopt={known}"), "list"]).ok();
        assert_eq!(said.err, "", "{known}");
    }
    for (unknown, line) in [
        ("strange=1", "warning: --setopt: unknown key 'strange'\n"),
        (
            "snapshotime=1",
            "warning: --setopt: unknown key 'snapshotime': did you mean 'snapshottime'?\n",
        ),
    ] {
        let said = site.run(&[&format!("--setopt={unknown}"), "list"]).ok();
        assert_eq!(said.err, line);
    }
}

#[test]
fn addresses_and_comments_as_people_write_them() {
    let site = Site::with(&[plain("alpha", "1")]);
    let folder = site.path("repo").display().to_string();
    let mut text =
        b"# Pakete f\xfcr alle\n; \x07\n[test]\nname=f\xfcr alle\nenabled=1\ngpgcheck=0\n".to_vec();
    text.extend(format!("baseurl={folder}/ /absent/a%b\n").bytes());
    site.write("repos.d/test.repo", &text);
    assert_eq!(
        installed_after(&site, &["-y", "install", "alpha"]),
        ["alpha-1"]
    );
    site.run(&["repolist"]).ok().says(&["für alle"]);
    text.extend(b"gpgkey=file:///k\xfcy\n");
    site.write("repos.d/test.repo", &text);
    let said = site.run(&["list"]).failed();
    said.says(&["test.repo:8: the line is not UTF-8"]);
}

#[test]
fn addresses_and_plans_are_shown_and_nothing_is_done() {
    let site = Site::with(&[
        plain("alpha", "1").lines("Requires: beta"),
        plain("beta", "1"),
    ]);
    let url = |name: &str| {
        format!(
            "file://{}/{name}-1-1.noarch.rpm",
            site.path("repo").display()
        )
    };
    let said = site.run(&["install", "--urls", "alpha"]).ok();
    let mut lines: Vec<&str> = said
        .out
        .lines()
        .filter(|line| line.contains("://"))
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, [url("alpha"), url("beta")]);
    let said = site.run(&["install", "--urls", "--nodeps", "alpha"]).ok();
    assert!(
        said.out.contains(&url("alpha")) && !said.out.contains("beta"),
        "{said:?}"
    );
    site.run(&["-y", "install", "beta"]).ok();
    let said = site.run(&["-j", "install", "--urls", "alpha"]).ok();
    assert_eq!(said.json(), serde_json::json!([url("alpha")]));
    let said = site.run(&["install", "--urls", "--alldeps", "alpha"]).ok();
    assert!(said.out.contains(&url("beta")), "{said:?}");
    let said = site.run(&["install", "--dryrun", "alpha"]).ok();
    said.says(&["Dry run complete. Transaction is feasible. Run without --dryrun to apply the above changes."]);
    assert!(said.out.contains("alpha"), "{said:?}");
    site.run(&["remove", "--dryrun", "beta"])
        .ok()
        .says(&["feasible"]);
    assert_eq!(site.rpm_names(), ["beta-1"]);
    let said = site.run(&["install", "--dryrun", "absent"]).failed();
    assert!(!said.text().contains("feasible"), "{said:?}");
}

/// `installonlypkgs` as dnf reads it: names, globs, and what packages provide.
#[test]
fn install_only_packages_by_what_they_provide() {
    for word in ["kern", "kern*", "installonlypkg(kernel)"] {
        let kern = |version| plain("kern", version).lines("Provides: installonlypkg(kernel)");
        let site = Site::with(&[kern("1"), kern("2")]);
        let conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
        site.write("tdnf.conf", conf + &format!("installonlypkgs={word}\n"));
        site.run(&["-y", "install", "kern-1"]).ok();
        let plan = site.run(&["--assumeno", "update"]);
        let beside = plan.out.contains("Installing:") && !plan.out.contains("Upgrading:");
        assert!(beside, "{word}: {plan:?}");
    }
}

/// What has no plan to show does nothing under `--dryrun`, and says so.
#[test]
fn a_dry_run_of_what_has_none_is_refused() {
    let site = Site::with(&[plain("alpha", "1")]);
    site.run(&["-y", "install", "alpha"]).ok();
    for words in [
        &["clean", "all"][..],
        &["convert-db"],
        &["keys", "list"],
        &["makecache"],
        &["mark", "remove", "alpha"],
        &["reposync"],
    ] {
        let line = format!(
            "--dryrun: {} has no dry run, and nothing was done",
            words[0]
        );
        site.run(&[&["--dryrun", "-y"], words].concat())
            .fails(86, &line);
    }
    assert!(site.path("root/var/cache/tdnf").is_dir());
}
