//! What a run that was stopped left behind: finished or undone, and said.

use cli_kit::Printer;

use super::database::{follow_rpm, open};
use super::record;
use crate::error::Outcome;
use crate::history::History;
use crate::interrupt::Phase;
use crate::session::Session;
use rpm_transaction::{Recovery, RootDir};

/// Finishes or undoes what an earlier run left, and says which. Nothing happens where there is
/// no journal.
pub fn recover(session: &Session<'_>) -> Outcome<()> {
    if !session.settings.root.is_dir() {
        return Ok(());
    }
    let root = RootDir::open(&session.settings.root)?;
    History::settle(&session.settings.persist_dir)?;
    if rpm_transaction::pending(&root, rpm_transaction::STATE_DIR)? {
        recover_files(session)?;
        follow_rpm(session)?;
    }
    // The lock of the database is free again: nothing else may open it while it is held.
    record::settle(session)?;
    session.go_on()
}

fn recover_files(session: &Session<'_>) -> Outcome<()> {
    let (root, db, _lock) = open(session, &[])?;
    let recovery = session.interrupt.during(Phase::Committed, || {
        rpm_transaction::recover(&root, &db, rpm_transaction::STATE_DIR)
    })?;
    if let Some(recovery) = recovery {
        say_recovery(session.printer, &recovery);
    }
    Ok(())
}

/// Says that an earlier run was interrupted; a command that only reads changes nothing about it.
pub fn say_pending(session: &Session<'_>) {
    let Ok(root) = RootDir::open(&session.settings.root) else {
        return;
    };
    if matches!(
        rpm_transaction::pending(&root, rpm_transaction::STATE_DIR),
        Ok(true)
    ) {
        session.printer.err(
            "warning: a transaction was interrupted; the next command that changes something \
             finishes or undoes it",
        );
    }
}

fn say_recovery(printer: &Printer, recovery: &Recovery) {
    let what = if recovery.finished {
        "has been finished"
    } else {
        "has been undone"
    };
    printer.err(&format!("warning: an interrupted transaction {what}"));
    for package in &recovery.installs {
        printer.err(&format!("    install {package}"));
    }
    for package in &recovery.erasures {
        printer.err(&format!("    remove {package}"));
    }
    for dir in &recovery.left {
        printer.err(&format!(
            "warning: {dir} is on a file system that the transaction wrote no files to: its owner and mode stay"
        ));
    }
    if let Some(script) = &recovery.script_interrupted {
        printer.err(&format!(
            "warning: {script} was running when it stopped; it is not run again"
        ));
    }
    for script in &recovery.scripts_missed {
        printer.err(&format!("warning: {script} did not run"));
    }
}
