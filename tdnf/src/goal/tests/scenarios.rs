//! The cases of `fixtures/solver`: what is installed and offered, what is asked, what is right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::stage::{Offer, Stage};
use crate::args::{self, Args};
use crate::error::{Failure, Outcome};
use crate::goal::{self, Request, SolverPolicy, Verb};
use crate::note::Note;
use crate::plan::{Plan, PlannedChange};
use crate::settings::{Environment, Settings};

/// How many promises the cases hold at least.
const LEAST_CASES: usize = 120;

/// One section of a file; fixtures/solver/README.md says what the keys mean.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default = "x86_64")]
    arch: String,
    #[serde(default)]
    installed: Vec<String>,
    #[serde(default)]
    auto: BTreeSet<String>,
    #[serde(default)]
    running: Vec<String>,
    #[serde(default)]
    available: Vec<String>,
    #[serde(default)]
    repos: BTreeMap<String, Repository>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    policy: Decisions,
    ask: String,
    expect: Option<Vec<String>>,
    error: Option<u32>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
    /// Parts of notes; then `notes` are not compared.
    #[serde(default)]
    tells: Vec<String>,
    asked_for: Option<BTreeSet<String>>,
    known_fault: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repository {
    #[serde(default = "default_priority")]
    priority: i32,
    packages: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Decisions {
    locks: Vec<String>,
    protected: Vec<String>,
    minversions: Vec<String>,
}

fn x86_64() -> String {
    "x86_64".to_owned()
}

fn default_priority() -> i32 {
    50
}

/// What the program makes of a case.
struct Answer {
    plan: Outcome<Plan>,
    notes: Vec<Note>,
    asked_for: BTreeSet<String>,
}

#[test]
fn every_case_ends_as_it_should() {
    let cases = cases();
    let mut wrong = String::new();
    for (place, case) in &cases {
        let faults = faults(case, &answer(case));
        match &case.known_fault {
            None if faults.is_empty() => {}
            None => {
                let _ = writeln!(wrong, "{place}\n  ask: {}\n{faults}", case.ask);
            }
            Some(_) if !faults.is_empty() => {}
            Some(why) => {
                let _ = writeln!(
                    wrong,
                    "{place}\n  is mended: take out known_fault = {why:?}\n"
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(cases.len() >= LEAST_CASES, "only {} cases", cases.len());
}

/// All cases with their places: `install.toml: name`.
fn cases() -> Vec<(String, Case)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/solver");
    let entries = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let sections: BTreeMap<String, Case> =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        all.extend(
            sections
                .into_iter()
                .map(|(name, case)| (format!("{file}: {name}"), case)),
        );
    }
    all
}

fn answer(case: &Case) -> Answer {
    let settings = settings(case);
    let mut stage = stage(case, &settings.arch);
    let mut request = request(case, &settings);
    request.files.clone_from(&stage.files);
    let (packages, metadata) = (&mut stage.packages, &stage.metadata);
    request.hide(packages);
    let (mut notes, goal) = goal::of(verb(&request.typed.words[0]), &request, packages, metadata);
    let asked_for = match &goal {
        Ok(goal) => goal.requested.clone(),
        Err(_) => BTreeSet::new(),
    };
    let plan = goal.and_then(|goal| goal::solve(&request, &goal, packages, metadata));
    if let Ok(plan) = &plan {
        notes.extend_from_slice(&plan.notes);
    }
    Answer {
        plan,
        notes,
        asked_for,
    }
}

fn stage(case: &Case, arch: &str) -> Stage {
    let mut offers: Vec<Offer<'_>> = Vec::new();
    if !case.available.is_empty() {
        offers.push(Offer {
            id: "repo",
            priority: default_priority(),
            packages: case.available.iter().map(String::as_str).collect(),
        });
    }
    for (id, repo) in &case.repos {
        offers.push(Offer {
            id,
            priority: repo.priority,
            packages: repo.packages.iter().map(String::as_str).collect(),
        });
    }
    offers.sort_by_key(|offer| offer.priority);
    let installed: Vec<&str> = case.installed.iter().map(String::as_str).collect();
    let mut stage = Stage::new(arch, &installed, &offers);
    for line in &case.files {
        stage.add_file(line);
    }
    stage
}

/// The command line of a case.
fn args(case: &Case) -> Args {
    let head = ["tdnf", "-c", "/dev/null"].map(str::to_owned);
    args::parse(head.into_iter().chain(words(&case.ask))).unwrap()
}

/// What it means, as the program reads it; there is no configuration file.
fn settings(case: &Case) -> Settings {
    let environment = Environment {
        machine: case.arch.clone(),
        ..Environment::default()
    };
    Settings::resolve(&args(case), environment).unwrap()
}

fn request(case: &Case, settings: &Settings) -> Request {
    let args = args(case);
    let minimum = case.policy.minversions.iter().map(|line| {
        let (name, evr) = line.split_once('=').unwrap();
        (name.to_owned(), evr.to_owned())
    });
    let policy = SolverPolicy {
        locks: case
            .policy
            .locks
            .iter()
            .map(|name| (name.clone(), "/locks.d/l.conf".into()))
            .collect(),
        protected: case.policy.protected.clone(),
        minimum: minimum.collect(),
    };
    let mut request = Request::new(settings, args.repeated(), policy).with(args.operands());
    request.auto.clone_from(&case.auto);
    let numbered = (1..).zip(&case.installed);
    let running = numbered.filter(|(_, line)| case.running.contains(line));
    request.running = running.map(|(number, _)| number).collect();
    request
}

/// Words between blanks; what stands between single quotes is one word.
fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (index, part) in text.split('\'').enumerate() {
        match index % 2 {
            0 => all.extend(part.split_whitespace().map(str::to_owned)),
            _ => all.push(part.to_owned()),
        }
    }
    all
}

fn verb(command: &str) -> Verb {
    match command {
        "install" => Verb::Install,
        "reinstall" => Verb::Reinstall,
        "update" => Verb::Update,
        "downgrade" => Verb::Downgrade,
        "distro-sync" => Verb::DistroSync,
        "erase" => Verb::Erase,
        "autoremove" => Verb::Autoremove,
        "source" => Verb::Source,
        other => panic!("no case asks for '{other}'"),
    }
}

/// What is wrong with an answer; nothing where it is as it should be.
fn faults(case: &Case, answer: &Answer) -> String {
    let mut text = String::new();
    let mut tell = |what: &str, expected: &dyn std::fmt::Debug, got: &dyn std::fmt::Debug| {
        let _ = writeln!(
            text,
            "  {what}\n    expected: {expected:?}\n    got:      {got:?}"
        );
    };
    let notes: Vec<String> = answer.notes.iter().map(ToString::to_string).collect();
    if case.tells.is_empty() && notes != case.notes {
        tell("notes", &case.notes, &notes);
    }
    for part in &case.tells {
        if !notes.iter().any(|note| note.contains(part)) {
            tell("notes", part, &notes);
        }
    }
    if let Some(names) = &case.asked_for
        && *names != answer.asked_for
    {
        tell("asked for", names, &answer.asked_for);
    }
    match (&answer.plan, &case.expect, case.error) {
        (Ok(plan), Some(expected), None) => {
            if !fits(expected, plan) {
                tell("changes", expected, &lines(plan));
            }
        }
        (Ok(plan), _, Some(number)) => tell("changes", &format!("error {number}"), &lines(plan)),
        (Err(failure), None, Some(number)) => {
            if failure.code.0 != number {
                tell("error", &number, &ended(failure));
            }
            let said = [failure.details.as_slice(), &failure.hints].concat();
            for line in &case.says {
                if !said.iter().any(|own| own.contains(line)) {
                    tell("words", line, &said);
                }
            }
        }
        (Err(failure), expected, _) => {
            tell(
                "changes",
                &expected.as_deref().unwrap_or_default(),
                &ended(failure),
            );
        }
        (Ok(_), None, None) => panic!("a case needs expect or error"),
    }
    text
}

/// Whether the changes are exactly the expected ones; reason and repository count where they are
/// written: `install NEVRA [REASON] [from REPO]`.
fn fits(expected: &[String], plan: &Plan) -> bool {
    let matches = |line: &String, change: &PlannedChange| {
        let own = described(change);
        let own: Vec<&str> = own.split(' ').collect();
        let wanted: Vec<&str> = line.split(' ').collect();
        wanted.iter().take(2).eq(own.iter().take(2))
            && wanted.iter().skip(2).all(|word| own.contains(word))
    };
    expected.len() == plan.changes.len()
        && expected.iter().all(|line| {
            plan.changes
                .iter()
                .filter(|change| matches(line, change))
                .count()
                == 1
        })
}

fn ended(failure: &Failure) -> String {
    format!("error {}: {}", failure.code.0, failure.details.join(" / "))
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(described).collect()
}

fn described(change: &PlannedChange) -> String {
    let action = format!("{:?}", change.action).to_lowercase();
    let reason = format!("{:?}", change.reason).to_lowercase();
    let from = match &change.origin {
        Some(origin) => format!(" from {}", origin.repo),
        None => String::new(),
    };
    format!("{action} {} {reason}{from}", change.package.nevra())
}
