//! Mount namespaces: what is mounted in one ends with its last program.

use std::process::Command;

use crate::{fixtures, program};

/// Set in a test that runs again in a namespace of its own.
const INSIDE: &str = "TDNF_TEST_OWN_MOUNTS";

/// A shell that runs `script` in a mount namespace of its own and ends at the first error; arguments that are added
/// to the command are `$1` and so on.
pub fn shell(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-ec", script, "sh"]);
    command
}

/// Runs the test of this name (with its modules) again in a mount namespace of its own, so that nothing stays mounted
/// whatever happens; true inside it. Elsewhere the test is over: it passed inside, or it is skipped, which is said.
#[track_caller]
pub fn own(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if fixtures::unprivileged() {
        return false;
    }
    if !program::run(&mut shell("true")).success() {
        fixtures::skipped("no mount namespaces here");
        return false;
    }
    let mut command = Command::new("unshare");
    command
        .arg("-m")
        .arg(std::env::current_exe().expect("a test knows its own path"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1");
    let run = program::run(&mut command);
    fixtures::tell(&run.text());
    assert!(run.success(), "{test} failed:\n{}", run.text());
    assert!(run.text().contains("1 passed"), "{test} did not run");
    false
}
