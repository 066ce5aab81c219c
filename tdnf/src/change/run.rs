//! The run of a transaction: its options, its phases, its result.

use std::cell::OnceCell;
use std::path::Path;

use super::database::{open, open_to_test};
use super::elements::erase;
use super::keys::rpm_version;
use super::tell::{Teller, warning_line};
use crate::error::{Failure, Outcome};
use crate::interrupt::PhaseGuard;
use crate::session::Session;
use crate::settings::Settings;
use rpm_db::{Db, MacroSet};
use rpm_transaction::{
    Committed, Element, Generation, Options, TransactionError, check, commit, stage,
};

/// Why a transaction did not come to its end.
#[derive(Debug)]
pub(super) struct Stopped {
    /// What to tell.
    pub failure: Failure,
    /// A scriptlet or a change had begun (and was undone). Where nothing had, the package was
    /// refused, and there is nothing for the history to remember.
    pub begun: bool,
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        let begun = false;
        Self { failure, begun }
    }
}

/// Runs the transaction; returns the warnings that are worth a word afterwards. Behind the commit
/// point `phase` is committed, whatever is returned.
pub(super) fn run(
    session: &Session<'_>,
    elements: Vec<Element>,
    phase: &PhaseGuard<'_>,
) -> Result<Vec<String>, Stopped> {
    let settings = &session.settings;
    let (root, db, _lock) = open(session, &elements)?;
    let cancelled = || session.interrupt.is_raised();
    let options = options(settings, &db, &cancelled)?;
    session.printer.flush();
    let mut teller = Teller::new(session.printer, phase);
    session.go_on()?;
    phase.undoable();
    let result = check(&root, &db, elements, &options, &mut teller)
        .and_then(stage)
        .and_then(commit);
    let begun = teller.has_begun();
    match result {
        Ok(done) => {
            phase.committed();
            let warnings = lines(&done);
            teller.close(true, &warnings);
            Ok(warnings)
        }
        Err(error) => {
            let committed = matches!(error, TransactionError::AfterCommit { .. });
            match committed {
                true => phase.committed(),
                false => phase.undoable(),
            }
            teller.close(committed, &[]);
            let failure = Failure::from(error);
            Err(Stopped { failure, begun })
        }
    }
}

/// Checks all that a transaction would check, and changes nothing.
pub(super) fn test(session: &Session<'_>, elements: Vec<Element>) -> Outcome<()> {
    let phase = session.interrupt.guard();
    let (root, db, _lock) = open_to_test(session, &elements)?;
    let cancelled = || session.interrupt.is_raised();
    let options = options(&session.settings, &db, &cancelled)?;
    session.printer.flush();
    let mut teller = Teller::new(session.printer, &phase);
    session.go_on()?;
    phase.undoable();
    let checked = check(&root, &db, elements, &options, &mut teller).map(drop);
    teller.close(false, &[]);
    Ok(checked?)
}

fn lines(done: &Committed) -> Vec<String> {
    done.warnings().iter().map(warning_line).collect()
}

fn options<'a>(
    settings: &Settings,
    db: &Db,
    cancelled: &'a dyn Fn() -> bool,
) -> Outcome<Options<'a>> {
    let mut options = Options::new(settings.environment.now, &settings.arch);
    options.cancelled = cancelled;
    options.runner.clone_from(&settings.environment.program);
    apply_flags(&mut options, settings);
    options.needs_checked = true;
    options.record_owners = settings.record_owners;
    options.generation = Generation::of_version(&rpm_version(db)?);
    options
        .environment
        .clone_from(&settings.environment.script_variables);
    Ok(options)
}

/// `tsflags`, and the macros of rpm that choose files: from `--rpmdefine`, else from the host's
/// macro files, which rpm reads for every root.
fn apply_flags(options: &mut Options<'_>, settings: &Settings) {
    let flags = &settings.tsflags;
    let host = OnceCell::new();
    let value = |name: &str| {
        let mut defined = settings.defines.iter().rev();
        let defined = defined.find(|(defined, _)| defined == name);
        let macros = || host.get_or_init(|| MacroSet::of_root(Path::new("/")));
        let configured = || macros().raw(name).map(str::to_owned);
        let value = defined.map(|(_, value)| value.clone()).or_else(configured);
        value
            .filter(|value| !value.contains('%'))
            .unwrap_or_default()
    };
    let list = |name: &str| {
        let words = value(name);
        let words = words
            .split(':')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        words.map(str::to_owned).collect::<Vec<String>>()
    };
    options.no_scripts = flags.no_scripts;
    options.no_docs = flags.no_docs || value("_excludedocs").parse().is_ok_and(|n: i32| n != 0);
    options.no_triggers = flags.no_triggers;
    options.no_caps = flags.no_caps;
    options.no_contexts = flags.no_contexts;
    options.just_db = flags.just_db;
    options.no_db = flags.no_db;
    options.no_configs = flags.no_configs;
    options.no_artifacts = flags.no_artifacts;
    options.left_out_scriptlets.clone_from(&flags.scriptlets);
    options.left_out_triggers = flags.triggers;
    options.languages = list("_install_langs");
    let shared = list("_netsharedpath").into_iter();
    let shared = shared.filter(|path| path.len() > 1 && path.starts_with('/'));
    options.net_shared = shared
        .map(|path| path.trim_end_matches('/').as_bytes().to_vec())
        .collect();
}

/// Removes records of the rpm database with the files that they alone own; no scriptlet runs.
pub(crate) fn erase_records(session: &Session<'_>, numbers: &[u32]) -> Outcome<()> {
    let (root, db, _lock) = open(session, &[])?;
    let settings = &session.settings;
    let mut options = Options::new(settings.environment.now, &settings.arch);
    options.runner.clone_from(&settings.environment.program);
    options.no_scripts = true;
    let elements = numbers.iter().map(|&hnum| erase(hnum, None)).collect();
    let phase = session.interrupt.guard();
    phase.committed();
    let mut teller = Teller::new(session.printer, &phase);
    let checked = check(&root, &db, elements, &options, &mut teller)?;
    if settings.test_only {
        return Ok(());
    }
    let done = commit(stage(checked)?)?;
    drop(phase);
    lines(&done)
        .iter()
        .for_each(|line| session.printer.err(line));
    Ok(())
}
