//! The order of recommends in a cache file, compared with libsolv's own.

use rpm_pkg::dep::{DepFlags, DepGroup};
use rpm_solv::{CacheFile, CacheWriter, DepInput, EvrInput, PackageInput, Pool};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const PYTHON: &str = "/usr/bin/python3";

/// Packages `p0` to `p79` and up to seven of 20 names that each recommends, some with a version.
fn packages() -> Vec<Vec<String>> {
    let mut state = 1_u32;
    let mut below = |limit: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % limit
    };
    let mut all = Vec::new();
    for number in 0..80 {
        let mut words = vec![format!("p{number}")];
        for _ in 0..below(8) {
            let name = format!("p{}", 70 + below(20));
            let word = match below(4) {
                0 => name,
                version => format!("{name}>={version}"),
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        all.push(words);
    }
    all
}

fn ours(packages: &[Vec<String>], path: &Path) -> String {
    let mut writer = CacheWriter::create(path, b"key").unwrap();
    for words in packages {
        let recommends: Vec<DepInput<'_>> = words[1..].iter().map(|word| dep(word)).collect();
        let input = PackageInput {
            name: &words[0],
            arch: "noarch",
            evr: EvrInput {
                epoch: 0,
                version: "1",
                release: "1",
            },
            recommends: &recommends,
            ..PackageInput::default()
        };
        writer.add(&input).unwrap();
    }
    writer.finish().unwrap();
    let mut pool = Pool::new("x86_64").unwrap();
    let repo = pool.add_repo("r", 50).unwrap();
    pool.load_cache(repo, CacheFile::open(path, b"key").unwrap())
        .unwrap();
    let lines = pool.solvables().map(|id| {
        let deps = pool.deps(id, DepGroup::Recommends);
        let words = std::iter::once(pool.name(id).to_owned())
            .chain(deps.iter().map(|dep| dep.replace(' ', "")));
        words.collect::<Vec<_>>().join(" ") + "\n"
    });
    lines.collect()
}

fn dep(word: &str) -> DepInput<'_> {
    let (name, version) = word.split_once(">=").unwrap_or((word, ""));
    DepInput {
        name,
        flags: match version {
            "" => DepFlags::ANY,
            _ => DepFlags::from_symbol(">=").unwrap(),
        },
        evr: EvrInput::new(None, version, ""),
        pre: false,
    }
}

#[test]
fn recommends_stand_as_in_files_that_libsolv_writes() {
    let probe = Command::new(PYTHON).args(["-c", "import solv"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: no python3-solv");
        return;
    }
    let packages = packages();
    let mut python = Command::new(PYTHON)
        .args(["-c", include_str!("order.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let given: String = packages
        .iter()
        .map(|words| words.join(" ") + "\n")
        .collect();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(given.as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_ne!(theirs, given, "nothing had to be put in order");
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(ours(&packages, &dir.path().join("cache")), theirs);
}
