//! `mirror-sync status`.

use clap::Args;

use super::session::Session;
use crate::error::{EXIT_DONE, Result};
use crate::status;

/// How the mirror is: each repository, its age, its size
#[derive(Args)]
#[command(after_help = "Example: mirror-sync status --json")]
pub(super) struct StatusCommand {}

impl StatusCommand {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        let found = status::collect(&session.config, &session.layout, session.now);
        status::print(&found, session.printer);
        Ok(EXIT_DONE)
    }
}
