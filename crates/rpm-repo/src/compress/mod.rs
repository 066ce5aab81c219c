//! Decompressing, hashing and verifying readers.
//!
//! [`Decoder`] decompresses by magic, [`VerifiedReader`] checks size and checksum of the compressed
//! and of the open stream in the same pass, [`Ahead`] does all that in a thread of its own.
//! [`Encoder`] writes; gzip in blocks, which [`BlockReader`] reads and the next file takes over.

mod ahead;
mod block_reader;
mod blocks;
mod decoder;
mod encoder;
mod hashing;
mod packer;
mod verified;

pub use ahead::Ahead;
pub use block_reader::{BlockReader, PackedBlock};
pub use blocks::{BlockSize, RECORD_END, WrittenBlocks};
pub use decoder::{Decoder, Format, MAX_XZ_MEMORY, MAX_ZSTD_WINDOW_LOG};
pub use encoder::{Encoder, Written};
pub use hashing::HashingReader;
pub(crate) use hashing::HashingWriter;
pub use packer::Packing;
pub(crate) use packer::{PACKED_BLOCK, Packer};
pub use verified::{Doubt, Expected, MAX_OPEN_SIZE, MAX_PACKED_SIZE, StreamPart, VerifiedReader};

use rpm_pkg::digest::Digest;
use std::io;

/// Why a stream was refused. It travels inside an [`io::Error`]: see [`StreamError::of`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The stream does not begin as its name says.
    #[error("{name} is not {format} data")]
    WrongFormat {
        /// The name of the file.
        name: String,
        /// What its name promises.
        format: Format,
    },
    /// A compression that this program does not read (zchunk).
    #[error("{format} compression is not supported")]
    Unsupported {
        /// The format.
        format: Format,
    },
    /// The stream is larger than announced, or than any stream may be.
    #[error("{part} is larger than {limit} bytes")]
    TooLarge {
        /// Which side of the decompression.
        part: StreamPart,
        /// The size that was passed.
        limit: u64,
    },
    /// The stream is smaller than announced.
    #[error("{part} has {found} bytes, {expected} were announced")]
    TooSmall {
        /// Which side of the decompression.
        part: StreamPart,
        /// The announced size.
        expected: u64,
        /// The bytes that came.
        found: u64,
    },
    /// The checksum differs.
    #[error("checksum of the {part} differs: expected {expected}, found {found}")]
    Checksum {
        /// Which side of the decompression.
        part: StreamPart,
        /// The announced checksum.
        expected: Box<Digest>,
        /// The checksum of what came.
        found: Box<Digest>,
    },
}

impl StreamError {
    /// The reason inside an I/O error, if it is one of ours.
    pub fn of(error: &io::Error) -> Option<&StreamError> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

#[cfg(test)]
mod tests;
