//! From a goal to a changed system, a file for each step: what is refused before anything is
//! fetched ([`refusals`]), [`fetch`], [`verify`], what the transaction is told ([`elements`]), the
//! [`database`] that it changes, its run ([`run`]) and its words ([`tell`]), what the history remembers ([`record`]), and what a run
//! that was stopped left behind ([`recovery`]).
//!
//! Each step takes what the one before gave, by value: `Fetched`, `Verified`, then `Staged` and
//! `Committed` of `rpm-transaction`.

mod database;
mod elements;
mod fetch;
mod keys;
mod locate;
mod locked;
mod record;
mod recovery;
mod refusals;
mod reproducible;
mod run;
mod tell;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use rpm_pkg::header::tag;
use rpm_transaction::open_verified;

use crate::error::{Code, Outcome};
use crate::goal::{self, Goal, Request};
use crate::history::Begun;
use crate::hooks;
use crate::interrupt::Phase;
use crate::note::Note;
use crate::plan::{Plan, WeakSignature};
use crate::session::{OnDemand, Packages, Session};
use crate::settings::Consent;
use crate::view;
use crate::view::plan::{PlanEntries, WeakSignatures};

pub(crate) use database::{follow_rpm, refuse_old_rpm};
pub use fetch::{CMDLINE, Fetched};
pub(crate) use fetch::{refused, request_to};
pub use keys::change_keys;
pub use locked::{Locked, install_locked, signers};
pub(crate) use locked::{obtain_locked, prepare_locked};
pub use record::{auto_installed, mark, open_history};
pub(crate) use record::{installed_in, nothing};
pub use recovery::{recover, say_pending};
pub use refusals::running_kernel;
pub(crate) use run::erase_records;
pub use verify::{Admitted, RootRpm, Verified, VerifiedPackage, file as verify_file};

/// Said when the transaction is done and could not be written down.
const ONLY_THE_RECORD: &str = "everything was installed or removed as planned; what failed is the record of it (keys, \
     history): the next tdnf run brings the history up to date";

/// Said when the transaction is done and recorded, and the root is not as it would be made again.
const ONLY_THE_TIMES: &str = "everything was installed or removed as planned; what failed is setting back the times of files \
     to SOURCE_DATE_EPOCH: build the root again if it must be the same byte for byte";

/// A plan whose packages are here and may be installed.
#[must_use]
pub(crate) struct Prepared {
    /// What will change.
    pub plan: Plan,
    /// The packages.
    pub verified: Verified,
}

impl Prepared {
    /// When the newest of the packages was built, seconds since 1970.
    pub(crate) fn newest_build(&self) -> Outcome<u64> {
        let mut newest = 0;
        for package in self.verified.packages() {
            let opened = open_verified(package.path(), package.identity())?;
            newest = newest.max(opened.header.u32(tag::BUILDTIME).unwrap_or(0));
        }
        Ok(newest.into())
    }
}

/// Solves a goal, shows the plan, asks, and carries it out as far as the settings say.
pub fn perform(
    session: &Session<'_>,
    packages: Packages,
    goal: &Goal,
    request: &Request,
) -> Outcome<u8> {
    let Some(prepared) = prepare(session, packages, goal, request)? else {
        return Ok(0);
    };
    carry_out(session, goal, prepared)
}

/// Solves a goal, shows the plan, asks, and fetches and judges its packages. `None`: the settings go no further.
pub(crate) fn prepare(
    session: &Session<'_>,
    mut packages: Packages,
    goal: &Goal,
    request: &Request,
) -> Outcome<Option<Prepared>> {
    let mut plan = plan(session, &mut packages, goal, request)?;
    view::notes::show(session.printer, &plan.notes);
    if plan.is_empty() {
        view::notes::show(session.printer, why_nothing(session, goal, &plan));
        record::mark_requested(session, &packages, goal, &request.auto)?;
        return Err(Code::CLI_NOTHING_TO_DO.into());
    }
    refusals::keep_running_kernel(session, &plan)?;
    let Some(verified) = obtain(session, &packages, &plan)? else {
        return Ok(None);
    };
    if session.settings.download_only {
        return Ok(None);
    }
    // All packages of all repositories, what they promised, connections: the transaction needs the memory and not them.
    drop(packages);
    plan.forget_promises();
    session.client().rest();
    Ok(Some(Prepared { plan, verified }))
}

/// Why there is nothing to do, unless that has been said, or nobody knows what is offered.
fn why_nothing<'a>(session: &Session<'_>, goal: &'a Goal, plan: &Plan) -> &'a [Note] {
    match plan.notes.is_empty() && !session.none_read() {
        true => &goal.if_nothing,
        false => &[],
    }
}

fn plan(
    session: &Session<'_>,
    packages: &mut Packages,
    goal: &Goal,
    request: &Request,
) -> Outcome<Plan> {
    if session.settings.nodeps {
        return goal::named_only(packages, goal);
    }
    goal::solve(request, goal, packages, session)
}

/// Shows a plan, asks, fetches its packages and judges them. `None`: the plan was only to be
/// shown.
pub fn obtain(
    session: &Session<'_>,
    packages: &Packages,
    plan: &Plan,
) -> Outcome<Option<Verified>> {
    if session.settings.urls_only {
        session.printer.show(&fetch::addresses(plan, packages)?);
        return Ok(None);
    }
    refusals::check_space(session, plan, &packages.sources)?;
    if !is_agreed(session, plan)? {
        return Ok(None);
    }
    let fetched = fetch::fetch(session, plan, &packages.sources, BTreeMap::new())?;
    let configs = packages.sources.iter().map(|source| &source.config);
    let verified = verify::verify(session, plan, fetched, &configs.collect::<Vec<_>>())?;
    say_verified(session, plan, &verified);
    Ok(Some(verified))
}

/// Shows a plan and asks; `false` where it was only to be shown.
fn is_agreed(session: &Session<'_>, plan: &Plan) -> Outcome<bool> {
    let settings = &session.settings;
    session.printer.show(plan);
    session.printer.record(&PlanEntries::of(plan));
    if settings.dry_run {
        let line = "Dry run complete. Transaction is feasible. Run without --dryrun to apply the above changes.";
        session.printer.info(line);
        return Ok(false);
    }
    if settings.download_only {
        session
            .printer
            .info("tdnf will only download packages needed for the transaction");
    }
    if session.printer.mode().json && settings.consent == Consent::No {
        return Ok(false);
    }
    if !settings.download_only && settings.consent != Consent::No {
        refusals::check_writable(session)?;
    }
    session.confirm()?;
    Ok(true)
}

/// Who signed what, and what was not checked.
fn say_verified(session: &Session<'_>, plan: &Plan, verified: &Verified) {
    let mut entries = PlanEntries::of(plan);
    for package in verified.packages() {
        entries.sign(package.change(), package.verdict().signer());
    }
    session.printer.record(&entries);
    say_waived(session, verified);
}

/// A check that was switched off or weakened is never silent.
fn say_waived(session: &Session<'_>, verified: &Verified) {
    say_weak(session, verified.weak());
    for package in verified.packages() {
        if let Some(refusal) = package.verdict().waived() {
            session
                .printer
                .err(&format!("warning: {}: {refusal}", package.path().display()));
        }
    }
}

/// Says once for each of those who admit weak signatures how many packages that was about.
fn say_weak(session: &Session<'_>, weak: &[WeakSignature]) {
    if weak.is_empty() {
        return;
    }
    let mut told: BTreeMap<&str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for one in weak {
        let (words, count) = told.entry(&one.admitted_by).or_default();
        words.extend(one.weaknesses.split(','));
        *count += 1;
    }
    for (by, (words, count)) in told {
        let words: Vec<&str> = words.into_iter().collect();
        session.printer.err(&format!(
            "warning: weak signatures ({}) of {count} package(s) count: {by}",
            words.join(", ")
        ));
    }
    session.printer.show(&WeakSignatures(weak));
}

/// Runs the transaction, stores accepted keys, and records both. A transaction that fails leaves
/// the keys as they were, too.
pub(crate) fn carry_out(session: &Session<'_>, goal: &Goal, prepared: Prepared) -> Outcome<u8> {
    let Prepared { plan, verified } = prepared;
    let plan = &plan;
    let weak = verified.weak().iter();
    let weak = weak.map(|one| (one.package.clone(), one.weaknesses.clone()));
    let weak = weak.collect();
    let (elements, rest) = elements::elements(plan, verified);
    if session.settings.test_only {
        return run::test(session, elements).map(|()| 0);
    }
    let interrupt = &session.interrupt;
    let (history, before) = record::open(session)?;
    let begun = Begun {
        weak,
        ..record::begun(&session.settings, goal, plan)
    };
    hooks::before(session, plan)?;
    interrupt.during(Phase::Undoable, || history.begin(&begun))?;
    // Lasts until all is written down.
    let phase = interrupt.guard();
    let (warnings, failure) = match run::run(session, elements, &phase) {
        Ok(warnings) => (warnings, None),
        // The packages are there: they belong into the history.
        Err(stopped) if phase.is_committed() => (Vec::new(), Some(stopped.failure)),
        Err(stopped) => {
            phase.undoable();
            // Why the transaction failed matters more than that it could not be written down.
            let _ = record::stopped(session, &history, &stopped);
            let _ = follow_rpm(session);
            return Err(stopped.failure);
        }
    };
    // Where the database is the keys may be, too.
    let written = follow_rpm(session)
        .and_then(|()| keys::import(session, &rest.accepted_keys))
        .and_then(|()| record::done(session, &history, &begun, &before));
    hooks::after(session, plan);
    written.map_err(|failure| failure.hint(ONLY_THE_RECORD))?;
    if !session.settings.main.keepcache {
        session.alone_in_cache(|| rest.remove_cached());
    }
    reproducible::settle(session).map_err(|failure| failure.hint(ONLY_THE_TIMES))?;
    drop(phase);
    warnings.iter().for_each(|line| session.printer.err(line));
    if session.interrupt.is_raised() {
        session
            .printer
            .err("the transaction was past the point of return and has been finished");
    }
    failure.map_or(Ok(0), Err)
}
