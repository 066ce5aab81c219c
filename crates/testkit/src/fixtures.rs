//! Real input and other rpm versions, where this machine has them.

use std::fs;
use std::path::{Path, PathBuf};

/// Says why a test did nothing.
pub fn skipped(why: &str) {
    tell(&format!("skipped: {why}"));
}

/// Says what a test found or left out.
#[allow(clippy::print_stderr)] // A test has no other place to say it.
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}

/// Whether a test that needs root has to be skipped; says so.
pub fn unprivileged() -> bool {
    let no = !rustix::process::geteuid().is_root();
    if no {
        skipped("needs root");
    }
    no
}

/// The `shared` folder beside the checkout: `TDNF_SHARED`, else found by walking up from `CARGO_MANIFEST_DIR`.
pub fn shared() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("TDNF_SHARED") {
        return Some(PathBuf::from(path));
    }
    let start = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    start
        .ancestors()
        .map(|dir| dir.join("shared"))
        .find(|dir| dir.join("fixtures/real").is_dir())
}

/// The folder `shared/fixtures/real`, or none after printing that the test is skipped.
pub fn real() -> Option<PathBuf> {
    let found = shared()
        .map(|dir| dir.join("fixtures/real"))
        .filter(|dir| dir.is_dir());
    if found.is_none() {
        skipped("no real fixtures");
    }
    found
}

/// A line of `RPMS.tsv`: what rpm 4.18 says of a real package.
#[derive(Clone, Debug)]
pub struct RealRpm {
    /// The file.
    pub path: PathBuf,
    /// Path below `real`.
    pub name: String,
    /// `name-[epoch:]version-release.arch`, empty when rpm cannot read the package.
    pub nevra: String,
    /// Verdict on signatures.
    pub signatures: String,
    /// Verdict on digests.
    pub digests: String,
    /// rpm's error, empty when it reads the package.
    pub error: String,
}

/// All lines of `RPMS.tsv`, or none after printing that the test is skipped.
pub fn real_rpms() -> Option<Vec<RealRpm>> {
    let real = real()?;
    let table = real.parent()?.join("RPMS.tsv");
    let text = fs::read_to_string(&table).expect("RPMS.tsv is readable");
    let rows = text.lines().skip(1).map(|line| {
        let mut cells = line.split('\t').map(str::to_owned);
        let name = cells.next().unwrap_or_default();
        let mut cell = |n: usize| cells.nth(n).unwrap_or_default();
        RealRpm {
            path: real.join(&name),
            name,
            nevra: cell(2),
            signatures: cell(3),
            digests: cell(0),
            error: cell(4),
        }
    });
    Some(rows.collect())
}

/// The root of another rpm version (`bullseye` 4.16, `trixie` 4.20, `sid` 6.1) below `TDNF_ORACLE_DIR`, or none after
/// printing that the test is skipped. Never change it: run in it through [`crate::rpm::Rpm::oracle`].
pub fn oracle(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("TDNF_ORACLE_DIR")
        .map(|dir| Path::new(&dir).join(name))
        .filter(|dir| dir.join("usr/bin/rpm").exists());
    if found.is_none() {
        skipped(&format!("no oracle root {name} (TDNF_ORACLE_DIR)"));
    }
    found
}

/// The tdnf.conf that is shipped.
pub fn shipped_conf() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/tdnf.conf");
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A folder for things that are dear to make, beside the test binaries; it lives as long as the target folder.
pub fn cache_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own path");
    let dir = exe
        .parent()
        .and_then(Path::parent)
        .expect("a test binary stands in the target folder")
        .join("testkit-cache");
    fs::create_dir_all(&dir).expect("the target folder is writable");
    dir
}
