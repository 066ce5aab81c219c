//! `search` and `provides`.

use rpm_pkg::glob::glob_matches;
use rpm_solv::SelectFlags;

use super::Command;
use super::operands::{Operand, Operands};
use super::query::{RowDetail, rows, select};
use crate::error::{Code, Outcome};
use crate::goal;
use crate::session::{Freshness, PRIMARY, Session};
use crate::view::packages::{PackageMatches, PackageProviders};

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
    usage: "NAME|CAPABILITY|PATH",
    operands: Operands::all(Operand::Package),
    example: "provides /usr/sbin/nginx",
    about: "Find what package provides the given value",
    run: provides,
    ..Command::PLAIN
};

fn search(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    // The keyword `all` may stand first; it changes nothing.
    let words = match words.split_first() {
        Some((first, rest)) if first.eq_ignore_ascii_case("all") && !rest.is_empty() => rest,
        _ => words,
    };
    if words.is_empty() {
        return Err(Code::NO_SEARCH_RESULTS.into());
    }
    let packages = session.packages(session.sources(PRIMARY, Freshness::WhenExpired)?)?;
    let needles: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = packages.pool.search(&needles)?.concat();
    if found.is_empty() {
        session.printer.nothing_found(Code::NO_SEARCH_RESULTS)?;
    }
    let rows = rows(&packages, found, RowDetail::All)?;
    session.printer.show(&PackageMatches(&rows));
    Ok(0)
}

fn provides(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let word = words.first().ok_or(Code::CLI_PROVIDES_EXPECT_ARG)?;
    let mut packages = session.packages(session.sources(PRIMARY, Freshness::WhenExpired)?)?;
    let flags = SelectFlags {
        files: true,
        ..SelectFlags::USUAL
    };
    let mut found = select(session, &mut packages, word, flags)?
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
    if found.is_empty() {
        return Err(Code::NO_DATA.into());
    }
    let rows = rows(&packages, found.into_iter().rev(), RowDetail::All)?;
    session.printer.show(&PackageProviders(&rows));
    Ok(0)
}
