//! `count`: how many packages there are, installed and available.

use super::{Command, Needs};
use crate::error::Outcome;
use crate::session::{Freshness, PRIMARY, Session};

pub(super) const COMMAND: Command = Command {
    name: "count",
    aliases: &[],
    usage: "",
    options: &[],
    example: "count",
    about: "Count the packages that are installed and available",
    needs: Needs::Nothing,
    run,
};

fn run(session: &Session<'_>, _words: &[String]) -> Outcome<u8> {
    let packages = session.packages(session.sources(PRIMARY, Freshness::WhenExpired)?)?;
    let count = packages.pool.solvables().count();
    session.printer.crit(&format!("Package count = {count}"));
    session.printer.json(&count);
    Ok(0)
}
