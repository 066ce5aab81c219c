//! An ordinary user is root in a namespace of his own, where the kernel lets him make one: scriptlets run there.
//!
//! A process must have one thread to enter one, so this program starts itself again in place of itself.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use nix::sched::{CloneFlags, unshare};

/// The first argument of a run that is to enter a namespace.
const MODE: &str = "--internal-user-namespace";

/// Why the namespace could not be entered; none where it was.
static ENTERED: OnceLock<Option<String>> = OnceLock::new();

/// Enters a namespace if the command line asks for it, and gives the command line without that word. `main` calls it
/// before there is a second thread.
pub fn enter(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.get(1).is_none_or(|word| word != MODE) {
        return words;
    }
    words.remove(1);
    let refused = become_root().err().map(|error| error.to_string());
    let _ = ENTERED.set(refused);
    words
}

fn become_root() -> io::Result<()> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    // A group may be mapped by its user only where nobody can leave groups.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {} 1\n", user.as_raw()))?;
    fs::write("/proc/self/gid_map", format!("0 {} 1\n", group.as_raw()))
}

/// Starts this run again inside a namespace. Returns only with the reason why there is none.
pub fn ask(program: &Path) -> String {
    if let Some(tried) = ENTERED.get() {
        return tried.clone().unwrap_or_default();
    }
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| "tdnf".into());
    let error = Command::new(program)
        .arg0(name)
        .arg(MODE)
        .args(words)
        .exec();
    error.to_string()
}

/// Whether users of this process have all the numbers that users of the machine have: files can be given away.
pub fn has_all_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let first = map.lines().next().unwrap_or_default();
    let numbers: Vec<&str> = first.split_ascii_whitespace().collect();
    // Without /proc there is no namespace that we made.
    numbers.is_empty() || numbers == ["0", "0", "4294967295"]
}
