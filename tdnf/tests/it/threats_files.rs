//! docs/threats.md, rows 60 to 64: packages whose files point elsewhere, roots that do,
//! and names that somebody else has taken.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::program::{self, ok};
use testkit::rpm::Rpm;
use testkit::spec::Spec;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use testkit::{rpmdb, tree};

use crate::interop_lab::{Site, database, program, unprivileged};

/// A package with two files whose names have the same length, and a payload as it is.
fn victim() -> PathBuf {
    let (first, other) = ("/opt/v/aaaaaaaaaaaaaaaa", "/opt/v/bbbbbbbbbbbbbbbb");
    Spec::new("victim", "1")
        .define("_binary_payload w.ufdio")
        .file(first, "first")
        .file(other, "other")
        .build()
}

const A: &[u8] = b"./opt/v/aaaaaaaaaaaaaaaa";
const B: &[u8] = b"./opt/v/bbbbbbbbbbbbbbbb";
/// Bytes before the name in a cpio entry; where its file size and name size stand.
const CPIO_HEAD: usize = 110;
const CPIO_SIZE: usize = 54;
const CPIO_NAME_SIZE: usize = 94;

/// The parts of a package file that are changed here.
struct Parts {
    signature: Vec<u8>,
    main: Vec<u8>,
    payload: Vec<u8>,
}

fn digest(algo: DigestAlgo, parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = Hasher::new(algo);
    parts.iter().for_each(|part| hasher.update(part));
    let hex = hasher.finish().hex();
    hex.into_bytes()
}

fn unhex(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

fn be32(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    let found = bytes.windows(what.len()).position(|window| window == what);
    found.unwrap_or_else(|| panic!("{} is not there", String::from_utf8_lossy(what)))
}

/// Replaces every occurrence by as many bytes.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let mut at = find(bytes, old);
    loop {
        bytes[at..at + old.len()].copy_from_slice(new);
        match bytes[at..].windows(old.len()).position(|w| w == old) {
            Some(next) => at += next,
            None => break,
        }
    }
}

/// The length of a header that begins at `at`, with its magic.
fn header_length(bytes: &[u8], at: usize) -> usize {
    16 + 16 * be32(bytes, at + 8) + be32(bytes, at + 12)
}

/// Writes a 32-bit number behind a tag of a header.
fn set_number(header: &mut [u8], tag: usize, value: usize) {
    let entries = be32(header, 8);
    let entry = (0..entries)
        .map(|n| 16 + 16 * n)
        .find(|at| be32(header, *at) == tag);
    let at = 16 + 16 * entries + be32(header, entry.expect("the tag is there") + 8);
    header[at..at + 4].copy_from_slice(&u32::try_from(value).unwrap().to_be_bytes());
}

/// Builds a changed `victim`: every digest and size is right again, as an attacker would have it.
fn crafted(change: impl FnOnce(&mut Parts)) -> PathBuf {
    let file = fs::read(victim()).unwrap();
    let main_at = 96 + header_length(&file, 96).next_multiple_of(8);
    let payload_at = main_at + header_length(&file, main_at);
    let mut parts = Parts {
        signature: file[96..main_at].to_vec(),
        main: file[main_at..payload_at].to_vec(),
        payload: file[payload_at..].to_vec(),
    };
    let of = |parts: &Parts| {
        [
            digest(DigestAlgo::Sha256, &[&parts.payload]),
            digest(DigestAlgo::Sha256, &[&parts.main]),
            digest(DigestAlgo::Sha1, &[&parts.main]),
            unhex(&digest(DigestAlgo::Md5, &[&parts.main, &parts.payload])),
        ]
    };
    let old = of(&parts);
    change(&mut parts);
    let payload = digest(DigestAlgo::Sha256, &[&parts.payload]);
    replace(&mut parts.main, &old[0], &payload);
    let new = of(&parts);
    for (old, new) in old.iter().zip(&new).skip(1) {
        replace(&mut parts.signature, old, new);
    }
    set_number(
        &mut parts.signature,
        1000,
        parts.main.len() + parts.payload.len(),
    );
    set_number(&mut parts.signature, 1007, parts.payload.len());
    let dir = tempfile::tempdir_in(testkit::fixtures::cache_dir()).unwrap();
    let path = dir.keep().join("victim-1-1.noarch.rpm");
    fs::write(
        &path,
        [&file[..96], &parts.signature, &parts.main, &parts.payload].concat(),
    )
    .unwrap();
    path
}

/// Where an entry of the payload begins.
fn entry(payload: &[u8], name: &[u8]) -> usize {
    find(payload, name) - CPIO_HEAD
}

type State = (BTreeMap<PathBuf, tree::Entry>, rpmdb::Dump);

/// Files and rows of a root but for cache and lock.
fn state(site: &Site) -> State {
    let own = |path: &Path| path == Path::new("var/cache") || path == Path::new("var/lib/tdnf");
    let mut tree = tree::read(site.root.path(), &own);
    tree.retain(|path, _| {
        !path.starts_with("var/lib/rpm") && path != Path::new("var") && path != Path::new("var/lib")
    });
    let file = database(site.root.path());
    let rows = if file.exists() {
        rpmdb::dump(&file, &[])
    } else {
        rpmdb::Dump::new()
    };
    (tree, rows)
}

/// A site with `chain` installed and the crafted package in its repository.
fn site_with(package: &Path) -> Site {
    let site = Site::small();
    site.ok(&["install", "-y", "chain"]);
    site.add_repo("crafted", &[package.to_owned()]);
    site
}

/// The package must be refused in few words that hold `says`; nothing may have changed.
#[track_caller]
fn must_refuse(what: &str, package: &Path, says: &[&str]) {
    // As dangerous as possible: no digest saves us.
    let rpm = Rpm::of_files().run(&["-K".as_ref(), "--nosignature".as_ref(), package.as_os_str()]);
    assert!(rpm.success(), "{what}: the digests must be right");
    let site = site_with(package);
    let before = state(&site);
    let (err, code) = site.refused(&["install", "-y", "victim"]);
    assert!(
        says.iter().any(|word| err.contains(word)),
        "{what}: {code}\n{err}"
    );
    assert!(
        err.lines().count() <= 4,
        "{what}: more than a clear line:\n{err}"
    );
    assert!(!err.contains("panicked"), "{what}: {err}");
    let after = state(&site);
    let trees = tree::differences(&after.0, &before.0);
    assert!(
        trees.is_empty(),
        "{what}: after left, before right: {trees:#?}"
    );
    let rows = rpmdb::differences(&after.1, &before.1);
    assert!(rows.is_empty(), "{what}: {rows:#?}");
    let _ = fs::remove_dir_all(package.parent().unwrap());
}

#[test]
fn row_60_cpio_dotdot_absolute_unlisted() {
    if unprivileged() {
        return;
    }
    let outside = Path::new("/tmp/evil-aaaa");
    for (what, name) in [
        ("dotdot", &b"./../../../tmp/evil-aaaa"[..]),
        ("bare dotdot", b"../../../../tmp/evil-aaa"),
        ("absolute", b"//tmp/evil-aaaaaaaaaaaaa"),
        ("unlisted", b"./opt/v/cccccccccccccccc"),
        ("unlisted elsewhere", b"./etc/tdnf/tdnf.conf.new"),
    ] {
        let package = crafted(|parts| replace(&mut parts.payload, A, name));
        must_refuse(what, &package, &["victim"]);
        assert!(!outside.exists(), "{what}");
    }
}

#[test]
fn row_60_dotdot_in_the_header() {
    if unprivileged() {
        return;
    }
    for (what, header, payload) in [
        (
            "folder",
            (&b"\0/opt/v/\0"[..], &b"\0/../ab/\0"[..]),
            (&b"./opt/v/"[..], &b"./../ab/"[..]),
        ),
        (
            "relative folder",
            (b"\0/opt/v/\0", b"\0../../x\0"),
            (b"./opt/v/", b"./../../"),
        ),
        (
            "name",
            (b"\0aaaaaaaaaaaaaaaa\0", b"\0../../etc/aaaaaa\0"),
            (A, b"./opt/v/../../etc/aaaaaa"),
        ),
        (
            "dots as name",
            (b"\0aaaaaaaaaaaaaaaa\0", b"\0..\0aaaaaaaaaaaaa\0"),
            (A, b"./opt/v/..\0aaaaaaaaaaaaa"),
        ),
    ] {
        let package = crafted(|parts| {
            // DIRNAMES begins its own array: the byte before belongs to another tag.
            let at = find(&parts.main, &header.0[1..]);
            parts.main[at..at + header.1.len() - 1].copy_from_slice(&header.1[1..]);
            replace(&mut parts.payload, payload.0, payload.1);
        });
        must_refuse(what, &package, &["victim"]);
    }
}

#[test]
fn row_64_cpio_limits() {
    if unprivileged() {
        return;
    }
    let number = |parts: &mut Parts, field: usize, text: &[u8; 8]| {
        let at = entry(&parts.payload, A) + field;
        parts.payload[at..at + 8].copy_from_slice(text);
    };
    type Change = Box<dyn Fn(&mut Parts)>;
    let changes: Vec<(&str, Change)> = vec![
        (
            "name of 8 kB",
            Box::new(move |p| number(p, CPIO_NAME_SIZE, b"00002000")),
        ),
        (
            "name of 4 GB",
            Box::new(move |p| number(p, CPIO_NAME_SIZE, b"ffffffff")),
        ),
        (
            "no name",
            Box::new(move |p| number(p, CPIO_NAME_SIZE, b"00000000")),
        ),
        (
            "one byte less",
            Box::new(move |p| number(p, CPIO_SIZE, b"00000005")),
        ),
        (
            "one byte more",
            Box::new(move |p| number(p, CPIO_SIZE, b"00000007")),
        ),
        ("4 GB", Box::new(move |p| number(p, CPIO_SIZE, b"ffffffff"))),
        (
            "not a number",
            Box::new(move |p| number(p, CPIO_SIZE, b"0000zz06")),
        ),
        ("duplicate", Box::new(|p| replace(&mut p.payload, B, A))),
        (
            "no trailer",
            Box::new(|p| {
                let end = entry(&p.payload, b"TRAILER!!!");
                p.payload.truncate(end);
            }),
        ),
        (
            "cut",
            Box::new(|p| {
                let end = entry(&p.payload, B) + CPIO_HEAD + 4;
                p.payload.truncate(end);
            }),
        ),
        ("empty", Box::new(|p| p.payload.clear())),
        (
            "one entry missing",
            Box::new(|p| {
                let range = entry(&p.payload, A)..entry(&p.payload, B);
                p.payload.drain(range);
            }),
        ),
        (
            "more entries than the header has",
            Box::new(|p| {
                let (first, second) = (entry(&p.payload, A), entry(&p.payload, B));
                let mut extra = p.payload[first..second].to_vec();
                replace(&mut extra, A, b"./opt/v/cccccccccccccccc");
                let end = entry(&p.payload, b"TRAILER!!!");
                p.payload.splice(end..end, extra);
            }),
        ),
    ];
    for (what, change) in changes {
        must_refuse(what, &crafted(change), &["victim"]);
    }
}

/// A folder of the host that no transaction below a root may reach.
const OUTSIDE: &str = "/tmp/tdnf-row-outside";

fn outside(name: &str) -> PathBuf {
    let dir = Path::new(OUTSIDE).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

#[track_caller]
fn untouched(dir: &Path) {
    let inside: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    assert!(inside.is_empty(), "escaped from the root: {inside:?}");
}

fn package(name: &str, install: &str, files: &str) -> PathBuf {
    Spec::new(name, "1")
        .install("mkdir -p %{buildroot}/opt")
        .install(install)
        .files(files)
        .build()
}

#[test]
fn row_61_symlink_then_file() {
    if unprivileged() {
        return;
    }
    let host = outside("61");
    // Two packages, one after the other: the link of the first is followed inside the root.
    let link = package(
        "link",
        &format!("ln -s {} %{{buildroot}}/opt/d", host.display()),
        "/opt/d",
    );
    let file = package(
        "through",
        "mkdir -p %{buildroot}/opt/d\necho evil > %{buildroot}/opt/d/x",
        "/opt/d/x",
    );
    let fresh = || {
        let site = Site::new("");
        site.add_repo("plain", &[link.clone(), file.clone()]);
        site
    };
    let site = fresh();
    site.ok(&["install", "-y", "link"]);
    // The target stands in the root, too: following it must end there.
    fs::create_dir_all(site.root.join(host.to_str().unwrap())).unwrap();
    let output = site.run(&["install", "-y", "through"]);
    untouched(&host);
    if output.success() {
        let landed = site.root.join(host.to_str().unwrap()).join("x");
        assert_eq!(fs::read_to_string(landed).unwrap(), "evil\n");
        site.rpm().verify();
        site.ok(&["erase", "-y", "through"]);
    }
    // Both in one transaction, and without the folder in the root.
    for before in [false, true] {
        let site = fresh();
        if before {
            site.ok(&["install", "-y", "through"]);
        }
        let _ = site.run(&["install", "-y", "link", "through"]);
        untouched(&host);
    }
}

#[test]
fn row_61_symlink_then_file_in_one_package() {
    if unprivileged() {
        return;
    }
    // /opt/v/aaaaaaaaaaaaaaaa is a link out; the other file is said to stand below it.
    let host = outside("6");
    let spec = Spec::new("victim", "1")
        .install(&format!(
            "mkdir -p %{{buildroot}}/opt\nln -s {} %{{buildroot}}/opt/d",
            host.display()
        ))
        .file("/opt/e/x", "evil")
        .files("/opt/d");
    let file = fs::read(spec.build()).unwrap();
    let mut main_at = 96 + header_length(&file, 96);
    main_at = main_at.next_multiple_of(8);
    let payload_at = main_at + header_length(&file, main_at);
    let mut main = file[main_at..payload_at].to_vec();
    let (sha256, sha1) = (
        digest(DigestAlgo::Sha256, &[&main]),
        digest(DigestAlgo::Sha1, &[&main]),
    );
    let md5 = unhex(&digest(DigestAlgo::Md5, &[&main, &file[payload_at..]]));
    replace(&mut main, b"\0/opt/e/\0", b"\0/opt/d/\0");
    let mut signature = file[96..main_at].to_vec();
    replace(
        &mut signature,
        &sha256,
        &digest(DigestAlgo::Sha256, &[&main]),
    );
    replace(&mut signature, &sha1, &digest(DigestAlgo::Sha1, &[&main]));
    replace(
        &mut signature,
        &md5,
        &unhex(&digest(DigestAlgo::Md5, &[&main, &file[payload_at..]])),
    );
    let dir = tempfile::tempdir_in(testkit::fixtures::cache_dir()).unwrap();
    let path = dir.path().join("victim-1-1.noarch.rpm");
    fs::write(
        &path,
        [&file[..96], &signature, &main, &file[payload_at..]].concat(),
    )
    .unwrap();
    let site = site_with(&path);
    // The payload still says ./opt/e/x: refused; nothing is written through the link either way.
    let before = state(&site);
    let (err, _) = site.refused(&["install", "-y", "victim"]);
    assert!(err.contains("victim"), "{err}");
    let trees = tree::differences(&state(&site).0, &before.0);
    assert!(trees.is_empty(), "after left, before right: {trees:#?}");
    untouched(&host);
}

#[test]
fn row_62_installroot_escape() {
    if unprivileged() {
        return;
    }
    let host = outside("62");
    let link = |site: &Site, path: &str, target: &Path| {
        let path = site.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    let site = Site::small();
    for (path, name) in [
        ("usr/share", "share"),
        ("var/lib/rpm", "db"),
        ("var/cache/tdnf", "cache"),
        ("var/lib/tdnf", "state"),
        ("var/log", "log"),
        ("var/tmp", "tmp"),
    ] {
        let target = host.join(name);
        fs::create_dir_all(site.root.join(target.to_str().unwrap())).unwrap();
        link(&site, path, &target);
    }
    link(&site, "usr/lib", Path::new("/"));
    site.ok(&["install", "-y", "tiny-shell"]);
    site.ok(&["install", "-y", "logged-1-1", "chain-1-1"]);
    untouched(&host);
    let inside = |name: &str| site.root.join(host.join(name).to_str().unwrap());
    assert!(inside("share/small/chain").is_file());
    assert!(inside("db/rpmdb.sqlite").is_file());
    assert!(site.listed().contains("chain-1-1.noarch"));
    site.ok(&["upgrade", "-y", "chain"]);
    site.ok(&["erase", "-y", "logged"]);
    untouched(&host);
    // rpm opens the database before it enters the root: it must be told where the link leads.
    let all = site.rpm().with_db(&host.join("db")).ok(&["-qa"]);
    assert!(
        all.contains("chain-3-1") && !all.contains("logged"),
        "{all}"
    );
}

#[test]
fn row_63_preplanted_temp() {
    if unprivileged() {
        return;
    }
    let host = outside("63");
    let prey = host.join("prey");
    fs::write(&prey, "precious\n").unwrap();
    let site = Site::small();
    site.ok(&["install", "-y", "tiny-shell", "chain-1-1"]);
    // What is written is watched; the names of one run are planted for the next.
    let seen = |words: &[&str]| -> Vec<String> {
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-s",
            "4096",
            "-e",
            "trace=openat,openat2,mkdirat,renameat2,linkat,symlinkat",
        ]);
        command
            .arg(program())
            .arg("--installroot")
            .arg(site.root.path());
        let output = program::run(command.args(["--releasever", "12"]).args(words));
        let text = &output.err;
        assert!(output.success(), "{text}");
        let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
        // What stands in directories of our own has its name for good.
        let ours = ["/var/lib/tdnf/", "/var/lib/rpm/", "/var/cache/tdnf/"];
        let ours = |name: &String| ours.iter().any(|dir| name.contains(dir));
        let temporary = |name: &String| {
            !ours(name) && name.contains("tmp") && !name.ends_with("tmp")
                || name.contains(".tdnf-stage")
        };
        let calls = text
            .lines()
            .filter(|line| line.contains("CREAT") || line.contains("mkdirat"));
        calls.filter_map(quoted).filter(temporary).collect()
    };
    let first = seen(&["install", "-y", "logged-1-1", "config-1-1"]);
    assert!(
        !first.is_empty(),
        "nothing temporary was seen: the test is blind"
    );
    for (number, name) in first.iter().enumerate() {
        let base = Path::new(name).file_name().unwrap();
        for dir in ["", "usr", "usr/share/small", "etc", "var/tmp", "tmp"] {
            let place = site.root.join(dir);
            fs::create_dir_all(&place).unwrap();
            let path = place.join(base);
            if path.symlink_metadata().is_ok() {
                continue;
            }
            match number % 3 {
                0 => std::os::unix::fs::symlink(&prey, &path).unwrap(),
                1 => drop(ok(Command::new("mkfifo").arg(&path))),
                _ => fs::write(&path, "planted\n").unwrap(),
            }
        }
    }
    let second = seen(&["update", "-y", "logged", "config", "chain"]);
    let again: Vec<_> = second
        .iter()
        .filter(|name| first.contains(name) && !name.ends_with(".sqlite"))
        .collect();
    assert_eq!(fs::read_to_string(&prey).unwrap(), "precious\n");
    assert!(again.is_empty(), "names that can be guessed: {again:?}");
    let log = site.root.read("var/log/small.log");
    assert!(log.contains("logged-3 post 2"), "{log}");
}
