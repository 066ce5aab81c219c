//! How a file of which nothing is known is opened.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// The ends of the names of a database and of what SQLite keeps beside it.
const DATABASE: [&str; 4] = ["", "-journal", "-wal", "-shm"];

/// Opens a regular file: neither a link at the end of `path` nor anything that could make the caller wait. A file that
/// `flags` create gets 0644 without the bits of the umask.
///
/// # Errors
/// As `open(2)`; what stands there is no regular file.
pub fn open_plain(path: &Path, flags: OFlags) -> io::Result<File> {
    Ok(open_named(path, flags | OFlags::NOFOLLOW)?.0)
}

/// [`open_plain`] through links, for files that somebody named or that may be links, and what is known of the file.
///
/// # Errors
/// As [`open_plain`].
pub fn open_named(path: &Path, flags: OFlags) -> io::Result<(File, Metadata)> {
    let all = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
    regular(rustix::fs::open(path, all, Mode::from_raw_mode(0o644))?)
}

/// What was opened, if it is a regular file, and what is known of it.
pub(crate) fn regular(opened: OwnedFd) -> io::Result<(File, Metadata)> {
    let file = File::from(opened);
    let about = file.metadata()?;
    match about.is_file() {
        true => Ok((file, about)),
        false => Err(odd("not a regular file")),
    }
}

/// An error of what stands in a place, not of the system.
pub(crate) fn odd(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// The content of a file that was just opened, if it has no more than `limit` bytes; of a larger one nothing is read.
///
/// # Errors
/// As `read(2)`; `InvalidData`: it is larger.
pub fn read_up_to(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file.metadata()?.len() <= limit {
        // It may grow meanwhile.
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= limit {
            return Ok(bytes);
        }
    }
    Err(odd(format!("larger than {limit} bytes")))
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

/// Looks whether the SQLite database `path` and what is kept beside it can be opened without waiting for ever: SQLite
/// opens a FIFO or a device as any file. What is not there is none of these, and links are refused by SQLite where it
/// is told so. `of_others` says that strangers may have made the folder: a file with a second name is refused, too, as
/// SQLite writes into it in place, and with it into another file of this machine.
///
/// Whoever can exchange the files afterwards can still make one caller wait; he then holds up who opens his own tree.
///
/// # Errors
/// The file that is in the way, and what to do; or it cannot be looked at.
pub fn check_database(path: &Path, of_others: bool) -> Result<(), (PathBuf, io::Error)> {
    for end in DATABASE {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let place = PathBuf::from(name);
        match fs::symlink_metadata(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err((place, error)),
            Ok(about) => {
                let refused = |why: &str| Err((place, io::Error::other(why.to_owned())));
                let kind = about.file_type();
                if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
                    return refused(
                        "a pipe or device stands in the place of a file of a database: remove it",
                    );
                }
                if of_others && kind.is_file() && about.nlink() > 1 {
                    return refused(
                        "has a second name, under which it would be changed, too: put a copy in its place (`cp -p`, `mv`)",
                    );
                }
            }
        }
    }
    Ok(())
}
