//! Staging: every new file is written into a private directory of its target file system, and
//! its content is proven there, before anything is changed.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rpm_pkg::package::{DigestChoice, Package, payload_passes};
use rpm_pkg::payload::{Payload, PayloadError, PayloadLimits};
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::element::{Deed, Loaded, PackageFacts, Source, open_verified};
use super::error::{DEVICE_FAILED, TransactionError, printable};
use super::files::Kind;
use super::journal::{Op, debug};
use super::mounts::Mounts;
use super::plan::ElementPlan;
use super::root::{RootDir, split};

/// Content is copied in pieces of this size.
const PIECE: usize = 128 << 10;

/// The opened staging directories, by their number.
#[derive(Debug)]
pub(crate) struct Stages {
    pub dirs: Vec<Option<OwnedFd>>,
}

impl Stages {
    /// Makes the staging directories; they must not exist. The journal names them already.
    pub(crate) fn create(root: &RootDir, mounts: &Mounts) -> Result<Stages, TransactionError> {
        let mut stages = Stages { dirs: Vec::new() };
        for mount in &mounts.list {
            stages.add(root, &mount.stage)?;
        }
        Ok(stages)
    }

    /// Makes one more, which must not exist, and answers its number.
    pub(crate) fn add(&mut self, root: &RootDir, path: &[u8]) -> Result<u32, TransactionError> {
        let failed = |e: Errno| TransactionError::file("cannot create", path, e);
        let (parent, base) = root.open_parent(path).map_err(failed)?;
        fs::mkdirat(&parent, base, Mode::RWXU).map_err(failed)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = fs::openat(&parent, base, flags, Mode::empty()).map_err(failed)?;
        // A default ACL of the parent would be inherited by every staged file.
        for name in ["system.posix_acl_default", "system.posix_acl_access"] {
            let _ = fs::fremovexattr(&dir, name);
        }
        fs::fchmod(&dir, Mode::RWXU).map_err(failed)?;
        self.dirs.push(Some(dir));
        Ok(self.dirs.len() as u32 - 1)
    }

    /// Opens staging directories that an interrupted transaction left; some may be gone.
    pub(crate) fn open(root: &RootDir, paths: &[Vec<u8>]) -> Result<Stages, TransactionError> {
        let open = |path: &Vec<u8>| match root.open_dir(path) {
            Ok(dir) => Ok(Some(dir)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(TransactionError::file("cannot open", path, e)),
        };
        Ok(Stages {
            dirs: paths.iter().map(open).collect::<Result<_, _>>()?,
        })
    }

    /// The directory with this number.
    pub(crate) fn dir(&self, mount: u32) -> Option<BorrowedFd<'_>> {
        self.dirs.get(mount as usize)?.as_ref().map(AsFd::as_fd)
    }

    /// Waits until everything written to these file systems is on their disks.
    pub(crate) fn sync(&self) -> Result<(), TransactionError> {
        for dir in self.dirs.iter().flatten() {
            fs::syncfs(dir).map_err(|e| TransactionError::file("cannot sync", b"/", e))?;
        }
        Ok(())
    }
}

/// The name of a staged file.
pub(crate) fn staged_name(id: u32) -> String {
    format!("n{id}")
}

/// The name of a backup.
pub(crate) fn backup_name(id: u32) -> String {
    format!("b{id}")
}

/// Where file `index` of a package is staged.
type Places = HashMap<u32, (u32, u32)>;

/// Unpacks the payload of an element and makes its links and special files.
pub(crate) fn stage_element(
    stages: &Stages,
    element: &Loaded,
    plan: &ElementPlan,
) -> Result<(), TransactionError> {
    let Deed::Install { path, identity, .. } = &element.deed else {
        return Ok(());
    };
    let mut places = Places::new();
    for step in &plan.steps {
        if let (Op::Place { mount, id, .. }, Some(index)) = (&step.op, step.file) {
            places.insert(index, (*mount, *id));
        }
    }
    let stager = Stager {
        stages,
        package: &element.package,
        places: &places,
    };
    stager.make_specials()?;
    stager.unpack(open_verified(path, identity)?)?;
    stager.check_complete()
}

/// Writes one package.
struct Stager<'a> {
    stages: &'a Stages,
    package: &'a PackageFacts,
    places: &'a Places,
}

impl Stager<'_> {
    fn failed(&self, index: usize, error: impl Into<std::io::Error>) -> TransactionError {
        let path = self.package.files.path(index);
        TransactionError::file("cannot write", &path, error)
    }

    fn place(&self, index: usize) -> Option<(BorrowedFd<'_>, String)> {
        let (mount, id) = self.places.get(&(index as u32))?;
        Some((self.stages.dir(*mount)?, staged_name(*id)))
    }

    /// Links, pipes and devices carry no content.
    fn make_specials(&self) -> Result<(), TransactionError> {
        for &index in self.places.keys() {
            let index = index as usize;
            let (Some(entry), Some((dir, name))) = (self.package.entry(index), self.place(index))
            else {
                continue;
            };
            let private = Mode::from_raw_mode(0o600);
            // rpm stores device numbers in 16 bits: major << 8 | minor.
            let device = fs::makedev(entry.rdev >> 8 & 0xff, entry.rdev & 0xff);
            let special = |kind| fs::mknodat(dir, &name, kind, private, device);
            let made = match entry.kind {
                Kind::Regular | Kind::Directory => continue,
                Kind::Symlink => fs::symlinkat(entry.link, dir, &name),
                Kind::Fifo => special(fs::FileType::Fifo),
                Kind::CharDevice => special(fs::FileType::CharacterDevice),
                Kind::BlockDevice => special(fs::FileType::BlockDevice),
                Kind::Socket => special(fs::FileType::Socket),
            };
            made.map_err(|e| {
                let path = self.package.files.path(index);
                TransactionError::file(DEVICE_FAILED, &path, e)
            })?;
        }
        Ok(())
    }

    /// Reads the whole payload, with every digest of package and files checked.
    fn unpack(&self, package: Package<Source>) -> Result<(), TransactionError> {
        package
            .verify_header_digests()
            .map_err(|e| self.payload_error(e.to_string()))?;
        let mut payload = package
            .into_payload(DigestChoice::Strongest, PayloadLimits::default())
            .map_err(|e| self.unpack_error(e))?;
        let mut piece = vec![0; PIECE];
        while let Some(entry) = payload.next_entry().map_err(|e| self.unpack_error(e))? {
            self.write_entry(entry.index, &mut payload, &mut piece)?;
        }
        let summary = payload.finish().map_err(|e| self.unpack_error(e))?;
        if payload_passes(&summary.digests) {
            Ok(())
        } else {
            Err(self.payload_error("a digest of the package does not match".to_owned()))
        }
    }

    fn payload_error(&self, reason: String) -> TransactionError {
        TransactionError::Payload {
            package: self.package.nevra.clone(),
            reason,
        }
    }

    fn unpack_error(&self, error: PayloadError) -> TransactionError {
        self.payload_error(error.to_string())
    }

    /// Writes a regular file; the members of a hard link set come with the member that has the
    /// content.
    fn write_entry(
        &self,
        index: usize,
        payload: &mut Payload<Source>,
        piece: &mut [u8],
    ) -> Result<(), TransactionError> {
        if self
            .package
            .entry(index)
            .is_none_or(|entry| entry.kind != Kind::Regular)
        {
            return Ok(());
        }
        let set = self.package.files.hardlink_set(index).unwrap_or_default();
        if set.last().is_some_and(|&last| last != index) {
            return Ok(());
        }
        let single = [index];
        let members = if set.is_empty() { &single[..] } else { set };
        let mut first: Option<(BorrowedFd<'_>, String)> = None;
        for &member in members {
            let Some((dir, name)) = self.place(member) else {
                continue;
            };
            match &first {
                None => {
                    self.write_content(member, dir, &name, payload, piece)?;
                    first = Some((dir, name));
                }
                Some((from, original)) => {
                    fs::linkat(from, original, dir, &name, AtFlags::empty())
                        .map_err(|e| self.failed(member, e))?;
                }
            }
        }
        Ok(())
    }

    fn write_content(
        &self,
        index: usize,
        dir: BorrowedFd<'_>,
        name: &str,
        payload: &mut Payload<Source>,
        piece: &mut [u8],
    ) -> Result<(), TransactionError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))
            .map_err(|e| self.failed(index, e))?;
        let mut file = File::from(fd);
        debug::step(0);
        loop {
            match payload.read_data(piece) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    let data = piece.get(..count).unwrap_or_default();
                    file.write_all(data).map_err(|e| self.failed(index, e))?;
                }
                Err(PayloadError::FileDigest(_)) => {
                    return Err(TransactionError::FileDigest {
                        package: self.package.nevra.clone(),
                        path: printable(&self.package.files.path(index)),
                    });
                }
                Err(e) => return Err(self.unpack_error(e)),
            }
        }
    }

    /// Every file that the plan places must be staged now.
    fn check_complete(&self) -> Result<(), TransactionError> {
        for &index in self.places.keys() {
            let index = index as usize;
            let Some((dir, name)) = self.place(index) else {
                continue;
            };
            if fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_err() {
                let path = printable(&self.package.files.path(index));
                return Err(self.payload_error(format!("{path} is missing in the payload")));
            }
        }
        Ok(())
    }
}

/// Deletes the staging directories with what is left in them: staged files, backups of replaced
/// and erased ones. A backup loses its set-id bits and capabilities first: another hard link of
/// it may live elsewhere (CVE-2021-35937 and older).
pub(crate) fn remove_stages(root: &RootDir, paths: &[Vec<u8>]) -> Result<(), TransactionError> {
    for path in paths {
        let failed = |e: Errno| TransactionError::file("cannot remove", path, e);
        let dir = match root.open_dir(path) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => continue,
            Err(e) => return Err(failed(e)),
        };
        empty_stage(&dir).map_err(failed)?;
        let (parent, base) = root.open_parent(path).map_err(failed)?;
        debug_assert_eq!(base, split(path).1);
        fs::unlinkat(&parent, base, AtFlags::REMOVEDIR).map_err(failed)?;
        // The journal, which knows this name, may lie on another file system and must not be gone first.
        fs::fsync(&parent).map_err(failed)?;
        debug::step(0);
    }
    Ok(())
}

fn empty_stage(dir: &OwnedFd) -> Result<(), Errno> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    for name in names {
        if name.starts_with(b"b") {
            strip_privileges(dir, &name);
        }
        match fs::unlinkat(dir, name.as_slice(), AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR) => remove_dir(dir, &name)?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// A directory was empty when it came here; only root's own processes could put files into it since.
fn remove_dir(stage: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let gone = fs::unlinkat(stage, name, AtFlags::REMOVEDIR);
    if !matches!(gone, Err(Errno::NOTEMPTY | Errno::EXIST)) {
        return gone;
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = fs::openat(stage, name, flags, Mode::empty())?;
    for entry in fs::Dir::read_from(&dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            fs::unlinkat(&dir, entry.file_name(), AtFlags::empty())?;
        }
    }
    fs::unlinkat(stage, name, AtFlags::REMOVEDIR)
}

/// Takes set-id bits and capabilities from a regular file that is about to lose a name.
fn strip_privileges(dir: &OwnedFd, name: &[u8]) {
    let Ok(stat) = fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
        return;
    };
    let regular = fs::FileType::from_raw_mode(stat.st_mode).is_file();
    // The last link needs nothing: the file is gone right after.
    if !regular || stat.st_nlink < 2 {
        return;
    }
    if let Ok(file) = super::root::open_regular(dir.as_fd(), name) {
        // Failing here leaves what was there before this transaction, no more.
        let _ = fs::fremovexattr(&file, super::root::CAPABILITY_XATTR);
        if stat.st_mode & 0o6000 != 0 {
            let _ = fs::fchmod(&file, Mode::from_raw_mode(stat.st_mode & 0o1777));
        }
    }
}
