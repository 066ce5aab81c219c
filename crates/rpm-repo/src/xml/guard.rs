//! The stream below the parser: buffered, and bounded per event.

use std::io::{self, BufRead, Read};

/// Bytes read from the stream at a time.
const BLOCK: usize = 64 << 10;

/// A buffered stream that fails when one event takes more than a limit. Not a `BufReader`: the parser looks at
/// the buffer several times for each event, and behind a `BufReader` that look is a call (3 % of a makecache).
pub(super) struct Guard<R> {
    stream: R,
    block: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes consumed since the last event began.
    pub(super) used: usize,
    limit: usize,
    pub(super) exceeded: bool,
}

impl<R: Read> Guard<R> {
    pub(super) fn new(stream: R, limit: usize) -> Guard<R> {
        let block = vec![0; BLOCK].into_boxed_slice();
        Guard {
            stream,
            block,
            start: 0,
            end: 0,
            used: 0,
            limit,
            exceeded: false,
        }
    }

    #[cold]
    fn refill(&mut self) -> io::Result<()> {
        if self.used > self.limit {
            self.exceeded = true;
            return Err(io::Error::other("a tag or text is too long"));
        }
        (self.start, self.end) = (0, 0);
        loop {
            match self.stream.read(&mut self.block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.end = count.min(self.block.len());
                    return Ok(());
                }
            }
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
        if self.start >= self.end {
            self.refill()?;
        }
        Ok(self.block.get(self.start..self.end).unwrap_or_default())
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        self.start += count;
        self.used += count;
    }
}
