//! What is decided, carried out and asked of the real rpm afterwards: reasons that last, architectures
//! side by side, excludes as dnf spells them.

use std::fs;
use std::process::Command;

use testkit::fixtures::unprivileged;
use testkit::rpm::createrepo;

use super::{Site, answer, plain};

/// Adds keys to tdnf.conf.
fn conf(site: &Site, keys: &str) {
    let text = fs::read_to_string(site.path("tdnf.conf")).expect("written");
    site.write("tdnf.conf", format!("{text}{keys}"));
}

fn publish(site: &Site) {
    createrepo::<&str>(&site.path("repo"), &[]);
}

#[test]
fn excludes_as_yum_and_dnf_spell_them() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("alpha", "2.0")]);
    let ran = site.run(&["-y", "install", "alpha", "-x", "alpha.noarch"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err
            .contains("all packages that alpha names are excluded")
    );
    site.run(&["-y", "-x", "alpha-2*", "install", "alpha"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
    conf(&site, "exclude=beta,alpha\n");
    site.run(&["-y", "update"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
}

#[test]
fn who_wanted_a_package_outlasts_what_takes_its_place() {
    if unprivileged() {
        return;
    }
    let needy = plain("needy", "1.0").lines("Requires: helper");
    let site = Site::with(&[
        plain("old", "1.0"),
        plain("line", "1.0"),
        needy,
        plain("helper", "1.0"),
    ]);
    conf(
        &site,
        "installonlypkgs=line\nclean_requirements_on_remove=1\n",
    );
    site.run(&["-y", "install", "old", "line", "needy"]).ok();
    site.add(&plain("fresh", "1.0").lines("Obsoletes: old < 2\nProvides: old = 2"));
    site.add(&super::Spec::new("line", "2.0").file("/opt/line-2", "2"));
    publish(&site);
    site.run(&["-y", "--refresh", "update"]).ok();
    site.run(&["-y", "reinstall", "helper"]).ok();
    site.run(&["-y", "autoremove"]).ok();
    let all = site.rpm_names();
    assert!(
        all.contains(&"fresh-1.0".to_owned()) && all.contains(&"line-1.0".to_owned()),
        "{all:?}"
    );
    site.run(&["-y", "erase", "needy"]).ok();
    assert!(!site.rpm_names().contains(&"helper-1.0".to_owned()));
}

#[test]
fn a_package_file_named_twice_is_one() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[]);
    let path = site.add(&plain("alpha", "1.0")).display().to_string();
    let copy = site.path("copy.rpm").display().to_string();
    fs::copy(&path, &copy).expect("ours");
    let words = ["-y", "install", &path, &path, &copy];
    let refused = site.run(&words);
    assert_eq!(refused.code, 1510 % 256, "{refused:?}");
    conf(&site, "gpgcheck=0\n");
    let ran = site.run(&words).ok();
    assert!(ran.err.contains("not signed"), "{ran:?}");
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
}

#[test]
fn architectures_stand_side_by_side() {
    if unprivileged() {
        return;
    }
    let lib = |arch: &str, version: &str| {
        let lib = super::Spec::new("lib", version).target(arch);
        lib.native().file(&format!("/opt/{arch}"), version)
    };
    let site = Site::with(&[lib("i686", "1"), lib("x86_64", "1")]);
    site.run(&["-y", "install", "lib.x86_64"]).ok();
    site.run(&["-y", "install", "lib.i686"]).ok();
    let arches = || site.rpm(&["-q", "lib", "--qf", "%{VERSION}.%{ARCH} "]);
    assert_eq!(arches(), "1.x86_64 1.i686 ");
    site.add(&lib("i686", "2"));
    site.add(&lib("x86_64", "2"));
    publish(&site);
    site.run(&["-y", "--refresh", "update", "lib"]).ok();
    let now = arches();
    let mut now: Vec<&str> = now.split_whitespace().collect();
    now.sort_unstable();
    assert_eq!(now, ["2.i686", "2.x86_64"]);
}

#[test]
fn a_security_fix_of_another_name_is_taken() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[
        plain("old", "1.0"),
        plain("turned", "1.0"),
        plain("other", "1.0"),
    ]);
    site.run(&["-y", "install", "old", "turned", "other"]).ok();
    site.add(&plain("fixed", "2.0").lines("Obsoletes: old < 2\nProvides: old = 2"));
    // What was noarch is built for an architecture now; another update is none of security's.
    let turned = super::Spec::new("turned", "2.0").native();
    site.add(&turned.file("/opt/turned", "2"));
    site.add(&plain("other", "2.0"));
    publish(&site);
    site.write(
        "updateinfo.xml",
        r#"<updates><update from="x" status="stable" type="security" version="1"><id>S-9</id><title>s</title>
<issued date="2020-06-01 12:00:00"/><description>d</description><pkglist><collection>
<package name="fixed" epoch="0" version="2.0" release="1" arch="noarch"><filename>fixed-2.0-1.noarch.rpm</filename></package>
<package name="turned" epoch="0" version="2.0" release="1" arch="x86_64"><filename>turned-2.0-1.x86_64.rpm</filename></package>
</collection></pkglist></update></updates>"#,
    );
    let mut modifyrepo = Command::new("modifyrepo_c");
    modifyrepo
        .arg("--mdtype=updateinfo")
        .arg(site.path("updateinfo.xml"));
    let status = modifyrepo.arg(site.path("repo/repodata")).status();
    assert!(status.expect("modifyrepo_c runs").success());
    let listed = site.run(&["-q", "--refresh", "updateinfo", "list"]).ok();
    assert!(listed.out.contains("S-9"), "{listed:?}");
    site.run(&["-y", "update", "--security"]).ok();
    assert_eq!(site.rpm_names(), ["fixed-2.0", "other-1.0", "turned-2.0"]);
}

#[test]
fn check_update_names_what_an_update_would_take() {
    if unprivileged() {
        return;
    }
    let old = ["alpha", "beta", "gamma", "delta"].map(|name| plain(name, "1.0"));
    let site = Site::with(&old);
    site.run(&["-y", "install", "alpha", "beta", "gamma", "delta"])
        .ok();
    // A newer source package, a newer package that another repository hides, two plain updates.
    let source = plain("alpha", "2.0").build_source();
    let name = source.file_name().expect("a package has a name");
    fs::copy(&source, site.path("repo").join(name)).expect("ours");
    site.add(&plain("gamma", "2.0"));
    site.add(&plain("delta", "2.0"));
    publish(&site);
    let other = site.path("other");
    fs::create_dir(&other).expect("ours");
    let beta = plain("beta", "2.0").build();
    fs::copy(&beta, other.join("beta-2.0.rpm")).expect("ours");
    createrepo::<&str>(&other, &[]);
    let hidden = testkit::stage::open_section("other", &other) + "priority=90\n";
    site.write("repos.d/other.repo", hidden);
    for words in [&["check-update"][..], &["list", "upgrades"]] {
        let listed = |more: &[&str]| {
            let ran = site.run(&[&["-q", "--refresh"], more, words].concat()).ok();
            let lines = ran.out.lines();
            let mut names: Vec<String> = lines
                .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
                .collect();
            names.sort();
            names
        };
        assert_eq!(listed(&[]), ["delta.noarch", "gamma.noarch"]);
        assert_eq!(listed(&["--exclude=gamma"]), ["delta.noarch"]);
        assert_eq!(listed(&["--exclude=delta-2*"]), ["gamma.noarch"]);
    }
    site.run(&["-y", "update"]).ok();
    assert_eq!(
        site.rpm_names(),
        ["alpha-1.0", "beta-1.0", "delta-2.0", "gamma-2.0"]
    );
}

#[test]
fn what_is_held_back_is_named_in_json_too() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    site.add(&plain("alpha", "2.0").lines("Requires: nothing-has-it"));
    publish(&site);
    for words in [&["--refresh", "-y", "update"][..], &["-y", "-j", "update"]] {
        let ran = site.run(words);
        let line = "alpha-2.0-1.noarch is held back: nothing provides nothing-has-it";
        assert!(ran.err.contains(line), "{ran:?}");
    }
}

#[test]
fn roots_built_twice_alike_have_no_linker_cache() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.write("root/var/cache/ldconfig/aux-cache", "inode numbers");
    let mut command = site.command(&["-y", "install", "alpha"]);
    answer(command.env("SOURCE_DATE_EPOCH", "1600000000")).ok();
    assert!(!site.path("root/var/cache/ldconfig/aux-cache").exists());
    assert!(site.path("root/var/cache/ldconfig").is_dir());
}

#[test]
fn source_packages_go_where_the_macros_of_the_root_say() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[]);
    let source = super::Spec::new("app", "1").files("").build_source();
    fs::copy(&source, site.path("repo/app-1-1.src.rpm")).expect("ours");
    publish(&site);
    site.write("root/etc/rpm/macros", "%_topdir %{_usrsrc}/photon\n");
    site.run(&["-y", "install", "--source", "app"]).ok();
    let specs = fs::read_dir(site.path("root/usr/src/photon/SPECS"));
    assert_eq!(specs.expect("the folder of the macro").count(), 1);
    let macros = "%_topdir /b\n%_specdir %{_topdir}/%{name}/s\n%_sourcedir /src\n";
    site.write("root/etc/rpm/macros", macros);
    site.run(&["-y", "install", "--source", "app"]).ok();
    let specs = fs::read_dir(site.path("root/b/app/s"));
    assert_eq!(specs.expect("the folder of its own macro").count(), 1);
    let defined = [
        "--rpmdefine",
        "_specdir /own",
        "-y",
        "install",
        "--source",
        "app",
    ];
    site.run(&defined).ok();
    assert_eq!(
        fs::read_dir(site.path("root/own"))
            .expect("as defined")
            .count(),
        1
    );
    site.write("root/etc/rpm/macros", "%_topdir %(date)\n");
    let ran = site.run(&["-y", "install", "--source", "app"]);
    assert!(ran.code != 0 && ran.err.contains("%(date)"), "{ran:?}");
}

#[test]
fn streams_of_modules_are_told_apart() {
    if unprivileged() {
        return;
    }
    let of_stream = |version: &str, stream: &str| {
        let label = format!("ModularityLabel: foo:{stream}:1:c");
        plain("foo", version).lines(&label)
    };
    let site = Site::with(&[
        of_stream("1", "1"),
        of_stream("2", "2"),
        plain("foo", "9"),
        plain("free", "1"),
    ]);
    let publish_modules = |text: String| publish_modules(&site, text);
    let stream = |stream: &str| module("foo", stream, "");
    let default = |stream: &str| default_stream("foo", stream);
    let streams = stream("1") + &stream("2");
    publish_modules(streams.clone());
    let ran = site.run(&["-y", "--refresh", "install", "foo-2"]);
    assert_eq!(ran.code, 1011 % 256, "{ran:?}");
    assert!(
        ran.err
            .contains("foo-2-1.noarch belongs to stream 2 of module foo"),
        "{ran:?}"
    );
    publish_modules(streams.clone() + &default("1"));
    site.run(&["-y", "--refresh", "install", "foo", "free"])
        .ok();
    assert_eq!(site.rpm_names(), ["foo-1", "free-1"]);
    // What is installed counts more than a default that changes.
    publish_modules(streams + &default("2"));
    assert!(
        !site
            .run(&["--refresh", "check-update"])
            .ok()
            .out
            .contains("foo")
    );
    site.run(&["-y", "update"]).ok();
    assert_eq!(site.rpm_names(), ["foo-1", "free-1"]);
    site.write(
        "repos.d/test.repo",
        site.repo_text("gpgcheck=0\nmodule_hotfixes=1"),
    );
    site.run(&["-y", "update"]).ok();
    assert_eq!(site.rpm_names(), ["foo-9", "free-1"]);
}

/// The document of a stream whose one package has the name of the module and the version of the stream.
fn module(name: &str, stream: &str, requires: &str) -> String {
    format!(
        "---\ndocument: modulemd\nversion: 2\ndata:\n  name: {name}\n  stream: \"{stream}\"\n  version: 1\n  \
         context: c\n  arch: noarch\n  dependencies:\n    - requires:\n        platform: [el8]\n{requires}  artifacts:\n    \
         rpms:\n    - {name}-0:{stream}-1.noarch\n...\n"
    )
}

fn default_stream(name: &str, stream: &str) -> String {
    format!(
        "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: {name}\n  stream: \"{stream}\"\n...\n"
    )
}

fn publish_modules(site: &Site, text: String) {
    publish(site);
    site.write("modules.yaml", text);
    let mut modifyrepo = Command::new("modifyrepo_c");
    modifyrepo
        .arg("--mdtype=modules")
        .arg(site.path("modules.yaml"));
    let status = modifyrepo.arg(site.path("repo/repodata")).status();
    assert!(status.expect("modifyrepo_c runs").success());
}

#[test]
fn what_a_stream_requires_of_other_modules_counts() {
    if unprivileged() {
        return;
    }
    let of_stream = |name: &str, stream: &str| {
        let label = format!("ModularityLabel: {name}:{stream}:1:c");
        plain(name, stream).lines(&label)
    };
    let site = Site::with(&[
        of_stream("foo", "1"),
        plain("foo", "9"),
        of_stream("lib", "1"),
        of_stream("lib", "2"),
        plain("other", "1").lines("Provides: foo = 99"),
    ]);
    let streams = module("foo", "1", "        lib: [\"2\"]\n")
        + &module("lib", "1", "")
        + &module("lib", "2", "")
        + &default_stream("foo", "1");
    // The default of lib is not the stream that foo requires: foo comes from elsewhere.
    publish_modules(&site, streams.clone() + &default_stream("lib", "1"));
    site.run(&["-y", "--refresh", "install", "foo", "lib"]).ok();
    assert_eq!(site.rpm_names(), ["foo-9", "lib-1"]);
    site.run(&["-y", "erase", "foo", "lib"]).ok();
    // Without a default the stream that is required is used.
    publish_modules(&site, streams);
    site.run(&["-y", "--refresh", "install", "foo", "lib"]).ok();
    assert_eq!(site.rpm_names(), ["foo-1", "lib-2"]);
    // What provides the name of a stream's package gives way to it.
    let ran = site.run(&["-y", "install", "other"]);
    assert!(
        ran.err
            .contains("other-1-1.noarch gives way to stream 1 of module foo"),
        "{ran:?}"
    );
}
