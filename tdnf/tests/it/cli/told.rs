//! What people are told: tables that fit the screen, why things come and go, why nothing is to be done.

use testkit::fixtures::unprivileged;
use testkit::rpm::createrepo;

use super::updateinfo::publish_advisories;
use super::{Site, answer, plain};

/// A name and a version that leave little of 80 columns.
const LONG: &str = "libwebkit2gtk-javascript-runtime";

/// `app` needs `lib` needs `base`; each in two versions.
fn site() -> Option<Site> {
    if unprivileged() {
        return None;
    }
    let both = ["1.0", "2.0"].map(|version| {
        [
            plain("app", version).lines(&format!("Requires: lib = {version}")),
            plain("lib", version).lines("Requires: base"),
            plain("base", version),
            plain(LONG, &format!("{version}+dfsg1.20261129~deb12u2")),
        ]
    });
    let others = [plain("application", "1").summary("not app alone")];
    Some(Site::with(&[both.concat(), others.to_vec()].concat()))
}

/// The lines of a run with so many columns that are longer.
fn longer(site: &Site, columns: usize, words: &[&str]) -> Vec<String> {
    let mut command = site.command(words);
    let ran = answer(command.env("COLUMNS", columns.to_string()));
    let lines = ran.out.lines().map(str::to_owned);
    lines
        .filter(|line| line.trim_end().chars().count() > columns)
        .collect()
}

/// The rows below a heading of a plan.
fn below(text: &str, heading: &str) -> Vec<String> {
    let rest = text.split_once(&format!("\n{heading}:\n"));
    let rows = rest.map_or("", |(_, rows)| rows).lines();
    let rows = rows.take_while(|row| !row.is_empty());
    rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_plan_says_what_was_asked_for_and_what_comes_along() {
    let Some(site) = site() else { return };
    let ran = site.run(&["-y", "install", "app-1.0"]).ok();
    assert!(
        below(&ran.out, "Installing")[0].starts_with("app noarch 1.0-1 test"),
        "{ran:?}"
    );
    let along = below(&ran.out, "Installing dependencies");
    assert_eq!(along.len(), 2, "{ran:?}");
    assert!(along[0].starts_with("base "), "{ran:?}");
    let ran = site.run(&["--assumeno", "update", "app"]);
    assert!(
        below(&ran.out, "Upgrading")[0].ends_with(" from 1.0-1"),
        "{ran:?}"
    );
    assert!(
        below(&ran.out, "Upgrading dependencies")[0].starts_with("lib "),
        "{ran:?}"
    );
    // An update of everything asks for each.
    let ran = site.run(&["--assumeno", "update"]);
    assert_eq!(below(&ran.out, "Upgrading").len(), 2, "{ran:?}");
    assert!(ran.out.contains("\nPackages: 2 to upgrade\n"), "{ran:?}");
    assert_eq!(
        ran.out.matches("Total download size: ").count(),
        1,
        "{ran:?}"
    );
}

#[test]
fn a_removal_says_who_goes_and_why() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "app"]).ok();
    let ran = site.run(&["--assumeno", "erase", "base"]);
    assert_eq!(below(&ran.out, "Removing").len(), 1, "{ran:?}");
    let others = below(&ran.out, "Removing dependent packages");
    assert!(
        others[0].starts_with("app ") && others[0].ends_with(" needs lib"),
        "{ran:?}"
    );
    assert!(
        others[1].starts_with("lib ") && others[1].ends_with(" needs base"),
        "{ran:?}"
    );
    let keep = "--setopt=clean_requirements_on_remove=0";
    let ran = site.run(&["-y", keep, "erase", "app"]).ok();
    let note = format!(
        "nothing needs these any more: base, lib (`tdnf {} {keep} autoremove` removes them)\n",
        site.options()
    );
    assert_eq!(ran.err, note);
    // What it says is so.
    site.run(&["-y", "autoremove"]).ok();
    assert!(site.rpm_names().is_empty());
    site.run(&["-y", "install", "app"]).ok();
    let ran = site
        .run(&[
            "-y",
            "--setopt=clean_requirements_on_remove=1",
            "erase",
            "app",
        ])
        .ok();
    assert_eq!(
        below(&ran.out, "Removing unused dependencies").len(),
        2,
        "{ran:?}"
    );
    assert_eq!(ran.err, "");
}

#[test]
fn nothing_to_do_always_has_a_reason() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "app", "application"]).ok();
    for (words, reason) in [
        (&["install", "app"][..], "Package app is already installed."),
        (
            &["update"],
            "nothing newer than what is installed is offered",
        ),
        (
            &["update", "app"],
            "app-2.0-1.noarch is installed, and nothing newer is offered",
        ),
        (
            &["downgrade", "application"],
            "There is no downgrade path for application.",
        ),
        (
            &["distro-sync"],
            "what is installed is what the repositories offer",
        ),
        (
            &["distro-sync", "app"],
            "what is installed is what the repositories offer",
        ),
        (
            &["autoremove"],
            "every installed package was asked for or is needed by another one",
        ),
        (
            &["erase", LONG],
            "libwebkit2gtk-javascript-runtime is not installed",
        ),
        (
            &["history", "rollback", "last"],
            "all packages are as they would be afterwards",
        ),
    ] {
        let ran = site.run(&[&["-y"], words].concat()).ok();
        assert_eq!(ran.err, format!("{reason}\nNothing to do.\n"), "{words:?}");
    }
    let ran = site.run(&["-y", "update", "--exclude=app"]).ok();
    assert!(
        ran.err.contains(", apart from what is excluded ("),
        "{ran:?}"
    );
}

#[test]
fn all_unknown_words_are_named_with_what_is_like_them() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "app"]).ok();
    for command in [
        &["install"][..],
        &["erase"],
        &["update"],
        &["reinstall"],
        &["downgrade"],
        &["distro-sync"],
        &["autoremove"],
        &["info"],
        &["list"],
        &["check-update"],
        &["updateinfo", "list"],
        &["mark", "install"],
    ] {
        let ran = site.run(&[&["--assumeno"], command, &["aplication", "bsae", "app"]].concat());
        for word in ["aplication", "bsae"] {
            let line = format!("{word} package not found or not installed\n");
            assert!(ran.err.contains(&line), "{command:?}: {ran:?}");
        }
        assert!(
            ran.err.contains("Hint: bsae: did you mean 'base'?\n"),
            "{command:?}: {ran:?}"
        );
    }
    for (words, near) in [
        (["repolist", "enabeld"], "enabled"),
        (["clean", "metadat"], "metadata"),
    ] {
        let ran = site
            .run(&words)
            .fails(133, "Error(901) : There was no match for the search.");
        assert!(
            ran.err.contains(&format!("did you mean '{near}'?")),
            "{ran:?}"
        );
    }
    let ran = site.run(&["count", "app"]).ok();
    assert_eq!(
        ran.err,
        "warning: app: no effect here, see `tdnf count --help`\n"
    );
}

#[test]
fn a_search_ranks_and_shows_a_package_once() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "app-1.0"]).ok();
    let found = |words: &[&str]| {
        let out = site.run(&[&["search"], words].concat()).ok().out;
        let names = out.lines().filter_map(|line| line.split_once(" : "));
        names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(&["app"]), ["app", "application"]);
    assert_eq!(found(&["alone"]), ["application"]);
    // The more of the words the better.
    assert_eq!(
        found(&["test", "lib"]),
        ["lib", LONG, "app", "base", "application"]
    );
    assert_eq!(found(&["TEST", "base"])[0], "base");
}

#[test]
fn tables_fit_the_screen() {
    let Some(site) = site() else { return };
    let long = format!(
        "[a-repository-with-a-long-name]\nname={}\nbaseurl=file:///\nenabled=0\n",
        "word ".repeat(15)
    );
    site.write("repos.d/long.repo", long);
    publish_advisories(&site);
    let old = format!("{LONG}=1.0+dfsg1.20261129~deb12u2");
    site.run(&["-y", "--refresh", "install", &old, "app-1.0"])
        .ok();
    for words in [
        &["--assumeno", "update"][..],
        &["--assumeno", "erase", "base", LONG],
        &["list"],
        &["list", "installed"],
        &["check-update"],
        &["repolist", "all"],
        &["history"],
        &["history", "info", "last"],
        &["updateinfo", "list", "all"],
        &["updateinfo", "info", "all"],
    ] {
        for columns in [80, 200] {
            let longer = longer(&site, columns, words);
            assert!(longer.is_empty(), "{words:?} of {columns}: {longer:#?}");
        }
    }
    // Scripts get a line each where no screen is known.
    let rows = site.run(&["history"]).ok().out.lines().count();
    assert_eq!(rows, 3);
    let row = site.run(&["history", "last"]).ok().out;
    assert!(
        row.lines()
            .nth(1)
            .is_some_and(|row| row.starts_with("   2 ")),
        "{row}"
    );
    let listed = site.run(&["list", LONG]).ok().out;
    assert!(
        listed
            .lines()
            .all(|line| line.split_whitespace().count() == 3),
        "{listed}"
    );
}

#[test]
fn advisories_have_the_scopes_of_list() {
    let Some(site) = site() else { return };
    site.add(&plain("alpha", "1.0"));
    createrepo::<&str>(&site.path("repo"), &[]);
    publish_advisories(&site);
    site.run(&["-y", "--refresh", "install", "alpha"]).ok();
    let ids = |words: &[&str]| {
        let out = site
            .run(&[&["-q", "updateinfo", "list"], words].concat())
            .ok()
            .out;
        let ids = out
            .lines()
            .filter_map(|line| line.strip_prefix("patch:")?.split(' ').next());
        ids.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let newer = "BUG-1 SEC-2";
    for scope in [
        &[][..],
        &["available"],
        &["upgrades"],
        &["updates"],
        &["--upgrades"],
    ] {
        assert_eq!(ids(scope), newer, "{scope:?}");
    }
    for scope in [&["installed"][..], &["--installed"]] {
        assert_eq!(ids(scope), "OLD-3", "{scope:?}");
    }
    for scope in [&["all"][..], &["--all"]] {
        assert_eq!(ids(scope).split(' ').count(), 3, "{scope:?}");
    }
    for scope in ["downgrades", "extras", "obsoletes", "recent"] {
        assert_eq!(ids(&[scope]), "", "{scope}");
    }
}

/// What a hint puts in backquotes can be pasted.
#[test]
fn commands_of_hints_work() {
    let Some(site) = site() else { return };
    std::fs::create_dir(site.path("none")).expect("ours");
    createrepo::<&str>(&site.path("none"), &[]);
    let section = |id: &str, dir: &str, enabled: u8| {
        let url = site.path(dir).display().to_string();
        let text = format!("[{id}]\nbaseurl=file://{url}\nenabled={enabled}\ngpgcheck=0\n");
        site.write(&format!("repos.d/{id}.repo"), text);
    };
    section("test", "repo", 0);
    section("none", "none", 1);
    site.run(&["--enablerepo=test", "makecache"]).ok();
    let commands = |words: &[&str]| {
        let ran = site.run(words);
        let hints = ran.err.lines().filter(|line| line.starts_with("Hint: "));
        let parts = hints.flat_map(|line| line.split('`').skip(1).step_by(2));
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    let options = site.options();
    assert_eq!(
        commands(&["install", "no such"]),
        [
            format!("tdnf {options} search 'no such'"),
            format!("tdnf {options} provides 'no such'")
        ]
    );
    let found = commands(&["install", "app"]);
    assert_eq!(
        found,
        [format!("tdnf {options} --enablerepo=test install app")]
    );
    let words: Vec<&str> = found[0].split(' ').skip(1).collect();
    site.run(&[&["-y"], &words[..]].concat()).ok();
    assert!(site.rpm_names().contains(&"app-2.0".to_owned()));
}
