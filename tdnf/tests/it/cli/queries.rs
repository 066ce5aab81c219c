//! Commands that only read.

use super::{Site, bare, plain};

#[test]
fn version_and_help_open_nothing() {
    assert_eq!(bare(&["--version"]).ok().out, "tdnf: 0.1.0\n");
    assert_eq!(
        bare(&["--version", "-j"]).ok().out,
        r#"{"Name":"tdnf","Version":"0.1.0"}"#
    );
    assert!(bare(&["help"]).ok().out.contains("List of Main Commands"));
    assert!(
        bare(&["install", "--help"])
            .ok()
            .out
            .contains("tdnf [options] install")
    );
    let ran = bare(&[]).fails(144, "Error(912) : Please check your command");
    assert!(ran.out.starts_with("You need to give some command\n"));
}

#[test]
fn repolist_is_the_table_of_tdnf() {
    let site = Site::with(&[]);
    let header = "repo id             repo name                                status   \n";
    let row = "test                Test packages                            enabled  \n";
    assert_eq!(site.run(&["repolist"]).ok().out, format!("{header}{row}"));
    assert_eq!(site.run(&["repolist", "--disablerepo=*"]).ok().out, "");
    let all = site.run(&["-j", "repolist", "all"]).ok().out;
    assert_eq!(
        all,
        r#"[{"Repo":"@cmdline","RepoName":"@cmdline","Enabled":false},{"Repo":"test","RepoName":"Test packages","Enabled":true}]"#
    );
    site.run(&["repolist", "bogus"])
        .fails(133, "Error(901) : There was no match for the search.");
}

#[test]
fn list_and_info_show_what_there_is() {
    let site = Site::with(&[
        plain("alpha", "1.0"),
        plain("alpha", "2.0"),
        plain("beta", "1.0"),
    ]);
    let line = "alpha.noarch                                 2.0-1                        test\n";
    assert!(site.run(&["list", "alpha"]).ok().out.ends_with(line));
    assert_eq!(site.run(&["list", "al*"]).ok().out.lines().count(), 2);
    assert_eq!(site.run(&["list", "alpha<2"]).ok().out.lines().count(), 1);
    assert!(
        site.run(&["list", "ALPHA"])
            .ok()
            .out
            .starts_with("[ignoring case for 'ALPHA']\n")
    );
    assert_eq!(
        site.run(&["-j", "list", "beta"]).ok().out,
        r#"[{"Name":"beta","Arch":"noarch","Evr":"1.0-1","Repo":"test"}]"#
    );
    assert_eq!(site.run(&["list", "installed"]).ok().out, "");
    site.run(&["list", "nosuch"])
        .fails(243, "Error(1011) : No matching packages");
    assert_eq!(site.run(&["-j", "list", "nosuch"]).ok().out, "[]");
    let info = site.run(&["info", "beta"]).ok().out;
    assert!(
        info.starts_with("Name          : beta\nArch          : noarch\nEpoch         : 0\n"),
        "{info}"
    );
    assert!(info.contains("URL           : (null)\n"), "{info}");
}

#[test]
fn search_and_provides_find_by_text_and_capability() {
    let lines = "Provides: virtual-thing = 3";
    let site = Site::with(&[plain("alpha", "1.0"), plain("beta", "1").lines(lines)]);
    assert_eq!(
        site.run(&["search", "of alpha"]).ok().out.lines().last(),
        Some("alpha : test of alpha")
    );
    site.run(&["search", "nosuchthing"])
        .fails(63, "Error(1599) : No matches found");
    let ran = site.run(&["provides", "virtual-thing"]).ok();
    assert_eq!(
        ran.out,
        "[using capability match for 'virtual-thing']\nbeta-1-1.noarch : test of beta\nRepo\t : test\n"
    );
    let ran = site.run(&["provides", "/opt/alpha"]).ok();
    assert!(
        ran.out
            .ends_with("alpha-1.0-1.noarch : test of alpha\nRepo\t : test\n"),
        "{ran:?}"
    );
    let ran = site.run(&["provides", "nosuch", "beta", "neither"]).ok();
    assert_eq!(
        ran.err,
        "nothing provides nosuch\nnothing provides neither\n"
    );
    assert!(
        ran.out
            .ends_with("beta-1-1.noarch : test of beta\nRepo\t : test\n"),
        "{ran:?}"
    );
    let ran = site.run(&["provides", "nosuch"]).ok();
    assert_eq!(ran.err, "nothing provides nosuch\nNo data available\n");
    site.run(&["provides"])
        .fails(139, "Error(907) : Need an item to match.");
}

#[test]
fn makecache_and_clean_fill_and_empty_the_cache() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let ran = site.run(&["makecache"]).ok();
    assert_eq!(
        ran.out,
        "Refreshing metadata for: 'Test packages'\nMetadata cache created.\n"
    );
    assert_eq!(
        site.run(&["-q", "makecache"]).ok().out,
        "Metadata cache created.\n"
    );
    assert_eq!(site.run(&["-j", "makecache"]).ok().out, "");
    assert_eq!(
        site.run(&["-C", "list", "alpha"]).ok().out.lines().count(),
        1
    );
    let ran = site.run(&["clean", "all"]).ok();
    assert_eq!(
        ran.out,
        "cleaning test: metadata dbcache packages keys expire-cache\nDone.\n"
    );
    site.run(&["-C", "list"]).fails(
        10,
        "Error(1034) : cache only is set, but no repo data found",
    );
    site.run(&["clean"]).fails(
        135,
        "Error(903) : Clean requires an option: packages, metadata, dbcache, plugins, expire-cache, all",
    );
    site.run(&["clean", "bogus"])
        .fails(133, "Error(901) : There was no match for the search.");
}
