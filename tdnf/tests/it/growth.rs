//! What a change costs does not grow with what it does not touch: calls are counted, nothing is timed.

use std::fs;
use std::path::PathBuf;

use testkit::program;
use testkit::rpm::Rpm;
use testkit::spec::{self, Spec};
use testkit::stage::{self, Stage};

use crate::interop_lab;

/// Packages `g1` to `gCOUNT`, each with a file of a name that all of them have, and of one of its own.
fn packages(count: usize) -> Vec<PathBuf> {
    let mut text = format!(
        "Name: growth\nVersion: 1\nRelease: 1\nSummary: test\nLicense: MIT\nBuildArch: noarch\n%description\ntest\n\
         %install\nfor n in $(seq {count}); do d=%{{buildroot}}/usr/share/growth/$n; mkdir -p $d\n\
         echo $n > $d/README; echo $n > $d/own$n; done\n"
    );
    // Longer than a page of the database, as most are.
    let description = "A description. ".repeat(600);
    for number in 1..=count {
        text.push_str(&format!(
            "%package -n g{number}\nSummary: test\n%description -n g{number}\n{description}\n\
             %files -n g{number}\n/usr/share/growth/{number}\n"
        ));
    }
    spec::build(&text, &[])
}

/// How often the rpm database is read while one more package is installed, and while another one is erased.
fn reads(installed: &[PathBuf], one: &PathBuf) -> [usize; 2] {
    let site = Stage::with_conf("[main]\ngpgcheck=0\n");
    site.add_repo("all", &[installed, std::slice::from_ref(one)].concat());
    let tdnf = interop_lab::program();
    let run = |words: &[&str]| {
        program::ok(&mut stage::tdnf(&tdnf, site.root.path(), words));
    };
    let files: Vec<String> = installed
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let mut words = vec!["-y", "--nogpgcheck", "--releasever=1", "install"];
    words.extend(files.iter().map(String::as_str));
    run(&words);
    let database = site.root.path().join("var/lib/rpm/rpmdb.sqlite");
    // The first change after a large one reads all that is new.
    run(&["-y", "--releasever=1", "remove", "g10"]);
    [["install", "one"], ["remove", "g1"]].map(|[verb, name]| {
        let log = site.path("reads");
        let mut strace = std::process::Command::new("strace");
        strace.args(["-f", "-qq", "-e", "trace=pread64", "-P"]);
        strace.arg(&database).arg("-o").arg(&log).arg(&tdnf);
        strace.arg("--installroot").arg(site.root.path());
        program::ok(strace.args(["-y", "--releasever=1", verb, name]));
        fs::read_to_string(&log)
            .expect("strace wrote it")
            .lines()
            .count()
    })
}

/// How often files of packages are opened while their plan is made.
fn opens(files: &[PathBuf]) -> usize {
    let site = Stage::with_conf("[main]\ngpgcheck=0\n");
    site.add_repo("none", &[]);
    let log = site.path("opens");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=?open,openat,openat2", "-o"]);
    strace.arg(&log).arg(interop_lab::program());
    strace.arg("--installroot").arg(site.root.path());
    strace.args(["--releasever=1", "--dryrun", "install"]);
    program::ok(strace.args(files));
    let log = fs::read_to_string(&log).expect("strace wrote it");
    log.lines().filter(|line| line.contains(".rpm\"")).count()
}

/// Each package file is opened for itself, and not again for each of the others.
#[test]
fn package_files_are_opened_in_proportion_to_their_number() {
    let all = packages(240);
    let (few, many) = (opens(&all[..60]), opens(&all));
    assert!(few >= 60, "nothing was counted");
    assert!(many <= few * 5, "{few} opens of 60 files, {many} of 240");
}

/// The records of packages that the change does not touch stay unread; what grows is the indexes.
#[test]
fn one_package_is_installed_without_reading_all_others() {
    let one = Spec::new("one", "1")
        .install("mkdir -p %{buildroot}/usr/share/one; echo > %{buildroot}/usr/share/one/README")
        .files("/usr/share/one")
        .build();
    let all = packages(240);
    let few = reads(&all[..60], &one);
    let many = reads(&all, &one);
    for (few, many) in few.into_iter().zip(many) {
        assert!(few > 0, "nothing was counted");
        let more = many.saturating_sub(few);
        assert!(more < 60, "{few} reads with 60 packages, {many} with 240");
    }
}

/// What is taken over from the cache of an earlier state is what is installed still, not what once had its number.
#[test]
fn a_rebuilt_database_gives_numbers_to_other_packages() {
    let site = Stage::with_conf("[main]\ngpgcheck=0\n");
    let [first, second, last] = [("first", "1"), ("last", "1"), ("last", "2")]
        .map(|(name, version)| Spec::new(name, version).files("").build());
    let tdnf = interop_lab::program();
    let run = |words: &[&str]| {
        program::run(stage::tdnf(&tdnf, site.root.path(), words).arg("--releasever=1"))
    };
    site.add_repo("all", &[first, second]);
    run(&["-y", "--nogpgcheck", "install", "first", "last"]).ok();
    assert!(run(&["--assumeno", "remove", "last"]).out.contains("1-1"));
    let rpm = Rpm::on_root(site.root.path());
    rpm.ok(&["-U", last.to_str().expect("UTF-8")]);
    rpm.program_ok("rpmdb", &["--rebuilddb"]);
    let removed = run(&["--assumeno", "remove", "last"]);
    assert!(removed.out.contains("2-1"), "{removed:?}");
}
