//! A package file: lead, signature header, main header, and where the payload begins.
//!
//! Layout: docs/reference/packages.md, 1.1 to 1.8 (rpm 4.14 to 6.1).

mod digests;
mod signatures;

use crate::digest::{Digest, DigestError};
use crate::files::{FileList, FilesError};
use crate::header::{Header, HeaderError, HeaderKind, MAGIC, tag};
use crate::nevra::{self, Nevra, NevraError};
use crate::payload::{Payload, PayloadError, PayloadLimits};
pub use digests::{
    DigestChoice, DigestItem, DigestOutcome, DigestSource, PayloadDigests, payload_passes,
};
pub use signatures::{MAX_SIGNATURES, SignatureItem};
use std::io::{self, Read};
use std::ops::Range;
use thiserror::Error;

/// Size of the lead.
pub const LEAD_SIZE: usize = 96;
/// The lead's first bytes.
pub const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

/// Whether a file begins as a package does, with the lead's [magic](LEAD_MAGIC).
///
/// # Errors
/// It cannot be read.
pub fn begins_as_package(file: impl Read) -> io::Result<bool> {
    let mut head = Vec::new();
    file.take(LEAD_MAGIC.len() as u64).read_to_end(&mut head)?;
    Ok(head == LEAD_MAGIC)
}

/// Why a file is not a package that can be read.
#[derive(Debug, Error)]
pub enum PackageError {
    /// No lead: not a package.
    #[error("not an RPM package")]
    NotAPackage,
    /// The file ends inside the lead or a header.
    #[error("package is cut short in its {0}")]
    Truncated(&'static str),
    /// The file could not be read.
    #[error("cannot read the package: {0}")]
    Io(#[from] io::Error),
    /// The signature header was refused.
    #[error("signature header: {0}")]
    Signature(#[source] HeaderError),
    /// The main header was refused.
    #[error("package header: {0}")]
    Header(#[source] HeaderError),
    /// A tag that every package has is missing.
    #[error(transparent)]
    Name(#[from] NevraError),
    /// A digest has the wrong type, size or text.
    #[error("malformed digest in tag {tag}: {problem}")]
    Digest {
        /// Where it stands.
        tag: u32,
        /// What is wrong.
        problem: DigestError,
    },
    /// A digest or signature entry has the wrong type.
    #[error("malformed entry in tag {0}")]
    Malformed(u32),
    /// A digest of the header does not match.
    #[error("{item} of the package header does not match")]
    HeaderDigest {
        /// Which one.
        item: DigestItem,
    },
}

/// What a digest or signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Covers {
    /// The main header as stored, magic included.
    Header,
    /// Main header and payload as stored.
    HeaderAndPayload,
    /// The payload as stored (compressed).
    Payload,
    /// The payload after decompression.
    UncompressedPayload,
}

/// A package whose headers have been read and checked; the reader stands at the payload.
#[derive(Debug)]
pub struct Package<R> {
    /// The signature header.
    pub signature: Header,
    /// The main header.
    pub header: Header,
    nevra: Nevra,
    header_range: Range<u64>,
    expected_payload: Option<Digest>,
    reader: R,
}

impl<R: Read> Package<R> {
    /// Reads lead and headers. Reads no byte of the payload; give a buffered reader.
    ///
    /// # Errors
    /// Whatever makes rpm 4.18 refuse the headers; v3 packages are
    /// [`HeaderError::NoRegion`]. Digests and signatures are not checked here.
    pub fn open(mut reader: R) -> Result<Self, PackageError> {
        let mut lead = [0; LEAD_SIZE];
        read_exact(&mut reader, &mut lead, "lead").map_err(|error| match error {
            PackageError::Truncated(_) => PackageError::NotAPackage,
            other => other,
        })?;
        if !lead.starts_with(&LEAD_MAGIC) {
            return Err(PackageError::NotAPackage);
        }
        let signature = read_header(&mut reader, HeaderKind::Signature)?;
        let size = signature.bytes().len() + MAGIC.len();
        let padding = size.next_multiple_of(8) - size;
        read_exact(
            &mut reader,
            lead.get_mut(..padding).unwrap_or_default(),
            "signature header",
        )?;
        let start = (LEAD_SIZE + size + padding) as u64;
        let header = read_header(&mut reader, HeaderKind::Main)?;
        let end = start + (header.bytes().len() + MAGIC.len()) as u64;
        let nevra = Nevra::from_header(&header)?;
        Ok(Package {
            signature,
            header,
            nevra,
            header_range: start..end,
            expected_payload: None,
            reader,
        })
    }

    /// The full name.
    pub fn nevra(&self) -> &Nevra {
        &self.nevra
    }

    /// Whether this is a source package.
    pub fn is_source(&self) -> bool {
        nevra::is_source(&self.header)
    }

    /// Whether signature tags of 1000 and above are to be ignored (v6 format).
    pub fn is_v6(&self) -> bool {
        self.signature.has(tag::SIG_RESERVED) && self.signature.has(tag::SHA3_256HEADER)
    }

    /// The main header as stored with its magic: what header signatures cover.
    pub fn header_bytes(&self) -> Vec<u8> {
        self.header.bytes_with_magic()
    }

    /// Where the main header lies in the file, magic included (metadata's `header-range`).
    pub fn header_range(&self) -> Range<u64> {
        self.header_range.clone()
    }

    /// Where the payload begins in the file.
    pub fn payload_offset(&self) -> u64 {
        self.header_range.end
    }

    /// The value of PAYLOADCOMPRESSOR 1125.
    pub fn compressor(&self) -> Option<&str> {
        self.header.text(tag::PAYLOADCOMPRESSOR)
    }

    /// The stored payload must have this digest, besides those that the package carries itself.
    pub fn expect_payload(&mut self, digest: Digest) {
        self.expected_payload = Some(digest);
    }

    /// The checked file list.
    pub fn files(&self) -> Result<FileList, FilesError> {
        FileList::from_header(&self.header)
    }

    /// The reader, standing at the payload.
    pub fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Takes the reader out; it stands at the payload.
    pub fn into_reader(self) -> R {
        self.reader
    }

    /// Opens the payload: decompressed, checked entry by entry, digests computed on the way.
    ///
    /// # Errors
    /// A file list or payload format that cannot be used, malformed digests.
    pub fn into_payload(
        self,
        choice: DigestChoice,
        limits: PayloadLimits,
    ) -> Result<Payload<R>, PayloadError> {
        let files = self.files()?;
        let mut digests = self.payload_digests(choice)?;
        let by_files = choice == DigestChoice::BesideFiles
            && self.expected_payload.is_none()
            && limits.verify_files
            && files.prove_contents();
        if by_files {
            digests = PayloadDigests::none();
        }
        let format = self.header.text(tag::PAYLOADFORMAT).map(str::to_owned);
        let compressor = self.compressor().map(str::to_owned);
        Payload::open(
            self.reader,
            files,
            format.as_deref(),
            compressor.as_deref(),
            digests,
            limits,
        )
    }
}

fn read_exact(
    reader: &mut impl Read,
    buf: &mut [u8],
    part: &'static str,
) -> Result<(), PackageError> {
    reader.read_exact(buf).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => PackageError::Truncated(part),
        _ => PackageError::Io(error),
    })
}

/// Reads one header with its magic. Memory grows with the bytes that are really there.
fn read_header(reader: &mut impl Read, kind: HeaderKind) -> Result<Header, PackageError> {
    let (part, wrap): (_, fn(HeaderError) -> PackageError) = match kind {
        HeaderKind::Signature => ("signature header", PackageError::Signature),
        _ => ("header", PackageError::Header),
    };
    let mut intro = [0; 16];
    read_exact(reader, &mut intro, part)?;
    let (magic, counts) = intro.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(wrap(HeaderError::Magic));
    }
    let counts: [u8; 8] = counts.try_into().unwrap_or_default();
    let size = Header::size_from_counts(counts, kind).map_err(wrap)?;
    let mut bytes = Vec::with_capacity(size.min(FIRST_ALLOCATION));
    bytes.extend(counts);
    let rest = size.saturating_sub(counts.len()) as u64;
    let got = reader.by_ref().take(rest).read_to_end(&mut bytes)?;
    if got as u64 != rest {
        return Err(PackageError::Truncated(part));
    }
    Header::parse(bytes, kind).map_err(wrap)
}

/// Allocated before a header's bytes have been seen.
const FIRST_ALLOCATION: usize = 1024 * 1024;
