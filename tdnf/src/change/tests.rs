//! The steps of a change, each on real packages, roots and histories.

use std::fs;
use std::path::{Path, PathBuf};

use cli_kit::OutputMode;
use rpm_db::Match;
use rpm_transaction::{
    Element, Erase, Event, Mode as InstallMode, RootDir, STATE_DIR, TransactionObserver, Warning,
};
use rpm_trust::Keyring;
use rpm_trust::policy::Refusal;

use super::run::Stopped;
use super::tell::{Teller, warning_line};
use super::*;
use crate::args::{self, Args};
use crate::error::Failure;
use crate::history::History;
use crate::interrupt::Interrupt;
use crate::plan::{ChangeReason, PackageId, PackageOrigin, PlannedAction, PlannedChange};
use crate::screen::{JsonShape, Screen};
use crate::session::Needs;
use crate::settings::{Environment, Settings};

/// An empty root with a configuration of its own.
struct Stage {
    dir: tempfile::TempDir,
    args: Args,
    printer: Screen,
}

impl Stage {
    fn new(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let conf = dir.path().join("tdnf.conf");
        let places = ["cachedir", "persistdir", "repodir"]
            .map(|key| format!("{key}={}\n", dir.path().join(key).display()));
        fs::write(&conf, format!("[main]\n{}", places.concat())).unwrap();
        let at = |path: &Path| path.to_str().unwrap().to_owned();
        let mut words = ["tdnf", "-y", "-c"].map(str::to_owned).to_vec();
        words.extend([at(&conf), "--installroot".to_owned(), at(&root)]);
        words.extend(options.iter().map(|&word| word.to_owned()));
        let args = args::parse(words).unwrap();
        let printer = Screen::recording(OutputMode::default(), JsonShape::default());
        Self { dir, args, printer }
    }

    fn session(&self) -> Session<'_> {
        let environment = Environment {
            now: 1_700_000_000,
            machine: "x86_64".to_owned(),
            ..Environment::default()
        };
        let settings = Settings::resolve(&self.args, environment).unwrap();
        let interrupt = Interrupt::default();
        Session::open(
            settings,
            &self.args,
            &self.printer,
            interrupt,
            Needs::Nothing,
        )
        .unwrap()
    }
}

fn identity(name: &str) -> PackageId {
    PackageId {
        name: name.to_owned(),
        epoch: 0,
        version: "1".to_owned(),
        release: "1".to_owned(),
        arch: "noarch".to_owned(),
    }
}

fn change(action: PlannedAction, name: &str) -> PlannedChange {
    PlannedChange {
        action,
        ..PlannedChange::bare(identity(name))
    }
}

/// The install of a package file of the command line.
fn install(name: &str, path: &Path) -> PlannedChange {
    let origin = PackageOrigin {
        repo: CMDLINE.to_owned(),
        location: path.to_str().unwrap().to_owned(),
        base: None,
        checksum: None,
        size: 0,
        url: String::new(),
        promised: None,
    };
    PlannedChange {
        origin: Some(origin),
        ..change(PlannedAction::Install, name)
    }
}

fn plan_of(changes: Vec<PlannedChange>) -> Plan {
    Plan {
        changes,
        ..Plan::default()
    }
}

/// Fetches and verifies the packages of a plan.
fn verified(session: &Session<'_>, plan: &Plan) -> Outcome<Verified> {
    let fetched = fetch::fetch(session, plan, &[], BTreeMap::new())?;
    verify::verify(session, plan, fetched, &[])
}

/// An unsigned package.
fn package() -> PathBuf {
    let found = testkit::many::packages(1, 2);
    let first = found.iter().find(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("many000-1-1")
    });
    first.unwrap().clone()
}

#[test]
fn a_check_that_is_off_is_a_verdict_and_is_said() {
    let stage = Stage::new(&["--nogpgcheck", "install"]);
    let session = stage.session();
    let plan = plan_of(vec![install("many000", &package())]);
    let verified = verified(&session, &plan).unwrap();
    let [only] = verified.packages() else {
        panic!("one package: {verified:?}");
    };
    assert_eq!(only.verdict().code(), "waived:unsigned");
    assert_eq!(only.verdict().waived(), Some(&Refusal::Unsigned));
    assert_eq!(only.path(), package());
    say_waived(&session, &verified);
    let said = stage.printer.recorded().err;
    assert!(said.starts_with("warning: /"), "{said}");
    assert!(said.contains("many000-1-1.noarch.rpm"), "{said}");
}

#[test]
fn an_unsigned_package_is_refused_where_signatures_are_checked() {
    let stage = Stage::new(&["--setopt=gpgcheck=1", "install"]);
    let plan = plan_of(vec![install("many000", &package())]);
    let failure = verified(&stage.session(), &plan).unwrap_err();
    assert_eq!(failure.code, Code::RPM_NOT_SIGNED);
    let last = failure.details.last().unwrap();
    assert!(last.starts_with("Error processing package: /"), "{last}");
}

#[test]
fn damage_is_refused_whether_signatures_are_checked_or_not() {
    let stage = Stage::new(&["--nogpgcheck", "install"]);
    let mut bytes = fs::read(package()).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 0xff;
    let damaged = stage.dir.path().join("many000-1-1.noarch.rpm");
    fs::write(&damaged, bytes).unwrap();
    let plan = plan_of(vec![install("many000", &damaged)]);
    let failure = verified(&stage.session(), &plan).unwrap_err();
    assert_eq!(failure.code, Code::RPMRC_FAIL);
    // Only files of our own cache are fetched anew.
    assert!(damaged.exists());
}

#[test]
fn another_package_than_the_planned_one_is_refused() {
    let stage = Stage::new(&["--nogpgcheck", "install"]);
    let plan = plan_of(vec![install("other", &package())]);
    let failure = verified(&stage.session(), &plan).unwrap_err();
    assert_eq!(failure.code, Code::RPMRC_FAIL);
    let first = failure.details.first().unwrap();
    assert!(
        first.ends_with("it is many000-1-1.noarch, not other-1-1.noarch as the metadata says"),
        "{first}"
    );
}

#[test]
fn packages_are_examined_while_others_still_come() {
    let stage = Stage::new(&["--nogpgcheck", "install"]);
    let pipe = stage.dir.path().join("many000-1-1.noarch.rpm");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let plan = plan_of(vec![install("many000", &pipe)]);
    let ((), mut examined) = verify::beside(&plan, &Keyring::new(), 0, |there| {
        there(0, pipe.clone());
        // Goes on when somebody reads.
        fs::write(&pipe, fs::read(package()).unwrap()).unwrap();
        Ok(())
    })
    .unwrap();
    assert!(examined.take(0).is_some());
    drop(stage);
}

#[test]
fn elements_stand_by_name_and_what_is_replaced_behind_its_replacement() {
    let stage = Stage::new(&["--nogpgcheck", "install"]);
    let gone = |name: &str, action, number| PlannedChange {
        installed_number: Some(number),
        ..change(action, name)
    };
    let upgrade = PlannedChange {
        action: PlannedAction::Upgrade,
        replaces: vec![7, 9],
        ..install("many000", &package())
    };
    let plan = plan_of(vec![
        gone("zebra", PlannedAction::Remove, 3),
        gone("older", PlannedAction::Obsolete, 9),
        upgrade,
        gone("apple", PlannedAction::Remove, 2),
    ]);
    let verified = verified(&stage.session(), &plan).unwrap();
    let (elements, rest) = elements::elements(&plan, verified);
    let short: Vec<(Option<InstallMode>, Option<u32>, Option<usize>)> = elements
        .iter()
        .map(|element| match element {
            Element::Install(install) => (Some(install.mode), None, None),
            Element::Erase(Erase { hnum, linked_to }) => (None, Some(*hnum), *linked_to),
        })
        .collect();
    assert_eq!(
        short,
        [
            (None, Some(2), None),
            (Some(InstallMode::Upgrade), None, None),
            (None, Some(7), Some(1)),
            (None, Some(9), Some(1)),
            (None, Some(3), None),
        ]
    );
    assert!(rest.accepted_keys.is_empty());
    // The user's own file is not ours to remove.
    rest.remove_cached();
    assert!(package().exists());
}

#[test]
fn a_package_of_the_running_kernel_stays() {
    let number = |change: PlannedChange, number| PlannedChange {
        installed_number: Some(number),
        ..change
    };
    let kernel = number(change(PlannedAction::Remove, "linux"), 5);
    let tool = number(change(PlannedAction::Remove, "tool"), 6);
    let owners = [Match { hnum: 5, idx: 0 }];
    let failure = refusals::refuse_owners(&[&tool, &kernel], &owners, "6.1.0").unwrap_err();
    assert_eq!(failure.code, Code::PROTECTED);
    assert_eq!(
        failure.details,
        ["package linux holds the running kernel 6.1.0"]
    );
    assert_eq!(failure.hints, ["boot another kernel first"]);
    refusals::refuse_owners(&[&tool], &owners, "6.1.0").unwrap();
}

#[test]
fn the_kernel_of_an_installroot_does_not_run() {
    let stage = Stage::new(&["erase"]);
    let plan = plan_of(vec![change(PlannedAction::Remove, "linux")]);
    refusals::keep_running_kernel(&stage.session(), &plan).unwrap();
    refusals::check_writable(&stage.session()).unwrap();
    // Nothing was opened for it.
    assert!(!stage.dir.path().join("root/var").exists());
}

#[test]
fn the_history_knows_who_asked_for_what() {
    let stage = Stage::new(&["install", "tool"]);
    let dependency = PlannedChange {
        reason: ChangeReason::Dependency,
        ..change(PlannedAction::Install, "library")
    };
    let plan = plan_of(vec![
        dependency,
        change(PlannedAction::Install, "tool"),
        change(PlannedAction::Upgrade, "shell"),
        change(PlannedAction::Remove, "old"),
        change(PlannedAction::Obsolete, "older"),
    ]);
    let mut goal = Goal::default();
    goal.requested.insert("shell".to_owned());
    goal.marks.insert("doc".to_owned(), 1);
    let begun = record::begun(&stage.session().settings, &goal, &plan);
    let flags: Vec<(&str, i64)> = begun.flags.iter().map(|(n, v)| (&n[..], *v)).collect();
    assert_eq!(
        flags,
        [("doc", 1), ("library", 1), ("shell", 0), ("tool", 0)]
    );
    assert_eq!(
        begun.added,
        ["library-1-1.noarch", "tool-1-1.noarch", "shell-1-1.noarch"]
    );
    assert_eq!(begun.removed, ["old-1-1.noarch", "older-1-1.noarch"]);
    assert!(begun.command_line.ends_with("install tool"));
    assert_eq!(begun.now, 1_700_000_000);
}

#[test]
fn a_transaction_that_had_begun_is_remembered_and_a_refused_one_is_not() {
    let stage = Stage::new(&["install", "tool"]);
    let session = stage.session();
    let history = open_history(&session).unwrap();
    let begun = record::begun(&session.settings, &Goal::default(), &Plan::default());
    for had_begun in [false, true] {
        history.begin(&begun).unwrap();
        let failure = Failure::because(Code::TRANSACTION_FAILED, "the disk is full");
        let stopped = Stopped {
            failure,
            begun: had_begun,
        };
        record::stopped(&session, &history, &stopped).unwrap();
        assert!(!history.has_begun().unwrap());
        assert_eq!(history.failures().unwrap().len(), usize::from(had_begun));
    }
    assert_eq!(history.failures().unwrap()[0].reason, "the disk is full");
}

#[test]
fn the_phase_follows_the_events_of_a_transaction() {
    let stage = Stage::new(&["install"]);
    let session = stage.session();
    let phase = session.interrupt.guard();
    phase.undoable();
    let mut teller = Teller::new(&stage.printer, &phase);
    teller.event(Event::Checking);
    assert!(!teller.has_begun());
    let package = "tool-1-1.noarch";
    teller.event(Event::Installing { package });
    assert!(teller.has_begun());
    assert!(!phase.is_committed());
    teller.event(Event::Committing);
    assert!(phase.is_committed());
    teller.event(Event::RollingBack);
    assert!(!phase.is_committed());
    let said = stage.printer.recorded();
    assert_eq!(
        said.out,
        "Testing transaction\nRunning transaction\nInstalling/Updating: tool-1-1.noarch\n"
    );
    assert_eq!(said.err, "undoing what was done so far\n");
}

#[test]
fn a_failed_scriptlet_is_told_as_rpm_tells_it() {
    let warning = Warning::Scriptlet {
        package: "tool-1-1.noarch".to_owned(),
        script: "%post".to_owned(),
        status: "exit status 1".to_owned(),
    };
    assert_eq!(
        warning_line(&warning),
        "warning: %post(tool-1-1.noarch) scriptlet failed, exit status 1"
    );
}

#[test]
fn a_journal_that_was_left_is_told_of_and_then_undone() {
    let stage = Stage::new(&["install"]);
    let session = stage.session();
    say_pending(&session);
    assert_eq!(stage.printer.recorded().err, "");
    let root = RootDir::open(&session.settings.root).unwrap();
    let state = session.settings.root.join(&STATE_DIR[1..]);
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("journal"), b"").unwrap();
    say_pending(&session);
    let said = stage.printer.recorded().err;
    assert!(
        said.starts_with("warning: a transaction was interrupted;"),
        "{said}"
    );
    recover(&session).unwrap();
    let said = stage.printer.recorded().err;
    assert!(
        said.ends_with("warning: an interrupted transaction has been undone\n"),
        "{said}"
    );
    assert!(!rpm_transaction::pending(&root, STATE_DIR).unwrap());
}

#[test]
fn a_transaction_of_a_killed_run_is_forgotten_where_it_did_not_happen() {
    let stage = Stage::new(&["install"]);
    let session = stage.session();
    let plan = plan_of(vec![change(PlannedAction::Install, "tool")]);
    let history = open_history(&session).unwrap();
    history
        .begin(&record::begun(&session.settings, &Goal::default(), &plan))
        .unwrap();
    drop(history);
    record::settle(&session).unwrap();
    let left = History::open_read(&session.settings.persist_dir)
        .unwrap()
        .unwrap();
    assert!(!left.has_begun().unwrap());
    assert_eq!(left.failures().unwrap(), []);
    assert_eq!(stage.printer.recorded().err, "");
}
