//! Signals in every phase of a run, sent to a child process.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::fixtures::unprivileged;
use testkit::server::{Answer, Server};

use super::{Run, Site, plain};

/// How long a phase may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

fn start(site: &Site, words: &[&str]) -> Child {
    // Whoever runs the tests in the background hands down an ignored SIGINT.
    let inner = site.command(words);
    std::process::Command::new("env")
        .arg("--default-signal=INT,TERM,HUP")
        .arg(inner.get_program())
        .args(inner.get_args())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tdnf starts")
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("the child is ours");
}

fn end(child: Child) -> Run {
    Run::of(child.wait_with_output().expect("tdnf ends"))
}

#[track_caller]
fn wait_for(what: &str, mut come: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !come() {
        assert!(begin.elapsed() < PATIENCE, "{what} does not come");
        sleep(PAUSE);
    }
}

/// Files below `dir` whose name ends so.
fn files_ending(dir: &Path, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let (dirs, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let mut found: Vec<PathBuf> = files
        .into_iter()
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect();
    found.extend(dirs.iter().flat_map(|dir| files_ending(dir, end)));
    found
}

/// A package whose scriptlet `kind` runs for two seconds, and says that it runs by a file.
fn slow(kind: &str) -> String {
    format!(
        "%{kind} -p <lua>\nio.open('/running', 'w'):close()\n\
         local start = os.time()\nwhile os.time() - start < 2 do end\n"
    )
}

fn slow_site(kind: &str) -> Option<Site> {
    if unprivileged() {
        return None;
    }
    let lines = slow(kind);
    Some(Site::with(&[plain("slow", "1.0").lines(&lines)]))
}

#[test]
fn row_93_sigint_phases_download() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path("repo"));
    site.write(
        "repos.d/test.repo",
        format!(
            "[test]\nname=Test\nbaseurl={}\nenabled=1\ngpgcheck=0\n",
            server.url("/")
        ),
    );
    let file = "/alpha-1.0-1.noarch.rpm";
    let size = fs::metadata(site.path("repo/alpha-1.0-1.noarch.rpm"))
        .expect("built")
        .len();
    let slowly = Answer {
        pieces: Some((
            usize::try_from(size / 20).unwrap(),
            Duration::from_millis(300),
        )),
        ..Answer::default()
    };
    server.always(file, slowly);
    let child = start(&site, &["-y", "install", "alpha"]);
    let cache = site.path("root/var/cache/tdnf");
    let part = || files_ending(&cache, ".part");
    wait_for("part of the package", || {
        part()
            .iter()
            .any(|path| fs::metadata(path).is_ok_and(|meta| meta.len() > 0))
    });
    signal(&child, Signal::INT);
    let ran = end(child).fails(
        130,
        "Ctrl-C: stopping, nothing has changed; the next run continues with what was fetched",
    );
    assert!(!part().is_empty(), "what was fetched is kept: {ran:?}");
    assert!(site.rpm_names().is_empty());
    server.behave();
    server.forget();
    site.run(&["-y", "install", "alpha"]).ok();
    let seen = server.seen_at(file);
    assert!(
        seen.iter().any(|seen| seen.header("range").is_some()),
        "the second run goes on: {seen:?}"
    );
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
}

#[test]
fn row_93_sigint_phases_question() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    for (sent, name, code) in [
        (Signal::INT, "Ctrl-C", 130),
        (Signal::TERM, "SIGTERM", 143),
        (Signal::HUP, "SIGHUP", 129),
    ] {
        let mut child = start(&site, &["install", "alpha"]);
        // Waiting would close it, and an end of input is an answer, too.
        let _stdin = child.stdin.take();
        let mut out = child.stdout.take().expect("piped");
        let mut shown = String::new();
        let mut byte = [0_u8; 1];
        while !shown.ends_with("[y/N]: ") {
            out.read_exact(&mut byte).expect("the question comes");
            shown.push(char::from(byte[0]));
        }
        signal(&child, sent);
        end(child).fails(code, &format!("{name}: stopped, nothing has changed"));
    }
    assert!(site.rpm_names().is_empty());
}

#[test]
fn row_93_sigint_phases_before_the_commit_point() {
    let Some(site) = slow_site("pre") else { return };
    let child = start(&site, &["-y", "install", "slow"]);
    wait_for("%pre", || site.path("root/running").exists());
    signal(&child, Signal::INT);
    sleep(Duration::from_millis(300));
    signal(&child, Signal::INT);
    let ran = end(child).fails(130, "Ctrl-C: stopping, what was done so far is undone");
    assert!(ran.err.contains("Ctrl-C: already stopping"), "{ran:?}");
    assert!(
        ran.err
            .contains("the transaction was stopped and undone; nothing has changed"),
        "{ran:?}"
    );
    assert!(site.rpm_names().is_empty());
    assert!(!site.path("root/opt/slow").exists());
    site.run(&["-y", "install", "slow"]).ok();
    assert_eq!(site.rpm_names(), ["slow-1.0"]);
}

#[test]
fn row_93_sigint_phases_behind_the_commit_point() {
    let Some(site) = slow_site("posttrans") else {
        return;
    };
    let child = start(&site, &["-y", "install", "slow"]);
    wait_for("%posttrans", || site.path("root/running").exists());
    signal(&child, Signal::TERM);
    let ran = end(child).ok();
    assert!(
        ran.err
            .contains("SIGTERM: too late to undo, the transaction is being finished\n"),
        "{ran:?}"
    );
    assert!(ran.err.contains("has been finished"), "{ran:?}");
    assert_eq!(site.rpm_names(), ["slow-1.0"]);
    assert_eq!(site.rpm(&["-Va"]), "");
}

#[test]
fn an_ignored_sighup_stays_ignored() {
    let Some(site) = slow_site("pre") else { return };
    let mut command = std::process::Command::new("nohup");
    let inner = site.command(&["-y", "install", "slow"]);
    let child = command
        .arg(inner.get_program())
        .args(inner.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nohup is there");
    wait_for("%pre", || site.path("root/running").exists());
    signal(&child, Signal::HUP);
    end(child).ok();
    assert_eq!(site.rpm_names(), ["slow-1.0"]);
}

/// What a killed run had ready for the cache goes with the next run that changes something.
#[test]
fn what_a_killed_run_left_in_the_cache_goes() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("a", "1")]);
    site.run(&["makecache"]).ok();
    let left = site
        .root
        .path()
        .join("var/cache/tdnf/.new-8f8e50c855b9d795");
    fs::write(&left, "").expect("the cache is there");
    site.run(&["list"]).ok();
    assert!(left.exists());
    site.run(&["-y", "install", "a"]).ok();
    assert!(!left.exists());
}
