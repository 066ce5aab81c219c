//! `updateinfo`: advisories about what is installed.

use std::cmp::Ordering;

use rpm_pkg::evr::EvrRef;
use rpm_repo::updateinfo::Advisory;
use rpm_solv::{SelectFlags, SolvableId};

use super::{Command, Needs};
use crate::error::{Code, Outcome};
use crate::goal;
use crate::session::{Freshness, Packages, Session};
use crate::view::advisories as view;

pub(super) const COMMAND: Command = Command {
    name: "updateinfo",
    aliases: &[],
    usage: "[summary|list|info] [all|available|updates|installed] [PACKAGE...]",
    about: "Display advisories about packages",
    needs: Needs::NOTHING,
    run,
};

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Summary,
    List,
    Info,
}

impl Mode {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "summary" => Self::Summary,
            "list" => Self::List,
            "info" => Self::Info,
            _ => return None,
        })
    }
}

/// Which advisories count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Those that bring something newer than what is installed.
    Available,
    /// Those whose packages are installed already, in that version or a newer one.
    Installed,
    All,
}

impl Scope {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "available" | "updates" => Self::Available,
            "installed" => Self::Installed,
            "all" => Self::All,
            _ => return None,
        })
    }

    fn takes(self, advised_to_installed: Ordering) -> bool {
        match self {
            Self::Available => advised_to_installed.is_gt(),
            Self::Installed => advised_to_installed.is_le(),
            Self::All => true,
        }
    }
}

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let option = |names: &[&str]| names.iter().any(|name| session.args.flag(name));
    let (mode, words) = match words
        .split_first()
        .map(|(first, rest)| (Mode::parse(first), rest))
    {
        Some((Some(mode), rest)) => (mode, rest),
        _ if option(&["list"]) => (Mode::List, words),
        _ if option(&["info"]) => (Mode::Info, words),
        _ => (Mode::Summary, words),
    };
    let (scope, specs) = match words
        .split_first()
        .map(|(first, rest)| (Scope::parse(first), rest))
    {
        Some((Some(scope), rest)) => (scope, rest),
        _ if option(&["all"]) => (Scope::All, words),
        _ if option(&["installed"]) => (Scope::Installed, words),
        _ => (Scope::Available, words),
    };
    let sources = session.sources(&["primary", "updateinfo"], Freshness::WhenExpired)?;
    let mut packages = session.packages(sources)?;
    let installed = installed(session, &mut packages, specs)?;
    let filter = Filter::of(session)?;
    let mut found = packages.advisories()?;
    found.retain(|advisory| {
        filter.takes(advisory) && concerns(&packages, &installed, advisory, scope)
    });
    match mode {
        Mode::Summary => view::summary(session.printer, &found),
        Mode::List => view::list(session.printer, &found),
        Mode::Info => view::info(session.printer, &found),
    }
    if found.is_empty() && mode == Mode::Summary {
        return Err(Code::NO_DATA.into());
    }
    Ok(0)
}

/// The installed packages that the words name; no word names all.
fn installed(
    session: &Session<'_>,
    packages: &mut Packages,
    specs: &[String],
) -> Outcome<Vec<SolvableId>> {
    if specs.is_empty() {
        return Ok(packages.pool.repo_solvables(packages.installed).collect());
    }
    let flags = SelectFlags {
        installed_only: true,
        ..SelectFlags::default()
    };
    let mut found = Vec::new();
    for spec in specs {
        let selection = goal::select(session, packages, spec, flags)?;
        if selection.is_empty() {
            return Err(Code::NO_MATCH.into());
        }
        found.extend_from_slice(selection.solvables());
    }
    Ok(found)
}

fn concerns(
    packages: &Packages,
    installed: &[SolvableId],
    advisory: &Advisory,
    scope: Scope,
) -> bool {
    advisory.packages.iter().any(|advised| {
        let text = format!("{}:{}-{}", advised.epoch, advised.version, advised.release);
        installed.iter().any(|id| {
            packages.pool.name(*id) == advised.name
                && packages.pool.arch(*id) == advised.arch
                && scope.takes(
                    EvrRef::parse(text.as_bytes())
                        .compare(&EvrRef::parse(packages.pool.evr(*id).as_bytes())),
                )
        })
    })
}

/// `--security`, `--sec-severity` and `--reboot-required`.
struct Filter {
    security: bool,
    severity: Option<f64>,
    reboot: bool,
}

impl Filter {
    fn of(session: &Session<'_>) -> Outcome<Self> {
        let args = session.args;
        let number = |text: &str| text.trim().parse::<f64>().ok();
        let severity = match args.value("sec-severity") {
            Some(text) => Some(number(text).ok_or(Code::INVALID_PARAMETER)?),
            None => None,
        };
        Ok(Self {
            security: args.flag("security"),
            severity,
            reboot: args.flag("reboot-required"),
        })
    }

    /// A severity in words counts as 0, as in tdnf.
    fn takes(&self, advisory: &Advisory) -> bool {
        let severity = advisory.severity.trim().parse::<f64>().unwrap_or(0.0);
        (!self.security || advisory.kind == "security")
            && self.severity.is_none_or(|least| severity >= least)
            && (!self.reboot || view::needs_reboot(advisory))
    }
}
