//! Programs for aarch64 on a machine of another architecture, by qemu.

use std::process::Command;

use crate::{fixtures, program};

/// In a user namespace with all users and a mount namespace, both of its own; ends at the first error.
const OUTER: &str = r#"
unshare --user --mount sh -ec "$INNER" sh "$@" & pid=$!
until [ "$(readlink /proc/$pid/ns/user)" != "$(readlink /proc/$$/ns/user)" ]; do kill -0 $pid; sleep 0.01; done
echo '0 0 65536' > /proc/$pid/uid_map
echo '0 0 65536' > /proc/$pid/gid_map
wait $pid
"#;

/// The kernel of the namespace, and no other, runs aarch64 programs by qemu. It opens qemu at once (`F`), so that these
/// programs run in any root. Where a namespace may have no such list (before Linux 6.7) that of the machine counts.
const INNER: &str = r#"
until [ "$(id -u)" = 0 ]; do sleep 0.01; done
list=/proc/sys/fs/binfmt_misc
if mount -t binfmt_misc none $list 2>/dev/null; then
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf '%s' ":qemu-aarch64:M::$magic:$mask:$(command -v qemu-aarch64-static):OCF" > $list/register
fi
exec "$@"
"#;

/// A program for aarch64, or one of this machine that starts such programs. Needs root's rights.
pub fn command(words: &[&str]) -> Command {
    let (first, rest) = words.split_first().expect("a program has a name");
    if cfg!(target_arch = "aarch64") {
        let mut command = Command::new(first);
        command.args(rest);
        return command;
    }
    let mut command = Command::new("sh");
    command.args(["-ec", OUTER, "sh"]).args(words);
    command.env("INNER", INNER);
    command
}

/// Whether this machine runs the aarch64 program `words`; where it does not the test is skipped, which is said.
pub fn runs(words: &[&str]) -> bool {
    if fixtures::unprivileged() {
        return false;
    }
    let run = program::run(&mut command(words));
    if !run.success() {
        fixtures::skipped(&format!(
            "no aarch64 programs here (qemu-user-static, and Linux 6.7 or a registered emulator): {}",
            run.text()
        ));
    }
    run.success()
}
