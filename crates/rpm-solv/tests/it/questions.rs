//! What questions leave behind, and what the rules of a problem name.

use rpm_pkg::dep::DepGroup;
use rpm_solv::{
    DepInput, EvrInput, FixKind, JobAction, JobTarget, PackageInput, Pool, RuleKind, SolvableId,
    SolveResult, SolverJob, SolverOptions,
};

/// Adds `NAME-VERSION-1.ARCH` with what it requires and the files it holds.
fn add(
    pool: &mut Pool,
    repo: rpm_solv::RepoId,
    [name, version, arch]: [&str; 3],
    requires: &[&str],
    files: &[&[u8]],
) -> SolvableId {
    let requires: Vec<DepInput<'_>> = requires
        .iter()
        .map(|name| DepInput {
            name,
            ..DepInput::default()
        })
        .collect();
    let input = PackageInput {
        name,
        arch,
        evr: EvrInput {
            epoch: 0,
            version,
            release: "1",
        },
        requires: &requires,
        files,
        ..PackageInput::default()
    };
    pool.add_package(repo, &input).unwrap()
}

/// `a` requires `/bin/x`, which nobody has; `sh` holds `/bin/sh`, for two architectures.
fn pool() -> (Pool, [SolvableId; 3]) {
    let mut pool = Pool::new("x86_64").unwrap();
    let repo = pool.add_repo("r", 50).unwrap();
    let a = add(&mut pool, repo, ["a", "1", "noarch"], &["/bin/x"], &[]);
    let sh = add(&mut pool, repo, ["sh", "1", "x86_64"], &[], &[b"/bin/sh"]);
    let other = add(&mut pool, repo, ["sh", "1", "aarch64"], &[], &[b"/bin/sh"]);
    (pool, [a, sh, other])
}

#[test]
fn a_question_about_a_path_is_no_wish_for_it() {
    let (mut pool, [_, sh, other]) = pool();
    assert_eq!(pool.missing_paths().unwrap(), ["/bin/x"]);
    // Asked before and after the pool is prepared, of a path that somebody has and one that nobody has.
    for _ in 0..2 {
        assert_eq!(pool.whatprovides("/bin/sh").unwrap(), [sh]);
        assert_eq!(pool.whatprovides("/etc/nothing").unwrap(), []);
        let wanted = pool.whatmatches(DepGroup::Requires, "/etc/no").unwrap();
        assert_eq!(wanted, []);
        assert_eq!(pool.missing_paths().unwrap(), ["/bin/x"]);
    }
    assert_eq!(pool.file_owners(b"/bin/sh").unwrap(), [sh, other]);
    pool.set_excluded(vec![sh]);
    assert_eq!(pool.whatprovides("/bin/sh").unwrap(), []);
}

#[test]
fn a_path_answers_alike_whether_somebody_needs_it_or_not() {
    let (mut pool, [_, sh, _]) = pool();
    let before = pool.whatprovides("/bin/sh").unwrap();
    let repo = pool.add_repo("local", 50).unwrap();
    let b = add(&mut pool, repo, ["b", "1", "noarch"], &["/bin/sh"], &[]);
    assert_eq!(pool.whatprovides("/bin/sh").unwrap(), before);
    assert_eq!(before, [sh]);
    let wanted = pool.whatmatches(DepGroup::Requires, "/bin/sh").unwrap();
    assert_eq!(wanted, [b]);
}

#[test]
fn rules_of_jobs_name_no_packages() {
    let (mut pool, [_, sh, _]) = pool();
    let lock = SolverJob::new(JobAction::Lock, JobTarget::Name("sh".to_owned()));
    let jobs = [SolverJob::solvable(JobAction::Install, sh), lock];
    let options = SolverOptions::default();
    let SolveResult::Problems(problems) = pool.solve(&jobs, &options).unwrap() else {
        panic!("a lock keeps what is not installed out");
    };
    let job_rules: Vec<_> = problems
        .iter()
        .flat_map(|problem| &problem.chain)
        .filter(|rule| rule.kind == RuleKind::Job)
        .collect();
    assert!(!job_rules.is_empty(), "{problems:?}");
    for rule in &job_rules {
        assert_eq!((rule.source, rule.target), (None, None), "{rule:?}");
        assert_eq!(rule.text, "conflicting requests");
    }
    // The job about one package names no dependency, the one about a name does.
    let mut deps: Vec<_> = job_rules.iter().map(|rule| rule.dep.as_deref()).collect();
    deps.sort_unstable();
    deps.dedup();
    assert_eq!(deps, [None, Some("sh")]);
}

#[test]
fn ways_out_stop_at_the_limit() {
    let (mut pool, [a, ..]) = pool();
    let no = SolverJob::new(JobAction::Install, JobTarget::Name("nosuch".to_owned()));
    let jobs = [SolverJob::solvable(JobAction::Install, a), no];
    let options = SolverOptions::default();
    let SolveResult::Problems(problems) = pool.solve(&jobs, &options).unwrap() else {
        panic!("nobody has /bin/x");
    };
    assert_eq!(problems.len(), 2);
    let all = pool.ways_out(&jobs, &options, usize::MAX).unwrap();
    assert_eq!(all.len(), 2);
    let mut dropped: Vec<usize> = all
        .iter()
        .flatten()
        .flat_map(|fix| &fix.elements)
        .filter_map(|(kind, _)| match kind {
            FixKind::DropJob(index) => Some(*index),
            _ => None,
        })
        .collect();
    dropped.sort_unstable();
    dropped.dedup();
    assert_eq!(dropped, [0, 1]);
    let one = pool.ways_out(&jobs, &options, 1).unwrap();
    assert_eq!(one, all[..1]);
    assert!(pool.ways_out(&jobs, &options, 0).unwrap().is_empty());
}
