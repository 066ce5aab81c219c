//! docs/threats.md, rows 97 to 99: many at once, and what a waiter is told.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};
use testkit::program::{self, Run, ok};
use testkit::rpm::createrepo;
use testkit::spec::Spec;

use testkit::fixtures;

use crate::interop_lab::{Site, program, shell_site, unprivileged};

/// How many at once.
const MANY: usize = 20;
/// Where the database of a root is.
const LOCK: &str = "var/lib/rpm/.rpm.lock";

/// `many-1` to `many-20`; `slow`, whose %post waits for a word from a pipe; `fast`.
fn packages() -> &'static Vec<PathBuf> {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let many = "mkdir -p %{buildroot}/opt/many\nfor n in $(seq 20); do echo $n > %{buildroot}/opt/many/$n; done";
        let mut spec = Spec::new("many", "1").install(many);
        for n in 1..=MANY {
            spec = spec.with(Spec::new(&format!("many-{n}"), "1").files(&format!("/opt/many/{n}")));
        }
        let mut built = spec.build_all();
        let slow = Spec::new("slow", "1")
            .script("post", "echo $$ > /waiting\nread word < /pipe")
            .file("/opt/slow", "s");
        built.extend([slow.build(), Spec::new("fast", "1").files("").build()]);
        built
    })
}

/// A root with a shell, a pipe, and these packages in a repository.
fn site() -> Site {
    let site = shell_site(packages());
    ok(Command::new("mkfifo").arg(site.root.join("pipe")));
    site
}

fn started(site: &Site, words: &[&str]) -> Child {
    let mut command = site.command(words);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until something holds; a minute at most.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{what}: not within a minute"
        );
        sleep(Duration::from_millis(20));
    }
}

/// The %post of `slow` has begun; answers its process.
fn waiting(site: &Site) -> String {
    let file = site.root.join("waiting");
    let read = || fs::read_to_string(&file).unwrap_or_default();
    until("the scriptlet runs", || read().ends_with('\n'));
    let pid = read().trim().to_owned();
    fs::remove_file(file).unwrap();
    pid
}

/// Lets the %post of `slow` end.
fn release(site: &Site) {
    let pipe = fs::OpenOptions::new()
        .write(true)
        .open(site.root.join("pipe"));
    pipe.unwrap().write_all(b"go\n").unwrap();
}

fn rpm(site: &Site, words: &[&str]) -> Command {
    let mut command = site.rpm().command("rpm");
    command.arg("--nosignature").args(words);
    command
}

/// Twenty installs, twenty queries, rpm and createrepo_c at once: the result is that of one after
/// the other, and whoever waited was told for whom.
#[test]
fn row_97_concurrent_x20() {
    if unprivileged() {
        return;
    }
    let site = site();
    site.ok(&["install", "-y", "fast"]);
    let names: Vec<String> = (1..=MANY).map(|n| format!("many-{n}")).collect();
    let installs: Vec<Child> = names
        .iter()
        .map(|name| started(&site, &["install", "-y", name]))
        .collect();
    let queries: Vec<Child> = (0..MANY)
        .map(|_| started(&site, &["-C", "list", "installed"]))
        .collect();
    let asked: Vec<Child> = (0..MANY)
        .map(|_| rpm(&site, &["-qa"]).stdout(Stdio::piped()).spawn().unwrap())
        .collect();
    let out = site.root.join("tmp");
    createrepo(&site.www().join("test"), &["-o".as_ref(), out.as_os_str()]);
    let mut told = 0;
    for (install, name) in installs.into_iter().zip(&names) {
        let output = Run::of(install.wait_with_output().unwrap());
        let said = output.text();
        assert!(output.success(), "{name}: {said}");
        if said.contains("waiting for tdnf_instance lock") {
            told += 1;
            let held = said.lines().find(|line| line.starts_with("it is held by "));
            assert!(held.is_some(), "{name}: {said}");
        }
    }
    for query in queries.into_iter().chain(asked) {
        let output = Run::of(query.wait_with_output().unwrap());
        assert!(output.success(), "{}", output.text());
        assert!(output.text().contains("fast"), "{}", output.text());
    }
    println!("{told} of {MANY} waited");
    assert!(told > 0, "nobody waited");
    let installed = ok(&mut rpm(&site, &["-qa", "--qf", "%{NAME}\\n"]));
    for name in &names {
        assert_eq!(
            installed.lines().filter(|line| line == name).count(),
            1,
            "{name}"
        );
    }
    let history = site.ok(&["history", "list"]);
    for name in &names {
        let line = format!("-y install {name} ");
        assert!(
            history.lines().any(|l| l.contains(&line)),
            "{line}: {history}"
        );
    }
    site.rpm().verify();
    assert_eq!(
        fs::read_to_string(lock_file(&site)).unwrap(),
        "",
        "nobody holds it"
    );
}

fn lock_file(site: &Site) -> PathBuf {
    site.root.join("var/lib/tdnf/.tdnf-instance-lockfile")
}

/// A lock is told with process, command and time, waited for as long as asked, and free as soon
/// as its holder is gone, whatever the file says.
#[test]
fn row_98_lock_holder_killed() {
    if unprivileged() {
        return;
    }
    let site = site();
    let mut holder = started(&site, &["install", "-y", "slow"]);
    let scriptlet = waiting(&site);
    let wait = ["--lock-timeout", "1", "install", "-y", "fast"];
    let (said, code) = site.refused(&wait);
    assert_eq!(code, 75, "{said}");
    assert!(said.contains("Error(1611)"), "{said}");
    let held = format!("is held by process {} (", holder.id());
    assert!(said.contains(&held), "{said}");
    assert!(said.contains("-y install slow) since 20"), "{said}");
    assert!(
        !said.contains("delete") && !said.contains("remove the"),
        "{said}"
    );
    // The key of the configuration says the same.
    site.root
        .write("etc/tdnf/tdnf.conf", "[main]\nlock_timeout=0\n");
    let (said, _) = site.refused(&["install", "-y", "fast"]);
    assert!(said.contains("Error(1611)"), "{said}");
    site.root.write("etc/tdnf/tdnf.conf", "[main]\n");
    // From another container: no number, but the words.
    let mut apart = Command::new("unshare");
    apart
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(program());
    apart
        .arg("--installroot")
        .arg(site.root.path())
        .args(["--releasever", "12"])
        .args(wait);
    let output = program::run(&mut apart);
    if output.text().contains("unshare:") {
        fixtures::skipped("no namespaces here");
    } else {
        let said = output.text();
        assert!(
            said.contains("a process that cannot be seen from here ("),
            "{said}"
        );
        assert!(said.contains("-y install slow) since 20"), "{said}");
    }
    // Readers never wait.
    site.ok(&["-C", "list", "installed"]);
    // Who waits goes on as soon as the holder is killed, and undoes what that one left.
    let waiter = started(&site, &["install", "-y", "fast"]);
    sleep(Duration::from_millis(300));
    holder.kill().unwrap();
    holder.wait().unwrap();
    ok(Command::new("kill").args(["-9", &scriptlet]));
    let output = Run::of(waiter.wait_with_output().unwrap());
    let said = output.text();
    assert!(output.success(), "{said}");
    assert!(said.contains("waiting for tdnf_instance lock"), "{said}");
    assert!(
        said.contains("an interrupted transaction has been undone"),
        "{said}"
    );
    let all = site.rpm().all();
    assert!(
        all.contains("fast-1-1.noarch") && !all.contains("slow-1-1.noarch"),
        "{all:?}"
    );
    assert!(!site.root.join("opt/slow").exists());
    // A file that somebody left with a number in it is no lock.
    fs::write(lock_file(&site), "1\n1\nleft\n").unwrap();
    site.ok(&["--lock-timeout=0", "erase", "-y", "fast"]);
}

/// rpm at work is waited for; rpm does not begin while we work.
#[test]
fn row_99_concurrent_rpm() {
    if unprivileged() {
        return;
    }
    let site = site();
    let file = site.www().join("test").join("slow-1-1.noarch.rpm");
    let file = file.to_str().unwrap();
    let mut theirs = rpm(&site, &["-i", "--nodeps", file]).spawn().unwrap();
    let _ = waiting(&site);
    let (said, _) = site.refused(&["--lock-timeout=1", "install", "-y", "fast"]);
    let held = format!("{LOCK} is held by process {} (rpm --root", theirs.id());
    assert!(
        said.contains("Error(1611)") && said.contains(&held),
        "{said}"
    );
    let ours = started(&site, &["install", "-y", "fast"]);
    sleep(Duration::from_millis(500));
    release(&site);
    assert!(theirs.wait().unwrap().success());
    let output = Run::of(ours.wait_with_output().unwrap());
    let said = output.text();
    assert!(output.success(), "{said}");
    assert!(
        said.contains("waiting for the rpm database, which is held by process"),
        "{said}"
    );
    let waited = said.matches("waiting for the rpm database").count();
    assert_eq!(waited, 1, "{said}");
    site.ok(&["erase", "-y", "slow"]);
    // The other way round.
    let ours = started(&site, &["install", "-y", "slow"]);
    let _ = waiting(&site);
    let output = program::run(&mut rpm(&site, &["-e", "fast"]));
    assert!(!output.success(), "rpm must not begin");
    assert!(output.text().contains("lock"), "{}", output.text());
    let read = ok(&mut rpm(&site, &["-qa"]));
    assert!(read.contains("fast-1-1"), "queries go on: {read}");
    release(&site);
    assert!(Run::of(ours.wait_with_output().unwrap()).success());
    ok(&mut rpm(&site, &["-e", "fast"]));
    site.rpm().verify();
}

/// A lock inside SQLite is waited for as long as `--lock-timeout` says, too.
#[test]
fn row_99_a_lock_inside_sqlite() {
    let site = site();
    site.ok(&["install", "-y", "fast"]);
    let database = site.root.join("var/lib/rpm/rpmdb.sqlite");
    let other = rusqlite::Connection::open(database).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;")
        .unwrap();
    let start = std::time::Instant::now();
    let (said, _) = site.refused(&["--lock-timeout=1", "erase", "-y", "fast"]);
    assert!(start.elapsed() < Duration::from_secs(8), "rpm waits for 10");
    assert!(said.contains("is in use by another program"), "{said}");
    assert!(
        said.contains("Error(1611)") && said.contains("--lock-timeout"),
        "{said}"
    );
    drop(other);
    site.ok(&["erase", "-y", "fast"]);
}
