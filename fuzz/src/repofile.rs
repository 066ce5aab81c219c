//! `.repo` files and variables, as an image or somebody who edits may leave them.
//!
//! Input: a `.repo` file.

use rpm_repo::config::{MainConfig, read_repo_dirs, read_repo_file};
use rpm_repo::vars::{MAX_EXPANDED, Vars};

/// One input.
pub fn run(data: &[u8]) {
    let dir = tempfile::tempdir().expect("there is room");
    let path = dir.path().join("x.repo");
    std::fs::write(&path, data).expect("there is room");
    let mut vars = Vars::new();
    vars.set_built_in("releasever", "5.0");
    vars.set_built_in("basearch", "x86_64");
    // A value may name another variable.
    vars.set("deep", "${deep}$releasever");
    let main = MainConfig::default();
    let strict = read_repo_file(dir.path(), &path, &main, &vars);
    let found = read_repo_dirs(dir.path(), &[dir.path().to_owned()], &main, &vars);
    for repo in found
        .iter()
        .flat_map(|found| &found.repos)
        .chain(strict.iter().flatten())
    {
        let name = repo.cache_dir_name();
        assert!(!name.is_empty() && !name.contains('/') && name != "." && name != "..");
        let _ = repo.max_age();
    }
    let text = String::from_utf8_lossy(data);
    assert!(vars.expand(&text).text.len() <= MAX_EXPANDED.max(text.len()));
}
