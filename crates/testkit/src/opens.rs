//! How a program opens files for writing, as `strace` sees it.

use std::path::Path;
use std::process::Command;

use crate::program;

/// Calls that are listed.
const CALLS: &str = "trace=open,openat,openat2,creat,truncate";
/// Those, and calls that change which names a folder has.
const NAMES: &str = "trace=open,openat,openat2,creat,truncate,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat";
/// What keeps a call from writing through a link in the last part of its path: it is not followed, something new is
/// made, or the file has no name.
const SAFE: [&str; 5] = ["O_NOFOLLOW", "O_EXCL", "O_TMPFILE", "RESOLVE_", "O_PATH"];

/// Runs `command`, which must succeed, and gives its calls (and those of its children) that would write through a
/// symbolic link in the place of the file. Terminals and `/dev/null` do not count.
///
/// # Panics
/// There is no strace, the command fails, or it opens nothing for writing at all: then nothing was looked at.
pub fn through_links(command: &Command) -> Vec<String> {
    through_links_while(command, succeed)
}

/// The same for a command that `run` runs to its end.
///
/// # Panics
/// As [`through_links`].
pub fn through_links_while(command: &Command, run: impl FnOnce(&mut Command)) -> Vec<String> {
    unsafe_of(&calls(command, CALLS, run), writes)
}

/// Runs `command`, which must succeed, and gives its calls that would look into a folder below `place` through a
/// symbolic link, as before what is in it is removed. It opens nothing for writing.
///
/// # Panics
/// There is no strace, the command fails, opens something for writing, or looks into no folder there.
pub fn folders_through_links(command: &Command, place: &Path) -> Vec<String> {
    let calls = calls(command, CALLS, succeed);
    let written: Vec<&str> = calls.lines().filter(|call| writes(call)).collect();
    assert!(written.is_empty(), "{written:#?}");
    let below = format!("\"{}/", place.display());
    // What is opened by its name alone is in a folder that was opened before.
    let relative = |call: &str| !call.contains("\"/") && !call.contains("AT_FDCWD");
    unsafe_of(&calls, |call| {
        call.contains("O_DIRECTORY") && (call.contains(&below) || relative(call))
    })
}

/// Runs `command`, which must succeed, and gives its calls that write, make, move or remove something below `folder`
/// with a folder in the path that the kernel would follow if it were a symbolic link by then.
///
/// # Panics
/// There is no strace, the command fails, or changes nothing at all.
pub fn through_folders(command: &Command, folder: &Path) -> Vec<String> {
    let calls = calls(command, NAMES, succeed);
    let changes = |call: &&str| writes(call) || !call.contains(" open");
    let changed: Vec<&str> = calls.lines().filter(changes).collect();
    assert!(!changed.is_empty(), "nothing is changed: {calls}");
    let below = format!("{}/", folder.display());
    let leads = |call: &&str| {
        let mut paths = call.split('"').skip(1).step_by(2);
        let is_relative = |path: &str| !path.starts_with('/') && path.contains('/');
        paths.any(|path| path.starts_with(&below) || is_relative(path))
    };
    let bad = changed.into_iter().filter(leads);
    let bad = bad.filter(|call| !call.contains("RESOLVE_"));
    bad.map(str::to_owned).collect()
}

fn succeed(command: &mut Command) {
    program::run(command).ok();
}

/// The calls of a command, one a line.
fn calls(command: &Command, which: &str, run: impl FnOnce(&mut Command)) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let log = dir.path().join("calls");
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-qq", "-s", "4096", "-e", which, "-o"])
        .arg(&log);
    traced.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(key, value),
            None => traced.env_remove(key),
        };
    }
    traced.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    run(&mut traced);
    std::fs::read_to_string(log).expect("the calls")
}

/// Those of the calls that matter which are not safe; some matter.
fn unsafe_of(calls: &str, matters: impl Fn(&str) -> bool) -> Vec<String> {
    let all: Vec<&str> = calls.lines().filter(|call| matters(call)).collect();
    assert!(!all.is_empty(), "there is no such call: {calls}");
    let safe = |call: &&str| SAFE.iter().any(|safe| call.contains(safe));
    let bad = all.into_iter().filter(|call| !safe(call));
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
