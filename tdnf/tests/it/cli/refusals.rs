//! Packages that must not be installed.

use std::fs;
use std::process::Command;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use testkit::fixtures::unprivileged;
use testkit::rpm::createrepo;

use super::{Site, plain};

#[test]
fn unsigned_rpm_gpgcheck1() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.write("repos.d/test.repo", site.repo_text("gpgcheck=1"));
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
    let ran = site.run(&["-y", "--nogpgcheck", "install", "alpha"]).ok();
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
    site.run(&["repolist", "--disablerepo=rel"]).ok();
}

/// The repository's primary metadata as text, by createrepo_c.
fn primary(site: &Site) -> String {
    let _ = fs::remove_dir_all(site.path("repo/repodata"));
    createrepo::<&str>(&site.path("repo"), &[]);
    let entries = fs::read_dir(site.path("repo/repodata")).expect("written");
    let file = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with("primary.xml.gz"))
        .expect("written");
    let output = Command::new("gzip").arg("-dc").arg(file).output();
    String::from_utf8(output.expect("gzip runs").stdout).expect("text")
}

/// What stands between two texts in the entry of `alpha`.
fn part<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let entry = &text[text.find("<name>alpha<").expect("alpha is in it")..];
    let rest = &entry[entry.find(from).expect("there") + from.len()..];
    &rest[..rest.find(to).expect("there")]
}

/// Puts `text` as the only metadata of the repository.
fn put_primary(site: &Site, text: &str) {
    let digest = Hasher::digest(DigestAlgo::Sha256, text.as_bytes()).hex();
    fs::remove_dir_all(site.path("repo/repodata")).expect("ours");
    site.write("repo/repodata/primary.xml", text);
    let index = format!(
        "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>1</revision>\
         <data type=\"primary\"><checksum type=\"sha256\">{digest}</checksum>\
         <location href=\"repodata/primary.xml\"/><size>{}</size></data></repomd>",
        text.len()
    );
    site.write("repo/repodata/repomd.xml", &index);
}

/// A repository whose metadata says `told` of alpha, whose package says `true_lines`. Checksum
/// and size of the metadata are those of the package.
fn with_promise(told: &str, true_lines: &str) -> Site {
    let alpha = |lines| plain("alpha", "1.0").lines(lines);
    let site = Site::with(&[alpha(told), plain("beta", "1.0")]);
    let lying = primary(&site);
    site.add(&alpha(true_lines));
    let honest = primary(&site);
    let mut text = lying.clone();
    for (from, to) in [("pkgid=\"YES\">", "<"), ("<size package=\"", "\"")] {
        text = text.replace(
            &format!("{from}{}{to}", part(&lying, from, to)),
            &format!("{from}{}{to}", part(&honest, from, to)),
        );
    }
    put_primary(&site, &text);
    site
}

#[test]
fn row_29_extraneous_dep() {
    if unprivileged() {
        return;
    }
    let cases = [
        ("Requires: beta", "", "it does not require beta"),
        ("", "Requires: beta", "it requires beta"),
        ("", "Requires(pre): beta", "it requires beta"),
        (
            "Requires: beta",
            "Requires: beta > 0",
            "it does not require beta",
        ),
        ("Provides: x = 2", "", "it does not provide x = 2"),
        ("", "Provides: x = 2", "it provides x = 2"),
    ];
    for (told, truth, difference) in cases {
        let site = with_promise(told, truth);
        let ran = site.run(&["-y", "install", "alpha"]);
        assert_eq!(ran.code, 1472 % 256, "{ran:?}");
        let line = format!("{difference}, but the metadata of repository test says otherwise\n");
        assert!(ran.err.contains(&line), "{line} in {ran:?}");
        assert!(site.rpm_names().is_empty());
    }
    let site = with_promise(
        "Requires: beta >= 0:1.0-1, (beta or alpha)",
        "Requires: beta >= 1.0-1, (beta  or alpha), alpha = 1.0",
    );
    site.run(&["-y", "install", "alpha"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1.0", "beta-1.0"]);
}
