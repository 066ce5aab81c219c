//! The program is killed at every step that it announces: the next start finds the system of
//! before or the system of after.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;

use super::*;

const ROOT: &str = "TDNF_TEST_ROOT";
const PACKAGE: &str = "TDNF_TEST_PACKAGE";
const STEP: &str = "TDNF_TEST_KILL_STEP";

/// The process that is killed: does nothing unless the tests below start it.
#[test]
fn child() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let root = Path::new(&root);
    match std::env::var_os(PACKAGE) {
        Some(package) => {
            let asks = [Ask::Upgrade(Path::new(&package))];
            assert!(run(root, &asks, &options(), &mut ()).is_ok());
        }
        None => {
            let db = open_db(root);
            let root = RootDir::open(root).unwrap();
            assert!(
                rpm_transaction::recover(&root, &db, rpm_transaction::STATE_DIR)
                    .unwrap()
                    .is_some()
            );
        }
    }
}

/// Runs [`child`] and kills it at step `step`; false when it came to its end before.
fn killed(root: &Path, package: Option<&Path>, step: u32) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "transaction::kill::child", "--nocapture"]);
    command.env(ROOT, root).env(STEP, step.to_string());
    if let Some(package) = package {
        command.env(PACKAGE, package);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() || output.status.signal() == Some(9),
        "{text}"
    );
    !output.status.success()
}

fn package(version: &str) -> PathBuf {
    let install = format!(
        "cd %{{buildroot}}\nmkdir -p etc opt/k/gone-{version}\necho {version} > etc/k.conf\n\
         echo {version} > opt/k/a\nln opt/k/a opt/k/b\nln -s a{version} opt/k/link\n\
         echo same > opt/k/same\necho x > opt/k/gone-{version}/x\necho s > opt/k/suid"
    );
    let mut rest =
        "%files\n%config /etc/k.conf\n/opt/k\n%attr(4755,root,root) /opt/k/suid\n".to_owned();
    for script in ["pre", "post", "preun", "postun", "posttrans"] {
        rest.push_str(&format!("%{script}\n:\n"));
    }
    build("k", version, "", &install, &rest)
}

type State = (BTreeMap<PathBuf, tree::Entry>, rpmdb::Dump);

fn state(root: &Path) -> State {
    (
        tree_of(root),
        rpmdb::dump(&root.join("var/lib/rpm/rpmdb.sqlite"), &[]),
    )
}

fn copy(from: &Path) -> tempfile::TempDir {
    tree::copied(from, &std::env::temp_dir())
}

/// Recovers and answers whether the new system came out.
fn recovered(root: &Path, old: &State, new: &State, step: u32) -> bool {
    let recovery = {
        let db = open_db(root);
        let root = RootDir::open(root).unwrap();
        let recovery = rpm_transaction::recover(&root, &db, rpm_transaction::STATE_DIR).unwrap();
        assert!(!rpm_transaction::pending(&root, rpm_transaction::STATE_DIR).unwrap());
        recovery
    };
    let found = state(root);
    let is_new = same(&found, new);
    if !is_new {
        let trees = tree::differences(&found.0, &old.0);
        assert!(
            trees.is_empty(),
            "step {step}, {recovery:?}: found left, old right: {trees:#?}"
        );
        assert!(
            rpmdb::differences(&found.1, &old.1).is_empty(),
            "step {step}: rows"
        );
    }
    if let Some(recovery) = recovery {
        assert_eq!(recovery.finished, is_new, "step {step}: {recovery:?}");
    }
    is_new
}

fn same(a: &State, b: &State) -> bool {
    tree::differences(&a.0, &b.0).is_empty() && rpmdb::differences(&a.1, &b.1).is_empty()
}

fn base() -> Sandbox {
    let base = Sandbox::with_shell();
    drop(
        run(
            base.path(),
            &[Ask::Upgrade(&package("1"))],
            &options(),
            &mut (),
        )
        .unwrap(),
    );
    base.write("etc/k.conf", "edited\n");
    base
}

/// Row 87 in small: kill at every announced step of an upgrade.
#[test]
fn killed_at_every_step_of_an_upgrade() {
    if unprivileged() {
        return;
    }
    let two = package("2");
    let base = base();
    let old = state(base.path());
    let done = copy(base.path());
    drop(run(done.path(), &[Ask::Upgrade(&two)], &options(), &mut ()).unwrap());
    let new = state(done.path());
    assert!(!same(&old, &new));
    let (mut backward, mut forward) = (0, 0);
    for step in 1.. {
        let root = copy(base.path());
        if !killed(root.path(), Some(&two), step) {
            break;
        }
        if recovered(root.path(), &old, &new, step) {
            forward += 1
        } else {
            backward += 1
        }
    }
    println!(
        "killed at {} steps: {backward} old, {forward} new",
        backward + forward
    );
    assert!(backward > 20 && forward > 2);
}

/// Recovery itself is killed at every step, and the next one goes on.
#[test]
fn recovery_killed_at_every_step() {
    if unprivileged() {
        return;
    }
    let two = package("2");
    let base = base();
    let old = state(base.path());
    // Far into the renames: the last step before the commit point is near.
    let middle = copy(base.path());
    let mut last = 1;
    for step in [60, 50, 40, 30, 25, 20] {
        let root = copy(base.path());
        if killed(root.path(), Some(&two), step) && state_is_between(root.path(), &old) {
            last = step;
            break;
        }
    }
    assert!(killed(middle.path(), Some(&two), last));
    let mut points = 0;
    for step in 1.. {
        let root = copy(middle.path());
        if !killed(root.path(), None, step) {
            break;
        }
        points += 1;
        let db = open_db(root.path());
        let dir = RootDir::open(root.path()).unwrap();
        drop(rpm_transaction::recover(&dir, &db, rpm_transaction::STATE_DIR).unwrap());
        drop(db);
        let found = state(root.path());
        let trees = tree::differences(&found.0, &old.0);
        assert!(
            trees.is_empty(),
            "step {step}: found left, old right: {trees:#?}"
        );
    }
    println!("recovery killed at {points} steps");
    assert!(points > 3);
}

/// Files have changed and the database has not.
fn state_is_between(root: &Path, old: &State) -> bool {
    let found = state(root);
    rpmdb::differences(&found.1, &old.1).is_empty()
        && !tree::differences(&found.0, &old.0)
            .iter()
            .all(|line| line.contains("tdnf-stage"))
}
