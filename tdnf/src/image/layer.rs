//! A layer: entries of a tree as a tar file, packed.
//!
//! Headers are those of POSIX (ustar); what does not fit stands in records of pax before them, and so do capabilities,
//! by the name that star gave them and every runtime reads.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use rpm_pkg::digest::DigestAlgo;
use rpm_pkg::files::FileType;
use rpm_repo::compress::{Encoder, Format, Written};
use tar::{Builder, EntryType, Header};

use super::tree::{Attributes, Entry};
use crate::error::{At, Code, Failure, Outcome};

/// The record of a file's capabilities.
pub(super) const CAPABILITIES: &str = "SCHILY.xattr.security.capability";
/// Longest name or target of a link in a header.
const MAX_NAME: usize = 100;
/// Largest number of a user or group in a header: seven octal digits.
const MAX_ID: u32 = 0o7_777_777;
/// Largest file in a header: eleven octal digits.
const MAX_SIZE: u64 = 0o77_777_777_777;
/// Content is copied in pieces of this size.
const PIECE: usize = 128 << 10;
/// How the name of an entry begins that takes something away.
pub(super) const WHITEOUT: &[u8] = b".wh.";

/// How layers are packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// gzip: every runtime reads it.
    #[default]
    Gzip,
    /// Zstandard: smaller and faster.
    Zstd,
    /// Not at all.
    None,
}

impl Compression {
    /// As rpm-repo packs it.
    fn format(self) -> Format {
        match self {
            Self::Gzip => Format::Gzip,
            Self::Zstd => Format::Zstd,
            Self::None => Format::Plain,
        }
    }
}

/// A layer that is being written.
pub(super) struct LayerWriter<W: Write> {
    tar: Builder<Encoder<W>>,
    /// Where it is written, for errors.
    path: PathBuf,
    /// First names of files that have several, by device and inode.
    first: HashMap<(u64, u64), Vec<u8>>,
    piece: Vec<u8>,
}

impl<W: Write> LayerWriter<W> {
    /// Begins a layer that will be at `path`.
    ///
    /// # Errors
    /// The first bytes cannot be written.
    pub(super) fn new(out: W, path: &Path, compression: Compression) -> Outcome<Self> {
        let encoder = Encoder::new(out, compression.format(), DigestAlgo::Sha256).at(path)?;
        Ok(Self {
            tar: Builder::new(encoder),
            path: path.to_owned(),
            first: HashMap::new(),
            piece: vec![0; PIECE],
        })
    }

    /// Adds an entry of a tree. `false`: a tar file has no place for it (a socket).
    ///
    /// # Errors
    /// A file cannot be read or changes while it is read; the layer cannot be written; a name that means something
    /// else in a layer.
    pub(super) fn add(&mut self, entry: &Entry<'_>) -> Outcome<bool> {
        let name = entry.path.rsplit(|byte| *byte == b'/').next();
        if name.is_some_and(|name| name.starts_with(WHITEOUT)) {
            let path = String::from_utf8_lossy(entry.path);
            let line = format!(
                "/{path}: a name that begins with .wh. would take a file away where the image is unpacked"
            );
            return Err(Failure::because(Code::TRANSACTION_FAILED, line));
        }
        self.append(entry)
    }

    fn append(&mut self, entry: &Entry<'_>) -> Outcome<bool> {
        let shown = Path::new("/").join(OsStr::from_bytes(entry.path));
        let mut target = Vec::new();
        let kind = match entry.kind {
            FileType::Regular => EntryType::Regular,
            FileType::Directory => EntryType::Directory,
            FileType::CharDevice => EntryType::Char,
            FileType::BlockDevice => EntryType::Block,
            FileType::Fifo => EntryType::Fifo,
            FileType::Socket => return Ok(false),
            FileType::Symlink => {
                target = entry.link().at(&shown)?;
                EntryType::Symlink
            }
        };
        let mut path = entry.path.to_vec();
        if kind == EntryType::Directory {
            path.push(b'/');
        }
        if let Some(first) = entry.inode.and_then(|inode| self.first.get(&inode)) {
            let target = first.clone();
            self.header(
                &entry.attributes,
                EntryType::Link,
                (&path, &target),
                None,
                0,
            )?;
            return Ok(true);
        }
        if kind != EntryType::Regular {
            self.header(&entry.attributes, kind, (&path, &target), None, 0)?;
            return Ok(true);
        }
        if let Some(inode) = entry.inode {
            self.first.insert(inode, path.clone());
        }
        let file = entry.open().at(&shown)?;
        let capabilities = entry.capabilities(&file).at(&shown)?;
        self.header(
            &entry.attributes,
            kind,
            (&path, &target),
            capabilities.as_deref(),
            entry.size,
        )?;
        self.content(file, &shown, entry.size)?;
        Ok(true)
    }

    /// Takes away what layers below have at a path.
    ///
    /// # Errors
    /// The layer cannot be written.
    pub(super) fn take_away(&mut self, path: &[u8], mtime: u64) -> Outcome<()> {
        let start = path
            .iter()
            .rposition(|byte| *byte == b'/')
            .map_or(0, |slash| slash + 1);
        let (dir, name) = path.split_at(start);
        let attributes = Attributes {
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime,
            device: (0, 0),
        };
        let path = [dir, WHITEOUT, name].concat();
        self.header(&attributes, EntryType::Regular, (&path, b""), None, 0)
    }

    /// Adds a folder.
    ///
    /// # Errors
    /// The layer cannot be written.
    pub(super) fn add_folder(&mut self, path: &[u8], attributes: &Attributes) -> Outcome<()> {
        let path = [path, b"/"].concat();
        self.header(attributes, EntryType::Directory, (&path, b""), None, 0)
    }

    fn header(
        &mut self,
        entry: &Attributes,
        kind: EntryType,
        names: (&[u8], &[u8]),
        capabilities: Option<&[u8]>,
        size: u64,
    ) -> Outcome<()> {
        self.write_header(entry, kind, names, capabilities, size)
            .at(&self.path)
    }

    fn write_header(
        &mut self,
        entry: &Attributes,
        kind: EntryType,
        (path, target): (&[u8], &[u8]),
        capabilities: Option<&[u8]>,
        size: u64,
    ) -> io::Result<()> {
        let mut header = Header::new_ustar();
        let mut records: Vec<(&str, Vec<u8>)> = Vec::new();
        let ustar = header
            .as_ustar_mut()
            .ok_or_else(|| io::Error::other("no ustar header"))?;
        for (key, text, field) in [
            ("path", path, &mut ustar.name),
            ("linkpath", target, &mut ustar.linkname),
        ] {
            if text.len() > MAX_NAME {
                records.push((key, text.to_vec()));
            }
            let shown = text.len().min(MAX_NAME);
            for (to, from) in field.iter_mut().zip(text.iter().take(shown)) {
                *to = *from;
            }
        }
        let mut number = |key: &'static str, number: u64, most: u64| {
            if number > most {
                records.push((key, number.to_string().into_bytes()));
            }
            if number > most { 0 } else { number }
        };
        let uid = number("uid", entry.uid.into(), MAX_ID.into());
        let gid = number("gid", entry.gid.into(), MAX_ID.into());
        let told = number("size", size, MAX_SIZE);
        header.set_uid(uid);
        header.set_gid(gid);
        header.set_size(told);
        header.set_entry_type(kind);
        // Modes of links are never used, and not the same on every file system.
        header.set_mode(if kind == EntryType::Symlink {
            0o777
        } else {
            entry.mode
        });
        header.set_mtime(entry.mtime);
        if matches!(kind, EntryType::Char | EntryType::Block) {
            header.set_device_major(entry.device.0)?;
            header.set_device_minor(entry.device.1)?;
        }
        if let Some(bytes) = capabilities {
            records.push((CAPABILITIES, bytes.to_vec()));
        }
        header.set_cksum();
        let records = records.iter().map(|(key, value)| (*key, value.as_slice()));
        self.tar.append_pax_extensions(records)?;
        self.tar.get_mut().write_all(header.as_bytes())
    }

    /// The content of a regular file, filled up to a whole block.
    fn content(&mut self, mut file: impl Read, shown: &Path, size: u64) -> Outcome<()> {
        let out = self.tar.get_mut();
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = self.piece.get_mut(..most).unwrap_or_default();
            let read = file.read(piece).at(shown)?;
            if read == 0 {
                let cut = io::Error::other("it was cut short while it was read");
                return Err(Failure::io(shown, &cut));
            }
            let written = out.write_all(piece.get(..read).unwrap_or_default());
            written.at(&self.path)?;
            left = left.saturating_sub(read as u64);
        }
        let rest = (size.next_multiple_of(512) - size) as usize;
        let zeros = [0; 512];
        out.write_all(zeros.get(..rest).unwrap_or_default())
            .at(&self.path)
    }

    /// Ends the layer: what it was written to, and what is known of it.
    ///
    /// # Errors
    /// The last bytes cannot be written.
    pub(super) fn finish(self) -> Outcome<(W, Written)> {
        let encoder = self.tar.into_inner();
        encoder.and_then(Encoder::finish).at(&self.path)
    }
}
