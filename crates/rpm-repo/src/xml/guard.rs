//! The stream below the parser: buffered, and bounded per event.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes read from the stream at a time.
const BLOCK: usize = 64 << 10;

/// A buffered stream that fails when one event takes more than a limit.
pub(super) struct Guard<R> {
    stream: BufReader<R>,
    /// Bytes consumed since the last event began.
    pub(super) used: usize,
    limit: usize,
    pub(super) exceeded: bool,
}

impl<R: Read> Guard<R> {
    pub(super) fn new(stream: R, limit: usize) -> Guard<R> {
        Guard {
            stream: BufReader::with_capacity(BLOCK, stream),
            used: 0,
            limit,
            exceeded: false,
        }
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let count = available.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Guard<R> {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used > self.limit && self.stream.buffer().is_empty() {
            self.exceeded = true;
            return Err(io::Error::other("a tag or text is too long"));
        }
        self.stream.fill_buf()
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        self.stream.consume(count);
        self.used += count;
    }
}
