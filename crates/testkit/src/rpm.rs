//! The real `rpm` and `createrepo_c`, as oracles.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::program::{self, Run};
use crate::tree;

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
    own_macros: bool,
}

impl Rpm {
    /// The machine's rpm for questions about package files; its empty database stands beside the test binaries.
    pub fn of_files() -> Self {
        Self::on_db(&crate::fixtures::cache_dir().join("rpmdb"))
    }

    /// The machine's rpm on the database directory `dbpath`.
    pub fn on_db(dbpath: &Path) -> Self {
        Self {
            root: None,
            dbpath: Some(dbpath.to_path_buf()),
            oracle: None,
            unprivileged: false,
            own_macros: false,
        }
    }

    /// The machine's rpm with `--root root` and the database at its usual place inside it.
    pub fn on_root(root: &Path) -> Self {
        Self {
            root: Some(root.to_path_buf()),
            ..Self::on_db(Path::new(DBPATH))
        }
    }

    /// The rpm of an oracle root (see [`crate::fixtures::oracle`]) on the database directory `dbpath`, whose parent is bound
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

    /// The same with the database somewhere else in the root.
    #[must_use]
    pub fn with_db(mut self, dbpath: &Path) -> Self {
        self.dbpath = Some(dbpath.to_path_buf());
        self
    }

    /// The rpm of an oracle root as the own rpm of another root: where and in which format the database is, the
    /// `/usr/lib/rpm/macros` of that root says alone.
    pub fn of_root(oracle: &Path, root: &Path) -> Self {
        Self {
            dbpath: None,
            own_macros: true,
            ..Self::oracle_on_root(oracle, root)
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
        match (self.own_macros, self.root()) {
            (true, Some(root)) => {
                let own = root.join("usr/lib/rpm/macros");
                let both = format!("/usr/lib/rpm/macros:{}", own.display());
                words.extend(["--macros".into(), both.into()]);
            }
            _ => words.extend(["--define", "_db_backend sqlite"].map(OsString::from)),
        }
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

/// All `.rpm` files below a folder, sorted.
pub fn packages_in(dir: &Path) -> Vec<PathBuf> {
    let mut found = tree::files(dir);
    found.retain(|path| path.extension() == Some(OsStr::new("rpm")));
    found
}

/// Runs `createrepo_c` on a folder of packages.
pub fn createrepo<A: AsRef<OsStr>>(dir: &Path, args: &[A]) {
    let mut command = Command::new("createrepo_c");
    program::ok(command.arg("--quiet").args(args).arg(dir));
}
