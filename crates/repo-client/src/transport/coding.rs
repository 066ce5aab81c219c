//! Codings around a file on the wire though none was asked for (`Content-Encoding`, RFC 9110, 8.4): some proxies add
//! them. The header alone proves nothing: many servers say `gzip` of a `.gz` file that they send as it is. The first
//! bytes decide.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use reqwest::Url;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use rpm_repo::compress::{Format, MAX_ZSTD_WINDOW_LOG};

use crate::error::Cause;

/// Most codings around one file.
const MAX_CODINGS: usize = 4;
/// Most bytes that one piece from the network may become.
const MAX_PIECE: usize = 64 << 20;
/// Decoded bytes that tell what a file is.
const MAGIC: usize = 6;
/// Most bytes that are held back until it is told.
const MAX_HELD: usize = 4096;
/// Buffer of a decoder, bytes.
const BUFFER: usize = 4096;

/// Takes away what stands around a file, piece by piece.
pub(crate) struct Coding {
    /// As they were put around it.
    names: Vec<CodingName>,
    /// What the file itself is, by its name.
    file: Format,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum CodingName {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

enum State {
    /// Bytes that do not tell yet whether they are coded.
    Held(Vec<u8>),
    /// It comes as it is.
    Plain,
    Coded(Vec<Layer>),
}

impl Coding {
    /// What an answer says of itself; none if it comes as it is. A coding that is not known is no coding of ours to undo.
    pub(crate) fn of(headers: &HeaderMap, url: &Url) -> Option<Self> {
        let values = headers.get_all(CONTENT_ENCODING).iter();
        let words = values.filter_map(|value| value.to_str().ok());
        let names: Option<Vec<CodingName>> = words
            .flat_map(|value| value.split(','))
            .map(|word| word.trim().to_ascii_lowercase())
            .filter(|word| !matches!(word.as_str(), "" | "identity"))
            .map(|word| CodingName::of(&word))
            .collect();
        let names = names.filter(|names| (1..=MAX_CODINGS).contains(&names.len()))?;
        Some(Self {
            names,
            file: Format::of_name(url.path()),
            state: State::Held(Vec::new()),
        })
    }

    /// Whether the name of the file leaves no doubt: it is none that such a header is put on for its name.
    pub(crate) fn is_certain(&self) -> bool {
        self.file == Format::Plain
    }

    /// The bytes of the file that the next piece brings.
    pub(crate) fn decode(&mut self, piece: Bytes) -> Result<Bytes, Cause> {
        match &mut self.state {
            State::Plain => Ok(piece),
            State::Coded(layers) => peel(layers, &piece).map_err(|e| Cause::Broken(e.to_string())),
            State::Held(held) => {
                held.extend_from_slice(&piece);
                let all = held.len() >= MAX_HELD;
                Ok(self.decide(all))
            }
        }
    }

    /// What is held back when no more comes; none if nothing is.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        let held = matches!(&self.state, State::Held(held) if !held.is_empty());
        held.then(|| self.decide(true))
    }

    /// Decides by what is held, as soon as there is enough of it or that is `all`: coded is what decodes to a file such
    /// as its name says.
    fn decide(&mut self, all: bool) -> Bytes {
        let file = self.file;
        let fits = |data: &[u8]| file == Format::Plain || Format::of_magic(data) == file;
        let State::Held(held) = &mut self.state else {
            return Bytes::new();
        };
        let layers = self.names.iter().rev().map(|name| name.layer());
        let decoded = layers
            .collect::<io::Result<Vec<Layer>>>()
            .and_then(|mut layers| Ok((peel(&mut layers, held)?, layers)));
        match decoded {
            Ok((data, _)) if data.len() < MAGIC && !all => Bytes::new(),
            Ok((data, layers)) if !data.is_empty() && fits(&data) => {
                self.state = State::Coded(layers);
                data
            }
            _ => {
                let held = std::mem::take(held);
                self.state = State::Plain;
                held.into()
            }
        }
    }
}

impl CodingName {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    fn layer(self) -> io::Result<Layer> {
        let out = Piece::default();
        Ok(match self {
            Self::Gzip => Layer::Gzip(MultiGzDecoder::new(out)),
            Self::Deflate => Layer::Deflate(ZlibDecoder::new(out)),
            Self::Brotli => Layer::Brotli(Box::new(DecompressorWriter::new(out, BUFFER))),
            Self::Zstd => {
                let mut decoder = zstd::stream::raw::Decoder::new()?;
                let window = zstd::stream::raw::DParameter::WindowLogMax(MAX_ZSTD_WINDOW_LOG);
                decoder.set_parameter(window)?;
                Layer::Zstd(zstd::stream::write::Decoder::with_decoder(out, decoder))
            }
        })
    }
}

/// One coding, and what it has given.
enum Layer {
    Gzip(MultiGzDecoder<Piece>),
    Deflate(ZlibDecoder<Piece>),
    Brotli(Box<DecompressorWriter<Piece>>),
    Zstd(zstd::stream::write::Decoder<'static, Piece>),
}

impl Layer {
    fn push(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        fn through(writer: &mut impl Write, piece: &[u8]) -> io::Result<()> {
            writer.write_all(piece)?;
            writer.flush()
        }
        let out = match self {
            Self::Gzip(writer) => through(writer, piece).map(|()| writer.get_mut()),
            Self::Deflate(writer) => through(writer, piece).map(|()| writer.get_mut()),
            Self::Brotli(writer) => through(writer, piece).map(|()| writer.get_mut()),
            Self::Zstd(writer) => through(writer, piece).map(|()| writer.get_mut()),
        };
        Ok(std::mem::take(&mut out?.0))
    }
}

/// Takes all layers away, the outermost first.
fn peel(layers: &mut [Layer], piece: &[u8]) -> io::Result<Bytes> {
    let mut data = piece.to_vec();
    for layer in layers {
        data = layer.push(&data)?;
    }
    Ok(data.into())
}

/// What one piece became.
#[derive(Default)]
struct Piece(Vec<u8>);

impl Write for Piece {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(data.len()) > MAX_PIECE {
            return Err(io::Error::other("a few bytes become too many"));
        }
        self.0.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
