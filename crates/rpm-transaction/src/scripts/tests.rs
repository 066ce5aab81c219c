//! Which variables a scriptlet may see.

use super::*;

#[test]
fn loader_and_shell_variables_are_kept_away() {
    for name in ["HOME", "LANG", "LC_ALL", "TERM", "https_proxy", "NO_PROXY"] {
        assert!(allowed_variable(OsStr::new(name)), "{name}");
    }
    for name in [
        "LD_PRELOAD",
        "BASH_ENV",
        "ENV",
        "PATH",
        "IFS",
        "PYTHONPATH",
        "TDNF_X",
    ] {
        assert!(!allowed_variable(OsStr::new(name)), "{name}");
    }
}

#[test]
fn a_body_that_was_left_is_replaced_and_goes_with_its_scriptlet() {
    let dir = tempfile::tempdir().unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    let place = dir.path().join("state/scriptlet");
    std::fs::create_dir(dir.path().join("state")).unwrap();
    std::fs::write(dir.path().join("other"), "kept").unwrap();
    std::os::unix::fs::symlink("../other", &place).unwrap();
    let body = BodyFile::choose(&root, "/state", Some(b"echo"));
    body.write(b"echo").unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), b"echo");
    drop(body);
    assert!(!place.exists());
    assert_eq!(std::fs::read(dir.path().join("other")).unwrap(), b"kept");
    std::fs::write(&place, "left").unwrap();
    remove_body(&root, "/state");
    assert!(!place.exists());
}
