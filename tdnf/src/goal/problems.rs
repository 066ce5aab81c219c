//! The solver's problems in words: libsolv's line first (scripts match it), then the chain with
//! repositories, then ways out.

use rpm_solv::{FixKind, Problem, Rule, RuleKind, SolvableId};

use crate::error::{Code, Failure};
use crate::session::Packages;
use crate::settings::Skips;

/// Links of a chain that are shown.
const MAX_LINKS: usize = 8;
/// Ways out that are shown.
const MAX_FIXES: usize = 3;

/// Whether the user asked to leave out problems of this kind.
pub(super) fn is_skipped(problem: &Problem, skips: Skips) -> bool {
    match problem.main.kind {
        RuleKind::Conflicts | RuleKind::SelfConflict => skips.conflicts || skips.broken,
        RuleKind::Obsoletes => skips.obsoletes || skips.broken,
        _ => skips.broken,
    }
}

/// Error 1301 with everything a person needs to go on.
pub(super) fn explain(catalog: &Packages, problems: &[Problem]) -> Failure {
    let mut failure = Failure::new(Code::SOLV_FAILED);
    for (index, problem) in problems.iter().enumerate() {
        failure
            .details
            .push(format!("{}. {}", index + 1, problem.main.text));
        let links = problem
            .chain
            .iter()
            .filter(|rule| rule.text != problem.main.text);
        for rule in links.take(MAX_LINKS) {
            failure
                .details
                .push(format!("   - {}{}", rule.text, origin(catalog, rule)));
        }
    }
    failure.details.push(format!(
        "Found {} problem(s) while resolving",
        problems.len()
    ));
    for fix in problems
        .iter()
        .flat_map(|problem| &problem.fixes)
        .take(MAX_FIXES)
    {
        let words: Vec<String> = fix
            .elements
            .iter()
            .map(|(kind, text)| advice(catalog, kind, text))
            .collect();
        failure.hints.push(words.join(", and "));
    }
    failure.hints.dedup();
    failure
}

/// Where the packages of a rule come from.
fn origin(catalog: &Packages, rule: &Rule) -> String {
    let of = |id: SolvableId| {
        let pool = &catalog.pool;
        if pool.is_installed(id) {
            return Some("installed".to_owned());
        }
        Some(format!(
            "repository {}",
            pool.repo_name(pool.repo_of(id).ok()?)
        ))
    };
    match rule.source.and_then(of) {
        Some(place) => format!(" ({place})"),
        None => String::new(),
    }
}

/// A way out as a command where there is one.
fn advice(catalog: &Packages, kind: &FixKind, text: &str) -> String {
    match kind {
        FixKind::Erase(id) => format!("tdnf erase {}", catalog.pool.name(*id)),
        _ => text.to_owned(),
    }
}
