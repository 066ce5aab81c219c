//! Packages of some names out of a file answer as they do among all others.

use super::{CacheFile, CacheWriter, dep, package, texts_of, write, write_many};
use crate::{EvrInput, PackageInput, Pool, RepoId, SelectFlags, SolvError, names_of_spec};
use rpm_pkg::dep::DepGroup;
use std::path::{Path, PathBuf};

/// Name, architecture, epoch, version, provides.
type Row = (
    &'static str,
    &'static str,
    Option<u32>,
    &'static str,
    &'static [&'static str],
);

const INSTALLED: &[Row] = &[
    ("app", "x86_64", None, "1", &["app(x)"]),
    ("old", "noarch", None, "1", &[]),
    ("lib", "i686", None, "1", &["lib-1"]),
];
const MAIN: &[Row] = &[
    ("app", "x86_64", Some(1), "1", &["app(x)", "/usr/bin/app"]),
    ("app", "i686", Some(1), "1", &["app(x)"]),
    ("app", "src", Some(1), "1", &[]),
    ("app", "aarch64", None, "3", &[]),
    ("lib", "x86_64", None, "2", &["virtual"]),
    ("lib-1", "noarch", None, "5", &["virtual = 4"]),
    ("foo-bar", "noarch", None, "2", &["foo", "app"]),
    ("foo", "aarch64", None, "2", &["virtual"]),
    ("src-only", "src", None, "1", &["made"]),
    ("dotted.x86_64", "noarch", None, "1", &["dotted.noarch"]),
    ("dotted", "x86_64", None, "1", &["odd name", "(a if b)"]),
];
const MORE: &[Row] = &[
    ("app", "x86_64", None, "2", &[]),
    ("virtual", "noarch", None, "1", &["old = 2"]),
    ("noarch", "noarch", None, "1", &["src"]),
];
const REPOS: [&[Row]; 3] = [INSTALLED, MAIN, MORE];

const WORDS: &[&str] = &[
    "app",
    "app.x86_64",
    "app.i686",
    "app.src",
    "app.aarch64",
    "app-1",
    "app-1-1",
    "app-1:1-1",
    "app-1:1-1.i686",
    "app-1-1.x86_64",
    "app-2",
    "app-3-1.aarch64",
    "app(x)",
    "lib",
    "lib-1",
    "lib-2",
    "lib-1-5",
    "lib-1-5-1.noarch",
    "lib-1.i686",
    "virtual",
    "virtual.x86_64",
    "virtual-1",
    "foo",
    "foo-bar",
    "foo-bar-2",
    "foo.aarch64",
    "src-only",
    "src-only.src",
    "made",
    "made.src",
    "dotted.x86_64",
    "dotted.noarch",
    "dotted.x86_64.noarch",
    "dotted-1.x86_64",
    "odd name",
    "(a if b)",
    "old",
    "old-1-1.noarch",
    "noarch",
    "src",
    "APP",
    "nothing",
    "nothing-1",
    "a-b-c-d",
    "-",
    ".",
    "--",
    "app-",
    "app.",
    "app-.x86_64",
    ".x86_64",
    "-1",
    "solvable:name",
    "\u{e4}",
];

fn write_rows(path: &Path, rows: &[Row]) {
    let mut writer = CacheWriter::create(path, b"key").unwrap();
    for (name, arch, epoch, version, provides) in rows {
        let split = |text: &&'static str| match text.split_once(" = ") {
            Some((name, version)) => dep(name, "=", version),
            None => dep(text, "", ""),
        };
        let mut provides: Vec<_> = provides.iter().map(split).collect();
        // What is no source provides its name and version, as rpmbuild has it.
        let own = format!("{version}-1");
        if *arch != "src" {
            provides.push(dep(name, "=", &own));
        }
        let requires = [
            dep("virtual", ">=", "1"),
            dep("/usr/bin/app", "", ""),
            dep("(old or (app if lib))", "", ""),
        ];
        writer
            .add(&PackageInput {
                arch,
                evr: EvrInput::new(*epoch, version, "1"),
                provides: &provides,
                requires: &requires,
                obsoletes: &[dep("old", "<", "2")],
                files: &[b"/usr/bin/app", b"/opt/x"],
                ..package(name, version)
            })
            .unwrap();
    }
    writer.finish().unwrap();
}

/// The installed packages of the first file, and of the others what these names lead to or all.
fn pool(paths: &[PathBuf], names: Option<&[&str]>) -> Result<(Pool, Vec<RepoId>), SolvError> {
    let mut pool = Pool::new("x86_64")?;
    let mut repos = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let repo = pool.add_repo(&format!("r{number}"), number as i32)?;
        repos.push(repo);
        let cache = CacheFile::open(path, b"key")?;
        match names {
            Some(names) if number > 0 => {
                let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
                pool.load_named(repo, cache, &names)?;
            }
            _ => {
                pool.load_cache(repo, cache)?;
            }
        }
    }
    pool.set_installed(repos[0])?;
    Ok((pool, repos))
}

/// All that can be said of what a word selects.
fn selected(pool: &mut Pool, word: &str, flags: SelectFlags) -> Vec<String> {
    let selection = pool.select(word, flags, false).unwrap();
    let how = (selection.by_file, selection.by_name, selection.by_provides);
    let mut lines = vec![format!(
        "{how:?} {}",
        selection.jobs(crate::JobAction::Install).len()
    )];
    for id in selection.solvables() {
        let deps = DepGroup::ALL.map(|kind| pool.deps(*id, kind));
        lines.push(format!(
            "{} {} {} {deps:?} {:?}",
            pool.nevra(*id),
            pool.vendor(*id),
            pool.repo_name(pool.repo_of(*id).unwrap()),
            pool.facts(*id).unwrap()
        ));
    }
    lines
}

#[test]
fn a_word_selects_the_same_of_its_packages_as_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..REPOS.len())
        .map(|n| dir.path().join(format!("r{n}")))
        .collect();
    for (path, rows) in paths.iter().zip(REPOS) {
        write_rows(path, rows);
    }
    let (mut whole, _) = pool(&paths, None).unwrap();
    let mut loaded = 0;
    let mut answered = 0;
    for word in WORDS {
        let names = names_of_spec(word).unwrap();
        let (mut some, repos) = pool(&paths, Some(&names)).unwrap();
        for flags in [
            SelectFlags::USUAL,
            SelectFlags::WITH_SOURCE,
            SelectFlags::SOURCE,
            SelectFlags::INSTALLED,
            SelectFlags {
                files: true,
                ..SelectFlags::USUAL
            },
        ] {
            let expected = selected(&mut whole, word, flags);
            assert_eq!(
                selected(&mut some, word, flags),
                expected,
                "{word} {flags:?}"
            );
            answered += usize::from(expected.len() > 1);
        }
        loaded += some.repo_solvables(repos[1]).count() + some.repo_solvables(repos[2]).count();
    }
    assert!(answered > 80, "{answered}");
    let all = (MAIN.len() + MORE.len()) * WORDS.len();
    assert!(loaded * 5 < all, "{loaded} of {all}");
}

#[test]
fn what_is_compared_with_all_packages_has_no_names() {
    for spec in [
        "",
        "app*",
        "a?p",
        "[a]pp",
        "app>=1",
        "app = 1",
        "/usr/bin/app",
        "a\0",
    ] {
        assert_eq!(names_of_spec(spec), None, "{spec}");
    }
    let names = names_of_spec("a-b-1.0-2.noarch").unwrap();
    assert_eq!(names, ["a-b-1.0-2.noarch", "a-b-1.0-2", "a-b-1.0", "a-b"]);
}

#[test]
fn names_lead_into_large_files_and_places_stay_those_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["empty", "many"].map(|name| dir.path().join(name));
    write_rows(&paths[0], &[]);
    write_many(&paths[1], false);
    let (some, repos) = pool(&paths, Some(&["package", "none"])).unwrap();
    assert_eq!(some.repo_solvables(repos[1]).count(), super::MANY);
    let id = some.solvable_at(repos[1], 1234).unwrap();
    assert_eq!(some.plan_facts(id).unwrap().location, texts_of(1234)[1]);
    write_rows(&paths[1], MAIN);
    let (some, repos) = pool(&paths, Some(&["foo"])).unwrap();
    let at = |index| Some(some.nevra(some.solvable_at(repos[1], index)?));
    assert_eq!(at(6).unwrap(), "foo-bar-2-1.noarch");
    assert_eq!(at(7).unwrap(), "foo-2-1.aarch64");
    assert_eq!(
        (at(0), at(8), at(MAIN.len()), at(99)),
        (None, None, None, None)
    );
    let found = some.search(&["foo-bar"]).unwrap();
    assert_eq!(found[0], [some.solvable_at(repos[1], 6).unwrap()]);
}

#[test]
fn damage_where_it_is_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["empty", "r"].map(|name| dir.path().join(name));
    write_rows(&paths[0], &[]);
    write(&paths[1]);
    let good = std::fs::read(&paths[1]).unwrap();
    let ask = || {
        let (mut pool, _) = pool(&paths, Some(&["b"]))?;
        let ids = pool
            .select("b", SelectFlags::USUAL, false)?
            .solvables()
            .to_vec();
        let lines = ids.into_iter().map(|id| {
            let deps = pool.deps(id, DepGroup::Provides);
            Ok(format!("{} {deps:?} {:?}", pool.nevra(id), pool.facts(id)?))
        });
        lines.collect::<Result<Vec<_>, SolvError>>()
    };
    let expected = ask().unwrap();
    assert_eq!(expected.len(), 3);
    let mut refused = 0;
    // The hash table of strings, which is not read here, is most of this file.
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&paths[1], &bytes).unwrap();
        match ask() {
            Ok(lines) => assert_eq!(lines, expected, "byte {at}"),
            Err(SolvError::CacheUnusable { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        refused * 7 * 5 > good.len(),
        "{refused} of {}",
        good.len() / 7
    );
    for cut in (0..good.len()).step_by(97) {
        std::fs::write(&paths[1], &good[..cut]).unwrap();
        assert!(ask().is_err(), "cut at {cut}");
    }
}
