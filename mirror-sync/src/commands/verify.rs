//! `mirror-sync verify`.

use clap::Args;

use super::session::Session;
use crate::error::Result;
use crate::sync::SyncOptions;
use crate::{status, verify};

/// Reads every published file again; finds flipped bits
#[derive(Args)]
#[command(after_help = "Example: mirror-sync verify --no-repair base\n\
    Exit codes: 0 nothing is damaged, 5 all that was is mended, 6 damage is left.")]
pub(super) struct Verify {
    /// Repositories; all if none is named
    #[arg(value_name = "REPO")]
    repos: Vec<String>,
    /// Only tells; otherwise what is damaged is fetched again, and only that
    #[arg(long)]
    no_repair: bool,
}

impl Verify {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        let repair = !self.no_repair;
        session.layout.require()?;
        session.change(&SyncOptions::default(), |run| {
            let ids = session.repositories(&self.repos)?;
            let found = verify::verify(run, &ids, repair)?;
            found.print(run.printer);
            for fault in status::publish_pages(&run.publisher()) {
                run.printer.err(&format!("warning: {fault}"));
            }
            Ok(found.exit_code(repair))
        })
    }
}
