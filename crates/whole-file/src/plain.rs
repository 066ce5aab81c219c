//! How a file of which nothing is known is opened.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Opens a regular file: neither a link at the end of `path` nor anything that could make the caller wait. A file that
/// `flags` create gets 0644 without the bits of the umask.
///
/// # Errors
/// As `open(2)`; what stands there is no regular file.
pub fn open_plain(path: &Path, flags: OFlags) -> io::Result<File> {
    let all = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, all, Mode::from_raw_mode(0o644))?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

/// Removes what stands at `path`, with all that is in it, if it is neither a regular file nor a link: only for places
/// where nobody but the caller has anything.
///
/// # Errors
/// As `unlink(2)`, `rmdir(2)`.
pub fn remove_odd(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(about) if !about.is_file() && !about.is_symlink() => fs::remove_file(path),
        _ => Ok(()),
    }
}
