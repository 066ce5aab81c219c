//! Small programs from outside the project, each with a right answer: what users of tdnf, yum and dnf do. They stand
//! beside the project (`TDNF_SHARED`, or `../shared`); where they are not, there is nothing to run.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::fixtures::unprivileged;
use testkit::program;

use crate::interop_lab;

/// Cases that are known to fail. A case that passes is taken off; no other is put on. The folders mirror and
/// security are not looked at yet.
const KNOWN: &[&str] = &[];

fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("TDNF_SHARED").map_or_else(beside, PathBuf::from);
    let cases = shared.join("cases");
    cases.join("run.sh").is_file().then_some(cases)
}

fn run(cases: &Path, pattern: &str) -> String {
    let tdnf = interop_lab::program();
    let mut command = Command::new(cases.join("run.sh"));
    command.arg(pattern).env("TDNF", &tdnf).env("TIMES", "4");
    for (variable, name) in [("REPO_TOOLS", "repo-tools"), ("MIRROR_SYNC", "mirror-sync")] {
        let path = tdnf.with_file_name(name);
        if path.is_file() {
            command.env(variable, path);
        }
    }
    program::run(&mut command).out
}

/// Runs a folder; a case that fails is tried once more alone, because the machine may have been busy.
fn folder_passes(name: &str, count: usize) {
    let Some(cases) = folder() else {
        println!("no cases here");
        return;
    };
    if unprivileged() {
        return;
    }
    let out = run(&cases, &format!("{name}/"));
    let lines = out
        .lines()
        .filter(|line| line.contains(&format!("{name}/")));
    let (passed, failed): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("ok "));
    assert!(passed.len() + failed.len() >= count, "{out}");
    let known = |case: &str| KNOWN.contains(&case);
    for line in passed {
        let case = line.trim_start_matches("ok ").trim();
        assert!(!known(case), "{case} passes: take it off the list");
    }
    for line in failed {
        let case = line.trim_start_matches("NOT OK ");
        let case = case.split(':').next().unwrap_or_default();
        // Some cases of repo-tools get their key from mirror-sync.
        let mirror_sync = interop_lab::program().with_file_name("mirror-sync");
        let keyless = line.contains("precondition: ") && !mirror_sync.is_file();
        let unbuilt = keyless || line.contains("does not name a program");
        if unbuilt || line.contains("is absent on this machine") {
            println!("not run: {line}");
            continue;
        }
        let again = || run(&cases, case);
        assert!(known(case) || again().starts_with("ok "), "{line}");
    }
}

#[test]
fn cases_of_keys_pass() {
    folder_passes("keys", 6);
}

#[test]
fn cases_of_the_solver_pass() {
    folder_passes("solver", 20);
}

#[test]
fn cases_of_transactions_pass() {
    folder_passes("transaction", 4);
}

#[test]
fn cases_of_databases_pass() {
    folder_passes("rpmdb", 2);
}

#[test]
fn cases_of_configuration_pass() {
    folder_passes("config", 19);
}

#[test]
fn cases_of_metadata_pass() {
    folder_passes("metadata", 14);
}

#[test]
fn cases_of_output_pass() {
    folder_passes("output", 14);
}

#[test]
fn cases_of_repo_tools_pass() {
    folder_passes("repo-tools", 8);
}
