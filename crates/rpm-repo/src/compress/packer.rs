//! Packing texts, in every way that is known here.

use std::io::{self, Write};

use super::blocks::BlockPacker;
use super::{PackedBlock, WrittenBlocks};

/// Bytes that a compressor gets at a time, always as many: what it makes of them would otherwise
/// depend on how the writer cut its text, and an updated document would differ from a new one.
pub(crate) const PACKED_BLOCK: usize = 128 << 10;

/// A way to pack a text. Its [`std::fmt::Display`] is what stands in a delta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// One member of gzip with this header.
    Gzip {
        /// The header as it stands in the file.
        header: Vec<u8>,
        /// Level, 0 to 9.
        level: u32,
    },
    /// The same in blocks: see [`super::blocks`].
    GzipBlocks {
        /// The header as it stands in the file.
        header: Vec<u8>,
        /// Level, 0 to 9.
        level: u32,
    },
    /// One frame of Zstandard.
    Zstd {
        /// Level, 1 to 19.
        level: i32,
        /// Whether a checksum stands at the end.
        checksum: bool,
        /// Whether the size of the text stands in front.
        size: bool,
    },
    /// One stream of xz.
    Xz {
        /// Preset, 0 to 6.
        level: u32,
    },
    /// One stream of bzip2.
    Bzip2 {
        /// Level, 1 to 9.
        level: u32,
    },
}

/// Packs what is written.
pub(crate) struct Packer<W: Write> {
    inner: PackInner<W>,
    block: Vec<u8>,
}

enum PackInner<W: Write> {
    Plain(W),
    Gzip {
        deflate: flate2::write::DeflateEncoder<W>,
        crc: Box<flate2::Crc>,
    },
    Blocks(Box<BlockPacker<W>>),
    Zstd(zstd::Encoder<'static, W>),
    Xz(liblzma::write::XzEncoder<W>),
    Bzip2(bzip2::write::BzEncoder<W>),
}

impl<W: Write> Packer<W> {
    /// Starts; `open_size` is how much will be written, if that is known.
    pub(crate) fn new(mut out: W, packing: &Packing, open_size: Option<u64>) -> io::Result<Self> {
        let inner = match packing {
            Packing::Plain => PackInner::Plain(out),
            Packing::Gzip { header, level } => {
                out.write_all(header)?;
                let level = flate2::Compression::new(*level);
                PackInner::Gzip {
                    deflate: flate2::write::DeflateEncoder::new(out, level),
                    crc: Box::default(),
                }
            }
            Packing::GzipBlocks { header, level } => {
                out.write_all(header)?;
                PackInner::Blocks(Box::new(BlockPacker::new(out, *level)))
            }
            Packing::Zstd {
                level,
                checksum,
                size,
            } => {
                let mut encoder = zstd::Encoder::new(out, *level)?;
                encoder.include_checksum(*checksum)?;
                encoder.include_contentsize(*size)?;
                if *size {
                    encoder.set_pledged_src_size(open_size)?;
                }
                PackInner::Zstd(encoder)
            }
            Packing::Xz { level } => PackInner::Xz(liblzma::write::XzEncoder::new(out, *level)),
            Packing::Bzip2 { level } => {
                let level = bzip2::Compression::new(*level);
                PackInner::Bzip2(bzip2::write::BzEncoder::new(out, level))
            }
        };
        Ok(Packer {
            inner,
            block: Vec::with_capacity(PACKED_BLOCK),
        })
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let out: &mut dyn Write = match &mut self.inner {
            PackInner::Plain(out) => out,
            PackInner::Gzip { deflate, crc } => {
                crc.update(&self.block);
                deflate
            }
            PackInner::Blocks(out) => out,
            PackInner::Zstd(out) => out,
            PackInner::Xz(out) => out,
            PackInner::Bzip2(out) => out,
        };
        out.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    /// As [`super::Encoder::write_block`].
    pub(crate) fn write_block(&mut self, block: &PackedBlock, at: usize) -> io::Result<()> {
        match &mut self.inner {
            PackInner::Blocks(blocks) => blocks.write_block(block, at),
            _ => self.write_all(block.text.get(at..).unwrap_or_default()),
        }
    }

    /// The blocks so far.
    pub(crate) fn take_blocks(&mut self) -> WrittenBlocks {
        match &mut self.inner {
            PackInner::Blocks(blocks) => blocks.take_blocks(),
            _ => WrittenBlocks::default(),
        }
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.pass_on()?;
        match self.inner {
            PackInner::Plain(out) => Ok(out),
            PackInner::Gzip { deflate, crc } => {
                let mut out = deflate.finish()?;
                out.write_all(&crc.sum().to_le_bytes())?;
                out.write_all(&crc.amount().to_le_bytes())?;
                Ok(out)
            }
            PackInner::Blocks(out) => out.finish(),
            PackInner::Zstd(out) => out.finish(),
            PackInner::Xz(out) => out.finish(),
            PackInner::Bzip2(out) => out.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if let PackInner::Blocks(blocks) = &mut self.inner {
            return blocks.write(data);
        }
        let room = PACKED_BLOCK - self.block.len();
        let (now, _) = data.split_at(room.min(data.len()));
        self.block.extend_from_slice(now);
        if self.block.len() == PACKED_BLOCK {
            self.pass_on()?;
        }
        Ok(now.len())
    }

    /// Does nothing: a flush would cut a block short.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
