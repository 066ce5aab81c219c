//! Reading a file of gzip block by block, with the packed bytes of each.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress};

use super::blocks::{BlockSize, MAX_BLOCK, keep_window, most_packed};
use super::encoder::GZIP_HEADER;
use super::verified::{check_digest, check_size};
use super::{Expected, HashingReader, StreamPart};

/// Bytes behind the last block (RFC 1952 2.3): checksum and size of the text.
const TRAILER: usize = 8;

/// An empty stored block (RFC 1951 3.2.4), which ends each block but the last.
const BLOCK_END: [u8; 4] = [0, 0, 0xff, 0xff];

/// A block of a file: its text and, where another file can take it over as it stands, its packed
/// bytes and the text that they refer to.
#[derive(Debug, Clone, Default)]
pub struct PackedBlock {
    /// The text.
    pub text: Vec<u8>,
    pub(super) before: Vec<u8>,
    pub(super) packed: Vec<u8>,
}

/// Reads the blocks of a file that [`super::Encoder`] wrote. Everything was handed out before the file is
/// verified: whatever was made of it must be thrown away when an error comes.
pub struct BlockReader<R> {
    packed: HashingReader<R>,
    expected: Expected,
    sizes: std::vec::IntoIter<BlockSize>,
    inflate: Decompress,
    block: PackedBlock,
    /// Text so far.
    open: u64,
    ended: bool,
}

impl<R: Read> BlockReader<R> {
    /// Starts to read a file; `sizes` are those of its blocks, without the last. Errors: another header.
    pub fn new(stream: R, expected: Expected, sizes: Vec<BlockSize>) -> io::Result<BlockReader<R>> {
        let mut packed = HashingReader::new(stream, expected.checksum.map(|d| d.algo()));
        let mut header = [0; GZIP_HEADER.len()];
        packed.read_exact(&mut header)?;
        if header != GZIP_HEADER {
            return Err(other_blocks());
        }
        Ok(BlockReader {
            packed,
            expected,
            sizes: sizes.into_iter(),
            inflate: Decompress::new(false),
            block: PackedBlock::default(),
            open: 0,
            ended: false,
        })
    }

    /// The block that was read last.
    pub fn block(&self) -> &PackedBlock {
        &self.block
    }

    /// Reads the next block; false behind the last.
    ///
    /// # Errors
    /// The blocks are not of these sizes; behind the last one: size or checksum of the file differ. The
    /// checksum of the text is not looked at: that of the file covers it.
    pub fn next_block(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let block = &mut self.block;
        keep_window(&block.text, &mut block.before);
        block.packed.clear();
        match self.sizes.next() {
            Some(size) => {
                block.packed.resize(size.packed, 0);
                self.packed.read_exact(&mut block.packed)?;
                if !block.packed.ends_with(&BLOCK_END) {
                    return Err(other_blocks());
                }
                self.unpack(size.open)?;
            }
            None => self.read_last()?,
        }
        Ok(true)
    }

    fn read_last(&mut self) -> io::Result<()> {
        let rest = self
            .expected
            .open_size
            .unwrap_or_default()
            .checked_sub(self.open);
        let open = rest.and_then(|rest| usize::try_from(rest).ok());
        let open = open
            .filter(|open| *open <= MAX_BLOCK)
            .ok_or_else(other_blocks)?;
        let most = most_packed(open) + TRAILER;
        let packed = &mut self.block.packed;
        (&mut self.packed)
            .take(most as u64 + 1)
            .read_to_end(packed)?;
        if packed.len() > most {
            return Err(other_blocks());
        }
        packed.truncate(packed.len().saturating_sub(TRAILER));
        self.unpack(open)?;
        // Its end is that of the file: there is none to be taken over.
        self.block.packed.clear();
        check_size(StreamPart::Packed, self.expected.size, self.packed.count())?;
        check_digest(
            StreamPart::Packed,
            self.expected.checksum,
            self.packed.take_digest(),
        )?;
        self.ended = true;
        Ok(())
    }

    /// Room for one byte more lets the decompressor go on behind the last byte of the text.
    fn unpack(&mut self, open: usize) -> io::Result<()> {
        let PackedBlock { text, packed, .. } = &mut self.block;
        text.resize(open + 1, 0);
        let before = (self.inflate.total_in(), self.inflate.total_out());
        self.inflate
            .decompress(packed, text, FlushDecompress::None)?;
        let read = self.inflate.total_in() - before.0;
        let written = self.inflate.total_out() - before.1;
        if (read, written) != (packed.len() as u64, open as u64) {
            return Err(other_blocks());
        }
        text.truncate(open);
        self.open += written;
        Ok(())
    }
}

fn other_blocks() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "its blocks are not those that were written",
    )
}
