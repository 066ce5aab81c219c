//! `search` and `provides`.

use std::collections::BTreeMap;

use rpm_catalog::Reach;
use rpm_pkg::glob::glob_matches;
use rpm_solv::{SelectFlags, SolvableId};

use super::Command;
use super::operands::{Operand, Operands};
use super::query::{RowDetail, rows, select};
use crate::error::{Code, Failure, Outcome};
use crate::goal;
use crate::session::{Freshness, PRIMARY, Packages, Session};
use crate::view::packages::{PackageMatches, PackageProviders, PackageRow};

pub(super) const SEARCH: Command = Command {
    name: "search",
    usage: "STRING...",
    operands: Operands::after(|| vec!["all".to_owned()], Operand::Text),
    example: "search nginx",
    about: "Search package details for the given string",
    run: search,
    ..Command::PLAIN
};

pub(super) const PROVIDES: Command = Command {
    name: "provides",
    aliases: &["whatprovides"],
    usage: "NAME|CAPABILITY|PATH...",
    operands: Operands::all(Operand::Package),
    example: "provides /usr/sbin/nginx",
    about: "Find what package provides the given value",
    run: provides,
    ..Command::PLAIN
};

/// How `provides` understands a word.
const PROVIDERS: SelectFlags = SelectFlags {
    files: true,
    ..SelectFlags::USUAL
};

fn search(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    // The keyword `all` may stand first; it changes nothing.
    let words = match words.split_first() {
        Some((first, rest)) if first.eq_ignore_ascii_case("all") && !rest.is_empty() => rest,
        _ => words,
    };
    if words.is_empty() {
        let line = "search: a word to look for is needed";
        return Err(Failure::because(Code::NO_SEARCH_RESULTS, line));
    }
    let packages = session.packages(session.sources(PRIMARY, Freshness::WhenExpired)?)?;
    let needles: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut found = packages.pool.search(&needles)?.concat();
    let left_out = packages.left_out_by(&found);
    found.retain(|id| !packages.is_left_out(*id));
    if found.is_empty() {
        session.printer.show(&PackageMatches(&[]));
        left_out.iter().for_each(|line| session.printer.err(line));
        let failure = Failure::new(Code::NO_SEARCH_RESULTS);
        let words = words.join(" ");
        let line = format!("no package has {words} in its name, summary or description");
        session.printer.nothing_found(match left_out {
            Some(_) => failure,
            None => failure.detail(line),
        })?;
        return Ok(0);
    }
    let found = newest_of_each_name(&packages, found);
    let mut rows = rows(&packages, found, RowDetail::All)?;
    rows.sort_by_cached_key(|row| rank(row, words));
    session.printer.show(&PackageMatches(&rows));
    Ok(0)
}

/// A package is shown once, whatever versions of it are installed and in repositories.
fn newest_of_each_name(packages: &Packages, found: Vec<SolvableId>) -> Vec<SolvableId> {
    let pool = &packages.pool;
    let mut newest: BTreeMap<&str, SolvableId> = BTreeMap::new();
    for id in found {
        let best = newest.entry(pool.name(id)).or_insert(id);
        if pool.compare_versions(id, *best).is_gt() {
            *best = id;
        }
    }
    newest.into_values().collect()
}

/// What is shown first has the least rank: a name that is one of the words, then what fits more of
/// the words or fits them better (in the name, the summary, the description), then by name.
fn rank(row: &PackageRow, words: &[String]) -> (bool, usize, String) {
    let texts = [&row.id.name, &row.summary, &row.description].map(|text| text.to_lowercase());
    let place = |word: &String| {
        let word = word.to_lowercase();
        match texts[0] == word {
            true => 0,
            false => {
                1 + texts
                    .iter()
                    .take_while(|text| !text.contains(&word))
                    .count()
            }
        }
    };
    let places: Vec<usize> = words.iter().map(place).collect();
    let is_named = places.contains(&0);
    (!is_named, places.iter().sum(), row.id.name.clone())
}

fn provides(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    if words.is_empty() {
        return Err(Code::CLI_PROVIDES_EXPECT_ARG.into());
    }
    let sources = session.sources(PRIMARY, Freshness::WhenExpired)?;
    let mut packages = session.packages_within(sources, Reach::Words(words, PROVIDERS))?;
    let mut all = Vec::new();
    for word in words {
        let mut found = providers(session, &mut packages, word)?;
        let left_out = packages.left_out_by(&found);
        found.retain(|id| !packages.is_left_out(*id));
        if found.is_empty() {
            let nothing = || format!("nothing provides {word}");
            let line = left_out.unwrap_or_else(nothing);
            session.printer.note(&line);
            session.printer.err(&line);
        }
        all.extend(found.into_iter().rev());
    }
    if all.is_empty() {
        session.printer.show(&PackageProviders(&[]));
        return Err(Code::NO_DATA.into());
    }
    let rows = rows(&packages, all, RowDetail::All)?;
    session.printer.show(&PackageProviders(&rows));
    Ok(0)
}

/// The packages that provide a capability or hold a path, or are called so.
fn providers(
    session: &Session<'_>,
    packages: &mut Packages,
    word: &str,
) -> Outcome<Vec<SolvableId>> {
    let mut found = select(session, packages, word, PROVIDERS)?
        .solvables()
        .to_vec();
    if found.is_empty() && (word.contains('/') || word.starts_with('*')) {
        found = if goal::is_glob(word) {
            packages.owners_of(session, &|path| glob_matches(word, path))?
        } else {
            packages.owners_of_path(session, word)?
        };
        if !found.is_empty() {
            session
                .printer
                .info(&format!("[using file list match for '{word}']"));
        }
    }
    Ok(found)
}
