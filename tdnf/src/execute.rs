//! The transaction of a plan, told as tdnf tells it.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cli_kit::Printer;
use rustix::fs::{StatVfsMountFlags, fstatvfs};
use rustix::io::Errno;

use crate::error::{Code, Failure, Outcome};
use crate::history::History;
use crate::interrupt::{Interrupt, Phase};
use crate::plan::{Action, Change, Plan};
use crate::session::Session;
use crate::settings::Settings;
use crate::verify::Verified;
use crate::view::transcript::Transcript;
use rpm_db::Db;
use rpm_transaction::{
    self, DEVICE_FAILED, Element, Erase, Event, Generation, Install, Mode, OWNER_FAILED, Options,
    Problem, Recovery, RootDir, ScriptStream, TransactionError, TransactionObserver, Warning,
};

/// Why a transaction did not come to its end.
#[derive(Debug)]
pub struct Stopped {
    /// What to tell.
    pub failure: Failure,
    /// A scriptlet or a change had begun (and was undone). Where nothing had, the package was
    /// refused, and there is nothing for the history to remember.
    pub begun: bool,
    /// The system is the new one all the same: what failed came after the commit point.
    pub committed: bool,
}

impl Stopped {
    fn before(failure: Failure) -> Stopped {
        Stopped {
            failure,
            begun: false,
            committed: false,
        }
    }
}

/// Runs the transaction; returns the warnings that are worth a word afterwards.
pub fn run(session: &Session<'_>, plan: &Plan, verified: Verified) -> Result<Vec<String>, Stopped> {
    let settings = &session.settings;
    let (root, db, _lock) = open(session).map_err(Stopped::before)?;
    let cancelled = || session.interrupt.is_raised();
    let mut options = Options::new(settings.environment.now, &settings.arch);
    options.cancelled = &cancelled;
    options.runner.clone_from(&settings.environment.program);
    options.test_only = settings.test_only;
    apply_flags(&mut options, settings);
    options.needs_checked = true;
    let rpm = crate::keys::rpm_version(&db).map_err(Stopped::before)?;
    options.generation = Generation::of_version(&rpm);
    options
        .environment
        .clone_from(&settings.environment.script_variables);
    session.printer.flush();
    let elements = elements(plan, verified);
    let mut teller = Teller {
        printer: session.printer,
        interrupt: &session.interrupt,
        running: false,
        test: settings.test_only,
        transcript: Transcript::default(),
    };
    session.go_on().map_err(Stopped::before)?;
    session.interrupt.enter(Phase::Undoable);
    let result = rpm_transaction::run(&root, &db, elements, &options, &mut teller);
    let mut transcript = std::mem::take(&mut teller.transcript);
    match result {
        // The history still has to be written: the phase lasts until the caller ends it.
        Ok(committed) => {
            session.interrupt.enter(Phase::Committed);
            let warnings: Vec<String> = committed.warnings.iter().map(warning_line).collect();
            transcript.committed = !settings.test_only;
            transcript.warnings.clone_from(&warnings);
            session.printer.show(&transcript);
            Ok(warnings)
        }
        Err(error) => {
            let committed = matches!(error, TransactionError::AfterCommit { .. });
            let phase = if committed {
                Phase::Committed
            } else {
                Phase::Open
            };
            session.interrupt.enter(phase);
            transcript.committed = committed;
            session.printer.show(&transcript);
            Err(Stopped {
                failure: stopped(error),
                begun: teller.running,
                committed,
            })
        }
    }
}

/// `tsflags`, and the macros of rpm that choose files: from `--rpmdefine`, else from the host's
/// macro files, which rpm reads for every root.
fn apply_flags(options: &mut Options<'_>, settings: &Settings) {
    let flags = settings.tsflags;
    let value = |name: &str| {
        let mut defined = settings.defines.iter().rev();
        let defined = defined.find(|(defined, _)| defined == name);
        let configured = || rpm_db::location::configured_macro(Path::new("/"), name);
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
    options.languages = list("_install_langs");
    let shared = list("_netsharedpath").into_iter();
    let shared = shared.filter(|path| path.len() > 1 && path.starts_with('/'));
    options.net_shared = shared
        .map(|path| path.trim_end_matches('/').as_bytes().to_vec())
        .collect();
}

/// Removes records of the rpm database with the files that they alone own; no scriptlet runs.
pub(crate) fn erase_records(session: &Session<'_>, numbers: &[u32]) -> Outcome<()> {
    let (root, db, _lock) = open(session)?;
    let settings = &session.settings;
    let mut options = Options::new(settings.environment.now, &settings.arch);
    options.runner.clone_from(&settings.environment.program);
    options.test_only = settings.test_only;
    options.no_scripts = true;
    let elements = numbers.iter().map(|&hnum| erase(hnum, None)).collect();
    let mut teller = Teller {
        printer: session.printer,
        interrupt: &session.interrupt,
        running: false,
        test: settings.test_only,
        transcript: Transcript::default(),
    };
    let done = session.interrupt.during(Phase::Committed, || {
        rpm_transaction::run(&root, &db, elements, &options, &mut teller)
    });
    for warning in &done.map_err(stopped)?.warnings {
        session.printer.err(&warning_line(warning));
    }
    Ok(())
}

fn open(session: &Session<'_>) -> Outcome<(RootDir, Db, rpm_db::TransactionLock)> {
    let root = &session.settings.root;
    std::fs::create_dir_all(root).map_err(|error| Failure::io(root, &error))?;
    let location = session.db_location()?;
    rpm_db::create_directory(&location)?;
    let lock = session.database_lock(&location)?;
    let db = Db::open_write(&location)?;
    Ok((RootDir::open(root).map_err(stopped)?, db, lock))
}

/// Fails if the programs or the rpm database of the root are on a read-only file system: that is
/// told before anything is fetched. Every file system that the packages really touch is looked at
/// again when the packages are there.
pub fn check_writable(session: &Session<'_>) -> Outcome<()> {
    let root = &session.settings.root;
    if !root.is_dir() {
        return Ok(());
    }
    let dir = RootDir::open(root).map_err(stopped)?;
    let database = session.db_location()?;
    let inside = database.dir.strip_prefix(&database.root);
    let inside = Path::new("/").join(inside.unwrap_or(&database.dir));
    for path in [PathBuf::from("/usr"), inside] {
        // What is missing will be made in the nearest directory that exists.
        let mut existing = path.ancestors();
        let found = existing.find_map(|path| {
            let fd = dir.open_dir(path.as_os_str().as_bytes()).ok()?;
            Some((path, fstatvfs(&fd).ok()?.f_flag))
        });
        if let Some((path, flags)) = found
            && flags.contains(StatVfsMountFlags::RDONLY)
        {
            return Err(Failure::new(Code::TRANSACTION_FAILED)
                .detail(format!("error: {}: read-only file system", path.display()))
                .hint("nothing was fetched; mount it writable and try again"));
        }
    }
    Ok(())
}

/// Finishes or undoes what an earlier run left, and says which. Nothing happens where there is
/// no journal.
pub fn recover(session: &Session<'_>) -> Outcome<()> {
    if !session.settings.root.is_dir() {
        return Ok(());
    }
    let root = RootDir::open(&session.settings.root).map_err(stopped)?;
    History::settle(&session.settings.persist_dir)?;
    if rpm_transaction::pending(&root, rpm_transaction::STATE_DIR).map_err(stopped)? {
        recover_files(session)?;
    }
    // The lock of the database is free again: nothing else may open it while it is held.
    crate::transact::settle_history(session)?;
    session.go_on()
}

fn recover_files(session: &Session<'_>) -> Outcome<()> {
    let (root, db, _lock) = open(session)?;
    let recovery = session.interrupt.during(Phase::Committed, || {
        rpm_transaction::recover(&root, &db, rpm_transaction::STATE_DIR).map_err(stopped)
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
    if let Some(script) = &recovery.script_interrupted {
        printer.err(&format!(
            "warning: {script} was running when it stopped; it is not run again"
        ));
    }
    for script in &recovery.scripts_missed {
        printer.err(&format!("warning: {script} did not run"));
    }
}

/// The elements of a plan, by name: each install right before what it replaces, and removals.
/// Where no dependency decides, the order of a transaction follows from this one, as that of rpm
/// follows from the order of its arguments; it must not depend on the solver.
fn elements(plan: &Plan, verified: Verified) -> Vec<Element> {
    let mut packages: HashMap<usize, _> = HashMap::new();
    for package in verified.packages {
        packages.insert(package.change, package);
    }
    let mut changes: Vec<(usize, &Change)> = plan.changes.iter().enumerate().collect();
    changes.sort_by_key(|(index, change)| (&change.package, *index));
    let mut elements = Vec::new();
    for (index, change) in changes {
        if let Some(package) = packages.remove(&index) {
            let position = elements.len();
            let install = Install {
                path: package.path,
                identity: package.identity,
                mode: mode(change),
            };
            elements.push(Element::Install(install));
            let replaced = change.replaces.iter();
            elements.extend(replaced.map(|hnum| erase(*hnum, Some(position))));
        } else if change.action == Action::Remove {
            elements.extend(change.installed_number.map(|hnum| erase(hnum, None)));
        }
    }
    elements
}

fn erase(hnum: u32, linked_to: Option<usize>) -> Element {
    Element::Erase(Erase { hnum, linked_to })
}

fn mode(change: &Change) -> Mode {
    match change.action {
        Action::Upgrade => Mode::Upgrade,
        Action::Downgrade => Mode::Downgrade,
        Action::Reinstall => Mode::Reinstall,
        _ => Mode::Install,
    }
}

/// Tells the events of a transaction.
struct Teller<'a> {
    printer: &'a Printer,
    interrupt: &'a Interrupt,
    running: bool,
    test: bool,
    transcript: Transcript,
}

impl Teller<'_> {
    fn start(&mut self) {
        if !self.running && !self.test {
            self.running = true;
            self.printer.info("Running transaction");
        }
    }
}

impl TransactionObserver for Teller<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Checking => self.printer.info("Testing transaction"),
            Event::Installing { package, .. } => {
                self.start();
                self.transcript.installed.push(package.to_owned());
                self.printer
                    .info(&format!("Installing/Updating: {package}"));
            }
            Event::Erasing { package, .. } => {
                self.start();
                self.transcript.removed.push(package.to_owned());
                self.printer.info(&format!("Removing: {package}"));
            }
            Event::ScriptStarted { package, script } => {
                self.start();
                self.transcript.script(package, script);
            }
            Event::ScriptOutput {
                package,
                script,
                stream,
                bytes,
            } => {
                self.transcript.output(package, script, stream, bytes);
                self.script_output(stream, bytes);
            }
            Event::Committing => {
                self.interrupt.enter(Phase::Committed);
            }
            Event::RollingBack => self.printer.err("undoing what was done so far"),
            _ => {}
        }
    }
}

impl Teller<'_> {
    /// A scriptlet's words go where it sent them; in JSON mode standard output is data only.
    fn script_output(&self, stream: ScriptStream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if stream == ScriptStream::Out && !self.printer.mode().json {
            self.printer.crit_part(&text);
        } else {
            self.printer.err_part(&text);
        }
    }
}

fn warning_line(warning: &Warning) -> String {
    match warning {
        Warning::Scriptlet { .. } => {
            format!("warning: %{}", warning.to_string().trim_start_matches('%'))
        }
        _ => format!("warning: {warning}"),
    }
}

/// Requires(pretrans) that are not installed have a number of their own.
fn needed_before(failure: Failure, problems: &[Problem]) -> Failure {
    let needed = problems.iter().filter_map(|problem| match problem {
        Problem::NeededBefore { dep, .. } => Some(dep),
        _ => None,
    });
    needed.fold(failure, |failure, dep| {
        let failure = failure.detail(format!(
            "Detected rpm pre-transaction dependency errors. Install {dep} first to resolve this failure."
        ));
        Failure {
            code: Code::RPM_CHECK,
            ..failure
        }
    })
}

/// The number and words of a transaction that did not happen.
pub(crate) fn stopped(error: TransactionError) -> Failure {
    let failure = Failure::new(Code::TRANSACTION_FAILED);
    match error {
        TransactionError::Problems(problems) => {
            let failure = needed_before(failure, &problems);
            let first = failure.remark(format!("Found {} problems", problems.len()));
            problems.iter().fold(first, |failure, problem| {
                failure.remark(problem.to_string())
            })
        }
        TransactionError::Database(error) => {
            let failure = Failure::from(error);
            Failure {
                code: Code::TRANSACTION_FAILED,
                ..failure
            }
        }
        TransactionError::Scriptlet {
            package,
            script,
            status,
        } => failure
            .remark(format!(
                "package {package}: script error in {}in",
                script.trim_end_matches("in")
            ))
            .detail(format!(
                "error: {script}({package}) scriptlet failed, {status}"
            ))
            .hint("nothing has changed; what the scriptlet itself did stays"),
        TransactionError::Cancelled => Failure::because(
            Code::OPERATION_ABORTED,
            "the transaction was stopped and undone; nothing has changed",
        ),
        other => match rootless_hint(&other) {
            Some(hint) => failure.detail(format!("error: {other}")).hint(hint),
            None => failure.detail(format!("error: {other}")),
        },
    }
}

/// What root of a user namespace cannot do, and the way out.
fn rootless_hint(error: &TransactionError) -> Option<&'static str> {
    let TransactionError::File { action, source, .. } = error else {
        return None;
    };
    match (*action, source.raw_os_error().map(Errno::from_raw_os_error)) {
        (OWNER_FAILED, Some(Errno::INVAL)) => Some(
            "its owner has no number in this user namespace: map more of them (newuidmap, newgidmap, /etc/subuid), \
             or run as root",
        ),
        (DEVICE_FAILED, Some(Errno::PERM)) => {
            Some("device files cannot be made in a user namespace: run as root")
        }
        _ => None,
    }
}
