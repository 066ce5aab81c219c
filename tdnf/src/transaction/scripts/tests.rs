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
fn only_our_own_bodies_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    std::fs::create_dir_all(dir.path().join("var/tmp")).unwrap();
    for name in ["var/tmp/rpm-tmp.0123", "var/tmp/other", "file"] {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    for path in ["/var/tmp/rpm-tmp.0123", "/var/tmp/other", "/file", ""] {
        remove_body(&root, path.as_bytes());
    }
    assert!(!dir.path().join("var/tmp/rpm-tmp.0123").exists());
    assert!(dir.path().join("var/tmp/other").exists() && dir.path().join("file").exists());
}
