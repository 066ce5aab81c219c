//! `mirror-sync status`.

use clap::Args;

use super::session::Session;
use crate::error::Result;
use crate::status;

/// How the mirror is: each repository, its state and how the last run ended, its age, its size
#[derive(Args)]
#[command(after_help = "Example: mirror-sync status --json\n\
    Exit code: 0 if all is well, 4 if some repositories need a look, 1 if all do.")]
pub(super) struct StatusCommand {}

impl StatusCommand {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        let found = status::collect(&session.config, &session.layout, session.now);
        status::print(&found, session.printer, &session.repeated);
        Ok(found.exit_code())
    }
}
