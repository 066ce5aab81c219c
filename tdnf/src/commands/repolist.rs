//! `repolist [all|enabled|disabled]`.

use clap::ValueEnum;

use super::Command;
use super::operands::{self, Operand, Operands, unknown_keyword, words};
use crate::change::CMDLINE;
use crate::error::Outcome;
use crate::session::Session;
use crate::view::repos::{RepoRow, RepoTable};

pub(super) const COMMAND: Command = Command {
    name: "repolist",
    usage: "[all|enabled|disabled]",
    operands: Operands::after(words::<RepoFilter>, Operand::Nothing),
    example: "repolist all",
    about: "Display the configured software repositories",
    run,
    ..Command::PLAIN
};

/// Which repositories are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RepoFilter {
    All,
    Enabled,
    Disabled,
}

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let filter = match words.first() {
        Some(word) => RepoFilter::from_str(word, true)
            .map_err(|_| unknown_keyword(word, &operands::words::<RepoFilter>()))?,
        None => RepoFilter::Enabled,
    };
    // That of packages on the command line comes first; it is never on.
    let mut rows = vec![RepoRow {
        id: CMDLINE.to_owned(),
        name: CMDLINE.to_owned(),
        enabled: false,
    }];
    rows.extend(session.repos()?.into_iter().map(|repo| RepoRow {
        id: repo.id,
        name: repo.name,
        enabled: repo.enabled,
    }));
    rows.retain(|row| match filter {
        RepoFilter::All => true,
        RepoFilter::Enabled => row.enabled,
        RepoFilter::Disabled => !row.enabled,
    });
    let folded = session.printer.known_width().is_some();
    session.printer.show(&RepoTable { rows, folded });
    Ok(0)
}
