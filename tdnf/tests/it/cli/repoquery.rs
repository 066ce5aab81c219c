//! `repoquery`, `count`, `mark` and `distro-sync`.

use testkit::fixtures::unprivileged;

use super::{Site, plain};

fn site() -> Site {
    Site::with(&[
        plain("alpha", "1.0"),
        plain("alpha", "2.0"),
        plain("beta", "1.0").lines(
            "Requires: gamma >= 1\nRecommends: alpha\nURL: http://example.invalid\n\
                    Provides: thing = 3",
        ),
        plain("gamma", "1.0"),
        plain("words", "1.0").lines(
            "%changelog\n* Tue Jul 06 2021 A Person <a@example.invalid> 1.0-1\n- a needle\n\
                    * Wed Jan 01 2020 A Person <a@example.invalid> 0.9-1\n- older\n",
        ),
    ])
}

#[test]
fn repoquery_selects() {
    let site = site();
    let out = |words: &[&str]| site.run(&[&["-q", "repoquery"], words].concat()).ok().out;
    let all = "alpha-1.0-1.noarch\nalpha-2.0-1.noarch\nbeta-1.0-1.noarch\ngamma-1.0-1.noarch\n\
               words-1.0-1.noarch\n";
    assert!(out(&[]).ends_with(all), "{}", out(&[]));
    assert_eq!(out(&["--available", "alpha=2.0"]), "alpha-2.0-1.noarch\n");
    assert_eq!(out(&["--arch", "x86_64"]), "");
    for (option, capability, found) in [
        ("--whatrequires", "gamma", "beta-1.0-1.noarch\n"),
        ("--whatrequires", "nosuch,gamma", "beta-1.0-1.noarch\n"),
        ("--whatrequires", "gamma < 1", ""),
        ("--whatdepends", "alpha", "beta-1.0-1.noarch\n"),
        ("--whatrecommends", "alpha", "beta-1.0-1.noarch\n"),
        ("--whatprovides", "thing", "beta-1.0-1.noarch\n"),
        ("--whatprovides", "thing > 2", "beta-1.0-1.noarch\n"),
        ("--whatprovides", "/opt/gamma", "gamma-1.0-1.noarch\n"),
        ("--file", "/opt/gamma", "gamma-1.0-1.noarch\n"),
    ] {
        assert_eq!(out(&[option, capability]), found, "{option} {capability}");
    }
    let ran = site.run(&["repoquery", "nosuch"]).ok();
    assert_eq!(
        ran.err,
        format!(
            "nosuch package not found or not installed\n\
             Hint: look for it: `tdnf {options} search nosuch`, `tdnf {options} provides nosuch`\nNo data available\n",
            options = site.options()
        )
    );
    assert_eq!(site.run(&["-j", "repoquery", "nosuch"]).ok().out, "[]");
    let two = site.run(&["repoquery", "a", "b"]);
    let two = two.fails(134, "Error(902) : Invalid argument.");
    assert!(
        two.err.contains("repoquery takes one package: b is more"),
        "{two:?}"
    );
    site.run(&["repoquery", "--extras", "--installed"])
        .fails(86, "Error(1622) : Invalid argument");
}

#[test]
fn repoquery_shows() {
    let site = site();
    let out = |words: &[&str]| site.run(&[&["-q", "repoquery"], words].concat()).ok().out;
    assert_eq!(out(&["--list", "alpha"]).lines().last(), Some("/opt/alpha"));
    assert_eq!(out(&["beta", "--requires"]), "gamma >= 1\n");
    assert_eq!(out(&["--depends", "beta"]), "alpha\ngamma >= 1\n");
    assert_eq!(out(&["--provides", "beta"]), "beta = 1.0-1\nthing = 3\n");
    assert_eq!(out(&["--requires-pre", "beta"]), "");
    assert_eq!(out(&["--source", "beta"]), "beta-1.0-1.src\n");
    assert_eq!(
        out(&["--changelogs", "words"]).lines().collect::<Vec<_>>(),
        [
            "Tue Jul 06 2021 A Person <a@example.invalid> 1.0-1",
            "- a needle",
            "Wed Jan 01 2020 A Person <a@example.invalid> 0.9-1",
            "- older",
        ]
    );
    let format = r"%{name}|%{evr}|%{arch}|%{reponame}|%{sourcerpm}|%{url}|%{summary}\t%{requires}";
    assert_eq!(
        out(&["--qf", format, "beta"]),
        "beta|1.0-1|noarch|test|beta-1.0-1.src|http://example.invalid|test of beta\tgamma >= 1\n"
    );
    let ran = site.run(&["repoquery", "--qf", "%{nosuchtag}", "beta"]);
    let ran = ran.fails(86, "Package doesn't have attribute nosuchtag");
    assert!(
        ran.err.ends_with("Error(1622) : Invalid argument\n"),
        "{ran:?}"
    );
    site.run(&["repoquery", "--requires", "--provides", "beta"])
        .fails(
            149,
            "Error(917) : --qf requires only querytags. Invalid Mixed Query",
        );
    assert_eq!(
        site.run(&["-j", "repoquery", "--requires", "beta"]).ok().out,
        r#"[{"Nevra":"beta-1.0-1.noarch","Name":"beta","Arch":"noarch","Evr":"1.0-1","Repo":"test","Requires":["gamma >= 1"]}]"#
            .to_owned()
    );
}

#[test]
fn repoquery_knows_what_is_installed_and_why() {
    if unprivileged() {
        return;
    }
    let site = site();
    site.run(&["-y", "install", "beta", "alpha=1.0"]).ok();
    let out = |words: &[&str]| site.run(&[&["-q", "repoquery"], words].concat()).ok().out;
    let installed = "alpha-1.0-1.noarch\nbeta-1.0-1.noarch\ngamma-1.0-1.noarch\n";
    assert_eq!(out(&["--installed"]), installed);
    assert_eq!(out(&["--installed", "--list", "gamma"]), "/opt/gamma\n");
    assert_eq!(
        out(&["--userinstalled"]),
        "alpha-1.0-1.noarch\nbeta-1.0-1.noarch\n"
    );
    assert_eq!(out(&["--upgrades"]), "alpha-2.0-1.noarch\n");
    assert_eq!(out(&["--extras"]), "");
    assert_eq!(out(&["--duplicates"]), "");
    assert_eq!(out(&["--extras", "--disablerepo=*"]), installed);
    assert_eq!(site.run(&["count"]).ok().out, "Package count = 8\n");
    assert_eq!(site.run(&["-j", "count"]).ok().out, "8");

    let ran = site.run(&["mark", "remove", "beta"]).ok();
    assert_eq!(ran.out, "marking beta as autoinstalled\n");
    assert_eq!(out(&["--userinstalled"]), "alpha-1.0-1.noarch\n");
    let ran = site.run(&["mark", "install", "beta", "nosuch"]).ok();
    assert!(
        ran.out.ends_with("marking beta as userinstalled\n"),
        "{ran:?}"
    );
    site.run(&["mark", "install", "nosuch"])
        .fails(243, "Error(1011) : No matching packages");
    let ran = site
        .run(&["mark"])
        .fails(86, "Error(1622) : Invalid argument");
    assert_eq!(ran.out, "need action ('install' or 'remove') as argument\n");
    let ran = site
        .run(&["mark", "bogus", "beta"])
        .fails(134, "Error(902) : Invalid argument.");
    assert_eq!(ran.out, "unknown action 'bogus'\n");
    let ran = site
        .run(&["mark", "remove"])
        .fails(86, "Error(1622) : Invalid argument");
    assert_eq!(ran.out, "need package spec(s) as argument\n");

    let ran = site.run(&["-y", "distro-sync"]).ok();
    assert!(ran.out.contains("\nUpgrading:\nalpha "), "{ran:?}");
    site.run(&["-y", "distro-sync", "--exclude=alpha"]).ok();
}
