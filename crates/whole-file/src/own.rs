//! Files that are believed because nobody else can have written them.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};

/// Opens the regular file `below` of the folder `top` for reading, if nobody but root and the user of this process can
/// have written it: it and each folder from `top` down is theirs, and not writable for others nor, where this process
/// is root's, for a group. That a folder is sticky does not help: new names can be made in it. What is judged is what
/// was opened, so nothing can be exchanged in between; only `top` itself may be a symbolic link.
///
/// # Errors
/// As `open(2)`; what stands there is no regular file; what others may have written ([`is_of_others`]), with the place
/// and the reason.
pub fn open_own(top: &Path, below: &Path) -> io::Result<File> {
    let (folder, name) = match (below.parent(), below.file_name()) {
        (Some(folder), Some(name)) => (folder, name),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let folder = own_folder(top, folder)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    judge(&file, &top.join(below), FileType::RegularFile)?;
    Ok(File::from(file))
}

/// Opens (`O_PATH`) the folder `below` of `top` by the rule of [`open_own`].
///
/// # Errors
/// As [`open_own`].
pub fn own_folder(top: &Path, below: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut place = PathBuf::from(top);
    let mut folder = rustix::fs::openat(CWD, top, flags, Mode::empty())?;
    judge(&folder, &place, FileType::Directory)?;
    for name in below {
        place.push(name);
        folder = rustix::fs::openat(&folder, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
        judge(&folder, &place, FileType::Directory)?;
    }
    Ok(folder)
}

/// Whether an error of [`open_own`] says that others may have written what is there: no error of the system.
pub fn is_of_others(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

fn judge(opened: &OwnedFd, place: &Path, wanted: FileType) -> io::Result<()> {
    let about = rustix::fs::fstat(opened)?;
    if FileType::from_raw_mode(about.st_mode) != wanted {
        return Err(io::Error::other("not a regular file"));
    }
    let refused = |why: String| {
        let why = format!("{} {why}", place.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
    };
    let user = rustix::process::geteuid();
    if about.st_uid != 0 && about.st_uid != user.as_raw() {
        return refused(format!("belongs to user {}", about.st_uid));
    }
    // What the umask of our tools leaves to others.
    let mode = about.st_mode & 0o7777;
    match mode & super::forbidden(user).as_raw_mode() {
        0 => Ok(()),
        _ => refused(format!("may be written by others (mode {mode:04o})")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_what_nobody_else_can_have_written_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::write(top.join("a/b/f"), "text").unwrap();
        let all = ["", "a", "a/b", "a/b/f"];
        let open = || open_own(&top, Path::new("a/b/f"));
        for place in all {
            mode(&top.join(place), 0o755);
        }
        open().unwrap();
        // What is above is the caller's affair.
        mode(dir.path(), 0o777);
        open().unwrap();
        for place in all {
            let place: PathBuf = top.join(place).components().collect();
            for wrong in [0o757, 0o1777] {
                mode(&place, wrong);
                let error = open().unwrap_err();
                assert!(is_of_others(&error));
                let told = format!("{} may be written by others", place.display());
                assert!(error.to_string().starts_with(&told), "{error}");
            }
            mode(&place, 0o775);
            assert_eq!(open().is_err(), rustix::process::geteuid().is_root());
            mode(&place, 0o755);
            if rustix::process::geteuid().is_root() {
                chown(&place, Some(12345), None).unwrap();
                let told = format!("{} belongs to user 12345", place.display());
                assert_eq!(open().unwrap_err().to_string(), told);
                chown(&place, Some(0), None).unwrap();
            }
        }
        open().unwrap();
    }

    #[test]
    fn no_link_is_followed_below_the_top_and_nothing_waits() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        fs::create_dir(top.join("a")).unwrap();
        fs::write(top.join("a/f"), "text").unwrap();
        symlink("a", top.join("link")).unwrap();
        symlink("f", top.join("a/link")).unwrap();
        let pipe = top.join("a/pipe");
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        for wrong in ["link/f", "a/link", "a/pipe", "a", "a/none", ""] {
            let error = open_own(top, Path::new(wrong)).unwrap_err();
            assert!(!is_of_others(&error), "{error}");
        }
        open_own(&top.join("link"), Path::new("f")).unwrap();
    }
}
