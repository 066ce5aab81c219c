//! A mirror on a stage: an upstream made by rpmbuild and createrepo_c behind a server that can
//! misbehave, our program, and real clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::program::{self, Run};
use testkit::rpm::createrepo;
use testkit::spec::Spec;
use testkit::stage::Stage;

/// Who signs what upstream has.
pub(crate) const VENDOR: &str = "stage@example.com";

/// The stage.
pub(crate) struct Scene {
    stage: Stage,
}

impl std::ops::Deref for Scene {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Scene {
    /// With an empty upstream.
    pub(crate) fn new() -> Self {
        let stage = Stage::serving("up");
        Self { stage }
    }

    /// With the repository `base` of alpha (needs beta), beta, gamma, and its configuration.
    pub(crate) fn usual() -> Self {
        let scene = Self::new();
        scene.put("base", "alpha", "1", "Requires: beta");
        scene.put("base", "beta", "1", "");
        scene.put("base", "gamma", "1", "");
        scene.publish("base");
        scene.config("");
        scene
    }

    /// Where clients look.
    pub(crate) fn public(&self, name: &str) -> PathBuf {
        self.path("mirror/public").join(name)
    }

    /// Puts a package into a repository of upstream.
    pub(crate) fn put(&self, repo: &str, name: &str, version: &str, lines: &str) -> PathBuf {
        let built = package(name, version, lines);
        let to = self.path("up").join(repo).join("Packages");
        fs::create_dir_all(&to).expect("ours");
        let to = to.join(built.file_name().expect("a file"));
        fs::copy(&built, &to).expect("ours");
        to
    }

    /// Takes the packages whose file names begin so away.
    pub(crate) fn take(&self, repo: &str, start: &str) {
        let dir = self.path("up").join(repo).join("Packages");
        for entry in fs::read_dir(&dir).expect("it is there").flatten() {
            if entry.file_name().to_string_lossy().starts_with(start) {
                fs::remove_file(entry.path()).expect("ours");
            }
        }
    }

    /// Lets createrepo_c write the metadata.
    pub(crate) fn publish(&self, repo: &str) {
        let dir = self.path("up").join(repo);
        fs::create_dir_all(&dir).expect("ours");
        createrepo(&dir, &["--general-compress-type=gz", "--no-database"]);
    }

    /// The configuration: the mirror, the repository `base`, and more lines.
    pub(crate) fn config(&self, lines: &str) {
        let text = format!(
            "[mirror]\npath = {:?}\n\n[repo.base]\nbaseurl = {:?}\n{lines}\n",
            self.path("mirror"),
            self.server.url("/base")
        );
        self.config_text(&text);
    }

    pub(crate) fn config_text(&self, text: &str) {
        self.write("mirror.toml", text);
    }

    /// Our program, ready to run.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-sync"));
        command
            .arg("--config")
            .arg(self.path("mirror.toml"))
            .args(words)
            .stdin(Stdio::null())
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// Runs our program.
    pub(crate) fn run(&self, words: &[&str]) -> Run {
        program::run(&mut self.command(words))
    }

    /// `sync` that must publish.
    pub(crate) fn sync(&self) -> Run {
        self.run(&["sync"]).ends(0)
    }

    /// What `public/REPO` holds: relative paths, sorted.
    pub(crate) fn published(&self, repo: &str) -> Vec<String> {
        files_in(&self.public(repo))
    }

    /// The packages that real dnf sees in a directory or at a URL.
    pub(crate) fn dnf_list(&self, url: &str) -> Vec<String> {
        let out = self
            .dnf(url, &["repoquery", "--qf", "%{name}-%{version}"])
            .ends(0);
        let mut names: Vec<String> = out.out.lines().map(str::to_owned).collect();
        names.retain(|name| !name.is_empty());
        names.sort();
        names
    }

    /// Real dnf with one repository, in a root of its own. Its plugin that keeps packages of
    /// earlier runs as a repository would show what other tests made.
    pub(crate) fn dnf(&self, url: &str, words: &[&str]) -> Run {
        let root = self.path("dnf-root");
        fs::create_dir_all(&root).expect("ours");
        let mut command = Command::new("dnf");
        command
            .arg(format!("--installroot={}", root.display()))
            .arg(format!(
                "--setopt=cachedir={}",
                root.join("cache").display()
            ))
            .args([
                "--quiet",
                "--disableplugin=local",
                "--assumeyes",
                "--refresh",
                "--setopt=reposdir=/nonexistent",
            ])
            .args(["--setopt=install_weak_deps=0", "--setopt=tsflags=nodocs"])
            .args([
                "--releasever=1",
                "--nogpgcheck",
                "--setopt=metadata_expire=0",
            ])
            .arg(format!("--repofrompath=m,{url}"))
            .args(words)
            .stdin(Stdio::null())
            .env("LC_ALL", "C.UTF-8");
        program::run(&mut command)
    }
}

/// All files below a directory, relative, sorted; links are followed.
pub(crate) fn files_in(dir: &Path) -> Vec<String> {
    fn walk(root: &Path, dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, found);
            } else if let Ok(name) = path.strip_prefix(root) {
                found.push(name.to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    let real = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    walk(&real, &real, &mut found);
    found.sort();
    found
}

/// A package `NAME-VERSION-1.noarch` with one file that does not compress.
pub(crate) fn package(name: &str, version: &str, lines: &str) -> PathBuf {
    package_of(name, version, lines, 20_000)
}

/// [`package`] with a file of so many bytes.
pub(crate) fn package_of(name: &str, version: &str, lines: &str, bytes: usize) -> PathBuf {
    let path = format!("/usr/share/stage/{name}");
    Spec::new(name, version)
        .summary(&format!("Package {name}"))
        .license("Apache-2.0")
        .about("A package for tests.")
        .lines(lines)
        .source("noise", &testkit::noise(bytes, 1))
        .install(&format!(
            "mkdir -p %{{buildroot}}/usr/share/stage\ncp %{{_sourcedir}}/noise %{{buildroot}}{path}\n\
             echo {name} {version} >> %{{buildroot}}{path}"
        ))
        .files(&path)
        .build()
}

/// The tdnf of this checkout, if it was built.
pub(crate) fn tdnf() -> Option<PathBuf> {
    let named = std::env::var_os("TDNF_RELEASE_BINARY").map(PathBuf::from);
    let named = named.filter(|path| path.is_file());
    named.or_else(|| beside("tdnf"))
}

/// Another program of this checkout, if it was built.
pub(crate) fn beside(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_mirror-sync")).with_file_name(name);
    path.is_file().then_some(path)
}
