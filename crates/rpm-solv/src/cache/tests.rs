//! Round trips and damage.

use super::{CacheFile, CacheWriter, EarlierCache};
use crate::{
    DepInput, EvrInput, JobAction, PackageFacts, PackageInput, Pool, SolvError, SolveResult,
    SolverJob, SolverOptions, StepKind,
};
use rpm_pkg::dep::{DepFlags, DepGroup};
use std::path::Path;

fn dep<'a>(name: &'a str, symbol: &str, version: &'a str) -> DepInput<'a> {
    DepInput {
        name,
        flags: DepFlags::from_symbol(symbol).unwrap_or_default(),
        evr: EvrInput::new(None, version, ""),
        pre: false,
    }
}

fn package<'a>(name: &'a str, version: &'a str) -> PackageInput<'a> {
    PackageInput {
        name,
        arch: "noarch",
        evr: EvrInput {
            epoch: 0,
            version,
            release: "1",
        },
        facts: PackageFacts {
            summary: "A Package",
            description: "Of some kind",
            location: "p/x.rpm",
            package_size: 77,
            ..PackageFacts::default()
        },
        ..PackageInput::default()
    }
}

fn write(path: &Path) {
    let mut writer = CacheWriter::create(path, b"key").unwrap();
    let a_requires = [
        dep("b", ">=", "2"),
        dep("/usr/bin/c", "", ""),
        DepInput {
            pre: true,
            ..dep("/bin/sh", "", "")
        },
        dep("(d if b)", "", ""),
    ];
    let mut a = package("a", "1.0");
    a.requires = &a_requires;
    writer.add(&a).unwrap();
    writer.add(&package("b", "1.9")).unwrap();
    writer.add(&package("b", "2.0~rc1")).unwrap();
    writer.add(&package("b", "2.0^git")).unwrap();
    let mut c = package("c", "1");
    c.files = &[b"/usr/bin/c", b"/bin/sh", b"/etc/other"];
    writer.add(&c).unwrap();
    writer.add(&package("d", "1")).unwrap();
    assert_eq!(writer.len(), 6);
    writer.finish().unwrap();
}

fn describe(pool: &Pool) -> Vec<String> {
    pool.solvables()
        .map(|id| {
            format!(
                "{} {:?} {:?} {:?} {:?}",
                pool.nevra(id),
                pool.deps(id, DepGroup::Provides),
                pool.deps(id, DepGroup::Requires),
                pool.pre_requires(id),
                pool.facts(id)
            )
        })
        .collect()
}

fn load(path: &Path, first: bool) -> Result<Pool, SolvError> {
    let mut pool = Pool::new("x86_64").unwrap();
    let repo = pool.add_repo("r", 50).unwrap();
    if !first {
        let local = pool.add_repo("local", 50).unwrap();
        let requires = [dep("/etc/other", "", "")];
        let mut input = package("zz", "1");
        input.requires = &requires;
        pool.add_package(local, &input).unwrap();
    }
    pool.load_cache(repo, CacheFile::open(path, b"key")?)?;
    Ok(pool)
}

fn installs(pool: &mut Pool, name: &str) -> Vec<String> {
    let job = SolverJob::new(JobAction::Install, crate::JobTarget::Name(name.to_owned()));
    match pool.solve(&[job], &SolverOptions::default()).unwrap() {
        SolveResult::Solved(solution) => solution
            .steps
            .iter()
            .map(|step| {
                assert_eq!(step.kind, StepKind::Install);
                pool.nevra(step.solvable)
            })
            .collect(),
        SolveResult::Problems(problems) => panic!("{problems:?}"),
    }
}

#[test]
fn a_cache_gives_back_what_was_put_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.cache");
    write(&path);
    let mut pool = load(&path, true).unwrap();
    let lines = describe(&pool);
    assert_eq!(lines.len(), 6);
    assert!(
        lines[0].contains(r#"["a = 1.0-1"] ["b >= 2", "/usr/bin/c", "(d if b)"] ["/bin/sh"]"#),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains("package_size: 77"));
    let mut installed = installs(&mut pool, "a");
    installed.sort();
    assert_eq!(
        installed,
        [
            "a-1.0-1.noarch",
            "b-2.0^git-1.noarch",
            "c-1-1.noarch",
            "d-1-1.noarch"
        ]
    );
    assert_eq!(pool.search(&["of SOME", "B"]).unwrap()[0].len(), 6);
    assert_eq!(pool.search(&["b"]).unwrap()[0].len(), 3);
}

#[test]
fn merging_equals_taking_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.cache");
    write(&path);
    let alone = load(&path, true).unwrap();
    let mut merged = load(&path, false).unwrap();
    assert_eq!(describe(&alone)[..], describe(&merged)[..6]);
    let mut installed = installs(&mut merged, "zz");
    installed.sort();
    assert_eq!(installed, ["c-1-1.noarch", "zz-1-1.noarch"]);
    let mut installed = installs(&mut merged, "a");
    installed.sort();
    assert_eq!(installed.len(), 4);
}

#[test]
fn copied_packages_are_those_of_the_earlier_file() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| dir.path().join(name));
    write(&old);
    let mut expected = describe(&load(&old, true).unwrap());
    let mut earlier = EarlierCache::read(CacheFile::open(&old, b"key").unwrap()).unwrap();
    assert_eq!(earlier.identities().count(), 6);
    let mut writer = CacheWriter::create(&new, b"key").unwrap();
    // The second package is gone, the path that the first one needs is another package's now, too.
    writer.copy(&mut earlier, 0).unwrap();
    for index in 2..6 {
        writer.copy(&mut earlier, index).unwrap();
    }
    let mut e = package("e", "1");
    e.files = &[b"/usr/bin/c"];
    writer.add(&e).unwrap();
    writer.copy_paths(earlier).unwrap();
    writer.finish().unwrap();
    let mut pool = load(&new, true).unwrap();
    expected.remove(1);
    let copied = describe(&pool);
    assert_eq!(copied[..5], expected);
    assert!(copied[5].starts_with("e-1-1.noarch"), "{copied:?}");
    let owners = pool.file_owners(b"/usr/bin/c").unwrap();
    let owners: Vec<String> = owners.iter().map(|id| pool.nevra(*id)).collect();
    assert_eq!(owners, ["c-1-1.noarch", "e-1-1.noarch"]);
    assert_eq!(pool.whatprovides("/usr/bin/c").unwrap().len(), 2);
    assert_eq!(installs(&mut pool, "a").len(), 4);
}

#[test]
fn another_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.cache");
    write(&path);
    assert!(matches!(
        CacheFile::open(&path, b"other"),
        Err(SolvError::CacheUnusable { .. })
    ));
}

#[test]
fn flipped_bytes_are_refused_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.cache");
    write(&path);
    let good = std::fs::read(&path).unwrap();
    let expected = describe(&load(&path, true).unwrap());
    let bad = dir.path().join("bad.cache");
    for at in (0..good.len()).step_by(11) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&bad, &bytes).unwrap();
        let Ok(mut pool) = load(&bad, true) else {
            continue;
        };
        if pool.file_owners(b"/bin/sh").is_err() {
            continue;
        }
        let intact = pool.solvables().all(|id| pool.facts(id).is_ok());
        if intact {
            assert_eq!(describe(&pool), expected, "byte {at}");
        }
        installs(&mut pool, "a");
    }
    for cut in [0, 1, 7, 8, good.len() / 2, good.len() - 1] {
        std::fs::write(&bad, &good[..cut]).unwrap();
        assert!(load(&bad, true).is_err());
    }
}

#[test]
fn recommends_stand_in_the_order_of_libsolvs_own_files() {
    let (b1, b2) = (dep("b", ">=", "1"), dep("b", ">=", "2"));
    let rich = dep("(b if a)", "", "");
    let lists = [
        vec![b1, dep("z", "", ""), dep("y", "", ""), rich],
        vec![b2, dep("x", "", ""), b1, dep("z", "", "")],
        vec![dep("b", "", ""), b2, dep("x", "", ""), b1],
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    let mut writer = CacheWriter::create(&path, b"key").unwrap();
    for (name, recommends) in ["a", "b", "c"].into_iter().zip(&lists) {
        let mut input = package(name, "1");
        input.recommends = recommends;
        writer.add(&input).unwrap();
    }
    writer.finish().unwrap();
    // `b` has a name, three relations and a word of its own, `x` and `z` two words each, `y` one.
    let pool = load(&path, true).unwrap();
    let texts: Vec<_> = pool
        .solvables()
        .map(|id| pool.deps(id, DepGroup::Recommends))
        .collect();
    let expected = [
        vec!["z", "y", "b >= 1", "(b if a)"],
        vec!["x", "z", "b >= 1", "b >= 2"],
        vec!["b", "x", "b >= 1", "b >= 2"],
    ];
    assert_eq!(texts, expected);
}
