//! `mirror-sync sync`.

use clap::Args;

use super::session::Session;
use crate::error::Result;
use crate::sync::SyncOptions;
use crate::{hooks, status, sync};

/// Brings the mirror up to date and publishes what is whole
#[derive(Args)]
#[command(after_help = "Example: mirror-sync sync --wait 10m base updates")]
pub(super) struct SyncCommand {
    /// Repositories; all if none is named
    #[arg(value_name = "REPO")]
    repos: Vec<String>,
    /// Only tells what would be fetched and changed, in bytes and time
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Lets more packages go than the delete guard allows
    #[arg(long)]
    allow_delete: bool,
    /// Takes metadata older than seen before
    #[arg(long)]
    allow_older: bool,
    /// Makes a new snapshot although nothing is new
    #[arg(long)]
    force: bool,
}

impl SyncCommand {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        let options = SyncOptions {
            only: self.repos.clone(),
            dry_run: self.dry_run,
            allow_delete: self.allow_delete,
            allow_older: self.allow_older,
            force: self.force,
        };
        let report = session.change(&options, |run| {
            let report = sync::run(run)?;
            report.print(run.printer);
            if !self.dry_run {
                status::publish_pages(&run.publisher())?;
            }
            Ok(report)
        })?;
        if !self.dry_run {
            hooks::run(&session.config.hooks, &report, session.printer);
        }
        Ok(report.exit_code)
    }
}
