//! Searches that would take years end in time.

use std::time::{Duration, Instant};

use rpm_solv::{
    DepInput, EvrInput, JobAction, JobTarget, PackageInput, Pool, SolvError, SolveResult,
    SolverJob, SolverOptions,
};

fn dep(name: &str) -> DepInput<'_> {
    DepInput {
        name,
        ..DepInput::default()
    }
}

/// More pigeons than holes: each pigeon needs a hole, each hole takes one. To see that it cannot be takes time that
/// grows faster than any power of their number.
fn pigeons(count: usize) -> (Pool, Vec<SolverJob>) {
    let mut pool = Pool::new("x86_64").unwrap();
    let repo = pool.add_repo("r", 50).unwrap();
    let evr = EvrInput::new(None, "1", "1");
    for hole in 1..count {
        for pigeon in 0..count {
            let (name, seat) = (format!("in-{hole}-{pigeon}"), format!("seat-{pigeon}"));
            let (own, hole) = (format!("hole-{hole}"), format!("hole-{hole}"));
            let input = PackageInput {
                name: &name,
                arch: "noarch",
                evr,
                provides: &[dep(&seat), dep(&own)],
                conflicts: &[dep(&hole)],
                ..PackageInput::default()
            };
            pool.add_package(repo, &input).unwrap();
        }
    }
    let mut jobs = Vec::new();
    for pigeon in 0..count {
        let (name, seat) = (format!("pigeon-{pigeon}"), format!("seat-{pigeon}"));
        let input = PackageInput {
            name: &name,
            arch: "noarch",
            evr,
            requires: &[dep(&seat)],
            ..PackageInput::default()
        };
        let id = pool.add_package(repo, &input).unwrap();
        jobs.push(SolverJob::solvable(JobAction::Install, id));
    }
    (pool, jobs)
}

#[test]
fn row_107_a_search_without_end_is_given_up() {
    let (mut pool, jobs) = pigeons(16);
    let limit = Duration::from_secs(1);
    let options = SolverOptions {
        limit,
        ..SolverOptions::default()
    };
    let begun = Instant::now();
    let answer = pool.solve(&jobs, &options);
    assert!(matches!(answer, Err(SolvError::TooLong(_))), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    // The pool can be asked further.
    let few = pool.solve(&jobs[..3], &options).unwrap();
    let SolveResult::Solved(solution) = few else {
        panic!("{few:?}");
    };
    assert_eq!(solution.steps.len(), 6);
}

#[test]
fn what_takes_little_time_is_answered() {
    let (mut pool, jobs) = pigeons(5);
    let answer = pool.solve(&jobs, &SolverOptions::default()).unwrap();
    assert!(matches!(answer, SolveResult::Problems(_)));
    assert!(
        !pool
            .ways_out(&jobs, &SolverOptions::default(), 3)
            .unwrap()
            .is_empty()
    );
}

/// Row 107: packages that conflict with what all of them provide are as many rules as their number squared.
#[test]
fn row_107_more_rules_than_memory_are_given_up() {
    let mut pool = Pool::new("x86_64").unwrap();
    let repo = pool.add_repo("r", 50).unwrap();
    let evr = EvrInput::new(None, "1", "1");
    let cap = [dep("cap")];
    let names: Vec<String> = (0..6000).map(|number| format!("p{number}")).collect();
    for name in &names {
        let input = PackageInput {
            name,
            arch: "noarch",
            evr,
            provides: &cap,
            conflicts: &cap,
            ..PackageInput::default()
        };
        pool.add_package(repo, &input).unwrap();
    }
    let wants = |name, requires| PackageInput {
        name,
        arch: "noarch",
        evr,
        requires,
        ..PackageInput::default()
    };
    let innocent = pool.add_package(repo, &wants("good", &cap)).unwrap();
    let other = pool.add_package(repo, &wants("other", &[])).unwrap();
    let install = |id| [SolverJob::solvable(JobAction::Install, id)];
    let begun = Instant::now();
    let answer = pool.solve(&install(innocent), &SolverOptions::default());
    let Err(SolvError::TooManyRules { capability, repo }) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!((capability.as_str(), repo.as_str()), ("cap", "r"));
    assert!(begun.elapsed() < Duration::from_secs(20));
    // What does not lead to them is solved as ever.
    let answer = pool.solve(&install(other), &SolverOptions::default());
    assert!(matches!(answer, Ok(SolveResult::Solved(_))), "{answer:?}");
}

/// N versions of a name, as a year of nightly builds brings them, are N * N / 2 rules.
#[test]
fn row_107_very_many_versions_are_no_attack() {
    let mut pool = Pool::new("x86_64").unwrap();
    let repo = pool.add_repo("r", 50).unwrap();
    let versions: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    let mut jobs = Vec::new();
    for name in (0..60).map(|number| format!("p{number}")) {
        let add = |version: &String| {
            let input = PackageInput {
                name: &name,
                arch: "noarch",
                evr: EvrInput::new(None, version, "1"),
                ..PackageInput::default()
            };
            pool.add_package(repo, &input).unwrap()
        };
        let all = versions.iter().map(add).collect();
        jobs.push(SolverJob::new(JobAction::Install, JobTarget::OneOf(all)));
    }
    let answer = pool.solve(&jobs, &SolverOptions::default());
    assert!(matches!(answer, Ok(SolveResult::Solved(_))), "{answer:?}");
}

/// Each of a chain of packages needs the next, and the last needs what nobody has: what is told of all stays small.
#[test]
fn what_is_told_of_many_problems_does_not_grow_with_their_square() {
    const COUNT: usize = 1000;
    let mut pool = Pool::new("x86_64").unwrap();
    let repo = pool.add_repo("r", 50).unwrap();
    let mut jobs = Vec::new();
    for number in 0..COUNT {
        let (name, next) = (format!("link-{number}"), format!("link-{}", number + 1));
        let input = PackageInput {
            name: &name,
            arch: "noarch",
            evr: EvrInput::new(None, "1", "1"),
            requires: &[dep(&next)],
            ..PackageInput::default()
        };
        let id = pool.add_package(repo, &input).unwrap();
        jobs.push(SolverJob::solvable(JobAction::Install, id));
    }
    let answer = pool.solve(&jobs, &SolverOptions::default()).unwrap();
    let SolveResult::Problems(problems) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(problems.len(), COUNT);
    let told: usize = problems.iter().map(|problem| problem.chain.len()).sum();
    assert_eq!(told, 100_000);
}
