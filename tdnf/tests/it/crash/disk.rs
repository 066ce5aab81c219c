//! Small file systems in images on loop devices.

use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::program::ok;
use testkit::tree;

use super::site::quick_dir;

/// The xfs that holds the images, and where things are mounted.
pub(super) struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let bench = Bench {
            dir: tempfile::tempdir_in(quick_dir()).unwrap(),
        };
        for name in ["outer", "disk", "copy"] {
            std::fs::create_dir(bench.path(name)).unwrap();
        }
        ok(Command::new("truncate")
            .args(["-s", "3G"])
            .arg(bench.path("outer.img")));
        ok(Command::new("mkfs.xfs")
            .args(["-q", "-m", "reflink=1"])
            .arg(bench.path("outer.img")));
        bench.mount("outer.img", "outer", "loop");
        bench
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn mount(&self, image: &str, at: &str, options: &str) {
        let mut command = Command::new("mount");
        ok(command
            .args(["-o", options])
            .arg(self.path(image))
            .arg(self.path(at)));
    }

    pub(super) fn unmount(&self, at: &str) {
        ok(Command::new("umount").arg(self.path(at)));
    }

    /// A small file system with a copy of the root in it, all written.
    pub(super) fn disk(&self, kind: &str, options: &[&str], root: &Path) -> PathBuf {
        let image = self.path("outer/disk.img");
        let _ = std::fs::remove_file(&image);
        // xfs and btrfs are never small; the file has holes.
        let size = if kind == "ext4" { "64M" } else { "300M" };
        ok(Command::new("truncate").args(["-s", size]).arg(&image));
        ok(Command::new(format!("mkfs.{kind}"))
            .arg("-q")
            .args(options)
            .arg(&image));
        self.mount("outer/disk.img", "disk", "loop");
        let place = self.path("disk/root");
        tree::copy(root, &place);
        ok(Command::new("sync").arg("-f").arg(&place));
        place
    }
}

/// The tests unmount themselves; after a failure the mount namespace ends and takes the rest along.
impl Drop for Bench {
    fn drop(&mut self) {
        for at in ["copy", "disk", "outer"] {
            let _ = Command::new("umount").arg("-q").arg(self.path(at)).status();
        }
    }
}
