//! `makecache`: fetches the metadata of all repositories that are on, and makes of it what later runs
//! read instead.

use super::Command;
use crate::error::{Code, Outcome};
use crate::session::{Freshness, Session};

/// All parts that some command reads; `skip_md_*` leaves parts out.
const PARTS: &[&str] = &["primary", "filelists", "updateinfo", "other"];

pub(super) const COMMAND: Command = Command {
    name: "makecache",
    example: "makecache",
    about: "Generate the metadata cache",
    run,
    asks_repos: true,
    never_dry: true,
    ..Command::PLAIN
};

fn run(session: &Session<'_>, _words: &[String]) -> Outcome<u8> {
    let sources = session.sources(PARTS, Freshness::Forced)?;
    let unread = session.left_out_repos();
    if sources.is_empty() && !unread.is_empty() {
        let unread = unread.join(", ");
        session.printer.err(&format!(
            "warning: no metadata cache: none of the repositories could be read ({unread})"
        ));
        return Ok(0);
    }
    if sources.is_empty() {
        return Err(Code::NO_ENABLED_REPOS.into());
    }
    let sets: Vec<_> = sources.iter().map(|source| &source.set).collect();
    rpm_catalog::prepare(&sets)?;
    session.tell_doubts(&sources);
    session.printer.crit("Metadata cache created.");
    Ok(0)
}
