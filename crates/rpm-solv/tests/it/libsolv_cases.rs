//! libsolv's own solver cases that use rpm semantics give through this crate what libsolv says they must.

use crate::reader::{self, Case, Run};
use rpm_solv::{
    Fix, FixKind, JobAction, JobFlags, JobTarget, Pool, Solution, SolvableId, SolverJob,
    SolverOptions, SolverProblem, StepKind, compare_evr,
};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// libsolv's numbers of solver flags by their names in test cases (solver.h of 0.7.39).
const FLAGS: &[(&str, u32)] = &[
    ("allowdowngrade", 1),
    ("allowarchchange", 2),
    ("allowvendorchange", 3),
    ("allowuninstall", 4),
    ("noupdateprovide", 5),
    ("splitprovides", 6),
    ("ignorerecommended", 7),
    ("addalreadyrecommended", 8),
    ("noinfarchcheck", 9),
    ("allownamechange", 10),
    ("keepexplicitobsoletes", 11),
    ("bestobeypolicy", 12),
    ("noautotarget", 13),
    ("dupallowdowngrade", 14),
    ("dupallowarchchange", 15),
    ("dupallowvendorchange", 16),
    ("dupallownamechange", 17),
    ("keeporphans", 18),
    ("breakorphans", 19),
    ("focusinstalled", 20),
    ("yumobsoletes", 21),
    ("needupdateprovide", 22),
    ("focusbest", 24),
    ("strongrecommends", 25),
    ("installalsoupdates", 26),
    ("onlynamespacerecommended", 27),
    ("strictrepopriority", 28),
    ("focusnew", 29),
];

/// libsolv's numbers of pool flags by their names in test cases (pool.h of 0.7.39).
const POOL_FLAGS: &[(&str, u32)] = &[
    ("noobsoletesmultiversion", 8),
    ("implicitobsoleteusescolors", 10),
    ("whatprovideswithdisabled", 12),
];

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|end| end == "t") {
            found.push(path);
        }
    }
}

fn build(case: &Case) -> Pool {
    let mut pool = Pool::new(&case.arch).unwrap();
    for repo in &case.repos {
        let id = pool.add_repo(&repo.name, -repo.priority).unwrap();
        for package in &repo.packages {
            reader::with_input(package, |input| pool.add_package(id, input)).unwrap();
        }
        if repo.name == case.installed {
            pool.set_installed(id).unwrap();
        }
    }
    pool
}

/// What a run changes in the pool itself; `None` if it names what this test does not know.
fn prepare(pool: &mut Pool, run: &Run) -> Option<()> {
    for flag in &run.pool_flags {
        let (name, on) = match flag.strip_prefix('!') {
            Some(name) => (name, false),
            None => (flag.as_str(), true),
        };
        let (_, number) = POOL_FLAGS.iter().find(|(have, _)| *have == name)?;
        pool.set_flag(*number, on);
    }
    let disabled = run.disabled.iter().map(|text| find(pool, text));
    let disabled = disabled.collect::<Option<Vec<_>>>()?;
    pool.set_excluded(disabled);
    pool.prepare().unwrap();
    Some(())
}

/// What a run says about versions, in the form of the expected lines.
fn comparison_lines(run: &Run) -> Vec<String> {
    let sign = |(left, right): &(String, String)| match compare_evr(left, right) {
        Ordering::Less => '<',
        Ordering::Equal => '=',
        Ordering::Greater => '>',
    };
    let pairs = run.comparisons.iter();
    pairs
        .map(|pair| format!("job noop provides {} {} {}", pair.0, sign(pair), pair.1))
        .collect()
}

fn label(pool: &Pool, id: SolvableId) -> String {
    let repo = pool.repo_of(id).unwrap();
    format!("{}@{}", pool.nevra(id), pool.repo_name(repo))
}

fn find(pool: &Pool, text: &str) -> Option<SolvableId> {
    let wanted = |id: &SolvableId| label(pool, *id) == text;
    pool.solvables().find(wanted)
}

fn job(pool: &Pool, text: &str) -> Option<SolverJob> {
    let (text, flags) = match text.rsplit_once(" [") {
        Some((text, flags)) => (text, flags.trim_end_matches(']')),
        None => (text, ""),
    };
    let mut words = text.splitn(3, ' ');
    let action = match words.next()? {
        "install" => JobAction::Install,
        "erase" => JobAction::Erase,
        "update" => JobAction::Update,
        "weakendeps" => JobAction::WeakenDeps,
        "multiversion" | "noobsoletes" => JobAction::MultiVersion,
        "lock" => JobAction::Lock,
        "distupgrade" => JobAction::DistUpgrade,
        "verify" => JobAction::Verify,
        "droporphaned" => JobAction::DropOrphaned,
        "userinstalled" => JobAction::UserInstalled,
        "allowuninstall" => JobAction::AllowUninstall,
        "favor" => JobAction::Favor,
        "disfavor" => JobAction::Disfavor,
        "blacklist" => JobAction::Blacklist,
        "excludefromweak" => JobAction::ExcludeFromWeak,
        _ => return None,
    };
    let kind = words.next()?;
    let what = words.next()?;
    let target = match kind {
        "pkg" => JobTarget::Solvable(find(pool, what)?),
        "oneof" if what == "nothing" => JobTarget::OneOf(Vec::new()),
        "oneof" => {
            let ids = what.split(' ').map(|word| find(pool, word));
            JobTarget::OneOf(ids.collect::<Option<_>>()?)
        }
        "name" => JobTarget::Name(reader::rich(what)),
        "provides" => JobTarget::Provides(reader::rich(what)),
        "repo" => JobTarget::Repo(pool.repos().find(|repo| pool.repo_name(*repo) == what)?),
        "all" => JobTarget::All,
        _ => return None,
    };
    if what.starts_with("namespace:") {
        return None;
    }
    let mut set = JobFlags::default();
    for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
        match flag {
            "weak" => set.weak = true,
            "cleandeps" => set.clean_deps = true,
            "forcebest" => set.force_best = true,
            "targeted" => set.targeted = true,
            "essential" => set.extra |= 0x02_0000,
            "orupdate" => set.extra |= 0x08_0000,
            "notbyuser" => set.extra |= 0x40_0000,
            "setev" => set.extra |= 0x0100_0000,
            "setevr" => set.extra |= 0x0200_0000,
            "setarch" => set.extra |= 0x0400_0000,
            "setvendor" => set.extra |= 0x0800_0000,
            "setrepo" => set.extra |= 0x1000_0000,
            "noautoset" => set.extra |= 0x2000_0000,
            _ => return None,
        }
    }
    Some(SolverJob {
        flags: set,
        ..SolverJob::new(action, target)
    })
}

fn options(run: &Run) -> Option<SolverOptions> {
    // A new solver takes this one from a flag of the pool; test cases begin with it off.
    let mut extra = vec![(11, false)];
    for flag in &run.solver_flags {
        let (name, on) = match flag.strip_prefix('!') {
            Some(name) => (name, false),
            None => (flag.as_str(), true),
        };
        let (_, number) = FLAGS.iter().find(|(have, _)| *have == name)?;
        extra.push((*number, on));
    }
    Some(SolverOptions {
        allow_downgrade: false,
        allow_arch_change: false,
        allow_vendor_change: false,
        allow_name_change: true,
        allow_uninstall: false,
        best_obey_policy: false,
        keep_orphans: false,
        yum_obsoletes: false,
        install_also_updates: false,
        ignore_recommended: false,
        limit: rpm_solv::SOLVER_LIMIT,
        extra: extra.leak(),
    })
}

fn solution_lines(pool: &Pool, solution: &Solution) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &solution.steps {
        let new = label(pool, step.solvable);
        let word = match step.kind {
            StepKind::Erase => "erase",
            StepKind::Upgrade => "upgrade",
            StepKind::Downgrade => "downgrade",
            StepKind::Reinstall => "reinstall",
            StepKind::Change => "change",
            _ => "install",
        };
        let mut same_name = 0;
        for old in &step.replaces {
            if word != "install" && pool.name(*old) == pool.name(step.solvable) {
                lines.push(format!("{word} {} {new}", label(pool, *old)));
                same_name += 1;
            } else {
                lines.push(format!("erase {}", label(pool, *old)));
            }
        }
        if word == "install" || word == "erase" || same_name == 0 {
            lines.push(format!("{word} {new}"));
        }
    }
    lines
}

fn problem_lines(pool: &Pool, run: &Run, problem: &SolverProblem, fixes: &[Fix]) -> Vec<String> {
    let mut lines = vec![format!("info {}", problem.main.text)];
    for (kind, _) in fixes.iter().flat_map(|fix| &fix.elements) {
        lines.push(match kind {
            FixKind::DropJob(index) => format!("solution deljob {}", run.jobs[*index]),
            FixKind::Accept(id) => format!("solution allow {}", label(pool, *id)),
            FixKind::Erase(id) => format!("solution erase {}", label(pool, *id)),
            FixKind::Replace(old, new) => {
                let (old, new) = (label(pool, *old), label(pool, *new));
                format!("solution replace {old} {new}")
            }
            _ => "solution unknown".to_owned(),
        });
    }
    lines
}

fn outcome_lines(
    pool: &Pool,
    run: &Run,
    (problems, fixes): (&[SolverProblem], &[Vec<Fix>]),
    solution: &Solution,
) -> Vec<String> {
    let mut lines = solution_lines(pool, solution);
    // A package that is upgraded is not listed as erased, though something else obsoletes it, too.
    let upgraded: Vec<String> = lines
        .iter()
        .filter(|line| !line.starts_with("erase "))
        .filter_map(|line| line.split(' ').nth(1).map(|old| format!("erase {old}")))
        .collect();
    lines.retain(|line| !upgraded.contains(line));
    assert_eq!(problems.len(), fixes.len());
    let each = problems.iter().zip(fixes);
    lines.extend(each.flat_map(|(problem, fixes)| problem_lines(pool, run, problem, fixes)));
    lines.retain(|line| wants(run, line));
    lines.sort();
    lines.dedup();
    lines
}

/// Whether the case says something about lines of this kind.
fn wants(run: &Run, line: &str) -> bool {
    let is_problem = line.starts_with("info ") || line.starts_with("solution ");
    let kind = if is_problem {
        "problems"
    } else {
        "transaction"
    };
    run.wanted.iter().any(|want| want == kind)
}

/// Expected lines in the same form: without ids of problems and solutions, erasures without their cause.
fn expected_lines(run: &Run) -> Vec<String> {
    let mut lines: Vec<String> = run
        .expected
        .iter()
        .filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            match words[0] {
                "erase" => Some(words[..2].join(" ")),
                "install" | "upgrade" | "downgrade" | "reinstall" | "change" => Some(line.clone()),
                "problem" if words[2] == "info" => Some(words[2..].join(" ")),
                "problem" if words[2] == "solution" => {
                    Some(format!("solution {}", words[4..].join(" ")))
                }
                _ => None,
            }
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines
}

/// Why a run is not carried out, if it is not.
fn skip_reason(case: &Case, run: &Run) -> Option<String> {
    if !["", "*", "rpm"].contains(&case.disttype.as_str()) {
        return Some(format!("semantics of {}", case.disttype));
    }
    if let Some(directive) = case.unsupported.first() {
        return Some(format!("directive {directive}"));
    }
    if run.makes_ids {
        return Some("tests the notation of dependencies in test cases, not the solver".to_owned());
    }
    if run.namespaces {
        // `locale(de)` and the like: the solver would ask the program about the system's languages.
        return Some("SUSE's namespaces, which no dependency of rpm's can name".to_owned());
    }
    if !run.comparisons.is_empty() {
        return None;
    }
    if run.jobs.iter().any(|job| job.starts_with("noop")) {
        return Some("tests a selection, not the solver".to_owned());
    }
    let compares = ["transaction", "problems"];
    if !run
        .wanted
        .iter()
        .any(|want| compares.contains(&want.as_str()))
    {
        return Some(format!("expects only {}", run.wanted.join(",")));
    }
    None
}

#[test]
fn libsolvs_own_cases_pass() {
    let Some(real) = testkit::fixtures::real() else {
        return;
    };
    let root = real.join("openSUSE+libsolv/test/testcases");
    let mut files = Vec::new();
    files_below(&root, &mut files);
    files.sort();
    let (mut passed, mut skipped, mut failed) = (0, Vec::new(), Vec::new());
    for file in &files {
        let case = reader::read(file);
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        for (index, run) in case.runs.iter().enumerate() {
            let name = format!("{name}#{}", index + 1);
            if let Some(reason) = skip_reason(&case, run) {
                skipped.push(format!("{name}: {reason}"));
                continue;
            }
            if !run.comparisons.is_empty() {
                if comparison_lines(run) == run.expected {
                    passed += 1;
                } else {
                    failed.push(format!("{name}: {:#?}", comparison_lines(run)));
                }
                continue;
            }
            let mut pool = build(&case);
            if prepare(&mut pool, run).is_none() {
                skipped.push(format!(
                    "{name}: a pool flag or package this test does not know"
                ));
                continue;
            }
            let jobs: Option<Vec<SolverJob>> =
                run.jobs.iter().map(|text| job(&pool, text)).collect();
            let (Some(jobs), Some(options)) = (jobs, options(run)) else {
                skipped.push(format!("{name}: a job or flag this test does not know"));
                continue;
            };
            let (problems, solution) = pool.solve_as_far_as_possible(&jobs, &options).unwrap();
            let fixes = match problems.is_empty() {
                true => Vec::new(),
                false => pool.ways_out(&jobs, &options, usize::MAX).unwrap(),
            };
            let found = outcome_lines(&pool, run, (&problems, &fixes), &solution);
            let expected = expected_lines(run);
            if found == expected {
                passed += 1;
            } else {
                failed.push(format!(
                    "{name}\n  found    {found:#?}\n  expected {expected:#?}"
                ));
            }
        }
    }
    println!("{passed} runs passed, {} skipped:", skipped.len());
    skipped.iter().for_each(|line| println!("  {line}"));
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(passed >= MINIMUM_PASSED, "only {passed} runs passed");
}

/// So many runs must have been carried out, that a change of the reader does not quietly skip them.
const MINIMUM_PASSED: usize = 208;
