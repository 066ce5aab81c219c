//! Writing compressed streams, hashed on both sides.

use std::io::{self, Write};

use rpm_pkg::digest::{Digest, DigestAlgo};

use super::hashing::HashingWriter;
use super::packer::{Packer, Packing};
use super::{Format, PackedBlock, StreamError, WrittenBlocks};

/// Compression levels: of xz and zstd such that three documents at once stay below 60 MB of memory
/// (xz 5, which createrepo_c takes, needs 94 MB for each). None of the formats writes a time or a
/// name, so that equal input gives equal bytes.
const GZIP_LEVEL: u32 = 6;
const BZIP2_LEVEL: u32 = 9;
const XZ_LEVEL: u32 = 2;
const ZSTD_LEVEL: i32 = 9;
/// RFC 1952 2.3: deflate, no name, no time, an unknown system.
pub(super) const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// What is known of a written stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Checksum of the file.
    pub checksum: Digest,
    /// Size of the file in bytes.
    pub size: u64,
    /// Checksum of what went in.
    pub open_checksum: Digest,
    /// Size of what went in.
    pub open_size: u64,
    /// Its blocks.
    pub blocks: WrittenBlocks,
}

/// Compresses what is written, and hashes and counts it before and after. Equal bytes give equal
/// files, in whatever pieces they were written.
pub struct Encoder<W: Write>(HashingWriter<Packer<HashingWriter<W>>>);

impl<W: Write> Encoder<W> {
    /// Starts a stream. Errors: a format that is only read (zchunk); the library refuses to start.
    pub fn new(out: W, format: Format, algo: DigestAlgo) -> io::Result<Encoder<W>> {
        let packing = match format {
            Format::Plain => Packing::Plain,
            Format::Gzip => Packing::GzipBlocks {
                header: GZIP_HEADER.to_vec(),
                level: GZIP_LEVEL,
            },
            Format::Bzip2 => Packing::Bzip2 { level: BZIP2_LEVEL },
            Format::Xz => Packing::Xz { level: XZ_LEVEL },
            Format::Zstd => Packing::Zstd {
                level: ZSTD_LEVEL,
                checksum: false,
                // Known to zstd only where nothing is written.
                size: true,
            },
            Format::Zchunk => return Err(StreamError::Unsupported { format }.into()),
        };
        let packer = Packer::new(HashingWriter::new(out, algo), &packing, None)?;
        Ok(Encoder(HashingWriter::new(packer, algo)))
    }

    /// Writes the text of a block of an older file from `at` on. Its packed bytes are taken as they
    /// stand where packing would give them again.
    pub fn write_block(&mut self, block: &PackedBlock, at: usize) -> io::Result<()> {
        let rest = block.text.get(at..).unwrap_or_default();
        self.0.pass(rest);
        self.0.out.write_block(block, at)
    }

    /// Ends the stream; returns what it was written to and what is known of it.
    pub fn finish(self) -> io::Result<(W, Written)> {
        let mut open = self.0;
        let blocks = open.out.take_blocks();
        let packed = open.out.finish()?;
        let written = Written {
            checksum: packed.hasher.finish(),
            size: packed.size,
            open_checksum: open.hasher.finish(),
            open_size: open.size,
            blocks,
        };
        Ok((packed.out, written))
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data)
    }

    /// Does nothing: a flush would cut a block short. [`Encoder::finish`] writes everything.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
