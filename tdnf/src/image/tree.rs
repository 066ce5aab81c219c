//! The root as the image shows it: what lies on the disk, and of the files of packages what their headers say.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rpm_db::Db;
use rpm_pkg::files::{FileEntry, FileList, FileType};
use rpm_transaction::{CAPABILITY_XATTR, Owners, RootDir, encode_capabilities};
use rustix::fs::{self, AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::base::BaseEntry;
use super::row::PackageRow;
use crate::error::{At, Code, Failure, Outcome};

/// How deep folders may be nested below the root.
const MAX_DEPTH: usize = 256;
/// Longest capabilities: version 3 of the kernel's form.
const MAX_CAPABILITIES: usize = 24;
/// The bits of a mode that an unknown owner loses.
const SET_ID: [u32; 2] = [0o4000, 0o2000];

/// Folders of which only what packages brought goes into an image: caches, logs, what is made anew whenever a system
/// starts, and what the run itself left.
const TRANSIENT: [&str; 9] = [
    "dev",
    "proc",
    "run",
    "sys",
    "tmp",
    "var/cache",
    "var/lib/tdnf",
    "var/log",
    "var/tmp",
];
/// Given anew to each machine: an image has an empty one, as its documents ask for.
pub(super) const MACHINE_ID: &[u8] = b"etc/machine-id";
/// What rpm locks.
const DATABASE_LOCK: &[u8] = b".rpm.lock";
/// What is locked while users are added.
const ACCOUNTS_LOCK: &[u8] = b"etc/.pwd.lock";

/// What decides how entries are shown.
#[derive(Debug, Clone)]
pub struct Rules {
    /// No time is later than this, seconds since 1970.
    pub epoch: u64,
    /// What is as young as this, seconds since 1970, was made on the way.
    pub begun: u64,
    /// Owners, capabilities and devices are those of the rpm database.
    pub recorded: bool,
    /// File capabilities count.
    pub caps: bool,
    /// Where the rpm database is, below the root.
    pub database: PathBuf,
}

/// How a file lies on the disk: whatever changes it changes one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    changed: (i64, i64),
    size: i64,
}

impl Stamp {
    /// That of a file.
    pub fn of(stat: &Stat) -> Self {
        Self {
            inode: stat.st_ino,
            changed: (
                stat.st_ctime,
                i64::try_from(stat.st_ctime_nsec).unwrap_or(0),
            ),
            size: stat.st_size,
        }
    }
}

/// What a header says of a file.
#[derive(Debug, Clone, Copy)]
struct Facts {
    kind: FileType,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: u32,
    /// Major and minor number.
    device: (u32, u32),
    capabilities: Option<[u8; 20]>,
    /// Position in the list of packages; none for what was laid over them.
    package: Option<usize>,
}

/// A root that is to be shown.
pub struct Tree {
    pub(super) root: RootDir,
    rules: Rules,
    /// By name, the rpm database's own order left out.
    packages: Vec<PackageRow>,
    facts: HashMap<Vec<u8>, Facts>,
    /// Folders above files of packages.
    folders: HashSet<Vec<u8>>,
    /// What was there before the packages came.
    base: BTreeMap<Vec<u8>, BaseEntry>,
}

/// What is done with a name in a folder: its name, its path, and what stands there.
type Deed<'d> = dyn FnMut(&CStr, &mut Vec<u8>, &Stat) -> Outcome<()> + 'd;

/// What is said of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Attributes {
    /// Permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: u64,
    /// Numbers of a device, else 0.
    pub device: (u32, u32),
}

/// An entry as the image shows it.
pub struct Entry<'a> {
    dir: BorrowedFd<'a>,
    name: &'a CStr,
    /// Below the root, without a slash in front.
    pub path: &'a [u8],
    /// Its type.
    pub kind: FileType,
    /// Permissions, owner, time, numbers of a device.
    pub attributes: Attributes,
    /// Bytes of a regular file, else 0.
    pub size: u64,
    /// Device and inode of a file that has several names.
    pub inode: Option<(u64, u64)>,
    /// The package that brought it, as a position in the list of packages.
    pub package: Option<usize>,
    /// It is as the image below has it.
    pub unchanged: bool,
    /// What its package says of its capabilities; none: the disk does.
    recorded: Option<Option<[u8; 20]>>,
    caps: bool,
}

impl Entry<'_> {
    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// It cannot be opened, or is none any more.
    pub fn open(&self) -> Result<std::fs::File, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(self.dir, self.name, flags, Mode::empty())?;
        Ok(file.into())
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn link(&self) -> Result<Vec<u8>, Errno> {
        Ok(fs::readlinkat(self.dir, self.name, Vec::new())?.into_bytes())
    }

    /// The capabilities of an open regular file, in the kernel's form.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn capabilities(&self, file: &std::fs::File) -> Result<Option<Vec<u8>>, Errno> {
        if !self.caps {
            return Ok(None);
        }
        if let Some(recorded) = self.recorded {
            return Ok(recorded.map(|bytes| bytes.to_vec()));
        }
        let mut bytes = [0; MAX_CAPABILITIES];
        match fs::fgetxattr(file, CAPABILITY_XATTR, &mut bytes) {
            Ok(length) => Ok(bytes.get(..length).map(<[u8]>::to_vec)),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Tree {
    /// Reads what the packages of a database, if there is one, say of the files below `root`; `base` is what was there
    /// before they came.
    ///
    /// # Errors
    /// The root or the database cannot be read.
    pub fn read(
        root: &Path,
        db: Option<&Db>,
        rules: Rules,
        base: BTreeMap<Vec<u8>, BaseEntry>,
    ) -> Outcome<Self> {
        let root = RootDir::open(root)?;
        let failed = |error: std::io::Error| Failure::io(&root.path().join("etc/passwd"), &error);
        let owners = Owners::read(&root).map_err(failed)?;
        let mut numbered = Vec::new();
        if let Some(db) = db {
            db.for_each(&mut |hnum, header| {
                numbered.push((PackageRow::of(&header), hnum));
                ControlFlow::Continue(())
            })?;
        }
        numbered.sort();
        let mut tree = Self {
            packages: numbered.iter().map(|(row, _)| row.clone()).collect(),
            root,
            rules,
            facts: HashMap::new(),
            folders: HashSet::new(),
            base,
        };
        let mut places = HashMap::new();
        for (package, (row, hnum)) in numbered.iter().enumerate() {
            let header = db.map(|db| db.get(*hnum)).transpose()?.flatten();
            let Some(header) = header else { continue };
            let files = FileList::from_header(&header).map_err(|error| {
                Failure::because(Code::BASE, format!("package {}: {error}", row.name))
            })?;
            let files = (0..files.len()).filter_map(|index| files.get(index));
            for file in files {
                tree.add(&file, package, &owners, &mut places)?;
            }
        }
        tree.add_base()?;
        Ok(tree)
    }

    /// What the image below says counts where nothing has changed, or no package says anything.
    fn add_base(&mut self) -> Outcome<()> {
        for (path, entry) in &self.base {
            let absolute = [b"/", &path[..]].concat();
            let stat = self.root.lstat(&absolute);
            let stat = stat.map_err(|error| self.failed(path, error))?;
            let same = entry.stamp.is_some() && stat.as_ref().map(Stamp::of) == entry.stamp;
            let facts = Facts {
                kind: kind_of(entry.mode),
                mode: entry.mode & 0o7777,
                uid: entry.uid,
                gid: entry.gid,
                mtime: entry.mtime,
                device: entry.device,
                capabilities: entry.capabilities,
                package: None,
            };
            match self.facts.entry(path.clone()) {
                Occupied(mut known) if same && facts.kind != FileType::Directory => {
                    known.insert(facts);
                }
                Occupied(_) => {}
                Vacant(place) => drop(place.insert(facts)),
            }
        }
        Ok(())
    }

    /// What the image below has and the root has no more, sorted; of a folder only itself.
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn gone(&self) -> Outcome<Vec<&[u8]>> {
        let mut gone = Vec::new();
        // What is below this is gone with it.
        let mut above: Option<&[u8]> = None;
        for (path, entry) in &self.base {
            let is_below = |dir: &[u8]| {
                let rest = path.strip_prefix(dir);
                rest.is_some_and(|rest| rest.first() == Some(&b'/'))
            };
            if above.is_some_and(is_below) {
                continue;
            }
            let absolute = [b"/", &path[..]].concat();
            let stat = self.root.lstat(&absolute);
            let stat = stat.map_err(|error| self.failed(path, error))?;
            let is_folder = |mode| fs::FileType::from_raw_mode(mode).is_dir();
            match stat {
                None => {
                    gone.push(&path[..]);
                    above = Some(path);
                }
                // Something else takes its place.
                Some(stat) if is_folder(entry.mode) && !is_folder(stat.st_mode) => {
                    above = Some(path)
                }
                Some(_) => {}
            }
        }
        Ok(gone)
    }

    /// The packages, by name.
    pub fn packages(&self) -> &[PackageRow] {
        &self.packages
    }

    fn add(
        &mut self,
        file: &FileEntry<'_>,
        package: usize,
        owners: &Owners,
        places: &mut HashMap<Vec<u8>, Vec<u8>>,
    ) -> Outcome<()> {
        let dir = match places.get(file.dir) {
            Some(dir) => dir.clone(),
            None => {
                let dir = place(&self.root, file.dir)?;
                places.insert(file.dir.to_vec(), dir.clone());
                dir
            }
        };
        let path = joined(&dir, file.base);
        self.add_folders(&dir);
        let (uid, gid) = (
            owners.uid(file.user.as_bytes()),
            owners.gid(file.group.as_bytes()),
        );
        let lost = [uid, gid].into_iter().zip(SET_ID);
        let lost = lost.filter_map(|(number, bit)| number.is_none().then_some(bit));
        let text = std::str::from_utf8(file.caps).unwrap_or_default();
        let facts = Facts {
            kind: file.kind,
            mode: u32::from(file.mode) & 0o7777 & !lost.sum::<u32>(),
            uid: uid.unwrap_or(0),
            gid: gid.unwrap_or(0),
            mtime: file.mtime,
            device: (u32::from(file.rdev >> 8), u32::from(file.rdev & 0xff)),
            capabilities: (!text.is_empty())
                .then(|| encode_capabilities(text))
                .flatten(),
            package: Some(package),
        };
        // Of what several packages have the same files count; a folder has the latest time of all.
        let kept = self.facts.entry(path).or_insert(facts);
        kept.mtime = kept.mtime.max(facts.mtime);
        Ok(())
    }

    /// Whether what stands at `path` was brought by a package, or is there in the image below.
    ///
    /// # Errors
    /// A link above it cannot be followed.
    pub fn is_brought(&self, path: &[u8]) -> Outcome<bool> {
        let path = place(&self.root, path)?;
        let facts = self.facts.get(&path);
        Ok(self.base.contains_key(&path) || facts.is_some_and(|facts| facts.package.is_some()))
    }

    /// Whether owners are those that are known here, not those on the disk.
    pub fn is_recorded(&self) -> bool {
        self.rules.recorded
    }

    /// What stands at `path` was laid over the packages: it has the mode of its source, and this user and group.
    ///
    /// # Errors
    /// A link above it cannot be followed.
    pub fn overlay(&mut self, path: &[u8], mode: u32, (uid, gid): (u32, u32)) -> Outcome<()> {
        let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (dir, base) = path.split_at(slash);
        let dir = place(&self.root, dir)?;
        let facts = Facts {
            kind: kind_of(mode),
            mode: mode & 0o7777,
            uid,
            gid,
            mtime: u32::try_from(self.rules.epoch).unwrap_or(u32::MAX),
            device: (0, 0),
            capabilities: None,
            package: None,
        };
        self.facts
            .insert(joined(&dir, base.get(1..).unwrap_or_default()), facts);
        self.add_folders(&dir);
        Ok(())
    }

    /// A folder, and those above it.
    fn add_folders(&mut self, mut dir: &[u8]) {
        while !dir.is_empty() && self.folders.insert(dir.to_vec()) {
            dir = parent(dir);
        }
    }

    /// Shows every entry, folders before what is in them, names in the order of their bytes.
    ///
    /// # Errors
    /// Something cannot be read; what `visit` says.
    pub fn walk(&self, visit: &mut dyn FnMut(&Entry<'_>) -> Outcome<()>) -> Outcome<()> {
        let root = self.root.fd().try_clone_to_owned();
        let root = root.map_err(|error| Failure::io(self.root.path(), &error))?;
        let device = fs::fstat(&root).map_err(|error| self.failed(b"", error))?;
        self.walk_folder(root, &mut Vec::new(), device.st_dev, 0, visit)
    }

    fn walk_folder(
        &self,
        dir: OwnedFd,
        path: &mut Vec<u8>,
        device: u64,
        depth: usize,
        visit: &mut dyn FnMut(&Entry<'_>) -> Outcome<()>,
    ) -> Outcome<()> {
        self.each(&dir, path, depth, &mut |name, path, stat| {
            if stat.st_dev != device || self.is_left_out(path) {
                return Ok(());
            }
            let entry = self.entry((dir.as_fd(), name), path, stat);
            let is_folder = entry.kind == FileType::Directory;
            visit(&entry)?;
            if is_folder {
                let below = self.open_folder(&dir, name, path)?;
                self.walk_folder(below, path, device, depth + 1, visit)?;
            }
            Ok(())
        })
    }

    /// Does something with each name in a folder, in the order of their bytes.
    pub(super) fn each(
        &self,
        dir: &OwnedFd,
        path: &mut Vec<u8>,
        depth: usize,
        deed: &mut Deed<'_>,
    ) -> Outcome<()> {
        if depth >= MAX_DEPTH {
            return Err(self.failed(path, Errno::NAMETOOLONG));
        }
        let length = path.len();
        for name in self.names(dir, path)? {
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let stat = fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW);
            let stat = stat.map_err(|error| self.failed(path, error))?;
            deed(&name, path, &stat)?;
            path.truncate(length);
        }
        Ok(())
    }

    /// Opens a folder in a folder.
    pub(super) fn open_folder(&self, dir: &OwnedFd, name: &CStr, path: &[u8]) -> Outcome<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let below = fs::openat(dir, name, flags, Mode::empty());
        below.map_err(|error| self.failed(path, error))
    }

    fn names(&self, dir: &OwnedFd, path: &[u8]) -> Outcome<Vec<CString>> {
        let names = fs::Dir::read_from(dir).and_then(|entries| {
            let names = entries.map(|entry| Ok(entry?.file_name().to_owned()));
            names.collect::<Result<Vec<_>, Errno>>()
        });
        let mut names = names.map_err(|error| self.failed(path, error))?;
        names.retain(|name| !matches!(name.to_bytes(), b"." | b".."));
        names.sort();
        Ok(names)
    }

    pub(super) fn failed(&self, path: &[u8], error: Errno) -> Failure {
        let path = self.root.path().join(std::ffi::OsStr::from_bytes(path));
        Failure::io(&path, &error.into())
    }

    /// What no package brought and every run would leave anew.
    pub(super) fn is_left_out(&self, path: &[u8]) -> bool {
        if self.facts.contains_key(path) || self.folders.contains(path) {
            return false;
        }
        let is_below = |dir: &str| {
            let rest = path.strip_prefix(dir.as_bytes());
            rest.is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        let database = self.rules.database.as_os_str().as_bytes();
        let lock = path == joined(database, DATABASE_LOCK) || path == ACCOUNTS_LOCK;
        lock || path == b"var/lib/tdnf" || TRANSIENT.into_iter().any(is_below)
    }

    pub(super) fn entry<'a>(
        &self,
        (dir, name): (BorrowedFd<'a>, &'a CStr),
        path: &'a [u8],
        stat: &Stat,
    ) -> Entry<'a> {
        let mode = stat.st_mode & 0o7777;
        let on_disk = kind_of(stat.st_mode);
        let facts = self.facts.get(path);
        let is_device = |kind| matches!(kind, FileType::CharDevice | FileType::BlockDevice);
        let recorded = facts.filter(|facts| {
            let stands_in = is_device(facts.kind) && on_disk == FileType::Regular;
            self.rules.recorded && (facts.kind == on_disk || stands_in)
        });
        let kind = recorded.map_or(on_disk, |facts| facts.kind);
        let others = !rustix::process::geteuid().is_root();
        let numbers = (fs::major(stat.st_rdev), fs::minor(stat.st_rdev));
        let is_regular = kind == FileType::Regular;
        let is_empty = path == MACHINE_ID;
        let nobody = self.rules.recorded;
        let attributes = Attributes {
            // A user who is not root has to be able to read what he packs.
            mode: recorded
                .filter(|_| others && kind != FileType::Symlink)
                .map_or(mode, |facts| facts.mode),
            uid: recorded.map_or(if nobody { 0 } else { stat.st_uid }, |facts| facts.uid),
            gid: recorded.map_or(if nobody { 0 } else { stat.st_gid }, |facts| facts.gid),
            mtime: self.time(kind, stat, facts),
            device: match (is_device(kind), recorded) {
                (false, _) => (0, 0),
                (true, Some(facts)) => facts.device,
                (true, None) => numbers,
            },
        };
        let unchanged = self.base.get(path).is_some_and(|base| match kind {
            FileType::Directory => {
                let own = (attributes.mode, attributes.uid, attributes.gid);
                own == (base.mode & 0o7777, base.uid, base.gid)
            }
            _ => base.stamp == Some(Stamp::of(stat)),
        });
        Entry {
            unchanged,
            dir,
            name,
            path,
            kind,
            attributes,
            size: match is_regular && !is_empty {
                true => u64::try_from(stat.st_size).unwrap_or(0),
                false => 0,
            },
            inode: (is_regular && stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino)),
            package: facts.and_then(|facts| facts.package),
            recorded: self
                .rules
                .recorded
                .then(|| recorded.and_then(|facts| facts.capabilities)),
            caps: self.rules.caps,
        }
    }

    /// Files keep the times that packages gave them; what changed on the way, and every later time, is the epoch.
    /// Times of folders change with all that is put into them: their packages say what they are.
    fn time(&self, kind: FileType, stat: &Stat, facts: Option<&Facts>) -> u64 {
        let Rules { epoch, begun, .. } = self.rules;
        let packaged = facts.map(|facts| u64::from(facts.mtime));
        if kind == FileType::Directory {
            return packaged.unwrap_or(epoch).min(epoch);
        }
        let on_disk = u64::try_from(stat.st_mtime).unwrap_or(0);
        let untouched = packaged == Some(on_disk) && stat.st_mtime_nsec == 0;
        match on_disk >= begun && !untouched {
            true => epoch,
            false => on_disk.min(epoch),
        }
    }
}

/// The type in a mode, as `st_mode` has it.
fn kind_of(mode: u32) -> FileType {
    FileType::from_mode((mode & 0o170_000) as u16).unwrap_or(FileType::Regular)
}

/// The folder of a path below the root.
fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    slash
        .and_then(|slash| path.get(..slash))
        .unwrap_or_default()
}

/// Where a folder is below the root: links above may lead elsewhere.
pub(super) fn place(root: &RootDir, dir: &[u8]) -> Outcome<Vec<u8>> {
    let path = Path::new(std::ffi::OsStr::from_bytes(dir));
    let found = whole_file::inside(root.path(), path).at(path)?;
    let below = found.strip_prefix(root.path()).unwrap_or(&found);
    Ok(below.as_os_str().as_bytes().to_vec())
}

/// A name in a folder; the root itself has an empty path.
pub(super) fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = dir.to_vec();
    if !path.is_empty() && !name.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
