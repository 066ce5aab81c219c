//! Words and options that would have had no effect without a word.

use testkit::fixtures::unprivileged;

use super::silence::{says, two_repositories};
use super::{Site, bare, plain};

#[test]
fn unknown_words_behind_history_and_help_end_the_command() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    for (words, told) in [
        (&["history", "lst"][..], "did you mean 'list'?"),
        (
            &["history", "undone", "2"],
            "list, info, init, update, undo",
        ),
        (
            &["history", "userinstalled"],
            "repoquery --userinstalled` lists what was asked for",
        ),
    ] {
        let ran = site
            .run(words)
            .fails(133, "Error(901) : There was no match for the search.");
        says(&ran, &[told]);
        says(&ran, &[&format!("'{}' is none of ", words[1])]);
        assert!(!ran.out.contains("install alpha"), "{ran:?}");
    }
    let help = bare(&["history", "--help"]);
    assert!(help.out.contains("Newest transaction first"), "{help:?}");
    let listed = site.run(&["history", "--reverse"]).ok();
    let rows: Vec<&str> = listed.out.lines().skip(1).collect();
    assert!(rows[0].contains("install alpha"), "{listed:?}");

    let ran = bare(&["help", "isntall"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(ran.text().contains("isntall"), "{ran:?}");
    assert!(ran.text().contains("did you mean 'install'?"), "{ran:?}");
    for words in [&["help"][..], &["help", "help"], &["help", "install"]] {
        bare(words).ok();
    }
}

#[test]
fn lists_obey_excludes_and_name_scopes_that_do_not_count() {
    if unprivileged() {
        return;
    }
    let site = two_repositories();
    site.run(&["-y", "install", "alpha"]).ok();
    for words in [
        &["list", "-x", "al*"][..],
        &["list", "available", "-x", "alpha"],
        &["list", "installed", "-x", "alpha"],
        &["info", "-x", "alpha", "*a"],
    ] {
        let ran = site.run(words);
        assert!(!ran.out.contains("alpha"), "{ran:?}");
        assert!(!ran.err.contains("no effect"), "{ran:?}");
    }
    let ran = site.run(&["list", "-x", "alpha", "available"]).ok();
    assert!(
        ran.out.contains("beta") && ran.out.contains("omega"),
        "{ran:?}"
    );

    let ran = site.run(&["info", "--security"]);
    assert!(!ran.err.contains("no effect"), "{ran:?}");
    says(&ran, &["go with the scope 'upgrades' here"]);
    site.run(&["info", "upgrades", "--security"]).ok();

    let ran = site.run(&["list", "installed", "--available"]).ok();
    says(&ran, &["--available has no effect: 'installed' counts"]);
    let ran = site.run(&["list", "--installed", "--available"]).ok();
    says(&ran, &["--installed has no effect: 'available' counts"]);
    let ran = site.run(&["list", "--installed", "--installed"]).ok();
    assert_eq!(ran.err, "", "{ran:?}");
    let ran = site.run(&["repoquery", "--installed", "--available"]).ok();
    says(&ran, &["--installed has no effect beside --available"]);
    let within = ["repoquery", "--userinstalled", "--installed"];
    let ran = site.run(&within).ok();
    assert!(!ran.err.contains("no effect"), "{ran:?}");
}

#[test]
fn values_without_effect_are_named() {
    let site = two_repositories();
    for (option, told) in [
        (
            "--rpmverbosity=loud",
            "--rpmverbosity=loud: the levels are emergency, ",
        ),
        (
            "--rpmdefine=x",
            "--rpmdefine=x has no effect: a name, a blank",
        ),
        (
            "--setopt=cachedir=",
            "--setopt=cachedir= has no effect: a path",
        ),
    ] {
        let ran = site.run(&[option, "list", "alpha"]).ok();
        says(&ran, &["warning: ", told]);
    }
    let key = "--setopt=test.sslclientkey=/no/such.key";
    let ran = site.run(&[key, "list", "alpha"]).ok();
    says(&ran, &["sslclientkey has no effect without sslclientcert"]);

    let conf = std::fs::read_to_string(site.path("tdnf.conf")).expect("ours");
    site.write("tdnf.conf", format!("{conf}tsflags=nodosc\n"));
    let ran = site.run(&["list", "alpha"]);
    says(&ran, &["tdnf.conf:4: tsflags: unknown flag 'nodosc'"]);
}

#[test]
fn search_takes_globs() {
    let site = two_repositories();
    for (word, wanted) in [
        ("al*", ["alpha", ""]),
        ("AL?HA", ["alpha", ""]),
        ("*me*", ["omega", ""]),
        ("test of b*", ["beta", ""]),
        ("*ta", ["beta", "of beta"]),
    ] {
        let ran = site.run(&["-q", "search", word]).ok();
        let rows: Vec<&str> = ran.out.lines().collect();
        assert_eq!(rows.len(), 1, "{word}: {ran:?}");
        assert!(rows[0].starts_with(wanted[0]), "{word}: {ran:?}");
        assert!(rows[0].contains(wanted[1]), "{word}: {ran:?}");
    }
    assert_ne!(site.run(&["search", "lph*"]).code, 0);
}

#[test]
fn package_files_by_url() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let built = plain("alpha", "1.0").build();
    std::fs::create_dir(site.path("d x")).expect("ours");
    std::fs::copy(built, site.path("d x/al 1+.rpm")).expect("ours");
    let dir = site.path("d x").display().to_string().replace(' ', "%20");
    for name in ["al%201%2B.rpm", "al%201+.rpm"] {
        let url = format!("file://{dir}/{name}");
        let ran = site.run(&["--assumeno", "install", &url]);
        assert!(ran.out.contains("alpha") && ran.code == 8, "{ran:?}");
    }
    let ran = site.run(&["--assumeno", "install", "ftp://example.com/y.rpm"]);
    says(
        &ran,
        &["ftp://example.com/y.rpm: ftp is not spoken: http, https and file are"],
    );
    assert_eq!(ran.code, 86, "{ran:?}");
}

#[test]
fn what_an_error_names_can_be_asked_for() {
    let site = Site::with(&[]);
    let ran = site.run(&["list", "--nosuch"]);
    says(&ran, &["Hint: ", "`tdnf list --help` lists its options"]);
    let ran = site.run(&["clean"]).ends(135);
    says(
        &ran,
        &["it takes packages|metadata|dbcache|keys|expire-cache|all"],
    );
    let ran = site.run(&["--repofrompath=test,/tmp", "list"]);
    says(
        &ran,
        &["--repofrompath: there is a repository 'test' already"],
    );
}
