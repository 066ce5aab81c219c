//! `mirror-sync sync`.

use clap::Args;

use super::sending;
use super::session::Session;
use crate::error::{EXIT_DONE, EXIT_FAILED, EXIT_NOTHING_NEW, EXIT_PARTIAL, Error, Result};
use crate::manifest::last_run;
use crate::report::RunReport;
use crate::sync::{SyncOptions, SyncRun};
use crate::{hooks, status, sync, trust, verify};

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
        let worked = session.change(&self.options, |run| {
            let done = can_sign(session).and_then(|()| sync::run(run));
            let done = done.map(|report| if dry_run { report } else { send(run, report) });
            if !dry_run && !done.as_ref().is_err_and(is_of_words) {
                return Ok(told(run, done, &session.repeated));
            }
            let report = done?;
            report.print(run.printer, &session.repeated);
            Ok((report, Ok(())))
        });
        let (report, ended) = match worked {
            Ok(worked) => worked,
            Err(error) if dry_run || is_of_words(&error) => return Err(error),
            // Nothing could be opened: what can be told is told all the same.
            Err(error) => {
                let report = RunReport::failed(session.now, &error);
                let _ = last_run::write(&session.layout, report.last_run());
                (report, Err(error))
            }
        };
        if !dry_run {
            hooks::run(&session.config.hooks, &report, session.printer);
        }
        ended.map(|()| report.exit_code)
    }
}

/// What is damaged is mended; the places on other servers follow.
fn send(run: &SyncRun<'_>, mut report: RunReport) -> RunReport {
    verify::look_again(run, &mut report);
    let mut ids: Vec<String> = report.repos.iter().map(|repo| repo.id.clone()).collect();
    let mut of_others = EXIT_NOTHING_NEW;
    if run.options.only.is_empty() {
        // Those that bundles fill: a place may have been away when one was applied.
        let others = run.config.repo.keys().filter(|id| !ids.contains(id));
        let others: Vec<String> = others.cloned().collect();
        of_others = sending::send_and_tell(run, &others, EXIT_NOTHING_NEW);
    }
    let expired = report.repos.iter().filter(|repo| !repo.expired.is_empty());
    let expired: Vec<String> = expired.map(|repo| repo.id.clone()).collect();
    ids.retain(|id| run.layout.state(id).is_dir());
    for (id, targets) in sending::send(run, &ids, run.options.force) {
        if let Some(repo) = report.repos.iter_mut().find(|repo| repo.id == id) {
            repo.targets = targets;
        }
    }
    sending::clean(run, &expired);
    report.judge();
    report.exit_code = match (report.exit_code, of_others) {
        (EXIT_NOTHING_NEW, other) => other,
        (EXIT_DONE, EXIT_PARTIAL) => EXIT_PARTIAL,
        (code, _) => code,
    };
    report
}

/// Whether what was typed is wrong, or another run is at work: then no run has failed.
fn is_of_words(error: &Error) -> bool {
    matches!(error, Error::Usage(_) | Error::Busy { .. })
}

/// Before anything is fetched that could not be signed.
fn can_sign(session: &Session<'_>) -> Result<()> {
    let key = session.config.mirror.sign_key.as_ref();
    key.map_or(Ok(()), |key| {
        trust::signing_key(key)
            .map(drop)
            .map_err(|error| Error::Config {
                place: "mirror.sign_key".to_owned(),
                what: error.to_string(),
            })
    })
}

/// Writes down how a run ended, publishes the pages, prints the report.
fn told(run: &SyncRun<'_>, done: Result<RunReport>, repeated: &str) -> (RunReport, Result<()>) {
    let (mut report, ended) = match done {
        Ok(report) => (report, Ok(())),
        Err(error) => (RunReport::failed(run.now, &error), Err(error)),
    };
    let write = |report: &RunReport| last_run::write(&run.layout, report.last_run());
    let unwritten = write(&report).err();
    let faults = status::publish_pages(&run.publisher());
    let faults = unwritten.into_iter().chain(faults);
    // Unless the report of its repository has said it.
    let mut faults = faults.map(|fault| fault.to_string()).filter(|fault| {
        let mut told = report.repos.iter().map(|repo| repo.error.as_deref());
        !told.any(|error| error == Some(fault.as_str()))
    });
    if let Some(first) = faults.next() {
        let rest: Vec<String> = faults.collect();
        if [EXIT_DONE, EXIT_NOTHING_NEW].contains(&report.exit_code) {
            report.exit_code = EXIT_FAILED;
        }
        for fault in rest {
            run.printer.err(&format!("Error: {fault}"));
        }
        match ended {
            Ok(()) => report.error = Some(first),
            Err(_) => run.printer.err(&format!("Error: {first}")),
        }
        // It was said above if this cannot be written.
        let _ = write(&report);
    }
    if ended.is_ok() {
        report.print(run.printer, repeated);
    }
    (report, ended)
}
