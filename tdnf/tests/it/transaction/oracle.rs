//! Other generations of rpm, in roots that debootstrap made (`./dev oracles`).

use std::process::Output;

use testkit::{fixtures, mounts};

use super::*;

/// Package files and a root are bound into the oracle, with `/proc` and `/dev`.
const BIND: &str = "mount --bind \"$1\" \"$3/mnt\"; mount --bind \"$2\" \"$3/media\"; \
                    mount -t proc proc \"$3/proc\"; mount --bind /dev \"$3/dev\"; \
                    oracle=$3; shift 3; exec chroot \"$oracle\" \"$@\"";

/// One of them.
pub(super) struct Oracle {
    root: PathBuf,
    pub(super) generation: Generation,
}

impl Oracle {
    /// That of a Debian suite; none after a word about it.
    pub(super) fn of(suite: &str) -> Option<Oracle> {
        let root = fixtures::oracle(suite).filter(|_| !unprivileged())?;
        let version = in_oracle(&root, &fixtures::cache_dir(), "rpm --version");
        let version = version.trim().rsplit(' ').next().unwrap();
        println!("{suite}: rpm {version}");
        Some(Oracle {
            generation: Generation::of_version(version),
            root,
        })
    }

    /// As [`run_rpm`] with this rpm.
    pub(super) fn run_rpm(&self, root: &Path, asks: &[Ask<'_>]) -> String {
        let output = self.try_rpm(root, asks);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        // rpm 6 reports a failed %post in its exit code, too.
        let failed = self.generation >= Generation::Rpm6
            && err.contains("scriptlet failed")
            && !err.contains("error:");
        assert!(output.status.success() || failed, "rpm failed: {said}{err}");
        said
    }

    /// The same where it may fail. Its unshare plugin, and what else it has, stays out.
    pub(super) fn try_rpm(&self, root: &Path, asks: &[Ask<'_>]) -> Output {
        let files = fixtures::cache_dir();
        let mut command = mounts::shell(BIND);
        command.args([root, &files, &self.root]);
        command.args(["rpm", "--root", "/mnt", "--noplugins"]);
        command.args(["--dbpath", "/var/lib/rpm", "--define", "_db_backend sqlite"]);
        command.env("LC_ALL", "C.UTF-8");
        let seen = |path: &Path| Path::new("/media").join(path.strip_prefix(&files).unwrap());
        asked(command, asks, &seen).output().unwrap()
    }
}

/// Runs a shell script inside an oracle root, with `dir` at `/mnt`, `/proc` and `/dev`.
pub(super) fn in_oracle(oracle: &Path, dir: &Path, script: &str) -> String {
    let bind = "mount --bind \"$1\" \"$2/mnt\"; mount -t proc proc \"$2/proc\"; \
                  mount --bind /dev \"$2/dev\"; exec chroot \"$2\" /bin/sh -ec \"$3\"";
    let mut command = mounts::shell(bind);
    command
        .args([dir, oracle])
        .arg(format!("cd /mnt; {script}"))
        .env("LC_ALL", "C.UTF-8");
    program::ok(&mut command)
}

/// Builds a spec with an oracle's rpmbuild into `dir`.
pub(super) fn oracle_build(oracle: &Path, dir: &Path, name: &str, spec: &str) -> PathBuf {
    std::fs::write(dir.join("x.spec"), spec).unwrap();
    let build = "rpmbuild -bb --quiet --define '_topdir /mnt/top' x.spec >/mnt/log 2>&1 || \
                 { cat /mnt/log; exit 1; }; mv top/RPMS/*/*.rpm /mnt/";
    in_oracle(oracle, dir, build);
    dir.join(format!("{name}.noarch.rpm"))
}
