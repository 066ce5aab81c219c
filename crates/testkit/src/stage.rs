//! The stage of a test: a root, repositories, their configuration, and a server, all in one temporary folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::root::Sandbox;
use crate::rpm::{Rpm, createrepo};
use crate::server::Server;

/// A temporary folder, removed when dropped, that every user may enter.
pub struct Stage {
    dir: TempDir,
    www: PathBuf,
    /// What packages are installed into: `root` in the folder, which is not there before something is written.
    pub root: Sandbox,
    /// Serves [`Stage::www`].
    pub server: Server,
}

impl Stage {
    /// With an empty folder of this name that is served.
    pub fn serving(name: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(dir.path(), open).expect("the folder is ours");
        let www = dir.path().join(name);
        fs::create_dir(&www).expect("the folder is ours");
        Self {
            server: Server::start(&www),
            www,
            root: Sandbox::at(dir.path().join("root")),
            dir,
        }
    }

    /// With a root that has this `tdnf.conf` and nothing else.
    pub fn with_conf(text: &str) -> Self {
        let stage = Self::serving("www");
        stage.conf(text);
        stage
    }

    /// The served folder.
    pub fn www(&self) -> &Path {
        &self.www
    }

    /// A path in the stage's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of the stage's folder, and makes its folders.
    pub fn write(&self, name: &str, data: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("ours");
        fs::write(&path, data).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        path
    }

    /// Writes the root's `tdnf.conf`.
    pub fn conf(&self, text: &str) {
        self.root.write("etc/tdnf/tdnf.conf", text);
    }

    /// Writes a `.repo` file of the root.
    pub fn write_repo(&self, name: &str, text: &str) {
        self.root
            .write(&format!("etc/yum.repos.d/{name}.repo"), text);
    }

    /// Copies package files to a served folder of this name and has createrepo_c read them.
    pub fn publish_files(&self, name: &str, files: &[PathBuf]) -> PathBuf {
        let dir = self.www.join(name);
        fs::create_dir_all(&dir).expect("ours");
        for file in files {
            let to = dir.join(file.file_name().expect("a package has a name"));
            fs::copy(file, to).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        }
        createrepo(&dir, &["--no-database"]);
        dir
    }

    /// [`Stage::publish_files`], and the root knows it by its folder; signatures are not checked.
    pub fn add_repo(&self, name: &str, files: &[PathBuf]) -> PathBuf {
        let dir = self.publish_files(name, files);
        self.write_repo(name, &open_section(name, &dir));
        dir
    }

    /// The real rpm on the root.
    pub fn rpm(&self) -> Rpm {
        Rpm::on_root(self.root.path())
    }
}

/// A `.repo` section of a folder; signatures are not checked.
pub fn open_section(id: &str, folder: &Path) -> String {
    format!(
        "[{id}]\nname={id}\nbaseurl=file://{}\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=0\n",
        folder.display()
    )
}

/// The tdnf of this path on a root, as [`program`] runs it.
pub fn tdnf(path: &Path, root: &Path, words: &[&str]) -> Command {
    let mut command = program(path);
    command.arg("--installroot").arg(root).args(words);
    command
}

/// A program without input and with nothing of this process's environment.
pub fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    command
}
