//! The root before the upgrade, copies of it, and what must hold after every accident.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use testkit::program::{self, Run, ok};

use rpm_transaction::{RootDir, STATE_DIR, pending};
use tempfile::TempDir;
use testkit::rpm::Rpm;
use testkit::stage::{self, Stage};
use testkit::{fixtures, rpmdb, step, tree};

use super::specs::{LOG, OLD, UPGRADED, packages};
use crate::interop_lab::{database, program};

/// Every run happens at this time, so that two of them have the same rows. It lies ahead: what is
/// made during a run with an earlier one gets its time at the very end, which a fault may prevent.
const NOW: &str = "2000000000";

/// Files and rows.
pub(super) struct State {
    tree: BTreeMap<PathBuf, tree::Entry>,
    rows: rpmdb::Dump,
    /// Every name in the root, also of what is not compared.
    names: Vec<PathBuf>,
    /// `rpm -Va` by real rpm.
    verify: String,
}

/// The scene: made once per process.
pub(super) struct Scene {
    stage: Stage,
    pub(super) old: State,
    pub(super) new: State,
    /// The calls of the upgrade that change something: name, and whether the program itself makes it.
    pub(super) calls: Vec<(&'static str, bool)>,
    /// The first write to the rpm database in it.
    commit: usize,
    /// The first call after the journal says that the database is committed.
    committed: usize,
}

/// Which system was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Old,
    New,
}

/// Can this machine step programs, as root?
pub(super) fn possible() -> bool {
    if fixtures::unprivileged() {
        return false;
    }
    if !step::available() {
        fixtures::skipped("programs are stepped on x86-64 only");
        return false;
    }
    true
}

/// Where copies of the root are made: in memory where there is room.
pub(super) fn quick_dir() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |vfs| vfs.f_bavail * vfs.f_frsize);
    if room > 1 << 30 {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// A copy of a folder with everything that it says of itself.
pub(super) fn copy(from: &Path) -> TempDir {
    tree::copied(from, &quick_dir())
}

/// tdnf on a root.
pub(super) fn tdnf(root: &Path, words: &[&str]) -> Command {
    let words = [&["--releasever", "1"], words].concat();
    let mut command = stage::tdnf(&program(), root, &words);
    command.env("SOURCE_DATE_EPOCH", NOW);
    command
}

/// A root with a shell and a repository of these packages; tdnf is configured as it is shipped.
pub(super) fn stage_with(packages: &[PathBuf]) -> Stage {
    let stage = Stage::with_conf(&fixtures::shipped_conf());
    stage.root.add_shell();
    stage.add_repo("crash", packages);
    stage
}

/// The upgrade of the five.
pub(super) fn upgrade(root: &Path) -> Command {
    tdnf(root, &[&["-y", "update"], &UPGRADED[..]].concat())
}

/// A start that has nothing to do but what was left.
pub(super) fn next_start_command(root: &Path) -> Command {
    tdnf(root, &["-y", "install", "shell"])
}

fn next_start(root: &Path) -> Run {
    program::run(&mut next_start_command(root))
}

/// The scene of this process.
pub(super) fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(Scene::new)
}

impl Scene {
    fn new() -> Scene {
        let stage = stage_with(&packages());
        let base = &stage.root;
        base.write(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nbin:x:2:2:bin:/:/bin/false\n",
        );
        base.write("etc/group", "root:x:0:\nbin:x:2:\n");
        base.write(LOG, "");
        ok(&mut tdnf(
            base.path(),
            &[&["-y", "install"], &OLD[..]].concat(),
        ));
        for name in ["alpha", "alpha-keep", "alpha-gone"] {
            base.write(&format!("etc/{name}.conf"), "edited\n");
        }
        let started = next_start(base.path());
        assert!(started.success(), "{started:?}");
        let old = State::of(base.path());
        let done = copy(base.path());
        let (mut commit, mut committed) = (0, 0);
        let mut calls = Vec::new();
        let run = step::run(&upgrade(done.path()), done.path(), &mut |call| {
            if commit == 0 && call.file.ends_with("rpmdb.sqlite-wal") && call.name == "pwrite64" {
                commit = call.number;
            }
            if commit > 0 && committed == 0 && call.name == "unlinkat" {
                committed = call.number;
            }
            calls.push((call.name, call.own));
            step::Order::Go
        });
        assert_eq!(run.code, Some(0), "{}", run.output);
        assert!(commit > 0 && committed > commit, "{commit} {committed}");
        let started = next_start(done.path());
        assert!(started.success(), "{started:?}");
        let new = State::of(done.path());
        assert!(!old.differences(&new).is_empty());
        Scene {
            stage,
            old,
            new,
            calls,
            commit,
            committed,
        }
    }

    /// The root before the upgrade.
    pub(super) fn base(&self) -> &Path {
        self.stage.root.path()
    }

    /// A call at which every file is in its place, and the database is not committed yet, or just so.
    pub(super) fn commit_call(&self, before: bool) -> usize {
        if before {
            self.commit
        } else {
            self.committed + 5
        }
    }
}

impl State {
    pub(super) fn of(root: &Path) -> State {
        let rows = rpmdb::dump(&database(root), &[]);
        let verify = rpm_verify(root);
        let all = tree::read(root, &|_| false);
        let mut tree = all.clone();
        let own = ["var/cache", "var/lib/tdnf", "var/lib/rpm", LOG];
        tree.retain(|path, _| !own.iter().any(|own| path.starts_with(own)));
        // Made by the first scriptlet, and no file of a package.
        tree.remove(Path::new("var/tmp"));
        State {
            tree,
            rows,
            names: all.into_keys().collect(),
            verify,
        }
    }

    pub(super) fn differences(&self, other: &State) -> Vec<String> {
        let mut lines = tree::differences(&self.tree, &other.tree);
        lines.extend(rpmdb::differences(&self.rows, &other.rows));
        if self.verify != other.verify {
            lines.push(format!("rpm -Va: {:?} != {:?}", self.verify, other.verify));
        }
        lines
    }
}

/// What `rpm -Va` and `rpmdb --verifydb` say; the latter must be content.
fn rpm_verify(root: &Path) -> String {
    let rpm = Rpm::on_root(root);
    rpm.program_ok("rpmdb", &["--verifydb"]);
    rpm.run(&["-Va"]).text()
}

impl Scene {
    /// Starts the program again and looks at what it makes of the root.
    pub(super) fn judge(&self, root: &Path) -> Result<Found, String> {
        let next = next_start(root);
        let said = &next.err;
        if !next.success() {
            return Err(format!("the next start fails: {:?}\n{said}", next.code));
        }
        let found = self.judge_without_start(root);
        found.map_err(|why| format!("{why}\nthe next start said: {said}"))
    }

    /// The old system or the new one, entirely, and nothing beside.
    pub(super) fn judge_without_start(&self, root: &Path) -> Result<Found, String> {
        let dir = RootDir::open(root).map_err(|e| e.to_string())?;
        if pending(&dir, STATE_DIR).map_err(|e| e.to_string())? {
            return Err("the journal is still there".to_owned());
        }
        let state = State::of(root);
        let (to_old, to_new) = (state.differences(&self.old), state.differences(&self.new));
        if !to_old.is_empty() && !to_new.is_empty() {
            return Err(format!(
                "found left, old right: {to_old:#?}\nfound left, new right: {to_new:#?}"
            ));
        }
        let known = |name: &PathBuf| self.old.names.contains(name) || self.new.names.contains(name);
        let strange: Vec<&PathBuf> = state.names.iter().filter(|name| !known(name)).collect();
        if !strange.is_empty() {
            return Err(format!("left behind: {strange:?}"));
        }
        Ok(if to_new.is_empty() {
            Found::New
        } else {
            Found::Old
        })
    }

    /// The upgrade again: it must come to its end now.
    pub(super) fn goes_on(&self, root: &Path) -> Result<(), String> {
        let output = program::run(&mut upgrade(root));
        if !output.success() {
            return Err(format!("the second upgrade: {output:?}"));
        }
        match self.judge(root)? {
            Found::New => Ok(()),
            Found::Old => Err("the second upgrade changed nothing".to_owned()),
        }
    }
}
