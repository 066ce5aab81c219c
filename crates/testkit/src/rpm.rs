//! The real `rpm`, `rpmbuild` and `createrepo_c`, as oracles and as builders.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::program::{self, Run};
use crate::{fixtures, tree};

/// Where the database of a root stands in it.
const DBPATH: &str = "/var/lib/rpm";
/// Where the database stands inside an oracle root while it is asked.
const ORACLE_MOUNT: &str = "/mnt";

/// A way to call an rpm: which version, on which database, as whom.
#[derive(Clone, Debug)]
pub struct Rpm {
    root: Option<PathBuf>,
    dbpath: Option<PathBuf>,
    oracle: Option<PathBuf>,
    unprivileged: bool,
}

impl Rpm {
    /// The machine's rpm on the database directory `dbpath`.
    pub fn on_db(dbpath: &Path) -> Self {
        Self {
            root: None,
            dbpath: Some(dbpath.to_path_buf()),
            oracle: None,
            unprivileged: false,
        }
    }

    /// The machine's rpm with `--root root` and the database at its usual place inside it.
    pub fn on_root(root: &Path) -> Self {
        Self {
            root: Some(root.to_path_buf()),
            ..Self::on_db(Path::new(DBPATH))
        }
    }

    /// The rpm of an oracle root (see [`fixtures::oracle`]) on the database directory `dbpath`, whose parent is bound
    /// into the root in a mount namespace of its own. Paths in arguments are seen from inside. Needs root's rights.
    pub fn oracle(oracle: &Path, dbpath: &Path) -> Self {
        Self {
            oracle: Some(oracle.to_path_buf()),
            ..Self::on_db(dbpath)
        }
    }

    /// The rpm of an oracle root on another root, which is bound into it as [`Self::oracle`] does. Nothing may be
    /// mounted on `/mnt` of the oracle meanwhile.
    pub fn oracle_on_root(oracle: &Path, root: &Path) -> Self {
        Self {
            oracle: Some(oracle.to_path_buf()),
            ..Self::on_root(root)
        }
    }

    /// The same, run as the user `nobody`.
    #[must_use]
    pub fn unprivileged(mut self) -> Self {
        self.unprivileged = true;
        self
    }

    /// Runs `rpm` with these arguments.
    pub fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Run {
        self.run_program("rpm", args)
    }

    /// Runs `rpm` or one of its siblings (`rpmdb`, `rpmkeys`).
    pub fn run_program<A: AsRef<OsStr>>(&self, program: &str, args: &[A]) -> Run {
        program::run(self.command(program).args(args))
    }

    /// Standard output of a call that must succeed.
    pub fn ok<A: AsRef<OsStr>>(&self, args: &[A]) -> String {
        self.program_ok("rpm", args)
    }

    /// Standard output of a sibling's call that must succeed.
    pub fn program_ok<A: AsRef<OsStr>>(&self, program: &str, args: &[A]) -> String {
        program::ok(self.command(program).args(args))
    }

    /// The root as this rpm sees it.
    pub fn root(&self) -> Option<&Path> {
        let bound = self.oracle.as_ref().map(|_| Path::new(ORACLE_MOUNT));
        self.root.as_deref().map(|root| bound.unwrap_or(root))
    }

    /// Installed packages as `NAME-VERSION-RELEASE.ARCH`, without keys.
    pub fn all(&self) -> BTreeSet<String> {
        let format = "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\n";
        let text = self.ok(&["-qa", "--qf", format]);
        let lines = text.lines().filter(|line| !line.starts_with("gpg-pubkey"));
        lines.map(str::to_owned).collect()
    }

    /// Asserts that `rpm -Va` finds nothing but changed configuration files, and that the database is sound.
    #[track_caller]
    pub fn verify(&self) {
        let run = self.run(&["-Va"]);
        let config = |line: &str| line.get(9..13) == Some("  c ");
        let sound = run.out.lines().all(config) && (run.success() || !run.out.is_empty());
        assert!(sound, "rpm -Va says:\n{}", run.text());
        self.program_ok("rpmdb", &["--verifydb"]);
    }

    /// The call without its own arguments, for tests that watch it while it runs.
    pub fn command(&self, program: &str) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(oracle) = &self.oracle {
            words.extend(["unshare", "-m", "sh", "-ec"].map(OsString::from));
            words.push(
                "mount --bind \"$1\" \"$2$3\"; root=$2; shift 3; exec chroot \"$root\" \"$@\""
                    .into(),
            );
            words.push("sh".into());
            let parent = self.dbpath.as_deref().and_then(Path::parent);
            let bound = self.root.as_deref().or(parent);
            words.extend(bound.map(|p| p.as_os_str().to_owned()));
            words.push(oracle.into());
            words.push(ORACLE_MOUNT.into());
        }
        if self.unprivileged {
            words.extend(
                [
                    "setpriv",
                    "--reuid=65534",
                    "--regid=65534",
                    "--clear-groups",
                ]
                .map(OsString::from),
            );
        }
        words.push(program.into());
        words.extend(
            self.root()
                .into_iter()
                .flat_map(|root| ["--root".into(), root.into()]),
        );
        if let Some(dbpath) = &self.dbpath {
            let seen = match (&self.oracle, &self.root) {
                (Some(_), None) => {
                    Path::new(ORACLE_MOUNT).join(dbpath.file_name().unwrap_or_default())
                }
                _ => dbpath.clone(),
            };
            words.extend(["--dbpath".into(), seen.into()]);
        }
        words.extend(["--define", "_db_backend sqlite"].map(OsString::from));
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().expect("there is a program"));
        command
            .args(words)
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", "/nonexistent")
            .stdin(Stdio::null());
        command
    }
}

/// Builds the binary packages of a spec with `rpmbuild` and answers their paths, sorted. `sources` are written beside
/// it. The result is kept in [`fixtures::cache_dir`] under the digest of all input.
pub fn build_spec(spec: &str, sources: &[(&str, &[u8])]) -> Vec<PathBuf> {
    build_spec_with(spec, sources, &[])
}

/// [`build_spec`] with further `--define` values, for instance `_binary_payload w19.zstdio`.
pub fn build_spec_with(spec: &str, sources: &[(&str, &[u8])], defines: &[&str]) -> Vec<PathBuf> {
    let mut hasher = Sha256::new();
    hasher.update(spec);
    for (name, data) in sources {
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update(data);
    }
    for define in defines {
        hasher.update(define.as_bytes());
        hasher.update([0]);
    }
    let key: String = hasher
        .finalize()
        .iter()
        .take(12)
        .map(|b| format!("{b:02x}"))
        .collect();
    let cache = fixtures::cache_dir();
    let kept = cache.join(&key);
    if !kept.is_dir() {
        let work = tempfile::tempdir_in(&cache).expect("the cache is writable");
        rpmbuild(work.path(), spec, sources, defines);
        // Another test process may have been faster; its result is as good.
        let _ = fs::rename(work.path().join("RPMS"), &kept);
    }
    packages_in(&kept)
}

fn rpmbuild(top: &Path, spec: &str, sources: &[(&str, &[u8])], defines: &[&str]) {
    let source_dir = top.join("SOURCES");
    fs::create_dir_all(&source_dir).expect("the cache is writable");
    for (name, data) in sources {
        fs::write(source_dir.join(name), data).expect("the cache is writable");
    }
    let file = top.join("package.spec");
    fs::write(&file, spec).expect("the cache is writable");
    let mut command = Command::new("rpmbuild");
    command.args(["-bb", "--nodeps", "--define"]);
    command.arg(format!("_topdir {}", top.display()));
    let fixed = [
        "_buildhost tests.invalid",
        "debug_package %{nil}",
        "_build_id_links none",
    ];
    for define in fixed.iter().chain(defines) {
        command.args(["--define", define]);
    }
    let output = command.arg(&file).output().expect("rpmbuild runs");
    assert!(
        output.status.success(),
        "rpmbuild failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// All `.rpm` files below a folder, sorted.
pub fn packages_in(dir: &Path) -> Vec<PathBuf> {
    let mut found = tree::files(dir);
    found.retain(|path| path.extension() == Some(OsStr::new("rpm")));
    found
}

/// Runs `createrepo_c` on a folder of packages.
pub fn createrepo<A: AsRef<OsStr>>(dir: &Path, args: &[A]) {
    let output = Command::new("createrepo_c")
        .arg("--quiet")
        .args(args)
        .arg(dir)
        .output()
        .expect("createrepo_c runs");
    assert!(
        output.status.success(),
        "createrepo_c failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
