//! The solver's problems in words: libsolv's line first (scripts match it), then the chain with
//! repositories, then ways out.

use std::collections::BTreeSet;

use rpm_solv::{Fix, FixKind, Rule, RuleKind, SolvableId, SolverProblem};

use super::Request;
use crate::error::{Code, Failure};
use crate::near::again;
use crate::session::Packages;
use crate::settings::SkipOptions;

/// Problems that are explained; of further ones the solver's line is enough.
const MAX_EXPLAINED: usize = 10;
/// Links of a chain that are shown.
const MAX_LINKS: usize = 8;
/// Ways out that are shown.
pub(super) const MAX_FIXES: usize = 3;

/// Whether the user asked to leave out problems of this kind.
pub(super) fn is_skipped(problem: &SolverProblem, skips: SkipOptions) -> bool {
    match problem.main.kind {
        RuleKind::Conflicts | RuleKind::SelfConflict => skips.skipped_conflicts || skips.broken,
        RuleKind::Obsoletes => skips.skipped_obsoletes || skips.broken,
        _ => skips.broken,
    }
}

/// Error 1301 with everything a person needs to go on.
pub(super) fn explain(
    request: &Request,
    packages: &Packages,
    locks: &[String],
    problems: &[SolverProblem],
    ways_out: &[Vec<Fix>],
) -> Failure {
    let mut failure = Failure::new(Code::SOLV_FAILED);
    for (index, problem) in problems.iter().enumerate() {
        let main = &problem.main;
        failure
            .details
            .push(format!("{}. {}", index + 1, main.text));
        if index >= MAX_EXPLAINED {
            continue;
        }
        let asked = request.typed.join(" ");
        failure
            .details
            .push(format!("   - asked for: tdnf {asked}"));
        // That what is asked for cannot be had together has been said; the solver says it in fewer words.
        let tells = |rule: &&Rule| rule.text != main.text && rule.text != "conflicting requests";
        let links = problem.chain.iter().filter(tells);
        for rule in std::iter::once(main).chain(links).take(MAX_LINKS) {
            let place = origin(packages, rule);
            if rule.text != main.text || !place.is_empty() {
                failure.details.push(format!("   - {}{place}", rule.text));
            }
        }
        add_causes(packages, locks, problem, &mut failure);
    }
    failure.details.push(format!(
        "Found {} problem(s) while resolving",
        problems.len()
    ));
    let commands = ways_out.iter().flatten().take(MAX_FIXES);
    let commands = commands.filter_map(|fix| command(packages, fix));
    failure.hints.extend(commands);
    let drops_job = |fix: &Fix| matches!(fix.elements.as_slice(), [(FixKind::DropJob(_), _)]);
    if names_several(&request.typed) && ways_out.iter().flatten().any(drops_job) {
        let command = again(&request.typed, "--skip-broken");
        failure
            .hints
            .push(format!("to skip what cannot be done: {command}"));
    }
    let mut said = BTreeSet::new();
    failure.hints.retain(|hint| said.insert(hint.clone()));
    failure
}

/// Whether a command line names packages of which some can be left out.
fn names_several(words: &[String]) -> bool {
    let commands = ["install", "reinstall", "update", "upgrade", "downgrade"];
    words.len() > 2 && commands.contains(&words[0].as_str())
}

/// What the administrator decided and what does not fit this system, in words: the solver's own
/// only say that there is nothing.
fn add_causes(
    packages: &Packages,
    locks: &[String],
    problem: &SolverProblem,
    failure: &mut Failure,
) {
    let pool = &packages.pool;
    let all = || std::iter::once(&problem.main).chain(&problem.chain);
    let mut seen = BTreeSet::new();
    let mut say = |failure: &mut Failure, line: String, hint: &str| {
        if seen.insert(line.clone()) {
            failure.details.push(format!("   - {line}"));
            failure.hints.push(hint.to_owned());
        }
    };
    for id in all().filter_map(|rule| rule.source) {
        if pool.is_excluded(id) {
            say(failure, excluded(packages, id), UNEXCLUDE);
        }
        if locks.iter().any(|name| name == pool.name(id)) {
            let line = format!("{} is locked (locks.d)", pool.nevra(id));
            say(failure, line, UNLOCK);
        }
    }
    // The job that keeps a locked package names it.
    let named = |name: &str| {
        all().any(|rule| rule.kind == RuleKind::Job && rule.dep.as_deref() == Some(name))
    };
    for name in locks.iter().filter(|name| named(name)) {
        say(failure, format!("{name} is locked (locks.d)"), UNLOCK);
    }
    let missing = all().filter(|rule| rule.kind == RuleKind::NothingProvides);
    for dep in missing.filter_map(|rule| rule.dep.as_deref()) {
        let name = dep.split([' ', '(']).next().unwrap_or(dep);
        for id in pool
            .solvables()
            .filter(|id| pool.name(*id) == name)
            .take(MAX_LINKS)
        {
            if pool.is_excluded(id) {
                say(failure, excluded(packages, id), UNEXCLUDE);
            } else if packages.runs_here(id) {
                let line = format!("there is {}{}", pool.nevra(id), place_of(packages, id));
                say(
                    failure,
                    line,
                    "another version may be in a repository that is switched off",
                );
            } else {
                let line = format!("{} does not run on {}", pool.nevra(id), packages.arch);
                say(failure, line, "look for a package of this architecture");
            }
        }
    }
}

const UNEXCLUDE: &str = "take it in for this run: --disableexcludes (for excludepkgs of files), \
                         or leave --exclude out; minversions keep what is too old out";
const UNLOCK: &str = "remove its line in locks.d beside tdnf.conf to let it change";

fn excluded(packages: &Packages, id: SolvableId) -> String {
    let place = place_of(packages, id);
    let why = match (packages.modular.get(&id), packages.too_old.contains(&id)) {
        (Some(why), _) => why,
        (None, true) => "is older than minversions allows",
        (None, false) => "is excluded",
    };
    format!("{}{place} {why}", packages.pool.nevra(id))
}

/// `installed` or `repository X`.
fn place(packages: &Packages, id: SolvableId) -> String {
    let pool = &packages.pool;
    if pool.is_installed(id) {
        return "installed".to_owned();
    }
    let name = pool.repo_of(id).map(|repo| pool.repo_name(repo));
    name.map_or_else(|_| String::new(), |name| format!("repository {name}"))
}

/// The same behind a package: ` (installed)`; nothing if it is in no repository.
fn place_of(packages: &Packages, id: SolvableId) -> String {
    match place(packages, id) {
        none if none.is_empty() => none,
        place => format!(" ({place})"),
    }
}

/// Where the packages of a rule come from: one place if it names one package, else each by its name.
fn origin(packages: &Packages, rule: &Rule) -> String {
    let target = rule.target.filter(|target| Some(*target) != rule.source);
    let both = [rule.source, target].into_iter().flatten();
    match both.collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        [one] => place_of(packages, *one),
        several => {
            let named = several
                .iter()
                .map(|id| format!("{}: {}", packages.pool.nevra(*id), place(packages, *id)));
            format!(" ({})", named.collect::<Vec<_>>().join("; "))
        }
    }
}

/// A way out as a command, if it is one: that something is not asked for is none.
fn command(packages: &Packages, fix: &Fix) -> Option<String> {
    let (mut erased, mut installed) = (Vec::new(), Vec::new());
    for (kind, _) in &fix.elements {
        match kind {
            FixKind::Erase(id) => erased.push(packages.pool.name(*id).to_owned()),
            FixKind::Accept(id) | FixKind::Replace(_, id) => {
                installed.push(packages.pool.nevra(*id));
            }
            _ => return None,
        }
    }
    let of = |verb: &str, words: &[String]| {
        (!words.is_empty()).then(|| format!("tdnf {verb} {}", words.join(" ")))
    };
    let both = [of("erase", &erased), of("install", &installed)];
    let both: Vec<String> = both.into_iter().flatten().collect();
    (!both.is_empty()).then(|| format!("`{}`", both.join(" && ")))
}
