//! What `./dev dist` makes: a tarball of programs that are built already, looked into.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::fixtures::skipped;
use testkit::program::ok;

use crate::interop_lab::program;

const TOOLS: [&str; 3] = ["tdnf", "repo-tools", "mirror-sync"];
/// The time of everything in the tarball: 2023-11-14 22:13:20 UTC.
const EPOCH: &str = "1700000000";

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The programs of this build without symbols in `dir/programs/ARCH`, their pages in `dir/pages`; false where the
/// workspace is not built whole.
fn programs_and_pages(dir: &Path) -> bool {
    let built = program();
    let built = built.parent().expect("a program stands in a folder");
    let to = dir.join("programs").join(std::env::consts::ARCH);
    fs::create_dir_all(&to).expect("ours");
    for tool in TOOLS {
        let from = built.join(tool);
        let pages = built.join("examples").join(format!("{tool}-man"));
        if let Some(absent) = [&from, &pages].into_iter().find(|path| !path.is_file()) {
            skipped(&format!(
                "the workspace is not built: no {}",
                absent.display()
            ));
            return false;
        }
        ok(Command::new("strip")
            .arg("-o")
            .arg(to.join(tool))
            .arg(&from));
        ok(Command::new(pages).arg(dir.join("pages")));
    }
    true
}

/// Runs `./dev dist` for this architecture; the tarball.
fn dist(dir: &Path, out: &str) -> PathBuf {
    let out = dir.join(out);
    ok(Command::new("bash")
        .arg(project().join("dev"))
        .args(["dist", std::env::consts::ARCH])
        .env("TDNF_PROGRAMS", dir.join("programs"))
        .env("TDNF_MAN_PAGES", dir.join("pages"))
        .env("TDNF_TARBALLS", &out)
        .env("SOURCE_DATE_EPOCH", EPOCH));
    ok(Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&out));
    let name = format!("{}.tar.gz", tree_name());
    let sums = fs::read_to_string(out.join("SHA256SUMS")).expect("written");
    assert!(sums.ends_with(&format!("  {name}\n")), "{sums}");
    out.join(name)
}

fn tree_name() -> String {
    let (version, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    format!("tdnf-{version}-{arch}")
}

#[test]
fn a_tarball_holds_a_release() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    if !programs_and_pages(dir.path()) {
        return;
    }
    let tarball = dist(dir.path(), "one");
    let again = dist(dir.path(), "two");
    let same = fs::read(&tarball).expect("there") == fs::read(again).expect("there");
    assert!(same, "the same programs made two tarballs");
    names_owners_and_times(&tarball);
    ok(Command::new("tar")
        .arg("-C")
        .arg(dir.path())
        .arg("-xzf")
        .arg(&tarball));
    let tree = dir.path().join(tree_name());
    everything_is_there(&tree);
    everything_has_a_checksum(&tree);
    what_is_linked_in(&tree);
}

fn names_owners_and_times(tarball: &Path) {
    let said = ok(Command::new("tar")
        .args(["--numeric-owner", "--full-time", "--utc", "-tvzf"])
        .arg(tarball));
    let mut names = Vec::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[1], "0/0", "{line}");
        assert_eq!(words[3..5], ["2023-11-14", "22:13:20"], "{line}");
        names.push(words[5]);
    }
    assert!(names.iter().all(|name| name.starts_with(&tree_name())));
    assert!(names.iter().any(|name| name.ends_with("usr/bin/tdnf")));
}

fn everything_is_there(tree: &Path) {
    for tool in TOOLS {
        let said = ok(Command::new(tree.join("usr/bin").join(tool)).arg("--version"));
        assert!(said.contains(env!("CARGO_PKG_VERSION")), "{tool}: {said}");
    }
    for name in [
        "CHANGELOG.md",
        "LICENSE",
        "LICENSE-THIRD-PARTY.md",
        "README.md",
        "etc/logrotate.d/mirror-sync",
        "etc/motdgen.d/02-tdnf-updateinfo.sh",
        "etc/tdnf/automatic.conf",
        "etc/tdnf/tdnf.conf",
        "usr/bin/createrepo",
        "usr/bin/createrepo_c",
        "usr/bin/mergerepo_c",
        "usr/bin/modifyrepo_c",
        "usr/bin/sqliterepo_c",
        "usr/bin/yum",
        "usr/lib/systemd/system/mirror-sync-serve.service",
        "usr/lib/systemd/system/tdnf-automatic.timer",
        "usr/lib/sysusers.d/mirror-sync.conf",
        "usr/lib/tmpfiles.d/mirror-sync.conf",
        "usr/share/bash-completion/completions/mirror-sync",
        "usr/share/bash-completion/completions/repo-tools",
        "usr/share/bash-completion/completions/tdnf",
        "usr/share/doc/mirror-sync/air-gap.md",
        "usr/share/doc/mirror-sync/mirror-sync.md",
        "usr/share/doc/mirror-sync/mirror-sync.toml",
        "usr/share/doc/repo-tools/files",
        "usr/share/doc/repo-tools/repo-tools.md",
        "usr/share/doc/tdnf/example.repo",
        "usr/share/doc/tdnf/photon-legacy.repo",
        "usr/share/fish/vendor_completions.d/mirror-sync.fish",
        "usr/share/fish/vendor_completions.d/repo-tools.fish",
        "usr/share/fish/vendor_completions.d/tdnf.fish",
        "usr/share/man/man1/mirror-sync-sync.1",
        "usr/share/man/man1/repo-tools-createrepo.1",
        "usr/share/man/man5/tdnf.conf.5",
        "usr/share/man/man8/tdnf-install.8",
        "usr/share/zsh/site-functions/_mirror-sync",
        "usr/share/zsh/site-functions/_repo-tools",
        "usr/share/zsh/site-functions/_tdnf",
    ] {
        assert!(tree.join(name).exists(), "{name} is missing");
    }
}

fn everything_has_a_checksum(tree: &Path) {
    ok(Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(tree));
    let sums = fs::read_to_string(tree.join("SHA256SUMS")).expect("there");
    let files = ok(Command::new("find")
        .args([".", "-type", "f"])
        .current_dir(tree));
    assert_eq!(sums.lines().count() + 1, files.lines().count());
}

/// Each row of the list is in the lock file, the libraries are those that we know of, and texts came with them.
fn what_is_linked_in(tree: &Path) {
    let list = fs::read_to_string(tree.join("LINKED.tsv")).expect("there");
    let lock = fs::read_to_string(project().join("Cargo.lock")).expect("there");
    let mut libraries = BTreeMap::new();
    let mut crates = BTreeSet::new();
    for line in list.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [kind, name, version, licence, programs] = cells[..] else {
            panic!("{line}");
        };
        assert!(!licence.is_empty() && !programs.is_empty(), "{line}");
        if kind == "library" {
            libraries.insert(name, version);
            continue;
        }
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&entry), "{line}");
        crates.insert(name);
    }
    for name in ["tdnf", "repo-tools", "mirror-sync", "rustls", "libsolv-sys"] {
        assert!(crates.contains(name), "{name}");
    }
    // What builds or tests only is no part of it.
    for name in [
        "bindgen",
        "cc",
        "clap_mangen",
        "insta",
        "serde_derive",
        "testkit",
    ] {
        assert!(!crates.contains(name), "{name}");
    }
    let names: Vec<&str> = libraries.keys().copied().collect();
    let known = [
        "GNU libc", "Lua", "SQLite", "libgcc", "liblzma", "libsolv", "zlib", "zstd",
    ];
    assert_eq!(names, known);
    assert_eq!(libraries["SQLite"], rusqlite::version());
    assert!(libraries["libsolv"].starts_with("0.7."), "{libraries:?}");
    for (name, version) in libraries {
        let texts = tree.join(format!("licenses/{}-{version}", name.replace(' ', "-")));
        assert!(texts.is_dir(), "{}", texts.display());
    }
}

/// The workflow for public CI runs `.ci/run`, with the compiler that the project is pinned to.
#[test]
fn the_workflow_runs_what_ci_runs() {
    let text = |name: &str| fs::read_to_string(project().join(name)).expect("it is there");
    let workflow = text(".github/workflows/ci.yml");
    let pinned: toml::Table = text("rust-toolchain.toml").parse().expect("TOML");
    let version = pinned["toolchain"]["channel"].as_str().expect("a version");
    for part in [
        "run: bash .ci/run\n".to_owned(),
        "image: debian:12\n".to_owned(),
        format!("rust-toolchain@{version}\n"),
    ] {
        assert!(workflow.contains(&part), "{part}");
    }
}
