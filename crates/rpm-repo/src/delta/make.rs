//! From two files to a delta.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use imara_diff::{Algorithm, Diff, InternedInput};
use rpm_pkg::digest::{Digest, DigestAlgo};
use whole_file::{Durability, WholeFile};

use super::chunks::{Chunks, Stretch, stretches};
use super::{DeltaHeader, Error, MAX_DELTA, Offer, Packing, Result, ops, tokens};
use crate::compress::{Decoder, HashingReader, HashingWriter};

/// Level of a body of up to [`SMALL`] bytes. It is made once and sent often.
const LEVEL: i32 = 19;
/// What is larger is no usual change, and is packed faster.
const LARGE_LEVEL: i32 = 9;
/// A body of up to so many bytes is put together in memory: a compressor that knows the size needs less.
const SMALL: u64 = 8 << 20;
/// A changed stretch that is longer in either text is not looked into: what the new text has there is
/// put in whole. Both are held in memory.
const MAX_STRETCH: u64 = 32 << 20;
/// Bytes moved at a time.
const PIECE: u64 = 64 << 10;

/// A file as it is stored.
#[derive(Debug, Clone)]
pub struct File {
    file: Arc<fs::File>,
    digest: Digest,
}

impl File {
    /// An open file, whose content says how it is packed, and its checksum, which is believed. Its offset does not
    /// matter.
    #[must_use]
    pub fn new(file: fs::File, digest: Digest) -> File {
        let file = Arc::new(file);
        File { file, digest }
    }

    /// Its bytes from the beginning.
    pub(super) fn bytes(&self) -> FileBytes {
        let file = Arc::clone(&self.file);
        FileBytes { file, at: 0 }
    }

    fn text(&self) -> io::Result<Decoder<FileBytes>> {
        Decoder::new(self.bytes(), "")
    }
}

/// Reads a file that others read, too.
pub(super) struct FileBytes {
    file: Arc<fs::File>,
    at: u64,
}

impl Read for FileBytes {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// A finished delta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedDelta {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub digest: Digest,
}

/// The new file of deltas from several old ones: what must be known of it is found once.
pub struct DeltaTarget {
    file: File,
    chunks: Chunks,
    text: Digest,
    packing: Packing,
}

impl DeltaTarget {
    /// Reads the file, and finds how it was packed.
    ///
    /// # Errors
    /// [`Error::NotExact`]: nothing known here packs its text so. Others: it cannot be read, is damaged or
    /// larger than may be.
    pub fn new(file: File) -> Result<DeltaTarget> {
        let mut text = HashingReader::new(file.text()?, Some(DigestAlgo::Sha256));
        let chunks = Chunks::read(&mut text)?;
        let packing = Packing::of_file(&file, chunks.size)?.ok_or(Error::NotExact)?;
        Ok(DeltaTarget {
            file,
            text: text.take_digest().ok_or(Error::Differs)?,
            packing,
            chunks,
        })
    }

    /// Writes a delta from an old file. It was tried when this returns: carried out on the old text it gives
    /// the new text, and that text packed again gives the new file's bytes.
    ///
    /// Memory: 16 bytes for each piece of some 32 lines of both texts, and what two stretches of 32 MiB need
    /// at most; each text is read three times.
    ///
    /// # Errors
    /// A file cannot be read, or is larger than may be.
    pub fn delta_from(&self, old: &File, out: impl Write) -> Result<FinishedDelta> {
        let chunks = Chunks::read(old.text()?)?;
        let header = DeltaHeader {
            from: old.digest,
            to: self.file.digest,
            open_size: self.chunks.size,
            packing: self.packing.clone(),
        };
        let plan = stretches(&chunks, &self.chunks);
        drop(chunks);
        let body = body(&plan, old.text()?, self.file.text()?)?;
        try_body(&body, old.text()?, self.chunks.size, self.text)?;
        let mut out = HashingWriter::new(out, DigestAlgo::Sha256);
        out.write_all(header.text().as_bytes())?;
        out.write_all(&body)?;
        out.out.flush()?;
        Ok(FinishedDelta {
            size: out.size,
            digest: out.hasher.finish(),
        })
    }

    /// [`Target::delta_from`] into a file that is placed then, [`file_name`](super::file_name) is its usual name. None, and no file, where
    /// the delta is not smaller than half of the new file or than it may be.
    ///
    /// # Errors
    /// The files cannot be read, or the delta cannot be written.
    pub fn delta_in(&self, mut file: WholeFile<'_>, old: &File) -> Result<Option<Offer>> {
        let half = self.file.file.metadata()?.len() / 2;
        let made = match self.delta_from(old, &mut file) {
            Ok(made) if made.size < half => made,
            Ok(_) | Err(Error::TooLarge { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        file.place(Durability::Synced)?;
        Offer::new(old.digest, self.file.digest, made.size, made.digest)
            .map(Some)
            .map_err(|_| Error::Form("its name"))
    }
}

/// Writes a delta from one file to another: [`Target::delta_from`].
///
/// # Errors
/// As [`Target::new`] and [`Target::delta_from`].
pub fn make(old: &File, new: &File, out: impl Write) -> Result<FinishedDelta> {
    DeltaTarget::new(new.clone())?.delta_from(old, out)
}

/// The packed body.
fn body(plan: &[Stretch], old: impl Read, new: impl Read) -> Result<Vec<u8>> {
    let come = |stretch: &Stretch| match stretch {
        Stretch::Same(_) => 0,
        Stretch::Changed(_, come) => *come,
    };
    let packed = if plan.iter().map(come).sum::<u64>() <= SMALL {
        let steps = steps(plan, old, new, Vec::new())?;
        let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(steps.len() as u64))?;
        encoder.write_all(&steps)?;
        encoder.finish()?
    } else {
        let mut encoder = zstd::Encoder::new(Vec::new(), LARGE_LEVEL)?;
        encoder.include_checksum(true)?;
        steps(plan, old, new, encoder)?.finish()?
    };
    if packed.len() as u64 > MAX_DELTA {
        let (what, limit) = ("the delta", MAX_DELTA);
        return Err(Error::TooLarge { what, limit });
    }
    Ok(packed)
}

fn steps<W: Write>(plan: &[Stretch], mut old: impl Read, mut new: impl Read, out: W) -> Result<W> {
    let mut ops = ops::OpsWriter::new(out);
    for stretch in plan {
        match *stretch {
            Stretch::Same(bytes) => {
                ops.copy(bytes)?;
                read_past(&mut old, bytes)?;
                read_past(&mut new, bytes)?;
            }
            Stretch::Changed(gone, come) if gone.max(come) <= MAX_STRETCH => {
                let (gone, come) = (take(&mut old, gone)?, take(&mut new, come)?);
                compare(&gone, &come, &mut ops)?;
            }
            Stretch::Changed(gone, mut come) => {
                ops.skip(gone)?;
                read_past(&mut old, gone)?;
                while come > 0 {
                    let piece = take(&mut new, come.min(PIECE))?;
                    come -= piece.len() as u64;
                    ops.insert(&piece)?;
                }
            }
        }
    }
    Ok(ops.finish()?)
}

/// The difference of two stretches, token by token.
fn compare(old: &[u8], new: &[u8], ops: &mut ops::OpsWriter<impl Write>) -> io::Result<()> {
    let (old, new) = (tokens::of_text(old), tokens::of_text(new));
    let mut input: InternedInput<&[u8]> = InternedInput::default();
    input.update_before(old.iter().copied());
    input.update_after(new.iter().copied());
    let diff = Diff::compute(Algorithm::Histogram, &input);
    let sum = |tokens: Option<&[&[u8]]>| {
        let tokens = tokens.unwrap_or_default();
        tokens.iter().map(|token| token.len() as u64).sum::<u64>()
    };
    let mut at = 0;
    for hunk in diff.hunks() {
        let range = |range: std::ops::Range<u32>| range.start as usize..range.end as usize;
        let (gone, come) = (range(hunk.before), range(hunk.after));
        ops.copy(sum(new.get(at..come.start)))?;
        at = come.end;
        ops.skip(sum(old.get(gone)))?;
        for token in new.get(come).unwrap_or_default() {
            ops.insert(token)?;
        }
    }
    ops.copy(sum(new.get(at..)))
}

fn take(from: &mut impl Read, bytes: u64) -> io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    from.take(bytes).read_to_end(&mut piece)?;
    if (piece.len() as u64) < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(piece)
}

fn read_past(from: &mut impl Read, bytes: u64) -> io::Result<()> {
    match io::copy(&mut from.take(bytes), &mut io::sink())? {
        passed if passed == bytes => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Equal hashes were taken for equal text: here that is proved.
fn try_body(body: &[u8], old: impl Read, open_size: u64, wanted: Digest) -> Result<()> {
    let mut text = HashingWriter::new(io::sink(), DigestAlgo::Sha256);
    let body = io::BufReader::new(zstd::Decoder::with_buffer(body)?);
    ops::run(body, old, &mut text, open_size)?;
    if text.hasher.finish() == wanted {
        Ok(())
    } else {
        Err(Error::Differs)
    }
}
