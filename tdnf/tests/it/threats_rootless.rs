//! docs/threats.md, row 68, special files, and roots that are made without root's rights: in a user namespace
//! in which only one user and one group have numbers.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::program::{self, Run, ok};
use testkit::spec::Spec;
use testkit::stage::Stage;

use testkit::{fixtures, tree};

use crate::interop_lab::{program, shell_site, unprivileged};

fn package(name: &str, install: &str, files: &str) -> PathBuf {
    Spec::new(name, "1")
        .install("mkdir -p %{buildroot}/opt")
        .install(install)
        .files(files)
        .build()
}

/// Devices, which rpmbuild makes up, and a named pipe.
fn specials() -> [PathBuf; 2] {
    let devices = "%dev(c,1,3) %attr(0666,root,root) /opt/null\n%dev(b,7,200) %attr(0640,root,root) /opt/disk\n\
                   %dev(c,10,255) %attr(0600,root,root) /opt/misc";
    let pipe = "mkfifo %{buildroot}/opt/pipe";
    [
        package("devices", "", devices),
        package("pipe", pipe, "%attr(0622,root,root) /opt/pipe"),
    ]
}

/// As root: what the package says, also over what stands there, and away again.
#[test]
fn row_68_special_files() {
    if unprivileged() {
        return;
    }
    let site = shell_site(&specials());
    // A socket and a link in the way are replaced, not written to.
    fs::create_dir_all(site.root.join("opt")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(site.root.join("opt/pipe")).unwrap());
    std::os::unix::fs::symlink("/dev/full", site.root.join("opt/null")).unwrap();
    site.ok(&["install", "-y", "devices", "pipe"]);
    let look = |name: &str| fs::symlink_metadata(site.root.join(&format!("opt/{name}"))).unwrap();
    let number = |major, minor| rustix::fs::makedev(major, minor);
    for (name, device, block, mode) in [
        ("null", number(1, 3), false, 0o666),
        ("disk", number(7, 200), true, 0o640),
        ("misc", number(10, 255), false, 0o600),
    ] {
        let meta = look(name);
        let kind = meta.file_type();
        assert_eq!(
            (kind.is_char_device(), kind.is_block_device()),
            (!block, block),
            "{name}"
        );
        assert_eq!(
            (meta.rdev(), meta.mode() & 0o7777),
            (device, mode),
            "{name}"
        );
    }
    assert!(look("pipe").file_type().is_fifo());
    site.rpm().verify();
    site.ok(&["reinstall", "-y", "devices", "pipe"]);
    site.rpm().verify();
    site.ok(&["erase", "-y", "devices", "pipe"]);
    assert!(!site.root.join("opt/null").exists() && !site.root.join("opt/pipe").exists());
}

/// A folder of the user nobody with a root in it, the program, and a repository.
struct Rootless {
    stage: Stage,
}

const NOBODY: u32 = 65534;

/// What runs as root of a namespace that nobody made, who is nobody outside; the program is to be added.
pub(crate) fn in_namespace() -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "unshare",
        "-Ur",
    ]);
    command
}

impl Rootless {
    /// None where the kernel lets users make no namespaces.
    fn new(packages: &[PathBuf]) -> Option<Rootless> {
        let stage = Stage::with_conf("[main]\n");
        let rootless = Rootless { stage };
        let root = rootless.stage.root.path();
        rootless.stage.add_repo("test", packages);
        fs::copy(program(), rootless.stage.path("tdnf")).unwrap();
        fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
        ok(Command::new("chown").args(["-R", "65534:65534"]).arg(root));
        let possible = rootless.inside(Path::new("/bin/true"), &[]);
        if !possible.success() {
            fixtures::skipped(&format!("no user namespaces: {}", possible.text()));
            return None;
        }
        Some(rootless)
    }

    fn root(&self) -> PathBuf {
        self.stage.path("root")
    }

    fn inside(&self, program: &Path, words: &[&str]) -> Run {
        let mut command = in_namespace();
        command.arg(program).args(words);
        command
            .current_dir("/")
            .env_remove("HOME")
            .stdin(Stdio::null());
        program::run(&mut command)
    }

    fn tdnf(&self, words: &[&str]) -> Run {
        let root = self.root();
        let first = [
            "--installroot",
            root.to_str().unwrap(),
            "--releasever",
            "12",
        ];
        self.inside(&self.stage.path("tdnf"), &[&first[..], words].concat())
    }

    fn installed(&self) -> String {
        self.stage.rpm().ok(&["-qa", "--qf", "%{NAME}\\n"])
    }
}

/// A root of root's own files, with scriptlets, set-id bits and capabilities, needs no more than the namespace.
#[test]
fn a_root_is_installed_in_a_user_namespace() {
    if unprivileged() {
        return;
    }
    let install = "cd %{buildroot}/opt; for f in plain suid caps conf; do echo $f > $f; done; ln plain hard; \
                   ln -s plain link; mkdir dir; echo x > dir/x; mkfifo pipe";
    let files = "/opt/plain\n/opt/hard\n/opt/link\n/opt/dir\n%attr(4755,root,root) /opt/suid\n\
                 %caps(cap_net_raw=ep) /opt/caps\n%config /opt/conf\n/opt/pipe\n\
                 %post -p <lua>\nposix.mkdir('/made')\n%preun -p <lua>\nposix.rmdir('/made')";
    let Some(rootless) = Rootless::new(&[package("own", install, files)]) else {
        return;
    };
    let output = rootless.tdnf(&["install", "-y", "own"]);
    assert!(output.success(), "{}", output.text());
    let root = rootless.root();
    assert_eq!(rootless.installed(), "own\n");
    let look = |name: &str| fs::symlink_metadata(root.join(name)).unwrap();
    for name in [
        "opt/plain",
        "opt/dir/x",
        "opt/link",
        "opt/pipe",
        "var/lib/rpm/rpmdb.sqlite",
        "made",
    ] {
        assert_eq!(look(name).uid(), NOBODY, "{name}");
    }
    assert_eq!(look("opt/suid").mode() & 0o7777, 0o4755);
    let caps = tree::read(&root.join("opt"), &|_| false);
    assert!(
        caps[Path::new("caps")]
            .attributes
            .contains_key("security.capability")
    );
    // Seen from inside, rpm finds nothing wrong.
    let dbpath = root.to_str().unwrap();
    let verified = rootless.inside(
        Path::new("/usr/bin/rpm"),
        &[
            "--root",
            dbpath,
            "--dbpath",
            "/var/lib/rpm",
            "-Va",
            "--define",
            "_db_backend sqlite",
        ],
    );
    assert_eq!(verified.text(), "");
    assert!(verified.success());
    let output = rootless.tdnf(&["erase", "-y", "own"]);
    assert!(output.success(), "{}", output.text());
    assert_eq!(rootless.installed(), "");
    assert!(!root.join("opt/plain").exists() && !root.join("made").exists());
}

/// What the namespace cannot have - another owner, a device - stops the transaction, as it stops rpm; here the old
/// system stays, and the way out is told.
#[test]
fn row_68_what_a_user_namespace_cannot_have() {
    if unprivileged() {
        return;
    }
    let [devices, _] = specials();
    let passwd = "mkdir %{buildroot}/etc; echo root:x:0:0::/: > %{buildroot}/etc/passwd; \
                  echo news:x:9:9::/: >> %{buildroot}/etc/passwd; echo root:x:0: > %{buildroot}/etc/group; \
                  echo news:x:9: >> %{buildroot}/etc/group";
    let users = package("users", passwd, "/etc/passwd\n/etc/group");
    let owned = package(
        "owned",
        "echo x > %{buildroot}/opt/x",
        "%attr(0644,news,news) /opt/x",
    );
    let folder = package(
        "folder",
        "mkdir %{buildroot}/opt/d",
        "%dir %attr(0755,news,news) /opt/d",
    );
    let Some(rootless) = Rootless::new(&[devices, users, owned, folder]) else {
        return;
    };
    assert!(rootless.tdnf(&["install", "-y", "users"]).success());
    let root = rootless.root();
    let dir = root.join("opt");
    let there = |_: &Path| false;
    let before = tree::read(&root.join("etc"), &there);
    for (name, path, hint) in [
        (
            "devices",
            "/opt/",
            "device files cannot be made in a user namespace",
        ),
        ("owned", "/opt/x", "has no number in this user namespace"),
        ("folder", "/opt/d", "has no number in this user namespace"),
    ] {
        let output = rootless.tdnf(&["install", "-y", name]);
        let said = output.text();
        assert!(!output.success(), "{name}: {said}");
        assert!(said.contains(path) && said.contains(hint), "{name}: {said}");
        assert_eq!(rootless.installed(), "users\n", "{name}");
        assert!(
            !dir.exists() || fs::read_dir(&dir).unwrap().next().is_none(),
            "{name}"
        );
        assert!(tree::differences(&tree::read(&root.join("etc"), &there), &before).is_empty());
        // So does rpm, after half of it.
        let file = fs::read_dir(rootless.stage.www().join("test"))
            .unwrap()
            .flatten();
        let mut file = file.filter(|f| {
            f.file_name()
                .to_string_lossy()
                .starts_with(&format!("{name}-"))
        });
        let file = file.next().unwrap().path();
        let copy = tempfile::tempdir().unwrap();
        fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = copy.path().join("root");
        tree::copy(&root, &place);
        let words = [
            "--root",
            place.to_str().unwrap(),
            "--dbpath",
            "/var/lib/rpm",
            "--nodeps",
            "-i",
        ];
        let rpm = rootless.inside(
            Path::new("/usr/bin/rpm"),
            &[
                &words[..],
                &["--define", "_db_backend sqlite", file.to_str().unwrap()],
            ]
            .concat(),
        );
        assert!(!rpm.success(), "{name}: rpm installs it: {}", rpm.text());
    }
}
