//! Which stretches of two long texts differ, without holding either.
//!
//! A text becomes a list of chunks: some tokens each, cut where a token's own hash says so, so that
//! chunks of the two texts fall together again behind a change. A chunk costs 16 bytes; the 11 million
//! lines of the largest filelists known become 350,000 of them. Equal hashes are taken for equal
//! chunks: a delta is tried after it has been made.

use std::hash::Hasher;
use std::io::Read;

use imara_diff::{Algorithm, Diff, InternedInput};

use super::tokens::Tokens;
use super::{Error, Result};
use crate::compress::MAX_OPEN_SIZE;

/// A chunk ends behind a token whose hash has these bits zero: behind one in 32.
const CUT: u64 = 31;
/// Longest chunk in bytes.
const MAX_CHUNK: u64 = 256 << 10;
/// Most chunks of a text (64 MiB of memory): one of 130 million lines.
const MAX_CHUNKS: usize = 1 << 22;

/// The chunks of a text.
#[derive(Default)]
pub(super) struct Chunks {
    hashes: Vec<u64>,
    lengths: Vec<u64>,
    /// Size of the text in bytes.
    pub(super) size: u64,
}

/// A stretch of two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stretch {
    /// So many bytes are in both.
    Same(u64),
    /// So many bytes of the old text have become so many of the new one.
    Changed(u64, u64),
}

impl Chunks {
    /// Reads a text to its end.
    pub(super) fn read(text: impl Read) -> Result<Chunks> {
        let mut chunks = Chunks::default();
        let mut tokens = Tokens::new(text);
        let mut whole = hasher();
        let mut length = 0_u64;
        while let Some(token) = tokens.next()? {
            let mut one = hasher();
            one.write(token);
            let hash = one.finish();
            whole.write_u64(hash);
            length += token.len() as u64;
            chunks.size += token.len() as u64;
            if chunks.size > MAX_OPEN_SIZE {
                let (what, limit) = ("the text", MAX_OPEN_SIZE);
                return Err(Error::TooLarge { what, limit });
            }
            if hash & CUT == 0 || length >= MAX_CHUNK {
                chunks.push(whole.finish(), length)?;
                (whole, length) = (hasher(), 0);
            }
        }
        if length > 0 {
            chunks.push(whole.finish(), length)?;
        }
        Ok(chunks)
    }

    fn push(&mut self, hash: u64, length: u64) -> Result<()> {
        if self.hashes.len() >= MAX_CHUNKS {
            return Err(Error::TooLarge {
                what: "the list of a text's parts",
                limit: MAX_CHUNKS as u64,
            });
        }
        self.hashes.push(hash);
        self.lengths.push(length);
        Ok(())
    }

    fn bytes(&self, range: std::ops::Range<u32>) -> u64 {
        let range = range.start as usize..range.end as usize;
        self.lengths.get(range).unwrap_or_default().iter().sum()
    }
}

/// The same for every run: equal input gives equal deltas.
fn hasher() -> impl Hasher {
    std::hash::DefaultHasher::new()
}

/// From the old text to the new one, from front to back.
pub(super) fn stretches(old: &Chunks, new: &Chunks) -> Vec<Stretch> {
    let mut input: InternedInput<u64> = InternedInput::default();
    input.update_before(old.hashes.iter().copied());
    input.update_after(new.hashes.iter().copied());
    let diff = Diff::compute(Algorithm::Histogram, &input);
    let mut list = Vec::new();
    let (mut at_old, mut at_new) = (0, 0);
    for hunk in diff.hunks() {
        let same = new.bytes(at_new..hunk.after.start);
        if same > 0 {
            list.push(Stretch::Same(same));
        }
        let (gone, come) = (
            old.bytes(hunk.before.clone()),
            new.bytes(hunk.after.clone()),
        );
        list.push(Stretch::Changed(gone, come));
        (at_old, at_new) = (hunk.before.end, hunk.after.end);
    }
    debug_assert!(old.hashes.len() - at_old as usize == new.hashes.len() - at_new as usize);
    let same = new.bytes(at_new..u32::try_from(new.hashes.len()).unwrap_or(u32::MAX));
    if same > 0 {
        list.push(Stretch::Same(same));
    }
    list
}
