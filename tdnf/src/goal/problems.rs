//! The solver's problems in words: libsolv's line first (scripts match it), then the chain with
//! repositories, then ways out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rpm_solv::{Fix, FixKind, Rule, RuleKind, SolvableId, SolverProblem};

use super::Request;
use super::matcher::OTHER_STREAM;
use crate::error::{Code, Failure};
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

/// What would solve problems.
pub(super) struct WaysOut {
    /// For each problem what may be done about it.
    pub(super) fixes: Vec<Vec<Fix>>,
    /// `--allowerasing` is enough.
    pub(super) erasing_helps: bool,
}

impl From<Vec<Vec<Fix>>> for WaysOut {
    fn from(fixes: Vec<Vec<Fix>>) -> Self {
        Self {
            fixes,
            erasing_helps: false,
        }
    }
}

/// Whether the line of a rule only says that there is a problem, and with what other lines name.
fn says_nothing(rule: &Rule) -> bool {
    rule.text == "conflicting requests" || rule.text.starts_with("problem with installed package ")
}

/// Error 1301 with everything a person needs to go on.
pub(super) fn explain(
    request: &Request,
    packages: &Packages,
    locks: &BTreeMap<String, PathBuf>,
    problems: &[SolverProblem],
    ways_out: &WaysOut,
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
        let asked = request.typed.words.join(" ");
        failure
            .details
            .push(format!("   - asked for: tdnf {asked}"));
        // That what is asked for cannot be had together has been said; the solver says it in fewer words.
        let tells = |rule: &&Rule| rule.text != main.text && !says_nothing(rule);
        let links = problem.chain.iter().filter(tells);
        for rule in std::iter::once(main).chain(links).take(MAX_LINKS) {
            let place = origin(packages, rule);
            if rule.text != main.text || !place.is_empty() {
                failure.details.push(format!("   - {}{place}", rule.text));
            }
        }
        for (line, hint) in causes(packages, locks, problem) {
            failure.details.push(format!("   - {line}"));
            failure.hints.push(hint.to_owned());
        }
    }
    failure.details.push(format!(
        "Found {} problem(s) while resolving",
        problems.len()
    ));
    if ways_out.erasing_helps {
        let command = request.typed.again("--allowerasing");
        failure
            .hints
            .push(format!("to remove what is in the way: {command}"));
    }
    let ways_out = &ways_out.fixes;
    let commands = ways_out.iter().flatten().take(MAX_FIXES);
    let commands = commands.filter_map(|fix| command(packages, fix));
    failure.hints.extend(commands);
    let drops_job = |fix: &Fix| matches!(fix.elements.as_slice(), [(FixKind::DropJob(_), _)]);
    if names_several(&request.typed.words) && ways_out.iter().flatten().any(drops_job) {
        let command = request.typed.again("--skip-broken");
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

/// What the administrator decided and what does not fit this system, in words, and what to do: the solver's own
/// only say that there is nothing.
fn causes(
    packages: &Packages,
    locks: &BTreeMap<String, PathBuf>,
    problem: &SolverProblem,
) -> Vec<(String, &'static str)> {
    let pool = &packages.pool;
    let all = || std::iter::once(&problem.main).chain(&problem.chain);
    let mut causes = Vec::new();
    for id in all().filter_map(|rule| rule.source) {
        causes.extend(hidden(packages, id));
        if let Some(file) = locks.get(pool.name(id)) {
            let line = format!("{} is locked ({})", pool.nevra(id), file.display());
            causes.push((line, UNLOCK));
        }
    }
    // The job that keeps a locked package names it.
    let named = |name: &str| {
        all().any(|rule| rule.kind == RuleKind::Job && rule.dep.as_deref() == Some(name))
    };
    for (name, file) in locks.iter().filter(|(name, _)| named(name)) {
        causes.push((format!("{name} is locked ({})", file.display()), UNLOCK));
    }
    for id in lacking(packages, problem) {
        let (nevra, place) = (pool.nevra(id), place_of(packages, id));
        causes.push(
            hidden(packages, id).unwrap_or_else(|| match packages.runs_here(id) {
                true => (format!("there is {nevra}{place}"), ELSEWHERE),
                false => (
                    format!("{nevra} does not run on {}", packages.arch),
                    OTHER_ARCH,
                ),
            }),
        );
    }
    let mut seen = BTreeSet::new();
    causes.retain(|(line, _)| seen.insert(line.clone()));
    causes
}

/// The packages that are called as what nothing provides, the newest first.
fn lacking<'p>(
    packages: &'p Packages,
    problem: &'p SolverProblem,
) -> impl Iterator<Item = SolvableId> + 'p {
    let rules = std::iter::once(&problem.main).chain(&problem.chain);
    let missing = rules.filter(|rule| rule.kind == RuleKind::NothingProvides);
    missing
        .filter_map(|rule| rule.dep.as_deref())
        .flat_map(|dep| {
            let (pool, name) = (&packages.pool, dep.split([' ', '(']).next().unwrap_or(dep));
            let named = pool.solvables().filter(|id| pool.name(*id) == name);
            let mut named: Vec<SolvableId> = named.collect();
            named.sort_by(|a, b| pool.compare_versions(*b, *a));
            named.into_iter().take(MAX_LINKS)
        })
}

/// Why what nothing provides is not offered, where it is only hidden.
pub(super) fn why_hidden(packages: &Packages, problem: &SolverProblem) -> Option<String> {
    let hidden = lacking(packages, problem).find_map(|id| hidden(packages, id));
    hidden.map(|(line, _)| line)
}

const UNEXCLUDE: &str =
    "take it in for this run: --disableexcludes (for excludepkgs of files), or leave --exclude out";
const ELSEWHERE: &str = "another version may be in a repository that is switched off";
const OTHER_ARCH: &str = "look for a package of this architecture";
const TOO_OLD: &str = "minversions of the configuration asks for a newer version";
const UNLOCK: &str = "remove its line in locks.d beside tdnf.conf to let it change";

/// Why a package is not offered though it is there, and what to do; `None` where it is offered.
fn hidden(packages: &Packages, id: SolvableId) -> Option<(String, &'static str)> {
    // What is installed is there, whatever is excluded.
    if packages.pool.is_installed(id) || !packages.pool.is_excluded(id) {
        return None;
    }
    let (why, hint) = match (packages.modular.get(&id), packages.too_old.contains(&id)) {
        (Some(why), _) => (why.as_str(), OTHER_STREAM),
        (None, true) => ("is older than minversions allows", TOO_OLD),
        (None, false) => ("is excluded", UNEXCLUDE),
    };
    let place = place_of(packages, id);
    Some((format!("{}{place} {why}", packages.pool.nevra(id)), hint))
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
