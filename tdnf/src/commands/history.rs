//! `history`: what was done, and doing it backwards or again.

use std::collections::BTreeSet;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::Command;
use super::change::request;
use super::operands::{Operand, Operands, unknown_keyword, words as keyword_names};
use crate::args::options::{self, of};
use crate::change;
use crate::error::{Code, Failure, Outcome};
use crate::goal::{self, Goal};
use crate::history::{Flags, History, HistoryEntry};
use crate::session::{Freshness, PRIMARY, Packages, Session};
use crate::view::history::Transactions;

pub(super) const COMMAND: Command = Command {
    name: "history",
    usage: "[list|info|init|update|undo|redo|rollback] [FROM[-TO]|last]",
    operands: Operands::after(keyword_names::<HistoryVerb>, Operand::Text),
    options: &[
        of::<options::ChangeOptions>(),
        of::<options::Incoming>(),
        of::<options::Excludes>(),
        of::<options::SkipOptions>(),
        of::<options::Detail>(),
        of::<options::Range>(),
    ],
    example: "history undo 2",
    about: "Show past transactions, undo or repeat them",
    run,
    ..Command::PLAIN
};

/// What is done with the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HistoryVerb {
    List,
    Info,
    Init,
    Update,
    Undo,
    Redo,
    Rollback,
}

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let (word, rest) = match words.split_first() {
        Some((first, rest)) => (first.as_str(), rest),
        None => ("list", words),
    };
    match HistoryVerb::from_str(word, false) {
        Ok(HistoryVerb::Init | HistoryVerb::Update) => {
            if !rest.is_empty() {
                let surplus = rest.join(" ");
                let line = format!("history {word} takes nothing: {surplus} is more");
                return Err(Failure::invalid(line));
            }
            let _lock = session.change_lock()?;
            change::recover(session)?;
            change::open_history(session)?;
            Ok(0)
        }
        Ok(verb @ (HistoryVerb::Undo | HistoryVerb::Redo | HistoryVerb::Rollback)) => {
            if let [_, surplus @ ..] = rest
                && !surplus.is_empty()
            {
                let surplus = surplus.join(" ");
                let line = format!("history {word} takes one transaction: {surplus} is more");
                let failure = Failure::invalid(line);
                return Err(match verb {
                    HistoryVerb::Rollback => failure,
                    _ => failure.hint("several in a row are FROM-TO"),
                });
            }
            let _lock = session.change_lock()?;
            change::recover(session)?;
            travel(session, verb, rest)
        }
        Ok(HistoryVerb::Info) => list(session, rest, HistoryDetail::Everything),
        Ok(HistoryVerb::List) => list(session, rest, HistoryDetail::of(session)),
        // A number alone is a range.
        Err(_) if word.starts_with(|c: char| c.is_ascii_digit()) || word == LAST => {
            list(session, words, HistoryDetail::of(session))
        }
        Err(_) => Err(unknown(word)),
    }
}

/// For a word that is neither a verb nor a number.
fn unknown(word: &str) -> Failure {
    let failure = unknown_keyword(word, &keyword_names::<HistoryVerb>());
    match word {
        "userinstalled" => {
            failure.hint("`tdnf repoquery --userinstalled` lists what was asked for")
        }
        _ => failure,
    }
}

/// The word for the newest transaction.
const LAST: &str = "last";

/// Numbers of transactions, both inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TransactionRange {
    from: i64,
    to: i64,
}

impl TransactionRange {
    /// `FROM[-TO]`, or `--from` and `--to`; each may be `last`.
    fn of(
        session: &Session<'_>,
        word: Option<&String>,
        entries: &[HistoryEntry],
    ) -> Outcome<Option<Self>> {
        let number = |text: &str| {
            if text == LAST {
                return Ok(newest(entries));
            }
            let parsed = text.parse::<i64>().ok().filter(|number| *number >= 0);
            parsed.ok_or_else(|| {
                let line = format!("'{text}' is not the number of a transaction, nor 'last'");
                Failure::invalid(line)
            })
        };
        let given = &session.args.options.range;
        let option = |text: &Option<String>| text.as_deref().map(number).transpose();
        let (mut from, mut to) = (option(&given.from)?, option(&given.to)?);
        if let Some(word) = word {
            match word.split_once('-') {
                Some((first, last)) => (from, to) = (Some(number(first)?), Some(number(last)?)),
                None => from = Some(number(word)?),
            }
        }
        let range = match (from, to) {
            (None, None) => return Ok(None),
            (Some(from), None) => Self { from, to: from },
            (from, Some(to)) => Self {
                from: from.unwrap_or(1),
                to,
            },
        };
        if range.from > range.to {
            return Err(Failure::invalid(format!(
                "{} comes after {}",
                range.from, range.to
            )));
        }
        Ok(Some(range))
    }
}

/// How much of each transaction is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HistoryDetail {
    /// A row.
    Rows,
    /// And what came and went: `--info`, in the form that scripts know.
    Packages,
    /// And the transactions that failed: `history info`.
    Everything,
}

impl HistoryDetail {
    fn of(session: &Session<'_>) -> Self {
        match session.args.options.detail.info {
            true => Self::Packages,
            false => Self::Rows,
        }
    }
}

fn list(session: &Session<'_>, words: &[String], shown: HistoryDetail) -> Outcome<u8> {
    let Some(history) = History::open_read(&session.settings.persist_dir)? else {
        session.printer.err("no transaction has been recorded yet");
        if session.printer.mode().json {
            session.printer.show(&Transactions::default());
        }
        return Ok(0);
    };
    let mut entries = history.entries()?;
    let given = words.iter().map(Some);
    let none = words.is_empty().then_some(None);
    let mut ranges = Vec::new();
    for word in given.chain(none) {
        let Some(range) = TransactionRange::of(session, word, &entries)? else {
            continue;
        };
        if range.to < 1 {
            return Err(Failure::invalid(NO_EARLIER));
        }
        known(range.from, &entries)?;
        ranges.push(range.from..=range.to);
    }
    let inside = |id: i64| ranges.is_empty() || ranges.iter().any(|range| range.contains(&id));
    entries.retain(|entry| inside(entry.id));
    let mut failures = match shown {
        HistoryDetail::Everything => history.failures()?,
        _ => Vec::new(),
    };
    failures.retain(|failed| inside(failed.after));
    if session.args.options.range.reverse {
        entries.reverse();
        failures.reverse();
    }
    session.printer.show(&Transactions {
        done: &entries,
        failed: &failures,
        info: shown != HistoryDetail::Rows,
        folded: session.printer.known_width().is_some(),
    });
    Ok(0)
}

/// Brings the system from one recorded state to another.
fn travel(session: &Session<'_>, verb: HistoryVerb, words: &[String]) -> Outcome<u8> {
    let history = change::open_history(session)?;
    let entries = history.entries()?;
    let (before, after, flags) = states(session, verb, words, &history, &entries)?;
    let mut packages = session.packages(session.sources(PRIMARY, Freshness::WhenExpired)?)?;
    let mut request = request(session)?;
    request.name_install_only(&mut packages)?;
    request.hide(&mut packages);
    let is_package = |nevra: &&String| !nevra.starts_with("gpg-pubkey-");
    let wanted: Vec<&String> = after.difference(&before).filter(is_package).collect();
    let unwanted: Vec<&String> = before.difference(&after).filter(is_package).collect();
    let mut goal = goal_of(&mut packages, &wanted, &unwanted)?;
    let line = &session.settings.command_line;
    let now = session.settings.environment.now;
    let current = history.flags_at(newest(&entries))?;
    let changed: Flags = flags
        .into_iter()
        .filter(|(name, value)| current.get(name).copied().unwrap_or(0) != *value)
        .collect();
    if goal.jobs.is_empty() {
        if changed.is_empty() {
            session
                .printer
                .err("all packages are as they would be afterwards");
            return Err(Code::CLI_NOTHING_TO_DO.into());
        }
        session.confirm()?;
        // As C tdnf says it; nothing but marks changes.
        session.printer.info("Testing transaction");
        session.printer.info("Running transaction");
        history.set_flags(&changed, line, now)?;
        return Ok(0);
    }
    drop(history);
    goal.marks = changed;
    request.auto = change::auto_installed(session)?;
    change::perform(session, packages, &goal, &request)
}

/// What is said of numbers that no transaction can have.
const NO_EARLIER: &str = "the first transaction is 1";

/// The number of the newest transaction; 0 if there is none.
fn newest(entries: &[HistoryEntry]) -> i64 {
    entries.last().map_or(0, |entry| entry.id)
}

/// The number of the newest transaction; an error if there is none of this number.
fn known(number: i64, entries: &[HistoryEntry]) -> Outcome<i64> {
    let newest = newest(entries);
    if number > newest {
        let line = format!("there is no transaction {number}: the newest is {newest}");
        return Err(Failure::invalid(line));
    }
    Ok(newest)
}

type States = (BTreeSet<String>, BTreeSet<String>, Flags);

/// The state to leave, the state to reach, and the marks that belong to the latter.
fn states(
    session: &Session<'_>,
    verb: HistoryVerb,
    words: &[String],
    history: &History,
    entries: &[HistoryEntry],
) -> Outcome<States> {
    let range = TransactionRange::of(session, words.first(), entries)?.ok_or_else(|| {
        let named = verb.to_possible_value();
        let word = named.as_ref().map_or("", PossibleValue::get_name);
        Failure::invalid(format!("history {word} needs the number of a transaction"))
    })?;
    let newest = known(range.from.max(range.to), entries)?;
    let at = |id: i64| history.state_at(id).map_err(Failure::from);
    if verb == HistoryVerb::Rollback {
        let to = match session.args.options.range.to {
            Some(_) => range.to,
            None => range.from,
        };
        if to < 1 {
            return Err(Failure::invalid(NO_EARLIER));
        }
        if words.first().is_some_and(|word| word.contains('-')) {
            let line = "history rollback goes back to one transaction, not to a range";
            return Err(Failure::invalid(line));
        }
        return Ok((at(newest)?, at(to)?, marks(history, newest, to)?));
    }
    if range.from < 2 {
        let line = "the first transaction that can be undone is 2";
        return Err(Failure::invalid(line));
    }
    let before = range.from - 1;
    let (from, to) = match verb {
        HistoryVerb::Undo => (range.to, before),
        _ => (before, range.to),
    };
    Ok((at(from)?, at(to)?, marks(history, from, to)?))
}

/// The marks that differ between two states, as they are in the second; names that only have one
/// in the first get the default.
fn marks(history: &History, from: i64, to: i64) -> Outcome<Flags> {
    let there = history.flags_at(to)?;
    let here = history.flags_at(from)?;
    let names = here.keys().chain(there.keys());
    let value = |flags: &Flags, name: &String| flags.get(name).copied().unwrap_or(0);
    let differing = names.filter(|name| value(&here, name) != value(&there, name));
    let marks = differing.map(|name| (name.clone(), value(&there, name)));
    Ok(marks.collect())
}

/// Installs and removals by full name. What no repository has is named before anything changes.
fn goal_of(packages: &mut Packages, wanted: &[&String], unwanted: &[&String]) -> Outcome<Goal> {
    let mut goal = Goal::default();
    let mut missing = Vec::new();
    let names = goal::Names::of(packages);
    for nevra in wanted {
        match names.find(packages, nevra) {
            goal::Exact::Installed(_) => {}
            goal::Exact::Available(id) => goal.want_exactly(packages, id),
            goal::Exact::Missing => missing.push((*nevra).clone()),
        }
    }
    if !missing.is_empty() {
        let first =
            Failure::new(Code::NO_MATCH).detail("The following packages could not be resolved:");
        let missing = missing.iter();
        let failure = missing.fold(first, |failure, nevra| failure.detail(format!("  {nevra}")));
        return Err(failure.hint(
            "enable a repository that still has them, or name one with --repofrompath ID,URL",
        ));
    }
    for nevra in unwanted {
        if let goal::Exact::Installed(id) = names.find(packages, nevra) {
            goal.drop_exactly(packages, id);
        }
    }
    Ok(goal)
}
