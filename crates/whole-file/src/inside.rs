//! Files of a root that is somebody else's: an image, the tree of an `--installroot`.
//!
//! Symbolic links in it mean what they would mean if the root were `/`; none leads out of it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::folder::open_below;
use crate::plain::regular;

/// Links that one path may lead through; the kernel's own limit.
const MAX_LINKS: usize = 40;

/// The place of `path` (seen from inside `root`) as a path of the host without symbolic links below `root`.
///
/// Neither an absolute link nor `..` leads out of `root`. What does not exist is kept as written, so that the
/// caller may make it.
///
/// # Errors
/// More than 40 links (`ELOOP`); a folder on the way cannot be looked into.
pub fn inside(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut found: Vec<OsString> = Vec::new();
    let mut rest: VecDeque<OsString> = names(path).collect();
    let mut links = 0;
    let at = |found: &[OsString]| {
        found
            .iter()
            .fold(root.to_owned(), |path, name| path.join(name))
    };
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            found.pop();
            continue;
        }
        found.push(name);
        let here = at(&found);
        match fs::symlink_metadata(&here) {
            Ok(about) if about.is_symlink() => {}
            Ok(_) => continue,
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(error),
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = fs::read_link(&here)?;
        match target.is_absolute() {
            true => found.clear(),
            false => drop(found.pop()),
        }
        let names: Vec<OsString> = names(&target).collect();
        names
            .into_iter()
            .rev()
            .for_each(|name| rest.push_front(name));
    }
    Ok(at(&found))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    })
}

/// Opens the regular file `path` (a path of the host). Below a `root` other than `/`, links are followed as
/// [`inside`] follows them, and what is put there meanwhile is not; elsewhere the path is the host's own.
///
/// # Errors
/// As `open(2)`; below the root, what stands there is no regular file.
pub fn open_of_root(root: &Path, path: &Path) -> io::Result<File> {
    match path.strip_prefix(root) {
        Ok(below) if root != Path::new("/") => open_inside(root, below, OFlags::RDONLY),
        _ => File::open(path),
    }
}

/// Opens the regular file `path` (seen from inside `root`) through the descriptor of `root`: links as
/// [`inside`] follows them, none that appears meanwhile. A file that `flags` create gets 0644 without the bits of
/// the umask.
///
/// # Errors
/// As [`inside`] and [`open_plain`](crate::open_plain).
pub fn open_inside(root: &Path, path: &Path, flags: OFlags) -> io::Result<File> {
    let place = inside(root, path)?;
    let below = place.strip_prefix(root).unwrap_or(&place);
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(root, folder, Mode::empty())?;
    let mode = Mode::from_raw_mode(0o644);
    Ok(regular(open_below(folder.as_fd(), below, flags, mode)?)?.0)
}

/// Makes the folders that lead from `base`, which is trusted and made as any other, to `dir` below it: mode 0755
/// without the bits of the umask. What stands there already must be folders; a link is none, wherever it leads.
///
/// # Errors
/// As `mkdir(2)`; `ENOTDIR` with the place that is no folder.
pub fn make_folders(base: &Path, dir: &Path) -> Result<(), (PathBuf, io::Error)> {
    fs::create_dir_all(base).map_err(|error| (base.to_owned(), error))?;
    let mut here = base.to_owned();
    for name in dir.strip_prefix(base).unwrap_or(Path::new("")).components() {
        here.push(name);
        let made = fs::DirBuilder::new().mode(0o755).create(&here);
        let checked = match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match fs::symlink_metadata(&here) {
                    Ok(about) if !about.is_dir() => Err(Errno::NOTDIR.into()),
                    other => other.map(drop),
                }
            }
            other => other,
        };
        checked.map_err(|error| (here.clone(), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn row_62_links_mean_what_they_mean_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        for folder in ["a/b", "etc"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(dir.path().join("secret"), "host").unwrap();
        fs::write(root.join("a/b/f"), "image").unwrap();
        for (target, name) in [
            ("/a/b", "etc/absolute"),
            ("../../../../a/b/f", "etc/up"),
            ("../secret", "leak"),
            ("loop", "loop"),
            ("/etc/absolute", "a/two"),
        ] {
            symlink(target, root.join(name)).unwrap();
        }
        let place = |path: &str| inside(&root, Path::new(path)).unwrap();
        for (path, wanted) in [
            ("/etc/absolute/f", "a/b/f"),
            ("etc/up", "a/b/f"),
            ("a/two/new/file", "a/b/new/file"),
            ("/../../etc/./x", "etc/x"),
            ("leak", "secret"),
        ] {
            assert_eq!(place(path), root.join(wanted), "{path}");
        }
        let error = inside(&root, Path::new("loop/x")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::LOOP.raw_os_error()));

        let read = |path: &str| {
            let mut text = String::new();
            let file = open_of_root(&root, &root.join(path))?;
            io::Read::read_to_string(&mut &file, &mut text).map(|_| text)
        };
        assert_eq!(read("etc/up").unwrap(), "image");
        assert_eq!(read("a/two/f").unwrap(), "image");
        read("leak").unwrap_err();
        read("etc").unwrap_err();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("etc/pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        read("etc/pipe").unwrap_err();
        let made = open_inside(
            &root,
            Path::new("a/two/made"),
            OFlags::WRONLY | OFlags::CREATE,
        );
        assert_eq!(made.unwrap().metadata().unwrap().len(), 0);
        assert!(root.join("a/b/made").is_file());
    }

    #[test]
    fn folders_are_made_below_a_base_and_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (base, outside) = (dir.path().join("base"), dir.path().join("outside"));
        make_folders(&base, &base.join("x/y")).unwrap();
        make_folders(&base, &base.join("x/y/z")).unwrap();
        assert!(base.join("x/y/z").is_dir());
        fs::create_dir(&outside).unwrap();
        symlink(&outside, base.join("link")).unwrap();
        let (place, error) = make_folders(&base, &base.join("link/in")).unwrap_err();
        assert_eq!(place, base.join("link"));
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
}
