//! `mirror-sync sync`.

use clap::Args;

use super::session::Session;
use crate::error::{EXIT_DONE, EXIT_FAILED, EXIT_NOTHING_NEW, Error, Result};
use crate::report::RunReport;
use crate::sync::{SyncOptions, SyncRun};
use crate::{hooks, status, sync, trust};

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
        if let Some(key) = &session.config.mirror.sign_key {
            // Before anything is fetched that could not be signed.
            trust::signing_key(key).map_err(|error| Error::Config {
                place: "mirror.sign_key".to_owned(),
                what: error.to_string(),
            })?;
        }
        let report = session.change(&self.options, |run| {
            let mut report = sync::run(run)?;
            report.print(run.printer, &session.repeated);
            if !dry_run {
                tell_world(run, &mut report);
            }
            Ok(report)
        })?;
        if !dry_run {
            hooks::run(&session.config.hooks, &report, session.printer);
        }
        Ok(report.exit_code)
    }
}

/// Publishes the pages. What keeps one from being there is said, unless the report of its repository has said it.
fn tell_world(run: &SyncRun<'_>, report: &mut RunReport) {
    for fault in status::publish_pages(&run.publisher()) {
        let fault = fault.to_string();
        let is_told = |error: &Option<String>| error.as_deref() == Some(fault.as_str());
        if report.repos.iter().any(|repo| is_told(&repo.error)) {
            continue;
        }
        run.printer.err(&format!("Error: {fault}"));
        if [EXIT_DONE, EXIT_NOTHING_NEW].contains(&report.exit_code) {
            report.exit_code = EXIT_FAILED;
        }
    }
}
