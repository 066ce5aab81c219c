//! Real repositories go through the cache and are solved.

use super::convert::with_primary;
use rpm_pkg::dep::DepGroup;
use rpm_repo::compress::Decoder;
use rpm_solv::{
    CacheFile, CacheWriter, JobAction, Pool, SelectFlags, SolveResult, SolverOptions, names_of_spec,
};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;

/// Makes a cache of a primary file.
fn cache(primary: &Path) -> CacheFile {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("primary");
    let mut writer = CacheWriter::create(&path, b"key").unwrap();
    let name = primary.display().to_string();
    let stream = Decoder::new(File::open(primary).unwrap(), &name).unwrap();
    let limits = rpm_repo::xml::XmlLimits::default();
    let stream = BufReader::new(stream);
    let summary = rpm_repo::primary::read(&name, stream, &limits, &mut |package| {
        with_primary(package, |input| writer.add(input)).unwrap();
        ControlFlow::Continue(())
    });
    assert!(summary.unwrap().complete);
    writer.finish().unwrap();
    CacheFile::open(&path, b"key").unwrap()
}

/// Makes a cache of a primary file and loads it.
fn load(primary: &Path, arch: &str) -> Pool {
    whole(cache(primary), arch)
}

fn whole(cache: CacheFile, arch: &str) -> Pool {
    let mut pool = Pool::new(arch).unwrap();
    let repo = pool.add_repo("real", 50).unwrap();
    pool.load_cache(repo, cache).unwrap();
    pool
}

/// Asks for every `step`-th package by its name, its longer forms and what it provides, in a pool of these names alone and
/// in the whole; how many words select something.
fn compare(primary: &Path, step: usize) -> usize {
    let cache = cache(primary);
    let mut whole = whole(cache.again().unwrap(), "x86_64");
    let ids: Vec<_> = whole.solvables().step_by(step).collect();
    let mut words = BTreeSet::new();
    for id in ids {
        let (name, arch) = (whole.name(id), whole.arch(id));
        let (_, version, release) = whole.evr_parts(id);
        words.extend([
            name.to_owned(),
            format!("{name}.{arch}"),
            format!("{name}-{version}"),
        ]);
        words.extend([
            whole.nevra(id),
            format!("{name}-{version}-{release}"),
            format!("no{name}"),
        ]);
        let provides = whole.deps(id, DepGroup::Provides);
        words.extend(provides.into_iter().take(3));
    }
    let mut answered = 0;
    for word in &words {
        let Some(names) = names_of_spec(word) else {
            continue;
        };
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut some = Pool::new("x86_64").unwrap();
        let repo = some.add_repo("real", 50).unwrap();
        some.load_named(repo, cache.again().unwrap(), &names)
            .unwrap();
        let flags = SelectFlags::WITH_SOURCE;
        let [few, all] = [&mut some, &mut whole].map(|pool| {
            let selection = pool.select(word, flags, false).unwrap();
            let ids = selection.solvables().iter();
            let all = |id| DepGroup::ALL.map(|kind| pool.deps(id, kind));
            let told = ids.map(|id| (pool.nevra(*id), all(*id), pool.facts(*id).unwrap()));
            (
                selection.by_name,
                selection.by_provides,
                told.collect::<Vec<_>>(),
            )
        });
        assert_eq!(few, all, "{word}");
        answered += usize::from(!all.2.is_empty());
    }
    answered
}

/// How many of every `step`-th package can be installed by name, and how many were tried.
fn installable(pool: &mut Pool, step: usize) -> (usize, usize) {
    let names: Vec<String> = pool
        .solvables()
        .filter(|id| !matches!(pool.arch(*id), "src" | "nosrc"))
        .step_by(step)
        .map(|id| pool.name(id).to_owned())
        .collect();
    let mut solved = 0;
    for name in &names {
        let selection = pool.select(name, SelectFlags::default(), false).unwrap();
        assert!(!selection.is_empty(), "{name}");
        let jobs = selection.jobs(JobAction::Install);
        match pool.solve(&jobs, &SolverOptions::default()).unwrap() {
            SolveResult::Solved(solution) => {
                assert!(!solution.steps.is_empty(), "{name}");
                solved += 1;
            }
            SolveResult::Problems(problems) => {
                assert!(problems.iter().all(|problem| !problem.main.text.is_empty()));
                let fixes = pool.ways_out(&jobs, &SolverOptions::default(), usize::MAX);
                let fixes = fixes.unwrap();
                assert_eq!(fixes.len(), problems.len());
                assert!(fixes.iter().all(|fixes| !fixes.is_empty()));
            }
        }
    }
    (solved, names.len())
}

#[test]
fn openeuler_is_loaded_and_solved() {
    let Some(real) = testkit::fixtures::real() else {
        return;
    };
    let dir = "openeuler-mirror+pkgship/test/cli/init_command/import_relation_case/sqlites/xml";
    let primary = real.join(dir).join("repodata/openeuler-primary.xml.gz");
    let answered = compare(&primary, 101);
    assert!(answered > 500, "{answered}");
    let mut pool = load(&primary, "x86_64");
    assert_eq!(pool.solvables().count(), 16_545);
    let (solved, tried) = installable(&mut pool, 200);
    println!("openEuler: {solved} of {tried} names install");
    assert!(solved * 10 >= tried * 9, "{solved} of {tried}");
    let bash = pool.whatprovides("bash").unwrap();
    assert!(bash.iter().any(|id| pool.name(*id) == "bash"));
    let facts = pool.facts(bash[0]).unwrap().plan;
    assert!(facts.location.ends_with(".rpm") && !facts.checksum.is_empty());
}

#[test]
fn centos_stream_9_baseos_is_loaded_and_solved() {
    let Some(real) = testkit::fixtures::real() else {
        return;
    };
    let dir = "osbuild+osbuild/_history/baseos-bc08eed1/test/data/testrepos/baseos/repodata";
    let file = "130494033cb9bffa40828ebc814d016920d9ce5d60041467af283ffcf38adef0-primary.xml.gz";
    let answered = compare(&real.join(dir).join(file), 11);
    assert!(answered > 300, "{answered}");
    let mut pool = load(&real.join(dir).join(file), "x86_64");
    assert_eq!(pool.solvables().count(), 1_125);
    let (solved, tried) = installable(&mut pool, 6);
    println!("CentOS Stream 9 BaseOS: {solved} of {tried} names install");
    assert!(solved * 100 >= tried * 95, "{solved} of {tried}");
    assert!(!pool.file_owners(b"/usr/bin/bash").unwrap().is_empty());
}
