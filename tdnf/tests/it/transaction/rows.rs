//! docs/threats.md, rows 67 and 73, against the real rpm.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::random::random_transactions;
use super::*;
use crate::scene_rpm::{Item, RpmFile};

/// Hard link sets over several directories, with members that are left out; holes; capabilities; set-id bits; times
/// before 1970 and after 2038 do not fit a header, the ends of what does; empty and large files.
fn traits(version: &str, big: &str) -> PathBuf {
    let install = format!(
        "mkdir -p %{{buildroot}}/opt/t/a %{{buildroot}}/opt/t/b %{{buildroot}}/var/t\ncd %{{buildroot}}/opt/t\n\
         echo set-{version} > a/one; for n in a/two b/three b/four ../../var/t/five doc; do ln a/one $n; done\n\
         : > a/none; ln a/none b/none\n\
         truncate -s {big} a/sparse; echo end >> a/sparse\n\
         head -c 3000000 /dev/zero | tr '\\0' {version} > a/large\n\
         for f in caps both suid sgid sticky old new; do echo $f > b/$f; done\n\
         touch -d @0 b/old; touch -d @4294967294 b/new; mkfifo unused; rm unused\n\
         ln -s $(yes l | head -400 | tr '\\n' /)x a/long"
    );
    let rest = "%files\n%dir /opt/t\n%dir /opt/t/a\n%dir /opt/t/b\n/opt/t/a/one\n/opt/t/a/two\n/opt/t/a/none\n\
                /opt/t/b/none\n/opt/t/b/three\n%config(noreplace) /opt/t/b/four\n/var/t/five\n%doc /opt/t/doc\n\
                /opt/t/a/sparse\n/opt/t/a/large\n/opt/t/a/long\n%caps(cap_net_raw,cap_net_admin=eip) /opt/t/b/caps\n\
                %attr(4711,bin,users) %caps(cap_chown=p) /opt/t/b/both\n%attr(4755,bin,root) /opt/t/b/suid\n\
                %attr(2755,root,users) /opt/t/b/sgid\n%attr(1644,root,root) /opt/t/b/sticky\n/opt/t/b/old\n\
                /opt/t/b/new\n";
    build("traits", version, "", &install, rest)
}

/// IMA and fs-verity signatures, which are kept in the database and set by nobody here.
fn signed(file: &Path, dir: &Path) -> PathBuf {
    let mut package = RpmFile::read(file);
    let count = {
        let package = rpm_pkg::package::Package::open(File::open(file).unwrap()).unwrap();
        rpm_pkg::files::FileList::from_header(&package.header)
            .unwrap()
            .len()
    };
    let signatures = vec!["0302045678abcd"; count];
    for item in [Item::texts(274, &signatures), Item::number(275, 7)] {
        crate::scene_rpm::replace(&mut package.signature, item);
    }
    let path = dir.join(file.file_name().unwrap());
    fs::write(&path, package.sealed().bytes()).unwrap();
    path
}

fn accounts(pair: &Pair) {
    pair.each(|root| {
        root.write(
            "etc/passwd",
            "root:x:0:0::/:/bin/sh\nbin:x:7:8::/:/bin/sh\n",
        );
        root.write("etc/group", "root:x:0:\nusers:x:100:\n");
    });
}

fn same_with_rpm(big: &str) {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["1", "2"].map(|version| signed(&traits(version, big), dir.path()));
    let pair = Pair::new();
    accounts(&pair);
    pair.same(&[Ask::Upgrade(&one)]);
    let linked = |name: &str| fs::metadata(pair.ours.join(name)).unwrap();
    assert_eq!(linked("opt/t/a/one").ino(), linked("var/t/five").ino());
    assert_eq!(linked("opt/t/a/one").nlink(), 6);
    pair.same(&[Ask::Upgrade(&two)]);
    pair.each(|root| {
        // A changed member of a set, and one that is its own file now.
        fs::remove_file(root.join("opt/t/b/four")).unwrap();
        root.write("opt/t/b/four", "edited\n");
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW);
        let file = File::options()
            .write(true)
            .open(root.join("opt/t/b/four"))
            .unwrap();
        file.set_modified(time).unwrap();
    });
    pair.same(&[Ask::Upgrade(&one)]);
    pair.same(&[Ask::Upgrade(&one)]);
    pair.same(&[Ask::Erase("traits")]);
}

#[test]
fn row_67_hard_links_holes_capabilities_signatures() {
    if !unprivileged() {
        same_with_rpm("20M");
    }
}

/// More than 4 GiB, which another tag and another form of the payload are for. Some minutes, so it runs with the other
/// long ones only (`TDNF_GENERATIONS=all`).
#[test]
fn row_67_a_file_of_more_than_4_gib() {
    if unprivileged() || !everything() {
        return;
    }
    same_with_rpm("4300M");
}

/// Are the long runs wanted?
pub(super) fn everything() -> bool {
    std::env::var_os("TDNF_GENERATIONS").is_some_and(|word| word == "all")
}

/// What others read in the database of a root.
const LIBDNF: &str = "
import dnf, sys
base = dnf.Base()
base.conf.installroot = sys.argv[1]
base.conf.cachedir = sys.argv[2]
base.conf.persistdir = sys.argv[2]
base.fill_sack(load_system_repo=True, load_available_repos=False)
for package in sorted(base.sack.query().installed(), key=str):
    print(package, len(package.files), sorted(map(str, package.requires)))
";

/// Everything that readers of the database say of a root, in one text.
fn readers(root: &Sandbox) -> String {
    let rpm = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command.arg("--root").arg(root.path());
        command.args(["--dbpath", "/var/lib/rpm", "--define", "_db_backend sqlite"]);
        let output = command
            .args(words)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        format!(
            "{program} {words:?}: {}\n{}{err}",
            output.status,
            String::from_utf8_lossy(&output.stdout)
        )
    };
    // Debian's rpm looks for the database elsewhere; of a user's file it takes the place.
    let cache = tempfile::tempdir().unwrap();
    fs::write(
        cache.path().join(".rpmmacros"),
        "%_dbpath /var/lib/rpm\n%_db_backend sqlite\n",
    )
    .unwrap();
    let output = Command::new("/usr/bin/python3")
        .args(["-c", LIBDNF])
        .arg(root.path())
        .arg(cache.path())
        .env("HOME", cache.path())
        .output()
        .unwrap();
    let libdnf = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "libdnf: {err}");
    let all = "%{NEVRA} [%{FILENAMES} ][%{REQUIRENEVRS} ][%{PROVIDENEVRS} ]\\n";
    [
        rpm("rpm", &["-Va", "--nodeps"]),
        rpm("rpm", &["-qa", "--qf", all]),
        rpm("rpm", &["-qa", "--state", "--list"]),
        rpm("rpmdb", &["--verifydb"]),
        libdnf,
    ]
    .join("\n")
}

/// After each transaction rpm, rpmdb and libdnf read in our root what they read in rpm's.
fn read_alike(run: u64, steps: usize) {
    if unprivileged() {
        return;
    }
    let pair = Pair::new();
    let mut read = 0;
    random_transactions(run, steps, &pair, &mut |pair| {
        let (ours, theirs) = (readers(&pair.ours), readers(&pair.rpm));
        let sorted = |text: &str| -> Vec<String> {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&ours), sorted(&theirs));
        assert!(
            ours.contains("rpmdb [\"--verifydb\"]: exit status: 0"),
            "{ours}"
        );
        read += 1;
    });
    println!("{read} transactions read alike by rpm -Va, rpm -qa, rpmdb --verifydb and libdnf");
    assert_eq!(read, steps);
}

/// 200 with `TDNF_GENERATIONS=all`.
#[test]
fn row_73_rpm_interop_1() {
    read_alike(73, if everything() { 100 } else { 10 });
}

#[test]
fn row_73_rpm_interop_2() {
    read_alike(74, if everything() { 100 } else { 10 });
}
