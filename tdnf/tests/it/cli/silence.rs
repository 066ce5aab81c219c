//! What is ignored, weakened, left out or misspelt is said, and stops nothing that it does not concern.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use testkit::fixtures::unprivileged;
use testkit::program::{self, Run};
use testkit::rpm::createrepo;
use testkit::server::Server;

use super::{Site, plain};

/// A site whose second repository `extra` has `omega`.
pub(super) fn two_repositories() -> Site {
    let site = Site::with(&[plain("alpha", "1.0"), plain("beta", "1.0")]);
    let built = plain("omega", "1.0").build();
    fs::create_dir(site.path("extra")).expect("ours");
    fs::copy(built, site.path("extra/omega-1.0-1.noarch.rpm")).expect("ours");
    createrepo::<&str>(&site.path("extra"), &[]);
    site.write("repos.d/extra.repo", section(&site, "extra", "enabled=1"));
    site
}

pub(super) fn section(site: &Site, id: &str, keys: &str) -> String {
    let url = site.path("extra").display().to_string();
    format!("[{id}]\nname={id}\nbaseurl=file://{url}\ngpgcheck=0\n{keys}\n")
}

fn has_line(text: &str, words: &[&str]) -> bool {
    let mut lines = text.lines();
    lines.any(|line| words.iter().all(|word| line.contains(word)))
}

#[track_caller]
pub(super) fn says(ran: &Run, words: &[&str]) {
    assert!(has_line(&ran.err, words), "{words:?}: {ran:#?}");
}

#[test]
fn a_misspelt_repository_is_named_and_ends_what_has_nothing_else_to_do() {
    let site = two_repositories();
    let misspelt: [&[&str]; 9] = [
        &["--repo=tset", "list", "available"],
        &["--repoid=tset", "repoquery", "alpha"],
        &["--repo=tset", "search", "alpha"],
        &["--repo=tset", "provides", "alpha"],
        &["--repo=tset", "info", "alpha"],
        &["--repo=tset", "check-update"],
        &["--repo=tset", "makecache"],
        &["--repo=tset,nothing*", "reposync", "--urls"],
        &["--disablerepo=*", "--enablerepo=tset", "makecache"],
    ];
    for words in misspelt {
        let ran = site.run(words);
        says(
            &ran,
            &["there is no repository 'tset': did you mean 'test'?"],
        );
        assert_eq!(ran.code, 244, "{words:?}: {ran:?}");
        assert!(!ran.text().contains("created"), "{words:?}: {ran:?}");
    }
    // Nothing is on, and nobody misspelt anything.
    let none = site.run(&["--disablerepo=*", "makecache"]);
    assert_eq!(none.code, 244, "{none:?}");
    site.run(&["--disablerepo=*", "list"]).ok();
    // Something is left to do.
    for words in [
        &["--enablerepo=tset", "list", "alpha"][..],
        &["--disablerepo=tset", "list", "alpha"],
        &["--setopt=tset.enabled=0", "list", "alpha"],
        &["--repo=tset,test", "list", "alpha"],
        &["--repo=*", "--repo=tset", "list", "alpha"],
        &["--repo=tset", "clean", "expire-cache"],
        &["--repo=tset", "history"],
    ] {
        says(&site.run(words).ok(), &["no repository 'tset'"]);
    }
}

#[test]
fn lists_of_repositories_part_at_commas_and_blanks() {
    let site = two_repositories();
    let names = |words: &[&str]| {
        let ran = site.run(&[words, &["-q", "repoquery"]].concat()).ok();
        assert!(!ran.err.contains("there is no"), "{words:?}: {ran:?}");
        let mut lines: Vec<&str> = ran.out.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    let all = "alpha-1.0-1.noarch\nbeta-1.0-1.noarch\nomega-1.0-1.noarch";
    assert_eq!(names(&["--repo=test,extra"]), all);
    assert_eq!(names(&["--repo", "test, extra"]), all);
    assert_eq!(names(&["--disablerepo=*", "--enablerepo=extra test"]), all);
    assert_eq!(
        names(&["--disablerepo=test,extra", "--repo=ext*"]),
        "omega-1.0-1.noarch"
    );
    assert_eq!(names(&["--disablerepo=test,extra"]), "");
    let excluded = site.run(&["--assumeno", "-x", "alpha beta", "install", "alpha", "beta"]);
    says(&excluded, &["all packages that alpha names are excluded"]);
}

#[test]
fn options_of_other_commands_are_named() {
    let site = two_repositories();
    for (words, option, owner) in [
        (&["search", "--delete", "alpha"][..], "--delete", "reposync"),
        (&["list", "--qf=%{name}", "alpha"], "--qf", "repoquery"),
        (&["makecache", "--security"], "--security", "update"),
        (&["repolist", "--repair"], "--repair", "check-installed"),
        (&["info", "--reverse", "alpha"], "--reverse", "history"),
        (
            &["list", "-x", "gone", "--best", "alpha"],
            "--best",
            "install",
        ),
        (
            &["check-update", "--newest-only"],
            "--newest-only",
            "reposync",
        ),
    ] {
        let ran = site.run(words).ok();
        let command = words.iter().find(|word| !word.starts_with('-'));
        let quoted = format!("'{}'", command.expect("a command"));
        says(&ran, &["warning: ", option, "no effect", &quoted, owner]);
        assert_eq!(ran.err.matches("has no effect on").count(), 1, "{ran:?}");
    }
    let idle = site.run(&["makecache", "now", "please"]).ok();
    says(
        &idle,
        &[
            "warning: now",
            "please: no effect here, see `tdnf makecache --help`",
        ],
    );
    let conf = fs::read_to_string(site.path("tdnf.conf")).expect("ours");
    site.write("tdnf.conf", format!("{conf}[mine]\nbaseurl=file:///x\n"));
    let listed = site.run(&["list", "alpha"]).ok();
    says(
        &listed,
        &["tdnf.conf:4: the section 'mine' has no effect here"],
    );
    site.write("tdnf.conf", conf);
    for words in [
        &["-y", "makecache"][..],
        &["--assumeno", "list", "alpha"],
        &["list", "--obsoletes"],
        &["check-update", "-x", "alpha"],
        &["--setopt=gpgcheck=0", "list", "alpha"],
        &["-4", "-d", "1", "list", "alpha"],
    ] {
        let ran = site.run(words).ok();
        assert!(!ran.err.contains("has no effect"), "{words:?}: {ran:?}");
    }
}

#[test]
fn no_wins_over_yes_wherever_it_stands() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    for words in [
        &["-y", "--assumeno", "install", "alpha"][..],
        &["install", "--assumeno", "alpha", "-y"],
        &["--setopt=assumeno=1", "install", "-y", "alpha"],
        &[
            "--assumeno",
            "-y",
            "--setopt=assumeno=0",
            "install",
            "alpha",
        ],
        &["-y", "--assumeno", "-q", "install", "alpha"],
    ] {
        site.run(words).fails(8, "Error(1032) : Operation aborted.");
    }
    assert!(site.rpm_names().is_empty());
}

#[test]
fn empty_values_are_refused_or_named() {
    let site = two_repositories();
    for option in [
        "--releasever=",
        "--config=",
        "--forcearch=",
        "--qf=",
        "--file=",
        "--whatrequires=",
        "--rpmdefine=",
        "--downloaddir=",
    ] {
        let ran = site.run(&[option, "repoquery"]);
        let name = option.trim_end_matches('=');
        says(&ran, &[name, "argument is empty string"]);
        assert_eq!(ran.code, 86, "{ran:?}");
    }
    says(
        &site.run(&["-c", "", "list"]),
        &["--config: argument is empty string"],
    );
    says(
        &site.run(&["--exclude=", "list", "alpha"]).ok(),
        &["--exclude", "empty"],
    );
    says(
        &site.run(&["--enablerepo=", "list", "alpha"]).ok(),
        &["--enablerepo: the list is empty and names no repository"],
    );
}

#[test]
fn what_is_wrong_with_a_section_that_is_off_stops_no_other() {
    let site = two_repositories();
    let off = |keys: &str| section(&site, "off", &format!("enabled=0\n{keys}"));
    for (text, told) in [
        (
            off("rubbish"),
            "odd.repo:6: expected [section] or key = value",
        ),
        (off("gpgcheck=perhaps"), "odd.repo:6: gpgcheck = perhaps"),
        (off("sslverify=high"), "odd.repo:6: sslverify = high"),
        (off("path=../x"), "key path is not allowed"),
        (
            off("baseurl=http://h/\u{7}x"),
            "odd.repo:6: the line has a control character",
        ),
        (
            section(&site, "a/b", "enabled=0"),
            "bad repository id \"a/b\"",
        ),
        (
            section(&site, "test", "enabled=0"),
            "duplicate repo id: test",
        ),
        (
            section(&site, "test", "enabled=1"),
            "duplicate repo id: test",
        ),
    ] {
        site.write("repos.d/zz.odd.repo", text);
        let ran = site.run(&["list", "available"]).ok();
        says(&ran, &["warning: ", told]);
        assert!(
            ran.out.contains("alpha") && ran.out.contains("omega"),
            "{ran:?}"
        );
        assert!(!ran.out.contains("off"), "{ran:?}");
    }
    // A byte of Latin-1, and the line that it makes unreadable.
    let mut text = off("# caf").into_bytes();
    text.extend(b"\xe9\nexclude=\xe9\n");
    site.write("repos.d/zz.odd.repo", &text);
    says(
        &site.run(&["list", "alpha"]).ok(),
        &["odd.repo:7: the line is not UTF-8"],
    );
    // Whoever switches it on is told, and so is whoever has it on.
    site.write("repos.d/zz.odd.repo", off("gpgcheck=perhaps"));
    let on = site.run(&["--enablerepo=off", "list", "alpha"]);
    assert_eq!(on.code, 236, "{on:?}");
    says(&on, &["odd.repo:6: gpgcheck = perhaps"]);
    site.write(
        "repos.d/zz.odd.repo",
        section(&site, "on", "enabled=1\nrubbish"),
    );
    let ran = site.run(&["list", "alpha"]).ok();
    says(&ran, &["odd.repo:6: expected [section]", "not used"]);
    // The first section of an id counts.
    let other = section(&site, "test", "enabled=1").replace("extra", "nowhere");
    site.write("repos.d/zz.odd.repo", other);
    site.run(&["--refresh", "--repo=test", "list", "alpha"])
        .ok();
    let path = format!("test,{}", site.path("extra").display());
    let twice = site.run(&["--repofrompath", &path, "list"]);
    twice.fails(13, "Error(1037) : Duplicate repo id");
}

#[test]
fn variables_that_are_empty_or_cannot_be_read_are_named() {
    let site = two_repositories();
    let vars = site.path("vars").display().to_string();
    let conf = fs::read_to_string(site.path("tdnf.conf")).expect("ours");
    site.write("tdnf.conf", format!("{conf}varsdir={vars}\n"));
    let read = |keys: &str| {
        site.write(
            "repos.d/extra.repo",
            section(&site, "extra", &format!("enabled=1\n{keys}")),
        );
        site.run(&["--setopt=extra.skip_if_unavailable=1", "list", "alpha"])
            .ok()
    };
    site.write("vars/latin", b"caf\xe9\n");
    site.write("vars/nul", b"a\0b\n");
    let ran = read("");
    says(&ran, &["warning: ", "vars/latin", "it is not UTF-8"]);
    site.write("vars/latin", b"\xef\xbb\xbfx\n");
    let ran = read("name=$latin $nul");
    says(&ran, &["vars/nul", "control character"]);
    says(&ran, &["name: the variable 'nul' is not defined"]);
    fs::remove_file(site.path("vars/nul")).expect("ours");
    let listed = site.run(&["-j", "repolist"]).ok();
    assert!(
        listed.out.contains("\"RepoName\":\"x $nul\""),
        "a mark of order is no text: {listed:?}"
    );
    site.write("vars/none", b"\n");
    says(
        &read("baseurl=http://127.0.0.1:9/$none/x"),
        &["baseurl: the variable 'none' is empty"],
    );
    says(
        &read("baseurl=file:///$BaseArch/"),
        &["'BaseArch' is not defined", "did you mean 'basearch'?"],
    );
    says(
        &read("baseurl=file:///${latin:?x}/"),
        &["the variable 'latin:?x' is not defined"],
    );
    says(
        &read("proxy=http://$nobody:1"),
        &["proxy: the variable 'nobody' is not defined"],
    );
    site.write("vars/nobody", b"127.0.0.1\n");
    let ran = read("baseurl=http://h/x\nproxy=http://$nobody:9\nretries=1");
    says(&ran, &["connection refused"]);
}

#[test]
fn files_that_a_user_may_not_read_hide_no_others() {
    if unprivileged() {
        return;
    }
    let site = two_repositories();
    site.run(&["makecache"]).ok();
    let closed = fs::Permissions::from_mode(0o600);
    fs::set_permissions(site.path("repos.d/extra.repo"), closed).expect("ours");
    let ran = super::journeys::as_stranger(&site, &["list", "alpha"]).ok();
    says(&ran, &["warning: ", "extra.repo: Permission denied"]);
    assert!(ran.out.contains("alpha"), "{ran:?}");
}

#[test]
fn a_sync_and_a_security_update_name_what_they_hold_back() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("beta", "1.0")]);
    site.run(&["-y", "install", "alpha", "beta"]).ok();
    site.add(&plain("alpha", "2.0").lines("Requires: nowhere"));
    site.add(&plain("beta", "2.0"));
    createrepo::<&str>(&site.path("repo"), &[]);
    let held = [
        "warning: ",
        "alpha-2.0-1.noarch",
        "nothing provides nowhere",
    ];
    for words in [&["update"][..], &["distro-sync"]] {
        let ran = site.run(&[&["--refresh", "--assumeno"], words].concat());
        says(&ran, &held);
        assert!(has_line(&ran.out, &["beta", "2.0-1"]), "{ran:?}");
    }
    let advisory = |name: &str| {
        format!(
            "<update from=\"x\" status=\"final\" type=\"security\" version=\"1\"><id>S-{name}</id><title>t</title>\
             <issued date=\"2026-01-01 00:00:00\"/><severity>Important</severity><description>d</description>\
             <pkglist><collection short=\"x\"><name>x</name><package name=\"{name}\" version=\"2.0\" release=\"1\" \
             epoch=\"0\" arch=\"noarch\"><filename>{name}-2.0-1.noarch.rpm</filename></package></collection></pkglist></update>"
        )
    };
    let text = format!(
        "<updates>{}{}</updates>",
        advisory("alpha"),
        advisory("beta")
    );
    site.write("updateinfo.xml", text);
    let mut modifyrepo = Command::new("modifyrepo_c");
    modifyrepo
        .arg(site.path("updateinfo.xml"))
        .arg(site.path("repo/repodata"));
    program::ok(&mut modifyrepo);
    let named = site.run(&["--refresh", "--assumeno", "--security", "update", "alpha"]);
    assert_eq!(named.code, 21, "what is named is wanted: {named:?}");
    let ran = site.run(&["-y", "--security", "update"]).ok();
    says(&ran, &held);
    assert_eq!(site.rpm_names(), ["alpha-1.0", "beta-2.0"]);
}

#[test]
fn the_reason_of_a_refusal_is_in_json_and_on_standard_error() {
    if unprivileged() {
        return;
    }
    let file = |name: &str| plain(name, "1.0").file("/opt/same", name);
    let site = Site::with(&[
        file("one"),
        file("two"),
        plain("sulky", "1.0").script("pretrans -p <lua>", "error('not today')"),
        plain("needy", "1.0").lines("Requires: nowhere"),
    ]);
    for (words, reason) in [
        (
            &["one", "two"][..],
            "file /opt/same conflicts between attempted installs",
        ),
        (&["sulky"], "%pretrans(sulky-1.0-1.noarch) scriptlet failed"),
        (&["needy"], "nothing provides nowhere"),
        (&["nobody"], "nobody package not found"),
    ] {
        let text = site.run(&[&["-y", "install"], words].concat()).failed();
        says(&text, &[reason]);
        let document = site.run(&[&["--json-version=2", "-y", "install"], words].concat());
        says(&document, &[reason]);
        let details = &document.json()["Error"]["Details"];
        assert!(details.to_string().contains(reason), "{document:?}");
    }
    let odd = site.run(&["--json-version=2", "frobnicate"]);
    let details = odd.json()["Error"]["Details"].to_string();
    assert!(details.contains("No such command: frobnicate"), "{odd:?}");
    says(&odd, &["No such command: frobnicate"]);
    assert!(site.rpm_names().is_empty());
}

#[test]
fn that_no_repository_can_be_read_is_said_as_that() {
    let site = Site::with(&[]);
    let text = |id: &str| {
        format!(
            "[{id}]\nname={id}\nbaseurl=file:///nowhere/{id}\nenabled=1\nskip_if_unavailable=1\n"
        )
    };
    site.write("repos.d/test.repo", text("one") + &text("two"));
    let none = ["none of the repositories could be read (one, two)"];
    for words in [
        &["makecache"][..],
        &["check-update"],
        &["list"],
        &["repoquery"],
        &["check"],
        &["count"],
        &["search", "alpha"],
        &["update"],
    ] {
        let ran = site.run(words);
        says(&ran, &none);
        assert!(!ran.text().contains("created"), "{ran:?}");
    }
    let missing = site.run(&["--assumeno", "install", "alpha"]);
    says(&missing, &none);
    assert_eq!(
        missing.err.matches("none of the repositories").count(),
        1,
        "{missing:?}"
    );
}

#[test]
fn numbers_that_no_transaction_has_are_named() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    for (words, line) in [
        (&["info", "0"][..], "the first transaction is 1"),
        (
            &["list", "99"],
            "there is no transaction 99: the newest is 2",
        ),
        (
            &["undo", "99"],
            "there is no transaction 99: the newest is 2",
        ),
        (&["rollback", "0"], "the first transaction is 1"),
        (
            &["rollback", "1-2"],
            "history rollback goes back to one transaction, not to a range",
        ),
        (
            &["list", "2", "99"],
            "there is no transaction 99: the newest is 2",
        ),
        (
            &["undo", "2", "1"],
            "history undo takes one transaction: 1 is more",
        ),
        (
            &["redo", "2", "1-2", "x"],
            "history redo takes one transaction: 1-2 x is more",
        ),
        (
            &["rollback", "1", "2"],
            "history rollback takes one transaction: 2 is more",
        ),
        (&["init", "now"], "history init takes nothing: now is more"),
    ] {
        site.run(&[&["-y", "history"], words].concat())
            .fails(86, line);
    }
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
}

/// A site whose only repository `gone` may be left out, and cannot be reached.
fn out_of_reach() -> Site {
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    site.run(&["clean", "all"]).ok();
    let text = "[gone]\nname=gone\nbaseurl=http://127.0.0.1:9/x\nenabled=1\nretries=0\nskip_if_unavailable=1\n";
    site.write("repos.d/test.repo", text);
    site
}

#[test]
fn where_no_repository_can_be_read_nothing_is_said_of_what_they_offer() {
    let site = out_of_reach();
    let none = "none of the repositories could be read (gone)";
    let folder = site.path("copy").display().to_string();
    for words in [
        &["-y", "install", "beta"][..],
        &["-y", "--skip-broken", "install", "beta"],
        &["list", "beta"],
        &["-y", "upgrade"],
        &["-y", "upgrade", "alpha"],
        &["-y", "downgrade"],
        &["-y", "distro-sync"],
        &["check-update"],
        &["reposync", "--download-path", &folder],
    ] {
        let ran = site.run(words);
        says(&ran, &[none]);
        for lie in [
            "package not found",
            "is offered",
            "repositories offer",
            "not all rep",
        ] {
            assert!(!ran.text().contains(lie), "{words:?}: {ran:#?}");
        }
        let json = site.run(&[&["--json-version=2"], words].concat());
        let document: serde_json::Value = serde_json::from_str(&json.out).expect("one document");
        let unread = &document["UnreadRepos"][0];
        assert_eq!(unread["Repo"], "gone", "{words:?}: {json:?}");
        assert_eq!(unread["Number"], 1208, "{words:?}: {json:?}");
        let why = unread["Why"].as_str().expect("a line");
        assert!(why.contains("connection refused"), "{words:?}: {json:?}");
    }
    let ran = site.run(&["-y", "install", "beta"]);
    says(&ran, &[none]);
    says(
        &ran,
        &["beta: not installed, and the repositories could not be read"],
    );
    assert_eq!(ran.code, 243, "{ran:?}");
}

#[test]
fn what_another_server_gives_is_no_error() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path(""));
    let (good, gone) = (server.url("/repo"), server.url("/gone"));
    for (url, cause) in [
        (
            "http://127.0.0.1:9/x",
            "127.0.0.1:9: connection refused; going on with ",
        ),
        (gone.as_str(), "404 when downloading http://"),
    ] {
        let text = format!("[test]\nbaseurl={url} {good}\nenabled=1\ngpgcheck=0\nretries=0\n");
        site.write("repos.d/test.repo", text);
        let ran = site.run(&["--refresh", "makecache"]).ok();
        says(&ran, &[&format!("warning: {cause}")]);
        assert!(!ran.err.contains("Error"), "{ran:#?}");
    }
    // Published anew between its metadata and its package.
    let text = format!("[test]\nbaseurl={good}\nenabled=1\ngpgcheck=0\nretries=0\n");
    site.write("repos.d/test.repo", text);
    site.run(&["--refresh", "makecache"]).ok();
    fs::remove_file(site.path("repo/alpha-1.0-1.noarch.rpm")).expect("ours");
    site.add(&plain("alpha", "2.0"));
    createrepo::<&str>(&site.path("repo"), &[]);
    let ran = site.run(&["-y", "install", "alpha"]).ok();
    says(&ran, &["warning: 404 when downloading", "alpha-1.0"]);
    says(&ran, &["repository test has been published anew"]);
    assert!(!ran.err.contains("Error"), "{ran:#?}");
}

#[test]
fn one_cause_is_one_line() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path(""));
    let (good, gone) = (server.url("/repo"), server.url("/gone"));
    let makecache = |keys: &str| {
        let text = format!("[test]\n{keys}\nenabled=1\ngpgcheck=0\nretries=0\n");
        site.write("repos.d/test.repo", text);
        site.run(&["--refresh", "makecache"])
    };
    let once = |ran: &Run, number: u32, words: &str| {
        says(ran, &[&format!("Error({number}) : ")]);
        assert_eq!(ran.err.matches(words).count(), 1, "{words}: {ran:#?}");
    };
    let ran = makecache(&format!("baseurl={gone}"));
    once(&ran, 1622, "/gone/repodata/repomd.xml");
    let ran = makecache("baseurl=http://127.0.0.1:9/x");
    once(&ran, 1208, "connection refused");
    site.write("empty", "");
    let ran = makecache(&format!("metalink={}", server.url("/empty")));
    once(&ran, 1006, "Error: test: metalink: ");
    once(&ran, 1006, "Plugin error: metalink plugin error: ");
    assert_eq!(ran.err.matches("/empty").count(), 1, "{ran:#?}");
    let parts = fs::read_dir(site.path("repo/repodata")).expect("ours");
    let primary = parts.map(|part| part.expect("ours").path());
    let mut primary = primary.filter(|part| part.to_string_lossy().contains("primary.xml"));
    let primary = primary.next().expect("createrepo_c wrote it");
    let file = fs::File::options().write(true).open(primary);
    file.and_then(|file| file.set_len(100)).expect("ours");
    let ran = makecache(&format!("baseurl={good}"));
    once(&ran, 1527, "primary.xml");
    says(&ran, &["Error(1527) : File size does not match."]);
}

#[test]
fn an_architecture_that_there_is_not_is_refused() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let folder = format!("--download-path={}", site.path("copy").display());
    for (words, near) in [
        (&["--forcearch=x86-64", "update"][..], "x86_64"),
        (&["--forcearch=amd64", "list"], "x86_64"),
        (&["repoquery", "--arch=aarch46", "alpha"], "aarch64"),
        (&["reposync", "--arch=norach", &folder], "noarch"),
        (&["lock", "--arch=arm64", "alpha"], "aarch64"),
    ] {
        let ran = site.run(words).fails(86, "Error(1622) : Invalid argument");
        says(&ran, &["arch=", ": there is no such architecture"]);
        says(&ran, &[&format!("Hint: did you mean '{near}'?")]);
    }
    for known in ["noarch", "src", "x86_64_v3"] {
        site.run(&["repoquery", "--arch", known]).ok();
    }
}

#[test]
fn an_option_that_stops_a_change_is_not_ignored_by_a_removal() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    for (option, words) in [
        ("--downloadonly", &["erase", "alpha"][..]),
        ("--urls", &["erase", "alpha"]),
        ("--downloadonly", &["autoremove", "alpha"]),
        ("--testonly", &["mark", "remove", "alpha"]),
    ] {
        let ran = site.run(&[&["-y", option], words].concat());
        let line = format!(
            "{option}: {} does not know it and would change the system; nothing was done\nError(1622)",
            words[0]
        );
        assert!(ran.err.starts_with(&line), "{ran:?}");
        assert_eq!(ran.code, 86, "{ran:?}");
    }
    site.run(&["-y", "--testonly", "erase", "alpha"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
    let marked = site.run(&["repoquery", "--userinstalled"]).ok().out;
    assert_eq!(marked, "alpha-1.0-1.noarch\n");
}

#[test]
fn what_a_lock_or_a_section_keeps_out_is_named() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("alpha", "2.0")]);
    site.run(&["-y", "install", "alpha-1.0"]).ok();
    let lock = site.path("locks.d/l.conf").display().to_string();
    site.write("locks.d/l.conf", "alpha\n");
    let locked = format!(
        "alpha-1.0-1.noarch is locked by {lock}: alpha-2.0-1.noarch is offered and does not come"
    );
    let file = site.path("repos.d/test.repo").display().to_string();
    let left_out = format!("alpha-2.0-1.noarch is left out of repository test by {file}:6");
    let told = |words: &[&str], line: &str| {
        let ran = site.run(words).ok();
        assert_eq!(ran.err, format!("{line}\nNothing to do.\n"), "{words:?}");
        let ran = site.run(&[&["--json-version=2"], words].concat()).ok();
        assert_eq!(ran.json()["Notes"], serde_json::json!([line]), "{words:?}");
    };
    told(&["update"], &locked);
    told(&["distro-sync"], &locked);
    fs::remove_file(site.path("locks.d/l.conf")).expect("ours");
    let keys = "gpgcheck=0\nexclude=alpha-2.0";
    site.write("repos.d/test.repo", site.repo_text(keys));
    told(&["update"], &left_out);
    told(&["update", "alpha"], &left_out);
}

#[test]
fn the_excluded_package_that_would_do_is_the_reason_of_a_hold_back() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[
        plain("alpha", "1.0"),
        plain("alpha", "2.0").lines("Requires: beta >= 2"),
        plain("beta", "1.0"),
        plain("beta", "2.0"),
    ]);
    site.run(&["-y", "install", "alpha-1.0", "beta-1.0"]).ok();
    let ran = site.run(&["--assumeno", "-x", "beta", "update"]).ok();
    says(
        &ran,
        &[
            "alpha-2.0-1.noarch is held back: ",
            "; beta-2.0-1.noarch (repository test) is excluded",
        ],
    );
}

#[test]
fn why_a_repository_is_not_used_is_said_once() {
    let site = Site::with(&[]);
    site.write("repos.d/test.repo", site.repo_text("sslverify=flase"));
    let ran = site.run(&["list", "beta"]);
    assert_eq!(ran.code, 236, "{ran:?}");
    says(&ran, &["warning: ", "test.repo:5: sslverify = flase: "]);
    assert_eq!(ran.err.matches("flase").count(), 1, "{ran:?}");
    let ran = site.run(&["--json-version=2", "list", "beta"]);
    let details = ran.json()["Error"]["Details"].to_string();
    assert!(details.contains("sslverify = flase"), "{ran:?}");
}
