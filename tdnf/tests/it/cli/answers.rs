//! What a new user meets, as it is printed: each answer says what to do next.

use std::fs;
use std::process::{Command, Stdio};

use testkit::fixtures::unprivileged;
use testkit::server::{Answer, Server};

use super::{Run, Site, Spec, bare, plain};

/// Output with the site's own paths and ports replaced.
fn shown(site: &Site, ran: &Run) -> String {
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
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("socat", "1")]);
    site.run(&["makecache"]).ok();
    assert_eq!(
        shown(&site, &site.run(&["install", "nosuch"])),
        "nosuch package not found or not installed\n\
         Error(1011) : No matching packages\n\
         Hint: look for it: `tdnf --config=SITE/tdnf.conf --installroot=SITE/root search nosuch`, `tdnf --config=SITE/tdnf.conf --installroot=SITE/root provides nosuch`\n\
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
        format!("[extra]\nbaseurl=file://{url}\nenabled=0\n"),
    );
    site.run(&["--enablerepo=extra", "makecache"]).ok();
    assert_eq!(
        shown(&site, &site.run(&["install", "nosuch"])),
        "nosuch package not found or not installed\n\
         nosuch-2-1.noarch is in repository extra, which is switched off\n\
         Error(1011) : No matching packages\n\
         Hint: `tdnf --config=SITE/tdnf.conf --installroot=SITE/root --enablerepo=extra install nosuch` switches it on for this run\n\
         exit 243\n"
    );
}

#[test]
fn sets_without_a_solution() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[
        plain("app", "1").lines("Requires: middle"),
        plain("middle", "1").lines("Requires: lib >= 2"),
        plain("lib", "1"),
        plain("enemy", "1").lines("Conflicts: lib"),
    ]);
    site.run(&["makecache"]).ok();
    assert_eq!(
        shown(&site, &site.run(&["install", "app"])),
        "1. nothing provides lib >= 2 needed by middle-1-1.noarch\n   \
            - asked for: tdnf install app\n   \
            - nothing provides lib >= 2 needed by middle-1-1.noarch (repository test)\n   \
            - package app-1-1.noarch requires middle, but none of the providers can be installed (repository test)\n   \
            - there is lib-1-1.noarch (repository test)\n\
         Found 1 problem(s) while resolving\n\
         Error(1301) : Solv general runtime error\n\
         Hint: another version may be in a repository that is switched off\n\
         exit 21\n"
    );
    site.run(&["-y", "install", "lib"]).ok();
    assert_eq!(
        shown(&site, &site.run(&["install", "enemy"])),
        "1. package enemy-1-1.noarch conflicts with lib provided by lib-1-1.noarch\n   \
            - asked for: tdnf install enemy\n   \
            - package enemy-1-1.noarch conflicts with lib provided by lib-1-1.noarch (enemy-1-1.noarch: repository test; lib-1-1.noarch: installed)\n\
         Found 1 problem(s) while resolving\n\
         Error(1301) : Solv general runtime error\n\
         Hint: to remove what is in the way: `tdnf --config=SITE/tdnf.conf --installroot=SITE/root --allowerasing install enemy`\n\
         Hint: `tdnf --config=SITE/tdnf.conf --installroot=SITE/root erase lib`\n\
         exit 21\n"
    );
    // What the administrator decided is said in words.
    let locked = |site: &Site| site.run(&["erase", "lib"]);
    site.write("locks.d/lib.conf", "lib\n");
    let lock = site.path("locks.d/lib.conf").display().to_string();
    let ran = locked(&site).fails(21, "Error(1301) : Solv general runtime error");
    assert!(
        ran.err.contains(&format!("   - lib is locked ({lock})\n")),
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
fn many_problems_are_named_and_the_first_ones_explained() {
    if unprivileged() {
        return;
    }
    let names: Vec<String> = (0..12).map(|n| format!("app{n}")).collect();
    let broken = |name| plain(name, "1").lines("Requires: nothing-has-this");
    let specs: Vec<Spec> = names.iter().map(|name| broken(name)).collect();
    let site = Site::with(&specs);
    let words: Vec<&str> = ["install"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let ran = site
        .run(&words)
        .fails(21, "Found 12 problem(s) while resolving");
    let count = |text: &str| ran.err.lines().filter(|line| line.contains(text)).count();
    // The line with the number is what C tdnf prints for each.
    assert_eq!(
        count(". nothing provides nothing-has-this needed by app"),
        12,
        "{ran:?}"
    );
    assert_eq!(count("   - asked for: "), 10, "{ran:?}");
    // Not to want what was asked for is no way out.
    assert_eq!(count("Hint: "), 1, "{ran:?}");
    let last = ran.err.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("Hint: to skip what cannot be done: `tdnf --config=")
            && last.contains(" --skip-broken install app0 "),
        "{ran:?}"
    );
    // And so it is.
    let good = site.add(&plain("good", "1"));
    assert!(good.is_file());
    testkit::rpm::createrepo::<&str>(&site.path("repo"), &[]);
    site.run(&[
        "--refresh",
        "-y",
        "--skip-broken",
        "install",
        "good",
        "app0",
    ])
    .ok();
    assert_eq!(site.rpm_names(), ["good-1"]);
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
    let other = "[other]\nenabled=1\nskip_if_unavailable=1\nbaseurl=file:///nonexistent\n";
    site.write("repos.d/test.repo", format!("{keys}{other}"));
    // Without the only one that is on there is nothing to go on with.
    for words in [
        &["--repo=dead", "makecache"][..],
        &["--disablerepo=other", "makecache"],
    ] {
        let text = shown(&site, &site.run(words));
        assert!(text.contains("Hint: check that the server is up"), "{text}");
        assert!(!text.contains("goes on without it"), "{text}");
    }
    let text = shown(&site, &site.run(&["makecache"]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Refreshing metadata for: 'Dead mirror'");
    let error = lines
        .iter()
        .find(|line| line.starts_with("Error: dead: repomd.xml: "));
    let error = error.unwrap_or_else(|| panic!("{text}"));
    assert!(
        error.contains("http://SERVER/repo/repodata/repomd.xml: connection refused"),
        "{text}"
    );
    assert_eq!(
        lines[lines.len() - 6..],
        [
            "Error: Failed to synchronize cache for repo 'Dead mirror'",
            "Error(1208) : Couldn't connect to server",
            "Hint: check that the server is up and can be reached from here; behind a proxy, name \
             it with proxy= in tdnf.conf or in http_proxy",
            "Hint: `tdnf --config=SITE/tdnf.conf --installroot=SITE/root --disablerepo=dead makecache` goes on without it, as with skip_if_unavailable=1 in \
             SITE/repos.d/test.repo:1",
            "Hint: not all repositories could be read: other is left out, for the reason above",
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
        format!("[gone]\nenabled=1\nretries=0\nbaseurl={url}\n"),
    );
    let text = shown(&site, &site.run(&["makecache"]));
    assert!(
        text.contains("Error: 404 when downloading http://SERVER/repodata/repomd.xml. "),
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
        text.contains("Hint: a web page was received instead: log in to the network"),
        "{text}"
    );
}

#[test]
fn no_root() {
    if unprivileged() {
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
        Run::of(output)
    };
    let ran = nobody(&["install", "alpha"]);
    assert_eq!((ran.code, ran.out.as_str()), (65, ""), "{ran:?}");
    let hint = format!(
        "Hint: try `sudo tdnf -c {} install alpha`\n",
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
    let ran = nobody(&["-q", "--installroot", &root, "list", "alpha"]).ok();
    assert!(ran.out.starts_with("alpha.noarch"), "{ran:?}");
    assert!(site.path("cache-of-nobody/tdnf").is_dir());
}

#[test]
fn typing_errors_in_the_configuration() {
    let site = Site::with(&[]);
    let url = site.path("repo").display().to_string();
    site.write(
        "repos.d/test.repo",
        format!("[test]\nbaseurl=file://{url}\nenabled=1\ngpgchek=0\ncost=5\n"),
    );
    let ran = site.run(&["-q", "list"]).ok();
    assert_eq!(
        shown(&site, &ran),
        "warning: SITE/repos.d/test.repo:4: unknown key 'gpgchek': did you mean 'gpgcheck'?\n\
         warning: SITE/repos.d/test.repo:5: the key 'cost' has no effect here\nexit 0\n"
    );
    site.write(
        "repos.d/test.repo",
        format!("[test]\nbaseurl=file://{url}\nenabled=maybe\n"),
    );
    assert_eq!(
        shown(&site, &site.run(&["list"])),
        "warning: SITE/repos.d/test.repo:3: enabled = maybe: expected a boolean such as 1, 0, yes or no; \
         the default (0) counts\n\
         warning: no repository is on: nothing is known but what is installed and what the command line names \
         (`tdnf --config=SITE/tdnf.conf --installroot=SITE/root repolist all` lists the repositories)\nexit 0\n"
    );
    // What decides whether something is checked is not guessed.
    site.write(
        "repos.d/test.repo",
        format!("[test]\nbaseurl=file://{url}\nenabled=1\ngpgcheck=maybe\n"),
    );
    let text = shown(&site, &site.run(&["list"]));
    assert!(text.contains("SITE/repos.d/test.repo:4"), "{text}");
    assert!(
        text.contains("gpgcheck") && text.contains("maybe"),
        "{text}"
    );
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

#[test]
fn a_wrong_key() {
    let wrong = crate::scene::new_key("Somebody <else@tests.invalid>");
    let package = crate::scene::package("app", "1", "");
    let (scene, _) = crate::scene::Scene::with(&[&package.signed(&wrong)]);
    let ran = scene.install(&["app"]);
    let text = ran.text();
    assert_eq!(ran.code, 234, "{text}");
    let lines: Vec<&str> = ran.err.lines().collect();
    assert!(
        lines[0].contains("app-1.rpm: signed by key ")
            && lines[0].ends_with(", which is not known"),
        "{text}"
    );
    assert_eq!(
        lines[1..],
        [
            "none of the keys in gpgkey of repository main made the signature",
            "Error processing package: Packages/app-1.rpm",
            "Error(1514) : RPM is signed but failed to match with known keys. Use --nogpgcheck to ignore.",
            "Hint: compare the key that the publisher names with gpgkey= of the .repo file; nothing was installed",
        ],
        "{text}"
    );
}

#[test]
fn a_full_disk() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1")]);
    // The repository comes over the network: packages of a local one are used in place.
    let server = Server::start(&site.path("repo"));
    let url = server.url("/");
    site.write(
        "repos.d/test.repo",
        format!("[test]\nenabled=1\ngpgcheck=0\nbaseurl={url}\n"),
    );
    let cache = site.path("cache").display().to_string();
    let option = format!("--setopt=cachedir={cache}");
    let root = site.path("root").display().to_string();
    let conf = site.path("tdnf.conf").display().to_string();
    // The metadata fits, one byte more does not.
    let script = format!(
        "mkdir -p {cache} && mount -t tmpfs -o size=256k none {cache} && \
         \"$0\" \"$@\" -q makecache && \
         head -c 10000000 /dev/zero > {cache}/full 2>/dev/null; exec \"$0\" \"$@\" -y install alpha"
    );
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &script, env!("CARGO_BIN_EXE_tdnf")])
        .args(["-c", &conf, "--installroot", &root, &option])
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    let text = shown(&site, &Run::of(output));
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[1].starts_with("Error: SITE/cache: not enough space: ")
            && lines[1].ends_with(" 0 free"),
        "{text}"
    );
    assert_eq!(
        lines[2..],
        [
            "Error(1036) : Insufficient disk space at cache directory /var/cache/tdnf (unless specified \
             differently in config). Try freeing space first.",
            "Hint: free some space (`tdnf --config=SITE/tdnf.conf --installroot=SITE/root --setopt=cachedir=SITE/cache clean packages`), or name another place with --setopt=cachedir=DIR",
            "exit 12",
        ],
        "{text}"
    );
    assert!(site.rpm_names().is_empty());
}

#[test]
fn readers_never_wait_for_a_lock() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1")]);
    site.run(&["makecache"]).ok();
    let cache = fs::read_dir(site.path("root/var/cache/tdnf")).unwrap();
    let cache = cache
        .map(|entry| entry.unwrap().path())
        .find(|path| path.join(".lock").exists());
    let lock = cache.expect("the cache has a lock").join(".lock");
    // Somebody refreshes, and somebody installs, for longer than this test may take.
    let instance = site.path("root/var/lib/tdnf/.tdnf-instance-lockfile");
    fs::create_dir_all(instance.parent().unwrap()).unwrap();
    fs::write(&instance, "").unwrap();
    let hold = "import fcntl, sys, time\n\
                a = open(sys.argv[1], 'r+'); fcntl.flock(a, fcntl.LOCK_EX)\n\
                b = open(sys.argv[2], 'r+'); fcntl.lockf(b, fcntl.LOCK_EX)\n\
                print('held', flush=True); time.sleep(600)\n";
    let mut holder = Command::new("/usr/bin/python3")
        .args(["-I", "-S", "-c", hold])
        .args([&lock, &instance])
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut line = String::new();
    let mut out = std::io::BufReader::new(holder.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "held\n");
    for words in [
        &["list"][..],
        &["-q", "info", "alpha"],
        &["repolist"],
        &["search", "alpha"],
        &["repoquery"],
        &["history", "list"],
    ] {
        let ran = site.run(words);
        assert!(
            !ran.out.contains("waiting") && !ran.err.contains("waiting"),
            "{ran:?}"
        );
    }
    // Who wants new metadata has to wait, and says so.
    let mut waiting = site
        .command(&["--refresh", "list"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(waiting.stdout.take().unwrap());
    let mut told = String::new();
    while !told.contains("waiting for another process that refreshes") {
        let read = std::io::BufRead::read_line(&mut out, &mut told).unwrap();
        assert_ne!(read, 0, "{told}");
    }
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn lowest_versions_are_the_solvers_business() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[
        plain("alpha", "1"),
        plain("alpha", "2"),
        plain("alpha", "3"),
    ]);
    site.write("minversions.d/alpha.conf", "alpha=2\n");
    let ran = site.run(&["-y", "install", "alpha=1"]);
    let ran = ran.fails(21, "1. package alpha-1-1.noarch is disabled");
    assert!(
        ran.err
            .contains("   - alpha-1-1.noarch (repository test) is older than minversions allows\n"),
        "{ran:?}"
    );
    site.run(&["-y", "install", "alpha=2"]).ok();
    site.run(&["-y", "downgrade", "alpha"])
        .fails(21, "1. package alpha-1-1.noarch is disabled");
    site.run(&["-y", "update"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-3"]);
    site.run(&["-y", "downgrade", "alpha"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-2"]);
    // In tdnf.conf, too; what is older already may stay, and may go.
    fs::remove_dir_all(site.path("minversions.d")).unwrap();
    let conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    site.write("tdnf.conf", format!("{conf}minversions=alpha=9 other=1\n"));
    let ran = site.run(&["-y", "update"]).ok();
    assert_eq!(
        ran.err,
        "nothing newer than what is installed is offered\nNothing to do.\n"
    );
    site.run(&["-y", "erase", "alpha"]).ok();
    assert!(site.rpm_names().is_empty());
}
