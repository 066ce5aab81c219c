//! From an old file and a delta to the new file.

use std::io::{self, BufReader, Read, Write};

use super::header::DeltaHeader;
use super::{Error, MAX_DELTA, MAX_WINDOW_LOG, Result, ops};
use crate::compress::{Decoder, Expected, HashingWriter, MAX_OPEN_SIZE, MAX_PACKED_SIZE, Packer};

/// Writes the new file. `old` is the old file as it is stored; `expected` is what `repomd.xml` says of the
/// new one and must name a checksum. Nothing here is believed: if this returns, the checksum fits; else what
/// was written is to be thrown away.
///
/// Memory: the streams' own windows; neither text is held.
///
/// # Errors
/// The delta is damaged or leads elsewhere; the old file is another, or its bytes have changed; the
/// result is not what was expected.
pub fn apply(old: impl Read, delta: impl Read, expected: &Expected, out: impl Write) -> Result<()> {
    let wanted = expected.checksum.ok_or(Error::OtherFile)?;
    let mut delta = BufReader::new(delta.take(MAX_DELTA));
    let header = DeltaHeader::read(&mut delta)?;
    if header.to != wanted {
        return Err(Error::OtherFile);
    }
    let open_limit = expected.open_size.unwrap_or(MAX_OPEN_SIZE);
    if header.open_size > open_limit {
        return Err(Error::TooLarge {
            what: "the text",
            limit: open_limit,
        });
    }
    let limit = expected.size.unwrap_or(MAX_PACKED_SIZE);
    let out = BoundedWriter {
        out: HashingWriter::new(out, wanted.algo()),
        limit,
    };
    let mut packer = Packer::new(out, &header.packing, Some(header.open_size))?;
    let mut body = zstd::Decoder::with_buffer(delta)?;
    body.window_log_max(MAX_WINDOW_LOG)?;
    let old = Decoder::new(old, "")?.take(MAX_OPEN_SIZE);
    ops::run(BufReader::new(body), old, &mut packer, header.open_size)?;
    let mut out = packer.finish()?;
    out.flush()?;
    if out.out.size != limit && expected.size.is_some() {
        return Err(Error::Differs);
    }
    if out.out.hasher.finish() == wanted {
        Ok(())
    } else {
        Err(Error::Differs)
    }
}

/// Fails when more comes than the file may have.
struct BoundedWriter<W> {
    out: HashingWriter<W>,
    limit: u64,
}

impl<W: Write> Write for BoundedWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.out.size.saturating_add(data.len() as u64) > self.limit {
            let (what, limit) = ("the new file", self.limit);
            return Err(io::Error::other(Error::TooLarge { what, limit }));
        }
        self.out.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
