//! A system in a folder, as the samples' was: the program is run in it by chroot, so that every
//! path is the one that the samples name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rpm_trust::sign::SigningKey;
use testkit::program::{self, Run};
use testkit::rpm::{createrepo, packages_in};
use testkit::tree;

use super::recipes;
use super::reference::Sample;
use crate::scene::new_key;
use crate::scene_rpm::RpmFile;

/// The address of the samples' server; each stage has its own.
const ADDRESS: &str = "localhost:8080";
/// Where the samples' repositories are on disk.
const BUILD: &str = "tdnftest/build/pytests/repo";
/// The configuration of the samples.
pub(super) const CONF: &str = "[main]\ngpgcheck=0\ninstallonly_limit=3\nclean_requirements_on_remove=true\n\
                               repodir=/etc/yum.repos.d\ncachedir=/var/cache/tdnf\n";

/// How the program is called for a sample.
#[derive(Debug, Clone, Default)]
pub(super) struct Call<'a> {
    /// The words behind the program's name, where the sample's line does not show them apart.
    pub(super) words: Option<&'a [&'a str]>,
    /// What is typed.
    pub(super) input: &'a str,
    /// Where it is started, `/` if empty.
    pub(super) dir: &'a str,
    /// Runs it as a user without rights.
    pub(super) unprivileged: bool,
}

/// A system, its repositories, and what the samples say of them.
pub(super) struct Stage {
    stage: testkit::stage::Stage,
    /// Sizes of package files by `name-version-release.arch`.
    pub(super) sizes: BTreeMap<String, u64>,
    /// Answers nothing: a port that nobody listens on.
    pub(super) closed: u16,
    /// The lock of the C program, while another process has it.
    pub(super) held: Option<fs::File>,
    /// Signs the packages of the test repository.
    pub(super) key: SigningKey,
}

impl std::ops::Deref for Stage {
    type Target = testkit::stage::Stage;

    fn deref(&self) -> &testkit::stage::Stage {
        &self.stage
    }
}

impl Stage {
    /// A system with the five stand-ins, the samples' configuration and its repositories served.
    pub(super) fn new() -> Self {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let closed = closed.local_addr().expect("it is bound").port();
        let mut stage = Self {
            stage: testkit::stage::Stage::serving("www"),
            sizes: BTreeMap::new(),
            closed,
            held: None,
            key: new_key("Test repository <repo@tests.invalid>"),
        };
        stage.make_root();
        stage.make_test_repo();
        stage.conf(CONF);
        stage.repo("photon-test", "name=basic\nbaseurl=http://localhost:8080/photon-test\n#metalink=http://localhost:8080/photon-test/metalink\ngpgkey=file:///etc/pki/rpm-gpg/VMWARE-RPM-GPG-KEY\ngpgcheck=0\nenabled=1\n");
        stage
    }

    fn make_root(&mut self) {
        let folders = [
            "bin",
            "dev",
            "etc/tdnf",
            "etc/yum.repos.d",
            "etc/pki/rpm-gpg",
            "proc",
            "root",
            "run",
            "tmp",
            "usr/bin",
            "usr/lib",
            "var/cache",
            "var/lib/rpm",
            "var/lib/tdnf",
            "var/tmp",
            "tdnftest/bin",
        ];
        for name in folders {
            fs::create_dir_all(self.root().join(name)).expect("ours");
        }
        for name in ["tmp", "var/tmp"] {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
            fs::set_permissions(self.root().join(name), open).expect("ours");
        }
        self.link("../run", "var/run");
        fs::copy("/usr/bin/busybox", self.root().join("bin/sh"))
            .expect("busybox-static is installed");
        let program = self.root().join("usr/bin/tdnf");
        let built = env!("CARGO_BIN_EXE_tdnf");
        if fs::hard_link(built, &program).is_err() {
            fs::copy(built, &program).expect("ours");
        }
        for name in [
            "tdnfj",
            "tdnf-config",
            "tdnf-automatic",
            "tdnf-history-util",
        ] {
            self.link("tdnf", &format!("usr/bin/{name}"));
        }
        self.link("/usr/bin/tdnf-automatic", "tdnftest/bin/tdnf-automatic");
        self.write("etc/os-release", "ID=debian\nVERSION_ID=12\n");
        self.write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\ntuser:x:1000:1000::/tmp:/bin/sh\n",
        );
        self.write("etc/group", "root:x:0:\ntuser:x:1000:\n");
        let other = new_key("Somebody else <else@tests.invalid>");
        let text = other.public_armored().expect("a key has a text");
        self.write("etc/pki/rpm-gpg/VMWARE-RPM-GPG-KEY", text);
        self.install(&recipes::stand_ins());
    }

    /// The signed packages of the test repository and its sources, served and on disk.
    fn make_test_repo(&mut self) {
        let home = self.root().join(BUILD).join("photon-test");
        for built in recipes::test_packages() {
            let name = built
                .file_name()
                .expect("a package has a name")
                .to_string_lossy()
                .into_owned();
            let arch = if name.ends_with(".noarch.rpm") {
                "noarch"
            } else {
                "x86_64"
            };
            let folder = home.join("RPMS").join(arch);
            fs::create_dir_all(&folder).expect("ours");
            fs::write(
                folder.join(&name),
                RpmFile::read(&built).signed(&self.key).bytes(),
            )
            .expect("ours");
        }
        fs::create_dir_all(home.join("keys")).expect("ours");
        fs::write(
            home.join("keys/pubkey.asc"),
            self.key.public_armored().expect("a key has a text"),
        )
        .expect("ours");
        createrepo::<&str>(&home, &[]);
        self.learn_sizes(&home);
        tree::copy(&home, &self.www("photon-test"));
    }

    /// Publishes files under `/NAME` on the server; `arrange` may change them before createrepo_c.
    pub(super) fn publish(&mut self, name: &str, packages: &[PathBuf]) {
        let dir = self.publish_files(name, packages);
        self.learn_sizes(&dir);
    }

    fn learn_sizes(&mut self, dir: &Path) {
        for package in packages_in(dir) {
            let name = package
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let size = fs::metadata(&package).expect("it is there").len();
            self.sizes.entry(name).or_insert(size);
        }
    }

    /// A package of the test repository by the beginning of its file's name.
    pub(super) fn package(&self, beginning: &str) -> PathBuf {
        let all = packages_in(&self.root().join(BUILD).join("photon-test"));
        let fits = |path: &&PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(beginning))
        };
        all.iter()
            .find(fits)
            .unwrap_or_else(|| panic!("no package {beginning}"))
            .clone()
    }

    pub(super) fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// A folder below what is served.
    pub(super) fn www(&self, name: &str) -> PathBuf {
        self.stage.www().join(name)
    }

    /// Writes a file of the system; the samples' address in it becomes this stage's.
    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("ours");
        let text = match std::str::from_utf8(text.as_ref()) {
            Ok(text) => self.here(text).into_bytes(),
            Err(_) => text.as_ref().to_vec(),
        };
        fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Removes a file or folder of the system if it is there.
    pub(super) fn remove(&self, path: &str) {
        let path = self.root().join(path);
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir_all(&path);
    }

    fn link(&self, to: &str, at: &str) {
        std::os::unix::fs::symlink(to, self.root().join(at)).expect("ours");
    }

    pub(super) fn conf(&self, text: &str) {
        self.write("etc/tdnf/tdnf.conf", text);
    }

    /// Writes the `.repo` file of one repository.
    pub(super) fn repo(&self, id: &str, lines: &str) {
        self.write(
            &format!("etc/yum.repos.d/{id}.repo"),
            format!("[{id}]\n{lines}"),
        );
    }

    pub(super) fn forget_repo(&self, id: &str) {
        self.remove(&format!("etc/yum.repos.d/{id}.repo"));
    }

    /// The samples' address in a text as this stage's.
    pub(super) fn here(&self, text: &str) -> String {
        let address = format!("127.0.0.1:{}", self.server.port());
        text.replace(ADDRESS, &address)
            .replace("localhost:8099", &address)
    }

    /// Installs files by the real rpm, without scripts.
    pub(super) fn install(&self, files: &[PathBuf]) {
        let mut words: Vec<String> = ["-i", "--nosignature", "--nodeps", "--noscripts"]
            .map(str::to_owned)
            .into();
        words.extend(files.iter().map(|file| file.to_string_lossy().into_owned()));
        self.rpm().ok(&words);
    }

    pub(super) fn erase(&self, names: &[&str]) {
        let words: Vec<&str> = ["-e", "--nodeps", "--noscripts"]
            .iter()
            .chain(names)
            .copied()
            .collect();
        self.rpm().ok(&words);
    }

    /// Runs our program as the sample ran the C program.
    pub(super) fn call(&self, sample: &Sample, call: &Call<'_>) -> Run {
        let shown: Vec<&str> = sample.command.split_whitespace().collect();
        let at = shown
            .iter()
            .position(|word| word.contains("tdnf"))
            .unwrap_or(0);
        let program = match shown[at].rsplit_once('/') {
            Some((_, "tdnf")) | None => format!(
                "/usr/bin/{}",
                shown[at].rsplit('/').next().unwrap_or("tdnf")
            ),
            Some(_) => shown[at].to_owned(),
        };
        let words = call
            .words
            .map_or_else(|| shown[at + 1..].to_vec(), <[&str]>::to_vec);
        let words: Vec<String> = words.iter().map(|word| self.here(word)).collect();
        self.run(&program, &words, call, sample.terminal)
    }

    /// Runs a program of the system with `/proc` and `/dev` there.
    pub(super) fn run(
        &self,
        program: &str,
        words: &[String],
        call: &Call<'_>,
        terminal: bool,
    ) -> Run {
        let dir = if call.dir.is_empty() { "/" } else { call.dir };
        let user = if call.unprivileged {
            "--userspec=1000:1000"
        } else {
            "--userspec=0:0"
        };
        let script = "mount --rbind /proc \"$1/proc\"; mount --rbind /dev \"$1/dev\"; \
                      root=$1; user=$2; dir=$3; shift 3; \
                      exec chroot \"$user\" \"$root\" /bin/sh -c 'cd \"$0\" && exec \"$@\"' \"$dir\" \"$@\"";
        let root = self.root().to_string_lossy().into_owned();
        let mut line = [
            "unshare", "-m", "sh", "-ec", script, "sh", &root, user, dir, program,
        ]
        .map(str::to_owned)
        .to_vec();
        line.extend_from_slice(words);
        if terminal {
            let quoted = line
                .iter()
                .map(|word| format!("'{}'", word.replace('\'', "'\\''")));
            let quoted: Vec<String> = quoted.collect();
            let shell = format!("stty cols 100 rows 40; exec {}", quoted.join(" "));
            line = ["script", "-qefc", &shell, "/dev/null"]
                .map(str::to_owned)
                .to_vec();
        }
        let mut command = Command::new(&line[0]);
        command
            .args(&line[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", if call.unprivileged { "/tmp" } else { "/root" })
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC");
        program::run_with(&mut command, call.input.as_bytes())
    }
}
