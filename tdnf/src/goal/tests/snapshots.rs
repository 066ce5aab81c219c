//! Snapshots of a plan and of the solver's problems, as they are shown.

use cli_kit::OutputMode;
use rpm_solv::{JobAction as Wish, SolverJob};

use super::stage::{Offer, Stage};
use crate::error::Failure;
use crate::goal::{self, Goal, Request, Verb};
use crate::plan::Plan;
use crate::screen::{JsonShape, Screen};
use crate::typed::Typed;
use crate::view::tests::{failed, shown};

/// A plan of every kind of change, as the program makes it.
fn plan() -> Plan {
    let installed = [
        "up-1-1.noarch",
        "down-2-1.noarch",
        "same-1-1.noarch",
        "old-1-1.noarch",
        "gone-1-1.noarch conflicts=fresh",
    ];
    let offer = Offer {
        id: "photon",
        priority: 50,
        packages: vec![
            "up-1:2-1.noarch",
            "down-1-1.noarch",
            "same-1-1.noarch",
            "new-1-1.noarch obsoletes=old",
            "fresh-1-1.noarch requires=dep",
            "dep-1-1.x86_64",
        ],
    };
    let mut stage = Stage::new("x86_64", &installed, &[offer]);
    let request = Request {
        allow_erasing: true,
        install_only_limit: 2,
        ..Request::default()
    };
    let pool = &stage.packages.pool;
    let wanted = |id: &_| !pool.is_installed(*id) && pool.name(*id) != "dep";
    let all = pool.solvables().filter(wanted);
    let goal = Goal {
        jobs: all
            .map(|id| SolverJob::solvable(Wish::Install, id))
            .collect(),
        unavailable: vec!["nosuch".into()],
        ..Goal::default()
    };
    goal::solve(&request, &goal, &mut stage.packages, &stage.metadata).unwrap()
}

#[test]
fn a_plan_is_sorted_by_name_and_not_by_need() {
    let mut changes = plan().changes;
    let planned: Vec<_> = changes.iter().map(|c| c.package.name.clone()).collect();
    changes.sort_by(|a, b| a.package.cmp(&b.package));
    let sorted: Vec<_> = changes.iter().map(|c| c.package.name.clone()).collect();
    assert_eq!(planned, sorted);
}

#[test]
fn plans() {
    let plan = plan();
    insta::assert_snapshot!("plan", shown(&plan));
    let quiet = Screen::recording(
        OutputMode {
            quiet: true,
            ..OutputMode::default()
        },
        JsonShape::None,
    );
    quiet.show(&plan);
    assert_eq!(quiet.recorded().out, "");
}

/// Why the solver refuses `install` of a word.
fn refused(installed: &[&str], packages: Vec<&str>, word: &str) -> Failure {
    let offer = Offer {
        id: "photon",
        priority: 50,
        packages,
    };
    let mut stage = Stage::new("x86_64", installed, &[offer]);
    let request = Request {
        typed: Typed {
            words: ["install", word].map(str::to_owned).into(),
            ..Typed::default()
        },
        words: vec![word.to_owned()],
        ..Request::default()
    };
    let (packages, metadata) = (&mut stage.packages, &stage.metadata);
    let (_, goal) = goal::of(Verb::Install, &request, packages, metadata);
    let plan = goal.and_then(|goal| goal::solve(&request, &goal, packages, metadata));
    plan.unwrap_err()
}

#[test]
fn problems() {
    let missing = refused(
        &[],
        vec!["a-1-1.noarch requires=b", "b-1-1.noarch requires=none"],
        "a",
    );
    insta::assert_snapshot!("problem_missing", failed(&missing));
    let conflict = refused(&["b-1-1.noarch"], vec!["a-1-1.noarch conflicts=b"], "a");
    insta::assert_snapshot!("problem_conflict", failed(&conflict));
    let unknown = refused(&[], vec!["alpha-1-1.noarch"], "alpah");
    insta::assert_snapshot!("problem_unknown", failed(&unknown));
    let foreign = refused(&[], vec!["a-1-1.aarch64"], "a");
    insta::assert_snapshot!("problem_architecture", failed(&foreign));
}
