//! Rows 92, 94 to 96, 100, 101, 104 and 105 of docs/threats.md: what happens to the process
//! itself, and what it must not take away; and roots that are built twice alike.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::program::{self, Run, ok};
use testkit::spec::Spec;
use testkit::stage::open_section;

use testkit::fixtures;
use testkit::{mounts, rpmdb, tree};

use crate::interop_lab::{database, program, shell_site, tdnf_12, unprivileged};

/// A package of one file `/opt/NAME` and these further sections.
fn package(name: &str, version: &str, rest: &str) -> PathBuf {
    Spec::new(name, version)
        .file(&format!("/opt/{name}"), version)
        .rest(rest)
        .build()
}

/// Runs Python; its program gets these words.
fn python(program: &str, words: &[&str]) -> Run {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-c", program]).args(words);
    program::run(&mut command)
}

/// Starts a program and stops and continues it a thousand times a second, with signals that it
/// ignores between.
const STORM: &str = "
import os, signal, sys, time
pid = os.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
storm = [signal.SIGSTOP, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG, signal.SIGCHLD]
sent = 0
while True:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        break
    for number in storm:
        os.kill(pid, number)
    sent += len(storm)
    time.sleep(0.001)
print('sent', sent)
sys.exit(os.waitstatus_to_exitcode(status))
";

/// A limit to the size of files is an error with its number, as a full disk is, and the next run goes well.
#[test]
fn row_89_files_that_may_not_grow() {
    if unprivileged() {
        return;
    }
    let site = shell_site(&[package("grown", "1", "")]);
    site.run(&["makecache"]).ok();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -f 8; exec \"$@\"", "sh"]);
    let limited = site.command(&["-y", "install", "grown"]);
    command.arg(limited.get_program()).args(limited.get_args());
    let ran = program::run(&mut command);
    assert!(ran.code > 0, "{ran:?}");
    assert!(ran.err.contains("\nError("), "{ran:?}");
    site.run(&["-y", "install", "grown"]).ok();
}

#[test]
fn row_92_eintr_storm() {
    if unprivileged() {
        return;
    }
    let script = "%post\nx=0\nwhile [ $x -lt 500 ]; do x=$((x+1)); echo line $x; done\n";
    let site = shell_site(&[package("stormy", "1", script), package("calm", "1", "")]);
    let words = ["install", "-y", "stormy", "calm"];
    let command = site.command(&words);
    let all: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let output = python(STORM, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let said = output.text();
    assert!(output.success(), "{said}");
    let sent = said.lines().find_map(|line| line.strip_prefix("sent "));
    let sent: u32 = sent.unwrap().parse().unwrap();
    println!("{sent} signals");
    assert!(sent >= 50, "only {sent} signals came");
    assert!(said.contains("\nline 500\n"), "{said}");
    assert_eq!(site.root.read("opt/stormy"), "1\n");
    site.rpm().verify();
}

/// Runs a program on a terminal of its own, which is closed when the file in the first word
/// appears; then makes the file in the second word, and waits.
const TERMINAL: &str = "
import os, pty, sys, time
seen, go = sys.argv[1], sys.argv[2]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[3], sys.argv[3:])
os.set_blocking(terminal, False)
while not os.path.exists(seen):
    try:
        os.read(terminal, 65536)
    except (BlockingIOError, OSError):
        pass
    time.sleep(0.01)
os.close(terminal)
time.sleep(0.2)
open(go, 'w').close()
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status))
";

/// The terminal goes away: before the commit point everything is undone, behind it everything is
/// finished; the history knows.
#[test]
fn row_94_sighup_ssh_drop() {
    if unprivileged() {
        return;
    }
    let wait = |kind: &str| {
        format!("%{kind}\n: > /seen\nwhile [ ! -e /go ]; do :; done\necho words for nobody\n")
    };
    // 1: all is done, but the words could not be written.
    for (kind, exit, there) in [("post", "129", false), ("posttrans", "1", true)] {
        let site = shell_site(&[package("drop", "1", &wait(kind))]);
        let (seen, go) = (site.root.join("seen"), site.root.join("go"));
        let command = site.command(&["install", "-y", "drop"]);
        let mut words = vec![seen.into_os_string(), go.into_os_string()];
        words.push(command.get_program().to_owned());
        words.extend(command.get_args().map(ToOwned::to_owned));
        let words: Vec<String> = words
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        let output = python(
            TERMINAL,
            &words.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let said = output.text();
        assert_eq!(said.trim(), exit, "%{kind}");
        assert_eq!(site.root.join("opt/drop").exists(), there, "%{kind}");
        let all = site.rpm().all();
        assert_eq!(all.contains("drop-1-1.noarch"), there, "%{kind}: {all:?}");
        let history = site.ok(&["history", "list"]);
        assert_eq!(
            history.contains("install drop "),
            there,
            "%{kind}: {history}"
        );
        site.rpm().verify();
    }
}

/// A memory cgroup of either version. Answers how the command ended.
fn in_memory(command: &Command, limit: u64) -> Option<Run> {
    let name = format!("tdnf-row95-{}-{limit}", std::process::id());
    let (parent, file) = match Path::new("/sys/fs/cgroup/memory").is_dir() {
        true => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        false => ("/sys/fs/cgroup", "memory.max"),
    };
    let dir = Path::new(parent).join(name);
    let made =
        fs::create_dir(&dir).and_then(|()| fs::write(dir.join(file), (limit << 20).to_string()));
    if let Err(error) = made {
        fixtures::skipped(&format!("no memory cgroup: {error}"));
        return None;
    }
    let mut inside = Command::new("sh");
    inside
        .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
        .arg(dir.join("cgroup.procs"));
    inside.arg(command.get_program()).args(command.get_args());
    let output = program::run(&mut inside);
    let _ = fs::remove_dir(&dir);
    Some(output)
}

/// A small set needs neither 128 nor 64 MB, nor 16.
#[test]
fn row_95_oom() {
    if unprivileged() {
        return;
    }
    let big = "%post\n:\n";
    for limit in [128, 64, 16] {
        let site = shell_site(&[package("small", "1", big)]);
        let Some(output) = in_memory(&site.command(&["install", "-y", "small"]), limit) else {
            return;
        };
        let said = output.text();
        assert!(output.success(), "{limit} MB: {:?} {said}", output.code);
        assert_eq!(site.root.read("opt/small"), "1\n");
        site.rpm().verify();
    }
}

/// The same under a limit of the address space (`ulimit -v`), from what the program itself takes upwards: the package
/// is there, or one line says why not and nothing has changed.
#[test]
fn row_95_address_space() {
    if unprivileged() {
        return;
    }
    let site = shell_site(&[package("small", "1", "%post\n:\n")]);
    let limited_to = |command: &Command, bytes: u64| {
        let mut limited = Command::new("prlimit");
        limited.arg(format!("--as={bytes}"));
        limited.arg(command.get_program()).args(command.get_args());
        program::run(&mut limited)
    };
    let limited = |command: &Command, space: u64| limited_to(command, space << 20);
    let version = site.command(&["--version"]);
    let itself = (8..256).find(|space| limited(&version, *space).success());
    let itself = itself.expect("the program starts in 256 MB");
    let (mut refused, mut installed) = (0, 0);
    for space in itself..itself + 12 {
        let _ = fs::remove_dir_all(site.root.join("var/cache/tdnf"));
        let output = limited(&site.command(&["install", "-y", "small"]), space);
        let said = output.text();
        if output.success() {
            installed += 1;
        } else {
            refused += 1;
            let line = said.lines().any(|line| line.starts_with("Error("));
            let code = output.code;
            assert!(
                code >= 0 && line && !said.contains("panicked"),
                "{space} MB: {code:?} {said}"
            );
            assert!(
                !site.rpm().all().contains("small-1-1.noarch"),
                "{space} MB: {said}"
            );
            // Whatever had begun by then, the next run finds its way.
            site.ok(&["install", "-y", "small"]);
        }
        assert_eq!(site.root.read("opt/small"), "1\n", "{space} MB: {said}");
        site.rpm().verify();
        site.ok(&["erase", "-y", "small"]);
    }
    println!(
        "the program takes {itself} MB; with up to 11 more {refused} refused, {installed} installed"
    );
    assert!(refused > 0 && installed > 0);
    // Numbers and advice are those of error 1612.
    // A megabyte more than it takes to start may do for a list: the least that it starts with does not.
    let steps = (1..=16).map(|step| ((itself - 1) << 20) + (step << 16));
    let least = { steps }.find(|bytes| limited_to(&version, *bytes).success());
    let output = limited_to(&site.command(&["list"]), least.unwrap());
    let said = output.text();
    assert!(
        said.contains("Error(1612) : Cannot allocate memory\nHint: raise the limit"),
        "{said}"
    );
    assert_eq!(output.code, 76, "{said}");
}

/// What a process usually has may be missing.
#[test]
fn row_96_bare_surroundings() {
    if unprivileged() {
        return;
    }
    let many: Vec<PathBuf> = (0..12)
        .map(|n| package(&format!("bare{n}"), "1", "%post\necho ran\n"))
        .collect();
    let site = shell_site(&many);
    let names: Vec<String> = (0..12).map(|n| format!("bare{n}")).collect();
    let install = |extra: &str| {
        let command = site.command(&["install", "-y"]);
        let words: Vec<String> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| format!("'{}'", word.to_string_lossy()))
            .collect();
        let line = format!("{extra} {} {}", words.join(" "), names.join(" "));
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", &line]).stdin(Stdio::null());
        shell
    };
    let check = |what: &str, mut command: Command| {
        let output = program::run(&mut command);
        assert!(output.success(), "{what}: {}", output.text());
        assert_eq!(site.rpm().all().len(), names.len() + 1, "{what}");
        site.rpm().verify();
        site.ok(&["erase", "-y", "bare*"]);
    };
    check("32 descriptors", install("ulimit -n 32; exec"));
    let mut nothing = install("exec /usr/bin/env -i");
    nothing.env_clear();
    check("no environment", nothing);
    check(
        "no directory",
        install("d=$(mktemp -d); cd $d; rmdir $d; exec"),
    );
    check("closed streams", install("exec <&- 2>&1;"));
    // The root from inside: no /proc, no /tmp, an empty /dev.
    let inside = site.root.join("tdnf");
    fs::copy(program(), &inside).unwrap();
    tree::copy(&site.www().join("test"), &site.root.join("repo"));
    site.write_repo("test", &open_section("test", Path::new("/repo")));
    fs::remove_dir_all(site.root.join("tmp")).unwrap();
    let mut apart = Command::new("/usr/sbin/chroot");
    apart
        .arg(site.root.path())
        .args(["/tdnf", "--releasever", "12", "install", "-y"]);
    apart.args(&names).env_clear().stdin(Stdio::null());
    check("a bare chroot", apart);
}

/// The program may replace itself and the shell of its own scriptlets, and be removed.
#[test]
fn row_100_self_update() {
    if unprivileged() {
        return;
    }
    let selves = |version: &str| {
        let mut spec = Spec::new("self", version).native();
        for kind in ["pre", "post", "preun", "postun", "posttrans"] {
            spec = spec.script(kind, &format!("echo {kind} {version}"));
        }
        spec.install(&format!(
            "mkdir -p %{{buildroot}}/usr/bin %{{buildroot}}/opt\n\
             echo not a program {version} > %{{buildroot}}/usr/bin/tdnf\n\
             cp /usr/bin/dash %{{buildroot}}/usr/bin/dash"
        ))
        .files("%attr(755,root,root) /usr/bin/*")
        .build()
    };
    let site = shell_site(&[selves("1"), selves("2")]);
    site.ok(&["install", "-y", "self-1"]);
    let place = site.root.join("usr/bin/tdnf");
    let arm = || {
        fs::copy(program(), &place).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    };
    arm();
    tree::copy(&site.www().join("test"), &site.root.join("repo"));
    site.write_repo("test", &open_section("test", Path::new("/repo")));
    let run = |words: &str| {
        let script = format!(
            "mount -t proc proc '{root}/proc'; exec chroot '{root}' /usr/bin/tdnf \
             --releasever 12 {words}",
            root = site.root.path().display()
        );
        program::run(&mut mounts::shell(&script))
    };
    let output = run("update -y");
    let said = output.text();
    assert!(output.success(), "{said}");
    for line in ["pre 2", "post 2", "preun 1", "postun 1", "posttrans 2"] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    assert_eq!(site.root.read("usr/bin/tdnf"), "not a program 2\n");
    site.rpm().verify();
    // And away with it, shell included.
    arm();
    let output = run("erase -y self");
    let said = output.text();
    assert!(output.success(), "{said}");
    assert!(said.lines().any(|said| said == "preun 2"), "{said}");
    assert!(!place.exists() && !site.root.join("usr/bin/dash").exists());
    assert_eq!(site.rpm().all().len(), 1, "the shell's package alone");
}

/// Protected packages and the running kernel stay, whatever is asked for.
#[test]
fn row_101_protected_packages() {
    if unprivileged() {
        return;
    }
    let base = package("base", "1", "");
    let needs = Spec::new("top", "1").lines("Requires: base").files("");
    let release = ok(Command::new("uname").arg("-r"));
    let release = release.trim();
    let kernel = |name: &str, version: &str| {
        let dir = format!("/lib/modules/{version}");
        Spec::new(name, "1")
            .install(&format!(
                "mkdir -p %{{buildroot}}{dir}\necho k > %{{buildroot}}{dir}/vmlinuz"
            ))
            .files(&dir)
            .build()
    };
    let site = shell_site(&[
        base,
        needs.build(),
        kernel("running", release),
        kernel("resting", "1.2.3-other"),
        package("plain", "1", ""),
    ]);
    site.ok(&["install", "-y", "top", "running", "resting", "plain"]);
    site.root.write("etc/tdnf/protected.d/base.conf", "base\n");
    for words in [&["erase", "-y", "base"][..], &["erase", "-y", "*"]] {
        let before = site.rpm().all();
        let (said, code) = site.refused(words);
        assert_eq!(code, 6, "{said}");
        assert!(
            said.contains("Error(1030)") && said.contains("package base"),
            "{said}"
        );
        assert_eq!(site.rpm().all(), before);
    }
    // The kernel of this machine is that of the running system, which only `/` is.
    fs::copy(program(), site.root.join("tdnf")).unwrap();
    tree::copy(&site.www().join("test"), &site.root.join("repo"));
    site.write_repo("test", &open_section("test", Path::new("/repo")));
    let inside = |words: &[&str]| {
        let mut command = Command::new("chroot");
        command
            .arg(site.root.path())
            .args(["/tdnf", "--releasever", "12"])
            .args(words);
        program::run(&mut command)
    };
    let output = inside(&["erase", "-y", "running"]);
    let said = output.text();
    assert!(!output.success(), "{said}");
    assert!(
        said.contains("Error(1030)") && said.contains("running kernel"),
        "{said}"
    );
    assert!(site.rpm().all().contains("running-1-1.noarch"));
    let output = inside(&["erase", "-y", "resting"]);
    assert!(output.success(), "{}", output.text());
    // In another root it is a kernel as any other.
    site.ok(&["erase", "-y", "running"]);
}

/// The clock jumps a day back and a day ahead between runs: order and ages stay sane. During a run it is read once.
#[test]
fn row_104_time_jump() {
    if unprivileged() {
        return;
    }
    let packages: Vec<PathBuf> = (1..=3)
        .map(|n| package(&format!("t{n}"), "1", ""))
        .collect();
    let site = shell_site(&packages);
    let now = 1_700_000_000_i64;
    for (n, jump) in [(1, 0), (2, -86_400), (3, 86_400)] {
        let mut command = site.command(&["install", "-y", &format!("t{n}")]);
        let output = program::run(command.env("SOURCE_DATE_EPOCH", (now + jump).to_string()));
        let said = output.text();
        assert!(output.success(), "{jump}: {said}");
    }
    let history = site.ok(&["history", "list"]);
    let ids: Vec<u32> = history
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    assert!(
        ids.len() >= 3 && ids.is_sorted_by(|a, b| a < b),
        "{history}"
    );
    let undone = program::run(&mut site.command(&[
        "history",
        "undo",
        "-y",
        &ids[ids.len() - 1].to_string(),
    ]));
    assert!(undone.success(), "{}", undone.text());
    assert!(!site.root.join("opt/t3").exists() && site.root.join("opt/t2").exists());
    site.rpm().verify();
}

/// A package made on a machine whose clock is ahead, or a moment ago, keeps the times of its files
/// where a root is to be built twice alike.
#[test]
fn files_younger_than_the_run_keep_their_time() {
    if unprivileged() {
        return;
    }
    let ahead = "touch -d '2037-01-01 00:00:00 UTC' %{buildroot}/opt/young\n";
    let site = shell_site(&[package("young", "1", ahead)]);
    let mut command = site.command(&["install", "-y", "young"]);
    ok(command.env("SOURCE_DATE_EPOCH", "1600000000"));
    let stat = fs::metadata(site.root.join("opt/young")).unwrap();
    assert_eq!(stat.mtime(), 2_114_380_800);
    site.rpm().verify();
}

/// Where it talks to is full: the install is done all the same, and the exit code tells.
#[test]
fn row_105_disk_full_log() {
    if unprivileged() {
        return;
    }
    let script = "%post\nx=0\nwhile [ $x -lt 2000 ]; do x=$((x+1)); echo line $x; done\n";
    for closed in [
        "> /dev/full",
        "2> /dev/full",
        "> /dev/full 2>&1",
        "| true",
        ">&- 2>&-",
    ] {
        let site = shell_site(&[package("loud", "1", script)]);
        let command = site.command(&["install", "-y", "loud"]);
        let words: Vec<String> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| format!("'{}'", word.to_string_lossy()))
            .collect();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("{} {closed}", words.join(" "))])
            .stdin(Stdio::null());
        let output = program::run(&mut shell);
        assert!(
            !output.text().contains("panicked"),
            "{closed}: {}",
            output.text()
        );
        assert_eq!(site.root.read("opt/loud"), "1\n", "{closed}");
        assert!(site.rpm().all().contains("loud-1-1.noarch"), "{closed}");
        let history = site.ok(&["history", "list"]);
        assert!(history.contains("install loud "), "{closed}: {history}");
        site.rpm().verify();
    }
}

/// The same packages into the same place twice, at another time: the same bytes, times and rows.
#[test]
fn a_root_is_built_twice_alike() {
    if unprivileged() {
        return;
    }
    let script = "%post\necho made > /opt/made\nmkdir -p /var/made\n";
    let packages = [
        package("one", "1", script),
        package("two", "1", ""),
        package("two", "2", ""),
    ];
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    let made = shell_site(&packages);
    let mut old = Command::new("find");
    old.arg(made.root.path());
    ok(old.args(["-exec", "touch", "-hd", "@1500000000", "{}", "+"]));
    let build = || {
        tree::copy(made.root.path(), &root);
        for words in [
            &["install", "-y", "one", "two-1"][..],
            &["update", "-y"],
            &["clean", "all"],
        ] {
            ok(tdnf_12(&root, words).env("SOURCE_DATE_EPOCH", "1600000000"));
        }
        let after = place.path().join("kept");
        let cache = |path: &Path| path == Path::new("var/cache");
        let tree = tree::read(&root, &cache);
        let rows = rpmdb::dump(&database(&root), &[]);
        let bytes: Vec<Vec<u8>> = ["rpmdb.sqlite", "rpmdb.sqlite-wal", "rpmdb.sqlite-shm"]
            .map(|name| fs::read(root.join("var/lib/rpm").join(name)).unwrap())
            .into();
        let _ = fs::remove_dir_all(&after);
        fs::rename(&root, &after).unwrap();
        (tree, rows, bytes)
    };
    // The packages are older than the first build.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let start = testkit::now().cast_signed();
    let first = build();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let second = build();
    assert_eq!(
        rpmdb::differences(&first.1, &second.1),
        Vec::<String>::new()
    );
    assert!(first.2 == second.2, "the files of the database differ");
    assert_eq!(tree::differences(&first.0, &second.0), Vec::<String>::new());
    assert!(first.2[1].is_empty(), "nothing waits in the log");
    let late: Vec<_> = first
        .0
        .iter()
        .filter(|(_, entry)| entry.mtime >= start)
        .map(|(p, _)| p)
        .collect();
    assert!(late.is_empty(), "they have the time of the build: {late:?}");
    // Everybody can still read it.
    let kept = place.path().join("kept");
    for dir in [place.path(), &kept] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut rpm = testkit::rpm::Rpm::on_db(&kept.join("var/lib/rpm")).unprivileged();
    let text = rpm.ok(&["-qa"]);
    assert!(
        text.contains("one-1-1.noarch") && text.contains("two-2-1.noarch"),
        "{text}"
    );
    rpm = testkit::rpm::Rpm::on_root(&kept);
    rpm.program_ok("rpmdb", &["--verifydb"]);
}
