//! `install`, `reinstall`, `update`, `distro-sync`, `downgrade`, `erase` and `autoremove`.

use super::files::{self, PackageScope};
use super::operands::{Operand, Operands};
use super::{Command, Needs, keys, lock, security, source, updateinfo};
use crate::args::options::{self, Definition, of};
use crate::change;
use crate::error::{Code, Outcome};
use crate::goal::{self, Goal, Request, SolverPolicy, Verb};
use crate::session::{Freshness, LoadedRepo, PRIMARY, Packages, Session};
use crate::view;

/// The options of a command that brings packages in.
const INCOMING: &[Definition] = &[
    of::<options::ChangeOptions>(),
    of::<options::Incoming>(),
    of::<options::UrlOptions>(),
    of::<options::Excludes>(),
    of::<options::SkipOptions>(),
];

pub(super) const INSTALL: Command = Command {
    name: "install",
    usage: "PACKAGE|FILE.rpm|URL...",
    operands: Operands::all(Operand::Available),
    options: &[
        of::<options::ChangeOptions>(),
        of::<options::Incoming>(),
        of::<options::UrlOptions>(),
        of::<options::Excludes>(),
        of::<options::SkipOptions>(),
        of::<options::SourceOptions>(),
        of::<options::Build>(),
        of::<options::LockedOptions>(),
    ],
    example: "install nginx",
    about: "Install a package or packages on your system",
    needs: Needs::Lock,
    asks_repos: true,
    run: |session, words| match () {
        () if session.args.options.locked.locked.is_some() => lock::install(session, words),
        () if session.args.options.build.builddeps => source::build_deps(session, words),
        () if session.args.options.source.source => source::install(session, words),
        () => change(session, words, Words::Needed, Verb::Install),
    },
    ..Command::PLAIN
};

pub(super) const REINSTALL: Command = Command {
    name: "reinstall",
    usage: "PACKAGE|FILE.rpm...",
    operands: Operands::all(Operand::Installed),
    options: INCOMING,
    example: "reinstall nginx",
    about: "Reinstall a package",
    needs: Needs::Lock,
    asks_repos: true,
    run: |session, words| change(session, words, Words::Needed, Verb::Reinstall),
    ..Command::PLAIN
};

pub(super) const UPDATE: Command = Command {
    name: "update",
    aliases: &["upgrade", "update-to", "upgrade-to"],
    usage: "[PACKAGE|FILE.rpm...]",
    operands: Operands::all(Operand::Installed),
    options: &[
        of::<options::ChangeOptions>(),
        of::<options::Incoming>(),
        of::<options::UrlOptions>(),
        of::<options::Excludes>(),
        of::<options::SkipOptions>(),
        of::<options::Advisories>(),
    ],
    example: "update nginx",
    about: "Upgrade a package or packages on your system",
    needs: Needs::Lock,
    asks_repos: true,
    run: |session, words| match updateinfo::is_filtered(session) {
        true => security::update(session, words),
        false => change(session, words, Words::Optional, Verb::Update),
    },
    ..Command::PLAIN
};

pub(super) const DOWNGRADE: Command = Command {
    name: "downgrade",
    usage: "[PACKAGE...]",
    operands: Operands::all(Operand::Installed),
    options: INCOMING,
    example: "downgrade nginx",
    about: "Downgrade a package",
    needs: Needs::Lock,
    asks_repos: true,
    run: |session, words| change(session, words, Words::Optional, Verb::Downgrade),
    ..Command::PLAIN
};

pub(super) const DISTRO_SYNC: Command = Command {
    name: "distro-sync",
    usage: "[PACKAGE|FILE.rpm...]",
    operands: Operands::all(Operand::Installed),
    options: INCOMING,
    example: "distro-sync --assumeno",
    about: "Bring every package to the version the repositories have, up or down",
    needs: Needs::Lock,
    asks_repos: true,
    run: |session, words| change(session, words, Words::Optional, Verb::DistroSync),
    ..Command::PLAIN
};

pub(super) const ERASE: Command = Command {
    name: "erase",
    aliases: &["remove"],
    usage: "PACKAGE...",
    operands: Operands::all(Operand::Installed),
    options: &[of::<options::ChangeOptions>()],
    example: "erase nginx",
    about: "Remove a package or packages from your system",
    needs: Needs::Lock,
    run: remove,
    ..Command::PLAIN
};

pub(super) const AUTOREMOVE: Command = Command {
    name: "autoremove",
    aliases: &["autoerase"],
    usage: "[PACKAGE...]",
    operands: Operands::all(Operand::Installed),
    options: &[of::<options::ChangeOptions>()],
    example: "autoremove --assumeno",
    about: "Remove a package and its dependencies, or every dependency that nothing needs",
    needs: Needs::Lock,
    run: autoremove,
    ..Command::PLAIN
};

/// Whether a command can do without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Needed,
    Optional,
}

fn change(session: &Session<'_>, words: &[String], need: Words, verb: Verb) -> Outcome<u8> {
    require(words, need)?;
    let (packages, request) = open_for(session, words, PackageScope::Binary)?;
    perform(session, packages, verb, &request)
}

/// All packages, the files that the words name among them, and what is asked of them.
pub(super) fn open_for(
    session: &Session<'_>,
    words: &[String],
    scope: PackageScope,
) -> Outcome<(Packages, Request)> {
    let sources = session.sources(PRIMARY, Freshness::WhenExpired)?;
    let (mut packages, mut request) = open(session, sources)?;
    let (given, words) = files::split(words);
    request.files = files::add(session, &mut packages, &given, scope)?;
    request.words = words;
    Ok((packages, request))
}

/// Makes the request's words a goal, says how they were understood, and carries it out.
pub(super) fn perform(
    session: &Session<'_>,
    mut packages: Packages,
    verb: Verb,
    request: &Request,
) -> Outcome<u8> {
    let goal = goal_of(session, &mut packages, verb, request)?;
    change::perform(session, packages, &goal, request)
}

/// The goal of a request; says how its words were understood.
pub(super) fn goal_of(
    session: &Session<'_>,
    packages: &mut Packages,
    verb: Verb,
    request: &Request,
) -> Outcome<Goal> {
    let (notes, goal) = goal::of(verb, request, packages, session);
    view::notes::show(session.printer, &notes);
    goal
}

/// Erasing asks no repository: what is installed is all it needs.
fn remove(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    require(words, Words::Needed)?;
    let (keys, words): (Vec<String>, Vec<String>) =
        words.iter().cloned().partition(|word| keys::is_key(word));
    if !keys.is_empty() {
        let done = keys::remove(session, &keys)?;
        if words.is_empty() {
            return Ok(done);
        }
    }
    let (packages, request) = open(session, known_sources(session))?;
    perform(session, packages, Verb::Erase, &request.with(&words))
}

/// Repositories are only needed to tell an unknown name from one that is not installed; an
/// unreachable one must not stop a removal.
pub(super) fn known_sources(session: &Session<'_>) -> Vec<LoadedRepo> {
    if session.settings.cache_only || session.require_repos().is_err() {
        return Vec::new();
    }
    let sources = session.sources(PRIMARY, Freshness::WhenExpired);
    sources.unwrap_or_else(|failure| {
        session.printer.show_details(&failure);
        Vec::new()
    })
}

fn autoremove(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let sources = match words {
        [] => Vec::new(),
        _ => known_sources(session),
    };
    let (packages, request) = open(session, sources)?;
    perform(session, packages, Verb::Autoremove, &request.with(words))
}

pub(super) fn require(words: &[String], need: Words) -> Outcome<()> {
    if words.is_empty() && need == Words::Needed {
        return Err(Code::PACKAGE_REQUIRED.into());
    }
    Ok(())
}

/// The packages of the repositories and what the settings ask of a change, without words.
pub(super) fn open(
    session: &Session<'_>,
    sources: Vec<LoadedRepo>,
) -> Outcome<(Packages, Request)> {
    let conf_excludes = &session.settings.conf_excludes;
    if !conf_excludes.is_empty() {
        let printer = session.printer;
        printer.info("warning: The following packages are excluded from tdnf.conf:");
        for name in conf_excludes {
            printer.info(&format!("  {name}"));
        }
    }
    let mut request = request(session)?;
    let mut packages = session.packages(sources)?;
    request.auto = change::auto_installed(session)?;
    let running = change::running_kernel(session)?;
    request.running = running.iter().map(|found| found.hnum).collect();
    request.name_install_only(&mut packages)?;
    tell_idle_excludes(session, &packages);
    request.hide(&mut packages);
    Ok((packages, request))
}

/// Names what `--exclude` is about and no package is called.
pub(super) fn tell_idle_excludes(session: &Session<'_>, packages: &Packages) {
    let (settings, pool) = (&session.settings, &packages.pool);
    let given = settings.excludes.iter().skip(settings.conf_excludes.len());
    for pattern in given {
        if !pool.solvables().any(|id| pool.is_named(id, pattern)) {
            session.warn_once(&format!(
                "warning: --exclude: no package is called {pattern}"
            ));
        }
    }
}

/// What the settings ask of a change, without words.
pub(super) fn request(session: &Session<'_>) -> Outcome<Request> {
    let policy = SolverPolicy::read(&session.settings)?;
    Ok(Request::new(
        &session.settings,
        session.args.repeated(),
        policy,
    ))
}
