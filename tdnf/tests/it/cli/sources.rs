//! Source packages, folders as repositories, and downloads, compared with the real rpm.

use std::fs;
use std::path::{Path, PathBuf};

use testkit::fixtures::unprivileged;
use testkit::rpm::{Rpm, createrepo};

use super::{Site, Spec, plain};

/// A source package `app` by rpmbuild, with a patch and what it needs to be built.
fn source_package() -> PathBuf {
    Spec::new("app", "1")
        .source("fix.patch", b"a patch\n")
        .source("run.sh", b"#!/bin/sh\n")
        .lines(
            "Source0: run.sh\nPatch0: fix.patch\nBuildRequires: lib >= 1\nBuildRequires: /opt/tool",
        )
        .files("")
        .build_source()
}

/// Names and contents of a build tree.
fn tree(top: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in ["SOURCES", "SPECS"] {
        for entry in fs::read_dir(top.join(folder)).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().display());
            files.push((name, fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

#[test]
fn source_packages_are_unpacked_as_rpm_does_it() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("lib", "1")]);
    let source = source_package();
    fs::copy(&source, site.path("repo/app-1-1.src.rpm")).unwrap();
    createrepo::<&str>(&site.path("repo"), &[]);
    let top = format!("_topdir {}", site.path("rpmtree").display());
    let path = source.display().to_string();
    Rpm::of_files().ok(&["--define", &top, "-i", "--nosignature", &path]);
    let expected = tree(&site.path("rpmtree"));
    assert_eq!(expected.len(), 3);

    let ran = site
        .run(&[
            "-y",
            "--rpmdefine",
            "_topdir /srv/tree",
            "--source",
            "install",
            "app",
        ])
        .ok();
    assert!(
        ran.out.contains("\nInstalling:\napp              src "),
        "{ran:?}"
    );
    assert!(
        ran.out.contains("Installing/Updating: app-1-1 (source)\n"),
        "{ran:?}"
    );
    assert_eq!(tree(&site.path("root/srv/tree")), expected);
    // From a file, to the default place: rpmbuild in the home directory, inside the root.
    let file = source.display().to_string();
    site.run(&["-y", "--source", "install", &file]).fails(
        230,
        "Error(1510) : RPM not signed. Use --nogpgcheck to ignore.",
    );
    assert!(tree(&site.path("root/root/rpmbuild")).is_empty());
    site.run(&["-y", "--nogpgcheck", "--source", "install", &file])
        .ok();
    assert_eq!(tree(&site.path("root/root/rpmbuild")), expected);
    assert!(site.rpm_names().is_empty(), "nothing is installed");
    // A source package needs its option, and the option a source package.
    let ran = site.run(&["-y", "install", &file]);
    ran.fails(86, "Error(1622) : Invalid argument");
    let ran = site.run(&["-y", "install", &file]);
    assert!(
        ran.err
            .contains("appears to be a source rpm - use --source"),
        "{ran:?}"
    );
    let binary = site.path("repo/lib-1-1.noarch.rpm").display().to_string();
    let ran = site.run(&["-y", "--source", "install", &binary]);
    assert!(
        ran.code == 86 && ran.err.contains("is not a source rpm"),
        "{ran:?}"
    );
    site.run(&["-y", "--source", "install", "lib"])
        .fails(243, "lib package not found or not installed");
    // Only fetched.
    let dir = site.path("down").display().to_string();
    let words = [
        "-y",
        "--downloadonly",
        "--downloaddir",
        &dir,
        "--source",
        "install",
        "app",
    ];
    site.run(&words).ok();
    assert!(site.path("down/app-1-1.src.rpm").is_file());
    // A damaged one leaves nothing behind.
    let mut bytes = fs::read(&source).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 0xff;
    fs::write(site.path("bad.src.rpm"), bytes).unwrap();
    let bad = site.path("bad.src.rpm").display().to_string();
    let words = [
        "-y",
        "--nogpgcheck",
        "--rpmdefine",
        "_topdir /srv/bad",
        "--source",
        "install",
        &bad,
    ];
    assert_ne!(site.run(&words).code, 0);
    assert!(tree(&site.path("root/srv/bad")).is_empty());
}

#[test]
fn builddeps_are_installed() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("lib", "1"), plain("tool", "1"), plain("other", "1")]);
    let source = source_package();
    fs::copy(&source, site.path("repo/app-1-1.src.rpm")).unwrap();
    createrepo::<&str>(&site.path("repo"), &[]);
    site.run(&["-y", "--builddeps", "install", "app"]).ok();
    assert_eq!(site.rpm_names(), ["lib-1", "tool-1"]);
    let file = source.display().to_string();
    let ran = site.run(&["-y", "--builddeps", "install", &file]).ok();
    assert_eq!(
        ran.err,
        "what it takes to build this is installed\nNothing to do.\n"
    );
    // They count as asked for.
    assert!(
        site.run(&["-y", "autoremove"])
            .ok()
            .err
            .contains("Nothing to do.")
    );
}

#[test]
fn a_folder_is_a_repository() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1")]);
    let spec = plain("beta", "2").lines("Requires: alpha");
    let built = site.add(&spec);
    fs::create_dir_all(site.path("my dir/50%/deep")).unwrap();
    fs::rename(&built, site.path("my dir/50%/deep/beta-2-1.noarch.rpm")).unwrap();
    fs::write(site.path("my dir/notes.txt"), "no package").unwrap();
    let option = format!("--repofromdir=mine,{}", site.path("my dir").display());
    let listed = site.run(&["-q", &option, "list", "beta"]).ok().out;
    assert!(
        listed.starts_with("beta.noarch ") && listed.ends_with(" mine\n"),
        "{listed}"
    );
    let repos = site.run(&["-j", &option, "repolist"]).ok().out;
    assert!(
        repos.contains(r#""Repo":"test""#) && repos.contains(r#""Repo":"mine""#),
        "{repos}"
    );
    let owner = site.run(&["-j", &option, "provides", "/opt/beta"]).ok().out;
    assert!(owner.contains(r#""Name":"beta""#), "{owner}");
    // What it needs comes from the other repository; its package is checked like any.
    let ran = site.run(&["-y", &option, "install", "beta"]);
    ran.fails(
        230,
        "Error(1510) : RPM not signed. Use --nogpgcheck to ignore.",
    );
    site.run(&["-y", &option, "--setopt=mine.gpgcheck=0", "install", "beta"])
        .ok();
    assert_eq!(site.rpm_names(), ["alpha-1", "beta-2"]);
    // What changes in the folder counts at once.
    fs::remove_file(site.path("my dir/50%/deep/beta-2-1.noarch.rpm")).unwrap();
    let gone = site
        .run(&["-q", &option, "--repo=mine", "list", "available"])
        .ok();
    assert_eq!(gone.out, "");
    site.run(&["--repofromdir=foo,/nonexistent", "repolist"])
        .fails(66, "Error(1602) : No such file or directory");
    fs::write(site.path("my dir/bad.rpm"), "no package").unwrap();
    let ran = site.run(&[&option, "list"]);
    assert!(
        ran.code != 0 && ran.err.contains("my dir/bad.rpm"),
        "{ran:?}"
    );
}

#[test]
fn downloads_with_and_without_dependencies() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("app", "1").lines("Requires: lib"), plain("lib", "1")]);
    let files = |dir: &str| {
        let mut names: Vec<String> = fs::read_dir(site.path(dir))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().display().to_string())
            .collect();
        names.sort();
        names
    };
    let download = |dir: &str, words: &[&str]| {
        let path = site.path(dir).display().to_string();
        let all = [
            &["-y", "--downloadonly", "--downloaddir", &path],
            words,
            &["install", "app"],
        ];
        site.run(&all.concat()).ok()
    };
    download("both", &[]);
    assert_eq!(files("both"), ["app-1-1.noarch.rpm", "lib-1-1.noarch.rpm"]);
    download("one", &["--nodeps"]);
    assert_eq!(files("one"), ["app-1-1.noarch.rpm"]);
    site.run(&["-y", "install", "lib"]).ok();
    download("needed", &[]);
    assert_eq!(files("needed"), ["app-1-1.noarch.rpm"]);
    download("all", &["--alldeps"]);
    assert_eq!(files("all"), ["app-1-1.noarch.rpm", "lib-1-1.noarch.rpm"]);
    assert_eq!(site.rpm_names(), ["lib-1"]);
    site.run(&["--downloaddir=/x", "install", "app"])
        .fails(145, "Error(913) : --downloaddir requires --downloadonly");
    site.run(&["--alldeps", "install", "app"])
        .fails(147, "Error(915) : --alldeps requires --downloadonly");
    site.run(&["--nodeps", "install", "app"])
        .fails(148, "Error(916) : --nodeps requires --downloadonly");
}

#[test]
fn paths_of_a_merged_usr() {
    if unprivileged() {
        return;
    }
    // The file lies in /usr/opt... for rpm; what is required is below /bin.
    let tool = Spec::new("tool", "1")
        .file("/usr/bin/tool", "x")
        .file("/usr/lib/x/data", "x");
    let site = Site::with(&[plain("user", "1")
        // One path that primary metadata has, one that only the file lists have.
        .lines("Requires: /bin/tool\nRequires: /lib/x/data")]);
    fs::copy(tool.build(), site.path("repo/tool-1-1.noarch.rpm")).unwrap();
    createrepo::<&str>(&site.path("repo"), &[]);
    site.run(&["-y", "install", "user"])
        .fails(21, "Error(1301) : Solv general runtime error");
    for folder in ["bin", "lib"] {
        fs::create_dir_all(site.path(&format!("root/usr/{folder}"))).unwrap();
        let link = site.path(&format!("root/{folder}"));
        std::os::unix::fs::symlink(format!("usr/{folder}"), link).unwrap();
    }
    site.run(&["-y", "install", "user"]).ok();
    assert_eq!(site.rpm_names(), ["tool-1", "user-1"]);
}
