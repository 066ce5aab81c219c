//! A folder of the user that is laid over the root: files, folders and links with their modes; all are root's.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rpm_transaction::RootDir;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use whole_file::{Access, Durability, WholeFile, open_named};

use super::tree::Tree;
use crate::error::{At, Code, Failure, Outcome};

/// How deep folders may be nested in it.
const MAX_DEPTH: usize = 256;

/// Whoever packs a file must be able to read it, which root is in any case.
const READABLE: u32 = 0o400;

/// Lays `from` over the root of a tree. Folders that are there keep owner and mode.
///
/// # Errors
/// Something cannot be read or written, or is neither a file nor a folder nor a link; a folder is to take the place
/// of something else.
pub fn lay_over(tree: &mut Tree, root: &Path, from: &Path) -> Outcome<()> {
    let dir = RootDir::open(root)?;
    folder(tree, &dir, from, b"/", 0)
}

fn folder(tree: &mut Tree, root: &RootDir, from: &Path, below: &[u8], depth: usize) -> Outcome<()> {
    if depth >= MAX_DEPTH {
        return Err(Failure::io(from, &Errno::NAMETOOLONG.into()));
    }
    let names = fs::read_dir(from).at(from)?;
    let names = names
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<Vec<_>>>();
    let mut names = names.at(from)?;
    names.sort();
    for name in names {
        let source = from.join(&name);
        let meta = fs::symlink_metadata(&source).at(&source)?;
        let mode = meta.permissions().mode() & 0o7777;
        let path = [below, name.as_bytes()].concat();
        if meta.is_dir() {
            let (made, new) = root.create_dirs(&path).at(&source)?;
            if !new.is_empty() {
                rustix::fs::fchmod(&made, Mode::from_raw_mode(mode)).at(&source)?;
                tree.overlay(&path, meta.mode(), (0, 0))?;
            }
            folder(tree, root, &source, &[&path[..], b"/"].concat(), depth + 1)?;
            continue;
        }
        let parent = root.open_dir(below).at(&source)?;
        let base = Path::new(&name);
        if meta.is_symlink() {
            let target = fs::read_link(&source).at(&source)?;
            match rustix::fs::unlinkat(&parent, base, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(Failure::io(&source, &error.into())),
            }
            rustix::fs::symlinkat(&target, &parent, base).at(&source)?;
        } else if meta.is_file() {
            let (mut file, _) = open_named(&source, OFlags::RDONLY).at(&source)?;
            copy(&mut file, &parent, base, mode).at(&source)?;
        } else {
            let line = format!(
                "{}: neither a file nor a folder nor a link",
                source.display()
            );
            return Err(Failure::because(Code::FILESYS_IO, line));
        }
        tree.overlay(&path, meta.mode(), (0, 0))?;
    }
    Ok(())
}

fn copy(file: &mut File, parent: &impl AsFd, base: &Path, mode: u32) -> io::Result<()> {
    let readable = match rustix::process::geteuid().is_root() {
        true => 0,
        false => READABLE,
    };
    let mut new = WholeFile::below(parent.as_fd(), base, Access::Mode(mode | readable))?;
    io::copy(file, &mut new)?;
    new.place(Durability::Cache)
}
