//! gzip as other compressors write it. What they choose cannot be had by any level of ours, but it can be
//! predicted: from the text and the corrections of the prediction (a few hundred bytes for zlib) comes the very stream.
//!
//! The library that does this keeps no limits: corrections from a stranger may cost all memory, all time, or a panic. So
//! this is only done where the caller said that the process may be lost ([`super::Foreign::Taken`]).

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use preflate_rs::{PreflateConfig, PreflateStreamProcessor, RecreateStreamProcessor};

use super::{Error, Result};

/// Packed bytes that are looked at together, at first and at most.
const WINDOW: usize = 256 << 10;
const MAX_WINDOW: usize = 4 << 20;
/// Longest text between two cuts in bytes; it is held in memory.
pub(super) const MAX_TEXT: usize = 32 << 20;
/// Longest chain of the compressor's search that is followed: that of zlib's highest level.
const MAX_CHAIN: u32 = 4096;

/// What must be known to pack the text up to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// The end of that text, counted from the end of the one before.
    pub(super) text: u64,
    /// How the compressor was not as predicted.
    pub(super) corrections: Vec<u8>,
}

/// The cuts of a file that is one gzip member with a header of so many bytes; none if it is something
/// else, or the corrections would be no gain.
pub(super) fn cuts(path: &Path, header: usize) -> Result<Option<Vec<Cut>>> {
    let file = File::open(path)?;
    let most = file.metadata()?.len() / 8;
    let mut stream = BufReader::new(file);
    io::copy(&mut (&mut stream).take(header as u64), &mut io::sink())?;
    let mut analysis = PreflateStreamProcessor::new(&PreflateConfig {
        max_chain_length: MAX_CHAIN,
        plain_text_limit: MAX_TEXT,
        verify_compression: true,
    });
    let mut crc = flate2::Crc::new();
    let (mut cuts, mut sum) = (Vec::new(), 0);
    let (mut waiting, mut window) = (Vec::new(), WINDOW);
    while !analysis.is_done() {
        let more = window.saturating_sub(waiting.len()) as u64;
        let read = (&mut stream).take(more).read_to_end(&mut waiting)?;
        let Ok(found) = analysis.decompress(&waiting) else {
            return Ok(None);
        };
        if found.compressed_size == 0 {
            // Not even one block: there must be more.
            window *= 2;
            if window > MAX_WINDOW || read == 0 {
                return Ok(None);
            }
            continue;
        }
        waiting.drain(..found.compressed_size.min(waiting.len()));
        let text = analysis.plain_text().text();
        crc.update(text);
        sum += found.corrections.len() as u64 + 8;
        if sum > most {
            return Ok(None);
        }
        cuts.push(Cut {
            text: text.len() as u64,
            corrections: found.corrections,
        });
        analysis.shrink_to_dictionary();
    }
    stream.read_to_end(&mut waiting)?;
    let end = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat();
    Ok((waiting == end).then_some(cuts))
}

/// Packs a text again.
#[derive(Default)]
pub(super) struct Repeat {
    library: Option<Box<RecreateStreamProcessor>>,
    text: Vec<u8>,
    crc: flate2::Crc,
}

impl Repeat {
    /// Takes text.
    pub(super) fn add(&mut self, text: &[u8]) -> io::Result<()> {
        if self.text.len() + text.len() > MAX_TEXT {
            return Err(io::Error::other(Error::Form("its cuts are too far apart")));
        }
        self.text.extend_from_slice(text);
        Ok(())
    }

    /// The packed bytes of what has come since the last cut.
    pub(super) fn cut(&mut self, corrections: &[u8]) -> Result<Vec<u8>> {
        let library = self
            .library
            .get_or_insert_with(|| Box::new(RecreateStreamProcessor::new()));
        self.crc.update(&self.text);
        let packed = library.recompress(&mut &self.text[..], corrections);
        self.text.clear();
        match packed {
            Ok((packed, _)) => Ok(packed),
            Err(_) => Err(Error::Form("its corrections do not fit")),
        }
    }

    /// What stands behind the packed text.
    pub(super) fn end(&self) -> Result<Vec<u8>> {
        if self.text.is_empty() {
            Ok([
                self.crc.sum().to_le_bytes(),
                self.crc.amount().to_le_bytes(),
            ]
            .concat())
        } else {
            Err(Error::Form("text follows its last cut"))
        }
    }
}
