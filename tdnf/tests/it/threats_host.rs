//! docs/threats.md, rows 87, 89 and 91, and users without rights: the host fails, or says no.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testkit::program::{self, ok};
use testkit::rpm::Rpm;
use testkit::spec::Spec;

use rpm_transaction::{RootDir, STATE_DIR, pending};
use testkit::server::Server;
use testkit::{fixtures, mounts, rpmdb, tree};

use crate::interop_lab::{
    Site, copy, database, program, repo_section, small, tdnf_12, unprivileged,
};

type State = (BTreeMap<PathBuf, tree::Entry>, rpmdb::Dump);

/// Files and rows of a root, without what scriptlets logged, cache, and lock.
fn state(root: &Path) -> State {
    let own = |path: &Path| {
        let names = [
            "var/cache",
            "var/lib/tdnf",
            "var/lib/rpm",
            "var/log/small.log",
        ];
        names.iter().any(|name| path == Path::new(name))
    };
    let mut tree = tree::read(root, &own);
    for dir in ["var", "var/lib", "var/tmp"] {
        tree.remove(Path::new(dir));
    }
    let file = database(root);
    let masked = rpmdb::TIMES;
    let rows = if file.exists() {
        rpmdb::dump(&file, &masked)
    } else {
        rpmdb::Dump::new()
    };
    (tree, rows)
}

fn differences(left: &State, right: &State) -> Vec<String> {
    let mut lines = tree::differences(&left.0, &right.0);
    lines.extend(rpmdb::differences(&left.1, &right.1));
    lines
}

const CHANGES: [&str; 6] = [
    "chain-2-1",
    "config-2-1",
    "logged-2-1",
    "moved-2-1",
    "turns-2-1",
    "kinds",
];

/// Starts the changes below `root`.
fn changing(root: &Path) -> Command {
    let mut command = tdnf_12(root, &[&["install", "-y"], &CHANGES[..]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Kills it after so many lines of "Installing" or "Removing", or after a time; answers whether
/// it was still alive.
fn killed(root: &Path, lines: Option<usize>, pause: Duration) -> bool {
    let mut child = changing(root).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    if let Some(lines) = lines {
        let told = BufReader::new(out).lines().map_while(Result::ok);
        let mut steps =
            told.filter(|l| l.starts_with("Installing/") || l.starts_with("Removing: "));
        let _ = steps.nth(lines);
    }
    std::thread::sleep(pause);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

/// A first sample: thirty moments of six changes.
#[test]
fn row_87_kill9_everywhere() {
    if unprivileged() {
        return;
    }
    let site = Site::small();
    let first = [
        "tiny-users",
        "chain-1-1",
        "config-1-1",
        "logged-1-1",
        "moved-1-1",
        "turns-1-1",
    ];
    // A %pretrans needs a shell that is there before.
    site.ok(&["install", "-y", "tiny-shell"]);
    site.ok(&[&["install", "-y"], &first[..]].concat());
    let old = state(site.root.path());
    let done = copy(site.root.path());
    let began = Instant::now();
    let run = program::run(&mut changing(done.path()));
    assert!(run.success());
    let whole = began.elapsed();
    let new = state(done.path());
    assert!(!differences(&old, &new).is_empty());
    let (mut left_old, mut left_new, mut halfway) = (0, 0, 0);
    let mut random = fastrand::Rng::with_seed(1);
    for moment in 0..30 {
        let fraction = random.u32(..1000);
        let root = copy(site.root.path());
        // Every second one dies within the transaction, whatever the speed of the machine.
        let (lines, pause) = match moment % 2 {
            0 => (None, whole * fraction / 1000),
            _ => (
                Some(moment / 2 % 11),
                Duration::from_micros(u64::from(fraction) * 4),
            ),
        };
        killed(root.path(), lines, pause);
        let dir = RootDir::open(root.path()).unwrap();
        halfway += usize::from(pending(&dir, STATE_DIR).unwrap());
        let next = program::run(&mut tdnf_12(root.path(), &["install", "-y", "tiny-shell"]));
        let said = next.err;
        assert!(
            !pending(&dir, STATE_DIR).unwrap(),
            "moment {moment}: {said}"
        );
        let found = state(root.path());
        let (to_old, to_new) = (differences(&found, &old), differences(&found, &new));
        left_old += usize::from(to_old.is_empty());
        left_new += usize::from(to_new.is_empty());
        assert!(
            to_old.is_empty() || to_new.is_empty(),
            "moment {moment} ({lines:?}, {pause:?}): {said}\nnot the old system: {to_old:#?}\nnot the new one: {to_new:#?}"
        );
        let rpm = Rpm::on_root(root.path());
        rpm.verify();
    }
    println!("30 moments: {left_old} old, {left_new} new, {halfway} within the transaction");
    assert!(halfway >= 5, "only {halfway} kills met the transaction");
}

/// A small file system of its own below a folder, with what the folder held.
fn small_disk(dir: &Path, options: &str) {
    fs::create_dir_all(dir).unwrap();
    let kept = copy(dir);
    ok(Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "none"])
        .arg(dir));
    ok(Command::new("chmod").arg("755").arg(dir));
    tree::copy(kept.path(), dir);
}

/// A site whose repository of small packages comes over HTTP.
fn over_http() -> (Site, Server) {
    let repo = small().join("repo");
    let server = Server::start(&repo);
    let site = Site::new(&repo_section("small", &server.url("/"), &repo));
    (site, server)
}

fn asked_packages(server: &Server) -> usize {
    let seen = server.seen();
    seen.iter()
        .filter(|seen| seen.path.ends_with(".rpm"))
        .count()
}

/// Refused with one of these words, nothing changed, nothing left behind.
#[track_caller]
fn refused_unchanged(site: &Site, words: &[&str], says: &[&str]) -> String {
    let before = state(site.root.path());
    let output = site.run(words);
    assert!(!output.success(), "{words:?} must fail");
    let err = output.text();
    assert!(
        says.iter().any(|word| err.contains(word)),
        "{words:?}: {err}"
    );
    assert!(!err.contains("panicked"), "{err}");
    let changed = differences(&state(site.root.path()), &before);
    assert!(
        changed.is_empty(),
        "{words:?}: after left, before right: {changed:#?}\n{err}"
    );
    err
}

#[test]
fn row_89_enospc_cache() {
    if !mounts::own("threats_host::row_89_enospc_cache") {
        return;
    }
    let (site, server) = over_http();
    small_disk(&site.root.join("var/cache"), "size=1m");
    refused_unchanged(&site, &["install", "-y", "bulk"], &["1036"]);
    assert_eq!(
        asked_packages(&server),
        0,
        "told before anything is fetched"
    );
    site.ok(&["install", "-y", "chain"]);
    // Not even the metadata fits.
    let (site, _server) = over_http();
    let cache = site.root.join("var/cache");
    small_disk(&cache, "size=12k");
    refused_unchanged(
        &site,
        &["install", "-y", "chain"],
        &["space", "1628", "1036"],
    );
    // The disk is no server that may be missing, and leaving a repository out gives no room.
    let skip = "--setopt=*.skip_if_unavailable=1";
    for words in [&[skip, "makecache"][..], &["makecache"]] {
        let (said, _) = site.refused(words);
        assert!(said.contains("left: free some space"), "{said}");
        assert!(!said.contains("--disablerepo"), "{said}");
    }
    ok(Command::new("mount")
        .args(["-o", "remount,size=8m"])
        .arg(&cache));
    site.ok(&["install", "-y", "chain"]);
}

#[test]
fn row_89_enospc_root() {
    if !mounts::own("threats_host::row_89_enospc_root") {
        return;
    }
    let site = Site::small();
    site.ok(&["install", "-y", "tiny-shell", "chain-1-1"]);
    small_disk(&site.root.join("usr/share/small"), "size=3m");
    let err = refused_unchanged(&site, &["install", "-y", "bulk", "chain"], &["space"]);
    assert!(
        err.contains("usr/share/small") && err.chars().any(|c| c.is_ascii_digit()),
        "{err}"
    );
    site.ok(&["install", "-y", "chain"]);
    site.rpm().verify();
}

#[test]
fn row_89_inodes() {
    if !mounts::own("threats_host::row_89_inodes") {
        return;
    }
    let site = Site::small();
    site.ok(&["install", "-y", "tiny-shell", "tiny-users", "chain-1-1"]);
    small_disk(&site.root.join("usr/share/small"), "size=3m,nr_inodes=6");
    refused_unchanged(&site, &["install", "-y", "kinds"], &["inode"]);
}

/// A scriptlet fills the disk after every check: the whole is undone and the space is free again.
#[test]
fn row_89_enospc_in_the_middle() {
    if !mounts::own("threats_host::row_89_enospc_in_the_middle") {
        return;
    }
    let filler = Spec::new("filler", "1")
        .install(
            "mkdir -p %{buildroot}/opt/filler\n\
             for n in $(seq 300); do echo $n > %{buildroot}/opt/filler/a-rather-long-name-to-fill-the-rows-$n; done",
        )
        .script("pre", "cat /dev/zero > /filling 2>/dev/null || :")
        .files("/opt/filler");
    let site = Site::small();
    site.add_repo("filler", &[filler.build()]);
    site.ok(&["install", "-y", "tiny-shell", "chain-1-1"]);
    small_disk(site.root.path(), "size=24m");
    let before = state(site.root.path());
    let output = site.run(&["install", "-y", "filler", "chain"]);
    let said = &output.err;
    fs::remove_file(site.root.join("filling")).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    let after = state(site.root.path());
    let changed = differences(&after, &before);
    println!("status {:?}: {said}", output.code);
    if output.success() {
        assert!(site.rpm().all().contains("filler-1-1.noarch"));
    } else {
        assert!(
            changed.is_empty(),
            "{said}\nafter left, before right: {changed:#?}"
        );
    }
    site.rpm().verify();
    site.ok(&["install", "-y", "payload-gzip"]);
    let left = tree::read(site.root.path(), &|path| path == Path::new("var/cache"));
    let left: Vec<_> = left
        .keys()
        .filter(|p| p.to_string_lossy().contains(".tdnf-stage"))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn row_89_enospc_rpmdb() {
    if !mounts::own("threats_host::row_89_enospc_rpmdb") {
        return;
    }
    for room in [0, 16, 64] {
        let site = Site::small();
        site.ok(&["install", "-y", "tiny-shell", "tiny-users", "chain-1-1"]);
        let dir = site.root.join("var/lib/rpm");
        let used = ok(Command::new("du")
            .args(["-sk", "--apparent-size"])
            .arg(&dir));
        let used: u64 = used.split_whitespace().next().unwrap().parse().unwrap();
        small_disk(&dir, &format!("size={}k", used.next_multiple_of(4) + room));
        let before = state(site.root.path());
        let output = site.run(&["install", "-y", "kinds", "config", "multi", "logged"]);
        let said = &output.err;
        println!("{room} kB of room: {:?} {said}", output.code);
        assert!(!said.contains("panicked"), "{said}");
        let changed = differences(&state(site.root.path()), &before);
        assert!(
            output.success() || changed.is_empty(),
            "{room}: {said}{changed:#?}"
        );
        if room == 0 {
            assert!(!output.success(), "there was no room");
        }
        ok(Command::new("mount")
            .args(["-o", "remount,size=8m"])
            .arg(&dir));
        site.ok(&["install", "-y", "payload-gzip"]);
        site.rpm().verify();
    }
}

#[test]
fn row_91_ro_fs() {
    if !mounts::own("threats_host::row_91_ro_fs") {
        return;
    }
    for dir in ["", "usr", "var"] {
        let (site, server) = over_http();
        site.ok(&["install", "-y", "tiny-shell"]);
        server.forget();
        let place = site.root.join(dir);
        ok(Command::new("mount").arg("--bind").args([&place, &place]));
        ok(Command::new("mount")
            .args(["-o", "remount,bind,ro"])
            .arg(&place));
        // The mount is over the folder: the root must be opened anew.
        let err = refused_unchanged(&site, &["install", "-y", "chain", "bulk"], &["ead-only"]);
        assert_eq!(
            asked_packages(&server),
            0,
            "/{dir}: told before download\n{err}"
        );
        site.ok(&["list", "installed"]);
        ok(Command::new("umount").arg(&place));
        site.ok(&["install", "-y", "chain"]);
    }
}

/// A directory of another project quota takes nothing by rename (EXDEV): its files are staged
/// inside it, and a failure or a kill in the middle still leaves the old system.
#[test]
fn a_directory_of_another_project_is_staged_inside() {
    if !mounts::own("threats_host::a_directory_of_another_project_is_staged_inside") {
        return;
    }
    let package = |version: &str, rest: &str| {
        Spec::new("proj", version)
            .install(&format!(
                "mkdir -p %{{buildroot}}/usr/share/small/p\ncd %{{buildroot}}/usr/share/small/p\n\
                 for f in a b only-{version} conf; do echo $f {version} > $f; done\nln a hard; ln -s a link"
            ))
            .file("/opt/proj", version)
            .files("%config /usr/share/small/p/conf\n/usr/share/small/p/[abhlo]*")
            .rest(rest)
            .build()
    };
    let packages = [
        package("1", ""),
        package("2", ""),
        package("3", "%post\n:\n%triggerprein -- proj\n:\n"),
        package("4", "%preun\nexit 1\n"),
    ];
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(512 << 20).unwrap();
    ok(Command::new("mkfs.xfs")
        .arg("-q")
        .arg("-f")
        .arg(image.path()));
    let site = Site::small();
    site.add_repo("proj", &packages);
    site.ok(&["install", "-y", "tiny-shell"]);
    let usr = site.root.join("usr");
    let kept = copy(&usr);
    let mounted = Command::new("mount")
        .args(["-o", "loop"])
        .arg(image.path())
        .arg(&usr)
        .status();
    if !mounted.unwrap().success() {
        fixtures::skipped("no loop mounts here");
        return;
    }
    tree::copy(kept.path(), &usr);
    let dir = site.root.join("usr/share/small/p");
    fs::create_dir_all(&dir).unwrap();
    ok(Command::new("chattr").args(["-p", "7"]).arg(&dir));
    ok(Command::new("chattr").arg("+P").arg(&dir));
    fs::write(usr.join("probe"), "").unwrap();
    let refused = fs::rename(usr.join("probe"), dir.join("probe")).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::CrossesDevices);
    fs::remove_file(usr.join("probe")).unwrap();
    site.ok(&["install", "-y", "proj-1"]);
    site.rpm().verify();
    assert!(!dir.join("probe").exists());
    site.root.write("usr/share/small/p/conf", "edited\n");
    site.ok(&["update", "-y", "proj-2"]);
    assert_eq!(site.root.read("usr/share/small/p/conf"), "conf 2\n");
    assert_eq!(site.root.read("usr/share/small/p/conf.rpmsave"), "edited\n");
    assert!(!dir.join("only-1").exists());
    site.rpm().verify();
    let left = |site: &Site| {
        let all = tree::read(site.root.path(), &|path| path == Path::new("var/cache"));
        let stages = all
            .into_keys()
            .filter(|p| p.to_string_lossy().contains(".tdnf-stage"));
        stages.collect::<Vec<_>>()
    };
    assert_eq!(left(&site), Vec::<PathBuf>::new());
    // An error behind the moved steps undoes them all.
    site.ok(&["install", "-y", "proj-4"]);
    let before = state(site.root.path());
    let (said, _) = site.refused(&["downgrade", "-y", "proj-3"]);
    assert!(said.contains("%preun"), "{said}");
    let changed = differences(&state(site.root.path()), &before);
    assert!(changed.is_empty(), "{changed:#?}");
    assert_eq!(left(&site), Vec::<PathBuf>::new());
    // So does the next start after a kill, whenever it comes.
    for step in [12_u32, 16, 20, 24, 28] {
        let mut command = site.command(&["downgrade", "-y", "proj-3"]);
        let _ = program::run(command.env("TDNF_TEST_KILL_STEP", step.to_string()));
        site.ok(&["install", "-y", "tiny-shell"]);
        let changed = differences(&state(site.root.path()), &before);
        assert!(changed.is_empty(), "step {step}: {changed:#?}");
        assert_eq!(left(&site), Vec::<PathBuf>::new());
    }
    site.rpm().verify();
    ok(Command::new("umount").arg(&usr));
}

/// The program as the user nobody, who may read the root but not write to it.
fn as_nobody(site: &Site, words: &[&str]) -> (String, String, i32) {
    // The build folder may be closed to nobody.
    let place = site.root.join("tdnf-copy");
    if !place.exists() {
        fs::copy(program(), &place).unwrap();
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&place);
    command
        .arg("--installroot")
        .arg(site.root.path())
        .args(["--releasever", "12"])
        .args(words);
    command
        .env_remove("HOME")
        .env_remove("XDG_CACHE_HOME")
        .current_dir("/");
    let output = program::run(&mut command);
    (output.out, output.err, output.code)
}

#[test]
fn no_permission() {
    if unprivileged() {
        return;
    }
    let (site, server) = over_http();
    site.ok(&["install", "-y", "chain-1-1"]);
    fs::copy(program(), site.root.join("tdnf-copy")).unwrap();
    server.forget();
    let before = state(site.root.path());
    for words in [
        &["install", "-y", "config"][..],
        &["erase", "-y", "chain"],
        &["update", "-y"],
        &["downgrade", "-y", "chain"],
        &["reinstall", "-y", "chain"],
        &["autoremove", "-y"],
    ] {
        let (_, err, code) = as_nobody(&site, words);
        assert_eq!(code, 65, "{words:?}: {err}");
        let text = "Error(1601) : Operation not permitted. You have to be root.";
        assert!(err.contains(text), "{words:?}: {err}");
    }
    assert!(server.seen().is_empty(), "nothing is read before that");
    let (_, err, code) = as_nobody(&site, &["makecache"]);
    assert_eq!(code, 77, "{err}");
    assert!(
        err.contains("Error(1613) : ") && err.contains("Permission denied"),
        "{err}"
    );
    assert!(
        err.contains("root") && err.contains("cacheonly"),
        "what to do is said: {err}"
    );
    // What is readable is answered.
    let (out, err, code) = as_nobody(&site, &["-C", "list", "installed"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("chain"), "{out}");
    let (out, err, code) = as_nobody(&site, &["-C", "list", "available", "config"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("config"), "{out}");
    let changed = differences(&state(site.root.path()), &before);
    assert!(changed.is_empty(), "{changed:#?}");
}
