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
    #[command(flatten)]
    options: SyncOptions,
}

impl SyncCommand {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        let dry_run = self.options.dry_run;
        let report = session.change(&self.options, |run| {
            let report = sync::run(run)?;
            report.print(run.printer);
            if !dry_run {
                status::publish_pages(&run.publisher())?;
            }
            Ok(report)
        })?;
        if !dry_run {
            hooks::run(&session.config.hooks, &report, session.printer);
        }
        Ok(report.exit_code)
    }
}
