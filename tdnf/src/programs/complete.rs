//! What the shells complete: `tdnf __complete WORD...`, the last word being the one that is typed.
//!
//! One line per candidate, `VALUE<TAB>WHAT IT IS`; exit code 3 where a file name is wanted. The
//! candidates come from the tables of options and commands and from the metadata in the cache:
//! nothing is fetched, and whatever cannot be read just has no candidates.

use std::collections::BTreeSet;

use crate::args::{self, Args, FoundOption, OptionLookup};
use crate::commands;
use crate::commands::operands::{Operand, Operands};
use crate::interrupt::Listener;
use crate::screen::Screen;
use crate::session::{Freshness, Needs, PRIMARY, Session};
use crate::settings::{Environment, Settings};

/// The word that asks for candidates; it is no command of the help.
pub(super) const WORD: &str = "__complete";
/// The exit code that asks the shell for file names.
const FILES: u8 = 3;
/// Candidates at most: a shell is of no use with more.
const MAX_CANDIDATES: usize = 10_000;

/// What the values of options are, by the names that the help gives them.
const VALUES: &[(&str, Operand)] = &[
    (
        "ARCH",
        Operand::Words(&["x86_64", "aarch64", "i686", "noarch", "src"]),
    ),
    ("CAP,..", Operand::Package),
    ("DIR", Operand::File),
    ("FILE", Operand::File),
    ("FORMAT", Operand::Text),
    (
        "GLOB",
        Operand::Words(&["tdnfmetalink", "tdnfrepogpgcheck"]),
    ),
    ("ID", Operand::Text),
    ("ID,DIR", Operand::Text),
    ("ID,URL", Operand::Text),
    ("IMAGE", Operand::Text),
    ("KEY=VALUE", Operand::Text),
    ("KIND[:FILE]", Operand::Words(&["spdx", "cyclonedx"])),
    ("LEVEL", Operand::Words(&crate::settings::VERBOSITIES)),
    ("MACRO", Operand::Text),
    ("N", Operand::Text),
    ("NAME,..", Operand::Package),
    ("NAME=VALUE", Operand::Text),
    ("NAME[:UID]", Operand::Text),
    ("NUMBER", Operand::Text),
    ("PATH", Operand::File),
    ("PORT", Operand::Text),
    ("REPO,..", Operand::Repository),
    ("SECONDS", Operand::Text),
    (
        "TARGET",
        Operand::Words(&["oci:", "oci-archive:", "docker-archive:", "tar:", "dir:"]),
    ),
    ("USER", Operand::Text),
    ("VERSION", Operand::Text),
    ("WORD", Operand::Text),
];

/// Prints the candidates; 3 where the shell is to complete a file name.
pub(super) fn run(words: &[String]) -> u8 {
    let printer = Screen::plain();
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
fn candidates(before: &[String], current: &str, printer: &Screen) -> Option<Vec<String>> {
    let options = OptionLookup::new();
    let pair = current.split_once('=');
    if let Some((name, value)) = pair.filter(|_| current.starts_with("--")) {
        let option = options.by_name(name.trim_start_matches('-'))?;
        let found = values(value_kind(option)?, value, before, printer)?;
        let lines = found.into_iter().map(|line| format!("{name}={line}"));
        return Some(lines.collect());
    }
    let waiting = before.last().and_then(|word| with_value(&options, word));
    if let Some(option) = waiting {
        return values(value_kind(option)?, current, before, printer);
    }
    if current.starts_with('-') {
        return Some(option_names(&options, current));
    }
    let typed = typed_words(&options, before);
    let (command, operands) = match typed.split_first() {
        Some((command, operands)) if command != "help" => (command, operands),
        _ => return Some(command_names(current)),
    };
    let Some(command) = commands::find(command) else {
        return Some(Vec::new());
    };
    let Operands {
        keywords,
        keyword_needed,
        rest,
    } = command.operands;
    let is_first = operands.is_empty();
    // A path is no name of a package.
    if current.contains('/') && !matches!(rest, Operand::Text | Operand::Nothing) {
        return None;
    }
    let mut found = match is_first && keyword_needed {
        true => Vec::new(),
        false => values(rest, current, before, printer)?,
    };
    if is_first {
        let fits = |word: &String| word.starts_with(current);
        found.extend(keywords().into_iter().filter(fits));
    }
    Some(found)
}

/// An option that takes the next word for its value.
fn with_value<'d>(options: &'d OptionLookup, word: &str) -> Option<FoundOption<'d>> {
    if word.contains('=') {
        return None;
    }
    let option = match word.strip_prefix("--") {
        Some(name) => options.by_name(name)?,
        None => options.by_letter(word.strip_prefix('-')?.chars().last()?)?,
    };
    option.takes_value().then_some(option)
}

/// The words that are neither options nor their values.
fn typed_words(options: &OptionLookup, before: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    let mut is_value = false;
    for word in before {
        let takes_next = with_value(options, word).is_some();
        if !is_value && !word.starts_with('-') {
            words.push(word.clone());
        }
        is_value = takes_next && !is_value;
    }
    words
}

/// What the value of an option is, by what the help calls it; none: a file.
fn value_kind(found: FoundOption<'_>) -> Option<Operand> {
    let name = found
        .option
        .get_value_names()
        .and_then(|names| names.first());
    let name = name.map_or("", |name| name.as_str());
    let known = VALUES.iter().find(|(known, _)| *known == name);
    let kind = known.map_or(Operand::Text, |(_, kind)| *kind);
    Some(kind).filter(|kind| *kind != Operand::File)
}

fn option_names(options: &OptionLookup, current: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for found in options.all().filter(|found| !found.option.is_hide_set()) {
        let option = found.option;
        let help = option.get_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let value = if found.takes_value() { "=" } else { "" };
        let long = option.get_long().map(|long| format!("--{long}{value}"));
        if let Some(long) = long.filter(|long| long.starts_with(current)) {
            lines.push(format!("{long}\t{help}"));
        }
        let short = option.get_short().map(|letter| format!("-{letter}"));
        if let Some(short) = short.filter(|short| short == current || current == "-") {
            lines.push(format!("{short}\t{help}"));
        }
    }
    lines
}

fn command_names(current: &str) -> Vec<String> {
    let names = commands::ALL
        .iter()
        .flat_map(|command| command.names().map(|name| (name, command.about)));
    let help = [("help", "Show the help of a command")];
    let all = names.chain(help);
    let fitting = all.filter(|(name, _)| name.starts_with(current));
    let lines = fitting.map(|(name, about)| format!("{name}\t{about}"));
    lines.collect()
}

/// The values of a kind that begin with `current`; none: files.
fn values(
    kind: Operand,
    current: &str,
    before: &[String],
    printer: &Screen,
) -> Option<Vec<String>> {
    let fits = |name: &&str| name.starts_with(current);
    Some(match kind {
        Operand::File => return None,
        Operand::Text | Operand::Nothing => Vec::new(),
        Operand::Words(words) => {
            let fitting = words.iter().copied().filter(fits);
            fitting.map(str::to_owned).collect()
        }
        Operand::Repository => with_session(before, printer, |session| {
            let mut repos = session.repos().ok()?;
            repos.retain(|repo| repo.id.starts_with(current));
            let lines = repos
                .iter()
                .map(|repo| format!("{}\t{}", repo.id, repo.name));
            Some(lines.collect())
        }),
        Operand::Available | Operand::Installed | Operand::Package => {
            with_session(before, printer, |session| names(session, kind, current))
        }
    })
}

/// Names of packages, as the cache and the rpm database know them.
fn names(session: &Session<'_>, kind: Operand, current: &str) -> Option<Vec<String>> {
    let sources = match kind {
        Operand::Installed => Vec::new(),
        _ => session.sources(PRIMARY, Freshness::WhenExpired).ok()?,
    };
    let packages = session.packages(sources).ok()?;
    let pool = &packages.pool;
    let mut found = BTreeSet::new();
    for id in pool.solvables() {
        let name = pool.name(id);
        let wanted = kind != Operand::Available || !pool.is_installed(id);
        if name.starts_with(current) && wanted && pool.arch(id) != "src" {
            found.insert(name);
        }
    }
    Some(found.into_iter().map(str::to_owned).collect())
}

/// A session with the options typed so far and the cache alone.
fn with_session(
    before: &[String],
    printer: &Screen,
    ask: impl FnOnce(&Session<'_>) -> Option<Vec<String>>,
) -> Vec<String> {
    let mut listener = Listener::default();
    let options = OptionLookup::new();
    let open = || -> Option<Vec<String>> {
        let silent = ["tdnf", "-q", "-C", "--noplugins"].map(str::to_owned);
        // The option whose value is being typed has none yet.
        let waits = before.last().and_then(|word| with_value(&options, word));
        let complete = match waits {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of an option is called by a name of which it is known what completes it, and no
    /// name is known that no option has.
    #[test]
    fn every_value_has_a_kind() {
        let options = OptionLookup::new();
        let shown = options.all().filter(|found| !found.option.is_hide_set());
        let with_value = shown.filter(FoundOption::takes_value);
        let names = with_value.flat_map(|found| found.option.get_value_names().unwrap_or_default());
        let names: BTreeSet<&str> = names.map(|name| name.as_str()).collect();
        let known: BTreeSet<&str> = VALUES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, known);
    }

    /// The usage line of a command and its operands say the same.
    #[test]
    fn every_command_has_a_kind_of_operand() {
        for command in commands::ALL {
            let operands = &command.operands;
            let keywords = (operands.keywords)();
            let name = command.name;
            assert!(operands.keyword_needed <= !keywords.is_empty(), "{name}");
            let named: Vec<&str> = command.usage.split(['[', ']', '|', ' ']).collect();
            let mut missing = keywords
                .iter()
                .filter(|word| !named.contains(&word.as_str()));
            // Words that tdnf takes and does not tell of.
            let silent = ["updates", "all"];
            assert!(
                missing.all(|word| silent.contains(&word.as_str())),
                "{name}"
            );
            let free = named
                .iter()
                .any(|word| word.chars().any(char::is_uppercase));
            assert_eq!(
                free,
                operands.rest != Operand::Nothing,
                "{name}: {}",
                command.usage
            );
        }
    }
}
