//! The stage of a test: a temporary folder, and a server for one folder in it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::server::Server;

/// A temporary folder, removed when dropped.
pub struct Stage {
    dir: TempDir,
    www: PathBuf,
    /// Serves [`Stage::www`].
    pub server: Server,
}

impl Stage {
    /// With an empty folder of this name that is served.
    pub fn serving(name: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let www = dir.path().join(name);
        fs::create_dir(&www).expect("the folder is ours");
        Self {
            server: Server::start(&www),
            www,
            dir,
        }
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
}
