//! Units of systemd, where no systemd runs: what they say, and programs under what they say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::mounts;
use testkit::program::Run;

/// A unit file.
pub(crate) struct Unit(pub(crate) String);

impl Unit {
    /// The words of all lines with this key.
    pub(crate) fn words(&self, key: &str) -> Vec<&str> {
        let lines = self.0.lines().filter_map(|line| line.split_once('='));
        let values = lines.filter(|(name, _)| *name == key);
        values.flat_map(|(_, v)| v.split_whitespace()).collect()
    }

    /// What it can write to, of what stays: systemd makes the folders below /run and /var/log for it.
    pub(crate) fn writable(&self) -> Vec<PathBuf> {
        let below = |dir: &'static str, key: &str| {
            let names = self.words(key).into_iter();
            names.map(move |name| Path::new(dir).join(name))
        };
        below("/", "ReadWritePaths")
            .chain(below("/run", "RuntimeDirectory"))
            .chain(below("/var/log", "LogsDirectory"))
            .collect()
    }
}

/// What systemd does before it starts a unit, as far as folders, users and rights go, in mount namespaces.
pub(crate) struct Sandbox {
    pub(crate) unit: Unit,
}

impl Sandbox {
    /// A command of the unit's user, with what the unit lets it write and nothing else.
    fn command(&self, words: &[&str]) -> Command {
        for (key, value) in [
            ("User", "mirror-sync"),
            ("ProtectSystem", "strict"),
            ("ProtectHome", "yes"),
            ("PrivateTmp", "yes"),
            ("NoNewPrivileges", "yes"),
            ("RestrictSUIDSGID", "yes"),
        ] {
            assert_eq!(self.unit.words(key), [value], "{key}");
        }
        let script = r#"
            for place in $WRITABLE; do mount --bind "$place" "$place"; done
            cut -d ' ' -f 5 /proc/self/mountinfo | sort -u | while read -r place; do
                case " $WRITABLE " in *" $place "*) continue ;; esac
                case $place in /proc*|/dev*|/sys*) continue ;; esac
                mount -o remount,bind,ro "$place"
            done
            mount -t tmpfs none /tmp
            for home in /home /root; do mount -t tmpfs -o mode=0 none $home; done
            cd /
            exec setpriv --reuid mirror-sync --regid mirror-sync --init-groups --no-new-privs --bounding-set=-all \
                env -i PATH=/usr/bin:/bin HOME=/srv/mirror $VARIABLES python3 -c "$WITHOUT_OPENAT2" "$@"
        "#;
        // RestrictSUIDSGID refuses what a filter cannot look into. The number is the same on all our architectures.
        let without = "
import ctypes, os, struct, sys
code = b''.join(struct.pack('HBBI', *step) for step in [(0x20, 0, 0, 0), (0x15, 0, 1, 437), (6, 0, 0, 0x50026), (6, 0, 0, 0x7fff0000)])
rules = ctypes.create_string_buffer(code)
program = struct.pack('HxxxxxxP', 4, ctypes.addressof(rules))
assert ctypes.CDLL(None, use_errno=True).prctl(22, 2, program, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])";
        let writable = self.unit.writable().into_iter();
        let writable: Vec<String> = writable.map(|p| p.display().to_string()).collect();
        let mut variables: Vec<String> = Vec::new();
        variables.extend(
            self.unit
                .words("Environment")
                .iter()
                .map(|word| (*word).to_owned()),
        );
        for file in self.unit.words("EnvironmentFile") {
            let text = fs::read_to_string(file.trim_start_matches('-')).unwrap_or_default();
            variables.extend(text.lines().map(str::to_owned));
        }
        let mut command = mounts::shell(script);
        command
            .env("WRITABLE", writable.join(" "))
            .env("VARIABLES", variables.join(" "))
            .env("WITHOUT_OPENAT2", without)
            .args(words);
        command
    }

    /// What the unit starts, with further words.
    pub(crate) fn start(&self, words: &[&str]) -> Command {
        let started = self.unit.words("ExecStart");
        self.command(&[&started, words].concat())
    }

    pub(crate) fn run(&self, words: &[&str]) -> Run {
        Run::of(self.command(words).output().unwrap())
    }
}
