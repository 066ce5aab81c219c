//! Sandbox roots: folders that a transaction may install into.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A root; one of its own folder is removed when dropped.
#[derive(Debug)]
pub struct Sandbox {
    path: PathBuf,
    _dir: Option<TempDir>,
}

impl Sandbox {
    /// An empty root with mode 0755.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))
            .expect("the temporary folder is ours");
        Self {
            path: dir.path().to_owned(),
            _dir: Some(dir),
        }
    }

    /// A root with `/etc/passwd`, `/etc/group` and a working `/bin/sh` (dash with its libraries) in the merged layout
    /// (`/bin` is a link to `usr/bin`).
    pub fn with_shell() -> Self {
        let root = Self::empty();
        root.add_shell();
        root
    }

    /// A root in a folder that somebody else makes and removes.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, _dir: None }
    }

    /// Makes an empty root one [`Self::with_shell`].
    pub fn add_shell(&self) {
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
        self.write("etc/group", "root:x:0:\n");
        for name in ["bin", "sbin", "lib", "lib64"] {
            fs::create_dir_all(self.join(&format!("usr/{name}"))).expect("the root is ours");
            symlink(format!("usr/{name}"), self.join(name)).expect("the root is ours");
        }
        for name in ["tmp", "var/tmp", "dev", "proc"] {
            fs::create_dir_all(self.join(name)).expect("the root is ours");
        }
        self.add_program("/usr/bin/dash");
        symlink("dash", self.join("usr/bin/sh")).expect("the root is ours");
    }

    /// The root's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path below the root; leading slashes are ignored. Symbolic links are not resolved.
    pub fn join(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }

    /// Writes a file below the root, with its folders.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the root is ours");
        fs::write(path, text).expect("the root is ours");
    }

    /// Reads a text file below the root.
    pub fn read(&self, path: &str) -> String {
        let path = self.join(path);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Copies a program of this machine with the libraries that `ldd` names into the same places of the root.
    pub fn add_program(&self, program: &str) {
        let output = Command::new("ldd").arg(program).output().expect("ldd runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
        for file in libraries.chain([program]) {
            let target = self.join(file);
            fs::create_dir_all(target.parent().expect("a file has a folder"))
                .expect("the root is ours");
            fs::copy(file, &target).unwrap_or_else(|e| panic!("{file}: {e}"));
        }
    }

    /// Standard output of a program run in a chroot of this root; it must succeed. Needs root's rights.
    pub fn chroot(&self, words: &[&str]) -> String {
        let output = Command::new("chroot")
            .arg(self.path())
            .args(words)
            .output()
            .expect("chroot runs");
        assert!(
            output.status.success(),
            "{words:?} in the root failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Sandbox;
    use crate::tree;

    #[test]
    fn a_shell_runs_in_the_root() {
        let root = Sandbox::with_shell();
        assert_eq!(root.chroot(&["/bin/sh", "-c", "echo $((6 * 7))"]), "42\n");
    }

    #[test]
    fn trees_differ_by_any_trait() {
        let roots = [Sandbox::empty(), Sandbox::empty()];
        let read = || roots.each_ref().map(|r| tree::read(r.path(), &|_| false));
        for root in &roots {
            root.write("etc/file", "same");
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
            let file = std::fs::File::options()
                .write(true)
                .open(root.join("etc/file"));
            file.and_then(|f| f.set_modified(time)).unwrap();
        }
        let [left, right] = read();
        assert!(tree::differences(&left, &right).is_empty());
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(roots[0].join("etc/file"), "user.test", b"1", flags).unwrap();
        roots[1].write("etc/more", "");
        let [left, right] = read();
        let lines = tree::differences(&left, &right);
        assert_eq!(lines.len(), 2, "{lines:?}");
        let skipped = tree::read(roots[1].path(), &|path| path.ends_with("more"));
        assert_eq!(skipped.len(), 2);
    }
}
