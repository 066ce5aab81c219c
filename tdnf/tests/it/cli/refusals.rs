//! Packages that must not be installed.

use super::{Site, plain};

#[test]
fn unsigned_rpm_gpgcheck1() {
    if !rustix::process::geteuid().is_root() {
        testkit::fixtures::skipped("not root");
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.write("repos.d/test.repo", &site.repo_text("gpgcheck=1"));
    let ran = site.run(&["-y", "install", "alpha"]);
    let ran = ran.fails(
        230,
        "Error(1510) : RPM not signed. Use --nogpgcheck to ignore.",
    );
    assert!(
        ran.err.contains("alpha-1.0-1.noarch.rpm: not signed"),
        "{ran:?}"
    );
    assert!(site.rpm_names().is_empty());
    let ran = site.run(&["-y", "--nogpgcheck", "install", "alpha"]).well();
    assert!(
        ran.err.contains("not signed"),
        "a skipped check is never silent: {ran:?}"
    );
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
}

#[test]
fn bad_words_have_their_numbers() {
    let site = Site::with(&[]);
    let ran = site.run(&["--nosuchopt", "list"]);
    ran.fails(140, "Error(908) : Command line error: option is invalid.");
    let ran = site
        .run(&["nosuchcmd"])
        .fails(144, "Error(912) : Please check your command");
    assert_eq!(
        ran.out,
        "No such command: nosuchcmd. Please use /usr/bin/tdnf --help\n"
    );
    let ran = site.run(&["-j", "nosuchcmd"]);
    assert_eq!(
        ran.out,
        r#"{"Error":912,"ErrorMessage":"Please check your command"}"#
    );
    assert_eq!(ran.code, 144);
    assert!(
        site.run(&["instal", "x"])
            .err
            .contains("Hint: did you mean 'install'?\n")
    );
    site.run(&["list", ""])
        .fails(86, "argument is empty string");
}

#[test]
fn releasever_without_a_release_package_is_explained() {
    let site = Site::with(&[]);
    let repo = "[rel]\nname=r\nbaseurl=http://127.0.0.1:9/$releasever\nenabled=1\n";
    site.write("repos.d/rel.repo", repo);
    let ran = site.run(&["list"]);
    assert_eq!(ran.code, 1022 % 256, "{ran:?}");
    assert!(ran.err.contains("--releasever"), "{ran:?}");
    site.run(&["repolist", "--disablerepo=rel"]).well();
}
