//! What a new user meets, as it is printed: each answer says what to do next.

use std::fs;
use std::process::{Command, Stdio};

use testkit::server::{Answer, Server};

use super::{Ran, Site, Spec, bare, plain};

/// Output with the site's own paths and ports replaced.
fn shown(site: &Site, ran: &Ran) -> String {
    let text = format!("{}{}exit {}\n", ran.out, ran.err, ran.code);
    let text = text.replace(&site.path("").display().to_string(), "SITE/");
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("127.0.0.1:") {
        plain.push_str(&rest[..at]);
        plain.push_str("SERVER");
        rest = rest[at + 10..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    plain + rest
}

fn needs_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        testkit::fixtures::skipped("not root");
    }
    root
}

#[test]
fn a_mistyped_command() {
    let ran = bare(&["instal", "socat"]);
    assert_eq!(
        format!("{}{}exit {}\n", ran.out, ran.err, ran.code),
        "No such command: instal. Please use /usr/bin/tdnf --help\n\
         Error(912) : Please check your command\n\
         Hint: did you mean 'install'?\n\
         exit 144\n"
    );
}

#[test]
fn a_package_that_nobody_has() {
    if !needs_root() {
        return;
    }
    let site = Site::with(&[plain("socat", "1")]);
    site.run(&["makecache"]).well();
    assert_eq!(
        shown(&site, &site.run(&["install", "nosuch"])),
        "nosuch package not found or not installed\n\
         Error(1011) : No matching packages\n\
         Hint: look for it: 'tdnf search nosuch', 'tdnf provides nosuch'\n\
         exit 243\n"
    );
    assert_eq!(
        shown(&site, &site.run(&["install", "socta"])),
        "socta package not found or not installed\n\
         Error(1011) : No matching packages\n\
         Hint: did you mean 'socat'?\n\
         exit 243\n"
    );
    // In a repository that is off, as far as its metadata is known.
    fs::create_dir_all(site.path("extra")).unwrap();
    let built = site.add(&plain("nosuch", "2"));
    fs::rename(&built, site.path("extra/nosuch-2-1.noarch.rpm")).unwrap();
    testkit::rpm::createrepo::<&str>(&site.path("extra"), &[]);
    let url = site.path("extra").display().to_string();
    site.write(
        "repos.d/extra.repo",
        &format!("[extra]\nbaseurl=file://{url}\nenabled=0\n"),
    );
    site.run(&["--enablerepo=extra", "makecache"]).well();
    assert_eq!(
        shown(&site, &site.run(&["install", "nosuch"])),
        "nosuch package not found or not installed\n\
         nosuch-2-1.noarch is in repository extra, which is switched off\n\
         Error(1011) : No matching packages\n\
         Hint: switch it on for this run: --enablerepo=extra\n\
         exit 243\n"
    );
}

#[test]
fn sets_without_a_solution() {
    if !needs_root() {
        return;
    }
    let site = Site::with(&[
        Spec {
            name: "app",
            version: "1",
            lines: "Requires: middle",
        },
        Spec {
            name: "middle",
            version: "1",
            lines: "Requires: lib >= 2",
        },
        plain("lib", "1"),
        Spec {
            name: "enemy",
            version: "1",
            lines: "Conflicts: lib",
        },
    ]);
    site.run(&["makecache"]).well();
    assert_eq!(
        shown(&site, &site.run(&["install", "app"])),
        "1. nothing provides lib >= 2 needed by middle-1-1.noarch\n   \
            - asked for: tdnf install app\n   \
            - nothing provides lib >= 2 needed by middle-1-1.noarch (repository test)\n   \
            - package app-1-1.noarch requires middle, but none of the providers can be installed (repository test)\n   \
            - conflicting requests\n   \
            - there is lib-1-1.noarch (repository test)\n\
         Found 1 problem(s) while resolving\n\
         Error(1301) : Solv general runtime error\n\
         Hint: another version may be in a repository that is switched off\n\
         Hint: do not ask to install app-1-1.noarch\n\
         exit 21\n"
    );
    site.run(&["-y", "install", "lib"]).well();
    assert_eq!(
        shown(&site, &site.run(&["install", "enemy"])),
        "1. package enemy-1-1.noarch conflicts with lib provided by lib-1-1.noarch\n   \
            - asked for: tdnf install enemy\n   \
            - package enemy-1-1.noarch conflicts with lib provided by lib-1-1.noarch (repository test); lib-1-1.noarch (installed)\n   \
            - problem with installed package lib-1-1.noarch (installed)\n   \
            - conflicting requests\n\
         Found 1 problem(s) while resolving\n\
         Error(1301) : Solv general runtime error\n\
         Hint: tdnf erase lib\n\
         Hint: do not ask to install enemy-1-1.noarch\n\
         exit 21\n"
    );
    // What the administrator decided is said in words.
    let locked = |site: &Site| site.run(&["erase", "lib"]);
    site.write("locks.d/lib.conf", "lib\n");
    let ran = locked(&site).fails(21, "Error(1301) : Solv general runtime error");
    assert!(
        ran.err.contains("   - lib is locked (locks.d)\n"),
        "{ran:?}"
    );
    assert!(
        ran.err.contains("Hint: remove its line in locks.d"),
        "{ran:?}"
    );
    fs::remove_file(site.path("locks.d/lib.conf")).unwrap();
    let ran = site.run(&["--exclude=middle", "install", "app"]);
    assert!(
        ran.err
            .contains("   - middle-1-1.noarch (repository test) is excluded\n"),
        "{ran:?}"
    );
    assert!(ran.err.contains("--exclude"), "{ran:?}");
}

#[test]
fn a_dead_mirror() {
    let site = Site::with(&[]);
    // A port that nobody listens on: it was ours a moment ago.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let keys = format!(
        "[dead]\nname=Dead mirror\nenabled=1\nretries=0\nbaseurl=http://127.0.0.1:{port}/repo\n"
    );
    site.write("repos.d/test.repo", &keys);
    let text = shown(&site, &site.run(&["makecache"]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Refreshing metadata for: 'Dead mirror'");
    let error = lines
        .iter()
        .find(|line| line.starts_with("Error: dead: repomd.xml: "));
    let error = error.unwrap_or_else(|| panic!("{text}"));
    assert!(
        error.contains("http://SERVER/repo/repodata/repomd.xml: cannot connect: "),
        "{text}"
    );
    assert_eq!(
        lines[lines.len() - 5..],
        [
            "Error: Failed to synchronize cache for repo 'Dead mirror'",
            "Error(1208) : Couldn't connect to server",
            "Hint: check that the server is up and can be reached from here; behind a proxy, name \
             it with proxy= in tdnf.conf or in https_proxy",
            "Hint: to go on without it: --disablerepo=dead, or skip_if_unavailable=1 in \
             SITE/repos.d/test.repo:1",
            "exit 184",
        ],
        "{text}"
    );
}

#[test]
fn a_web_page_instead_of_a_repository() {
    let site = Site::with(&[]);
    fs::create_dir_all(site.path("www/repodata")).unwrap();
    let server = Server::start(&site.path("www"));
    let url = server.url("");
    site.write(
        "repos.d/test.repo",
        &format!("[gone]\nenabled=1\nretries=0\nbaseurl={url}\n"),
    );
    let text = shown(&site, &site.run(&["makecache"]));
    assert!(
        text.contains("http://SERVER/repodata/repomd.xml: HTTP status 404 (not found)\n"),
        "{text}"
    );
    assert!(
        text.contains("Error(1622) : Invalid argument\nHint: check the URL and $releasever"),
        "{text}"
    );
    server.always("/repodata/repomd.xml", Answer::login_page());
    let text = shown(&site, &site.run(&["makecache"]));
    assert!(
        text.contains("got HTML, not a repository: login page?"),
        "{text}"
    );
    assert!(
        text.contains("Hint: a web page came instead: log in to the network"),
        "{text}"
    );
}

#[test]
fn no_root() {
    if !needs_root() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1")]);
    // Everything of the site can be read by others.
    let open = Command::new("chmod")
        .args(["-R", "a+rX"])
        .arg(site.path(""))
        .status();
    assert!(open.unwrap().success());
    let copy = site.path("tdnf");
    fs::copy(env!("CARGO_BIN_EXE_tdnf"), &copy).unwrap();
    let nobody = |words: &[&str]| {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .arg("-c")
            .arg(site.path("tdnf.conf"))
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("XDG_CACHE_HOME", site.path("cache-of-nobody"))
            .stdin(Stdio::null())
            .output()
            .expect("setpriv runs");
        Ran::of(output)
    };
    let ran = nobody(&["install", "alpha"]);
    assert_eq!((ran.code, ran.out.as_str()), (65, ""), "{ran:?}");
    let hint = format!(
        "Hint: try 'sudo tdnf --config {} install alpha'\n",
        site.path("tdnf.conf").display()
    );
    assert_eq!(
        ran.err,
        format!("Error(1601) : Operation not permitted. You have to be root.\n{hint}")
    );
    // What only reads works, with a cache of the user's own.
    fs::create_dir_all(site.path("cache-of-nobody")).unwrap();
    std::os::unix::fs::chown(site.path("cache-of-nobody"), Some(65534), Some(65534)).unwrap();
    let root = site.path("root").display().to_string();
    let ran = nobody(&["-q", "--installroot", &root, "list", "alpha"]).well();
    assert!(ran.out.starts_with("alpha.noarch"), "{ran:?}");
    assert!(site.path("cache-of-nobody/tdnf").is_dir());
}

#[test]
fn typing_errors_in_the_configuration() {
    let site = Site::with(&[]);
    let url = site.path("repo").display().to_string();
    site.write(
        "repos.d/test.repo",
        &format!("[test]\nbaseurl=file://{url}\nenabled=1\ngpgchek=0\ncost=5\n"),
    );
    let ran = site.run(&["-q", "list"]).well();
    assert_eq!(
        shown(&site, &ran),
        "warning: SITE/repos.d/test.repo:4: nobody knows the key 'gpgchek': did you mean 'gpgcheck'?\n\
         exit 0\n"
    );
    site.write(
        "repos.d/test.repo",
        &format!("[test]\nbaseurl=file://{url}\nenabled=maybe\n"),
    );
    let text = shown(&site, &site.run(&["list"]));
    assert!(text.contains("SITE/repos.d/test.repo:3"), "{text}");
    assert!(text.contains("enabled") && text.contains("maybe"), "{text}");
    assert!(
        text.contains("Error(1004) : Encountered an invalid repo file"),
        "{text}"
    );
    site.write("repos.d/test.repo", "[test\nenabled=1\n");
    let text = shown(&site, &site.run(&["list"]));
    assert!(
        text.contains("SITE/repos.d/test.repo:1: a section line must end with ]"),
        "{text}"
    );
}
