//! Exit codes of docs/exit-codes.md that are no error numbers.

use std::fs::File;

use testkit::fixtures::unprivileged;
use testkit::rpm::createrepo;

use super::{Site, answer, plain};

#[test]
fn exit_codes_are_those_of_the_document() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    site.run(&["update"]).fails(0, "Nothing to do.");
    site.run(&["repoquery", "nothing"])
        .fails(0, "No data available");
    site.add(&plain("alpha", "2.0"));
    createrepo::<&str>(&site.path("repo"), &[]);
    let check = [
        "--refresh",
        "--setopt=dnf_check_update_compat=1",
        "check-update",
    ];
    assert_eq!(site.run(&check).code, 100);
    assert_eq!(site.run(&["check-update"]).code, 0);
    let mut command = site.command(&["list"]);
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("it is there");
    let unwritten = answer(command.stdout(full));
    assert_eq!(unwritten.code, 1, "{unwritten:?}");
    let config = site.program("tdnf-config", &["-c", "/", "dump", "main"]);
    assert_eq!(config.code, 2, "{config:?}");
}
