//! Transactions against the real rpm 4.18, and against rpm 4.20 and 6.1 where their roots are: the same packages into
//! copies of the same root.

// The helpers of tests are tests: what they cannot do ends the test.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod differential;
mod failures;
mod file_triggers;
mod generations;
mod kill;
mod labels;
mod oracle;
mod order;
mod random;
mod real;
mod rows;
mod wide;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rpm_db::{DatabaseSearch, Db, IndexTable, location};
use rpm_transaction::{
    self, Committed, Element, Erase, Event, Generation, Identity, Install, Mode, Options, RootDir,
    TransactionError, TransactionObserver,
};
use testkit::fixtures::unprivileged;
use testkit::program;
use testkit::root::Sandbox;
use testkit::rpm::Rpm;
use testkit::spec::Spec;
use testkit::{rpm, rpmdb, tree};

/// The time that all transactions of these tests happen at.
const NOW: u64 = 1_700_000_000;

/// Everything the scriptlets said, in order.
#[derive(Default)]
struct Transcript(Vec<u8>);

impl TransactionObserver for Transcript {
    fn event(&mut self, event: Event<'_>) {
        if let Event::ScriptOutput { bytes, .. } = event {
            self.0.extend_from_slice(bytes);
        }
    }
}

fn options() -> Options<'static> {
    let mut options = Options::new(NOW, "x86_64");
    options.runner = PathBuf::from(env!("CARGO_BIN_EXE_tdnf"));
    options
}

fn open_db(root: &Path) -> Db {
    let place = location::find(root, DatabaseSearch::default()).unwrap();
    Db::open_write(&place).unwrap()
}

/// What is to be done, in words of a test.
#[derive(Clone, Copy)]
enum Ask<'a> {
    /// `rpm -U --oldpackage --replacepkgs`
    Upgrade(&'a Path),
    /// `rpm -i`
    Install(&'a Path),
    /// `rpm -e`
    Erase(&'a str),
}

/// The elements of a transaction; every installed package of an upgraded name is erased, and
/// what the new one obsoletes as well.
fn elements(db: &Db, asks: &[Ask<'_>]) -> Vec<Element> {
    let mut elements = Vec::new();
    let mut erasures = Vec::new();
    for ask in asks {
        match ask {
            Ask::Upgrade(path) | Ask::Install(path) => {
                let package = rpm_pkg::package::Package::open(File::open(path).unwrap()).unwrap();
                if matches!(ask, Ask::Upgrade(_)) {
                    let linked = Some(elements.len());
                    let replaced = replaced(db, &package);
                    erasures.extend(replaced.into_iter().map(|h| (h, linked)));
                }
                elements.push(Element::Install(Install {
                    path: path.to_path_buf(),
                    identity: Identity::of(&package, None),
                    mode: Mode::Upgrade,
                }));
            }
            Ask::Erase(name) => erasures.extend(hnums(db, name).map(|h| (h, None))),
        }
    }
    let erase = |(hnum, linked_to)| Element::Erase(Erase { hnum, linked_to });
    elements.extend(erasures.into_iter().map(erase));
    elements
}

/// Installed packages that a new one replaces: all of its name, and what it obsoletes.
fn replaced<R: std::io::Read>(db: &Db, package: &rpm_pkg::package::Package<R>) -> Vec<u32> {
    use rpm_pkg::dep::{Dep, DepFlags, DepGroup, Deps};
    let name = &package.nevra().name;
    let mut replaced: Vec<u32> = hnums(db, name).collect();
    for obsoletes in Deps::of(&package.header, DepGroup::Obsoletes).map(|dep| dep.to_dep()) {
        replaced.extend(hnums(db, &obsoletes.name).filter(|&hnum| {
            let header = db.get(hnum).unwrap().unwrap();
            let text = |tag| header.text(tag).unwrap().to_owned();
            use rpm_pkg::header::tag::{RELEASE, VERSION};
            let evr = format!("{}-{}", text(VERSION), text(RELEASE));
            let installed = Dep::new(obsoletes.name.clone(), DepFlags::EQUAL, evr);
            obsoletes.name != *name && installed.overlaps(&obsoletes)
        }));
    }
    replaced
}

fn hnums(db: &Db, name: &str) -> impl Iterator<Item = u32> + use<> {
    db.find(IndexTable::Name, name.as_bytes())
        .unwrap()
        .into_iter()
        .map(|m| m.hnum)
}

/// Runs a transaction on a root.
fn run(
    root: &Path,
    asks: &[Ask<'_>],
    options: &Options<'_>,
    observer: &mut dyn TransactionObserver,
) -> Result<Committed, TransactionError> {
    let db = open_db(root);
    let root = RootDir::open(root).unwrap();
    carry_out(&root, &db, elements(&db, asks), options, observer)
}

/// All steps of a transaction.
fn carry_out(
    root: &RootDir,
    db: &Db,
    elements: Vec<Element>,
    options: &Options<'_>,
    observer: &mut dyn TransactionObserver,
) -> Result<Committed, TransactionError> {
    let checked = rpm_transaction::check(root, db, elements, options, observer)?;
    rpm_transaction::commit(rpm_transaction::stage(checked)?)
}

/// Does the same with the machine's rpm; answers what the scriptlets said.
fn run_rpm(root: &Path, asks: &[Ask<'_>]) -> String {
    let command = Rpm::on_root(root).command("rpm");
    program::ok(&mut asked(command, asks, &Path::to_path_buf))
}

/// What rpm is told; `seen` says how it sees a package file.
fn asked(mut command: Command, asks: &[Ask<'_>], seen: &dyn Fn(&Path) -> PathBuf) -> Command {
    command.args(["--nodeps", "--nosignature"]);
    match asks.first() {
        Some(Ask::Erase(_)) => command.arg("-e"),
        Some(Ask::Install(_)) => command.args(["-i", "--oldpackage"]),
        _ => command.args(["-U", "--oldpackage", "--replacepkgs"]),
    };
    for ask in asks {
        match ask {
            Ask::Upgrade(path) | Ask::Install(path) => command.arg(seen(path)),
            Ask::Erase(name) => command.arg(name),
        };
    }
    command.stdin(std::process::Stdio::null());
    command
}

/// The tree of a root without database, state directory and scriptlets' directory.
fn tree_of(root: &Path) -> std::collections::BTreeMap<PathBuf, tree::Entry> {
    const OTHERS: [&str; 3] = ["var/lib/rpm", "var/lib/tdnf", "var/tmp"];
    let mut tree = tree::read(root, &|path| {
        OTHERS.iter().any(|other| path == Path::new(other))
    });
    // Two sandboxes may be made in different seconds.
    for made in ["bin", "sbin", "lib", "lib64", "etc/passwd", "etc/group"] {
        if let Some(entry) = tree.get_mut(Path::new(made)) {
            entry.mtime = 0;
        }
    }
    for (path, entry) in &mut tree {
        if path.starts_with("usr") {
            entry.mtime = 0;
        }
    }
    tree
}

/// `rpm -Va` by real rpm must find nothing.
fn verify_clean(root: &Path) {
    let text = Rpm::on_root(root).run(&["-Va", "--nodeps"]).out;
    assert!(text.trim().is_empty(), "rpm -Va says:\n{text}");
}

/// A spec with name, version and further text.
fn spec(name: &str, version: &str, preamble: &str, install: &str, rest: &str) -> Spec {
    Spec::new(name, version)
        .lines(preamble)
        .install(install)
        .rest(rest)
}

fn build(name: &str, version: &str, preamble: &str, install: &str, rest: &str) -> PathBuf {
    spec(name, version, preamble, install, rest).build()
}

/// Two equal roots: one for rpm, one for us.
struct Pair {
    rpm: Sandbox,
    ours: Sandbox,
    /// Another rpm than the machine's.
    oracle: Option<oracle::Oracle>,
}

impl Pair {
    fn new() -> Pair {
        Pair::with(None)
    }

    fn with(oracle: Option<oracle::Oracle>) -> Pair {
        let pair = Pair {
            rpm: Sandbox::with_shell(),
            ours: Sandbox::with_shell(),
            oracle,
        };
        pair.each(|root| std::fs::create_dir_all(root.join("var/lib/rpm")).unwrap());
        pair
    }

    fn each(&self, change: impl Fn(&Sandbox)) {
        change(&self.rpm);
        change(&self.ours);
    }

    /// The same transaction on both; tree, database and transcript must be equal.
    fn run(&self, asks: &[Ask<'_>]) -> Committed {
        let mut transcript = Transcript::default();
        let mut options = options();
        if let Some(oracle) = &self.oracle {
            options.generation = oracle.generation;
        }
        let done = run(self.ours.path(), asks, &options, &mut transcript)
            .unwrap_or_else(|e| panic!("{e}"));
        let theirs = match &self.oracle {
            None => run_rpm(self.rpm.path(), asks),
            Some(oracle) => oracle.run_rpm(self.rpm.path(), asks),
        };
        let ours = String::from_utf8_lossy(&transcript.0).into_owned();
        let differ = ours.lines().zip(theirs.lines()).position(|(a, b)| a != b);
        let at = differ.unwrap_or(0).saturating_sub(3);
        let part = |text: &str| -> Vec<String> {
            text.lines().skip(at).take(12).map(str::to_owned).collect()
        };
        assert!(
            ours == theirs,
            "the scriptlets said {:#?}\nand with rpm {:#?}",
            part(&ours),
            part(&theirs)
        );
        self.compare();
        done
    }

    fn same(&self, asks: &[Ask<'_>]) {
        drop(self.run(asks));
    }

    fn compare(&self) {
        let trees = tree::differences(&tree_of(self.ours.path()), &tree_of(self.rpm.path()));
        assert!(
            trees.is_empty(),
            "ours left, rpm's right:\n{}",
            trees.join("\n")
        );
        let dump =
            |root: &Sandbox| rpmdb::dump(&root.join("var/lib/rpm/rpmdb.sqlite"), &rpmdb::TIMES);
        let rows = rpmdb::differences(&dump(&self.ours), &dump(&self.rpm));
        assert!(
            rows.is_empty(),
            "ours left, rpm's right:\n{}",
            rows.join("\n")
        );
    }
}
