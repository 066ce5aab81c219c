//! Programs of the operator, run when something has happened.

use std::io::Write;
use std::process::{Command, Stdio};

use cli_kit::Printer;

use crate::config::Hooks;
use crate::error::{EXIT_DONE, EXIT_NOTHING_NEW};
use crate::report::{RepoOutcome, RunReport};

/// Runs what the configuration names. A hook that fails is told of; it changes nothing that is
/// published.
pub(crate) fn run(hooks: &Hooks, report: &RunReport, printer: &Printer) {
    let text = serde_json::to_string(report).unwrap_or_default();
    if let Some(command) = &hooks.published {
        for repo in report
            .repos
            .iter()
            .filter(|r| r.outcome == RepoOutcome::New)
        {
            let snapshot = repo.snapshot.as_deref().unwrap_or_default();
            let about = [
                ("MIRROR_SYNC_REPO", repo.id.as_str()),
                ("MIRROR_SYNC_SNAPSHOT", snapshot),
            ];
            start("published", command, &about, &text, printer);
        }
    }
    let well = matches!(report.exit_code, EXIT_DONE | EXIT_NOTHING_NEW);
    let (name, command) = if well {
        ("success", &hooks.success)
    } else {
        ("failure", &hooks.failure)
    };
    if let Some(command) = command {
        let code = report.exit_code.to_string();
        start(
            name,
            command,
            &[("MIRROR_SYNC_EXIT", &code)],
            &text,
            printer,
        );
    }
}

fn start(name: &str, command: &str, about: &[(&str, &str)], report: &str, printer: &Printer) {
    let child = Command::new("/bin/sh")
        .args(["-c", command])
        .envs(about.iter().copied())
        .stdin(Stdio::piped())
        .spawn();
    let ended = child.and_then(|mut child| {
        if let Some(mut input) = child.stdin.take() {
            // A hook need not read it.
            let _ = input.write_all(report.as_bytes());
        }
        child.wait()
    });
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => printer.err(&format!("warning: hook {name}: {status}")),
        Err(error) => printer.err(&format!("warning: hook {name}: cannot run: {error}")),
    }
}
