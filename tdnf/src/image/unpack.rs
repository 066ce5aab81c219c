//! Layers of somebody else's image, unpacked into a root: every name is resolved inside it, through descriptors.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::io::Read;
use std::ops::Bound;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rpm_transaction::{CAPABILITY_XATTR, RootDir};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use tar::{Archive, EntryType, Header, PaxExtensions};

use super::base::BaseEntry;
use super::layer::{CAPABILITIES, WHITEOUT};
use super::tree::{Stamp, joined, place};
use super::workplace::remove_at;
use crate::error::{Code, Failure, Outcome};

/// Most entries of all layers.
const MAX_ENTRIES: usize = 2 << 20;
/// Largest records in front of an entry, and longest name.
const MAX_RECORDS: u64 = 1 << 20;
/// How deep folders may be nested: what is deeper could not be removed again with few descriptors.
const MAX_DEPTH: usize = 200;
/// Longest path.
const MAX_PATH: usize = 4095;
/// The one that takes away all that lower layers have in its folder.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Content is copied in pieces of this size.
const PIECE: usize = 128 << 10;

/// What stood in front of an entry.
#[derive(Default)]
struct Records {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<u32>,
    capabilities: Option<[u8; 20]>,
}

/// Unpacks layers, one upon the other.
pub(super) struct Unpacker {
    root: RootDir,
    recorded: bool,
    entries: BTreeMap<Vec<u8>, BaseEntry>,
    count: usize,
    piece: Vec<u8>,
}

fn refused(path: &[u8], why: &str) -> Failure {
    let path = String::from_utf8_lossy(path);
    Failure::because(Code::FILESYS_IO, format!("base image: /{path}: {why}"))
}

impl Unpacker {
    pub(super) fn new(root: &Path, recorded: bool) -> Outcome<Self> {
        Ok(Self {
            root: RootDir::open(root)?,
            recorded,
            entries: BTreeMap::new(),
            count: 0,
            piece: vec![0; PIECE],
        })
    }

    /// Unpacks a layer.
    pub(super) fn layer(
        &mut self,
        stream: &mut impl Read,
        go_on: &dyn Fn() -> Outcome<()>,
    ) -> Outcome<()> {
        let broken = |error: std::io::Error| refused(b"", &error.to_string());
        let mut archive = Archive::new(stream);
        let mut own = HashSet::new();
        let mut records = Records::default();
        for entry in archive.entries().map_err(broken)?.raw(true) {
            go_on()?;
            let mut entry = entry.map_err(broken)?;
            let header = entry.header().clone();
            let mut text = |limit: u64| {
                let size = header.entry_size().unwrap_or(u64::MAX);
                if size > limit {
                    return Err(refused(b"", "records in front of an entry are too large"));
                }
                let mut data = Vec::new();
                (&mut entry)
                    .take(limit)
                    .read_to_end(&mut data)
                    .map_err(broken)?;
                Ok(data)
            };
            match header.entry_type() {
                EntryType::XHeader => records.read(&text(MAX_RECORDS)?)?,
                EntryType::XGlobalHeader => drop(text(MAX_RECORDS)?),
                EntryType::GNULongName => records.path = Some(ended(text(MAX_RECORDS)?)),
                EntryType::GNULongLink => records.link = Some(ended(text(MAX_RECORDS)?)),
                _ => {
                    self.count += 1;
                    if self.count > MAX_ENTRIES {
                        return Err(refused(b"", "more entries than any image may have"));
                    }
                    let records = std::mem::take(&mut records);
                    self.entry(&header, records, &mut entry, &mut own)?;
                }
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        header: &Header,
        records: Records,
        content: &mut impl Read,
        own: &mut HashSet<Vec<u8>>,
    ) -> Outcome<()> {
        let named = records
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let parts = clean(&named).ok_or_else(|| refused(&named, "a name that leads elsewhere"))?;
        let Some((base, above)) = parts.split_last() else {
            // The root itself.
            return Ok(());
        };
        if above.len() >= MAX_DEPTH {
            return Err(refused(&named, "folders are nested too deep"));
        }
        let dir = above.join(&b'/');
        let (parent, dir) = self.folder(&dir)?;
        let path = joined(&dir, base);
        if *base == OPAQUE {
            let below: Vec<Vec<u8>> = self
                .below(&dir)
                .into_iter()
                .filter(|path| !own.contains(path))
                .collect();
            // What is in a folder goes before it.
            for path in below.iter().rev() {
                self.take_away(path)?;
            }
            return Ok(());
        }
        if let Some(name) = base.strip_prefix(WHITEOUT) {
            if matches!(name, b"" | b"." | b"..") {
                return Err(refused(&named, "a name that leads elsewhere"));
            }
            return self.take_away(&joined(&dir, name));
        }
        let number = |number: std::io::Result<u64>| {
            number.ok().and_then(|number| u32::try_from(number).ok())
        };
        let failed = |error: Errno| refused(&path, &std::io::Error::from(error).to_string());
        let kind = header.entry_type();
        let target = records
            .link
            .or_else(|| header.link_name_bytes().map(|name| name.into_owned()));
        let target = target.unwrap_or_default();
        let file_type = match kind {
            EntryType::Regular | EntryType::Continuous => FileType::RegularFile,
            EntryType::Link => return self.link(&parent, base, path, &target, own),
            EntryType::Symlink => FileType::Symlink,
            EntryType::Directory => FileType::Directory,
            EntryType::Char => FileType::CharacterDevice,
            EntryType::Block => FileType::BlockDevice,
            EntryType::Fifo => FileType::Fifo,
            _ => return Err(refused(&path, "an entry of an unknown kind")),
        };
        let entry = BaseEntry {
            mode: file_type.as_raw_mode() | header.mode().unwrap_or(0o755) & 0o7777,
            uid: records.uid.or(number(header.uid())).unwrap_or(0),
            gid: records.gid.or(number(header.gid())).unwrap_or(0),
            mtime: records.mtime.or(number(header.mtime())).unwrap_or(0),
            device: (
                header.device_major().ok().flatten().unwrap_or(0),
                header.device_minor().ok().flatten().unwrap_or(0),
            ),
            capabilities: records.capabilities,
            stamp: None,
        };
        let stays = file_type == FileType::Directory && self.is_folder(&parent, base);
        if !stays {
            self.take_away(&path)?;
        }
        let mode = Mode::from_raw_mode(0o600);
        match file_type {
            FileType::Directory if stays => {}
            FileType::Directory => fs::mkdirat(&parent, *base, Mode::RWXU).map_err(failed)?,
            FileType::Symlink => {
                if target.is_empty() || target.len() > MAX_PATH {
                    return Err(refused(&path, "a link that leads nowhere"));
                }
                fs::symlinkat(OsStr::from_bytes(&target), &parent, *base).map_err(failed)?;
            }
            FileType::RegularFile => {
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let file = fs::openat(&parent, *base, flags, mode).map_err(failed)?;
                self.fill(file, content, &path, header.entry_size().unwrap_or(0))?;
            }
            FileType::CharacterDevice | FileType::BlockDevice if self.recorded => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                fs::openat(&parent, *base, flags, mode).map_err(failed)?;
            }
            kind => {
                let device = fs::makedev(entry.device.0, entry.device.1);
                fs::mknodat(&parent, *base, kind, mode, device).map_err(failed)?;
            }
        }
        self.dress(&parent, base, &entry).map_err(failed)?;
        own.insert(path.clone());
        self.entries.insert(path, entry);
        Ok(())
    }

    /// The folder of an entry, made where it is missing, and where it is below the root.
    fn folder(&mut self, dir: &[u8]) -> Outcome<(OwnedFd, Vec<u8>)> {
        let absolute = [b"/", dir].concat();
        let failed = |error: Errno| refused(dir, &std::io::Error::from(error).to_string());
        let (opened, made) = self.root.create_dirs(&absolute).map_err(failed)?;
        let below = place(&self.root, &absolute)?;
        if !made.is_empty() {
            let entry = BaseEntry {
                mode: FileType::Directory.as_raw_mode() | 0o755,
                uid: 0,
                gid: 0,
                mtime: 0,
                device: (0, 0),
                capabilities: None,
                stamp: None,
            };
            for end in (1..=below.len()).filter(|end| matches!(below.get(*end), None | Some(b'/')))
            {
                let path = below.get(..end).unwrap_or_default().to_vec();
                self.entries.entry(path).or_insert(entry);
            }
        }
        Ok((opened, below))
    }

    fn is_folder(&self, parent: &OwnedFd, base: &[u8]) -> bool {
        let stat = fs::statat(parent, base, AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir())
    }

    /// One more name of a file of this image.
    fn link(
        &mut self,
        parent: &OwnedFd,
        base: &[u8],
        path: Vec<u8>,
        target: &[u8],
        own: &mut HashSet<Vec<u8>>,
    ) -> Outcome<()> {
        let wrong = || refused(&path, "a hard link that leads nowhere");
        let parts = clean(target).ok_or_else(wrong)?;
        let (name, above) = parts.split_last().ok_or_else(wrong)?;
        let (dir, dir_path) = self.folder(&above.join(&b'/'))?;
        let source = joined(&dir_path, name);
        let entry = *self.entries.get(&source).ok_or_else(wrong)?;
        if source == path || FileType::from_raw_mode(entry.mode).is_dir() {
            return Err(wrong());
        }
        self.take_away(&path)?;
        let linked = fs::linkat(&dir, *name, parent, base, AtFlags::empty());
        linked.map_err(|error| refused(&path, &std::io::Error::from(error).to_string()))?;
        own.insert(path.clone());
        self.entries.insert(path, entry);
        Ok(())
    }

    fn fill(
        &mut self,
        file: OwnedFd,
        content: &mut impl Read,
        path: &[u8],
        size: u64,
    ) -> Outcome<()> {
        let failed = |error: std::io::Error| refused(path, &error.to_string());
        let mut file = std::fs::File::from(file);
        let mut left = size;
        while left > 0 {
            let read = content.read(&mut self.piece).map_err(failed)?;
            if read == 0 {
                return Err(refused(path, "cut short"));
            }
            let bytes = self.piece.get(..read).unwrap_or_default();
            std::io::Write::write_all(&mut file, bytes).map_err(failed)?;
            left = left.saturating_sub(read as u64);
        }
        Ok(())
    }

    /// Owner, mode, capabilities and time, as far as they are put onto the disk.
    fn dress(&self, parent: &OwnedFd, base: &[u8], entry: &BaseEntry) -> Result<(), Errno> {
        let kind = FileType::from_raw_mode(entry.mode);
        if !self.recorded {
            let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
            fs::chownat(
                parent,
                base,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        if kind != FileType::Symlink {
            let needed = match (rustix::process::geteuid().is_root(), kind) {
                (true, _) => 0,
                (false, FileType::Directory) => 0o700,
                (false, _) => 0o600,
            };
            let mode = Mode::from_raw_mode(entry.mode & 0o7777 | needed);
            fs::chmodat(parent, base, mode, AtFlags::empty())?;
        }
        if let (Some(bytes), false, FileType::RegularFile) =
            (entry.capabilities, self.recorded, kind)
        {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = fs::openat(parent, base, flags, Mode::empty())?;
            fs::fsetxattr(&file, CAPABILITY_XATTR, &bytes, fs::XattrFlags::empty())?;
        }
        let time = Timespec {
            tv_sec: i64::from(entry.mtime),
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        fs::utimensat(parent, base, &times, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The paths below a folder.
    fn below(&self, dir: &[u8]) -> Vec<Vec<u8>> {
        let prefix = if dir.is_empty() {
            Vec::new()
        } else {
            [dir, b"/"].concat()
        };
        let range = (Bound::Excluded(prefix.clone()), Bound::Unbounded);
        let range = self.entries.range(range).map(|(path, _)| path);
        range
            .take_while(|path| path.starts_with(&prefix))
            .cloned()
            .collect()
    }

    /// Takes away what stands at a path, if anything does.
    fn take_away(&mut self, path: &[u8]) -> Outcome<()> {
        for below in self.below(path) {
            self.entries.remove(&below);
        }
        self.entries.remove(path);
        let absolute = [b"/", path].concat();
        let failed = |error: std::io::Error| refused(path, &error.to_string());
        match self.root.open_parent(&absolute) {
            Ok((dir, name)) => remove_at(dir.as_fd(), name).map_err(failed),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// All layers are there: what is in them, as it lies on the disk.
    pub(super) fn finish(mut self) -> Outcome<BTreeMap<Vec<u8>, BaseEntry>> {
        for (path, entry) in &mut self.entries {
            let absolute = [b"/", &path[..]].concat();
            let stat = self
                .root
                .lstat(&absolute)
                .map_err(|error| refused(path, &std::io::Error::from(error).to_string()))?;
            entry.stamp = stat.as_ref().map(Stamp::of);
        }
        Ok(self.entries)
    }
}

impl Records {
    fn read(&mut self, data: &[u8]) -> Outcome<()> {
        for record in PaxExtensions::new(data) {
            let record = record.map_err(|error| refused(b"", &error.to_string()))?;
            let value = record.value_bytes();
            let number = || {
                std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.split('.').next()?.parse().ok())
            };
            match record.key() {
                Ok("path") => self.path = Some(value.to_vec()),
                Ok("linkpath") => self.link = Some(value.to_vec()),
                Ok("uid") => self.uid = number(),
                Ok("gid") => self.gid = number(),
                Ok("mtime") => self.mtime = number(),
                Ok("size") => return Err(refused(b"", "a file is larger than images may have")),
                Ok(CAPABILITIES) => self.capabilities = value.first_chunk().copied(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A name of GNU tar, which ends with a zero.
fn ended(mut name: Vec<u8>) -> Vec<u8> {
    name.truncate(
        name.iter()
            .position(|byte| *byte == 0)
            .unwrap_or(name.len()),
    );
    name
}

/// The parts of a name; none of one that goes up, is too long or has a zero in it.
fn clean(name: &[u8]) -> Option<Vec<&[u8]>> {
    let parts = name.split(|byte| *byte == b'/');
    let parts: Vec<&[u8]> = parts
        .filter(|part| !part.is_empty() && *part != b".")
        .collect();
    let fits = name.len() <= MAX_PATH && !name.contains(&0) && !parts.contains(&&b".."[..]);
    fits.then_some(parts)
}
