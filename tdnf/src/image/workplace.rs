//! The private folder that a root is filled in.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};

use crate::error::{At, Failure, Outcome};
use crate::interrupt::Interrupt;

/// How the names of these folders begin.
const PREFIX: &str = ".tdnf-image-";
/// One that nobody holds is left alone so long: it may just have been made.
const FRESH: Duration = Duration::from_secs(60);
/// How deep folders may be nested below it.
const MAX_DEPTH: usize = 256;

/// A private folder (0700), which goes with this value, whatever was mounted in it. One that a killed run left goes
/// with the next run.
#[derive(Debug)]
pub struct Workplace {
    path: PathBuf,
    interrupt: Interrupt,
    /// Held as long as the folder is used.
    _lock: File,
}

impl Workplace {
    /// Makes one in `parent`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(parent: &Path, interrupt: &Interrupt) -> Outcome<Self> {
        sweep(parent);
        let random = getrandom::u64().map_err(io::Error::from).at(parent)?;
        let path = parent.join(format!("{PREFIX}{random:016x}"));
        DirBuilder::new().mode(0o700).create(&path).at(&path)?;
        let lock = File::open(&path).at(&path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).at(&path)?;
        interrupt.remove_at_exit(&path, |path| drop(remove(path)));
        let place = Self {
            path,
            interrupt: interrupt.clone(),
            _lock: lock,
        };
        // Like any root, whichever umask the caller has.
        for dir in [place.root(), place.state(), place.layout()] {
            DirBuilder::new().mode(0o755).create(&dir).at(&dir)?;
            fs::set_permissions(&dir, Permissions::from_mode(0o755)).at(&dir)?;
        }
        Ok(place)
    }

    /// What is mounted from now on is seen by this process and its children alone, if the kernel lets it.
    pub fn hide_mounts() {
        let private = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).is_ok();
        if private {
            let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
            let _ = mount_change("/", flags);
        }
    }

    /// What becomes the image.
    pub fn root(&self) -> PathBuf {
        self.path.join("root")
    }

    /// History and lock of the run.
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Where pieces of an archive wait.
    pub fn layout(&self) -> PathBuf {
        self.path.join("layout")
    }

    /// Takes away what scriptlets mounted in the root.
    ///
    /// # Errors
    /// It cannot be taken away.
    pub fn detach(&self) -> Outcome<()> {
        let mounted = |error| Failure::io(&self.path, &error);
        for place in mounts_below(&self.path).map_err(mounted)?.iter().rev() {
            unmount(place, UnmountFlags::DETACH).at(place)?;
        }
        Ok(())
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What stays is swept by the next run.
        if self.detach().is_ok() {
            let _ = remove(&self.path);
        }
        self.interrupt.keep_at_exit(&self.path);
    }
}

/// Removes the folders of runs that were killed.
fn sweep(parent: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(entry.path(), flags, Mode::empty()).map(File::from);
        let (Ok(dir), Ok(mounts)) = (opened, mounts_below(&entry.path())) else {
            continue;
        };
        let is_old = |time: SystemTime| time.elapsed().is_ok_and(|age| age > FRESH);
        let left = dir.metadata().is_ok_and(|meta| {
            meta.uid() == own && meta.mode() & 0o077 == 0 && meta.modified().is_ok_and(is_old)
        });
        let free = || flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok();
        if left && mounts.is_empty() && free() {
            let _ = remove(&entry.path());
        }
    }
}

/// What is mounted below a folder, in the order it was mounted in.
fn mounts_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let dir = fs::canonicalize(dir)?;
    let table = match fs::read("/proc/self/mountinfo") {
        // Without /proc nothing says what is mounted, and nothing was.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        table => table?,
    };
    let places = table.split(|byte| *byte == b'\n').filter_map(|line| {
        let place = line.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(std::ffi::OsString::from(unescaped(place))))
    });
    Ok(places.filter(|place| place.starts_with(&dir)).collect())
}

/// Blanks and the like stand as `\040` in that table. What is not UTF-8 is nothing that stands below our folder.
fn unescaped(place: &[u8]) -> String {
    let text = String::from_utf8_lossy(place);
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .into_iter()
    .fold(text.into_owned(), |text, (code, sign)| {
        text.replace(code, sign)
    })
}

/// Removes a folder and all in it, on its own file system alone, also where modes forbid it to its owner.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, Mode::empty())?;
    let device = rustix::fs::fstat(&dir)?.st_dev;
    empty(dir, device, 0)?;
    fs::remove_dir(path)
}

/// Removes what has this name in a folder, if anything has.
pub(super) fn remove_at(dir: rustix::fd::BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let below = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    empty(below, stat.st_dev, 0)?;
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?)
}

fn empty(dir: rustix::fd::OwnedFd, device: u64, depth: usize) -> io::Result<()> {
    if depth >= MAX_DEPTH {
        return Err(Errno::NAMETOOLONG.into());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // One that a scriptlet closed; whose it is not may not.
    let _ = rustix::fs::fchmod(&dir, Mode::RWXU);
    let names: Result<Vec<_>, Errno> = rustix::fs::Dir::read_from(&dir)?
        .map(|entry| entry.map(|entry| entry.file_name().to_owned()))
        .collect();
    for name in names? {
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
            rustix::fs::unlinkat(&dir, &name, AtFlags::empty())?;
            continue;
        }
        if stat.st_dev != device {
            return Err(Errno::BUSY.into());
        }
        let mut below = rustix::fs::openat(&dir, &name, flags, Mode::empty());
        if below.is_err() {
            let _ = rustix::fs::chmodat(&dir, &name, Mode::RWXU, AtFlags::empty());
            below = rustix::fs::openat(&dir, &name, flags, Mode::empty());
        }
        empty(below?, device, depth + 1)?;
        rustix::fs::unlinkat(&dir, &name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}
