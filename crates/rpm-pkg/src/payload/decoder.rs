//! From stored bytes to archive bytes, hashing both.

use super::PayloadError;
use crate::package::{DigestOutcome, PayloadDigests};
use liblzma::stream::{CONCATENATED, Stream};
use std::io::{self, BufRead, BufReader, Read};

/// Largest window of a zstd frame, as a power of two: 128 MiB, zstd's own default and what rpm
/// accepts.
pub const MAX_ZSTD_WINDOW_LOG: u32 = 27;
/// Most memory that the xz and lzma decoder may use (rpm's limit is 100 MiB).
pub const MAX_XZ_MEMORY: u64 = 100 * 1024 * 1024;
/// Size of the buffer in front of the decompressor.
const BUFFER: usize = 64 * 1024;

/// Counts and hashes what is read through it.
#[derive(Debug)]
pub(super) struct Tee<R> {
    inner: R,
    digests: PayloadDigests,
    bytes: u64,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buf)?;
        if !self.digests.is_empty() {
            self.digests.update_all(buf.get(..got).unwrap_or_default());
        }
        self.bytes = self.bytes.saturating_add(got as u64);
        Ok(got)
    }
}

/// The stored payload.
type CompressedSource<R> = BufReader<Tee<R>>;

/// One decompressor.
enum Codec<R: Read> {
    Plain(CompressedSource<R>),
    Gzip(Box<flate2::bufread::MultiGzDecoder<CompressedSource<R>>>),
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<CompressedSource<R>>>),
    Xz(Box<liblzma::bufread::XzDecoder<CompressedSource<R>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, CompressedSource<R>>>),
}

impl<R: Read> Codec<R> {
    fn reader(&mut self) -> &mut dyn Read {
        match self {
            Codec::Plain(reader) => reader,
            Codec::Gzip(reader) => reader,
            Codec::Bzip2(reader) => reader,
            Codec::Xz(reader) => reader,
            Codec::Zstd(reader) => reader,
        }
    }

    fn source(&mut self) -> &mut CompressedSource<R> {
        match self {
            Codec::Plain(reader) => reader,
            Codec::Gzip(reader) => reader.get_mut(),
            Codec::Bzip2(reader) => reader.get_mut(),
            Codec::Xz(reader) => reader.get_mut(),
            Codec::Zstd(reader) => reader.get_mut(),
        }
    }
}

/// Gives the archive; hashes stored and uncompressed bytes.
pub(super) struct PayloadDecoder<R: Read> {
    codec: Codec<R>,
    digests: PayloadDigests,
}

impl<R: Read> PayloadDecoder<R> {
    /// Chooses the decompressor. Without a compressor, and for `gzip`, data that is not gzip is
    /// passed through, as rpm's zlib reader does.
    pub(super) fn open(
        reader: R,
        compressor: Option<&str>,
        digests: PayloadDigests,
    ) -> Result<Self, PayloadError> {
        let (stored, plain) = digests.split();
        let tee = Tee {
            inner: reader,
            digests: stored,
            bytes: 0,
        };
        let mut source = BufReader::with_capacity(BUFFER, tee);
        let codec = match compressor {
            None | Some("gzip") => {
                if source.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
                    Codec::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(source)))
                } else {
                    Codec::Plain(source)
                }
            }
            Some("bzip2") => Codec::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(source))),
            Some("xz" | "lzma") => {
                let stream = Stream::new_auto_decoder(MAX_XZ_MEMORY, CONCATENATED)
                    .map_err(|error| PayloadError::Io(error.into()))?;
                Codec::Xz(Box::new(liblzma::bufread::XzDecoder::new_stream(
                    source, stream,
                )))
            }
            Some("zstd") => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
                decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
                Codec::Zstd(Box::new(decoder))
            }
            Some(other) => return Err(PayloadError::Compressor(other.to_owned())),
        };
        Ok(PayloadDecoder {
            codec,
            digests: plain,
        })
    }

    /// Reads the rest of the stored bytes and ends all digests.
    pub(super) fn finish(mut self) -> io::Result<(u64, Vec<DigestOutcome>)> {
        let source = self.codec.source();
        io::copy(source, &mut io::sink())?;
        let tee = source.get_mut();
        let mut outcomes = std::mem::take(&mut tee.digests).finish();
        let bytes = tee.bytes;
        outcomes.extend(self.digests.finish());
        Ok((bytes, outcomes))
    }
}

impl<R: Read> Read for PayloadDecoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.codec.reader().read(buf)?;
        if !self.digests.is_empty() {
            self.digests.update_all(buf.get(..got).unwrap_or_default());
        }
        Ok(got)
    }
}

impl<R: Read> std::fmt::Debug for PayloadDecoder<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.codec {
            Codec::Plain(_) => "plain",
            Codec::Gzip(_) => "gzip",
            Codec::Bzip2(_) => "bzip2",
            Codec::Xz(_) => "xz",
            Codec::Zstd(_) => "zstd",
        };
        write!(f, "Decoder({name})")
    }
}
