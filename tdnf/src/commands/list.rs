//! `list`, `info` and `check-update`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use clap::ValueEnum;
use rpm_catalog::Reach;
use rpm_pkg::dep::DepGroup;
use rpm_solv::{SelectFlags, SolvableId};

use super::Command;
use super::change::request;
use super::operands::{Operand, Operands, keyword, words};
use super::query::{RowDetail, installed, rows, select, select_all, tell_unknown};
use super::repoquery::extras;
use super::updateinfo::{self, WITH_ADVISORIES};
use crate::args::Scope;
use crate::args::options::{self, of};
use crate::error::{Code, Failure, Outcome};
use crate::session::{Freshness, PRIMARY, Packages, Session};
use crate::view::packages::{PackageInfo, PackageList, PackageRow};

const SCOPES: &str =
    "[all|installed|available|upgrades|downgrades|extras|obsoletes|recent] [PACKAGE...]";
/// What is recent, in seconds: a week, as in dnf.
pub(super) const RECENT: u64 = 7 * 24 * 60 * 60;

pub(super) const LIST: Command = Command {
    name: "list",
    usage: SCOPES,
    operands: Operands::after(words::<Scope>, Operand::Package),
    options: &[
        of::<options::Scopes>(),
        of::<options::PlaceOptions>(),
        of::<options::InstalledScope>(),
        of::<options::Advisories>(),
        of::<options::Excludes>(),
    ],
    example: "list installed 'nginx*'",
    about: "List a package or groups of packages",
    run: |session, words| find(session, words, RowDetail::Line),
    ..Command::PLAIN
};

pub(super) const INFO: Command = Command {
    name: "info",
    usage: SCOPES,
    operands: Operands::after(words::<Scope>, Operand::Package),
    options: LIST.options,
    example: "info nginx",
    about: "Display details about a package or group of packages",
    run: |session, words| find(session, words, RowDetail::All),
    ..Command::PLAIN
};

pub(super) const CHECK_UPDATE: Command = Command {
    name: "check-update",
    usage: "[PACKAGE...]",
    operands: Operands::all(Operand::Installed),
    options: &[of::<options::Advisories>(), of::<options::Excludes>()],
    example: "check-update",
    about: "Check for available package upgrades",
    run: check_update,
    asks_repos: true,
    ..Command::PLAIN
};

fn show(session: &Session<'_>, rows: &[PackageRow], detail: RowDetail) {
    if detail == RowDetail::All {
        return session.printer.show(&PackageInfo(rows));
    }
    let folded = session.printer.known_width().is_some();
    session.printer.show(&PackageList { rows, folded });
}

/// The scope of a command line and the words after it: an argument beats an option, the last
/// option wins, and the others are named.
pub(super) fn scope<'w>(
    session: &Session<'_>,
    words: &'w [String],
    default: Scope,
    ignore_case: bool,
) -> (Scope, &'w [String]) {
    let options = &session.args.scopes;
    let option = options.last().copied().unwrap_or(default);
    let (chosen, rest) = keyword(words, ignore_case).unwrap_or((option, words));
    let name = |scope: &Scope| {
        let value = scope.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    };
    for other in options.iter().filter(|other| **other != chosen) {
        session.warn_once(&format!(
            "warning: --{} has no effect: '{}' counts",
            name(other),
            name(&chosen)
        ));
    }
    (chosen, rest)
}

/// The parts of the metadata that are read: with advisories where they filter.
fn parts(session: &Session<'_>) -> &'static [&'static str] {
    match updateinfo::is_filtered(session) {
        true => WITH_ADVISORIES,
        false => PRIMARY,
    }
}

/// The packages that these words in this scope are about.
fn reach<'w>(session: &Session<'_>, scope: Scope, words: &'w [String]) -> Reach<'w> {
    match scope {
        Scope::All | Scope::Available | Scope::Recent => {
            Reach::Words(words, SelectFlags::WITH_SOURCE)
        }
        // An advisory may be about any package, and an exclude can hide all that a word selects.
        Scope::Upgrades if words.is_empty() && !updateinfo::is_filtered(session) => {
            Reach::Namesakes
        }
        _ => Reach::All,
    }
}

fn find(session: &Session<'_>, words: &[String], detail: RowDetail) -> Outcome<u8> {
    let (scope, words) = scope(session, words, Scope::All, true);
    let given_excludes = session.settings.given_excludes();
    if scope == Scope::Installed && words.is_empty() && given_excludes.is_empty() {
        show(session, &installed(session, detail)?, detail);
        return Ok(0);
    }
    if updateinfo::is_filtered(session) && scope != Scope::Upgrades {
        return Err(Failure::invalid(
            "--security, --sec-severity and --reboot-required go with the scope 'upgrades' here",
        ));
    }
    let sources = match scope {
        Scope::Installed => Vec::new(),
        _ => session.sources(parts(session), Freshness::WhenExpired)?,
    };
    let mut packages = session.packages_within(sources, reach(session, scope, words))?;
    let (mut chosen, unknown) = choose(session, &mut packages, scope, words)?;
    let is_excluded = |id| {
        let mut globs = given_excludes.iter();
        globs.any(|glob| packages.pool.is_named(id, glob))
    };
    chosen.retain(|id| !is_excluded(*id));
    for word in words.iter().filter(|_| chosen.is_empty()) {
        let named = select(session, &mut packages, word, SelectFlags::WITH_SOURCE)?;
        if let Some(line) = packages.left_out_by(named.solvables()) {
            session.warn_once(&line);
        }
    }
    let asks_repos = !matches!(scope, Scope::All | Scope::Installed);
    if chosen.is_empty() && (asks_repos && session.is_without_repos() || session.misses_repos()) {
        let failure = unknown.unwrap_or_else(|| Code::NO_MATCH.into());
        let code = Code::NO_ENABLED_REPOS;
        return Err(Failure { code, ..failure });
    }
    show(
        session,
        &rows(&packages, chosen.iter().copied(), detail)?,
        detail,
    );
    match unknown {
        Some(unknown) if chosen.is_empty() => session.printer.nothing_found(unknown)?,
        None if chosen.is_empty() && !words.is_empty() => {
            session.printer.nothing_found(Code::NO_MATCH)?;
        }
        unknown => tell_unknown(session, unknown.as_ref()),
    }
    Ok(0)
}

fn choose(
    session: &Session<'_>,
    packages: &mut Packages,
    scope: Scope,
    words: &[String],
) -> Outcome<(Vec<SolvableId>, Option<Failure>)> {
    if scope == Scope::Upgrades {
        // What an update leaves out is no upgrade.
        request(session)?.hide(packages);
    }
    let (named, unknown) = named(session, packages, words)?;
    let chosen = match scope {
        Scope::All => named,
        Scope::Installed => keep(packages, named, true),
        Scope::Available => keep(packages, named, false),
        Scope::Upgrades => advised(
            session,
            packages,
            changes(packages, &named, Ordering::Greater),
        )?,
        Scope::Downgrades => changes(packages, &named, Ordering::Less),
        Scope::Extras => extras(packages, keep(packages, named, true)),
        Scope::Obsoletes => obsoleters(packages, keep(packages, named, false))?,
        Scope::Recent => recent(session, packages, keep(packages, named, false))?,
    };
    Ok((chosen, unknown))
}

/// Everything the words name, in pool order, and what is to be told about those that name nothing; no
/// word names everything. Source packages are not
/// listed unless a word names them.
fn named(
    session: &Session<'_>,
    packages: &mut Packages,
    words: &[String],
) -> Outcome<(Vec<SolvableId>, Option<Failure>)> {
    if words.is_empty() {
        return Ok((in_order(packages, packages.pool.solvables()), None));
    }
    let (found, unknown) = select_all(session, packages, words, SelectFlags::WITH_SOURCE)?;
    let found: BTreeSet<SolvableId> = found.into_iter().collect();
    Ok((in_order(packages, found), unknown))
}

/// Installed packages by name and version, then repositories in their order; what sections leave out is not there.
pub(super) fn in_order(
    packages: &Packages,
    ids: impl IntoIterator<Item = SolvableId>,
) -> Vec<SolvableId> {
    let pool = &packages.pool;
    let is_installed = |id: &SolvableId| pool.is_installed(*id);
    let there = ids.into_iter().filter(|id| !packages.is_left_out(*id));
    let (mut installed, mut others): (Vec<_>, Vec<_>) = there.partition(is_installed);
    installed.sort_by(|a, b| {
        let names = pool.name(*a).cmp(pool.name(*b));
        names.then_with(|| pool.compare_versions(*a, *b))
    });
    let rank = |id: &SolvableId| {
        let repo = pool.repo_of(*id).ok();
        packages.repos.iter().position(|known| Some(*known) == repo)
    };
    others.sort_by_key(|id| (rank(id), *id));
    installed.append(&mut others);
    installed
}

pub(super) fn keep(packages: &Packages, ids: Vec<SolvableId>, installed: bool) -> Vec<SolvableId> {
    ids.into_iter()
        .filter(|id| packages.pool.is_installed(*id) == installed)
        .collect()
}

/// Packages that obsolete an installed one.
fn obsoleters(packages: &mut Packages, mut ids: Vec<SolvableId>) -> Outcome<Vec<SolvableId>> {
    let installed: Vec<SolvableId> = packages.pool.repo_solvables(packages.installed).collect();
    let mut found = BTreeSet::new();
    for id in installed {
        let (name, evr) = (packages.pool.name(id), packages.pool.evr(id));
        let own = format!("{name} = {evr}");
        found.extend(packages.pool.whatmatches(DepGroup::Obsoletes, &own)?);
    }
    ids.retain(|id| found.contains(id));
    Ok(ids)
}

/// Packages whose file came into the repository during the last [`RECENT`].
fn recent(
    session: &Session<'_>,
    packages: &Packages,
    ids: Vec<SolvableId>,
) -> Outcome<Vec<SolvableId>> {
    let since = session.settings.environment.now.saturating_sub(RECENT);
    let mut found = Vec::new();
    for id in ids {
        if packages.pool.facts(id)?.file_time >= since {
            found.push(id);
        }
    }
    Ok(found)
}

/// Every available version above (or below) the installed ones of the names, in the architecture of
/// those. What a preferred repository hides from an update is no upgrade.
pub(super) fn changes(
    packages: &Packages,
    named: &[SolvableId],
    wanted: Ordering,
) -> Vec<SolvableId> {
    let pool = &packages.pool;
    let mut installed: BTreeMap<(&str, &str), SolvableId> = BTreeMap::new();
    let names = named.iter().map(|id| pool.name(*id));
    let names: HashSet<&str> = names
        .filter(|name| packages.is_installed_name(name))
        .collect();
    let all = pool.repo_solvables(packages.installed);
    for id in all.filter(|id| names.contains(pool.name(*id))) {
        let slot = (pool.name(id), pool.arch(id));
        let best = installed.entry(slot).or_insert(id);
        if pool.compare_versions(id, *best) == wanted {
            *best = id;
        }
    }
    let offered = packages.offered(&|name| names.contains(name));
    let mut chosen = BTreeSet::new();
    for ((name, _), have) in installed {
        let mut fitting = offered.get(name).cloned().unwrap_or_default();
        fitting.retain(|id| packages.is_arch_kept(*id, have));
        let best = fitting.iter().map(|id| packages.priority(*id)).min();
        let shown = fitting.into_iter().filter(|id| {
            let is_hidden = wanted.is_gt() && Some(packages.priority(*id)) != best;
            pool.compare_versions(*id, have) == wanted && !is_hidden
        });
        chosen.extend(shown);
    }
    in_order(packages, chosen)
}

/// Of upgrades those whose names have news in an advisory that `--security` and its like let through.
fn advised(
    session: &Session<'_>,
    packages: &Packages,
    mut upgrades: Vec<SolvableId>,
) -> Outcome<Vec<SolvableId>> {
    if !updateinfo::is_filtered(session) {
        return Ok(upgrades);
    }
    let installed: Vec<SolvableId> = packages.pool.repo_solvables(packages.installed).collect();
    let names = updateinfo::advised_names(session, packages, &installed)?;
    upgrades.retain(|id| names.contains(packages.pool.name(*id)));
    Ok(upgrades)
}

/// Exit code 100 if there is anything, where the configuration asks for dnf's way.
fn check_update(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let sources = session.sources(parts(session), Freshness::WhenExpired)?;
    let reach = reach(session, Scope::Upgrades, words);
    let mut packages = session.packages_within(sources, reach)?;
    let (chosen, unknown) = choose(session, &mut packages, Scope::Upgrades, words)?;
    tell_unknown(session, unknown.as_ref());
    let rows = rows(&packages, chosen, RowDetail::Line)?;
    show(session, &rows, RowDetail::Line);
    let compat = session.settings.main.dnf_check_update_compat;
    Ok(if compat && !rows.is_empty() { 100 } else { 0 })
}
