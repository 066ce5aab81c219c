//! From a goal to a changed system: plan, consent, download, verification, transaction, history.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use rpm_db::{Db, Index};
use rpm_pkg::header::tag;

use crate::error::{Code, Failure, Outcome};
use crate::execute::Stopped;
use crate::fetch::{self, Fetched};
use crate::goal::{self, Goal, Request};
use crate::history::{self, Begun, Flags, History, Installed};
use crate::hooks;
use crate::interrupt::Phase;
use crate::keys;
use crate::plan::{Action, Change, Plan, Reason};
use crate::session::{Packages, Session};
use crate::settings::Consent;
use crate::verify::{self, Verified};

/// Said when the transaction is done and could not be written down.
const ONLY_THE_RECORD: &str = "everything was installed or removed as planned; what failed is the record of it (keys, \
     history): the next tdnf run brings the history up to date";

/// Said when the transaction is done and recorded, and the root is not as it would be made again.
const ONLY_THE_TIMES: &str = "everything was installed or removed as planned; what failed is setting back the times of files \
     to SOURCE_DATE_EPOCH: build the root anew if it must be the same byte for byte";

/// Names of packages that came as dependencies, as the history knows them.
pub fn auto_installed(session: &Session<'_>) -> Outcome<BTreeSet<String>> {
    match History::open_read(&session.settings.persist_dir)? {
        Some(history) => Ok(history.auto_installed()?),
        None => Ok(BTreeSet::new()),
    }
}

/// Solves a goal, shows the plan, asks, and carries it out as far as the settings say.
pub fn perform(
    session: &Session<'_>,
    mut packages: Packages,
    goal: &Goal,
    request: &Request,
) -> Outcome<u8> {
    let plan = plan(session, &mut packages, goal, request)?;
    if plan.is_empty() {
        mark_requested(session, &packages, goal, &request.auto)?;
        return Err(Code::NOTHING_TO_DO.into());
    }
    keep_running_kernel(session, &plan)?;
    let Some((fetched, verified)) = obtain(session, &packages, &plan)? else {
        return Ok(0);
    };
    if session.settings.download_only.is_some() {
        return Ok(0);
    }
    commit(session, goal, &plan, &fetched, verified)
}

/// Shows a plan, asks, fetches its packages and judges them. `None`: the plan was only to be
/// shown.
pub fn obtain(
    session: &Session<'_>,
    packages: &Packages,
    plan: &Plan,
) -> Outcome<Option<(Fetched, Verified)>> {
    let settings = &session.settings;
    fetch::check_space(session, plan, &packages.sources)?;
    session.printer.show(plan);
    if settings.download_only.is_some() {
        session
            .printer
            .info("tdnf will only download packages needed for the transaction");
    }
    if session.printer.mode().json && settings.consent == Consent::No {
        return Ok(None);
    }
    if settings.download_only.is_none() && settings.consent != Consent::No {
        crate::execute::check_writable(session)?;
    }
    session.confirm()?;
    let fetched = fetch::fetch(session, plan, &packages.sources)?;
    let verified = verify::verify(session, plan, &fetched, &packages.sources)?;
    say_waived(session, &verified);
    Ok(Some((fetched, verified)))
}

fn plan(
    session: &Session<'_>,
    packages: &mut Packages,
    goal: &Goal,
    request: &Request,
) -> Outcome<Plan> {
    if session
        .settings
        .download_only
        .as_ref()
        .is_some_and(|only| only.nodeps)
    {
        return goal::named_only(packages, goal);
    }
    goal::solve(request, goal, packages, session)
}

/// Refuses a plan that takes the running kernel away (1030): the machine could load no module any
/// more and might not start again. An upgrade that replaces it is what was asked for.
fn keep_running_kernel(session: &Session<'_>, plan: &Plan) -> Outcome<()> {
    let gone = |change: &&Change| matches!(change.action, Action::Remove | Action::Obsolete);
    let removed: Vec<&Change> = plan.changes.iter().filter(gone).collect();
    let (false, true) = (removed.is_empty(), session.settings.root == Path::new("/")) else {
        return Ok(());
    };
    let Some(db) = session.db()? else {
        return Ok(());
    };
    let release = &session.settings.environment.kernel;
    let owners = |index, key: String| db.find(index, key.as_bytes());
    let mut running = owners(Index::Dirnames, format!("/lib/modules/{release}/"))?;
    running.extend(owners(
        Index::Dirnames,
        format!("/usr/lib/modules/{release}/"),
    )?);
    running.extend(owners(Index::Basenames, format!("vmlinuz-{release}"))?);
    let mut failure = Failure::new(Code::PROTECTED);
    for change in removed {
        if running
            .iter()
            .any(|owner| Some(owner.hnum) == change.installed_number)
        {
            let name = &change.package.name;
            failure
                .details
                .push(format!("package {name} holds the running kernel {release}"));
        }
    }
    match failure.details.is_empty() {
        true => Ok(()),
        false => Err(failure.hint("boot another kernel first")),
    }
}

/// A check that was switched off is never silent.
fn say_waived(session: &Session<'_>, verified: &Verified) {
    for package in &verified.packages {
        if let Some(refusal) = package.verdict.waived() {
            session
                .printer
                .err(&format!("warning: {}: {refusal}", package.path.display()));
        }
    }
}

/// Runs the transaction, stores accepted keys, and records both. A transaction that fails leaves
/// the keys as they were, too.
fn commit(
    session: &Session<'_>,
    goal: &Goal,
    plan: &Plan,
    fetched: &Fetched,
    verified: Verified,
) -> Outcome<u8> {
    let settings = &session.settings;
    let accepted_keys = verified.accepted_keys.clone();
    let history = if settings.test_only {
        None
    } else {
        // A signal must not stop it in the middle of a write.
        let opened = session
            .interrupt
            .during(Phase::Undoable, || open_history(session));
        Some(opened?)
    };
    let begun = begun(session, goal, plan);
    if let Some(history) = &history {
        hooks::before(session, plan)?;
        session
            .interrupt
            .during(Phase::Undoable, || history.begin(&begun))?;
    }
    let (warnings, failure) = match crate::execute::run(session, plan, verified) {
        Ok(warnings) => (warnings, None),
        // The packages are there: they belong into the history.
        Err(stopped) if stopped.committed => (Vec::new(), Some(stopped.failure)),
        Err(Stopped {
            failure,
            begun: changed,
            ..
        }) => {
            // Why the transaction failed matters more than that it could not be written down.
            let _ = session
                .interrupt
                .during(Phase::Undoable, || match &history {
                    Some(history) if changed => record_failure(session, history, &failure),
                    Some(history) => Ok(history.drop_begun()?),
                    None => Ok(()),
                });
            return Err(failure);
        }
    };
    let mut after = Phase::Open;
    if let Some(history) = history {
        after = Phase::Done;
        let written = keys::import(session, &accepted_keys)
            .and_then(|()| Ok(history.record(&begun, &installed_now(session)?)?));
        hooks::after(session, plan);
        written.map_err(|failure| failure.hint(ONLY_THE_RECORD))?;
        if !settings.main.keepcache {
            fetched.remove_cached();
        }
        crate::reproducible::settle(session).map_err(|failure| failure.hint(ONLY_THE_TIMES))?;
    }
    session.interrupt.enter(after);
    for line in warnings {
        session.printer.err(&line);
    }
    if session.interrupt.is_raised() {
        session
            .printer
            .err("the transaction was past the point of return and has been finished");
    }
    failure.map_or(Ok(0), Err)
}

/// Opens the history and brings it up to what is installed now.
pub fn open_history(session: &Session<'_>) -> Outcome<History> {
    let history = History::open(&session.settings.persist_dir)?;
    history.sync(&installed_now(session)?, session.settings.environment.now)?;
    Ok(history)
}

/// What the history will say of a plan that has been carried out.
fn begun(session: &Session<'_>, goal: &Goal, plan: &Plan) -> Begun {
    let settings = &session.settings;
    let mut flags = Flags::new();
    for change in plan.of(Action::Install) {
        let auto = change.reason != Reason::User;
        flags.insert(change.package.name.clone(), i64::from(auto));
    }
    flags.extend(goal.requested.iter().map(|name| (name.clone(), 0)));
    flags.extend(goal.marks.clone());
    let gone = |change: &&Change| matches!(change.action, Action::Remove | Action::Obsolete);
    let (removed, added): (Vec<&Change>, Vec<&Change>) = plan.changes.iter().partition(gone);
    let names = |changes: Vec<&Change>| {
        let nevras = changes.into_iter().map(|change| change.package.nevra());
        nevras.collect()
    };
    Begun {
        command_line: settings.command_line.clone(),
        now: settings.environment.now,
        flags,
        added: names(added),
        removed: names(removed),
    }
}

fn record_failure(session: &Session<'_>, history: &History, failure: &Failure) -> Outcome<()> {
    let settings = &session.settings;
    let reason = failure.details.last();
    let reason = reason.map_or_else(|| failure.code.text(), String::clone);
    let now = settings.environment.now;
    Ok(history.record_failure(&settings.command_line, now, &reason)?)
}

/// Records the transaction of a run that was killed behind its commit point, marks included. The
/// caller has finished or undone what its journal says.
pub(crate) fn settle_history(session: &Session<'_>) -> Outcome<()> {
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
fn installed_now(session: &Session<'_>) -> Outcome<Installed> {
    match session.db()? {
        Some(db) => installed_in(&db),
        None => Ok(Installed::default()),
    }
}

/// The packages of a database, as the history writes them.
pub(crate) fn installed_in(db: &Db) -> Outcome<Installed> {
    Ok(Installed {
        nevras: nevras(db)?,
        cookie: db.cookie()?,
    })
}

fn nevras(db: &Db) -> Outcome<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    db.for_each(&mut |_, header| {
        let text =
            |tag| String::from_utf8_lossy(header.string(tag).unwrap_or_default()).into_owned();
        let epoch = header
            .u32(tag::EPOCH)
            .map_or_else(String::new, |epoch| format!("{epoch}:"));
        let (name, version, release) = (text(tag::NAME), text(tag::VERSION), text(tag::RELEASE));
        let arch = match text(tag::ARCH) {
            arch if arch.is_empty() => String::new(),
            arch => format!(".{arch}"),
        };
        all.insert(format!("{name}-{epoch}{version}-{release}{arch}"));
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

/// Packages that were asked for and are installed already as dependencies count as asked for
/// from now on.
fn mark_requested(
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
    let settings = &session.settings;
    let history = open_history(session)?;
    history.mark(
        &promoted,
        false,
        &settings.command_line,
        settings.environment.now,
    )?;
    Ok(())
}
