//! The first lines of a delta: which file it leads from, which to, and how that one is packed.

use std::io::Read;

use rpm_pkg::digest::{Digest, DigestAlgo};

use super::{Error, Packing, Result};

/// Longest header in bytes, its empty last line included.
pub const MAX_HEADER: usize = 2048;
/// The first line. Another number is another format.
const FIRST: &str = "repodata-delta 1";

/// What a delta says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaHeader {
    /// Checksum of the old file as it is stored.
    pub from: Digest,
    /// Checksum of the new file as it is stored.
    pub to: Digest,
    /// Size of the new file's text in bytes.
    pub open_size: u64,
    /// How the new file's text is packed.
    pub packing: Packing,
}

/// Reads a digest written `sha256:hex`.
pub(super) fn digest(text: &str) -> Option<Digest> {
    let (algo, hex) = text.split_once(':')?;
    Digest::from_hex(DigestAlgo::from_name(algo)?, hex).ok()
}

impl DeltaHeader {
    /// The lines, the empty one at the end included.
    pub(super) fn text(&self) -> String {
        format!(
            "{FIRST}\nfrom {}\nto {}\nopen-size {}\npacking {}\n\n",
            self.from, self.to, self.open_size, self.packing
        )
    }

    /// Reads the header of a delta and nothing behind it.
    ///
    /// # Errors
    /// [`Error::Form`]: not a header of this form; [`Error::Io`]: it cannot be read.
    pub fn read(delta: &mut impl Read) -> Result<DeltaHeader> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\n\n") {
            if bytes.len() >= MAX_HEADER {
                return Err(Error::Form("its header has no end"));
            }
            let mut one = [0];
            if delta.read(&mut one)? == 0 {
                return Err(Error::Form("its header is cut short"));
            }
            bytes.extend(one);
        }
        let text =
            std::str::from_utf8(&bytes).map_err(|_| Error::Form("its header is not text"))?;
        Self::parse(text)
    }

    fn parse(text: &str) -> Result<DeltaHeader> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST) {
            return Err(Error::Form("its first line is another"));
        }
        let mut value = |key: &str| {
            let line = lines.next().and_then(|line| line.split_once(' '));
            let found = line.filter(|(found, _)| *found == key);
            found
                .map(|(_, value)| value)
                .ok_or(Error::Form("its header lacks a line"))
        };
        let wrong = || Error::Form("its header has a bad digest");
        let from = digest(value("from")?).ok_or_else(wrong)?;
        let to = digest(value("to")?).ok_or_else(wrong)?;
        let open_size = value("open-size")?
            .parse()
            .map_err(|_| Error::Form("its header has a bad size"))?;
        let packing = Packing::parse(value("packing")?)
            .ok_or(Error::Form("its header names an unknown packing"))?;
        Ok(DeltaHeader {
            from,
            to,
            open_size,
            packing,
        })
    }
}
