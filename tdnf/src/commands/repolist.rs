//! `repolist [all|enabled|disabled]`.

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
    options: &[],
    example: "repolist all",
    about: "Display the configured software repositories",
    needs: Needs::Nothing,
    run,
};

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let word = words
        .first()
        .map_or_else(|| "enabled".to_owned(), |word| word.to_lowercase());
    let (on, off) = match word.as_str() {
        "all" => (true, true),
        "enabled" => (true, false),
        "disabled" => (false, true),
        _ => return Err(Code::CLI_NO_MATCH.into()),
    };
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
