//! Where the real fixtures are, and how real rpm is asked.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of real fixtures (`shared/fixtures`), or `None` after saying that it is skipped.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let named = std::env::var_os("TDNF_SHARED").map(|dir| PathBuf::from(dir).join("fixtures"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let above = here.ancestors().map(|dir| dir.join("shared/fixtures"));
    let found = named
        .into_iter()
        .chain(above)
        .find(|dir| dir.join("real").is_dir());
    if found.is_none() {
        println!("skipped: no real fixtures");
    }
    found
}

/// One line of RPMS.tsv.
pub(crate) struct RealRpm {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) digest_check: String,
}

/// Every real package.
pub(crate) fn real_rpms() -> Vec<RealRpm> {
    let Some(dir) = fixtures() else {
        return Vec::new();
    };
    let list = std::fs::read_to_string(dir.join("RPMS.tsv")).unwrap();
    let field = |line: &str, n: usize| line.split('\t').nth(n).unwrap_or_default().to_owned();
    let one = |line: &str| RealRpm {
        path: dir.join("real").join(field(line, 0)),
        name: field(line, 0),
        digest_check: field(line, 8),
    };
    list.lines().skip(1).map(one).collect()
}

/// Whether the real rpm is on this machine; says so when it is not.
pub(crate) fn have_rpm() -> bool {
    let found = Command::new("rpm").arg("--version").output().is_ok();
    if !found {
        println!("skipped: no rpm on this machine");
    }
    found
}

/// Runs a program: success and standard output.
pub(crate) fn run<S: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
) -> (bool, Vec<u8>) {
    let output = Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    (output.status.success(), output.stdout)
}
