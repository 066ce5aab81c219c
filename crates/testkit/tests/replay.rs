//! A short run of each fuzz target: its seeds, and what is near them.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::program::ok;

fn names(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let mut found: Vec<PathBuf> = entries.map(|one| one.expect("an entry").path()).collect();
    found.sort();
    found
}

#[test]
fn every_fuzz_target_takes_its_seeds_and_what_is_near_them() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let dir = tempfile::tempdir().expect("there is room");
    let corpus = dir.path().join("corpus");
    let none = || dir.path().join("none").into_os_string();
    let cache = std::env::var_os("TDNF_CACHE").unwrap_or_else(none);
    ok(Command::new("bash")
        .arg(fuzz.join("seeds.sh"))
        .arg(cache)
        .arg(&corpus));
    // Beside this program's folder.
    let this = std::env::current_exe().expect("a program");
    let program = this
        .ancestors()
        .nth(2)
        .expect("a profile")
        .join("examples/replay");
    for target in names(&fuzz.join("fuzz_targets")) {
        let name = target.file_stem().expect("a name");
        let seeds = names(&corpus.join(name));
        // Those of headers are packages of the recipe repository; what it reads is tested everywhere else.
        assert!(
            !seeds.is_empty() || name == "header",
            "{name:?} has no seeds"
        );
        ok(Command::new(&program).arg(name).args(seeds));
    }
}
