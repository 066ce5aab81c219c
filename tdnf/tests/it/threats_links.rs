//! docs/threats.md, rows 119 to 123, 132, 135 and 144 to 146: links in an image in the place of what tdnf makes and reads, what a scriptlet
//! gets of the caller, and journals that an image brings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::opens::{folders_through_links, through_links};
use testkit::program;
use testkit::spec::Spec;

use crate::interop_lab::{Site, shell_site, unprivileged};

/// What an administrator does with an image.
const WORK: [&[&str]; 6] = [
    &["makecache"],
    &["list"],
    &["install", "-y", "chain-1-1"],
    &["history", "list"],
    &["upgrade", "-y", "chain"],
    &["clean", "all"],
];

/// Names that the work leaves below a root, and that it had in between; folders and files.
fn made() -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
    let site = Site::small();
    let before = names(site.root.path());
    let (mut folders, mut files) = (BTreeSet::new(), BTreeSet::new());
    for words in WORK {
        site.ok(words);
        for path in names(site.root.path()).difference(&before) {
            match site.root.path().join(path).is_dir() {
                true => folders.insert(path.clone()),
                false => files.insert(path.clone()),
            };
        }
    }
    (folders, files)
}

fn names(root: &Path) -> BTreeSet<PathBuf> {
    let all = testkit::tree::read(root, &|_| false);
    all.into_keys()
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

/// Whether tdnf, and no package, makes this.
fn is_ours(path: &Path) -> bool {
    ["var/cache/tdnf/", "var/lib/tdnf/", "var/lib/rpm/"]
        .iter()
        .any(|place| path.starts_with(place) && path != Path::new(place))
}

/// The work on an image that has a link to `target` at `path`: each command may succeed or fail.
fn with_link(path: &Path, target: &Path) -> String {
    let site = Site::small();
    let place = site.root.path().join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    symlink(target, place).unwrap();
    let mut text = String::new();
    for words in WORK {
        let run = site.run(words);
        assert!(run.code >= 0 && !run.err.contains("panicked"), "{run:?}");
        text += &run.text();
    }
    text
}

#[test]
fn row_62_63_119_links_in_the_place_of_our_files() {
    if unprivileged() {
        return;
    }
    let (folders, files) = made();
    let outside = tempfile::tempdir().unwrap();
    let (precious, free) = (outside.path().join("precious"), outside.path().join("free"));
    let folder = outside.path().join("folder");
    let content = vec![b'p'; 5000];
    let mut tried = 0;
    for path in folders.union(&files).filter(|path| is_ours(path)) {
        fs::write(&precious, &content).unwrap();
        fs::create_dir_all(folder.join("repodata/inner")).unwrap();
        fs::write(folder.join("primary"), &content).unwrap();
        fs::write(folder.join("repodata/inner/file"), &content).unwrap();
        let before = testkit::tree::read(outside.path(), &|_| false);
        let targets = match folders.contains(path) {
            true => [&folder, &free],
            false => [&precious, &free],
        };
        for target in targets {
            let text = with_link(path, target);
            let after = testkit::tree::read(outside.path(), &|_| false);
            let changed = testkit::tree::differences(&before, &after);
            assert!(
                changed.is_empty(),
                "{}: {changed:#?}\n{text}",
                path.display()
            );
            tried += 1;
        }
    }
    assert!(tried >= 30, "only {tried}: {folders:#?} {files:#?}");
}

#[test]
fn row_120_links_in_configuration_stay_in_the_image() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "s3cret\n").unwrap();
    for linked in ["etc/tdnf/vars/leak", "etc/yum/vars/leak", "etc/os-release"] {
        let site = Site::small();
        let url = "baseurl=file:///nowhere/$leak\n";
        site.write_repo(
            "leaking",
            &format!("[leaking]\nname=$leak\nenabled=1\n{url}"),
        );
        let place = site.root.join(linked);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&place);
        symlink(&secret, &place).unwrap();
        let run = site.run(&["-v", "makecache"]);
        assert!(!run.text().contains("s3cret"), "{linked}: {}", run.text());
        // The same link means a file of the image where it has one.
        let inside = site.root.path().join(secret.strip_prefix("/").unwrap());
        fs::create_dir_all(inside.parent().unwrap()).unwrap();
        fs::write(inside, "of-the-image\n").unwrap();
        let run = site.run(&["-v", "makecache"]);
        let told = run.text().contains("of-the-image");
        assert_eq!(told, linked.ends_with("leak"), "{linked}: {}", run.text());
    }
    let site = Site::small();
    fs::write(&secret, "[s3cret\nname=s3cret\nbaseurl\n").unwrap();
    symlink(&secret, site.root.join("etc/yum.repos.d/leak.repo")).unwrap();
    for words in [["repolist"], ["makecache"]] {
        let run = site.run(&words);
        assert!(!run.text().contains("s3cret"), "{}", run.text());
    }
}

#[test]
fn row_121_nothing_is_written_through_a_link() {
    if unprivileged() {
        return;
    }
    let site = Site::small();
    for words in WORK
        .into_iter()
        .filter(|words| words != &["clean", "all"] && words[0] != "history")
    {
        let bad = through_links(&site.command(words));
        assert!(bad.is_empty(), "{words:?}: {bad:#?}");
    }
    // It only removes: no link leads it into a folder.
    let clean = site.command(&["clean", "all"]);
    let bad = folders_through_links(&clean, &site.root.join("var/cache/tdnf"));
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn row_56_122_what_a_scriptlet_gets_of_the_caller() {
    let post = "for f in 3 4 5 6 7 8 9; do if (: <&$f) 2>/dev/null; then echo $f; fi; done > /opened; umask > /mask";
    let package = Spec::new("curious", "1")
        .lines("Requires(post): /bin/sh")
        .script("post", post)
        .file("/opt/curious", "1")
        .build();
    let usual = modes_under("022", std::slice::from_ref(&package));
    for (path, mode) in &usual {
        assert_eq!(mode & 0o022, 0, "{}: {mode:o}", path.display());
    }
    assert_eq!(modes_under("0", std::slice::from_ref(&package)), usual);
    // A caller who keeps what he makes to himself keeps the cache, and what he looks up in it; what others must read of
    // the system has its mode whatever he wants.
    for (path, mode) in modes_under("077", &[package]) {
        let about = format!("{}: {mode:o}, usually {:o}", path.display(), usual[&path]);
        match path.starts_with("var/lib/rpm") || path.starts_with("opt") {
            true => assert_eq!(mode, usual[&path], "{about}"),
            false => assert!(
                mode == usual[&path] || mode == usual[&path] & 0o700,
                "{about}"
            ),
        }
    }
}

/// The modes of what tdnf makes for a caller with this umask and files open; scriptlets get neither.
fn modes_under(umask: &str, packages: &[PathBuf]) -> BTreeMap<PathBuf, u32> {
    let site = shell_site(packages);
    let tdnf = site.command(&["install", "-y", "curious"]);
    let mut caller = Command::new("/bin/sh");
    let script = format!("umask {umask}; exec 7</etc/passwd 8>>/dev/null; exec \"$0\" \"$@\"");
    caller
        .args(["-c", &script])
        .arg(tdnf.get_program())
        .args(tdnf.get_args());
    program::run(&mut caller).ok();
    assert_eq!(fs::read_to_string(site.root.join("opened")).unwrap(), "");
    assert_eq!(
        fs::read_to_string(site.root.join("mask")).unwrap(),
        "0022\n"
    );
    let made = testkit::tree::read(site.root.path(), &|_| false);
    let made = made
        .into_keys()
        .filter(|path| is_ours(path) || path.starts_with("opt"));
    let mode = |path: PathBuf| {
        let about = fs::symlink_metadata(site.root.path().join(&path)).unwrap();
        (path, about.permissions().mode() & 0o7777)
    };
    // The name of a repository's folder is made of its address, which is another for each site; that of a part begins with
    // its digest.
    let modes = made.map(mode).map(|(path, mode)| {
        let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
        let plain = parts.map(|part| match part.split_once('-') {
            Some(("test", _)) => "test".to_owned(),
            Some((digest, name)) if digest.len() == 64 => name.to_owned(),
            _ => part,
        });
        (plain.collect(), mode)
    });
    modes.collect()
}

/// What an image's files of configuration may be, beside what tdnf makes.
const CONFIGURATION: [&str; 12] = [
    "etc/os-release",
    "etc/tdnf/tdnf.conf",
    "etc/tdnf/vars/v",
    "etc/tdnf/protected.d/p.conf",
    "etc/tdnf/minversions.d/m.conf",
    "etc/tdnf/locks.d/l.conf",
    "etc/yum.repos.d/pipe.repo",
    "etc/yum/vars/v",
    "etc/rpm/macros",
    "etc/dnf/modules.d/m.module",
    "usr/lib/rpm/macros.d/macros.m",
    "var/lib/rpm/Packages",
];

/// Row 132. A pipe in the place of a file makes no command wait for ever.
#[test]
fn row_132_pipes_in_the_place_of_files() {
    if unprivileged() {
        return;
    }
    let (_, mut files) = made();
    files.retain(|path| is_ours(path));
    let database = ["var/lib/rpm/rpmdb.sqlite", "var/lib/tdnf/history.db"];
    let beside = ["", "-journal", "-wal", "-shm"];
    let beside = database.map(|file| beside.map(|end| PathBuf::from(format!("{file}{end}"))));
    let beside: BTreeSet<PathBuf> = beside.into_iter().flatten().collect();
    files.extend(beside.iter().cloned());
    files.extend(CONFIGURATION.map(PathBuf::from));
    for path in files {
        let site = Site::small();
        for words in &WORK[..4] {
            site.run(words);
        }
        let place = site.root.path().join(&path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&place);
        program::ok(Command::new("mkfifo").arg(&place));
        let mut said = String::new();
        for words in WORK.iter().rev().chain([&["list", "installed"][..]].iter()) {
            let tdnf = site.command(words);
            let mut limited = Command::new("timeout");
            limited.arg("60").arg(tdnf.get_program());
            let run = program::run(limited.args(tdnf.get_args()));
            let what = format!("{words:?} with a pipe as {}", path.display());
            assert_ne!(run.code, 124, "{what} waits for ever");
            assert!(
                run.code >= 0 && !run.err.contains("panicked"),
                "{what}: {run:?}"
            );
            said += &run.err;
        }
        let named = said
            .lines()
            .any(|line| line.contains(&*place.to_string_lossy()) && line.contains("remove it"));
        assert!(
            named || !beside.contains(&path),
            "{}: {said}",
            path.display()
        );
    }
}

/// Row 135. A second name of a file of the host in the place of one that is written in place: the host's file stays as it
/// is, and what is installed can be asked for.
#[test]
fn row_135_second_names_of_files_of_the_host() {
    if unprivileged() {
        return;
    }
    let outside = tempfile::tempdir_in(std::env::temp_dir()).unwrap();
    let precious = outside.path().join("precious");
    for path in [
        "var/lib/tdnf/.tdnf-instance-lockfile",
        "var/lib/tdnf/history.db",
        "var/lib/tdnf/history.db-journal",
        "var/lib/tdnf/history.db-wal",
        "var/lib/tdnf/transaction/journal",
        "var/lib/rpm/rpmdb.sqlite",
        "var/lib/rpm/rpmdb.sqlite-journal",
        "var/lib/rpm/rpmdb.sqlite-shm",
        "var/lib/rpm/rpmdb.sqlite-wal",
    ] {
        let site = Site::small();
        for words in &WORK[..3] {
            site.ok(words);
        }
        let place = site.root.path().join(path);
        let _ = fs::remove_file(&precious);
        // A database or a log of our own would be taken for one.
        match place.is_file() && !path.ends_with("lockfile") {
            true => drop(fs::copy(&place, &precious).unwrap()),
            false => fs::write(&precious, "host's\n".repeat(40)).unwrap(),
        }
        let before = fs::read(&precious).unwrap();
        let _ = fs::remove_file(&place);
        fs::hard_link(&precious, &place).unwrap();
        let run = site.run(&["list", "installed"]);
        assert!(!run.err.contains("panicked"), "{path}: {}", run.text());
        let run = site.run(&["-y", "upgrade", "chain"]).failed();
        // A transaction names its files as its root does.
        run.says(&[path, "a second name"]);
        assert_eq!(
            fs::read(&precious).unwrap(),
            before,
            "{path}: {}",
            run.text()
        );
    }
}

/// A journal as a stopped run leaves it: its staging directories, and steps of one package when it was prepared.
fn journal(root: &Path, stages: &[&str], steps: Option<&[Vec<u8>]>) {
    let text = |text: &str| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let mut records = vec![
        [&[1, 1, 0, 0, 0][..], &TID.to_le_bytes()].concat(),
        [&[2][..], &(stages.len() as u32).to_le_bytes()].concat(),
    ];
    records[1].extend(stages.iter().flat_map(|stage| text(stage)));
    if let Some(steps) = steps {
        let mut element = [&[3, 0, 0, 0, 0][..], &text("x-1-1.noarch"), &[1]].concat();
        element.extend(steps.concat());
        records.extend([element, vec![4]]);
    }
    let mut bytes = Vec::new();
    for record in records {
        let digest = crate::scene_rpm::sha256(&record);
        bytes.extend((record.len() as u32).to_le_bytes());
        let byte = |at: usize| u8::from_str_radix(&digest[2 * at..2 * at + 2], 16).unwrap();
        bytes.extend((0..8).map(byte));
        bytes.extend(record);
    }
    let folder = root.join("var/lib/tdnf/transaction");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("journal"), bytes).unwrap();
}

const TID: u32 = 1_700_000_000;
const STAGE: &str = "/.tdnf-stage-6553f100-0123456789abcdef";

/// A step: its number, target, and what follows.
fn step(number: u8, target: &str, rest: &[u32]) -> Vec<u8> {
    let mut bytes = vec![number];
    bytes.extend((target.len() as u32).to_le_bytes());
    bytes.extend(target.as_bytes());
    bytes.extend(rest.iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

/// Row 144. `/data` of the image is a folder of this machine.
#[test]
fn row_144_journals_that_an_image_brings() {
    if !testkit::mounts::own("threats_links::row_144_journals_that_an_image_brings") {
        return;
    }
    let site = Site::small();
    let (root, outside) = (site.root.path(), tempfile::tempdir().unwrap());
    fs::create_dir_all(outside.path().join("sub/empty")).unwrap();
    for file in ["precious", "b0", "sub/inner"] {
        fs::write(outside.path().join(file), "x").unwrap();
    }
    fs::create_dir(root.join("data")).unwrap();
    let mut mount = Command::new("mount");
    program::ok(
        mount
            .arg("--bind")
            .arg(outside.path())
            .arg(root.join("data")),
    );
    symlink("/data", root.join(&STAGE[1..])).unwrap();
    symlink("/data", root.join("link")).unwrap();
    fs::create_dir_all(root.join("home/u")).unwrap();
    let before = testkit::tree::read(outside.path(), &|_| false);
    let check = |said: &[&str]| {
        let run = site.run(&["-y", "install", "chain-1-1"]);
        assert_eq!(run.success(), said[0].starts_with("warning"), "{run:?}");
        run.says(said);
        let after = testkit::tree::read(outside.path(), &|_| false);
        let changed = testkit::tree::differences(&before, &after);
        assert!(changed.is_empty(), "{changed:#?}\n{}", run.text());
        assert!(root.join("home/u").is_dir());
        site.run(&["-y", "erase", "chain"]);
    };
    for named in [
        "/data",
        "/home/u",
        "/link",
        "/",
        "",
        "/.tdnf-stage-6553f100-x",
    ] {
        for steps in [None, Some(&[][..])] {
            journal(root, &[named], steps);
            check(&["transaction/journal", "would empty", "remove it"]);
        }
    }
    // The right name, and it is a link.
    for steps in [None, Some(&[][..])] {
        journal(root, &[STAGE], steps);
        check(&[STAGE]);
    }
    fs::remove_file(root.join(&STAGE[1..])).unwrap();
    for target in ["/data/sub/empty", "/link/sub/empty", "/data/new/deep"] {
        for (number, rest) in [(3, &[0, 0][..]), (4, &[]), (5, &[0o777, 7, 7, 0, 0])] {
            fs::create_dir(root.join(&STAGE[1..])).unwrap();
            fs::set_permissions(root.join(&STAGE[1..]), fs::Permissions::from_mode(0o700)).unwrap();
            fs::write(root.join(&STAGE[1..]).join("b0"), "").unwrap();
            journal(root, &[STAGE], Some(&[step(number, target, rest)]));
            check(&[target, "unmount it or remove the journal"]);
            fs::remove_dir_all(root.join(&STAGE[1..])).unwrap();
        }
    }
    for target in ["/data", "/data/sub", "/link"] {
        journal(root, &[], Some(&[step(6, target, &[0o777, 7, 7])]));
        check(&["warning", target, "its owner and mode stay"]);
    }
    // A step of the image's own is undone.
    journal(root, &[], Some(&[step(6, "/home/u", &[0o711, 7, 7])]));
    check(&["warning", "has been undone"]);
    let mode = fs::metadata(root.join("home/u")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o711);
    // Not ours.
    for (mode, owner) in [(0o602, 0), (0o600, 7)] {
        journal(root, &[], None);
        let file = root.join("var/lib/tdnf/transaction/journal");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&file, Some(owner), None).unwrap();
        check(&["transaction/journal", "another user"]);
        fs::remove_file(&file).unwrap();
    }
}

/// Row 145. A package's file is a second name of a set-uid program of this machine.
#[test]
fn row_145_programs_of_the_host_keep_their_rights() {
    if unprivileged() {
        return;
    }
    for words in [["-y", "upgrade", "chain"], ["-y", "erase", "chain"]] {
        let site = Site::small();
        site.ok(&["install", "-y", "chain-1-1"]);
        let outside = tempfile::tempdir_in(std::env::temp_dir()).unwrap();
        let program = outside.path().join("sudo");
        fs::write(&program, "host's").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        let owned = program::run(&mut site.command(&["repoquery", "--installed", "-l", "chain"]));
        let mut linked = 0;
        for file in owned.out.lines().filter(|line| line.starts_with('/')) {
            let place = site.root.join(&file[1..]);
            if place.is_file() {
                fs::remove_file(&place).unwrap();
                fs::hard_link(&program, place).unwrap();
                linked += 1;
            }
        }
        assert!(linked > 0, "{owned:?}");
        site.ok(&words);
        let mode = fs::metadata(&program).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o4755, "{words:?}");
        assert_eq!(fs::read_to_string(&program).unwrap(), "host's");
    }
}

/// Row 146. What an image's own configuration has sent comes from the image.
#[test]
fn row_146_an_image_has_no_secret_of_the_host_sent() {
    let site = Site::small();
    let (outside, server) = (tempfile::tempdir().unwrap(), &site.server);
    let outside = outside.path();
    fs::write(outside.join("token"), "X-Token:s3cret\n").unwrap();
    let inside = site.root.path().join(outside.strip_prefix("/").unwrap());
    let section = |rest: &str| {
        let url = server.url("/");
        site.write_repo(
            "evil",
            &format!(
                "[evil]\nname=e\nenabled=1\nretries=0\nskip_if_unavailable=1\nbaseurl={url}{rest}\n"
            ),
        );
    };
    let shown = outside.display();
    let sent = |words: &[&str]| {
        server.forget();
        let run = site.run(&[words, &["--refresh", "makecache"]].concat());
        (format!("{:?}", server.seen()), run)
    };
    // Variables: by default, and where the image's configuration says; its own are used.
    let conf = fs::read_to_string(site.root.join("etc/tdnf/tdnf.conf")).unwrap();
    section("$token/");
    site.conf(&format!("{conf}\nvarsdir=/nowhere {shown}\n"));
    assert!(!sent(&[]).0.contains("s3cret"));
    fs::create_dir_all(&inside).unwrap();
    fs::write(inside.join("token"), "X-Token:of-the-image\n").unwrap();
    assert!(sent(&[]).0.contains("of-the-image"));
    // Named by the caller.
    let named = outside.join("tdnf.conf");
    fs::write(&named, format!("[main]\nvarsdir={shown}\n")).unwrap();
    fs::remove_dir_all(&inside).unwrap();
    let by_caller = format!("--config={}", named.display());
    assert!(sent(&[&by_caller]).0.contains("s3cret"));
    site.conf(&conf);
    let by_caller = format!("--setopt=varsdir={shown}");
    assert!(sent(&[&by_caller]).0.contains("s3cret"));
    // A header.
    section(&format!("\nauth_header_file={shown}/token"));
    let (seen, run) = sent(&[]);
    assert!(!seen.contains("s3cret"), "{seen}");
    assert!(run.err.contains(&*inside.to_string_lossy()), "{run:?}");
    fs::create_dir_all(&inside).unwrap();
    symlink(outside.join("token"), inside.join("token")).unwrap();
    assert!(!sent(&[]).0.contains("s3cret"));
    fs::remove_file(inside.join("token")).unwrap();
    fs::write(inside.join("token"), "X-Token:of-the-image\n").unwrap();
    assert!(sent(&[]).0.contains("of-the-image"));
    let by_caller = format!("--setopt=evil.auth_header_file={shown}/token");
    assert!(sent(&[&by_caller]).0.contains("s3cret"));
    // Certificate and key.
    let keys = format!("sslclientcert={shown}/pem\nsslclientkey={shown}/pem");
    let url = "https://127.0.0.1:9/";
    site.write_repo(
        "evil",
        &format!("[evil]\nenabled=1\nretries=0\nbaseurl={url}\n{keys}\n"),
    );
    fs::write(outside.join("pem"), "").unwrap();
    let run = sent(&[]).1.failed();
    assert!(
        run.err.contains(&*inside.join("pem").to_string_lossy()),
        "{run:?}"
    );
    // A folder of `.repo` files of this machine.
    fs::write(
        outside.join("host.repo"),
        format!(
            "[host]\nname=h\nbaseurl={}host/\nenabled=1\n",
            server.url("/")
        ),
    )
    .unwrap();
    site.conf(&format!("{conf}\nrepodir={shown}\n"));
    assert!(!sent(&[]).0.contains("host/"));
}
