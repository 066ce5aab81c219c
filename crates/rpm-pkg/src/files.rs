//! The files of a package, as its header lists them.
//!
//! Tags and checks: docs/reference/transactions.md, 4.1. rpm 6.1 checks counts and ranges; the checks of names are
//! ours, because a name with `..` must never reach a file system.

mod table;

use crate::digest::{Digest, DigestAlgo};
use crate::header::{Header, tag};
use crate::nevra;
use std::collections::HashMap;
use table::{FileTexts, Integers};
use thiserror::Error;

/// Longest path in bytes (Linux PATH_MAX, without the final NUL).
pub const MAX_PATH: usize = 4095;
/// Longest part of a path in bytes (Linux NAME_MAX).
pub const MAX_NAME: usize = 255;
/// Most bytes that all files of a package may have together: 16 TiB.
pub const MAX_TOTAL_SIZE: u64 = 1 << 44;

/// Why a header's file list was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilesError {
    /// Names in the form of rpm before 4.0 (OLDFILENAMES 1027).
    #[error("file names in the format of rpm before 4.0")]
    OldNames,
    /// A tag has another number of elements than there are files, or is missing.
    #[error("file list tag {tag} has {actual} elements for {expected} files")]
    Count {
        /// The tag.
        tag: u32,
        /// Its elements.
        actual: usize,
        /// Number of files.
        expected: usize,
    },
    /// A DIRINDEX points at no DIRNAME.
    #[error("file {index} has no directory")]
    DirectoryIndex {
        /// Number of the file.
        index: usize,
    },
    /// A directory is not absolute, does not end in a slash, or has a part that is empty, `.`,
    /// `..` or too long.
    #[error("bad directory name \"{0}\"")]
    Directory(String),
    /// A base name is empty, `.`, `..`, too long or has a slash.
    #[error("bad file name \"{0}\"")]
    Name(String),
    /// A path is longer than [`MAX_PATH`].
    #[error("path of file {index} is too long")]
    PathLength {
        /// Number of the file.
        index: usize,
    },
    /// The type bits of a mode name no type of file.
    #[error("file {index} has the unknown mode {mode:o}")]
    Mode {
        /// Number of the file.
        index: usize,
        /// Its mode.
        mode: u16,
    },
    /// A digest has the wrong length or is not hexadecimal.
    #[error("digest of file {index} is malformed")]
    Digest {
        /// Number of the file.
        index: usize,
    },
    /// FILEDIGESTALGO names no known algorithm.
    #[error("unknown file digest algorithm {0}")]
    DigestAlgorithm(u32),
    /// All sizes together exceed [`MAX_TOTAL_SIZE`].
    #[error("files are larger than any package can be")]
    TotalSize,
}

/// The flags of a file (tag 1037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileFlags(pub u32);

impl FileFlags {
    /// `%config`.
    pub const CONFIG: u32 = 1;
    /// `%doc`.
    pub const DOC: u32 = 2;
    /// `%config(missingok)`.
    pub const MISSINGOK: u32 = 8;
    /// `%config(noreplace)`.
    pub const NOREPLACE: u32 = 16;
    /// The spec file of a source package.
    pub const SPECFILE: u32 = 32;
    /// `%ghost`: owned, not in the payload.
    pub const GHOST: u32 = 64;
    /// `%license`.
    pub const LICENSE: u32 = 128;
    /// `%readme`.
    pub const README: u32 = 256;
    /// `%artifact`: a by-product of the build.
    pub const ARTIFACT: u32 = 4096;
    /// A public key.
    pub const PUBKEY: u32 = 2048;

    /// Whether any of the bits is set.
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// Whether the file is a `%ghost`.
    pub fn is_ghost(self) -> bool {
        self.has(Self::GHOST)
    }

    /// Whether the file is a `%config`.
    pub fn is_config(self) -> bool {
        self.has(Self::CONFIG)
    }
}

crate::table! {
    /// The type of a file. Beside each: the upper bits of its mode.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum FileType: u16 {
        /// Regular file.
        Regular => 0o100000,
        /// Directory.
        Directory => 0o040000,
        /// Symbolic link.
        Symlink => 0o120000,
        /// Character device.
        CharDevice => 0o020000,
        /// Block device.
        BlockDevice => 0o060000,
        /// Named pipe.
        Fifo => 0o010000,
        /// Socket.
        Socket => 0o140000,
    }
}

impl FileType {
    /// The type that the upper bits of `mode` name.
    pub fn from_mode(mode: u16) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.row() == mode & 0o170000)
    }
}

/// One file, borrowed from its list.
#[derive(Debug, Clone, Copy)]
pub struct FileEntry<'a> {
    /// Number in the list.
    pub index: usize,
    /// Directory with its final slash.
    pub dir: &'a [u8],
    /// Name in the directory; empty only for `/` itself.
    pub base: &'a [u8],
    /// Size in bytes.
    pub size: u64,
    /// Type and permission bits.
    pub mode: u16,
    /// Type of the file.
    pub kind: FileType,
    /// Modification time, Unix seconds.
    pub mtime: u32,
    /// Digest of the content; `None` for anything but regular files, and for ghosts.
    pub digest: Option<Digest>,
    /// Target of a symbolic link, else empty.
    pub linkto: &'a [u8],
    /// `%config`, `%ghost`, ...
    pub flags: FileFlags,
    /// What `rpm -V` checks.
    pub verify: u32,
    /// Owner; `root` when the header has none or it is not UTF-8.
    pub user: &'a str,
    /// Group; as `user`.
    pub group: &'a str,
    /// Device numbers of a device file: major << 8 | minor.
    pub rdev: u16,
    /// Device the file was packaged from; with `ino` it tells hard links.
    pub dev: u32,
    /// Inode the file was packaged from.
    pub ino: u32,
    /// Languages, `|`-separated; empty for all.
    pub langs: &'a [u8],
    /// ELF class bits (1: 32 bit, 2: 64 bit).
    pub color: u32,
    /// Capabilities in text form; empty for none.
    pub caps: &'a [u8],
}

impl FileEntry<'_> {
    /// The full path.
    pub fn path(&self) -> Vec<u8> {
        [self.dir, self.base].concat()
    }
}

/// A checked file list. Clones of the header's bytes are shared, not copied.
#[derive(Debug, Clone)]
pub struct FileList {
    header: Header,
    dirs: FileTexts,
    bases: FileTexts,
    dir_indexes: Integers,
    sizes: Integers,
    modes: Integers,
    mtimes: Integers,
    flags: Integers,
    verify: Integers,
    rdevs: Integers,
    devices: Integers,
    inodes: Integers,
    colors: Integers,
    digests: FileTexts,
    linktos: FileTexts,
    users: FileTexts,
    groups: FileTexts,
    langs: FileTexts,
    caps: FileTexts,
    algo: DigestAlgo,
    sets: HardlinkSets,
}

/// Files that share one inode.
#[derive(Debug, Clone, Default)]
struct HardlinkSets {
    sets: Vec<Vec<usize>>,
    /// Each member with the number of its set, by member.
    of: Vec<(usize, usize)>,
}

impl FileList {
    /// Reads and checks the file list of a main or database header. A header without files gives
    /// an empty list.
    pub fn from_header(header: &Header) -> Result<Self, FilesError> {
        let bases = FileTexts::of(header, tag::BASENAMES);
        if bases.len() == 0 && header.has(tag::OLDFILENAMES) {
            return Err(FilesError::OldNames);
        }
        let count = bases.len();
        let integers = |tag| Integers::checked(header, tag, count);
        let texts = |tag| FileTexts::checked(header, tag, count);
        let size_tag = if header.has(tag::LONGFILESIZES) {
            tag::LONGFILESIZES
        } else {
            tag::FILESIZES
        };
        let algo = header.u32(tag::FILEDIGESTALGO).unwrap_or(0);
        let mut list = FileList {
            dirs: FileTexts::of(header, tag::DIRNAMES),
            dir_indexes: Integers::required(header, tag::DIRINDEXES, count)?,
            sizes: Integers::required(header, size_tag, count)?,
            modes: Integers::required(header, tag::FILEMODES, count)?,
            mtimes: integers(tag::FILEMTIMES)?,
            flags: integers(tag::FILEFLAGS)?,
            verify: integers(tag::FILEVERIFYFLAGS)?,
            rdevs: integers(tag::FILERDEVS)?,
            devices: integers(tag::FILEDEVICES)?,
            inodes: integers(tag::FILEINODES)?,
            colors: integers(tag::FILECOLORS)?,
            digests: texts(tag::FILEDIGESTS)?,
            linktos: texts(tag::FILELINKTOS)?,
            users: texts(tag::FILEUSERNAME)?,
            groups: texts(tag::FILEGROUPNAME)?,
            langs: texts(tag::FILELANGS)?,
            caps: texts(tag::FILECAPS)?,
            algo: DigestAlgo::from_rpm_id(algo).ok_or(FilesError::DigestAlgorithm(algo))?,
            sets: HardlinkSets::default(),
            header: header.clone(),
            bases,
        };
        list.check_names(nevra::is_source(header))?;
        list.check_values()?;
        list.sets = list.find_hardlinks();
        Ok(list)
    }

    fn check_names(&self, is_source: bool) -> Result<(), FilesError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for index in 0..self.dirs.len() {
            let dir = self.dirs.get(&self.header, index);
            let fits = is_clean_directory(dir) || (is_source && dir.is_empty());
            if !fits {
                return Err(FilesError::Directory(text(dir)));
            }
        }
        for index in 0..self.len() {
            let dir = self.dir_indexes.get(&self.header, index) as usize;
            if dir >= self.dirs.len() {
                return Err(FilesError::DirectoryIndex { index });
            }
            let dir = self.dirs.get(&self.header, dir);
            let base = self.bases.get(&self.header, index);
            let is_root = dir == b"/" && base.is_empty();
            if !is_root && (!is_clean_name(base) || base.contains(&b'/')) {
                return Err(FilesError::Name(text(base)));
            }
            if dir.len() + base.len() > MAX_PATH {
                return Err(FilesError::PathLength { index });
            }
        }
        Ok(())
    }

    fn check_values(&self) -> Result<(), FilesError> {
        let mut total = 0_u64;
        for index in 0..self.len() {
            let mode = self.modes.get(&self.header, index) as u16;
            if FileType::from_mode(mode).is_none() && !self.flags(index).is_ghost() {
                return Err(FilesError::Mode { index, mode });
            }
            let digest = self.digests.get(&self.header, index);
            if !digest.is_empty() && Digest::from_hex(self.algo, digest).is_err() {
                return Err(FilesError::Digest { index });
            }
            total = total.saturating_add(self.sizes.get(&self.header, index));
        }
        let fits = total <= MAX_TOTAL_SIZE;
        fits.then_some(()).ok_or(FilesError::TotalSize)
    }

    fn find_hardlinks(&self) -> HardlinkSets {
        let mut by_inode: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
        if !self.inodes.is_empty() {
            for index in 0..self.len() {
                if self.kind(index) == FileType::Regular && !self.flags(index).is_ghost() {
                    let device = self.devices.get(&self.header, index);
                    let inode = self.inodes.get(&self.header, index);
                    by_inode.entry((device, inode)).or_default().push(index);
                }
            }
        }
        let mut sets: Vec<_> = by_inode.into_values().filter(|set| set.len() > 1).collect();
        sets.sort();
        let members = |(number, set): (usize, &Vec<usize>)| {
            set.iter().map(|index| (*index, number)).collect::<Vec<_>>()
        };
        let mut of: Vec<_> = sets.iter().enumerate().flat_map(members).collect();
        of.sort_unstable();
        HardlinkSets { sets, of }
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.bases.len()
    }

    /// Whether the package has no files.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Flags of file `index`; none for one that does not exist.
    pub fn flags(&self, index: usize) -> FileFlags {
        FileFlags(self.flags.get(&self.header, index) as u32)
    }

    /// Type of file `index`; a ghost with an unknown mode counts as regular.
    pub fn kind(&self, index: usize) -> FileType {
        let mode = self.modes.get(&self.header, index) as u16;
        FileType::from_mode(mode).unwrap_or(FileType::Regular)
    }

    /// Size of file `index`.
    pub fn size(&self, index: usize) -> u64 {
        self.sizes.get(&self.header, index)
    }

    /// Directory and base name of file `index`.
    pub fn path_parts(&self, index: usize) -> (&[u8], &[u8]) {
        let dir = self.dir_indexes.get(&self.header, index) as usize;
        (
            self.dirs.get(&self.header, dir),
            self.bases.get(&self.header, index),
        )
    }

    /// The full path of file `index`.
    pub fn path(&self, index: usize) -> Vec<u8> {
        let (dir, base) = self.path_parts(index);
        [dir, base].concat()
    }

    /// File `index`.
    pub fn get(&self, index: usize) -> Option<FileEntry<'_>> {
        if index >= self.len() {
            return None;
        }
        let header = &self.header;
        let (dir, base) = self.path_parts(index);
        let name = |texts: &FileTexts| {
            let name = std::str::from_utf8(texts.get(header, index)).ok();
            name.filter(|name| !name.is_empty()).unwrap_or("root")
        };
        Some(FileEntry {
            index,
            dir,
            base,
            size: self.size(index),
            mode: self.modes.get(header, index) as u16,
            kind: self.kind(index),
            mtime: self.mtimes.get(header, index) as u32,
            digest: self.digest(index),
            linkto: self.linktos.get(header, index),
            flags: self.flags(index),
            verify: self.verify.get(header, index) as u32,
            user: name(&self.users),
            group: name(&self.groups),
            rdev: self.rdevs.get(header, index) as u16,
            dev: self.devices.get(header, index) as u32,
            ino: self.inodes.get(header, index) as u32,
            langs: self.langs.get(header, index),
            color: self.colors.get(header, index) as u32,
            caps: self.caps.get(header, index),
        })
    }

    /// Digest of file `index`. Very old packages have an all-zero MD5 for empty files: `None`.
    pub fn digest(&self, index: usize) -> Option<Digest> {
        let text = self.digests.get(&self.header, index);
        let empty = self.size(index) == 0 && text.iter().all(|c| *c == b'0');
        Digest::from_hex(self.algo, text).ok().filter(|_| !empty)
    }

    /// Whether each regular file whose content is in the payload has a digest that withstands an attacker.
    pub fn prove_contents(&self) -> bool {
        let has_content =
            |index: usize| self.kind(index) == FileType::Regular && self.payload_size(index) > 0;
        self.algo.is_strong()
            && (0..self.len()).all(|index| !has_content(index) || self.digest(index).is_some())
    }

    /// All files in header order.
    pub fn iter(&self) -> impl Iterator<Item = FileEntry<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The directories of the header (DIRNAMES), each with its final slash.
    pub fn dirs(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.dirs.len()).map(|index| self.dirs.get(&self.header, index))
    }

    /// Sets of two or more regular files that share an inode, ghosts excluded; members in
    /// ascending order. The payload carries the content with the last one.
    pub fn hardlink_sets(&self) -> &[Vec<usize>] {
        &self.sets.sets
    }

    /// The hard link set of file `index`.
    pub fn hardlink_set(&self, index: usize) -> Option<&[usize]> {
        let of = &self.sets.of;
        let place = of.binary_search_by_key(&index, |(member, _)| *member);
        let (_, set) = of.get(place.ok()?)?;
        self.sets.sets.get(*set).map(Vec::as_slice)
    }

    /// Bytes that the payload carries for file `index`: nothing for ghosts, directories, devices
    /// and all but the last member of a hard link set.
    pub fn payload_size(&self, index: usize) -> u64 {
        let elsewhere = || {
            self.hardlink_set(index)
                .is_some_and(|set| set.last() != Some(&index))
        };
        match self.kind(index) {
            _ if self.flags(index).is_ghost() => 0,
            FileType::Regular if elsewhere() => 0,
            FileType::Regular | FileType::Symlink => self.size(index),
            _ => 0,
        }
    }
}

/// Absolute, ends in a slash, and no part is empty, `.`, `..` or too long.
fn is_clean_directory(dir: &[u8]) -> bool {
    if dir == b"/" {
        return true;
    }
    let inner = dir
        .strip_prefix(b"/")
        .and_then(|rest| rest.strip_suffix(b"/"));
    inner.is_some_and(|inner| inner.split(|c| *c == b'/').all(is_clean_name))
}

fn is_clean_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && name.len() <= MAX_NAME
}
