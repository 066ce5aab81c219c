//! `count`: how many packages there are, installed and available.

use super::Command;
use crate::error::Outcome;
use crate::session::{Freshness, PRIMARY, Session};
use crate::view::PackageCount;

pub(super) const COMMAND: Command = Command {
    name: "count",
    example: "count",
    about: "Count the packages that are installed and available",
    run,
    ..Command::PLAIN
};

fn run(session: &Session<'_>, _words: &[String]) -> Outcome<u8> {
    let packages = session.packages(session.sources(PRIMARY, Freshness::WhenExpired)?)?;
    let count = packages.pool.solvables().count();
    session.printer.show(&PackageCount(count));
    Ok(0)
}
