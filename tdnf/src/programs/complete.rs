//! What the shells complete: `tdnf __complete WORD...`, the last word being the one that is typed.
//!
//! One line per candidate, `VALUE<TAB>WHAT IT IS`; exit code 3 where a file name is wanted. The
//! candidates come from the tables of options and commands and from the metadata in the cache:
//! nothing is fetched, and whatever cannot be read just has no candidates.

use std::collections::BTreeSet;

use cli_kit::{Mode, Printer};

use crate::args::{self, Args, Group, OPTIONS, OptionSpec};
use crate::commands;
use crate::interrupt::Listener;
use crate::session::{Freshness, Needs, PRIMARY, Session};
use crate::settings::{Environment, Settings};

/// The word that asks for candidates; it is no command of the help.
pub(super) const WORD: &str = "__complete";
/// The exit code that asks the shell for file names.
const FILES: u8 = 3;
/// Candidates at most: a shell is of no use with more.
const MAX_CANDIDATES: usize = 10_000;

/// What stands in a place of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Words(&'static [&'static str]),
    Available,
    Installed,
    /// Installed and available.
    Packages,
    Repositories,
    Files,
    Nothing,
}

/// Operands of each command: words that may stand first, and what stands there else.
const OPERANDS: &[(&str, &[&str], Place)] = &[
    ("autoremove", &[], Place::Installed),
    ("check-local", &[], Place::Files),
    ("check-update", &[], Place::Installed),
    (
        "clean",
        &[
            "packages",
            "metadata",
            "dbcache",
            "plugins",
            "keys",
            "expire-cache",
            "all",
        ],
        Place::Nothing,
    ),
    ("downgrade", &[], Place::Installed),
    ("erase", &[], Place::Installed),
    (
        "history",
        &["list", "info", "init", "update", "undo", "redo", "rollback"],
        Place::Nothing,
    ),
    ("info", SCOPES, Place::Packages),
    ("install", &[], Place::Available),
    ("list", SCOPES, Place::Packages),
    ("mark", &["install", "remove"], Place::Installed),
    ("provides", &[], Place::Packages),
    ("reinstall", &[], Place::Installed),
    ("repolist", &["all", "enabled", "disabled"], Place::Nothing),
    ("repoquery", &[], Place::Packages),
    ("search", &["all"], Place::Nothing),
    ("update", &[], Place::Installed),
    (
        "updateinfo",
        &[
            "summary",
            "list",
            "info",
            "all",
            "available",
            "updates",
            "installed",
        ],
        Place::Installed,
    ),
];

const SCOPES: &[&str] = &[
    "all",
    "installed",
    "available",
    "upgrades",
    "updates",
    "downgrades",
    "extras",
    "obsoletes",
    "recent",
];

/// Prints the candidates; 3 where the shell shall complete a file name.
pub(super) fn run(words: &[String]) -> u8 {
    let printer = Printer::standard(Mode::default());
    let (current, before) = match words.split_last() {
        Some((current, before)) => (current.as_str(), before),
        None => ("", words),
    };
    match candidates(before, current, &printer) {
        Some(found) => {
            let lines = found.into_iter().take(MAX_CANDIDATES);
            let text: String = lines.map(|line| line + "\n").collect();
            printer.crit_part(&text);
            0
        }
        None => FILES,
    }
}

/// Lines for the word; none where files are wanted.
fn candidates(before: &[String], current: &str, printer: &Printer) -> Option<Vec<String>> {
    if let Some((name, value)) = current
        .split_once('=')
        .filter(|_| current.starts_with("--"))
    {
        let spec = args::find(name.trim_start_matches('-'))?;
        let found = values(value_place(spec)?, value, before, printer)?;
        return Some(
            found
                .into_iter()
                .map(|line| format!("{name}={line}"))
                .collect(),
        );
    }
    if let Some(spec) = before.last().and_then(|word| option_with_value(word)) {
        return values(value_place(spec)?, current, before, printer);
    }
    if current.starts_with('-') {
        return Some(options(current));
    }
    let typed = typed_words(before);
    let Some((command, operands)) = typed.split_first() else {
        return Some(command_names(current));
    };
    let command = commands::find(command).map_or(command.as_str(), |known| known.name);
    if command == "help" {
        return Some(command_names(current));
    }
    let Some((_, first, rest)) = OPERANDS.iter().find(|(name, ..)| *name == command) else {
        return Some(Vec::new());
    };
    // A path is no name of a package.
    if current.contains('/') && *rest != Place::Nothing {
        return None;
    }
    let mut found = values(*rest, current, before, printer)?;
    if operands.is_empty() {
        found.extend(values(Place::Words(first), current, before, printer)?);
    }
    if command == "mark" && operands.is_empty() {
        return values(Place::Words(first), current, before, printer);
    }
    Some(found)
}

/// An option that takes the next word for its value.
fn option_with_value(word: &str) -> Option<&'static OptionSpec> {
    if word.contains('=') {
        return None;
    }
    let spec = match word.strip_prefix("--") {
        Some(name) => args::find(name)?,
        None => {
            let letter = word.strip_prefix('-')?.chars().last()?;
            OPTIONS.iter().find(|option| option.short == Some(letter))?
        }
    };
    spec.value.is_some().then_some(spec)
}

/// The words that are neither options nor their values.
fn typed_words(before: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    let mut is_value = false;
    for word in before {
        let takes_next = option_with_value(word).is_some();
        if !is_value && !word.starts_with('-') {
            words.push(word.clone());
        }
        is_value = takes_next && !is_value;
    }
    words
}

/// What the value of an option is; none: a file.
fn value_place(spec: &OptionSpec) -> Option<Place> {
    Some(match spec.long {
        "config" | "installroot" | "downloaddir" | "download-path" | "metadata-path" | "file" => {
            return None;
        }
        "repo" | "repoid" | "enablerepo" | "disablerepo" => Place::Repositories,
        "exclude" => Place::Packages,
        "arch" | "forcearch" => Place::Words(&["x86_64", "aarch64", "i686", "noarch", "src"]),
        "disableplugin" | "enableplugin" => Place::Words(&["tdnfmetalink", "tdnfrepogpgcheck"]),
        "rpmverbosity" => Place::Words(&[
            "emergency",
            "alert",
            "critical",
            "error",
            "warning",
            "notice",
            "info",
            "debug",
        ]),
        name if name.starts_with("what") => Place::Packages,
        _ => Place::Nothing,
    })
}

fn options(current: &str) -> Vec<String> {
    let shown = OPTIONS
        .iter()
        .filter(|option| option.group != Group::Ignored);
    let mut lines = Vec::new();
    for option in shown {
        let value = if option.value.is_some() { "=" } else { "" };
        let long = format!("--{}{value}", option.long);
        if long.starts_with(current) {
            lines.push(format!("{long}\t{}", option.help));
        }
        let short = option.short.map(|letter| format!("-{letter}"));
        if let Some(short) = short.filter(|short| short == current || current == "-") {
            lines.push(format!("{short}\t{}", option.help));
        }
    }
    lines
}

fn command_names(current: &str) -> Vec<String> {
    let names = commands::ALL.iter().flat_map(|command| {
        let names = std::iter::once(command.name).chain(command.aliases.iter().copied());
        names.map(|name| (name, command.about))
    });
    let help = [("help", "Show the help of a command")];
    let all = names
        .chain(help)
        .filter(|(name, _)| name.starts_with(current));
    all.map(|(name, about)| format!("{name}\t{about}"))
        .collect()
}

/// The values of a place that begin with `current`; none: files.
fn values(
    place: Place,
    current: &str,
    before: &[String],
    printer: &Printer,
) -> Option<Vec<String>> {
    let fits = |name: &&str| name.starts_with(current);
    Some(match place {
        Place::Files => return None,
        Place::Nothing => Vec::new(),
        Place::Words(words) => words
            .iter()
            .copied()
            .filter(fits)
            .map(str::to_owned)
            .collect(),
        Place::Repositories => with_session(before, printer, |session| {
            let repos = session.repos().ok()?;
            let repos = repos
                .into_iter()
                .filter(|repo| repo.id.starts_with(current));
            Some(
                repos
                    .map(|repo| format!("{}\t{}", repo.id, repo.name))
                    .collect(),
            )
        }),
        Place::Available | Place::Installed | Place::Packages => {
            with_session(before, printer, |session| names(session, place, current))
        }
    })
}

/// Names of packages, as the cache and the rpm database know them.
fn names(session: &Session<'_>, place: Place, current: &str) -> Option<Vec<String>> {
    let sources = match place {
        Place::Installed => Vec::new(),
        _ => session.sources(PRIMARY, Freshness::WhenExpired).ok()?,
    };
    let packages = session.packages(sources).ok()?;
    let pool = &packages.pool;
    let mut found = BTreeSet::new();
    for id in pool.solvables() {
        let name = pool.name(id);
        let wanted = place != Place::Available || !pool.is_installed(id);
        if name.starts_with(current) && wanted && pool.arch(id) != "src" {
            found.insert(name);
        }
    }
    Some(found.into_iter().map(str::to_owned).collect())
}

/// A session with the options typed so far and the cache alone.
fn with_session(
    before: &[String],
    printer: &Printer,
    ask: impl FnOnce(&Session<'_>) -> Option<Vec<String>>,
) -> Vec<String> {
    let mut listener = Listener::default();
    let open = || -> Option<Vec<String>> {
        let silent = ["tdnf", "-q", "-C", "--noplugins"].map(str::to_owned);
        // The option whose value is being typed has none yet.
        let complete = match before.last().and_then(|word| option_with_value(word)) {
            Some(_) => &before[..before.len() - 1],
            None => before,
        };
        let args: Args = args::parse(silent.into_iter().chain(complete.iter().cloned())).ok()?;
        let settings = Settings::resolve(&args, Environment::of_process()).ok()?;
        let interrupt = listener.start(printer);
        let session = Session::open(settings, &args, printer, interrupt, Needs::Nothing).ok()?;
        ask(&session)
    };
    open().unwrap_or_default()
}
