//! `check-installed`: is what is installed whole?

use rpm_pkg::dep::{DepGroup, Deps};
use rpm_pkg::header::{Header, tag};

use super::Command;
use crate::args::options::{self, of};
use crate::audit::{self, AuditFinding};
use crate::change;
use crate::error::{Failure, Outcome};
use crate::session::Session;
use crate::view::Findings;
use rpm_transaction::RootDir;

pub(super) const CHECK_INSTALLED: Command = Command {
    name: "check-installed",
    usage: "[--repair]",
    options: &[of::<options::Repair>()],
    example: "check-installed --repair",
    about: "Look for what an interrupted rpm left in database and folders, and repair it",
    run,
    ..Command::PLAIN
};

fn run(session: &Session<'_>, _: &[String]) -> Outcome<u8> {
    let repairs = session.args.options.repair.repair;
    let _lock = match repairs {
        true => {
            let lock = session.change_lock()?;
            change::recover(session)?;
            Some(lock)
        }
        false => None,
    };
    let findings = look(session)?;
    session.printer.show(&Findings(&findings));
    if findings.is_empty() {
        session
            .printer
            .info("Everything that is installed is intact");
        return Ok(0);
    }
    let repairable = |f: &&AuditFinding| {
        matches!(
            f,
            AuditFinding::Duplicate { .. } | AuditFinding::Leftover { .. }
        )
    };
    let count = findings.iter().filter(repairable).count();
    if !repairs {
        if count > 0 {
            let hint = format!("`tdnf check-installed --repair` repairs {count} of them");
            session.printer.info(&hint);
        }
        return Ok(1);
    }
    if count > 0 {
        session.confirm()?;
        repair(session, &findings)?;
    }
    advise(session, &findings);
    Ok(u8::from(count < findings.len()))
}

fn look(session: &Session<'_>) -> Outcome<Vec<AuditFinding>> {
    let Some(db) = session.db()? else {
        return Ok(Vec::new());
    };
    let root = RootDir::open(&session.settings.root)?;
    let side_by_side = |header: &Header| {
        let name = header.text(tag::NAME).unwrap_or_default();
        let names = &session.settings.main.installonlypkgs;
        names.iter().any(|known| known == name)
            || Deps::of(header, DepGroup::Provides)
                .any(|dep| dep.name.starts_with(b"installonlypkg("))
    };
    Ok(audit::look(&root, &db, &side_by_side)?)
}

/// Surplus records go with the files that they alone own; no scriptlet runs, because those of the
/// interrupted run may have run already.
fn repair(session: &Session<'_>, findings: &[AuditFinding]) -> Outcome<()> {
    let number = |finding: &AuditFinding| match finding {
        AuditFinding::Duplicate { number, .. } => Some(*number),
        _ => None,
    };
    let numbers: Vec<u32> = findings.iter().filter_map(number).collect();
    if !numbers.is_empty() {
        change::erase_records(session, &numbers)?;
        // The history hears of what is installed now.
        drop(change::open_history(session)?);
    }
    let location = session.db_location()?;
    let _lock = session.database_lock(&location)?;
    let root = RootDir::open(&session.settings.root)?;
    audit::remove_leftovers(&root, findings)
        .map_err(|(path, error)| Failure::io(std::path::Path::new(&path), &error))
}

/// What only a fresh copy of the package puts right.
fn advise(session: &Session<'_>, findings: &[AuditFinding]) {
    for finding in findings {
        match finding {
            AuditFinding::Incomplete { package, .. } => {
                let name = rpm_pkg::nevra::Nevra::parse(package)
                    .map_or_else(|_| package.clone(), |nevra| nevra.name);
                session
                    .printer
                    .err(&format!("`tdnf reinstall {name}` restores its files"));
            }
            AuditFinding::Database { .. } => {
                session
                    .printer
                    .err("`rpmdb --rebuilddb` rebuilds the indexes");
            }
            _ => {}
        }
    }
}
