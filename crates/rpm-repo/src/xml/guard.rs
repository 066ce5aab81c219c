//! The stream below the parser: buffered, and bounded per event.

use std::io::{self, BufRead, Read};

/// Bytes read from the stream at a time.
const BLOCK: usize = 64 << 10;

/// Most bytes of a record that is passed over: as much as the header of a package has at most.
const MAX_SKIPPED: usize = 256 << 20;

/// A buffered stream that fails when one event takes more than a limit. Not a `BufReader`: the parser looks at
/// the buffer several times for each event, and behind a `BufReader` that look is a call (3 % of a makecache).
pub(super) struct Guard<R> {
    stream: Option<R>,
    block: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes consumed since the last event began.
    pub(super) used: usize,
    limit: usize,
    pub(super) exceeded: bool,
    /// Bytes that were taken from the stream.
    taken: u64,
    /// Bytes of the stream before what the parser has seen.
    pub(super) passed: u64,
}

impl<R: Read> Guard<R> {
    pub(super) fn new(stream: R, limit: usize) -> Guard<R> {
        let block = vec![0; BLOCK].into_boxed_slice();
        Guard {
            stream: Some(stream),
            block,
            start: 0,
            end: 0,
            used: 0,
            limit,
            exceeded: false,
            taken: 0,
            passed: 0,
        }
    }

    /// One without a stream, to stand in for another.
    pub(super) fn empty() -> Guard<R> {
        Guard {
            stream: None,
            block: Box::default(),
            start: 0,
            end: 0,
            used: 0,
            limit: 0,
            exceeded: false,
            taken: 0,
            passed: 0,
        }
    }

    /// Passes over everything up to and with `</name>`. False where it is not found, or where a comment or the like
    /// begins before it, in which the same could stand as text.
    #[cold]
    pub(super) fn skip_past(&mut self, name: &[u8]) -> io::Result<bool> {
        let end = [b"</", name, b">"].concat();
        let (mut matched, mut left) = (0, MAX_SKIPPED);
        self.exceeded = false;
        loop {
            self.used = 0;
            let block = self.fill_buf()?;
            if block.is_empty() || left == 0 {
                return Ok(false);
            }
            let mut read = 0;
            while let Some(byte) = block.get(read)
                && matched < end.len()
            {
                if matched == 1 && matches!(byte, b'!' | b'?') {
                    return Ok(false);
                }
                // Only its beginning has a `<`.
                if end.get(matched) == Some(byte) {
                    (matched, read) = (matched + 1, read + 1);
                } else {
                    let rest = block.get(read..).unwrap_or_default();
                    read += memchr::memchr(b'<', rest).unwrap_or(rest.len());
                    matched = 0;
                }
            }
            left = left.saturating_sub(read);
            self.consume(read);
            if matched == end.len() {
                self.used = 0;
                self.passed = self.taken - (self.end - self.start) as u64;
                return Ok(true);
            }
        }
    }

    #[cold]
    fn refill(&mut self) -> io::Result<()> {
        if self.used > self.limit {
            self.exceeded = true;
            return Err(io::Error::other("a tag or text is too long"));
        }
        (self.start, self.end) = (0, 0);
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        loop {
            match stream.read(&mut self.block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.end = count.min(self.block.len());
                    self.taken += self.end as u64;
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
