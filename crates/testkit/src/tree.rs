//! What stands below a folder, in a form that two roots can be compared by.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::program;

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `file`, `dir`, `link`, `char`, `block`, `fifo` or `socket`.
    pub kind: &'static str,
    /// Permission bits, set-id bits included.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Seconds; zero for folders, whose time changes with every entry.
    pub mtime: i64,
    /// Bytes of a file, else zero.
    pub size: u64,
    /// Hex SHA-256 of a file, target of a link, device number of a device.
    pub content: String,
    /// Number of names of a file; one for all else.
    pub names: u64,
    /// Extended attributes (file capabilities are `security.capability`), in hex.
    pub attributes: BTreeMap<String, String>,
}

/// All entries below `root` by their path relative to it, except for those that `skip` answers true for (a skipped
/// folder is not entered).
pub fn read(root: &Path, skip: &dyn Fn(&Path) -> bool) -> BTreeMap<PathBuf, Entry> {
    let mut tree = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        for entry in entries.flatten() {
            let path = entry.path();
            let relative = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
            if skip(&relative) {
                continue;
            }
            let read = read_entry(&path);
            if read.kind == "dir" {
                open.push(path);
            }
            tree.insert(relative, read);
        }
    }
    tree
}

/// Every file below a folder, links to files and folders included, sorted.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Copies what stands in a folder, with all that the file system says of it, into another one, which is made if it is
/// not there. Blocks are shared where the file system can.
#[track_caller]
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
    let mut command = Command::new("cp");
    command.args(["-a", "--reflink=auto"]);
    program::ok(command.arg(from.join(".")).arg(to));
}

/// [`copy`] into a new folder in `dir`, removed when dropped.
#[track_caller]
pub fn copied(from: &Path, dir: &Path) -> TempDir {
    let to = tempfile::tempdir_in(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    copy(from, to.path());
    to
}

/// Lines that say where two trees differ; empty when they are the same.
pub fn differences(
    left: &BTreeMap<PathBuf, Entry>,
    right: &BTreeMap<PathBuf, Entry>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, entry) in left {
        match right.get(path) {
            None => lines.push(format!("{}: only left", path.display())),
            Some(other) if other != entry => {
                lines.push(format!("{}: {entry:?} != {other:?}", path.display()));
            }
            Some(_) => {}
        }
    }
    for path in right.keys().filter(|path| !left.contains_key(*path)) {
        lines.push(format!("{}: only right", path.display()));
    }
    lines
}

fn read_entry(path: &Path) -> Entry {
    let meta = fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let kind = kind(&meta.file_type());
    let is_file = kind == "file";
    let content = match kind {
        "file" => digest(path),
        "link" => fs::read_link(path).map_or_else(
            |e| e.to_string(),
            |t| String::from_utf8_lossy(t.as_os_str().as_bytes()).into_owned(),
        ),
        "char" | "block" => meta.rdev().to_string(),
        _ => String::new(),
    };
    Entry {
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: if kind == "dir" { 0 } else { meta.mtime() },
        size: if is_file { meta.size() } else { 0 },
        content,
        names: if is_file { meta.nlink() } else { 1 },
        attributes: attributes(path),
    }
}

fn kind(file: &fs::FileType) -> &'static str {
    if file.is_dir() {
        "dir"
    } else if file.is_symlink() {
        "link"
    } else if file.is_char_device() {
        "char"
    } else if file.is_block_device() {
        "block"
    } else if file.is_fifo() {
        "fifo"
    } else if file.is_socket() {
        "socket"
    } else {
        "file"
    }
}

fn digest(path: &Path) -> String {
    let data = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    hex(&Sha256::digest(data))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn attributes(path: &Path) -> BTreeMap<String, String> {
    let mut names = vec![0u8; 1 << 16];
    let Ok(length) = rustix::fs::llistxattr(path, &mut names[..]) else {
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for name in names[..length].split(|b| *b == 0).filter(|n| !n.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        let mut value = vec![0u8; 1 << 16];
        if let Ok(length) = rustix::fs::lgetxattr(path, name.as_str(), &mut value[..]) {
            found.insert(name, hex(&value[..length]));
        }
    }
    found
}
