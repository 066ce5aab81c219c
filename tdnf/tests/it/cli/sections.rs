//! Sections and addresses of `.repo` files that cannot be used: they are left out with a word, and stop no other.

use testkit::fixtures::unprivileged;

use super::silence::{says, section, two_repositories};
use super::{Site, answer, plain};

#[test]
fn a_section_with_a_fault_is_left_out_and_the_others_go_on() {
    if unprivileged() {
        return;
    }
    let site = two_repositories();
    for (line, told) in [
        ("gpgcheck=", "odd.repo:6: gpgcheck = : expected a boolean"),
        ("sslverify=high", "odd.repo:6: sslverify = high"),
        ("metadata_expire=6x", "odd.repo:6: metadata_expire = 6x"),
        ("garbage", "odd.repo:6: expected [section] or key = value"),
    ] {
        let keys = format!("enabled=1\n{line}");
        site.write("repos.d/odd.repo", section(&site, "odd", &keys));
        for words in [&["list", "alpha"][..], &["repolist"], &["makecache"]] {
            let ran = site.run(words).ok();
            says(&ran, &["warning: ", told, "; the repository is not used"]);
            assert!(!ran.out.contains("odd"), "{ran:?}");
        }
        let all = site.run(&["repolist", "all"]).ok();
        let row = all.out.lines().find(|row| row.starts_with("odd"));
        assert!(row.is_some_and(|row| row.contains("disabled")), "{all:?}");
        // Nothing of it is installed, whatever it leaves unchecked.
        let only = ["--disablerepo=test,extra", "--assumeno", "install", "alpha"];
        let ran = site.run(&only);
        assert_ne!((ran.code, ran.out.contains("alpha")), (8, true), "{ran:?}");
        says(&ran, &["Hint: ", "correct the line"]);
        assert!(!ran.err.contains("goes on without it"), "{ran:?}");
        let code = if line.starts_with("meta") { 5 } else { 236 };
        assert_eq!(ran.code, code, "{ran:?}");
        // Whoever names it needs it.
        for words in ["--repo=odd", "--enablerepo=odd"] {
            let ran = site.run(&[words, "list", "alpha"]);
            assert_eq!(ran.code, code, "{ran:?}");
            says(&ran, &[told]);
            says(&ran, &["Hint: ", "correct the line"]);
        }
        site.run(&["--enablerepo=*", "list", "alpha"]).ok();
        let without = site.run(&["--disablerepo=odd", "list", "alpha"]).ok();
        says(&without, &[told, "; the repository is off"]);
    }
}

#[test]
fn a_link_that_leads_nowhere_is_said() {
    let site = two_repositories();
    let link = site.path("repos.d/odd.repo");
    std::os::unix::fs::symlink("/nowhere/odd.repo", &link).expect("ours");
    let ran = site.run(&["list", "alpha"]).ok();
    says(
        &ran,
        &[
            "warning: ",
            "odd.repo: No such file or directory; nothing of this file is used",
        ],
    );
    assert_eq!(ran.err.matches("odd.repo").count(), 1, "{ran:?}");
}

#[test]
fn a_bad_line_that_belongs_to_no_section_takes_its_file_out() {
    let site = two_repositories();
    let odd = section(&site, "odd", "enabled=1");
    let id = section(&site, "a/b", "enabled=1");
    for (text, told) in [
        (format!("x=1\n{odd}"), "odd.repo:1: a key before the first"),
        (
            format!("{odd}[other\nenabled=1\n"),
            "odd.repo:6: a section line must end with ]",
        ),
        (id, "bad repository id \"a/b\""),
    ] {
        site.write("repos.d/odd.repo", text);
        for words in [&["list", "alpha"][..], &["--repo=test", "repolist"]] {
            let ran = site.run(words).ok();
            says(&ran, &["warning: ", told]);
        }
        let ran = site.run(&["--disablerepo=*", "makecache"]);
        assert_eq!(ran.code, 236, "{ran:?}");
        says(&ran, &["Hint: ", "no option leaves a file out"]);
    }
    site.write("repos.d/odd.repo", format!("x=1\n{odd}"));
    let ran = site.run(&["--repo=odd", "list", "alpha"]);
    assert_eq!(ran.code, 236, "{ran:?}");
    says(&ran, &["odd.repo:1: ", "nothing of this file is used"]);
}

#[test]
fn sections_that_are_off_for_want_of_a_key_are_named() {
    let site = two_repositories();
    let plain = format!(
        "{}{}",
        section(&site, "one", ""),
        section(&site, "two", "priority=3")
    );
    site.write("repos.d/odd.repo", plain);
    for words in [&["list", "alpha"][..], &["repolist"]] {
        let ran = site.run(words).ok();
        let told = "off for want of enabled=1 in the section: one (";
        says(&ran, &[told, "odd.repo:1), two (", "odd.repo:6)"]);
        assert_eq!(ran.err.matches("for want of").count(), 1, "{ran:?}");
    }
    let ran = site.run(&["--enablerepo=one,two", "list", "alpha"]).ok();
    assert!(!ran.err.contains("want of"), "{ran:?}");
    site.write("repos.d/odd.repo", section(&site, "one", "Enabled=1"));
    let ran = site.run(&["list", "alpha"]).ok();
    let near = "unknown key 'Enabled': did you mean 'enabled'?";
    says(&ran, &["odd.repo:5: ", near, "is off"]);
}

#[test]
fn an_address_that_is_none_is_told_with_its_place() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let url = format!("file://{}", site.path("repo").display());
    for (value, told) in [
        (format!("\"{url}\""), "is in quotes: leave them out"),
        (
            format!("{url} b"),
            "baseurl: b is not a URL: http://, https:// or file:// is expected; a blank in one is written %20",
        ),
    ] {
        let text = format!("[odd]\nenabled=1\ngpgcheck=0\nbaseurl={value}\n");
        site.write("repos.d/odd.repo", text);
        let ran = site.run(&["list", "alpha"]);
        assert_eq!(ran.code, 180, "{ran:?}");
        says(&ran, &["odd.repo:4: baseurl: ", told]);
        says(&ran, &["Hint: ", "correct the line"]);
        assert!(!ran.text().contains("without a base"), "{ran:?}");
        let skipped = ["--setopt=odd.skip_if_unavailable=1", "list", "alpha"];
        says(
            &site.run(&skipped).ok(),
            &["warning: ", "odd.repo:4: ", told],
        );
    }
}

#[test]
fn the_proxy_of_a_section_and_of_the_environment() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = testkit::server::Server::start(&site.path("repo"));
    let conf = std::fs::read_to_string(site.path("tdnf.conf")).expect("ours");
    let text = |keys: &str| {
        let url = server.url("");
        format!("[test]\nenabled=1\ngpgcheck=0\nretries=1\nbaseurl={url}\n{keys}\n")
    };
    // Nobody listens there.
    let refusing = "http://127.0.0.1:1";
    site.write("tdnf.conf", format!("{conf}proxy={refusing}\n"));
    site.write("repos.d/test.repo", text(""));
    says(
        &site.run(&["list", "alpha"]),
        &["proxy http://127.0.0.1:1/: "],
    );
    site.write("repos.d/test.repo", text("proxy="));
    site.run(&["list", "alpha"]).ok();

    site.write("tdnf.conf", conf);
    site.write("repos.d/test.repo", text(""));
    let with = |no_proxy: &str| {
        let mut command = site.command(&["--refresh", "list", "alpha"]);
        command
            .env("http_proxy", refusing)
            .env("no_proxy", no_proxy);
        answer(&mut command)
    };
    let ran = with("");
    assert_eq!(ran.code, 184, "{ran:?}");
    says(&ran, &["proxy http://127.0.0.1:1/ of http_proxy: "]);
    with("127.0.0.1").ok();
    with("*").ok();
}
