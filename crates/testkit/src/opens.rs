//! How a program opens files for writing, as `strace` sees it.

use std::path::Path;
use std::process::Command;

use crate::program;

/// Calls that are listed.
const CALLS: &str = "trace=open,openat,openat2,creat,truncate";
/// What keeps a call from writing through a link in the last part of its path: it is not followed, something new is
/// made, or the file has no name.
const SAFE: [&str; 5] = ["O_NOFOLLOW", "O_EXCL", "O_TMPFILE", "RESOLVE_", "O_PATH"];

/// Runs `command`, which must succeed, and gives its calls (and those of its children) that would write through a
/// symbolic link in the place of the file. Terminals and `/dev/null` do not count.
///
/// # Panics
/// There is no strace, the command fails, or it opens nothing for writing at all: then nothing was looked at.
pub fn through_links(command: &Command) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a folder");
    let log = dir.path().join("calls");
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-qq", "-s", "4096", "-e", CALLS, "-o"])
        .arg(&log);
    traced.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(key, value),
            None => traced.env_remove(key),
        };
    }
    traced.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    program::run(&mut traced).ok();
    let calls = std::fs::read_to_string(log).expect("the calls");
    let written: Vec<&str> = calls.lines().filter(|call| writes(call)).collect();
    assert!(
        !written.is_empty(),
        "nothing is opened for writing: {calls}"
    );
    let bad = written
        .into_iter()
        .filter(|call| !SAFE.iter().any(|safe| call.contains(safe)));
    bad.map(str::to_owned).collect()
}

fn writes(call: &str) -> bool {
    let flags = [
        "O_WRONLY",
        "O_RDWR",
        "O_CREAT",
        "O_TRUNC",
        "creat(",
        "truncate(",
    ];
    flags.iter().any(|flag| call.contains(flag)) && !call.contains("\"/dev/")
}
