//! Streams that hash and count what passes.

use std::io::{self, Read, Write};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};

/// Hashes and counts what is read through it.
#[derive(Debug)]
pub struct HashingReader<R> {
    stream: R,
    hasher: Option<Hasher>,
    count: u64,
}

impl<R: Read> HashingReader<R> {
    /// Wraps a stream; without an algorithm it only counts.
    pub fn new(stream: R, algo: Option<DigestAlgo>) -> HashingReader<R> {
        HashingReader {
            stream,
            hasher: algo.map(Hasher::new),
            count: 0,
        }
    }

    /// The stream below; what is read from it directly is neither counted nor hashed.
    pub fn stream_mut(&mut self) -> &mut R {
        &mut self.stream
    }

    /// Bytes read so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The digest of everything read so far; `None` without an algorithm or when asked again.
    pub fn take_digest(&mut self) -> Option<Digest> {
        self.hasher.take().map(Hasher::finish)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(out)?;
        if let (Some(hasher), Some(data)) = (&mut self.hasher, out.get(..count)) {
            hasher.update(data);
        }
        self.count += count as u64;
        Ok(count)
    }
}

/// Hashes and counts what is written through it.
pub(crate) struct HashingWriter<W> {
    pub(crate) out: W,
    pub(crate) hasher: Hasher,
    /// Bytes written so far.
    pub(crate) size: u64,
}

impl<W> HashingWriter<W> {
    pub(crate) fn new(out: W, algo: DigestAlgo) -> Self {
        Self {
            out,
            hasher: Hasher::new(algo),
            size: 0,
        }
    }

    /// Hashes and counts what is written past this.
    pub(crate) fn pass(&mut self, data: &[u8]) {
        self.hasher.update(data);
        self.size += data.len() as u64;
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = self.out.write(data)?;
        self.pass(data.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
