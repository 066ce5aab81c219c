//! `makecache`: fetches the metadata of all repositories that are on.

use super::{Command, Needs};
use crate::error::Outcome;
use crate::session::{Freshness, PRIMARY, Session};

pub(super) const COMMAND: Command = Command {
    name: "makecache",
    aliases: &[],
    usage: "",
    about: "Generate the metadata cache",
    needs: Needs::NOTHING,
    run,
};

fn run(session: &Session<'_>, _words: &[String]) -> Outcome<u8> {
    session.sources(PRIMARY, Freshness::Forced)?;
    session.printer.crit("Metadata cache created.");
    Ok(0)
}
