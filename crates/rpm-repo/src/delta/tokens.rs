//! Where text is cut: after a line, and between `>` and `<` for XML that has no lines. Both can be
//! seen in the text itself, so that a change upsets no cut but its own.

use std::io::{self, Read};

use memchr::memchr2_iter;

/// Longest token in bytes; what has no cut until then is cut there.
pub(super) const MAX_TOKEN: usize = 64 << 10;
/// Bytes read at a time.
const BUFFER: usize = 4 * MAX_TOKEN;

/// The length of the first token of `text`, which is not empty; none if more text is needed to tell.
pub(super) fn first(text: &[u8], is_all: bool) -> Option<usize> {
    let window = text.get(..MAX_TOKEN).unwrap_or(text);
    for at in memchr2_iter(b'\n', b'>', window) {
        if text.get(at) == Some(&b'\n') {
            return Some(at + 1);
        }
        match text.get(at + 1) {
            Some(b'<') => return Some(at + 1),
            Some(_) => {}
            None if is_all => {}
            None => return None,
        }
    }
    if window.len() == MAX_TOKEN {
        return Some(MAX_TOKEN);
    }
    is_all.then_some(text.len())
}

/// Cuts a text in memory.
pub(super) fn of_text(mut text: &[u8]) -> Vec<&[u8]> {
    let mut tokens = Vec::new();
    while !text.is_empty() {
        let length = first(text, true).unwrap_or(text.len());
        let (token, rest) = text.split_at(length.clamp(1, text.len()));
        tokens.push(token);
        text = rest;
    }
    tokens
}

/// Cuts a stream.
pub(super) struct Tokens<R> {
    stream: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<R: Read> Tokens<R> {
    pub(super) fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            ended: false,
        }
    }

    /// The next token; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let length = loop {
            let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
            if waiting.is_empty() && self.ended {
                return Ok(None);
            }
            let length = first(waiting, self.ended).filter(|_| !waiting.is_empty());
            match length {
                Some(length) => break length,
                None => self.fill()?,
            }
        };
        let from = self.start;
        self.start += length;
        Ok(self.buffer.get(from..self.start))
    }

    /// Reads on; what waits is at most a token and moves to the front.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let space = self.buffer.get_mut(self.end..).unwrap_or_default();
        match self.stream.read(space) {
            Ok(0) => self.ended = true,
            Ok(count) => self.end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
