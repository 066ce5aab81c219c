//! What every command that changes what clients see does at the end: the places on other servers show it, too.

use std::collections::BTreeSet;

use cli_kit::{counted, iec_size};

use crate::config::RepoMode;
use crate::error::{EXIT_DONE, EXIT_PARTIAL};
use crate::publish::{Remotes, TargetReport};
use crate::status;
use crate::sync::SyncRun;

/// Brings the places on other servers to what this mirror shows of these repositories; what became of each.
pub(super) fn send(
    run: &SyncRun<'_>,
    ids: &[String],
    again: bool,
) -> Vec<(String, Vec<TargetReport>)> {
    let remotes = run.remotes();
    let (mut all, mut changed) = (Vec::new(), BTreeSet::new());
    for id in ids {
        let proxied = run
            .config
            .repo
            .get(id)
            .is_some_and(|repo| repo.mode == RepoMode::Proxy);
        if proxied {
            continue;
        }
        let reports = remotes.send(id, again);
        for report in reports.iter().filter(|report| !report.channels.is_empty()) {
            changed.insert(report.target.clone());
            run.printer.info(&format!(
                "{id}: {} shows {} now: {}, {} sent",
                report.target,
                report.channels.join(", "),
                counted(report.sent.objects, "object"),
                iec_size(report.sent.bytes)
            ));
        }
        all.push((id.clone(), reports));
    }
    put_pages(run, &remotes, &changed);
    all
}

fn put_pages(run: &SyncRun<'_>, remotes: &Remotes<'_>, names: &BTreeSet<String>) {
    if names.is_empty() {
        return;
    }
    let status = status::collect(run.config, &run.layout, run.now);
    let pages = |section: &_| status::target_pages(run.config, &status, section);
    for fault in remotes.put(names, &pages) {
        run.printer.err(&format!("warning: {fault}"));
    }
}

/// The same for a command that has no report of repositories; its exit code, which is `nothing` where nothing was sent.
pub(super) fn send_and_tell(run: &SyncRun<'_>, ids: &[String], nothing: u8) -> u8 {
    let mut code = nothing;
    for (id, reports) in send(run, ids, false) {
        if code == nothing && reports.iter().any(TargetReport::has_sent) {
            code = EXIT_DONE;
        }
        for why in reports.iter().filter_map(|report| report.error.as_deref()) {
            run.printer.err(&format!("Error: {id}: {why}"));
            code = EXIT_PARTIAL;
        }
    }
    code
}

/// Removes from the places on other servers what this mirror does not keep any more.
pub(super) fn clean(run: &SyncRun<'_>, ids: &[String]) {
    let remotes = run.remotes();
    for id in ids {
        let faults = remotes.clean(id).unwrap_or_else(|error| vec![error]);
        for fault in faults {
            run.printer.err(&format!("warning: {id}: {fault}"));
        }
    }
}
