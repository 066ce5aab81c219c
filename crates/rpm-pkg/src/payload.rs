//! The payload: a compressed cpio archive, read entry by entry and checked against the header.
//!
//! Rules: docs/reference/packages.md, 1.9 (rpm 4.18 and 6.1). Nothing that the archive says is used but which file
//! comes next and how long its data is, and both must agree with the header. Memory use does not
//! depend on the payload's size.

mod cpio;
mod decoder;
mod names;

use crate::digest::{Digest, Hasher};
use crate::files::{FileList, FileType, FilesError};
use crate::package::{DigestOutcome, PackageError, PayloadDigests};
use cpio::{CpioHeader, MAX_NAME_SIZE};
use decoder::PayloadDecoder;
pub use decoder::{MAX_XZ_MEMORY, MAX_ZSTD_WINDOW_LOG};
use names::PayloadNames;
use std::io::{self, Read};
use thiserror::Error;

/// Most bytes that a payload may decompress to, whatever its header says: 1 TiB.
pub const MAX_UNCOMPRESSED: u64 = 1 << 40;
/// Most bytes after the trailer of the archive (cpio pads to blocks).
pub const MAX_TRAILING: u64 = 1024 * 1024;

/// Limits that a caller may tighten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadLimits {
    /// See [`MAX_UNCOMPRESSED`].
    pub max_uncompressed: u64,
    /// Whether each file's content is checked against its digest in the header.
    pub verify_files: bool,
}

impl Default for PayloadLimits {
    fn default() -> Self {
        PayloadLimits {
            max_uncompressed: MAX_UNCOMPRESSED,
            verify_files: true,
        }
    }
}

/// Why a payload was refused.
#[derive(Debug, Error)]
pub enum PayloadError {
    /// PAYLOADFORMAT is not `cpio`.
    #[error("unsupported payload format \"{0}\"")]
    Format(String),
    /// PAYLOADCOMPRESSOR names no known compressor.
    #[error("unsupported payload compressor \"{0}\"")]
    Compressor(String),
    /// The file list was refused.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The package's digests are malformed.
    #[error(transparent)]
    Package(#[from] Box<PackageError>),
    /// The package could not be read or decompressed.
    #[error("cannot read the payload: {0}")]
    Io(#[from] io::Error),
    /// The payload ends before its trailer.
    #[error("payload is cut short")]
    Truncated,
    /// Not a cpio entry.
    #[error("bad cpio entry: {0}")]
    Entry(&'static str),
    /// A name longer than 4,096 bytes.
    #[error("name of {0} bytes in the payload")]
    NameLength(u64),
    /// An entry's name is not in the header.
    #[error("payload entry \"{0}\" is not in the package's file list")]
    Unlisted(String),
    /// An entry's number is not in the header.
    #[error("payload entry {0} is not in the package's file list")]
    UnlistedIndex(u32),
    /// A file comes twice, or two files of the header have one name.
    #[error("file \"{0}\" appears twice")]
    Duplicate(String),
    /// An entry's data is longer or shorter than the header says.
    #[error("\"{path}\" has {actual} bytes in the payload, {expected} in the header")]
    Size {
        /// Path of the file.
        path: String,
        /// Bytes in the payload.
        actual: u64,
        /// Bytes that the header promises.
        expected: u64,
    },
    /// A file's content is not what the header says.
    #[error("content of \"{0}\" does not match its digest")]
    FileDigest(String),
    /// A file of the header is not in the payload.
    #[error("file \"{0}\" is missing from the payload")]
    Missing(String),
    /// More decompressed data than the header allows.
    #[error("payload decompresses to more than {0} bytes")]
    TooLarge(u64),
    /// Too much data after the trailer.
    #[error("more than {MAX_TRAILING} bytes after the payload's trailer")]
    Trailing,
}

impl From<PackageError> for PayloadError {
    fn from(error: PackageError) -> Self {
        PayloadError::Package(Box::new(error))
    }
}

/// One entry of the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadEntry {
    /// Number of the file in the [`FileList`].
    pub index: usize,
    /// Bytes of data that follow; read them from the [`Payload`].
    pub size: u64,
}

/// What was found once everything is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadSummary {
    /// Entries, ghosts excluded.
    pub entries: usize,
    /// Bytes as stored.
    pub stored: u64,
    /// Bytes after decompression.
    pub uncompressed: u64,
    /// The payload digests; judge them with [`crate::package::payload_passes`].
    pub digests: Vec<DigestOutcome>,
}

/// The entry that is being read.
#[derive(Debug)]
struct Current {
    index: usize,
    left: u64,
    padding: u64,
    check: Option<(Hasher, Digest)>,
}

/// A payload that is being read. Call [`Payload::next_entry`] until it gives `None`, reading each
/// entry's data (or not: it is skipped then, but still checked), then [`Payload::finish`].
#[derive(Debug)]
pub struct Payload<R: Read> {
    decoder: PayloadDecoder<R>,
    files: FileList,
    names: PayloadNames,
    seen: Vec<bool>,
    entries: usize,
    current: Option<Current>,
    limits: PayloadLimits,
    /// Decompressed bytes so far, and how many there may be.
    consumed: u64,
    allowed: u64,
    done: bool,
}

impl<R: Read> Payload<R> {
    /// Opens the payload that `reader` stands at. `format` and `compressor` are the values of
    /// tags 1124 and 1125.
    pub fn open(
        reader: R,
        files: FileList,
        format: Option<&str>,
        compressor: Option<&str>,
        digests: PayloadDigests,
        limits: PayloadLimits,
    ) -> Result<Self, PayloadError> {
        if let Some(format) = format.filter(|format| *format != "cpio") {
            return Err(PayloadError::Format(format.to_owned()));
        }
        let allowed = archive_size(&files).min(limits.max_uncompressed);
        Ok(Payload {
            decoder: PayloadDecoder::open(reader, compressor, digests)?,
            names: PayloadNames::default(),
            seen: vec![false; files.len()],
            files,
            entries: 0,
            current: None,
            limits,
            consumed: 0,
            allowed,
            done: false,
        })
    }

    /// The file list that entries point into.
    pub fn files(&self) -> &FileList {
        &self.files
    }

    /// Goes to the next file; what is left of the one before is read and checked. `None` after
    /// the trailer, when every file of the header was there.
    pub fn next_entry(&mut self) -> Result<Option<PayloadEntry>, PayloadError> {
        loop {
            self.skip_data()?;
            if self.done {
                return Ok(None);
            }
            let Some((index, size)) = self.read_entry_header()? else {
                self.done = true;
                self.check_missing()?;
                return Ok(None);
            };
            let padding = size.next_multiple_of(4) - size;
            let ghost = self.files.flags(index).is_ghost();
            if !ghost {
                self.claim(index, size)?;
            }
            self.current = Some(Current {
                index,
                left: size,
                padding,
                check: self.file_check(index, size).filter(|_| !ghost),
            });
            if ghost {
                continue;
            }
            self.entries += 1;
            if size == 0 {
                self.end_data()?;
            }
            return Ok(Some(PayloadEntry { index, size }));
        }
    }

    /// Reads data of the current entry; 0 at its end.
    ///
    /// # Errors
    /// At the last byte also [`PayloadError::FileDigest`].
    pub fn read_data(&mut self, buf: &mut [u8]) -> Result<usize, PayloadError> {
        let Some(current) = &mut self.current else {
            return Ok(0);
        };
        let want = usize::try_from(current.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        if want == 0 {
            return Ok(0);
        }
        let buf = buf.get_mut(..want).unwrap_or_default();
        let got = self.decoder.read(buf)?;
        if got == 0 {
            return Err(PayloadError::Truncated);
        }
        let data = buf.get(..got).unwrap_or_default();
        if let Some((hasher, _)) = &mut current.check {
            hasher.update(data);
        }
        current.left = current.left.saturating_sub(got as u64);
        let ended = current.left == 0;
        self.count(got as u64)?;
        if ended {
            self.end_data()?;
        }
        Ok(got)
    }

    /// Reads what is left after the trailer, so that digests cover every byte, and gives them.
    /// Goes through all entries first if that was not done.
    pub fn finish(mut self) -> Result<PayloadSummary, PayloadError> {
        while self.next_entry()?.is_some() {}
        let mut buf = [0; 16 * 1024];
        let mut trailing = 0_u64;
        loop {
            let got = self.decoder.read(&mut buf)?;
            if got == 0 {
                break;
            }
            trailing += got as u64;
            if trailing > MAX_TRAILING {
                return Err(PayloadError::Trailing);
            }
        }
        let (stored, digests) = self.decoder.finish()?;
        Ok(PayloadSummary {
            entries: self.entries,
            stored,
            uncompressed: self.consumed + trailing,
            digests,
        })
    }

    /// Counts decompressed bytes against the limit.
    fn count(&mut self, bytes: u64) -> Result<(), PayloadError> {
        self.consumed = self.consumed.saturating_add(bytes);
        if self.consumed > self.allowed {
            return Err(PayloadError::TooLarge(self.allowed));
        }
        Ok(())
    }

    fn read_exact(&mut self, buf: &mut [u8]) -> Result<(), PayloadError> {
        self.decoder
            .read_exact(buf)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => PayloadError::Truncated,
                _ => PayloadError::Io(error),
            })?;
        self.count(buf.len() as u64)
    }

    fn skip_data(&mut self) -> Result<(), PayloadError> {
        if self.current.is_none() {
            return Ok(());
        }
        let mut buf = [0; 16 * 1024];
        while self.current.as_ref().is_some_and(|it| it.left > 0) {
            self.read_data(&mut buf)?;
        }
        self.end_data()
    }

    /// Ends the current entry: its digest is compared, the padding skipped.
    fn end_data(&mut self) -> Result<(), PayloadError> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        let mut padding = [0; 4];
        let padding = padding
            .get_mut(..current.padding as usize)
            .unwrap_or_default();
        self.read_exact(padding)?;
        if let Some((hasher, expected)) = current.check
            && hasher.finish() != expected
        {
            return Err(PayloadError::FileDigest(self.show(current.index)));
        }
        Ok(())
    }

    /// Reads up to the data of the next entry; `None` at the trailer.
    fn read_entry_header(&mut self) -> Result<Option<(usize, u64)>, PayloadError> {
        let mut magic = [0; 6];
        self.read_exact(&mut magic)?;
        if &magic == b"07070X" {
            let mut rest = [0; 10];
            self.read_exact(&mut rest)?;
            return self.stripped_entry(&rest);
        }
        if &magic != b"070701" && &magic != b"070702" {
            return Err(PayloadError::Entry("unknown magic"));
        }
        let mut fields = [0; 104];
        self.read_exact(&mut fields)?;
        let header = CpioHeader::parse(&fields)?;
        let name_size = header.name_size;
        if name_size == 0 || name_size > MAX_NAME_SIZE {
            return Err(PayloadError::NameLength(name_size));
        }
        // Name and padding: the header's 110 bytes and the name end on a multiple of 4.
        let padded = (110 + name_size).next_multiple_of(4) - 110;
        let mut name = vec![0; padded as usize];
        self.read_exact(&mut name)?;
        name.truncate(name_size as usize);
        if name.pop() != Some(0) || name.contains(&0) {
            return Err(PayloadError::Entry("bad name"));
        }
        if name == b"TRAILER!!!" {
            return Ok(None);
        }
        let index = self.names.find(&self.files, &name)?;
        Ok(Some((index, header.file_size)))
    }

    fn stripped_entry(&self, rest: &[u8; 10]) -> Result<Option<(usize, u64)>, PayloadError> {
        let (digits, _) = rest.split_at(8);
        let number = cpio::hex(digits)?;
        if number == u32::MAX {
            return Ok(None);
        }
        let index = number as usize;
        if index >= self.files.len() {
            return Err(PayloadError::UnlistedIndex(number));
        }
        Ok(Some((index, self.files.payload_size(index))))
    }

    /// Marks a file as found and checks the length of its data.
    fn claim(&mut self, index: usize, size: u64) -> Result<(), PayloadError> {
        let seen = self
            .seen
            .get_mut(index)
            .map(|seen| std::mem::replace(seen, true));
        if seen != Some(false) {
            return Err(PayloadError::Duplicate(self.show(index)));
        }
        let expected = self.files.payload_size(index);
        if size != expected {
            let path = self.show(index);
            return Err(PayloadError::Size {
                path,
                actual: size,
                expected,
            });
        }
        Ok(())
    }

    fn file_check(&self, index: usize, size: u64) -> Option<(Hasher, Digest)> {
        let regular = self.files.kind(index) == FileType::Regular;
        let elsewhere = size == 0 && self.files.size(index) != 0;
        if !self.limits.verify_files || !regular || elsewhere {
            return None;
        }
        let digest = self.files.digest(index)?;
        Some((Hasher::new(digest.algo()), digest))
    }

    fn check_missing(&self) -> Result<(), PayloadError> {
        let missing =
            |(index, seen): &(usize, &bool)| !**seen && !self.files.flags(*index).is_ghost();
        match self.seen.iter().enumerate().find(missing) {
            Some((index, _)) => Err(PayloadError::Missing(self.show(index))),
            None => Ok(()),
        }
    }

    fn show(&self, index: usize) -> String {
        String::from_utf8_lossy(&self.files.path(index)).into_owned()
    }
}

impl<R: Read> Read for Payload<R> {
    /// Data of the current entry; errors carry a [`PayloadError`].
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_data(buf).map_err(|error| match error {
            PayloadError::Io(error) => error,
            other => io::Error::other(other),
        })
    }
}

/// Most bytes that an honest archive of these files can have, trailer included.
fn archive_size(files: &FileList) -> u64 {
    const ENTRY_OVERHEAD: u64 = 110 + 8;
    const SLACK: u64 = 4096;
    (0..files.len()).fold(SLACK, |sum, index| {
        let (dir, base) = files.path_parts(index);
        let name = (dir.len() + base.len() + 2) as u64;
        // Some builders put ghosts into the archive; they are skipped, but counted.
        let ghost = files.flags(index).is_ghost();
        let data = if ghost {
            files.size(index)
        } else {
            files.payload_size(index)
        };
        sum.saturating_add(data)
            .saturating_add(name + ENTRY_OVERHEAD)
    })
}
