use std::fs;
use std::path::Path;

use super::*;
use crate::args;

fn resolve(dir: &Path, conf: &str, words: &[&str]) -> Outcome<Settings> {
    let file = dir.join("tdnf.conf");
    fs::write(&file, conf).unwrap();
    let line = ["tdnf", "-c", file.to_str().unwrap()];
    let words = line.iter().chain(words).map(|&word| word.to_owned());
    Settings::resolve(&args::parse(words).unwrap(), Environment::default())
}

#[test]
fn later_layers_win_and_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let conf = "[main]\nkeepcache=1\ninstallonly_limit=5\n";
    let settings = resolve(dir.path(), conf, &["--setopt=keepcache=0", "list"]).unwrap();
    assert!(!settings.main.keepcache);
    assert_eq!(settings.main.installonly_limit, 5);
    let place = |key| settings.main.place_of(key).map(ToString::to_string);
    assert_eq!(place("keepcache").as_deref(), Some("--setopt"));
    let limit = place("installonly_limit");
    assert!(limit.is_some_and(|place| place.ends_with("tdnf.conf:3")));
    // The default.
    assert_eq!(place("proxy"), None);
}

#[test]
fn a_conf_that_begins_with_a_comment_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let settings = resolve(dir.path(), "# ours\n\n[main]\nkeepcache=yes\n", &["list"]).unwrap();
    assert!(settings.main.keepcache);
}

#[test]
fn an_installroot_has_its_own_cache() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let option = format!("--installroot={}", root.display());
    let settings = resolve(dir.path(), "[main]\ncachedir=/var/cache/x\n", &[&option]).unwrap();
    assert_eq!(settings.cache_dir, root.join("var/cache/x"));
    assert_eq!(settings.repo_dirs, [Path::new("/etc/yum.repos.d")]);
    fs::create_dir_all(root.join("etc/yum.repos.d")).unwrap();
    let words = [option.as_str(), "--setopt=cachedir=/elsewhere"];
    let settings = resolve(dir.path(), "[main]\n", &words).unwrap();
    assert_eq!(settings.cache_dir, Path::new("/elsewhere"));
    assert_eq!(settings.repo_dirs, [root.join("etc/yum.repos.d")]);
}

#[test]
fn no_wins_over_yes() {
    let dir = tempfile::tempdir().unwrap();
    let consent = |words: &[&str]| resolve(dir.path(), "[main]\n", words).unwrap().consent;
    assert_eq!(consent(&["-y", "--assumeno"]), Consent::No);
    assert_eq!(consent(&["--assumeno", "-y"]), Consent::No);
    assert_eq!(consent(&["-y"]), Consent::Yes);
    assert_eq!(consent(&["--assumeno"]), Consent::No);
    assert_eq!(consent(&[]), Consent::Ask);
}

#[test]
fn options_that_need_others_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let code = |words: &[&str]| resolve(dir.path(), "[main]\n", words).unwrap_err().code;
    assert_eq!(
        code(&["--downloaddir=/tmp"]),
        Code::CLI_DOWNLOADDIR_REQUIRES_DOWNLOADONLY
    );
    assert_eq!(
        code(&["--alldeps"]),
        Code::CLI_ALLDEPS_REQUIRES_DOWNLOADONLY
    );
    assert_eq!(code(&["--nodeps"]), Code::CLI_NODEPS_REQUIRES_DOWNLOADONLY);
    assert_eq!(code(&["--repofrompath=xx"]), Code::INVALID_PARAMETER);
}

#[test]
fn no_configuration_is_its_own_error() {
    let words = ["tdnf", "-c", "/nonexistent.conf", "list"].map(str::to_owned);
    let failure =
        Settings::resolve(&args::parse(words).unwrap(), Environment::default()).unwrap_err();
    assert_eq!(failure.code, Code::FILE_NOT_FOUND);
    assert_eq!(failure.exit_code(), 66);
}

#[test]
fn excludes_come_from_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let conf = "[main]\nexcludepkgs=a b*\n";
    let words = ["--exclude=c,d:e", "--exclude", "f"];
    let settings = resolve(dir.path(), conf, &words).unwrap();
    assert_eq!(settings.excludes, ["a", "b*", "c", "d", "e", "f"]);
    let settings = resolve(dir.path(), conf, &["--disableexcludes"]).unwrap();
    assert!(settings.excludes.is_empty());
}

#[test]
fn the_database_path_comes_from_rpm_macros() {
    let dir = tempfile::tempdir().unwrap();
    let settings = resolve(dir.path(), "[main]\n", &["--rpmdefine", "_dbpath /x/y"]).unwrap();
    assert_eq!(settings.dbpath.as_deref(), Some("/x/y"));
}

#[test]
fn row_146_an_image_has_no_variables_of_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let main = rpm_repo::config::MainConfig::default();
    let host = Path::new(CONFIG_FILE);
    let own = root.join("etc/tdnf/tdnf.conf");
    let all_own = |named: Option<&str>, config: &Path| {
        let paths = paths::SystemPaths::of((named, config), &[], &main, root).unwrap();
        assert_eq!(paths.vars_dirs.len(), 3);
        paths.vars_dirs.iter().all(|dir| dir.starts_with(root))
    };
    assert!(!all_own(None, host));
    assert!(all_own(None, &own));
    fs::create_dir_all(root.join("etc/yum.repos.d")).unwrap();
    assert!(all_own(None, host));
    assert!(!all_own(Some("x.conf"), Path::new("x.conf")));
}
