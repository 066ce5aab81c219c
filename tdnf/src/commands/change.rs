//! `install`, `reinstall`, `update`, `distro-sync`, `downgrade`, `erase` and `autoremove`.

use rpm_solv::SolvableId;

use super::files::{self, Kind};
use super::{Command, Needs, security, source, updateinfo};
use crate::error::{Code, Outcome};
use crate::goal::{self, Goal, Policy};
use crate::session::{Freshness, PRIMARY, Packages, Session};
use crate::transact;

pub(super) const INSTALL: Command = Command {
    name: "install",
    aliases: &[],
    usage: "PACKAGE|FILE.rpm|URL...",
    about: "Install a package or packages on your system",
    needs: Needs::Lock,
    run: |session, words| match () {
        () if session.args.flag("builddeps") => source::build_deps(session, words),
        () if session.args.flag("source") => source::install(session, words),
        () => change(session, words, Words::Needed, goal::install),
    },
};

pub(super) const REINSTALL: Command = Command {
    name: "reinstall",
    aliases: &[],
    usage: "PACKAGE|FILE.rpm...",
    about: "Reinstall a package",
    needs: Needs::Lock,
    run: |session, words| change(session, words, Words::Needed, goal::reinstall),
};

pub(super) const UPDATE: Command = Command {
    name: "update",
    aliases: &["upgrade", "update-to", "upgrade-to"],
    usage: "[PACKAGE|FILE.rpm...]",
    about: "Upgrade a package or packages on your system",
    needs: Needs::Lock,
    run: |session, words| match updateinfo::is_filtered(session) {
        true => security::update(session, words),
        false => change(session, words, Words::Optional, goal::update),
    },
};

pub(super) const DOWNGRADE: Command = Command {
    name: "downgrade",
    aliases: &[],
    usage: "[PACKAGE...]",
    about: "Downgrade a package",
    needs: Needs::Lock,
    run: |session, words| {
        change(
            session,
            words,
            Words::Optional,
            |session, packages, words, _| goal::downgrade(session, packages, words),
        )
    },
};

pub(super) const DISTRO_SYNC: Command = Command {
    name: "distro-sync",
    aliases: &[],
    usage: "",
    about: "Bring every package to the version the repositories have, up or down",
    needs: Needs::Lock,
    run: |session, words| {
        change(session, words, Words::Optional, |_, _, _, _| {
            Ok(goal::distro_sync())
        })
    },
};

pub(super) const ERASE: Command = Command {
    name: "erase",
    aliases: &["remove"],
    usage: "PACKAGE...",
    about: "Remove a package or packages from your system",
    needs: Needs::Lock,
    run: |session, words| remove(session, words, Words::Needed),
};

pub(super) const AUTOREMOVE: Command = Command {
    name: "autoremove",
    aliases: &["autoerase"],
    usage: "[PACKAGE...]",
    about: "Remove a package and its dependencies, or every dependency that nothing needs",
    needs: Needs::Lock,
    run: autoremove,
};

/// Whether a command can do without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Needed,
    Optional,
}

type AskFor = fn(&Session<'_>, &mut Packages, &[String], &[SolvableId]) -> Outcome<Goal>;

fn change(session: &Session<'_>, words: &[String], need: Words, ask: AskFor) -> Outcome<u8> {
    require(words, need)?;
    let sources = session.sources(PRIMARY, Freshness::WhenExpired)?;
    let (mut packages, policy) = open(session, sources)?;
    let (given, words) = files::split(words);
    let given = files::add(session, &mut packages, &given, Kind::Binary)?;
    let goal = ask(session, &mut packages, &words, &given)?;
    transact::perform(session, packages, &goal, &policy)
}

/// Erasing asks no repository: what is installed is all it needs.
fn remove(session: &Session<'_>, words: &[String], need: Words) -> Outcome<u8> {
    require(words, need)?;
    let sources = if session.settings.cache_only {
        Vec::new()
    } else {
        known_sources(session)?
    };
    let (mut packages, policy) = open(session, sources)?;
    let goal = goal::erase(session, &mut packages, words)?;
    transact::perform(session, packages, &goal, &policy)
}

/// Repositories are only needed to tell an unknown name from one that is not installed; an
/// unreachable one must not stop a removal.
fn known_sources(session: &Session<'_>) -> Outcome<Vec<crate::session::Source>> {
    match session.sources(PRIMARY, Freshness::WhenExpired) {
        Ok(sources) => Ok(sources),
        Err(failure) => {
            for line in &failure.details {
                session.printer.err(line);
            }
            Ok(Vec::new())
        }
    }
}

fn autoremove(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let (mut packages, policy) = open(session, Vec::new())?;
    let auto = transact::auto_installed(session)?;
    let unneeded = match words {
        [] => goal::unneeded(session, &mut packages, &auto)?,
        _ => Vec::new(),
    };
    let goal = goal::autoremove(session, &mut packages, words, &unneeded)?;
    transact::perform(session, packages, &goal, &policy)
}

pub(super) fn require(words: &[String], need: Words) -> Outcome<()> {
    if words.is_empty() && need == Words::Needed {
        return Err(Code::PACKAGE_REQUIRED.into());
    }
    Ok(())
}

pub(super) fn open(
    session: &Session<'_>,
    sources: Vec<crate::session::Source>,
) -> Outcome<(Packages, Policy)> {
    let conf_excludes = &session.settings.conf_excludes;
    if !conf_excludes.is_empty() {
        session
            .printer
            .info("Warning: The following packages are excluded from tdnf.conf:");
        for name in conf_excludes {
            session.printer.info(&format!("  {name}"));
        }
    }
    let policy = Policy::read(session)?;
    let mut packages = session.packages(sources)?;
    policy.apply(session, &mut packages);
    Ok((packages, policy))
}
