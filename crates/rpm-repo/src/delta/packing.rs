//! How a file was packed: found by packing its text again in every way that is known here, until one
//! gives the same bytes. A wrong way differs within the first blocks, so that trying costs little.

use std::fmt;
use std::io::{self, BufReader, Read, Write};

use super::make::{File, FileBytes};
use crate::compress::{Decoder, Format, PACKED_BLOCK, Packer, Packing};

/// Longest gzip header in bytes.
const MAX_GZIP_HEADER: usize = 512;
/// Highest levels: more would need more memory than a client may have to give (zstd 19: 90 MB,
/// xz 6: 94 MB).
const MAX_ZSTD_LEVEL: i32 = 19;
const MAX_XZ_LEVEL: u32 = 6;

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Packing::Plain => f.write_str("plain"),
            Packing::Gzip { header, level } => gzip(f, "gzip", *level, header),
            Packing::GzipBlocks { header, level } => gzip(f, "gzip-blocks", *level, header),
            Packing::Zstd {
                level,
                checksum,
                size,
            } => write!(
                f,
                "zstd {level} {} {}",
                u8::from(*checksum),
                u8::from(*size)
            ),
            Packing::Xz { level } => write!(f, "xz {level}"),
            Packing::Bzip2 { level } => write!(f, "bzip2 {level}"),
        }
    }
}

fn gzip(f: &mut fmt::Formatter<'_>, word: &str, level: u32, header: &[u8]) -> fmt::Result {
    write!(f, "{word} {level} ")?;
    header.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl Packing {
    /// Reads what [`fmt::Display`] writes; none if it is not that, or asks for too much memory.
    pub fn parse(text: &str) -> Option<Packing> {
        let words: Vec<&str> = text.split(' ').collect();
        let flag = |word: &str| match word {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        };
        let level = |word: &str, most: u32| word.parse().ok().filter(|level| *level <= most);
        Some(match words.as_slice() {
            ["plain"] => Packing::Plain,
            ["gzip", number, header] => Packing::Gzip {
                header: bytes_of_hex(header)?,
                level: level(number, 9)?,
            },
            ["gzip-blocks", number, header] => Packing::GzipBlocks {
                header: bytes_of_hex(header)?,
                level: level(number, 9)?,
            },
            ["zstd", number, checksum, size] => Packing::Zstd {
                level: number
                    .parse()
                    .ok()
                    .filter(|level| (1..=MAX_ZSTD_LEVEL).contains(level))?,
                checksum: flag(checksum)?,
                size: flag(size)?,
            },
            ["xz", number] => Packing::Xz {
                level: level(number, MAX_XZ_LEVEL)?,
            },
            ["bzip2", number] => Packing::Bzip2 {
                level: level(number, 9).filter(|level| *level > 0)?,
            },
            _ => return None,
        })
    }

    /// The way in which a file was packed; none if no way that is known here gives its bytes.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn of_file(file: &File, open_size: u64) -> io::Result<Option<Packing>> {
        let mut head = Vec::new();
        let most = MAX_GZIP_HEADER as u64;
        file.bytes().take(most).read_to_end(&mut head)?;
        for packing in candidates(&head) {
            if gives(&packing, file, open_size)? {
                return Ok(Some(packing));
            }
        }
        Ok(None)
    }
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2 * MAX_GZIP_HEADER || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The ways that may have given a file which begins so, likely ones first.
fn candidates(head: &[u8]) -> Vec<Packing> {
    match Format::of_magic(head) {
        Format::Plain => vec![Packing::Plain],
        Format::Gzip => {
            let Some(header) = gzip_header(head) else {
                return Vec::new();
            };
            let with = |level| Packing::Gzip {
                header: header.to_vec(),
                level,
            };
            let header = header.to_vec();
            let blocks = Packing::GzipBlocks { header, level: 6 };
            let others = [6, 9, 1, 2, 3, 4, 5, 7, 8].map(with);
            std::iter::once(blocks).chain(others).collect()
        }
        Format::Zstd => {
            // RFC 8878 3.1.1.1.1: bit 2 is the checksum flag; bits 6 and 7 or bit 5 say that the
            // size is there.
            let flags = head.get(4).copied().unwrap_or_default();
            let (checksum, size) = (flags & 0x04 != 0, flags & 0xe0 != 0);
            let with = |level| Packing::Zstd {
                level,
                checksum,
                size,
            };
            let likely = [9, 10, 3, 19];
            let others = (1..MAX_ZSTD_LEVEL).filter(|level| !likely.contains(level));
            likely.into_iter().chain(others).map(with).collect()
        }
        Format::Xz => [2, 5, 6, 0, 1, 3, 4]
            .map(|level| Packing::Xz { level })
            .to_vec(),
        Format::Bzip2 => match head.get(3) {
            Some(digit @ b'1'..=b'9') => vec![Packing::Bzip2 {
                level: u32::from(digit - b'0'),
            }],
            _ => Vec::new(),
        },
        Format::Zchunk => Vec::new(),
    }
}

/// The header of a gzip member (RFC 1952 2.3); none if it is cut short.
fn gzip_header(head: &[u8]) -> Option<&[u8]> {
    let flags = *head.get(3)?;
    let mut at = 10;
    if flags & 0x04 != 0 {
        let length = u16::from_le_bytes([*head.get(at)?, *head.get(at + 1)?]);
        at += 2 + usize::from(length);
    }
    for text in [0x08, 0x10] {
        if flags & text != 0 {
            let rest = head.get(at..)?;
            at += rest.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    if flags & 0x02 != 0 {
        at += 2;
    }
    head.get(..at)
}

/// Whether a way gives exactly the bytes of a file.
fn gives(packing: &Packing, file: &File, open_size: u64) -> io::Result<bool> {
    let mut text = Decoder::new(file.bytes(), "")?;
    let compare = Compare {
        file: BufReader::with_capacity(PACKED_BLOCK, file.bytes()),
        piece: Vec::new(),
    };
    let tried = Packer::new(compare, packing, Some(open_size)).and_then(|mut packer| {
        let mut piece = vec![0; PACKED_BLOCK];
        loop {
            // What cannot be opened is an error of the file, not a difference.
            let count = match text.read(&mut piece) {
                Ok(0) => return packer.finish(),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            packer.write_all(piece.get(..count).unwrap_or_default())?;
        }
    });
    match tried {
        Ok(mut compare) => Ok(compare.file.read(&mut [0])? == 0),
        Err(error)
            if error
                .get_ref()
                .is_some_and(|why| why.is::<PackedOtherwise>()) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The bytes differ.
#[derive(Debug, thiserror::Error)]
#[error("the bytes differ")]
struct PackedOtherwise;

/// Takes only what a file has.
struct Compare {
    file: BufReader<FileBytes>,
    piece: Vec<u8>,
}

impl Write for Compare {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.piece.resize(data.len(), 0);
        match self.file.read_exact(&mut self.piece) {
            Ok(()) if self.piece == data => Ok(data.len()),
            Ok(()) => Err(io::Error::other(PackedOtherwise)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(io::Error::other(PackedOtherwise))
            }
            Err(error) => Err(error),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
