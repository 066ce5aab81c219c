//! Guards the arrows of ARCHITECTURE.md: which of our crates may depend on which.
//!
//! Reads the manifests themselves, so that a new arrow fails here before it becomes a habit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every arrow that is allowed, from crate to crates. `[dev-dependencies]` are listed apart.
const ARROWS: &[(&str, &[&str])] = &[
    ("rpm-pkg", &[]),
    ("rpm-trust", &["rpm-pkg"]),
    ("rpm-solv", &["rpm-pkg"]),
    ("cli-kit", &[]),
    ("whole-file", &[]),
    ("rpm-repo", &["rpm-pkg", "whole-file"]),
    ("rpm-db", &["rpm-pkg", "whole-file"]),
    ("rpm-transaction", &["rpm-db", "rpm-pkg", "whole-file"]),
    (
        "repo-client",
        &["rpm-repo", "rpm-trust", "rpm-pkg", "whole-file"],
    ),
    (
        "rpm-catalog",
        &[
            "repo-client",
            "rpm-db",
            "rpm-pkg",
            "rpm-repo",
            "rpm-solv",
            "whole-file",
        ],
    ),
    (
        "tdnf",
        &[
            "cli-kit",
            "repo-client",
            "rpm-catalog",
            "rpm-db",
            "rpm-pkg",
            "rpm-repo",
            "rpm-solv",
            "rpm-transaction",
            "rpm-trust",
            "whole-file",
        ],
    ),
    (
        "mirror-sync",
        &[
            "cli-kit",
            "repo-client",
            "rpm-catalog",
            "rpm-db",
            "rpm-pkg",
            "rpm-repo",
            "rpm-solv",
            "rpm-trust",
            "whole-file",
        ],
    ),
    (
        "repo-tools",
        &["cli-kit", "rpm-pkg", "rpm-repo", "rpm-trust", "whole-file"],
    ),
    ("testkit", &[]),
    ("benches", &["testkit"]),
];

/// What a crate's tests may use besides its own dependencies.
const DEV_ARROWS: &[(&str, &[&str])] = &[
    (
        "testkit",
        &[
            "mirror-sync",
            "rpm-db",
            "rpm-pkg",
            "rpm-repo",
            "rpm-solv",
            "rpm-trust",
            "whole-file",
        ],
    ),
    ("rpm-pkg", &["testkit"]),
    ("rpm-trust", &["testkit"]),
    ("rpm-solv", &["rpm-repo", "testkit"]),
    ("cli-kit", &["testkit"]),
    ("rpm-repo", &["testkit"]),
    ("rpm-db", &["testkit"]),
    ("rpm-catalog", &["testkit"]),
    ("repo-client", &["testkit"]),
    ("tdnf", &["testkit"]),
    ("repo-tools", &["testkit"]),
    ("mirror-sync", &["testkit"]),
];

/// Dear or dangerous crates and the only ones of ours that may name them.
const ONLY_USER: &[(&str, &[&str])] = &[
    ("sequoia-openpgp", &["rpm-trust"]),
    ("reqwest", &["repo-client"]),
    ("tokio", &["repo-client", "mirror-sync"]),
    ("hyper", &["mirror-sync"]),
    ("hickory-resolver", &["repo-client"]),
    ("libsolv-sys", &["rpm-solv"]),
    ("rusqlite", &["rpm-db", "repo-tools", "tdnf"]),
    ("mlua", &["rpm-transaction"]),
    ("rpm", &["testkit"]),
    ("indicatif", &["cli-kit"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names under one dependency table of a manifest, target tables included.
fn table(manifest: &str, wanted: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header == wanted
                || (header.starts_with("target.") && header.ends_with(&format!(".{wanted}")));
            continue;
        }
        if !inside || line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name: String = line
            .chars()
            .take_while(|c| !matches!(c, '.' | ' ' | '='))
            .collect();
        names.insert(name);
    }
    names
}

fn manifests() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let crates = std::fs::read_dir(root().join("crates")).expect("crates/ is readable");
    let folders = crates
        .map(|entry| entry.expect("an entry of crates/").path())
        .chain(["tdnf", "repo-tools", "mirror-sync", "benches"].map(|tool| root().join(tool)));
    for folder in folders {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        let name = folder
            .file_name()
            .expect("a folder name")
            .to_string_lossy()
            .into_owned();
        assert!(
            text.contains(&format!("name = \"{name}\"")),
            "{name}: folder and crate name differ"
        );
        found.insert(name, text);
    }
    found
}

fn allowed(table: &[(&'static str, &'static [&'static str])], name: &str) -> BTreeSet<String> {
    let row = table.iter().find(|(from, _)| *from == name);
    row.map(|(_, to)| to.iter().map(|s| (*s).to_owned()).collect())
        .unwrap_or_default()
}

#[test]
fn every_crate_is_on_the_map() {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for name in manifests().keys() {
        assert!(
            known.contains(name.as_str()),
            "{name} is not on the map: ARCHITECTURE.md first"
        );
    }
    assert_eq!(
        known.len(),
        manifests().len(),
        "the map names a crate that is not there"
    );
}

#[test]
fn arrows_go_one_way() {
    let all = manifests();
    let ours: BTreeSet<String> = all.keys().cloned().collect();
    for (name, manifest) in &all {
        let runtime: BTreeSet<String> = table(manifest, "dependencies")
            .intersection(&ours)
            .cloned()
            .collect();
        let extra: Vec<_> = runtime
            .difference(&allowed(ARROWS, name))
            .cloned()
            .collect();
        assert!(extra.is_empty(), "{name} may not depend on {extra:?}");

        let mut dev_allowed = allowed(ARROWS, name);
        dev_allowed.extend(allowed(DEV_ARROWS, name));
        let dev: BTreeSet<String> = table(manifest, "dev-dependencies")
            .intersection(&ours)
            .cloned()
            .collect();
        let extra: Vec<_> = dev.difference(&dev_allowed).cloned().collect();
        assert!(
            extra.is_empty(),
            "the tests of {name} may not depend on {extra:?}"
        );
    }
}

#[test]
fn dear_crates_have_one_user() {
    for (name, manifest) in manifests() {
        let mut used = table(&manifest, "dependencies");
        used.extend(table(&manifest, "build-dependencies"));
        for (dear, users) in ONLY_USER {
            assert!(
                !used.contains(*dear) || users.contains(&name.as_str()),
                "{name} may not use {dear}: it belongs to {users:?}"
            );
        }
    }
}

#[test]
fn unsafe_code_is_denied_but_in_one_crate() {
    for (name, manifest) in manifests() {
        if name == "rpm-solv" {
            assert!(manifest.contains("undocumented_unsafe_blocks = \"deny\""));
        } else {
            assert!(
                manifest.contains("[lints]\nworkspace = true"),
                "{name} opts out of the lints"
            );
        }
    }
}
