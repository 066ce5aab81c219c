//! `repolist [all|enabled|disabled]`.

use clap::ValueEnum;

use super::operands::{Operand, Operands, words};
use super::{Command, Needs};
use crate::error::{Code, Outcome};
use crate::session::Session;
use crate::view::repos::{RepoRow, RepoTable};

/// The pseudo repository of packages on the command line; never on.
const CMDLINE: &str = "@cmdline";

pub(super) const COMMAND: Command = Command {
    name: "repolist",
    aliases: &[],
    usage: "[all|enabled|disabled]",
    operands: Operands::after(words::<RepoFilter>, Operand::Nothing),
    options: &[],
    example: "repolist all",
    about: "Display the configured software repositories",
    needs: Needs::Nothing,
    run,
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
        Some(word) => RepoFilter::from_str(word, true).map_err(|_| Code::CLI_NO_MATCH)?,
        None => RepoFilter::Enabled,
    };
    let (on, off) = (
        filter != RepoFilter::Disabled,
        filter != RepoFilter::Enabled,
    );
    let mut rows = Vec::new();
    if off {
        let (id, name) = (CMDLINE.to_owned(), CMDLINE.to_owned());
        rows.push(RepoRow {
            id,
            name,
            enabled: false,
        });
    }
    for repo in session.repos()? {
        if if repo.enabled { on } else { off } {
            rows.push(RepoRow {
                id: repo.id,
                name: repo.name,
                enabled: repo.enabled,
            });
        }
    }
    session.printer.show(&RepoTable(rows));
    Ok(0)
}
