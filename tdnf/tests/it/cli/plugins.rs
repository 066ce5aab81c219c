//! Plugins that are part of the program, their switches, and hooks.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use testkit::fixtures::unprivileged;

use super::{Site, plain};

/// A site whose repository wants signed metadata that it does not have.
fn unsigned() -> Site {
    let site = Site::with(&[plain("alpha", "1")]);
    site.write("key.asc", "no key");
    let keys = format!(
        "gpgcheck=0\nrepo_gpgcheck=1\ngpgkey=file://{}",
        site.path("key.asc").display()
    );
    site.write("repos.d/test.repo", site.repo_text(&keys));
    site
}

fn configure(site: &Site, lines: &str) {
    let text = format!(
        "[main]\nreposdir={}\npluginconfpath={}\n{lines}\n",
        site.path("repos.d").display(),
        site.path("pluginconf.d").display(),
    );
    site.write("tdnf.conf", &text);
}

#[test]
fn signed_metadata_is_checked_unless_switched_off() {
    let site = unsigned();
    assert_ne!(
        site.run(&["makecache"]).code,
        0,
        "on without any configuration"
    );
    let says = "warning: repo 'test': repo_gpgcheck=1 is not checked: plugin tdnfrepogpgcheck is \
                switched off\n";
    for off in [
        "--noplugins",
        "--disableplugin=tdnfrepogpgcheck",
        "--disableplugin=tdnf*",
    ] {
        let ran = site.run(&[off, "--refresh", "makecache"]).ok();
        assert_eq!(ran.err, says, "{off}");
    }
    let words = [
        "--disableplugin=*",
        "--enableplugin=*gpgcheck",
        "--refresh",
        "makecache",
    ];
    assert_ne!(site.run(&words).code, 0, "switches count in their order");
    // By its conf file.
    configure(&site, "plugins=1");
    site.write("pluginconf.d/tdnfrepogpgcheck.conf", "[main]\nenabled=0\n");
    assert_eq!(site.run(&["--refresh", "makecache"]).ok().err, says);
    assert_ne!(
        site.run(&["--enableplugin=tdnfrepogpgcheck", "--refresh", "makecache"])
            .code,
        0
    );
}

#[test]
fn row_37_plugins_are_named_as_tdnf_names_them() {
    let site = Site::with(&[]);
    configure(&site, "plugins=1\npluginpath=/opt/plugins");
    for (name, on) in [
        ("nosuch", 1),
        ("tdnfmetalink", 1),
        ("tdnfrepogpgcheck", 1),
        ("off", 0),
    ] {
        site.write(
            &format!("pluginconf.d/{name}.conf"),
            format!("[main]\nenabled={on}\n"),
        );
    }
    let ran = site.run(&["repolist"]).ok();
    assert!(
        ran.out
            .starts_with("Loaded plugin: tdnfmetalink\nLoaded plugin: tdnfrepogpgcheck\nrepo id"),
        "{ran:?}"
    );
    assert!(
        ran.err
            .starts_with("Error loading plugin: /opt/plugins/libnosuch.so\nError: 1519 "),
        "{ran:?}"
    );
    assert_eq!(
        site.run(&["--disableplugin=nosuch", "repolist"]).ok().err,
        ""
    );
    let ran = site
        .run(&[
            "--disableplugin=*",
            "--enableplugin=tdnfmetalink",
            "repolist",
        ])
        .ok();
    assert!(
        ran.out.starts_with("Loaded plugin: tdnfmetalink\nrepo id"),
        "{ran:?}"
    );
    assert!(
        site.run(&["--noplugins", "repolist"])
            .ok()
            .out
            .starts_with("repo id")
    );
    configure(&site, "");
    assert!(site.run(&["repolist"]).ok().out.starts_with("repo id"));
    // A name is a name.
    for bad in ["--enableplugin=../../x", "--disableplugin=a/b"] {
        site.run(&[bad, "repolist"])
            .fails(86, "Error(1622) : Invalid argument");
    }
    site.write("pluginconf.d/off.conf", "[main]\nenabled=perhaps\n");
    let ran = site.run(&["repolist"]);
    assert!(ran.code == 86 && ran.err.contains("off.conf"), "{ran:?}");
}

#[test]
fn metalinks_can_be_switched_off() {
    let site = Site::with(&[]);
    site.write(
        "repos.d/test.repo",
        "[meta]\nenabled=1\nmetalink=file:///nonexistent/metalink\n",
    );
    let ran = site.run(&["--disableplugin=tdnfmetalink", "makecache"]);
    ran.fails(
        196,
        "Error(2500) : Base URL and Metalink URL not found in the repo file",
    );
    assert_ne!(site.run(&["makecache"]).code, 196);
}

/// Writes a hook that keeps what it is told.
fn hook(site: &Site, point: &str, name: &str, end: &str) {
    let path = format!("hooks.d/{point}/{name}");
    let kept = site
        .path(&format!("told-{point}-{name}"))
        .display()
        .to_string();
    site.write(
        &path,
        format!("#!/bin/sh\ncat > {kept}\necho hook {name}\n{end}\n"),
    );
    fs::set_permissions(site.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn hooks_are_told_and_can_stop_a_transaction() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[
        plain("alpha", "1").lines("Requires: beta"),
        plain("beta", "1"),
    ]);
    for point in ["pre-transaction", "post-transaction", "repo-refreshed"] {
        hook(&site, point, "10-keep", "");
    }
    let told = |point: &str| {
        let text = fs::read_to_string(site.path(&format!("told-{point}-10-keep"))).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let ran = site.run(&["-y", "install", "alpha"]).ok();
    assert!(
        !ran.out.contains("hook 10-keep") && ran.err.contains("hook 10-keep\n"),
        "{ran:?}"
    );
    for point in ["pre-transaction", "post-transaction"] {
        let told = told(point);
        assert_eq!(told["Version"], 1);
        assert_eq!(told["Point"], point);
        let names: Vec<&str> = told["Plan"]["Install"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["Name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["alpha", "beta"], "{told}");
        assert_eq!(
            told["Root"].as_str().unwrap(),
            site.path("root").display().to_string()
        );
    }
    assert_eq!(told("repo-refreshed")["Repo"]["Id"], "test");
    // Nothing new, nothing told.
    fs::remove_file(site.path("told-repo-refreshed-10-keep")).unwrap();
    site.run(&["list"]).ok();
    assert!(!site.path("told-repo-refreshed-10-keep").exists());
    // A failing one is named and stops the run before anything changes.
    hook(&site, "pre-transaction", "20-fail", "exit 3");
    let ran = site.run(&["-y", "erase", "alpha"]);
    let name = site
        .path("hooks.d/pre-transaction/20-fail")
        .display()
        .to_string();
    let ran = ran.fails(245, &format!("hook {name}: exit status: 3"));
    assert!(ran.err.contains("Error(1525)"), "{ran:?}");
    assert_eq!(site.rpm_names(), ["alpha-1", "beta-1"]);
    site.run(&["-y", "--noplugins", "erase", "alpha"]).ok();
    assert_eq!(site.rpm_names(), ["beta-1"]);
    fs::remove_file(&name).unwrap();
    // After the transaction it is only named.
    hook(&site, "post-transaction", "20-fail", "exit 4");
    let ran = site.run(&["-y", "install", "alpha"]).ok();
    assert!(
        ran.err.contains("warning: hook ") && ran.err.contains("exit status: 4"),
        "{ran:?}"
    );
    // Others may not write it, and it must be a program.
    fs::remove_file(site.path("hooks.d/post-transaction/20-fail")).unwrap();
    for (mode, why) in [
        (0o777, "users other than root may change it"),
        (0o644, "it is not executable"),
    ] {
        let path = site.path("hooks.d/pre-transaction/10-keep");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let ran = site.run(&["-y", "erase", "alpha"]);
        assert!(ran.code != 0 && ran.err.contains(why), "{ran:?}");
    }
    assert_eq!(site.rpm_names(), ["alpha-1", "beta-1"]);
}

#[test]
fn row_38_hooks_of_an_installroot_do_not_run() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1")]);
    // The root has a configuration and hooks of its own: they are the image's, not ours.
    let text = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    let own = text.lines().filter(|line| !line.starts_with("reposdir"));
    site.write(
        "root/etc/tdnf/tdnf.conf",
        own.collect::<Vec<_>>().join("\n"),
    );
    site.write(
        "root/etc/yum.repos.d/test.repo",
        site.repo_text("gpgcheck=0"),
    );
    site.write(
        "root/etc/tdnf/hooks.d/pre-transaction/evil",
        "#!/bin/sh\nexit 1\n",
    );
    let evil = site.path("root/etc/tdnf/hooks.d/pre-transaction/evil");
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    let root = site.path("root").display().to_string();
    super::bare(&["--installroot", &root, "-y", "install", "alpha"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1"]);
}
