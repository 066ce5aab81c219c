//! The body of a delta: what to take over, what to leave out, what to put in. Forward only, so that
//! the old text streams by.

use std::io::{self, Read, Write};

use super::{Error, Result};

/// Bytes that are moved at a time.
const PIECE: usize = 64 << 10;
/// Inserted bytes that are collected before they are written: their length stands in front.
const LITERAL: usize = 256 << 10;

const END: u8 = 0;
const COPY: u8 = 1;
const SKIP: u8 = 2;
const INSERT: u8 = 3;

/// Writes a body. Neighbours of a kind become one.
pub(super) struct OpsWriter<W: Write> {
    out: W,
    /// Bytes to be copied or skipped that are not written yet.
    waiting: Option<(u8, u64)>,
    literal: Vec<u8>,
}

impl<W: Write> OpsWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            waiting: None,
            literal: Vec::new(),
        }
    }

    pub(super) fn copy(&mut self, bytes: u64) -> io::Result<()> {
        self.count(COPY, bytes)
    }

    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.count(SKIP, bytes)
    }

    fn count(&mut self, kind: u8, bytes: u64) -> io::Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        self.flush_literal()?;
        match &mut self.waiting {
            Some((waiting, sum)) if *waiting == kind => *sum += bytes,
            _ => {
                self.flush_waiting()?;
                self.waiting = Some((kind, bytes));
            }
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, text: &[u8]) -> io::Result<()> {
        self.flush_waiting()?;
        self.literal.extend_from_slice(text);
        if self.literal.len() >= LITERAL {
            self.flush_literal()?;
        }
        Ok(())
    }

    fn flush_waiting(&mut self) -> io::Result<()> {
        match self.waiting.take() {
            Some((kind, bytes)) => self.head(kind, bytes),
            None => Ok(()),
        }
    }

    fn flush_literal(&mut self) -> io::Result<()> {
        if self.literal.is_empty() {
            return Ok(());
        }
        self.head(INSERT, self.literal.len() as u64)?;
        self.out.write_all(&self.literal)?;
        self.literal.clear();
        Ok(())
    }

    /// The kind, then the number in groups of seven bits, lowest first.
    fn head(&mut self, kind: u8, mut number: u64) -> io::Result<()> {
        let mut bytes = vec![kind];
        loop {
            let low = (number & 0x7f) as u8;
            number >>= 7;
            if number == 0 {
                bytes.push(low);
                return self.out.write_all(&bytes);
            }
            bytes.push(low | 0x80);
        }
    }

    /// Ends the body.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush_literal()?;
        self.flush_waiting()?;
        self.out.write_all(&[END])?;
        Ok(self.out)
    }
}

/// Carries a body out: reads the old text, writes the new one, which may have `limit` bytes. Every
/// step reads or writes at least a byte, so that the work is bounded by the two texts.
pub(super) fn run(
    mut body: impl Read,
    mut old: impl Read,
    mut out: impl Write,
    limit: u64,
) -> Result<u64> {
    let mut written = 0_u64;
    let mut piece = vec![0; PIECE];
    loop {
        let kind = byte(&mut body)?;
        if kind == END {
            break;
        }
        let count = number(&mut body)?;
        if kind == SKIP {
            pass(&mut old, &mut io::sink(), count, &mut piece)?;
            continue;
        }
        written = written.saturating_add(count);
        if written > limit {
            return Err(Error::TooLarge {
                what: "what the delta gives",
                limit,
            });
        }
        match kind {
            COPY => pass(&mut old, &mut out, count, &mut piece)?,
            INSERT => pass(&mut body, &mut out, count, &mut piece)?,
            _ => return Err(Error::Form("an unknown step")),
        }
    }
    if body.read(&mut [0])? != 0 {
        return Err(Error::Form("something follows its end"));
    }
    Ok(written)
}

/// Moves exactly `count` bytes.
fn pass(
    from: &mut impl Read,
    to: &mut impl Write,
    mut count: u64,
    piece: &mut [u8],
) -> io::Result<()> {
    while count > 0 {
        let most = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(piece.len());
        let piece = piece.get_mut(..most).unwrap_or_default();
        from.read_exact(piece)?;
        to.write_all(piece)?;
        count -= most as u64;
    }
    Ok(())
}

fn byte(from: &mut impl Read) -> io::Result<u8> {
    let mut one = [0];
    from.read_exact(&mut one)?;
    Ok(one[0])
}

/// A number as [`OpsWriter`] writes it; never zero.
fn number(from: &mut impl Read) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let next = byte(from)?;
        value |= u64::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return match value {
                0 => Err(Error::Form("a step over nothing")),
                value => Ok(value),
            };
        }
    }
    Err(Error::Form("a number that is too large"))
}
