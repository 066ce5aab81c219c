//! Writing compressed streams, hashed on both sides.

use std::io::{self, Write};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};

use super::Format;

/// Compression levels: of xz and zstd such that three documents at once stay below 60 MB of memory
/// (xz 5, which createrepo_c takes, needs 94 MB for each). None of the formats writes a time or a
/// name, so that equal input gives equal bytes.
const GZIP_LEVEL: u32 = 6;
const XZ_LEVEL: u32 = 2;
const ZSTD_LEVEL: i32 = 9;
/// Bytes that a compressor gets at a time, always as many: what it makes of them would otherwise
/// depend on how the writer cut its text, and an updated document would differ from a new one.
const BLOCK: usize = 128 << 10;

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
}

/// Compresses what is written, and hashes and counts it before and after. Equal bytes give equal
/// files, in whatever pieces they were written.
pub struct Encoder<W: Write> {
    inner: Inner<CountingTap<W>>,
    /// What has come since the last full block.
    block: Vec<u8>,
    open: Hasher,
    open_size: u64,
}

enum Inner<W: Write> {
    Plain(W),
    Gzip(flate2::write::GzEncoder<W>),
    Bzip2(bzip2::write::BzEncoder<W>),
    Xz(liblzma::write::XzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

struct CountingTap<W> {
    out: W,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> Write for CountingTap<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = self.out.write(data)?;
        self.hasher.update(data.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Encoder<W> {
    /// Starts a stream. Errors: a format that is only read (zchunk); the library refuses to start.
    pub fn new(out: W, format: Format, algo: DigestAlgo) -> io::Result<Encoder<W>> {
        let tap = CountingTap {
            out,
            hasher: Hasher::new(algo),
            size: 0,
        };
        let inner = match format {
            Format::Plain => Inner::Plain(tap),
            Format::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                Inner::Gzip(flate2::write::GzEncoder::new(tap, level))
            }
            Format::Bzip2 => {
                let level = bzip2::Compression::best();
                Inner::Bzip2(bzip2::write::BzEncoder::new(tap, level))
            }
            Format::Xz => Inner::Xz(liblzma::write::XzEncoder::new(tap, XZ_LEVEL)),
            Format::Zstd => Inner::Zstd(zstd::Encoder::new(tap, ZSTD_LEVEL)?),
            format => return Err(super::StreamError::Unsupported { format }.into()),
        };
        Ok(Encoder {
            inner,
            block: Vec::with_capacity(BLOCK),
            open: Hasher::new(algo),
            open_size: 0,
        })
    }

    /// Ends the stream; returns what it was written to and what is known of it.
    pub fn finish(mut self) -> io::Result<(W, Written)> {
        self.pass_on()?;
        let tap = match self.inner {
            Inner::Plain(tap) => tap,
            Inner::Gzip(encoder) => encoder.finish()?,
            Inner::Bzip2(encoder) => encoder.finish()?,
            Inner::Xz(encoder) => encoder.finish()?,
            Inner::Zstd(encoder) => encoder.finish()?,
        };
        let written = Written {
            checksum: tap.hasher.finish(),
            size: tap.size,
            open_checksum: self.open.finish(),
            open_size: self.open_size,
        };
        Ok((tap.out, written))
    }
}

impl<W: Write> Encoder<W> {
    fn pass_on(&mut self) -> io::Result<()> {
        self.open.update(&self.block);
        self.open_size += self.block.len() as u64;
        self.inner.as_write().write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }
}

impl<W: Write> Inner<W> {
    fn as_write(&mut self) -> &mut dyn Write {
        match self {
            Inner::Plain(out) => out,
            Inner::Gzip(out) => out,
            Inner::Bzip2(out) => out,
            Inner::Xz(out) => out,
            Inner::Zstd(out) => out,
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = BLOCK - self.block.len();
        let (now, _) = data.split_at(room.min(data.len()));
        self.block.extend_from_slice(now);
        if self.block.len() == BLOCK {
            self.pass_on()?;
        }
        Ok(now.len())
    }

    /// Does nothing: a flush would cut a block short. [`Encoder::finish`] writes everything.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
