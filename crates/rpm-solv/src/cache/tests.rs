//! Round trips and damage.

mod named;

use super::{CacheFile, CacheWriter, EarlierCache};
use crate::{
    DepInput, EvrInput, JobAction, PackageFacts, PackageInput, PlanFacts, Pool, SolvError,
    SolveResult, SolverJob, SolverOptions, StepKind,
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
            plan: PlanFacts {
                location: "p/x.rpm",
                package_size: 77,
                ..PlanFacts::default()
            },
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

/// A repository of several blocks: the facts of package `n`.
fn many<'a>(n: usize, texts: &'a [String; 4]) -> PackageInput<'a> {
    let [version, location, checksum, summary] = texts;
    PackageInput {
        evr: EvrInput::new(Some(n as u32 % 3), version, "1.ph5"),
        facts: PackageFacts {
            plan: PlanFacts {
                location,
                location_base: if n.is_multiple_of(7) {
                    "https://example.org/base"
                } else {
                    ""
                },
                checksum_kind: ["sha256", "sha", "sha512", "none"][n % 4],
                checksum,
                package_size: n as u64 * 1000,
                installed_size: u64::MAX - n as u64,
                database_number: n as u32,
            },
            summary,
            description: if n.is_multiple_of(2) {
                summary
            } else {
                "Several lines\nof another text"
            },
            url: "https://example.org/",
            license: "MIT AND Apache-2.0",
            sourcerpm: location,
            file_time: 1_700_000_000 + n as u64,
        },
        ..package("package", version)
    }
}

fn texts_of(n: usize) -> [String; 4] {
    let version = format!("{n}.0");
    let location = match n % 5 {
        0 => format!("x86_64/package-{version}-1.ph5.noarch.rpm"),
        1 => format!("package-{version}-1.ph5.noarch.rpm"),
        // Not the usual name.
        2 => format!("p/package-{version}.rpm"),
        3 => format!("p/package-{n}:{version}-1.ph5.noarch.rpm"),
        _ => String::new(),
    };
    let checksum = match n % 4 {
        0 => format!("{n:064x}"),
        1 => format!("{n:040x}"),
        // Upper case comes back as such, and what is no checksum as it is.
        2 => format!("{:0128X}", n + 0xabcdef),
        _ => "not hexadecimal".to_owned(),
    };
    let summary = format!("Package number {n} of many \u{e4}\u{20ac}");
    [version, location, checksum, summary]
}

const MANY: usize = 2000;

fn write_many(path: &Path, plain: bool) {
    let mut writer = CacheWriter::create(path, b"key").unwrap();
    if plain {
        writer.leave_plain();
    }
    for n in 0..MANY {
        writer.add(&many(n, &texts_of(n))).unwrap();
    }
    writer.finish().unwrap();
}

fn owned(facts: &PackageFacts<&str>) -> crate::Facts {
    let text = |text: &str| text.to_owned();
    crate::Facts {
        plan: PlanFacts {
            location: text(facts.plan.location),
            location_base: text(facts.plan.location_base),
            checksum_kind: text(facts.plan.checksum_kind),
            checksum: text(facts.plan.checksum),
            package_size: facts.plan.package_size,
            installed_size: facts.plan.installed_size,
            database_number: facts.plan.database_number,
        },
        summary: text(facts.summary),
        description: text(facts.description),
        url: text(facts.url),
        license: text(facts.license),
        sourcerpm: text(facts.sourcerpm),
        file_time: facts.file_time,
    }
}

#[test]
fn facts_come_back_from_every_block_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.cache");
    for (alone, plain) in [(true, false), (false, false), (true, true)] {
        write_many(&path, plain);
        let pool = load(&path, alone).unwrap();
        let repo = pool.repos().next().unwrap();
        let ids: Vec<_> = pool.repo_solvables(repo).collect();
        assert_eq!(ids.len(), MANY);
        for step in [1, 1009] {
            for at in 0..MANY {
                let n = at * step % MANY;
                let expected = owned(&many(n, &texts_of(n)).facts);
                assert_eq!(pool.plan_facts(ids[n]).unwrap(), expected.plan, "{n}");
                assert_eq!(pool.facts(ids[n]).unwrap(), expected, "{n}");
            }
        }
        let found = pool.search(&["number 1999", "another text"]).unwrap();
        assert_eq!(found[0], ids[MANY - 1..]);
        assert_eq!(found[1].len(), MANY / 2);
    }
    let hashes = CacheFile::open(&path, b"key").unwrap().checksum_hashes();
    let hash = |n| crate::path_hash(texts_of(n)[2].as_bytes());
    assert_eq!(hashes.unwrap(), (0..MANY).map(hash).collect::<Vec<_>>());
}

#[test]
fn facts_take_little_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.cache");
    write_many(&path, false);
    let facts = CacheFile::open(&path, b"key").unwrap().facts_length();
    let each = facts / MANY as u64;
    assert!(each <= 110, "{each} bytes of facts per package");
}

#[test]
fn a_damaged_block_is_refused_and_the_others_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.cache");
    write_many(&path, false);
    let good = std::fs::read(&path).unwrap();
    let length = CacheFile::open(&path, b"key").unwrap().facts_length() as usize;
    for at in (8..8 + length).step_by(length / 12) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let pool = load(&path, true).unwrap();
        let mut refused = 0;
        for id in pool.solvables() {
            match pool.facts(id) {
                Ok(facts) => {
                    let n = facts.plan.database_number as usize;
                    assert_eq!(facts, owned(&many(n, &texts_of(n)).facts));
                }
                Err(_) => refused += 1,
            }
        }
        assert!(0 < refused && refused < MANY / 4, "byte {at}: {refused}");
    }
}
