//! How real rpm is asked.

use std::ffi::OsStr;
use std::process::Command;

use testkit::fixtures::{RealRpm, skipped};

/// Every real package.
pub(crate) fn real_rpms() -> Vec<RealRpm> {
    testkit::fixtures::real_rpms().unwrap_or_default()
}

/// Whether the real rpm is on this machine; says so when it is not.
pub(crate) fn have_rpm() -> bool {
    let found = Command::new("rpm").arg("--version").output().is_ok();
    if !found {
        skipped("no rpm on this machine");
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
