//! docs/threats.md, rows 71 and 72: scriptlets that hang, fail, stay behind, talk too much, kill the program
//! that runs them, or meddle with what they were given.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testkit::program::{self, Run};
use testkit::spec::Spec;

use crate::interop_lab::{Site, shell_site, unprivileged};

/// A package of one file with these scriptlets.
fn package(name: &str, rest: &str) -> PathBuf {
    Spec::new(name, "1")
        .file(&format!("/opt/{name}"), name)
        .rest(rest)
        .build()
}

/// Is the package there, whole, and is everything else as rpm wants it?
#[track_caller]
fn there(site: &Site, name: &str, expected: bool) {
    let known = site.rpm().all().contains(&format!("{name}-1-1.noarch"));
    let file = site.root.join(&format!("opt/{name}")).exists();
    assert_eq!((known, file), (expected, expected), "{name}");
    site.rpm().verify();
}

/// A scriptlet that hangs is waited for; a signal to the program ends the waiting only when the scriptlet is over, or
/// when whoever runs the system ends the scriptlet. Then the old system is there.
#[test]
fn row_71_a_scriptlet_hangs() {
    if unprivileged() {
        return;
    }
    let hang = "%pre\necho $$ > /pid\necho hanging\nwhile [ ! -e /go ]; do :; done\n";
    for by_end in [false, true] {
        let site = shell_site(&[package("hang", hang), package("other", "")]);
        let mut command = site.command(&["install", "-y", "other", "hang"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(out.any(|line| line.unwrap() == "hanging"));
        let program = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(program, rustix::process::Signal::TERM).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert!(
            child.try_wait().unwrap().is_none(),
            "it waits for the scriptlet"
        );
        if by_end {
            let pid = site.root.read("pid").trim().parse().unwrap();
            let scriptlet = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(scriptlet, rustix::process::Signal::KILL).unwrap();
        } else {
            site.root.write("go", "");
        }
        drop(out);
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(143), "stopped by SIGTERM");
        there(&site, "hang", false);
        there(&site, "other", false);
        site.root.write("go", "");
        site.ok(&["install", "-y", "hang"]);
        there(&site, "hang", true);
    }
}

/// A failing %post is told in words, in JSON and in the history; the package and the others are there.
#[test]
fn row_71_a_scriptlet_fails() {
    if unprivileged() {
        return;
    }
    let fails = |status: &str| format!("%post\necho about to fail\n{status}\n");
    for (end, words) in [("exit 3", "exit status 3"), ("kill -9 $$", "signal 9")] {
        let site = shell_site(&[package("fails", &fails(end)), package("well", "")]);
        let output = site.run(&["install", "-y", "fails", "well"]);
        let said = output.text();
        let line = format!("warning: %post(fails-1-1.noarch) scriptlet failed, {words}");
        assert!(said.contains(&line), "{said}");
        there(&site, "fails", true);
        there(&site, "well", true);
        assert!(site.ok(&["history", "list"]).contains("install fails well"));
        site.ok(&["erase", "-y", "fails"]);
        let output = site.run(&["--json-version=2", "-y", "install", "fails"]);
        let json: serde_json::Value =
            serde_json::from_str(&output.out).unwrap_or_else(|e| panic!("{e}: {}", output.text()));
        let warnings = json["Transaction"]["Warnings"].to_string();
        assert!(warnings.contains(words), "{json}");
    }
    // A failing %pre leaves nothing, also not of the packages beside it, and the failure is recorded.
    let site = shell_site(&[package("fails", "%pre\nexit 3\n"), package("well", "")]);
    let (said, _) = site.refused(&["install", "-y", "well", "fails"]);
    assert!(
        said.contains("error: %prein(fails-1-1.noarch) scriptlet failed, exit status 3"),
        "{said}"
    );
    there(&site, "fails", false);
    there(&site, "well", false);
    let history = site.ok(&["history", "info"]);
    assert!(history.contains("exit status 3"), "{history}");
}

/// A daemon that keeps the scriptlet's streams open does not hold the program.
#[test]
fn row_71_a_scriptlet_leaves_a_daemon() {
    if unprivileged() {
        return;
    }
    // It ends by itself, should the test die.
    let daemon = "%post\necho started\n\
                  (n=0; while [ ! -e /go ] && [ $n -lt 3000000 ]; do n=$((n+1)); done; : > /ended) &\n";
    let site = shell_site(&[package("daemon", daemon)]);
    // The shell reads from it in the background.
    site.root.write("dev/null", "");
    let output = site.run(&["install", "-y", "daemon"]);
    assert!(output.success(), "{}", output.text());
    assert!(
        !site.root.join("ended").exists(),
        "the program waited for the daemon"
    );
    there(&site, "daemon", true);
    site.root.write("go", "");
    let since = Instant::now();
    while !site.root.join("ended").exists() && since.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(site.root.join("ended").exists(), "the daemon lives on");
}

/// Much output is passed on whole, but not kept whole: memory and JSON stay small.
#[test]
fn row_71_a_scriptlet_writes_without_end() {
    if unprivileged() {
        return;
    }
    let line = "x".repeat(1000);
    let script = format!("%post\nn=0\nwhile [ $n -lt 30000 ]; do n=$((n+1)); echo {line}; done\n");
    let site = shell_site(&[package("loud", &script)]);
    let output = site.run(&["install", "-y", "loud"]);
    assert!(output.success());
    let lines = output.out.lines().filter(|found| **found == line);
    assert_eq!(lines.count(), 30_000);
    there(&site, "loud", true);
    site.ok(&["erase", "-y", "loud"]);
    // The document keeps the beginning of the 30 MB.
    let mut command = site.command(&["--json-version=2", "-y", "install", "loud"]);
    command.stderr(Stdio::null());
    let output = program::run(&mut command);
    assert!(output.success());
    assert!(
        output.out.len() < 3 << 20,
        "{} bytes of JSON",
        output.out.len()
    );
    let json: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    let kept = json["Transaction"]["Scriptlets"][0]["Output"]
        .as_str()
        .unwrap();
    assert!(
        kept.len() <= 1 << 20 && kept.starts_with(&line),
        "{}",
        kept.len()
    );
}

/// A scriptlet kills the program: the next start restores the old system before the commit point, and completes the
/// new one behind it.
#[test]
fn row_71_a_scriptlet_kills_its_parent() {
    if unprivileged() {
        return;
    }
    for (kind, there_after) in [("pre", false), ("post", false), ("posttrans", true)] {
        let script = format!("%{kind}\n[ -e /once ] && exit 0\n: > /once\nkill -9 $PPID\n");
        let site = shell_site(&[package("killer", &script), package("well", "")]);
        let output = site.run(&["install", "-y", "well", "killer"]);
        assert_eq!(output.code, -1, "%{kind}: {}", output.text());
        // Any command that changes something.
        let next = site.run(&["-y", "reinstall", "shell-of-the-root"]);
        let said = next.text();
        let words = if there_after {
            "has been finished"
        } else {
            "has been undone"
        };
        assert!(said.contains(words), "%{kind}: {said}");
        there(&site, "killer", there_after);
        there(&site, "well", there_after);
        if !there_after {
            site.ok(&["install", "-y", "well", "killer"]);
        }
        there(&site, "killer", true);
        let history = site.ok(&["history", "list"]);
        assert_eq!(
            history.matches("install well killer").count(),
            1,
            "%{kind}: {history}"
        );
    }
}

/// What a scriptlet does to its input, directory, mask, limits, signals and descriptors is gone with it.
#[test]
fn row_72_a_scriptlet_meddles() {
    if unprivileged() {
        return;
    }
    let tell = "pwd\numask\nulimit -c\ntrap\nif read -r line; then echo got $line; else echo nothing; fi\n\
                for fd in 3 4 5 6 7 8 9; do if ( : <&$fd ) 2>/dev/null; then echo open $fd; fi; done\n\
                echo ${MEDDLED-unset}\n";
    let meddle = "cd /opt 2>/dev/null || cd /usr\numask 077\nulimit -c 0\ntrap '' TERM INT HUP PIPE\n\
                  MEDDLED=1; export MEDDLED\nexec 7</etc/passwd\ncat >/dev/null\nexec 0<&- 1>&- 2>&-\n";
    let script = |kind: &str| format!("%{kind}\necho {kind}:\n{tell}{meddle}");
    let all: String = ["pretrans", "pre", "post", "posttrans"]
        .map(script)
        .concat();
    let lua = "%preun -p <lua>\nprint('lua', posix.getcwd()) posix.chdir('/usr') posix.umask('077')\n\
               %postun -p <lua>\nprint('lua', posix.getcwd(), posix.umask())\n";
    let site = shell_site(&[
        package("meddler", &format!("{all}{lua}")),
        package("well", ""),
    ]);
    let mut command = site.command(&["install", "meddler", "well"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The answer to the question is the program's; the rest is nobody's.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"y\nstolen\nstolen\n").unwrap();
    drop(stdin);
    let output = Run::of(child.wait_with_output().unwrap());
    let said = output.text();
    assert!(output.success(), "{said}");
    assert!(!said.contains("got ") && !said.contains("open "), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let mut limits = Vec::new();
    for kind in ["pretrans:", "pre:", "post:", "posttrans:"] {
        let at = lines.iter().position(|line| *line == kind).unwrap();
        assert_eq!(lines[at + 1..at + 3], ["/", "0022"], "{kind} {said}");
        limits.push(lines[at + 3]);
        assert_eq!(lines[at + 4..at + 6], ["nothing", "unset"], "{kind} {said}");
    }
    assert!(limits.iter().all(|limit| *limit == limits[0]), "{limits:?}");
    there(&site, "meddler", true);
    there(&site, "well", true);
    let mode = fs::metadata(site.root.join("opt/well")).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777,
        0o644
    );
    let said = site.ok(&["erase", "-y", "meddler"]);
    assert_eq!(
        said.lines()
            .filter(|line| line.starts_with("lua\t/"))
            .count(),
        2,
        "{said}"
    );
    assert!(!said.contains("lua\t/usr"), "{said}");
    there(&site, "meddler", false);
}

/// Signals that a scriptlet sends to its group, or to all it may reach, do not meet the program.
#[test]
fn row_72_a_scriptlet_sends_signals() {
    if unprivileged() {
        return;
    }
    let script =
        "%pre\ntrap '' TERM INT HUP\nkill -TERM 0\nkill -INT 0\nkill -HUP 0\necho still here\n";
    let site = shell_site(&[package("signals", script)]);
    let mut apart = Command::new("setsid");
    let command = site.command(&["install", "-y", "signals"]);
    apart
        .arg("-w")
        .arg(command.get_program())
        .args(command.get_args());
    let output = program::run(&mut apart);
    let said = output.text();
    assert!(output.success() && said.contains("still here"), "{said}");
    there(&site, "signals", true);
}
