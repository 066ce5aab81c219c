//! `download`: package files into a folder; nothing is installed.

use super::change::{Words, goal_of, open_for, require};
use super::files::PackageScope;
use super::operands::{Operand, Operands};
use super::{Command, lock};
use crate::args::options::{self, of};
use crate::change;
use crate::error::Outcome;
use crate::goal::Verb;
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "download",
    usage: "PACKAGE...",
    operands: Operands::all(Operand::Available),
    options: &[
        of::<options::DownloadOptions>(),
        of::<options::Incoming>(),
        of::<options::UrlOptions>(),
        of::<options::Excludes>(),
        of::<options::SkipOptions>(),
        of::<options::LockedOptions>(),
    ],
    example: "download --destdir /srv/mirror nginx",
    about: "Download packages to a folder; nothing is installed",
    asks_repos: true,
    run,
    ..Command::PLAIN
};

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    if session.args.options.locked.locked.is_some() {
        return lock::download(session, words);
    }
    require(words, Words::Needed)?;
    let (mut packages, request) = open_for(session, words, PackageScope::Binary)?;
    let goal = goal_of(session, &mut packages, Verb::Install, &request)?;
    change::perform(session, packages, &goal, &request)
}
