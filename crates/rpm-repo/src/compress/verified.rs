//! A stream that is what it was announced to be, or an error.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rpm_pkg::digest::Digest;

use super::{Decoder, HashingReader, StreamError};

/// Most bytes a stream may decompress to when its open size is not announced: 4 GiB.
pub const MAX_OPEN_SIZE: u64 = 4 << 30;
/// Most bytes a compressed stream may have when its size is not announced: 1 GiB.
pub const MAX_PACKED_SIZE: u64 = 1 << 30;
/// How many bytes a packed one may stand for where a stream has more than [`UNJUDGED`]: gzip and xz of metadata in the
/// field give 8 to 17, and the file lists of 400 builds of one product 140 (gzip) to 1,280 (zstd).
const MAX_RATIO: u64 = 4000;
/// Up to here streams may be packed as well as they like: equal changelogs pack better than anything else.
const UNJUDGED: u64 = 256 << 20;

/// What is known of a stream beforehand, usually from a record of `repomd.xml`. What is `None` is
/// not checked (sizes: only against [`MAX_OPEN_SIZE`] and [`MAX_PACKED_SIZE`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Size of the file in bytes.
    pub size: Option<u64>,
    /// Checksum of the file.
    pub checksum: Option<Digest>,
    /// Size of the decompressed stream in bytes.
    pub open_size: Option<u64>,
    /// Checksum of the decompressed stream.
    pub open_checksum: Option<Digest>,
}

/// Which side of the decompression an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamPart {
    /// The file as it is stored.
    Packed,
    /// What it decompresses to.
    Open,
}

impl fmt::Display for StreamPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StreamPart::Packed => "file",
            StreamPart::Open => "decompressed data",
        })
    }
}

/// Whether a size, or the checksum of what a file decompresses to, differs from what was announced, while the file
/// itself has its checksum: the index is wrong then, not the data. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub struct Doubt(Arc<AtomicBool>);

impl Doubt {
    /// True for the first who asks after a reader found the difference: it is told once.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    /// Says that there is a difference.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Finds out whether the file as stored has the checksum that was announced for it.
type FileCheck = Box<dyn FnOnce() -> io::Result<bool>>;

/// Decompresses and checks in one pass. The end of the stream is only reported when sizes and
/// checksums of both sides agree; before that every `read` may still end in an error. Stops as soon
/// as either side grows larger than announced.
pub struct VerifiedReader<R: Read> {
    open: HashingReader<Decoder<BoundedReader<HashingReader<R>>>>,
    expected: Expected,
    open_limit: u64,
    state: VerifyState,
    lenient: Option<(Doubt, FileCheck)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum VerifyState {
    Reading,
    Verified,
    Failed,
}

impl<R: Read> VerifiedReader<R> {
    /// Starts to read a stream; `name` is its file name. Errors: as [`Decoder::new`].
    pub fn new(stream: R, name: &str, expected: Expected) -> io::Result<VerifiedReader<R>> {
        let packed = HashingReader::new(stream, expected.checksum.map(|d| d.algo()));
        let limit = expected.size.unwrap_or(MAX_PACKED_SIZE);
        let decoder = Decoder::new(BoundedReader { packed, limit }, name)?;
        let open = HashingReader::new(decoder, expected.open_checksum.map(|d| d.algo()));
        let open_limit = expected.open_size.unwrap_or(MAX_OPEN_SIZE);
        Ok(VerifiedReader {
            open,
            expected,
            open_limit,
            state: VerifyState::Reading,
            lenient: None,
        })
    }

    /// Takes a wrong size or checksum of the decompressed data as a doubt, if `is_right` says at the end that the
    /// file as stored is what was announced: repositories in the field have such records, and dnf reads them.
    pub fn doubting(mut self, doubt: Doubt, is_right: FileCheck) -> VerifiedReader<R> {
        self.open_limit = MAX_OPEN_SIZE;
        self.lenient = Some((doubt, is_right));
        self
    }

    /// True once the end was reached and everything agreed.
    pub fn is_verified(&self) -> bool {
        self.state == VerifyState::Verified
    }

    fn verify(&mut self) -> io::Result<()> {
        if let Err(error) = self.verify_open() {
            match self.lenient.take() {
                Some((doubt, is_right)) => is_right()?.then(|| doubt.raise()).ok_or(error)?,
                None => return Err(error),
            }
        }
        let bounded = self.open.stream_mut().get_mut();
        // Decoders may stop before the end of the file.
        io::copy(bounded, &mut io::sink())?;
        let packed = &mut bounded.packed;
        check_size(StreamPart::Packed, self.expected.size, packed.count())?;
        let found = packed.take_digest();
        check_digest(StreamPart::Packed, self.expected.checksum, found)
    }

    fn verify_open(&mut self) -> io::Result<()> {
        check_size(StreamPart::Open, self.expected.open_size, self.open.count())?;
        let found = self.open.take_digest();
        check_digest(StreamPart::Open, self.expected.open_checksum, found)
    }

    fn read_open(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.open.read(out)?;
        let read = self.open.count();
        if read > self.open_limit {
            return Err(too_large(StreamPart::Open, self.open_limit));
        }
        if read > UNJUDGED {
            let packed = self.open.stream_mut().get_mut().packed.count();
            if read / MAX_RATIO > packed {
                let limit = UNJUDGED.max(packed.saturating_mul(MAX_RATIO));
                return Err(too_large(StreamPart::Open, limit));
            }
        }
        if count == 0 && !out.is_empty() {
            self.verify()?;
            self.state = VerifyState::Verified;
        }
        Ok(count)
    }
}

impl<R: Read> Read for VerifiedReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.state {
            VerifyState::Verified => return Ok(0),
            VerifyState::Failed => return Err(io::Error::other("the stream has failed before")),
            VerifyState::Reading => {}
        }
        let result = self.read_open(out);
        if result
            .as_ref()
            .is_err_and(|e| e.kind() != io::ErrorKind::Interrupted)
        {
            self.state = VerifyState::Failed;
        }
        result
    }
}

fn too_large(part: StreamPart, limit: u64) -> io::Error {
    StreamError::TooLarge { part, limit }.into()
}

pub(super) fn check_size(part: StreamPart, expected: Option<u64>, found: u64) -> io::Result<()> {
    match expected {
        Some(expected) if found < expected => Err(StreamError::TooSmall {
            part,
            expected,
            found,
        }
        .into()),
        Some(limit) if found > limit => Err(too_large(part, limit)),
        _ => Ok(()),
    }
}

pub(super) fn check_digest(
    part: StreamPart,
    expected: Option<Digest>,
    found: Option<Digest>,
) -> io::Result<()> {
    match (expected, found) {
        (Some(expected), Some(found)) if expected != found => Err(StreamError::Checksum {
            part,
            expected: Box::new(expected),
            found: Box::new(found),
        }
        .into()),
        _ => Ok(()),
    }
}

/// The compressed side: fails when more comes than was announced.
struct BoundedReader<R> {
    packed: R,
    limit: u64,
}

impl<R: Read> Read for BoundedReader<HashingReader<R>> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.packed.read(out)?;
        if self.packed.count() > self.limit {
            return Err(too_large(StreamPart::Packed, self.limit));
        }
        Ok(count)
    }
}
