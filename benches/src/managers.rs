//! The package managers of this machine beside ours: how each is asked the same thing, on the same root.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure::Program;

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) enum Job<'a> {
    Version,
    Makecache,
    /// A plan from what the caches have; nothing is installed.
    Solve(&'a [&'a str]),
    Install(&'a [&'a str]),
    Upgrade,
    List,
    Installed,
    CheckUpdate,
    Info(&'a str),
    Provides(&'a str),
    Search(&'a str),
    WhatRequires(&'a str),
}

type Maker = fn(&Path, Job) -> Option<(Vec<String>, &'static [i32])>;

/// Name, program, and how it is called.
static MANAGERS: [(&str, &str, Maker); 5] = [
    ("dnf", "dnf", dnf),
    ("dnf5", "dnf5", dnf5),
    ("microdnf", "microdnf", microdnf),
    ("zypper", "zypper", zypper),
    ("tdnf of C", "tdnf", c_tdnf),
];

/// What this machine has of them.
#[derive(Default)]
pub(crate) struct Managers(Vec<&'static (&'static str, &'static str, Maker)>);

impl Managers {
    /// Looks along `PATH`; the first of them is what marks are relative to.
    pub(crate) fn find() -> Managers {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = |program: &str| {
            let mut places = std::env::split_paths(&path).map(|dir| dir.join(program));
            places.find(|path| path.is_file())
        };
        let here = MANAGERS.iter().filter(|(name, program, _)| {
            found(program).is_some_and(|path| *name != "tdnf of C" || is_c(&path))
        });
        Managers(here.collect())
    }

    /// How each that can do it is called for this job on this root.
    pub(crate) fn programs(&self, root: &Path, job: Job) -> Vec<(&'static str, Program)> {
        let all = self.0.iter().filter_map(|(name, program, maker)| {
            let (words, good) = match job {
                Job::Version => (
                    vec![(*program).to_owned(), "--version".to_owned()],
                    &[0][..],
                ),
                job => maker(root, job)?,
            };
            Some((*name, Program::new(&words, good)))
        });
        all.collect()
    }

    /// The first line that each says of its version.
    pub(crate) fn versions(&self) -> Vec<(String, String)> {
        let all = self.0.iter().map(|(name, program, _)| {
            let line = first_line(Command::new(program).arg("--version"));
            ((*name).to_owned(), line.unwrap_or_default())
        });
        all.collect()
    }
}

/// The first line of what a program says.
pub(crate) fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}

/// Ours may be on the `PATH`, too; the one of C has its library.
fn is_c(path: &PathBuf) -> bool {
    let ldd = Command::new("ldd").arg(path).output();
    ldd.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("libtdnf"))
}

fn words(start: Vec<String>, more: &[&str], names: &[&str]) -> Vec<String> {
    let more = more.iter().chain(names).map(|word| (*word).to_owned());
    start.into_iter().chain(more).collect()
}

/// `HOME` names the place of the root's database: Debian's librpm keeps a user's elsewhere.
fn with_home(root: &Path, program: &str) -> Vec<String> {
    let home = format!("HOME={}/root", root.display());
    vec!["env".to_owned(), home, program.to_owned()]
}

/// One of dnf's family on a root, with its cache there; `own`: the options that it alone knows.
fn in_root(root: &Path, program: &str, own: &[&str]) -> Vec<String> {
    let mut start = with_home(root, program);
    let root = root.display();
    start.extend([
        format!("--config={root}/etc/dnf.conf"),
        format!("--installroot={root}"),
        format!("--setopt=reposdir={root}/etc/yum.repos.d"),
        format!("--setopt=cachedir={root}/var/cache/{program}"),
        "--releasever=5".to_owned(),
    ]);
    words(start, own, &[])
}

/// The words that dnf and its successor have in common.
fn of_dnf(start: Vec<String>, job: Job) -> Option<(Vec<String>, &'static [i32])> {
    Some(match job {
        Job::Version => return None,
        Job::Makecache => (words(start, &["makecache"], &[]), &[0]),
        Job::Solve(names) => (words(start, &["-C", "install", "--assumeno"], names), &[1]),
        Job::Install(names) => (words(start, &["-y", "install"], names), &[0]),
        Job::Upgrade => (words(start, &["-C", "upgrade", "--assumeno"], &[]), &[0, 1]),
        Job::List => (words(start, &["-C", "list"], &[]), &[0]),
        Job::Installed => (words(start, &["-C", "list", "--installed"], &[]), &[0]),
        Job::CheckUpdate => (words(start, &["-C", "check-update"], &[]), &[0, 100]),
        Job::Info(name) => (words(start, &["-C", "info"], &[name]), &[0]),
        Job::Provides(path) => (words(start, &["-C", "provides"], &[path]), &[0]),
        Job::Search(word) => (words(start, &["-C", "search"], &[word]), &[0]),
        Job::WhatRequires(name) => (
            words(start, &["-C", "repoquery", "--whatrequires"], &[name]),
            &[0],
        ),
    })
}

fn dnf(root: &Path, job: Job) -> Option<(Vec<String>, &'static [i32])> {
    let start = in_root(
        root,
        "dnf",
        &["--disableplugin=local", "--forcearch=x86_64"],
    );
    of_dnf(start, job)
}

fn dnf5(root: &Path, job: Job) -> Option<(Vec<String>, &'static [i32])> {
    let start = in_root(root, "dnf5", &["--forcearch=x86_64"]);
    of_dnf(start, job)
}

/// It solves and installs; of questions it has few.
fn microdnf(root: &Path, job: Job) -> Option<(Vec<String>, &'static [i32])> {
    let start = in_root(root, "microdnf", &[]);
    Some(match job {
        Job::Makecache => (words(start, &["makecache"], &[]), &[0]),
        Job::Install(names) => (words(start, &["-y", "install"], names), &[0]),
        Job::Installed => (words(start, &["repoquery", "--installed"], &[]), &[0]),
        _ => return None,
    })
}

fn zypper(root: &Path, job: Job) -> Option<(Vec<String>, &'static [i32])> {
    let mut start = with_home(root, "zypper");
    let root = root.display();
    start.extend([
        format!("--root={root}"),
        format!("--reposd-dir={root}/etc/yum.repos.d"),
        format!("--cache-dir={root}/var/cache/zypp"),
        "--releasever=5".to_owned(),
        "--non-interactive".to_owned(),
        "--no-gpg-checks".to_owned(),
    ]);
    let cached = |more: &[&str], names: &[&str]| {
        words(start.clone(), &[&["--no-refresh"], more].concat(), names)
    };
    Some(match job {
        Job::Makecache => (words(start, &["refresh"], &[]), &[0]),
        Job::Solve(names) => (cached(&["install", "--dry-run"], names), &[0]),
        Job::Install(names) => (words(start, &["install"], names), &[0]),
        Job::Upgrade => (cached(&["update", "--dry-run"], &[]), &[0]),
        Job::List => (cached(&["packages"], &[]), &[0]),
        Job::Installed => (cached(&["packages", "--installed-only"], &[]), &[0]),
        Job::CheckUpdate => (cached(&["list-updates"], &[]), &[0]),
        Job::Info(name) => (cached(&["info"], &[name]), &[0]),
        Job::Search(word) => (cached(&["search", "--search-descriptions"], &[word]), &[0]),
        Job::WhatRequires(name) => (cached(&["search", "--requires-pkg"], &[name]), &[0]),
        Job::Version | Job::Provides(_) => return None,
    })
}

/// Its cache is not ours: `etc/ctdnf.conf` names another.
fn c_tdnf(root: &Path, job: Job) -> Option<(Vec<String>, &'static [i32])> {
    let mut start = with_home(root, "tdnf");
    let root = root.display();
    start.extend([
        "-c".to_owned(),
        format!("{root}/etc/ctdnf.conf"),
        "--installroot".to_owned(),
        root.to_string(),
        "--releasever=5".to_owned(),
    ]);
    Some(match job {
        Job::Version => return None,
        Job::Makecache => (words(start, &["makecache"], &[]), &[0]),
        Job::Solve(names) => (
            words(start, &["-C", "install", "--assumeno"], names),
            &[0, 8],
        ),
        Job::Install(names) => (words(start, &["-y", "install"], names), &[0]),
        Job::Upgrade => (words(start, &["-C", "--assumeno", "upgrade"], &[]), &[0, 8]),
        Job::List => (words(start, &["-C", "list"], &[]), &[0]),
        Job::Installed => (words(start, &["list", "installed"], &[]), &[0]),
        Job::CheckUpdate => (words(start, &["-C", "check-update"], &[]), &[0, 100]),
        Job::Info(name) => (words(start, &["-C", "info"], &[name]), &[0]),
        Job::Provides(path) => (words(start, &["-C", "provides"], &[path]), &[0]),
        Job::Search(word) => (words(start, &["-C", "search"], &[word]), &[0]),
        Job::WhatRequires(name) => (
            words(start, &["-C", "repoquery", "--whatrequires"], &[name]),
            &[0],
        ),
    })
}
