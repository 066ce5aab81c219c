//! Decompression by magic.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use super::StreamError;

/// Largest zstd window that is accepted, as a power of two: 128 MiB, the limit of the zstd
/// command without `--long`. createrepo_c writes windows of 8 MiB and less.
pub const MAX_ZSTD_WINDOW_LOG: u32 = 27;
/// Most memory for xz in bytes: a dictionary of 64 MiB (`xz -9`) needs 65 MiB.
pub const MAX_XZ_MEMORY: u64 = 80 << 20;

/// Compressed bytes read at a time.
const BUFFER: usize = 64 << 10;

/// A compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Not compressed.
    Plain,
    /// gzip (RFC 1952), also several members.
    Gzip,
    /// xz, also several streams.
    Xz,
    /// Zstandard (RFC 8878), also several frames.
    Zstd,
    /// bzip2, also several streams.
    Bzip2,
    /// zchunk: known by its magic, not read.
    Zchunk,
}

impl Format {
    /// By the first bytes (six are enough).
    pub fn of_magic(bytes: &[u8]) -> Format {
        match bytes {
            [0x1f, 0x8b, ..] => Format::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Format::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Format::Zstd,
            [b'B', b'Z', b'h', ..] => Format::Bzip2,
            [0, b'Z', b'C', b'K', b'1', ..] => Format::Zchunk,
            _ => Format::Plain,
        }
    }

    /// What each is called, and the end of its files' names.
    const NAMES: [(Format, &str, &str); 6] = [
        (Format::Plain, "plain", ""),
        (Format::Gzip, "gzip", ".gz"),
        (Format::Xz, "xz", ".xz"),
        (Format::Zstd, "zstd", ".zst"),
        (Format::Bzip2, "bzip2", ".bz2"),
        (Format::Zchunk, "zchunk", ".zck"),
    ];

    fn names(self) -> (&'static str, &'static str) {
        let known = Self::NAMES.iter().find(|(format, ..)| *format == self);
        known.map_or(("", ""), |(_, name, suffix)| (name, suffix))
    }

    /// By the end of a file name; anything unknown is plain.
    pub fn of_name(name: &str) -> Format {
        let end = name.rsplit('.').next();
        let is_end = |(_, _, suffix): &&(_, _, &str)| suffix.strip_prefix('.') == end;
        let known = Self::NAMES.iter().find(is_end);
        known.map_or(Format::Plain, |(format, ..)| *format)
    }

    /// The end of a file's name, with its dot; nothing where it is not compressed.
    pub fn suffix(self) -> &'static str {
        self.names().1
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().0)
    }
}

/// A decompressing reader. Gives what it gets if that is not compressed.
pub struct Decoder<R: Read>(DecoderOf<R>);

enum DecoderOf<R: Read> {
    Plain(BufReader<R>),
    Gzip(Box<flate2::bufread::MultiGzDecoder<BufReader<R>>>),
    Xz(Box<liblzma::bufread::XzDecoder<BufReader<R>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<R>>>),
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<BufReader<R>>>),
}

impl<R: Read> Decoder<R> {
    /// Looks at the first bytes of a stream and at the end of its name. The bytes decide; but a name
    /// that promises a compression which the bytes are not is an error (an HTML page instead
    /// of metadata, usually).
    pub fn new(stream: R, name: &str) -> io::Result<Decoder<R>> {
        let mut stream = BufReader::with_capacity(BUFFER, stream);
        let promised = Format::of_name(name);
        let format = Format::of_magic(stream.fill_buf()?);
        if format == Format::Plain && promised != Format::Plain {
            let name = crate::error::quoted(name);
            return Err(StreamError::WrongFormat {
                name,
                format: promised,
            }
            .into());
        }
        Ok(Decoder(match format {
            Format::Plain => DecoderOf::Plain(stream),
            Format::Gzip => DecoderOf::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(stream))),
            Format::Xz => {
                let flags = liblzma::stream::CONCATENATED;
                let xz = liblzma::stream::Stream::new_stream_decoder(MAX_XZ_MEMORY, flags)?;
                DecoderOf::Xz(Box::new(liblzma::bufread::XzDecoder::new_stream(
                    stream, xz,
                )))
            }
            Format::Zstd => {
                let mut zstd = zstd::stream::read::Decoder::with_buffer(stream)?;
                zstd.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
                DecoderOf::Zstd(Box::new(zstd))
            }
            Format::Bzip2 => {
                DecoderOf::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(stream)))
            }
            Format::Zchunk => return Err(StreamError::Unsupported { format }.into()),
        }))
    }

    /// The stream below; what the decoder has buffered is not in it any more.
    pub fn get_mut(&mut self) -> &mut R {
        match &mut self.0 {
            DecoderOf::Plain(stream) => stream.get_mut(),
            DecoderOf::Gzip(decoder) => decoder.get_mut().get_mut(),
            DecoderOf::Xz(decoder) => decoder.get_mut().get_mut(),
            DecoderOf::Zstd(decoder) => decoder.get_mut().get_mut(),
            DecoderOf::Bzip2(decoder) => decoder.get_mut().get_mut(),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            DecoderOf::Plain(stream) => stream.read(out),
            DecoderOf::Gzip(decoder) => decoder.read(out),
            DecoderOf::Xz(decoder) => decoder.read(out),
            DecoderOf::Zstd(decoder) => decoder.read(out),
            DecoderOf::Bzip2(decoder) => decoder.read(out),
        }
    }
}
