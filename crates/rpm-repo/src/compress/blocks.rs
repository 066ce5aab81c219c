//! gzip in blocks: one member, cut where its own text says, so that a change upsets only the blocks
//! it lies in.
//!
//! Each block is packed by itself, with the window of text before it as its dictionary, and ends at
//! a whole byte with an empty stored block (as zlib's `Z_SYNC_FLUSH` does it). Its packed bytes
//! depend on its text and on that window alone: where both are as they were, they can be taken over
//! from an older file. Readers see an ordinary member of gzip.
//!
//! Where a block ends depends on what it holds, from its first byte on: see [`BlockPacker::cut`]
//! and docs/deltas.md.

use std::io::{self, Write};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use memchr::memmem;

use super::PackedBlock;

/// The end of a package's record in primary, filelists and other.
pub const RECORD_END: &[u8] = b"</package>\n";
/// How far deflate looks back, in bytes (RFC 1951 2).
pub(super) const WINDOW: usize = 32 << 10;
/// Least bytes of text in a block that is not the last: whatever comes after it has its window in
/// this block.
const MIN_BLOCK: usize = WINDOW;
/// Most bytes of text in a block.
pub(super) const MAX_BLOCK: usize = 256 << 10;
/// One end of a block is expected in so many bytes of text behind the least. With 32 KiB the files are
/// at most 0.8 % larger than in one piece, and a changed package costs 64 KiB of each in the mean.
const SPREAD: u64 = 32 << 10;

/// The sizes of a block that is not the last one of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSize {
    /// Bytes of text.
    pub open: usize,
    /// Packed bytes.
    pub packed: usize,
}

impl BlockSize {
    /// Whether a block may have these sizes.
    pub fn is_possible(self) -> bool {
        (MIN_BLOCK..=MAX_BLOCK).contains(&self.open)
            && (1..=most_packed(self.open)).contains(&self.packed)
    }
}

/// The blocks of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenBlocks {
    /// The size of each, without the last; of what is not packed in blocks none.
    pub sizes: Vec<BlockSize>,
    /// How many of them were taken over from an older file.
    pub taken: usize,
}

/// More than any block of so much text is packed to.
pub(super) fn most_packed(open: usize) -> usize {
    2 * open + 1024
}

/// Packs what is written, but for the header of the member.
pub(super) struct BlockPacker<W> {
    out: W,
    level: u32,
    crc: Crc,
    /// The text before the block that is begun: a whole window, or nothing in front of the first.
    window: Vec<u8>,
    /// The text of the block that is begun, as far as it is there.
    text: Vec<u8>,
    /// In it: where the present record begins, and how far its end was looked for.
    record: usize,
    searched: usize,
    packed: Vec<u8>,
    blocks: WrittenBlocks,
}

impl<W: Write> BlockPacker<W> {
    pub(super) fn new(out: W, level: u32) -> Self {
        Self {
            out,
            level,
            crc: Crc::new(),
            window: Vec::new(),
            text: Vec::new(),
            record: 0,
            searched: 0,
            packed: Vec::new(),
            blocks: WrittenBlocks::default(),
        }
    }

    /// The blocks so far.
    pub(super) fn take_blocks(&mut self) -> WrittenBlocks {
        std::mem::take(&mut self.blocks)
    }

    /// The length of the block that is begun; none if its end has not come yet.
    ///
    /// It ends behind the first record that lies behind [`MIN_BLOCK`] and whose CRC-32 is small: the
    /// longer the record, the more values are. Without one it ends at [`MAX_BLOCK`].
    fn cut(&mut self) -> Option<usize> {
        let text = self.text.get(..MAX_BLOCK).unwrap_or(&self.text);
        while let Some(found) = memmem::find(text.get(self.searched..)?, RECORD_END) {
            let end = self.searched + found + RECORD_END.len();
            let record = text.get(self.record..end)?;
            (self.record, self.searched) = (end, end);
            if end >= MIN_BLOCK && is_border(record) {
                return Some(end);
            }
        }
        // The end of a record may have begun.
        self.searched = (text.len() + 1)
            .saturating_sub(RECORD_END.len())
            .max(self.record);
        (text.len() == MAX_BLOCK).then_some(MAX_BLOCK)
    }

    fn pack(&mut self, length: usize, flush: FlushCompress) -> io::Result<()> {
        let text = self.text.get(..length).unwrap_or_default();
        // A compressor that was reset packs some texts otherwise than a new one, and a block must not show whether the
        // one before it was packed here or taken over.
        let mut deflate = Compress::new(Compression::new(self.level), false);
        if !self.window.is_empty() {
            deflate.set_dictionary(&self.window)?;
        }
        self.packed.clear();
        self.packed.reserve(most_packed(length));
        let status = deflate.compress_vec(text, &mut self.packed, flush)?;
        let is_ended = matches!(flush, FlushCompress::Finish) == (status == Status::StreamEnd);
        if !is_ended || deflate.total_in() != length as u64 {
            return Err(io::Error::other("a block does not fit where it should"));
        }
        self.crc.update(text);
        self.out.write_all(&self.packed)
    }

    fn begin_next(&mut self, sizes: BlockSize) {
        self.blocks.sizes.push(sizes);
        (self.record, self.searched) = (0, 0);
    }

    /// Writes the text of a block of an older file from `at` on: its packed bytes, if what stands
    /// before `at` and in the window is what was written here.
    pub(super) fn write_block(&mut self, block: &PackedBlock, at: usize) -> io::Result<()> {
        let (before, rest) = block.text.split_at(at.min(block.text.len()));
        if block.packed.is_empty() || self.text != before || self.window != block.before {
            return self.write_all(rest);
        }
        self.crc.update(&block.text);
        self.out.write_all(&block.packed)?;
        self.text.clear();
        keep_window(&block.text, &mut self.window);
        self.blocks.taken += 1;
        self.begin_next(BlockSize {
            open: block.text.len(),
            packed: block.packed.len(),
        });
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.pack(self.text.len(), FlushCompress::Finish)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }
}

impl<W: Write> Write for BlockPacker<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let (now, _) = data.split_at(data.len().min(MAX_BLOCK));
        self.text.extend_from_slice(now);
        while let Some(open) = self.cut() {
            self.pack(open, FlushCompress::Sync)?;
            keep_window(self.text.get(..open).unwrap_or_default(), &mut self.window);
            self.text.drain(..open);
            let packed = self.packed.len();
            self.begin_next(BlockSize { open, packed });
        }
        Ok(now.len())
    }

    /// Does nothing: a flush would cut a block short.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_border(record: &[u8]) -> bool {
    let mut crc = Crc::new();
    crc.update(record);
    u64::from(crc.sum()) * SPREAD < (record.len() as u64) << 32
}

/// Keeps the last bytes of a block's text, which is never shorter than a window.
pub(super) fn keep_window(text: &[u8], window: &mut Vec<u8>) {
    window.clear();
    let from = text.len().saturating_sub(WINDOW);
    window.extend_from_slice(text.get(from..).unwrap_or_default());
}
