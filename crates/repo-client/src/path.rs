//! Files below a folder: names from outside never leave it; and how they stand in URLs.

use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use rustix::fs::OFlags;
use whole_file::{open_plain, read_up_to};

use crate::error::{Error, Result};

/// What is encoded of a file's name in the path of a URL: everything but the unreserved characters of RFC 3986 and the
/// slash. Object stores read a plain `+` as a blank, strict servers refuse a plain `^`.
pub const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');
/// Longest relative name, in bytes.
pub const MAX_NAME: usize = 4096;

/// `root` joined with a relative `name` of plain parts. The name must not be empty, absolute,
/// longer than [`MAX_NAME`], hold `..`, `.`, empty parts, backslashes, control characters, or an
/// encoded dot, slash or NUL.
pub fn join_below(root: &Path, name: &str) -> Result<PathBuf> {
    let refuse = |why| {
        let shown: String = name
            .chars()
            .take(200)
            .flat_map(char::escape_debug)
            .collect();
        Err(Error::UnsafePath {
            name: shown,
            root: root.to_owned(),
            why,
        })
    };
    if name.is_empty() || name.len() > MAX_NAME {
        return refuse("empty or too long");
    }
    if name.chars().any(|c| c.is_control() || c == '\\') {
        return refuse("control character or backslash");
    }
    let lower = name.to_ascii_lowercase();
    if ["%2e", "%2f", "%5c", "%00"]
        .iter()
        .any(|code| lower.contains(code))
    {
        return refuse("encoded dot, slash or NUL");
    }
    if name
        .split('/')
        .any(|part| matches!(part, "" | "." | "..") || part.len() > 255)
    {
        return refuse("empty, '.', '..' or overlong part");
    }
    let plain = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if plain {
        Ok(root.join(name))
    } else {
        refuse("not relative")
    }
}

/// Creates the folders between `root` and the file `path` below it (mode 0755 and umask). A
/// symlink in between is refused: another user's link must not send our files elsewhere.
pub fn create_parents(root: &Path, path: &Path) -> Result<()> {
    make_folders(root, path.parent().unwrap_or(root))
}

/// As [`create_parents`], for a folder below `root`.
pub(crate) fn make_folders(root: &Path, dir: &Path) -> Result<()> {
    whole_file::make_folders(root, dir).map_err(|(place, source)| {
        let doing = match source.kind() {
            std::io::ErrorKind::NotADirectory => "use as a folder",
            _ => "create",
        };
        Error::io(&place, doing, source)
    })
}

/// What [`open_plain`] opens, if it has no more than `limit` bytes.
pub(crate) fn read_plain(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let file = open_plain(path, OFlags::RDONLY).ok()?;
    read_up_to(file, limit).ok()
}

/// `path` with `suffix` added to its last part.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Bytes that this user may still write on the file system that holds `path` (or its nearest
/// existing parent).
pub fn free_space(path: &Path) -> Result<u64> {
    let existing = path
        .ancestors()
        .find(|dir| dir.exists())
        .unwrap_or(Path::new("/"));
    let stat =
        rustix::fs::statvfs(existing).map_err(|e| Error::io(existing, "look at", e.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Fails with [`Error::NoSpace`] if `needed` bytes do not fit at `path`.
pub fn require_space(path: &Path, needed: u64) -> Result<()> {
    let free = free_space(path)?;
    if needed > free {
        return Err(Error::NoSpace {
            path: path.to_owned(),
            needed,
            free,
        });
    }
    Ok(())
}
