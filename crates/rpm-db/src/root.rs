//! Paths below a root that is not trusted: symbolic links are resolved as if the root were `/`.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::DbError;

/// Links followed before a path is refused; the kernel's own limit.
const MAX_LINKS: usize = 40;

/// The place of `path` (absolute, seen from inside `root`) as a path without symbolic links.
///
/// Neither an absolute link nor `..` leads out of `root`. What does not exist is kept as written, so that the
/// caller may create it. `root` must be canonical already.
pub(crate) fn resolve(root: &Path, path: &Path) -> Result<PathBuf, DbError> {
    let mut inside: Vec<OsString> = Vec::new();
    let mut rest: VecDeque<OsString> = VecDeque::new();
    push_front(&mut rest, path);
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            inside.pop();
            continue;
        }
        inside.push(name);
        let here = join(root, &inside);
        match fs::symlink_metadata(&here) {
            Ok(meta) if meta.file_type().is_symlink() => {}
            Ok(_) => continue,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(DbError::io(&here)(e)),
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(DbError::Links {
                path: join(root, std::slice::from_ref(&path.as_os_str().to_owned())),
            });
        }
        let target = fs::read_link(&here).map_err(DbError::io(&here))?;
        if target.is_absolute() {
            inside.clear();
        } else {
            inside.pop();
        }
        push_front(&mut rest, &target);
    }
    Ok(join(root, &inside))
}

fn push_front(rest: &mut VecDeque<OsString>, path: &Path) {
    let parts: Vec<_> = path
        .components()
        .filter_map(|c| match c {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        })
        .collect();
    for part in parts.into_iter().rev() {
        rest.push_front(part);
    }
}

fn join(root: &Path, inside: &[OsString]) -> PathBuf {
    let mut path = root.to_path_buf();
    for part in inside {
        // A leading slash would replace the root.
        path.push(Path::new(part).strip_prefix("/").unwrap_or(Path::new(part)));
    }
    path
}
