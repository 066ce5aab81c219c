//! What the history remembers of a change.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use rpm_db::Db;
use rpm_pkg::header::{Header, tag};

use super::run::Stopped;
use crate::error::Outcome;
use crate::goal::Goal;
use crate::history::{self, Begun, Flags, History, InstalledSet};
use crate::interrupt::Phase;
use crate::plan::{ChangeReason, Plan, PlannedAction, PlannedChange};
use crate::session::{Packages, Session};
use crate::settings::{Consent, Settings};

/// Names of packages that came as dependencies, as the history knows them.
pub fn auto_installed(session: &Session<'_>) -> Outcome<BTreeSet<String>> {
    match History::open_read(&session.settings.persist_dir)? {
        Some(history) => Ok(history.auto_installed()?),
        None => Ok(BTreeSet::new()),
    }
}

/// Names and numbers of the records of the rpm database.
pub(super) type Records = Vec<(Vec<u8>, u32)>;

/// Opens the history and brings it up to what is installed now.
pub fn open_history(session: &Session<'_>) -> Outcome<History> {
    open(session).map(|(history, _)| history)
}

/// As [`open_history`], with the records that it knows. A signal must not stop it in the middle of a
/// write.
pub(super) fn open(session: &Session<'_>) -> Outcome<(History, Records)> {
    session.interrupt.during(Phase::Undoable, || {
        let history = History::open(&session.settings.persist_dir)?;
        let db = session.db()?;
        let records = db.as_ref().map_or(Ok(Vec::new()), Db::names)?;
        // Most often nothing but ourselves has changed the database.
        if !history.is_up_to(&rpm_db::cookie(&records))? {
            let installed = db.as_ref().map_or_else(|| Ok(nothing()), installed_in)?;
            history.sync(&installed, session.settings.environment.now)?;
        }
        Ok((history, records))
    })
}

/// What the history will say of a plan that has been carried out.
pub(super) fn begun(settings: &Settings, goal: &Goal, plan: &Plan) -> Begun {
    let mut flags = Flags::new();
    for change in plan.of(PlannedAction::Install) {
        let name = &change.package.name;
        if !plan.known.contains(name) {
            let auto = change.reason != ChangeReason::User;
            flags.insert(name.clone(), i64::from(auto));
        }
    }
    let asked_for = plan.promoted.iter().chain(&goal.requested);
    flags.extend(asked_for.map(|name| (name.clone(), 0)));
    flags.extend(goal.marks.clone());
    let (removed, added): (Vec<&PlannedChange>, Vec<&PlannedChange>) =
        plan.changes.iter().partition(|change| change.is_removal());
    let names = |changes: Vec<&PlannedChange>| {
        let nevras = changes.into_iter().map(|change| change.package.nevra());
        nevras.collect()
    };
    Begun {
        command_line: settings.command_line.clone(),
        now: settings.environment.now,
        flags,
        added: names(added),
        removed: names(removed),
        weak: Vec::new(),
    }
}

/// Records a transaction that did not happen; one that had not begun is forgotten.
pub(super) fn stopped(session: &Session<'_>, history: &History, stopped: &Stopped) -> Outcome<()> {
    if !stopped.begun {
        return Ok(history.drop_begun()?);
    }
    let settings = &session.settings;
    let failure = &stopped.failure;
    let reason = failure.details.last();
    let reason = reason.map_or_else(|| failure.code.text(), String::clone);
    let now = settings.environment.now;
    Ok(history.record_failure(&settings.command_line, now, &reason)?)
}

/// Records a transaction that happened; `before` are the records before it.
pub(super) fn done(
    session: &Session<'_>,
    history: &History,
    begun: &Begun,
    before: &Records,
) -> Outcome<()> {
    let Some(db) = session.db()? else {
        return Ok(history.record(begun, &nothing())?);
    };
    let after = db.names()?;
    let [before, now]: [BTreeSet<_>; 2] = [before, &after].map(|records| records.iter().collect());
    let changed = before.symmetric_difference(&now);
    let changed: BTreeSet<&[u8]> = changed.map(|(name, _)| &name[..]).collect();
    let mut installed = InstalledSet {
        cookie: rpm_db::cookie(&after),
        ..InstalledSet::default()
    };
    let records = after.iter().filter(|(name, _)| changed.contains(&name[..]));
    for (_, hnum) in records {
        installed.nevras.extend(db.get(*hnum)?.as_ref().map(nevra));
    }
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    installed.only = Some(changed.into_iter().map(text).collect());
    Ok(history.record(begun, &installed)?)
}

/// Records the transaction of a run that was killed behind its commit point, marks included. The
/// caller has finished or undone what its journal says.
pub(super) fn settle(session: &Session<'_>) -> Outcome<()> {
    let persist_dir = &session.settings.persist_dir;
    let left = match History::open_read(persist_dir)? {
        Some(history) => history.has_begun()?,
        None => false,
    };
    if left {
        let settled = History::open(persist_dir)?.settle_begun(&installed_now(session)?)?;
        if settled == history::Settled::Recorded {
            session
                .printer
                .err("warning: the history of an interrupted transaction has been completed");
        }
    }
    Ok(())
}

/// What the rpm database holds, as the history writes it.
fn installed_now(session: &Session<'_>) -> Outcome<InstalledSet> {
    match session.db()? {
        Some(db) => installed_in(&db),
        None => Ok(nothing()),
    }
}

/// What is installed where there is no database: the same as in an empty one, which a transaction that was stopped may
/// leave behind.
pub(crate) fn nothing() -> InstalledSet {
    InstalledSet {
        cookie: rpm_db::cookie(&[]),
        ..InstalledSet::default()
    }
}

/// The packages of a database, as the history writes them.
pub(crate) fn installed_in(db: &Db) -> Outcome<InstalledSet> {
    let mut nevras = BTreeSet::new();
    db.for_each(&mut |_, header| {
        nevras.insert(nevra(&header));
        ControlFlow::Continue(())
    })?;
    Ok(InstalledSet {
        nevras,
        cookie: db.cookie()?,
        only: None,
    })
}

fn nevra(header: &Header) -> String {
    let text = |tag| String::from_utf8_lossy(header.string(tag).unwrap_or_default()).into_owned();
    let epoch = header
        .u32(tag::EPOCH)
        .map_or_else(String::new, |epoch| format!("{epoch}:"));
    let (name, version, release) = (text(tag::NAME), text(tag::VERSION), text(tag::RELEASE));
    let arch = match text(tag::ARCH) {
        arch if arch.is_empty() => String::new(),
        arch => format!(".{arch}"),
    };
    format!("{name}-{epoch}{version}-{release}{arch}")
}

/// Packages that were asked for and are installed already as dependencies count as asked for
/// from now on.
pub(super) fn mark_requested(
    session: &Session<'_>,
    packages: &Packages,
    goal: &Goal,
    auto: &BTreeSet<String>,
) -> Outcome<()> {
    let installed = |name: &&String| packages.is_installed_name(name);
    let promoted: Vec<String> = goal
        .requested
        .intersection(auto)
        .filter(installed)
        .cloned()
        .collect();
    if promoted.is_empty() || session.settings.test_only || session.settings.consent == Consent::No
    {
        return Ok(());
    }
    mark(session, &promoted, false)
}

/// Marks packages as asked for, or as dependencies.
pub fn mark(session: &Session<'_>, names: &[String], auto: bool) -> Outcome<()> {
    let settings = &session.settings;
    session.interrupt.during(Phase::Committed, || {
        let history = open_history(session)?;
        let now = settings.environment.now;
        Ok(history.mark(names, auto, &settings.command_line, now)?)
    })
}
