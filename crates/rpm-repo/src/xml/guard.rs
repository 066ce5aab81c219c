//! The stream below the parser: buffered, and bounded per event.

use std::io::{self, BufRead, Read};

/// Bytes read from the stream at a time: most of the largest packages lie whole in two such blocks.
const BLOCK: usize = 256 << 10;

/// Most bytes of a record that is passed over: as much as the header of a package has at most.
const MAX_SKIPPED: usize = 256 << 20;

/// What was read of the stream and is at hand.
enum Block {
    Text(String),
    /// What is no UTF-8.
    Bytes(Vec<u8>),
}

/// A buffered stream that fails when one event takes more than a limit. Not a `BufReader`: the parser looks at
/// the buffer several times for each event, and behind a `BufReader` that look is a call (3 % of a makecache).
pub(super) struct Guard<R> {
    stream: Option<R>,
    block: Block,
    start: usize,
    /// Where the stream is read to. It begins with so many bytes of a character whose end is still to be read.
    room: Box<[u8]>,
    cut: usize,
    /// What the stream said when more of it was asked for than the parser wanted; the parser hears it in its turn.
    failed: Option<io::Error>,
    /// A block that comes again, from a place on.
    aside: Option<(Block, usize)>,
    /// Bytes consumed since the last event began.
    pub(super) used: usize,
    limit: usize,
    pub(super) exceeded: bool,
    /// Bytes of the stream that were at hand so far.
    taken: u64,
    /// Bytes of the stream before what the parser has seen.
    pub(super) passed: u64,
}

impl<R: Read> Guard<R> {
    pub(super) fn new(stream: R, limit: usize) -> Guard<R> {
        Guard {
            stream: Some(stream),
            room: vec![0; BLOCK].into_boxed_slice(),
            limit,
            ..Guard::empty()
        }
    }

    /// One without a stream, to stand in for another.
    pub(super) fn empty() -> Guard<R> {
        Guard {
            stream: None,
            block: Block::Text(String::new()),
            start: 0,
            room: Box::default(),
            cut: 0,
            failed: None,
            aside: None,
            used: 0,
            limit: 0,
            exceeded: false,
            taken: 0,
            passed: 0,
        }
    }

    /// The text at hand and where in it the stream goes on; none where it is no UTF-8.
    #[inline]
    pub(super) fn text(&self) -> Option<(&str, usize)> {
        match &self.block {
            Block::Text(text) => Some((text, self.start)),
            Block::Bytes(_) => None,
        }
    }

    /// Goes on at a place in the text at hand. What lies before it is not for the parser.
    #[inline]
    pub(super) fn pass_to(&mut self, place: usize) {
        self.passed += (place - self.start) as u64;
        self.start = place;
    }

    /// Gives the parser `tags` to read before the stream goes on. They do not count as bytes of the stream.
    pub(super) fn put_before(&mut self, tags: String) {
        // What was passed holds the same tags, and they hold nothing else.
        self.passed -= tags.len() as u64;
        let block = std::mem::replace(&mut self.block, Block::Text(tags));
        self.aside = Some((block, std::mem::take(&mut self.start)));
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
                self.passed = self.taken - self.at_hand().len() as u64;
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
        if let Some((block, start)) = self.aside.take() {
            (self.block, self.start) = (block, start);
            if !self.at_hand().is_empty() {
                return Ok(());
            }
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match &mut self.block {
            Block::Text(text) => text.clear(),
            Block::Bytes(_) => self.block = Block::Text(String::new()),
        }
        self.start = 0;
        while self.read_on()? > 0 && self.at_hand().is_empty() {}
        Ok(())
    }

    /// Reads on behind the text at hand where little of it is left, once. False where there is no more to be had now.
    pub(super) fn top_up(&mut self) -> bool {
        let Block::Text(text) = &mut self.block else {
            return false;
        };
        if text.len() - self.start > BLOCK / 2 || self.aside.is_some() || self.failed.is_some() {
            return false;
        }
        text.drain(..std::mem::take(&mut self.start));
        match self.read_on() {
            Ok(count) => count > 0,
            Err(error) => {
                self.failed = Some(error);
                false
            }
        }
    }

    /// Puts what the stream gives behind the text at hand, without a character that it cuts. Returns the bytes it gave.
    fn read_on(&mut self) -> io::Result<usize> {
        let (Some(stream), Some(room)) = (&mut self.stream, self.room.get_mut(self.cut..)) else {
            return Ok(0);
        };
        let count = loop {
            match stream.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                count => break count?.min(room.len()),
            }
        };
        let end = std::mem::take(&mut self.cut) + count;
        let read = self.room.get(..end).unwrap_or_default();
        let (text, whole) = match std::str::from_utf8(read) {
            Ok(text) => (Some(text), end),
            Err(error) if error.error_len().is_none() && count > 0 => {
                let whole = read.get(..error.valid_up_to()).unwrap_or_default();
                (std::str::from_utf8(whole).ok(), whole.len())
            }
            Err(_) => (None, end),
        };
        match (&mut self.block, text) {
            (Block::Text(block), Some(text)) => block.push_str(text),
            (Block::Text(block), None) => {
                let mut bytes = std::mem::take(block).into_bytes();
                bytes.extend_from_slice(read);
                self.block = Block::Bytes(bytes);
            }
            (Block::Bytes(block), _) => block.extend_from_slice(read),
        }
        self.taken += whole as u64;
        self.room.copy_within(whole..end, 0);
        self.cut = end - whole;
        Ok(count)
    }

    #[inline]
    fn at_hand(&self) -> &[u8] {
        let bytes = match &self.block {
            Block::Text(text) => text.as_bytes(),
            Block::Bytes(bytes) => bytes,
        };
        bytes.get(self.start..).unwrap_or_default()
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
        if self.at_hand().is_empty() {
            self.refill()?;
        }
        Ok(self.at_hand())
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        self.start += count;
        self.used += count;
    }
}
