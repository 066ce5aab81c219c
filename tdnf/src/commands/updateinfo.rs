//! `updateinfo`: advisories about what is installed.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use clap::ValueEnum;
use rpm_pkg::dep::DepGroup;
use rpm_pkg::evr::EvrRef;
use rpm_repo::updateinfo::Advisory;
use rpm_solv::{SelectFlags, SolvableId};

use super::Command;
use super::list::{self, RECENT};
use super::operands::{Operand, Operands, keyword, words};
use super::query::select_all;
use super::repoquery::extras;
use crate::args::Scope;
use crate::args::options::{self, Advisories, of};
use crate::error::{Code, Failure, Outcome};
use crate::session::{Freshness, Packages, Session};
use crate::view::advisories::{
    AdvisoryCounts, AdvisoryDetails, AdvisoryInfo, AdvisoryList, changed_at, needs_reboot,
};

pub(super) const COMMAND: Command = Command {
    name: "updateinfo",
    usage: "[summary|list|info] \
            [all|installed|available|upgrades|downgrades|extras|obsoletes|recent] [PACKAGE...]",
    operands: Operands::after(keywords, Operand::Installed),
    options: &[
        of::<options::Advisories>(),
        of::<options::Detail>(),
        of::<options::ListOption>(),
        of::<options::Scopes>(),
        of::<options::PlaceOptions>(),
        of::<options::InstalledScope>(),
    ],
    example: "updateinfo list --security",
    about: "Display advisories about packages",
    run,
    asks_repos: true,
    ..Command::PLAIN
};

/// The parts that advisories take.
pub(super) const WITH_ADVISORIES: &[&str] = &["primary", "updateinfo"];

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AdvisoryForm {
    Summary,
    List,
    Info,
}

/// Which advisories count: the scopes of `list`, by what they say of a package.
fn takes(scope: Scope, advised_to_installed: Ordering) -> bool {
    match scope {
        // Those that bring something newer than what is installed.
        Scope::Available | Scope::Upgrades => advised_to_installed.is_gt(),
        // Those whose packages are installed already, in that version or a newer one.
        Scope::Installed | Scope::Extras => advised_to_installed.is_le(),
        Scope::Downgrades => advised_to_installed.is_lt(),
        Scope::All | Scope::Recent => true,
        Scope::Obsoletes => false,
    }
}

fn keywords() -> Vec<String> {
    [words::<AdvisoryForm>(), words::<Scope>()].concat()
}

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let typed = &session.args.options;
    let (mode, words) = match keyword(words, false) {
        Some(found) => found,
        None if typed.listing.list => (AdvisoryForm::List, words),
        None if typed.detail.info => (AdvisoryForm::Info, words),
        None => (AdvisoryForm::Summary, words),
    };
    let (scope, specs) = list::scope(session, words, Scope::Available, false);
    let sources = session.sources(WITH_ADVISORIES, Freshness::WhenExpired)?;
    let mut packages = session.packages(sources)?;
    let mut installed = installed(session, &mut packages, specs)?;
    if scope == Scope::Extras {
        installed = extras(&packages, installed);
    }
    let filter = AdvisoryFilter::of(session)?;
    let affected = Affected::new(&packages, &installed);
    let since = session.settings.environment.now.saturating_sub(RECENT);
    let found = packages.advisories(session, &mut |advisory| {
        filter.takes(advisory)
            && (scope != Scope::Recent || changed_at(advisory).is_some_and(|time| time >= since))
            && affected.by(advisory, scope).next().is_some()
    })?;
    match mode {
        AdvisoryForm::Summary => session.printer.show(&AdvisoryCounts(&found)),
        AdvisoryForm::List => session.printer.show(&AdvisoryList(&found)),
        AdvisoryForm::Info => session.printer.show(&AdvisoryInfo(&found)),
    }
    if mode != AdvisoryForm::Summary {
        session.printer.show(&AdvisoryDetails(&found));
    }
    if found.is_empty() {
        session.require_repos()?;
    }
    if found.is_empty() && mode == AdvisoryForm::Summary {
        return Err(Code::NO_DATA.into());
    }
    Ok(0)
}

/// The installed packages that the words name; no word names all.
pub(super) fn installed(
    session: &Session<'_>,
    packages: &mut Packages,
    specs: &[String],
) -> Outcome<Vec<SolvableId>> {
    if specs.is_empty() {
        return Ok(packages.pool.repo_solvables(packages.installed).collect());
    }
    let (found, unknown) = select_all(session, packages, specs, SelectFlags::INSTALLED)?;
    unknown.map_or(Ok(found), Err)
}

/// Installed packages, and what repositories have that takes the place of some by another name.
pub(super) struct Affected<'a> {
    packages: &'a Packages,
    installed: &'a [SolvableId],
    obsoleters: HashMap<&'a str, Vec<SolvableId>>,
}

impl<'a> Affected<'a> {
    pub(super) fn new(packages: &'a Packages, installed: &'a [SolvableId]) -> Self {
        let pool = &packages.pool;
        let mut obsoleters: HashMap<&str, Vec<SolvableId>> = HashMap::new();
        for id in pool.solvables().filter(|id| !pool.is_installed(*id)) {
            let takes_place = |old: &SolvableId| pool.obsoletes(id, *old);
            let obsoletes = pool.has_deps(id, DepGroup::Obsoletes);
            if obsoletes && packages.runs_here(id) && installed.iter().any(takes_place) {
                obsoleters.entry(pool.name(id)).or_default().push(id);
            }
        }
        Self {
            packages,
            installed,
            obsoleters,
        }
    }

    /// The installed packages that an advisory is about: those of its names, and those that its
    /// packages take the place of.
    pub(super) fn by(&self, advisory: &Advisory, scope: Scope) -> impl Iterator<Item = SolvableId> {
        let pool = &self.packages.pool;
        advisory.packages.iter().flat_map(move |advised| {
            let text = format!("{}:{}-{}", advised.epoch, advised.version, advised.release);
            let versions = move |id: SolvableId| {
                let advised = EvrRef::parse(text.as_bytes());
                advised.compare(&EvrRef::parse(pool.evr(id).as_bytes()))
            };
            let is_advised = {
                let versions = versions.clone();
                move |id: &SolvableId| {
                    let arches = [pool.arch(*id), advised.arch.as_str()];
                    (arches[0] == arches[1] || arches.contains(&"noarch"))
                        && pool.name(*id) == advised.name
                        && takes(scope, versions(*id))
                }
            };
            let new = self.obsoleters.get(advised.name.as_str());
            let new = new.into_iter().flatten().copied();
            let new = new.filter(move |id| {
                !matches!(scope, Scope::Installed | Scope::Extras | Scope::Downgrades)
                    && pool.arch(*id) == advised.arch
                    && versions(*id).is_eq()
            });
            let replaced = new.flat_map(move |new| {
                let installed = self.installed.iter().copied();
                installed.filter(move |old| pool.obsoletes(new, *old))
            });
            let installed = self.installed.iter().copied();
            installed.filter(is_advised).chain(replaced)
        })
    }
}

/// Severities in words as numbers: the least CVSS score of each.
const WORDS: [(&str, f64); 6] = [
    ("low", 0.1),
    ("moderate", 4.0),
    ("medium", 4.0),
    ("important", 7.0),
    ("high", 7.0),
    ("critical", 9.0),
];

fn severity(text: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let word = WORDS.iter().find(|(word, _)| *word == text);
    match word {
        Some((_, number)) => Some(*number),
        None => text.parse::<f64>().ok().filter(|number| number.is_finite()),
    }
}

/// `--security`, `--sec-severity` and `--reboot-required`.
pub(super) struct AdvisoryFilter<'a> {
    given: &'a Advisories,
    /// The least severity, as a number.
    least: Option<f64>,
}

impl<'a> AdvisoryFilter<'a> {
    pub(super) fn of(session: &Session<'a>) -> Outcome<Self> {
        let given = &session.args.options.advisories;
        let least = match &given.sec_severity {
            Some(text) => Some(severity(text).ok_or_else(|| {
                let line = format!(
                    "--sec-severity={text}: a number, or low, moderate, important or critical"
                );
                Failure::invalid(line)
            })?),
            None => None,
        };
        Ok(Self { given, least })
    }

    pub(super) fn takes(&self, advisory: &Advisory) -> bool {
        let own = severity(&advisory.severity).unwrap_or(0.0);
        (!self.given.security || advisory.kind == "security")
            && self.least.is_none_or(|least| own >= least)
            && (!self.given.reboot_required || needs_reboot(advisory))
    }
}

/// Names of the installed packages for which an advisory that `--security` and its like let through has something newer.
pub(super) fn advised_names(
    session: &Session<'_>,
    packages: &Packages,
    installed: &[SolvableId],
) -> Outcome<BTreeSet<String>> {
    let filter = AdvisoryFilter::of(session)?;
    let mut names = BTreeSet::new();
    let affected = Affected::new(packages, installed);
    packages.advisories(session, &mut |advisory| {
        if filter.takes(advisory) {
            let found = affected.by(advisory, Scope::Available);
            let found = found.map(|id| packages.pool.name(id).to_owned());
            names.extend(found);
        }
        false
    })?;
    Ok(names)
}

/// Whether the command line asks for advisories of a kind.
pub(super) fn is_filtered(session: &Session<'_>) -> bool {
    let given = &session.args.options.advisories;
    given.security || given.reboot_required || given.sec_severity.is_some()
}
