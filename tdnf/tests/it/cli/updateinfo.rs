//! `updateinfo` on a repository with advisories.

use std::process::Command;

use testkit::fixtures::unprivileged;

use super::{Site, plain};

const ADVISORIES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<updates>
<update from="x" status="stable" type="bugfix" version="1"><id>BUG-1</id><title>b</title>
<issued date="2020-05-01 12:00:00"/><description>a bug fix</description>
<pkglist><collection><package name="alpha" epoch="0" version="2.0" release="1" arch="noarch">
<filename>alpha-2.0-1.noarch.rpm</filename></package></collection></pkglist></update>
<update from="x" status="stable" type="security" version="1"><id>SEC-2</id><title>s</title>
<severity>7.5</severity><issued date="2020-06-01 12:00:00"/><updated date="2020-06-02 12:00:00"/>
<description>a security fix</description>
<pkglist><collection><package name="alpha" epoch="0" version="2.0" release="1" arch="noarch">
<filename>alpha-2.0-1.noarch.rpm</filename><reboot_suggested>True</reboot_suggested></package>
</collection></pkglist></update>
<update from="x" status="stable" type="newpackage" version="1"><id>OLD-3</id><title>o</title>
<issued date="2020-06-01 12:00:00"/><description>old</description>
<pkglist><collection><package name="alpha" epoch="0" version="1.0" release="1" arch="noarch">
<filename>alpha-1.0-1.noarch.rpm</filename></package></collection></pkglist></update>
</updates>
"#;

/// Adds the advisories to the repository's metadata.
pub(super) fn publish_advisories(site: &Site) {
    site.write("updateinfo.xml", ADVISORIES);
    let output = Command::new("modifyrepo_c")
        .arg(site.path("updateinfo.xml"))
        .arg(site.path("repo/repodata"))
        .output()
        .expect("modifyrepo_c runs");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn advisories_about_what_is_installed() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("alpha", "2.0")]);
    let none = site.run(&["-q", "updateinfo"]).ok();
    assert_eq!(
        (&*none.out, &*none.err),
        ("\n0 updates.\n", "No data available\n")
    );
    publish_advisories(&site);
    site.run(&["-y", "--refresh", "install", "alpha=1.0"]).ok();
    let out = |words: &[&str]| site.run(&[&["-q", "updateinfo"], words].concat()).ok().out;
    assert_eq!(out(&[]), "1 Security notice(s)\n1 Bugfix notice(s)\n");
    let security = "patch:SEC-2 Security alpha-2.0-1.noarch.rpm 7.5\n";
    let bugfix = "patch:BUG-1 Bugfix alpha-2.0-1.noarch.rpm\n";
    assert_eq!(out(&["list"]), format!("{bugfix}{security}"));
    assert_eq!(out(&["--list", "alpha"]), format!("{bugfix}{security}"));
    assert_eq!(site.run(&["updateinfo", "--list"]).ok().err, "");
    let help = site.run(&["updateinfo", "--help"]).ok().out;
    assert!(help.contains("--list "), "{help}");
    for filter in ["--security", "--sec-severity=7", "--reboot-required"] {
        assert_eq!(out(&["list", filter]), security, "{filter}");
    }
    assert_eq!(out(&["list", "--sec-severity=8"]), "\n0 updates.\n");
    assert_eq!(
        out(&["list", "installed"]),
        "patch:OLD-3 Unknown alpha-1.0-1.noarch.rpm\n"
    );
    assert_eq!(
        out(&["info", "--security"]),
        "       Name : alpha-2.0-1.noarch.rpm\n  Update ID : patch:SEC-2\n       \
         Type : Security\n   Severity : 7.5\n    Updated : Tue Jun  2 12:00:00 2020\nNeeds Reboot: 1\n\
         Description : a security fix\n"
    );
    assert_eq!(
        site.run(&["-j", "updateinfo"]).ok().out,
        r#"{"Unknown":0,"Security":1,"Bugfix":1,"Enhancement":0}"#
    );
    assert_eq!(
        site.run(&["-j", "updateinfo", "list", "--security"])
            .ok()
            .out,
        r#"[{"Type":"Security","UpdateID":"patch:SEC-2","Packages":["alpha-2.0-1.noarch.rpm"]}]"#
    );
    site.run(&["updateinfo", "list", "nosuch"])
        .fails(243, "Error(1011) : No matching packages");
}

#[test]
fn updates_can_be_limited_to_advisories() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[
        plain("alpha", "1.0"),
        plain("alpha", "2.0"),
        plain("beta", "1.0"),
        plain("beta", "2.0"),
    ]);
    site.run(&["-y", "install", "alpha=1.0", "beta=1.0"]).ok();
    let security = ["-y", "--security", "update"];
    let none = site.run(&security).ok();
    assert_eq!(none.err, "No data available\n");
    assert!(none.out.ends_with("\n0 updates.\n"), "{none:?}");
    publish_advisories(&site);
    site.run(&["makecache"]).ok();
    let plan = |words: &[&str]| site.run(&[&["-j", "--assumeno"], words].concat()).ok().out;
    let alpha = r#"{"Upgrade":[{"Name":"alpha","Arch":"noarch","Evr":"2.0-1","#;
    for words in [
        &["--security", "update"][..],
        &["--security", "update", "alpha"],
        &["--sec-severity=7.5", "update"],
        &["--sec-severity=high", "update"],
        &["--reboot-required", "upgrade"],
    ] {
        let plan = plan(words);
        assert!(
            plan.starts_with(alpha) && !plan.contains("beta"),
            "{words:?}: {plan}"
        );
    }
    for words in [
        &["--security", "update", "beta"][..],
        &["--sec-severity=8", "update"],
        &["--sec-severity=critical", "update"],
    ] {
        assert_eq!(site.run(words).ok().err, "No data available\n", "{words:?}");
    }
    assert_eq!(site.run(&["--sec-severity=much", "update"]).code, 86);
    assert_eq!(site.run(&["--security", "update", "nosuch"]).code, 243);
    site.run(&security).ok();
    assert_eq!(site.rpm_names(), ["alpha-2.0", "beta-1.0"]);
}
